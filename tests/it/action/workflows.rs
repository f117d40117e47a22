//! The documented workflows, from the pull request to the database.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::github::{BOT, REPOSITORY};
use super::runner::{Ran, root};
use super::world::{Pull, World};
use crate::git::git;
use crate::support::pages::blocks_run_by;
use crate::support::{not_run, part};

pub(super) const INDIA: &str = "routing/india.toml";
pub(super) const CONFIG: &str = "india-techiemaya-cloud";

pub(super) fn change_worker(world: &World, from: &str, to: &str) {
    let quoted = |worker: &str| format!("\"{worker}\"");
    let text = world.clone.read(INDIA);
    assert!(text.contains(&quoted(from)), "{text}");
    let text = text.replace(&quoted(from), &quoted(to));
    world.clone.write(INDIA, &text);
}

/// Runs the plan of the branch at hand; the comment that is there then.
#[track_caller]
fn plan(world: &mut World, success: bool) -> (Pull, Ran, String) {
    let pull = world.pull(REPOSITORY);
    let ran = world.on_pull("plan", &pull).expect("it runs");
    assert_eq!(ran.success, success, "{}", ran.log);
    let mut bodies = world.github.bodies(BOT);
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    let body = bodies.remove(0);
    assert_starts!(body, "<!-- lkroute plan: production -->\n");
    (pull, ran, body)
}

#[track_caller]
pub(super) fn has(text: &str, part: &str) {
    assert_contains!(text, part);
}

#[test]
fn a_pull_request_of_a_fork_is_shown_without_a_secret() {
    let mut world = World::new();
    world.branch("change");
    change_worker(&world, "voag-dev", "voag-dev-v2");
    let pull = world.pull("a-stranger/routing");
    assert!(world.on_pull("plan", &pull).is_none(), "it has no secrets");
    let ran = world.on_pull("diff", &pull).expect("it runs");
    assert!(ran.success, "{}", ran.log);
    has(&ran.summary, "`voag-dev` → `voag-dev-v2`");
    assert_contains!(ran.log, "::notice file=routing/india.toml");
    let (name, kept) = world.kept();
    assert_eq!(name, format!("lkroute-diff-production-{}", pull.head));
    assert_eq!(kept, ["report.md", "report.txt"]);
    assert_eq!(world.github.count(""), 0, "it asks GitHub for nothing");

    world.clone.edit(
        INDIA,
        "tenant = \"techiemaya-test\"\nprovider",
        "tenant = \"t\"\nprovider",
    );
    let pull = world.pull("a-stranger/routing");
    let ran = world.on_pull("diff", &pull).expect("it runs");
    assert!(!ran.success, "{}", ran.log);
    assert_contains!(ran.log, "::error file=routing/india.toml");
    assert_contains!(ran.log, "exit code 3: the files are invalid");
    assert_contains!(ran.summary, "there is no tenant `t`");
}

#[test]
fn a_pull_request_has_one_comment_whatever_is_found() {
    let mut world = World::new();
    world.branch("change");
    change_worker(&world, "voag-dev", "voag-dev-v2");
    assert!(world.on_pull("diff", &world.pull(REPOSITORY)).is_none());
    let (pull, ran, body) = plan(&mut world, true);
    has(&ran.log, "::notice file=routing/india.toml");
    has(&ran.summary, "`voag-dev` → `voag-dev-v2`");
    has(&body, "`voag-dev` → `voag-dev-v2`");
    has(&body, "lkroute apply --expect sha256:");
    has(&body, &format!("commit {}", &pull.head[..12]));

    let text = world.clone.read(INDIA);
    world.clone.write(
        INDIA,
        &text.replace("default_config = \"india", "default_config = \"x"),
    );
    let (_, ran, body) = plan(&mut world, false);
    has(&ran.log, "::error file=routing/india.toml");
    has(&ran.log, "exit code 3");
    has(&body, "⛔");
    has(&body, "routing/india.toml:");

    let (config, _) = text.split_once("[[bindings]]").expect("bindings");
    world.clone.write(INDIA, config);
    let (_, ran, body) = plan(&mut world, false);
    has(&ran.log, "exit code 4");
    has(&body, "Refused by the guards");
    has(&body, "[[guards.allow]]");

    world.clone.write(INDIA, &text);
    world.outside("UPDATE voice_agent_livekit SET worker_name = 'hot' WHERE name LIKE 'india%'");
    let (_, ran, body) = plan(&mut world, false);
    has(&ran.log, "exit code 6");
    has(&body, "1 conflict");

    world.outside("UPDATE voice_agent_livekit SET worker_name = 'voag-dev' WHERE name LIKE 'i%'");
    change_worker(&world, "voag-dev-v2", "voag-dev");
    let (_, _, body) = plan(&mut world, true);
    has(&body, "nothing to do");
    assert_eq!(world.github.count("POST"), 1);
}

