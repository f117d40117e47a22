//! Reading a SQLite database.

use futures_util::TryStreamExt;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

use super::SqliteStore;
use super::sql::run;
use crate::error::Result;
use crate::fields::{Fields, FieldsIx, FieldsPool};
use crate::phone::E164;
use crate::routing::guards::StoredGuards;
use crate::snapshot::{BROKEN_BYTES, NO_UUID, NumberRow, OTHER_SPELLING, OwnedBinding, Snapshot};
use crate::store::batch::{Batch, Names, Part, Rows};
use crate::store::cells::Cells;
use crate::store::rows::{self, MixedAgent, Numbered};
use crate::store::schema::Layout;
use crate::store::trouble::trouble;
use crate::store::work::CONFIG_COLUMNS;

/// The columns that [`rows::live_config`] reads, of a row called `c`.
pub(super) fn config_columns(layout: Layout) -> String {
    let columns = CONFIG_COLUMNS.map(|column| match column {
        "worker_name" if !layout.worker_name => "NULL".to_owned(),
        _ => format!("c.{column}"),
    });
    format!("c.id, {}, c.updated_at", columns.join(", "))
}

pub(super) use crate::lookup::sqlite_config_id as config_id;
use crate::lookup::sqlite_rules_text;

/// The columns that [`rows::apply_record`] reads, of a row called `a`.
pub(super) const APPLY_COLUMNS: &str = "a.id, a.at, a.actor, a.revision, a.dirty, a.kind, a.reason,
    a.version, a.counts, a.files, a.restores";

/// How many rows pass between two reports of progress.
const STEP: u64 = 8192;
/// Rows that are handed on at a time.
const BATCH: usize = 1024;

/// The columns that [`owned_binding`] reads.
const OWNED: &str = "SELECT number_id, number, since, tenant, settings, file, line, inserted,
    retired FROM lkroute_bindings WHERE until IS NULL";
/// The columns that [`number_row`] reads, of rows called `n`.
pub(super) fn number_columns() -> String {
    format!(
        "n.id, n.tenant_id, n.country_code, n.base_number, n.provider, n.status, {}",
        sqlite_rules_text("n")
    )
}

/// Every number row.
fn numbers_select() -> String {
    let columns = number_columns();
    format!("SELECT {columns} FROM voice_agent_numbers n")
}

impl SqliteStore {
    pub async fn begin_read(&mut self) -> Result<()> {
        let begun = run(&mut self.conn, "BEGIN").await;
        begun.map_err(|error| self.trouble(error))
    }

    pub async fn end_read(&mut self) -> Result<()> {
        let ended = run(&mut self.conn, "COMMIT").await;
        ended.map_err(|error| self.trouble(error))
    }

    pub async fn snapshot(&mut self) -> Result<Snapshot> {
        let read = self.read_snapshot().await;
        let (snapshot, tenants) = read.map_err(|error| self.trouble(error))?;
        self.tenants = tenants;
        Ok(snapshot)
    }

    pub(super) async fn all(
        &mut self,
        sql: impl Into<String>,
    ) -> Result<Vec<SqliteRow>, sqlx::Error> {
        let query = sqlx::query(AssertSqlSafe(sql.into()));
        query.fetch_all(&mut self.conn).await
    }

