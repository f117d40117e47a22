//! `--sip`: the person is dialled once, only beside an agent, and what became
//! of it is said in full.

use livekit_protocol as proto;
use serde_json::json;

use super::world::{FROM, TO, World, said};
use crate::livekit::standin::{Answer, Fault};

fn world() -> World {
    let world = World::new();
    world.standin.world().workers.insert("voag-dev".to_owned());
    world
}

#[test]
fn a_person_is_dialled_once_and_the_answer_is_said() {
    let world = world();
    let named = [
        "--sip-header",
        "X-Campaign=diwali",
        "--display-name",
        "Asha",
    ];
    let report = world.json(&[&["--sip"][..], &named].concat(), 0);
    assert_eq!(report["outcome"], "answered");
    assert_starts!(report["sip_call_id"].as_str().unwrap(), "SCL");
    let [post] = &world.standin.posts("CreateSIPParticipant")[..] else {
        panic!()
    };
    let asked: proto::CreateSipParticipantRequest = post.decode();
    assert_eq!(
        (asked.sip_call_to.as_str(), asked.sip_number.as_str()),
        (TO, FROM)
    );
    assert_eq!(asked.headers["X-Campaign"], "diwali");
    assert_eq!(asked.display_name.as_deref(), Some("Asha"));
    assert!(asked.wait_until_answered);
    let [began, ended] = ["dialled_at", "dial_ended_at"].map(|at| report[at].as_str().unwrap());
    assert!(began <= ended && began.ends_with('Z'), "{report}");
    let list = world.run(&["dispatches", "-j"]).expect_code(0).json();
    assert_eq!(list["dispatches"][0]["dialled_at"], began);
    let text = world.dispatch(&["--sip"]).expect_code(0).stdout;
    assert_contains!(text, "Answered after ");
}

#[test]
fn who_was_dialled_and_did_not_answer_is_not_called_nobody() {
    let world = world();
    let busy = Answer::sip(503, "486", "Busy Here");
    let over = "twirp error unknown: sip request timed out";
    let over = Answer::twirp(408, "canceled", over);
    for (answer, words, status) in [
        (busy, "the line is busy", json!(486)),
        (over, "no answer within the ring time", json!(null)),
    ] {
        let sip = "CreateSIPParticipant";
        let before = world.standin.posts(sip).len();
        world.standin.fault(sip, 1, Fault::Answer(answer));
        let report = world.json(&["--sip"], 1);
        assert_eq!(
            (&report["outcome"], &report["sip_status"]),
            (&json!("not_dialled"), &status)
        );
        let message = report["error"]["message"].as_str().unwrap();
        assert_contains!(message, "was dialled and did not answer");
        assert_contains!(message, words);
        assert_eq!(world.standin.posts(sip).len(), before + 1);
    }
    world.standin.fault("CreateSIPParticipant", 1, Fault::Reset);
    let report = world.json(&["--sip"], 8);
    assert_eq!(report["outcome"], "unknown");
}

#[test]
fn without_an_agent_nobody_is_dialled() {
    let world = World::new();
    let report = world.json(&["--sip", "--wait-for-agent", "7s"], 10);
    assert_eq!(report["dialled_at"], json!(null));
    world.json(&["--sip", "--wait-for-agent", "100ms"], 8);
    assert!(world.standin.posts("CreateSIPParticipant").is_empty());
}

#[test]
fn a_ring_time_that_the_server_does_not_allow_is_told_before() {
    let world = world();
    let run = world.dispatch(&["--sip", "--ring", "2m"]).expect_code(1);
    assert_contains!(said(&run), "80 s at most");
    assert!(world.standin.world().posts.is_empty());
}
