//! The formats of a review, from the command line, on the sample routing.

use serde_json::Value;

use crate::support::{Lkroute, golden};

const NUMBERS: &str = "routing/numbers.toml";

/// The two regions with four hundred numbers more, applied.
fn applied() -> Lkroute {
    let lkroute = Lkroute::with_two_regions();
    lkroute.write(
        NUMBERS,
        r#"
[[bindings]]
range = ["+971545335201", "+971545335599"]
tenant = "sasya"

[[bindings]]
numbers = ["+971545339000", "+971545339001", "+971545339002"]
tenant = "techiemaya-test"
"#,
    );
    lkroute.run(&["apply", "--auto-approve"]).expect_code(0);
    lkroute
}

/// What the issue asks to see: a worker changes, a number goes, one moves to
/// another region.
fn changed() -> Lkroute {
    let lkroute = applied();
    let uae = lkroute.read("routing/uae.toml");
    lkroute.write(
        "routing/uae.toml",
        &uae.replace("voag-staging", "voag-production"),
    );
    lkroute.edit(
        NUMBERS,
        ", \"+971545339001\", \"+971545339002\"",
        ", \"+971545339001\"",
    );
    lkroute.edit(
        NUMBERS,
        "tenant = \"techiemaya-test\"",
        "tenant = \"techiemaya-test\"\nconfig = \"india-techiemaya-cloud\"",
    );
    lkroute
}

/// Exceptions end so many days from today.
fn without_dates(text: &str) -> String {
    let mut parts = text.split("expires = \"");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, rest| {
        format!("{text}expires = \"DATE{}", &rest[10..])
    })
}

#[test]
fn a_comment_says_who_is_rerouted_and_why_it_is_refused() {
    let report = changed()
        .run(&["plan", "--format", "markdown"])
        .expect_code(4);
    golden("commands/plan.md", &without_dates(&report.stdout));
}

#[test]
fn annotations_stand_on_the_lines_of_the_files() {
    let lkroute = changed();
    let report = lkroute.run(&["plan", "--format", "github"]).expect_code(4);
    for line in report.stdout.lines().filter(|line| line.contains("file=")) {
        let value = |key: &str| {
            let (_, rest) = line.split_once(key).expect(key);
            rest.split([',', ':']).next().expect("a value").to_owned()
        };
        let at: usize = value("line=").parse().expect("a line");
        assert!(
            at >= 1 && at <= lkroute.read(value("file=")).lines().count(),
            "{line}"
        );
    }
    golden("commands/plan.github.txt", &without_dates(&report.stdout));
}

#[test]
fn code_scanning_sees_what_stands_in_the_way() {
    let report = changed().run(&["plan", "--format", "sarif"]).expect_code(4);
    let log: Value = serde_json::from_str(&report.stdout).expect("JSON");
    let results = log["runs"][0]["results"].as_array().expect("results");
    assert!(
        results.iter().any(|result| result["level"] == "error"),
        "{log:#}"
    );
}

#[test]
fn a_database_that_can_not_be_reached_is_said_in_every_format() {
    let lkroute = Lkroute::with_two_regions();
    let plan = [
        "plan",
        "--database",
        "postgres://127.0.0.1:1/none",
        "--format",
    ];
    let run = |format| {
        lkroute
            .run(&[&plan[..], &[format]].concat())
            .expect_code(1)
            .stdout
    };
    let comment = run("markdown");
    assert_starts!(
        comment,
        "<!-- lkroute plan -->\n### ⛔ Routing plan: not possible\n"
    );
    let annotation = run("github");
    assert_starts!(annotation, "::error title=not-possible::");
    let log: Value = serde_json::from_str(&run("sarif")).expect("JSON");
    assert_eq!(log["runs"][0]["results"][0]["ruleId"], "not-possible");
}

#[test]
fn the_sample_routing_is_drawn() {
    let lkroute = Lkroute::with_two_regions();
    let picture = lkroute.run(&["graph"]).expect_code(0);
    golden("commands/graph.mmd", &picture.stdout);
    let picture = lkroute.run(&["graph", "--format", "dot"]).expect_code(0);
    assert_starts!(picture.stdout, "digraph routing {");
}

#[test]
fn in_github_actions_a_report_says_which_run_it_is_of() {
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.env("GITHUB_SERVER_URL", "https://git.example");
    lkroute.env("GITHUB_REPOSITORY", "acme/routing");
    lkroute.env("GITHUB_RUN_ID", "42");
    let report = lkroute
        .run(&["plan", "--format", "markdown"])
        .expect_code(0);
    let link = "full report: [open it](https://git.example/acme/routing/actions/runs/42)";
    assert_contains!(report.stdout, link);
}
