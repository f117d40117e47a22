//! [`StoreEngine`] on SQLite.

use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use super::sql::sets;
use crate::error::Error;
use crate::lookup::Dialect;
use crate::store::engine::{StoreEngine, TenantNumbers};
use crate::store::schema::Layout;

impl StoreEngine for SqliteStore {
    type Row = SqliteRow;

    fn dialect(&self) -> Dialect<'_> {
        Dialect::sqlite()
    }

    fn layout(&self) -> Layout {
        self.layout
    }

    fn tenants(&mut self) -> &mut TenantNumbers {
        &mut self.tenants
    }

    fn database_error(&self, error: sqlx::Error) -> Error {
        SqliteStore::database_error(self, error)
    }

    async fn sets(&mut self, sql: &str) -> Result<Vec<Vec<SqliteRow>>, sqlx::Error> {
        sets(&mut self.conn, sql).await
    }

    async fn has_agents(&mut self) -> Result<bool, sqlx::Error> {
        self.has("voice_agents").await
    }
}
