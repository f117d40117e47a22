//! A team that keeps its routing in git: a bare origin, a clone to work in, a
//! database, and GitHub beside them.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;

use super::github::{GitHub, REPOSITORY};
use super::runner::{Ran, Runner, yaml};
use crate::git::git;
use crate::support::{Lkroute, block_on};

pub struct World {
    /// Where the team works: a clone with the routing files.
    pub clone: Lkroute,
    pub github: GitHub,
    origin: TempDir,
    pub database: String,
    runs: u32,
}

/// A pull request, as its event tells of it.
pub struct Pull {
    pub head: String,
    merge: String,
    repository: &'static str,
}

impl World {
    /// The two regions on main, applied.
    pub fn new() -> World {
        let origin = tempfile::tempdir().expect("a directory");
        git(origin.path(), &["init", "-q", "--bare", "-b", "main"]);
        let mut clone = Lkroute::with_two_regions();
        let database = format!("sqlite://{}", clone.path().join("it.db").display());
        clone.env("DATABASE_URL", &database);
        let tenants = clone.read("routing/tenants.toml");
        let declared = "[environments.production]\ndatabase = \"DATABASE_URL\"\n";
        clone.write("routing/tenants.toml", &format!("{tenants}\n{declared}"));
        clone.write(".gitignore", "/it.db*\n");
        git(clone.path(), &["init", "-q", "-b", "main"]);
        let url = origin.path().to_str().expect("plain");
        git(clone.path(), &["remote", "add", "origin", url]);
        let world = World {
            clone,
            github: GitHub::start(),
            origin,
            database,
            runs: 40,
        };
        world.commit("start");
        let applied = ["--env", "production", "apply", "--auto-approve"];
        world.clone.run(&applied).expect_code(0);
        world
    }

    /// Commits what is there and pushes the branch.
    pub fn commit(&self, message: &str) -> String {
        let dir = self.clone.path();
        git(dir, &["add", "-A"]);
        git(dir, &["commit", "-q", "--allow-empty", "-m", message]);
        git(dir, &["push", "-q", "--force", "origin", "HEAD"]);
        git(dir, &["rev-parse", "HEAD"])
    }

    pub fn branch(&self, name: &str) {
        git(self.clone.path(), &["checkout", "-q", "-B", name]);
    }

    /// What GitHub makes of the branch at hand: a merge with main, to test.
    pub fn pull(&self, repository: &'static str) -> Pull {
        let dir = self.clone.path();
        let head = self.commit("change");
        git(dir, &["checkout", "-q", "--detach", "origin/main"]);
        git(dir, &["merge", "-q", "--no-ff", "-m", "merge", &head]);
        let merge = git(dir, &["rev-parse", "HEAD"]);
        git(
            dir,
            &["push", "-q", "--force", "origin", "HEAD:refs/pull/7/merge"],
        );
        git(dir, &["checkout", "-q", "-B", "change", &head]);
        Pull {
            head,
            merge,
            repository,
        }
    }

    /// Merges the branch as one commit on main; GitHub knows whose it was.
    pub fn squash(&self, pull: &Pull) -> String {
        let dir = self.clone.path();
        git(dir, &["checkout", "-q", "-B", "main", "origin/main"]);
        git(dir, &["merge", "-q", "--squash", &pull.head]);
        let sha = self.commit("squashed (#7)");
        self.github.state().pulls = vec![json!({
            "number": 7, "merged_at": "2026-11-21T02:24:00Z",
            "merge_commit_sha": sha, "head": { "sha": pull.head }, "base": { "ref": "main" },
        })];
        sha
    }

    /// Runs a job of `docs/ci/plan.yml`, where its condition holds.
    pub fn on_pull(&mut self, job: &str, pull: &Pull) -> Option<Ran> {
        let secrets = match pull.repository == REPOSITORY {
            true => json!({ "DATABASE_URL": self.database }),
            false => json!({}),
        };
        let event = json!({ "pull_request": {
            "number": 7,
            "head": { "sha": pull.head, "repo": { "full_name": pull.repository } },
            "base": { "ref": "main" },
        }});
        let workflow = yaml("docs/ci/plan.yml");
        self.run(
            &workflow["jobs"][job],
            ("pull_request", &pull.merge),
            (event, secrets),
            "",
        )
    }

    /// Runs the job of `docs/ci/apply.yml` on a commit of main.
    pub fn on_merge(&mut self, sha: &str, expect: &str) -> Ran {
        let event = if expect.is_empty() {
            "push"
        } else {
            "workflow_dispatch"
        };
        let secrets = json!({ "DATABASE_URL": self.database, "LKROUTE_KEYS": "" });
        let job = &yaml("docs/ci/apply.yml")["jobs"]["apply"];
        let ran = self.run(job, (event, sha), (json!({}), secrets), expect);
        ran.expect("it has no condition")
    }

    fn run(
        &mut self,
        job: &Value,
        (event, sha): (&str, &str),
        (payload, secrets): (Value, Value),
        expect: &str,
    ) -> Option<Ran> {
        self.runs += 1;
        let mut runner = Runner::new(&self.github, self.origin.path(), event, sha);
        runner.context["event"] = payload;
        runner.context["actor"] = "somebody".into();
        runner.context["run_id"] = self.runs.to_string().into();
        runner.secrets = secrets;
        runner.inputs = json!({ "expect": expect });
        runner.job(job)
    }

    /// The name of the artifact that the last run kept, and its files.
    pub fn kept(&self) -> (String, Vec<String>) {
        let dir = self.origin.path().join("artifacts");
        let dir = dir.join(self.runs.to_string());
        let names = names(&dir);
        let [name] = &names[..] else {
            panic!("{names:?}");
        };
        (name.clone(), self::names(&dir.join(name)))
    }

    /// Lets other software write to the database.
    pub fn outside(&self, sql: &'static str) {
        block_on(async {
            let mut database = SqliteConnection::connect(&self.database)
                .await
                .expect("a connection");
            let done = sqlx::query(sql).execute(&mut database).await;
            assert_eq!(done.expect("it works").rows_affected(), 1);
        });
    }

    /// The worker of a config, as the database has it.
    pub fn worker(&self, config: &str) -> String {
        block_on(async {
            let mut database = SqliteConnection::connect(&self.database)
                .await
                .expect("a connection");
            let worker = "SELECT worker_name FROM voice_agent_livekit WHERE name = $1";
            let worker = sqlx::query_scalar(worker).bind(config);
            worker.fetch_one(&mut database).await.expect("one row")
        })
    }
}

/// What a directory holds, sorted.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a directory");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
    let mut names: Vec<_> = entries
        .map(|entry| name(entry).into_string().expect("plain"))
        .collect();
    names.sort();
    names
}
