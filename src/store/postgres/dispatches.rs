//! Records of calls on PostgreSQL. Each method is one short transaction.

use sqlx::Result;

use super::PgStore;
use super::read::time;
use super::sql::{UNATTENDED, statement};
use crate::dispatch::Record;
use crate::store::dispatches::{CallDialect, Calls, record, values};

fn row(columns: &[(&str, &str)]) -> String {
    let typed = columns.iter().map(|(name, kind)| format!("{name} {kind}"));
    let typed: Vec<String> = typed.collect();
    format!("json_to_record($1::json) AS r({})", typed.join(", "))
}

impl PgStore {
    fn dialect(&self) -> CallDialect {
        CallDialect {
            schema: format!("{}.", self.q),
            row,
            statuses: "SELECT json_array_elements_text($5::json)",
            since: "$6::timestamptz",
            fallback: "detail::json #>> '{fallback,name}'",
            shown: time,
        }
    }

    async fn begin(&mut self, begin: &str) -> Result<()> {
        let begin = format!("{begin}; {}", self.waits.settings());
        self.run(&begin).await
    }

    pub async fn record_call(&mut self, record: &Record) -> Result<u64> {
        let insert = statement(self.dialect().insert()).bind(values(record)?);
        self.begin(&to_write()).await?;
        let written = self.waits.answer(insert.execute(&mut self.conn)).await;
        Ok(self.ended(written).await?.rows_affected())
    }

    pub async fn complete_call(&mut self, record: &Record) -> Result<u64> {
        let complete = statement(self.dialect().complete()).bind(values(record)?);
        self.begin(&to_write()).await?;
        let done = self.waits.answer(complete.execute(&mut self.conn)).await;
        Ok(self.ended(done).await?.rows_affected())
    }

    pub async fn call_of_key(&mut self, key: &str) -> Result<Option<Record>> {
        let of_key = statement(self.dialect().of_key()).bind(key.to_owned());
        self.begin("BEGIN READ ONLY").await?;
        let found = of_key.fetch_optional(&mut self.conn);
        let found = self.waits.answer(found).await;
        let found = self.ended(found).await?;
        found.as_ref().map(record).transpose()
    }

    pub async fn calls(&mut self, wanted: &Calls) -> Result<Vec<Record>> {
        let list = statement(self.dialect().list())
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
        rows.iter().map(record).collect()
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
    format!("BEGIN; {UNATTENDED}")
}
