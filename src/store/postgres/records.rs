//! The versions of bindings on PostgreSQL, written by binary COPY.

use super::attempt::{PgAttempt, write_copy};
use super::copy::Writer;
use crate::error::Error;
use crate::store::attempt_error::AttemptError;
use crate::store::version_rows::BindingRow;

/// Writes the versions of bindings that an apply begins.
pub(super) async fn write_bindings(
    run: &mut PgAttempt<'_>,
    id: i64,
    rows: &[BindingRow],
) -> Result<(), AttemptError> {
    if rows.is_empty() {
        return Ok(());
    }
    let id = i32::try_from(id).map_err(|_| Error::new("too many applies"))?;
    let sql = format!(
        "COPY {}.lkroute_bindings
           (number_id, number, since, tenant, settings, file, line, inserted, retired, found)
         FROM STDIN (FORMAT binary)",
        run.dialect.quoted_schema
    );
    write_copy(run, &sql, rows, |writer, row| {
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
    })
    .await?;
    Ok(())
}
