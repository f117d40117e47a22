//! Findings for code scanning.

use lkroute::finding::{Finding, Place};
use lkroute::render::sarif::sarif_log;
use serde_json::Value;

use crate::support::golden;

fn at(line: u32, text: &str) -> Place {
    Place {
        line,
        column: 10,
        width: 17,
        text: text.into(),
        ..Place::file("./routing/in dia.toml")
    }
}

fn findings(shift: u32) -> Vec<Finding> {
    vec![
        Finding::warning("plain-http", "not encrypted")
            .at(at(12 + shift, "url = \"http://a.example\"")),
        Finding::error("unknown-tenant", "no tenant is called `a`")
            .at(at(31 + shift, "tenant = \"a\""))
            .also(
                Place {
                    line: 3,
                    ..Place::file("routing/uae.toml")
                },
                "a similar name",
            )
            .hint("did you mean `b`?"),
        Finding::error("unknown-tenant", "no tenant is called `a`")
            .at(at(41 + shift, "tenant = \"a\"")),
        Finding::error("empty-tree", "no file"),
    ]
}

fn read(findings: &[Finding]) -> Value {
    let text = sarif_log(findings, "routing").expect("a log");
    serde_json::from_str(&text).expect("JSON")
}

/// The version is left out: it changes with every release.
#[test]
fn findings_have_rules_places_and_fingerprints() {
    let text = sarif_log(&findings(0), "routing").expect("a log");
    golden(
        "sarif/findings.json",
        &text.replace(env!("CARGO_PKG_VERSION"), "VERSION"),
    );
}

#[test]
fn a_finding_keeps_its_fingerprint_when_its_line_moves() {
    let prints = |log: &Value| -> Vec<String> {
        let results = log["runs"][0]["results"].as_array().expect("results");
        results
            .iter()
            .map(|result| result["partialFingerprints"].to_string())
            .collect()
    };
    let (here, moved) = (prints(&read(&findings(0))), prints(&read(&findings(100))));
    assert_eq!(here, moved);
    let mut distinct = here.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(
        distinct.len(),
        here.len(),
        "two of a kind stay apart: {here:?}"
    );
}

#[test]
fn every_result_has_a_rule_and_a_line() {
    let many: Vec<Finding> = (1..6000)
        .map(|line| Finding::warning("a-code", "…").at(at(line, "")))
        .chain([Finding::error("an-error", "…")])
        .collect();
    let log = read(&many);
    let run = &log["runs"][0];
    let results = run["results"].as_array().expect("results");
    assert_eq!(results.len(), 5000);
    assert_eq!(results[0]["level"], "error", "the worst first");
    for result in results {
        let ix = result["ruleIndex"].as_u64().expect("an index") as usize;
        assert_eq!(run["tool"]["driver"]["rules"][ix]["id"], result["ruleId"]);
        let region = &result["locations"][0]["physicalLocation"]["region"];
        assert!(region["startLine"].as_u64() >= Some(1));
    }
    assert_eq!(read(&[])["runs"][0]["results"], Value::Array(Vec::new()));
}
