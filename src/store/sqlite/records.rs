//! The versions of bindings on SQLite.

use serde_json::json;

use super::attempt::SqliteAttempt;
use crate::store::attempt_error::AttemptError;
use crate::store::version_rows::BindingRow;

/// Rows to a statement.
const CHUNK: usize = 5000;

/// Writes the versions of bindings that an apply begins.
pub(super) async fn write_bindings(
    run: &mut SqliteAttempt<'_>,
    id: i64,
    rows: &[BindingRow],
) -> Result<(), AttemptError> {
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
    for chunk in rows.chunks(CHUNK) {
        let rows: Vec<_> = chunk.iter().map(of).collect();
        run.write(&insert, &rows).await?;
        run.advance(chunk.len());
    }
    Ok(())
}
