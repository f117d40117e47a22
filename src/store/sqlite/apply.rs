//! Applying a plan to a SQLite file: one transaction that holds the write
//! lock from its beginning.

use std::time::Duration;

use tokio::time::timeout;

use super::attempt::SqliteAttempt;
use super::sql::run as run_sql;
use super::{SqliteStore, numbers, records};
use crate::diff::plan::Plan;
use crate::error::Error;
use crate::lookup::Dialect;
use crate::store::attempt_error::{AttemptError, stopped_by_signal};
use crate::store::error_map::is_locked;
use crate::store::row_ext::RowExt;
use crate::store::session::Session;
use crate::store::write_request::{Applied, ApplyError, LockedState, WriteRequest};
use crate::store::write_set::WriteSet;
use crate::store::{config_writes, number_checks, side_effects, version_writes};

/// How long the end of a transaction that is given up is waited for.
const ABANDON: Duration = Duration::from_secs(5);

/// How many steps of SQLite's machine lie between two looks at the stop.
const STEPS: i32 = 10_000;

impl SqliteStore {
    pub(crate) async fn apply(
        &mut self,
        plan: &Plan,
        request: &WriteRequest,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Applied, ApplyError> {
        let write_set = WriteSet::new(plan, request)?;
        let stop = match self.attempt(&write_set, request, progress).await {
            Ok(applied) => return Ok(applied),
            Err(stop) => stop,
        };
        // The reason is reported; what is not committed is gone in any case.
        let _ = timeout(ABANDON, run_sql(&mut self.conn, "ROLLBACK")).await;
        match stop {
            AttemptError::Refused(error) => Err(error),
            // The right to write was there: who reads keeps COMMIT from the file.
            AttemptError::Sql(error) if is_locked(&error) => {
                let by = format!("another process reads {}", self.label);
                Err(LockedState::busy(&by, request.lock_timeout).into())
            }
            AttemptError::Sql(error) => Err(self.database_error(error).into()),
            AttemptError::Stopped => Err(stopped_by_signal().into()),
        }
    }

    async fn attempt(
        &mut self,
        write_set: &WriteSet<'_>,
        request: &WriteRequest,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Applied, AttemptError> {
        self.end_statements_by(request).await?;
        let session = (&mut self.conn, Dialect::sqlite());
        let mut pid = None;
        let mut run = SqliteAttempt::new(session, &mut pid, write_set, request, progress);
        let applied = tokio::select! {
            applied = write(&mut run) => applied,
            () = request.asked_to_stop() => Err(AttemptError::Stopped),
        };
        if applied.is_err() && request.is_asked_to_stop() {
            // The first word may be that of the statement that was ended.
            return Err(AttemptError::Stopped);
        }
        let applied = applied?;
        self.conn.lock_handle().await?.remove_progress_handler();
        run_sql(&mut self.conn, "COMMIT").await?;
        Ok(applied)
    }

    /// Lets the request's stop end a statement that runs: one may write thousands
    /// of rows, and what is left in the file by a program that does not wait for
    /// it has to be rolled back by the next.
    async fn end_statements_by(&mut self, request: &WriteRequest) -> Result<(), sqlx::Error> {
        if let Some(stop) = request.stop.clone() {
            let mut handle = self.conn.lock_handle().await?;
            handle.set_progress_handler(STEPS, move || !*stop.borrow());
        }
        Ok(())
    }
}

/// All of it but COMMIT.
async fn write(run: &mut SqliteAttempt<'_>) -> Result<Applied, AttemptError> {
    let id = begin(run).await?;
    version_writes::open(run, id).await?;
    let dictionaries = version_writes::read_dictionaries(run).await?;
    let before = config_writes::check(run).await?;
    config_writes::check_gone_to(run).await?;
    number_checks::check_adopted(run).await?;
    numbers::nothing_appeared(run).await?;
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

/// Takes the write lock, and checks that the database is the one, and as
/// far, as the plan was made for. The number of this apply.
async fn begin(run: &mut SqliteAttempt<'_>) -> Result<i64, AttemptError> {
    let wait = run.request.lock_timeout.as_millis();
    run_sql(run.conn, &format!("PRAGMA busy_timeout = {wait}")).await?;
    if let Err(error) = run_sql(run.conn, "BEGIN IMMEDIATE").await {
        return Err(
            match crate::store::error_map::error_code(&error).as_deref() {
                Some("5") => LockedState::busy(
                    "another process is writing to the database, as an apply does",
                    run.request.lock_timeout,
                )
                .into(),
                _ => error.into(),
            },
        );
    }
    let state = "SELECT s.last_apply, s.owner, s.environment, a.id, a.actor, a.at, s.schema_version
                 FROM lkroute_state s LEFT JOIN lkroute_applies a
                   ON a.id = (SELECT max(id) FROM lkroute_applies)";
    let row = sqlx::query(state).fetch_optional(&mut *run.conn).await?;
    let row = row.ok_or_else(|| Error::new("lkroute_state has no row"))?;
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let by = match row.int(3)? {
        Some(id) => Some((
            id,
            row.some_text(4)?.to_owned(),
            row.some_text(5)?.to_owned(),
        )),
        None => None,
    };
    let locked = LockedState {
        last_apply: row.int(0)?,
        owner: owned(row.text(1)?),
        environment: owned(row.text(2)?),
        version: row.some_int(6)?,
        by,
    };
    Ok(locked.next(run.write_set.plan.base, run.request)?)
}
