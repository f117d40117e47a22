//! `dispatch` of the package beside that of the command: at the same faults the
//! same record, the same words, and never a second create.

use lkroute::livekit::Cause;
use serde_json::{Value, json};

use super::package;
use super::service::SCHEMA;
use crate::livekit::real::{Livekit, Worker};
use crate::livekit::standin::{Answer, Fault, KEY, SECRET, StandIn};
use crate::support::{Db, Lkroute, Postgres};

const KEYS: &str = "tests:bWFkZS11cCBrZXkgZm9yIGxrcm91dGUncyB0ZXN0cyE";
const FROM: &str = "+919513456728";
const TO: &str = "+919876543210";
const TRUNK: &str = "ST_MmVqEuBMDNf6";
const WORKER: &str = "voag-dev";

struct World {
    db: Db,
    lkroute: Lkroute,
    standin: StandIn,
}

/// A database in which the number goes to one server.
fn routed_to(name: &str, url: &str, trunk: &str) -> Option<(Db, Lkroute)> {
    let db = Postgres::shared()?.database(name);
    package()?;
    db.psql(&format!("CREATE SCHEMA {SCHEMA}"));
    let mut lkroute = Lkroute::new();
    for (name, value) in [
        ("LKROUTE_KEYS", KEYS),
        ("LKROUTE_SECRET_MADE_UP", SECRET),
        ("DATABASE_URL", &db.url),
        ("LKROUTE_SCHEMA", SCHEMA),
    ] {
        lkroute.env(name, value);
    }
    let files = crate::calls::world::files(url, crate::support::TENANT_INDIA, trunk);
    lkroute.write("routing/all.toml", &files);
    lkroute.run(&["migrate"]).expect_code(0);
    lkroute.run(&["apply", "--auto-approve"]).expect_code(0);
    Some((db, lkroute))
}

/// What `python/tests/dispatch.py` says of its calls.
fn by_package(db: &Db, more: &Value) -> Value {
    let mut asked = json!({
        "database": db.url, "schema": SCHEMA, "keys": KEYS, "from": FROM, "to": TO,
    });
    let members = asked.as_object_mut().expect("an object");
    members.extend(more.as_object().expect("an object").clone());
    let said = package().expect("made").run("dispatch.py", &asked);
    serde_json::from_str(&said).expect("JSON")
}

impl World {
    fn new(name: &str) -> Option<World> {
        let standin = StandIn::start();
        let (db, lkroute) = routed_to(name, &standin.url(), TRUNK)?;
        let world = World {
            db,
            lkroute,
            standin,
        };
        world.reset();
        Some(world)
    }

    /// The server as it was, with a trunk and no worker.
    fn reset(&self) {
        self.standin.forget();
        let mut world = self.standin.world();
        world.trunks = vec![crate::calls::world::trunk()];
        world.workers.clear();
        world.posts.clear();
        world.keys.insert(KEY.to_owned(), SECRET.to_owned());
    }

    fn creates(&self) -> usize {
        self.standin.posts("CreateDispatch").len()
    }

    /// The last record: what both write alike.
    fn record(&self) -> Value {
        let row = self.db.psql(&format!(
            "SELECT json_build_object('status', status, 'key', idempotency_key, 'from', from_number,
               'to', to_number, 'config', config_name, 'worker', worker, 'seen', worker_seen,
               'room', room, 'done', finished_at IS NOT NULL, 'dispatch', dispatch_id IS NOT NULL,
               'detail', detail::json)
             FROM {SCHEMA}.lkroute_dispatches ORDER BY at DESC, id DESC LIMIT 1"
        ));
        let mut row: Value = serde_json::from_str(&row).expect("JSON");
        let room = row["room"].as_str().expect("a room").to_owned();
        row["room"] = "ROOM".into();
        let detail = row["detail"].as_object_mut().expect("an object");
        for own in ["job_id", "call_log_id"] {
            assert!(detail.remove(own).is_some(), "{own}");
        }
        if let Some(agent) = detail.get_mut("agent").and_then(Value::as_object_mut) {
            for own in ["job_id", "worker_id", "participant"] {
                agent.remove(own);
            }
        }
        // Where it was seen first is chance.
        let in_room = detail
            .remove("in_room")
            .is_some_and(|name| name.is_string());
        detail.insert("in_room".to_owned(), in_room.into());
        let text = row.to_string().replace(&room, "ROOM");
        serde_json::from_str(&text).expect("JSON")
    }

    fn by_command(&self, wait: Option<&str>) -> (i32, String) {
        let mut args = vec!["dispatch", "--from", FROM, "--to", TO];
        args.extend(["--timeout", "1s", "--settle", "600ms"]);
        args.extend(wait.iter().flat_map(|wait| ["--wait-for-agent", wait]));
        let run = self.lkroute.run(&args);
        (run.code, run.stderr)
    }

    fn by_package(&self, more: &Value) -> Value {
        by_package(&self.db, more)
    }
}

