//! Applies and versions on SQLite.

use std::collections::HashMap;

use futures_util::TryStreamExt;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::SqliteStore;
use super::read::{APPLY_COLUMNS, owned_binding};
use crate::error::Result;
use crate::fields::FieldsPool;
use crate::history::window::WindowApply;
use crate::history::{BindingVersion, Versions};
use crate::snapshot::ApplyRecord;
use crate::store::cells::Cells;
use crate::store::history::{EachVersion, Select};
use crate::store::rows;

impl SqliteStore {
    pub async fn applies(&mut self) -> Result<Vec<ApplyRecord>> {
        let sql = format!("SELECT {APPLY_COLUMNS} FROM lkroute_applies a ORDER BY a.id DESC");
        let read = self.all(sql).await;
        let read = read.and_then(|rows| rows.iter().map(rows::apply_record).collect());
        read.map_err(|error| self.trouble(error))
    }

    /// The applies of the last `seconds`, and all behind the first of them,
    /// the oldest first.
    pub async fn recent_applies(&mut self, seconds: i64) -> Result<Vec<WindowApply>> {
        let sql = format!(
            "SELECT id, {account} FROM lkroute_applies
               WHERE id >= (SELECT min(id) FROM lkroute_applies
                 WHERE at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-{seconds} seconds'))
               ORDER BY id",
            account = self.layout.account_column()
        );
        let read = self.all(sql).await;
        let read = read.and_then(|rows| rows.iter().map(rows::window_apply).collect());
        read.map_err(|error| self.trouble(error))
    }

    pub async fn versions(&mut self) -> Result<Versions> {
        let read = self.read_versions().await;
        read.map_err(|error| self.trouble(error))
    }

    async fn read_versions(&mut self) -> Result<Versions, sqlx::Error> {
        let regions = "SELECT name, since, fields, file, line, until FROM lkroute_regions";
        let configs = "SELECT id, since, fields, secret_source, fingerprint, file, line, inserted,
                         until, sealed, found, found_sealed FROM lkroute_configs";
        let regions = self.all(regions).await?;
        let configs = self.all(configs).await?;
        Ok(Versions {
            regions: regions
                .iter()
                .map(rows::region_version)
                .collect::<Result<_, _>>()?,
            configs: configs
                .iter()
                .map(rows::config_version)
                .collect::<Result<_, _>>()?,
        })
    }

    pub async fn binding_versions(
        &mut self,
        select: &Select,
        pool: &mut FieldsPool,
        each: &mut EachVersion<'_>,
    ) -> Result<()> {
        let read = self.read_binding_versions(select, pool, each).await;
        read.map_err(|error| self.trouble(error))
    }

    async fn read_binding_versions(
        &mut self,
        select: &Select,
        pool: &mut FieldsPool,
        each: &mut EachVersion<'_>,
    ) -> Result<(), sqlx::Error> {
        let settings = self.settings().await?.interned(pool);
        let sql = format!(
            "SELECT number_id, number, since, tenant, settings, file, line, inserted, retired,
               until, found FROM lkroute_bindings WHERE {} ORDER BY number_id, since",
            select.condition("")
        );
        let mut stream = sqlx::query(AssertSqlSafe(sql)).fetch(&mut self.conn);
        while let Some(row) = stream.try_next().await? {
            let found = row.int(10)?.and_then(|found| settings.get(found).copied());
            let version = BindingVersion {
                owned: owned_binding(&row, &self.tenants, &settings)?,
                until: row.int(9)?,
                found: found.flatten(),
            };
            each(pool, version);
        }
        Ok(())
    }

    pub async fn touched(&mut self, rows: &[Uuid]) -> Result<HashMap<Uuid, String>> {
        let texts: Vec<String> = rows.iter().map(Uuid::to_string).collect();
        let json = serde_json::Value::from(texts).to_string();
        let sql = "SELECT id, updated_at FROM voice_agent_numbers
                   WHERE id IN (SELECT value FROM json_each(?))";
        let read = sqlx::query(sql).bind(json).fetch_all(&mut self.conn).await;
        let read = read.and_then(|rows| rows.iter().map(touch).collect::<Result<Vec<_>, _>>());
        let read = read.map_err(|error| self.trouble(error))?;
        Ok(read.into_iter().flatten().collect())
    }
}

fn touch(row: &sqlx::sqlite::SqliteRow) -> Result<Option<(Uuid, String)>, sqlx::Error> {
    let at = row.text(1)?.map(str::to_owned);
    Ok(Some(row.some_uuid(0)?).zip(at))
}
