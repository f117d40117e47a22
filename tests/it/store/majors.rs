//! The store's tests on other major versions of PostgreSQL, in a process of
//! their own for each: the oldest and the newest, or those that `tests/run`
//! was told.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::support::{Postgres, Server, not_run, part, unprivileged};

#[test]
fn the_contract_holds_on_other_majors() {
    let (Some(own), Some(others)) = (Postgres::shared(), part("LKROUTE_TEST_PG_OTHERS")) else {
        not_run("other PostgreSQLs");
        return;
    };
    let others = others.into_os_string().into_string().expect("a path");
    for bin in others.split_whitespace() {
        let bin = Path::new(bin);
        let version = output(Command::new(bin.join("postgres")).arg("--version"));
        let start = Instant::now();
        let copy = copied(bin, own);
        let mut tests = Command::new(std::env::current_exe().expect("this binary"));
        match is_too_old(&version) {
            // All that it is for is to be refused.
            true => tests.arg("store::answers::a_server_that_is_too_old_is_told"),
            // Many of them wait for locks and pauses: more at once than there are cores.
            false => tests.args([
                "store::",
                "gate::columns",
                "without_xml",
                "--test-threads",
                "6",
            ]),
        };
        // SQLite is the same; copies of a cluster need its own tools.
        for skipped in ["sqlite", "majors", "proxies"] {
            tests.args(["--skip", skipped]);
        }
        let ran = output(tests.env("LKROUTE_TEST_PG_BIN", copy.path().join("native/bin")));
        let (version, result) = (version.trim(), ran.lines().last().unwrap_or_default());
        println!("{version}: {result} ({:.0?})", start.elapsed());
    }
}

/// By what `postgres --version` prints.
fn is_too_old(version: &str) -> bool {
    let number = version
        .rsplit(' ')
        .next()
        .and_then(|text| text.split('.').next());
    let major = number.and_then(|text| text.parse::<u32>().ok());
    major.is_some_and(|major| major < 13)
}

/// What it prints.
fn output(command: &mut Command) -> String {
    let output = command.output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let status = output.status;
    assert!(status.success(), "{command:?}: {status}\n{text}");
    text.trim_end().to_owned()
}

/// A copy that the user may read as whom servers run, as the cache may be
/// hidden from all but its owner; with the tools of the `own` PostgreSQL, which
/// the package lacks. It goes with the value.
fn copied(bin: &Path, own: &Postgres) -> Server {
    let dir = Server::dir("lkroute-major-");
    let native = dir.path().join("native");
    output(
        Command::new("cp")
            .arg("-R")
            .arg(bin.parent().expect("a directory"))
            .arg(&native),
    );
    for tool in ["psql", "pgbench"] {
        let here = native.join("bin").join(tool);
        if !here.exists() {
            std::os::unix::fs::symlink(own.program(tool), here).expect("a link");
        }
    }
    output(Command::new("chmod").args(["-R", "a+rX"]).arg(&native));
    output(unprivileged(native.join("bin/postgres")).arg("--version"));
    let mut nothing = Command::new("sleep");
    nothing.arg("3600");
    Server::start_own(dir, &nothing, "TERM", || true).expect("a keeper")
}
