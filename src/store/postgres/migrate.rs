//! Bringing a PostgreSQL schema up to date. Imports sqlx and the shapes of
//! migrations.

use std::collections::BTreeSet;

use sqlx::postgres::PgRow;

use super::PgStore;
use super::sql::{TO_WRITE, literal, quoted};
use crate::store::row_ext::RowExt;
use crate::store::schema::{
    CONFIGS, MigrationStep, Migrations, NUMBERS, STATE, SchemaInspection, SchemaState, Standby,
};

const MIGRATIONS: Migrations = Migrations {
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

fn standby(row: &PgRow) -> Result<Standby, sqlx::Error> {
    Ok(Standby {
        receiving: row.flag(0)?,
        shows_all: row.flag(1)?,
        seconds: row.int(2)?,
    })
}

impl PgStore {
    /// How far the schema is that an inspection found.
    pub(super) fn schema_state(&self, found: &SchemaInspection, anew: bool) -> SchemaState {
        MIGRATIONS.state(found, &self.quoted_schema, anew)
    }

    /// Looks at the catalogue alone, which everybody may read, and then at the
    /// version.
    pub(super) async fn inspect(&mut self) -> Result<SchemaInspection, sqlx::Error> {
        let name = literal(&self.schema);
        let sql = format!(
            "SELECT 'schema' WHERE EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = {name});
             SELECT c.relname::text,
                 (SELECT string_agg(a.attname::text, E'\\n') FROM pg_catalog.pg_attribute a
                    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
                 (SELECT string_agg(k.key, E'\\n') FROM
                    (SELECT string_agg(a.attname::text, ',') AS key
                     FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a
                       ON a.attrelid = i.indrelid
                         AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])
                     WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid
                       AND i.indpred IS NULL AND i.indexprs IS NULL
                     GROUP BY i.indexrelid) k)
               FROM pg_catalog.pg_class c
               JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
               WHERE s.nspname = {name} AND c.relkind IN ('r', 'p', 'v', 'f')
                 AND (c.relname IN ('{CONFIGS}', '{NUMBERS}') OR c.relname LIKE 'lkroute\\_%');
             SELECT r.pid IS NOT NULL,
                 coalesce(pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn(), false),
                 extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::int8
               FROM (SELECT 1) one LEFT JOIN pg_catalog.pg_stat_wal_receiver r ON true
               WHERE pg_is_in_recovery()"
        );
        let found = self.ask(&sql).await?;
        let (mut tables, mut columns) = (BTreeSet::new(), BTreeSet::new());
        let mut keys = BTreeSet::new();
        for row in found.get(1).into_iter().flatten() {
            let table = row.some_text(0)?;
            let names = row.text(1)?.unwrap_or_default().lines();
            columns.extend(names.map(|name| (table.to_owned(), name.to_owned())));
            let unique = row.text(2)?.unwrap_or_default().lines();
            let unique = unique.map(|key| key.split(',').map(str::to_owned).collect());
            keys.extend(unique.map(|key| (table.to_owned(), key)));
            tables.insert(table.to_owned());
        }
        let is_schema_there = found.first().is_some_and(|rows| !rows.is_empty());
        let standby = found.get(2).and_then(|rows| rows.first()).map(standby);
        let standby = standby.transpose()?;
        let (mut version, mut environment) = (None, None);
        if tables.contains(STATE) {
            let sql = format!(
                "SELECT schema_version::int8, environment FROM {}.{STATE}",
                quoted(&self.schema)
            );
            if let Some(row) = self.ask(&sql).await?.iter().flatten().next() {
                version = Some(row.some_int(0)?);
                environment = row.text(1)?.map(str::to_owned);
            }
        }
        let elsewhere = if tables.contains(CONFIGS) && tables.contains(NUMBERS) {
            Vec::new()
        } else {
            self.elsewhere().await?
        };
        Ok(SchemaInspection {
            unfit: None,
            limits: Vec::new(),
            schema: is_schema_there,
            elsewhere,
            tables,
            columns,
            keys,
            version,
            environment,
            standby,
        })
    }

    /// The application's tables in all schemas: table and schema.
    async fn elsewhere(&mut self) -> Result<Vec<(String, String)>, sqlx::Error> {
        let sql = format!(
            "SELECT c.relname::text, s.nspname::text FROM pg_catalog.pg_class c
               JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
             WHERE c.relname IN ('{NUMBERS}', '{CONFIGS}') AND c.relkind IN ('r', 'p', 'v', 'f')
               AND c.relpersistence <> 't'
             ORDER BY 1, 2"
        );
        let rows = self.ask(&sql).await?;
        let pairs = rows.iter().flatten();
        pairs
            .map(|row| Ok((row.some_text(0)?.to_owned(), row.some_text(1)?.to_owned())))
            .collect()
    }

    /// Carries the steps out, all or none.
    pub(super) async fn carry_out_steps(
        &mut self,
        steps: &[MigrationStep],
    ) -> Result<(), sqlx::Error> {
        let begin = &format!("{TO_WRITE}; SET LOCAL lock_timeout = '3s'");
        self.run(begin).await?;
        let mut result = Ok(());
        for step in steps {
            result = self.run(&step.sql).await;
            if result.is_err() {
                break;
            }
        }
        match result {
            Ok(()) => self.run("COMMIT").await,
            // The server rolls back by itself.
            Err(error @ sqlx::Error::Io(_)) => Err(error),
            Err(error) => {
                // The first error is the one to report.
                let _ = self.run("ROLLBACK").await;
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::MIGRATIONS;
    use crate::lookup::OWN_TABLES;
    use crate::store::migration_text::created;

    /// A look-up asks each of these whether rows of it are hidden.
    #[test]
    fn every_table_of_ours_is_known_by_its_name() {
        let made = MIGRATIONS.own.iter().flat_map(|(_, sql)| created(sql));
        let made: BTreeSet<String> = made.map(|(table, _)| table).collect();
        let known = OWN_TABLES.map(str::to_owned).into();
        assert_eq!(made, known);
    }
}
