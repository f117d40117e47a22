//! Records of calls: written before anything is sent, completed afterwards,
//! listed. Imports core.
//!
//! The SQL is the same on both engines but for the types of its values, which
//! travel as text and numbers.

use sqlx::query::Query;
use sqlx::{Database, Encode, IntoArguments, Type};

use super::cells::Cells;
use super::{Engine, Store};
use crate::dispatch::Record;
use crate::error::{Error, Result};
use crate::phone::E164;

/// Which records to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calls {
    /// This many at most, the latest first.
    pub last: u32,
    /// The calling or the called number.
    pub number: Option<E164>,
    /// The config's name.
    pub config: Option<String>,
}

impl Store {
    /// Writes a record. Where its idempotency key has one already, nothing is
    /// written, and that one is returned.
    pub async fn record_call(&mut self, record: &Record) -> Result<Option<Record>> {
        let detail = serde_json::to_string(&record.detail).map_err(unwritable)?;
        let found = match &mut self.0 {
            Engine::Postgres(engine) => engine.record_call(record, &detail).await,
            Engine::Sqlite(engine) => engine.record_call(record, &detail).await,
        };
        found.map_err(|error| super::trouble::trouble(self.label(), &error))
    }

    /// The record of an idempotency key.
    pub async fn call_of_key(&mut self, key: &str) -> Result<Option<Record>> {
        let found = match &mut self.0 {
            Engine::Postgres(engine) => engine.call_of_key(key).await,
            Engine::Sqlite(engine) => engine.call_of_key(key).await,
        };
        found.map_err(|error| super::trouble::trouble(self.label(), &error))
    }

    /// Sets what became of the call with this record's id: `finished_at`,
    /// `status`, `idempotency_key`, `dispatch_id`, `worker_seen`, `detail`.
    pub async fn complete_call(&mut self, record: &Record) -> Result<()> {
        let detail = serde_json::to_string(&record.detail).map_err(unwritable)?;
        let changed = match &mut self.0 {
            Engine::Postgres(engine) => engine.complete_call(record, &detail).await,
            Engine::Sqlite(engine) => engine.complete_call(record, &detail).await,
        };
        match changed.map_err(|error| super::trouble::trouble(self.label(), &error))? {
            1 => Ok(()),
            _ => Err(Error::new(format!(
                "{}: the record of call {} is gone",
                self.label(),
                record.id
            ))),
        }
    }

    /// Takes an idempotency key from the record that has it, so that the call
    /// may be placed again.
    pub async fn release_key(&mut self, key: &str) -> Result<()> {
        let released = match &mut self.0 {
            Engine::Postgres(engine) => engine.release_key(key).await,
            Engine::Sqlite(engine) => engine.release_key(key).await,
        };
        released.map_err(|error| super::trouble::trouble(self.label(), &error))
    }

    /// The records that were asked for, the latest first.
    pub async fn calls(&mut self, wanted: &Calls) -> Result<Vec<Record>> {
        let found = match &mut self.0 {
            Engine::Postgres(engine) => engine.calls(wanted).await,
            Engine::Sqlite(engine) => engine.calls(wanted).await,
        };
        found.map_err(|error| super::trouble::trouble(self.label(), &error))
    }
}

fn unwritable(error: serde_json::Error) -> Error {
    Error::new(format!("can't write the record of a call: {error}"))
}

/// How an engine spells what differs.
pub(super) struct Dialect {
    /// What precedes the table's name.
    pub schema: String,
    /// Casts of values that come as text.
    pub uuid: &'static str,
    pub time: &'static str,
    /// A column with a time, as RFC 3339.
    pub shown: fn(&str) -> String,
}

impl Dialect {
    fn table(&self) -> String {
        format!("{}lkroute_dispatches", self.schema)
    }

    pub fn insert(&self) -> String {
        let Dialect { uuid, time, .. } = self;
        format!(
            "INSERT INTO {} (id, at, finished_at, status, idempotency_key, from_number, to_number,
               tenant_id, config_id, config_name, room, dispatch_id, worker, worker_seen, actor,
               detail)
             VALUES ($1{uuid}, $2{time}, $3{time}, $4, $5, $6, $7, $8{uuid}, $9{uuid}, $10, $11,
               $12, $13, $14, $15, $16)
             ON CONFLICT (idempotency_key) DO NOTHING",
            self.table()
        )
    }

    /// Binds what [`Dialect::insert`] needs.
    pub fn bind<'q, DB>(
        query: Query<'q, DB, DB::Arguments>,
        record: &Record,
        detail: &str,
    ) -> Query<'q, DB, DB::Arguments>
    where
        DB: Database,
        DB::Arguments: IntoArguments<DB>,
        Option<String>: for<'e> Encode<'e, DB> + Type<DB>,
        i64: for<'e> Encode<'e, DB> + Type<DB>,
    {
        let uuid = |id: Option<uuid::Uuid>| id.map(|id| id.to_string());
        query
            .bind(uuid(Some(record.id)))
            .bind(Some(record.at.clone()))
            .bind(record.finished_at.clone())
            .bind(Some(record.status.as_str().to_owned()))
            .bind(record.idempotency_key.clone())
            .bind(record.from.digits() as i64)
            .bind(Some(record.to.clone()))
            .bind(uuid(record.tenant))
            .bind(uuid(record.config_id))
            .bind(record.config_name.clone())
            .bind(Some(record.room.clone()))
            .bind(record.dispatch_id.clone())
            .bind(Some(record.worker.clone()))
            .bind(record.worker_seen.clone())
            .bind(Some(record.actor.clone()))
            .bind(Some(detail.to_owned()))
    }

    /// Values: id, finished_at, status, idempotency_key, dispatch_id,
    /// worker_seen, detail.
    pub fn complete(&self) -> String {
        let Dialect { uuid, time, .. } = self;
        format!(
            "UPDATE {} SET finished_at = $2{time}, status = $3, idempotency_key = $4,
               dispatch_id = $5, worker_seen = $6, detail = $7 WHERE id = $1{uuid}",
            self.table()
        )
    }

    /// Values: the key.
    pub fn release(&self) -> String {
        format!(
            "UPDATE {} SET idempotency_key = NULL WHERE idempotency_key = $1",
            self.table()
        )
    }

    fn select(&self) -> String {
        let Dialect { shown, .. } = self;
        format!(
            "SELECT id, {}, {}, status, idempotency_key, from_number, to_number, tenant_id,
               config_id, config_name, room, dispatch_id, worker, worker_seen, actor, detail
             FROM {}",
            shown("at"),
            shown("finished_at"),
            self.table()
        )
    }

    /// Values: the key.
    pub fn of_key(&self) -> String {
        format!("{} WHERE idempotency_key = $1", self.select())
    }

    /// Values: digits and text of a number, name of a config, how many; NULL
    /// for what is not asked.
    pub fn list(&self) -> String {
        format!(
            "{} WHERE ($1 IS NULL OR from_number = $1 OR to_number = $2)
               AND ($3 IS NULL OR config_name = $3)
             ORDER BY at DESC, id DESC LIMIT $4",
            self.select()
        )
    }
}

/// The columns of [`Dialect::select`].
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
