//! Records of calls on SQLite; each statement is a transaction of its own.

use sqlx::{Result, Row};

use super::SqliteStore;
use super::sql::statement;
use crate::dispatch::Record;
use crate::lookup::CallStatements;
use crate::store::dispatches::{CallFilter, FoundCalls, record, values};

impl SqliteStore {
    pub(crate) async fn insert_call(&mut self, record: &Record) -> Result<bool> {
        let written = self.write_record(CallStatements::sqlite().insert(), record);
        Ok(written.await?.is_some())
    }

    pub(crate) async fn complete_call(&mut self, record: &Record) -> Result<Option<String>> {
        self.write_record(CallStatements::sqlite().complete(), record)
            .await
    }

    async fn write_record(&mut self, sql: String, record: &Record) -> Result<Option<String>> {
        let write = statement(sql).bind(values(record)?);
        let written = write.fetch_all(&mut self.conn).await?;
        written.first().map(|row| row.try_get(0)).transpose()
    }

    pub(crate) async fn call_of_key(&mut self, key: &str) -> Result<Option<Record>> {
        let of_key = statement(CallStatements::sqlite().of_key()).bind(key.to_owned());
        let found = of_key.fetch_optional(&mut self.conn).await?;
        found.as_ref().map(record).transpose()
    }

    pub(crate) async fn calls(&mut self, wanted: &CallFilter) -> Result<FoundCalls> {
        let list = statement(CallStatements::sqlite().list())
            .bind(wanted.number.map(|number| number.digits() as i64))
            .bind(wanted.number.map(|number| number.to_string()))
            .bind(wanted.config.clone())
            .bind(wanted.room.clone())
            .bind(wanted.status_list())
            .bind(wanted.since.clone())
            .bind(wanted.named.clone())
            .bind(i64::from(wanted.last));
        let rows = list.fetch_all(&mut self.conn).await?;
        Ok(FoundCalls::of_rows(&rows))
    }
}
