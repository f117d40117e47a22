//! One attempt to apply a plan to a SQLite file.

use std::sync::{Arc, Mutex};

use futures_util::TryStreamExt;
use hashbrown::HashSet;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::read::{number_row, numbers_select};
use super::sql::{json, sets, statement};
use crate::lookup::Dialect;
use crate::snapshot::NumberRow;
use crate::store::attempt::Attempt;
use crate::store::error_map::error_code;
use crate::store::schema::{CONFIGS, NUMBERS};
use crate::store::session::{Session, WrittenRows};

pub(super) type SqliteAttempt<'a> = Attempt<'a, SqliteConnection>;

/// Rows of the two tables, by table and `rowid`, and how often they were written.
type SeenRows = Arc<Mutex<(HashSet<(usize, i64)>, u64)>>;

impl Session for SqliteConnection {
    type Row = SqliteRow;
    type Mark = SeenRows;

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

    fn actors_sql(_dialect: Dialect<'_>) -> String {
        let tables = format!("('{NUMBERS}', '{CONFIGS}')");
        format!(
            "SELECT 'the trigger ' || name || ' of ' || tbl_name, lower(tbl_name) = '{NUMBERS}'
               FROM sqlite_master
               WHERE type = 'trigger' AND lower(tbl_name) IN {tables}
             UNION SELECT 'the foreign key ' || f.\"from\" || ' of ' || m.name, false
               FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f
               WHERE m.type = 'table' AND lower(f.\"table\") IN {tables}
                 AND (f.on_delete NOT IN ('NO ACTION', 'RESTRICT')
                   OR f.on_update NOT IN ('NO ACTION', 'RESTRICT'))
             ORDER BY 1"
        )
    }

    async fn begin_count(&mut self, _dialect: Dialect<'_>) -> Result<SeenRows, sqlx::Error> {
        let mark = SeenRows::default();
        let rows = Arc::clone(&mark);
        self.lock_handle().await?.set_update_hook(move |row| {
            let table = [NUMBERS, CONFIGS]
                .iter()
                .position(|table| row.table.eq_ignore_ascii_case(table));
            if let (Some(table), Ok(mut rows)) = (table, rows.lock()) {
                rows.0.insert((table, row.rowid));
                rows.1 += 1;
            }
        });
        Ok(mark)
    }

    async fn rows_written(
        &mut self,
        _dialect: Dialect<'_>,
        mark: &SeenRows,
        expected: u64,
    ) -> Result<WrittenRows, sqlx::Error> {
        self.lock_handle().await?.remove_update_hook();
        let seen = mark.lock().map_err(|_| sqlx::Error::WorkerCrashed)?;
        Ok(WrittenRows {
            rows: seen.0.len() as u64,
            again: seen.1 > expected,
        })
    }

    /// What is deferred here can only refuse, at COMMIT.
    async fn settle(&mut self) -> Result<(), sqlx::Error> {
        Ok(())
    }

    fn is_taken(error: &sqlx::Error) -> bool {
        // SQLITE_CONSTRAINT_UNIQUE, SQLITE_CONSTRAINT_PRIMARYKEY
        matches!(error_code(error).as_deref(), Some("2067" | "1555"))
    }
}
