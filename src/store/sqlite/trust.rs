//! Trusted servers on SQLite.

use super::SqliteStore;
use super::sql::statement;
use crate::store::row_ext::RowExt;
use sqlx::Result;

impl SqliteStore {
    pub(crate) async fn trust(&mut self) -> Result<String> {
        let sql = self.look_at_tables().await?.trust_statement();
        let row = statement(sql).fetch_one(&mut self.conn).await?;
        Ok(row.some_text(0)?.to_owned())
    }
}
