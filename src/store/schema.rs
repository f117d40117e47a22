//! What a database has of the tables that lkroute needs, and the migration steps
//! that it lacks. Imports the error type.

use std::collections::BTreeSet;

use super::migration_text::{created, in_schema, unique_keys};
use crate::error::Error;

/// How far a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaState {
    /// All there.
    Current,
    /// `migrate` would carry out these steps.
    Behind(Vec<MigrationStep>),
    /// Made by a later lkroute; its version of the schema.
    Newer(i64),
    /// An application's table is missing here, and there in other schemas of
    /// the same database: this schema is not the one that is meant.
    Elsewhere {
        schema: String,
        table: &'static str,
        others: Vec<String>,
    },
    /// Tables of lkroute's own that its version of the schema has are gone, or
    /// columns of them.
    Damaged(Vec<String>),
}

impl SchemaState {
    /// Why it is not current, and what to do.
    pub fn refusal(&self, label: &str) -> Error {
        match self {
            SchemaState::Newer(version) => Error::new(format!(
                "{label} is of a newer lkroute (version {version} of its schema)"
            ))
            .hint("use a newer lkroute"),
            SchemaState::Behind(steps) => {
                let names: Vec<_> = steps.iter().map(|step| step.name.as_str()).collect();
                let message = format!("{label} lacks what lkroute needs: {}", names.join(", "));
                Error::new(message)
                    .hint("run `lkroute migrate`, or `lkroute migrate --dry-run` to see the SQL")
            }
            SchemaState::Elsewhere {
                schema,
                table,
                others,
            } => Error::new(format!(
                "{label}: the schema {schema} has no table {table}, but {} has",
                others.join(", ")
            ))
            .hint(
                "say --schema (or LKROUTE_SCHEMA, or ?schema= in the URL); `lkroute migrate \
                 --create-application-tables` makes tables of its own all the same",
            ),
            SchemaState::Damaged(gone) => Error::new(format!(
                "{label}: {} of lkroute's own tables is gone",
                gone.join(", ")
            ))
            .hint("somebody dropped it: bring it back from a backup of the database"),
            SchemaState::Current => Error::new(format!("{label}: up to date")),
        }
    }
}

/// What a database says of itself, before anything else is read from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseState {
    pub state: SchemaState,
    /// Stamped by the first apply.
    pub environment: Option<String>,
    /// The application's tables are there: what `migrate` would add is not
    /// needed to read.
    pub is_readable: bool,
    /// Where it is a read replica, in words how far it lags.
    pub standby: Option<String>,
}

/// One step of a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationStep {
    /// What it does, for people.
    pub name: String,
    /// The SQL that does it.
    pub sql: String,
}

impl MigrationStep {
    /// Whether it brings back a unique key.
    pub(super) fn is_key(&self) -> bool {
        self.sql.starts_with("CREATE UNIQUE INDEX")
    }
}

/// What an inspection found.
#[derive(Debug, Default)]
pub(super) struct SchemaInspection {
    pub schema: bool,
    /// Other schemas that hold a table of the application which is missing
    /// here, each with the table's name.
    pub elsewhere: Vec<(String, String)>,
    pub tables: BTreeSet<String>,
    /// What of the application's can't be written as it is, in words (SQLite).
    pub unfit: Option<String>,
    /// What the application's columns take (SQLite).
    pub limits: Vec<((String, String), ColumnLimit)>,
    /// Of these tables: table and column.
    pub columns: BTreeSet<(String, String)>,
    /// Of these tables: table and the columns of a key that no two rows share.
    pub keys: BTreeSet<(String, KeyColumns)>,
    /// `lkroute_state.schema_version`.
    pub version: Option<i64>,
    /// `lkroute_state.environment`.
    pub environment: Option<String>,
    /// Where the server is a standby.
    pub standby: Option<Standby>,
}

/// The columns of a unique key, in whatever order they were named.
pub(super) type KeyColumns = BTreeSet<String>;

/// How a standby follows its primary.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standby {
    /// Whether it is connected to it.
    pub receiving: bool,
    /// Whether all that it received is to be seen.
    pub shows_all: bool,
    /// The age of the last transaction that it shows.
    pub seconds: Option<i64>,
}

