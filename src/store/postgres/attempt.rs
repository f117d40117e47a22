//! One attempt to apply a plan to PostgreSQL: what its steps share.

use serde::Serialize;
use sqlx::PgConnection;

use super::sql::statement;
use crate::lookup::Columns;
use crate::store::order::ApplyOrder;
use crate::store::work::Work;

/// One attempt: what its steps share.
pub(super) struct PgAttempt<'a> {
    pub conn: &'a mut PgConnection,
    /// The server's process, once it is known.
    pub pid: &'a mut Option<i64>,
    /// The quoted schema.
    pub q: &'a str,
    pub columns: &'a Columns,
    pub work: &'a Work<'a>,
    pub order: &'a ApplyOrder,
    /// Told how much of how much is done.
    pub progress: &'a mut dyn FnMut(u64, u64),
    pub done: u64,
    pub total: u64,
}

impl PgAttempt<'_> {
    /// Runs a statement whose only value is `rows`, as JSON; the number of
    /// rows that it wrote.
    pub async fn write<T: Serialize>(
        &mut self,
        sql: impl AsRef<str>,
        rows: &[T],
    ) -> Result<u64, sqlx::Error> {
        if rows.is_empty() {
            return Ok(0);
        }
        let json = serde_json::to_string(rows).map_err(|e| sqlx::Error::Encode(e.into()))?;
        let done = statement(sql).bind(json).execute(&mut *self.conn);
        Ok(done.await?.rows_affected())
    }

    pub fn advance(&mut self, rows: usize) {
        self.done += rows as u64;
        (self.progress)(self.done, self.total);
    }
}
