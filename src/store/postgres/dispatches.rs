//! Records of calls on PostgreSQL. Each method is one short transaction.

use sqlx::{Result, Row};

use super::PgStore;
use super::sql::{TO_WRITE, UNATTENDED, statement};
use crate::dispatch::Record;
use crate::lookup::CallStatements;
use crate::store::dispatches::{CallFilter, FoundCalls, record, values};

impl PgStore {
    fn call_statements(&self) -> CallStatements {
        CallStatements::postgres(&self.quoted_schema)
    }

    async fn begin(&mut self, begin: &str) -> Result<()> {
        let begin = format!("{begin}; {}", self.waits.settings());
        self.run(&begin).await
    }

    pub(crate) async fn insert_call(&mut self, record: &Record) -> Result<bool> {
        let written = self.write_record(self.call_statements().insert(), record);
        Ok(written.await?.is_some())
    }

    pub(crate) async fn complete_call(&mut self, record: &Record) -> Result<Option<String>> {
        self.write_record(self.call_statements().complete(), record)
            .await
    }

    async fn write_record(&mut self, sql: String, record: &Record) -> Result<Option<String>> {
        let write = statement(sql).bind(values(record)?);
        self.begin(&to_write()).await?;
        let written = self.waits.answer(write.fetch_all(&mut self.conn)).await;
        let written = self.ended(written).await?;
        written.first().map(|row| row.try_get(0)).transpose()
    }

    pub(crate) async fn call_of_key(&mut self, key: &str) -> Result<Option<Record>> {
        let of_key = statement(self.call_statements().of_key()).bind(key.to_owned());
        self.begin("BEGIN READ ONLY").await?;
        let found = of_key.fetch_optional(&mut self.conn);
        let found = self.waits.answer(found).await;
        let found = self.ended(found).await?;
        found.as_ref().map(record).transpose()
    }

    pub(crate) async fn calls(&mut self, wanted: &CallFilter) -> Result<FoundCalls> {
        let list = statement(self.call_statements().list())
            .bind(wanted.number.map(|number| number.digits() as i64))
            .bind(wanted.number.map(|number| number.to_string()))
            .bind(wanted.config.clone())
            .bind(wanted.room.clone())
            .bind(wanted.status_list())
            .bind(wanted.since.clone())
            .bind(wanted.named.clone())
            .bind(i64::from(wanted.last));
        self.begin("BEGIN READ ONLY").await?;
        let rows = self.waits.answer(list.fetch_all(&mut self.conn)).await;
        let rows = self.ended(rows).await?;
        Ok(FoundCalls::of_rows(&rows))
    }

    /// Ends the transaction that the result came from.
    async fn ended<T>(&mut self, result: Result<T>) -> Result<T> {
        match result {
            Ok(value) => self.run("COMMIT").await.map(|()| value),
            // There is nobody to be told.
            Err(error @ sqlx::Error::Io(_)) => Err(error),
            Err(error) => {
                // The first error is the one to report.
                let _ = self.run("ROLLBACK").await;
                Err(error)
            }
        }
    }
}

fn to_write() -> String {
    format!("{TO_WRITE}; {UNATTENDED}")
}
