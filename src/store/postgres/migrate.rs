//! Bringing a PostgreSQL schema up to date. Imports sqlx and the shapes of
//! migrations.

use sqlx::PgConnection;
use sqlx::postgres::PgRow;

use super::sql::{literal, quoted, run, sets};
use crate::store::cells::Cells;
use crate::store::schema::{CONFIGS, Found, MigrationStep, Migrations, NUMBERS, STATE, Standby};

pub(super) const MIGRATIONS: Migrations = Migrations {
    schema: Some(include_str!(
        "../../../migrations/postgres/application_schema.sql"
    )),
    configs: include_str!("../../../migrations/postgres/application_configs.sql"),
    numbers: include_str!("../../../migrations/postgres/application_numbers.sql"),
    worker_name: include_str!("../../../migrations/postgres/application_worker_name.sql"),
    own: &[
        (
            "create lkroute's own tables",
            include_str!("../../../migrations/postgres/0001_lkroute.sql"),
        ),
        (
            "give the database an identity",
            include_str!("../../../migrations/postgres/0002_identity.sql"),
        ),
        (
            "make room for trusted servers",
            include_str!("../../../migrations/postgres/0003_trusted_hosts.sql"),
        ),
        (
            "keep accounts for budgets",
            include_str!("../../../migrations/postgres/0004_budget_account.sql"),
        ),
    ],
};

// Whoever reads a database refuses one of a later version than it knows.
const _: () = assert!(MIGRATIONS.own.len() as i64 == crate::lookup::SCHEMA_VERSION);

/// Looks at the catalogue alone, which everybody may read, and then at the
/// version.
pub(super) async fn inspect(
    conn: &mut PgConnection,
    schema: &str,
    waits: &str,
) -> Result<Found, sqlx::Error> {
    let name = literal(schema);
    let sql = format!(
        "SELECT 'schema' WHERE EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = {name});
         SELECT c.relname::text FROM pg_catalog.pg_class c
           JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
           WHERE s.nspname = {name} AND c.relkind IN ('r', 'p', 'v', 'f')
             AND (c.relname IN ('{CONFIGS}', '{NUMBERS}') OR c.relname LIKE 'lkroute\\_%');
         SELECT 'worker_name' FROM pg_catalog.pg_attribute a
           JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
           JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
           WHERE s.nspname = {name} AND c.relname = '{CONFIGS}'
             AND a.attname = 'worker_name' AND NOT a.attisdropped;
         SELECT r.pid IS NOT NULL,
             coalesce(pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn(), false),
             extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::int8
           FROM (SELECT 1) one LEFT JOIN pg_catalog.pg_stat_wal_receiver r ON true
           WHERE pg_is_in_recovery()"
    );
    let found = sets(conn, &format!("{waits};{sql}")).await?;
    let texts = |ix: usize| {
        let rows = found.get(ix).into_iter().flatten();
        rows.map(|row| Ok(row.some_text(0)?.to_owned()))
            .collect::<Result<_, sqlx::Error>>()
    };
    let tables: std::collections::BTreeSet<String> = texts(2)?;
    let some = |ix: usize| found.get(ix).is_some_and(|rows| !rows.is_empty());
    let (schema_there, worker_name) = (some(1), some(3));
    let standby = found.get(4).and_then(|rows| rows.first()).map(standby);
    let standby = standby.transpose()?;
    let (mut version, mut environment) = (None, None);
    if tables.contains(STATE) {
        let sql = format!(
            "{waits}; SELECT schema_version::int8, environment FROM {}.{STATE}",
            quoted(schema)
        );
        // Behind the row of the settings.
        if let Some(row) = sets(conn, &sql).await?.get(1).and_then(|rows| rows.first()) {
            version = Some(row.some_int(0)?);
            environment = row.text(1)?.map(str::to_owned);
        }
    }
    let elsewhere = match tables.contains(CONFIGS) && tables.contains(NUMBERS) {
        true => Vec::new(),
        false => elsewhere(conn).await?,
    };
    Ok(Found {
        schema: schema_there,
        elsewhere,
        tables,
        worker_name,
        version,
        environment,
        standby,
    })
}

fn standby(row: &PgRow) -> Result<Standby, sqlx::Error> {
    Ok(Standby {
        receiving: row.flag(0)?,
        shows_all: row.flag(1)?,
        seconds: row.int(2)?,
    })
}

/// The application's tables in all schemas: table and schema.
async fn elsewhere(conn: &mut PgConnection) -> Result<Vec<(String, String)>, sqlx::Error> {
    let sql = format!(
        "SELECT c.relname::text, s.nspname::text FROM pg_catalog.pg_class c
           JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
         WHERE c.relname IN ('{NUMBERS}', '{CONFIGS}') AND c.relkind IN ('r', 'p', 'v', 'f')
           AND c.relpersistence <> 't'
         ORDER BY 1, 2"
    );
    let rows = sets(conn, &sql).await?;
    let pairs = rows.iter().flatten();
    pairs
        .map(|row| Ok((row.some_text(0)?.to_owned(), row.some_text(1)?.to_owned())))
        .collect()
}

/// Carries the steps out, all or none.
pub(super) async fn carry_out(
    conn: &mut PgConnection,
    steps: &[MigrationStep],
) -> Result<(), sqlx::Error> {
    let begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL lock_timeout = '3s'";
    run(conn, begin).await?;
    let mut result = Ok(());
    for step in steps {
        result = run(conn, &step.sql).await;
        if result.is_err() {
            break;
        }
    }
    match result {
        Ok(()) => run(conn, "COMMIT").await,
        Err(error) => {
            // The first error is the one to report; the server rolls back anyway.
            let _ = run(conn, "ROLLBACK").await;
            Err(error)
        }
    }
}
