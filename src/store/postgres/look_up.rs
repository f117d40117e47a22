//! Looking a number up in PostgreSQL, in one round trip and without a
//! transaction block, whatever stands in between.

use super::PgStore;
use crate::error::Result;
use crate::lookup::{LookUp, LookedUp};
use crate::store::cells::Cells;
use crate::store::trouble::{code, malformed};

impl PgStore {
    pub async fn look_up(&mut self, asked: &LookUp) -> Result<LookedUp> {
        let text = match self.ask_number(asked).await {
            // A table or a column is missing, of another type, or not for us:
            // what is there is looked at, and asked.
            Err(error) if !self.tables.is_inspected() && is_of_shape(&error) => {
                let loaded = self.load_columns().await;
                loaded.map_err(|error| self.trouble(error))?;
                self.ask_number(asked).await
            }
            answered => answered,
        };
        let text = text.map_err(|error| self.trouble(error))?;
        let found = self.read_answer(&text, asked)?;
        let found = match self.tables.is_inspected() && found.is_outdated(&self.tables) {
            false => found,
            true => {
                let loaded = self.load_columns().await;
                loaded.map_err(|error| self.trouble(error))?;
                let text = self.ask_number(asked).await;
                self.read_answer(&text.map_err(|error| self.trouble(error))?, asked)?
            }
        };
        match found.check(&self.schema) {
            Ok(()) => Ok(found),
            Err(error) => Err(error.within(&self.label)),
        }
    }

    fn read_answer(&self, text: &str, asked: &LookUp) -> Result<LookedUp> {
        let found = LookedUp::read(text, asked, self.tables.has_users());
        found.map_err(|error| malformed(&self.label, &error))
    }

    async fn ask_number(&mut self, asked: &LookUp) -> Result<String, sqlx::Error> {
        let answers = self.ask(&self.tables.statement_of(asked)).await?;
        let row = answers.iter().flatten().next();
        let text = row.map(|row| row.some_text(0)).transpose()?;
        Ok(text.unwrap_or_default().to_owned())
    }
}

/// The classes of what is unknown or forbidden, and of what is not supported.
fn is_of_shape(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| code.starts_with("42") || code.starts_with("0A"))
}
