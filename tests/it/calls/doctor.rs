//! `doctor`: what is wrong is said in one line with what to do, and nothing
//! else is.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use livekit_protocol as proto;
use serde_json::Value;

use super::world::{OTHER_RING, World, trunk};
use crate::livekit::standin::{Answer, Fault, KEY};
use crate::review::schema::assert_valid;
use crate::support::{CONFIG_INDIA, Lkroute, TENANT_B, TENANT_INDIA, TENANT_UAE};

const INDIA: &str = "india-techiemaya-cloud";

fn report(world: &World, args: &[&str], code: i32) -> Value {
    let args = [&["doctor", "--timeout", "1s", "--format", "json"], args].concat();
    let report = world.run(&args).expect_code(code).stdout;
    let report = assert_valid("doctor", &report);
    assert_eq!(report["well"], code == 0, "{report}");
    report
}

/// The checks that complain: of one config, or of none.
fn checks(report: &Value, config: Option<&str>) -> Vec<String> {
    let of = |list: &Value| -> Vec<String> {
        let list = list.as_array().unwrap();
        list.iter()
            .map(|c| c["check"].as_str().unwrap().to_owned())
            .collect()
    };
    let Some(config) = config else {
        return of(&report["others"]);
    };
    let rows = report["configs"].as_array().unwrap();
    let row = rows
        .iter()
        .find(|row| row["name"] == config)
        .expect("a row");
    of(&row["complaints"])
}

#[test]
fn all_is_well_and_nothing_on_the_server_has_changed() {
    let world = World::new();
    let text = world.run(&["doctor"]).expect_code(0).stdout;
    assert_eq!(text.matches("ok   ").count(), 2, "{text}");
    assert_contains!(text, "secret opens", " ms");
    assert_contains!(text, "All is well: 2 configs, 2 active numbers");
    assert_eq!(checks(&report(&world, &[], 0), None), [""; 0]);
    assert!(world.standin.world().rooms.is_empty() && world.creates() == 0);
}

#[test]
fn each_fault_of_a_server_is_one_line_on_its_row() {
    let world = World::new();
    let one = |args: &[&str]| checks(&report(&world, args, 1), Some(INDIA)).join(" ");
    world.standin.world().trunks.clear();
    assert_eq!(one(&[]), "trunk-missing");
    world
        .standin
        .world()
        .trunks
        .push(proto::SipOutboundTrunkInfo {
            numbers: vec!["+14155550100".to_owned()],
            ..trunk()
        });
    assert_eq!(one(&[]), "trunk-lacks-numbers");
    world.standin.world().redis = false;
    assert_eq!(one(&[]), "sip-needs-redis");
    world.standin.world().clock_ahead = -300;
    assert_eq!(one(&[]), "clock-skew");
    let keys = [(KEY.to_owned(), "another-made-up-secret".to_owned())];
    world.standin.world().keys = keys.into();
    assert_eq!(one(&[]), "secret-wrong");
    let text = world.run(&["doctor"]).expect_code(1).stdout;
    assert_contains!(
        text,
        "secret-wrong: the server knows the key, but the secret is wrong"
    );
    assert_contains!(text, "→ seal the secret that belongs to this key");
    world.standin.world().keys.clear();
    assert_eq!(one(&[]), "key-unknown");
    world.standin.world().ready = false;
    assert_eq!(one(&[]), "not-ready key-unknown");
    world
        .standin
        .fault("*", 99, Fault::Answer(Answer::html(502)));
    assert_eq!(one(&[]), "unavailable");
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    world.sql(&format!(
        "UPDATE voice_agent_livekit SET livekit_url = 'http://{free}'"
    ));
    assert_eq!(one(&[]), "refused host-not-approved");
    assert_eq!(one(&["--config", INDIA]), "refused host-not-approved");
}

#[test]
fn servers_that_hang_are_given_up_side_by_side() {
    let world = World::new();
    for n in 0..20 {
        world.sql(&format!(
            "INSERT INTO voice_agent_livekit SELECT '00000000-0000-4000-8000-0000000000{n:02}',
               name || {n}, description, livekit_url, livekit_api_key, livekit_api_secret, trunk_id,
               worker_name, created_at, updated_at FROM voice_agent_livekit WHERE name = '{INDIA}'"
        ));
    }
    world.standin.fault("*", 999, Fault::Hang);
    let began = Instant::now();
    let report = report(&world, &[], 1);
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(report["configs"].as_array().unwrap().len(), 22);
    assert_eq!(checks(&report, Some(INDIA)), ["timeout"]);
}

