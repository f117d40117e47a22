//! Many calls: each row once, however often and however roughly it is run.

use std::collections::HashSet;
use std::fmt::Write;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use livekit_protocol as proto;
use serde_json::Value;

use super::dispatch::signal;
use super::world::{FROM, World, clean, said};
use crate::livekit::standin::{Answer, Fault};
use crate::review::schema::assert_valid;
use crate::support::Run;

const LIMITS: [&str; 4] = ["--timeout", "1s", "--settle", "600ms"];
/// For many rows on a busy machine.
const PATIENT: [&str; 4] = ["--timeout", "30s", "--concurrency", "50"];

/// A file of calls to numbers that count up.
fn leads(world: &World, rows: u64) {
    let mut text = "from,to,context,campaign\n".to_owned();
    for n in 0..rows {
        let _ = writeln!(text, "{FROM},+9198765{n:05},\"Hello, {n}\",diwali");
    }
    world.lkroute.write("leads.csv", &text);
}

fn run(world: &World, args: &[&str]) -> Run {
    let batch = ["dispatch", "--batch", "leads.csv"];
    let limits: &[&str] = match args.contains(&"--timeout") {
        true => &[],
        false => &LIMITS,
    };
    world.run(&[&batch[..], limits, args].concat())
}

fn report(world: &World, args: &[&str], code: i32) -> Value {
    let run = run(world, &[args, &["--format", "json"]].concat());
    assert_valid("batch", &run.expect_code(code).stdout)
}

/// The called numbers that creates were for, in the order of arrival.
fn called(world: &World) -> Vec<String> {
    let creates = world.standin.posts("CreateDispatch");
    let number = |metadata: String| {
        let metadata: Value = serde_json::from_str(&metadata).unwrap();
        metadata["to_number"].as_str().unwrap().to_owned()
    };
    let decode = |post: &crate::livekit::standin::Post| {
        number(post.decode::<proto::CreateAgentDispatchRequest>().metadata)
    };
    creates.iter().map(decode).collect()
}

fn assert_each_once(world: &World, rows: usize) {
    let called = called(world);
    let distinct: HashSet<_> = called.iter().collect();
    assert_eq!((called.len(), distinct.len()), (rows, rows));
}

fn results(world: &World) -> Vec<csv::StringRecord> {
    let text = world.lkroute.read("leads.csv.results.csv");
    let mut reader = csv::ReaderBuilder::new()
        .comment(Some(b'#'))
        .from_reader(text.as_bytes());
    reader
        .records()
        .map(|row| row.expect("a whole row"))
        .collect()
}

#[test]
fn a_thousand_rows_are_called_in_seconds_and_a_rerun_calls_none() {
    let world = World::new();
    leads(&world, 1000);
    let began = Instant::now();
    let first = report(&world, &PATIENT, 0);
    let took = began.elapsed();
    assert!(took < Duration::from_secs(30), "{took:?}");
    assert_eq!(
        (&first["rows"], &first["accepted"]),
        (&1000.into(), &1000.into())
    );
    assert_each_once(&world, 1000);
    let rows = results(&world);
    assert_eq!(rows.len(), 1000);
    assert!(
        rows.iter()
            .all(|row| &row[3] == "accepted" && row[6].starts_with("call-"))
    );

    let again = report(&world, &[], 0);
    assert_eq!(
        (&again["skipped"], &again["accepted"]),
        (&1000.into(), &1000.into())
    );
    assert_eq!(again["batch_id"], first["batch_id"]);
    assert_each_once(&world, 1000);
    let text = run(&world, &[]).expect_code(0).stdout;
    assert!(text.contains("1,000 rows: 1,000 accepted"), "{text}");
}

#[test]
fn each_row_carries_its_own_metadata_and_that_of_the_batch() {
    let world = World::new();
    leads(&world, 2);
    let report = report(&world, &["--concurrency", "1"], 0);
    let second: proto::CreateAgentDispatchRequest =
        world.standin.posts("CreateDispatch")[1].decode();
    let metadata: Value = serde_json::from_str(&second.metadata).unwrap();
    assert_eq!(metadata["batch_id"], report["batch_id"]);
    assert_eq!(metadata["entry_id"], "2");
    assert_eq!(metadata["added_context"], "Hello, 1");
    assert_eq!(metadata["campaign"], "diwali");
}

#[test]
fn rows_that_cannot_be_read_are_all_named_and_nothing_is_called() {
    let world = World::new();
    world.lkroute.write(
        "leads.csv",
        "from,to\n+919513456728,+919876543210\n98,1\n+91,2\n",
    );
    let run = run(&world, &[]).expect_code(1);
    let said = said(&run);
    assert!(said.contains("2 rows can't be read"), "{said}");
    assert!(
        said.contains("leads.csv:3: from") && said.contains("leads.csv:4: from"),
        "{said}"
    );
    assert_eq!(world.creates(), 0);
}

