//! Checks of number rows on PostgreSQL, inside the transaction of an apply:
//! what must not have appeared, what is recorded as it is, what was written.

use futures_util::TryStreamExt;
use hashbrown::{HashMap, HashSet};
use uuid::Uuid;

use super::attempt::PgAttempt;
use super::copy::{BadStream, CopiedRow, CopyReader};
use super::lock;
use super::numbers::{CHUNK, moved};
use super::read::number_row;
use super::sql::{copy_out, statement};
use crate::diff::plan::Change;
use crate::error::Error;
use crate::phone;
use crate::snapshot::NumberRow;
use crate::store::cells::Cells;
use crate::store::order::ApplyError;
use crate::store::stop::AttemptError;

/// Up to so many new numbers are looked for one by one.
const FEW: usize = 1000;
/// From so many rows on, all are read rather than each by its id.
const MANY: usize = 50_000;

/// Looks for rows that hold the numbers to insert or to wake: one by one
/// where they are few, else by passing over all rows of their tenants.
pub(super) async fn nothing_appeared(run: &mut PgAttempt<'_>) -> Result<(), AttemptError> {
    if !run
        .work
        .bindings
        .iter()
        .any(|change| run.work.appears(change))
    {
        return Ok(());
    }
    let any = format!(
        "SELECT {}, EXISTS (SELECT FROM {}.voice_agent_numbers)",
        lock::seen(run),
        run.q
    );
    let found = statement(any).fetch_one(&mut *run.conn).await?;
    lock::expect(found.flag(0)?)?;
    if !found.flag(1)? {
        return Ok(());
    }
    let new = run.work.made_active();
    let tenants: HashSet<Uuid> = new.keys().map(|(tenant, _)| *tenant).collect();
    let mut filter = format!(
        "{} = ANY({})",
        run.columns.tenant_id("n"),
        ids(tenants.iter())
    );
    if new.len() <= FEW {
        let bases = new.keys().flat_map(|(_, key)| key.base_numbers());
        let bases: Vec<String> = bases.map(|base| base.to_string()).collect();
        filter += &format!(
            " AND {} = ANY('{{{}}}'::int8[])",
            run.columns.base_number_compared("n"),
            bases.join(",")
        );
    }
    // One row more than there are: see `lock::prove`.
    let proof = format!(
        "RIGHT JOIN (SELECT {seen} AS seen) s ON {filter}",
        seen = lock::seen(run)
    );
    let (mut appeared, mut seen) = (Vec::new(), false);
    let sql = format!(
        "COPY (SELECT {}, {}, n.country_code::text, {}, n.status::text, s.seen
           FROM {}.voice_agent_numbers n {proof}) TO STDOUT (FORMAT binary)",
        run.columns.number_id("n"),
        run.columns.tenant_id("n"),
        run.columns.base_number("n"),
        run.q
    );
    stream(run, &sql, |row: CopiedRow<'_, 6>| {
        seen = row.flag(5)?;
        let Some(tenant) = row.any_uuid(1)? else {
            return Ok(());
        };
        let Ok(number) = phone::from_row(row.text(2)?, row.int8(3)?) else {
            return Ok(());
        };
        let change = new.get(&(tenant, number.row_key())).copied();
        let active = row.text(4)?.is_none_or(|status| status == "active");
        appeared.extend(change.filter(|change| {
            change.insert || (active && change.row != row.any_uuid(0).ok().flatten())
        }));
        Ok(())
    })
    .await?;
    lock::expect(seen)?;
    moved(run, appeared.into_iter())
}

/// An array of ids as SQL.
fn ids<'a>(ids: impl Iterator<Item = &'a Uuid>) -> String {
    let ids: Vec<String> = ids.map(Uuid::to_string).collect();
    format!("'{{{}}}'::uuid[]", ids.join(","))
}

