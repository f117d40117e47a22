//! Whether what is read from PostgreSQL is all that is there: row-level
//! security, which hides rows without a word, and locks of others.

use super::PgStore;
use super::connect::connect;
use super::sql::literal;
use crate::error::{Error, Result};
use crate::lookup::{self, hidden_sql};
use crate::store::error_map::{WAIT_LONGER, database_error};
use crate::store::row_ext::RowExt;

/// The error where there is such a table: columns of [`lookup::hidden_sql`].
fn hidden<'a>(
    label: &str,
    schema: &str,
    rows: impl Iterator<Item = &'a sqlx::postgres::PgRow>,
) -> Result<(), Error> {
    let (mut tables, mut role) = (Vec::new(), String::new());
    for row in rows {
        let read = || Ok::<_, sqlx::Error>((row.some_text(0)?.to_owned(), row.some_text(1)?));
        let (table, user) = read().map_err(|error| database_error(label, &error))?;
        tables.push(format!("{schema}.{table}"));
        role = user.to_owned();
    }
    if tables.is_empty() {
        Ok(())
    } else {
        Err(lookup::hidden(&tables, &role).within(label))
    }
}

impl PgStore {
    /// Refuses a role that may not see every row.
    pub(super) async fn refuse_hidden(&mut self) -> Result<()> {
        let found = self.ask(&hidden_sql(&self.schema)).await;
        let found = found.map_err(|error| self.database_error(error))?;
        hidden(&self.label, &self.schema, found.iter().flatten())
    }

    /// Whether the last error was a lock that others held for too long.
    pub(crate) fn waited(&self) -> bool {
        self.waited.get()
    }

    /// Says for whom a read waited in vain.
    pub(crate) async fn name_blockers(&mut self, error: Error) -> Error {
        self.waited.set(false);
        // What was begun is over; after an error within a COPY the old
        // connection is of no use.
        if let Ok(conn) = connect(&self.server).await {
            self.conn = conn;
        }
        let sql = format!(
            "SELECT a.pid::int8, coalesce(a.usename, p.owner, '')::text, coalesce(a.application_name, ''),
               extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, p.prepared))::int8,
               quote_literal(p.gid)
             FROM pg_catalog.pg_locks l
               LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
               LEFT JOIN pg_catalog.pg_locks x ON l.pid IS NULL
                 AND x.virtualtransaction = l.virtualtransaction AND x.locktype = 'transactionid'
               LEFT JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = x.transactionid
               JOIN pg_catalog.pg_class c ON c.oid = l.relation
               JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
             WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock'
               AND l.database = (SELECT oid FROM pg_catalog.pg_database
                 WHERE datname = current_database())
               AND s.nspname = {} AND l.pid IS DISTINCT FROM pg_backend_pid()
             ORDER BY l.granted DESC, a.xact_start LIMIT 1",
            literal(&self.schema)
        );
        let found = self.ask(&sql).await.unwrap_or_default();
        let whom = found.iter().flatten().next().and_then(|row| {
            let name = match row.text(2).ok()? {
                Some("") | None => "a session".to_owned(),
                Some(name) => format!("`{name}`"),
            };
            let since = row.int(3).ok()?.unwrap_or_default();
            if let Some(prepared) = row.text(4).ok()? {
                return Some(format!(
                    " for the prepared transaction {prepared} of the role {} ({since} s old), which \
                     COMMIT PREPARED or ROLLBACK PREPARED ends",
                    row.some_text(1).ok()?
                ));
            }
            Some(format!(
                " for {name} of the role {} (process {}, {since} s in its transaction)",
                row.some_text(1).ok()?,
                row.some_int(0).ok()?
            ))
        });
        let whom = whom.unwrap_or_else(|| " for another session".to_owned());
        Error {
            message: format!(
                "{}: a table is locked: waited {} s{whom}",
                self.label,
                self.waits.lock.as_secs_f64()
            ),
            hint: Some(WAIT_LONGER.to_owned()),
            ..error
        }
    }
}
