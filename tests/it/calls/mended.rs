//! What `doctor` and `dispatch` say to do about a server of LiveKit, a config
//! or a number: it is done, and the complaint is over.

use std::net::TcpListener;

use super::world::{FROM, TO, TRUNK, World, sealed, trunk};
use crate::livekit::standin::{Answer, Fault, KEY, StandIn};
use crate::support::{CONFIG_INDIA, CONFIG_UAE, TENANT_B, TENANT_INDIA};

const DOCTOR: [&str; 5] = [
    "doctor",
    "--timeout",
    "1s",
    "--config",
    "india-techiemaya-cloud",
];
const CONFIGS: &str = "UPDATE voice_agent_livekit SET";

/// Doctor has a hint, and after what it says no complaint of a problem.
#[track_caller]
fn mends(world: &World, hint: &str, mend: impl FnOnce(&World)) {
    let doctor = world.run(&DOCTOR).expect_code(1);
    doctor.told(hint).then(|| mend(world));
    world.run(&DOCTOR).expect_code(0);
}

/// The same of the servers of the first config in one world.
#[test]
fn a_server_that_is_set_right() {
    let world = World::new();
    let server = || world.standin.world();
    server().trunks.clear();
    mends(
        &world,
        "create the trunk there, or correct the id in the config",
        |_| {
            server().trunks.push(trunk());
        },
    );
    server().trunks[0].numbers = vec!["+14155550100".to_owned()];
    let hint = "add them to the trunk's numbers, or bind them to the config that has them";
    mends(&world, hint, |_| {
        server().trunks[0].numbers.push(FROM.to_owned())
    });
    server().redis = false;
    mends(
        &world,
        "give the server a redis and start the SIP service",
        |_| {
            server().redis = true;
        },
    );
    server().clock_ahead = -300;
    mends(
        &world,
        "set the clocks of this machine and of the server (NTP)",
        |_| {
            server().clock_ahead = 0;
        },
    );
    server().denied.insert("ListRooms".to_owned());
    mends(&world, "use a key that has the permission", |_| {
        server().denied.clear()
    });
    server().ready = false;
    let hint = "look into the server's log; it may be starting or have lost its redis";
    mends(&world, hint, |_| server().ready = true);
    let other = "another-made-up-secret-0123456789";
    server().keys = [(KEY.to_owned(), other.to_owned())].into();
    mends(
        &world,
        "seal the secret that belongs to this key and apply again",
        |world| {
            let text = sealed(CONFIG_INDIA, other);
            world.sql(&format!(
                "{CONFIGS} livekit_api_secret = '{text}' WHERE id = '{CONFIG_INDIA}'"
            ));
        },
    );
    server().keys = [("another-key".to_owned(), other.to_owned())].into();
    let hint = "put a key of this server into the config, or add this one to the server";
    mends(&world, hint, |world| {
        world.sql(&format!("{CONFIGS} livekit_api_key = 'another-key'"));
    });
    let store = |text: &str| {
        let of_one = format!("WHERE id = '{CONFIG_INDIA}'");
        drop(world.sql(&format!("{CONFIGS} livekit_api_secret = '{text}' {of_one}")));
    };
    store("");
    mends(&world, "put both into the config", |_| {
        store(&sealed(CONFIG_INDIA, other))
    });
    world.sql(&format!("{CONFIGS} livekit_api_key = ''"));
    let doctor = world.run(&DOCTOR).expect_code(1);
    let hinted = doctor.told("set it in the files and apply");
    hinted.then(|| world.sql(&format!("{CONFIGS} livekit_api_key = 'another-key'")));
    world.run(&DOCTOR).expect_code(0);
}

