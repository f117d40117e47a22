//! What the database has of what lkroute needs, and the steps to the rest.
//! Imports nothing of lkroute.

use std::collections::BTreeSet;

/// How far a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaState {
    /// All there.
    Current,
    /// `migrate` would carry out these steps.
    Behind(Vec<Step>),
    /// Made by a later lkroute; its version of the schema.
    Newer(i64),
}

/// One step of a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it does, for people.
    pub name: String,
    /// The SQL that does it.
    pub sql: String,
}

/// What an inspection found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub schema: bool,
    /// Other schemas that hold the application's table of numbers; looked for
    /// where this one is missing, which may be a slip of the pen.
    pub elsewhere: Vec<String>,
    pub tables: BTreeSet<String>,
    pub worker_name: bool,
    /// `lkroute_state.schema_version`.
    pub version: Option<i64>,
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

pub(super) const CONFIGS: &str = "voice_agent_livekit";
pub(super) const NUMBERS: &str = "voice_agent_numbers";
pub(super) const STATE: &str = "lkroute_state";

impl Found {
    fn new_schema(&self, schema: &str) -> String {
        let names: Vec<String> = self.elsewhere.iter().map(|s| format!("\"{s}\"")).collect();
        let elsewhere = match names.is_empty() {
            true => String::new(),
            false => format!(" (the application's tables are in {})", names.join(", ")),
        };
        format!("create the schema {schema}, which is not there{elsewhere}")
    }
}

impl Migrations {
    /// The steps that are left; `schema` is the quoted name of the schema.
    pub fn state(&self, found: &Found, schema: &str) -> SchemaState {
        let mut steps = Vec::new();
        let mut step = |name: &str, sql: &str| {
            steps.push(Step {
                name: name.to_owned(),
                sql: sql.replace("{schema}", schema).trim_end().to_owned(),
            });
        };
        if let (Some(sql), false) = (self.schema, found.schema) {
            step(&found.new_schema(schema), sql);
        }
        if !found.tables.contains(CONFIGS) {
            step("create the application's table of configs", self.configs);
        } else if !found.worker_name {
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
        for ((name, sql), to) in self.own.iter().zip(1i64..).skip(version as usize) {
            match to {
                1 => step(name, sql),
                // An empty name of the schema is that of SQLite, which has none.
                _ => {
                    let state = match schema {
                        "" => STATE.to_owned(),
                        _ => format!("{{schema}}.{STATE}"),
                    };
                    step(
                        name,
                        &format!("{sql}UPDATE {state} SET schema_version = {to};"),
                    );
                }
            }
        }
        match steps.is_empty() {
            true => SchemaState::Current,
            false => SchemaState::Behind(steps),
        }
    }
}

/// All steps as one text, for people who run it with their own rights.
pub fn script(steps: &[Step]) -> String {
    let each = steps.iter().map(|step| match step.sql.ends_with(';') {
        true => format!("-- {}\n{}\n", step.name, step.sql),
        false => format!("-- {}\n{};\n", step.name, step.sql),
    });
    format!("BEGIN;\n{}COMMIT;\n", each.collect::<String>())
}
