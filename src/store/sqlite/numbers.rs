//! Number rows on SQLite: compared here, under the write lock, and written
//! in sets.

use futures_util::TryStreamExt;
use hashbrown::HashMap;
use serde_json::{Value, json};
use uuid::Uuid;

use super::attempt::SqliteAttempt;
use super::sql::{json, statement};
use crate::diff::plan::Object;
use crate::lookup::{sqlite_among_numbers, sqlite_base_number, sqlite_uuid_digits};
use crate::store::attempt_error::AttemptError;
use crate::store::number_checks::{CHUNK, NewNumbers, check_as_planned, refuse_moved};
use crate::store::row_ext::RowExt;
use crate::store::row_patch::RowPatch;
use crate::store::write_set::row;

/// Changes rows that are there, each as the plan saw it.
pub(super) async fn update(run: &mut SqliteAttempt<'_>) -> Result<(), AttemptError> {
    let in_turn = run.write_set.updates_in_turn();
    for chunk in in_turn.iter().flat_map(|changes| changes.chunks(CHUNK)) {
        check_as_planned(run, chunk).await?;
        let mut alike: HashMap<(u32, bool), Vec<Uuid>> = HashMap::new();
        for change in chunk {
            let patch = (change.patch, change.owned.is_some());
            alike.entry(patch).or_default().push(row(change)?);
        }
        for ((patch, ours), ids) in alike {
            let patch = RowPatch::of(&run.write_set.plan.patches[patch as usize], ours);
            write(run, &patch, &ids).await?;
        }
        run.advance(chunk.len());
    }
    Ok(())
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
        "UPDATE OR ABORT voice_agent_numbers SET {}
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
    if done.rows_affected() == ids.len() as u64 {
        Ok(())
    } else {
        Err(crate::store::error_map::stale_plan("number rows are gone").into())
    }
}

/// Inserts the new rows, after [`nothing_appeared`].
pub(super) async fn insert(run: &mut SqliteAttempt<'_>) -> Result<(), AttemptError> {
    let inserts = run.write_set.inserts();
    if inserts.is_empty() {
        return Ok(());
    }
    let sql = "INSERT OR ABORT INTO voice_agent_numbers
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
                let patch = RowPatch::of(run.write_set.plan.patch(change), true);
                let provider = patch.provider.and_then(|(_, after)| after);
                (json!(provider), Value::Object(patch.after).to_string())
            });
            let tenant = run.write_set.plan.tenants[tenant as usize].id;
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
    let mut new = NewNumbers::new(run.write_set.made_active());
    if new.wanted.is_empty() {
        return Ok(());
    }
    let (filter, values) = if new.are_few() {
        (
            sqlite_among_numbers("n"),
            json(&new.base_numbers().collect::<Vec<_>>())?,
        )
    } else {
        let tenants = new.tenants().into_iter();
        let tenants = tenants.map(|tenant| tenant.simple().to_string());
        (
            format!(
                "{} IN (SELECT value FROM json_each(?1))",
                sqlite_uuid_digits("n.tenant_id")
            ),
            json(&tenants.collect::<Vec<_>>())?,
        )
    };
    let sql = format!(
        "SELECT n.id, n.tenant_id, n.country_code, {base}, n.status FROM voice_agent_numbers n
         WHERE {filter}",
        base = sqlite_base_number("n")
    );
    let mut rows = statement(sql).bind(values).fetch(&mut *run.conn);
    while let Some(row) = rows.try_next().await? {
        let Ok(Some(tenant)) = row.uuid(1) else {
            continue;
        };
        // Broken bytes are no number, and no status but that of a row that counts.
        let (code, status) = (row.text(2).ok().flatten(), row.text(4).ok().flatten());
        let id = row.uuid(0).ok().flatten();
        new.look((id, tenant), (code, row.int(3)?), status);
    }
    drop(rows);
    refuse_moved(run, new.appeared.into_iter())
}
