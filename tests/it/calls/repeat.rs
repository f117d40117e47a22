//! Placing a call again after one that ended in doubt: a person at a terminal
//! is asked first, a program is not.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::world::{FROM, TO, World};
use crate::livekit::standin::Fault;

/// Runs lkroute at a terminal, with what is typed; the exit code, and the words
/// that stood there.
fn at_a_terminal(world: &World, args: &[&str], typed: &str) -> (i32, String) {
    let words = [&["lkroute"], args].concat();
    let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let (code, shown) = shown_at_a_terminal(world, &words.join(" "), typed);
    (code, crate::support::words_of(&shown))
}

/// Runs a line of the shell at a terminal of its own (`script` of util-linux);
/// the exit code, and what stood there.
pub fn shown_at_a_terminal(world: &World, line: &str, typed: &str) -> (i32, String) {
    let bare = world.lkroute.command(&[] as &[&str]);
    let mut command = Command::new("timeout");
    command.args(["60", "script", "-qec", line, "/dev/null"]);
    command.current_dir(world.lkroute.path()).env_clear();
    let set = bare
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    command.envs(set);
    let binary = Path::new(env!("CARGO_BIN_EXE_lkroute"))
        .parent()
        .expect("a directory");
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", binary.display()));
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("start script");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(typed.as_bytes()).expect("type");
    let done = child.wait_with_output().expect("wait");
    drop(stdin);
    let shown = String::from_utf8_lossy(&done.stdout).into_owned();
    (done.status.code().unwrap_or(-1), shown)
}

const CALL: [&str; 9] = [
    "dispatch",
    "--from",
    FROM,
    "--to",
    TO,
    "--timeout",
    "1s",
    "--settle",
    "600ms",
];
const ASKED: &str = "another may call a person twice. Call? [y/N]";

#[test]
fn a_person_is_asked_before_a_call_that_may_call_somebody_twice() {
    let world = World::new();
    // Nothing is in doubt: nothing is asked.
    let (code, shown) = at_a_terminal(&world, &CALL, "");
    assert_eq!(code, 0, "{shown}");
    assert_lacks!(shown, "[y/N]");

    world.standin.fault("CreateDispatch", 1, Fault::Reset);
    world.dispatch(&[]).expect_code(8);
    let creates = world.creates();
    let (code, shown) = at_a_terminal(&world, &CALL, "n\n");
    assert_eq!(code, 1, "{shown}");
    assert_contains!(shown, "ended unknown", ASKED);
    assert_contains!(shown, "no call was placed");
    let hint = "`lkroute dispatches --refresh {}` looks what became of the other";
    let looked = crate::support::told(&shown, hint).run(&world.lkroute, &[]);
    assert_contains!(looked.stdout, TO);
    world.sql("UPDATE lkroute_dispatches SET status = 'unknown' WHERE status <> 'accepted'");
    assert_eq!(world.creates(), creates, "nothing was sent");

    // A program goes by the exit code that it got; -y and a yes place the call.
    world.dispatch(&[]).expect_code(0);
    let yes = [&CALL[..], &["-y"]].concat();
    let (code, shown) = at_a_terminal(&world, &yes, "");
    assert_eq!(code, 0, "{shown}");
    assert_lacks!(shown, "[y/N]");
    let (code, shown) = at_a_terminal(&world, &CALL, "y\n");
    assert_eq!(code, 0, "{shown}");
    assert_eq!(world.creates(), creates + 3);
}

#[test]
fn the_same_key_another_number_and_an_old_call_ask_nothing() {
    let world = World::new();
    world.standin.fault("CreateDispatch", 1, Fault::Reset);
    world.dispatch(&["--idempotency-key", "k"]).expect_code(8);
    let asks = |args: &[&str]| at_a_terminal(&world, args, "n\n").1.contains("[y/N]");
    assert!(!asks(&[&CALL[..], &["--idempotency-key", "k"]].concat()));
    let other = ["dispatch", "--from", FROM, "--to", "+919876543211"];
    assert!(!asks(&other));
    // However the number is written, it is the same person.
    let written = ["dispatch", "--from", FROM, "--to", "+91 98765 43210"];
    assert!(asks(&written));
    world.sql("UPDATE lkroute_dispatches SET at = '2026-01-01T00:00:00.000Z'");
    assert!(!asks(&CALL));
}
