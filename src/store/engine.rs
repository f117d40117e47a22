//! What a store reads from an engine: the methods that each engine has, and the
//! queries that both share. Imports core.

use std::collections::HashMap;

use uuid::Uuid;

use super::decode::{self, AgentMismatchRow, ValuesById};
use super::row_ext::RowExt;
use super::row_limits::RowLimits;
use super::schema::Layout;
use crate::error::{Error, Result};
use crate::fields::Fields;
use crate::history::Versions;
use crate::history::window::WindowApply;
use crate::lookup::{ConfigReference, Dialect, literal};
use crate::routing::guards::StoredGuards;
use crate::snapshot::{ApplyRecord, Snapshot};

/// lkroute's tenants by their number.
pub(super) type TenantNumbers = ValuesById<Option<Uuid>>;

pub(super) trait StoreEngine {
    type Row: RowExt;

    fn dialect(&self) -> Dialect<'_>;

    fn layout(&self) -> Layout;

    /// What the last snapshot read of lkroute's tenants.
    fn tenants(&mut self) -> &mut TenantNumbers;

    /// The schema, where the engine has such.
    fn schema(&self) -> Option<&str> {
        None
    }

    /// What the application's columns take, as the tables were looked at.
    fn row_limits(&self) -> RowLimits;

    /// An error of the database as one that says what to do.
    fn database_error(&self, error: sqlx::Error) -> Error;

    /// The rows of each of these statements, which have no values.
    async fn sets(&mut self, sql: &str) -> Result<Vec<Vec<Self::Row>>, sqlx::Error>;

    /// The same outside of what was begun, within the limits of this command.
    async fn ask(&mut self, sql: &str) -> Result<Vec<Vec<Self::Row>>, sqlx::Error> {
        self.sets(sql).await
    }

    /// The same error; where it is a wait in vain, it says for whom.
    async fn explain(&mut self, error: Error) -> Error {
        error
    }

    /// The columns of the application's that point to configs by foreign keys.
    async fn config_references(&mut self) -> Result<Vec<ConfigReference>, sqlx::Error>;

    /// Whether there are agents whose tenant can be read.
    async fn has_agents(&mut self) -> Result<bool, sqlx::Error>;

    /// The rows of statements without values.
    async fn read<T>(
        &mut self,
        sql: &str,
        take: impl FnOnce(&[Vec<Self::Row>]) -> Result<T, sqlx::Error>,
    ) -> Result<T> {
        let found = self.sets(sql).await;
        let taken = found.and_then(|found| take(&found));
        taken.map_err(|error| self.database_error(error))
    }

    /// All but the numbers; lkroute's tenants are kept.
    async fn snapshot(&mut self) -> Result<Snapshot> {
        let sql = snapshot_sql(self.dialect(), self.layout());
        let (snapshot, tenants) = self.read(&sql, snapshot_of).await?;
        *self.tenants() = tenants;
        let schema = self.schema().map(str::to_owned);
        let references = self.config_references().await;
        let references = references.map_err(|error| self.database_error(error))?;
        let referenced_configs = match references.as_slice() {
            [] => Vec::new(),
            some => {
                let sql = referenced_sql(self.dialect(), some);
                let of = |row: &Self::Row| Ok((row.some_uuid(0)?, row.some_text(1)?.to_owned()));
                self.read(&sql, |found| all(found, 0, of)).await?
            }
        };
        Ok(Snapshot {
            schema,
            referenced_configs,
            ..snapshot
        })
    }

    async fn applies(&mut self) -> Result<Vec<ApplyRecord>> {
        let dialect = self.dialect();
        let sql = format!(
            "SELECT {} FROM {}lkroute_applies a ORDER BY a.id DESC",
            apply_columns(dialect),
            dialect.schema_prefix()
        );
        self.read(&sql, |found| all(found, 0, decode::apply_record))
            .await
    }

    /// The applies of the last `seconds`, and all behind the first of them,
    /// the oldest first.
    async fn recent_applies(&mut self, seconds: i64) -> Result<Vec<WindowApply>> {
        let dialect = self.dialect();
        let sql = format!(
            "SELECT id{int}, {account}{text} FROM {prefix}lkroute_applies
               WHERE id >= (SELECT min(id) FROM {prefix}lkroute_applies WHERE at > {begin})
               ORDER BY id",
            int = dialect.int(),
            account = self.layout().account_column(),
            text = dialect.text(),
            begin = dialect.seconds_ago(seconds),
            prefix = dialect.schema_prefix()
        );
        self.read(&sql, |found| all(found, 0, decode::window_apply))
            .await
    }

