//! Records of calls on SQLite; each statement is a transaction of its own.

use super::SqliteStore;
use super::sql::statement;
use crate::dispatch::Record;
use crate::store::dispatches::{CallDialect, Calls, record, values};
use sqlx::Result;

const DIALECT: CallDialect = CallDialect {
    schema: String::new(),
    row,
    statuses: "SELECT value FROM json_each($5)",
    since: "$6",
    fallback: "detail ->> '$.fallback.name'",
    shown: str::to_owned,
};

fn row(columns: &[(&str, &str)]) -> String {
    let read = columns.iter();
    let read: Vec<String> = read
        .map(|(name, _)| format!("$1 ->> '{name}' AS {name}"))
        .collect();
    format!("(SELECT {}) AS r", read.join(", "))
}

impl SqliteStore {
    pub async fn record_call(&mut self, record: &Record) -> Result<u64> {
        let insert = statement(DIALECT.insert()).bind(values(record)?);
        let written = insert.execute(&mut self.conn).await?;
        Ok(written.rows_affected())
    }

    pub async fn complete_call(&mut self, record: &Record) -> Result<u64> {
        let complete = statement(DIALECT.complete()).bind(values(record)?);
        let done = complete.execute(&mut self.conn).await?;
        Ok(done.rows_affected())
    }

    pub async fn call_of_key(&mut self, key: &str) -> Result<Option<Record>> {
        let of_key = statement(DIALECT.of_key()).bind(key.to_owned());
        let found = of_key.fetch_optional(&mut self.conn).await?;
        found.as_ref().map(record).transpose()
    }

    pub async fn calls(&mut self, wanted: &Calls) -> Result<Vec<Record>> {
        let list = statement(DIALECT.list())
            .bind(wanted.number.map(|number| number.digits() as i64))
            .bind(wanted.number.map(|number| number.to_string()))
            .bind(wanted.config.clone())
            .bind(wanted.room.clone())
            .bind(wanted.status_list())
            .bind(wanted.since.clone())
            .bind(wanted.named.clone())
            .bind(i64::from(wanted.last));
        let rows = list.fetch_all(&mut self.conn).await?;
        rows.iter().map(record).collect()
    }
}
