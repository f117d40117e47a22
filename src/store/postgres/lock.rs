//! The beginning of an apply: its transaction, its locks, and the proof that
//! the connection reads what it writes. Imports sqlx and tokio's clock.
//!
//! First comes lkroute's own row, written rather than selected, so that a
//! proxy sees a transaction that writes. Then, where the plan relies on rows
//! that others may add, the table of numbers: before anything that they could
//! wait for is written, and in short attempts, as they stand in the queue
//! behind each.

use std::time::Duration;

use sqlx::postgres::PgRow;
use tokio::time::{Instant, sleep};

use super::attempt::PgAttempt;
use super::sql::{TO_WRITE, UNATTENDED, literal, run as run_sql, sets, statement};
use crate::error::Error;
use crate::lookup::{PgTables, inspection};
use crate::store::attempt::expect_seen;
use crate::store::attempt_error::AttemptError;
use crate::store::error_map::{error_code, stale_plan};
use crate::store::row_ext::RowExt;
use crate::store::schema::{CONFIGS, NUMBERS, STATE};
use crate::store::write_request::LockedState;

/// How long an attempt at the lock of a table lasts at most: others who write
/// wait for as long.
const ATTEMPT: Duration = Duration::from_millis(300);
/// From one attempt to the next, about.
const PAUSE: Duration = Duration::from_millis(250);
/// The locks of others beside which rows of a table can be written.
const HARMLESS: [&str; 4] = [
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
];

/// Begins, takes the locks, and checks that the database is the one, and as
/// far, as the plan was made for. The number of this apply.
pub(super) async fn begin(run: &mut PgAttempt<'_>) -> Result<i64, AttemptError> {
    let until = Instant::now() + run.request.lock_timeout;
    let locked = lock_state(run).await?;
    let id = locked.next(run.write_set.plan.base, run.request)?;
    if run.write_set.relies_on_numbers() {
        lock_numbers(run, until).await?;
    }
    check_shape(run).await?;
    Ok(id)
}

/// Keeps the tables as they are until the end, and checks that they are as they were
/// looked at: binary COPY would write the bytes of one type into another.
async fn check_shape(run: &mut PgAttempt<'_>) -> Result<(), AttemptError> {
    let schema = run.dialect.quoted_schema;
    let sql = format!(
        "LOCK TABLE {schema}.{NUMBERS}, {schema}.{CONFIGS} IN ROW EXCLUSIVE MODE;
         {}",
        inspection(run.schema)
    );
    let found = match sets(run.conn, &sql).await {
        Err(error) => return Err(waited_for(run, error, &[NUMBERS, CONFIGS], &HARMLESS).await),
        Ok(found) => found,
    };
    let found = found.iter().flatten().next();
    let found = found.map(|row| row.some_text(0)).transpose()?;
    let tables = PgTables::read(run.schema, found.unwrap_or_default());
    let tables = tables.map_err(|error| sqlx::Error::Decode(error.into()))?;
    if tables.columns() == run.dialect.columns {
        return Ok(());
    }
    Err(stale_plan("the application's tables have changed since they were looked at").into())
}