    async fn versions(&mut self) -> Result<Versions> {
        let dialect = self.dialect();
        let sql = format!(
            "SELECT {region}, until{int} FROM {prefix}lkroute_regions;
             SELECT {config}, until{int}, sealed, found, found_sealed FROM {prefix}lkroute_configs",
            region = region_columns(dialect),
            config = config_columns(dialect),
            int = dialect.int(),
            prefix = dialect.schema_prefix()
        );
        let take = |found: &[Vec<Self::Row>]| {
            Ok(Versions {
                regions: all(found, 0, decode::region_version)?,
                configs: all(found, 1, decode::config_version)?,
            })
        };
        self.read(&sql, take).await
    }

    /// The sets of fields that versions of bindings name by number.
    async fn settings(&mut self) -> Result<ValuesById<Option<Fields>>> {
        if !self.layout().own {
            return Ok(ValuesById::default());
        }
        let dialect = self.dialect();
        let (int, prefix) = (dialect.int(), dialect.schema_prefix());
        let sql = format!("SELECT id{int}, fields FROM {prefix}lkroute_settings");
        self.read(&sql, |found| ValuesById::settings(found.iter().flatten()))
            .await
    }

    async fn touched(&mut self, ids: &[Uuid]) -> Result<HashMap<Uuid, String>> {
        let dialect = self.dialect();
        let id = dialect.number_id();
        let sql = format!(
            "SELECT {id}, {} FROM {}voice_agent_numbers n WHERE {}",
            dialect.number_touched(),
            dialect.schema_prefix(),
            dialect.among_ids(&id, ids)
        );
        let touch = |row: &Self::Row| {
            let at = row.text(1)?.map(str::to_owned);
            Ok(Some(row.some_uuid(0)?).zip(at))
        };
        let touched = self.read(&sql, |found| all(found, 0, touch)).await?;
        Ok(touched.into_iter().flatten().collect())
    }

    async fn agent_mismatches(&mut self) -> Result<Vec<AgentMismatchRow>> {
        let there = self.has_agents().await;
        if !there.map_err(|error| self.database_error(error))? {
            return Ok(Vec::new());
        }
        let dialect = self.dialect();
        let sql = format!(
            "SELECT n.country_code{text}, n.base_number{int}, n.tenant_id, a.id{int}, a.tenant_id
             FROM {prefix}voice_agent_numbers n JOIN {prefix}voice_agents a ON a.id = n.default_agent_id
             WHERE a.tenant_id <> n.tenant_id
               AND (n.status IS NULL OR n.status{text} = 'active')
             ORDER BY n.country_code, n.base_number, n.tenant_id",
            text = dialect.text(),
            int = dialect.int(),
            prefix = dialect.schema_prefix()
        );
        self.read(&sql, |found| all(found, 0, decode::agent_mismatch))
            .await
    }

    async fn record_trust(
        &mut self,
        host: &str,
        actor: &str,
        reason: &str,
    ) -> Result<(), sqlx::Error> {
        let dialect = self.dialect();
        let values = [host, actor, reason].map(|text| dialect.literal(text));
        let sql = format!(
            "INSERT INTO {}lkroute_trusted_hosts (host, actor, reason) VALUES ({})
             ON CONFLICT (host) DO UPDATE
               SET at = {}, actor = excluded.actor, reason = excluded.reason",
            dialect.schema_prefix(),
            values.join(", "),
            dialect.now()
        );
        self.ask(&sql).await.map(drop)
    }

    /// How many there were.
    async fn revoke_trust(&mut self, host: &str) -> Result<u64, sqlx::Error> {
        let dialect = self.dialect();
        let sql = format!(
            "DELETE FROM {}lkroute_trusted_hosts WHERE host = {} RETURNING host",
            dialect.schema_prefix(),
            dialect.literal(host)
        );
        let gone = self.ask(&sql).await?;
        Ok(gone.iter().flatten().count() as u64)
    }
}

/// The rows of one of the statements.
fn all<R, T>(
    found: &[Vec<R>],
    ix: usize,
    of: impl Fn(&R) -> Result<T, sqlx::Error>,
) -> Result<Vec<T>, sqlx::Error> {
    found.get(ix).into_iter().flatten().map(of).collect()
}

