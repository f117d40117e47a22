//! `dispatch` of the package beside that of the command: at the same faults the
//! same requests, the same record, the same words, and never a second create.

use serde_json::{Value, json};

use super::package;
use super::world::{BACKUP_WORKER, FROM, TO, Tables, WORKER, World, by_package, routed};
use crate::livekit::real::{Livekit, Worker};
use crate::livekit::standin::{Answer, Fault, KEY, SECRET, StandIn, may_have_created};
use crate::support::{Pgbouncer, Postgres, TENANT_INDIA};

/// Name, arguments of the command, keywords of the package, and what is wrong.
type Fate = (
    &'static str,
    &'static [&'static str],
    fn() -> Value,
    fn(&World),
);

/// A name, and what is wrong.
type Way = (&'static str, fn(&World));

fn plain() -> Value {
    json!({})
}

fn worker(world: &World) {
    world.standin.world().workers.insert(WORKER.to_owned());
}

/// Outcomes without a wait: a driver at a time meets them.
const FATES: [Fate; 12] = [
    ("accepted", &[], plain, |_| ()),
    ("stored, and the answer lost", &[], plain, |world| {
        world
            .standin
            .fault("CreateDispatch", 1, Fault::StoreThenClose);
    }),
    ("an unclear create that made nothing", &[], plain, |world| {
        let answer = Fault::Answer(Answer::html(502));
        world.standin.fault("CreateDispatch", 1, answer);
    }),
    ("done, and told as taken in", &[], plain, |world| {
        let taken_in = Fault::StoreThenAnswer(Answer::empty(202));
        world.standin.fault("CreateDispatch", 1, taken_in);
    }),
    ("done, and cut off by a gateway", &[], plain, |world| {
        let cut_off = Answer::twirp(502, "aborted", "upstream gave up");
        let fault = Fault::StoreThenAnswer(cut_off);
        world.standin.fault("CreateDispatch", 1, fault);
    }),
    ("a create that hangs", &[], plain, |world| {
        world.standin.fault("CreateDispatch", 1, Fault::Hang);
    }),
    ("a redirect", &[], plain, |world| {
        let elsewhere = Answer::redirect(307, "http://elsewhere.example/");
        world
            .standin
            .fault("CreateDispatch", 1, Fault::Answer(elsewhere));
    }),
    ("no room", &[], plain, |world| {
        let refused = Answer::twirp(400, "invalid_argument", "no room name");
        world.standin.fault("CreateRoom", 9, Fault::Answer(refused));
    }),
    ("a key that the server does not know", &[], plain, |world| {
        world.standin.world().keys.clear();
    }),
    ("no trunk", &[], plain, |world| {
        world.standin.world().trunks.clear();
    }),
    ("a trunk with another number", &[], plain, |world| {
        world.standin.world().trunks[0].numbers = vec!["+14155550100".to_owned()];
    }),
    (
        "the same, and let through",
        &["--allow", "trunk-lacks-number"],
        || json!({"allow": ["trunk-lacks-number"]}),
        |world| {
            world.standin.world().trunks[0].numbers = vec!["+14155550100".to_owned()];
        },
    ),
];

/// Those that wait for an agent, and dial.
const WAITS: [Fate; 10] = [
    (
        "picked up",
        &["--wait-for-agent", "7s"],
        || json!({"wait_for_agent": 7}),
        worker,
    ),
    (
        "no agent",
        &["--wait-for-agent", "6500ms"],
        || json!({"wait_for_agent": 6.5}),
        |_| (),
    ),
    (
        "too short",
        &["--wait-for-agent", "600ms"],
        || json!({"wait_for_agent": 0.6}),
        |_| (),
    ),
    (
        "an agent that never came",
        &["--wait-for-agent", "7s"],
        || json!({"wait_for_agent": 7}),
        |world| {
            worker(world);
            world.standin.world().agents_join = false;
        },
    ),
    ("answered", &["--sip"], || json!({"sip": true}), worker),
    (
        "shown as somebody",
        &[
            "--sip",
            "--ring",
            "5s",
            "--display-name",
            "Asha",
            "--sip-header",
            "X-Order=4711",
        ],
        || {
            json!({"sip": true, "ring": 5, "display_name": "Asha",
                   "sip_headers": {"X-Order": "4711"}})
        },
        worker,
    ),
    (
        "busy",
        &["--sip"],
        || json!({"sip": true}),
        |world| {
            worker(world);
            let busy = Fault::Answer(Answer::sip(503, "486", "Busy Here"));
            world.standin.fault("CreateSIPParticipant", 1, busy);
        },
    ),
    (
        "dialled, and the answer lost",
        &["--sip"],
        || json!({"sip": true}),
        |world| {
            worker(world);
            world
                .standin
                .fault("CreateSIPParticipant", 1, Fault::StoreThenClose);
        },
    ),
    (
        "nobody to dial beside",
        &["--sip"],
        || json!({"sip": true}),
        |world| {
            worker(world);
            world.standin.world().agents_join = false;
        },
    ),
    (
        "no SIP there",
        &["--sip"],
        || json!({"sip": true}),
        |world| {
            worker(world);
            world.standin.world().redis = false;
        },
    ),
];

fn keywords(more: Value) -> Value {
    json!({ "keywords": more })
}

/// False word: "the same outcomes and the same table".
#[test]
fn both_record_and_say_the_same_at_every_fault() {
    let Some(world) = World::new("python_faults") else {
        return;
    };
    for (name, args, more, fault) in FATES.into_iter().chain(WAITS) {
        let told = world.both(name, args, &keywords(more()), &fault);
        if name == "shown as somebody" {
            let posts = world.standin.posts("CreateSIPParticipant");
            let asked: livekit_protocol::CreateSipParticipantRequest = posts[0].decode();
            assert_eq!(asked.display_name.as_deref(), Some("Asha"));
            assert_eq!(asked.headers["X-Order"], "4711");
            assert_eq!(asked.ringing_timeout.expect("a time").seconds, 5);
            assert_eq!(told.record["status"], "answered");
        }
        let dialled = world.standin.posts("CreateSIPParticipant").len();
        assert!(dialled <= 1, "{name}");
    }
}

/// The same on each driver, on a connection that is no pool, behind a pooler in
/// transaction mode, and on SQLite.
#[test]
fn every_driver_places_the_same_calls() {
    let Some(world) = World::new("python_drivers") else {
        return;
    };
    let Tables::Postgres(db) = &world.tables else {
        return;
    };
    let pooler = Pgbouncer::transaction_mode(db);
    let drivers = [
        "asyncpg connection",
        "psycopg",
        "psycopg connection",
        "psycopg sync",
    ];
    for driver in drivers {
        for (name, args, more, fault) in FATES {
            let mut asked = keywords(more());
            asked["driver"] = driver.into();
            world.both(&format!("{driver}: {name}"), args, &asked, &fault);
        }
    }
    for driver in ["asyncpg", "psycopg", "psycopg sync"] {
        let Some(pooler) = &pooler else { break };
        let mut asked = keywords(plain());
        asked["driver"] = driver.into();
        asked["pooler"] = true.into();
        asked["database"] = pooler.url.clone().into();
        world.both(&format!("{driver} behind a pooler"), &[], &asked, &|_| ());
        // Many at once, over fewer connections to the server than callers.
        world.reset();
        let numbers: Vec<String> = (0..24).map(|n| format!("+9198765432{n:02}")).collect();
        asked["numbers"] = json!(numbers);
        let ends = world.by_package(&asked);
        for end in ends.as_array().expect("a list") {
            assert_eq!(end["status"], "accepted", "{driver}: {end}");
            assert_eq!(end["warnings"], json!([]), "{driver}: {end}");
        }
        assert_eq!(world.creates(), numbers.len());
    }
    let Some(sqlite) = World::on(Tables::Sqlite, false) else {
        return;
    };
    for (name, args, more, fault) in FATES {
        sqlite.both(&format!("SQLite: {name}"), args, &keywords(more()), &fault);
    }
}

/// Where nothing can have been created, the fallback takes the call: as the
/// command has it.
#[test]
fn a_fallback_takes_the_calls_that_it_takes_for_the_command() {
    let Some(world) = World::with_fallback("python_fallback") else {
        return;
    };
    let ways: [Way; 3] = [
        ("key-unknown", |world| world.standin.world().keys.clear()),
        ("secret-wrong", |world| {
            let other = "another-secret-of-some-length-0123456".to_owned();
            world.standin.world().keys.insert(KEY.to_owned(), other);
        }),
        ("trunk-missing", |world| {
            world.standin.world().trunks.clear()
        }),
    ];
    for (way, fault) in ways {
        let told = world.both(way, &[], &keywords(plain()), &fault);
        assert_eq!(told.exit, 0, "{told:?}");
        assert_eq!(told.record["detail"]["fallback"]["name"], "backup");
        assert_eq!(told.record["worker"], BACKUP_WORKER);
        assert_eq!(world.creates(), 0, "{way}");
        assert_eq!(world.backup.posts("CreateDispatch").len(), 1, "{way}");
    }
    let other_fallbacks: [Way; 3] = [
        ("it lists another number", |world| {
            world.backup.world().trunks[0].numbers = vec!["+14155550100".to_owned()];
        }),
        ("it can't be looked at", |world| {
            world.backup.world().redis = false
        }),
        ("its trunk is gone", |world| {
            world.backup.world().trunks.clear()
        }),
    ];
    for (way, fault) in other_fallbacks {
        // Nor is the caller's permission one for the fallback.
        let args = ["--allow", "trunk-lacks-number"];
        let more = json!({"allow": ["trunk-lacks-number"]});
        let told = world.both(way, &args, &keywords(more), &|world| {
            world.standin.world().keys.clear();
            fault(world);
        });
        assert_eq!(told.exit, 1, "{told:?}");
        assert!(world.backup.posts("CreateDispatch").is_empty(), "{way}");
    }
    // The attack: somebody leads the row of the fallback elsewhere.
    let stranger = StandIn::start();
    world.sql(&format!(
        "UPDATE voice_agent_livekit SET livekit_url = '{}' WHERE name = 'backup'",
        stranger.url()
    ));
    let told = world.both("a stranger", &[], &keywords(plain()), &|world| {
        world.standin.world().keys.clear();
    });
    assert_eq!(told.exit, 1, "{told:?}");
    assert_eq!(stranger.world().authorized, 0);
    world.sql(&format!(
        "UPDATE voice_agent_livekit SET livekit_url = '{}', livekit_api_secret = 'in plain text'
         WHERE name = 'backup'",
        world.backup.url()
    ));
    let told = world.both("plain text", &[], &keywords(plain()), &|world| {
        world.standin.world().keys.clear();
    });
    assert!(told.message.to_string().contains("plain text"), "{told:?}");
}

/// No connection comes about: nobody is at the port, or there is no such name.
#[test]
fn a_fallback_takes_the_calls_that_reach_nobody() {
    let Some(mut world) = World::with_fallback("python_nobody") else {
        return;
    };
    let url = world.standin.url();
    // Its port closes with it.
    drop(std::mem::replace(&mut world.standin, StandIn::start()));
    for way in ["refused", "dns"] {
        if way == "dns" {
            let elsewhere = "https://no-such-host.invalid";
            world.lkroute.edit("routing/all.toml", &url, elsewhere);
            let apply = ["apply", "--auto-approve"];
            world.lkroute.run(&apply).expect_code(0);
        }
        let told = world.both(way, &[], &keywords(plain()), &|_| ());
        assert_eq!(told.exit, 0, "{told:?}");
        assert_eq!(told.record["detail"]["fallback"]["name"], "backup");
        assert_eq!(world.backup.posts("CreateDispatch").len(), 1, "{way}");
    }
}

/// Attacker: a server that takes the call and then cuts, hangs or answers
/// nonsense. Another server must not be asked.
#[test]
fn where_something_may_have_been_created_the_package_asks_no_other_server() {
    let Some(world) = World::with_fallback("python_one_server") else {
        return;
    };
    for (ix, (method, fault)) in may_have_created().into_iter().enumerate() {
        let name = format!("fault {ix} of {method}");
        let told = world.both(&name, &[], &keywords(plain()), &|world| {
            world.standin.fault(method, 9, fault.clone());
        });
        assert!(matches!(told.exit, 0 | 1 | 8), "{told:?}");
        assert!(told.asked[1].is_empty(), "{told:?}");
    }
}

/// Attacker: a service that retries, twice at once.
#[test]
fn one_key_is_one_call() {
    let Some(world) = World::new("python_keys") else {
        return;
    };
    let with_key = |key: &str| json!({"keywords": {"idempotency_key": key}});
    let mut thrice = with_key("order-4711");
    thrice["times"] = 3.into();
    let ends = world.by_package(&thrice);
    assert_eq!(world.creates(), 1, "{ends}");
    let repeated = |end: &&Value| end["repeated"] == true || end["exit"] == 8;
    let ends = ends.as_array().expect("a list");
    assert_eq!(ends.iter().filter(repeated).count(), 2, "{ends:?}");
    let again = world.by_package(&with_key("order-4711"));
    assert_eq!(again[0]["repeated"], true, "{again}");
    let mut other = with_key("order-4711");
    other["to"] = "+919876543211".into();
    let clash = world.by_package(&other);
    assert_eq!(
        (&clash[0]["code"], &clash[0]["raised"]),
        (&json!("key-clash"), &json!("KeyClash")),
        "{clash}"
    );
    assert_eq!(world.creates(), 1);
    // The command honours the key of the package.
    let args = ["--idempotency-key", "order-4711", "-j"];
    let call = ["dispatch", "--from", FROM, "--to", TO];
    let run = world.lkroute.run(&[&call[..], &args].concat());
    assert!(run.stdout.contains("\"repeated\": true"), "{}", run.stdout);
    assert_eq!(world.creates(), 1);

    // A call that failed gives its key back.
    world.standin.world().trunks.clear();
    let failed = world.by_package(&with_key("order-4712"));
    assert_eq!(failed[0]["code"], "trunk-missing", "{failed}");
    world.reset();
    let now = world.by_package(&with_key("order-4712"));
    assert_eq!(now[0]["status"], "accepted", "{now}");
    // One that was ended is told as such, and not placed again.
    let room = now[0]["room"].as_str().expect("a room");
    world.lkroute.run(&["cancel", room, "-y"]).expect_code(0);
    let ended = world.by_package(&with_key("order-4712"));
    assert_eq!(
        ended[0]["kinds"],
        json!(["CallCancelled", "CallError"]),
        "{ended}"
    );
}

/// One class for each way: what is caught is what happened, and no more.
#[test]
fn each_way_to_end_is_an_exception_of_its_own() {
    let Some(world) = World::new("python_errors") else {
        return;
    };
    let kinds = |more: Value, fault: &dyn Fn(&World)| {
        world.reset();
        fault(&world);
        world.by_package(&keywords(more))[0]["kinds"].clone()
    };
    let failed = kinds(plain(), &|world| world.standin.world().trunks.clear());
    assert_eq!(failed, json!(["CallFailed", "CallError"]));
    let lacks = kinds(plain(), &|world| {
        world.standin.world().trunks[0].numbers = vec!["+14155550100".to_owned()];
    });
    let trunk = json!(["TrunkLacksNumber", "CallFailed", "CallError", "Refused"]);
    assert_eq!(lacks, trunk);
    let unknown = kinds(json!({"wait_for_agent": 0.6}), &|_| ());
    assert_eq!(unknown, json!(["CallUnknown", "CallError"]));
    let no_agent = kinds(json!({"wait_for_agent": 6.5}), &|_| ());
    assert_eq!(no_agent, json!(["NoAgent", "CallError"]));
    let busy = kinds(json!({"sip": true}), &|world| {
        worker(world);
        let busy = Fault::Answer(Answer::sip(503, "486", "Busy Here"));
        world.standin.fault("CreateSIPParticipant", 1, busy);
    });
    assert_eq!(busy, json!(["NotDialled", "CallError"]));
    for wrong in [
        json!({"wait_for_agent": 0}),
        json!({"timeout": -1}),
        json!({"ring": 81, "sip": true}),
        json!({"allow": ["everything"]}),
        json!({"metadata": {"job_id": "mine"}}),
    ] {
        let told = kinds(wrong.clone(), &|_| ());
        assert_eq!(told, json!(["UsageError"]), "{wrong}");
    }
    assert_eq!(world.creates(), 0);
    // Without the right to write there is no call.
    world.reset();
    let Tables::Postgres(db) = &world.tables else {
        return;
    };
    db.psql("ALTER TABLE lad_dev.lkroute_dispatches RENAME TO elsewhere");
    let told = world.by_package(&keywords(plain()));
    assert_eq!(told[0]["raised"], "RecordFailed", "{told}");
    assert_eq!(world.creates(), 0);
}

/// A real server, a real worker, and the job that it gets.
#[test]
fn a_real_worker_takes_the_call() {
    let Some(livekit) = Livekit::alone_with_redis() else {
        return;
    };
    let (Some(worker), Some(postgres), Some(_)) = (
        Worker::start(&livekit, WORKER),
        Postgres::shared(),
        package(),
    ) else {
        return;
    };
    let trunk = crate::calls::real::trunk(&livekit, FROM);
    let files = crate::calls::world::files(&livekit.url, TENANT_INDIA, &trunk);
    let tables = Tables::Postgres(postgres.database("python_real"));
    let lkroute = routed(&tables, &files);
    let Tables::Postgres(db) = &tables else {
        return;
    };
    let asked = json!({"keywords": {"wait_for_agent": 10.0, "timeout": 10.0}});
    let ends = by_package(&db.url, Some(super::service::SCHEMA), &asked);
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
    assert!(!ends.to_string().contains(SECRET));
}
