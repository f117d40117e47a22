//! What a database knows of one number, and of the calls that were placed, as
//! text to ask and text to read: the statements of both engines, and how what
//! they give becomes facts. Core.
//!
//! Whoever has a connection sends them: the store of the command, and the
//! Python package with a connection of its caller's. A statement gives one
//! row with one column, a JSON text, so that no driver's types matter.
//!
//! A statement names only tables that are there. Where that is not known yet,
//! [`PgTables::inspection`] asks first; an answer of which
//! [`LookedUp::is_outdated`] tells that tables came or went since.

mod call_records;
mod column_checks;
mod columns;
mod dialect;
mod found;
mod json_row;
mod names;
mod postgres;
mod postgres_tables;
mod sqlite;
mod trust_rows;

use uuid::Uuid;

pub use call_records::{
    CallStatements, UnreadableRecord, read_listed_record, read_record, record_values,
};
pub use columns::{ColumnLimit, Columns, rfc3339};
pub use dialect::Dialect;
pub use found::{LookedUp, WRONG_DATABASE, hidden};
pub use names::{
    AGENTS, CONFIG_COLUMNS, CONFIGS, HERE, NUMBER_COLUMNS, NUMBERS, OWN_TABLES, SCHEMA_VERSION,
    STATE, literal, quoted,
};
pub use postgres::{config_id, hidden_sql};
pub use postgres_tables::{ConfigReference, PgTables, inspection};
pub use sqlite::{
    SqliteTables, sqlite_among_numbers, sqlite_base_number, sqlite_config_id, sqlite_rules_text,
    sqlite_uuid_digits,
};
pub use trust_rows::{OwnedCredentials, TrustRows};

use crate::phone::E164;

/// What to look up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookUp {
    pub number: E164,
    /// A tenant by alias, whose id is then among the aliases of the facts.
    pub tenant: Option<String>,
    /// The user whose tenant is wanted.
    pub initiated_by: Option<Uuid>,
    /// The agent whose tenant is wanted.
    pub agent: Option<i64>,
    /// Whether the tenant of a number's agent is wanted, for a remark. Not in
    /// a transaction, which ends where the table of agents is of another shape.
    pub agents: bool,
}

impl LookUp {
    pub fn number(number: E164) -> LookUp {
        LookUp {
            number,
            tenant: None,
            initiated_by: None,
            agent: None,
            agents: true,
        }
    }

    /// The values that a statement with `$1` to `$4` wants, each a text: base
    /// numbers as an array's text or as JSON, alias, user, agent.
    fn values(&self, numbers: String) -> [Option<String>; 4] {
        [
            Some(numbers),
            self.tenant.clone(),
            self.initiated_by.map(|id| id.to_string()),
            self.agent.map(|id| id.to_string()),
        ]
    }

    /// The base numbers, with commas between.
    fn base_numbers(&self) -> String {
        let numbers = self.number.row_key().base_numbers();
        let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
        numbers.join(",")
    }

    pub fn postgres_values(&self) -> [Option<String>; 4] {
        self.values(format!("{{{}}}", self.base_numbers()))
    }

    pub fn sqlite_values(&self) -> [Option<String>; 4] {
        self.values(format!("[{}]", self.base_numbers()))
    }
}
