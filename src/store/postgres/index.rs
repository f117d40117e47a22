//! The index that look-ups without a tenant need: whether it is there, and the
//! statements that build it while others go on writing. Imports sqlx, tokio's
//! clock and the shapes of migrations.
//!
//! PostgreSQL builds no index CONCURRENTLY on a table with partitions: there
//! each partition gets one, and these are attached to that of the table.

use tokio::time::timeout;

use super::PgStore;
use super::connect::connect;
use super::sql::{literal, quoted, run, sets};
use crate::error::{Error, Result};
use crate::store::error_map::error_code;
use crate::store::row_ext::RowExt;
use crate::store::schema::NUMBERS;
use crate::store::waits::no_answer;

const INDEX: &str = include_str!("../../../migrations/postgres/index.sql");
/// The name of the index in [`INDEX`].
const INDEX_NAME: &str = "lkroute_number";
/// Whether a session of this role builds an index here, or takes one away.
const AT_IT: &str = "SELECT 1 FROM pg_catalog.pg_stat_activity
    WHERE datname = current_database() AND usename = current_user AND state = 'active'
      AND pid <> pg_backend_pid() AND query LIKE '%INDEX CONCURRENTLY%'";
/// What it is of.
const COLUMNS: &str = "(base_number, country_code)";

/// How the index that look-ups without a tenant need is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Index {
    Missing,
    /// A build is under way in some session.
    Building,
    /// What a build that failed has left behind.
    Invalid,
    There,
}

/// A table, or a part of one.
struct Partition {
    oid: i64,
    parent: Option<i64>,
    is_leaf: bool,
    /// In quotes, with its schema.
    name: String,
    schema: String,
    /// What a build that failed left of its index.
    has_remains: bool,
}

impl Partition {
    /// The name of its index.
    fn index(&self) -> String {
        match self.parent {
            None => INDEX_NAME.to_owned(),
            Some(_) => format!("{INDEX_NAME}_{}", self.oid),
        }
    }

    fn qualified_index(&self) -> String {
        format!("{}.{}", self.schema, self.index())
    }
}

impl PgStore {
    /// Any usable index that begins with base_number will do, whatever its name.
    async fn index(&mut self) -> Result<Index, sqlx::Error> {
        let name = literal(&self.schema);
        let sql = format!(
            "SELECT CASE
               WHEN i.indisvalid AND i.indisready AND i.indpred IS NULL AND a.attname = 'base_number'
                 THEN 'there'
               WHEN x.relname = '{INDEX_NAME}' AND NOT i.indisvalid AND EXISTS (
                   SELECT FROM pg_catalog.pg_stat_progress_create_index p
                   WHERE p.index_relid = x.oid OR p.relid = c.oid)
                 THEN 'building'
               WHEN x.relname = '{INDEX_NAME}' AND NOT i.indisvalid THEN 'invalid'
               ELSE '' END
             FROM pg_catalog.pg_index i
               JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
               JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
               JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
               LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
             WHERE s.nspname = {name} AND c.relname = '{NUMBERS}'"
        );
        let rows: Vec<_> = self.ask(&sql).await?.into_iter().flatten().collect();
        let mut best = Index::Missing;
        for row in &rows {
            match row.some_text(0)? {
                "there" => return Ok(Index::There),
                "building" => best = Index::Building,
                "invalid" => best = Index::Invalid,
                _ => {}
            }
        }
        Ok(best)
    }

    /// The table of numbers and its partitions, from above; none where it is an
    /// ordinary table.
    async fn partitions(&mut self) -> Result<Vec<Partition>, sqlx::Error> {
        let sql = format!(
            "SELECT t.relid::oid::int8, t.parentrelid::oid::int8, t.isleaf,
               pg_catalog.quote_ident(s.nspname) || '.' || pg_catalog.quote_ident(p.relname),
               pg_catalog.quote_ident(s.nspname),
               EXISTS (SELECT FROM pg_catalog.pg_index i
                 JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
                 WHERE i.indrelid = p.oid AND NOT i.indisvalid
                   AND x.relname = '{INDEX_NAME}_' || p.oid::text)
             FROM pg_catalog.pg_class c
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,
               LATERAL pg_catalog.pg_partition_tree(c.oid) t
               JOIN pg_catalog.pg_class p ON p.oid = t.relid
               JOIN pg_catalog.pg_namespace s ON s.oid = p.relnamespace
             WHERE n.nspname = {} AND c.relname = '{NUMBERS}' AND c.relkind = 'p'
             ORDER BY t.level, t.relid::oid",
            literal(&self.schema)
        );
        let found = self.ask(&sql).await?;
        let read = found.iter().flatten().map(|row| {
            let parent = row.int(1)?;
            Ok(Partition {
                oid: row.some_int(0)?,
                // The table itself is a part of nothing here.
                parent,
                is_leaf: row.flag(2)?,
                name: row.some_text(3)?.to_owned(),
                schema: row.some_text(4)?.to_owned(),
                has_remains: row.flag(5)?,
            })
        });
        read.collect()
    }

