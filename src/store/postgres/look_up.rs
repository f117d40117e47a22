//! Looking a number up in PostgreSQL, in one round trip and without a
//! transaction block, whatever stands in between.

use std::time::Duration;

use tokio::time::timeout;

use super::PgStore;
use super::sql::sets;
use crate::error::{Error, Result};
use crate::lookup::{LookUp, LookedUp};
use crate::store::cells::Cells;
use crate::store::trouble::{code, malformed};

/// How long the whole answer may take: longer than the server gives itself,
/// which says more.
const NO_ANSWER: Duration = Duration::from_secs(45);

impl PgStore {
    pub async fn look_up(&mut self, asked: &LookUp) -> Result<LookedUp> {
        match timeout(NO_ANSWER, self.look(asked)).await {
            Ok(found) => found,
            Err(_) => Err(Error::new(format!(
                "{}: no answer within {} s",
                self.label,
                NO_ANSWER.as_secs()
            ))
            .hint("the connection may be cut; check the network, and try again")),
        }
    }

    async fn look(&mut self, asked: &LookUp) -> Result<LookedUp> {
        let text = match self.ask(asked).await {
            // A table or a column is missing, of another type, or not for us:
            // what is there is looked at, and asked.
            Err(error) if !self.tables.is_inspected() && is_of_shape(&error) => {
                let loaded = self.load_columns().await;
                loaded.map_err(|error| self.trouble(error))?;
                self.ask(asked).await
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
                let text = self.ask(asked).await;
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

    async fn ask(&mut self, asked: &LookUp) -> Result<String, sqlx::Error> {
        let statement = self.tables.statement_of(asked);
        let sql = format!("{};\n{statement}", self.waits.settings());
        let answers = sets(&mut self.conn, &sql).await?;
        // Behind the row of the settings.
        let row = answers.get(1).and_then(|rows| rows.first());
        let text = row.map(|row| row.some_text(0)).transpose()?;
        Ok(text.unwrap_or_default().to_owned())
    }
}

/// The classes of what is unknown or forbidden, and of what is not supported.
fn is_of_shape(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| code.starts_with("42") || code.starts_with("0A"))
}
