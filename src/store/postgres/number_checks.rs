//! What must not have appeared on PostgreSQL, inside the transaction of an
//! apply.

use super::attempt::{PgAttempt, read_copy};
use super::copy::CopiedRow;
use super::sql::statement;
use crate::store::attempt::expect_seen;
use crate::store::attempt_error::AttemptError;
use crate::store::number_checks::{NewNumbers, refuse_moved};
use crate::store::row_ext::RowExt;

/// Looks for rows that hold the numbers to insert or to wake: one by one
/// where they are few, else by passing over all rows of their tenants.
pub(super) async fn nothing_appeared(run: &mut PgAttempt<'_>) -> Result<(), AttemptError> {
    if !run
        .write_set
        .bindings
        .iter()
        .any(|change| run.write_set.appears(change))
    {
        return Ok(());
    }
    let any = format!(
        "SELECT {}, EXISTS (SELECT FROM {}.voice_agent_numbers)",
        run.seen(),
        run.dialect.quoted_schema
    );
    let found = statement(any).fetch_one(&mut *run.conn).await?;
    expect_seen(found.flag(0)?)?;
    if !found.flag(1)? {
        return Ok(());
    }
    let mut new = NewNumbers::new(run.write_set.made_active());
    let mut filter = run
        .dialect
        .among_ids(&run.dialect.columns.tenant_id("n"), &new.tenants());
    if new.are_few() {
        let bases: Vec<String> = new.base_numbers().map(|base| base.to_string()).collect();
        filter += &format!(
            " AND {} = ANY('{{{}}}'::int8[])",
            run.dialect.columns.base_number_compared("n"),
            bases.join(",")
        );
    }
    // One row more than there are: see `lock::prove`.
    let proof = format!(
        "RIGHT JOIN (SELECT {seen} AS seen) s ON {filter}",
        seen = run.seen()
    );
    let mut seen = false;
    let sql = format!(
        "COPY (SELECT {}, {}, n.country_code::text, {}, n.status::text, s.seen
           FROM {}.voice_agent_numbers n {proof}) TO STDOUT (FORMAT binary)",
        run.dialect.columns.number_id("n"),
        run.dialect.columns.tenant_id("n"),
        run.dialect.columns.base_number("n"),
        run.dialect.quoted_schema
    );
    read_copy(run.conn, &sql, |row: CopiedRow<'_, 6>| {
        seen = row.flag(5)?;
        if let Some(tenant) = row.any_uuid(1)? {
            let id = row.any_uuid(0).ok().flatten();
            new.look((id, tenant), (row.text(2)?, row.int8(3)?), row.text(4)?);
        }
        Ok(())
    })
    .await?;
    expect_seen(seen)?;
    refuse_moved(run, new.appeared.into_iter())
}
