//! The JSON Schemas of the reports: up to date, and true of real output.

use std::collections::BTreeSet;
use std::path::Path;

use lkroute::error::{Error, Exit};
use lkroute::fields::Field;
use lkroute::finding::{Finding, Place};
use lkroute::phone::E164;
use lkroute::render::json::{PlanReport, json_text};
use lkroute::render::schema::report_schemas;
use lkroute::resolve::{Facts, Query, Report, RoutingEnv, TenantChoice, resolve};
use serde_json::{Value, json};

use super::world::{self, INDIA, Others, UAE};
use crate::support::{Lkroute, golden};

fn schema(name: &str) -> Value {
    let all = report_schemas();
    let found = all.into_iter().find(|(known, _)| *known == name);
    found.expect("a report of that name").1
}

/// The schema with every key that it does not know forbidden, so that a key
/// which is written and not described fails.
fn strict(mut schema: Value) -> Value {
    fn close(schema: &mut Value) {
        match schema {
            Value::Object(object) => {
                if object.contains_key("properties") {
                    object.insert("additionalProperties".into(), Value::Bool(false));
                }
                object.values_mut().for_each(close);
            }
            Value::Array(items) => items.iter_mut().for_each(close),
            _ => {}
        }
    }
    close(&mut schema);
    schema
}

/// Asserts that a report is as the schema of that name says; returns it.
#[track_caller]
pub fn assert_valid(name: &str, report: &str) -> Value {
    let report: Value = serde_json::from_str(report).expect("JSON");
    let validator = jsonschema::validator_for(&strict(schema(name))).expect("a schema");
    let errors: Vec<String> = validator
        .iter_errors(&report)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert_eq!(errors, Vec::<String>::new(), "{report:#}");
    report
}

#[test]
fn the_files_in_schema_are_up_to_date() {
    for (name, schema) in report_schemas() {
        let text = json_text(&schema).expect("text");
        golden(&format!("../../schema/{name}.schema.json"), &text);
    }
}

#[test]
fn lists_are_never_null_and_keys_never_missing() {
    for (name, schema) in report_schemas() {
        let mut objects = vec![("the report", &schema)];
        objects.extend(
            schema["$defs"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(n, s)| (n.as_str(), s)),
        );
        for (object, schema) in objects {
            let Some(properties) = schema["properties"].as_object() else {
                continue;
            };
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            for (key, value) in properties {
                let place = format!("{key} of {object} in {name}");
                assert!(required.contains(&json!(key)), "{place} may be missing");
                assert_ne!(value["type"], json!(["array", "null"]), "{place}");
            }
        }
    }
}

#[test]
fn plans_are_as_their_schema_says() {
    let others = Others {
        configs: vec![
            (INDIA, Field::TrunkId, "ST_elsewhere"),
            (UAE, Field::WorkerName, "voag-hotfix"),
        ],
        rules: vec![("+971545339003", "livekit_config", json!("not-a-config"))],
    };
    let (mut plan, moved) = world::plan(&world::two_regions().0, &world::changed().0, &others);
    plan.outstanding = plan.changes.clone();
    let place = Place {
        line: 3,
        ..Place::file("routing/uae.toml")
    };
    plan.findings.push(
        Finding::warning("a-code", "…")
            .at(place.clone())
            .also(place, "here"),
    );
    let refusals = [Finding::error("a-guard", "…").hint("…")];
    let error = Error::exit(Exit::Refused, "refused").hint("…");
    let report = PlanReport::new(&plan, &moved, &refusals, Some(&error));
    let report = assert_valid("plan", &json_text(&report).expect("text"));
    for list in [
        "changes",
        "conflicts",
        "drift",
        "outstanding",
        "findings",
        "refusals",
    ] {
        assert_ne!(report[list], json!([]), "{list} is tried too");
    }
    let groups = report["routing"]["groups"].as_array().expect("groups");
    let count: u64 = groups
        .iter()
        .filter_map(|group| group["count"].as_u64())
        .sum();
    assert_eq!(
        count, 24,
        "one broken, one back to it, two gone, twenty new"
    );
    let failed = PlanReport::failed(&[], &error);
    assert_valid("plan", &json_text(&failed).expect("text"));
}

#[test]
fn resolutions_are_as_their_schema_says() {
    let routing = world::two_regions().0;
    for number in ["+971545335200", "+919999999999"] {
        let from = E164::parse(number).expect("a number");
        let mut query = Query::new(from, TenantChoice::Any);
        query.to = Some("+971501234567".into());
        let facts = Facts::of_files(&routing, from);
        let resolution = resolve(&query, &facts, &RoutingEnv::Symbolic);
        let report = json_text(&Report::from(&resolution)).expect("text");
        assert_valid("resolve", &report);
    }
}

#[test]
fn commands_print_what_the_schemas_say() {
    let lkroute = Lkroute::with_two_regions();
    let valid = lkroute
        .run(&["validate", "--format", "json"])
        .expect_code(0);
    assert_eq!(assert_valid("validate", &valid.stdout)["valid"], true);
    let plan = lkroute.run(&["plan", "--format", "json"]).expect_code(0);
    let plan = assert_valid("plan", &plan.stdout);
    let changes = plan["changes"].as_array().map_or(0, Vec::len);
    assert_eq!(plan["summary"]["create"], json!(changes));
    for (command, schema) in [
        ("plan", "plan"),
        ("apply", "apply"),
        ("drift", "drift"),
        ("doctor", "doctor"),
        ("dispatch", "dispatch"),
        ("resolve", "error"),
    ] {
        let usage = lkroute
            .run(&[command, "--no-such", "--format", "json"])
            .expect_code(1);
        assert_valid(schema, &usage.stdout);
    }
    lkroute.edit(
        "routing/india.toml",
        "region = \"india\"",
        "region = \"indai\"",
    );
    let broken = lkroute
        .run(&["validate", "--format", "json"])
        .expect_code(3);
    assert_eq!(assert_valid("validate", &broken.stdout)["valid"], false);
    let broken = lkroute.run(&["plan", "--format", "json"]).expect_code(3);
    assert_eq!(assert_valid("plan", &broken.stdout)["error"]["exit"], 3);
}

/// The structs with a `format_version` in `src`, but that of a saved plan, and
/// the findings that the report of `doctor` takes in.
fn versioned() -> BTreeSet<String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut names = BTreeSet::new();
    for file in walkdir::WalkDir::new(src) {
        let file = file.expect("a file");
        if !file.file_type().is_file() {
            continue;
        }
        let text = std::fs::read_to_string(file.path()).expect("text");
        for (at, _) in text.match_indices("    pub format_version: u32") {
            let (_, rest) = text[..at].rsplit_once("struct ").expect("a struct");
            names.insert(rest.chars().take_while(|c| c.is_alphanumeric()).collect());
        }
    }
    names.remove("SavedPlan");
    names.remove("DoctorFindings");
    names
}

#[test]
fn every_report_has_a_schema() {
    let described = report_schemas()
        .into_iter()
        .filter(|(name, _)| *name != "apply");
    let described =
        described.map(|(_, schema)| schema["title"].as_str().expect("a title").to_owned());
    let described: BTreeSet<String> = described.collect();
    assert_eq!(described, versioned(), "render::schema lists every report");
}
