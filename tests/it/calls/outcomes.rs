//! What is said of a call is what was seen: "no agent" only where that was
//! seen, and a hint to call again never without its danger.

use std::thread;
use std::time::{Duration, Instant};

use super::world::{World, said};
use crate::livekit::standin::{Answer, Fault};

const WAIT: [&str; 2] = ["--wait-for-agent", "7s"];
const TWICE: &str = "calling again may call a person twice";

/// Does something to the server once it has the dispatch.
fn after_the_create(world: &World, act: impl FnOnce(&World) + Send) {
    thread::scope(|scope| {
        scope.spawn(|| {
            let until = Instant::now() + Duration::from_secs(30);
            while world.creates() == 0 && Instant::now() < until {
                thread::sleep(Duration::from_millis(2));
            }
            // The answer to the create is on its way.
            thread::sleep(Duration::from_millis(100));
            act(world);
        });
        let run = world.dispatch(&WAIT).expect_code(8);
        let again = run.told("`lkroute dispatches --refresh {room}` looks again; {TWICE}");
        let again = again.run(&world.lkroute, &[]);
        assert!([0, 8].contains(&again.code), "{}", again.stderr);
        world.sql("UPDATE lkroute_dispatches SET status = 'unknown'");
        let said = said(&run);
        assert_lacks!(said, "no agent took it");
        assert_contains!(said, TWICE, "dispatches --refresh call-");
        assert_eq!(world.recorded(), ["unknown"]);
        assert_eq!(world.creates(), 1);
    });
}

#[test]
fn a_room_that_went_before_anyone_could_look_is_no_proof_of_no_agent() {
    let world = World::new();
    after_the_create(&world, |world| world.standin.forget());
}

#[test]
fn a_server_that_could_not_be_looked_at_is_no_proof_of_no_agent() {
    let world = World::new();
    after_the_create(&world, |world| {
        let away = Fault::Answer(Answer::html(502));
        world.standin.fault("ListDispatch", 2, away);
    });
}

#[test]
fn a_short_wait_is_no_proof_of_no_agent() {
    let world = World::new();
    let run = world
        .dispatch(&["--wait-for-agent", "500ms"])
        .expect_code(8);
    let said = said(&run);
    assert_contains!(said, "too short to say that none came", TWICE);
    assert_contains!(said, "warning: --wait-for-agent is shorter");
    run.says("--wait-for-agent is shorter than the {} s that LiveKit may take to list a job: no agent seen proves nothing, and is exit 8");
}

#[test]
fn a_dispatch_that_was_listed_without_a_job_all_the_time_has_no_agent() {
    let world = World::new();
    let run = world.dispatch(&WAIT).expect_code(10);
    assert_contains!(said(&run), "no worker called");
    assert_contains!(said(&run), TWICE);
    assert_contains!(run.stdout, "no agent took it");

    let hinted = run.told(
        "start the worker under that name, or correct worker_name; a worker that starts later does not take this call (room {room}); should one have been there unseen, {TWICE}",
    );
    hinted.then(|| world.standin.world().workers.insert("voag-dev".to_owned()));
    let report = world.json(&WAIT, 0);
    assert_eq!(report["outcome"], "picked_up");
    assert_eq!(report["worker_seen"], "voag-dev");
    assert_eq!(report["in_room"], "agent-standin");
    assert_eq!(report["agent"]["worker_id"], "AW_standin");
    let text = world.dispatch(&WAIT).expect_code(0).stdout;
    assert_contains!(text, "took the job, and is in the room");
    let list = world.run(&["dispatches"]).expect_code(0).stdout;
    assert_contains!(list, "asked for voag-dev, taken by voag-dev");
    assert_contains!(list, "taken by nobody");

    world.sql(
        "UPDATE lkroute_dispatches SET worker_seen = 'voag-dev-v2' WHERE status = 'picked_up'",
    );
    let list = world.run(&["dispatches"]).expect_code(0).stdout;
    assert_contains!(list, "MISMATCH: taken by voag-dev-v2");
}

