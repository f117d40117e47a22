//! Records of calls: written before anything is sent, completed afterwards,
//! listed. Imports core; the statements are in `lookup`.

use serde_json::json;

use super::row_ext::RowExt;
use super::{Engine, Store};
use crate::dispatch::{Record, Status};
use crate::error::{Error, Result};
use crate::lookup::{UnreadableRecord, read_listed_record, read_record, record_values};
use crate::phone::E164;

/// Which records to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallFilter {
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
    /// Writes a record; false where its idempotency key has one already.
    pub async fn insert_call(&mut self, record: &Record) -> Result<bool> {
        let written = on!(self, engine => engine.insert_call(record).await);
        written.map_err(|error| super::error_map::database_error(self.label(), &error))
    }

    /// Sets what became of the call of this record.
    pub async fn complete_call(&mut self, record: &Record) -> Result<bool> {
        let completed = on!(self, engine => engine.complete_call(record).await);
        let completed =
            completed.map_err(|error| super::error_map::database_error(self.label(), &error))?;
        match completed {
            Some(status) => Ok(status == record.status.as_str()),
            None => Err(Error::new(format!(
                "{}: the record of a call is gone",
                self.label()
            ))),
        }
    }

    /// The record of an idempotency key.
    pub async fn call_of_key(&mut self, key: &str) -> Result<Option<Record>> {
        let found = on!(self, engine => engine.call_of_key(key).await);
        found.map_err(|error| super::error_map::database_error(self.label(), &error))
    }

    /// The records that were asked for.
    pub async fn calls(&mut self, wanted: &CallFilter) -> Result<FoundCalls> {
        if !self.has_own_tables() {
            return Ok(FoundCalls::default());
        }
        let found = on!(self, engine => engine.calls(wanted).await);
        found.map_err(|error| super::error_map::database_error(self.label(), &error))
    }
}

/// Records of calls.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FoundCalls {
    /// The latest first.
    pub records: Vec<Record>,
    /// Those among them that can't be read: of a later lkroute, or damaged.
    pub unreadable: Vec<UnreadableRecord>,
}

impl FoundCalls {
    pub(super) fn of_rows<R: RowExt>(rows: &[R]) -> FoundCalls {
        let mut found = FoundCalls::default();
        for row in rows {
            let text = row.some_text(0).map_err(|error| UnreadableRecord {
                record_id: String::new(),
                why: error.to_string(),
            });
            match text.and_then(read_listed_record) {
                Ok(record) => found.records.push(record),
                Err(unreadable) => found.unreadable.push(unreadable),
            }
        }
        found
    }
}

impl CallFilter {
    /// The statuses as one JSON text.
    pub(super) fn status_list(&self) -> Option<String> {
        (!self.status.is_empty()).then(|| json!(self.status).to_string())
    }
}

/// The values of a record, to be bound.
pub(super) fn values(record: &Record) -> Result<String, sqlx::Error> {
    record_values(record).map_err(|error| sqlx::Error::Encode(error.into()))
}

/// The record of a row.
pub(super) fn record(row: &impl RowExt) -> Result<Record, sqlx::Error> {
    read_record(row.some_text(0)?).map_err(|error| sqlx::Error::Decode(error.into()))
}
