//! lkroute's own tables on PostgreSQL: what each apply set, as versions.

use uuid::Uuid;

use super::apply::{Run, Stop, known};
use super::copy::Writer;
use super::numbers::PIECE;
use super::sql::statement;
use crate::error::Error;
use crate::store::books::{
    Before, BindingRow, Books, Entries, ObjectRow, config_rows, ended_regions, ended_rows,
    region_rows, tampered,
};
use crate::store::cells::Cells;

/// Versions to a statement that ends them.
const CHUNK: usize = 10_000;

pub(super) async fn books(run: &mut Run<'_>) -> Result<Books, Stop> {
    Ok(known(run).await?)
}

/// Ends the versions of all that changes, and writes the new ones.
pub(super) async fn write(
    run: &mut Run<'_>,
    books: &mut Books,
    id: i64,
    before: &Before,
) -> Result<(), Stop> {
    let id = i32::try_from(id).map_err(|_| Error::new("too many applies"))?;
    end_versions(run, id).await?;
    let regions = region_rows(run.work, books);
    let configs = config_rows(run.work, books, run.order, before);
    let entries = std::mem::take(books).enter(run.work);
    names(run, &entries).await?;
    write_regions(run, id, regions).await?;
    write_configs(run, id, configs).await?;
    write_bindings(run, id, &entries.bindings).await
}

async fn end_versions(run: &mut Run<'_>, id: i32) -> Result<(), Stop> {
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

fn expect(rows: u64, expected: usize) -> Result<(), Stop> {
    match rows == expected as u64 {
        true => Ok(()),
        false => Err(tampered(rows, expected).into()),
    }
}

async fn names(run: &mut Run<'_>, entries: &Entries) -> Result<(), Stop> {
    let q = run.q;
    let texts =
        |rows: &[(i32, String)]| -> (Vec<i32>, Vec<String>) { rows.iter().cloned().unzip() };
    for (table, column, rows) in [
        ("lkroute_files", "path", &entries.files),
        ("lkroute_settings", "fields", &entries.settings),
    ] {
        if rows.is_empty() {
            continue;
        }
        let (ids, values) = texts(rows);
        let sql = format!(
            "INSERT INTO {q}.{table} (id, {column}) SELECT * FROM unnest($1::int4[], $2::text[])"
        );
        statement(sql)
            .bind(ids)
            .bind(values)
            .execute(&mut *run.conn)
            .await?;
    }
    if !entries.tenants.is_empty() {
        let (ids, tenants): (Vec<i32>, Vec<Uuid>) = entries.tenants.iter().copied().unzip();
        let sql = format!(
            "INSERT INTO {q}.lkroute_tenants (id, tenant_id)
             SELECT * FROM unnest($1::int4[], $2::uuid[])"
        );
        statement(sql)
            .bind(ids)
            .bind(tenants)
            .execute(&mut *run.conn)
            .await?;
    }
    if !entries.aliases.is_empty() {
        let (tenants, aliases): (Vec<Uuid>, Vec<String>) = entries.aliases.iter().cloned().unzip();
        let sql = format!(
            "UPDATE {q}.lkroute_tenants t SET alias = v.alias
             FROM unnest($1::uuid[], $2::text[]) v(id, alias) WHERE t.tenant_id = v.id"
        );
        statement(sql)
            .bind(tenants)
            .bind(aliases)
            .execute(&mut *run.conn)
            .await?;
    }
    Ok(())
}

fn sources<K>(rows: &[ObjectRow<K>]) -> (Vec<Option<i32>>, Vec<Option<i32>>) {
    let of = |row: &ObjectRow<K>| {
        (
            row.source.map(|(file, _)| file),
            row.source.map(|(_, line)| line),
        )
    };
    rows.iter().map(of).unzip()
}

async fn write_regions(run: &mut Run<'_>, id: i32, rows: Vec<ObjectRow<&str>>) -> Result<(), Stop> {
    if rows.is_empty() {
        return Ok(());
    }
    let (files, lines) = sources(&rows);
    let keys: Vec<String> = rows.iter().map(|row| row.key.to_owned()).collect();
    let fields: Vec<String> = rows.into_iter().map(|row| row.fields).collect();
    let sql = format!(
        "INSERT INTO {}.lkroute_regions (name, since, fields, file, line)
         SELECT name, $1, fields, file, line
         FROM unnest($2::text[], $3::text[], $4::int4[], $5::int4[]) v(name, fields, file, line)",
        run.q
    );
    let query = statement(sql).bind(id).bind(keys).bind(fields);
    query
        .bind(files)
        .bind(lines)
        .execute(&mut *run.conn)
        .await?;
    Ok(())
}

async fn write_configs(run: &mut Run<'_>, id: i32, rows: Vec<ObjectRow<Uuid>>) -> Result<(), Stop> {
    if rows.is_empty() {
        return Ok(());
    }
    let (files, lines) = sources(&rows);
    let keys: Vec<Uuid> = rows.iter().map(|row| row.key).collect();
    let inserted: Vec<bool> = rows.iter().map(|row| row.inserted).collect();
    let fields: Vec<String> = rows.iter().map(|row| row.fields.clone()).collect();
    let (secrets, fingerprints): (Vec<String>, Vec<Option<String>>) = rows
        .into_iter()
        .map(|row| (row.secret_source, row.fingerprint))
        .unzip();
    let sql = format!(
        "INSERT INTO {}.lkroute_configs
           (id, since, fields, secret_source, fingerprint, file, line, inserted)
         SELECT id, $1, fields, secret_source, fingerprint, file, line, inserted
         FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::int4[], $7::int4[],
           $8::bool[]) v(id, fields, secret_source, fingerprint, file, line, inserted)",
        run.q
    );
    let query = statement(sql)
        .bind(id)
        .bind(keys)
        .bind(fields)
        .bind(secrets)
        .bind(fingerprints);
    query
        .bind(files)
        .bind(lines)
        .bind(inserted)
        .execute(&mut *run.conn)
        .await?;
    Ok(())
}

