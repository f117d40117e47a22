//! The configs of an apply: few rows, written in sets all the same.

use serde_json::Value;
use uuid::Uuid;

use super::attempt::{Attempt, expect_seen};
use super::attempt_error::AttemptError;
use super::decode;
use super::row_ext::RowExt;
use super::session::Session;
use super::version_rows::{ConfigsBefore, VersionRow};
use super::write_request::ApplyError;
use super::write_set::{CONFIG_COLUMNS, ConfigWrite};
use crate::diff::plan::Change;
use crate::fields::Field;
use crate::snapshot::LiveConfig;

/// Locks the rows of the configs that the plan touches, and checks that they
/// are as it saw them.
pub(super) async fn check<S: Session>(
    run: &mut Attempt<'_, S>,
) -> Result<ConfigsBefore, AttemptError> {
    let configs = run.write_set.configs.iter();
    let ids = configs.flat_map(|change| [change.row, change.previous]);
    let ids: Vec<Uuid> = ids.flatten().collect();
    let mut before = ConfigsBefore::default();
    if ids.is_empty() {
        return Ok(before);
    }
    let live = read(run, &ids, &run.dialect.locked(&run.dialect.config_row_id())).await?;
    run.write_set.check_configs(&live)?;
    let secrets = live.into_iter().map(|row| (row.id, row.secret));
    before.secrets.extend(secrets);
    let versions = format!(
        "SELECT id, secret_source, fingerprint, sealed FROM {}lkroute_configs
         WHERE until IS NULL AND {}",
        run.dialect.schema_prefix(),
        run.dialect.among("id")
    );
    for row in run.conn.read_ids(&versions, &ids).await? {
        let (id, version) = VersionRow::of(&row)?;
        before.versions.insert(id, version);
    }
    Ok(before)
}

/// Checks that the configs that numbers go to are there, and lead where they led when
/// the plan was made, and keeps them so: people saw where calls would go.
pub(super) async fn check_gone_to<S: Session>(
    run: &mut Attempt<'_, S>,
) -> Result<(), AttemptError> {
    let mut wanted = run.write_set.configs_gone_to();
    let ids: Vec<Uuid> = wanted.keys().copied().collect();
    if ids.is_empty() {
        return Ok(());
    }
    let kept = run.dialect.kept(&run.dialect.config_row_id());
    let mut changed = Vec::new();
    for row in read(run, &ids, &kept).await? {
        let change = wanted.remove(&row.id);
        let before = run.write_set.plan.basis.configs.get(row.id);
        let leads_elsewhere = before.is_some_and(|before| {
            let mut columns = Field::COLUMNS_OF_CONFIG.into_iter();
            columns.any(|field| {
                let is_of_calls = field.call_field().is_some();
                is_of_calls && before.fields.get(field) != row.fields.get(field)
            })
        });
        changed.extend(change.filter(|_| leads_elsewhere));
    }
    refuse_gone_to(run, wanted.values(), "are gone")?;
    refuse_gone_to(run, changed.iter(), "lead elsewhere")
}

fn refuse_gone_to<'a, S: Session>(
    run: &Attempt<'_, S>,
    changes: impl Iterator<Item = &'a &'a Change>,
    what: &str,
) -> Result<(), AttemptError> {
    let numbers = changes.map(|change| run.write_set.address(change));
    let mut numbers: Vec<_> = numbers.collect();
    numbers.sort_unstable();
    if numbers.is_empty() {
        return Ok(());
    }
    let what = format!("the configs that numbers go to {what}");
    Err(ApplyError::moved(&what, numbers).into())
}

/// The configs with these ids; `locked` ends the statement.
async fn read<S: Session>(
    run: &mut Attempt<'_, S>,
    ids: &[Uuid],
    locked: &str,
) -> Result<Vec<LiveConfig>, sqlx::Error> {
    let sql = format!(
        "SELECT {} FROM {}voice_agent_livekit c WHERE {} {locked}",
        run.dialect.config_columns(true),
        run.dialect.schema_prefix(),
        run.dialect.among(&run.dialect.config_row_id())
    );
    let found = run.conn.read_ids(&sql, ids).await?;
    found
        .iter()
        .map(|row| decode::live_config(row, 0))
        .collect()
}

