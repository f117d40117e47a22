//! `fallback` of a config: another server takes a call only where nothing of
//! it can have been created at the first, and at most once.

use livekit_protocol::CreateAgentDispatchRequest;
use serde_json::{Value, json};

use super::world::{BACKUP_TRUNK, BACKUP_WORKER, FILE, World, backup, said, trunk};
use crate::livekit::standin::{Answer, Fault, KEY, SECRET, StandIn, may_have_created};
use crate::review::schema::assert_valid;
use crate::support::{CONFIG_UAE, words_of};

/// A config on one server with a fallback on another.
struct Pair {
    world: World,
    backup: StandIn,
}

impl Pair {
    /// The files applied; `more` is further files.
    fn new(more: &str) -> Pair {
        let world = World::of_files("fallback = \"backup\"\n")
            .with("LKROUTE_SECRET_BACKUP", SECRET)
            .with("LKROUTE_SECRET_LAST", SECRET);
        let server = StandIn::start();
        let mut other = trunk();
        other.sip_trunk_id = BACKUP_TRUNK.to_owned();
        server.world().trunks.push(other);
        server.world().workers.insert(BACKUP_WORKER.to_owned());
        let config = backup("backup", CONFIG_UAE, &server.url());
        let text = world.lkroute.read(FILE) + &config + more;
        world.lkroute.write(FILE, &text);
        world.apply();
        let backup = server;
        Pair { world, backup }
    }

    fn edit(&self, from: &str, to: &str) {
        self.world.lkroute.edit(FILE, from, to);
    }

    /// What a server of the fallback was asked to dispatch.
    fn taken(&self) -> Vec<CreateAgentDispatchRequest> {
        let posts = self.backup.posts("CreateDispatch");
        posts.iter().map(|post| post.decode()).collect()
    }

    #[track_caller]
    fn asked_nothing(&self) {
        let methods: Vec<String> = self
            .backup
            .world()
            .posts
            .iter()
            .map(|p| p.method.clone())
            .collect();
        assert!(methods.is_empty(), "{methods:?}");
    }
}

/// Each way in which a server lets nothing of a call begin.
fn locks_out(standin: &StandIn, way: &str) {
    let mut server = standin.world();
    match way {
        "key-unknown" => server.keys.clear(),
        "secret-wrong" => {
            server.keys.insert(
                KEY.to_owned(),
                "another-secret-of-some-length-0123456".to_owned(),
            );
        }
        "trunk-missing" => server.trunks.clear(),
        other => panic!("{other}"),
    }
}

#[test]
fn where_nothing_can_have_been_created_the_fallback_takes_the_call() {
    for way in ["key-unknown", "secret-wrong", "trunk-missing", "refused"] {
        let mut pair = Pair::new("");
        match way {
            // Its port closes with it.
            "refused" => drop(std::mem::replace(&mut pair.world.standin, StandIn::start())),
            way => locks_out(&pair.world.standin, way),
        }
        let report = pair.world.json(&[], 0);
        assert_eq!(report["outcome"], "accepted", "{way}");
        assert_eq!(report["fallback"], "backup", "{way}");
        assert!(report["fallback_because"].as_str().is_some(), "{way}");
        assert_eq!(report["server"], pair.backup.url().as_str());
        assert_eq!(report["worker"], "voag-backup");
        let [sent] = &pair.taken()[..] else {
            panic!("{way}")
        };
        assert_eq!(
            (sent.agent_name.as_str(), sent.deployment.as_str()),
            ("voag-backup", "standby")
        );
        let metadata: Value = serde_json::from_str(&sent.metadata).unwrap();
        assert_eq!(metadata["outbound_trunk_id"], BACKUP_TRUNK);
        assert_eq!(metadata["deployment"], "standby");
        assert_eq!(pair.world.creates(), 0, "{way}");

        let list = pair.world.run(&["dispatches", "-j"]).expect_code(0);
        let list = assert_valid("dispatches", &list.stdout);
        assert_eq!(list["by_fallback"], 1);
        let row = &list["dispatches"][0];
        assert_eq!(
            (&row["config"], &row["fallback"]),
            (&json!("india-techiemaya-cloud"), &json!("backup"))
        );
        let text = pair.world.run(&["dispatches"]).expect_code(0).stdout;
        assert_contains!(text, "1 call went by a fallback.");
        assert_contains!(text, "→ backup (fallback): ");
        super::table::fits(&text, 80);
        let of = |config: &str| {
            let list = pair.world.run(&["dispatches", "--config", config, "-j"]);
            let list = list.expect_code(0).json();
            list["dispatches"].as_array().unwrap().len()
        };
        let found = ["india-techiemaya-cloud", "backup"].map(of);
        assert_eq!(found, [1, 1], "{way}");
        let another = ["dispatches", "--config", "another"];
        pair.world.run(&another).expect_code(1);

        // What became of it is looked for where it is, and it is ended there.
        let room = report["room"].as_str().unwrap();
        pair.backup.world().posts.clear();
        pair.world.run(&["dispatches", "--refresh", room]);
        assert!(!pair.backup.posts("ListDispatch").is_empty(), "{way}");
        pair.world.run(&["cancel", room, "-y"]).expect_code(0);
        assert!(pair.backup.world().rooms.is_empty(), "{way}");
    }
}

