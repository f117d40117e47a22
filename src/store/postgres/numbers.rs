//! Number rows on PostgreSQL: changed by `UPDATE … FROM unnest`, inserted by
//! binary COPY, never a statement a row.

use hashbrown::HashMap;
use uuid::Uuid;

use super::attempt::{PgAttempt, write_copy};
use super::copy::Writer;
use super::sql::{config_id, statement};
use crate::diff::plan::{Change, Object};
use crate::phone;
use crate::store::attempt_error::AttemptError;
use crate::store::number_checks::{CHUNK, refuse_moved};
use crate::store::row_ext::RowExt;
use crate::store::row_patch::RowPatch;
use crate::store::schema::NUMBERS;
use crate::store::write_request::ApplyError;
use crate::store::write_set::{key, row};

/// Changes rows that are there, each as the plan saw it: tenant, status and
/// the fields that change are compared in the WHERE, `rules` by its touched
/// keys alone (without them, and with what they held, it is what it was);
/// the number, whose writing is free, is compared here.
pub(super) async fn update(run: &mut PgAttempt<'_>) -> Result<(), AttemptError> {
    let columns = run.dialect.columns;
    let held = "coalesce(n.rules::jsonb, '{}')";
    // A config in another spelling of its uuid is the same.
    let sql = format!(
        "WITH q AS MATERIALIZED (
           SELECT no, touched::text[] AS touched, before::jsonb AS before, after::jsonb AS after,
             provider, provider_before, provider_after, status_before, status_after
           FROM unnest($4::int4[], $5::text[], $6::text[], $7::text[], $8::bool[], $9::text[],
             $10::text[], $11::text[], $12::text[])
             u(no, touched, before, after, provider, provider_before, provider_after,
               status_before, status_after))
         UPDATE {schema}.voice_agent_numbers n SET
           rules = CASE WHEN q.touched = '{{}}' THEN n.rules ELSE {rules} END,
           provider = CASE WHEN q.provider THEN {provider} ELSE n.provider END,
           status = coalesce({status}, n.status){touch}
         FROM unnest($1::uuid[], $2::uuid[], $3::int4[]) t(id, tenant, no)
           JOIN q ON q.no = t.no
         WHERE {id} = t.id AND {tenant} = t.tenant
           AND (q.status_before IS NULL OR coalesce(n.status::text, 'active') = q.status_before)
           AND (NOT q.provider OR n.provider::text IS NOT DISTINCT FROM q.provider_before)
           AND (q.touched = '{{}}' OR (
             (n.rules IS NULL OR jsonb_typeof(n.rules::jsonb) = 'object')
             AND ({before} = {held} OR ({config} IS NOT NULL
               AND {before} = {held} || pg_catalog.jsonb_build_object('livekit_config', ({config})::text)))))
         RETURNING {id}, n.country_code::text, {base}",
        schema = run.dialect.quoted_schema,
        rules = columns.written(
            NUMBERS,
            "rules",
            &format!("({held} - q.touched) || q.after")
        ),
        provider = columns.written(NUMBERS, "provider", "q.provider_after"),
        status = columns.written(NUMBERS, "status", "q.status_after"),
        touch = columns.touch(NUMBERS),
        id = columns.number_id("n"),
        tenant = columns.tenant_id("n"),
        before = format_args!("({held} - q.touched) || q.before"),
        config = config_id("n.rules"),
        base = columns.base_number("n"),
    );
    let in_turn = run.write_set.updates_in_turn();
    for chunk in in_turn.iter().flat_map(|changes| changes.chunks(CHUNK)) {
        update_chunk(run, &sql, chunk).await?;
        run.advance(chunk.len());
    }
    Ok(())
}

