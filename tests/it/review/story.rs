//! The whole way of one change: a branch, its review without a database, the
//! refusal, the exception, the approved plan, the squash merge, the apply, and
//! what happens where somebody else was there first.

use serde_json::Value;

use crate::git::git;
use crate::support::{Lkroute, block_on};

const UAE: &str = "routing/uae.toml";
const NUMBERS: &str = "routing/numbers.toml";
const GONE: &str = "+971545339002";

/// Four hundred numbers more.
const MORE: &str = r#"[[bindings]]
range = ["+971545335201", "+971545335599"]
tenant = "sasya"

[[bindings]]
numbers = [
    "+971545339000",
    "+971545339001",
    "+971545339002",
]
tenant = "techiemaya-test"
"#;

/// A work tree on `change`, with main on a bare origin and applied.
struct Story {
    clone: Lkroute,
    origin: tempfile::TempDir,
}

impl Story {
    fn begin() -> Story {
        let origin = tempfile::tempdir().expect("a directory");
        git(origin.path(), &["init", "-q", "--bare", "-b", "main"]);
        let mut clone = Lkroute::with_two_regions();
        let database = format!("sqlite://{}", clone.path().join("it.db").display());
        clone.env("DATABASE_URL", &database).env("CI", "true");
        clone.write(".gitignore", "/it.db*\n/approved.lkplan\n");
        clone.write(NUMBERS, MORE);
        git(clone.path(), &["init", "-q", "-b", "main"]);
        let url = origin.path().to_str().expect("plain");
        git(clone.path(), &["remote", "add", "origin", url]);
        let story = Story { clone, origin };
        story.commit("The two regions");
        story.clone.run(&["apply", "--auto-approve"]).expect_code(0);
        git(story.clone.path(), &["checkout", "-q", "-b", "change"]);
        story
    }

    fn commit(&self, message: &str) {
        git(self.clone.path(), &["add", "-A"]);
        git(self.clone.path(), &["commit", "-q", "-m", message]);
        git(self.clone.path(), &["push", "-q", "origin", "HEAD"]);
    }

    /// One worker, one binding, two numbers to the other region.
    fn change(&self) {
        self.clone
            .edit(UAE, "\"voag-staging\"", "\"voag-production\"");
        self.clone.edit(NUMBERS, &format!("    \"{GONE}\",\n"), "");
        let tenant = "tenant = \"techiemaya-test\"\n";
        let moved = format!("{tenant}config = \"india-techiemaya-cloud\"\n");
        self.clone.edit(NUMBERS, tenant, &moved);
        self.commit("Production for sasya");
    }

    /// What the refusals ask to be pasted, with a reason.
    fn allow(&self, refusals: &Value) {
        let hints = refusals.as_array().expect("a list").iter();
        let blocks = hints.map(|refusal| {
            let hint = refusal["hint"].as_str().expect("a hint");
            let (_, block) = hint.split_once('\n').expect("a block");
            block.replace("reason = \"\"", "reason = \"the pilot is over\"") + "\n"
        });
        let blocks: String = blocks.collect();
        self.clone.write("routing/allow.toml", &blocks);
        self.commit("Allow it");
    }

    /// A merge as one commit, by somebody else, that the clone then has.
    fn squash_merge(&self) {
        let other = tempfile::tempdir().expect("a directory");
        let url = self.origin.path().to_str().expect("plain");
        git(other.path(), &["clone", "-q", url, "."]);
        git(other.path(), &["merge", "-q", "--squash", "origin/change"]);
        git(
            other.path(),
            &["commit", "-q", "-m", "Production for sasya (#7)"],
        );
        git(other.path(), &["push", "-q", "origin", "main"]);
        git(self.clone.path(), &["checkout", "-q", "main"]);
        git(self.clone.path(), &["pull", "-q", "origin", "main"]);
    }

    fn outside(&self, sql: &'static str) {
        let url = format!("sqlite://{}", self.clone.path().join("it.db").display());
        block_on(async {
            use sqlx::Connection;
            let connection = sqlx::SqliteConnection::connect(&url).await;
            let mut connection = connection.expect("a database");
            let done = sqlx::query(sql).execute(&mut connection);
            assert_eq!(done.await.expect("it works").rows_affected(), 1, "{sql}");
        });
    }
}

/// Level, file, line and title of each annotation.
fn annotations(text: &str) -> Vec<(String, String, usize, String)> {
    let of_a_place = text.lines().filter(|line| line.contains(" file="));
    let read = |line: &str| {
        let rest = line.strip_prefix("::").expect("a command");
        let (level, rest) = rest.split_once(" file=").expect("a file");
        let (file, rest) = rest.split_once(",line=").expect("a line");
        let at = rest.split(',').next().expect("a number");
        let (_, title) = rest.split_once("title=").expect("a title");
        let (title, _) = title.split_once("::").expect("a message");
        (
            level.to_owned(),
            file.to_owned(),
            at.parse().expect("a number"),
            title.replace("%3A", ":"),
        )
    };
    of_a_place.map(read).collect()
}

