//! Number rows on PostgreSQL: changed by `UPDATE … FROM unnest`, inserted by
//! binary COPY, never a statement a row.

use hashbrown::HashMap;
use uuid::Uuid;

use super::apply::Run;
use super::copy::Writer;
use super::sql::statement;
use crate::address::Address;
use crate::diff::plan::{Change, Object};
use crate::error::Error;
use crate::phone;
use crate::store::cells::Cells;
use crate::store::order::ApplyError;
use crate::store::row_patch::RowPatch;
use crate::store::stop::Stop;
use crate::store::work::{key, row};

/// Rows to a statement.
pub(super) const CHUNK: usize = 5000;
/// Bytes of COPY data to a message.
pub(super) const PIECE: usize = 256 * 1024;

/// Changes rows that are there, each as the plan saw it: tenant, status and
/// the fields that change are compared in the WHERE, `rules` by its touched
/// keys alone (without them, and with what they held, it is what it was);
/// the number, whose writing is free, is compared here.
pub(super) async fn update(run: &mut Run<'_>) -> Result<(), Stop> {
    let sql = format!(
        "WITH q AS MATERIALIZED (
           SELECT no, touched::text[] AS touched, before::jsonb AS before, after::jsonb AS after,
             provider, provider_before, provider_after, status_before, status_after
           FROM unnest($4::int4[], $5::text[], $6::text[], $7::text[], $8::bool[], $9::text[],
             $10::text[], $11::text[], $12::text[])
             u(no, touched, before, after, provider, provider_before, provider_after,
               status_before, status_after))
         UPDATE {q}.voice_agent_numbers n SET
           rules = CASE WHEN q.touched = '{{}}' THEN n.rules
             ELSE (coalesce(n.rules, '{{}}') - q.touched) || q.after END,
           provider = CASE WHEN q.provider THEN q.provider_after ELSE n.provider END,
           status = coalesce(q.status_after, n.status)
         FROM unnest($1::uuid[], $2::uuid[], $3::int4[]) t(id, tenant, no)
           JOIN q ON q.no = t.no
         WHERE n.id = t.id AND n.tenant_id = t.tenant
           AND (q.status_before IS NULL OR coalesce(n.status, 'active') = q.status_before)
           AND (NOT q.provider OR n.provider IS NOT DISTINCT FROM q.provider_before)
           AND (q.touched = '{{}}' OR (
             (n.rules IS NULL OR jsonb_typeof(n.rules) = 'object')
             AND (coalesce(n.rules, '{{}}') - q.touched) || q.before = coalesce(n.rules, '{{}}')))
         RETURNING n.id, n.country_code::text, n.base_number::int8",
        q = run.q
    );
    for chunk in run.work.updates().chunks(CHUNK) {
        update_chunk(run, &sql, chunk).await?;
        run.advance(chunk.len());
    }
    Ok(())
}

async fn update_chunk(run: &mut Run<'_>, sql: &str, chunk: &[&Change]) -> Result<(), Stop> {
    let plan = run.work.plan;
    let mut ids = Vec::with_capacity(chunk.len());
    let mut tenants = Vec::with_capacity(chunk.len());
    let mut numbers = Vec::with_capacity(chunk.len());
    let mut expected: HashMap<Uuid, &Change> = HashMap::with_capacity(chunk.len());
    let mut patches = Patches::default();
    for change in chunk {
        let id = row(change)?;
        ids.push(id);
        tenants.push(key(run.work.plan, change).map(|(tenant, _)| tenant));
        numbers.push(patches.number(plan, change));
        expected.insert(id, change);
    }
    let query = statement(sql).bind(ids).bind(tenants).bind(numbers);
    let written = patches.bind(query).fetch_all(&mut *run.conn).await?;
    for row in &written {
        let (id, code, base) = (row.some_uuid(0)?, row.text(1)?, row.int(2)?);
        let found = phone::from_row(code, base).ok().map(|number| number.key());
        let wanted = expected
            .get(&id)
            .and_then(|change| key(run.work.plan, change));
        if found.is_some() && found == wanted.map(|(_, key)| key) {
            expected.remove(&id);
        }
    }
    moved(run, expected.into_values())
}

/// Refuses to go on where there are any.
pub(super) fn moved<'a>(
    run: &Run<'_>,
    changes: impl Iterator<Item = &'a Change>,
) -> Result<(), Stop> {
    let mut moved: Vec<Address> = changes.map(|change| run.work.address(change)).collect();
    moved.sort_unstable();
    match moved.is_empty() {
        true => Ok(()),
        false => Err(ApplyError::moved("number rows have changed", moved).into()),
    }
}

