//! Which plan was approved: the script of the action that finds it, and those that
//! hold an apply to it.

use std::time::Duration;

use serde_json::{Value, json};

use super::github::{Fault, GitHub, REPOSITORY, TOKEN};
use super::scripts::{HEAD, Step, with_lkroute};
use crate::support::Lkroute;

const MERGED: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
/// The first digits of the SHA-256 of `main`.
const MAIN: &str = "0d6e4079e367";

fn pull(number: u64, merged_as: Option<&str>, head: &str) -> Value {
    let at = merged_as.map(|_| "2026-11-21T12:00:00Z");
    json!({
        "number": number, "merged_at": at, "merge_commit_sha": merged_as,
        "head": { "sha": head }, "base": { "ref": "main" },
    })
}

/// A run of the plan workflow as it should be, and what is otherwise.
fn run_of(id: u64, otherwise: Value) -> Value {
    let mut run = json!({
        "id": id, "head_sha": HEAD, "event": "pull_request",
        "path": ".github/workflows/routing-plan.yml", "created_at": "2026-11-20T00:00:00Z",
        "repository": { "id": 1 }, "head_repository": { "id": 1 },
    });
    for (key, value) in otherwise.as_object().expect("an object") {
        run[key] = value.clone();
    }
    run
}

/// A plan that a run saved at a time; its digest is this digit over and over.
fn artifact(run: u64, at: &str, digit: char) -> Value {
    let digest = digit.to_string().repeat(64);
    json!({
        "name": format!("lkroute-plan-production-7-{MAIN}-{HEAD}-1-{digest}"),
        "expired": false, "created_at": at, "workflow_run": { "id": run },
    })
}

fn renamed(mut artifact: Value, from: &str, to: &str) -> Value {
    let name = artifact["name"].as_str().expect("a name");
    assert_contains!(name, from);
    artifact["name"] = name.replace(from, to).into();
    artifact
}

fn approval(at: &str, state: &str) -> Value {
    json!({ "state": state, "submitted_at": at })
}

fn looking(github: &GitHub) -> Step {
    Step::new(&[
        ("GITHUB_TOKEN", TOKEN),
        ("GITHUB_API_URL", &github.url),
        ("GITHUB_REPOSITORY", REPOSITORY),
        ("GITHUB_SHA", MERGED),
        ("GITHUB_REF_NAME", "main"),
        ("PLAN_WORKFLOW", ".github/workflows/routing-plan.yml"),
        ("ENVIRONMENT", "production"),
    ])
}

#[test]
fn the_approved_plan_is_that_of_the_merged_pull_request() {
    let github = GitHub::start();
    github.state().pulls = vec![
        pull(5, None, "c"),
        pull(6, Some("d"), "d"),
        pull(7, Some(MERGED), HEAD),
    ];
    let mut other_base = pull(8, Some(MERGED), "e");
    other_base["base"]["ref"] = "release".into();
    github.state().pulls.insert(0, other_base);
    github.state().runs = vec![run_of(40, json!({})), run_of(41, json!({}))];
    github.state().artifacts = vec![
        artifact(40, "2026-11-20T00:00:00Z", '1'),
        artifact(41, "2026-11-21T00:00:00Z", '2'),
    ];
    github.fail("GET", Fault::Answer(502, "X-A: b"));
    let done = looking(&github).run("approved.sh");
    assert!(done.success, "{}", done.log);
    let output = |name: &str| done.outputs[name].as_str();
    assert_eq!((output("pull-request"), output("run")), ("7", "41"));
    assert_eq!(output("artifact"), artifact(0, "", '2')["name"]);
    assert_eq!(output("digest"), format!("sha256:{}", "2".repeat(64)));
}

/// Each is what somebody can make appear beside the plan that was looked at.
#[test]
fn no_other_artifact_is_taken_for_the_approved_plan() {
    let early = "2026-11-21T00:00:00Z";
    let mut expired = artifact(40, early, '2');
    expired["expired"] = true.into();
    let strangers = [
        (
            "another workflow",
            json!({ "path": ".github/workflows/x.yml" }),
            artifact(40, early, '2'),
        ),
        (
            "another event",
            json!({ "event": "push" }),
            artifact(40, early, '2'),
        ),
        (
            "another commit",
            json!({ "head_sha": MERGED }),
            artifact(40, early, '2'),
        ),
        (
            "a fork",
            json!({ "head_repository": { "id": 2 } }),
            artifact(40, early, '2'),
        ),
        (
            "a run after the merge",
            json!({ "created_at": "2026-11-21T12:00:01Z" }),
            artifact(40, early, '2'),
        ),
        (
            "saved after the merge",
            json!({}),
            artifact(40, "2026-11-21T12:00:01Z", '2'),
        ),
        (
            "another branch",
            json!({}),
            renamed(artifact(40, early, '2'), MAIN, "000000000000"),
        ),
        (
            "another pull request",
            json!({}),
            renamed(artifact(40, early, '2'), "-7-", "-8-"),
        ),
        (
            "another environment",
            json!({}),
            renamed(artifact(40, early, '2'), "production", "staging"),
        ),
        (
            "no digest",
            json!({}),
            renamed(artifact(40, early, '2'), &"2".repeat(64), "22"),
        ),
        ("an expired one", json!({}), expired),
    ];
    for (what, run, artifact) in strangers {
        let github = GitHub::start();
        github.state().pulls = vec![pull(7, Some(MERGED), HEAD)];
        github.state().runs = vec![run_of(40, run)];
        github.state().artifacts = vec![artifact];
        let done = looking(&github).run("approved.sh");
        let said = done.log.contains("no saved plan of pull request #7");
        assert!(!done.success && said, "{what}: {}", done.log);
        assert!(!done.outputs.contains_key("run"), "{what}");
    }
}