#[test]
fn a_secret_that_does_not_open_is_told_and_the_server_is_still_looked_for() {
    let world = World::new().with("LKROUTE_KEYS", OTHER_RING);
    assert_eq!(
        checks(&report(&world, &[], 1), Some(INDIA)),
        ["secret-damaged"]
    );
    assert!(
        world.standin.world().posts.is_empty(),
        "nothing was signed with it"
    );
    world.standin.world().ready = false;
    assert_eq!(
        checks(&report(&world, &[], 1), Some(INDIA)),
        ["secret-damaged", "not-ready"]
    );
    let world = world.with("LKROUTE_KEYS", "");
    assert_eq!(
        checks(&report(&world, &["--no-probe"], 1), Some(INDIA)),
        ["secret-no-key"]
    );
}

#[test]
fn what_is_wrong_with_numbers_is_counted_and_named() {
    let world = World::new();
    let add = |tenant: &str, base: i64, config: &str| world.number(tenant, "+91", base, config, "");
    add(
        TENANT_B,
        9_000_000_001,
        "00000000-0000-4000-8000-00000000dead",
    );
    add(TENANT_INDIA, 9_513_456_728, CONFIG_INDIA);
    world.number(TENANT_B, "India", 9_000_000_002, CONFIG_INDIA, "");
    let report = report(&world, &["--no-probe"], 1);
    let mut found = checks(&report, None);
    found.sort();
    assert_eq!(
        found,
        ["config-dangling", "duplicate-rows", "number-unreadable"]
    );
    let doctor = world.run(&["doctor", "--no-probe"]).expect_code(1);
    let hinted = doctor.told("make all but one inactive in the application");
    hinted.then(|| {
        world.sql(
            "UPDATE voice_agent_numbers SET status = 'inactive' WHERE id = (SELECT min(id)
               FROM voice_agent_numbers WHERE base_number = 9513456728)",
        )
    });
    let after = checks(&self::report(&world, &["--no-probe"], 1), None);
    assert!(!after.contains(&"duplicate-rows".to_owned()), "{after:?}");
    for (rule, check) in [
        (r#""outbound": "no""#, "rule-unreadable"),
        (r#""inbound": 1"#, "rule-unreadable"),
        (r#""required_lead_format": "junk""#, "rule-unreadable"),
        (r#""allowed_outbound": "mars""#, "rule-unknown-region"),
    ] {
        world.sql(&format!(
            "UPDATE voice_agent_numbers SET rules = '{{\"livekit_config\": \"{CONFIG_INDIA}\", {rule}}}'
             WHERE base_number = 9513456728"
        ));
        let found = checks(&self::report(&world, &["--no-probe"], 1), None);
        assert!(found.contains(&check.to_owned()), "{rule}: {found:?}");
    }
    let hint = "repair the rule: in the files, and apply; of a row of others, in the application";
    let hinted = world
        .run(&["doctor", "--no-probe"])
        .expect_code(1)
        .told(hint);
    hinted.then(|| world.sql("UPDATE voice_agent_numbers SET rules = '{}'"));
    let text = world.run(&["doctor", "--no-probe"]).expect_code(1).stdout;
    assert_contains!(text, "number-without-config", "config-unused");
}

#[test]
fn agents_of_other_tenants_are_a_note() {
    let world = World::new();
    world.sql("CREATE TABLE voice_agents (id INTEGER PRIMARY KEY, tenant_id TEXT)");
    world.sql(&format!(
        "INSERT INTO voice_agents VALUES (33, '{TENANT_UAE}')"
    ));
    world.sql("UPDATE voice_agent_numbers SET default_agent_id = 33");
    let report = report(&world, &["--no-probe"], 0);
    assert_eq!(checks(&report, None), ["agent-of-other-tenant"]);
    let message = report["others"][0]["message"].as_str().unwrap();
    assert_contains!(message, "agent 33", "+919513456728");
}

#[test]
fn a_worker_is_tried_only_where_asked_and_no_room_is_left() {
    let world = World::new();
    world
        .standin
        .world()
        .workers
        .insert("voag-staging".to_owned());
    let report = report(&world, &["--probe-worker"], 1);
    assert_eq!(checks(&report, Some(INDIA)), ["worker-missing"]);
    let uae = &report["configs"][1];
    assert!(
        uae["figure"]
            .as_str()
            .unwrap()
            .contains("worker voag-staging took a job"),
        "{uae}"
    );
    assert!(world.standin.world().rooms.is_empty());
    let creates = world.standin.posts("CreateDispatch");
    for post in creates {
        let asked: proto::CreateAgentDispatchRequest = post.decode();
        assert!(!asked.metadata.contains('+') && !asked.metadata.contains("number"));
    }
    let run = world.run(&["doctor", "--probe-worker", "--config", "uae-vm-selfhosted"]);
    run.expect_code(0).says(
        "--probe-worker: each worker's entry point runs once, in a room of its own, with metadata that says lkroute_probe and holds no phone number",
    );
}

#[test]
fn it_works_outside_the_repository_and_names_what_it_does_not_know() {
    let world = World::new();
    assert!(!world.lkroute.path().join("routing").exists());
    let run = world.run(&["doctor", "--config", "india"]).expect_code(1);
    assert_contains!(run.stderr, "there is no config `india` here");
    assert_contains!(run.stderr, INDIA);
    let report = world.run(&[
        "doctor",
        "--database",
        "sqlite://gone.db",
        "--format",
        "json",
    ]);
    let report = report.expect_code(1).json();
    assert_eq!(
        (&report["well"], &report["error"]["exit"]),
        (&false.into(), &1.into())
    );
    world.lkroute.write("routing/a.toml", "[configs.a]\n");
    let report = self::report(&world, &["--no-probe"], 1);
    assert_eq!(checks(&report, None), ["files-invalid"]);
    let doctor = world.run(&["doctor", "--no-probe"]).expect_code(1);
    let found = doctor
        .told("see `lkroute validate`")
        .run(&world.lkroute, &[]);
    assert_contains!(found.expect_code(3).stdout, "routing/a.toml");
}

#[test]
fn offline_looks_into_the_files_and_asks_nobody() {
    let lkroute = Lkroute::with_two_regions();
    let report = lkroute
        .run(&["doctor", "--offline", "--format", "json"])
        .expect_code(0)
        .json();
    assert_eq!(report["configs"].as_array().unwrap().len(), 2);
    assert_eq!(checks(&report, Some(INDIA)), ["secret-not-checked"]);
    assert!(!lkroute.path().join("lkroute.db").exists());
    let dry = [
        "dispatch",
        "--from",
        "+971545335200",
        "--to",
        "+971501234567",
        "--dry-run",
    ];
    let run = lkroute
        .run(&[&dry[..], &["--offline"]].concat())
        .expect_code(0);
    assert_contains!(run.stdout, "Dry run", "voag-staging");
}

#[test]
fn the_switch_of_the_shell_is_mentioned() {
    let world = World::new().with("USE_SELFHOST_ROUTING_TABLE", "no");
    assert_eq!(
        checks(&report(&world, &[], 0), None),
        ["table-switched-off"]
    );
    let doctor = world.run(&["doctor"]).expect_code(0);
    doctor.says("USE_SELFHOST_ROUTING_TABLE is not \"true\" in this shell: calls from here use the environment's credentials");
    let hinted = doctor.told("unset it, unless that is meant");
    let mut command = world.lkroute.command(&["doctor"]);
    let unset = command.env_remove("USE_SELFHOST_ROUTING_TABLE");
    let after = hinted.then(|| unset.output()).expect("it runs").stdout;
    assert_lacks!(String::from_utf8_lossy(&after), "switched-off");
}

#[test]
fn a_change_behind_lkroutes_back_is_drift() {
    let world = World::of_files("");
    world.apply();
    assert_eq!(checks(&report(&world, &[], 0), None), [""; 0]);
    let rules = "UPDATE voice_agent_numbers SET rules = json_set(rules, '$.outbound'";
    world.sql(&format!("{rules}, json('false'), '$.mine', 1)"));
    let drifted = report(&world, &[], 1);
    assert_eq!(checks(&drifted, None), ["drift"]);
    let message = drifted["others"][0]["message"].as_str().unwrap();
    assert_contains!(message, "binding.+919513456728@techiemaya-test");
    world.sql(&format!("{rules}, json('true'))"));
    report(&world, &[], 0);
    world.sql("UPDATE voice_agent_livekit SET trunk_id = NULL");
    assert_eq!(checks(&report(&world, &["--no-probe"], 1), None), ["drift"]);
}
