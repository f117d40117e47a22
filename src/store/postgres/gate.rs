//! Whether what is read from PostgreSQL is all that is there: row-level
//! security, which hides rows without a word, and locks of others.

use super::PgStore;
use super::connect::connect;
use super::sql::{literal, sets};
use crate::error::{Error, Result};
use crate::store::cells::Cells;
use crate::store::schema::{CONFIGS, NUMBERS};
use crate::store::trouble::trouble;

/// The tables of others that are read.
const OTHERS: [&str; 4] = [CONFIGS, NUMBERS, "users", "voice_agents"];

/// The statement that names the tables of which this role may not see every
/// row: row-level security is active, and not every policy that applies to
/// the role is permissive with `true`. In the transaction of a read, behind
/// it, it speaks of just that read: the locks of the read keep policies as
/// they are.
pub(super) fn hidden_sql(schema: &str) -> String {
    let others = OTHERS.map(literal).join(", ");
    format!(
        "SELECT c.relname::text, current_user::text FROM pg_catalog.pg_class c
         WHERE c.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = {schema})
           AND (c.relname IN ({others}) OR c.relname LIKE 'lkroute\\_%') AND c.relkind IN ('r', 'p')
           AND row_security_active(c.oid)
           AND NOT (
             SELECT count(*) FILTER (WHERE p.polcmd IN ('*', 'r')) > 0 AND coalesce(bool_and(
               p.polpermissive
               AND coalesce(pg_get_expr(p.polqual, p.polrelid), 'true') = 'true'
               AND coalesce(pg_get_expr(p.polwithcheck, p.polrelid), 'true') = 'true'), true)
             FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid
               AND (p.polroles = '{{0}}' OR EXISTS (
                 SELECT FROM unnest(p.polroles) r WHERE pg_has_role(r, 'USAGE'))))
         ORDER BY 1",
        schema = literal(schema)
    )
}

/// The error where there is such a table: columns of [`hidden_sql`].
pub(super) fn hidden<'a>(
    label: &str,
    schema: &str,
    rows: impl Iterator<Item = &'a sqlx::postgres::PgRow>,
) -> Result<(), Error> {
    let (mut tables, mut role) = (Vec::new(), String::new());
    for row in rows {
        let read = || Ok::<_, sqlx::Error>((row.some_text(0)?.to_owned(), row.some_text(1)?));
        let (table, user) = read().map_err(|error| trouble(label, &error))?;
        tables.push(format!("{schema}.{table}"));
        role = user.to_owned();
    }
    match tables.is_empty() {
        true => Ok(()),
        false => Err(Error::new(format!(
            "{label}: row-level security may hide rows of {} from the role {role}",
            tables.join(", ")
        ))
        .hint(
            "what is hidden would count as not there; use a role with BYPASSRLS, or give it a \
             policy of its own, and no other: USING (true)",
        )),
    }
}

impl PgStore {
    /// Refuses a role that may not see every row.
    pub(super) async fn refuse_hidden(&mut self) -> Result<()> {
        let sql = hidden_sql(&self.schema);
        let found = sets(&mut self.conn, &sql).await;
        let found = found.map_err(|error| self.trouble(error))?;
        hidden(&self.label, &self.schema, found.iter().flatten())
    }

    /// Whether the last error was a lock that others held for too long.
    pub fn waited(&self) -> bool {
        self.waited.get()
    }

    /// Says for whom a read waited in vain.
    pub async fn name_blockers(&mut self, error: Error) -> Error {
        self.waited.set(false);
        // What was begun is over; after an error within a COPY the old
        // connection is of no use.
        if let Ok(conn) = connect(&self.server).await {
            self.conn = conn;
        }
        let sql = format!(
            "SELECT a.pid::int8, coalesce(a.usename::text, ''), coalesce(a.application_name, ''),
               extract(epoch FROM clock_timestamp() - a.xact_start)::int8
             FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
               JOIN pg_catalog.pg_class c ON c.oid = l.relation
               JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
             WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock'
               AND l.database = (SELECT oid FROM pg_catalog.pg_database
                 WHERE datname = current_database())
               AND s.nspname = {} AND l.pid <> pg_backend_pid()
             ORDER BY l.granted DESC, a.xact_start LIMIT 1",
            literal(&self.schema)
        );
        let found = sets(&mut self.conn, &sql).await.unwrap_or_default();
        let whom = found.iter().flatten().next().and_then(|row| {
            let name = match row.text(2).ok()? {
                Some("") | None => "a session".to_owned(),
                Some(name) => format!("`{name}`"),
            };
            let since = row.int(3).ok()?.unwrap_or_default();
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
            hint: Some(
                "nothing was changed; try again when it is done, or wait longer with --lock-timeout"
                    .to_owned(),
            ),
            ..error
        }
    }
}
