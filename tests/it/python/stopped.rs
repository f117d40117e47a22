//! `dispatch` of the package while things stop in its middle: the caller, the
//! database, an apply. Nobody is called twice, and the record tells the truth.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use livekit_protocol::CreateAgentDispatchRequest;
use livekit_protocol::participant_info::Kind;
use serde_json::{Value, json};

use super::package;
use super::service::SCHEMA;
use super::world::{BACKUP_WORKER, FROM, TO, Tables, WORKER, World, routed};
use crate::calls::world::{TRUNK, files, trunk};
use crate::livekit::standin::{Fault, StandIn};
use crate::support::{Db, Lkroute, Postgres, TENANT_INDIA};

/// Where the numbers are that move.
pub const MOVING: &str = "routing/moved.toml";

/// A phase in which the caller stops, and whether the create was sent by then.
type Phase = (
    &'static str,
    fn(&World) -> Option<std::process::Child>,
    bool,
);

fn hang(world: &World, method: &str) -> Option<std::process::Child> {
    world.standin.fault(method, 1, Fault::Hang);
    None
}

/// Lets nobody write into the table of records for some seconds.
fn hold_the_table(world: &World) -> Option<std::process::Child> {
    let Tables::Postgres(db) = &world.tables else {
        return None;
    };
    let sql = format!(
        "BEGIN; LOCK TABLE {SCHEMA}.lkroute_dispatches IN SHARE MODE; SELECT pg_sleep(9); COMMIT"
    );
    let holder = Command::new(db.postgres().program("psql"))
        .args(["-q", "-d", &db.url, "-c", &sql])
        .stdout(Stdio::null())
        .spawn();
    let locked = "SELECT count(*) FROM pg_locks WHERE mode = 'ShareLock' AND granted
                  AND relation = to_regclass('lad_dev.lkroute_dispatches')";
    let until = Instant::now() + Duration::from_secs(20);
    while db.psql(locked).trim() == "0" {
        assert!(Instant::now() < until, "not locked");
        std::thread::sleep(Duration::from_millis(20));
    }
    Some(holder.expect("start psql"))
}

const PHASES: [Phase; 5] = [
    ("the record is being written", hold_the_table, false),
    (
        "the trunk is looked at",
        |world| hang(world, "ListSIPOutboundTrunk"),
        false,
    ),
    ("the room is made", |world| hang(world, "CreateRoom"), false),
    (
        "the create is sent",
        |world| hang(world, "CreateDispatch"),
        true,
    ),
    ("an agent is waited for", |_| None, true),
];

/// False words: "no call was placed" where there is one, "can't be known" where
/// nothing was sent.
#[test]
fn a_caller_that_stops_is_told_by_what_had_been_sent() {
    let Some(world) = World::new("python_stopped") else {
        return;
    };
    // By its own cancellation, or with its loop, which cancels all that runs.
    let ways = [
        ("cancel_after", "asyncpg"),
        ("leave_after", "asyncpg"),
        ("leave_after", "psycopg"),
    ];
    for ((phase, fault, sent), (way, driver)) in PHASES
        .into_iter()
        .flat_map(|phase| ways.map(|way| (phase, way)))
    {
        let key = format!("{way}-{driver}-{}", phase.replace(' ', "-"));
        let phase = &format!("{phase}, {way}, {driver}");
        let asked = |cancel: Option<f64>| {
            let keywords = json!({
                "idempotency_key": key, "wait_for_agent": 20, "timeout": 15.0, "settle": 3.0
            });
            let mut asked = json!({ "keywords": keywords, "driver": driver });
            if let Some(after) = cancel {
                asked[way] = after.into();
            }
            asked
        };
        world.reset();
        let holder = fault(&world);
        let ends = world.by_package(&asked(Some(2.0)));
        if way == "cancel_after" {
            assert_eq!(ends[0]["raised"], "CancelledError", "{phase}: {ends}");
        }
        if let Some(mut holder) = holder {
            holder.wait().expect("it ends");
        }
        let record = world.record();
        assert_eq!(record["finished_at"], true, "{phase}: {record}");
        assert_eq!(world.creates(), usize::from(sent), "{phase}");
        let message = record["detail"]["message"].as_str().unwrap_or_default();
        world.standin.mend();
        world.standin.world().workers.insert(WORKER.to_owned());
        match sent {
            false => {
                assert_eq!(record["status"], "failed", "{phase}: {record}");
                assert!(
                    message.contains("interrupted before it was sent"),
                    "{record}"
                );
                // There is no call: the key may be tried again.
                assert_eq!(record["idempotency_key"], Value::Null, "{phase}");
                let again = world.by_package(&asked(None));
                assert_eq!(again[0]["status"], "picked_up", "{phase}: {again}");
                assert_eq!(world.creates(), 1, "{phase}");
            }
            true => {
                assert_eq!(record["status"], "unknown", "{phase}: {record}");
                let again = world.by_package(&asked(None));
                assert_eq!(again[0]["raised"], "CallUnknown", "{phase}: {again}");
                assert_eq!(world.creates(), 1, "nobody is called twice");
            }
        }
    }
    // The command looks what became of the last: its server has it.
    let call = &world.standin.dispatches()[0];
    let agent = livekit_protocol::ParticipantInfo {
        identity: "agent-standin".to_owned(),
        kind: Kind::Agent as i32,
        ..Default::default()
    };
    let present = BTreeMap::from([(call.room.clone(), vec![agent])]);
    world.standin.world().participants.extend(present);
    let refresh = ["dispatches", "--refresh", &call.room, "-j"];
    let looked = world.lkroute.run(&refresh).expect_code(0).json();
    assert_eq!(looked["dispatches"][0]["status"], "picked_up", "{looked}");
}

