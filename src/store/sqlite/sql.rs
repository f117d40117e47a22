//! Statements of SQLite: made, and run.

use futures_util::TryStreamExt;
use serde::Serialize;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Either, Sqlite, SqliteConnection};

pub(super) fn json<T: Serialize>(rows: &[T]) -> Result<String, sqlx::Error> {
    serde_json::to_string(rows).map_err(|error| sqlx::Error::Encode(error.into()))
}

pub(super) fn statement(sql: impl Into<String>) -> Query<'static, Sqlite, SqliteArguments> {
    sqlx::query(AssertSqlSafe(sql.into()))
}

/// Runs statements without values and without rows.
pub(super) async fn run(conn: &mut SqliteConnection, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await?;
    Ok(())
}

/// Runs statements without values, and gives the rows of each.
pub(super) async fn sets(
    conn: &mut SqliteConnection,
    sql: &str,
) -> Result<Vec<Vec<SqliteRow>>, sqlx::Error> {
    let mut all = Vec::new();
    let mut rows = Vec::new();
    let mut stream = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_many(conn);
    while let Some(step) = stream.try_next().await? {
        match step {
            Either::Left(_) => all.push(std::mem::take(&mut rows)),
            Either::Right(row) => rows.push(row),
        }
    }
    Ok(all)
}
