//! `deployment` of a config: staging workers that share a name with those of
//! production must never be mistaken for them.

use livekit_protocol::CreateAgentDispatchRequest;
use serde_json::Value;

use super::world::{FILE, FROM, WORKER, World, said};
use crate::review::schema::assert_valid;

/// The files applied, with `more` below the worker of the config.
fn applied(more: &str) -> World {
    let world = World::of_files(more);
    world.apply();
    world
}

fn staging() -> World {
    applied("deployment = \"staging\"\n")
}

fn set(world: &World, from: &str, to: &str) {
    world.lkroute.edit(FILE, from, to);
}

fn plan(world: &World) -> Value {
    let run = world.run(&["plan", "--format", "json"]).expect_code(0);
    assert_valid("plan", &run.stdout)
}

/// The deployments that calls were sent to.
fn sent(world: &World) -> Vec<String> {
    let posts = world.standin.posts("CreateDispatch");
    let posts = posts.iter();
    posts
        .map(|post| post.decode::<CreateAgentDispatchRequest>().deployment)
        .collect()
}

#[test]
fn a_call_goes_to_the_deployment_of_its_config_and_to_no_other() {
    let world = staging();
    // Production has a worker of the same name: it must not get the call.
    world.standin.world().workers.insert("voag-dev".to_owned());
    let wait = ["--wait-for-agent", "7s"];
    let run = world.dispatch(&wait).expect_code(10);
    assert_contains!(said(&run), "`voag-dev` in deployment `staging` is running");
    world
        .standin
        .world()
        .workers
        .insert("voag-dev/staging".to_owned());
    let report = world.json(&wait, 0);
    assert_eq!(report["outcome"], "picked_up");
    assert_eq!(report["deployment"], "staging");
    assert_eq!(report["metadata"]["deployment"], "staging");
    assert_eq!(report["resolution"]["deployment"], "staging");
    assert_eq!(sent(&world), ["staging", "staging"]);
    let list = world.run(&["dispatches"]).expect_code(0).stdout;
    assert_contains!(list, "asked for voag-dev (staging)");
    for args in [
        &[
            "dispatch",
            "--from",
            FROM,
            "--to",
            super::world::TO,
            "--dry-run",
        ][..],
        &["resolve", "--from", FROM],
    ] {
        let text = world.run(args).expect_code(0).stdout;
        assert_contains!(text, "deployed", "staging");
    }
    world
        .dispatch(&["--metadata", "deployment=x"])
        .expect_code(1);
}

#[test]
fn an_applied_config_without_one_asks_for_production() {
    let world = applied("");
    let report = world.json(&[], 0);
    assert_eq!(report["deployment"], Value::Null);
    assert_eq!(sent(&world), [""]);
}

#[test]
fn doctor_tries_the_workers_of_the_deployment() {
    let world = staging();
    world.standin.world().workers.insert("voag-dev".to_owned());
    let doctor = ["doctor", "--probe-worker"];
    let run = world.run(&doctor).expect_code(1);
    assert_contains!(run.stdout, "`voag-dev` in deployment `staging`");
    let hinted = run.told("start the worker under that name, or correct worker_name or deployment");
    let name = "voag-dev/staging".to_owned();
    hinted.then(|| world.standin.world().workers.insert(name));
    let run = world.run(&doctor).expect_code(0);
    assert_contains!(
        run.stdout,
        "worker voag-dev in deployment `staging` took a job"
    );
}

