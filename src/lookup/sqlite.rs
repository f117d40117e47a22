//! The statements of SQLite. Core.
//!
//! It is at hand, so its tables are looked at before each look-up. Its JSON
//! takes no bytes that are no text: texts are cast.

use std::collections::BTreeSet;

use super::columns::{RULES_STORED, VALUE_SENT};
use super::json_row::{JsonRow, read_document};
use super::names::{AGENTS, CONFIG_COLUMNS, CONFIGS, NUMBERS, STATE, USERS};
use super::trust_rows;
use crate::fields::Field;

/// The tables of a file, as far as a look-up needs to know them.
#[derive(Debug, Clone, Default)]
pub struct SqliteTables {
    /// Table and column.
    columns: BTreeSet<(String, String)>,
}

/// since, path, line and revision of a row called `v` of our tables.
const SOURCE: &str = "v.since, (SELECT path FROM lkroute_files f WHERE f.id = v.file), v.line,
    (SELECT revision FROM lkroute_applies a WHERE a.id = v.since)";

impl SqliteTables {
    /// Names every table with its columns.
    pub const INSPECTION: &'static str =
        "SELECT json_group_array(json_array(m.name, c.name)) FROM sqlite_master m
         JOIN pragma_table_info(m.name) c WHERE m.type IN ('table', 'view')";

    /// What [`SqliteTables::INSPECTION`] gave.
    ///
    /// # Errors
    /// It is something else.
    pub fn read(text: &str) -> Result<SqliteTables, String> {
        let document = read_document(text)?;
        let mut columns = BTreeSet::new();
        for row in JsonRow::read_all(&document)? {
            let row = row?;
            let column = (row.some_text(0)?.to_owned(), row.some_text(1)?.to_owned());
            columns.insert(column);
        }
        Ok(SqliteTables { columns })
    }

    fn has_column(&self, table: &str, column: &str) -> bool {
        self.columns
            .contains(&(table.to_owned(), column.to_owned()))
    }

    pub fn has(&self, table: &str) -> bool {
        self.columns.iter().any(|(known, _)| known == table)
    }

    pub fn has_own(&self) -> bool {
        self.has(STATE)
    }

    pub fn has_users(&self) -> bool {
        self.has(USERS)
    }

    /// The look-up with `?1` to `?4` for [`super::LookUp::sqlite_values`].
    pub fn statement(&self, agents: bool) -> String {
        let own = self.has_own();
        let agents =
            agents && self.has_column(AGENTS, "id") && self.has_column(AGENTS, "tenant_id");
        let when = |there: bool, sql: &str| {
            if there {
                sql.to_owned()
            } else {
                "NULL".to_owned()
            }
        };
        let state = when(
            own,
            "(SELECT json_array(environment, schema_version) FROM lkroute_state)",
        );
        let regions = when(
            own,
            "(SELECT json_group_array(json_array(name, fields)) FROM lkroute_regions
              WHERE until IS NULL)",
        );
        let alias = when(
            own,
            "(SELECT json_group_array(json_array(tenant_id, alias)) FROM lkroute_tenants
              WHERE alias = ?2)",
        );
        let user = when(
            self.has_users(),
            "(SELECT json_group_array(json_array(CAST(tenant_id AS TEXT))) FROM users
              WHERE id = ?3)",
        );
        let agent = when(
            agents,
            "(SELECT json_group_array(json_array(CAST(tenant_id AS TEXT))) FROM voice_agents
              WHERE id = CAST(?4 AS INTEGER))",
        );
        let rows = self.rows(agents);
        format!(
            "SELECT json_array({state}, {rows}, NULL, {regions}, {alias}, {user}, {agent}, NULL)
             WHERE coalesce(?1, ?2, ?3, ?4) IS NOT NULL"
        )
    }

    fn rows(&self, agents: bool) -> String {
        let config = sqlite_config_id("n.rules");
        let texts = CONFIG_COLUMNS.map(|column| {
            if self.has_column(CONFIGS, column) {
                format!("CAST(c.{column} AS TEXT)")
            } else {
                "NULL".to_owned()
            }
        });
        let texts = texts.join(", ");
        let agent = if agents {
            "(SELECT CAST(a.tenant_id AS TEXT) FROM voice_agents a
                  WHERE a.id = n.default_agent_id)"
        } else {
            "NULL"
        };
        let null = || "NULL".to_owned();
        let (alias, binding, version, fallback) = if self.has_own() {
            (
                "(SELECT alias FROM lkroute_tenants t WHERE t.tenant_id = n.tenant_id)".to_owned(),
                format!(
                    "(SELECT json_array({SOURCE},
                         (SELECT fields FROM lkroute_settings s WHERE s.id = v.settings))
                       FROM lkroute_bindings v
                       WHERE v.number_id = n.id AND v.until IS NULL AND NOT v.retired)"
                ),
                format!(
                    "(SELECT json_array({SOURCE}, v.fields) FROM lkroute_configs v
                       WHERE v.id = c.id AND v.until IS NULL)"
                ),
                format!(
                    ", (SELECT v.fields ->> '$.fallback' FROM lkroute_configs v
                         WHERE v.id = {config} AND v.until IS NULL)"
                ),
            )
        } else {
            (null(), null(), null(), String::new())
        };
        format!(
            "(SELECT json_group_array(json_array(
                CAST(n.id AS TEXT), CAST(n.tenant_id AS TEXT), CAST(n.country_code AS TEXT),
                {base}, CAST(n.provider AS TEXT), CAST(n.status AS TEXT),
                CAST({rules} AS TEXT), CAST(n.default_agent_id AS INTEGER), {agent}, {alias},
                {binding},
                (SELECT json_group_array(json_array(CAST(c.id AS TEXT), {texts}, {version}))
                   FROM {CONFIGS} c WHERE c.id IN ({config}{fallback}))))
              FROM {NUMBERS} n WHERE {among})",
            base = sqlite_base_number("n"),
            among = sqlite_among_numbers("n"),
            rules = sqlite_rules_text("n")
        )
    }

    /// What says whom tokens may be sent to.
    pub fn trust_statement(&self) -> String {
        let has = |table: &str| self.has(table);
        trust_rows::statement("", "t.at", "json_array", "json_group_array", &has)
    }
}

