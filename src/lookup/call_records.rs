//! The statements that write and read the records of calls, for both engines,
//! and what they give. Core.
//!
//! The values of a record travel as one JSON text, and a record comes back as
//! one, so that no driver's types matter: see [`super`].

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::dialect::SqlSyntax::{self, Postgres, Sqlite};
use super::json_row::{JsonRow, read_document};
use crate::dispatch::{Record, Status};
use crate::error::Error;
use crate::phone::E164;

/// The columns of `lkroute_dispatches`, with their types on PostgreSQL.
const COLUMNS: [(&str, &str); 16] = [
    ("id", "uuid"),
    ("at", "timestamptz"),
    ("finished_at", "timestamptz"),
    ("status", "text"),
    ("idempotency_key", "text"),
    ("from_number", "bigint"),
    ("to_number", "text"),
    ("tenant_id", "uuid"),
    ("config_id", "uuid"),
    ("config_name", "text"),
    ("room", "text"),
    ("dispatch_id", "text"),
    ("worker", "text"),
    ("worker_seen", "text"),
    ("actor", "text"),
    ("detail", "text"),
];

/// How many values a statement has at most.
const VALUES: usize = 8;

/// The statements for one database. Each that writes gives a text where it
/// wrote; one that reads gives a record a row, which
/// [`read_record`] reads.
#[derive(Debug, Clone)]
pub struct CallStatements {
    table: String,
    syntax: SqlSyntax,
}

impl CallStatements {
    /// `schema` is in quotes.
    pub fn postgres(schema: &str) -> CallStatements {
        CallStatements {
            table: format!("{schema}.lkroute_dispatches"),
            syntax: Postgres,
        }
    }

    pub fn sqlite() -> CallStatements {
        CallStatements {
            table: "lkroute_dispatches".to_owned(),
            syntax: Sqlite,
        }
    }

    /// Reads `$1`, the [`record_values`] of a record, as the table `r`.
    fn row(&self) -> String {
        match self.syntax {
            Postgres => {
                let typed = COLUMNS.map(|(name, kind)| format!("{name} {kind}"));
                let typed = typed.join(", ");
                format!("pg_catalog.json_to_record($1::text::json) AS r({typed})")
            }
            Sqlite => {
                let read = COLUMNS.map(|(name, _)| format!("$1 ->> '{name}' AS {name}"));
                format!("(SELECT {}) AS r", read.join(", "))
            }
        }
    }

    /// The id of what was written, as text.
    fn written_id(&self) -> &'static str {
        match self.syntax {
            Postgres => "d.id::text",
            Sqlite => "id",
        }
    }

    /// True, and a crash of the server loses nothing of what the statement writes, also
    /// where others have switched that off: a record that is gone is a second call.
    fn made_durable(&self) -> &'static str {
        match self.syntax {
            Postgres => {
                "CASE pg_catalog.current_setting('synchronous_commit') WHEN 'off' THEN
                   pg_catalog.set_config('synchronous_commit', 'local', true) = 'local'
                 ELSE true END"
            }
            Sqlite => "true",
        }
    }

    /// With the values as the engine has them, of `$1` and so on.
    fn spelled(&self, sql: String) -> String {
        match self.syntax {
            Postgres => sql,
            Sqlite => {
                let numbers = 1..=VALUES;
                numbers.fold(sql, |sql, n| {
                    sql.replace(&format!("${n}"), &format!("?{n}"))
                })
            }
        }
    }

    /// Writes the record of `$1`, unless its idempotency key has one. So it may be tried
    /// again where its answer was lost.
    pub fn insert(&self) -> String {
        let (table, names) = (&self.table, COLUMNS.map(|(name, _)| name).join(", "));
        self.spelled(format!(
            "INSERT INTO {table} AS d ({names}) SELECT {names} FROM {}
               WHERE {} AND NOT EXISTS (SELECT 1 FROM {table} AS o WHERE o.id = r.id)
             ON CONFLICT (idempotency_key) DO NOTHING RETURNING {}",
            self.row(),
            self.made_durable(),
            self.written_id(),
        ))
    }

    /// Sets what became of the call of `$1`, unless it was cancelled meanwhile; gives the
    /// status that the record has then.
    pub fn complete(&self) -> String {
        let kept = Status::Cancelled.as_str();
        let columns = [
            "finished_at",
            "status",
            "idempotency_key",
            "dispatch_id",
            "worker_seen",
            "detail",
            "worker",
        ];
        let set = columns.map(|name| {
            format!("{name} = CASE WHEN d.status = '{kept}' THEN d.{name} ELSE r.{name} END")
        });
        let status = match self.syntax {
            Postgres => "d.status",
            Sqlite => "status",
        };
        self.spelled(format!(
            "UPDATE {} AS d SET {} FROM {} WHERE {} AND d.id = r.id RETURNING {status}",
            self.table,
            set.join(", "),
            self.row(),
            self.made_durable(),
        ))
    }

    fn select(&self) -> String {
        let shown = COLUMNS.map(|(name, kind)| match kind {
            "timestamptz" => self.syntax.time(&format!("d.{name}")),
            _ => format!("d.{name}"),
        });
        let shown = shown.join(", ");
        let record = match self.syntax {
            Postgres => format!("pg_catalog.json_build_array({shown})::text"),
            Sqlite => format!("json_array({shown})"),
        };
        format!("SELECT {record} FROM {} d", self.table)
    }

    /// The record of the idempotency key `$1`.
    pub fn of_key(&self) -> String {
        self.spelled(format!("{} WHERE d.idempotency_key = $1", self.select()))
    }

    /// Values: digits and text of a number, name of a config, a room, statuses
    /// as a JSON list, a time, a room or an id, how many; NULL for what is not asked.
    pub fn list(&self) -> String {
        let (statuses, since, fallback) = match self.syntax {
            Postgres => (
                "SELECT pg_catalog.json_array_elements_text($5::json)",
                "$6::timestamptz",
                "d.detail::json #>> '{fallback,name}'",
            ),
            Sqlite => (
                "SELECT value FROM json_each($5)",
                "$6",
                "d.detail ->> '$.fallback.name'",
            ),
        };
        self.spelled(format!(
            "{} WHERE ($1 IS NULL OR d.from_number = $1 OR d.to_number = $2)
               AND ($3 IS NULL OR d.config_name = $3
                 OR CASE WHEN d.detail LIKE '%\"fallback\":{{%' THEN {fallback} = $3 END)
               AND ($4 IS NULL OR d.room = $4)
               AND ($5 IS NULL OR d.status IN ({statuses})) AND ($6 IS NULL OR d.at >= {since})
               AND ($7 IS NULL OR d.room = $7 OR d.dispatch_id = $7 OR CAST(d.id AS text) = $7)
             ORDER BY d.at DESC, d.id DESC LIMIT $8",
            self.select(),
        ))
    }
}

