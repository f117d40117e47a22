//! Configs on PostgreSQL: few rows, written in sets all the same.

use serde_json::Value;
use uuid::Uuid;

use super::attempt::PgAttempt;
use super::lock;
use super::sql::{config_id, statement};
use crate::diff::plan::Change;
use crate::store::books::{Before, VersionRow};
use crate::store::cells::Cells;
use crate::store::order::ApplyError;
use crate::store::rows;
use crate::store::schema::{CONFIGS, Layout};
use crate::store::stop::AttemptError;
use crate::store::trouble::code;
use crate::store::work::{CONFIG_COLUMNS, Write};

/// Locks the rows of the configs that the plan touches, and checks that they
/// are as it saw them.
pub(super) async fn check(run: &mut PgAttempt<'_>) -> Result<Before, AttemptError> {
    let configs = &run.work.configs;
    if configs.is_empty() {
        return Ok(Before::default());
    }
    let ids: Vec<Uuid> = configs
        .iter()
        .flat_map(|change| [change.row, change.previous])
        .flatten()
        .collect();
    let locked = format!(
        "SELECT {} FROM {}.voice_agent_livekit c WHERE {id} = ANY($1) ORDER BY {id} FOR UPDATE",
        super::read::config_columns(run.columns, Layout::default()),
        run.q,
        id = run.columns.config_row_id("c")
    );
    let mut live = Vec::new();
    for row in statement(locked)
        .bind(&ids)
        .fetch_all(&mut *run.conn)
        .await?
    {
        live.push(rows::live_config(&row, 0)?);
    }
    run.work.check_configs(&live)?;
    let versions = format!(
        "SELECT id, secret_source, fingerprint, sealed FROM {}.lkroute_configs
         WHERE until IS NULL AND id = ANY($1)",
        run.q
    );
    let mut before = Before::default();
    before
        .secrets
        .extend(live.into_iter().map(|row| (row.id, row.secret)));
    for row in statement(versions)
        .bind(&ids)
        .fetch_all(&mut *run.conn)
        .await?
    {
        let (id, version) = VersionRow::of(&row)?;
        before.versions.insert(id, version);
    }
    Ok(before)
}

/// Deletes, renames, changes and inserts configs, in an order in which names
/// can be handed on.
pub(super) async fn write(run: &mut PgAttempt<'_>) -> Result<(), AttemptError> {
    delete(run).await?;
    let updates = run.work.configs_to(Write::Update);
    let (objects, renamed) = run.work.config_rows(&updates)?;
    if renamed.len() > 1 {
        let park = format!(
            "UPDATE {}.voice_agent_livekit c SET name = 'lkroute-' || c.id{} WHERE {} = ANY($1)",
            run.q,
            run.columns.touch(CONFIGS),
            run.columns.config_row_id("c"),
        );
        statement(park)
            .bind(&renamed)
            .execute(&mut *run.conn)
            .await?;
    }
    let update = format!(
        "UPDATE {q}.voice_agent_livekit c SET {set}{touch}
         FROM jsonb_array_elements($1::jsonb) v WHERE {id} = (v->>'id')::uuid",
        q = run.q,
        touch = run.columns.touch(CONFIGS),
        id = run.columns.config_row_id("c"),
        set = CONFIG_COLUMNS
            .map(|column| {
                format!(
                    "{column} = CASE WHEN v ? '{column}' THEN v->>'{column}' ELSE c.{column} END"
                )
            })
            .join(", "),
    );
    store(run, update, &updates, objects).await?;
    let inserts = run.work.configs_to(Write::Insert);
    let (objects, _) = run.work.config_rows(&inserts)?;
    let insert = format!(
        "INSERT INTO {q}.voice_agent_livekit (id, {columns})
         SELECT {id}, {values} FROM jsonb_array_elements($1::jsonb) v",
        q = run.q,
        id = run.columns.written(CONFIGS, "id", "(v->>'id')::uuid"),
        columns = CONFIG_COLUMNS.join(", "),
        values = CONFIG_COLUMNS
            .map(|column| format!("v->>'{column}'"))
            .join(", "),
    );
    store(run, insert, &inserts, objects).await
}

/// Reads back what was written, which triggers may have changed.
pub(super) async fn read_back(run: &mut PgAttempt<'_>) -> Result<(), AttemptError> {
    let written = run.work.configs_written();
    if written.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = written.keys().copied().collect();
    let sql = format!(
        "SELECT {} FROM {}.voice_agent_livekit c WHERE {} = ANY($1)",
        super::read::config_columns(run.columns, Layout::default()),
        run.q,
        run.columns.config_row_id("c")
    );
    let rows = statement(sql).bind(ids).fetch_all(&mut *run.conn).await?;
    let live: Result<Vec<_>, _> = rows.iter().map(|row| rows::live_config(row, 0)).collect();
    Ok(run.work.check_rewritten(&written, &live?)?)
}

async fn store(
    run: &mut PgAttempt<'_>,
    sql: String,
    changes: &[&Change],
    objects: Vec<Value>,
) -> Result<(), AttemptError> {
    if objects.is_empty() {
        return Ok(());
    }
    let expected = objects.len() as u64;
    let json = Value::Array(objects).to_string();
    let moved = |what: &str| {
        let addresses = changes.iter().map(|change| run.work.address(change));
        ApplyError::moved(what, addresses.collect())
    };
    match statement(sql).bind(json).execute(&mut *run.conn).await {
        Ok(done) if done.rows_affected() == expected => Ok(()),
        Ok(_) => Err(moved("configs have changed").into()),
        Err(error) if code(&error).as_deref() == Some("23505") => {
            Err(moved("a name or id was taken by another config").into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Deletes configs that no number holds.
async fn delete(run: &mut PgAttempt<'_>) -> Result<(), AttemptError> {
    let changes = run.work.configs_to(Write::Delete);
    let ids: Vec<Uuid> = changes.iter().filter_map(|change| change.row).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let config = config_id("n.rules");
    let held = format!(
        "SELECT DISTINCT h.config, s.seen
         FROM (SELECT {config} AS config FROM {}.voice_agent_numbers n) h
           RIGHT JOIN (SELECT {} AS seen) s ON h.config = ANY($1)",
        run.q,
        lock::seen(run)
    );
    let held = statement(held).bind(&ids).fetch_all(&mut *run.conn).await?;
    let seen = held.first().map(|row| row.flag(1)).transpose()?;
    lock::expect(seen == Some(true))?;
    let mut holding = Vec::new();
    for row in &held {
        let Some(id) = row.uuid(0)? else { continue };
        let id = Some(id);
        let change = changes.iter().find(|change| change.row == id);
        holding.extend(change.map(|change| run.work.address(change)));
    }
    if !holding.is_empty() {
        return Err(ApplyError::moved("numbers have come to use configs", holding).into());
    }
    let delete = format!(
        "DELETE FROM {}.voice_agent_livekit c WHERE {} = ANY($1)",
        run.q,
        run.columns.config_row_id("c")
    );
    let done = statement(delete).bind(&ids).execute(&mut *run.conn).await?;
    if done.rows_affected() != ids.len() as u64 {
        let all = changes.iter().map(|change| run.work.address(change));
        return Err(ApplyError::moved("configs are gone", all.collect()).into());
    }
    Ok(())
}
