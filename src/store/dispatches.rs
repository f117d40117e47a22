//! Records of calls: written before anything is sent, completed afterwards,
//! listed. Imports core.
//!
//! The values of a record travel as one JSON text; the SQL of both engines
//! differs in how that is read.

use serde_json::json;

use super::cells::Cells;
use super::{Engine, Store};
use crate::dispatch::{Record, Status};
use crate::error::{Error, Result};
use crate::phone::E164;

/// Which records to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calls {
    /// This many at most, the latest first.
    pub last: u32,
    /// The calling or the called number.
    pub number: Option<E164>,
    /// The name of the number's config, or of the fallback of a call.
    pub config: Option<String>,
    pub room: Option<String>,
    /// By room, dispatch id or id of the record.
    pub named: Option<String>,
    /// Any where empty.
    pub status: Vec<Status>,
    /// Not before this time: RFC 3339, UTC.
    pub since: Option<String>,
}

impl Store {
    /// Writes a record. Where its idempotency key has one already, nothing is
    /// written and that one is returned.
    pub async fn record_call(&mut self, record: &Record) -> Result<Option<Record>> {
        // A key that another call gives back in between is tried again.
        for _ in 0..3 {
            let written = on!(self, engine => engine.record_call(record).await);
            let written = written.map_err(|error| super::trouble::trouble(self.label(), &error))?;
            match &record.idempotency_key {
                Some(key) if written == 0 => {
                    if let Some(first) = self.call_of_key(key).await? {
                        return Ok(Some(first));
                    }
                }
                _ => return Ok(None),
            }
        }
        Err(Error::new(
            "the idempotency key is being used by other calls at this moment",
        ))
    }

    /// Sets what became of a call: `finished_at`, `status`, `idempotency_key`,
    /// `dispatch_id`, `worker`, `worker_seen`, `detail` of the record with this
    /// id.
    pub async fn complete_call(&mut self, record: &Record) -> Result<()> {
        let completed = on!(self, engine => engine.complete_call(record).await);
        match completed.map_err(|error| super::trouble::trouble(self.label(), &error))? {
            1 => Ok(()),
            _ => Err(Error::new(format!(
                "{}: the record of a call is gone",
                self.label()
            ))),
        }
    }

    /// The record of an idempotency key.
    pub async fn call_of_key(&mut self, key: &str) -> Result<Option<Record>> {
        let found = on!(self, engine => engine.call_of_key(key).await);
        found.map_err(|error| super::trouble::trouble(self.label(), &error))
    }

    /// The records that were asked for, the latest first.
    pub async fn calls(&mut self, wanted: &Calls) -> Result<Vec<Record>> {
        if !self.has_own_tables() {
            return Ok(Vec::new());
        }
        let found = on!(self, engine => engine.calls(wanted).await);
        found.map_err(|error| super::trouble::trouble(self.label(), &error))
    }
}

impl Calls {
    /// The statuses as one JSON text.
    pub(super) fn status_list(&self) -> Option<String> {
        (!self.status.is_empty()).then(|| json!(self.status).to_string())
    }
}

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

/// The values of a record, by column.
pub(super) fn values(record: &Record) -> Result<String, sqlx::Error> {
    let encode = |error: serde_json::Error| sqlx::Error::Encode(error.into());
    let detail = serde_json::to_string(&record.detail).map_err(encode)?;
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
        "detail": detail,
    });
    serde_json::to_string(&row).map_err(encode)
}

/// How an engine spells what differs.
pub(super) struct CallDialect {
    /// What precedes the table's name.
    pub schema: String,
    /// Reads `$1`, the [`values`] of a record, as the table `r`.
    pub row: fn(&[(&str, &str)]) -> String,
    /// Reads `$5`, a list of statuses.
    pub statuses: &'static str,
    /// Reads `$6`, a time.
    pub since: &'static str,
    /// Reads the name of a call's fallback in `detail`.
    pub fallback: &'static str,
    /// A column with a time, as RFC 3339.
    pub shown: fn(&str) -> String,
}

impl CallDialect {
    fn table(&self) -> String {
        format!("{}lkroute_dispatches", self.schema)
    }

    pub fn insert(&self) -> String {
        let names = COLUMNS.map(|(name, _)| name).join(", ");
        format!(
            "INSERT INTO {} ({names}) SELECT {names} FROM {} WHERE true
             ON CONFLICT (idempotency_key) DO NOTHING",
            self.table(),
            (self.row)(&COLUMNS)
        )
    }

    pub fn complete(&self) -> String {
        format!(
            "UPDATE {} AS d SET finished_at = r.finished_at, status = r.status,
               idempotency_key = r.idempotency_key, dispatch_id = r.dispatch_id,
               worker_seen = r.worker_seen, detail = r.detail, worker = r.worker
             FROM {} WHERE d.id = r.id",
            self.table(),
            (self.row)(&COLUMNS)
        )
    }

    fn select(&self) -> String {
        let CallDialect { shown, .. } = self;
        format!(
            "SELECT id, {}, {}, status, idempotency_key, from_number, to_number, tenant_id,
               config_id, config_name, room, dispatch_id, worker, worker_seen, actor, detail
             FROM {}",
            shown("at"),
            shown("finished_at"),
            self.table()
        )
    }

    pub fn of_key(&self) -> String {
        format!("{} WHERE idempotency_key = $1", self.select())
    }

    /// Values: digits and text of a number, name of a config, a room, statuses
    /// as a JSON list, a time, a room or an id, how many; NULL for what is not asked.
    pub fn list(&self) -> String {
        format!(
            "{} WHERE ($1 IS NULL OR from_number = $1 OR to_number = $2)
               AND ($3 IS NULL OR config_name = $3
                 OR CASE WHEN detail LIKE '%\"fallback\":{{%' THEN {} = $3 END)
               AND ($4 IS NULL OR room = $4)
               AND ($5 IS NULL OR status IN ({})) AND ($6 IS NULL OR at >= {})
               AND ($7 IS NULL OR room = $7 OR dispatch_id = $7 OR CAST(id AS text) = $7)
             ORDER BY at DESC, id DESC LIMIT $8",
            self.select(),
            self.fallback,
            self.statuses,
            self.since,
        )
    }
}

/// The columns of [`CallDialect::select`].
pub(super) fn record(row: &impl Cells) -> Result<Record, sqlx::Error> {
    let odd = |what: &str| sqlx::Error::Decode(format!("lkroute_dispatches: {what}").into());
    let text = |ix| row.text(ix).map(|text| text.map(str::to_owned));
    let from = u64::try_from(row.some_int(5)?).ok();
    let from = from.and_then(|digits| E164::from_digits(digits).ok());
    Ok(Record {
        id: row.some_uuid(0)?,
        at: row.some_text(1)?.to_owned(),
        finished_at: text(2)?,
        status: row
            .some_text(3)?
            .parse()
            .map_err(|error: Error| odd(&error.message))?,
        idempotency_key: text(4)?,
        from: from.ok_or_else(|| odd("not a number"))?,
        to: row.some_text(6)?.to_owned(),
        tenant: row.uuid(7)?,
        config_id: row.uuid(8)?,
        config_name: text(9)?,
        room: row.some_text(10)?.to_owned(),
        dispatch_id: text(11)?,
        worker: row.some_text(12)?.to_owned(),
        worker_seen: text(13)?,
        actor: row.some_text(14)?.to_owned(),
        detail: serde_json::from_str(row.some_text(15)?)
            .map_err(|error| odd(&error.to_string()))?,
    })
}