/// The values of a record, by column.
///
/// # Errors
/// What is kept as JSON can't be written as such.
pub fn record_values(record: &Record) -> Result<String, serde_json::Error> {
    let row = json!({
        "id": record.id,
        "at": record.at,
        "finished_at": record.finished_at,
        "status": record.status,
        "idempotency_key": record.idempotency_key,
        "from_number": record.from.digits(),
        "to_number": record.to,
        "tenant_id": record.tenant,
        "config_id": record.config_id,
        "config_name": record.config_name,
        "room": record.room,
        "dispatch_id": record.dispatch_id,
        "worker": record.worker,
        "worker_seen": record.worker_seen,
        "actor": record.actor,
        "detail": serde_json::to_string(&record.detail)?,
    });
    serde_json::to_string(&row)
}

/// A record, as a statement gave it.
///
/// # Errors
/// It is not what the statement gives: says which column.
pub fn read_record(text: &str) -> Result<Record, String> {
    let document = read_document(text)?;
    let row = JsonRow::read(&document)?;
    of_row(&row).map_err(|error| format!("lkroute_dispatches: {error}"))
}

/// A record among others that can't be read here, by its id as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UnreadableRecord {
    pub record_id: String,
    pub why: String,
}

/// A record of a list: one that can't be read keeps nobody from the others.
///
/// # Errors
/// Says which, and why.
pub fn read_listed_record(text: &str) -> Result<Record, UnreadableRecord> {
    let document = read_document(text);
    let row = document
        .as_ref()
        .map_err(Clone::clone)
        .and_then(JsonRow::read);
    let read = row.as_ref().map_err(Clone::clone).and_then(of_row);
    read.map_err(|why| {
        let id = row.ok().and_then(|row| Some(row.text(0).ok()??.to_owned()));
        UnreadableRecord {
            record_id: id.unwrap_or_default(),
            why,
        }
    })
}

fn of_row(row: &JsonRow<'_>) -> Result<Record, String> {
    let text = |ix| row.text(ix).map(|text| text.map(str::to_owned));
    let some = |ix| row.some_text(ix).map(str::to_owned);
    let from = row.int(5)?.and_then(|digits| u64::try_from(digits).ok());
    let from = from.and_then(|digits| E164::from_digits(digits).ok());
    let status: Result<Status, Error> = row.some_text(3)?.parse();
    Ok(Record {
        id: row.some_uuid(0)?,
        at: some(1)?,
        finished_at: text(2)?,
        status: status.map_err(|error| error.message)?,
        idempotency_key: text(4)?,
        from: from.ok_or("not a number")?,
        to: some(6)?,
        tenant: row.uuid(7)?,
        config_id: row.uuid(8)?,
        config_name: text(9)?,
        room: some(10)?,
        dispatch_id: text(11)?,
        worker: some(12)?,
        worker_seen: text(13)?,
        actor: some(14)?,
        detail: serde_json::from_str(row.some_text(15)?).map_err(|error| error.to_string())?,
    })
}
