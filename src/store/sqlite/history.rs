//! Versions of bindings on SQLite.

use futures_util::TryStreamExt;
use sqlx::AssertSqlSafe;

use super::SqliteStore;
use super::read::owned_binding;
use crate::error::Result;
use crate::fields::{FieldsIx, FieldsPool};
use crate::history::BindingVersion;
use crate::store::decode::ValuesById;
use crate::store::engine::StoreEngine;
use crate::store::history::{EachVersion, VersionFilter};
use crate::store::row_ext::RowExt;

impl SqliteStore {
    pub(crate) async fn binding_versions(
        &mut self,
        select: &VersionFilter,
        pool: &mut FieldsPool,
        each: &mut EachVersion<'_>,
    ) -> Result<()> {
        let settings = self.settings().await?.interned(pool);
        let mut each = |version| each(pool, version);
        let read = self
            .read_binding_versions(select, &settings, &mut each)
            .await;
        read.map_err(|error| self.database_error(error))
    }

    async fn read_binding_versions(
        &mut self,
        select: &VersionFilter,
        settings: &ValuesById<Option<FieldsIx>>,
        each: &mut dyn FnMut(BindingVersion),
    ) -> Result<(), sqlx::Error> {
        let sql = format!(
            "SELECT number_id, number, tenant, settings, file, line, inserted, retired,
               since, until, found FROM lkroute_bindings WHERE {}{}",
            select.condition(""),
            select.order()
        );
        let mut stream = sqlx::query(AssertSqlSafe(sql)).fetch(&mut self.conn);
        while let Some(row) = stream.try_next().await? {
            let found = row.int(10)?.and_then(|found| settings.get(found).copied());
            let version = BindingVersion {
                owned: owned_binding(&row, &self.tenants, settings)?,
                since: row.some_int(8)?,
                until: row.int(9)?,
                found: found.flatten(),
            };
            each(version);
        }
        Ok(())
    }
}
