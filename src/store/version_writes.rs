//! What an apply writes to lkroute's own tables: its record, what it set, as
//! versions, and the names that they share. The versions of bindings, which
//! are many, each engine writes in its own way.

use serde_json::json;

use super::attempt::Attempt;
use super::attempt_error::AttemptError;
use super::decode;
use super::row_ext::RowExt;
use super::session::Session;
use super::version_rows::{
    ConfigsBefore, DictionaryRows, IdDictionaries, config_rows, ended_regions, ended_rows,
    region_rows, tampered,
};

/// Versions to a statement that ends them: with twice as many, PostgreSQL
/// reads the whole table.
const CHUNK: usize = 5000;

/// Numbers by which lkroute's tables know things, as they are.
pub(super) async fn read_dictionaries<S: Session>(
    run: &mut Attempt<'_, S>,
) -> Result<IdDictionaries, AttemptError> {
    let sql = format!(
        "SELECT id{int}, path FROM {prefix}lkroute_files;
         SELECT id{int}, tenant_id, alias FROM {prefix}lkroute_tenants;
         SELECT id{int}, fields FROM {prefix}lkroute_settings",
        int = run.dialect.int(),
        prefix = run.dialect.schema_prefix()
    );
    let found = run.conn.sets(&sql).await?;
    let set = |ix: usize| found.get(ix).into_iter().flatten();
    let mut dictionaries = IdDictionaries::default();
    for row in set(0) {
        dictionaries.known_file(row.some_int(0)?, row.some_text(1)?);
    }
    for row in set(1) {
        dictionaries.known_tenant(row.some_int(0)?, row.some_uuid(1)?, row.text(2)?);
    }
    for row in set(2) {
        dictionaries.known_settings(row.some_int(0)?, decode::fields(row.some_text(1)?)?);
    }
    Ok(dictionaries)
}

/// Ends the versions of all that changes, and writes the new ones but those of
/// bindings, which it gives.
pub(super) async fn write<S: Session>(
    run: &mut Attempt<'_, S>,
    mut dictionaries: IdDictionaries,
    id: i64,
    before: &ConfigsBefore,
) -> Result<DictionaryRows, AttemptError> {
    end_versions(run, id).await?;
    let dialect = run.dialect;
    let (prefix, values) = (dialect.schema_prefix(), dialect.rows());
    let item = |ix: usize, kind: &str| dialect.item(ix, kind);
    let regions = region_rows(run.write_set, &mut dictionaries);
    let insert = format!(
        "INSERT INTO {prefix}lkroute_regions (since, name, fields, file, line)
         SELECT {id}, {} FROM {values}",
        dialect.items(&["text", "text", "int4", "int4"])
    );
    run.write(&insert, &regions).await?;
    let configs = config_rows(run.write_set, &mut dictionaries, run.request, before);
    let insert = format!(
        "INSERT INTO {prefix}lkroute_configs (since, id, fields, secret_source, fingerprint, sealed,
           file, line, inserted, found, found_sealed)
         SELECT {id}, {} FROM {values}",
        dialect.items(&[
            "uuid", "text", "text", "text", "text", "int4", "int4", "bool", "text", "text"
        ])
    );
    run.write(&insert, &configs).await?;
    let rows = dictionaries.into_rows(run.write_set);
    let pair = |table: &str, column: &str, kind: &str| {
        let items = dialect.items(&["int4", kind]);
        format!("INSERT INTO {prefix}{table} (id, {column}) SELECT {items} FROM {values}")
    };
    let files = pair("lkroute_files", "path", "text");
    run.write(&files, &rows.files).await?;
    let settings = pair("lkroute_settings", "fields", "text");
    run.write(&settings, &rows.settings).await?;
    let tenants = pair("lkroute_tenants", "tenant_id", "uuid");
    run.write(&tenants, &rows.tenants).await?;
    let aliases = format!(
        "UPDATE {prefix}lkroute_tenants SET alias = {} FROM {values} WHERE tenant_id = {}",
        item(1, "text"),
        item(0, "uuid")
    );
    run.write(&aliases, &rows.aliases).await?;
    Ok(rows)
}

