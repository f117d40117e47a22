//! What is stored of the guards, and what becomes of it.

use serde_json::json;

use super::{applied, refusals, run};
use crate::review::schema::assert_valid;

const STORED: &str = "SELECT guards FROM lkroute_applies WHERE guards <> 'null'
                      ORDER BY id DESC LIMIT 1";

#[test]
fn guards_that_change_alone_are_a_change_of_their_own_kind() {
    let lkroute = applied(0, "");
    run(&lkroute, "plan --detailed-exitcode").expect_code(0);
    lkroute.write(
        "routing/guards.toml",
        "[guards]\nprotected = [\"config.uae-*\"]\n\n[guards.reroutes]\nmax = 1\n",
    );
    let plan = run(&lkroute, "plan --detailed-exitcode").expect_code(2);
    assert_starts!(plan.stdout, "Plan: 2 guards to change");
    assert_contains!(plan.stdout, "+ reroutes.max = 1");
    let json = run(&lkroute, "plan --format json").expect_code(0);
    let report = assert_valid("plan", &json.stdout);
    assert_eq!(report["summary"]["guards"], 2);
    let change = &report["changes"][0];
    assert_eq!(
        (&change["kind"], &change["address"], &change["action"]),
        (&json!("guards"), &json!("guards"), &json!("update"))
    );
    assert_eq!(
        change["fields"][1],
        json!({ "name": "reroutes.max", "before": null, "after": 1 })
    );
    let markdown = run(&lkroute, "plan --format markdown")
        .expect_code(0)
        .stdout;
    assert_contains!(markdown, "2 guards to change");
    assert_contains!(markdown, "reroutes.max");
    let github = run(&lkroute, "plan --format github").expect_code(0).stdout;
    assert_contains!(github, "title=guards");

    let done = run(&lkroute, "apply --auto-approve").expect_code(0);
    assert_contains!(done.stdout, "Applied as 2: 2 guards changed");
    assert_contains!(lkroute.sql(STORED), "config.uae-*");
    run(&lkroute, "plan --detailed-exitcode").expect_code(0);
    let history = run(&lkroute, "history").expect_code(0).stdout;
    assert_contains!(history, "2 guards changed");
}

#[test]
fn a_plan_of_guards_alone_has_a_digest_of_its_own() {
    let lkroute = applied(0, "");
    let digest = || {
        let plan = run(&lkroute, "plan --format json").json();
        plan["digest"].as_str().expect("a digest").to_owned()
    };
    let nothing = digest();
    lkroute.write("routing/guards.toml", "[guards.reroutes]\nmax = 1\n");
    let one = digest();
    lkroute.write("routing/guards.toml", "[guards.reroutes]\nmax = 2\n");
    let two = digest();
    assert!(nothing != one && one != two);
    run(&lkroute, &format!("apply --expect {one}")).expect_code(5);
    run(&lkroute, &format!("apply --expect {two}")).expect_code(0);
}

#[test]
fn a_narrowed_apply_leaves_the_stored_guards_alone() {
    let lkroute = applied(0, "[guards.reroutes]\nmax = 1\n");
    let before = lkroute.sql(STORED);
    lkroute.write("routing/guards.toml", "[guards.reroutes]\nmax = 9\n");
    lkroute.edit("routing/uae.toml", "a VM in", "one VM in");
    let only = "apply --auto-approve --target config.uae-vm-selfhosted";
    let narrowed = run(&lkroute, only).expect_code(0).stdout;
    assert_contains!(narrowed, "outstanding");
    assert_eq!(lkroute.sql(STORED), before);
    run(&lkroute, "plan --detailed-exitcode").expect_code(2);
}

#[test]
fn neither_a_release_nor_a_rollback_loosens_what_is_stored() {
    let lkroute = applied(0, "[guards.reroutes]\nmax = 1\n");
    let before = lkroute.sql(STORED);
    lkroute.edit("routing/uae.toml", "a VM in", "one VM in");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    run(&lkroute, "rollback --to 1 --auto-approve --reason why").expect_code(0);
    assert_eq!(lkroute.sql(STORED), before);
    let india = lkroute.read("routing/india.toml");
    let (kept, _) = india.split_once("[[bindings]]").expect("a binding");
    lkroute.write("routing/india.toml", kept);
    run(
        &lkroute,
        "release binding.+919513456728@techiemaya-test --auto-approve",
    )
    .expect_code(0);
    assert_eq!(lkroute.sql(STORED), before);
}

#[test]
fn stored_guards_that_cant_be_read_are_an_error_until_they_are_reset() {
    let lkroute = applied(10, "[guards.reroutes]\nmax = 1\n");
    for broken in ["{\"reroutes\":7}", "{\"unheard\":{}}", "nothing", ""] {
        lkroute.sql(&format!("UPDATE lkroute_applies SET guards = '{broken}'"));
        for command in [
            "plan",
            "apply --auto-approve",
            "rollback --to 1 --auto-approve --reason why",
        ] {
            let run = run(&lkroute, command).expect_code(1);
            assert!(
                run.stderr.contains("guards") && run.stderr.contains("--reset-guards"),
                "{broken:?} {command}: {}",
                run.stderr
            );
        }
    }
    run(&lkroute, "history").expect_code(0);
    run(&lkroute, "resolve --from +971545335200").expect_code(0);
    run(&lkroute, "migrate --reset-guards").expect_code(1);
    let words = ["migrate", "--reset-guards", "--reason", "written by hand"];
    lkroute.run(&words).expect_code(0);
    let history = run(&lkroute, "history --format json").expect_code(0);
    let history = assert_valid("history", &history.stdout);
    let last = &history["applies"][0];
    assert_eq!(
        (&last["id"], &last["kind"], &last["reason"]),
        (&json!(2), &json!("reset-guards"), &json!("written by hand"))
    );
    let text = run(&lkroute, "history").expect_code(0).stdout;
    assert_contains!(text, "written by hand");
    // Those of the files hold at once, and are stored by the next apply.
    lkroute.edit("routing/uae.toml", "voag-staging", "voag-production");
    assert_eq!(refusals(&lkroute), ["tenant-rerouted", "budget-reroutes"]);
    lkroute.edit("routing/uae.toml", "voag-production", "voag-staging");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    assert_contains!(lkroute.sql(STORED), "\"max\":1");
    // What can be read is changed in the files, by a review.
    let refused = lkroute.run(&words).expect_code(1);
    assert_contains!(refused.stderr, "can be read");
}