/// The distinct patches of a chunk, column by column.
#[derive(Default)]
struct Patches {
    known: HashMap<(u32, bool), i32>,
    no: Vec<i32>,
    touched: Vec<String>,
    before: Vec<String>,
    after: Vec<String>,
    provider: Vec<bool>,
    provider_before: Vec<Option<String>>,
    provider_after: Vec<Option<String>>,
    status_before: Vec<Option<String>>,
    status_after: Vec<Option<String>>,
}

impl Patches {
    fn number(&mut self, plan: &crate::diff::plan::Plan, change: &Change) -> i32 {
        let known = (change.patch, change.owned.is_some());
        if let Some(no) = self.known.get(&known) {
            return *no;
        }
        let no = i32::try_from(self.no.len()).unwrap_or(i32::MAX);
        self.known.insert(known, no);
        let patch = RowPatch::of(plan.patch(change), change.owned.is_some());
        self.no.push(no);
        self.touched
            .push(format!("{{{}}}", patch.touched.join(",")));
        self.before
            .push(serde_json::Value::Object(patch.before).to_string());
        self.after
            .push(serde_json::Value::Object(patch.after).to_string());
        self.provider.push(patch.provider.is_some());
        let (before, after) = patch.provider.unwrap_or_default();
        self.provider_before.push(before);
        self.provider_after.push(after);
        self.status_before.push(patch.status_before);
        self.status_after.push(patch.status_after);
        no
    }

    fn bind(
        self,
        query: sqlx::query::Query<'static, sqlx::Postgres, sqlx::postgres::PgArguments>,
    ) -> sqlx::query::Query<'static, sqlx::Postgres, sqlx::postgres::PgArguments> {
        query
            .bind(self.no)
            .bind(self.touched)
            .bind(self.before)
            .bind(self.after)
            .bind(self.provider)
            .bind(self.provider_before)
            .bind(self.provider_after)
            .bind(self.status_before)
            .bind(self.status_after)
    }
}

/// Inserts the new rows, after [`nothing_appeared`]. Their ids ascend in the order of the plan, so that the
/// index on them grows at one end.
pub(super) async fn insert(run: &mut Run<'_>) -> Result<(), Stop> {
    let inserts = run.work.inserts();
    if inserts.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "COPY {}.voice_agent_numbers
           (id, tenant_id, country_code, base_number, provider, status, rules)
         FROM STDIN (FORMAT binary)",
        run.q
    );
    let mut copy = run.conn.copy_in_raw(&sql).await?;
    let mut writer = Writer::new();
    let mut tails: HashMap<u32, Vec<u8>> = HashMap::new();
    let mut sent = 0;
    for (n, change) in inserts.iter().enumerate() {
        let Object::Binding { number, tenant } = change.object else {
            continue;
        };
        let (Some(id), key) = (change.row, number.key()) else {
            continue;
        };
        writer.row(7);
        writer.uuid(id);
        writer.uuid(run.work.plan.tenants[tenant as usize].id);
        writer.text(&key.country_code());
        writer.int8(key.base_number());
        let patch = run.work.plan.patch(change);
        let tail = tails
            .entry(change.patch)
            .or_insert_with(|| tail(&RowPatch::of(patch, change.owned.is_some())));
        writer.bytes.extend_from_slice(tail);
        if writer.bytes.len() > PIECE {
            copy.send(std::mem::take(&mut writer.bytes)).await?;
            run.done += (n - sent) as u64;
            sent = n;
            (run.progress)(run.done, run.total);
        }
    }
    writer.end();
    copy.send(writer.bytes).await?;
    let written = copy.finish().await?;
    run.advance(inserts.len() - sent);
    match written == inserts.len() as u64 {
        true => Ok(()),
        false => Err(Error::new("not every new number was written").into()),
    }
}

/// provider, status and rules of a new row, encoded.
fn tail(patch: &RowPatch) -> Vec<u8> {
    let mut writer = Writer { bytes: Vec::new() };
    let provider = patch
        .provider
        .as_ref()
        .and_then(|(_, after)| after.as_deref());
    writer.option(provider, Writer::text);
    writer.text("active");
    writer.jsonb(&serde_json::Value::Object(patch.after.clone()).to_string());
    writer.bytes
}

/// Locks the rows to change in the order of their ids, after a deadlock:
/// whoever does the same waits, and no more.
pub(super) async fn lock_in_order(run: &mut Run<'_>) -> Result<(), Stop> {
    let updates = run.work.updates();
    let mut rows: Vec<Uuid> = updates.iter().filter_map(|change| change.row).collect();
    rows.sort_unstable();
    let sql = format!(
        "SELECT count(*) FROM (SELECT FROM {}.voice_agent_numbers WHERE id = ANY($1)
           ORDER BY id FOR UPDATE) n",
        run.q
    );
    for chunk in rows.chunks(CHUNK) {
        let lock = statement(&sql).bind(chunk.to_vec());
        lock.execute(&mut *run.conn).await?;
    }
    Ok(())
}