async fn end_versions<S: Session>(run: &mut Attempt<'_, S>, id: i64) -> Result<(), AttemptError> {
    let (dialect, prefix) = (run.dialect, run.dialect.schema_prefix());
    let regions: Vec<[&str; 1]> = ended_regions(run.write_set)
        .into_iter()
        .map(|r| [r])
        .collect();
    let end_regions = format!(
        "UPDATE {prefix}lkroute_regions SET until = {id} FROM {} WHERE until IS NULL AND name = {}",
        dialect.rows(),
        dialect.item(0, "text")
    );
    expect(run.write(&end_regions, &regions).await?, regions.len())?;
    let end = |table: &str, key: &str| {
        let among = dialect.among(key);
        format!("UPDATE {prefix}{table} SET until = {id} WHERE until IS NULL AND {among}")
    };
    let retire = format!(
        "INSERT INTO {prefix}lkroute_bindings
           (number_id, number, since, tenant, settings, file, line, inserted, retired)
         SELECT number_id, number, until, tenant, settings, file, line, true, true
         FROM {prefix}lkroute_bindings WHERE until = {id} AND {}",
        dialect.among("number_id")
    );
    for (sql, ids) in [
        (
            end("lkroute_configs", "id"),
            ended_rows(&run.write_set.configs),
        ),
        (
            end("lkroute_bindings", "number_id"),
            ended_rows(&run.write_set.bindings),
        ),
        (retire, run.write_set.retired()),
    ] {
        for chunk in ids.chunks(CHUNK) {
            expect(run.conn.write_ids(&sql, chunk).await?, chunk.len())?;
        }
    }
    Ok(())
}

/// Under the lock, what the plan read of our own tables can't have changed.
fn expect(rows: u64, expected: usize) -> Result<(), AttemptError> {
    if rows == expected as u64 {
        Ok(())
    } else {
        Err(tampered(rows, expected).into())
    }
}

/// The record of the apply, first: who reads sees by it that it is here.
pub(super) async fn open<S: Session>(
    run: &mut Attempt<'_, S>,
    id: i64,
) -> Result<(), AttemptError> {
    let (request, dialect) = (run.request, run.dialect);
    let sql = format!(
        "INSERT INTO {}lkroute_applies (id, at, token, kind, actor, revision, dirty, owner,
           environment, reason, version, counts, guards, files, restores, account)
         SELECT {id}, {}, {} FROM {}",
        dialect.schema_prefix(),
        dialect.now(),
        dialect.items(&[
            "uuid", "text", "text", "text", "bool", "text", "text", "text", "text", "text", "text",
            "text", "int4", "text"
        ]),
        dialect.rows(),
    );
    let row = json!([
        request.token,
        request.kind,
        request.actor,
        request.revision,
        request.dirty,
        request.owner,
        request.environment,
        request.reason,
        request.version,
        request.counts.to_string(),
        request.guards.to_string(),
        request.files,
        request.restores,
        request.account.to_string(),
    ]);
    expect(run.write(&sql, &[row]).await?, 1)
}

/// Notes the apply as the last one; when it was.
pub(super) async fn finish<S: Session>(
    run: &mut Attempt<'_, S>,
    id: i64,
) -> Result<String, AttemptError> {
    let (request, dialect, prefix) = (run.request, run.dialect, run.dialect.schema_prefix());
    let (owner, environment) = (dialect.item(0, "text"), dialect.item(1, "text"));
    let identity = dialect.item(2, "uuid");
    let sql = format!(
        "UPDATE {prefix}lkroute_state SET last_apply = {id}, owner = coalesce(owner, {owner}),
           environment = CASE WHEN {identity} IS NULL
             THEN coalesce(environment, {environment}) ELSE {environment} END,
           identity = coalesce({identity}, identity)
         FROM {}",
        dialect.rows()
    );
    let identity = request.restamp.as_ref().map(|to| to.identity);
    let row = json!([request.owner, request.environment, identity]);
    expect(run.write(&sql, &[row]).await?, 1)?;
    let at = format!(
        "SELECT {} FROM {prefix}lkroute_applies WHERE id = {id}",
        dialect.time("at")
    );
    let found = run.conn.sets(&at).await?;
    let row = found.iter().flatten().next();
    let row = row.ok_or(sqlx::Error::RowNotFound)?;
    Ok(row.some_text(0)?.to_owned())
}