#[test]
fn a_change_is_reviewed_refused_allowed_approved_merged_and_applied() {
    let story = Story::begin();
    let lkroute = &story.clone;
    story.change();

    // Offline, as a fork would see it.
    let diff = lkroute.run(&["diff", "main", "HEAD"]).expect_code(4);
    for part in [
        "3 to update, 1 to delete",
        "400 numbers of `sasya` change worker: `voag-staging` → `voag-production`",
        "2 numbers of `techiemaya-test` move `uae-vm-selfhosted` →",
        "1 number of `techiemaya-test` loses its route",
        "error[route-lost]",
        "error[tenant-rerouted]",
    ] {
        assert_contains!(diff.stdout, part);
    }

    let wide = |line: &&str| line.chars().count() > 80;
    assert_eq!(diff.stdout.lines().find(wide), None);
    let plan = lkroute.run(&["plan", "--full"]).expect_code(4).stdout;
    assert_eq!(plan.lines().find(wide), None);

    // With the database the same, refused too, as a comment and on the lines.
    let comment = lkroute.run(&["plan", "--format", "markdown"]);
    let comment = comment.expect_code(4).stdout;
    for part in [
        "### ⛔ Routing plan: refused by the guards",
        "**400 numbers of `sasya` change worker",
        "```mermaid\n",
        "[[guards.allow]]",
    ] {
        assert_contains!(comment, part);
    }
    let noted = lkroute.run(&["plan", "--format", "github"]).expect_code(4);
    let noted = annotations(&noted.stdout);
    let mut at = Vec::new();
    for (level, file, line, title) in &noted {
        let text = lkroute.read(file);
        let text = text.lines().nth(line - 1).unwrap_or_default().trim();
        at.push(format!("{level} {title}: {text}"));
    }
    for wanted in [
        "error tenant-rerouted: worker_name = \"voag-production\"",
        "warning plain-http: url = \"http://livekit.uae.example:7880\"",
        "notice update: config.uae-vm-selfhosted: worker_name = \"voag-production\"",
        "notice update: binding.+971545339000@techiemaya-test: \"+971545339000\",",
        "notice update: binding.+971545339001@techiemaya-test: \"+971545339001\",",
    ] {
        assert!(at.contains(&wanted.to_owned()), "{wanted}: {at:#?}");
    }
    let deleted = format!("delete: binding.{GONE}@techiemaya-test");
    let before = git(lkroute.path(), &["show", &format!("main:{NUMBERS}")]);
    let deleted = noted.iter().find(|(.., title)| *title == deleted);
    let (_, _, line, _) = deleted.expect("an annotation");
    assert!(
        before
            .lines()
            .nth(line - 1)
            .is_some_and(|text| text.contains(GONE))
    );

    // The exceptions that the refusals print let it pass.
    let refused = lkroute.run(&["plan", "--format", "json"]).expect_code(4);
    story.allow(&refused.json()["refusals"]);
    let plan = ["plan", "--detailed-exitcode", "--out", "approved.lkplan"];
    lkroute.run(&plan).expect_code(2);

    // Somebody writes to one of its rows before it is applied.
    story.squash_merge();
    story.outside(
        "UPDATE voice_agent_livekit SET trunk_id = 'ST_hotfix' WHERE name = 'uae-vm-selfhosted'",
    );
    let stale = lkroute.run(&["apply", "approved.lkplan"]).expect_code(5);
    for part in [
        "the plan is not the one that was approved",
        "trunk_id",
        "ST_hotfix",
    ] {
        assert_contains!(stale.stderr, part);
    }
    let resolved = |from: &str| {
        let found = lkroute.run(&["resolve", "--from", from, "--format", "json"]);
        let found = found.json();
        (found["worker_name"].clone(), found["trunk_id"].clone())
    };
    let hotfix = ("voag-staging".into(), "ST_hotfix".into());
    assert_eq!(resolved("+971545335200"), hotfix, "nothing was written");

    // Taken back, the approved plan applies, though main is another commit.
    story.outside(
        "UPDATE voice_agent_livekit SET trunk_id = 'ST_svHE4RdTc7Ds'
         WHERE name = 'uae-vm-selfhosted'",
    );
    lkroute.run(&["apply", "approved.lkplan"]).expect_code(0);
    assert_eq!(resolved("+971545335200").0, "voag-production");
    assert_eq!(
        resolved("+971545339000").0,
        "voag-dev",
        "in the other region"
    );
    lkroute.run(&["plan", "--detailed-exitcode"]).expect_code(0);
    let history = lkroute.run(&["history", "--format", "json"]).expect_code(0);
    let main = git(lkroute.path(), &["rev-parse", "HEAD"]);
    assert_eq!(history.json()["applies"][0]["revision"], main.as_str());
}
