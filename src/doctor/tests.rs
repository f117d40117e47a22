//! What doctor makes of facts, on values alone.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use super::*;
use crate::diff::offline;
use crate::fields::Fields;
use crate::resolve::Aliases;
use crate::resolve::Configs;
use crate::resolve::samples::{INDIA, OTHER, OURS, UAE, bind, number, tree};
use crate::snapshot::NumberRow;

const CLOUD: &str = "india-techiemaya-cloud";

fn configs() -> Configs {
    let mut configs = Configs::of_snapshot(&offline::applied(&tree()));
    for id in [INDIA, UAE] {
        configs.get_mut(id).unwrap().secret = SecretState::Opens;
    }
    configs
}

struct Row {
    tenant: Uuid,
    code: Option<&'static str>,
    base: i64,
    status: Option<&'static str>,
    rules: String,
}

fn on(config: Uuid, base: i64) -> Row {
    Row {
        tenant: OURS,
        code: Some("+91"),
        base,
        status: None,
        rules: format!(r#"{{"livekit_config": "{config}"}}"#),
    }
}

fn survey(configs: &Configs, rows: &[Row]) -> Numbers {
    let aliases: Aliases = [(OURS, "techiemaya-test".to_owned())].into();
    let mut survey = Survey::new(configs, crate::resolve::Regions::default(), &aliases);
    for (row, id) in rows.iter().zip(1u128..) {
        survey.row(&NumberRow {
            id: Uuid::from_u128(id),
            tenant: row.tenant,
            country_code: row.code,
            base_number: Some(row.base),
            provider: None,
            status: row.status,
            rules: Some(row.rules.as_bytes()),
            passed_over: None,
        });
    }
    survey.finish()
}

/// Both configs in use, and nothing wrong.
fn healthy() -> Vec<Row> {
    vec![on(INDIA, 9_513_456_728), on(UAE, 9_513_456_729)]
}

fn judged(configs: &Configs, rows: &[Row], probes: &[(&str, Probed)]) -> DoctorFindings {
    let probes = probes.iter().map(|(name, p)| (name.to_string(), p.clone()));
    examine(&DoctorFacts {
        configs,
        numbers: &survey(configs, rows),
        mixed: &[],
        drift: &[],
        probes: &probes.collect(),
        only: &BTreeSet::new(),
    })
}

fn checks(report: &DoctorFindings) -> Vec<(&str, &str, ComplaintSeverity)> {
    let of_configs = report.configs.iter().flat_map(|row| &row.complaints);
    of_configs
        .chain(&report.others)
        .map(|c| (c.subject.as_str(), c.check.as_str(), c.severity))
        .collect()
}

#[test]
fn nothing_is_said_where_all_is_well() {
    let report = judged(&configs(), &healthy(), &[]);
    assert_eq!(checks(&report), []);
    assert!(report.well);
    assert_eq!((report.numbers, report.configs[0].numbers), (2, 1));
    assert_eq!(report.configs[0].server, "livekit.india.example");
}

#[test]
fn rows_that_fail_calls_are_problems() {
    use ComplaintSeverity::{Note, Problem};
    let dangling = Uuid::from_u128(7);
    let cases = [
        (on(dangling, 1), "config-dangling", Problem),
        (
            Row {
                rules: r#"{"livekit_config": "x"}"#.into(),
                ..on(INDIA, 1)
            },
            "config-unreadable",
            Problem,
        ),
        (
            Row {
                code: None,
                ..on(INDIA, 1)
            },
            "number-unreadable",
            Problem,
        ),
        (
            Row {
                rules: "[]".into(),
                ..on(INDIA, 9_513_456_000)
            },
            "rules-no-object",
            Problem,
        ),
        (on(INDIA, 9_513_456_728), "duplicate-rows", Problem),
        (
            Row {
                rules: "{}".into(),
                ..on(INDIA, 9_513_456_000)
            },
            "number-without-config",
            Note,
        ),
    ];
    for (mut row, check, severity) in cases {
        if row.base == 1 {
            row.base = 9_513_456_001;
        }
        let mut rows = healthy();
        rows.push(row);
        let report = judged(&configs(), &rows, &[]);
        assert_eq!(checks(&report), [("numbers", check, severity)]);
        assert_eq!(report.well, severity == Note, "{check}");
    }
}

#[test]
fn inactive_rows_and_other_tenants_are_no_duplicates() {
    let mut rows = healthy();
    rows.push(Row {
        status: Some("inactive"),
        ..on(INDIA, 9_513_456_728)
    });
    rows.push(Row {
        tenant: OTHER,
        ..on(INDIA, 9_513_456_728)
    });
    let report = judged(&configs(), &rows, &[]);
    assert_eq!(checks(&report), []);
    assert_eq!(report.configs[0].numbers, 2);
}

#[test]
fn the_example_is_named_and_the_rest_counted() {
    let mut rows = healthy();
    rows.extend((0..9).map(|n| on(Uuid::from_u128(7), 9_513_450_000 + n)));
    let report = judged(&configs(), &rows, &[]);
    let message = &report.others[0].message;
    assert!(
        message.contains("+919513450000 of techiemaya-test"),
        "{message}"
    );
    assert!(
        message.contains("9 (") && message.contains("and 4 more"),
        "{message}"
    );
}

#[test]
fn each_config_is_judged() {
    let mut configs = configs();
    let cloud = configs.get_mut(INDIA).unwrap();
    cloud.secret = SecretState::Damaged;
    cloud.fields.set(Field::ApiKey, None);
    cloud.fields.set(Field::TrunkId, None);
    cloud.fields.set(Field::WorkerName, Some(Value::Null));
    let vm = configs.get_mut(UAE).unwrap();
    vm.secret = SecretState::NoKey;
    let report = judged(&configs, &[], &[]);
    let of_cloud: Vec<&str> = report.configs[0]
        .complaints
        .iter()
        .map(|c| c.check.as_str())
        .collect();
    let expected = [
        "config-incomplete",
        "secret-damaged",
        "trunk-not-set",
        "worker-not-set",
        "config-unused",
    ];
    assert_eq!(of_cloud, expected);
    let of_vm: Vec<&str> = report.configs[1]
        .complaints
        .iter()
        .map(|c| c.check.as_str())
        .collect();
    assert_eq!(of_vm, ["secret-no-key", "config-unused"]);
    assert!(!report.well);
}

#[test]
fn probes_join_the_row_of_their_config() {
    let failure = ProbeFailure {
        code: "secret-wrong".into(),
        message: "the server knows the key, but the secret is wrong".into(),
        action: "seal the right one".into(),
    };
    let failed = Probed {
        failures: vec![failure],
        ..Probed::default()
    };
    let lists = |numbers: &[&str]| Probed {
        trunk_numbers: Some(numbers.iter().map(|n| n.to_string()).collect()),
        figure: Some("12 ms".into()),
        ..Probed::default()
    };
    let problem = |probe| {
        let report = judged(&configs(), &healthy(), &[(CLOUD, probe)]);
        assert!(report.configs[0].probed && !report.configs[1].probed);
        report.configs[0]
            .complaints
            .first()
            .map(|c| c.check.clone())
    };
    assert_eq!(problem(failed).as_deref(), Some("secret-wrong"));
    assert_eq!(problem(lists(&["+91 95134 56728"])), None);
    assert_eq!(problem(lists(&[])), None);
    assert_eq!(problem(lists(&["*"])), None);
    assert_eq!(
        problem(lists(&["+15550100"])).as_deref(),
        Some("trunk-lacks-numbers")
    );
}

#[test]
fn drift_mixed_agents_and_a_choice_of_configs() {
    let configs = configs();
    let numbers = survey(&configs, &healthy());
    let mixed = [AgentTenantMismatch {
        number: number(),
        tenant: "techiemaya-test".into(),
        agent: 33,
        agent_tenant: OTHER.to_string(),
    }];
    let drifted = ["config.uae-vm-selfhosted".to_owned()];
    let probes = BTreeMap::new();
    let only = |names: &[&str]| {
        let only = names.iter().map(|n| n.to_string()).collect();
        examine(&DoctorFacts {
            configs: &configs,
            numbers: &numbers,
            mixed: &mixed,
            drift: &drifted,
            probes: &probes,
            only: &only,
        })
    };
    let all = only(&[]);
    let expected = [
        ("drift", "drift", ComplaintSeverity::Problem),
        ("agents", "agent-of-other-tenant", ComplaintSeverity::Note),
    ];
    assert_eq!(checks(&all), expected);
    let one = only(&[CLOUD]);
    assert_eq!(
        (one.configs.len(), one.others.len(), one.well),
        (1, 0, true)
    );
}

#[test]
fn the_files_alone_are_judged_too() {
    let mut routing = tree();
    bind(&mut routing, number(), 0, CLOUD, Fields::new());
    let configs = Configs::of_files(&routing);
    let numbers = Survey::of_files(&routing, &configs, &Aliases::new());
    assert_eq!(numbers.bound[CLOUD], [number()]);
    for config in routing.configs.values_mut() {
        config.id = None;
    }
    let without_ids = Configs::of_files(&routing);
    let again = Survey::of_files(&routing, &without_ids, &Aliases::new());
    assert_eq!(numbers, again);
}