#[test]
fn a_row_that_fails_is_tried_again_and_the_others_are_not() {
    let world = World::new();
    leads(&world, 5);
    world
        .standin
        .world()
        .denied
        .insert("CreateDispatch".to_owned());
    let first = report(&world, &[], 1);
    assert_eq!(first["failed"], 5);
    let sent = world.creates();
    world.standin.world().denied.clear();
    let refusal = Answer::twirp(400, "invalid_argument", "too long");
    world
        .standin
        .fault("CreateDispatch", 1, Fault::Answer(refusal));
    let second = report(&world, &["--concurrency", "1"], 1);
    assert_eq!(
        (&second["accepted"], &second["failed"]),
        (&4.into(), &1.into())
    );
    let third = report(&world, &[], 0);
    assert_eq!(
        (&third["skipped"], &third["accepted"]),
        (&4.into(), &5.into())
    );
    assert_eq!(
        (sent, world.creates(), world.standin.dispatches().len()),
        (5, 11, 5)
    );
}

#[test]
fn an_unknown_outcome_is_left_alone_until_told_otherwise() {
    let world = World::new();
    leads(&world, 3);
    world.standin.fault("CreateDispatch", 1, Fault::Hang);
    let first = report(&world, &["--concurrency", "1"], 8);
    assert_eq!(
        (&first["unknown"], &first["accepted"]),
        (&1.into(), &2.into())
    );
    let second = report(&world, &[], 8);
    assert_eq!((&second["skipped"], world.creates()), (&3.into(), 3));
    let third = report(&world, &["--retry-unknown"], 0);
    assert_eq!(
        (&third["skipped"], &third["accepted"]),
        (&2.into(), &3.into())
    );
    assert_eq!(world.creates(), 4);
}

#[test]
fn no_agent_is_an_outcome_that_a_rerun_leaves_alone() {
    let world = World::new();
    leads(&world, 2);
    let wait = ["--wait-for-agent", "50ms"];
    let first = report(&world, &wait, 10);
    assert_eq!(first["no_agent"], 2);
    report(&world, &wait, 10);
    assert_eq!(world.creates(), 2);
    world.standin.world().workers.insert("voag-dev".to_owned());
    let third = report(&world, &[&wait[..], &["--retry-unknown"]].concat(), 0);
    assert_eq!((&third["picked_up"], world.creates()), (&2.into(), 4));
}

#[test]
fn a_refused_row_is_said_and_the_rest_is_called() {
    let world = World::new();
    let rows = "from,to,tenant\n+971545335200,+971501234567,\n+971545335200,+919876543210,\n\
                +14155550100,+919876543210,\n";
    world.lkroute.write("leads.csv", rows);
    let report = report(&world, &["--concurrency", "1"], 1);
    assert_eq!(
        (&report["accepted"], &report["refused"]),
        (&1.into(), &1.into())
    );
    assert_eq!(
        report["failed"], 1,
        "no number and no environment: {report}"
    );
    let rows = results(&world);
    assert_eq!(
        (&rows[1][4], &rows[1][5]),
        ("+971545335200", "+919876543210")
    );
    assert!(
        rows[1][12].contains("allowed_outbound") && &rows[1][2] == "9",
        "{rows:?}"
    );
    assert!(rows[2][12].contains("LIVEKIT_URL"), "{rows:?}");
}

#[test]
fn a_file_that_was_edited_is_not_taken_for_the_same_batch() {
    let world = World::new();
    leads(&world, 3);
    report(&world, &[], 0);
    world
        .lkroute
        .edit("leads.csv", "\"Hello, 0\"", "\"Good day\"");
    let run = run(&world, &[]).expect_code(1);
    assert!(
        said(&run).contains("row 1 is not the one that"),
        "{}",
        run.stderr
    );
    leads(&world, 4);
    let report = report(&world, &[], 0);
    assert_eq!(
        (&report["skipped"], &report["accepted"]),
        (&3.into(), &4.into())
    );
    assert_each_once(&world, 4);
}

#[test]
fn a_file_that_is_no_result_file_is_left_as_it_is() {
    let world = World::new();
    leads(&world, 1);
    let run = run(&world, &["--results", "leads.csv"]).expect_code(1);
    assert!(
        said(&run).contains("no result file of a batch"),
        "{}",
        run.stderr
    );
    assert!(world.lkroute.read("leads.csv").starts_with("from,to"));
    assert_eq!(world.creates(), 0);
}

/// Starts a batch, and waits until some calls were placed.
fn under_way(world: &World, args: &[&str], calls: usize) -> Child {
    let batch = ["dispatch", "--batch", "leads.csv", "--format", "json"];
    let mut command = world.lkroute.command(&[&batch[..], args].concat());
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().expect("start lkroute");
    let until = Instant::now() + Duration::from_secs(30);
    while world.creates() < calls {
        assert!(Instant::now() < until, "no calls in time");
        thread::sleep(Duration::from_millis(2));
    }
    child
}

