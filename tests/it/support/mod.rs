//! What the integration tests share: real servers on loopback, databases of
//! their own, the real binary. May use anything; nothing in `src` uses it.
//!
//! A server that is not installed is reported by [`not_run`]: the test then
//! returns early, and under `CI` it fails.

mod console;
#[macro_use]
mod contains;
pub mod golden;
mod haproxy;
mod legacy;
mod lkroute;
pub mod pages;
mod patroni;
mod pgbouncer;
mod pgpool;
mod plaintexts;
mod postgres;
mod server;
mod spreading;
mod sqlite;
mod standby;
mod tcp_cut;
mod told;

pub use {
    console::{console, console_run_by, console_where, shell},
    contains::{must_contain, must_lack, must_start},
    golden::golden,
    haproxy::Haproxy,
    legacy::*,
    lkroute::{Lkroute, Run, spawn_piped},
    patroni::Patroni,
    pgbouncer::Pgbouncer,
    pgpool::Pgpool,
    plaintexts::{Plaintexts, search_files},
    postgres::{Db, Postgres},
    server::{Server, free_port, listens, on_free_port, other_user, unprivileged},
    spreading::SpreadingProxy,
    standby::Standby,
    tcp_cut::{Cut, TcpCut},
    told::{find_hint, hint_pieces, told, words_of},
};

use std::{env, fs, io::Write, path::PathBuf};

/// The program or directory that `tests/run` put into `variable`, if any.
pub fn part(variable: &str) -> Option<PathBuf> {
    env::var_os(variable)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// Reports that the running test can't run because `part` is not installed.
/// Return from the test afterwards.
///
/// # Panics
/// Under `CI`, where a missing part is a failure.
pub fn not_run(part: &str) {
    assert!(
        env::var_os("CI").is_none(),
        "{part} is missing, and CI requires it"
    );
    left_out(part);
}

/// The same for a part that no command installs: its lack is no failure
/// anywhere.
pub fn left_out(part: &str) {
    if let Some(path) = self::part("LKROUTE_TEST_NOT_RUN") {
        let file = fs::OpenOptions::new().append(true).create(true).open(path);
        writeln!(file.expect("the list of tests not run"), "{part}").expect("append to it");
    }
    // Not eprintln!: the test harness would swallow it in a test that passes.
    let _ = writeln!(std::io::stderr(), "NOT RUN: {part}");
}

/// Runs a future to its end on a runtime of one thread.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}