type Fate = (&'static str, Option<(&'static str, f64)>, fn(&StandIn));

/// Nothing, or a fault of the server; and how long an agent is waited for.
const FATES: [Fate; 12] = [
    ("accepted", None, |_| ()),
    ("picked up", Some(("7s", 7.0)), |standin| {
        standin.world().workers.insert(WORKER.to_owned());
    }),
    ("no agent", Some(("6500ms", 6.5)), |_| ()),
    ("too short", Some(("600ms", 0.6)), |_| ()),
    ("stored, and the answer lost", None, |standin| {
        standin.fault("CreateDispatch", 1, Fault::StoreThenClose);
    }),
    ("an unclear create that made nothing", None, |standin| {
        standin.fault("CreateDispatch", 1, Fault::Answer(Answer::html(502)));
    }),
    ("a create that hangs", None, |standin| {
        standin.fault("CreateDispatch", 1, Fault::Hang);
    }),
    ("a redirect", None, |standin| {
        let elsewhere = Answer::redirect(307, "http://elsewhere.example/");
        standin.fault("CreateDispatch", 1, Fault::Answer(elsewhere));
    }),
    ("no room", None, |standin| {
        let refused = Answer::twirp(400, "invalid_argument", "no room name");
        standin.fault("CreateRoom", 9, Fault::Answer(refused));
    }),
    ("a key that the server does not know", None, |standin| {
        standin.world().keys.clear();
    }),
    ("no trunk", None, |standin| standin.world().trunks.clear()),
    ("a trunk with another number", None, |standin| {
        standin.world().trunks[0].numbers = vec!["+14155550100".to_owned()];
    }),
];

/// False word: "the same outcomes and the same table".
#[test]
fn both_record_and_say_the_same_at_every_fault() {
    let Some(world) = World::new("python_faults") else {
        return;
    };
    for (name, wait, fault) in FATES {
        world.reset();
        fault(&world.standin);
        let (code, said) = world.by_command(wait.map(|(text, _)| text));
        let (wanted, creates) = (world.record(), world.creates());

        world.reset();
        fault(&world.standin);
        let ends = world.by_package(&json!({ "wait": wait.map(|(_, seconds)| seconds) }));
        let given = world.record();
        assert_eq!(given, wanted, "{name}: {ends}\n{said}");
        assert_eq!(world.creates(), creates, "{name}");
        assert!(creates <= 1, "{name}");
        let exit = ends[0]["exit"].as_i64().unwrap_or(0);
        assert_eq!(exit, i64::from(code), "{name}: {ends}\n{said}");
        assert!(!ends.to_string().contains("eyJ") && !ends.to_string().contains(SECRET));
        // One grant, and five minutes.
        for post in world.standin.posts("CreateDispatch") {
            let claims = post.claims.expect("a token");
            assert!(claims.exp - claims.nbf <= 300, "{name}");
            assert!(
                !claims.video.room_create && claims.video.room_admin,
                "{name}"
            );
        }
    }
}

