//! Reading a SQLite database.

use futures_util::TryStreamExt;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

use super::sql::run;
use super::{SqliteStore, file_error};
use crate::error::Result;
use crate::fields::{FieldsIx, FieldsPool};
use crate::lookup::{sqlite_base_number, sqlite_rules_text};
use crate::phone::E164;
use crate::snapshot::{BROKEN_BYTES, NO_UUID, NumberRow, OTHER_SPELLING, OwnedBinding};
use crate::store::decode::{self, ValuesById};
use crate::store::engine::StoreEngine;
use crate::store::row_batch::{BatchNames, BatchPart, RawRows, RowBatch};
use crate::store::row_ext::RowExt;

/// How many rows pass between two reports of progress.
const STEP: u64 = 8192;
/// RawRows that are handed on at a time.
const BATCH: usize = 1024;

/// The columns that [`owned_binding`] reads.
const OWNED: &str = "SELECT number_id, number, tenant, settings, file, line, inserted, retired
    FROM lkroute_bindings WHERE until IS NULL";
/// The columns that [`number_row`] reads, of rows called `n`.
pub(super) fn number_columns() -> String {
    format!(
        "n.id, n.tenant_id, n.country_code, {}, n.provider, n.status, {}",
        sqlite_base_number("n"),
        sqlite_rules_text("n")
    )
}

/// Every number row.
pub(super) fn numbers_select() -> String {
    let columns = number_columns();
    format!("SELECT {columns} FROM voice_agent_numbers n")
}

impl SqliteStore {
    pub(crate) async fn begin_read(&mut self) -> Result<()> {
        let begun = run(&mut self.conn, "BEGIN").await;
        begun.map_err(|error| self.database_error(error))
    }

    pub(crate) async fn end_read(&mut self) -> Result<()> {
        let ended = run(&mut self.conn, "COMMIT").await;
        ended.map_err(|error| self.database_error(error))
    }

    /// Hands all that is owned, then every number row, to `each`, not yet
    /// decoded.
    pub(crate) async fn stream_rows(
        &mut self,
        each: &mut impl AsyncFnMut(RowBatch) -> Result<()>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let names = BatchNames {
            label: self.label.clone(),
            tenants: self.tenants.clone(),
            settings: self.settings().await?,
        };
        each(RowBatch(BatchPart::Names(names))).await?;
        if self.layout.own {
            self.batches(OWNED.to_owned(), BatchPart::Owned, each, &mut |_| ())
                .await?;
        }
        self.batches(numbers_select(), BatchPart::Numbers, each, progress)
            .await
    }

    async fn batches(
        &mut self,
        sql: String,
        part: fn(RawRows) -> BatchPart,
        each: &mut impl AsyncFnMut(RowBatch) -> Result<()>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let (label, lock) = (&self.label, self.lock);
        let database_error = |error| file_error(label, lock, &error);
        let mut stream = sqlx::query(AssertSqlSafe(sql)).fetch(&mut self.conn);
        let (mut rows, mut done) = (Vec::with_capacity(BATCH), 0);
        while let Some(row) = stream.try_next().await.map_err(database_error)? {
            rows.push(row);
            if rows.len() == BATCH {
                let full = std::mem::replace(&mut rows, Vec::with_capacity(BATCH));
                each(RowBatch(part(RawRows::Sqlite(full)))).await?;
                done += BATCH as u64;
                progress(done);
            }
        }
        progress(done + rows.len() as u64);
        each(RowBatch(part(RawRows::Sqlite(rows)))).await
    }

    /// Hands all that is owned to `each`.
    pub(crate) async fn owned(
        &mut self,
        pool: &mut FieldsPool,
        each: &mut dyn FnMut(OwnedBinding),
    ) -> Result<()> {
        if !self.layout.own {
            return Ok(());
        }
        let settings = self.settings().await?.interned(pool);
        let read = async {
            let mut stream = sqlx::query(OWNED).fetch(&mut self.conn);
            while let Some(row) = stream.try_next().await? {
                each(owned_binding(&row, &self.tenants, &settings)?);
            }
            Ok(())
        };
        let read = read.await;
        read.map_err(|error| self.database_error(error))
    }

    /// Asks for no row of the numbers.
    pub(crate) async fn try_numbers(&mut self) -> Result<()> {
        let tried = self.sets(&(numbers_select() + " WHERE 0")).await;
        tried
            .map(|_| ())
            .map_err(|error| self.database_error(error))
    }

    /// Hands every number row to `each`.
    pub(crate) async fn numbers(
        &mut self,
        each: &mut dyn FnMut(&NumberRow<'_>),
        progress: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let read = self.number_rows(each, progress).await;
        read.map_err(|error| self.database_error(error))
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
pub(crate) fn number_row(row: &SqliteRow, first: usize) -> Result<NumberRow<'_>, sqlx::Error> {
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
                country_code: text(2).ok().flatten(),
                base_number: row.int(first + 3)?,
                provider: id.err().or(tenant.err()).flatten(),
                status: text(5).ok().flatten(),
                rules: row.try_get_unchecked(first + 6)?,
                passed_over: Some(NO_UUID),
            });
        }
    };
    let (code, provider, status) = (text(2), text(4), text(5));
    // A row that holds broken bytes, or could not be found again by its id, is
    // passed over.
    let is_broken = code.is_err() || provider.is_err() || status.is_err();
    let mut spelled = Uuid::encode_buffer();
    let is_other_spelling = text(0)? != Some(id.hyphenated().encode_lower(&mut spelled));
    Ok(NumberRow {
        id,
        tenant,
        country_code: code.unwrap_or_default(),
        base_number: row.int(first + 3)?,
        provider: provider.unwrap_or_default(),
        status: status.unwrap_or_default(),
        rules: row.try_get_unchecked(first + 6)?,
        passed_over: match (is_broken, is_other_spelling) {
            (true, _) => Some(BROKEN_BYTES),
            (false, true) => Some(OTHER_SPELLING),
            (false, false) => None,
        },
    })
}

/// Columns: number_id, number, tenant, settings, file, line, inserted, retired.
pub(crate) fn owned_binding(
    row: &SqliteRow,
    tenants: &ValuesById<Option<Uuid>>,
    settings: &ValuesById<Option<FieldsIx>>,
) -> Result<OwnedBinding, sqlx::Error> {
    let odd = |what: &str| sqlx::Error::Decode(format!("lkroute_bindings: {what}").into());
    let number = u64::try_from(row.some_int(1)?).ok();
    let number = number.and_then(|digits| E164::from_digits(digits).ok());
    let (tenant, fields) = (row.some_int(2)?, row.some_int(3)?);
    Ok(OwnedBinding {
        row: row.some_uuid(0)?,
        number: number.ok_or_else(|| odd("not a number"))?,
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
        source: decode::source(row, 4)?,
        inserted: row.flag(6)?,
        retired: row.flag(7)?,
    })
}
