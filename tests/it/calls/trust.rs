//! Whom a token is sent to: a row that others changed must not get one.

use lkroute::secrets::{KeyRing, Secret, SecretFormat, seal};
use uuid::Uuid;

use super::world::{FILE, FROM, RING, TO, World, clean, files, said, sealed, trunk};
use crate::livekit::standin::{KEY, SECRET, StandIn};
use crate::support::{CONFIG_UAE, FERNET_KEY, Run, TENANT_INDIA};

const CALL: [&str; 5] = ["dispatch", "--from", FROM, "--to", TO];

/// One config of ours on one server, and a stranger's server beside it.
struct Drifted {
    world: World,
    stranger: StandIn,
}

impl Drifted {
    /// Applies `files` and then lets somebody change the row's URL.
    fn new(more: &str) -> Drifted {
        let world = World::of_files("");
        let stranger = StandIn::start();
        stranger.world().trunks.push(trunk());
        let text = world.lkroute.read(FILE) + more;
        world.lkroute.write(FILE, &text);
        world.apply();
        let drifted = Drifted { world, stranger };
        drifted.set("livekit_url", &drifted.stranger.url());
        drifted
    }

    fn set(&self, column: &str, value: &str) {
        let sql = format!("UPDATE voice_agent_livekit SET {column} = '{value}'");
        self.world.sql(&sql);
    }

    fn run(&self, args: &[&str]) -> Run {
        self.world.run(args)
    }

    #[track_caller]
    fn sent_nothing(&self) {
        assert_eq!(self.stranger.world().authorized, 0);
        assert!(self.stranger.world().posts.is_empty());
    }
}

#[test]
fn a_row_that_drifted_to_a_stranger_gets_no_token() {
    let drifted = Drifted::new("");
    for args in [&["--dry-run"][..], &[], &["--strict"]] {
        let call = drifted.run(&[&CALL[..], args].concat()).expect_code(6);
        let said = said(&call);
        assert_contains!(said, "never applied", "lkroute drift");
    }
    assert_eq!(drifted.stranger.world().connections, 0);
    for args in [&[][..], &["--probe-worker"]] {
        let report = drifted.run(&[&["doctor", "--format", "json"], args].concat());
        let report = report.expect_code(1).json();
        let complaints = report["configs"][0]["complaints"].to_string();
        assert_contains!(complaints, "host-not-trusted");
    }
    assert!(
        drifted.stranger.world().connections > 0,
        "doctor looks at it"
    );
    drifted.sent_nothing();
    assert!(drifted.world.standin.world().posts.is_empty());
}

#[test]
fn the_same_host_without_tls_on_another_port_or_under_another_name_is_a_stranger() {
    let drifted = Drifted::new("");
    let port = drifted.world.standin.addr.port();
    for url in [
        format!("http://127.0.0.2:{port}"),
        format!("http://127.0.0.1:{}", drifted.stranger.addr.port()),
        format!("http://localhost:{port}"),
        "not a url".to_owned(),
    ] {
        drifted.set("livekit_url", &url);
        drifted.run(&CALL).expect_code(6);
    }
    drifted.set("livekit_url", &drifted.world.standin.url_as("ws"));
    drifted.run(&CALL).expect_code(0);
}

#[test]
fn an_operator_records_a_server_and_takes_it_back() {
    let drifted = Drifted::new("");
    let url = drifted.stranger.url();
    drifted.run(&["trust", &url]).expect_code(1);
    drifted
        .run(&["trust", "no server", "--reason", "x"])
        .expect_code(1);
    drifted.run(&["trust", &url, "--revoke"]).expect_code(1);
    let trust = ["trust", &url, "--reason", "the VM moved\u{1b}[31m"];
    drifted.run(&trust).expect_code(0);
    let list = drifted.run(&["trust"]).expect_code(0).stdout;
    assert_contains!(list, "127.0.0.1", "the VM moved\\u001b");
    drifted.run(&CALL).expect_code(0);
    assert!(drifted.stranger.world().authorized > 0);
    drifted.run(&["trust", &url, "--revoke"]).expect_code(0);
    drifted.run(&CALL).expect_code(6);
}

