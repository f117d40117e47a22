//! What a rollback undid stays undone, and a rollback goes back.

use serde_json::json;

use super::{Lkroute, applied, run};
use crate::review::schema::assert_valid;
use crate::support::DEMO_KEYS;

const UAE: &str = "routing/uae.toml";
const WORKER: &str = "SELECT worker_name FROM voice_agent_livekit WHERE name = 'uae-vm-selfhosted'";

fn worker(lkroute: &Lkroute, from: &str, to: &str) {
    let line = |name: &str| format!("worker_name = \"{name}\"");
    lkroute.edit(UAE, &line(from), &line(to));
}

fn roll_back(lkroute: &Lkroute, more: &[&str]) {
    let words = ["rollback", "--auto-approve", "--reason", "calls fail"];
    lkroute.run(&[&words[..], more].concat()).expect_code(0);
}

/// A worker that fails, applied as 2 and undone by 3.
fn undone() -> Lkroute {
    let lkroute = applied(0, "");
    worker(&lkroute, "voag-staging", "voag-production");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    roll_back(&lkroute, &[]);
    assert_eq!(lkroute.sql(WORKER), "voag-staging");
    lkroute
}

const WHY: &str = "brings back what apply 2 set and apply 3 undid: calls fail";

#[test]
fn what_was_undone_is_held_back_and_the_rest_is_applied() {
    let lkroute = undone();
    let plan = run(&lkroute, "plan").expect_code(4);
    assert!(
        plan.stdout.replace("\n", " ").contains("1 held back"),
        "{}",
        plan.stdout
    );
    assert_contains!(plan.stdout, "Held back");
    let json = run(&lkroute, "plan --format json").expect_code(4);
    let report = assert_valid("plan", &json.stdout);
    assert_eq!(report["changes"], json!([]));
    assert_eq!(report["summary"]["held_back"], 1);
    let held = &report["held_back"][0];
    assert_eq!(held["address"], "config.uae-vm-selfhosted");
    assert_eq!(
        held["fields"][0],
        json!({
            "name": "worker_name", "live": "voag-staging", "declared": "voag-production",
            "set_by": 2, "undone_by": 3, "reason": "calls fail"
        })
    );
    for format in ["markdown", "github"] {
        let text = run(&lkroute, &format!("plan --format {format}"))
            .expect_code(4)
            .stdout;
        assert!(text.contains(WHY), "{format}: {text}");
    }
    let refused = run(&lkroute, "apply --auto-approve").expect_code(4);
    assert_contains!(refused.stderr, "undone");

    lkroute.edit(UAE, "on a VM in", "on one VM in");
    run(&lkroute, "plan --detailed-exitcode").expect_code(2);
    let done = run(&lkroute, "apply --auto-approve --format json").expect_code(0);
    let report = assert_valid("apply", &done.stdout);
    assert_eq!(
        report["changes"][0]["fields"].as_array().map(Vec::len),
        Some(1)
    );
    assert_eq!(report["held_back"][0]["fields"][0]["set_by"], 2);
    assert_eq!(lkroute.sql(WORKER), "voag-staging");
    run(&lkroute, "drift").expect_code(0);
    run(&lkroute, "apply --auto-approve").expect_code(4);
    run(&lkroute, "apply --auto-approve --revert-drift").expect_code(4);
    assert_eq!(lkroute.sql(WORKER), "voag-staging");
    // The files follow: nothing is left to hold back.
    worker(&lkroute, "voag-production", "voag-staging");
    run(&lkroute, "plan --detailed-exitcode").expect_code(0);
}

