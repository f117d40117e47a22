//! The component for GitLab, from the merge request to the database, run by
//! gitlab-ci-local.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::runner::root;
use super::workflows::{CONFIG, INDIA, change_worker, has};
use super::world::World;
use crate::git::git;
use crate::support::{not_run, part};

/// The component as a project includes it, by a runner that reads it as GitLab
/// does: schema, inputs, rules, artifacts.
struct GitLab {
    program: PathBuf,
    world: World,
}

impl GitLab {
    fn with_component() -> Option<GitLab> {
        let Some(program) = part("LKROUTE_TEST_GITLAB_CI_LOCAL") else {
            not_run("gitlab-ci-local");
            return None;
        };
        let world = World::new();
        let clone = &world.clone;
        let component = fs::read_to_string(root().join("docs/ci/gitlab.yml"));
        clone.write("templates/lkroute.yml", &component.expect("the component"));
        let project = "include:\n  - local: templates/lkroute.yml\n    inputs:\n      \
                       environment: production\n      image: registry.example/lkroute\n";
        clone.write(".gitlab-ci.yml", project);
        let ignored = clone.read(".gitignore");
        let ignored =
            format!("{ignored}/.*\n!/.git*\n/.gitlab-ci-local/\n/plan.lkplan\n/report.md\n");
        clone.write(".gitignore", &ignored);
        world.commit("the component");
        Some(GitLab { program, world })
    }

    /// What it prints with these variables of the pipeline.
    fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> String {
        let top = self.world.clone.path();
        // The name of a project is read from here; nothing is asked there.
        let remote = ["remote", "set-url", "origin"];
        let there = git(top, &["remote", "get-url", "origin"]);
        git(
            top,
            &[&remote[..], &["git@gitlab.example:team/routing.git"]].concat(),
        );
        git(top, &["remote", "set-head", "origin", "main"]);
        let program = Path::new(env!("CARGO_BIN_EXE_lkroute"));
        let directory = program.parent().expect("a directory").display();
        let path = format!("{directory}:{}", std::env::var("PATH").expect("a PATH"));
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(top).env_clear();
        command.env("PATH", path).env("HOME", top).env("CI", "true");
        command.env("DATABASE_URL", &self.world.database);
        for (name, value) in variables {
            command.args(["--variable", &format!("{name}={value}")]);
        }
        let done = command.output().expect("run it");
        git(top, &[&remote[..], &[there.trim()]].concat());
        String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned()
    }

    fn job(&self, job: &str, variables: &[(&str, &str)]) -> String {
        self.run(&[job, "--force-shell-executor"], variables)
    }
}

#[test]
fn the_component_for_gitlab_plans_and_applies() {
    let Some(gitlab) = GitLab::with_component() else {
        return;
    };
    let world = &gitlab.world;
    let merge_request = ("CI_PIPELINE_SOURCE", "merge_request_event");
    let zero = format!("sha256:{}", "0".repeat(64));
    // Each job where it belongs, and nowhere else.
    let jobs = |variables: &[(&str, &str)]| {
        let listed = gitlab.run(&["--list"], variables);
        has(&listed, "json schema validated");
        (
            listed.contains("lkroute-plan"),
            listed.contains("lkroute-apply"),
        )
    };
    assert_eq!(jobs(&[]), (false, false));
    assert_eq!(jobs(&[("LKROUTE_EXPECT", &zero)]), (false, true));
    world.branch("change");
    assert_eq!(jobs(&[merge_request]), (false, false), "no routing changed");
    change_worker(world, "voag-dev", "voag-dev-v2");
    world.commit("another worker");
    assert_eq!(
        jobs(&[merge_request, ("LKROUTE_EXPECT", &zero)]),
        (true, false)
    );

    let planned = gitlab.job("lkroute-plan", &[merge_request]);
    has(&planned, "PASS  lkroute-plan");
    let kept = ".gitlab-ci-local/artifacts/lkroute-plan";
    has(
        &world.clone.read(format!("{kept}/report.md")),
        "`voag-dev` → `voag-dev-v2`",
    );
    let plan = world.clone.read(format!("{kept}/plan.lkplan"));
    let plan: serde_json::Value = serde_json::from_str(&plan).expect("JSON");
    let digest = plan["digest"].as_str().expect("a digest");
    git(world.clone.path(), &["switch", "-q", "main"]);
    git(world.clone.path(), &["merge", "-q", "--squash", "change"]);
    world.commit("another worker (!7)");
    let stale = gitlab.job("lkroute-apply", &[("LKROUTE_EXPECT", &zero)]);
    has(&stale, "FAIL 5");
    assert_eq!(world.worker(CONFIG), "voag-dev");
    let applied = gitlab.job("lkroute-apply", &[("LKROUTE_EXPECT", digest)]);
    has(&applied, "PASS  lkroute-apply");
    assert_eq!(world.worker(CONFIG), "voag-dev-v2");

    let india = world.clone.read(INDIA);
    world
        .clone
        .write(INDIA, &india.replace("[[bindings]]", "[[bindings"));
    world.commit("broken");
    has(&gitlab.job("lkroute-plan", &[merge_request]), "FAIL 3");
}
