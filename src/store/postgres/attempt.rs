//! One attempt to apply a plan to PostgreSQL.

use futures_util::TryStreamExt;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::copy::{BadStream, CopiedRow, CopyReader, Writer};
use super::read::number_row;
use super::sql::{copy_out, run, sets, statement};
use crate::lookup::Dialect;
use crate::snapshot::NumberRow;
use crate::store::attempt::Attempt;
use crate::store::error_map::error_code;
use crate::store::row_ext::RowExt;
use crate::store::session::Session;

pub(super) type PgAttempt<'a> = Attempt<'a, PgConnection>;

impl Session for PgConnection {
    type Row = PgRow;

    async fn sets(&mut self, sql: &str) -> Result<Vec<Vec<PgRow>>, sqlx::Error> {
        sets(self, sql).await
    }

    async fn write_json(&mut self, sql: &str, json: String) -> Result<u64, sqlx::Error> {
        let done = statement(sql).bind(json).execute(self).await?;
        Ok(done.rows_affected())
    }

    async fn write_ids(&mut self, sql: &str, ids: &[Uuid]) -> Result<u64, sqlx::Error> {
        let done = statement(sql).bind(ids.to_vec()).execute(self).await?;
        Ok(done.rows_affected())
    }

    async fn read_ids(&mut self, sql: &str, ids: &[Uuid]) -> Result<Vec<PgRow>, sqlx::Error> {
        statement(sql).bind(ids.to_vec()).fetch_all(self).await
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
        let sql = format!(
            "COPY (SELECT {} FROM {}.voice_agent_numbers n WHERE {filter})
             TO STDOUT (FORMAT binary)",
            dialect.columns.of_numbers("n"),
            dialect.quoted_schema
        );
        read_copy(self, &sql, |row: CopiedRow<'_, 7>| {
            each(&number_row(row)?);
            Ok(())
        })
        .await
    }

    /// Triggers on INSERT (4) or UPDATE (16), or whatever stands behind a view.
    async fn are_numbers_rewritten(&mut self, dialect: Dialect<'_>) -> Result<bool, sqlx::Error> {
        let sql = "SELECT c.relkind <> 'r' OR c.relhasrules OR EXISTS (
               SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal
                 AND t.tgenabled <> 'D' AND t.tgtype & 20 <> 0)
             FROM pg_catalog.pg_class c WHERE c.oid = to_regclass($1)";
        let table = format!("{}.voice_agent_numbers", dialect.quoted_schema);
        let row = statement(sql).bind(table).fetch_one(&mut *self).await?;
        let rewritten = row.flag(0)?;
        if rewritten {
            run(self, "SET CONSTRAINTS ALL IMMEDIATE").await?;
        }
        Ok(rewritten)
    }

    fn is_taken(error: &sqlx::Error) -> bool {
        error_code(error).as_deref() == Some("23505")
    }
}

/// Runs a COPY … TO STDOUT and hands each row to `each`.
pub(super) async fn read_copy<const N: usize>(
    conn: &mut PgConnection,
    sql: &str,
    mut each: impl FnMut(CopiedRow<'_, N>) -> Result<(), BadStream>,
) -> Result<(), sqlx::Error> {
    let mut reader = CopyReader::default();
    let mut pieces = copy_out(conn, sql).await?;
    let decode = |bad: BadStream| sqlx::Error::Decode(bad.into());
    while let Some(piece) = pieces.try_next().await? {
        reader.read(&piece, &mut each).map_err(decode)?;
    }
    drop(pieces);
    reader.finish().map_err(decode)
}

/// Bytes of COPY data to a message.
const PIECE: usize = 256 * 1024;

/// Runs a COPY … FROM STDIN with these rows, and tells the progress; how many
/// the server took.
pub(super) async fn write_copy<R>(
    run: &mut PgAttempt<'_>,
    sql: &str,
    rows: &[R],
    mut encode: impl FnMut(&mut Writer, &R),
) -> Result<u64, sqlx::Error> {
    let mut copy = run.conn.copy_in_raw(sql).await?;
    let mut writer = Writer::new();
    let mut sent = 0;
    for (n, row) in rows.iter().enumerate() {
        encode(&mut writer, row);
        if writer.bytes.len() > PIECE {
            copy.send(std::mem::take(&mut writer.bytes)).await?;
            run.done += (n - sent) as u64;
            sent = n;
            (run.progress)(run.done, run.total);
        }
    }
    writer.end();
    copy.send(writer.bytes).await?;
    let written = copy.finish().await?;
    run.advance(rows.len() - sent);
    Ok(written)
}
