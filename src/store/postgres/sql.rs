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

/// Keeps a statement on the primary: see above.
pub(super) const HERE: &str = "/*NO LOAD BALANCE*/ ";

/// An identifier in quotes.
pub(super) fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// A string in quotes, whatever `standard_conforming_strings` says.
pub(super) fn literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    match doubled.contains('\\') {
        true => format!("E'{}'", doubled.replace('\\', "\\\\")),
        false => format!("'{doubled}'"),
    }
}

/// The id of the config that `rules` name, in whatever spelling of a uuid. A
/// value that is none must not fail the cast.
pub(super) fn config_id(rules: &str) -> String {
    let value = format!("{rules}->>'livekit_config'");
    let digits = "[0-9a-f]{4}(-?[0-9a-f]{4}){7}";
    format!(
        "CASE WHEN {value} ~* '^((urn:uuid:)?{digits}|\\{{{digits}\\}})$'
           THEN (regexp_replace({value}, '^urn:uuid:', '', 'i'))::uuid END"
    )
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_doubled() {
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\'b"), "E'a\\\\''b'");
    }
}
