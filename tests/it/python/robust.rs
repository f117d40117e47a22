//! What an attacker, a slow database or a clumsy caller can do to the package:
//! each case is one of `python/tests/robust.py` or of `connections.py` there.

use std::time::{Duration, Instant};

use super::package;
use super::package::Package;
use super::service::{KEYS, SCHEMA, world};
use crate::support::{Pgbouncer, Postgres};

#[track_caller]
fn run(case: &str, pooled: bool) -> Option<String> {
    run_on(package()?, "robust.py", case, pooled)
}

/// Runs a case of a script on a database of its own; what it wrote to stderr.
#[track_caller]
pub fn run_on(package: &Package, script: &str, case: &str, pooled: bool) -> Option<String> {
    let (db, lkroute) = world(Postgres::shared()?, &format!("python_{case}"));
    let shown = ["env", "--config", "uae-vm-selfhosted", "--", "sh", "-c"];
    let secret = ["printf %s \"$LIVEKIT_API_SECRET\" > secret"];
    lkroute
        .run(&[&shown[..], &secret[..]].concat())
        .expect_code(0);
    let secret = lkroute.path().join("secret");
    let mut command = package.script(script);
    command
        .arg(case)
        .env("DATABASE", &db.url)
        .env("SCHEMA", SCHEMA)
        .env("NUMBER", "+971545335200")
        .env(
            "SECRET",
            std::fs::read_to_string(&secret).expect("the secret"),
        )
        .env("LKROUTE_KEYS", KEYS);
    std::fs::remove_file(secret).expect("remove it");
    let pooler = match pooled {
        true => Some(Pgbouncer::transaction_mode(&db)?),
        false => None,
    };
    command.envs(pooler.iter().map(|pooler| ("POOLER", &pooler.url)));
    let began = Instant::now();
    let done = command.output().expect("run it");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{}: {said}", done.status);
    assert_eq!(String::from_utf8_lossy(&done.stdout), "all well\n");
    assert!(
        began.elapsed() < Duration::from_secs(180),
        "{:?}",
        began.elapsed()
    );
    Some(said)
}

fn alone(case: &str) -> Option<String> {
    run(case, false)
}

/// False word: "a bug in lkroute; the process goes on".
#[test]
fn a_panic_of_the_core_is_an_exception() {
    if let Some(said) = alone("panics") {
        assert_eq!(said, "", "what a panic holds is for nobody's log");
    }
}

/// Attacker: a logger that keeps the variables of each frame of a traceback.
#[test]
fn no_frame_of_a_traceback_holds_a_secret() {
    alone("frames");
}

#[test]
fn odd_values_and_huge_rows_end_in_one_error() {
    alone("odd_values");
}

/// False word: a hint that does not help. `cli::followed` looks that none is left out.
#[test]
fn what_a_hint_of_the_package_tells_helps() {
    alone("hints");
}

/// Attacker: somebody who writes rows, and would like a line of the log of his own.
#[test]
fn what_others_wrote_forges_no_line_of_a_log() {
    alone("hostile");
}

/// False word: "the routing variables are read for each call".
#[test]
fn a_flag_that_is_switched_counts_from_the_next_call_on() {
    alone("environment");
}

/// False word: "nothing hangs". Attackers: a lock that is never given back, a
/// pool without a connection left, a network that swallows packets.
#[test]
fn no_wait_is_longer_than_the_limit() {
    if let Some(said) = alone("limits") {
        assert!(!said.contains("never retrieved"), "{said}");
    }
}

/// Attackers: a cancellation in the same moment, a limit of the caller's around it.
#[test]
fn the_limit_of_a_task_ends_it_and_nothing_else() {
    alone("task_limits");
}

/// False word: "another answer than the one that was read is read". Attacker: another
/// question, to which the database says the same.
#[test]
fn what_was_asked_before_changes_no_answer() {
    alone("asked_before");
}

/// False word: "`NO_PROXY` counts for LiveKit". Python knows no ranges of addresses.
#[test]
fn the_package_takes_the_proxy_that_the_command_takes() {
    alone("proxies");
}

#[test]
fn a_pool_of_another_loop_is_an_error() {
    alone("another_loop");
}

/// False word: "the database is away", of a task that was cancelled.
#[test]
fn a_service_that_shuts_down_ends_its_look_ups() {
    alone("closing");
}

/// False word: "nothing was sent; may be tried again", of a key that is taken by then.
#[test]
fn a_record_whose_answer_is_lost_is_found() {
    alone("lost_answer");
}

/// False word: "a call is placed as fast as before".
#[test]
fn the_shadow_of_a_resolver_that_blocks_holds_nothing_up() {
    alone("shadow");
}

/// False words: "a call is placed as fast as before", "the same", "compared".
#[test]
fn the_shadow_of_a_resolver_that_is_awaited_holds_nothing_up() {
    alone("shadow_pairs");
}

#[test]
fn a_pooler_in_transaction_mode_mixes_nothing_up() {
    run("pooler", true);
}

#[test]
fn a_thread_keeps_its_event_loop() {
    alone("loop_of_the_thread");
}

#[test]
fn ten_thousand_calls_leave_nothing_behind() {
    alone("leaks");
}

/// False word: "it works on a pool, on a connection": on one as a service makes it.
#[test]
fn connections_of_any_kind_are_asked() {
    for case in ["rows", "encodings", "states", "shared", "paths"] {
        if let Some(package) = package() {
            run_on(package, "connections.py", case, false);
        }
    }
}

/// Attacker: a service that is stopped in the middle of its work.
#[test]
fn an_interpreter_ends_with_calls_under_way() {
    for case in ["ends_with_threads", "ends_with_tasks"] {
        if let Some(said) = alone(case) {
            for word in ["Fatal", "panicked", "rethrown"] {
                assert!(!said.contains(word), "{case}: {said}");
            }
        }
    }
}