/// Attacker: a service that retries, twice at once.
#[test]
fn one_key_is_one_call_and_a_cancelled_one_is_recorded() {
    let Some(world) = World::new("python_keys") else {
        return;
    };
    let ends = world.by_package(&json!({ "key": "order-4711", "times": 3 }));
    assert_eq!(world.creates(), 1, "{ends}");
    let repeated = |end: &&Value| end["repeated"] == true || end["exit"] == 8;
    let ends = ends.as_array().expect("a list");
    assert_eq!(ends.iter().filter(repeated).count(), 2, "{ends:?}");
    let again = world.by_package(&json!({ "key": "order-4711" }));
    assert_eq!(again[0]["repeated"], true, "{again}");
    let other = world.by_package(&json!({ "key": "order-4711", "to": "+919876543211" }));
    assert_eq!(other[0]["code"], "key-clash", "{other}");
    assert_eq!(world.creates(), 1);
    // The command honours the key of the package.
    let args = [
        "dispatch",
        "--from",
        FROM,
        "--to",
        TO,
        "--idempotency-key",
        "order-4711",
        "-j",
    ];
    let run = world.lkroute.run(&args);
    assert!(run.stdout.contains("\"repeated\": true"), "{}", run.stdout);
    assert_eq!(world.creates(), 1);

    // A call that failed gives its key back.
    world.standin.world().trunks.clear();
    let failed = world.by_package(&json!({ "key": "order-4712" }));
    assert_eq!(failed[0]["code"], "trunk-missing", "{failed}");
    world.reset();
    let now = world.by_package(&json!({ "key": "order-4712" }));
    assert_eq!(now[0]["status"], "accepted", "{now}");

    let ends = world.by_package(&json!({ "wait": 30.0, "cancel_after": 2.0 }));
    assert_eq!(ends[0]["raised"], "CancelledError", "{ends}");
    let record = world.record();
    assert_eq!(
        (&record["status"], &record["done"]),
        (&json!("unknown"), &json!(true)),
        "{record}"
    );
    let listed = world
        .lkroute
        .run(&["dispatches", "--last", "1"])
        .expect_code(0);
    assert!(
        listed
            .stdout
            .contains("interrupted after the server accepted"),
        "{}",
        listed.stdout
    );
}

/// A real server, a real worker, and the job that it gets.
#[test]
fn a_real_worker_takes_the_call() {
    let Some(livekit) = Livekit::alone_with_redis() else {
        return;
    };
    let Some(worker) = Worker::start(&livekit, WORKER) else {
        return;
    };
    let trunk = crate::calls::real::trunk(&livekit, FROM);
    let Some((db, lkroute)) = routed_to("python_real", &livekit.url, &trunk) else {
        return;
    };
    let ends = by_package(&db, &json!({ "wait": 10.0, "step": 10.0 }));
    assert_eq!(ends[0]["status"], "picked_up", "{ends}");
    let job = worker.job_after(0).expect("the job");
    assert_eq!(job["room"], ends[0]["room"]);
    let metadata: Value =
        serde_json::from_str(job["metadata"].as_str().expect("a text")).expect("JSON");
    assert_eq!(
        (&metadata["from_number"], &metadata["to_number"]),
        (&json!(FROM), &json!(TO))
    );
    let listed = lkroute.run(&["dispatches", "--last", "1"]).expect_code(0);
    assert!(listed.stdout.contains("picked_up"), "{}", listed.stdout);
}

/// False word: "as the command says it".
#[test]
fn both_have_the_same_words_for_a_cause() {
    let Some(package) = package() else {
        return;
    };
    let printed = package
        .script("dispatch.py")
        .arg("causes")
        .output()
        .expect("run it");
    let words: Value = serde_json::from_slice(&printed.stdout).expect("JSON");
    let causes = [
        Cause::BadUrl,
        Cause::BadCredentials,
        Cause::Dns,
        Cause::Refused,
        Cause::Tls,
        Cause::Proxy,
        Cause::Timeout,
        Cause::ConnectionLost,
        Cause::Redirect,
        Cause::NotLivekit,
        Cause::Unreadable,
        Cause::KeyUnknown,
        Cause::SecretWrong,
        Cause::ClockSkew,
        Cause::NoGrant,
        Cause::RoomMissing,
        Cause::TrunkMissing,
        Cause::SipNeedsRedis,
        Cause::SipNotRunning,
        Cause::Rejected,
        Cause::Unavailable,
    ];
    for cause in causes {
        let said = &words[cause.code()];
        assert_eq!(
            *said,
            json!([cause.meaning(), cause.remedy()]),
            "{}",
            cause.code()
        );
    }
    assert_eq!(words.as_object().expect("an object").len(), causes.len());
}
