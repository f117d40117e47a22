//! The columns of the application's tables on PostgreSQL, whose types are the
//! application's choice: which of them can be read and written, and with what
//! cast. Core.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::json_row::JsonRow;
use super::names::{CONFIG_COLUMNS, CONFIGS, NUMBERS};
use crate::fields::Field;

/// What a type is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ColumnKind {
    Uuid,
    Text,
    /// With its labels.
    Enum(Vec<String>),
    /// `int8`.
    Wide,
    /// A smaller one.
    Int,
    Numeric,
    Jsonb,
    Json,
    Time,
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) kind: ColumnKind,
    /// In quotes, with its schema.
    pub(super) type_name: String,
    pub(super) generated: bool,
    pub(super) limit: ColumnLimit,
}

/// What a column takes, as far as the catalogue says it plainly.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnLimit {
    /// Its type, for people.
    pub shown: String,
    /// How many characters.
    pub longest: Option<u64>,
    /// How many digits of a whole number.
    pub digits: Option<u64>,
    /// The values that it takes; all where there are none.
    pub labels: Vec<String>,
    /// It takes no NULL, and no trigger can put a value in its place.
    pub not_null: bool,
    /// It has a value where none is given.
    pub has_default: bool,
}

/// The columns of both tables. Before they are loaded, their types are taken
/// to be those of lkroute's own migrations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns {
    pub(super) known: BTreeMap<(&'static str, String), Column>,
    /// Row-level security is active on the table of numbers, which COPY does
    /// not fill then.
    pub(super) are_numbers_secured: bool,
    /// What stands where one of the two tables should, in words.
    pub(super) no_table: Option<String>,
}

const UUID: &str = "^(urn:uuid:)?[{]?[0-9a-f]{4}(-?[0-9a-f]{4}){7}[}]?$";

/// How many bytes `rules` may take in the table, compressed, to be sent whole.
pub(super) const RULES_STORED: usize = 8 * 1024;
/// How many characters the keys and values that are read of such rules may have
/// in a look-up.
const PAIRS_SENT: usize = 64 * 1024;
/// How many characters of a managed value are sent that is longer than that.
pub(super) const VALUE_SENT: usize = 1000;

/// The rules of a number as text, as a worker that shares in a COPY can make
/// it: without a subquery. Of long ones the keys that are read, and what is no
/// object as an empty list, so that nobody's row is held whole.
pub(super) fn rules_text(row: &str) -> String {
    let rules = format!("{row}.rules::jsonb");
    let keys = rules_keys().map(|key| {
        let value = format!("({rules} -> '{key}')");
        format!(
            "CASE WHEN {value} IS NULL THEN '{{}}'::jsonb
                  WHEN pg_catalog.pg_column_size({value}) > {RULES_STORED}
                    THEN pg_catalog.jsonb_build_object('{key}', \
                      pg_catalog.left({value}::text, {VALUE_SENT}))
                  ELSE pg_catalog.jsonb_build_object('{key}', {value}) END"
        )
    });
    let keys: Vec<String> = keys.collect();
    format!(
        "CASE WHEN pg_catalog.pg_column_size({row}.rules) <= {RULES_STORED} THEN {rules}::text
              WHEN pg_catalog.jsonb_typeof({rules}) = 'object' THEN ({})::text
              WHEN {row}.rules IS NOT NULL THEN '[]' END",
        keys.join(" || ")
    )
}

/// The keys of `rules` that are read.
fn rules_keys() -> impl Iterator<Item = &'static str> {
    let fields = Field::ADOPTABLE_OF_BINDING.into_iter();
    fields.filter_map(Field::rules_key)
}

/// The rules of a number as text; of long ones their type and the pairs that are
/// read, as far as there is room. For [`rebuilt_rules`]. A statement that is
/// planned for each call had better be short.
pub(super) fn sent_rules(row: &str) -> String {
    let rules = format!("{row}.rules::jsonb");
    let keys: Vec<String> = rules_keys()
        .map(|key| format!("@.key == \"{key}\""))
        .collect();
    let keys = keys.join(" || ");
    format!(
        "CASE WHEN pg_catalog.pg_column_size({row}.rules) <= {RULES_STORED} THEN {rules}::text
           ELSE pg_catalog.jsonb_typeof({rules})
             || pg_catalog.left(pg_catalog.jsonb_path_query_array({rules},
                  'strict $ ? (@.type() == \"object\").keyvalue() ? ({keys})')::text, {PAIRS_SENT}) END"
    )
}