    /// The statements that build the index, one after the other; they can't run
    /// inside a transaction. After a build that failed, they go on with it.
    async fn index_statements(&mut self) -> Result<Vec<String>, sqlx::Error> {
        let partitions = self.partitions().await?;
        if partitions.is_empty() {
            let sql = INDEX.replace("{schema}", &quoted(&self.schema));
            return Ok(vec![sql.trim_end().to_owned()]);
        }
        let mut statements = Vec::new();
        for part in &partitions {
            let (index, name) = (part.index(), &part.name);
            if part.is_leaf {
                let remains = part.has_remains.then(|| {
                    format!(
                        "DROP INDEX CONCURRENTLY IF EXISTS {}",
                        part.qualified_index()
                    )
                });
                statements.extend(remains);
                statements.push(format!(
                    "CREATE INDEX CONCURRENTLY IF NOT EXISTS {index} ON {name} {COLUMNS}"
                ));
            } else {
                statements.push(format!(
                    "CREATE INDEX IF NOT EXISTS {index} ON ONLY {name} {COLUMNS}"
                ));
            }
        }
        // From below: an index is valid once those of all parts are attached.
        for part in partitions.iter().rev() {
            let of_parent = |known: &&Partition| Some(known.oid) == part.parent;
            if let Some(parent) = partitions.iter().find(of_parent) {
                statements.push(format!(
                    "ALTER INDEX {} ATTACH PARTITION {}",
                    parent.qualified_index(),
                    part.qualified_index()
                ));
            }
        }
        Ok(statements)
    }

    pub(crate) async fn index_missing(&mut self) -> Result<bool> {
        let index = self.index().await;
        let index = index.map_err(|error| self.database_error(error))?;
        Ok(index != Index::There)
    }

    pub(crate) async fn index_sql(&mut self) -> Result<Vec<String>> {
        let statements = self.index_statements().await;
        statements.map_err(|error| self.database_error(error))
    }

    /// Builds the index while others go on writing; false where it is there.
    pub(crate) async fn create_index(&mut self) -> Result<bool> {
        let found = self.index().await;
        let build = self.index_sql().await?;
        match found.map_err(|error| self.database_error(error))? {
            Index::There => return Ok(false),
            Index::Building => {
                return Err(Error::new(format!(
                    "{}: another session is building the index",
                    self.label
                ))
                .hint("wait for it: `lkroute migrate --check --index` says when it is there"));
            }
            // That of a table with partitions is invalid until all are attached.
            Index::Invalid if build.len() == 1 => {
                let remove = format!(
                    "DROP INDEX CONCURRENTLY IF EXISTS {}.{INDEX_NAME}",
                    quoted(&self.schema)
                );
                let removed = self.build(&remove).await;
                removed.map_err(|error| self.index_trouble(error, &build))?;
            }
            Index::Invalid | Index::Missing => {}
        }
        for statement in &build {
            let built = self.build(statement).await;
            built.map_err(|error| self.index_trouble(error, &build))?;
        }
        Ok(true)
    }

    /// Runs a statement that may take hours, and says nothing meanwhile: from
    /// time to time the server is asked whether it is still at it. One that
    /// others who write would wait for has little time to get its lock.
    async fn build(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        if !sql.contains("CONCURRENTLY") {
            return self.ask(sql).await.map(|_| ());
        }
        let (server, waits) = (self.server.clone(), self.waits);
        let mut building = std::pin::pin!(run(&mut self.conn, sql));
        loop {
            if let Ok(built) = timeout(waits.silence, &mut building).await {
                return built;
            }
            let asking = async {
                let mut other = connect(&server).await.ok()?;
                sets(&mut other, AT_IT).await.ok()
            };
            let still = timeout(waits.silence, asking).await.ok().flatten();
            if still.is_none_or(|rows| rows.iter().flatten().next().is_none()) {
                return Err(no_answer(waits.silence));
            }
        }
    }

    fn index_trouble(&self, error: sqlx::Error, build: &[String]) -> Error {
        match error_code(&error).as_deref() {
            Some("42501") => {
                let script: String = build.iter().map(|sql| format!("{sql};\n")).collect();
                self.without_rights(error, &script)
            }
            _ => self
                .database_error(error)
                .hint("run it again: what a failed build leaves behind is taken away first"),
        }
    }
}
