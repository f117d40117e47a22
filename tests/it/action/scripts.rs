//! The scripts of the action one by one, in the environment of their step.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::github::{Fault, GitHub, REPOSITORY, TOKEN};
use super::runner::root;
use crate::support::{Lkroute, Plaintexts};

/// A step with a directory of its own.
pub(super) struct Step {
    pub dir: TempDir,
    env: BTreeMap<String, String>,
}

/// What it left.
pub(super) struct Done {
    pub success: bool,
    pub log: String,
    pub outputs: BTreeMap<String, String>,
}

impl Done {
    /// Asserts that it failed, and what its log says.
    #[track_caller]
    pub fn failed_with(&self, said: &str) {
        assert!(!self.success, "{}", self.log);
        assert_contains!(self.log, said);
    }
}

impl Step {
    pub fn new(env: &[(&str, &str)]) -> Step {
        let dir = tempfile::tempdir().expect("a directory");
        let mut step = Step {
            dir,
            env: BTreeMap::new(),
        };
        let path = std::env::var("PATH").expect("a PATH");
        let given = [
            ("PATH", path.as_str()),
            ("GITHUB_ACTION_PATH", root().to_str().expect("plain")),
            ("TIME_LIMIT", "60"),
            ("RETRY_SECONDS", "0"),
            ("HEAD_SHA", HEAD),
            ("NO_PROXY", "127.0.0.1"),
        ];
        for (name, value) in given.iter().chain(env) {
            step.set(name, value);
        }
        for name in ["HOME", "RUNNER_TEMP", "RUNNER_TOOL_CACHE"] {
            let dir = step.dir.path().to_str().expect("plain").to_owned();
            step.set(name, &dir);
        }
        step
    }

    pub fn set(&mut self, name: &str, value: &str) -> &mut Step {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// A program for the step, written in bash.
    pub fn program(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, format!("#!/usr/bin/env bash\n{text}\n")).expect("write it");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("may run");
        path
    }

