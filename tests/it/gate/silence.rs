//! A server that stops answering, or the way to it: every command ends within
//! its limit, with its exit code, and says what it waited for.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::{applied, applied_in, run};
use crate::faults::link::{Fault, Link, Way};
use crate::support::{Db, Lkroute, Postgres, Run};

/// Longer than any command is stalled.
const FOR_EVER: u64 = 60_000;
/// How long a command may take with limits of a second, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

const CALL: &str = "--from +971545335200 --to +971501234567";

/// All that open a database.
fn commands() -> Vec<String> {
    let plain = [
        "plan",
        "plan --number +971545335200",
        "apply --auto-approve",
        "rollback --to 1 --auto-approve --reason test",
        "release --all --auto-approve",
        "adopt --all",
        "drift",
        "drift --all",
        "import --out imported",
        "list",
        "history",
        "history 1",
        "doctor --no-probe",
        "dispatches",
        "secrets list",
        "trust",
        "trust wss://livekit.other.example --reason test",
        "trust wss://livekit.other.example --revoke",
        "migrate",
        "migrate --check",
        "migrate --dry-run",
        "migrate --index",
        "resolve --from +971545335200",
    ];
    let calls = [
        format!("dispatch {CALL} --dry-run"),
        format!("dispatch {CALL}"),
    ];
    let plain = plain.into_iter().map(str::to_owned);
    plain.chain(calls).collect()
}

/// Files that differ from what was applied, for one command: some write there.
fn tree(db: &Db) -> Lkroute {
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.env("DATABASE_URL", &db.url);
    lkroute.env("LKROUTE_SCHEMA", "lad_dev");
    lkroute.edit("routing/uae.toml", "voag-staging", "voag-other");
    lkroute
}

/// Runs a command over a link that falls silent behind so many bytes of answers.
fn stalled(lkroute: &Lkroute, url: &str, command: &str, at: u64) -> (Run, Duration, bool) {
    let link = Link::new(url, Fault::Stall(FOR_EVER), Way::Answered, at);
    let start = Instant::now();
    let url = format!("{}&socket_timeout=1", link.url);
    let line = format!("--database {url} --lock-timeout 1 {command}");
    (run(lkroute, &line), start.elapsed(), link.has_failed())
}

#[test]
fn no_command_waits_for_ever_for_an_answer() {
    let Some((lkroute, db)) = applied("silence") else {
        return;
    };
    // Something to accept and to set back.
    db.psql("UPDATE lad_dev.voice_agent_numbers SET provider = 'others'");
    let whole = Link::new(&db.url, Fault::None, Way::Answered, 0);
    run(&lkroute, &format!("--database {} plan", whole.url));
    let plan = whole.passed(Way::Answered);
    // Of the connection itself, of what every command asks first, and of more.
    let connected = 420;
    thread::scope(|scope| {
        for commands in commands().chunks(4) {
            let (lkroute, db) = (tree(&db), &db);
            let commands = commands.to_vec();
            scope.spawn(move || {
                for command in commands {
                    let mut ended = 0;
                    for at in [connected + 80, connected + 700, plan / 2] {
                        let (ran, took, failed) = stalled(&lkroute, &db.url, &command, at);
                        let said = ran.words();
                        assert!(took < PATIENCE, "{command} at {at}: {took:?}");
                        if !failed {
                            continue;
                        }
                        ended += 1;
                        assert_eq!(ran.code, 1, "{command} at {at}: {said}");
                        assert!(
                            said.contains("no answer within 1 s")
                                || said.contains("the database took longer than 2 s"),
                            "{command} at {at}: {said}"
                        );
                    }
                    assert!(ended > 0, "{command}: never stalled");
                }
            });
        }
    });
    let applies = "SELECT count(*) FROM lad_dev.lkroute_applies";
    assert_eq!(db.psql(applies), "1", "nothing was applied");
}

/// An apply, wherever it is short of its COMMIT: nothing is written, and in its
/// own transaction that is said.
#[test]
fn an_apply_gives_up_a_server_that_is_silent() {
    let Some((lkroute, db)) = applied("silent_apply") else {
        return;
    };
    let whole = |words: &str| {
        let link = Link::new(&db.url, Fault::None, Way::Answered, 0);
        run(&lkroute, &format!("--database {} {words}", link.url)).expect_code(0);
        link.passed(Way::Answered)
    };
    let plan = whole("plan");
    lkroute.edit("routing/uae.toml", "voag-staging", "voag-other");
    let apply = whole("apply --auto-approve");
    lkroute.edit("routing/uae.toml", "voag-other", "voag-third");
    let mut told = String::new();
    for part in [20, 50, 80, 90, 94] {
        let at = plan + (apply - plan) * part / 100;
        let (ran, took, failed) = stalled(&lkroute, &db.url, "apply --auto-approve", at);
        let text = ran.words();
        assert!(failed && took < PATIENCE, "{part}: {took:?}: {text}");
        assert_eq!(ran.code, 1, "{part}: {text}");
        told += &text;
    }
    let given_up = told.find("took longer than 2 s").map(|at| &told[at..]);
    let given_up = given_up.unwrap_or_else(|| panic!("{told}"));
    assert!(given_up.contains("nothing was written"), "{told}");
    let applies = "SELECT count(*) FROM lad_dev.lkroute_applies";
    assert_eq!(db.psql(applies), "2");
}

/// A machine that hangs: its kernel takes connections that nobody answers.
struct Stopped(String);

impl Stopped {
    fn new(postgres: &Postgres) -> Stopped {
        let pid = postgres.pid();
        signal("STOP", &pid);
        Stopped(pid)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        signal("CONT", &self.0);
    }
}

fn signal(name: &str, pid: &str) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), pid])
        .status();
    assert!(sent.expect("kill").success());
}

#[test]
fn a_server_that_hangs_is_no_server() {
    let Some(postgres) = Postgres::own() else {
        return;
    };
    let (lkroute, db) = applied_in(postgres, "hangs");
    let url = format!("{}?connect_timeout=1", db.url);
    let stopped = Stopped::new(postgres);
    thread::scope(|scope| {
        for command in commands() {
            let (lkroute, url) = (&lkroute, &url);
            scope.spawn(move || {
                let start = Instant::now();
                let ran = run(lkroute, &format!("--database {url} {command}")).expect_code(1);
                let said = ran.words();
                assert!(said.contains("within 1 s"), "{command}: {said}");
                assert!(start.elapsed() < PATIENCE, "{command}");
            });
        }
    });
    drop(stopped);
}
