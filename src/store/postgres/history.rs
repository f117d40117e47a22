//! Applies and versions on PostgreSQL.

use std::collections::HashMap;

use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::PgStore;
use super::copy::CopiedRow;
use super::read::{OWNED_COLUMNS, apply_columns, owned_binding};
use crate::error::Result;
use crate::fields::FieldsPool;
use crate::history::window::WindowApply;
use crate::history::{BindingVersion, Versions};
use crate::snapshot::ApplyRecord;
use crate::store::cells::Cells;
use crate::store::history::{EachVersion, Select};
use crate::store::rows;
use crate::store::schema::NUMBERS;

impl PgStore {
    /// The rows of statements without values.
    async fn read<T>(
        &mut self,
        sql: &str,
        take: impl FnOnce(&[Vec<PgRow>]) -> Result<T, sqlx::Error>,
    ) -> Result<T> {
        let found = self.sets(sql).await;
        let taken = found.and_then(|found| take(&found));
        taken.map_err(|error| self.trouble(error))
    }

    pub async fn applies(&mut self) -> Result<Vec<ApplyRecord>> {
        let columns = apply_columns();
        let sql = format!(
            "SELECT {columns} FROM {}.lkroute_applies a ORDER BY a.id DESC",
            self.q
        );
        let take = |found: &[Vec<PgRow>]| found.iter().flatten().map(rows::apply_record).collect();
        self.read(&sql, take).await
    }

    /// The applies of the last `seconds`, and all behind the first of them,
    /// the oldest first.
    pub async fn recent_applies(&mut self, seconds: i64) -> Result<Vec<WindowApply>> {
        let sql = format!(
            "SELECT id::int8, {account}::text FROM {q}.lkroute_applies
               WHERE id >= (SELECT min(id) FROM {q}.lkroute_applies
                            WHERE at > clock_timestamp() - {seconds} * interval '1 second')
               ORDER BY id",
            account = self.layout.account_column(),
            q = self.q
        );
        let take = |found: &[Vec<PgRow>]| found.iter().flatten().map(rows::window_apply).collect();
        self.read(&sql, take).await
    }

    pub async fn versions(&mut self) -> Result<Versions> {
        let sql = format!(
            "SELECT name, since::int8, fields, file::int8, line::int8, until::int8
               FROM {q}.lkroute_regions;
             SELECT id, since::int8, fields, secret_source, fingerprint, file::int8, line::int8,
               inserted, until::int8, sealed, found, found_sealed FROM {q}.lkroute_configs",
            q = self.q
        );
        self.read(&sql, |found| {
            let set = |ix: usize| found.get(ix).into_iter().flatten();
            Ok(Versions {
                regions: set(0).map(rows::region_version).collect::<Result<_, _>>()?,
                configs: set(1).map(rows::config_version).collect::<Result<_, _>>()?,
            })
        })
        .await
    }

    pub async fn binding_versions(
        &mut self,
        select: &Select,
        pool: &mut FieldsPool,
        each: &mut EachVersion<'_>,
    ) -> Result<()> {
        let settings = self.settings().await?.interned(pool);
        let sql = format!(
            "COPY (SELECT {OWNED_COLUMNS}, until, found FROM {}.lkroute_bindings WHERE {}
               ORDER BY number_id, since) TO STDOUT (FORMAT binary)",
            self.q,
            select.condition(&format!("{}.", self.q))
        );
        let tenants = std::mem::take(&mut self.tenants);
        let streamed = self
            .stream(&sql, |row: CopiedRow<'_, 7>| {
                let found = row.int4(6)?.map(i64::from);
                let version = BindingVersion {
                    owned: owned_binding(row, &tenants, &settings)?,
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

    pub async fn touched(&mut self, rows: &[Uuid]) -> Result<HashMap<Uuid, String>> {
        let ids: Vec<String> = rows.iter().map(|id| format!("'{id}'")).collect();
        let sql = format!(
            "SELECT {id}, {} FROM {}.voice_agent_numbers n WHERE {id} IN ({})",
            self.tables.columns().touched(NUMBERS, "n"),
            self.q,
            ids.join(", "),
            id = self.tables.columns().number_id("n"),
        );
        let touch = |row: &PgRow| {
            let at = row.text(1)?.map(str::to_owned);
            Ok(Some(row.some_uuid(0)?).zip(at))
        };
        let touched = self
            .read(&sql, |found| found.iter().flatten().map(touch).collect())
            .await?;
        let touched: Vec<Option<(Uuid, String)>> = touched;
        Ok(touched.into_iter().flatten().collect())
    }
}