/// False words: "calling again may call a person twice", "the server restarted", of a
/// call that an operator ended. By the package and by the command.
#[test]
fn a_call_that_is_cancelled_while_its_agent_is_waited_for_is_told_as_such() {
    let Some(world) = World::new("python_cancelled") else {
        return;
    };
    let cancel = || {
        let until = Instant::now() + Duration::from_secs(30);
        let waiting = "SELECT room FROM lkroute_dispatches WHERE status = 'accepted'";
        loop {
            let room = world.sql(waiting).trim().to_owned();
            if !room.is_empty() {
                world.lkroute.run(&["cancel", &room, "-y"]).expect_code(0);
                return;
            }
            assert!(Instant::now() < until, "not accepted");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let asked = json!({"keywords": {"idempotency_key": "order-4714", "wait_for_agent": 12}});
    let end = std::thread::scope(|scope| {
        let end = scope.spawn(|| world.by_package(&asked)[0].clone());
        cancel();
        end.join().expect("ended")
    });
    assert_eq!(end["raised"], "CallCancelled", "{end}");
    let record = world.record();
    assert_eq!(record["status"], "cancelled", "{record}");
    let message = record["detail"]["message"].as_str().expect("a text");
    assert_starts!(message, "cancelled: ");
    let again = world.by_package(&asked)[0].clone();
    assert_eq!(again["raised"], "CallCancelled", "{again}");
    world.reset();
    let call = ["dispatch", "--from", FROM, "--to", "+919876543211"];
    let wait = ["--wait-for-agent", "12s", "--format", "json"];
    let run = std::thread::scope(|scope| {
        let run = scope.spawn(|| world.lkroute.run(&[&call[..], &wait].concat()));
        cancel();
        run.join().expect("ended")
    });
    let run = run.expect_code(1);
    assert_contains!(run.json().to_string(), "the call was cancelled meanwhile");
    assert_eq!(world.record()["status"], "cancelled");
}

/// The called numbers of the creates that a server got, with their workers.
fn called(standin: &StandIn) -> Vec<(String, String)> {
    let posts = standin.posts("CreateDispatch");
    let asked = posts.iter().map(|post| post.decode());
    asked
        .map(|asked: CreateAgentDispatchRequest| {
            let metadata: Value = serde_json::from_str(&asked.metadata).expect("JSON");
            let to = metadata["to_number"].as_str().expect("a number").to_owned();
            (to, asked.agent_name)
        })
        .collect()
}

/// False word: "a repeat with the same key places none while that can't be known".
#[test]
fn a_bug_in_the_middle_of_a_call_is_told_and_doubles_none() {
    let Some(world) = World::new("python_bug") else {
        return;
    };
    let mut broke_behind_the_create = 0;
    for step in 1..8 {
        world.reset();
        let key = format!("bug-{step}");
        let mut asked = json!({"keywords": {"idempotency_key": key}, "break_at": step});
        let broken = world.by_package(&asked)[0].clone();
        let sent = world.creates();
        asked["break_at"] = 0.into();
        let again = world.by_package(&asked)[0].clone();
        assert!(world.creates() <= 1, "step {step}");
        if broken["status"] == "accepted" {
            assert_eq!(again["repeated"], true, "step {step}: {again}");
            continue;
        }
        assert_eq!(broken["raised"], "InternalError", "step {step}: {broken}");
        if sent == 1 {
            broke_behind_the_create += 1;
            // Unless its record was completed before.
            let told = again["raised"] == "CallUnknown" || again["repeated"] == true;
            assert!(told, "step {step}: {again}");
        }
    }
    assert!(broke_behind_the_create > 0);
}

/// All connections are cut, and the server takes none for a while.
pub fn crash(db: &Db) {
    db.psql("CHECKPOINT");
    let pid = db.psql(
        "SELECT pid FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() LIMIT 1",
    );
    let kill = Command::new("kill").args(["-9", pid.trim()]).status();
    assert!(kill.expect("run kill").success());
}

/// False word: "one call for each key". Attacker: a database whose commits wait for no
/// disk, and a crash of it.
#[test]
fn a_record_outlives_a_crash_where_others_wait_for_no_disk() {
    // Nothing else writes its log down meanwhile.
    let Some(postgres) = Postgres::own_with(&["wal_writer_delay=10s"]) else {
        return;
    };
    let tables = Tables::Postgres(postgres.database("durable"));
    let standin = StandIn::start();
    standin.world().trunks.push(trunk());
    let lkroute = routed(&tables, &files(&standin.url(), TENANT_INDIA, TRUNK));
    let Tables::Postgres(db) = &tables else {
        return;
    };
    assert_eq!(db.psql("SHOW synchronous_commit").trim(), "off");
    db.psql("CHECKPOINT");
    let call = [
        "dispatch",
        "--from",
        FROM,
        "--to",
        TO,
        "--idempotency-key",
        "order-1",
    ];
    lkroute.run(&call).expect_code(0);
    let writer = db.psql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'");
    let kill = Command::new("kill").args(["-9", writer.trim()]).status();
    assert!(kill.expect("run kill").success());
    let until = Instant::now() + Duration::from_secs(30);
    std::thread::sleep(Duration::from_millis(300));
    while db.psql_as(&db.url, "SELECT 1").is_err() {
        assert!(Instant::now() < until, "it does not come back");
        std::thread::sleep(Duration::from_millis(100));
    }
    let again = lkroute.run(&call).expect_code(0);
    assert_contains!(again.stdout + &again.stderr, "Nothing was sent");
    assert_eq!(standin.posts("CreateDispatch").len(), 1);
}

/// False words: "no call was placed" about one that was, and the other way.
#[test]
fn a_restart_of_postgresql_among_calls_doubles_none_and_denies_none() {
    let Some(postgres) = Postgres::own() else {
        return;
    };
    let tables = Tables::Postgres(postgres.database("python_restart"));
    let Some(world) = World::on(tables, false) else {
        return;
    };
    let Tables::Postgres(db) = &world.tables else {
        return;
    };
    // What it says is committed is there behind a crash, as where calls are placed.
    let name = db.psql("SELECT quote_ident(current_database())");
    let name = name.trim();
    db.psql(&format!(
        "ALTER DATABASE {name} SET synchronous_commit = on"
    ));
    let asked = json!({
        "from": [FROM], "seconds": 8, "keywords": {"timeout": 5.0, "settle": 2.0},
    });
    let ends = std::thread::scope(|scope| {
        let ends = scope.spawn(|| world.by_package(&asked));
        let until = Instant::now() + Duration::from_secs(60);
        for _ in 0..2 {
            let before = world.creates();
            while world.creates() < before + 20 {
                assert!(Instant::now() < until, "no calls");
                std::thread::sleep(Duration::from_millis(5));
            }
            crash(db);
        }
        ends.join().expect("ended")
    });
    let mut placed: BTreeMap<String, usize> = BTreeMap::new();
    for (to, _) in called(&world.standin) {
        *placed.entry(to).or_default() += 1;
    }
    assert!(placed.values().all(|times| *times == 1), "{placed:?}");
    let status = |to: &str| {
        let row = world.sql(&format!(
            "SELECT status FROM lkroute_dispatches WHERE to_number = '{to}' ORDER BY at DESC"
        ));
        row.trim().to_owned()
    };
    let (mut accepted, mut refused) = (0, 0);
    for end in ends.as_array().expect("a list") {
        let to = end["to"].as_str().expect("a number");
        let was_sent = placed.contains_key(to);
        match end["status"].as_str() {
            Some("accepted") => {
                accepted += 1;
                assert!(was_sent, "{end}");
                assert_eq!(status(to), "accepted", "the record is completed: {end}");
            }
            _ => {
                refused += 1;
                let raised = end["raised"].as_str().unwrap_or_default();
                assert!(["RecordFailed", "LookupFailed"].contains(&raised), "{end}");
                assert!(!was_sent, "denied: {end}");
            }
        }
    }
    println!("{accepted} accepted, {refused} not placed");
    assert!(
        accepted > 40 && refused > 0,
        "{accepted} accepted, {refused} refused"
    );
}

/// Numbers that go from one config to another.
pub fn moving_numbers() -> Vec<String> {
    (0..10).map(|n| format!("+9195134570{n:02}")).collect()
}

/// They are in [`MOVING`], among more that stay.
pub fn apply_moving_numbers(lkroute: &Lkroute) {
    let moved = moving_numbers();
    let bound = format!(
        "[[bindings]]\nnumbers = {moved:?}\ntenant = \"techiemaya-test\"\n\
         config = \"india-techiemaya-cloud\"\nrules = {{ outbound = true }}\n"
    );
    lkroute.write(MOVING, &bound);
    lkroute.write(
        "routing/kept.toml",
        "[[bindings]]\nrange = [\"+919513458000\", \"+919513458099\"]\n\
         tenant = \"techiemaya-test\"\nconfig = \"india-techiemaya-cloud\"\n",
    );
    let apply = ["apply", "--auto-approve"];
    lkroute.run(&apply).expect_code(0);
}

pub fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("a clock").as_secs_f64()
}

/// False word: "the running service obeys with the next call". Attacker: an
/// apply in the middle of a call, and a call that mixes two configs.
#[test]
fn each_call_goes_by_the_state_before_or_after_an_apply() {
    let Some(world) = World::with_fallback("python_moved") else {
        return;
    };
    if package().is_none() {
        return;
    }
    apply_moving_numbers(&world.lkroute);
    world.reset();
    let asked = json!({"from": moving_numbers(), "seconds": 9, "keywords": {"timeout": 5.0}});
    let configs = ["india-techiemaya-cloud", "backup"];
    // From when on numbers may go there, and until when.
    let mut states: Vec<(usize, f64, f64)> = vec![(0, 0.0, f64::MAX)];
    let ends = std::thread::scope(|scope| {
        let ends = scope.spawn(|| world.by_package(&asked));
        let until = Instant::now() + Duration::from_secs(60);
        while world.creates() < 10 {
            assert!(Instant::now() < until, "no calls");
            std::thread::sleep(Duration::from_millis(5));
        }
        for round in 0..4 {
            let (from, to) = (configs[round % 2], configs[(round + 1) % 2]);
            world.lkroute.edit(MOVING, from, to);
            let began = now();
            let apply = ["apply", "--auto-approve"];
            world.lkroute.run(&apply).expect_code(0);
            states.last_mut().expect("one").2 = now();
            states.push(((round + 1) % 2, began, f64::MAX));
            std::thread::sleep(Duration::from_millis(500));
        }
        ends.join().expect("ended")
    });
    let servers = [(&world.standin, WORKER), (&world.backup, BACKUP_WORKER)];
    let mut went: BTreeMap<String, usize> = BTreeMap::new();
    for (ix, (standin, worker)) in servers.into_iter().enumerate() {
        for (to, asked_for) in called(standin) {
            assert_eq!(asked_for, worker, "server and worker are of one config");
            assert_eq!(went.insert(to, ix), None, "called twice");
        }
    }
    let ends = ends.as_array().expect("a list");
    let mut by_server = [0, 0];
    for end in ends {
        assert_eq!(end["status"], "accepted", "{end}");
        let (began, ended) = (end["began"].as_f64(), end["ended"].as_f64());
        let (began, ended) = (began.expect("a time"), ended.expect("a time"));
        let server = went[end["to"].as_str().expect("a number")];
        by_server[server] += 1;
        let may_go = |&(state, from, until): &(usize, f64, f64)| {
            state == server && from <= ended && until >= began
        };
        assert!(states.iter().any(may_go), "{end}: {states:?}");
    }
    assert!(by_server.iter().all(|calls| *calls > 10), "{by_server:?}");
}
