//! [`StoreEngine`] on PostgreSQL.

use sqlx::postgres::PgRow;

use super::PgStore;
use super::sql::literal;
use crate::error::Error;
use crate::lookup::{ConfigReference, Dialect};
use crate::store::engine::{StoreEngine, TenantNumbers};
use crate::store::row_ext::RowExt;
use crate::store::row_limits::RowLimits;
use crate::store::schema::Layout;

impl StoreEngine for PgStore {
    type Row = PgRow;

    fn dialect(&self) -> Dialect<'_> {
        Dialect::postgres(&self.quoted_schema, self.tables.columns())
    }

    fn layout(&self) -> Layout {
        self.layout
    }

    fn tenants(&mut self) -> &mut TenantNumbers {
        &mut self.tenants
    }

    fn schema(&self) -> Option<&str> {
        Some(&self.schema)
    }

    fn row_limits(&self) -> RowLimits {
        RowLimits::new(&self.label, self.tables.columns().limits())
    }

    fn database_error(&self, error: sqlx::Error) -> Error {
        PgStore::database_error(self, error)
    }

    async fn sets(&mut self, sql: &str) -> Result<Vec<Vec<PgRow>>, sqlx::Error> {
        PgStore::sets(self, sql).await
    }

    async fn ask(&mut self, sql: &str) -> Result<Vec<Vec<PgRow>>, sqlx::Error> {
        PgStore::ask(self, sql).await
    }

    async fn explain(&mut self, error: Error) -> Error {
        if self.waited() {
            self.name_blockers(error).await
        } else {
            error
        }
    }

    async fn config_references(&mut self) -> Result<Vec<ConfigReference>, sqlx::Error> {
        Ok(self.tables.config_references().to_vec())
    }

    async fn has_agents(&mut self) -> Result<bool, sqlx::Error> {
        if !self.tables.columns().has_agents() {
            return Ok(false);
        }
        // Asked first, as an error would end the transaction of the read.
        let table = literal(&format!("{}.voice_agents", self.quoted_schema));
        let readable =
            format!("SELECT has_table_privilege(t, 'SELECT') FROM to_regclass({table}) t");
        let readable = self.sets(&readable).await?;
        let readable = readable.iter().flatten().next();
        Ok(readable.is_some_and(|row| row.flag(0).unwrap_or_default()))
    }
}
