//! One call, whatever happens to it.

use std::net::TcpListener;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use livekit_protocol as proto;
use serde_json::{Value, json};

use super::world::{FROM, OTHER_RING, TO, World, clean, said};
use crate::livekit::standin::{Answer, Fault};
use crate::review::schema::assert_valid;
use crate::support::{CONFIG_INDIA, Run, TENANT_INDIA, TENANT_UAE, spawn_piped};

#[test]
fn a_call_is_recorded_placed_and_listed() {
    let world = World::new();
    let report = world.json(
        &[
            "--agent-id",
            "33",
            "--context",
            "Renewal",
            "--metadata",
            "campaign=diwali",
        ],
        0,
    );
    let [create] = &world.standin.posts("CreateDispatch")[..] else {
        panic!("{}", world.creates())
    };
    let sent: proto::CreateAgentDispatchRequest = create.decode();
    let metadata: Value = serde_json::from_str(&sent.metadata).unwrap();
    let expected = json!({
        "job_id": report["job_id"], "call_log_id": report["record_id"],
        "phone_number": TO, "to_number": TO, "from_number": FROM, "sip_number": FROM,
        "call_mode": "outbound", "outbound_trunk_id": "ST_MmVqEuBMDNf6", "agent_id": 33,
        "deployment": null, "voice_id": null, "carrier_name": "TechieMaya FZE", "trunk_resolution": "database",
        "initiated_by": null, "added_context": "Renewal", "batch_id": null, "entry_id": null,
        "campaign": "diwali",
    });
    assert_eq!(metadata, expected);
    assert_eq!(report["metadata"], expected);
    assert_eq!(
        (sent.agent_name.as_str(), &json!(sent.room)),
        ("voag-dev", &report["room"])
    );
    assert_eq!(report["outcome"], "accepted");
    assert_eq!(report["source"], "database");
    assert_eq!(
        report["dispatch_id"],
        world.standin.dispatches()[0].id.as_str()
    );
    assert_eq!(report["error"], Value::Null);

    let list = world
        .run(&["dispatches", "--format", "json"])
        .expect_code(0);
    let list = assert_valid("dispatches", &list.stdout);
    let [call] = &list["dispatches"].as_array().unwrap()[..] else {
        panic!("{list}")
    };
    assert_eq!(call["record_id"], report["record_id"]);
    assert_eq!(call["status"], "accepted");
    assert_eq!(call["actor"], "asha@desk");
    assert_eq!(
        (&call["worker"], &call["worker_seen"]),
        (&json!("voag-dev"), &Value::Null)
    );
    let none = world.run(&["dispatches", "--number", "+971545335200"]);
    assert_starts!(none.stdout, "No calls");
}

#[test]
fn people_read_room_worker_trunk_and_that_an_id_is_no_proof() {
    let world = World::new();
    let run = world.dispatch(&["--explain"]).expect_code(0);
    for part in [
        "--wait-for-agent",
        "room",
        "AD_standin",
        "voag-dev",
        "ST_MmVqEuBMDNf6",
        "india-techiemaya-cloud",
        "lkroute's own record",
        "How",
    ] {
        assert_contains!(run.stdout, part);
    }
    let hinted = run.told(
        "Accepted by the server; whether an agent takes it was not looked at (--wait-for-agent 10s tells; the id alone is no proof)",
    );
    world.standin.world().workers.insert("voag-dev".to_owned());
    let call = format!("dispatch --from {FROM} --to {TO} --wait-for-agent 10s");
    let seen = hinted.with(&world.lkroute, &call).expect_code(0).stdout;
    assert_contains!(seen, "an agent took the job");
    let log = "00000000-0000-4000-8000-00000000000a";
    let run = world.dispatch(&["--call-log-id", log]).expect_code(0);
    assert_contains!(run.stdout, log);
    assert_lacks!(run.stdout, "lacks it");
}