async fn update_chunk(
    run: &mut PgAttempt<'_>,
    sql: &str,
    chunk: &[&Change],
) -> Result<(), AttemptError> {
    let plan = run.write_set.plan;
    let mut ids = Vec::with_capacity(chunk.len());
    let mut tenants = Vec::with_capacity(chunk.len());
    let mut numbers = Vec::with_capacity(chunk.len());
    let mut expected: HashMap<Uuid, &Change> = HashMap::with_capacity(chunk.len());
    let mut patches = Patches::default();
    for change in chunk {
        let id = row(change)?;
        ids.push(id);
        tenants.push(key(run.write_set.plan, change).map(|(tenant, _)| tenant));
        numbers.push(patches.number(plan, change));
        expected.insert(id, change);
    }
    let query = statement(sql).bind(ids).bind(tenants).bind(numbers);
    let written = patches.bind(query).fetch_all(&mut *run.conn).await?;
    for row in &written {
        let (id, code, base) = (row.some_uuid(0)?, row.text(1)?, row.int(2)?);
        let found = phone::from_row(code, base)
            .ok()
            .map(|number| number.row_key());
        let wanted = expected
            .get(&id)
            .and_then(|change| key(run.write_set.plan, change));
        if found.is_some() && found == wanted.map(|(_, key)| key) {
            expected.remove(&id);
        }
    }
    refuse_moved(run, expected.into_values())
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
pub(super) async fn insert(run: &mut PgAttempt<'_>) -> Result<(), AttemptError> {
    let inserts = run.write_set.inserts();
    if inserts.is_empty() {
        return Ok(());
    }
    if !run.dialect.columns.take_copy() {
        return insert_with_casts(run, &inserts).await;
    }
    let sql = format!(
        "COPY {}.voice_agent_numbers
           (id, tenant_id, country_code, base_number, provider, status, rules)
         FROM STDIN (FORMAT binary)",
        run.dialect.quoted_schema
    );
    let write_set = run.write_set;
    let mut tails: HashMap<u32, Vec<u8>> = HashMap::new();
    let written = write_copy(run, &sql, &inserts, |writer, change| {
        let (Object::Binding { number, tenant }, Some(id)) = (change.object, change.row) else {
            return;
        };
        let key = number.row_key();
        writer.row(7);
        writer.uuid(id);
        writer.uuid(write_set.plan.tenants[tenant as usize].id);
        writer.text(&key.country_code());
        writer.int8(key.base_number());
        let patch = write_set.plan.patch(change);
        let tail = tails
            .entry(change.patch)
            .or_insert_with(|| tail(&RowPatch::of(patch, change.owned.is_some())));
        writer.bytes.extend_from_slice(tail);
    })
    .await?;
    if written == inserts.len() as u64 {
        Ok(())
    } else {
        Err(ApplyError::left_out("new numbers", &run.named_actors()).into())
    }
}

/// The same where COPY does not write, or columns are of other types.
async fn insert_with_casts(
    run: &mut PgAttempt<'_>,
    inserts: &[&Change],
) -> Result<(), AttemptError> {
    let columns = [
        "id",
        "tenant_id",
        "country_code",
        "base_number",
        "provider",
        "rules",
    ];
    let values = columns.map(|name| {
        let value = match name {
            "rules" => "v.rules::jsonb".to_owned(),
            name => format!("v.{name}"),
        };
        run.dialect.columns.written(NUMBERS, name, &value)
    });
    let sql = format!(
        "INSERT INTO {schema}.voice_agent_numbers ({names}, status)
         SELECT {values}, {status}
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::int8[], $5::text[], $6::text[])
           v({names})",
        schema = run.dialect.quoted_schema,
        names = columns.join(", "),
        values = values.join(", "),
        status = run.dialect.columns.written(NUMBERS, "status", "'active'"),
    );
    for chunk in inserts.chunks(CHUNK) {
        let mut rows = NewRows::default();
        for change in chunk {
            rows.push(run, change);
        }
        let expected = rows.ids.len() as u64;
        let query = statement(&sql)
            .bind(rows.ids)
            .bind(rows.tenants)
            .bind(rows.codes)
            .bind(rows.bases)
            .bind(rows.providers)
            .bind(rows.rules);
        let written = query.execute(&mut *run.conn).await?.rows_affected();
        if written != expected || expected != chunk.len() as u64 {
            return Err(ApplyError::left_out("new numbers", &run.named_actors()).into());
        }
        run.advance(chunk.len());
    }
    Ok(())
}

/// New rows, column by column.
#[derive(Default)]
struct NewRows {
    ids: Vec<Uuid>,
    tenants: Vec<Uuid>,
    codes: Vec<String>,
    bases: Vec<i64>,
    providers: Vec<Option<String>>,
    rules: Vec<String>,
}

impl NewRows {
    fn push(&mut self, run: &PgAttempt<'_>, change: &Change) {
        let (Object::Binding { number, tenant }, Some(id)) = (change.object, change.row) else {
            return;
        };
        let patch = RowPatch::of(run.write_set.plan.patch(change), change.owned.is_some());
        let key = number.row_key();
        self.ids.push(id);
        self.tenants
            .push(run.write_set.plan.tenants[tenant as usize].id);
        self.codes.push(key.country_code());
        self.bases.push(key.base_number());
        self.providers
            .push(patch.provider.and_then(|(_, after)| after));
        self.rules
            .push(serde_json::Value::Object(patch.after).to_string());
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
pub(super) async fn lock_in_order(run: &mut PgAttempt<'_>) -> Result<(), AttemptError> {
    let updates = run.write_set.updates();
    let mut rows: Vec<Uuid> = updates.iter().filter_map(|change| change.row).collect();
    rows.sort_unstable();
    let sql = format!(
        "SELECT count(*) FROM (SELECT FROM {}.voice_agent_numbers n WHERE {id} = ANY($1)
           ORDER BY {id} FOR UPDATE) l",
        run.dialect.quoted_schema,
        id = run.dialect.columns.number_id("n")
    );
    for chunk in rows.chunks(CHUNK) {
        let lock = statement(&sql).bind(chunk.to_vec());
        lock.execute(&mut *run.conn).await?;
    }
    Ok(())
}