#[test]
fn what_stands_between_is_taken_away() {
    let world = World::new();
    let faults = |fault: Fault| world.standin.fault("*", 999, fault);
    let away = |_: &World| world.standin.mend();
    faults(Fault::Hang);
    let hint = "check firewalls and the load of the server, or allow more time";
    mends(&world, hint, away);
    faults(Fault::Reset);
    let hint = "check the server's log and what stands between (proxy, load balancer)";
    mends(&world, hint, away);
    faults(Fault::Answer(Answer::html(502)));
    mends(&world, "look into its log and try again later", away);
    faults(Fault::Answer(Answer::html(200)));
    mends(
        &world,
        "check host and port, and what a proxy there passes on",
        away,
    );
    let nonsense = Answer::new(200, "application/protobuf", [0xff; 40]);
    world
        .standin
        .fault("ListRooms", 999, Fault::Answer(nonsense));
    mends(
        &world,
        "check what stands between here and LiveKit (proxy, load balancer)",
        away,
    );
    let there = world.standin.url();
    let moved = |to: &str| drop(world.sql(&format!("{CONFIGS} livekit_url = '{to}'")));
    let back = |_: &World| moved(&there);
    let free = TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr();
    moved(&format!("http://{}", free.expect("its address")));
    mends(
        &world,
        "check that the server runs, its port, and firewalls",
        back,
    );
    moved("http://no-such-host.invalid");
    mends(
        &world,
        "check its spelling and the DNS of this machine",
        back,
    );
    moved("nonsense");
    let hint = "write scheme, host and port, as in wss://livekit.example:443";
    mends(&world, hint, back);
    let old = StandIn::start();
    old.fault("*", 999, Fault::Answer(Answer::redirect(308, &there)));
    moved(&old.url());
    mends(&world, "put the final address into the config", back);
}

#[test]
fn calls_that_are_placed_again() {
    let world = World::new();
    world.standin.world().workers.insert("voag-dev".to_owned());
    let again = || drop(world.dispatch(&["--sip"]).expect_code(0));
    let sip = "CreateSIPParticipant";
    let once = |method: &str, answer: Answer| world.standin.fault(method, 1, Fault::Answer(answer));
    once(sip, Answer::sip(503, "486", "Busy Here"));
    let busy = world.dispatch(&["--sip"]).expect_code(1);
    let hinted = busy.told("see the SIP status");
    assert_contains!(busy.stderr, "486");
    hinted.then(again);
    let over = "twirp error unknown: sip request timed out";
    once(sip, Answer::twirp(408, "canceled", over));
    let over = world.dispatch(&["--sip"]).expect_code(1);
    over.told("call again later, or look whether the trunk's carrier can be reached")
        .then(again);
    once(
        sip,
        Answer::twirp(503, "unavailable", "no response from servers"),
    );
    let none = world.dispatch(&["--sip"]);
    none.told("start livekit-sip with the same redis")
        .then(again);
    let closed = "requested room does not exist";
    once("CreateDispatch", Answer::twirp(404, "not_found", closed));
    let closed = world.dispatch(&[]);
    closed
        .told("look whether it was closed, and whether the server creates rooms")
        .then(again);
    let words = "metadata size exceeds limits";
    once(
        "CreateDispatch",
        Answer::twirp(400, "invalid_argument", words),
    );
    let rejected = world.dispatch(&[]).expect_code(1);
    let hinted = rejected.told("see its words");
    assert_contains!(rejected.stderr, "metadata size");
    hinted.then(again);
}

#[test]
fn a_room_of_a_trial_that_stays() {
    let world = World::new();
    world.standin.world().workers.insert("voag-dev".to_owned());
    let boom = Answer::twirp(500, "internal", "boom");
    world.standin.fault("DeleteRoom", 1, Fault::Answer(boom));
    let trial = [&DOCTOR[..], &["--probe-worker"]].concat();
    let stays = world.run(&trial).expect_code(1);
    let hinted = stays.told("nothing: it closes by itself after a minute");
    hinted.then(|| world.run(&trial)).expect_code(0);
}