#[test]
fn an_agent_that_took_the_job_and_never_came_is_told() {
    let world = World::new();
    world.standin.world().workers.insert("voag-dev".to_owned());
    world.standin.world().agents_join = false;
    let run = world.dispatch(&WAIT).expect_code(0);
    assert_contains!(run.stdout, "not seen in the room");
    assert_contains!(said(&run), "the agent failed");

    let run = world
        .dispatch(&[&WAIT[..], &["--sip"]].concat())
        .expect_code(1);
    assert_contains!(said(&run), "so nobody was dialled");
    assert!(world.standin.posts("CreateSIPParticipant").is_empty());
    assert_eq!(world.recorded()[0], "not_dialled");
    let hinted = run.told("look into the worker's log: it raised, died, or does not join the room");
    hinted.then(|| world.standin.world().agents_join = true);
    world
        .dispatch(&[&WAIT[..], &["--sip"]].concat())
        .expect_code(0);
}

#[test]
fn a_trunk_that_is_not_there_is_no_call_and_one_that_cannot_be_seen_is_a_warning() {
    let world = World::new();
    world.standin.world().trunks.clear();
    let run = world.dispatch(&[]).expect_code(1);
    assert_contains!(said(&run), "no such SIP trunk");
    assert_eq!(world.creates(), 0);
    world.standin.world().redis = false;
    let run = world.dispatch(&[]).expect_code(0);
    assert_contains!(said(&run), "without redis");
}

#[test]
fn a_trunk_that_does_not_list_the_number_is_refused() {
    let world = World::new();
    world.standin.world().trunks[0].numbers = vec!["+14155550100".to_owned()];
    let report = world.json(&[], 9);
    assert_eq!(report["error"]["code"], "trunk-lacks-number");
    assert!(world.standin.world().rooms.is_empty() && world.creates() == 0);
    let listed = ["+14155550100".to_owned(), "91 95134 56728".to_owned()];
    world.standin.world().trunks[0].numbers = listed.to_vec();
    world.json(&[], 0);
}

/// By who places it, for one call: exceptions of the files are never stored.
#[test]
fn a_call_may_be_let_through_a_trunk_that_lacks_its_number_and_that_is_recorded() {
    let world = World::new();
    world.standin.world().trunks[0].numbers = vec!["+14155550100".to_owned()];
    let allow = ["--allow", "trunk-lacks-number"];
    let refused = world.dispatch(&[]).expect_code(9);
    let hinted = refused.told(
        "add the number to the trunk's numbers, or bind it to the config that has it; for this one call, `--allow trunk-lacks-number`",
    );
    let run = hinted.then(|| world.dispatch(&allow)).expect_code(0);
    run.says(
        "trunk {trunk} does not list {}; the call was let through by --allow {TRUNK_LACKS_NUMBER}",
    );
    assert_eq!(world.json(&allow, 0)["allowed"], "trunk-lacks-number");
    // It lets nothing else through, and holds for no other call.
    world.dispatch(&[]).expect_code(9);
    world.standin.world().trunks.clear();
    world.dispatch(&allow).expect_code(1);
    let list = world.run(&["dispatches", "-j"]).expect_code(0).json();
    let allowed = list["dispatches"].as_array().unwrap().iter();
    let allowed = allowed.filter(|call| !call["allowed"].is_null());
    assert_eq!(allowed.count(), 2);
}

#[test]
fn variables_that_lk_goes_by_and_this_call_did_not_are_noted() {
    let world = World::new()
        .with("LIVEKIT_URL", "wss://another.example")
        .with("LIVEKIT_API_KEY", "another-key");
    let run = world.dispatch(&[]).expect_code(0);
    assert_contains!(
        said(&run),
        "LIVEKIT_URL, LIVEKIT_API_KEY are set and not used"
    );
    let run = World::new().dispatch(&[]).expect_code(0);
    assert_lacks!(run.stderr, "set and not used");
}

#[test]
fn an_interruption_of_the_wait_is_no_proof_of_no_agent() {
    let world = World::new();
    let call = [
        "dispatch",
        "--from",
        super::world::FROM,
        "--to",
        super::world::TO,
    ];
    let mut command = world.lkroute.command(&[&call[..], &WAIT].concat());
    command
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let child = command.spawn().expect("start lkroute");
    let until = Instant::now() + Duration::from_secs(30);
    while world.standin.posts("ListDispatch").is_empty() {
        assert!(Instant::now() < until, "no look in time");
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(world.recorded(), ["accepted"], "known should it be killed");
    super::dispatch::signal(&child, "INT");
    let run = crate::support::Run::of(child).expect_code(8);
    assert_contains!(said(&run), "was not seen");
}
