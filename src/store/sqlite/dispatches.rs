//! Records of calls on SQLite.

use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::apply::statement;
use super::{SqliteStore, run};
use crate::dispatch::Record;
use crate::store::cells::Cells;
use crate::store::dispatches::{
    CallNotes, Calls, Dialect, Noted, keys_taken, record, text, values,
};

type Result<T> = std::result::Result<T, sqlx::Error>;

const DIALECT: Dialect = Dialect {
    schema: String::new(),
    rows,
    texts: "SELECT value FROM json_each($1)",
    shown: str::to_owned,
};

fn rows(columns: &[(&str, &str)]) -> String {
    let read = columns.iter();
    let read: Vec<String> = read
        .map(|(name, _)| format!("value ->> '{name}' AS {name}"))
        .collect();
    format!("(SELECT {} FROM json_each($1)) AS r", read.join(", "))
}

impl SqliteStore {
    pub async fn note_calls(&mut self, notes: &CallNotes<'_>) -> Result<Noted> {
        run(&mut self.conn, "BEGIN IMMEDIATE").await?;
        match note(&mut self.conn, notes).await {
            Ok(noted) => run(&mut self.conn, "COMMIT").await.map(|()| noted),
            Err(error) => {
                // The first error is the one to report.
                let _ = run(&mut self.conn, "ROLLBACK").await;
                Err(error)
            }
        }
    }

    pub async fn calls_of_keys(&mut self, keys: &[&str]) -> Result<Vec<Record>> {
        of_keys(&mut self.conn, keys).await
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

async fn note(conn: &mut SqliteConnection, notes: &CallNotes<'_>) -> Result<Noted> {
    let mut noted = Noted::default();
    if !notes.released.is_empty() {
        let release = statement(DIALECT.release()).bind(text(&notes.released)?);
        release.execute(&mut *conn).await?;
    }
    if !notes.done.is_empty() {
        let complete = statement(DIALECT.complete()).bind(values(&notes.done)?);
        noted.completed = complete.execute(&mut *conn).await?.rows_affected();
    }
    if !notes.new.is_empty() {
        let insert = statement(DIALECT.insert()).bind(values(&notes.new)?);
        let written = insert.fetch_all(&mut *conn).await?;
        let id = |row: &SqliteRow| row.some_uuid(0);
        let written: Result<Vec<_>> = written.iter().map(id).collect();
        let taken = keys_taken(&notes.new, &written?);
        if !taken.is_empty() {
            noted.taken = of_keys(conn, &taken).await?;
        }
    }
    Ok(noted)
}

async fn of_keys(conn: &mut SqliteConnection, keys: &[&str]) -> Result<Vec<Record>> {
    let of_keys = statement(DIALECT.of_keys()).bind(text(keys)?);
    let rows = of_keys.fetch_all(conn).await?;
    rows.iter().map(record).collect()
}
