//! lkroute's own tables on SQLite: what each apply set, as versions.

use serde_json::json;
use sqlx::sqlite::SqliteRow;

use super::attempt::SqliteAttempt;
use super::sql::statement;
use crate::store::books::{
    Before, BindingRow, Books, config_rows, ended_regions, ended_rows, region_rows,
};
use crate::store::cells::Cells;
use crate::store::rows;
use crate::store::stop::AttemptError;

/// Rows to a statement.
const CHUNK: usize = 5000;

async fn all(
    run: &mut SqliteAttempt<'_>,
    sql: &'static str,
) -> Result<Vec<SqliteRow>, sqlx::Error> {
    sqlx::query(sql).fetch_all(&mut *run.conn).await
}

/// Numbers by which lkroute's tables know things, as they are.
pub(super) async fn books(run: &mut SqliteAttempt<'_>) -> Result<Books, AttemptError> {
    let mut books = Books::default();
    for row in all(run, "SELECT id, path FROM lkroute_files").await? {
        books.known_file(row.some_int(0)?, row.some_text(1)?);
    }
    for row in all(run, "SELECT id, tenant_id, alias FROM lkroute_tenants").await? {
        books.known_tenant(row.some_int(0)?, row.some_uuid(1)?, row.text(2)?);
    }
    for row in all(run, "SELECT id, fields FROM lkroute_settings").await? {
        books.known_settings(row.some_int(0)?, rows::fields(row.some_text(1)?)?);
    }
    Ok(books)
}

/// Ends the versions of all that changes, and writes the new ones.
pub(super) async fn write(
    run: &mut SqliteAttempt<'_>,
    mut books: Books,
    id: i64,
    before: &Before,
) -> Result<(), AttemptError> {
    let regions = ended_regions(run.work);
    end(run, "lkroute_regions", "name", id, &regions).await?;
    let configs = ended_rows(&run.work.configs);
    end(run, "lkroute_configs", "id", id, &configs).await?;
    for chunk in ended_rows(&run.work.bindings).chunks(CHUNK) {
        end(run, "lkroute_bindings", "number_id", id, chunk).await?;
    }
    let retire = format!(
        "INSERT INTO lkroute_bindings
           (number_id, number, since, tenant, settings, file, line, inserted, retired)
         SELECT number_id, number, until, tenant, settings, file, line, 1, 1
         FROM lkroute_bindings WHERE until = {id}
           AND number_id IN (SELECT value FROM json_each(?))"
    );
    for chunk in run.work.retired().chunks(CHUNK) {
        expect(run.write(retire.as_str(), chunk).await?, chunk.len())?;
    }
    let regions = region_rows(run.work, &mut books);
    let insert = format!(
        "INSERT INTO lkroute_regions (name, since, fields, file, line)
         SELECT value ->> 0, {id}, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?)"
    );
    run.write(insert, &regions).await?;
    let configs = config_rows(run.work, &mut books, run.order, before);
    let insert = format!(
        "INSERT INTO lkroute_configs (id, since, fields, secret_source, fingerprint, sealed,
           file, line, inserted, found, found_sealed)
         SELECT value ->> 0, {id}, value ->> 1, value ->> 2, value ->> 3, value ->> 4,
           value ->> 5, value ->> 6, value ->> 7, value ->> 8, value ->> 9 FROM json_each(?)"
    );
    run.write(insert, &configs).await?;
    names_and_bindings(run, books, id).await
}

async fn end<T: serde::Serialize>(
    run: &mut SqliteAttempt<'_>,
    table: &str,
    key: &str,
    id: i64,
    keys: &[T],
) -> Result<(), AttemptError> {
    let sql = format!(
        "UPDATE {table} SET until = {id}
         WHERE until IS NULL AND {key} IN (SELECT value FROM json_each(?))"
    );
    expect(run.write(sql, keys).await?, keys.len())
}

/// Under the lock, what the plan read of our own tables can't have changed.
fn expect(rows: u64, expected: usize) -> Result<(), AttemptError> {
    match rows == expected as u64 {
        true => Ok(()),
        false => Err(crate::store::books::tampered(rows, expected).into()),
    }
}

async fn names_and_bindings(
    run: &mut SqliteAttempt<'_>,
    books: Books,
    id: i64,
) -> Result<(), AttemptError> {
    let entries = books.enter(run.work);
    let pair = |table: &str, column: &str| {
        format!(
            "INSERT INTO {table} (id, {column})
             SELECT value ->> 0, value ->> 1 FROM json_each(?)"
        )
    };
    run.write(pair("lkroute_files", "path"), &entries.files)
        .await?;
    run.write(pair("lkroute_settings", "fields"), &entries.settings)
        .await?;
    run.write(pair("lkroute_tenants", "tenant_id"), &entries.tenants)
        .await?;
    let alias = "UPDATE lkroute_tenants SET alias = v.value ->> 1
                 FROM json_each(?) v WHERE tenant_id = v.value ->> 0";
    run.write(alias, &entries.aliases).await?;
    let insert = format!(
        "INSERT INTO lkroute_bindings
           (number_id, number, since, tenant, settings, file, line, inserted, retired, found)
         SELECT value ->> 0, value ->> 1, {id}, value ->> 2, value ->> 3, value ->> 4,
           value ->> 5, value ->> 6, 0, value ->> 7 FROM json_each(?)"
    );
    let of = |row: &BindingRow| {
        let (file, line) = row.source.unzip();
        json!([
            row.number_id,
            row.number,
            row.tenant,
            row.settings,
            file,
            line,
            row.inserted,
            row.found
        ])
    };
    for chunk in entries.bindings.chunks(CHUNK) {
        let rows: Vec<_> = chunk.iter().map(of).collect();
        run.write(insert.as_str(), &rows).await?;
        run.advance(chunk.len());
    }
    Ok(())
}

/// The record of the apply, last; when it was.
pub(super) async fn finish(run: &mut SqliteAttempt<'_>, id: i64) -> Result<String, AttemptError> {
    let order = run.order;
    let sql = "INSERT INTO lkroute_applies (id, token, at, kind, actor, revision, dirty, owner,
                 environment, reason, version, counts, guards, files, restores, account)
               VALUES (?, ?, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
                 ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
               RETURNING at";
    let query = statement(sql)
        .bind(id)
        .bind(order.token.to_string())
        .bind(order.kind.clone())
        .bind(order.actor.clone())
        .bind(order.revision.clone())
        .bind(order.dirty)
        .bind(order.owner.clone())
        .bind(order.environment.clone())
        .bind(order.reason.clone())
        .bind(order.version.clone())
        .bind(order.counts.to_string())
        .bind(order.guards.to_string())
        .bind(order.files.clone())
        .bind(order.restores)
        .bind(order.account.to_string());
    let row = query.fetch_one(&mut *run.conn).await?;
    let at = row.some_text(0)?.to_owned();
    let sql = "UPDATE lkroute_state SET last_apply = ?1, owner = coalesce(owner, ?2),
                 environment = iif(?4 IS NULL, coalesce(environment, ?3), ?3),
                 identity = coalesce(?4, identity)";
    let query = statement(sql).bind(id).bind(order.owner.clone());
    let identity = order.restamp.as_ref().map(|to| to.identity.to_string());
    let done = query
        .bind(order.environment.clone())
        .bind(identity)
        .execute(&mut *run.conn)
        .await?;
    expect(done.rows_affected(), 1)?;
    Ok(at)
}
