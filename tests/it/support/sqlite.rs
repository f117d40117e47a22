//! The SQLite database of a working directory, changed and looked into behind
//! lkroute's back.

use sqlx::{Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{Lkroute, block_on};

impl Lkroute {
    /// Runs SQL on `lkroute.db`; the first column of each row as text.
    #[track_caller]
    pub fn sql_rows(&self, sql: &str) -> Vec<String> {
        let options = SqliteConnectOptions::new().filename(self.path().join("lkroute.db"));
        let found = block_on(async {
            let mut connection = SqliteConnection::connect_with(&options).await?;
            let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
            rows.fetch_all(&mut connection).await
        });
        let rows = found.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let text = |row: &sqlx::sqlite::SqliteRow| {
            let first = (!row.is_empty()).then(|| row.try_get_unchecked::<Option<String>, _>(0));
            first
                .and_then(|text| text.expect("a text"))
                .unwrap_or_default()
        };
        rows.iter().map(text).collect()
    }

    /// The same, a line for each row.
    #[track_caller]
    pub fn sql(&self, sql: &str) -> String {
        self.sql_rows(sql).join("\n")
    }
}

#[test]
fn what_is_written_is_read() {
    let lkroute = Lkroute::new();
    lkroute.write("lkroute.db", "");
    lkroute.sql("CREATE TABLE kinds (a); INSERT INTO kinds VALUES (1), ('two'), (NULL)");
    assert_eq!(lkroute.sql_rows("SELECT a FROM kinds"), ["1", "two", ""]);
    assert_eq!(lkroute.sql("SELECT count(*) FROM kinds"), "3");
}