/// What [`sent_rules`] gave, as rules; no object where it was none, or had no room.
pub(super) fn rebuilt_rules(text: &str) -> Cow<'_, str> {
    #[derive(serde::Deserialize)]
    struct RulesPair {
        key: String,
        value: serde_json::Value,
    }
    // No JSON begins so.
    let Some(pairs) = text.strip_prefix("object") else {
        return Cow::Borrowed(text);
    };
    let Ok(pairs) = serde_json::from_str::<Vec<RulesPair>>(pairs) else {
        return Cow::Borrowed("[]");
    };
    let pairs = pairs.into_iter().map(|pair| (pair.key, pair.value));
    Cow::Owned(serde_json::Value::Object(pairs.collect()).to_string())
}

impl Columns {
    /// Those of lkroute's own migrations.
    pub const fn assumed() -> Columns {
        Columns {
            known: BTreeMap::new(),
            are_numbers_secured: false,
            no_table: None,
        }
    }

    pub fn are_loaded(&self) -> bool {
        !self.known.is_empty()
    }

    /// Takes in a table of the catalogue, and what it is (`pg_class.relkind`).
    pub(super) fn add_table(&mut self, name: &str, kind: &str) {
        let what = match kind {
            "v" => "a view",
            "m" => "a materialized view",
            "f" => "a foreign table",
            _ => return,
        };
        if [NUMBERS, CONFIGS].contains(&name) {
            self.no_table = Some(format!("{name} is {what}, and no table"));
        }
    }

    /// Takes in a column of the catalogue: table, column, type and its kind
    /// (those of the base type of a domain), the type in quotes with its
    /// schema, the type for people, whether it is generated, an enum's labels;
    /// how many characters and digits, whether it takes no NULL, has a default.
    pub(super) fn add(&mut self, row: &JsonRow<'_>) -> Result<(), String> {
        let table = match row.some_text(0)? {
            NUMBERS => NUMBERS,
            CONFIGS => CONFIGS,
            _ => return Ok(()),
        };
        let labels = row.text(7)?.unwrap_or_default().lines();
        let kind = match (row.some_text(3)?, row.some_text(2)?) {
            ("e", _) => ColumnKind::Enum(labels.map(str::to_owned).collect()),
            (_, "uuid") => ColumnKind::Uuid,
            (_, "text" | "varchar" | "bpchar" | "citext" | "name") => ColumnKind::Text,
            (_, "int8") => ColumnKind::Wide,
            (_, "int4" | "int2") => ColumnKind::Int,
            (_, "numeric") => ColumnKind::Numeric,
            (_, "jsonb") => ColumnKind::Jsonb,
            (_, "json") => ColumnKind::Json,
            (_, "timestamptz" | "timestamp" | "date") => ColumnKind::Time,
            _ => ColumnKind::Other,
        };
        let number = |ix| Ok::<_, String>(row.int(ix)?.and_then(|most| most.try_into().ok()));
        let labels = match &kind {
            ColumnKind::Enum(labels) => labels.clone(),
            _ => Vec::new(),
        };
        let column = Column {
            kind,
            type_name: row.some_text(4)?.to_owned(),
            generated: row.flag(6)?,
            limit: ColumnLimit {
                shown: row.some_text(5)?.to_owned(),
                longest: number(8)?,
                digits: number(9)?,
                labels,
                not_null: row.flag(10)?,
                has_default: row.flag(11)?,
            },
        };
        let name = row.some_text(1)?.to_owned();
        self.known.insert((table, name), column);
        Ok(())
    }

    /// What each column takes, by table and name.
    pub fn limits(&self) -> impl Iterator<Item = ((String, String), ColumnLimit)> {
        let known = self.known.iter();
        known.map(|((table, name), column)| {
            (((*table).to_owned(), name.clone()), column.limit.clone())
        })
    }

    pub(super) fn kind(&self, table: &'static str, name: &str) -> Option<&ColumnKind> {
        let column = self.known.get(&(table, name.to_owned()));
        column.map(|column| &column.kind)
    }

    fn has(&self, table: &'static str, name: &str) -> bool {
        !self.are_loaded() || self.kind(table, name).is_some()
    }

    pub fn has_worker_name(&self) -> bool {
        self.has(CONFIGS, "worker_name")
    }

    /// Whether a column holds ids as text, among which may be some that are none.
    pub fn is_text(&self, table: &'static str, name: &str) -> bool {
        self.kind(table, name) == Some(&ColumnKind::Text)
    }

    /// A column that holds a uuid, as one; `row` precedes its name.
    pub fn uuid(&self, table: &'static str, name: &str, row: &str) -> String {
        let value = format!("{row}.{name}");
        match self.kind(table, name) {
            Some(ColumnKind::Text) => {
                let text = format!("btrim({value}::text)");
                format!(
                    "CASE WHEN {text} ~* '{UUID}'
                       THEN (regexp_replace({text}, '^urn:uuid:', '', 'i'))::uuid END"
                )
            }
            _ => value,
        }
    }

    pub fn number_id(&self, row: &str) -> String {
        self.uuid(NUMBERS, "id", row)
    }

