//! Versions of bindings on PostgreSQL.

use super::PgStore;
use super::copy::{BadStream, CopiedRow};
use super::read::{OWNED_COLUMNS, owned_binding};
use crate::error::Result;
use crate::fields::FieldsPool;
use crate::history::BindingVersion;
use crate::store::engine::StoreEngine;
use crate::store::history::{EachVersion, VersionFilter};

impl PgStore {
    pub(crate) async fn binding_versions(
        &mut self,
        select: &VersionFilter,
        pool: &mut FieldsPool,
        each: &mut EachVersion<'_>,
    ) -> Result<()> {
        let settings = self.settings().await?.interned(pool);
        let sql = format!(
            "COPY (SELECT {OWNED_COLUMNS}, since, until, found FROM {}.lkroute_bindings
               WHERE {}{}) TO STDOUT (FORMAT binary)",
            self.quoted_schema,
            select.condition(&format!("{}.", self.quoted_schema)),
            select.order()
        );
        self.share_reading().await?;
        let tenants = std::mem::take(&mut self.tenants);
        let streamed = self
            .stream(&sql, |row: CopiedRow<'_, 7>| {
                let found = row.int4(6)?.map(i64::from);
                let version = BindingVersion {
                    owned: owned_binding(row, &tenants, &settings)?,
                    since: row.int4(4)?.map(i64::from).ok_or(BadStream)?,
                    until: row.int4(5)?.map(i64::from),
                    found: found
                        .and_then(|found| settings.get(found).copied())
                        .flatten(),
                };
                each(pool, version);
                Ok(())
            })
            .await;
        self.tenants = tenants;
        streamed
    }
}
