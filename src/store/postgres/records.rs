//! lkroute's own tables on PostgreSQL: what each apply set, as versions.

use super::attempt::PgAttempt;
use super::copy::Writer;
use super::numbers::PIECE;
use super::sql::{sets, statement};
use crate::error::Error;
use crate::store::books::{
    Before, BindingRow, Books, Entries, config_rows, ended_regions, ended_rows, region_rows,
    tampered,
};
use crate::store::cells::Cells;
use crate::store::rows;
use crate::store::stop::AttemptError;

/// Versions to a statement that ends them: with twice as many, PostgreSQL
/// reads the whole table.
const CHUNK: usize = 5000;

pub(super) async fn books(run: &mut PgAttempt<'_>) -> Result<Books, AttemptError> {
    Ok(known(run).await?)
}

/// Ends the versions of all that changes, and writes the new ones.
pub(super) async fn write(
    run: &mut PgAttempt<'_>,
    books: &mut Books,
    id: i64,
    before: &Before,
) -> Result<(), AttemptError> {
    let id = i32::try_from(id).map_err(|_| Error::new("too many applies"))?;
    end_versions(run, id).await?;
    let q = run.q;
    let regions = region_rows(run.work, books);
    let insert = format!(
        "INSERT INTO {q}.lkroute_regions (name, since, fields, file, line)
         SELECT v->>0, {id}, v->>1, (v->>2)::int4, (v->>3)::int4
         FROM jsonb_array_elements($1::jsonb) v"
    );
    run.write(insert, &regions).await?;
    let configs = config_rows(run.work, books, run.order, before);
    let insert = format!(
        "INSERT INTO {q}.lkroute_configs (id, since, fields, secret_source, fingerprint, sealed,
           file, line, inserted, found, found_sealed)
         SELECT (v->>0)::uuid, {id}, v->>1, v->>2, v->>3, v->>4, (v->>5)::int4, (v->>6)::int4,
           (v->>7)::bool, v->>8, v->>9 FROM jsonb_array_elements($1::jsonb) v"
    );
    run.write(insert, &configs).await?;
    let entries = std::mem::take(books).enter(run.work);
    names(run, &entries).await?;
    write_bindings(run, id, &entries.bindings).await
}

async fn end_versions(run: &mut PgAttempt<'_>, id: i32) -> Result<(), AttemptError> {
    let regions: Vec<String> = ended_regions(run.work)
        .into_iter()
        .map(str::to_owned)
        .collect();
    let end = |table: &str, key: &str| {
        format!(
            "UPDATE {}.{table} SET until = $1 WHERE until IS NULL AND {key} = ANY($2)",
            run.q
        )
    };
    let (end_regions, end_configs) = (end("lkroute_regions", "name"), end("lkroute_configs", "id"));
    let end_bindings = end("lkroute_bindings", "number_id");
    if !regions.is_empty() {
        let expected = regions.len();
        let done = statement(end_regions).bind(id).bind(regions);
        expect(
            done.execute(&mut *run.conn).await?.rows_affected(),
            expected,
        )?;
    }
    let configs = ended_rows(&run.work.configs);
    if !configs.is_empty() {
        let expected = configs.len();
        let done = statement(end_configs).bind(id).bind(configs);
        expect(
            done.execute(&mut *run.conn).await?.rows_affected(),
            expected,
        )?;
    }
    for chunk in ended_rows(&run.work.bindings).chunks(CHUNK) {
        let done = statement(end_bindings.as_str())
            .bind(id)
            .bind(chunk.to_vec());
        expect(
            done.execute(&mut *run.conn).await?.rows_affected(),
            chunk.len(),
        )?;
    }
    let retire = format!(
        "INSERT INTO {q}.lkroute_bindings
           (number_id, number, since, tenant, settings, file, line, inserted, retired)
         SELECT number_id, number, until, tenant, settings, file, line, true, true
         FROM {q}.lkroute_bindings WHERE until = $1 AND number_id = ANY($2)",
        q = run.q
    );
    for chunk in run.work.retired().chunks(CHUNK) {
        let done = statement(retire.as_str()).bind(id).bind(chunk.to_vec());
        expect(
            done.execute(&mut *run.conn).await?.rows_affected(),
            chunk.len(),
        )?;
    }
    Ok(())
}

fn expect(rows: u64, expected: usize) -> Result<(), AttemptError> {
    match rows == expected as u64 {
        true => Ok(()),
        false => Err(tampered(rows, expected).into()),
    }
}

