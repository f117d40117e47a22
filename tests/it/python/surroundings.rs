//! What is around a call that the package places, and is none of its business: odd
//! variables of the process, a `~/.netrc`, a proxy, headers of a server, the database of
//! another environment.

use serde_json::json;

use super::world::{FROM, TO, World};
use crate::livekit::standin::{Answer, Fault};

/// False word: "as `lkroute dispatch` does", in a process with a variable that is not
/// UTF-8.
#[test]
fn variables_that_are_no_text_stop_no_call() {
    let Some(world) = World::new("python_variables") else {
        return;
    };
    let asked = |environ| json!({ "environ": environ });
    let ends = world.by_package(&asked(json!({"ODD": "caf\u{e9}"})));
    assert_eq!(ends[0]["status"], "accepted", "{ends}");
    assert_eq!(world.record()["actor"], "asha@desk");
    // One that is read counts as empty.
    let ends = world.by_package(&asked(json!({"USER": "jos\u{e9}", "HOSTNAME": "\u{ff}"})));
    assert_eq!(ends[0]["status"], "accepted", "{ends}");
    let record = world.record();
    let actor = record["actor"].as_str().expect("a text");
    assert!(actor.starts_with("somebody@"), "{actor}");
}

/// Attacker: a `~/.netrc` with a user for every host, who would be sent in place of the
/// token. A proxy is asked all the same.
#[test]
fn a_netrc_is_not_looked_into_and_a_proxy_is_asked() {
    let Some(world) = World::new("python_netrc") else {
        return;
    };
    let far = world
        .standin
        .url()
        .replace("127.0.0.1", "livekit.far.example");
    let near = world.standin.url();
    world.lkroute.edit("routing/all.toml", &near, &far);
    let apply = ["apply", "--auto-approve"];
    world.lkroute.run(&apply).expect_code(0);
    let home = tempfile::tempdir().expect("a directory");
    let netrc = "default login made-up-user password made-up-pw\n";
    std::fs::write(home.path().join(".netrc"), netrc).expect("write it");
    let home = home.path().to_str().expect("plain");
    let ends = world.by_package(&json!({"environ": {"HOME": home}}));
    assert_eq!(ends[0]["status"], "accepted", "{ends}");
    for proxy in ["http://127.0.0.1:9", "127.0.0.1:9", "socks5://127.0.0.1:9"] {
        for name in ["http_proxy", "all_proxy"] {
            world.reset();
            let ends = world.by_package(&json!({"environ": {name: proxy}}));
            assert_eq!(ends[0]["code"], "proxy", "{name} {proxy}: {ends}");
            assert!(world.standin.world().posts.is_empty(), "{name} {proxy}");
        }
    }
    let environ = json!({"http_proxy": "http://127.0.0.1:9", "no_proxy": ".far.example"});
    let ends = world.by_package(&json!({ "environ": environ }));
    assert_eq!(ends[0]["status"], "accepted", "{ends}");
}

/// Attacker: a server whose headers are no text. False word: "a bug in lkroute".
#[test]
fn a_header_that_is_no_text_is_an_answer_as_any_other() {
    let Some(world) = World::new("python_headers") else {
        return;
    };
    let elsewhere = Answer {
        location: Some(b"http://elsewhere.example/\xff".to_vec()),
        ..Answer::empty(307)
    };
    let fault = Fault::Answer(elsewhere);
    for method in ["CreateRoom", "CreateDispatch"] {
        let told = world.both(method, &[], &json!({}), &|world| {
            world.standin.fault(method, 9, fault.clone());
        });
        assert!([1, 8].contains(&told.exit), "{told:?}");
    }
}

/// False word: "accepted", of a call that another environment placed with this key.
#[test]
fn a_key_of_another_environment_is_another_key() {
    let Some(world) = World::new("python_key_elsewhere") else {
        return;
    };
    let mut asked = json!({"keywords": {"idempotency_key": "order-4713"}});
    let first = world.by_package(&asked);
    assert_eq!(first[0]["status"], "accepted", "{first}");
    world.sql("UPDATE lkroute_state SET environment = 'staging'");
    asked["settings"] = json!({"environment": "prod"});
    let refused = world.by_package(&asked);
    assert_eq!(refused[0]["raised"], "WrongDatabase", "{refused}");
    assert_eq!(refused[0]["exit"], 6, "{refused}");
    // Where the number leads nowhere by now, the first outcome is told all the same.
    asked["settings"] = json!({});
    world.sql("UPDATE voice_agent_numbers SET status = 'inactive'");
    let again = world.by_package(&asked);
    assert_eq!(again[0]["repeated"], true, "{again}");
    assert_eq!(world.creates(), 1);
}

/// Attacker: a variable that is not set. A blank key would make one call of all.
#[test]
fn a_blank_key_and_options_that_do_nothing_are_refused() {
    let Some(world) = World::new("python_blank_key") else {
        return;
    };
    for wrong in [
        json!({"idempotency_key": ""}),
        json!({"idempotency_key": " "}),
        json!({"idempotency_key": "a\u{0}b"}),
        json!({"display_name": "Asha"}),
        json!({"sip_headers": {"X-Order": "4711"}}),
        json!({"sip": true, "sip_headers": {"": "4711"}}),
        json!({"sip": true, "sip_headers": {"X Order": "4711"}}),
        json!({"sip": true, "sip_headers": {"From": "<sip:other@pbx.example>"}}),
        json!({"sip": true, "sip_headers": {"X-A": "1", "x-a": "2"}}),
        json!({"sip": true, "sip_headers": {"X-A": "b\r\nEvil: c"}}),
        json!({"sip": true, "display_name": "a\r\nX: y"}),
        json!({"worker": ""}),
        json!({"worker": "a\u{0}b"}),
    ] {
        let ends = world.by_package(&json!({ "keywords": wrong }));
        assert_eq!(ends[0]["raised"], "UsageError", "{wrong}: {ends}");
    }
    let call = ["dispatch", "--from", FROM, "--to", TO];
    for wrong in [
        &["--idempotency-key", ""][..],
        &["--worker", " "],
        &["--sip", "--sip-header", "X-A=b\r\nEvil: c"],
        &["--sip", "--sip-header", "From=x"],
        &["--sip", "--sip-header", "X A=b"],
        &["--sip", "--sip-header", "X-A=b", "--sip-header", "x-a=c"],
        &["--sip", "--display-name", "a\r\nX: y"],
    ] {
        for more in [&[][..], &["--dry-run"]] {
            let run = world.lkroute.run(&[&call[..], wrong, more].concat());
            run.expect_code(1);
        }
    }
    assert!(world.standin.world().posts.is_empty());
}