#[test]
fn a_dry_run_sends_and_records_nothing() {
    let world = World::new();
    let report = world.json(&["--dry-run"], 0);
    assert_eq!(report["outcome"], "dry_run");
    assert_eq!(report["metadata"]["phone_number"], TO);
    assert_eq!(report["worker"], "voag-dev");
    let text = world.dispatch(&["--dry-run"]).expect_code(0).stdout;
    assert_contains!(text, "Dry run", "\"call_mode\": \"outbound\"");
    let other = world.with("LKROUTE_KEYS", OTHER_RING);
    let run = other.dispatch(&["--dry-run"]).expect_code(0);
    assert_contains!(said(&run), "this call would fail");
    assert!(other.recorded().is_empty() && other.standin.world().posts.is_empty());
}

#[test]
fn a_key_means_one_call_and_a_repeat_returns_its_outcome() {
    let world = World::new();
    let first = world.json(&["--idempotency-key", "order-4711"], 0);
    let second = world.json(&["--idempotency-key", "order-4711"], 0);
    assert_eq!(
        (&first["repeated"], &second["repeated"]),
        (&json!(false), &json!(true))
    );
    for part in ["room", "record_id", "dispatch_id", "outcome", "worker"] {
        assert_eq!(first[part], second[part], "{part}");
    }
    assert_eq!(world.creates(), 1);
    let other = world.run(&[
        "dispatch",
        "--from",
        FROM,
        "--to",
        "+919876543211",
        "--idempotency-key",
        "order-4711",
    ]);
    let other = other.expect_code(1);
    assert_contains!(said(&other), "belongs to a call from");
    let hinted = other.told("give each call a key of its own");
    let own = [
        "dispatch",
        "--from",
        FROM,
        "--to",
        "+919876543211",
        "--idempotency-key",
        "order-4712",
    ];
    hinted.then(|| world.run(&own)).expect_code(0);

    world.standin.fault("CreateDispatch", 1, Fault::Hang);
    let first = world.json(&["--idempotency-key", "k"], 8);
    let second = world.json(&["--idempotency-key", "k"], 8);
    assert_eq!(first["room"], second["room"]);
    assert_eq!((world.creates(), world.recorded().len()), (3, 3));
    let again = world.dispatch(&["--idempotency-key", "k"]).expect_code(8);
    let hinted = again.told("`lkroute dispatches --refresh {}` looks again; {TWICE}");
    let looked = hinted.run(&world.lkroute, &[]);
    assert!(
        !looked.stdout.is_empty() && [0, 8].contains(&looked.code),
        "{}",
        looked.stderr
    );
}

#[test]
fn a_call_that_failed_gives_its_key_back() {
    let world = World::new();
    let refusal = Answer::twirp(400, "invalid_argument", "too long");
    world
        .standin
        .fault("CreateDispatch", 1, Fault::Answer(refusal));
    let keyed = ["--idempotency-key", "order-4711"];
    assert_eq!(world.json(&keyed, 1)["outcome"], "failed");
    let second = world.json(&keyed, 0);
    assert_eq!(
        (&second["outcome"], &second["repeated"]),
        (&json!("accepted"), &json!(false))
    );
    assert_eq!(world.json(&keyed, 0)["repeated"], true);
    assert_eq!(world.recorded(), ["accepted", "failed"]);
}

#[test]
fn whatever_happens_to_the_create_there_is_one_and_the_exit_is_true() {
    for (fault, code, outcome) in [
        (Fault::Hang, 8, "unknown"),
        (Fault::Reset, 8, "unknown"),
        (Fault::Answer(Answer::html(502)), 8, "unknown"),
        (Fault::Answer(Answer::empty(503)), 8, "unknown"),
        (Fault::StoreThenClose, 0, "accepted"),
        (
            Fault::StoreThenAnswer(Answer::twirp(500, "internal", "boom")),
            0,
            "accepted",
        ),
        (
            Fault::Answer(Answer::twirp(400, "invalid_argument", "too long")),
            1,
            "failed",
        ),
        (
            Fault::Answer(Answer::twirp(401, "unauthenticated", "permissions denied")),
            1,
            "failed",
        ),
    ] {
        let world = World::new();
        world.standin.fault("CreateDispatch", 9, fault);
        let report = world.json(&[], code);
        assert_eq!(report["outcome"], outcome);
        assert_eq!(world.creates(), 1);
        assert_eq!(world.recorded(), [outcome]);
        if code == 8 {
            let room = report["room"].as_str().unwrap();
            assert!(report["error"]["message"].as_str().unwrap().contains(room));
        }
    }
}