#[test]
fn an_exception_lets_it_pass_and_ends_the_memory() {
    let lkroute = undone();
    let plan = run(&lkroute, "plan").expect_code(4).stdout;
    let block: String = plan
        .lines()
        .skip_while(|line| !line.contains("[[guards.allow]]"))
        .take_while(|line| !line.trim().is_empty())
        .map(|line| line.trim().to_owned() + "\n")
        .collect();
    lkroute.write("routing/allow.toml", &block.replace("\"\"", "\"mended\""));
    run(&lkroute, "apply --auto-approve").expect_code(0);
    assert_eq!(lkroute.sql(WORKER), "voag-production");
    std::fs::remove_file(lkroute.path().join("routing/allow.toml")).expect("take it out");
    for (from, to) in [
        ("voag-production", "voag-staging"),
        ("voag-staging", "voag-production"),
    ] {
        worker(&lkroute, from, to);
        run(&lkroute, "apply --auto-approve").expect_code(0);
    }
    assert_eq!(lkroute.sql(WORKER), "voag-production");
}

#[test]
fn another_value_ends_the_memory() {
    let lkroute = undone();
    for (from, to) in [
        ("voag-production", "voag-dev-v2"),
        ("voag-dev-v2", "voag-production"),
    ] {
        worker(&lkroute, from, to);
        run(&lkroute, "apply --auto-approve").expect_code(0);
    }
    assert_eq!(lkroute.sql(WORKER), "voag-production");
}

