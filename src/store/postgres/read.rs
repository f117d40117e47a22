//! Reading a PostgreSQL database: one snapshot of it, in few round trips, the
//! numbers as streams of binary rows.

use std::future::poll_fn;
use std::ops::{ControlFlow, Deref};
use std::task::Poll;

use futures_util::stream::BoxStream;
use uuid::Uuid;

use super::PgStore;
use super::copy::{BadStream, CopiedRow, CopyReader};
use super::sql::copy_out;
use crate::error::Result;
use crate::fields::{FieldsIx, FieldsPool};
pub(super) use crate::lookup::rfc3339 as time;
use crate::phone::E164;
use crate::snapshot::{BROKEN_BYTES, NO_UUID, NumberRow, OwnedBinding, SourceLine};
use crate::store::decode::ValuesById;
use crate::store::engine::StoreEngine;
use crate::store::error_map::{database_error, error_code};
use crate::store::row_batch::{BatchNames, BatchPart, BufferPool, RawRows, RowBatch};
use crate::store::waits::Waits;

/// How many columns [`OWNED_COLUMNS`] are.
pub(crate) const OWNED: usize = 4;

/// The columns that [`owned_binding`] reads, packed into integers: each column
/// of a row costs as much as its bytes.
pub(super) const OWNED_COLUMNS: &str = "number_id, number,
    (settings::int8 << 32) | tenant::int8,
    ((coalesce(file, -1)::int8 + 1) << 33) | (coalesce(line, 0)::int8 << 2)
      | (inserted::int4 << 1) | retired::int4";

/// Lets one worker share in a COPY, within this transaction: the columns are
/// texts and numbers, which it can make. A server's own 0 stays, and one that
/// does not know a setting is not asked for it. To compile the expressions of a
/// large table, which a server does by default, takes longer than it saves.
const PARALLEL: &str = "SELECT CASE WHEN current_setting(name, true) IS NOT NULL THEN
      set_config(name, coalesce(most, least(current_setting(name, true)::int4, 1)::text), true) END
    FROM (VALUES ('max_parallel_workers_per_gather', NULL),
      ('parallel_tuple_cost', '0'), ('parallel_setup_cost', '0'), ('jit', 'off')) s(name, most)";

/// How many rows pass between two reports of progress.
pub(super) const STEP: u64 = 8192;

impl PgStore {
    pub(crate) async fn begin_read(&mut self) -> Result<()> {
        let waits = self.waits.settings();
        let begin = format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {waits}");
        let begun = self.run(&begin).await;
        begun.map_err(|error| self.database_error(error))
    }

    pub(crate) async fn end_read(&mut self) -> Result<()> {
        self.refuse_hidden().await?;
        let ended = self.run("COMMIT").await;
        ended.map_err(|error| self.database_error(error))
    }

    /// Hands all that is owned, then every number row, to `each`, still as
    /// the server sent it.
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
        self.share_reading().await?;
        let pool = BufferPool::default();
        let (owned, numbers) = (self.owned_sql(), self.numbers_sql());
        self.batches((&owned, &pool), BatchPart::Owned, each, &mut |_| ())
            .await?;
        self.batches((&numbers, &pool), BatchPart::Numbers, each, progress)
            .await?;
        each(RowBatch(BatchPart::End)).await
    }

    pub(super) async fn share_reading(&mut self) -> Result<()> {
        let set = self.sets(PARALLEL).await;
        set.map_err(|error| self.database_error(error)).map(|_| ())
    }

    async fn batches(
        &mut self,
        (sql, pool): (&str, &BufferPool),
        part: fn(RawRows) -> BatchPart,
        each: &mut impl AsyncFnMut(RowBatch) -> Result<()>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let (label, waited, waits) = (&self.label, &self.waited, self.waits);
        let database_error = |error| {
            waited.set(error_code(&error).as_deref() == Some("55P03"));
            database_error(label, &error)
        };
        let begun = waits.answer(copy_out(&mut self.conn, sql)).await;
        let mut pieces = begun.map_err(database_error)?;
        let mut rows = 0;
        loop {
            let mut batch = pool.take();
            let mut take = |piece: &[u8]| {
                batch.extend(piece);
                rows += 1;
                Ok(if batch.is_full() {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                })
            };
            let taken = take_pieces(waits, &mut pieces, &mut take).await;
            let is_over = taken.map_err(database_error)?.is_continue();
            each(RowBatch(part(RawRows::Postgres(batch)))).await?;
            progress(rows);
            if is_over {
                return Ok(());
            }
        }
    }

    /// Hands all that is owned to `each`.
    pub(crate) async fn owned(
        &mut self,
        pool: &mut FieldsPool,
        each: &mut dyn FnMut(OwnedBinding),
    ) -> Result<()> {
        let settings = self.settings().await?.interned(pool);
        let owned = self.owned_sql();
        self.share_reading().await?;
        let tenants = std::mem::take(&mut self.tenants);
        let read = self
            .stream(&owned, |row: CopiedRow<'_, OWNED>| {
                each(owned_binding(row, &tenants, &settings)?);
                Ok(())
            })
            .await;
        self.tenants = tenants;
        read
    }

    /// The columns that [`owned_binding`] reads.
    fn owned_sql(&self) -> String {
        if !self.layout.own {
            return "COPY (SELECT 1, 2, 3, 4 WHERE false) TO STDOUT (FORMAT binary)".to_owned();
        }
        format!(
            "COPY (SELECT {OWNED_COLUMNS} FROM {}.lkroute_bindings WHERE until IS NULL)
             TO STDOUT (FORMAT binary)",
            self.quoted_schema
        )
    }

    /// The columns that [`number_row`] reads.
    fn numbers_select(&self) -> String {
        let columns = self.tables.columns().of_numbers("n");
        format!(
            "SELECT {columns} FROM {}.voice_agent_numbers n",
            self.quoted_schema
        )
    }

    fn numbers_sql(&self) -> String {
        format!("COPY ({}) TO STDOUT (FORMAT binary)", self.numbers_select())
    }

    /// Asks for no row of the numbers.
    pub(crate) async fn try_numbers(&mut self) -> Result<()> {
        let sql = format!("{} WHERE false", self.numbers_select());
        let tried = self.sets(&sql).await;
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
        let mut done = 0;
        let numbers = self.numbers_sql();
        self.share_reading().await?;
        self.stream(&numbers, |row: CopiedRow<'_, 7>| {
            each(&number_row(row)?);
            done += 1;
            if done % STEP == 0 {
                progress(done);
            }
            Ok(())
        })
        .await?;
        progress(done);
        Ok(())
    }

    /// Runs a COPY … TO STDOUT and hands each row to `each`.
    pub(super) async fn stream<const N: usize>(
        &mut self,
        sql: &str,
        mut each: impl FnMut(CopiedRow<'_, N>) -> Result<(), BadStream>,
    ) -> Result<()> {
        let mut reader = CopyReader::default();
        let waits = self.waits;
        let result = async {
            let mut pieces = waits.answer(copy_out(&mut self.conn, sql)).await?;
            let mut take = |piece: &[u8]| {
                let read = reader.read(piece, &mut each);
                read.map_err(|bad| sqlx::Error::Decode(bad.into()))?;
                Ok(ControlFlow::Continue(()))
            };
            take_pieces(waits, &mut pieces, &mut take).await.map(drop)
        };
        let result = result.await;
        result.map_err(|error| self.database_error(error))?;
        Ok(reader.finish()?)
    }
}

