//! `diff` and `plan --against`: plans without a database, on real git
//! repositories.

use std::fs;

use crate::git::git;
use crate::support::{Lkroute, words_of};

const INDIA: &str = "routing/india.toml";
const UAE: &str = "routing/uae.toml";

/// A routing test that holds for the sample.
const EXPECT: &str = "
[[expect]]
from = \"+971545335200\"
tenant = \"sasya\"
trunk = \"ST_svHE4RdTc7Ds\"
";

/// The two regions without their routing tests, committed.
fn repository() -> Lkroute {
    let mut lkroute = Lkroute::with_two_regions();
    // Whatever these are, a diff has no use for them.
    lkroute.env("CI", "true").env("DATABASE_URL", "");
    lkroute.env("LKROUTE_KEYS", "not a key ring");
    for name in [INDIA, UAE] {
        let text = lkroute.read(name);
        let text = text.split("\n[[expect]]").next().expect("a part");
        lkroute.write(name, text);
    }
    git(lkroute.path(), &["init", "-q", "-b", "main"]);
    commit(&lkroute);
    lkroute
}

fn commit(lkroute: &Lkroute) -> String {
    git(lkroute.path(), &["add", "-A"]);
    git(
        lkroute.path(),
        &["commit", "-q", "--allow-empty", "-m", "x"],
    );
    git(lkroute.path(), &["rev-parse", "HEAD"])
}

/// Runs it with `--format json`: the changes, as `action address`.
#[track_caller]
fn changes(lkroute: &Lkroute, args: &[&str]) -> Vec<String> {
    let args = [args, &["--format", "json"]].concat();
    let report = lkroute.run(&args).expect_code(0).json();
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    let changes = report["changes"].as_array().expect("a list");
    let one = |change: &serde_json::Value| {
        format!("{} {}", text(&change["action"]), text(&change["address"]))
    };
    changes.iter().map(one).collect()
}

#[test]
fn revisions_and_the_work_tree_are_compared() {
    let lkroute = repository();
    let none: [&str; 0] = [];
    assert_eq!(changes(&lkroute, &["diff"]), none);
    lkroute.edit(
        INDIA,
        "worker_name = \"voag-dev\"",
        "worker_name = \"voag-dev-v2\"",
    );
    let worker = ["update config.india-techiemaya-cloud"];
    assert_eq!(changes(&lkroute, &["diff"]), worker);
    assert_eq!(changes(&lkroute, &["plan", "--against", "HEAD"]), worker);
    let two = commit(&lkroute);
    assert_eq!(changes(&lkroute, &["diff"]), none);
    assert_eq!(changes(&lkroute, &["diff", "main^", "main"]), worker);
    assert_eq!(changes(&lkroute, &["diff", "HEAD^1"]), worker);
    assert_eq!(changes(&lkroute, &["diff", &two[..8], &two]), none);

    let pending = lkroute.run(&["diff", "HEAD^1", "--detailed-exitcode"]);
    let pending = pending.expect_code(2);
    assert_contains!(pending.stdout, "+ worker_name = \"voag-dev-v2\"");
    assert_contains!(pending.stdout, "routing/india.toml:");
    lkroute.run(&["diff", "--detailed-exitcode"]).expect_code(0);
    let report = lkroute.run(&["diff", "HEAD^", "HEAD", "--format", "markdown"]);
    let report = report.expect_code(0).stdout;
    assert_starts!(report, "<!-- lkroute plan -->\n");
    assert_contains!(report, "changes worker: `voag-dev` → `voag-dev-v2`");
    assert_contains!(report, format!("HEAD ({})", &two[..12]));
    assert!(!report.contains("--expect"), "no digest is said: {report}");
    assert!(!lkroute.path().join("lkroute.db").exists());
}

/// Between revisions too: terms, where the route stays, and where new numbers
/// go.
#[test]
fn a_diff_speaks_of_terms_and_of_new_numbers() {
    let lkroute = repository();
    lkroute.edit(UAE, "[\"0\", ", "[\"0088216\", ");
    let new = "[[bindings]]\nnumber = \"+971545335209\"\ntenant = \"sasya\"\n";
    lkroute.write("routing/new.toml", new);
    let said = lkroute.run(&["diff"]).expect_code(0).stdout;
    let words = words_of(&said);
    for told in [
        "1 number of `sasya`: dialled 0… → 0088216…",
        "1 number of `sasya` is new → `uae-vm-selfhosted`",
    ] {
        assert!(words.contains(told), "{told}\n{said}");
    }
    assert!(!words.contains("No number is rerouted"), "{said}");
}

#[test]
fn moving_a_definition_to_another_file_is_no_change() {
    let lkroute = repository();
    let text = lkroute.read(INDIA);
    let (config, bindings) = text.split_once("[[bindings]]").expect("bindings");
    lkroute.write(
        "routing/deep/er/numbers.toml",
        &format!("[[bindings]]{bindings}"),
    );
    lkroute.write("routing/z.toml", config);
    fs::remove_file(lkroute.path().join(INDIA)).expect("remove it");
    let report = lkroute.run(&["diff", "--detailed-exitcode"]).expect_code(0);
    assert_starts!(report.stdout, "No changes");
}

#[test]
fn another_directory_is_a_state_too() {
    let lkroute = repository();
    for name in ["india", "tenants", "uae"] {
        let text = lkroute.read(format!("routing/{name}.toml"));
        lkroute.write(format!("before/{name}.toml"), &text);
    }
    lkroute.edit("before/uae.toml", "ST_svHE4RdTc7Ds", "ST_Other");
    let against = ["plan", "--against", "before"];
    assert_eq!(
        changes(&lkroute, &against),
        ["update config.uae-vm-selfhosted"]
    );
    let beside = ["plan", "--against", "HEAD", "--target", "config.a"];
    lkroute.run(&beside).expect_code(1);
}

