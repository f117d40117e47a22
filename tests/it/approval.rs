//! What was approved is what is applied: saved plans, digests, stale plans.

use serde_json::Value;

use crate::support::Lkroute;

/// The two regions, applied; then one worker changed.
fn changed() -> Lkroute {
    let lkroute = Lkroute::with_two_regions();
    lkroute.run(&["apply", "--auto-approve"]).expect_code(0);
    lkroute.edit("routing/uae.toml", "voag-staging", "voag-production");
    lkroute
}

#[test]
fn a_saved_plan_is_shown_and_applied() {
    let lkroute = changed();
    let planned = lkroute.run(&["plan", "--out", "a.lkplan"]).expect_code(0);
    assert_contains!(planned.stderr, "saved as a.lkplan\n(sha256:");
    let shown = lkroute.run(&["show", "a.lkplan"]).expect_code(0);
    assert_contains!(shown.stdout, "voag-production");
    let shown = lkroute
        .run(&["show", "a.lkplan", "--format", "json"])
        .expect_code(0)
        .json();
    assert_eq!(shown["summary"]["update"], 1);
    let saved = lkroute.read("a.lkplan");
    assert!(
        !saved.contains("lkr1:"),
        "a sealed value is in the saved plan"
    );
    lkroute.run(&["apply", "a.lkplan"]).expect_code(0);
    lkroute.run(&["plan", "--detailed-exitcode"]).expect_code(0);
    lkroute.run(&["apply", "a.lkplan"]).expect_code(5);
}

#[test]
fn a_saved_plan_says_all_that_was_said_of_it() {
    let lkroute = changed();
    let india = lkroute.read("routing/india.toml");
    let (config, _) = india.split_once("[[bindings]]").expect("bindings");
    lkroute.write("routing/india.toml", config);
    lkroute.run(&["plan", "--out", "a.lkplan"]).expect_code(4);
    for format in ["markdown", "github", "json"] {
        let run = |args: &[&str]| {
            let args = [args, &["--format", format]].concat();
            lkroute.run(&args).expect_code(4).stdout
        };
        let shown = run(&["show", "a.lkplan"]);
        let planned = run(&["plan"]);
        assert_contains!(shown, "route-lost", "plain-http");
        match format {
            "json" => {
                let read = |text: &str| serde_json::from_str(text).expect("JSON");
                let (mut shown, planned): (Value, Value) = (read(&shown), read(&planned));
                let left_out = shown["not_covered"].as_array().expect("a list");
                assert!(left_out.contains(&"what guards refused".into()));
                shown["not_covered"] = Value::Array(Vec::new());
                assert_eq!(shown, planned);
            }
            "markdown" => {
                let (shown, left_out) = shown.rsplit_once(" · The digest covers").expect("it");
                assert_contains!(left_out, "what guards refused");
                assert_eq!(shown, planned.trim_end());
            }
            _ => assert_eq!(shown, planned, "{format}"),
        }
    }
}

#[test]
fn a_plan_that_moved_is_stale_and_the_difference_is_shown() {
    let lkroute = changed();
    lkroute.run(&["plan", "--out", "a.lkplan"]).expect_code(0);
    lkroute.edit("routing/uae.toml", "voag-production", "voag-dev-v2");
    let stale = lkroute.run(&["apply", "a.lkplan"]).expect_code(5);
    assert_contains!(stale.stderr, "voag-production", "voag-dev-v2");
    let plan = lkroute
        .run(&["plan", "--format", "json"])
        .expect_code(0)
        .json();
    let worker = &plan["changes"][0]["fields"][0];
    assert_eq!(
        (&worker["before"], &worker["after"]),
        (&"voag-staging".into(), &"voag-dev-v2".into())
    );
}