/// Hands the pieces of a COPY to `take` until it has enough, or there are no more.
/// A piece is a row, and most are there already: those are taken one after the
/// other, without a wait for each.
async fn take_pieces<P: Deref<Target = [u8]>>(
    waits: Waits,
    pieces: &mut BoxStream<'_, Result<P, sqlx::Error>>,
    take: &mut impl FnMut(&[u8]) -> Result<ControlFlow<()>, sqlx::Error>,
) -> Result<ControlFlow<()>, sqlx::Error> {
    loop {
        let mut has_some = false;
        let at_hand = poll_fn(|context| {
            loop {
                match pieces.as_mut().poll_next(context) {
                    Poll::Ready(Some(piece)) => {
                        has_some = true;
                        if take(&piece?)?.is_break() {
                            return Poll::Ready(Ok(Some(ControlFlow::Break(()))));
                        }
                    }
                    Poll::Ready(None) => return Poll::Ready(Ok(Some(ControlFlow::Continue(())))),
                    // The silence that is borne begins anew.
                    Poll::Pending if has_some => return Poll::Ready(Ok(None)),
                    Poll::Pending => return Poll::Pending,
                }
            }
        });
        if let Some(taken) = waits.answer(at_hand).await? {
            return Ok(taken);
        }
    }
}

/// Columns: id, tenant_id, country_code, base_number, provider, status, rules.
pub(crate) fn number_row<const N: usize>(
    row: CopiedRow<'_, N>,
) -> Result<NumberRow<'_>, BadStream> {
    let (code, provider, status) = (row.text(2), row.text(4), row.text(5));
    // Broken bytes, as a database that checks no encoding may hold them, or no id
    // (a column without NOT NULL): the row is passed over.
    let is_broken = code.is_err() || provider.is_err() || status.is_err();
    let (id, tenant) = (row.any_uuid(0)?, row.any_uuid(1)?);
    let has_ids = id.is_some() && tenant.is_some();
    Ok(NumberRow {
        id: id.unwrap_or_default(),
        tenant: tenant.unwrap_or_default(),
        country_code: code.unwrap_or_default(),
        base_number: row.int8(3)?,
        provider: provider.unwrap_or_default().filter(|_| has_ids),
        status: status.unwrap_or_default(),
        rules: row.bytes(6),
        passed_over: match (has_ids, is_broken) {
            (false, _) => Some(NO_UUID),
            (true, true) => Some(BROKEN_BYTES),
            (true, false) => None,
        },
    })
}

/// The columns of [`OWNED_COLUMNS`].
pub(crate) fn owned_binding<const N: usize>(
    row: CopiedRow<'_, N>,
    tenants: &ValuesById<Option<Uuid>>,
    settings: &ValuesById<Option<FieldsIx>>,
) -> Result<OwnedBinding, BadStream> {
    fn known<T: Copy>(found: Option<&Option<T>>) -> Result<T, BadStream> {
        found.copied().flatten().ok_or(BadStream)
    }
    let packed = |ix| row.int8(ix)?.ok_or(BadStream);
    let (names, place) = (packed(2)?, packed(3)?.cast_unsigned());
    let number = row.int8(1)?.and_then(|digits| u64::try_from(digits).ok());
    let number = number.and_then(|digits| E164::from_digits(digits).ok());
    // Of 31 bits each.
    let (file, line) = ((place >> 33) as u32, (place >> 2) as u32 & (u32::MAX >> 1));
    let source = file.checked_sub(1).map(|file| SourceLine { file, line });
    Ok(OwnedBinding {
        row: row.uuid(0)?,
        number: number.ok_or(BadStream)?,
        tenant: known(tenants.get(names & i64::from(u32::MAX)))?,
        fields: known(settings.get(names >> 32))?,
        source,
        inserted: place & 2 != 0,
        retired: place & 1 != 0,
    })
}
