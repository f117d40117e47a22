//! Number rows on SQLite: compared here, under the write lock, and written
//! in sets.

use futures_util::TryStreamExt;
use hashbrown::{HashMap, HashSet};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::attempt::SqliteAttempt;
use super::read::{number_columns, number_row};
use super::sql::{json, statement};
use crate::address::Address;
use crate::diff::plan::{Change, Object};
use crate::error::Error;
use crate::phone;
use crate::store::cells::Cells;
use crate::store::order::ApplyError;
use crate::store::row_patch::RowPatch;
use crate::store::stop::AttemptError;
use crate::store::work::row;

/// Rows to a statement.
const CHUNK: usize = 5000;
/// Up to so many new numbers are looked for one by one.
const FEW: usize = 1000;

/// Changes rows that are there, each as the plan saw it.
pub(super) async fn update(run: &mut SqliteAttempt<'_>) -> Result<(), AttemptError> {
    for chunk in run.work.updates().chunks(CHUNK) {
        as_planned(run, chunk).await?;
        let mut alike: HashMap<(u32, bool), Vec<Uuid>> = HashMap::new();
        for change in chunk {
            let patch = (change.patch, change.owned.is_some());
            alike.entry(patch).or_default().push(row(change)?);
        }
        for ((patch, ours), ids) in alike {
            let patch = RowPatch::of(&run.work.plan.patches[patch as usize], ours);
            write(run, &patch, &ids).await?;
        }
        run.advance(chunk.len());
    }
    Ok(())
}

async fn as_planned(run: &mut SqliteAttempt<'_>, chunk: &[&Change]) -> Result<(), AttemptError> {
    let mut expected: HashMap<Uuid, &Change> = HashMap::with_capacity(chunk.len());
    for change in chunk {
        expected.insert(row(change)?, change);
    }
    for row in rows_of(run, expected.keys().copied().collect()).await? {
        let live = number_row(&row, 0)?;
        let change = expected.get(&live.id).copied();
        if change.is_some_and(|change| run.work.holds(change, &live)) {
            expected.remove(&live.id);
        }
    }
    moved(run, expected.into_values())
}

async fn rows_of(
    run: &mut SqliteAttempt<'_>,
    ids: Vec<Uuid>,
) -> Result<Vec<SqliteRow>, AttemptError> {
    let sql = format!(
        "SELECT {} FROM voice_agent_numbers n WHERE n.id IN (SELECT value FROM json_each(?))",
        number_columns()
    );
    run.read(sql, &ids).await
}

/// Checks that what is recorded without being written is so.
pub(super) async fn check_adopted(run: &mut SqliteAttempt<'_>) -> Result<(), AttemptError> {
    for chunk in run.work.adopted().chunks(CHUNK) {
        as_planned(run, chunk).await?;
    }
    Ok(())
}

/// Reads back what was written, where triggers may have changed it.
pub(super) async fn read_back(run: &mut SqliteAttempt<'_>) -> Result<(), AttemptError> {
    let triggers = "SELECT 1 FROM sqlite_master
                    WHERE type = 'trigger' AND tbl_name = 'voice_agent_numbers'";
    let triggers = sqlx::query(triggers).fetch_optional(&mut *run.conn).await?;
    if triggers.is_none() {
        return Ok(());
    }
    let mut written = run.work.updates();
    written.extend(run.work.inserts());
    for chunk in written.chunks(CHUNK) {
        let mut expected: HashMap<Uuid, &Change> = HashMap::with_capacity(chunk.len());
        for change in chunk {
            expected.insert(row(change)?, change);
        }
        let (mut found, mut seen) = (Vec::new(), 0);
        for row in rows_of(run, expected.keys().copied().collect()).await? {
            let live = number_row(&row, 0)?;
            let Some(change) = expected.get(&live.id) else {
                continue;
            };
            seen += 1;
            let what = run.work.rewritten(change, &live);
            found.extend(what.map(|what| (run.work.address(change), what)));
        }
        match found.is_empty() {
            true if seen == chunk.len() => {}
            true => return Err(Error::new("rows that were written are not there").into()),
            false => return Err(ApplyError::rewritten(found).into()),
        }
    }
    Ok(())
}

/// Refuses to go on where there are any.
fn moved<'a>(
    run: &SqliteAttempt<'_>,
    changes: impl Iterator<Item = &'a Change>,
) -> Result<(), AttemptError> {
    let mut moved: Vec<Address> = changes.map(|change| run.work.address(change)).collect();
    moved.sort_unstable();
    match moved.is_empty() {
        true => Ok(()),
        false => Err(ApplyError::moved("number rows have changed", moved).into()),
    }
}