async fn names(run: &mut PgAttempt<'_>, entries: &Entries) -> Result<(), AttemptError> {
    let q = run.q;
    let pair = |table: &str, column: &str, kind: &str| {
        format!(
            "INSERT INTO {q}.{table} (id, {column})
             SELECT (v->>0)::int4, (v->>1)::{kind} FROM jsonb_array_elements($1::jsonb) v"
        )
    };
    let files = pair("lkroute_files", "path", "text");
    run.write(files, &entries.files).await?;
    let settings = pair("lkroute_settings", "fields", "text");
    run.write(settings, &entries.settings).await?;
    let tenants = pair("lkroute_tenants", "tenant_id", "uuid");
    run.write(tenants, &entries.tenants).await?;
    let aliases = format!(
        "UPDATE {q}.lkroute_tenants t SET alias = v->>1
         FROM jsonb_array_elements($1::jsonb) v WHERE t.tenant_id = (v->>0)::uuid"
    );
    run.write(aliases, &entries.aliases).await?;
    Ok(())
}

async fn write_bindings(
    run: &mut PgAttempt<'_>,
    id: i32,
    rows: &[BindingRow],
) -> Result<(), AttemptError> {
    if rows.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "COPY {}.lkroute_bindings
           (number_id, number, since, tenant, settings, file, line, inserted, retired, found)
         FROM STDIN (FORMAT binary)",
        run.q
    );
    let mut copy = run.conn.copy_in_raw(&sql).await?;
    let mut writer = Writer::new();
    let mut sent = 0;
    for (n, row) in rows.iter().enumerate() {
        writer.row(10);
        writer.uuid(row.number_id);
        writer.int8(row.number);
        writer.int4(id);
        writer.int4(row.tenant);
        writer.int4(row.settings);
        writer.option(row.source.map(|(file, _)| file), Writer::int4);
        writer.option(row.source.map(|(_, line)| line), Writer::int4);
        writer.flag(row.inserted);
        writer.flag(false);
        writer.option(row.found, Writer::int4);
        if writer.bytes.len() > PIECE {
            copy.send(std::mem::take(&mut writer.bytes)).await?;
            run.done += (n - sent) as u64;
            sent = n;
            (run.progress)(run.done, run.total);
        }
    }
    writer.end();
    copy.send(writer.bytes).await?;
    copy.finish().await?;
    run.advance(rows.len() - sent);
    Ok(())
}

/// The record of the apply, first: who reads sees by it that it is here.
pub(super) async fn open(run: &mut PgAttempt<'_>, id: i64) -> Result<(), AttemptError> {
    let order = run.order;
    let sql = format!(
        "INSERT INTO {q}.lkroute_applies (id, token, at, kind, actor, revision, dirty, owner,
           environment, reason, version, counts, guards, files, restores, account)
         VALUES ($1::int8, $2, clock_timestamp(), $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
           $14::int8, $15)",
        q = run.q,
    );
    let query = statement(sql)
        .bind(id)
        .bind(order.token)
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
    expect(query.execute(&mut *run.conn).await?.rows_affected(), 1)
}

/// Notes the apply as the last one; when it was.
pub(super) async fn finish(run: &mut PgAttempt<'_>, id: i64) -> Result<String, AttemptError> {
    let sql = format!(
        "UPDATE {}.lkroute_state SET last_apply = $1::int8, owner = coalesce(owner, $2),
           environment = CASE WHEN $4 IS NULL THEN coalesce(environment, $3) ELSE $3 END,
           identity = coalesce($4, identity)",
        run.q
    );
    let query = statement(sql).bind(id).bind(run.order.owner.clone());
    let restamp = run.order.restamp.as_ref();
    let done = query
        .bind(run.order.environment.clone())
        .bind(restamp.map(|to| to.identity))
        .execute(&mut *run.conn)
        .await?;
    expect(done.rows_affected(), 1)?;
    let sql = format!(
        "SELECT {} FROM {}.lkroute_applies WHERE id = $1::int8",
        super::read::time("at"),
        run.q
    );
    let row = statement(sql).bind(id).fetch_one(&mut *run.conn).await?;
    Ok(row.some_text(0)?.to_owned())
}

/// Numbers by which lkroute's tables know things, as they are.
async fn known(run: &mut PgAttempt<'_>) -> Result<Books, sqlx::Error> {
    let sql = format!(
        "SELECT id::int8, path FROM {q}.lkroute_files;
         SELECT id::int8, tenant_id, alias FROM {q}.lkroute_tenants;
         SELECT id::int8, fields FROM {q}.lkroute_settings",
        q = run.q
    );
    let found = sets(run.conn, &sql).await?;
    let set = |ix: usize| found.get(ix).into_iter().flatten();
    let mut books = Books::default();
    for row in set(0) {
        books.known_file(row.some_int(0)?, row.some_text(1)?);
    }
    for row in set(1) {
        books.known_tenant(row.some_int(0)?, row.some_uuid(1)?, row.text(2)?);
    }
    for row in set(2) {
        let fields = rows::fields(row.some_text(1)?)?;
        books.known_settings(row.some_int(0)?, fields);
    }
    Ok(books)
}
