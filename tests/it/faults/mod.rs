//! What is never to happen: half an apply, a number that is double, a value of
//! others that is gone, a wrong word about any of it. Random histories against
//! a model of its own, and faults at chosen points, on both engines.
//!
//! `tests/run` does a little of each. A campaign:
//! `LKROUTE_STEPS=100000 LKROUTE_FAULTS=10000 tests/run --test it -- faults::`.
//! A failure of the histories shrinks to few steps; one of the faults names
//! its seed, which `LKROUTE_SEED` takes.

mod editors;
mod failover;
mod histories;
pub mod link;
mod lost;
mod model;
mod signals;
mod tree;

use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection};

use crate::store::base::{Base, Hold};

/// How many steps or faults to try: as the variable says, else these.
fn how_many(variable: &str, few: u32) -> u32 {
    let wanted = std::env::var(variable).ok();
    wanted.map_or(few, |wanted| wanted.parse().expect("a number"))
}

/// A connection of other software to the database of a test.
enum Other {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl Other {
    async fn of(base: &Base) -> Other {
        let url = base.url_text();
        match &base.hold {
            Hold::Postgres(_) => {
                Other::Postgres(PgConnection::connect(&url).await.expect("connect"))
            }
            Hold::Sqlite(_) => {
                Other::Sqlite(SqliteConnection::connect(&url).await.expect("connect"))
            }
        }
    }

    /// Runs statements; their rows, all columns as text.
    async fn sql(&mut self, sql: &str) -> Vec<Vec<Option<String>>> {
        macro_rules! rows {
            ($conn:expr) => {{
                let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all($conn).await;
                let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
                let text = |row: &_, ix| Row::try_get_unchecked(row, ix).expect("a text");
                let all = |row| (0..Row::len(row)).map(|ix| text(row, ix)).collect();
                rows.iter().map(all).collect()
            }};
        }
        match self {
            Other::Postgres(conn) => rows!(conn),
            Other::Sqlite(conn) => rows!(conn),
        }
    }
}

/// A small generator of numbers that a seed repeats: splitmix64.
struct Random(u64);

impl Random {
    /// Of `LKROUTE_SEED`, else of the clock.
    fn seeded() -> Random {
        let given = std::env::var("LKROUTE_SEED").ok();
        let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Random(match given {
            Some(given) => given.parse().expect("a number"),
            None => clock.expect("a clock").as_nanos() as u64,
        })
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}
