//! A real server that is killed while calls are placed: nobody is called
//! twice, and no word about it is false.
//!
//! `LKROUTE_TEST_KILLS=200 tests/run --test it -- calls::kills` is the campaign;
//! without the variable there are three kills.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::world::{FROM, clean, files, routed};
use crate::livekit::real::{Livekit, Worker};
use crate::support::pages::blocks_run_by;
use crate::support::{Lkroute, Run, TENANT_INDIA, block_on, spawn_piped};

/// Calls that are under way when the server is killed.
const CALLS: u64 = 4;

fn lkroute(livekit: &Livekit) -> Lkroute {
    let trunk = block_on(livekit.trunk(&[FROM.to_owned()]));
    routed(&files(&livekit.url, TENANT_INDIA, &trunk))
}

/// How often a worker was given the job of each called number.
fn jobs_by_number(worker: &Worker) -> BTreeMap<String, usize> {
    let mut jobs = BTreeMap::new();
    for job in worker.jobs() {
        let metadata: Value = serde_json::from_str(job["metadata"].as_str().unwrap()).unwrap();
        let number = metadata["to_number"].as_str().unwrap().to_owned();
        *jobs.entry(number).or_default() += 1;
    }
    jobs
}

fn place(lkroute: &Lkroute, to: &str) -> Child {
    let call = [
        "dispatch",
        "--from",
        FROM,
        "--to",
        to,
        "--wait-for-agent",
        "8s",
    ];
    let limits = ["--timeout", "2s", "--settle", "4s", "--format", "json"];
    let mut command = lkroute.command(&[&call[..], &limits].concat());
    spawn_piped(&mut command)
}

#[test]
fn kills_of_the_server_leave_no_false_word_and_no_doubled_call() {
    let kills = std::env::var("LKROUTE_TEST_KILLS");
    let kills: u64 = kills.map_or(3, |kills| kills.parse().expect("a number"));
    let Some(mut livekit) = Livekit::alone_with_redis() else {
        return;
    };
    let Some(worker) = Worker::start(&livekit, "voag-dev") else {
        return;
    };
    let lkroute = lkroute(&livekit);
    let mut outcomes: BTreeMap<String, u64> = BTreeMap::new();
    let mut no_agent = Vec::new();
    for kill in 0..kills {
        worker.registered(kill as usize + 1);
        // A prime step walks over the moments of a call in no pattern.
        let moment = Duration::from_millis((kill * 137) % 1600);
        let numbers: Vec<String> = (0..CALLS)
            .map(|call| format!("+9198765{:05}", kill * CALLS + call))
            .collect();
        let children: Vec<Child> = numbers.iter().map(|to| place(&lkroute, to)).collect();
        thread::sleep(moment);
        livekit.kill();
        thread::sleep(Duration::from_millis(300));
        livekit.start_again();
        for (number, child) in numbers.iter().zip(children) {
            let run = clean(Run::of(child));
            let outcome = run.json()["outcome"].as_str().unwrap().to_owned();
            if run.code == 10 {
                no_agent.push(number.clone());
            }
            *outcomes.entry(outcome).or_default() += 1;
        }
    }
    let jobs = jobs_by_number(&worker);
    let false_words: Vec<&String> = no_agent.iter().filter(|n| jobs.contains_key(*n)).collect();
    let doubled: Vec<_> = jobs.iter().filter(|(_, times)| **times > 1).collect();
    println!(
        "{kills} kills, {} calls: {outcomes:?}; {} reached a worker, {} twice; \
         {} times \"no agent\", {} of them false",
        kills * CALLS,
        jobs.len(),
        doubled.len(),
        no_agent.len(),
        false_words.len()
    );
    assert!(doubled.is_empty(), "called twice: {doubled:?}");
    assert!(
        false_words.is_empty(),
        "\"no agent\", but one had it: {false_words:?}"
    );

    // Those that a command left open are too young to be sure of for two minutes:
    // "run it again".
    let deadline = Instant::now() + Duration::from_secs(150);
    let refreshed = loop {
        thread::sleep(Duration::from_secs(6));
        let ran = clean(lkroute.run(&["dispatches", "--refresh", "--format", "json"]));
        if ran.code != 8 || Instant::now() > deadline {
            break ran;
        }
    };
    let refreshed = refreshed.expect_code(0).json();
    let open = refreshed["dispatches"].as_array().unwrap();
    assert!(
        open.iter().all(|row| row["settled"] == true),
        "{refreshed:#}"
    );
}

/// The loop that docs/calls.md shows, beside a server that is killed in its
/// middle: whatever it says, nobody is called twice.
#[test]
fn the_loop_of_the_docs_calls_nobody_twice() {
    let Some(mut livekit) = Livekit::alone_with_redis() else {
        return;
    };
    let Some(worker) = Worker::start(&livekit, "voag-dev") else {
        return;
    };
    let lkroute = lkroute(&livekit);
    let shown = blocks_run_by("docs/calls.md", "the_loop_of_the_docs_calls_nobody_twice");
    let calls: String = (0..12)
        .map(|n| format!("order-{n} +9198765{n:05}\n"))
        .collect();
    lkroute.write("calls.txt", &calls);
    let bin = Path::new(env!("CARGO_BIN_EXE_lkroute")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let like = lkroute.command(&["--version"]);
    let mut command = Command::new("sh");
    command
        .args(["-c", &shown[0]])
        .current_dir(lkroute.path())
        .env_clear();
    for (name, value) in like.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command
        .env("PATH", format!("{}:{path}", bin.display()))
        .env("NO_PROXY", "127.0.0.1")
        .env("FROM", FROM);
    let child = spawn_piped(&mut command);
    assert!(worker.job_after(3).is_some(), "the loop has begun");
    livekit.kill();
    thread::sleep(Duration::from_secs(2));
    livekit.start_again();
    let run = Run::of(child).expect_code(0);
    assert_eq!(run.stdout.lines().count(), 12, "{}", run.stdout);
    let jobs = jobs_by_number(&worker);
    assert!(jobs.values().all(|times| *times == 1), "{jobs:?}");
    let done = run.stdout.lines().filter(|line| line.ends_with(" 0"));
    assert!(done.count() >= 8, "{}", run.stdout);
}
