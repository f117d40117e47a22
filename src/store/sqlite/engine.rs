//! [`StoreEngine`] on SQLite.

use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use super::sql::sets;
use crate::error::Error;
use crate::lookup::{ConfigReference, Dialect, quoted};
use crate::store::engine::{StoreEngine, TenantNumbers};
use crate::store::row_ext::RowExt;
use crate::store::row_limits::RowLimits;
use crate::store::schema::{CONFIGS, Layout};

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

    fn row_limits(&self) -> RowLimits {
        self.limits.clone()
    }

    fn database_error(&self, error: sqlx::Error) -> Error {
        SqliteStore::database_error(self, error)
    }

    async fn sets(&mut self, sql: &str) -> Result<Vec<Vec<SqliteRow>>, sqlx::Error> {
        sets(&mut self.conn, sql).await
    }

    async fn config_references(&mut self) -> Result<Vec<ConfigReference>, sqlx::Error> {
        let sql = format!(
            "SELECT m.name, f.\"from\" FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f
             WHERE m.type = 'table' AND lower(f.\"table\") = '{CONFIGS}'
               AND lower(coalesce(f.\"to\", 'id')) = 'id'"
        );
        let found = sets(&mut self.conn, &sql).await?;
        let references = found.iter().flatten().map(|row| {
            Ok(ConfigReference {
                table: quoted(row.some_text(0)?),
                column: quoted(row.some_text(1)?),
            })
        });
        references.collect()
    }

    async fn has_agents(&mut self) -> Result<bool, sqlx::Error> {
        self.has("voice_agents").await
    }
}