    async fn read_snapshot(&mut self) -> Result<(Snapshot, Numbered<Option<Uuid>>), sqlx::Error> {
        let mut snapshot = Snapshot::default();
        let columns = config_columns(self.layout);
        let configs = format!("SELECT {columns} FROM voice_agent_livekit c");
        for row in self.all(configs).await? {
            match rows::odd_config(&row)? {
                Some(odd) => snapshot.odd_configs.push(odd),
                None => snapshot.configs.push(rows::live_config(&row, 0)?),
            }
        }
        if !self.layout.own {
            return Ok((snapshot, Numbered::default()));
        }
        let identity = self.layout.identity_column();
        let state = format!("SELECT owner, environment, {identity} FROM lkroute_state");
        if let Some(state) = self.all(state).await?.first() {
            snapshot.owner = state.text(0)?.map(str::to_owned);
            snapshot.environment = state.text(1)?.map(str::to_owned);
            snapshot.identity = state.uuid(2)?;
        }
        let last = format!(
            "SELECT {APPLY_COLUMNS}
             FROM lkroute_applies a JOIN lkroute_state s ON s.last_apply = a.id"
        );
        let last = self.all(last).await?;
        snapshot.last_apply = last.first().map(rows::apply_record).transpose()?;
        let owned = "SELECT id, since, fields, secret_source, fingerprint, file, line, inserted
                     FROM lkroute_configs WHERE until IS NULL";
        for row in self.all(owned).await? {
            snapshot.owned_configs.push(rows::owned_config(&row)?);
        }
        let owned = "SELECT name, since, fields, file, line
                     FROM lkroute_regions WHERE until IS NULL";
        for row in self.all(owned).await? {
            snapshot.owned_regions.push(rows::owned_region(&row)?);
        }
        let guards = "SELECT guards FROM lkroute_applies WHERE guards <> 'null'
                      ORDER BY id DESC LIMIT 1";
        let guards = self.all(guards).await?;
        let guards = guards.first().map(|row| row.some_text(0)).transpose()?;
        snapshot.guards = StoredGuards::read(guards);
        let mut files = Numbered::default();
        for row in self.all("SELECT id, path FROM lkroute_files").await? {
            files.put(row.some_int(0)?, row.some_text(1)?.to_owned())?;
        }
        snapshot.files = files.0;
        let mut tenants = Numbered::default();
        let named = "SELECT id, tenant_id, alias FROM lkroute_tenants";
        for row in self.all(named).await? {
            let id = row.some_uuid(1)?;
            tenants.put(row.some_int(0)?, Some(id))?;
            let alias = row.text(2)?.map(|alias| (id, alias.to_owned()));
            snapshot.tenants.extend(alias);
        }
        Ok((snapshot, tenants))
    }

    /// Hands all that is owned, then every number row, to `each`, not yet
    /// decoded.
    pub async fn pour(
        &mut self,
        each: &mut impl AsyncFnMut(Batch) -> Result<()>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let settings = self.settings().await;
        let names = Names {
            label: self.label.clone(),
            tenants: self.tenants.clone(),
            settings: settings.map_err(|error| self.trouble(error))?,
        };
        each(Batch(Part::Names(names))).await?;
        if self.layout.own {
            self.batches(OWNED.to_owned(), Part::Owned, each, &mut |_| ())
                .await?;
        }
        self.batches(numbers_select(), Part::Numbers, each, progress)
            .await
    }

    async fn batches(
        &mut self,
        sql: String,
        part: fn(Rows) -> Part,
        each: &mut impl AsyncFnMut(Batch) -> Result<()>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let trouble = |error| trouble(&self.label, &error);
        let mut stream = sqlx::query(AssertSqlSafe(sql)).fetch(&mut self.conn);
        let (mut rows, mut done) = (Vec::with_capacity(BATCH), 0);
        while let Some(row) = stream.try_next().await.map_err(trouble)? {
            rows.push(row);
            if rows.len() == BATCH {
                let full = std::mem::replace(&mut rows, Vec::with_capacity(BATCH));
                each(Batch(part(Rows::Sqlite(full)))).await?;
                done += BATCH as u64;
                progress(done);
            }
        }
        progress(done + rows.len() as u64);
        each(Batch(part(Rows::Sqlite(rows)))).await
    }

    /// Hands all that is owned to `each`.
    pub async fn owned(
        &mut self,
        pool: &mut FieldsPool,
        each: &mut dyn FnMut(OwnedBinding),
    ) -> Result<()> {
        if !self.layout.own {
            return Ok(());
        }
        let read = async {
            let settings = self.settings().await?.interned(pool);
            let mut stream = sqlx::query(OWNED).fetch(&mut self.conn);
            while let Some(row) = stream.try_next().await? {
                each(owned_binding(&row, &self.tenants, &settings)?);
            }
            Ok(())
        };
        let read = read.await;
        read.map_err(|error| self.trouble(error))
    }

    pub async fn mixed_agents(&mut self) -> Result<Vec<MixedAgent>> {
        let read = async {
            if !self.has("voice_agents").await? {
                return Ok(Vec::new());
            }
            let found = self.all(rows::mixed_agents_sql("", "", "")).await?;
            found.iter().map(rows::mixed_agent).collect()
        };
        let read: Result<_, sqlx::Error> = read.await;
        read.map_err(|error| self.trouble(error))
    }

