//! One attempt to apply a plan to PostgreSQL.

use futures_util::TryStreamExt;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::copy::{BadStream, CopiedRow, CopyReader, Writer};
use super::read::number_row;
use super::sql::{copy_out, literal, run, sets, statement};
use crate::lookup::Dialect;
use crate::snapshot::NumberRow;
use crate::store::attempt::Attempt;
use crate::store::error_map::error_code;
use crate::store::row_ext::RowExt;
use crate::store::schema::{CONFIGS, NUMBERS};
use crate::store::session::{Session, WrittenRows};

pub(super) type PgAttempt<'a> = Attempt<'a, PgConnection>;

impl Session for PgConnection {
    type Row = PgRow;
    type Mark = RowCounts;

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

    /// Triggers on INSERT (4), DELETE (8) and UPDATE (16), rules, foreign keys that
    /// change or delete rows, and what stands in for a partition.
    fn actors_sql(dialect: Dialect<'_>) -> String {
        format!(
            "{tables}
             SELECT 'the trigger ' || g.tgname || ' of ' || t.oid::regclass,
                 t.root = to_regclass({numbers})
               FROM t JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid
               WHERE NOT g.tgisinternal AND g.tgenabled IN ('O', 'A') AND g.tgtype & 28 <> 0
             UNION SELECT 'the rule ' || r.rulename || ' of ' || t.oid::regclass,
                 t.root = to_regclass({numbers})
               FROM t JOIN pg_catalog.pg_rewrite r ON r.ev_class = t.oid
             UNION SELECT 'the foreign key ' || f.conname || ' of ' || f.conrelid::regclass, false
               FROM t JOIN pg_catalog.pg_constraint f ON f.confrelid = t.oid
               WHERE f.contype = 'f'
                 AND (f.confdeltype NOT IN ('a', 'r') OR f.confupdtype NOT IN ('a', 'r'))
             UNION SELECT 'the foreign table ' || t.oid::regclass, true
               FROM t JOIN pg_catalog.pg_class c ON c.oid = t.oid WHERE c.relkind = 'f'
             ORDER BY 1",
            tables = with_tables(dialect),
            numbers = literal(&format!("{}.{NUMBERS}", dialect.quoted_schema))
        )
    }

    async fn begin_count(&mut self, dialect: Dialect<'_>) -> Result<RowCounts, sqlx::Error> {
        RowCounts::read(self, dialect).await
    }

    async fn rows_written(
        &mut self,
        dialect: Dialect<'_>,
        mark: &RowCounts,
        expected: u64,
    ) -> Result<WrittenRows, sqlx::Error> {
        let now = RowCounts::read(self, dialect).await?;
        let deleted = now.deleted - mark.deleted;
        let counted = now.written - mark.written + deleted;
        let again = u64::try_from(counted).is_ok_and(|rows| rows > expected);
        let rows = if again {
            new_rows(self, dialect).await? + deleted
        } else {
            counted
        };
        Ok(WrittenRows {
            rows: u64::try_from(rows).unwrap_or_default(),
            again,
        })
    }

    async fn settle(&mut self) -> Result<(), sqlx::Error> {
        run(self, "SET CONSTRAINTS ALL IMMEDIATE").await
    }

    fn is_taken(error: &sqlx::Error) -> bool {
        error_code(error).as_deref() == Some("23505")
    }
}

/// Begins a statement on the application's two tables and all that is below them,
/// partitions among it: `t`, with the table that each belongs to.
fn with_tables(dialect: Dialect<'_>) -> String {
    let names = [NUMBERS, CONFIGS].map(|table| {
        let name = format!("{}.{table}", dialect.quoted_schema);
        format!("to_regclass({})", literal(&name))
    });
    format!(
        "WITH RECURSIVE t (oid, root) AS (
           SELECT c.oid, c.oid FROM pg_catalog.pg_class c WHERE c.oid IN ({})
           UNION ALL SELECT i.inhrelid, t.root
             FROM pg_catalog.pg_inherits i JOIN t ON i.inhparent = t.oid)",
        names.join(", ")
    )
}

/// What this session has written of their rows and not yet reported: what it did
/// before this transaction may be in it. Nothing where the server does not count
/// (`track_counts`).
pub(in crate::store) struct RowCounts {
    /// Inserted and updated.
    written: i64,
    /// A row that goes to another partition is deleted here and inserted there, so
    /// those of a table in partitions are left out.
    deleted: i64,
}

impl RowCounts {
    async fn read(conn: &mut PgConnection, dialect: Dialect<'_>) -> Result<RowCounts, sqlx::Error> {
        let sql = format!(
            "{}
             SELECT coalesce(sum(pg_stat_get_xact_tuples_inserted(t.oid)
                 + pg_stat_get_xact_tuples_updated(t.oid)), 0)::int8,
               coalesce(sum(pg_stat_get_xact_tuples_deleted(t.oid))
                 FILTER (WHERE r.relkind <> 'p'), 0)::int8
             FROM t JOIN pg_catalog.pg_class r ON r.oid = t.root",
            with_tables(dialect)
        );
        let row = statement(sql).fetch_one(conn).await?;
        Ok(RowCounts {
            written: row.some_int(0)?,
            deleted: row.some_int(1)?,
        })
    }
}

/// How many rows there are that this transaction wrote, in a pass over both tables:
/// whatever it wrote once more is counted once. What is visible and not yet
/// committed is its own, whether in a block with an EXCEPTION or not.
async fn new_rows(conn: &mut PgConnection, dialect: Dialect<'_>) -> Result<i64, sqlx::Error> {
    let each = [NUMBERS, CONFIGS].map(|table| {
        format!(
            "(SELECT count(*) FROM {schema}.{table} n
              WHERE n.xmin::text::int8 >= x.id % x.epoch AND pg_xact_status(
                (x.id - x.id % x.epoch + n.xmin::text::int8)::text::xid8) = 'in progress')",
            schema = dialect.quoted_schema
        )
    });
    let sql = format!(
        "SELECT {} FROM (SELECT pg_current_xact_id()::text::int8, 4294967296) x(id, epoch)",
        each.join(" + ")
    );
    statement(sql).fetch_one(conn).await?.some_int(0)
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