#[test]
fn a_database_that_is_not_ready_is_said_on_the_pull_request() {
    let mut world = World::new();
    world.branch("change");
    let there = std::mem::replace(&mut world.database, "sqlite://missing.db".to_owned());
    let (_, ran, body) = plan(&mut world, false);
    has(&ran.log, "missing.db is missing");
    has(&body, "`lkroute migrate` brings it up to date");
    world.database = String::new();
    let (_, ran, _) = plan(&mut world, false);
    has(&ran.log, "DATABASE_URL");
    world.database = there;
    let (_, _, body) = plan(&mut world, true);
    has(&body, "nothing to do");
}

#[test]
fn a_merge_applies_what_was_approved_and_nothing_else() {
    let mut world = World::new();
    world.branch("change");
    change_worker(&world, "voag-dev", "voag-dev-v2");
    let (pull, ..) = plan(&mut world, true);
    let (name, kept) = world.kept();
    has(&name, &pull.head);
    assert_eq!(kept, ["plan.lkplan", "report.md", "report.txt"]);
    let sha = world.squash(&pull);
    let ran = world.on_merge(&sha, "");
    assert!(ran.success, "{}", ran.log);
    assert_eq!(world.worker(CONFIG), "voag-dev-v2");
    let body = world.github.bodies(BOT).remove(0);
    has(&body, "✅ Applied");
    has(&body, "sha256:");
    has(&ran.summary, "voag-dev-v2");
    let again = ["--env", "production", "plan", "--detailed-exitcode"];
    world.clone.run(&again).expect_code(0);

    // Somebody else writes to the same row between approval and merge.
    world.branch("change");
    change_worker(&world, "voag-dev-v2", "voag-dev-v3");
    let (pull, ..) = plan(&mut world, true);
    world.outside("UPDATE voice_agent_livekit SET trunk_id = 'ST_x' WHERE name LIKE 'india%'");
    let sha = world.squash(&pull);
    let ran = world.on_merge(&sha, "");
    assert!(!ran.success, "{}", ran.log);
    has(&ran.log, "exit code 5");
    assert_eq!(world.worker(CONFIG), "voag-dev-v2");
    let body = world.github.bodies(BOT).remove(0);
    has(&body, "⛔ Not applied: this is not what was approved");
    has(&body, "trunk_id");

    // Looked at again, approved by its digest.
    let looked = ["--env", "production", "plan", "--format", "markdown"];
    let looked = world.clone.run(&looked).expect_code(0).stdout;
    let (_, digest) = looked.split_once("--expect ").expect("a digest");
    let ran = world.on_merge(&sha, &digest[..71]);
    assert!(ran.success, "{}", ran.log);
    assert_eq!(world.worker(CONFIG), "voag-dev-v3");
    assert_eq!(world.github.bodies(BOT).len(), 1);
    // The run of a merge that is applied writes nothing, and says so.
    let ran = world.on_merge(&sha, &format!("sha256:{}", "0".repeat(64)));
    assert!(ran.success, "{}", ran.log);
    has(&ran.log, "Already applied as ");
}

#[test]
fn a_push_without_a_pull_request_applies_nothing() {
    let mut world = World::new();
    change_worker(&world, "voag-dev", "voag-dev-v2");
    let sha = world.commit("straight to main");
    let ran = world.on_merge(&sha, "");
    assert!(!ran.success, "{}", ran.log);
    has(
        &ran.log,
        "No pull request that was merged into main brought the commit",
    );
    assert_eq!(world.worker(CONFIG), "voag-dev");
}