async fn lock_state(run: &mut PgAttempt<'_>) -> Result<LockedState, AttemptError> {
    let begin = format!("{TO_WRITE}; SELECT pg_backend_pid()::int8");
    let begun = sets(run.conn, &begin).await?;
    let begun = begun.iter().flatten().next();
    *run.pid = begun.map(|row| row.some_int(0)).transpose()?;
    let sql = format!(
        "SET LOCAL lock_timeout = {timeout};
         UPDATE {schema}.lkroute_state SET last_apply = last_apply
           RETURNING last_apply::int8, owner, environment, schema_version::int8;
         SELECT a.id::int8, a.actor, {at} FROM {schema}.lkroute_applies a
           ORDER BY a.id DESC LIMIT 1;
         {UNATTENDED}",
        timeout = milliseconds(run.request.lock_timeout),
        schema = run.dialect.quoted_schema,
        at = super::read::time("a.at"),
    );
    let found = match sets(run.conn, &sql).await {
        Err(error) if is_lock_timeout(&error) => {
            run_sql(run.conn, "ROLLBACK").await?;
            let held = holders(run, &[STATE], &["AccessShareLock"]).await;
            let by: Vec<&str> = held.iter().map(|(who, _)| who.as_str()).collect();
            let by = match by.as_slice() {
                [] => "others are".to_owned(),
                some => format!("{} is", some.join(", ")),
            };
            let by = format!("{by} holding lkroute's lock, as an apply does");
            return Err(LockedState::busy(&by, run.request.lock_timeout).into());
        }
        found => found?,
    };
    let row = |ix: usize| found.get(ix).and_then(|rows| rows.first());
    let state = row(1).ok_or_else(|| Error::new("lkroute_state has no row"))?;
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let by = |row: &PgRow| {
        let (actor, at) = (row.some_text(1)?.to_owned(), row.some_text(2)?.to_owned());
        Ok::<_, sqlx::Error>((row.some_int(0)?, actor, at))
    };
    Ok(LockedState {
        last_apply: state.int(0)?,
        owner: owned(state.text(1)?),
        environment: owned(state.text(2)?),
        version: state.some_int(3)?,
        by: row(2).map(by).transpose()?,
    })
}

fn milliseconds(time: Duration) -> String {
    literal(&format!("{}ms", time.as_millis().max(1)))
}

/// Waits for the transactions that write numbers, and keeps others from
/// beginning: from here on none can add a row that the plan does not know.
/// Reading goes on.
///
/// An autovacuum gives way to whoever waits for it for a second
/// (`deadlock_timeout`), which no attempt does: so its lock comes first, which no
/// writer waits for.
async fn lock_numbers(run: &mut PgAttempt<'_>, until: Instant) -> Result<(), AttemptError> {
    let table = format!("{}.{NUMBERS}", run.dialect.quoted_schema);
    let upkeep = format!("LOCK TABLE {table} IN SHARE UPDATE EXCLUSIVE MODE");
    if let Err(error) = run_sql(run.conn, &upkeep).await {
        let harmless = &HARMLESS[..HARMLESS.len() - 1];
        return Err(waited_for(run, error, &[NUMBERS], harmless).await);
    }
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let attempt = format!(
            "SAVEPOINT numbers; SET LOCAL lock_timeout = {};
             LOCK TABLE {table} IN EXCLUSIVE MODE;
             SET LOCAL lock_timeout = {}; RELEASE SAVEPOINT numbers",
            milliseconds(left.min(ATTEMPT)),
            milliseconds(run.request.lock_timeout)
        );
        match run_sql(run.conn, &attempt).await {
            Ok(()) => return Ok(()),
            Err(error) if is_lock_timeout(&error) && left > ATTEMPT => {
                run_sql(run.conn, "ROLLBACK TO SAVEPOINT numbers").await?;
                sleep(jitter(PAUSE)).await;
            }
            Err(error) => {
                return Err(waited_for(run, error, &[NUMBERS], &["AccessShareLock"]).await);
            }
        }
    }
}

fn is_lock_timeout(error: &sqlx::Error) -> bool {
    error_code(error).as_deref() == Some("55P03")
}

/// The same error; of a wait for a lock of these tables in vain, whom it was for, and
/// what they do.
async fn waited_for(
    run: &mut PgAttempt<'_>,
    error: sqlx::Error,
    tables: &[&str],
    harmless: &[&str],
) -> AttemptError {
    // Without it nothing more is answered. The holders are told where they can be
    // found out.
    if !is_lock_timeout(&error) || run_sql(run.conn, "ROLLBACK").await.is_err() {
        return error.into();
    }
    let held = holders(run, tables, harmless).await;
    let each = held.iter().map(|(who, does)| format!("{who} {does}"));
    let mut by = each.collect::<Vec<String>>().join(", ");
    if by.is_empty() {
        by = "others held a lock of the application's tables".to_owned();
    }
    LockedState::busy(&by, run.request.lock_timeout).into()
}

