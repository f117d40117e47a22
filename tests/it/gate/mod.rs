//! What every command passes before it reads or writes: the URL, the stamps of
//! a database, its schema, its tables and their columns; on real servers.

mod columns;
mod hidden;
mod missing;
mod odd_rows;
mod row_limits;
mod side_effects;
mod silence;
mod stamps;
mod standby;
mod strangers;
mod tables;
mod urls;
mod waits;

pub use waits::Session;

use crate::support::{Db, Legacy, Lkroute, Postgres, Run};

/// Runs a command given as one line of words.
fn run(lkroute: &Lkroute, line: &str) -> Run {
    let words: Vec<&str> = line.split_whitespace().collect();
    lkroute.run(&words)
}

/// The sample's routing files, and a database with the application's tables in
/// the schema `lad_dev`, before lkroute came; `DATABASE_URL` leads to it.
pub fn world(name: &str) -> Option<(Lkroute, Db)> {
    Some(world_in(Postgres::shared()?, name))
}

/// The same in this cluster.
fn world_in(postgres: &'static Postgres, name: &str) -> (Lkroute, Db) {
    let db = postgres.database(name);
    let legacy = Legacy::default();
    db.psql(&legacy.schema_sql());
    db.psql(&legacy.numbers_sql(false));
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.env("DATABASE_URL", &db.url);
    lkroute.env("LKROUTE_SCHEMA", "lad_dev");
    (lkroute, db)
}

/// The same with the sample applied.
pub fn applied(name: &str) -> Option<(Lkroute, Db)> {
    Some(applied_in(Postgres::shared()?, name))
}

/// The same in this cluster.
pub fn applied_in(postgres: &'static Postgres, name: &str) -> (Lkroute, Db) {
    let (lkroute, db) = world_in(postgres, name);
    run(&lkroute, "migrate").expect_code(0);
    run(&lkroute, "apply --auto-approve").expect_code(0);
    (lkroute, db)
}

/// Takes away what later migrations added.
pub fn as_version_1_left_it(db: &Db) {
    db.psql(
        "DROP TABLE lad_dev.lkroute_trusted_hosts;
         ALTER TABLE lad_dev.lkroute_state DROP COLUMN identity;
         ALTER TABLE lad_dev.lkroute_applies DROP COLUMN account;
         UPDATE lad_dev.lkroute_state SET schema_version = 1",
    );
}
