//! Configs on SQLite.

use serde_json::Value;
use uuid::Uuid;

use super::attempt::SqliteAttempt;
use super::read::{config_columns, config_id};
use crate::diff::plan::Change;
use crate::store::books::{Before, VersionRow};
use crate::store::cells::Cells;
use crate::store::order::ApplyError;
use crate::store::rows;
use crate::store::schema::Layout;
use crate::store::stop::AttemptError;
use crate::store::trouble::code;
use crate::store::work::{CONFIG_COLUMNS as COLUMNS, Write};

/// Checks that the configs that the plan touches are as it saw them.
pub(super) async fn check(run: &mut SqliteAttempt<'_>) -> Result<Before, AttemptError> {
    let changes = run.work.configs.iter();
    let ids: Vec<Uuid> = changes
        .flat_map(|change| [change.row, change.previous])
        .flatten()
        .collect();
    let sql = format!(
        "SELECT {} FROM voice_agent_livekit c WHERE c.id IN (SELECT value FROM json_each(?))",
        config_columns(Layout::default())
    );
    let mut live = Vec::new();
    for row in run.read(sql, &ids).await? {
        live.push(rows::live_config(&row, 0)?);
    }
    run.work.check_configs(&live)?;
    let versions = "SELECT id, secret_source, fingerprint, sealed FROM lkroute_configs
                    WHERE until IS NULL AND id IN (SELECT value FROM json_each(?))";
    let mut before = Before::default();
    before
        .secrets
        .extend(live.into_iter().map(|row| (row.id, row.secret)));
    for row in run.read(versions, &ids).await? {
        let (id, version) = VersionRow::of(&row)?;
        before.versions.insert(id, version);
    }
    Ok(before)
}

/// Deletes, renames, changes and inserts configs, in an order in which names
/// can be handed on.
pub(super) async fn write(run: &mut SqliteAttempt<'_>) -> Result<(), AttemptError> {
    delete(run).await?;
    let updates = run.work.configs_to(Write::Update);
    let (objects, renamed) = run.work.config_rows(&updates)?;
    if renamed.len() > 1 {
        let park = "UPDATE voice_agent_livekit SET name = 'lkroute-' || id
                    WHERE id IN (SELECT value FROM json_each(?))";
        run.write(park, &renamed).await?;
    }
    let set = COLUMNS.map(|column| {
        format!(
            "{column} = CASE WHEN json_type(v.value, '$.{column}') IS NULL THEN c.{column}
             ELSE v.value ->> '$.{column}' END"
        )
    });
    let update = format!(
        "UPDATE voice_agent_livekit AS c SET {},
           updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
         FROM json_each(?) v WHERE c.id = v.value ->> '$.id'",
        set.join(", ")
    );
    store(run, update, &updates, objects).await?;
    let inserts = run.work.configs_to(Write::Insert);
    let (objects, _) = run.work.config_rows(&inserts)?;
    let values = COLUMNS.map(|column| format!("value ->> '$.{column}'"));
    let insert = format!(
        "INSERT INTO voice_agent_livekit (id, {})
         SELECT value ->> '$.id', {} FROM json_each(?)",
        COLUMNS.join(", "),
        values.join(", ")
    );
    store(run, insert, &inserts, objects).await
}

/// Reads back what was written, which triggers may have changed.
pub(super) async fn read_back(run: &mut SqliteAttempt<'_>) -> Result<(), AttemptError> {
    let written = run.work.configs_written();
    if written.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = written.keys().copied().collect();
    let sql = format!(
        "SELECT {} FROM voice_agent_livekit c WHERE c.id IN (SELECT value FROM json_each(?))",
        config_columns(Layout::default())
    );
    let rows = run.read(sql, &ids).await?;
    let live: Result<Vec<_>, _> = rows.iter().map(|row| rows::live_config(row, 0)).collect();
    Ok(run.work.check_rewritten(&written, &live?)?)
}

async fn store(
    run: &mut SqliteAttempt<'_>,
    sql: String,
    changes: &[&Change],
    objects: Vec<Value>,
) -> Result<(), AttemptError> {
    let moved = |what: &str| {
        let addresses = changes.iter().map(|change| run.work.address(change));
        ApplyError::moved(what, addresses.collect())
    };
    let (changed, taken) = (
        moved("configs have changed"),
        moved("a name or id was taken by another config"),
    );
    match run.write(sql, &objects).await {
        Ok(rows) if rows == objects.len() as u64 => Ok(()),
        Ok(_) => Err(changed.into()),
        // SQLITE_CONSTRAINT_UNIQUE, SQLITE_CONSTRAINT_PRIMARYKEY
        Err(AttemptError::Sql(error))
            if matches!(code(&error).as_deref(), Some("2067" | "1555")) =>
        {
            Err(taken.into())
        }
        Err(stop) => Err(stop),
    }
}

/// Deletes configs that no number holds.
async fn delete(run: &mut SqliteAttempt<'_>) -> Result<(), AttemptError> {
    let changes = run.work.configs_to(Write::Delete);
    let ids: Vec<Uuid> = changes.iter().filter_map(|change| change.row).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let held = format!(
        "SELECT DISTINCT held FROM (SELECT {} AS held FROM voice_agent_numbers)
         WHERE held IN (SELECT value FROM json_each(?))",
        config_id("rules")
    );
    let held = run.read(held, &ids).await?;
    let mut holding = Vec::new();
    for row in &held {
        let id = row.uuid(0)?;
        let change = changes.iter().find(|change| change.row == id);
        holding.extend(change.map(|change| run.work.address(change)));
    }
    if !holding.is_empty() {
        return Err(ApplyError::moved("numbers have come to use configs", holding).into());
    }
    let delete = "DELETE FROM voice_agent_livekit WHERE id IN (SELECT value FROM json_each(?))";
    if run.write(delete, &ids).await? != ids.len() as u64 {
        let all = changes.iter().map(|change| run.work.address(change));
        return Err(ApplyError::moved("configs are gone", all.collect()).into());
    }
    Ok(())
}