async fn write_bindings(run: &mut Run<'_>, id: i32, rows: &[BindingRow]) -> Result<(), Stop> {
    if rows.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "COPY {}.lkroute_bindings
           (number_id, number, since, tenant, settings, file, line, inserted, retired)
         FROM STDIN (FORMAT binary)",
        run.q
    );
    let mut copy = run.conn.copy_in_raw(&sql).await?;
    let mut writer = Writer::new();
    let mut sent = 0;
    for (n, row) in rows.iter().enumerate() {
        writer.row(9);
        writer.uuid(row.number_id);
        writer.int8(row.number);
        writer.int4(id);
        writer.int4(row.tenant);
        writer.int4(row.settings);
        writer.option(row.source.map(|(file, _)| file), Writer::int4);
        writer.option(row.source.map(|(_, line)| line), Writer::int4);
        writer.flag(row.inserted);
        writer.flag(false);
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

/// The record of the apply, last; when it was.
pub(super) async fn finish(run: &mut Run<'_>, id: i64) -> Result<String, Stop> {
    let order = run.order;
    let sql = format!(
        "INSERT INTO {q}.lkroute_applies (id, token, at, kind, actor, revision, dirty, owner,
           environment, reason, version, counts, guards)
         VALUES ($1::int8, $2, clock_timestamp(), $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         RETURNING {at}",
        q = run.q,
        at = super::read::time("at"),
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
        .bind(order.guards.to_string());
    let row = query.fetch_one(&mut *run.conn).await?;
    let at = row.some_text(0)?.to_owned();
    let sql = format!(
        "UPDATE {}.lkroute_state SET last_apply = $1::int8, owner = coalesce(owner, $2),
           environment = coalesce(environment, $3)",
        run.q
    );
    let query = statement(sql).bind(id).bind(order.owner.clone());
    let done = query
        .bind(order.environment.clone())
        .execute(&mut *run.conn)
        .await?;
    expect(done.rows_affected(), 1)?;
    Ok(at)
}