#[test]
fn what_is_wrong_with_the_server_is_said_in_one_line() {
    let world = World::new();
    let line = |world: &World| {
        let run = world.dispatch(&[]).expect_code(1);
        assert_eq!(world.creates(), 0);
        said(&run)
    };
    world.standin.world().keys.clear();
    assert_contains!(
        line(&world),
        "no call was placed: the server does not know the API key"
    );
    let keys = [(
        crate::livekit::standin::KEY.to_owned(),
        "another-made-up-secret".to_owned(),
    )];
    world.standin.world().keys = keys.into();
    assert_contains!(line(&world), "knows the key, but the secret is wrong");
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    world.sql(&format!(
        "UPDATE voice_agent_livekit SET livekit_url = 'http://{free}'"
    ));
    assert_contains!(
        line(&world),
        "nothing accepts connections at that host and port"
    );
    assert_eq!(world.recorded(), ["failed"; 3]);
}

#[test]
fn rules_refuse_with_their_name_and_nothing_is_sent() {
    let world = World::new();
    let refused = |from: &str, to: &str| {
        let run = world
            .run(&["dispatch", "--from", from, "--to", to])
            .expect_code(9);
        said(&run)
    };
    let said = refused("+971545335200", "+919876543210");
    assert_contains!(said, "`allowed_outbound = \"uae\"` refuses +919876543210");
    world
        .sql("UPDATE voice_agent_numbers SET rules = json_set(rules, '$.outbound', json('false'))");
    let said = refused(FROM, TO);
    assert_contains!(said, "`outbound = false`");
    let report = world.json(&[], 9);
    assert_eq!(report["outcome"], "refused");
    assert!(world.standin.world().posts.is_empty() && world.recorded().is_empty());
}

#[test]
fn a_bare_number_gets_the_country_of_the_rules() {
    let world = World::new();
    let report = world.run(&[
        "dispatch",
        "--from",
        "+971545335200",
        "--to",
        "050 123 4567",
        "--format",
        "json",
    ]);
    let report = report.expect_code(0).json();
    assert_eq!(report["metadata"]["phone_number"], "+971501234567");
    assert_eq!(report["metadata"]["to_number"], "050 123 4567");
    assert_eq!(report["worker"], "voag-staging");
}

#[test]
fn a_secret_that_does_not_open_is_no_call_and_no_fallback() {
    let world = World::new()
        .with("LIVEKIT_URL", "http://127.0.0.1:1")
        .with("LIVEKIT_API_KEY", "made-up")
        .with("LIVEKIT_API_SECRET", "made-up-too");
    let world = world.with("LKROUTE_KEYS", OTHER_RING);
    let report = world.json(&[], 1);
    let message = report["error"]["message"].as_str().unwrap();
    assert_starts!(
        message,
        "the secret of config india-techiemaya-cloud does not open"
    );
    let trace = report["resolution"]["trace"].to_string();
    assert_contains!(trace, "today's service would have fallen back");
    assert!(world.standin.world().posts.is_empty() && world.recorded().is_empty());

    let text = world.dispatch(&["--explain"]).expect_code(1);
    assert_contains!(text.stdout, "without a word");
}

#[test]
fn several_tenants_need_a_choice_and_a_user_makes_it() {
    let world = World::new();
    world.number(TENANT_UAE, "+91", 9_513_456_728, CONFIG_INDIA, "");
    let report = world.json(&[], 1);
    assert!(
        report["error"]["message"].to_string().contains(TENANT_UAE),
        "{report}"
    );
    world.json(&["--tenant", TENANT_INDIA], 0);
    let run = world.dispatch(&["--tenant", "nobody"]).expect_code(1);
    assert_contains!(said(&run), "no tenant is called `nobody`");
    assert_eq!(world.creates(), 1);
}

