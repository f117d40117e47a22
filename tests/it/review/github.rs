//! Annotations, read back as the runner reads them.

use lkroute::fields::Field;
use lkroute::finding::{Finding, Place};
use lkroute::render::github::github_commands;
use proptest::prelude::*;

use super::world::{self, INDIA, Others, UAE};
use crate::support::golden;

/// Command, properties and message of a line, as `ActionCommand.cs` of
/// actions/runner takes them apart.
fn read(line: &str) -> (String, Vec<(String, String)>, String) {
    let rest = line.strip_prefix("::").expect("a command");
    let (info, data) = rest.split_once("::").expect("a message");
    let (name, properties) = info.split_once(' ').expect("properties");
    let plain = |text: &str| text.replace("%0D", "\r").replace("%0A", "\n");
    let properties = properties.split(',').map(|pair| {
        let (key, value) = pair.split_once('=').expect("a pair");
        let value = plain(value)
            .replace("%3A", ":")
            .replace("%2C", ",")
            .replace("%25", "%");
        (key.to_owned(), value)
    });
    (
        name.to_owned(),
        properties.collect(),
        plain(data).replace("%25", "%"),
    )
}

fn at(file: &str, line: u32, column: u32, width: u32) -> Place {
    Place {
        line,
        column,
        width,
        ..Place::file(file)
    }
}

#[test]
fn findings_conflicts_drift_and_changes_stand_on_their_lines() {
    let others = Others {
        configs: vec![
            (INDIA, Field::TrunkId, "ST_elsewhere"),
            (UAE, Field::WorkerName, "voag-hotfix"),
        ],
        ..Others::default()
    };
    let (plan, calls) = world::plan(&world::two_regions().0, &world::changed().0, &others);
    let findings = [
        Finding::error("unknown-tenant", "no tenant is called `a, b: 100 %`")
            .at(at("routing/a,b:c%.toml", 31, 10, 17))
            .also(at("routing/india.toml", 3, 0, 0), "a similar name")
            .hint("did you mean `techiemaya-test`?"),
        Finding::warning("no-place", "about the whole"),
    ];
    golden(
        "github/all.txt",
        &github_commands(&findings, Some((&plan, &calls))),
    );
}

#[test]
fn a_range_is_one_annotation_and_an_empty_plan_none() {
    let files = world::two_regions().0;
    let (plan, calls) = world::plan(&files, &files, &Others::default());
    assert_eq!(github_commands(&[], Some((&plan, &calls))), "");
    let (plan, calls) = world::plan(&files, &world::changed().0, &Others::default());
    let text = github_commands(&[], Some((&plan, &calls)));
    let created = text
        .lines()
        .filter(|line| line.contains("title=create"))
        .count();
    assert_eq!(created, 1, "{text}");
    assert_contains!(text, "and 19 more");
}

#[test]
fn ten_of_a_kind_the_worst_first_and_the_rest_counted() {
    let mut findings: Vec<Finding> = (1..=25)
        .map(|line| Finding::warning("a-warning", "…").at(at("a.toml", line, 1, 1)))
        .collect();
    findings
        .extend((1..=12).map(|line| Finding::error("an-error", "…").at(at("a.toml", line, 1, 1))));
    let mut after = world::two_regions();
    after.0.bindings.clear();
    for line in 0..40 {
        let first = format!("+91951345{line:04}");
        after = after.numbers(
            &first,
            1,
            1,
            "india-techiemaya-cloud",
            None,
            (1, 100 + line),
        );
    }
    let (plan, calls) = world::plan(&world::two_regions().0, &after.0, &Others::default());
    let text = github_commands(&findings, Some((&plan, &calls)));
    let count = |level: &str| text.lines().filter(|line| read(line).0 == level).count();
    assert_eq!(
        (count("error"), count("warning"), count("notice")),
        (10, 10, 10)
    );
    let levels: Vec<String> = text.lines().map(|line| read(line).0).collect();
    assert!(levels.is_sorted_by_key(|level| {
        ["error", "warning", "notice"]
            .iter()
            .position(|l| l == level)
    }));
    let (name, _, last) = read(text.lines().last().expect("a line"));
    assert_eq!(name, "notice");
    assert_starts!(last, "and 2 errors, 16 warnings, ");
    let titles: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("::notice"))
        .collect();
    assert!(
        titles[0].contains("title=delete"),
        "deletes come first: {titles:?}"
    );
    let all = 44 + 1;
    let told: usize = last
        .split(", ")
        .last()
        .and_then(|part| part.split(' ').next()?.parse().ok())
        .expect("a count");
    assert_eq!(told + 9, all - 1, "{last}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_in_a_text_ends_a_command(
        message in "\\PC{0,20}(\n::set-env name=X::|%0A::|\r\n|,|:|%)?\\PC{0,20}",
        file in "[a-z:,%\n =]{1,20}",
    ) {
        let finding = Finding::error("code", message.clone()).at(at(&file, 3, 1, 1));
        let text = github_commands(&[finding], None);
        prop_assert_eq!(text.lines().count(), 1);
        let (name, properties, read) = read(text.lines().next().unwrap_or_default());
        prop_assert_eq!(name, "error");
        let seen = |text: &str| text.replace('\n', "\\n");
        prop_assert_eq!(&properties[0], &("file".to_owned(), seen(&file)));
        prop_assert_eq!(properties.len(), 5);
        let plain = message.chars().all(|c| c == '\n' || c == ' ' || c.is_ascii_graphic());
        prop_assert!(!plain || read == seen(&message), "{} {}", read, message);
    }
}