/// The base number of a row; NULL where it holds none. SQLite is typed loosely,
/// and takes `12x` for 12.
pub fn sqlite_base_number(row: &str) -> String {
    let value = format!("{row}.base_number");
    format!(
        "CASE typeof({value}) WHEN 'integer' THEN {value}
           WHEN 'text' THEN CASE WHEN {value} NOT GLOB '*[^0-9]*' AND {value} NOT GLOB '0*'
               AND length({value}) BETWEEN 1 AND 18
             THEN CAST({value} AS INTEGER) END END"
    )
}

/// Whether the base number of a row is among `?1`, as an index finds it: a column of
/// texts holds texts, and no whole number is one.
pub fn sqlite_among_numbers(row: &str) -> String {
    format!(
        "{row}.base_number IN (SELECT value FROM json_each(?1)
           UNION ALL SELECT CAST(value AS TEXT) FROM json_each(?1))"
    )
}

/// The digits of a uuid, in whatever spelling.
pub fn sqlite_uuid_digits(value: &str) -> String {
    let mut value = format!("lower({value})");
    for part in ["urn:uuid:", "{", "}", "-"] {
        value = format!("replace({value}, '{part}', '')");
    }
    value
}

/// The rules of a number; of long ones the keys that are read, in their order,
/// and what is no object as an empty list, so that nobody's row is held whole.
pub fn sqlite_rules_text(row: &str) -> String {
    let rules = format!("{row}.rules");
    let keys = Field::ADOPTABLE_OF_BINDING.into_iter();
    let keys: Vec<String> = keys
        .filter_map(Field::rules_key)
        .map(|key| format!("'{key}'"))
        .collect();
    format!(
        "CASE WHEN length(CAST({rules} AS BLOB)) <= {RULES_STORED} THEN {rules}
              WHEN {rules} IS NULL THEN NULL
              WHEN NOT json_valid({rules}) THEN '[]'
              WHEN json_type({rules}) <> 'object' THEN '[]'
              ELSE (SELECT json_group_object(e.key, json(
                  CASE WHEN e.type IN ('true', 'false', 'null') THEN e.type
                       WHEN length(CAST(e.value AS BLOB)) > {RULES_STORED}
                         THEN json_quote(substr(e.value, 1, {VALUE_SENT}))
                       WHEN e.type IN ('object', 'array') THEN e.value
                       ELSE json_quote(e.value) END))
                FROM json_each({rules}) e WHERE e.key IN ({})) || '' END",
        keys.join(", ")
    )
}

/// The id of the config that `rules` name, in whatever spelling of a uuid, as
/// text with hyphens; some other text where it is none.
pub fn sqlite_config_id(rules: &str) -> String {
    // Older libraries, such as a Python may have, don't find a key with escapes by its
    // path; looking at each key takes longer.
    let held = format!(
        "CASE WHEN json_valid({rules}) THEN coalesce({rules} ->> '$.livekit_config',
           CASE WHEN instr({rules}, '\\u') > 0 THEN (SELECT e.value FROM json_each({rules}) e
             WHERE e.key = 'livekit_config' LIMIT 1) END) END"
    );
    let value = sqlite_uuid_digits(&held);
    let parts = [(1, 8), (9, 4), (13, 4), (17, 4), (21, 12)];
    let parts = parts.map(|(from, length)| format!("substr(h, {from}, {length})"));
    format!(
        "(SELECT {} FROM (SELECT {value} AS h))",
        parts.join(" || '-' || ")
    )
}