/// Whose locks of these tables, or partitions of them, are none of the `harmless`
/// modes, and what they do that takes such a lock.
async fn holders(
    run: &mut PgAttempt<'_>,
    tables: &[&str],
    harmless: &[&str],
) -> Vec<(String, String)> {
    let listed = |items: &mut dyn Iterator<Item = String>| items.collect::<Vec<_>>().join(", ");
    let schema = run.dialect.quoted_schema;
    let table = |table: &&str| format!("to_regclass({})", literal(&format!("{schema}.{table}")));
    let time = "'\" since \"YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'";
    let sql = format!(
        "SELECT DISTINCT ON (l.pid, l.virtualtransaction, c.relname)
           coalesce('the prepared transaction ' || quote_literal(p.gid) || ' of ' || p.owner
               || to_char(p.prepared AT TIME ZONE 'UTC', {time})
               || ' (which COMMIT PREPARED or ROLLBACK PREPARED ends)',
             pg_catalog.concat_ws(' ', coalesce(a.usename::text, a.backend_type),
               'with ' || nullif(a.application_name, ''))
               || coalesce(to_char(a.xact_start AT TIME ZONE 'UTC', {time}), '')
               || ' (process ' || l.pid || ')'),
           CASE WHEN NOT l.granted THEN 'is waiting to change '
             WHEN l.mode = 'RowShareLock' THEN 'has locked rows of '
             WHEN l.mode = 'RowExclusiveLock' THEN 'is writing to '
             WHEN l.mode = 'ShareUpdateExclusiveLock'
               THEN 'is at VACUUM, ANALYZE or an index of '
             WHEN l.mode = 'ShareLock' THEN 'is building an index on '
             ELSE 'has locked ' END || c.relname
         FROM pg_catalog.pg_locks l
           JOIN pg_catalog.pg_class c ON c.oid = l.relation
           LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
           LEFT JOIN pg_catalog.pg_locks x ON l.pid IS NULL
             AND x.virtualtransaction = l.virtualtransaction AND x.locktype = 'transactionid'
           LEFT JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = x.transactionid
         WHERE l.locktype = 'relation' AND (l.relation IN ({tables}) OR l.relation IN (
             SELECT part.relid FROM unnest(ARRAY[{tables}]) t, pg_partition_tree(t) part))
           AND l.database = (SELECT oid FROM pg_catalog.pg_database
             WHERE datname = current_database())
           AND l.pid IS DISTINCT FROM pg_backend_pid() AND l.mode NOT IN ({harmless})
         ORDER BY l.pid, l.virtualtransaction, c.relname, l.granted DESC,
           array_position(ARRAY['RowShareLock', 'RowExclusiveLock', 'ShareUpdateExclusiveLock',
             'ShareLock'], l.mode) DESC
         LIMIT 3",
        tables = listed(&mut tables.iter().map(table)),
        harmless = listed(&mut harmless.iter().map(|mode| literal(mode))),
    );
    let rows = sets(run.conn, &sql).await.unwrap_or_default();
    let text = |row: &PgRow, ix| row.text(ix).ok().flatten().map(str::to_owned);
    let each = rows.iter().flatten();
    each.filter_map(|row| text(row, 0).zip(text(row, 1)))
        .collect()
}

/// Proves that this connection reads what it wrote: its own record of the
/// apply, beside the last apply that the plan saw. A proxy that sends reads
/// elsewhere would let rows be written twice.
pub(super) async fn prove(run: &mut PgAttempt<'_>) -> Result<(), AttemptError> {
    let sql = format!("SELECT {}", run.seen());
    let found = statement(sql).fetch_one(&mut *run.conn).await?;
    expect_seen(found.flag(0)?)
}

/// About as long, so that two who got in each other's way don't again.
pub(super) fn jitter(time: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    time.mul_f64(0.5 + f64::from(random) / f64::from(u32::MAX))
}
