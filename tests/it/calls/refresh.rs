//! Looking again at calls of which more can be learned, and ending one.

use serde_json::Value;

use super::world::{World, said};
use crate::livekit::standin::{Answer, Fault};
use crate::review::schema::assert_valid;

fn refresh(world: &World, args: &[&str], code: i32) -> Value {
    let args = [&["dispatches", "--refresh"], args, &["--format", "json"]].concat();
    let run = world.run(&args).expect_code(code);
    assert_valid("dispatches", &run.stdout)
}

fn age(world: &World) {
    world.sql("UPDATE lkroute_dispatches SET at = '2026-01-01T00:00:00.000Z'");
}

#[test]
fn what_was_accepted_is_settled_by_what_is_there() {
    let world = World::new();
    world.json(&[], 0);
    let list = world.run(&["dispatches"]).expect_code(0);
    let hinted = list.told("accepted is not called: nobody looked (--refresh does)");
    // One that was placed a moment ago is looked at until its job had to be
    // listed.
    let looked = hinted.with(&world.lkroute, "dispatches --refresh --format json");
    let settled = looked.expect_code(0).json();
    assert_eq!(settled["dispatches"][0]["status"], "no_agent");
    assert_eq!(settled["dispatches"][0]["settled"], true);

    world.standin.world().workers.insert("voag-dev".to_owned());
    let call = world.json(&[], 0);
    let settled = refresh(&world, &[call["room"].as_str().unwrap()], 0);
    let [row] = &settled["dispatches"].as_array().unwrap()[..] else {
        panic!("{settled}")
    };
    assert_eq!(
        (&row["status"], &row["worker_seen"]),
        (&"picked_up".into(), &"voag-dev".into())
    );
    let open = world.run(&["dispatches", "--unsettled"]).expect_code(0);
    assert_starts!(open.stdout, "No calls");
}

#[test]
fn a_call_that_runs_is_told_from_one_that_is_over() {
    let world = World::new();
    world.standin.world().workers.insert("voag-dev".to_owned());
    let call = world.json(&["--sip"], 0);
    let room = call["room"].as_str().unwrap();
    let row = refresh(&world, &[room], 0)["dispatches"][0].clone();
    assert_eq!(
        (&row["running"], &row["status"]),
        (&true.into(), &"answered".into())
    );
    assert_eq!(row["sip_call_status"], "active");
    let list = world.run(&["dispatches"]).expect_code(0).stdout;
    assert_contains!(list, "running at ");
    // Over, it keeps what was seen of it.
    world.standin.forget();
    let row = refresh(&world, &[room], 0)["dispatches"][0].clone();
    assert_eq!(
        (&row["running"], &row["status"]),
        (&false.into(), &"answered".into())
    );
    let list = world.run(&["dispatches"]).expect_code(0).stdout;
    assert_contains!(list, "over at ");
    assert_lacks!(list, "running at ");
    // One that was only accepted, and runs.
    let call = world.json(&[], 0);
    let row = refresh(&world, &[call["room"].as_str().unwrap()], 0)["dispatches"][0].clone();
    assert_eq!(
        (&row["running"], &row["status"]),
        (&true.into(), &"picked_up".into())
    );
}

#[test]
fn what_is_gone_is_said_to_be_unknown_for_good() {
    let world = World::new();
    world.json(&[], 0);
    world.standin.forget();
    age(&world);
    let settled = refresh(&world, &[], 0);
    let row = &settled["dispatches"][0];
    assert_eq!(
        (&row["status"], &row["settled"]),
        (&"unknown".into(), &true.into())
    );
    assert_contains!(row["message"].as_str().unwrap(), "nobody saw it");
    assert_eq!(refresh(&world, &[], 0)["dispatches"][0], *row);
}

#[test]
fn a_server_that_cannot_be_looked_at_leaves_the_call_open() {
    let world = World::new();
    world.json(&[], 0);
    age(&world);
    let away = Answer::html(502);
    world.standin.fault("ListDispatch", 1, Fault::Answer(away));
    let run = world.run(&["dispatches", "--refresh"]).expect_code(8);
    assert_contains!(said(&run), "1 call could not be settled");
    assert_eq!(world.recorded(), ["accepted"]);
    let hinted = run.told("run it again where the servers and the keys are at hand");
    hinted
        .then(|| world.run(&["dispatches", "--refresh"]))
        .expect_code(0);
    assert_eq!(world.recorded(), ["no_agent"]);
}

#[test]
fn a_call_whose_command_was_killed_is_found_by_its_job() {
    let world = World::new();
    world.json(&[], 0);
    world.sql("UPDATE lkroute_dispatches SET status = 'in_queue', dispatch_id = NULL");
    age(&world);
    let settled = refresh(&world, &[], 0);
    let row = &settled["dispatches"][0];
    assert_eq!(row["status"], "no_agent");
    assert_eq!(
        row["dispatch_id"],
        world.standin.dispatches()[0].id.as_str()
    );
}

/// False word: "no calls are recorded that fit", of a time that the list itself shows.
#[test]
fn a_time_is_taken_as_it_is_shown() {
    for zone in ["Pacific/Kiritimati", "Pacific/Honolulu", "UTC"] {
        let mut world = World::new();
        world.lkroute.env("TZ", zone);
        world.json(&[], 0);
        let list = world.run(&["dispatches"]).expect_code(0).stdout;
        let shown = list.get(..19).expect("a time");
        let since = |at: &str| {
            let args = ["dispatches", "-j", "--since", at];
            let report = world.run(&args).expect_code(0).json();
            report["dispatches"].as_array().expect("a list").len()
        };
        assert_eq!(since(shown), 1, "{zone}: {list}");
        let later = shown.replacen("20", "21", 1);
        assert_eq!(since(&later), 0, "{zone}: {later}");
    }
}

#[test]
fn calls_are_listed_by_room_status_and_time() {
    let world = World::new();
    let first = world.json(&[], 0);
    world.json(&["--worker", "voag-dev-v2"], 0);
    let count = |args: &[&str]| {
        let args = [&["dispatches", "-j"], args].concat();
        let report = world.run(&args).expect_code(0).json();
        report["dispatches"].as_array().unwrap().len()
    };
    assert_eq!(count(&["--room", first["room"].as_str().unwrap()]), 1);
    assert_eq!(count(&["--status", "accepted"]), 2);
    assert_eq!(count(&["--status", "failed", "--status", "unknown"]), 0);
    assert_eq!(count(&["--since", "1h"]), 2);
    assert_eq!(count(&["--since", "2099-01-01"]), 0);
    let list = world.run(&["dispatches"]).expect_code(0).stdout;
    assert_contains!(list, "asked for voag-dev-v2");
    assert_contains!(list, "ST_MmVqEuBMDNf6  AD_standin");
    let run = world
        .run(&["dispatches", "--status", "done"])
        .expect_code(1);
    assert_contains!(said(&run), "one of in_queue");
}