    pub fn tenant_id(&self, row: &str) -> String {
        self.uuid(NUMBERS, "tenant_id", row)
    }

    pub fn config_row_id(&self, row: &str) -> String {
        self.uuid(CONFIGS, "id", row)
    }

    /// `base_number` as an `int8`; NULL where it holds none.
    pub fn base_number(&self, row: &str) -> String {
        let value = format!("{row}.base_number");
        match self.kind(NUMBERS, "base_number") {
            Some(ColumnKind::Numeric) => format!(
                "CASE WHEN {value} BETWEEN 0 AND 999999999999999999 AND {value} = trunc({value})
                   THEN {value}::int8 END"
            ),
            Some(ColumnKind::Text) => format!(
                "CASE WHEN btrim({value}::text) ~ '^[0-9]{{1,18}}$'
                   THEN btrim({value}::text)::int8 END"
            ),
            _ => format!("{value}::int8"),
        }
    }

    /// What `base_number` is compared by, so that an index serves where there
    /// can be one.
    pub fn base_number_compared(&self, row: &str) -> String {
        match self.kind(NUMBERS, "base_number") {
            Some(ColumnKind::Text) => self.base_number(row),
            _ => format!("{row}.base_number"),
        }
    }

    /// The columns of a number: id, tenant_id, country_code, base_number,
    /// provider, status, rules. The rules as [`rules_text`].
    pub fn of_numbers(&self, row: &str) -> String {
        format!(
            "{}, {}, {row}.country_code::text, {}, {row}.provider::text, {row}.status::text,
             {}",
            self.number_id(row),
            self.tenant_id(row),
            self.base_number(row),
            rules_text(row),
        )
    }

    /// The columns of a config: id, [`CONFIG_COLUMNS`], updated_at.
    pub fn of_configs(&self, row: &str, worker_name: bool) -> String {
        let values = self.values_of_config(row, worker_name);
        format!("{values}, {}", self.touched(CONFIGS, row))
    }

    /// The columns of a config: id, [`CONFIG_COLUMNS`].
    pub(super) fn config_values(&self, row: &str) -> String {
        self.values_of_config(row, true)
    }

    /// `worker_name` came later.
    fn values_of_config(&self, row: &str, worker_name: bool) -> String {
        let worker_name = worker_name && self.has_worker_name();
        let texts = CONFIG_COLUMNS.map(|column| match column {
            "worker_name" if !worker_name => "NULL::text".to_owned(),
            _ => format!("{row}.{column}::text"),
        });
        format!("{}, {}", self.config_row_id(row), texts.join(", "))
    }

    /// The default agent of a number; NULL where agents have other ids.
    pub fn agent_id(&self, row: &str) -> String {
        if self.has_agents() {
            format!("{row}.default_agent_id::int8")
        } else {
            "NULL::int8".to_owned()
        }
    }

    pub fn has_agents(&self) -> bool {
        let kind = self.kind(NUMBERS, "default_agent_id");
        !self.are_loaded()
            || matches!(
                kind,
                Some(ColumnKind::Wide | ColumnKind::Int | ColumnKind::Numeric)
            )
    }

    /// When a row was last written; NULL where it does not say.
    pub fn touched(&self, table: &'static str, row: &str) -> String {
        match self.kind(table, "updated_at") {
            Some(ColumnKind::Time) => rfc3339(&format!("{row}.updated_at::timestamptz")),
            None if !self.are_loaded() => rfc3339(&format!("{row}.updated_at")),
            _ => "NULL::text".to_owned(),
        }
    }

    /// What an UPDATE sets beside its own: others look for what is new by it.
    pub fn touch(&self, table: &'static str) -> &'static str {
        match self.kind(table, "updated_at") {
            Some(ColumnKind::Time) => ", updated_at = now()",
            _ => "",
        }
    }

    /// A value to be written into a column, whose type it takes.
    pub fn written(&self, table: &'static str, name: &str, value: &str) -> String {
        let Some(column) = self.known.get(&(table, name.to_owned())) else {
            return value.to_owned();
        };
        match column.kind {
            ColumnKind::Enum(_) | ColumnKind::Json => format!("({value})::{}", column.type_name),
            ColumnKind::Text if ["id", "tenant_id", "base_number"].contains(&name) => {
                format!("({value})::text")
            }
            ColumnKind::Int | ColumnKind::Wide | ColumnKind::Numeric if name == "country_code" => {
                format!("({value})::int8")
            }
            ColumnKind::Uuid
            | ColumnKind::Text
            | ColumnKind::Wide
            | ColumnKind::Int
            | ColumnKind::Numeric
            | ColumnKind::Jsonb
            | ColumnKind::Time
            | ColumnKind::Other => value.to_owned(),
        }
    }
}

/// A time in RFC 3339, UTC.
pub fn rfc3339(column: &str) -> String {
    format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')")
}
