//! The tables that a look-up reads, and names and texts in SQL. Core.

use crate::fields::Field;

pub const CONFIGS: &str = "voice_agent_livekit";
pub const NUMBERS: &str = "voice_agent_numbers";
pub(super) const USERS: &str = "users";
pub const AGENTS: &str = "voice_agents";
pub const STATE: &str = "lkroute_state";

/// Keeps a statement on the primary: a proxy that spreads reads, such as
/// pgpool, leaves those alone that begin with a comment.
pub const HERE: &str = "/*NO LOAD BALANCE*/ ";

/// Lkroute's own tables.
pub const OWN_TABLES: [&str; 10] = [
    STATE,
    "lkroute_applies",
    "lkroute_files",
    "lkroute_tenants",
    "lkroute_settings",
    "lkroute_regions",
    "lkroute_configs",
    "lkroute_bindings",
    "lkroute_dispatches",
    "lkroute_trusted_hosts",
];

/// The version of lkroute's own tables that this lkroute makes and knows.
pub const SCHEMA_VERSION: i64 = 4;

/// The columns of a number that are read.
pub const NUMBER_COLUMNS: [&str; 7] = [
    "id",
    "tenant_id",
    "country_code",
    "base_number",
    "provider",
    "status",
    "rules",
];

/// The columns of a config that files declare.
pub const CONFIG_COLUMNS: [&str; Field::COLUMNS_OF_CONFIG.len()] = {
    let mut columns = [""; Field::COLUMNS_OF_CONFIG.len()];
    let mut i = 0;
    while i < columns.len() {
        if let Some(column) = Field::COLUMNS_OF_CONFIG[i].column() {
            columns[i] = column;
        }
        i += 1;
    }
    columns
};

/// An identifier in quotes.
pub fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// A string in quotes, whatever `standard_conforming_strings` says.
pub fn literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if doubled.contains('\\') {
        format!("E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_doubled() {
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\'b"), "E'a\\\\''b'");
    }
}