#[test]
fn the_environment_and_the_stored_policy_name_servers_too() {
    let mut drifted = Drifted::new("");
    drifted
        .world
        .lkroute
        .env("LIVEKIT_URL", &drifted.stranger.url());
    drifted.run(&CALL).expect_code(0);

    let policy = "\n[guards.policy.hosts]\nindia = [\"127.0.0.*\"]\n";
    let drifted = Drifted::new(policy);
    drifted.run(&CALL).expect_code(0);
    // What the files say now does not count before it is applied.
    let drifted = Drifted::new("");
    let text = files(
        &drifted.world.standin.url(),
        TENANT_INDIA,
        super::world::TRUNK,
    );
    drifted
        .world
        .lkroute
        .write("routing/india.toml", &(text + policy));
    drifted.run(&CALL).expect_code(6);
}

#[test]
fn a_server_of_an_earlier_apply_stays_trusted_and_a_key_that_drifted_is_drift() {
    let drifted = Drifted::new("");
    let first = drifted.world.standin.url();
    drifted.set("livekit_url", &first);
    let text = files(&drifted.stranger.url(), TENANT_INDIA, super::world::TRUNK);
    drifted.world.lkroute.write("routing/india.toml", &text);
    drifted.run(&["apply", "--auto-approve"]).expect_code(0);
    drifted.set("livekit_url", &first);
    drifted.run(&CALL).expect_code(0);

    let keys = [("another-key".to_owned(), SECRET.to_owned())];
    drifted.world.standin.world().keys.extend(keys);
    drifted.set("livekit_api_key", "another-key");
    drifted.run(&CALL).expect_code(0);
}

/// A row of others, on the stranger's server.
fn of_others(drifted: &Drifted, api_key: &str, stored: &str) {
    let url = drifted.stranger.url();
    drifted.world.sql(&format!(
        "UPDATE voice_agent_livekit SET livekit_url = '{}';
         DELETE FROM voice_agent_livekit WHERE name = 'theirs';
         INSERT INTO voice_agent_livekit (id, name, livekit_url, livekit_api_key,
           livekit_api_secret, trunk_id, worker_name)
         VALUES ('{CONFIG_UAE}', 'theirs', '{url}', '{api_key}', '{stored}', 'ST_MmVqEuBMDNf6', 'w');
         UPDATE voice_agent_numbers SET rules = '{{\"livekit_config\": \"{CONFIG_UAE}\"}}'",
        drifted.world.standin.url()
    ));
}

#[test]
fn a_row_of_others_is_warned_of_and_may_not_borrow_our_credentials() {
    let mut drifted = Drifted::new("");
    let own = "made-up-secret-of-others-0123456789abcdef";
    let keys = [("their-key".to_owned(), own.to_owned())];
    drifted.stranger.world().keys.extend(keys);
    of_others(&drifted, "their-key", &sealed(CONFIG_UAE, own));
    let call = drifted.run(&CALL).expect_code(0);
    assert_contains!(said(&call), "a server that lkroute never applied");
    assert_eq!(drifted.stranger.posts("CreateDispatch").len(), 1);
    let report = drifted
        .run(&["doctor", "--format", "json"])
        .json()
        .to_string();
    assert_contains!(report, "host-not-approved");
    let doctor = drifted.run(&["doctor"]);
    let hinted = doctor.told("`lkroute trust {} --reason …`, if it is yours");
    let trusted = hinted.run(&drifted.world.lkroute, &[("…", "ours")]);
    trusted.expect_code(0);
    let after = drifted.run(&["doctor"]).stdout;
    assert_lacks!(after, "host-not-approved");
    let url = drifted.stranger.url();
    drifted.run(&["trust", &url, "--revoke"]).expect_code(0);
    let sent = drifted.stranger.world().authorized;

    // Our API key; and our secret, which a Fernet value holds for any config.
    let ring = KeyRing::parse(RING)
        .and_then(|ring| ring.with_fernet(FERNET_KEY))
        .unwrap();
    let secret = Secret::new(SECRET.to_owned());
    let id = Uuid::parse_str(CONFIG_UAE).unwrap();
    let fernet = seal(&ring, id, &secret, SecretFormat::Fernet, None).unwrap();
    drifted
        .world
        .lkroute
        .env("LIVEKIT_SECRET_ENCRYPTION_KEY", FERNET_KEY);
    for (api_key, stored) in [
        (KEY, sealed(CONFIG_UAE, own)),
        ("their-key", fernet.as_str().to_owned()),
    ] {
        of_others(&drifted, api_key, &stored);
        let call = drifted.run(&CALL).expect_code(6);
        let said = said(&call);
        assert_contains!(said, "of config india-techiemaya-cloud");
        drifted
            .run(&["doctor", "--config", "theirs"])
            .expect_code(1);
    }
    assert_eq!(drifted.stranger.world().authorized, sent);
    // A key that was ours until the last apply opens the server still.
    let text = drifted.world.lkroute.read("routing/india.toml");
    let key = |key: &str| format!("api_key = \"{key}\"");
    let newer = text.replace(&key(KEY), &key("newer-key"));
    assert_ne!(text, newer);
    drifted.world.lkroute.write("routing/india.toml", &newer);
    let apply = ["apply", "--auto-approve", "--revert-drift"];
    drifted.run(&apply).expect_code(0);
    of_others(&drifted, KEY, &sealed(CONFIG_UAE, own));
    drifted.run(&CALL).expect_code(6);
    assert_eq!(drifted.stranger.world().authorized, sent);
}

