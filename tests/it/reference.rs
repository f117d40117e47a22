//! The reference of the file format, made from the schema.

use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

use crate::support::pages::read_page;
use crate::support::{Lkroute, golden::same_file};

const MARK: &str = "<!-- generated -->\n";

/// Tables in the order in which people meet them: definition and heading.
const TABLES: [(&str, &str); 13] = [
    ("Region", "[regions.NAME]"),
    ("Config", "[configs.NAME], [configs.NAME.env.ENVIRONMENT]"),
    ("SecretSource", "api_secret = { … }"),
    ("Binding", "[[bindings]]"),
    ("Rules", "rules = { … }"),
    ("Environment", "[environments.NAME]"),
    ("Rollout", "[[rollouts]]"),
    ("Expect", "[[expect]]"),
    ("Guards", "[guards]"),
    (
        "Budget",
        "[guards.deletes], [guards.updates], [guards.reroutes]",
    ),
    ("Policy", "[guards.policy]"),
    ("Allow", "[[guards.allow]]"),
    ("Secrets", "[secrets]"),
];

/// Definitions that are told where they are used.
const INSIDE: [&str; 2] = ["Limit", "Binding2"];

#[test]
fn the_reference_of_the_files_is_the_schema() {
    let lkroute = Lkroute::new();
    let schema = lkroute.run(&["schema"]).expect_code(0).stdout;
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/files.md");
    let page = std::fs::read_to_string(&path).expect("the page");
    let (words, _) = page.split_once(MARK).expect("the mark");
    let mut made = format!("{words}{MARK}");
    section(&mut made, "At the top of a file", &schema);
    let definitions = schema["definitions"].as_object().expect("definitions");
    for (name, heading) in TABLES {
        section(&mut made, &format!("`{heading}`"), &definitions[name]);
    }
    let told = |name: &&String| {
        TABLES.iter().any(|(told, _)| told == name) || INSIDE.contains(&name.as_str())
    };
    let untold: Vec<_> = definitions.keys().filter(|name| !told(name)).collect();
    assert!(untold.is_empty(), "no section for {untold:?}");
    same_file(&path, "docs/files.md", &made);
}

fn section(made: &mut String, heading: &str, table: &Value) {
    let _ = write!(made, "\n## {heading}\n\n{}\n\n", words(table));
    made.push_str("| key | type | |\n|---|---|---|\n");
    for (key, value) in table["properties"].as_object().expect("properties") {
        assert_ne!(words(value), "", "{heading}: nothing is said of {key}");
        let _ = writeln!(made, "| `{key}` | {} | {} |", kind(value), words(value));
    }
}

/// The description, as one line of a table.
fn words(value: &Value) -> String {
    let text = value["description"].as_str().unwrap_or_default();
    text.replace('\n', " ").replace('|', "\\|")
}

fn kind(value: &Value) -> String {
    if let Some(name) = value["$ref"].as_str() {
        let name = name.rsplit('/').next().expect("a name");
        let name = name.trim_end_matches('2'); // the same, once more
        return match TABLES.iter().find(|(table, _)| *table == name) {
            Some((_, heading)) => format!("table, see `{heading}`"),
            None if name == "Limit" => "table of `max` and `percent`".to_owned(),
            None => panic!("what is {name}?"),
        };
    }
    match value["type"].as_str().unwrap_or_default() {
        "array" => format!("list of {}", plural(&kind(&value["items"]))),
        "object" if value["additionalProperties"].is_object() => {
            format!("by name: {}", kind(&value["additionalProperties"]))
        }
        "integer" => "whole number".to_owned(),
        "boolean" => "`true` or `false`".to_owned(),
        other => other.to_owned(),
    }
}

fn plural(kind: &str) -> String {
    match kind.strip_prefix("table") {
        Some(rest) => format!("tables{rest}"),
        None => format!("{kind}s"),
    }
}

#[test]
fn the_file_with_everything_is_valid() {
    let page = include_str!("../../docs/files.md");
    let (_, rest) = page
        .split_once("```toml everything.toml\n")
        .expect("the file");
    let (everything, _) = rest.split_once("\n```").expect("its end");
    let lkroute = Lkroute::new();
    // Its exceptions end within 30 days of the day on which this runs.
    let everything = everything.replace("2026-12-20", &soon());
    lkroute.write("routing/everything.toml", &everything);
    for environment in ["production", "staging"] {
        lkroute
            .run(&["--env", environment, "validate"])
            .expect_code(0);
    }
    // Nothing of the schema is missing in it.
    let schema = lkroute.run(&["schema"]).expect_code(0).stdout;
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let mut missing = Vec::new();
    for (name, _) in TABLES {
        let keys = schema["definitions"][name]["properties"].as_object();
        for key in keys.expect("properties").keys() {
            let said = ["sealed", "formerly", "tenants", "guards", "secrets"];
            if !everything.contains(key.as_str()) && !said.contains(&key.as_str()) {
                missing.push(format!("{name}.{key}"));
            }
        }
    }
    assert!(missing.is_empty(), "the page shows no {missing:?}");
}

fn soon() -> String {
    let soon = jiff::Zoned::now().saturating_add(jiff::SignedDuration::from_hours(24 * 9));
    soon.date().to_string()
}

/// Every code that an exception can name, every setting, and the two defaults
/// that hold without any; each code as it was printed.
#[test]
fn the_page_on_guards_has_every_code_and_every_key() {
    use lkroute::routing::guards::CODES;
    let page = read_page("docs/guards.md");
    let rows = |key: &str| page.matches(&format!("\n| `{key}` |")).count();
    for code in CODES {
        assert_eq!(rows(code), 1, "a row of {code}");
        // No plan is refused for this one.
        if code != "trunk-lacks-number" {
            let shown = page.contains(&format!("\nerror[{code}]"));
            assert!(shown, "{code} was not printed");
        }
    }
    let schema = Lkroute::new().run(&["schema"]).expect_code(0).stdout;
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    for table in ["Guards", "Budget", "Policy", "Allow"] {
        let keys = schema["definitions"][table]["properties"].as_object();
        for key in keys.expect("properties").keys() {
            assert!(page.contains(&format!("`{key}")), "nothing of {key}");
        }
    }
}
