//! What has to hold for every workflow and script, read off the files.

use std::fs;
use std::process::Command;

use serde_json::Value;

use super::runner::{root, yaml};
use crate::support::{not_run, part};

const FILES: [&str; 3] = ["action.yml", "docs/ci/plan.yml", "docs/ci/apply.yml"];
/// What tests and releases this repository itself.
const OWN: [&str; 2] = [".github/workflows/ci.yml", ".github/workflows/release.yml"];

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).expect("a file")
}

/// Every value of a key, however deep.
fn all<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get(key));
            map.values().for_each(|value| all(value, key, found));
        }
        Value::Array(list) => list.iter().for_each(|value| all(value, key, found)),
        _ => {}
    }
}

#[test]
fn no_script_holds_an_expression() {
    for name in FILES {
        let file = yaml(name);
        let mut scripts = Vec::new();
        all(&file, "run", &mut scripts);
        for script in scripts {
            let script = script.as_str().expect("a text");
            assert!(!script.contains("${{"), "{name}: {script}");
            assert_starts!(script, "\"$GITHUB_ACTION_PATH/");
        }
    }
}

#[test]
fn every_action_is_pinned_by_its_commit() {
    for name in FILES.into_iter().chain(OWN) {
        for line in read(name).lines().filter(|line| line.contains("uses: ")) {
            let used = line.split("uses: ").nth(1).expect("what is used");
            let (action, version) = used.split_once('@').expect("a version");
            let (commit, about) = version.split_once(" # ").expect("which version it is");
            if action == "OWNER/lkroute" {
                assert_eq!(commit, "COMMIT", "for the reader to fill in");
                continue;
            }
            let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            assert!(commit.len() == 40 && commit.bytes().all(hex), "{line}");
            assert!(about.starts_with('v'), "{line}");
        }
    }
}

#[test]
fn the_workflows_are_bounded_and_have_few_rights() {
    let mut written = Vec::new();
    for name in &FILES[1..] {
        let workflow = yaml(name);
        assert_eq!(workflow["permissions"], serde_json::json!({}), "{name}");
        assert!(workflow["concurrency"]["group"].is_string(), "{name}");
        for (job, about) in workflow["jobs"].as_object().expect("jobs") {
            assert!(about["timeout-minutes"].is_number(), "{name}: {job}");
            let rights = about["permissions"].as_object().expect("permissions");
            let writes = rights.iter().filter(|(_, right)| *right == "write");
            written.extend(writes.map(|(what, _)| format!("{job}: {what}")));
            let checkout = &about["steps"][0];
            let uses = checkout["uses"].as_str().expect("an action");
            assert_starts!(uses, "actions/checkout@");
            assert_eq!(checkout["with"]["fetch-depth"], 0);
            assert_eq!(checkout["with"]["persist-credentials"], false);
        }
    }
    assert_eq!(written, ["plan: pull-requests", "apply: pull-requests"]);
    // Secrets reach no job that runs the code of a fork.
    assert_lacks!(
        yaml("docs/ci/plan.yml")["jobs"]["diff"].to_string(),
        "secrets."
    );
    assert_lacks!(read("docs/ci/plan.yml"), "pull_request_target");
}

#[test]
fn the_scripts_are_strict_and_use_only_what_the_action_gives_them() {
    let action = read("action.yml");
    let dir = root().join(".github/action");
    for entry in fs::read_dir(dir).expect("the scripts") {
        let path = entry.expect("a script").path();
        let text = fs::read_to_string(&path).expect("its text");
        let name = path.file_name().expect("a name").to_str().expect("plain");
        if name == "lib.sh" {
            continue;
        }
        assert!(text.starts_with("#!/usr/bin/env bash\n"), "{name}");
        assert!(text.contains("\nset -euo pipefail\n"), "{name}");
        let called = action.contains(&format!("/.github/action/{name}\""));
        assert!(called || ["plan.sh", "apply.sh"].contains(&name), "{name}");
        for never in ["eval ", "set -x", "curl -k", "--insecure"] {
            assert!(!text.contains(never), "{name}: {never}");
        }
    }
}

