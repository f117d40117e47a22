//! Records of calls on PostgreSQL. Each method is one short transaction.

use sqlx::PgConnection;

use super::PgStore;
use super::read::time;
use super::sql::{run, statement};
use crate::dispatch::Record;
use crate::store::dispatches::{Calls, Dialect, record};

type Result<T> = std::result::Result<T, sqlx::Error>;

impl PgStore {
    fn dialect(&self) -> Dialect {
        Dialect {
            schema: format!("{}.", self.q),
            uuid: "::uuid",
            time: "::timestamptz",
            shown: time,
        }
    }

    pub async fn record_call(&mut self, call: &Record, detail: &str) -> Result<Option<Record>> {
        let dialect = self.dialect();
        let conn = &mut self.conn;
        run(conn, "BEGIN").await?;
        let written = async {
            let insert = Dialect::bind(statement(dialect.insert()), call, detail);
            if insert.execute(&mut *conn).await?.rows_affected() == 1 {
                return Ok(None);
            }
            let key = call.idempotency_key.as_deref();
            find(conn, &dialect, key.unwrap_or_default()).await
        };
        let written = written.await;
        ended(conn, written).await
    }

    pub async fn call_of_key(&mut self, key: &str) -> Result<Option<Record>> {
        let dialect = self.dialect();
        run(&mut self.conn, "BEGIN READ ONLY").await?;
        let found = find(&mut self.conn, &dialect, key).await;
        ended(&mut self.conn, found).await
    }

    pub async fn complete_call(&mut self, call: &Record, detail: &str) -> Result<u64> {
        let complete = statement(self.dialect().complete())
            .bind(call.id.to_string())
            .bind(call.finished_at.clone())
            .bind(call.status.as_str())
            .bind(call.idempotency_key.clone())
            .bind(call.dispatch_id.clone())
            .bind(call.worker_seen.clone())
            .bind(detail.to_owned());
        run(&mut self.conn, "BEGIN").await?;
        let done = complete.execute(&mut self.conn).await;
        ended(&mut self.conn, done.map(|done| done.rows_affected())).await
    }

    pub async fn release_key(&mut self, key: &str) -> Result<()> {
        let release = statement(self.dialect().release()).bind(key.to_owned());
        run(&mut self.conn, "BEGIN").await?;
        let done = release.execute(&mut self.conn).await;
        ended(&mut self.conn, done.map(drop)).await
    }

    pub async fn calls(&mut self, wanted: &Calls) -> Result<Vec<Record>> {
        let list = statement(self.dialect().list())
            .bind(wanted.number.map(|number| number.digits() as i64))
            .bind(wanted.number.map(|number| number.to_string()))
            .bind(wanted.config.clone())
            .bind(i64::from(wanted.last));
        run(&mut self.conn, "BEGIN READ ONLY").await?;
        let rows = list.fetch_all(&mut self.conn).await;
        let rows = ended(&mut self.conn, rows).await?;
        rows.iter().map(record).collect()
    }
}

async fn find(conn: &mut PgConnection, dialect: &Dialect, key: &str) -> Result<Option<Record>> {
    let of_key = statement(dialect.of_key()).bind(key.to_owned());
    let row = of_key.fetch_optional(conn).await?;
    row.as_ref().map(record).transpose()
}

/// Ends the transaction that the result came from.
async fn ended<T>(conn: &mut PgConnection, result: Result<T>) -> Result<T> {
    match result {
        Ok(value) => run(conn, "COMMIT").await.map(|()| value),
        Err(error) => {
            // The first error is the one to report.
            let _ = run(conn, "ROLLBACK").await;
            Err(error)
        }
    }
}