    /// The sets of fields that versions of bindings name by number.
    pub(super) async fn settings(&mut self) -> Result<Numbered<Option<Fields>>, sqlx::Error> {
        if !self.layout.own {
            return Ok(Numbered::default());
        }
        let read = self.all("SELECT id, fields FROM lkroute_settings").await?;
        Numbered::settings(read.iter())
    }

    /// Asks for no row of the numbers.
    pub async fn try_numbers(&mut self) -> Result<()> {
        let tried = self.all(numbers_select() + " WHERE 0").await;
        tried.map(|_| ()).map_err(|error| self.trouble(error))
    }

    /// Hands every number row to `each`.
    pub async fn numbers(
        &mut self,
        each: &mut dyn FnMut(&NumberRow<'_>),
        progress: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let read = self.number_rows(each, progress).await;
        read.map_err(|error| self.trouble(error))
    }

    async fn number_rows(
        &mut self,
        each: &mut dyn FnMut(&NumberRow<'_>),
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), sqlx::Error> {
        let numbers = sqlx::query(AssertSqlSafe(numbers_select()));
        let mut stream = numbers.fetch(&mut self.conn);
        let mut done = 0;
        while let Some(row) = stream.try_next().await? {
            each(&number_row(&row, 0)?);
            done += 1;
            if done % STEP == 0 {
                progress(done);
            }
        }
        progress(done);
        Ok(())
    }
}

/// Columns: id, tenant_id, country_code, base_number, provider, status, rules.
pub fn number_row(row: &SqliteRow, first: usize) -> Result<NumberRow<'_>, sqlx::Error> {
    let text = |ix: usize| row.text(first + ix);
    let read = |ix: usize| {
        let text = text(ix).ok().flatten();
        text.and_then(|text| Uuid::parse_str(text).ok()).ok_or(text)
    };
    let (id, tenant) = match (read(0), read(1)) {
        (Ok(id), Ok(tenant)) => (id, tenant),
        // SQLite takes any text for an id.
        (id, tenant) => {
            return Ok(NumberRow {
                id: id.unwrap_or_default(),
                tenant: tenant.unwrap_or_default(),
                country_code: Some(NO_UUID),
                base_number: None,
                provider: id.err().or(tenant.err()).flatten(),
                status: None,
                rules: row.try_get_unchecked(first + 6)?,
            });
        }
    };
    let (code, provider, status) = (text(2), text(4), text(5));
    // A row that holds broken bytes, or could not be found again by its id, is
    // one whose number can't be read, and is passed over as such.
    let is_broken = code.is_err() || provider.is_err() || status.is_err();
    let mut spelled = Uuid::encode_buffer();
    let is_other_spelling = text(0)? != Some(id.hyphenated().encode_lower(&mut spelled));
    Ok(NumberRow {
        id,
        tenant,
        country_code: match (is_broken, is_other_spelling) {
            (true, _) => Some(BROKEN_BYTES),
            (false, true) => Some(OTHER_SPELLING),
            (false, false) => code.unwrap_or_default(),
        },
        base_number: row.int(first + 3)?,
        provider: provider.unwrap_or_default(),
        status: status.unwrap_or_default(),
        rules: row.try_get_unchecked(first + 6)?,
    })
}

/// Columns: number_id, number, since, tenant, settings, file, line, inserted,
/// retired.
pub fn owned_binding(
    row: &SqliteRow,
    tenants: &Numbered<Option<Uuid>>,
    settings: &Numbered<Option<FieldsIx>>,
) -> Result<OwnedBinding, sqlx::Error> {
    let odd = |what: &str| sqlx::Error::Decode(format!("lkroute_bindings: {what}").into());
    let number = u64::try_from(row.some_int(1)?).ok();
    let number = number.and_then(|digits| E164::from_digits(digits).ok());
    let (tenant, fields) = (row.some_int(3)?, row.some_int(4)?);
    Ok(OwnedBinding {
        row: row.some_uuid(0)?,
        number: number.ok_or_else(|| odd("not a number"))?,
        since: row.some_int(2)?,
        tenant: tenants
            .get(tenant)
            .copied()
            .flatten()
            .ok_or_else(|| odd("unknown tenant"))?,
        fields: settings
            .get(fields)
            .copied()
            .flatten()
            .ok_or_else(|| odd("unknown settings"))?,
        source: rows::source(row, 5)?,
        inserted: row.flag(7)?,
        retired: row.flag(8)?,
    })
}
