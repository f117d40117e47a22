//! Records of calls on PostgreSQL. Each method is one short transaction.

use sqlx::PgConnection;
use sqlx::postgres::PgRow;

use super::PgStore;
use super::read::time;
use super::sql::{run, statement};
use crate::dispatch::Record;
use crate::store::cells::Cells;
use crate::store::dispatches::{
    CallNotes, Calls, Dialect, Noted, keys_taken, record, text, values,
};

type Result<T> = std::result::Result<T, sqlx::Error>;

fn rows(columns: &[(&str, &str)]) -> String {
    let typed = columns.iter().map(|(name, kind)| format!("{name} {kind}"));
    let typed: Vec<String> = typed.collect();
    format!("json_to_recordset($1::json) AS r({})", typed.join(", "))
}

impl PgStore {
    fn dialect(&self) -> Dialect {
        Dialect {
            schema: format!("{}.", self.q),
            rows,
            texts: "SELECT json_array_elements_text($1::json)",
            shown: time,
        }
    }

    pub async fn note_calls(&mut self, notes: &CallNotes<'_>) -> Result<Noted> {
        let dialect = self.dialect();
        run(&mut self.conn, "BEGIN").await?;
        let noted = note(&mut self.conn, &dialect, notes).await;
        ended(&mut self.conn, noted).await
    }

    pub async fn calls_of_keys(&mut self, keys: &[&str]) -> Result<Vec<Record>> {
        let dialect = self.dialect();
        run(&mut self.conn, "BEGIN READ ONLY").await?;
        let found = of_keys(&mut self.conn, &dialect, keys).await;
        ended(&mut self.conn, found).await
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

async fn note(conn: &mut PgConnection, dialect: &Dialect, notes: &CallNotes<'_>) -> Result<Noted> {
    let mut noted = Noted::default();
    if !notes.released.is_empty() {
        let release = statement(dialect.release()).bind(text(&notes.released)?);
        release.execute(&mut *conn).await?;
    }
    if !notes.done.is_empty() {
        let complete = statement(dialect.complete()).bind(values(&notes.done)?);
        noted.completed = complete.execute(&mut *conn).await?.rows_affected();
    }
    if !notes.new.is_empty() {
        let insert = statement(dialect.insert()).bind(values(&notes.new)?);
        let written = insert.fetch_all(&mut *conn).await?;
        let written: Result<Vec<_>> = written.iter().map(|row: &PgRow| row.some_uuid(0)).collect();
        let taken = keys_taken(&notes.new, &written?);
        if !taken.is_empty() {
            noted.taken = of_keys(conn, dialect, &taken).await?;
        }
    }
    Ok(noted)
}

async fn of_keys(conn: &mut PgConnection, dialect: &Dialect, keys: &[&str]) -> Result<Vec<Record>> {
    let of_keys = statement(dialect.of_keys()).bind(text(keys)?);
    let rows = of_keys.fetch_all(conn).await?;
    rows.iter().map(record).collect()
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
