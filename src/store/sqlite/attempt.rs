//! One attempt to apply a plan to a SQLite file.

use futures_util::TryStreamExt;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::read::{number_row, numbers_select};
use super::sql::{json, sets, statement};
use crate::lookup::Dialect;
use crate::snapshot::NumberRow;
use crate::store::attempt::Attempt;
use crate::store::error_map::error_code;
use crate::store::session::Session;

pub(super) type SqliteAttempt<'a> = Attempt<'a, SqliteConnection>;

impl Session for SqliteConnection {
    type Row = SqliteRow;

    async fn sets(&mut self, sql: &str) -> Result<Vec<Vec<SqliteRow>>, sqlx::Error> {
        sets(self, sql).await
    }

    async fn write_json(&mut self, sql: &str, json: String) -> Result<u64, sqlx::Error> {
        let done = statement(sql).bind(json).execute(self).await?;
        Ok(done.rows_affected())
    }

    async fn write_ids(&mut self, sql: &str, ids: &[Uuid]) -> Result<u64, sqlx::Error> {
        self.write_json(sql, json(ids)?).await
    }

    async fn read_ids(&mut self, sql: &str, ids: &[Uuid]) -> Result<Vec<SqliteRow>, sqlx::Error> {
        statement(sql).bind(json(ids)?).fetch_all(self).await
    }

    async fn numbers(
        &mut self,
        dialect: Dialect<'_>,
        ids: Option<&[Uuid]>,
        each: &mut dyn FnMut(&NumberRow<'_>),
    ) -> Result<(), sqlx::Error> {
        let filter = match ids {
            Some(ids) => dialect.among_ids(&dialect.number_id(), ids),
            None => "true".to_owned(),
        };
        let mut rows = statement(format!("{} WHERE {filter}", numbers_select())).fetch(self);
        while let Some(row) = rows.try_next().await? {
            each(&number_row(&row, 0)?);
        }
        Ok(())
    }

    async fn are_numbers_rewritten(&mut self, _dialect: Dialect<'_>) -> Result<bool, sqlx::Error> {
        let triggers = "SELECT 1 FROM sqlite_master
                        WHERE type = 'trigger' AND tbl_name = 'voice_agent_numbers'";
        Ok(statement(triggers).fetch_optional(self).await?.is_some())
    }

    fn is_taken(error: &sqlx::Error) -> bool {
        // SQLITE_CONSTRAINT_UNIQUE, SQLITE_CONSTRAINT_PRIMARYKEY
        matches!(error_code(error).as_deref(), Some("2067" | "1555"))
    }
}
