//! Applying a plan to PostgreSQL: one transaction that takes the lock row
//! first, compares again inside, reads back what others may have rewritten,
//! and is looked for when its end is lost.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::attempt::PgAttempt;
use super::lock::jitter;
use super::sql::{run, sets};
use super::{PgStore, connect, lock, number_checks, numbers, records};
use crate::diff::plan::Plan;
use crate::error::Error;
use crate::lookup::Dialect;
use crate::store::attempt_error::{AttemptError, stopped_by_signal};
use crate::store::error_map::{is_passing, transaction_timeout};
use crate::store::row_ext::RowExt;
use crate::store::session::Session;
use crate::store::write_request::{Applied, ApplyError, WriteRequest};
use crate::store::write_set::WriteSet;
use crate::store::{config_writes, number_checks as shared_checks, side_effects, version_writes};

/// How often a transaction that the server gave up is tried again.
const TRIES: u32 = 8;
/// How long a transaction may take for each thousand rows, beside the wait for
/// its locks and the silence that is borne. A server that is gone without a word
/// would be waited for for ever.
const THOUSAND: Duration = Duration::from_secs(1);
/// How long the end of a transaction that is given up is waited for.
const ABANDON: Duration = Duration::from_secs(5);

impl PgStore {
    pub(crate) async fn apply(
        &mut self,
        plan: &Plan,
        request: &WriteRequest,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Applied, ApplyError> {
        let write_set = WriteSet::new(plan, request)?;
        self.check_tables().await?;
        let mut pid = None;
        let mut attempt = 1;
        loop {
            let begun = Instant::now();
            let stop = match self
                .attempt(&write_set, request, progress, (attempt > 1, &mut pid))
                .await
            {
                Ok(applied) => return Ok(applied),
                Err(stop) => stop,
            };
            if let AttemptError::Stopped = stop {
                self.abandon(pid).await;
                return Err(stopped_by_signal().into());
            }
            // The reason is reported; the server rolls back in any case.
            let _ = timeout(ABANDON, run(&mut self.conn, "ROLLBACK")).await;
            match stop {
                AttemptError::Refused(error) => return Err(error),
                AttemptError::Sql(error) if is_passing(&error) && attempt < TRIES => {
                    sleep(jitter(Duration::from_millis(50 << attempt))).await;
                    attempt += 1;
                }
                // COMMIT was not sent.
                AttemptError::Sql(error @ sqlx::Error::Io(_)) => {
                    if let Some(ended) = self.ended_by_limit(begun.elapsed()).await {
                        return Err(ended.into());
                    }
                    let hint = "nothing was written; apply again once the server answers";
                    return Err(self.database_error(error).hint(hint).into());
                }
                AttemptError::Sql(error) => return Err(self.database_error(error).into()),
                AttemptError::Stopped => return Err(stopped_by_signal().into()),
            }
        }
    }

    async fn attempt(
        &mut self,
        write_set: &WriteSet<'_>,
        request: &WriteRequest,
        progress: &mut dyn FnMut(u64, u64),
        (again, pid): (bool, &mut Option<i64>),
    ) -> Result<Applied, AttemptError> {
        let dialect = Dialect::postgres(&self.quoted_schema, self.tables.columns());
        let mut run = PgAttempt {
            schema: &self.schema,
            ..PgAttempt::new((&mut self.conn, dialect), pid, write_set, request, progress)
        };
        let rows = u32::try_from(run.total / 1000).unwrap_or(u32::MAX);
        let limit = request.lock_timeout + self.waits.silence;
        let limit = limit.saturating_add(THOUSAND.saturating_mul(rows));
        let applied = tokio::select! {
            applied = timeout(limit, write(&mut run, again)) => match applied {
                Ok(applied) => applied?,
                Err(_) => return Err(took_too_long(limit)),
            },
            () = request.asked_to_stop() => return Err(AttemptError::Stopped),
        };
        self.commit(request, applied).await
    }

    /// Whether the server ends transactions that take as long as this one did.
    async fn ended_by_limit(&self, took: Duration) -> Option<Error> {
        let mut conn = connect(&self.server).await.ok()?;
        let sql = "SELECT setting::int8 FROM pg_catalog.pg_settings
                   WHERE name = 'transaction_timeout'";
        let asked = sets(&mut conn, sql).await.ok()?;
        let limit = asked.iter().flatten().next()?.some_int(0).ok()?;
        let limit = Duration::from_millis(u64::try_from(limit).ok()?);
        let is_over = !limit.is_zero() && took >= limit;
        is_over.then(|| transaction_timeout(&self.label, limit))
    }

    /// Rolls back. A statement that still runs is cancelled over another
    /// connection; COMMIT was not sent, so the server rolls back in any case.
    async fn abandon(&mut self, pid: Option<i64>) {
        let cancel = async {
            let pid = pid?;
            let mut other = connect(&self.server).await.ok()?;
            let sql = format!("SELECT pg_cancel_backend({pid})");
            sets(&mut other, &sql).await.ok()
        };
        let rolled_back = async {
            cancel.await;
            let _ = run(&mut self.conn, "ROLLBACK").await;
        };
        let _ = timeout(ABANDON, rolled_back).await;
    }
}

/// COMMIT was not sent, so nothing is written.
fn took_too_long(limit: Duration) -> AttemptError {
    Error::new(format!(
        "the database took longer than {} s",
        limit.as_secs()
    ))
    .hint("nothing was written; is the connection cut, or the server overloaded? apply again")
    .into()
}

/// All of it but COMMIT.
async fn write(run: &mut PgAttempt<'_>, again: bool) -> Result<Applied, AttemptError> {
    let id = lock::begin(run).await?;
    version_writes::open(run, id).await?;
    lock::prove(run).await?;
    let dictionaries = version_writes::read_dictionaries(run).await?;
    let before = config_writes::check(run).await?;
    config_writes::check_gone_to(run).await?;
    shared_checks::check_adopted(run).await?;
    number_checks::nothing_appeared(run).await?;
    if again {
        numbers::lock_in_order(run).await?;
    }
    let numbers = run.write_set.updates().len() + run.write_set.inserts().len();
    let watch = side_effects::watch(run).await?;
    let mut configs = config_writes::write(run).await?;
    numbers::update(run).await?;
    numbers::insert(run).await?;
    configs += config_writes::delete(run).await?;
    run.conn.settle().await?;
    config_writes::read_back(run).await?;
    if let Some(watch) = watch {
        side_effects::refuse(run, &watch, numbers as u64 + configs).await?;
    }
    let rows = version_writes::write(run, dictionaries, id, &before).await?;
    records::write_bindings(run, id, &rows.bindings).await?;
    let at = version_writes::finish(run, id).await?;
    Ok(Applied { id, at })
}