impl Standby {
    /// In words; a standby without a connection can't know how far it lags.
    pub(super) fn describe(self, label: &str) -> String {
        let age = self.seconds.map(|seconds| seconds.max(0));
        let last = match age {
            Some(age) => format!("the last change that it shows is {age} s old"),
            None => "it has replayed no change since its start".to_owned(),
        };
        match (self.receiving, self.shows_all, age) {
            (false, ..) => format!("{label} is a standby without its primary: {last}"),
            (true, true, _) => format!("{label} is a standby, and shows all that it received"),
            (true, false, Some(age)) => {
                format!("{label} is a standby, {age} s behind: what is newer is not seen here")
            }
            (true, false, None) => {
                format!("{label} is a standby, and behind: what is newer is not seen here")
            }
        }
    }
}

/// What of the tables is there to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// lkroute's own tables.
    pub own: bool,
    /// The column of configs that came later.
    pub worker_name: bool,
    /// The database's identity, which came with version 2.
    pub identity: bool,
    /// The accounts of applies, which came with version 4.
    pub account: bool,
}

impl Default for Layout {
    fn default() -> Layout {
        Layout {
            own: true,
            worker_name: true,
            identity: true,
            account: true,
        }
    }
}

impl Layout {
    /// The identity in a list of columns of the state.
    pub(super) fn identity_column(self) -> &'static str {
        if self.identity { "identity" } else { "NULL" }
    }

    /// The account in a list of columns of the applies.
    pub(super) fn account_column(self) -> &'static str {
        if self.account { "account" } else { "NULL" }
    }
}

/// The migrations of one engine.
pub(super) struct Migrations {
    pub schema: Option<&'static str>,
    pub configs: &'static str,
    pub numbers: &'static str,
    pub worker_name: &'static str,
    /// lkroute's own tables, by version from 1 on: name and SQL.
    pub own: &'static [(&'static str, &'static str)],
}

use crate::lookup::{CONFIG_COLUMNS, ColumnLimit, NUMBER_COLUMNS};
pub(super) use crate::lookup::{CONFIGS, NUMBERS, STATE};

impl SchemaInspection {
    /// An application's table that is in other schemas alone.
    fn misplaced(&self, schema: &str) -> Option<SchemaState> {
        let missing = [NUMBERS, CONFIGS].into_iter();
        let mut missing = missing.filter(|table| !self.tables.contains(*table));
        let (table, others) = missing.find_map(|table| {
            let others = self.elsewhere.iter().filter(|(name, _)| name == table);
            let others: Vec<String> = others.map(|(_, schema)| schema.clone()).collect();
            (!others.is_empty()).then_some((table, others))
        })?;
        Some(SchemaState::Elsewhere {
            schema: schema.to_owned(),
            table,
            others,
        })
    }

    pub(super) fn has_column(&self, table: &str, column: &str) -> bool {
        let column = (table.to_owned(), column.to_owned());
        self.columns.contains(&column)
    }

    /// A column of the application's tables that is read, and is not there or can't
    /// be written, or a view where a table should be.
    pub(super) fn lacks(&self) -> Option<String> {
        if self.unfit.is_some() {
            return self.unfit.clone();
        }
        let numbers = NUMBER_COLUMNS.into_iter().map(|column| (NUMBERS, column));
        let configs = CONFIG_COLUMNS.into_iter().chain(["id"]);
        // The one that a migration adds.
        let configs = configs.filter(|column| *column != "worker_name");
        let mut all = numbers.chain(configs.map(|column| (CONFIGS, column)));
        let lacking = |(table, column): &(&str, &str)| {
            self.tables.contains(*table) && !self.has_column(table, column)
        };
        let (table, column) = all.find(lacking)?;
        Some(format!("{table} has no column {column}"))
    }

    /// What a migration made and is gone: tables, and columns of others.
    fn gone(&self, sql: &str) -> Vec<String> {
        let mut gone = Vec::new();
        for (table, column) in created(sql) {
            let name = match self.tables.contains(&table) {
                true if self.has_column(&table, &column) => continue,
                true => format!("{table}.{column}"),
                false => table,
            };
            if !gone.contains(&name) {
                gone.push(name);
            }
        }
        gone
    }

    /// Whether the application's tables are there.
    pub(super) fn is_readable(&self) -> bool {
        let application = [CONFIGS, NUMBERS].iter();
        let mut application = application.map(|table| self.tables.contains(*table));
        application.all(|there| there)
    }

