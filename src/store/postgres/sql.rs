//! Sending SQL so that any pooler can stand in between. Imports sqlx.
//!
//! A pooler in transaction mode may give each transaction another server
//! connection. So text without values goes by the simple protocol, which
//! needs one round trip and nothing prepared; statements with values use the
//! unnamed prepared statement, and only between BEGIN and COMMIT.
//!
//! A proxy that spreads reads, such as pgpool, sends those of a transaction
//! that has written nothing yet to a standby, which may lag behind. It leaves
//! statements alone that begin with a comment: so everything that reads does.

use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use sqlx::postgres::{PgArguments, PgQueryResult, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Either, PgConnection, Postgres};

/// What a transaction that writes sets for itself, in milliseconds and
/// seconds, where the server does not say less: a client that vanishes must
/// not hold locks for hours.
pub(super) const UNATTENDED: &str = "SELECT pg_catalog.set_config(s.name, w.value::text, true)
   FROM pg_catalog.pg_settings s JOIN (VALUES ('idle_in_transaction_session_timeout', 60000),
     ('tcp_keepalives_idle', 15), ('tcp_keepalives_interval', 5), ('tcp_keepalives_count', 4)
   ) w(name, value) ON w.name = s.name
   WHERE s.setting::int8 NOT BETWEEN 1 AND w.value";

/// Begins a transaction that writes, whatever the role's or the database's own
/// defaults are.
pub(super) const TO_WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

pub(super) use crate::lookup::{HERE, config_id, literal, quoted};

/// Runs statements without values and without rows.
pub(super) async fn run(conn: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await?;
    Ok(())
}

/// Runs statements without values, and gives the rows of each.
pub(super) async fn sets(
    conn: &mut PgConnection,
    sql: &str,
) -> Result<Vec<Vec<PgRow>>, sqlx::Error> {
    let mut all = Vec::new();
    let mut rows = Vec::new();
    let mut stream = many(conn, sql);
    while let Some(step) = stream.try_next().await? {
        match step {
            Either::Left(_) => all.push(std::mem::take(&mut rows)),
            Either::Right(row) => rows.push(row),
        }
    }
    Ok(all)
}

/// The rows of statements without values, and where each ends.
pub(super) fn many<'a>(
    conn: &'a mut PgConnection,
    sql: &str,
) -> BoxStream<'a, Result<Either<PgQueryResult, PgRow>, sqlx::Error>> {
    sqlx::raw_sql(AssertSqlSafe(format!("{HERE}{sql}"))).fetch_many(conn)
}

/// Begins a `COPY … TO STDOUT`.
pub(super) async fn copy_out<'a>(
    conn: &'a mut PgConnection,
    sql: &str,
) -> Result<
    BoxStream<'a, Result<impl std::ops::Deref<Target = [u8]> + use<>, sqlx::Error>>,
    sqlx::Error,
> {
    conn.copy_out_raw(&format!("{HERE}{sql}")).await
}

/// A statement with values to bind.
pub(super) fn statement(sql: impl AsRef<str>) -> Query<'static, Postgres, PgArguments> {
    let sql = format!("{HERE}{}", sql.as_ref());
    sqlx::query(AssertSqlSafe(sql)).persistent(false)
}