/// Renames, changes and inserts configs, before numbers point to them; how many
/// rows. Names can be handed on: those that give one up get another for a moment.
pub(super) async fn write<S: Session>(run: &mut Attempt<'_, S>) -> Result<u64, AttemptError> {
    let dialect = run.dialect;
    let table = format!("{}voice_agent_livekit", dialect.schema_prefix());
    let (id, touch) = (dialect.config_row_id(), dialect.touch_config());
    let updates = run.write_set.configs_to(ConfigWrite::Update);
    let (objects, mut parked) = run.write_set.config_rows(&updates)?;
    let inserts = run.write_set.configs_to(ConfigWrite::Insert);
    let or_abort = dialect.or_abort();
    if !parked.is_empty() || !inserts.is_empty() {
        let gone = run.write_set.configs_to(ConfigWrite::Delete);
        parked.extend(gone.iter().filter_map(|change| change.row));
    }
    if parked.len() > 1 || (parked.len() == 1 && !inserts.is_empty()) {
        let park = format!(
            "UPDATE{or_abort} {table} AS c SET name = 'lkroute-' || c.id{touch} WHERE {}",
            dialect.among(&id)
        );
        run.conn.write_ids(&park, &parked).await?;
    }
    let set = CONFIG_COLUMNS.map(|column| {
        let (has, value) = (dialect.has(column), dialect.under(column));
        format!("{column} = CASE WHEN {has} THEN {value} ELSE c.{column} END")
    });
    let update = format!(
        "UPDATE{or_abort} {table} AS c SET {}{touch} FROM {} WHERE {id} = {}",
        set.join(", "),
        dialect.rows(),
        dialect.id()
    );
    let written = store(run, &update, &updates, &objects).await?;
    let (objects, _) = run.write_set.config_rows(&inserts)?;
    let insert = format!(
        "INSERT{or_abort} INTO {table} (id, {}) SELECT {}, {} FROM {}",
        CONFIG_COLUMNS.join(", "),
        dialect.new_config_id(),
        CONFIG_COLUMNS
            .map(|column| dialect.under(column))
            .join(", "),
        dialect.rows()
    );
    Ok(written + store(run, &insert, &inserts, &objects).await?)
}

/// Reads back what was written, which triggers may have changed.
pub(super) async fn read_back<S: Session>(run: &mut Attempt<'_, S>) -> Result<(), AttemptError> {
    let written = run.write_set.configs_written();
    if written.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = written.keys().copied().collect();
    let live = read(run, &ids, "").await?;
    let by = run.named_actors();
    Ok(run.write_set.check_rewritten(&written, &live, &by)?)
}

async fn store<S: Session>(
    run: &mut Attempt<'_, S>,
    sql: &str,
    changes: &[&Change],
    objects: &[Value],
) -> Result<u64, AttemptError> {
    let written = run.write(sql, objects).await;
    let moved = |what: &str| {
        let addresses = changes.iter().map(|change| run.write_set.address(change));
        AttemptError::from(ApplyError::moved(what, addresses.collect()))
    };
    match written {
        Ok(rows) if rows == objects.len() as u64 => Ok(rows),
        Ok(_) => Err(moved("configs have changed")),
        Err(error) if S::is_taken(&error) => Err(moved("a name or id was taken by another config")),
        Err(error) => Err(error.into()),
    }
}

/// Deletes configs that no number holds any more; how many.
pub(super) async fn delete<S: Session>(run: &mut Attempt<'_, S>) -> Result<u64, AttemptError> {
    let changes = run.write_set.configs_to(ConfigWrite::Delete);
    let ids: Vec<Uuid> = changes.iter().filter_map(|change| change.row).collect();
    if ids.is_empty() {
        return Ok(0);
    }
    let (dialect, prefix) = (run.dialect, run.dialect.schema_prefix());
    // One row more than there are: the proof that whoever answers sees what
    // this transaction wrote.
    let held = format!(
        "SELECT DISTINCT h.config, s.seen
         FROM (SELECT {} AS config FROM {prefix}voice_agent_numbers n) h
           RIGHT JOIN (SELECT {} AS seen) s ON {}",
        dialect.config_of_number(),
        run.seen(),
        dialect.among("h.config")
    );
    let held = run.conn.read_ids(&held, &ids).await?;
    let seen = held.first().map(|row| row.flag(1)).transpose()?;
    expect_seen(seen == Some(true))?;
    let mut holding = Vec::new();
    for row in &held {
        let Some(id) = row.uuid(0)? else { continue };
        let change = changes.iter().find(|change| change.row == Some(id));
        holding.extend(change.map(|change| run.write_set.address(change)));
    }
    if !holding.is_empty() {
        return Err(ApplyError::moved("numbers have come to use configs", holding).into());
    }
    let delete = format!(
        "DELETE FROM {prefix}voice_agent_livekit AS c WHERE {}",
        dialect.among(&dialect.config_row_id())
    );
    let deleted = run.conn.write_ids(&delete, &ids).await?;
    if deleted != ids.len() as u64 {
        let all = changes.iter().map(|change| run.write_set.address(change));
        return Err(ApplyError::moved("configs are gone", all.collect()).into());
    }
    Ok(deleted)
}
