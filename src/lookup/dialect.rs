//! What the engines spell differently in statements that are the same
//! otherwise. Core.

use uuid::Uuid;

use super::columns::{Columns, rfc3339};
use super::names::{CONFIG_COLUMNS, CONFIGS, NUMBERS, literal};
use super::postgres::config_id;
use super::sqlite::sqlite_config_id;

/// Whose SQL it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SqlSyntax {
    Postgres,
    Sqlite,
}

impl SqlSyntax {
    /// A time that is read, as RFC 3339.
    pub(super) fn time(self, column: &str) -> String {
        match self {
            Postgres => rfc3339(column),
            Sqlite => column.to_owned(),
        }
    }
}

/// How statements are written for one database. Those with a value have one,
/// `$1`: a list as JSON, or ids.
#[derive(Debug, Clone, Copy)]
pub struct Dialect<'a> {
    syntax: SqlSyntax,
    /// The schema in quotes; empty on SQLite, which has none.
    pub quoted_schema: &'a str,
    pub columns: &'a Columns,
}

/// SQLite's types are those of lkroute's own migrations.
static MIGRATED: Columns = Columns::assumed();

use SqlSyntax::{Postgres, Sqlite};

impl<'a> Dialect<'a> {
    pub fn postgres(quoted_schema: &'a str, columns: &'a Columns) -> Dialect<'a> {
        Dialect {
            syntax: Postgres,
            quoted_schema,
            columns,
        }
    }

    pub fn sqlite() -> Dialect<'static> {
        Dialect {
            syntax: Sqlite,
            quoted_schema: "",
            columns: &MIGRATED,
        }
    }

    /// What precedes the name of a table.
    pub fn schema_prefix(self) -> String {
        match self.syntax {
            Postgres => format!("{}.", self.quoted_schema),
            Sqlite => String::new(),
        }
    }

    /// What follows a column that is read as this type of PostgreSQL; SQLite
    /// gives every value as it is.
    fn cast(self, cast: &'static str) -> &'static str {
        match self.syntax {
            Postgres => cast,
            Sqlite => "",
        }
    }

    pub fn int(self) -> &'static str {
        self.cast("::int8")
    }

    pub fn text(self) -> &'static str {
        self.cast("::text")
    }

    pub fn uuid(self) -> &'static str {
        self.cast("::uuid")
    }

    /// A time that is read, as RFC 3339.
    pub fn time(self, column: &str) -> String {
        self.syntax.time(column)
    }

    /// The time by the clock of the database.
    pub fn now(self) -> &'static str {
        match self.syntax {
            Postgres => "clock_timestamp()",
            Sqlite => "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
        }
    }

    /// The time that many seconds ago.
    pub fn seconds_ago(self, seconds: i64) -> String {
        match self.syntax {
            Postgres => format!("clock_timestamp() - {seconds} * interval '1 second'"),
            Sqlite => format!("strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-{seconds} seconds')"),
        }
    }

    /// A text in quotes.
    pub fn literal(self, text: &str) -> String {
        match self.syntax {
            Postgres => literal(text),
            Sqlite => format!("'{}'", text.replace('\'', "''")),
        }
    }

    /// `$1`, a list as JSON, as the rows `v`.
    pub fn rows(self) -> &'static str {
        match self.syntax {
            Postgres => "jsonb_array_elements($1::jsonb) v",
            Sqlite => "json_each($1) v",
        }
    }

    /// An item of a row that is a list, as this type of PostgreSQL.
    pub fn item(self, ix: usize, kind: &str) -> String {
        match (self.syntax, kind) {
            (Postgres, "text") => format!("v->>{ix}"),
            (Postgres, kind) => format!("(v->>{ix})::{kind}"),
            (Sqlite, _) => format!("v.value ->> {ix}"),
        }
    }

    /// All items of rows that are lists, as these types.
    pub fn items(self, kinds: &[&str]) -> String {
        let items = kinds.iter().enumerate();
        let items: Vec<String> = items.map(|(ix, kind)| self.item(ix, kind)).collect();
        items.join(", ")
    }

    /// The text under a key of a row that is an object.
    pub fn under(self, key: &str) -> String {
        match self.syntax {
            Postgres => format!("v->>'{key}'"),
            Sqlite => format!("v.value ->> '$.{key}'"),
        }
    }

    /// Whether a row that is an object has a key.
    pub fn has(self, key: &str) -> String {
        match self.syntax {
            Postgres => format!("v ? '{key}'"),
            Sqlite => format!("json_type(v.value, '$.{key}') IS NOT NULL"),
        }
    }

    /// Whether an id is among `$1`, which are ids.
    pub fn among(self, id: &str) -> String {
        match self.syntax {
            Postgres => format!("{id} = ANY($1)"),
            Sqlite => format!("{id} IN (SELECT value FROM json_each($1))"),
        }
    }

    /// Whether an id is among these.
    pub fn among_ids(self, id: &str, ids: &[Uuid]) -> String {
        let ids: Vec<String> = ids.iter().map(|id| format!("\"{id}\"")).collect();
        let ids = ids.join(",");
        match self.syntax {
            Postgres => format!("{id} = ANY('{{{ids}}}'::uuid[])"),
            Sqlite => format!("{id} IN (SELECT value FROM json_each('[{ids}]'))"),
        }
    }

    /// What a SELECT ends with whose rows are to be locked in the order of
    /// their ids; whoever writes to SQLite holds the whole file.
    pub fn locked(self, id: &str) -> String {
        match self.syntax {
            Postgres => format!("ORDER BY {id} FOR UPDATE"),
            Sqlite => String::new(),
        }
    }

    /// The same, where nobody may change or delete them meanwhile.
    pub fn kept(self, id: &str) -> String {
        match self.syntax {
            Postgres => format!("ORDER BY {id} FOR SHARE"),
            Sqlite => String::new(),
        }
    }

    /// The columns of a config called `c`: id, [`CONFIG_COLUMNS`], updated_at.
    /// `worker_name` came later.
    pub fn config_columns(self, worker_name: bool) -> String {
        match self.syntax {
            Postgres => self.columns.of_configs("c", worker_name),
            Sqlite => {
                let texts = CONFIG_COLUMNS.map(|column| match column {
                    "worker_name" if !worker_name => "NULL".to_owned(),
                    _ => format!("c.{column}"),
                });
                format!("c.id, {}, c.updated_at", texts.join(", "))
            }
        }
    }

    /// The id of a config called `c`.
    pub fn config_row_id(self) -> String {
        self.columns.config_row_id("c")
    }

    /// The id of a config that is written.
    pub fn new_config_id(self) -> String {
        match self.syntax {
            Postgres => self.columns.written(CONFIGS, "id", "(v->>'id')::uuid"),
            Sqlite => self.under("id"),
        }
    }

    /// The id under the key `id` of a row that is an object.
    pub fn id(self) -> String {
        match self.syntax {
            Postgres => "(v->>'id')::uuid".to_owned(),
            Sqlite => self.under("id"),
        }
    }

    /// What follows INSERT and UPDATE: a key of the application's that says ON
    /// CONFLICT REPLACE would delete rows of others without a word (SQLite).
    pub fn or_abort(self) -> &'static str {
        match self.syntax {
            Postgres => "",
            Sqlite => " OR ABORT",
        }
    }

    /// What an UPDATE of configs sets beside its own.
    pub fn touch_config(self) -> String {
        match self.syntax {
            Postgres => self.columns.touch(CONFIGS).to_owned(),
            Sqlite => format!(", updated_at = {}", self.now()),
        }
    }

    /// The id of a number called `n`.
    pub fn number_id(self) -> String {
        self.columns.number_id("n")
    }

    /// When the row of a number called `n` was last written.
    pub fn number_touched(self) -> String {
        match self.syntax {
            Postgres => self.columns.touched(NUMBERS, "n"),
            Sqlite => "n.updated_at".to_owned(),
        }
    }

    /// The config that the rules of a number called `n` name.
    pub fn config_of_number(self) -> String {
        match self.syntax {
            Postgres => config_id("n.rules"),
            Sqlite => sqlite_config_id("n.rules"),
        }
    }
}