/// `doctor` on what a database holds.
#[test]
fn rows_that_are_repaired() {
    let world = World::new();
    let doctor = ["doctor", "--no-probe"];
    let is_over = |code: &str| {
        let after = world.run(&doctor).stdout;
        assert_lacks!(after, code);
    };
    world.number(
        TENANT_B,
        "+91",
        9_000_000_001,
        "00000000-0000-4000-8000-00000000dead",
        "",
    );
    let dangling = world.run(&doctor).expect_code(1);
    let hinted = dangling.told("bind them to a config that exists, and apply");
    hinted.then(|| {
        world.sql(&format!(
            "UPDATE voice_agent_numbers SET rules = '{{\"livekit_config\": \"{CONFIG_INDIA}\"}}'
               WHERE base_number = 9000000001"
        ))
    });
    is_over("config-dangling");
    world.number(TENANT_B, "India", 9_000_000_002, CONFIG_INDIA, "");
    let unreadable = world.run(&doctor).expect_code(1);
    let hinted = unreadable.told("repair country_code and base_number");
    hinted.then(|| {
        world
            .sql("UPDATE voice_agent_numbers SET country_code = '+91' WHERE country_code = 'India'")
    });
    is_over("number-unreadable");
    world.number(TENANT_INDIA, "+91", 9_000_000_003, CONFIG_INDIA, "");
    let no_config = "UPDATE voice_agent_numbers SET rules = '{}' WHERE base_number = 9000000003";
    world.sql(no_config);
    let unbound = world.run(&doctor);
    let hinted = unbound.told("bind them to a config where they are to call");
    hinted.then(|| {
        world.sql(&format!(
            "UPDATE voice_agent_numbers SET rules = '{{\"livekit_config\": \"{CONFIG_INDIA}\"}}'
               WHERE base_number = 9000000003"
        ))
    });
    is_over("number-without-config");
    world.sql(&format!(
        "{CONFIGS} trunk_id = NULL, worker_name = NULL WHERE id = '{CONFIG_UAE}'"
    ));
    let unset = world.run(&doctor);
    let (trunk, worker) = (
        unset.told("set `trunk_id`"),
        unset.told("set `worker_name`"),
    );
    let set =
        format!("{CONFIGS} trunk_id = '{TRUNK}', worker_name = 'w' WHERE id = '{CONFIG_UAE}'");
    trunk.then(|| worker.then(|| world.sql(&set)));
    is_over("-not-set");
    world.sql("DELETE FROM voice_agent_numbers WHERE base_number = 545335200");
    let unused = world.run(&doctor);
    let hinted = unused.told("bind numbers to it, or take it out of the files");
    hinted.then(|| world.number(TENANT_B, "+971", 545_335_201, CONFIG_UAE, ""));
    is_over("config-unused");
    world.sql("CREATE TABLE voice_agents (id INTEGER PRIMARY KEY, tenant_id TEXT)");
    world.sql(&format!(
        "INSERT INTO voice_agents VALUES (33, '{TENANT_B}')"
    ));
    world
        .sql("UPDATE voice_agent_numbers SET default_agent_id = 33 WHERE base_number = 9513456728");
    let mixed = world.run(&doctor).expect_code(0);
    let hinted = mixed.told("nothing, if it is meant: the number's tenant counts, not the agent's");
    // And so it does.
    let found = hinted
        .then(|| world.run(&["resolve", "--from", FROM]))
        .expect_code(0);
    assert_contains!(found.stdout, "india-techiemaya-cloud");
}

/// Exit 1 says that there is no call: whoever repeats it then calls a person twice.
#[test]
#[cfg(target_os = "linux")]
fn a_call_that_was_placed_keeps_its_exit_code_where_nothing_can_be_printed() {
    let world = World::new();
    let full = std::fs::File::options().write(true).open("/dev/full");
    let call = ["dispatch", "--from", FROM, "--to", TO];
    let mut command = world.lkroute.command(&call);
    command
        .stdin(std::process::Stdio::null())
        .stdout(full.expect("/dev/full"));
    let ended = command.output().expect("it ends");
    let said = String::from_utf8(ended.stderr).expect("UTF-8");
    assert_eq!(ended.status.code(), Some(0), "{said}");
    let said = crate::support::words_of(&said);
    assert_contains!(said, "warning: the call is accepted, in room call-");
    assert_eq!(world.recorded(), ["accepted"]);
}
