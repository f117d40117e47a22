//! Looking a number up in PostgreSQL, in one round trip and without a
//! transaction block, whatever stands in between.

use super::PgStore;
use crate::error::{Error, Result};
use crate::lookup::{AGENTS, LookUp, LookedUp, PgTables};
use crate::store::error_map::{error_code, malformed_answer};
use crate::store::row_ext::RowExt;

impl PgStore {
    pub(crate) async fn look_up(&mut self, asked: &LookUp) -> Result<LookedUp> {
        let mut asking = self.ask_number(asked).await;
        // A small installation has no agents; all else may be as assumed.
        if self.tables.assumes_agents() && asking.as_ref().is_err_and(is_of_agents) {
            self.tables.assume_no_agents();
            asking = self.ask_number(asked).await;
        }
        let found = match asking {
            // A table or a column is missing, of another type, or not for us, or
            // may hide rows: what is there is looked at, and asked.
            Err(error) if is_of_rights(&error) => None,
            Err(error) if !self.tables.is_inspected() && is_of_shape(&error) => None,
            Err(error) => return Err(self.database_error(error)),
            Ok(text) => Some(self.read_answer(&text, asked)?),
        };
        let found = match found.filter(|found| !found.is_outdated()) {
            Some(found) => found,
            None => self.look_anew(asked).await?,
        };
        match found.check(&self.schema) {
            Ok(()) => Ok(found),
            Err(error) => Err(error.within(&self.label)),
        }
    }

    /// Asks what is right for the tables that there are now.
    async fn look_anew(&mut self, asked: &LookUp) -> Result<LookedUp> {
        let loaded = self.load_columns().await;
        loaded.map_err(|error| self.database_error(error))?;
        let text = self.ask_number(asked).await;
        let found = self.read_answer(&text.map_err(|error| self.database_error(error))?, asked)?;
        if found.is_outdated() {
            Err(
                Error::new(format!("{}: the tables keep changing", self.label))
                    .hint("try again in a moment"),
            )
        } else {
            Ok(found)
        }
    }

    fn read_answer(&self, text: &str, asked: &LookUp) -> Result<LookedUp> {
        let found = LookedUp::read(text, asked, self.tables.has_users());
        found.map_err(|error| malformed_answer(&self.label, &error))
    }

    async fn ask_number(&mut self, asked: &LookUp) -> Result<String, sqlx::Error> {
        let mut sql = self.waits.settings();
        if self.tables.sees_all() {
            sql = format!("{sql}, {}", PgTables::HIDES_NOTHING);
        }
        let sql = format!("{sql};\n{}", self.tables.statement_of(asked));
        let answers = self.sets(&sql).await?;
        // Behind the row of the settings.
        let row = answers.get(1).and_then(|rows| rows.first());
        let text = row.map(|row| row.some_text(0)).transpose()?;
        Ok(text.unwrap_or_default().to_owned())
    }
}

/// Whether the table of agents is missing, or not for us.
fn is_of_agents(error: &sqlx::Error) -> bool {
    let names = |told: &dyn sqlx::error::DatabaseError| told.message().contains(AGENTS);
    is_of_shape(error) && error.as_database_error().is_some_and(names)
}

fn is_of_rights(error: &sqlx::Error) -> bool {
    error_code(error).as_deref() == Some("42501")
}

/// The classes of what is unknown or forbidden, and of what is not supported.
fn is_of_shape(error: &sqlx::Error) -> bool {
    error_code(error).is_some_and(|code| code.starts_with("42") || code.starts_with("0A"))
}