#[test]
fn an_outside_change_of_a_planned_row_is_stale_and_one_elsewhere_is_not() {
    let lkroute = changed();
    lkroute.run(&["plan", "--out", "a.lkplan"]).expect_code(0);
    lkroute.sql("UPDATE voice_agent_numbers SET default_agent_id = 7");
    lkroute.sql(
        "UPDATE voice_agent_livekit SET worker_name = 'theirs' WHERE name = 'uae-vm-selfhosted'",
    );
    lkroute.run(&["apply", "a.lkplan"]).expect_code(6);
    lkroute.sql("UPDATE voice_agent_livekit SET worker_name = 'voag-staging' WHERE name = 'uae-vm-selfhosted'");
    lkroute.run(&["apply", "a.lkplan"]).expect_code(0);
}

#[test]
fn a_digest_is_enough_and_sees_drift() {
    let lkroute = changed();
    let digest = |lkroute: &Lkroute| {
        let plan = lkroute
            .run(&["plan", "--format", "json"])
            .expect_code(0)
            .json();
        plan["digest"].as_str().expect("a digest").to_owned()
    };
    let approved = digest(&lkroute);
    lkroute
        .run(&["apply", "--expect", "sha256:00"])
        .expect_code(5);
    lkroute.sql("UPDATE voice_agent_livekit SET trunk_id = 'ST_theirs'");
    let stale = lkroute
        .run(&["apply", "--expect", &approved])
        .expect_code(5);
    assert_contains!(stale.stderr, approved);
    let with_drift = digest(&lkroute);
    lkroute
        .run(&["apply", "--expect", &with_drift])
        .expect_code(0);
    lkroute.run(&["plan", "--detailed-exitcode"]).expect_code(0);
}

#[test]
fn a_file_that_is_no_plan_is_told() {
    let lkroute = changed();
    lkroute.write("a.lkplan", "{}");
    let told = lkroute.run(&["apply", "a.lkplan"]).expect_code(1);
    assert_contains!(told.stderr, "a.lkplan");
    lkroute.run(&["show", "gone.lkplan"]).expect_code(1);
}

#[test]
fn a_row_that_others_made_inactive_is_taken_over_by_a_line_that_adopt_writes() {
    let lkroute = Lkroute::with_two_regions();
    lkroute.run(&["apply", "--auto-approve"]).expect_code(0);
    lkroute.sql("UPDATE voice_agent_numbers SET status = 'inactive' WHERE base_number = 545335200");
    let refused = lkroute.run(&["plan", "--quiet"]).expect_code(6);
    for part in [
        "! binding.+971545335200@sasya",
        "status",
        "in the database  \"inactive\"",
        "to keep what is there: take the number out of the files",
    ] {
        assert_contains!(refused.stdout, part);
    }
    lkroute.run(&["adopt", "--all"]).expect_code(0);
    lkroute.run(&["apply", "--auto-approve"]).expect_code(0);
    lkroute.run(&["plan", "--detailed-exitcode"]).expect_code(0);
}

#[test]
fn a_secret_source_that_is_missing_says_what_to_set() {
    let lkroute = Lkroute::with_two_regions();
    lkroute.run(&["apply", "--auto-approve"]).expect_code(0);
    lkroute.sql(
        "UPDATE voice_agent_livekit SET livekit_api_secret = 'dev-s-t-made-up'
         WHERE name = 'uae-vm-selfhosted'",
    );
    let routing = lkroute.read("routing/uae.toml");
    let sealed = routing
        .lines()
        .find(|line| line.starts_with("api_secret"))
        .expect("a secret");
    lkroute.edit(
        "routing/uae.toml",
        sealed,
        "api_secret = { env = \"LKROUTE_SECRET_MADE_UP\" }\nadopt = [\"api_secret\"]",
    );
    lkroute.edit(
        "routing/tenants.toml",
        "[tenants]",
        "[secrets]\nformat = \"aes-256-gcm\"\n[tenants]",
    );
    let refused = lkroute.run(&["apply", "--auto-approve"]);
    assert_contains!(refused.stderr, "LKROUTE_SECRET_MADE_UP is not set");
    assert_contains!(
        refused.stderr,
        "set LKROUTE_SECRET_MADE_UP for this command"
    );
}