    pub fn run(&self, script: &str) -> Done {
        let (output, summary) = (self.path("output"), self.path("summary"));
        fs::write(&output, "").expect("a file");
        let mut command = Command::new("timeout");
        command.arg("100");
        command.arg(root().join(".github/action").join(script));
        // The caller's repository, where a test has one.
        let checkout = self.path("checkout");
        let here = Some(checkout).filter(|checkout| checkout.is_dir());
        let here = here.unwrap_or(self.dir.path().to_owned());
        command.current_dir(here).env_clear();
        command.envs(&self.env);
        command.env("GITHUB_OUTPUT", &output);
        command.env("GITHUB_STEP_SUMMARY", &summary);
        let done = command.output().expect("run it");
        let outputs = fs::read_to_string(&output).expect("its outputs");
        let log = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        Plaintexts::all().must_not_be_in(&(log.clone() + &outputs), script);
        let pair = |line: &str| {
            let (name, value) = line.split_once('=').expect("a value");
            (name.to_owned(), value.to_owned())
        };
        Done {
            success: done.status.success(),
            log,
            outputs: outputs.lines().map(pair).collect(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

#[test]
fn a_program_that_is_named_has_to_run() {
    let mut step = Step::new(&[("GIVEN_LKROUTE", env!("CARGO_BIN_EXE_lkroute"))]);
    let done = step.run("install.sh");
    assert_contains!(done.log, "lkroute 0.");
    let done = step.set("GIVEN_LKROUTE", "nowhere").run("install.sh");
    done.failed_with("::error title=lkroute::");
    let broken = step.program("broken", "exit 3");
    let done = step.set("GIVEN_LKROUTE", broken.to_str().expect("plain"));
    let done = done.run("install.sh");
    done.failed_with("does not run here");
}

/// A step that runs a program of ours in place of lkroute.
fn with_lkroute(command: &str, text: &str) -> Step {
    let mut step = Step::new(&[
        ("COMMAND", command),
        ("ROUTING", "routing"),
        ("BASE", "HEAD^1"),
    ]);
    let program = step.program("lkroute", text);
    step.set("LKROUTE", program.to_str().expect("plain"));
    step
}

#[test]
fn a_database_is_planned_against_once_for_all_formats() {
    let team = Lkroute::with_two_regions();
    let database = format!("sqlite://{}", team.path().join("it.db").display());
    let apply = ["apply", "--auto-approve", "--database", &database];
    team.run(&apply).expect_code(0);
    let india = team.read("routing/india.toml");
    let (config, _) = india.split_once("[[bindings]]").expect("bindings");
    team.write("routing/india.toml", config);
    let real = env!("CARGO_BIN_EXE_lkroute");
    let text = format!("printf '%s\\n' \"$5 $6\" >>\"$HOME/asked\"; exec {real} \"$@\"");
    let mut step = with_lkroute("plan", &text);
    let routing = team.path().join("routing");
    step.set("ROUTING", routing.to_str().expect("plain"));
    let done = step.set("GIVEN_DATABASE_URL", &database).run("run.sh");
    assert_eq!(done.outputs["exitcode"], "4", "{}", done.log);
    let asked = fs::read_to_string(step.path("asked")).expect("its commands");
    let asked: Vec<&str> = asked
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(
        asked,
        ["validate", "migrate", "plan", "show", "show", "show"]
    );
    assert_contains!(done.log, "title=route-lost::");
    assert_contains!(done.log, "title=delete%3A binding.");
    let report = Path::new(&done.outputs["artifact"]).join("report.txt");
    let report = fs::read_to_string(report).expect("the report in full");
    assert_contains!(report, "error[route-lost]");
}

#[test]
fn what_takes_too_long_is_ended() {
    let mut step = with_lkroute("diff", "case $* in *github) exit ;; esac; exec sleep 90");
    let began = Instant::now();
    let done = step.set("TIME_LIMIT", "1").run("run.sh");
    assert!(done.success, "{}", done.log);
    assert_eq!(done.outputs["exitcode"], "124");
    assert!(began.elapsed() < Duration::from_secs(30));
    let done = Step::new(&[("EXITCODE", "124")]).run("finish.sh");
    done.failed_with("longer than time-limit");
}

#[test]
fn no_text_of_others_becomes_a_command_of_the_runner() {
    let step = with_lkroute(
        "plan",
        "echo '::error::made up' >&2; case $* in *migrate*) exit 1 ;; esac; exit 0",
    );
    let done = step.run("run.sh");
    assert_eq!(done.outputs["exitcode"], "1", "{}", done.log);
    let mut stopped = None;
    for line in done.log.lines() {
        if let Some(token) = line.strip_prefix("::stop-commands::") {
            assert!(token.len() == 32 && stopped.is_none(), "{}", done.log);
            stopped = Some(format!("::{token}::"));
        } else if stopped.as_deref() == Some(line) {
            stopped = None;
        } else if line.contains("made up") {
            assert!(stopped.is_some(), "{}", done.log);
        }
    }
    assert_eq!(stopped, None, "{}", done.log);
    let report = fs::read_to_string(step.path("summary")).expect("a summary");
    assert_contains!(report, "lkroute migrate");
}

#[test]
fn a_diff_is_given_no_secret() {
    let mut step = with_lkroute("diff", "env >>\"$HOME/seen\"");
    for name in ["DATABASE_URL", "GIVEN_DATABASE_URL", "LKROUTE_KEYS"] {
        step.set(name, "made-up-secret");
    }
    let done = step.run("run.sh");
    assert_eq!(done.outputs["exitcode"], "0", "{}", done.log);
    let seen = fs::read_to_string(step.path("seen")).expect("its environment");
    assert_lacks!(seen, "made-up-secret");
}

#[test]
fn arguments_stay_what_they_are() {
    let mut step = with_lkroute("diff", "printf '<%s>' \"$@\" >>\"$HOME/seen\"");
    let hostile = "a b;$(touch x)`touch x`\"'";
    step.set("ROUTING", hostile).set("BASE", hostile);
    step.run("run.sh");
    let seen = fs::read_to_string(step.path("seen")).expect("its arguments");
    assert_contains!(seen, format!("<--routing><{hostile}>"));
    assert_contains!(seen, format!("<{hostile}><HEAD>"));
    assert!(!step.path("x").exists());
    for (name, value) in [
        ("ENVIRONMENT", hostile),
        ("TIME_LIMIT", "1;2"),
        ("COMMAND", hostile),
    ] {
        let mut step = with_lkroute("diff", "touch ran");
        let done = step.set(name, value).run("run.sh");
        done.failed_with("::error title=");
        assert!(!step.path("ran").exists(), "{name}");
    }
}

const HEAD: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
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