#[test]
fn a_plan_says_that_calls_go_to_other_workers() {
    let world = applied("");
    assert_eq!(plan(&world)["summary"]["update"], 0);
    set(
        &world,
        WORKER,
        &format!("{WORKER}deployment = \"staging\"\n"),
    );
    let report = plan(&world);
    assert_eq!(report["routing"]["rerouted"], 1, "{report}");
    let group = &report["routing"]["groups"][0];
    assert_eq!(group["changed"], serde_json::json!(["deployment"]));
    assert_eq!(group["before"]["deployment"], Value::Null);
    assert_eq!(group["after"]["deployment"], "staging");
    let text = world.run(&["plan"]).expect_code(0).stdout;
    assert_contains!(text, "deployment: `production` → `staging`");
    assert_lacks!(text, "No number is rerouted");

    // What protects the config protects this of it.
    let guards = "\n[guards]\nprotected = [\"config.india-techiemaya-cloud\"]\n";
    let text = world.lkroute.read(FILE);
    world.lkroute.write(FILE, &(text.clone() + guards));
    let run = world.run(&["apply", "--auto-approve"]).expect_code(4);
    assert_contains!(said(&run), "protected");
    world.lkroute.write(FILE, &text);
    world.run(&["apply", "--auto-approve"]).expect_code(0);
    world.json(&[], 0);
    assert_eq!(sent(&world), ["staging"]);

    // Back, and with that the call.
    world.run(&["rollback", "--auto-approve"]).expect_code(0);
    world.json(&[], 0);
    assert_eq!(sent(&world), ["staging", ""]);
}

#[test]
fn a_rename_and_an_import_keep_it() {
    let world = staging();
    set(
        &world,
        "[configs.india-techiemaya-cloud]",
        "[configs.india-two]",
    );
    set(
        &world,
        "config = \"india-techiemaya-cloud\"",
        "config = \"india-two\"",
    );
    let report = plan(&world);
    assert_eq!(report["routing"]["affected"], 0, "{report}");
    world.run(&["apply", "--auto-approve"]).expect_code(0);
    world.json(&[], 0);
    assert_eq!(sent(&world), ["staging"]);

    world.run(&["import", "--out", "imported"]).expect_code(0);
    let files = walkdir::WalkDir::new(world.lkroute.path().join("imported"));
    let text: String = files
        .into_iter()
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path()).ok())
        .collect();
    assert_contains!(text, "deployment = \"staging\"");
}

/// Only lkroute's tables hold it: what becomes of it there is said.
#[test]
fn a_row_that_is_given_back_loses_it_and_that_is_said() {
    let world = staging();
    world.lkroute.write(FILE, "");
    let release = ["release", "config.india-techiemaya-cloud", "--auto-approve"];
    let run = world.run(&release).expect_code(0);
    let said = format!("{} {}", run.stdout, run.stderr);
    let said = crate::support::words_of(&said);
    assert_contains!(said, "its calls go to production");
    world.json(&[], 0);
    assert_eq!(sent(&world), [""]);
}

/// Another program that writes the row changes nothing of it, and that is no
/// drift.
#[test]
fn a_row_that_others_write_keeps_it() {
    let world = staging();
    world.sql("UPDATE voice_agent_livekit SET description = 'touched'");
    let drift = world
        .run(&["drift", "--format", "json"])
        .expect_code(7)
        .json();
    let text = drift.to_string();
    assert_lacks!(text, "deployment");
    world.json(&[], 0);
    assert_eq!(sent(&world), ["staging"]);
}

#[test]
fn an_environment_overrides_it() {
    let world = applied("");
    let text = world.lkroute.read(FILE);
    let more = "\n[environments.staging]\ndatabase = \"LKROUTE_STAGING\"\n\n[configs.india-techiemaya-cloud.env.staging]\n\
                deployment = \"staging\"\n";
    world.lkroute.write(FILE, &(text + more));
    let resolve = |env| {
        let run = world.run(&[
            "resolve",
            "--from",
            FROM,
            "--offline",
            "--env",
            env,
            "--format",
            "json",
        ]);
        run.expect_code(0).json()["deployment"].clone()
    };
    assert_eq!(resolve("staging"), "staging");
    // Blank text is no deployment, but a slip, as is what the server refuses.
    let files = world.lkroute.read(FILE);
    let validate = |name: &str, code: i32| {
        let named = format!("deployment = \"{name}\"");
        let text = files.replace("deployment = \"staging\"", &named);
        world.lkroute.write(FILE, &text);
        let run = world.run(&["validate", "--env", "staging"]);
        let run = run.expect_code(code);
        run.stdout + &run.stderr
    };
    for odd in [" ", "blue_green", "two words", &"x".repeat(65)] {
        validate(odd, 3);
    }
    let said = validate("production", 0);
    assert_contains!(said, "deployment-production");
}
