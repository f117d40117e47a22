//! Runs the jobs of a workflow and the steps of `action.yml` as they stand,
//! as GitHub's runner does: conditions, expressions, outputs, artifacts. What
//! others made (`actions/…`) is stood in for, with a real clone for checkout.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::expression::{holds, substitute};
use super::github::{GitHub, REPOSITORY, TOKEN};
use crate::git::git;
use crate::support::Plaintexts;

type Env = BTreeMap<String, String>;

/// One run of a workflow: an event on a commit of a repository.
pub struct Runner<'a> {
    pub github: &'a GitHub,
    /// The bare repository that `actions/checkout` clones.
    pub origin: &'a Path,
    /// The `github` context.
    pub context: Value,
    /// The `secrets` context; a run of a fork has none.
    pub secrets: Value,
    /// The `inputs` context of a run by hand.
    pub inputs: Value,
    pub home: TempDir,
    /// More variables for every step, as a job may set them.
    pub env: Env,
}

/// What became of a job or an action.
#[derive(Debug, Default)]
pub struct Ran {
    pub success: bool,
    pub log: String,
    pub summary: String,
    pub outputs: Map<String, Value>,
}

/// Reads a file of YAML from the top of this repository.
pub fn yaml(name: &str) -> Value {
    let text = fs::read_to_string(root().join(name)).expect("a file");
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl<'a> Runner<'a> {
    pub fn new(github: &'a GitHub, origin: &'a Path, event: &str, sha: &str) -> Runner<'a> {
        let home = tempfile::tempdir().expect("a directory");
        for dir in ["work", "temp", "tools"] {
            fs::create_dir(home.path().join(dir)).expect("make it");
        }
        let context = json!({
            "repository": REPOSITORY, "token": TOKEN, "run_id": "41", "sha": sha,
            "event_name": event, "event": {}, "ref_name": "main",
        });
        let env = [
            ("GITHUB_API_URL", github.url.as_str()),
            ("GITHUB_SERVER_URL", "https://github.example"),
            ("GITHUB_REPOSITORY", REPOSITORY),
            ("GITHUB_RUN_ID", "41"),
            ("GITHUB_RUN_ATTEMPT", "1"),
            ("GITHUB_REF_NAME", "main"),
            ("GITHUB_SHA", sha),
            ("GITHUB_ACTIONS", "true"),
            ("CI", "true"),
            ("NO_PROXY", "127.0.0.1"),
            ("API_SECONDS", "20"),
            ("RETRY_SECONDS", "0"),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Runner {
            github,
            origin,
            context,
            secrets: json!({}),
            inputs: json!({}),
            home,
            env: env.into(),
        }
    }

    pub fn workspace(&self) -> PathBuf {
        self.home.path().join("work")
    }

    /// Runs a job of a workflow; none where its condition does not hold.
    pub fn job(&self, job: &Value) -> Option<Ran> {
        let contexts = self.contexts(self.inputs.clone(), json!({}));
        if !holds(job["if"].as_str(), &contexts) {
            return None;
        }
        Some(self.steps(&job["steps"], contexts, &self.env))
    }

    fn composite(&self, mut inputs: Map<String, Value>, env: &Env) -> Ran {
        let action = yaml("action.yml");
        let contexts = self.contexts(json!({}), json!({}));
        let declared = action["inputs"].as_object().expect("inputs");
        for (name, about) in declared {
            let default = about["default"].as_str().unwrap_or_default();
            let default = substitute(default, &contexts);
            inputs.entry(name).or_insert(default.into());
        }
        for name in inputs.keys() {
            assert!(declared.contains_key(name), "no input is called {name}");
        }
        // Building takes too long for a test; `install` has tests of its own.
        if inputs["lkroute"] == "" {
            inputs["lkroute"] = env!("CARGO_BIN_EXE_lkroute").into();
        }
        let contexts = self.contexts(inputs.into(), json!({}));
        let mut ran = self.steps(&action["runs"]["steps"], contexts, env);
        let steps = std::mem::take(&mut ran.outputs);
        let contexts = self.contexts(json!({}), steps.into());
        for (name, output) in action["outputs"].as_object().expect("outputs") {
            let value = output["value"].as_str().expect("a value");
            let value = substitute(value, &contexts);
            ran.outputs.insert(name.clone(), value.into());
        }
        ran
    }

    fn contexts(&self, inputs: Value, steps: Value) -> Value {
        json!({
            "success": true, "github": self.context, "secrets": self.secrets,
            "inputs": inputs, "steps": steps,
            "runner": {
                "os": "Linux", "arch": "X64",
                "temp": self.home.path().join("temp"),
                "tool_cache": self.home.path().join("tools"),
            },
        })
    }

    /// Runs steps; the outputs are those of all steps, by their ids.
    fn steps(&self, steps: &Value, mut contexts: Value, env: &Env) -> Ran {
        let mut all = Ran {
            success: true,
            ..Ran::default()
        };
        for step in steps.as_array().expect("steps") {
            if !holds(step["if"].as_str(), &contexts) {
                continue;
            }
            let mut env = env.clone();
            for (name, value) in values(&step["env"], &contexts) {
                env.insert(name, value.as_str().unwrap_or_default().to_owned());
            }
            let ran = match (step["uses"].as_str(), step["run"].as_str()) {
                (Some(uses), None) => self.uses(uses, values(&step["with"], &contexts), &env),
                (None, Some(script)) => self.script(script, &env),
                _ => panic!("either `uses` or `run`: {step}"),
            };
            all.log += &ran.log;
            all.summary += &ran.summary;
            if !ran.success {
                all.success = false;
                contexts["success"] = false.into();
            }
            if let Some(id) = step["id"].as_str() {
                contexts["steps"][id] = json!({ "outputs": ran.outputs });
            }
        }
        all.outputs = contexts["steps"].as_object().cloned().unwrap_or_default();
        all
    }

    fn script(&self, script: &str, env: &Env) -> Ran {
        let temp = self.home.path().join("temp");
        let (output, summary) = (temp.join("output"), temp.join("summary"));
        fs::write(&output, "").expect("a file for outputs");
        fs::write(&summary, "").expect("a file for the summary");
        let mut command = Command::new("timeout");
        command.args(["120", "bash", "--noprofile", "--norc"]);
        command.args(["-eo", "pipefail", "-c", script]);
        command.current_dir(self.workspace()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
            .env("HOME", self.home.path())
            .env("RUNNER_TEMP", &temp)
            .env("RUNNER_TOOL_CACHE", self.home.path().join("tools"))
            .env("GITHUB_ACTION_PATH", root())
            .env("GITHUB_OUTPUT", &output)
            .env("GITHUB_STEP_SUMMARY", &summary)
            .envs(env);
        let done = command.output().expect("run bash");
        let text = |path: &Path| fs::read_to_string(path).expect("what the step wrote");
        let outputs = text(&output);
        let pairs = outputs
            .lines()
            .map(|line| line.split_once('=').expect(line));
        let log = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        Plaintexts::all().must_not_be_in(&log, "the log of a step");
        Plaintexts::all().must_not_be_in(&text(&summary), "the summary of a step");
        Ran {
            success: done.status.success(),
            log,
            summary: text(&summary),
            outputs: pairs.map(|(k, v)| (k.to_owned(), v.into())).collect(),
        }
    }

    fn uses(&self, uses: &str, with: Map<String, Value>, env: &Env) -> Ran {
        let done = Ran {
            success: true,
            ..Ran::default()
        };
        let input = |name: &str| with.get(name).and_then(Value::as_str).unwrap_or_default();
        match uses.split('@').next().unwrap_or_default() {
            "actions/checkout" => {
                self.checkout(input("fetch-depth"));
                done
            }
            "actions/upload-artifact" => {
                self.upload(input("name"), Path::new(input("path")));
                done
            }
            "actions/download-artifact" => {
                self.download(input("name"), input("run-id"), Path::new(input("path")));
                done
            }
            "OWNER/lkroute" => self.composite(with, env),
            uses => panic!("what is {uses}"),
        }
    }

    /// Clones the commit of the event, as deep as asked for; a runner starts
    /// with an empty directory.
    fn checkout(&self, depth: &str) {
        let (from, to) = (self.origin.display(), self.workspace());
        let sha = self.context["sha"].as_str().expect("a commit");
        git(&to, &["init", "-q"]);
        let from = format!("file://{from}");
        let whole = ["fetch", "-q", &from, "+refs/*:refs/remotes/origin/*", sha];
        let cut = ["fetch", "-q", "--depth", "1", &from, sha];
        git(&to, if depth == "0" { &whole } else { &cut });
        git(&to, &["checkout", "-q", "--detach", sha]);
    }

    /// Artifacts outlive the run: they lie beside the bare repository.
    fn artifact(&self, run: &str, name: &str) -> PathBuf {
        self.origin.join("artifacts").join(run).join(name)
    }

    fn upload(&self, name: &str, from: &Path) {
        let run = self.context["run_id"].as_str().expect("an id");
        let dir = self.artifact(run, name);
        fs::create_dir_all(&dir).expect("make it");
        copy(from, &dir);
        let pull = &self.context["event"]["pull_request"];
        let head = pull["head"]["sha"].as_str();
        let head = head.or(self.context["sha"].as_str());
        let run: u64 = run.parse().expect("a number");
        let mut state = self.github.state();
        state.artifacts.push(json!({
            "name": name, "expired": false, "created_at": "2026-11-21T02:24:00Z",
            "workflow_run": { "id": run },
        }));
        state.runs.push(json!({
            "id": run, "head_sha": head, "event": self.context["event_name"],
            "path": ".github/workflows/routing-plan.yml", "created_at": "2026-11-21T02:23:00Z",
            "repository": { "id": 1 }, "head_repository": { "id": 1 },
        }));
    }

    fn download(&self, name: &str, run: &str, to: &Path) {
        fs::create_dir_all(to).expect("make it");
        copy(&self.artifact(run, name), to);
    }
}

/// Copies the files of a directory.
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("a file of it");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("copy it");
    }
}

/// A map of a step with its expressions evaluated.
fn values(map: &Value, contexts: &Value) -> Map<String, Value> {
    let Some(map) = map.as_object() else {
        return Map::new();
    };
    let shown = |value: &Value| match value {
        Value::String(text) => substitute(text, contexts),
        value => value.to_string(),
    };
    map.iter()
        .map(|(name, value)| (name.clone(), shown(value).into()))
        .collect()
}