const NEW: &str = "[regions.gulf]
country_codes = [\"+968\"]

[configs.gulf]
id = \"0f3c0d52-6f5e-4b5a-9d0c-5f0d8a3f7c11\"
region = \"gulf\"
url = \"wss://livekit.gulf.example\"
api_key = \"made-up\"
api_secret = { env = \"LKROUTE_SECRET_GULF\" }
trunk_id = \"ST_madeUp\"
worker_name = \"voag-staging\"

[[bindings]]
number = \"+971500000077\"
tenant = \"sasya\"
config = \"gulf\"
";

#[test]
fn objects_that_were_taken_away_stay_away_with_what_needs_them() {
    let mut lkroute = applied(0, "");
    lkroute
        .env("LKROUTE_SECRET_GULF", "made-up-secret-of-gulf")
        .env("LKROUTE_KEYS", DEMO_KEYS);
    lkroute.write("routing/gulf.toml", NEW);
    lkroute.edit(UAE, "tenant =", "config = \"gulf\"\ntenant =");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    roll_back(&lkroute, &[]);
    let configs = "SELECT count(*) || '' FROM voice_agent_livekit";
    assert_eq!(lkroute.sql(configs), "2");
    let plan = run(&lkroute, "plan --format json").expect_code(4).json();
    assert_eq!(plan["summary"]["held_back"], 4, "{}", plan["held_back"]);
    // A number that was never undone, on a config that stays away.
    lkroute.write(
        "routing/gulf.toml",
        &NEW.replace(
            "number = \"+971500000077\"",
            "numbers = [\"+971500000077\", \"+971500000078\"]",
        ),
    );
    lkroute.edit("routing/india.toml", "for India", "for all India");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let dangling = "SELECT count(*) || '' FROM voice_agent_numbers WHERE base_number = 500000078";
    assert_eq!(lkroute.sql(dangling), "0");
    assert_eq!(lkroute.sql(configs), "2");
}

#[test]
fn what_a_rollback_brought_back_is_not_deleted_again() {
    let lkroute = applied(6, "");
    let more = lkroute.read("routing/more.toml");
    lkroute.write("routing/more.toml", &more.replace("\"+971500000005\"", ""));
    let plan = run(&lkroute, "plan").expect_code(4).stdout;
    assert_contains!(plan, "route-lost");
    lkroute.write(
        "routing/allow.toml",
        &format!(
            "[[guards.allow]]\nguard = \"route-lost\"\naddresses = [\"binding.+971500000005@sasya\"]\n\
             reason = \"meant\"\nexpires = \"{}\"\n",
            jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date()
        ),
    );
    run(&lkroute, "apply --auto-approve").expect_code(0);
    roll_back(&lkroute, &[]);
    let plan = run(&lkroute, "plan --format json").expect_code(4).json();
    assert_eq!(
        plan["held_back"][0]["address"],
        "binding.+971500000005@sasya"
    );
    run(&lkroute, "apply --auto-approve").expect_code(4);
    let active = "SELECT status FROM voice_agent_numbers WHERE base_number = 500000005";
    assert_eq!(lkroute.sql(active), "active");
}

#[test]
fn a_bare_rollback_goes_back_and_never_forward() {
    let lkroute = applied(0, "");
    let mut last = "voag-staging";
    for next in ["voag-two", "voag-three", "voag-four"] {
        worker(&lkroute, last, next);
        run(&lkroute, "apply --auto-approve").expect_code(0);
        last = next;
    }
    for expected in ["voag-three", "voag-two", "voag-staging"] {
        roll_back(&lkroute, &[]);
        assert_eq!(lkroute.sql(WORKER), expected);
    }
    let nothing = run(&lkroute, "rollback --auto-approve").expect_code(0);
    assert_contains!(nothing.stdout, "Nothing to undo", "apply 1");
    assert_eq!(lkroute.sql(WORKER), "voag-staging");
    // Each of them is remembered, not the last alone.
    for bad in ["voag-three", "voag-two"] {
        worker(&lkroute, last, bad);
        last = bad;
        run(&lkroute, "apply --auto-approve").expect_code(4);
    }
    // Applied again after that, it is one step back once more.
    worker(&lkroute, last, "voag-five");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    roll_back(&lkroute, &[]);
    assert_eq!(lkroute.sql(WORKER), "voag-staging");
}

#[test]
fn forward_again_needs_a_reason() {
    let lkroute = undone();
    let refused = run(&lkroute, "rollback --to 2 --auto-approve").expect_code(4);
    let all = refused.stdout + &refused.stderr;
    assert_contains!(all, "--reason", "apply 3");
    assert_eq!(lkroute.sql(WORKER), "voag-staging");
    roll_back(&lkroute, &["--to", "2"]);
    assert_eq!(lkroute.sql(WORKER), "voag-production");
    run(&lkroute, "plan --detailed-exitcode").expect_code(0);
}

#[test]
fn a_refused_rollback_names_the_reason_and_not_the_files() {
    let lkroute = applied(10, "");
    worker(&lkroute, "voag-staging", "voag-production");
    let allow = format!(
        "[[guards.allow]]\nguard = \"tenant-rerouted\"\naddresses = [\"config.uae-vm-selfhosted\"]\n\
         reason = \"meant\"\nexpires = \"{}\"\n",
        jiff::Timestamp::now()
            .to_zoned(jiff::tz::TimeZone::UTC)
            .date()
    );
    lkroute.write("routing/allow.toml", &allow);
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let refused = run(&lkroute, "rollback --auto-approve").expect_code(4);
    let all = refused.stdout + &refused.stderr;
    assert_contains!(all, "--reason");
    assert_lacks!(all, "paste", "[[guards");
    roll_back(&lkroute, &[]);
}

#[test]
fn a_state_that_is_not_there_is_answered_with_those_that_are() {
    let lkroute = undone();
    let none = run(&lkroute, "rollback --to 9 --auto-approve").expect_code(1);
    for expected in ["no apply 9", "1  20", "asha@desk", "calls fail"] {
        assert_contains!(none.stderr, expected);
    }
    let empty = Lkroute::with_two_regions();
    run(&empty, "migrate").expect_code(0);
    let nothing = run(&empty, "rollback --auto-approve").expect_code(1);
    assert_contains!(nothing.stderr, "nothing has been applied");
}

#[test]
fn an_exception_lets_no_more_pass_than_it_says() {
    let lkroute = undone();
    let exception = |max: u32| {
        format!(
            "[[guards.allow]]\nguard = \"undone\"\naddresses = [\"config.uae-vm-selfhosted\"]\n\
             max = {max}\nreason = \"meant\"\nexpires = \"{}\"\n",
            jiff::Zoned::now().date().tomorrow().expect("a day")
        )
    };
    lkroute.write("routing/guards.toml", &exception(0));
    run(&lkroute, "plan").expect_code(4);
    lkroute.write("routing/guards.toml", &exception(1));
    run(&lkroute, "plan").expect_code(0);
}
