//! Whether the application's tables on PostgreSQL can be read and written as
//! they are: see [`crate::lookup::Columns`].

use super::PgStore;
use crate::error::{Error, Result};
use crate::lookup::{PgTables, inspection};
use crate::store::row_ext::RowExt;
use crate::store::schema::{CONFIGS, NUMBERS};

impl PgStore {
    /// Looks at the tables, and at the columns of the application's.
    pub(super) async fn load_columns(&mut self) -> Result<(), sqlx::Error> {
        let found = self.ask(&inspection(&self.schema)).await?;
        let document = found.iter().flatten().next();
        let document = document.map(|row| row.some_text(0)).transpose()?;
        let tables = PgTables::read(&self.schema, document.unwrap_or_default());
        let tables = tables.map_err(|error| sqlx::Error::Decode(error.into()))?;
        self.layout.own = tables.has_own();
        self.layout.worker_name = tables.columns().has_worker_name();
        self.tables = tables;
        Ok(())
    }

    /// Refuses a role that may not see every row, columns of types that can't be
    /// written, and ids that are none.
    pub(super) async fn check_tables(&mut self) -> Result<()> {
        let loaded = self.load_columns().await;
        loaded.map_err(|error| self.database_error(error))?;
        // What is hidden is asked only where anything may be.
        if !self.tables.sees_all() {
            self.refuse_hidden().await?;
        }
        self.check_columns().await
    }

    async fn check_columns(&mut self) -> Result<()> {
        if !self.tables.columns().are_loaded() {
            return Ok(());
        }
        let hint = "lkroute reads and writes the types that docs/databases.md lists";
        if let Some(problem) = self.tables.columns().problem() {
            return Err(Error::new(format!("{}: {problem}", self.label)).hint(hint));
        }
        for (table, name) in [(NUMBERS, "id"), (NUMBERS, "tenant_id"), (CONFIGS, "id")] {
            if !self.tables.columns().is_text(table, name) {
                continue;
            }
            let sql = format!(
                "SELECT left(n.{name}::text, 60) FROM {}.{table} n
                   WHERE n.{name} IS NOT NULL AND {} IS NULL LIMIT 1",
                self.quoted_schema,
                self.tables.columns().uuid(table, name, "n")
            );
            let found = self.ask(&sql).await;
            let found = found.map_err(|error| self.database_error(error))?;
            if let Some(row) = found.iter().flatten().next() {
                let value = row.text(0).ok().flatten().unwrap_or_default();
                return Err(Error::new(format!(
                    "{}: {table}.{name} is text, and {value:?} in it is no uuid",
                    self.label
                ))
                .hint(hint));
            }
        }
        Ok(())
    }
}