#[test]
fn our_own_workflows_are_bounded_and_have_few_rights() {
    for name in OWN {
        let workflow = yaml(name);
        assert_eq!(workflow["permissions"], serde_json::json!({}), "{name}");
        for (job, about) in workflow["jobs"].as_object().expect("jobs") {
            assert!(about["timeout-minutes"].is_number(), "{name}: {job}");
            let rights = about["permissions"].to_string();
            assert!(!rights.contains("write-all"), "{name}: {job}");
            assert_eq!(
                rights.contains("write"),
                name.contains("release") && job != "version",
                "{name}: {job}"
            );
        }
        let mut scripts = Vec::new();
        all(&workflow, "run", &mut scripts);
        for script in scripts {
            assert!(!script.to_string().contains("${{"), "{name}: {script}");
        }
    }
}

/// Runs a linter, and fails on whatever it says.
fn lint(variable: &str, name: &str, arguments: &[&str], files: &[std::path::PathBuf]) {
    let Some(program) = part(variable) else {
        return not_run(name);
    };
    let mut command = Command::new(program);
    let checked = command.args(arguments).args(files).current_dir(root());
    let checked = checked.output().expect("run it");
    let said = [checked.stdout, checked.stderr].concat();
    assert!(
        checked.status.success(),
        "{}",
        String::from_utf8_lossy(&said)
    );
}

/// Every workflow, ours and those for users to copy. Theirs name no commit of
/// lkroute yet: users fill it in, and so does this.
fn workflows(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let own = OWN.iter().map(|name| root().join(name));
    let copied = FILES[1..].iter().map(|name| {
        let text = read(name).replace("@COMMIT", &format!("@{}", "c".repeat(40)));
        let path = dir.join(name.rsplit('/').next().expect("a name"));
        fs::write(&path, text).expect("write it");
        path
    });
    own.chain(copied).collect()
}

#[test]
fn zizmor_finds_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut files = workflows(dir.path());
    files.extend(["action.yml", ".github/dependabot.yml"].map(|name| root().join(name)));
    let offline = ["--offline", "--quiet", "--no-progress"];
    lint("LKROUTE_TEST_ZIZMOR", "zizmor", &offline, &files);
}

#[test]
fn actionlint_finds_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let files = workflows(dir.path());
    lint("LKROUTE_TEST_ACTIONLINT", "actionlint", &[], &files);
}

/// Licences, bans and sources of all that is built in; known faults are looked
/// up in CI, whose database is nowhere else.
#[test]
fn cargo_deny_finds_nothing() {
    let Some(deny) = part("LKROUTE_TEST_CARGO_DENY") else {
        return not_run("cargo-deny");
    };
    let check = |config: &std::path::Path| {
        let mut command = Command::new(&deny);
        command.args(["--offline", "--locked", "--workspace", "--config"]);
        command.arg(config);
        command.args(["check", "licenses", "bans", "sources"]);
        command.current_dir(root()).output().expect("run it")
    };
    let done = check(&root().join("deny.toml"));
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    let dir = tempfile::tempdir().expect("a directory");
    let without = dir.path().join("deny.toml");
    fs::write(
        &without,
        read("deny.toml").replace("    \"MPL-2.0\",\n", ""),
    )
    .expect("write it");
    assert!(!check(&without).status.success(), "it looks at licences");
}

#[test]
fn shellcheck_finds_nothing() {
    let dirs = [".github/action", ".github/release"].map(|dir| root().join(dir));
    let files = dirs
        .iter()
        .flat_map(|dir| fs::read_dir(dir).expect("the scripts"));
    let files = files.map(|entry| entry.expect("a script").path());
    let scripts: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|ext| ext == "sh"))
        .collect();
    let mut command = Command::new("shellcheck");
    command.args(["--external-sources", "--source-path=SCRIPTDIR"]);
    command.args(scripts).current_dir(root());
    match command.output() {
        Ok(checked) => {
            let found = String::from_utf8_lossy(&checked.stdout);
            assert!(checked.status.success(), "{found}");
        }
        Err(_) => not_run("shellcheck"),
    }
}