#[test]
fn ctrl_c_finishes_what_is_under_way_and_counts_the_rest() {
    let world = World::new();
    leads(&world, 500);
    let child = under_way(&world, &["--concurrency", "4"], 20);
    signal(&child, "INT");
    let run = clean(Run::of(child)).expect_code(1);
    let report = run.json();
    let done = report["accepted"].as_u64().unwrap();
    assert!((20..500).contains(&done), "{report}");
    assert_eq!(report["not_started"], 500 - done);
    assert_eq!(report["interrupted"], true);
    assert!(
        said(&run).contains("under way will be finished"),
        "{}",
        run.stderr
    );
    assert_eq!(
        world.recorded().iter().filter(|s| *s == "accepted").count() as u64,
        done
    );
    assert_eq!(
        world.recorded().len() as u64,
        done,
        "nothing stays in_queue"
    );

    let rest = self::report(&world, &[], 0);
    assert_eq!(
        (&rest["skipped"], &rest["accepted"]),
        (&done.into(), &500.into())
    );
    assert_each_once(&world, 500);
}

#[test]
fn a_second_ctrl_c_leaves_the_calls_and_a_rerun_does_not_repeat_them() {
    let world = World::new();
    leads(&world, 5);
    world.standin.fault("CreateDispatch", 2, Fault::Hang);
    let child = under_way(&world, &["--concurrency", "2", "--timeout", "90s"], 2);
    for _ in 0..2 {
        signal(&child, "INT");
        thread::sleep(Duration::from_millis(300));
    }
    let report = clean(Run::of(child)).expect_code(8).json();
    assert_eq!(
        (&report["unknown"], &report["not_started"]),
        (&2.into(), &3.into())
    );
    let rest = self::report(&world, &[], 8);
    assert_eq!(
        (&rest["unknown"], &rest["accepted"]),
        (&2.into(), &3.into())
    );
    assert_each_once(&world, 5);
}

#[test]
fn killed_batches_never_call_a_row_twice() {
    let world = World::new();
    leads(&world, 300);
    for calls in [10, 60, 120] {
        let child = under_way(&world, &["--concurrency", "8"], calls);
        signal(&child, "KILL");
        Run::of(child);
    }
    // Half a line, as a full disk or a power cut leaves it.
    let torn = world.lkroute.read("leads.csv.results.csv") + "299,0000";
    world.lkroute.write("leads.csv.results.csv", &torn);
    let batch = ["dispatch", "--batch", "leads.csv", "--format", "json"];
    let report = world.run(&batch).json();
    let of = |status: &str| report[status].as_u64().unwrap();
    assert_eq!(of("accepted") + of("unknown"), 300, "{report}");
    assert!(of("unknown") <= 24, "{report}");
    let called = called(&world);
    let distinct: HashSet<_> = called.iter().collect();
    assert_eq!(called.len(), distinct.len(), "a row was called twice");
}

#[test]
fn a_batch_that_is_run_twice_at_once_is_run_once() {
    let world = World::new();
    leads(&world, 200);
    let child = under_way(&world, &["--concurrency", "2"], 3);
    let run = run(&world, &[]).expect_code(1);
    assert!(
        said(&run).contains("in use by another lkroute"),
        "{}",
        run.stderr
    );
    Run::of(child).expect_code(0);
    assert_each_once(&world, 200);
}

#[test]
fn a_database_that_goes_away_ends_the_batch_and_a_rerun_goes_on() {
    let world = World::new();
    leads(&world, 300);
    let child = under_way(&world, &["--concurrency", "2"], 10);
    world.sql("ALTER TABLE lkroute_dispatches RENAME TO hidden");
    let run = Run::of(child);
    assert_ne!(run.code, 0, "{}", run.stderr);
    let stopped = run.json();
    assert!(stopped["not_started"].as_u64().unwrap() > 0, "{stopped}");
    world.sql("ALTER TABLE hidden RENAME TO lkroute_dispatches");
    let batch = ["dispatch", "--batch", "leads.csv", "--format", "json"];
    let rest = world.run(&batch).expect_code(0).json();
    assert_eq!(rest["accepted"], 300, "{rest}");
    assert_each_once(&world, 300);
}

/// The most memory that a batch of so many rows takes, in kB; the rules of
/// the number refuse them all, which needs no server.
#[cfg(target_os = "linux")]
fn peak(world: &World, rows: u64) -> u64 {
    leads(world, rows);
    world
        .sql("UPDATE voice_agent_numbers SET rules = json_set(rules, '$.outbound', json('false'))");
    let results = format!("{rows}.csv");
    let batch = ["dispatch", "--batch", "leads.csv", "--results", &results];
    let mut command = world.lkroute.command(&batch);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("start lkroute");
    let mut peak = 0;
    while child.try_wait().expect("wait").is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak = peak.max(now.unwrap_or(0));
        thread::sleep(Duration::from_millis(5));
    }
    Run::of(child).expect_code(9);
    peak
}

#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_the_batch() {
    let world = World::new();
    let (few, many) = (peak(&world, 100), peak(&world, 6000));
    assert!(many < few + 4096, "{few} kB, then {many} kB");
    println!("{few} kB, then {many} kB");
}
