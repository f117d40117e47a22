//! Looking a number up in SQLite.

use super::SqliteStore;
use super::sql::statement;
use crate::error::{Error, Result};
use crate::lookup::{LookUp, LookedUp, SqliteTables};
use crate::store::error_map::malformed_answer;
use crate::store::row_ext::RowExt;

impl SqliteStore {
    pub(crate) async fn look_up(&mut self, asked: &LookUp) -> Result<LookedUp> {
        let answered = self.ask(asked).await;
        let (tables, text) = answered.map_err(|error| self.database_error(error))?;
        let found = LookedUp::read(&text, asked, tables.has_users());
        let found = found.map_err(|error| malformed_answer(&self.label, &error))?;
        found
            .check("")
            .map_err(|error: Error| error.within(&self.label))?;
        Ok(found)
    }

    async fn ask(&mut self, asked: &LookUp) -> Result<(SqliteTables, String), sqlx::Error> {
        let tables = self.look_at_tables().await?;
        let mut look_up = statement(tables.statement(asked.agents));
        for value in asked.sqlite_values() {
            look_up = look_up.bind(value);
        }
        let row = look_up.fetch_one(&mut self.conn).await?;
        let text = row.some_text(0)?.to_owned();
        Ok((tables, text))
    }

    pub(super) async fn look_at_tables(&mut self) -> Result<SqliteTables, sqlx::Error> {
        let inspection = statement(SqliteTables::INSPECTION);
        let row = inspection.fetch_one(&mut self.conn).await?;
        let tables = SqliteTables::read(row.some_text(0)?);
        let tables = tables.map_err(|error| sqlx::Error::Decode(error.into()))?;
        self.layout.own = tables.has_own();
        Ok(tables)
    }

    pub(super) async fn has(&mut self, table: &'static str) -> Result<bool, sqlx::Error> {
        let sql = "SELECT 1 FROM sqlite_master WHERE name = ?";
        let row = statement(sql).bind(table).fetch_optional(&mut self.conn);
        Ok(row.await?.is_some())
    }
}