#[test]
fn with_the_table_switched_off_the_environment_decides_and_the_call_is_recorded() {
    let world = World::new();
    let url = world.standin.url();
    let from_shell = proto::SipOutboundTrunkInfo {
        sip_trunk_id: "ST_fromShell".to_owned(),
        ..Default::default()
    };
    world.standin.world().trunks.push(from_shell);
    let world = world
        .with("USE_SELFHOST_ROUTING_TABLE", "false")
        .with("LIVEKIT_URL", &url)
        .with("LIVEKIT_API_KEY", crate::livekit::standin::KEY)
        .with("LIVEKIT_API_SECRET", crate::livekit::standin::SECRET)
        .with("OUTBOUND_TRUNK_ID", "ST_fromShell");
    let report = world.json(&[], 0);
    assert_eq!(report["source"], "environment");
    assert_eq!(report["worker"], "inbound-agent");
    assert_eq!(report["metadata"]["trunk_resolution"], "environment");
    assert_eq!(world.recorded(), ["accepted"]);
    let report = world.json(&["--strict"], 1);
    assert_eq!(report["outcome"], "failed");
    assert_eq!(world.creates(), 1);
}

#[test]
fn without_a_database_nothing_is_sent_and_the_trace_says_what_today_would_do() {
    let world = World::new();
    let report = world.json(&["--database", "sqlite://not-there.db"], 1);
    let trace = report["resolution"]["trace"].to_string();
    assert_contains!(trace, "today's service would have fallen back");
    assert!(world.standin.world().posts.is_empty());
    assert!(!world.lkroute.path().join("not-there.db").exists());
}

/// Starts a call that hangs at the create.
fn hanging(world: &World, args: &[&str]) -> std::process::Child {
    hanging_at(world, "CreateDispatch", args)
}

fn hanging_at(world: &World, method: &str, args: &[&str]) -> std::process::Child {
    world.standin.fault(method, 1, Fault::Hang);
    let call = ["dispatch", "--from", FROM, "--to", TO, "--timeout", "60s"];
    let mut command = world.lkroute.command(&[&call[..], args].concat());
    let child = spawn_piped(&mut command);
    let until = Instant::now() + Duration::from_secs(20);
    while world.standin.posts(method).is_empty() {
        assert!(Instant::now() < until, "no {method} in time");
        thread::sleep(Duration::from_millis(5));
    }
    child
}

pub fn signal(child: &std::process::Child, name: &str) {
    let sent = Command::new("sh")
        .args(["-c", &format!("kill -{name} {}", child.id())])
        .status();
    assert!(sent.expect("run kill").success());
}

#[test]
fn a_call_that_is_interrupted_is_unknown_and_names_its_room() {
    let world = World::new();
    let child = hanging(&world, &[]);
    assert_eq!(world.recorded(), ["in_queue"], "written before it was sent");
    signal(&child, "INT");
    let run = clean(Run::of(child)).expect_code(8);
    assert_contains!(said(&run), "interruption", "call-");
    assert_eq!(world.recorded(), ["unknown"]);
}

/// False word: "can't be known" about a call that was never sent.
#[test]
fn a_call_that_is_interrupted_before_it_was_sent_is_none() {
    let world = World::new();
    for method in ["ListSIPOutboundTrunk", "CreateRoom"] {
        let child = hanging_at(&world, method, &["--idempotency-key", "k"]);
        signal(&child, "INT");
        let run = clean(Run::of(child)).expect_code(1);
        assert!(
            said(&run).contains("no call was placed: interrupted before it was sent"),
            "{method}: {}",
            run.stderr
        );
        assert_eq!(world.recorded()[0], "failed", "{method}");
        assert_eq!(world.creates(), 0, "{method}");
    }
    // There was none, so that the key is free.
    let report = world.json(&["--idempotency-key", "k"], 0);
    assert_eq!(
        (&report["outcome"], &report["repeated"]),
        (&json!("accepted"), &json!(false))
    );
}

#[test]
fn a_call_whose_command_was_killed_stays_visible_and_is_not_placed_again() {
    let world = World::new();
    let child = hanging(&world, &["--idempotency-key", "k"]);
    signal(&child, "KILL");
    Run::of(child);
    assert_eq!(world.recorded(), ["in_queue"]);
    let report = world.json(&["--idempotency-key", "k"], 8);
    assert_eq!(
        (&report["outcome"], &report["repeated"]),
        (&json!("in_queue"), &json!(true))
    );
    assert_eq!(world.creates(), 1);
}