/// The columns that [`decode::apply_record`] reads, of a row called `a`.
fn apply_columns(dialect: Dialect<'_>) -> String {
    format!(
        "a.id{int}, {at}, a.actor, a.revision, a.dirty, a.kind, a.reason, a.version, a.counts,
         a.files, a.restores{int}",
        at = dialect.time("a.at"),
        int = dialect.int()
    )
}

/// The columns that [`decode::owned_config`] reads.
fn config_columns(dialect: Dialect<'_>) -> String {
    format!(
        "id, since{int}, fields, secret_source, fingerprint, file{int}, line{int}, inserted",
        int = dialect.int()
    )
}

/// The columns that [`decode::owned_region`] reads.
fn region_columns(dialect: Dialect<'_>) -> String {
    let int = dialect.int();
    format!("name, since{int}, fields, file{int}, line{int}")
}

/// The configs that rows point to by foreign keys, each with the column.
fn referenced_sql(dialect: Dialect<'_>, references: &[ConfigReference]) -> String {
    let prefix = dialect.schema_prefix();
    let each = references.iter().map(|ConfigReference { table, column }| {
        format!(
            "SELECT {id}, {shown} FROM {prefix}voice_agent_livekit c
             WHERE EXISTS (SELECT 1 FROM {table} r
               WHERE CAST(r.{column} AS text) = CAST(c.id AS text))",
            id = dialect.config_row_id(),
            shown = literal(&format!("{table}.{column}")),
        )
    });
    each.collect::<Vec<_>>().join(" UNION ALL ")
}

/// What [`snapshot_of`] reads; before anything was applied that is the configs.
fn snapshot_sql(dialect: Dialect<'_>, layout: Layout) -> String {
    let prefix = dialect.schema_prefix();
    let live = dialect.config_columns(layout.worker_name);
    let live = format!("SELECT {live} FROM {prefix}voice_agent_livekit c");
    if !layout.own {
        return live;
    }
    format!(
        "{live};
         SELECT owner, environment, {identity}{uuid} FROM {prefix}lkroute_state;
         SELECT {apply}
           FROM {prefix}lkroute_applies a JOIN {prefix}lkroute_state s ON s.last_apply = a.id;
         SELECT {config} FROM {prefix}lkroute_configs WHERE until IS NULL;
         SELECT {region} FROM {prefix}lkroute_regions WHERE until IS NULL;
         SELECT id{int}, path FROM {prefix}lkroute_files;
         SELECT id{int}, tenant_id, alias FROM {prefix}lkroute_tenants;
         SELECT guards FROM {prefix}lkroute_applies
           WHERE guards <> 'null' ORDER BY id DESC LIMIT 1",
        identity = layout.identity_column(),
        uuid = dialect.uuid(),
        apply = apply_columns(dialect),
        config = config_columns(dialect),
        region = region_columns(dialect),
        int = dialect.int()
    )
}

fn snapshot_of<R: RowExt>(found: &[Vec<R>]) -> Result<(Snapshot, TenantNumbers), sqlx::Error> {
    let set = |ix: usize| found.get(ix).into_iter().flatten();
    let mut snapshot = Snapshot {
        last_apply: all(found, 2, decode::apply_record)?.pop(),
        owned_configs: all(found, 3, decode::owned_config)?,
        owned_regions: all(found, 4, decode::owned_region)?,
        ..Snapshot::default()
    };
    for row in set(0) {
        match decode::odd_config(row)? {
            Some(odd) => snapshot.odd_configs.push(odd),
            None => snapshot.configs.push(decode::live_config(row, 0)?),
        }
    }
    if let Some(state) = set(1).next() {
        snapshot.owner = state.text(0)?.map(str::to_owned);
        snapshot.environment = state.text(1)?.map(str::to_owned);
        snapshot.identity = state.uuid(2)?;
    }
    let mut files = ValuesById::default();
    for row in set(5) {
        files.put(row.some_int(0)?, row.some_text(1)?.to_owned())?;
    }
    snapshot.files = files.0;
    let mut tenants = ValuesById::default();
    for row in set(6) {
        let id = row.some_uuid(1)?;
        tenants.put(row.some_int(0)?, Some(id))?;
        let alias = row.text(2)?.map(|alias| (id, alias.to_owned()));
        snapshot.tenants.extend(alias);
    }
    // Where nothing was applied yet, no guards were stored either.
    let guards = set(7).next().map(|row| row.some_text(0)).transpose()?;
    snapshot.guards = StoredGuards::read(guards);
    Ok((snapshot, tenants))
}