/// The attack: a server that takes the call and then cuts, hangs or answers
/// nonsense. Another server must not be asked: a person would be called twice.
#[test]
fn where_something_may_have_been_created_no_other_server_is_asked() {
    for (method, fault) in may_have_created() {
        let pair = Pair::new("");
        pair.world.standin.fault(method, 9, fault);
        let run = pair.world.dispatch(&[]);
        assert!(matches!(run.code, 0 | 1 | 8), "{}", run.stderr);
        pair.asked_nothing();
    }
}

/// The first attempt at the room was lost, the second one is turned away: the
/// room may be there.
#[test]
fn a_lost_attempt_before_a_refusal_counts_as_one_that_may_have_worked() {
    let pair = Pair::new("");
    pair.world
        .standin
        .fault("CreateRoom", 1, Fault::StoreThenClose);
    let away = Fault::Answer(Answer::text(401, "invalid API key: made-up-key"));
    pair.world.standin.fault("CreateRoom", 9, away);
    let report = pair.world.json(&[], 1);
    assert_eq!(report["outcome"], "failed");
    assert_eq!(report["fallback"], Value::Null);
    pair.asked_nothing();
}

type Change<'a> = &'a dyn Fn(&Pair);

#[test]
fn a_fallback_that_may_not_show_the_number_takes_no_call() {
    let pair = Pair::new("");
    locks_out(&pair.world.standin, "key-unknown");
    let lists_another = |pair: &Pair| {
        pair.backup.world().trunks[0].numbers = vec!["+14155550100".to_owned()];
    };
    let cannot_be_seen = |pair: &Pair| pair.backup.world().redis = false;
    let not_there = |pair: &Pair| {
        let mut server = pair.backup.world();
        server.redis = true;
        server.trunks.clear();
    };
    let ways: [(Change<'_>, &str); 3] = [
        (&lists_another, "does not list +919513456728"),
        (&cannot_be_seen, "without redis"),
        (&not_there, "no such SIP trunk"),
    ];
    for (way, words) in ways {
        way(&pair);
        let run = pair.world.dispatch(&[]).expect_code(1);
        let said = said(&run);
        assert_contains!(said, "does not know the API key");
        assert_contains!(said, "its fallback backup took none");
        assert_contains!(said, words);
        assert!(pair.taken().is_empty() && pair.backup.world().rooms.is_empty());
    }
    let list = pair.world.run(&["dispatches", "-j"]).expect_code(0).json();
    assert_eq!(list["by_fallback"], 0, "none went by it");
}

#[test]
fn a_call_takes_one_step_at_most() {
    let third = "5b0e2d1c-3f5e-4a55-9d55-0d5f5a3a7c11";
    let last = StandIn::start();
    let pair = Pair::new("");
    let text = backup("last", third, &last.url());
    pair.edit(
        "deployment = \"standby\"\n",
        "deployment = \"standby\"\nfallback = \"last\"\n",
    );
    let all = pair.world.lkroute.read(FILE) + &text;
    pair.world.lkroute.write(FILE, &all);
    pair.world.run(&["apply", "--auto-approve"]).expect_code(0);
    locks_out(&pair.world.standin, "key-unknown");
    locks_out(&pair.backup, "key-unknown");
    pair.world.dispatch(&[]).expect_code(1);
    assert!(last.world().posts.is_empty());
}

/// The attack: somebody leads the row of the fallback elsewhere.
#[test]
fn a_fallback_that_drifted_to_a_stranger_gets_no_token() {
    let pair = Pair::new("");
    locks_out(&pair.world.standin, "key-unknown");
    let stranger = StandIn::start();
    let url = stranger.url();
    pair.world.sql(&format!(
        "UPDATE voice_agent_livekit SET livekit_url = '{url}' WHERE id = '{CONFIG_UAE}'"
    ));
    let run = pair.world.dispatch(&[]).expect_code(1);
    assert_contains!(said(&run), "its fallback backup took none");
    assert_eq!(stranger.world().authorized, 0);
    // In plain text, its secret signs nothing either.
    let back = pair.backup.url();
    pair.world.sql(&format!(
        "UPDATE voice_agent_livekit SET livekit_url = '{back}', livekit_api_secret = 'in plain text'
         WHERE id = '{CONFIG_UAE}'"
    ));
    pair.world.dispatch(&[]).expect_code(1);
    pair.asked_nothing();
}

#[test]
fn a_fallback_leads_to_a_config_that_can_take_the_call_and_in_no_circle() {
    let pair = Pair::new("");
    let codes = |from: &str, to: &str| {
        let before = pair.world.lkroute.read(FILE);
        pair.edit(from, to);
        let run = pair
            .world
            .run(&["validate", "--format", "json"])
            .expect_code(3);
        pair.world.lkroute.write(FILE, &before);
        let findings = run.json()["findings"].clone();
        let codes = findings.as_array().unwrap().iter();
        codes
            .map(|f| f["code"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let line = "fallback = \"backup\"\n";
    let unknown = codes(line, "fallback = \"backap\"\n");
    assert_eq!(unknown[0], "unknown-config");
    let itself = codes(line, "fallback = \"india-techiemaya-cloud\"\n");
    assert!(itself.contains(&"fallback-circle".to_owned()), "{itself:?}");
    let circle = codes(
        "deployment = \"standby\"\n",
        "deployment = \"standby\"\nfallback = \"india-techiemaya-cloud\"\n",
    );
    assert_eq!(circle, ["fallback-circle", "fallback-circle"]);
    let no_trunk = codes(&format!("trunk_id = \"{BACKUP_TRUNK}\"\n"), "");
    assert_eq!(no_trunk, ["fallback-without-trunk"]);
}

#[test]
fn a_fallback_is_reviewed_as_what_calls_depend_on() {
    let pair = Pair::new("");
    let plan = |code| {
        let run = pair
            .world
            .run(&["plan", "--format", "json"])
            .expect_code(code);
        assert_valid("plan", &run.stdout)
    };
    // A change of the fallback's own server is one for the numbers of the other.
    pair.edit(BACKUP_TRUNK, "ST_other");
    let report = plan(0);
    let group = &report["routing"]["groups"][0];
    assert_eq!(group["changed"], json!(["fallback"]), "{report}");
    assert_eq!(report["routing"]["terms_changed"], 1);
    assert_eq!(group["after"]["fallback"]["trunk"], "ST_other");
    let text = pair.world.run(&["plan"]).expect_code(0).stdout;
    assert_lacks!(text, "No number is rerouted");
    let protected = "\n[guards]\nprotected = [\"binding.*\"]\n";
    let files = pair.world.lkroute.read(FILE);
    pair.world.lkroute.write("routing/guards.toml", protected);
    let run = pair.world.run(&["plan"]).expect_code(4);
    assert!(
        run.stdout.contains("protected") || run.stderr.contains("protected"),
        "{}",
        run.stdout
    );
    std::fs::remove_file(pair.world.lkroute.path().join("routing/guards.toml")).unwrap();
    pair.world
        .lkroute
        .write(FILE, &files.replace("ST_other", BACKUP_TRUNK));

    // Hosts that the region does not allow are not let in by the back door.
    let host = "\n[guards.policy.hosts]\nindia = [\"livekit.example\", \"127.0.0.2\"]\n";
    pair.world.lkroute.write("routing/guards.toml", host);
    let text = pair.world.run(&["plan"]).expect_code(4);
    let all = text.stdout + &text.stderr;
    assert_contains!(all, "falls back to");
    std::fs::remove_file(pair.world.lkroute.path().join("routing/guards.toml")).unwrap();

    // Taken out of the files while it is somebody's fallback, it stays.
    let files = pair.world.lkroute.read(FILE);
    let config = backup("backup", CONFIG_UAE, &pair.backup.url());
    let without = files
        .replace(&config, "")
        .replace("fallback = \"backup\"\n", "");
    pair.world.lkroute.write(FILE, &without);
    let target = ["plan", "--target", "config.backup"];
    let run = pair.world.run(&target).expect_code(4);
    let all = run.stdout + &run.stderr;
    let all = words_of(&all);
    assert_contains!(all, "it is the fallback of india-techiemaya-cloud");
    // Both in one go are no harm, and going back brings both.
    pair.world.run(&["apply", "--auto-approve"]).expect_code(0);
    locks_out(&pair.world.standin, "key-unknown");
    pair.world.dispatch(&[]).expect_code(1);
    pair.world
        .run(&["rollback", "--auto-approve"])
        .expect_code(0);
    let report = pair.world.json(&[], 0);
    assert_eq!(report["fallback"], "backup");
}

#[test]
fn resolve_doctor_and_a_rename_know_it() {
    let pair = Pair::new("");
    let resolve = |args: &[&str]| {
        let call = ["resolve", "--from", super::world::FROM];
        pair.world.run(&[&call[..], args].concat()).expect_code(0)
    };
    assert_eq!(
        resolve(&["--format", "json"]).json()["fallback"]["name"],
        "backup"
    );
    assert_contains!(resolve(&[]).stdout, "backup");
    let offline = resolve(&["--offline", "--format", "json"]).json();
    assert_eq!(offline["fallback"]["name"], "backup");

    pair.backup.world().trunks[0].numbers = vec!["+14155550100".to_owned()];
    let doctor = pair
        .world
        .run(&["doctor", "--format", "json"])
        .expect_code(1);
    let report = assert_valid("doctor", &doctor.stdout);
    let configs = report["configs"].as_array().unwrap();
    let first = configs
        .iter()
        .find(|c| c["name"] == "india-techiemaya-cloud")
        .unwrap();
    assert_eq!(
        first["complaints"][0]["check"], "fallback-lacks-numbers",
        "{report}"
    );
    assert_eq!(first["sip"], "not checked");
    let doctor = pair.world.run(&["doctor"]).expect_code(1);
    let hinted = doctor
        .told("add them to that trunk's numbers: else the fallback does not take their calls");
    let from = super::world::FROM.to_owned();
    hinted.then(|| pair.backup.world().trunks[0].numbers.push(from));
    let after = pair.world.run(&["doctor"]).stdout;
    assert_lacks!(after, "fallback-lacks-numbers");

    // Under another name it is the same: no call changes.
    pair.edit("[configs.backup]", "[configs.standby]");
    pair.edit("fallback = \"backup\"", "fallback = \"standby\"");
    let plan = pair.world.run(&["plan", "--format", "json"]).expect_code(0);
    assert_eq!(plan.json()["routing"]["affected"], 0, "{}", plan.stdout);
    pair.world.run(&["apply", "--auto-approve"]).expect_code(0);
    assert_eq!(
        resolve(&["--format", "json"]).json()["fallback"]["name"],
        "standby"
    );
    pair.world
        .run(&["import", "--out", "imported"])
        .expect_code(0);
    let files = walkdir::WalkDir::new(pair.world.lkroute.path().join("imported"));
    let text: String = files
        .into_iter()
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path()).ok())
        .collect();
    assert_contains!(text, "fallback = \"standby\"");

    // Others take its trunk away, and then the whole row.
    let doctor = || pair.world.run(&["doctor", "--no-probe"]);
    let standby = "WHERE name = 'standby'";
    pair.world.sql(&format!(
        "UPDATE voice_agent_livekit SET trunk_id = NULL {standby}"
    ));
    let hinted = doctor().told("set `trunk_id` there");
    let back = ["apply", "--auto-approve", "--revert-drift"];
    hinted.then(|| pair.world.run(&back)).expect_code(0);
    assert_lacks!(doctor().stdout, "fallback-without-trunk");
    pair.world
        .sql(&format!("DELETE FROM voice_agent_livekit {standby}"));
    let hinted = doctor().told("name a config that exists, and apply");
    hinted.then(|| pair.edit("fallback = \"standby\"\n", ""));
    pair.world.run(&back).expect_code(0);
    assert_lacks!(doctor().stdout, "fallback-missing");
}
