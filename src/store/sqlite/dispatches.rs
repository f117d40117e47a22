//! Records of calls on SQLite. Each method is one statement, or two in one
//! transaction.

use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Sqlite};

use super::SqliteStore;
use crate::dispatch::Record;
use crate::store::dispatches::{Calls, Dialect, record};

type Result<T> = std::result::Result<T, sqlx::Error>;

const DIALECT: Dialect = Dialect {
    schema: String::new(),
    uuid: "",
    time: "",
    shown: str::to_owned,
};

fn statement(sql: String) -> Query<'static, Sqlite, SqliteArguments> {
    sqlx::query(AssertSqlSafe(sql))
}

impl SqliteStore {
    pub async fn record_call(&mut self, call: &Record, detail: &str) -> Result<Option<Record>> {
        let insert = Dialect::bind(statement(DIALECT.insert()), call, detail);
        if insert.execute(&mut self.conn).await?.rows_affected() == 1 {
            return Ok(None);
        }
        let key = call.idempotency_key.as_deref();
        self.call_of_key(key.unwrap_or_default()).await
    }

    pub async fn call_of_key(&mut self, key: &str) -> Result<Option<Record>> {
        let of_key = statement(DIALECT.of_key()).bind(key.to_owned());
        let row = of_key.fetch_optional(&mut self.conn).await?;
        row.as_ref().map(record).transpose()
    }

    pub async fn complete_call(&mut self, call: &Record, detail: &str) -> Result<u64> {
        let complete = statement(DIALECT.complete())
            .bind(call.id.to_string())
            .bind(call.finished_at.clone())
            .bind(call.status.as_str())
            .bind(call.idempotency_key.clone())
            .bind(call.dispatch_id.clone())
            .bind(call.worker_seen.clone())
            .bind(detail.to_owned());
        Ok(complete.execute(&mut self.conn).await?.rows_affected())
    }

    pub async fn release_key(&mut self, key: &str) -> Result<()> {
        let release = statement(DIALECT.release()).bind(key.to_owned());
        release.execute(&mut self.conn).await.map(drop)
    }

    pub async fn calls(&mut self, wanted: &Calls) -> Result<Vec<Record>> {
        let list = statement(DIALECT.list())
            .bind(wanted.number.map(|number| number.digits() as i64))
            .bind(wanted.number.map(|number| number.to_string()))
            .bind(wanted.config.clone())
            .bind(i64::from(wanted.last));
        let rows = list.fetch_all(&mut self.conn).await?;
        rows.iter().map(record).collect()
    }
}