#[test]
fn a_plan_that_came_after_the_last_approval_is_stale_unless_it_is_the_same() {
    let (before, approved, after) = (
        "2026-11-21T01:00:00Z",
        "2026-11-21T02:00:00Z",
        "2026-11-21T03:00:00Z",
    );
    let look = |plans: Vec<Value>, reviews: Vec<Value>| {
        let github = GitHub::start();
        github.state().pulls = vec![pull(7, Some(MERGED), HEAD)];
        github.state().runs = vec![run_of(40, json!({})), run_of(41, json!({}))];
        github.state().artifacts = plans;
        github.state().reviews = reviews;
        looking(&github).run("approved.sh")
    };
    let approvals = || {
        vec![
            approval(before, "COMMENTED"),
            approval(approved, "APPROVED"),
        ]
    };
    let stale = look(
        vec![artifact(40, before, '1'), artifact(41, after, '2')],
        approvals(),
    );
    stale.failed_with("Stale: the newest plan");
    assert!(!stale.outputs.contains_key("run"));
    let stale = look(vec![artifact(41, after, '2')], approvals());
    stale.failed_with("nobody approved it");
    let same = look(
        vec![artifact(40, before, '2'), artifact(41, after, '2')],
        approvals(),
    );
    assert!(same.success, "{}", same.log);
    assert_eq!(same.outputs["run"], "41");
    // In the same second nobody can have seen it.
    let stale = look(vec![artifact(41, approved, '2')], approvals());
    assert!(!stale.success, "{}", stale.log);
    // Many reviews that are none don't hide the approval on a later page.
    let many = [
        vec![approval(before, "COMMENTED"); 4],
        vec![approval(approved, "APPROVED")],
    ];
    let stale = look(vec![artifact(41, after, '2')], many.concat());
    assert!(!stale.success, "{}", stale.log);
    // A stranger can't approve what came after the team's approval.
    let of = |at, who: &str| {
        let mut review = approval(at, "APPROVED");
        review["author_association"] = who.into();
        review
    };
    let later = "2026-11-21T04:00:00Z";
    for stranger in ["NONE", "CONTRIBUTOR", "FIRST_TIMER"] {
        let reviews = vec![of(approved, "MEMBER"), of(later, stranger)];
        let stale = look(vec![artifact(41, after, '2')], reviews);
        assert!(!stale.success, "{stranger}: {}", stale.log);
    }
    let reviews = vec![of(approved, "MEMBER"), of(later, "OWNER")];
    let done = look(vec![artifact(41, after, '2')], reviews);
    assert!(done.success, "{}", done.log);
    // Dismissed, or of a time after the merge: no approval, so nothing to compare.
    let none = vec![
        approval(approved, "DISMISSED"),
        approval("2026-11-21T13:00:00Z", "APPROVED"),
    ];
    let done = look(vec![artifact(41, after, '2')], none);
    assert!(done.success, "{}", done.log);
}

#[test]
fn a_missing_plan_says_what_to_do_instead() {
    let github = GitHub::start();
    github.state().pulls = vec![pull(7, None, HEAD)];
    let done = looking(&github).run("approved.sh");
    done.failed_with("No pull request that was merged into main");
    github.state().pulls = vec![pull(7, Some(MERGED), HEAD)];
    let done = looking(&github).run("approved.sh");
    done.failed_with("it may have expired");
    assert_contains!(done.log, "apply it with its digest");
    assert!(!done.outputs.contains_key("run"));
    github.fail("GET", Fault::Answer(403, "X-A: b"));
    let done = looking(&github).run("approved.sh");
    done.failed_with("GitHub answered 403");
    for _ in 0..3 {
        github.fail("GET", Fault::Slow(Duration::from_secs(30)));
    }
    let done = looking(&github).set("API_SECONDS", "1").run("approved.sh");
    done.failed_with("did not answer in 1 s");
}

#[test]
fn an_apply_has_to_be_told_what_was_approved() {
    let mut step = with_lkroute("apply", "touch ran");
    let done = step.run("run.sh");
    done.failed_with("which plan was approved");
    let done = step.set("EXPECT", "--auto-approve").run("run.sh");
    done.failed_with("must be the digest");
    assert!(!step.path("ran").exists());
}

/// An artifact is a file of others: what it says of itself decides nothing.
#[test]
fn the_digest_is_that_of_what_the_saved_plan_holds() {
    let team = Lkroute::with_two_regions();
    let database = format!("sqlite://{}", team.path().join("it.db").display());
    let plan = ["--database", &database, "plan", "--out", "plan.lkplan"];
    team.run(&plan).expect_code(0);
    let mut saved: Value = serde_json::from_str(&team.read("plan.lkplan")).expect("JSON");
    let digest = saved["digest"].as_str().expect("a digest").to_owned();
    let apply = |approved: &str| {
        let mut step = Step::new(&[
            ("COMMAND", "apply"),
            ("LKROUTE", env!("CARGO_BIN_EXE_lkroute")),
            ("GIVEN_DATABASE_URL", &database),
        ]);
        let file = |name: &str| team.path().join(name).to_str().expect("plain").to_owned();
        step.set("ROUTING", &file("routing"))
            .set("PLAN", &file("plan.lkplan"));
        step.set("APPROVED", approved).run("run.sh")
    };
    let other = format!("sha256:{}", "0".repeat(64));
    let done = apply(&other);
    done.failed_with("Stale");
    saved["digest"] = other.clone().into();
    team.write("plan.lkplan", &saved.to_string());
    for approved in [&other, &digest] {
        let done = apply(approved);
        done.failed_with("is none");
    }
    assert!(!team.path().join("it.db").exists(), "nothing was applied");
}