#[test]
fn the_commands_for_other_systems_do_what_the_page_says() {
    let world = World::new();
    let blocks = blocks_run_by(
        "docs/ci.md",
        "the_commands_for_other_systems_do_what_the_page_says",
    );
    let [look, diff, plan, apply, expect] = &blocks[..] else {
        panic!("{blocks:?}");
    };
    let program = Path::new(env!("CARGO_BIN_EXE_lkroute"));
    let path = std::env::var("PATH").expect("a PATH");
    let path = format!(
        "{}:{path}",
        program.parent().expect("a directory").display()
    );
    let run = |script: &str, digest: &str, code: i32| {
        // With one environment for all of them, as a pipeline would set it.
        let script = script.replace("lkroute --env production ", "lkroute ");
        let script = script.replace("lkroute ", "lkroute --env production ");
        let mut bash = Command::new("bash");
        bash.args(["-euo", "pipefail", "-c", &script])
            .current_dir(world.clone.path());
        bash.env("PATH", &path)
            .env("CI", "true")
            .env("BASE", "HEAD^1");
        bash.env("DATABASE_URL", &world.database)
            .env("DIGEST", digest);
        let done = bash.output().expect("run bash");
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(code), "{script}\n{said}");
    };
    change_worker(&world, "voag-dev", "voag-dev-v2");
    world.commit("change");
    run(diff, "", 0);
    has(&world.clone.read("report.md"), "`voag-dev` → `voag-dev-v2`");
    run(plan, "", 2);
    has(&world.clone.read("report.md"), "--expect sha256:");
    run(apply, "", 0);
    assert_eq!(world.worker(CONFIG), "voag-dev-v2");
    run(apply, "", 0);

    change_worker(&world, "voag-dev-v2", "voag-dev-v3");
    run(look, "", 0);
    run(plan, "", 2);
    let plan: serde_json::Value =
        serde_json::from_str(&world.clone.read("plan.lkplan")).expect("JSON");
    run(expect, plan["digest"].as_str().expect("a digest"), 0);
    assert_eq!(world.worker(CONFIG), "voag-dev-v3");
}

/// The hooks in the real pre-commit, from a repository of hooks as users name it.
#[test]
fn the_hooks_for_pre_commit_find_what_is_wrong() {
    let Some(pre_commit) = part("LKROUTE_TEST_PRE_COMMIT") else {
        return not_run("pre-commit");
    };
    let world = World::new();
    let hooks = tempfile::tempdir().expect("a directory");
    let file = ".pre-commit-hooks.yaml";
    fs::copy(root().join(file), hooks.path().join(file)).expect("copy it");
    git(hooks.path(), &["init", "-q", "-b", "main"]);
    git(hooks.path(), &["add", "-A"]);
    git(hooks.path(), &["commit", "-q", "-m", "hooks"]);
    git(hooks.path(), &["tag", "v0.1.0"]);
    let config = format!(
        "repos:\n  - repo: file://{}\n    rev: v0.1.0\n    hooks:\n      - id: lkroute-fmt\n      - id: lkroute-validate\n",
        hooks.path().display()
    );
    world.clone.write(".pre-commit-config.yaml", &config);
    git(world.clone.path(), &["add", "-A"]);
    let program = Path::new(env!("CARGO_BIN_EXE_lkroute"));
    let directory = program.parent().expect("a directory").display();
    let path = format!("{directory}:{}", std::env::var("PATH").expect("a PATH"));
    let run = || {
        let mut command = Command::new(&pre_commit);
        command.args(["run", "--all-files", "--color=never"]);
        command.current_dir(world.clone.path()).env("PATH", &path);
        command.env("PRE_COMMIT_HOME", hooks.path().join("home"));
        let done = command.env("LKROUTE_ENV", "production").output();
        let done = done.expect("run it");
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        let result = |hook: &str| {
            let line = said.lines().find(|line| line.starts_with(hook));
            let line = line.unwrap_or_else(|| panic!("no {hook} in {said}"));
            line.ends_with("Passed")
        };
        (result("lkroute fmt."), result("lkroute validate."))
    };
    assert_eq!(run(), (true, true));
    let india = world.clone.read(INDIA);
    world.clone.write(INDIA, &india.replace(" = ", "="));
    assert_eq!(run(), (false, true));
    let broken = india.replace("region = \"india\"", "region = \"indie\"");
    world.clone.write(INDIA, &broken);
    assert_eq!(run(), (true, false));
}