#[test]
fn guards_and_routing_tests_speak_offline_too() {
    let lkroute = repository();
    // The only number of a tenant goes, and with it its route.
    let text = lkroute.read(UAE);
    let (config, _) = text.split_once("[[bindings]]").expect("bindings");
    lkroute.write(UAE, config);
    let report = lkroute
        .run(&["diff", "--format", "json"])
        .expect_code(4)
        .json();
    assert_ne!(report["refusals"].as_array().expect("a list").len(), 0);

    lkroute.write(UAE, &format!("{text}{}", EXPECT.replace("ST_", "ST_x")));
    let report = lkroute.run(&["diff"]).expect_code(3);
    assert_contains!(report.stdout, "routing/uae.toml:");
    lkroute.write(UAE, &format!("{text}\nnonsense"));
    lkroute.run(&["diff"]).expect_code(3);
    commit(&lkroute);
    lkroute.write(UAE, &text);
    let report = lkroute.run(&["diff"]).expect_code(3);
    assert_contains!(report.stderr, "the files at HEAD (");
    assert_eq!(changes(&lkroute, &["diff", "HEAD^"]), [""; 0]);
}

#[test]
fn a_directory_that_was_not_there_is_told_apart() {
    let lkroute = repository();
    let none = "--routing=elsewhere/routing";
    lkroute.run(&[none, "diff", "HEAD", "HEAD"]).expect_code(3);
    fs::create_dir(lkroute.path().join("elsewhere")).expect("make it");
    let routing = lkroute.path().join("routing");
    fs::rename(routing, lkroute.path().join("elsewhere/routing")).expect("move it");
    let new = lkroute
        .run(&[none, "diff", "--detailed-exitcode"])
        .expect_code(2);
    assert_contains!(new.stderr, "everything is new");
    let gone = lkroute.run(&["diff"]).expect_code(3);
    assert_contains!(gone.stdout, "no-directory");
    commit(&lkroute);
    let gone = lkroute.run(&["diff", "HEAD^", "HEAD"]).expect_code(3);
    assert_contains!(gone.stdout, "no directory `routing` at HEAD");
    // From within the directory, and by a whole path.
    let routing = lkroute.path().join("elsewhere/routing");
    let whole = routing.to_str().expect("plain");
    lkroute
        .run(&["--routing", whole, "diff", "--detailed-exitcode"])
        .expect_code(0);
}

#[test]
fn a_shallow_clone_says_what_to_set() {
    let lkroute = repository();
    commit(&lkroute);
    let clone = Lkroute::new();
    let from = format!("file://{}", lkroute.path().display());
    git(clone.path(), &["clone", "-q", "--depth", "1", &from, "."]);
    clone.run(&["diff"]).expect_code(0);
    let cut = clone.run(&["diff", "HEAD^1", "HEAD"]).expect_code(1);
    assert_contains!(cut.stderr, "fetch-depth: 0");
    let unknown = lkroute.run(&["diff", "nowhere"]).expect_code(1);
    assert_contains!(unknown.stderr, "git knows no revision nowhere");
    let option = lkroute.run(&["diff", "--", "--output=x"]).expect_code(1);
    assert_contains!(option.stderr, "git knows no revision");
    let outside = Lkroute::with_two_regions();
    let outside = outside.run(&["diff"]).expect_code(1);
    assert_contains!(outside.stderr, "`routing` is in no git repository");
}

#[test]
fn every_format_of_a_review_is_there() {
    let lkroute = repository();
    let text = lkroute.read(UAE).replace("ST_svHE4RdTc7Ds", "ST_Other");
    lkroute.write(UAE, &format!("{text}{EXPECT}"));
    let run = |args: &[&str], code: i32| lkroute.run(args).expect_code(code).stdout;
    let broken = run(&["diff", "--format", "github"], 3);
    assert_contains!(broken, "::error file=routing/uae.toml,line=");
    let broken = run(&["validate", "--format", "markdown"], 3);
    assert_contains!(broken, "### ⛔ Routing files");
    lkroute.write(UAE, &text);
    for command in ["diff", "validate"] {
        let noted = run(&[command, "--format", "github"], 0);
        assert_contains!(noted, "::warning file=routing/uae.toml,line=12");
        assert_eq!(
            noted.contains("::notice file=routing/uae.toml"),
            command == "diff"
        );
        let log: serde_json::Value =
            serde_json::from_str(&run(&[command, "--format", "sarif"], 0)).expect("JSON");
        assert_eq!(log["runs"][0]["results"][0]["ruleId"], "plain-http");
        run(&[command, "--format", "markdown"], 0);
    }
    let failed = run(&["diff", "nowhere", "--format", "markdown"], 1);
    assert_contains!(failed, "git knows no revision nowhere");
}

#[test]
fn files_may_begin_to_declare_environments() {
    let lkroute = repository();
    let text = lkroute.read("routing/tenants.toml");
    let declared = "\n[environments.production]\ndatabase = \"MADE_UP_URL\"\n";
    lkroute.write("routing/tenants.toml", &format!("{text}{declared}"));
    let report = lkroute.run(&["--env", "production", "diff", "--format", "json"]);
    assert_eq!(report.expect_code(0).json()["environment"], "production");
    lkroute.run(&["diff"]).expect_code(3);
}
