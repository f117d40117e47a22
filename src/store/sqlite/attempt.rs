//! One attempt to apply a plan to a SQLite file: what its steps share.

use serde::Serialize;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::sql::{json, statement};
use crate::store::order::ApplyOrder;
use crate::store::stop::AttemptError;
use crate::store::work::Work;

/// What the steps of an apply share.
pub(super) struct SqliteAttempt<'a> {
    pub conn: &'a mut SqliteConnection,
    pub work: &'a Work<'a>,
    pub order: &'a ApplyOrder,
    /// Told how much of how much is done.
    pub progress: &'a mut dyn FnMut(u64, u64),
    pub done: u64,
    pub total: u64,
}

impl SqliteAttempt<'_> {
    pub fn advance(&mut self, rows: usize) {
        self.done += rows as u64;
        (self.progress)(self.done, self.total);
    }

    /// Runs a statement whose only value is `rows`, as JSON; the number of
    /// rows that it wrote.
    pub async fn write<T: Serialize>(
        &mut self,
        sql: impl Into<String>,
        rows: &[T],
    ) -> Result<u64, AttemptError> {
        if rows.is_empty() {
            return Ok(0);
        }
        let done = statement(sql).bind(json(rows)?).execute(&mut *self.conn);
        Ok(done.await?.rows_affected())
    }

    /// The rows of a query whose only value is `rows`, as JSON.
    pub async fn read<T: Serialize>(
        &mut self,
        sql: impl Into<String>,
        rows: &[T],
    ) -> Result<Vec<SqliteRow>, AttemptError> {
        let query = statement(sql).bind(json(rows)?);
        Ok(query.fetch_all(&mut *self.conn).await?)
    }
}