/// Runs a COPY … TO STDOUT and hands each row to `each`.
async fn stream<const N: usize>(
    run: &mut PgAttempt<'_>,
    sql: &str,
    mut each: impl FnMut(CopiedRow<'_, N>) -> Result<(), BadStream>,
) -> Result<(), AttemptError> {
    let mut reader = CopyReader::default();
    let mut pieces = copy_out(run.conn, sql).await?;
    while let Some(piece) = pieces.try_next().await? {
        let read = reader.read(&piece, &mut each);
        read.map_err(|bad| sqlx::Error::Decode(bad.into()))?;
    }
    drop(pieces);
    Ok(reader.finish().map_err(Error::from)?)
}

/// The rows of these changes, each with its change, as they are now.
async fn rows_of<'a>(
    run: &mut PgAttempt<'_>,
    changes: &[&'a Change],
    mut each: impl FnMut(&'a Change, &NumberRow<'_>),
) -> Result<(), AttemptError> {
    let all = changes.len() > MANY;
    for chunk in changes.chunks(if all { changes.len() } else { CHUNK }) {
        let by_row: HashMap<Uuid, &Change> = chunk
            .iter()
            .filter_map(|change| Some((change.row?, *change)))
            .collect();
        let filter = match all {
            true => "true".to_owned(),
            false => format!(
                "{} = ANY({})",
                run.columns.number_id("n"),
                ids(by_row.keys())
            ),
        };
        let sql = format!(
            "COPY (SELECT {} FROM {}.voice_agent_numbers n WHERE {filter})
             TO STDOUT (FORMAT binary)",
            run.columns.of_numbers("n"),
            run.q
        );
        stream(run, &sql, |row: CopiedRow<'_, 7>| {
            let live = number_row(row)?;
            if let Some(change) = by_row.get(&live.id) {
                each(change, &live);
            }
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// Checks that what is recorded without being written is so.
pub(super) async fn check_adopted(run: &mut PgAttempt<'_>) -> Result<(), AttemptError> {
    let (work, adopted) = (run.work, run.work.adopted());
    let mut left: HashSet<*const Change> = adopted
        .iter()
        .map(|change| std::ptr::from_ref(*change))
        .collect();
    rows_of(run, &adopted, |change, live| {
        if work.holds(change, live) {
            left.remove(&std::ptr::from_ref(change));
        }
    })
    .await?;
    let left = adopted
        .into_iter()
        .filter(|change| left.contains(&std::ptr::from_ref(*change)));
    moved(run, left)
}

/// Reads back what was written, where triggers or rules may have changed it.
pub(super) async fn read_back(run: &mut PgAttempt<'_>) -> Result<(), AttemptError> {
    let mut written = run.work.updates();
    written.extend(run.work.inserts());
    if written.is_empty() || !is_rewritten(run).await? {
        return Ok(());
    }
    // What is deferred happens now, rather than behind our back at COMMIT.
    super::sql::run(run.conn, "SET CONSTRAINTS ALL IMMEDIATE").await?;
    let (work, mut found, mut seen) = (run.work, Vec::new(), 0);
    rows_of(run, &written, |change, live| {
        seen += 1;
        let what = work.rewritten(change, live);
        found.extend(what.map(|what| (work.address(change), what)));
    })
    .await?;
    match found.is_empty() {
        true if seen == written.len() => Ok(()),
        true => Err(Error::new("rows that were written are not there").into()),
        false => Err(ApplyError::rewritten(found).into()),
    }
}

/// Whether anything but constraints acts on rows that are written: triggers
/// on INSERT (4) or UPDATE (16), or whatever stands behind a view.
async fn is_rewritten(run: &mut PgAttempt<'_>) -> Result<bool, AttemptError> {
    let sql = "SELECT c.relkind <> 'r' OR c.relhasrules OR EXISTS (
           SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal
             AND t.tgenabled <> 'D' AND t.tgtype & 20 <> 0)
         FROM pg_catalog.pg_class c WHERE c.oid = to_regclass($1)";
    let table = format!("{}.voice_agent_numbers", run.q);
    let row = statement(sql).bind(table).fetch_one(&mut *run.conn).await?;
    Ok(row.flag(0)?)
}