#[test]
fn a_secret_in_plain_text_is_an_error_where_it_is_ours() {
    let drifted = Drifted::new("");
    drifted.set("livekit_url", &drifted.world.standin.url());
    let plain = "made-up-plain-0123456789abcdef";
    drifted.set("livekit_api_secret", plain);
    let call = drifted.run(&CALL).expect_code(1);
    let words = said(&call);
    assert_contains!(words, "plain text", "secrets seal");
    let report = drifted.run(&["doctor", "--no-probe"]).expect_code(1).stdout;
    assert_contains!(report, "plain text");
    assert_lacks!(report, plain);
    assert_eq!(drifted.world.standin.world().authorized, 0);

    let keys = [("their-key".to_owned(), plain.to_owned())];
    drifted.stranger.world().keys.extend(keys);
    of_others(&drifted, "their-key", plain);
    let call = drifted.run(&CALL).expect_code(0);
    let words = said(&call);
    assert_contains!(words, "plain text", "lkroute import");
    let strict = drifted.run(&[&CALL[..], &["--strict"]].concat());
    strict.says("{message}, and --strict takes none");
    let hinted = strict.expect_code(1).told(
        "`lkroute import` takes the config into files, `lkroute secrets seal` seals its secret, \
         and an apply writes that",
    );
    // Another tree than the one of the world.
    let import = ["import", "--out", "of-others", "--config", "theirs"];
    let imported = hinted.then(|| drifted.run(&import));
    assert!([0, 3].contains(&imported.code), "{}", imported.stderr);
    clean(
        drifted
            .run(&["doctor", "--no-probe", "--config", "theirs"])
            .expect_code(0),
    );
}

#[test]
fn a_database_that_was_never_applied_is_warned_of() {
    let world = World::new();
    world
        .run(&["trust", &world.standin.url(), "--revoke"])
        .expect_code(0);
    let call = world.dispatch(&[]).expect_code(0);
    assert_contains!(said(&call), "never applied");
}

#[test]
fn looking_again_ending_a_call_and_other_programs_go_to_no_stranger_either() {
    let drifted = Drifted::new("");
    let own = drifted.world.standin.url();
    drifted.set("livekit_url", &own);
    let call = drifted.run(&[&CALL[..], &["-j"]].concat()).expect_code(0);
    let call = call.json();
    let room = call["room"].as_str().unwrap();
    // Whoever changes the row may change the record, too.
    let stranger = drifted.stranger.url();
    drifted.set("livekit_url", &stranger);
    drifted.world.sql(&format!(
        "UPDATE lkroute_dispatches SET detail = replace(detail, '{own}', '{stranger}')"
    ));
    let refreshed = drifted.run(&["dispatches", "--refresh"]).expect_code(8);
    assert_contains!(said(&refreshed), "never applied");
    drifted.run(&["cancel", room, "-y"]).expect_code(6);
    let env = ["env", "--config", "india-techiemaya-cloud", "--", "true"];
    drifted.run(&env).expect_code(6);
    assert_eq!(drifted.stranger.world().connections, 0);
    drifted.set("livekit_url", &own);
    drifted.run(&env).expect_code(0);
}
