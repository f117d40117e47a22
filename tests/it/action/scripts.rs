//! The scripts of the action one by one, in the environment of their step.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

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

/// The commit that steps run on.
pub(super) const HEAD: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

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
pub(super) fn with_lkroute(command: &str, text: &str) -> Step {
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