    /// What there is to read.
    pub(super) fn layout(&self) -> Layout {
        Layout {
            own: self.tables.contains(STATE),
            worker_name: self.has_column(CONFIGS, "worker_name"),
            identity: self.version.is_some_and(|version| version >= 2),
            account: self.version.is_some_and(|version| version >= 4),
        }
    }
}

impl Migrations {
    /// The steps that are left; `schema` is the quoted name of the schema.
    /// `anew`: tables of the application may be created although another
    /// schema has them.
    pub(super) fn state(&self, found: &SchemaInspection, schema: &str, anew: bool) -> SchemaState {
        if let Some(misplaced) = found.misplaced(schema).filter(|_| !anew) {
            return misplaced;
        }
        let mut steps = Vec::new();
        let mut step = |name: &str, sql: &str| {
            steps.push(MigrationStep {
                name: name.to_owned(),
                sql: sql.replace("{schema}", schema).trim_end().to_owned(),
            });
        };
        if let (Some(sql), false) = (self.schema, found.schema) {
            step(
                &format!("create the schema {schema}, which is not there"),
                sql,
            );
        }
        if !found.tables.contains(CONFIGS) {
            step("create the application's table of configs", self.configs);
        } else if !found.has_column(CONFIGS, "worker_name") {
            step("add worker_name to the configs", self.worker_name);
        }
        if !found.tables.contains(NUMBERS) {
            step("create the application's table of numbers", self.numbers);
        }
        let latest = self.own.len() as i64;
        let version = found.version.unwrap_or(0);
        if version > latest {
            return SchemaState::Newer(version);
        }
        let carried_out = self.own.iter().take(version as usize);
        let mut gone: Vec<String> = carried_out.flat_map(|(_, sql)| found.gone(sql)).collect();
        if found.version.is_none() {
            gone = self.left_over(found);
        }
        if !gone.is_empty() {
            return SchemaState::Damaged(gone);
        }
        let carried_out = self.own.iter().take(version as usize);
        for (table, key) in carried_out.flat_map(|(_, sql)| unique_keys(sql)) {
            if found
                .keys
                .contains(&(table.clone(), key.iter().cloned().collect()))
            {
                continue;
            }
            let (columns, index) = (key.join(", "), key.join("_"));
            step(
                &format!("bring back the unique key ({columns}) of {table}, which is gone"),
                &format!(
                    "CREATE UNIQUE INDEX {table}_{index}_key ON {} ({columns})",
                    in_schema(schema, &table)
                ),
            );
        }
        for ((name, sql), to) in self.own.iter().zip(1i64..).skip(version as usize) {
            match to {
                1 => step(name, sql),
                _ => {
                    let state = in_schema(schema, STATE);
                    step(
                        name,
                        &format!("{sql}UPDATE {state} SET schema_version = {to};"),
                    );
                }
            }
        }
        if steps.is_empty() {
            SchemaState::Current
        } else {
            SchemaState::Behind(steps)
        }
    }
}

impl Migrations {
    /// Where nothing says how far a database is, and it has a whole table of
    /// lkroute's all the same: what that lacks.
    fn left_over(&self, found: &SchemaInspection) -> Vec<String> {
        let first = self.own.first().map_or("", |(_, sql)| sql);
        let mut gone = found.gone(first);
        let tables: BTreeSet<String> = created(first).into_iter().map(|(table, _)| table).collect();
        let is_broken = |table: &&String| {
            let prefix = format!("{table}.");
            let mut names = gone.iter();
            names.any(|name| name == *table || name.starts_with(&prefix))
        };
        if tables.iter().all(|table| is_broken(&table)) {
            return Vec::new();
        }
        if gone.is_empty() {
            gone.push(format!("the row of {STATE}"));
        }
        gone
    }
}

/// All steps as one text, for people who run it with their own rights.
pub fn script(steps: &[MigrationStep]) -> String {
    let each = steps.iter().map(|step| {
        if step.sql.ends_with(';') {
            format!("-- {}\n{}\n", step.name, step.sql)
        } else {
            format!("-- {}\n{};\n", step.name, step.sql)
        }
    });
    format!("BEGIN;\n{}COMMIT;\n", each.collect::<String>())
}