async fn write(
    run: &mut SqliteAttempt<'_>,
    patch: &RowPatch,
    ids: &[Uuid],
) -> Result<(), AttemptError> {
    let mut set = vec!["updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')".to_owned()];
    if !patch.touched.is_empty() {
        let path = |key: &str| format!(", '$.{key}'");
        let gone: String = patch.touched.iter().map(|key| path(key)).collect();
        let put = |key: &str| format!("{}, json(?2 -> '$.rules.{key}')", path(key));
        let there: String = patch.after.keys().map(|key| put(key)).collect();
        let removed = format!("json_remove(coalesce(rules, '{{}}'){gone})");
        set.push(format!("rules = json_set({removed}{there})"));
    }
    if patch.provider.is_some() {
        set.push("provider = ?2 ->> '$.provider'".to_owned());
    }
    if patch.status_after.is_some() {
        set.push("status = ?2 ->> '$.status'".to_owned());
    }
    let sql = format!(
        "UPDATE voice_agent_numbers SET {}
         WHERE ?2 IS NOT NULL AND id IN (SELECT value FROM json_each(?1))",
        set.join(", ")
    );
    let provider = patch
        .provider
        .as_ref()
        .and_then(|(_, after)| after.as_ref());
    let values = json!({
        "rules": &patch.after,
        "provider": provider,
        "status": &patch.status_after,
    });
    let query = statement(sql).bind(json(ids)?).bind(values.to_string());
    let done = query.execute(&mut *run.conn).await?;
    match done.rows_affected() == ids.len() as u64 {
        true => Ok(()),
        false => Err(crate::store::trouble::stale("number rows are gone").into()),
    }
}

/// Inserts the new rows, after [`nothing_appeared`].
pub(super) async fn insert(run: &mut SqliteAttempt<'_>) -> Result<(), AttemptError> {
    let inserts = run.work.inserts();
    if inserts.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO voice_agent_numbers
                 (id, tenant_id, country_code, base_number, provider, status, rules)
               SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, 'active',
                 value ->> 5 FROM json_each(?)";
    let mut tails: HashMap<u32, (Value, String)> = HashMap::new();
    for chunk in inserts.chunks(CHUNK) {
        let mut rows = Vec::with_capacity(chunk.len());
        for change in chunk {
            let Object::Binding { number, tenant } = change.object else {
                continue;
            };
            let (provider, rules) = tails.entry(change.patch).or_insert_with(|| {
                let patch = RowPatch::of(run.work.plan.patch(change), true);
                let provider = patch.provider.and_then(|(_, after)| after);
                (json!(provider), Value::Object(patch.after).to_string())
            });
            let tenant = run.work.plan.tenants[tenant as usize].id;
            let (code, base) = (
                number.row_key().country_code(),
                number.row_key().base_number(),
            );
            rows.push(json!([row(change)?, tenant, code, base, provider, rules]));
        }
        run.write(sql, &rows).await?;
        run.advance(chunk.len());
    }
    Ok(())
}

/// Looks for rows that hold the numbers to insert or to wake: one by one
/// where they are few, else by passing over all rows of their tenants.
pub(super) async fn nothing_appeared(run: &mut SqliteAttempt<'_>) -> Result<(), AttemptError> {
    let new = run.work.made_active();
    if new.is_empty() {
        return Ok(());
    }
    let (filter, values) = match new.len() <= FEW {
        true => {
            let bases: Vec<i64> = new.keys().flat_map(|(_, key)| key.base_numbers()).collect();
            ("base_number", json(&bases)?)
        }
        false => {
            let tenants: HashSet<Uuid> = new.keys().map(|(tenant, _)| *tenant).collect();
            ("tenant_id", json(&tenants.into_iter().collect::<Vec<_>>())?)
        }
    };
    let sql = format!(
        "SELECT id, tenant_id, country_code, base_number, status FROM voice_agent_numbers
         WHERE {filter} IN (SELECT value FROM json_each(?))"
    );
    let mut appeared = Vec::new();
    let mut stream = statement(sql).bind(values).fetch(&mut *run.conn);
    while let Some(row) = stream.try_next().await? {
        let Ok(number) = phone::from_row(row.text(2)?, row.int(3)?) else {
            continue;
        };
        let change = new.get(&(row.some_uuid(1)?, number.row_key())).copied();
        let (id, active) = (row.uuid(0)?, row.text(4)?.is_none_or(|s| s == "active"));
        appeared.extend(change.filter(|change| change.insert || (active && change.row != id)));
    }
    drop(stream);
    moved(run, appeared.into_iter())
}
