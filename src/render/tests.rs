//! Plans as they are drawn, on values alone.

use crate::diff::offline;
use crate::diff::plan::{Plan, SecretOutcome};
use crate::error::Error;
use crate::fields::{Field, Fields};
use crate::impact::reroutes::Reroutes;
use crate::phone::{E164, Prefix};
use crate::render::json;
use crate::render::text::{self, View};
use crate::routing::{
    Binding, BindingSettings, CipherText, Origin, Region, Routing, SecretSource, ServerConfig,
    Tenant,
};

const VIEW: View = View {
    width: 80,
    full: false,
    quiet: false,
    back: false,
};

fn drawn(plan: &Plan, view: View) -> String {
    anstream::adapter::strip_str(&text::plan(plan, None, &[], view)).to_string()
}

fn at(line: u32) -> Origin {
    Origin { file: 0, line }
}

fn config(worker: &str, line: u32) -> ServerConfig {
    ServerConfig {
        region: "uae".into(),
        url: "wss://livekit.uae.example".into(),
        api_key: "APImadeup".into(),
        worker_name: Some(worker.into()),
        ..ServerConfig::of_fields(
            Some(uuid::Uuid::from_u128(line.into())),
            &Fields::new(),
            SecretSource::Env("UAE_SECRET".into()),
            at(line),
        )
    }
}

/// Two configs, and so many numbers on the first.
fn routing(worker: &str, numbers: u64) -> Routing {
    let mut routing = Routing {
        environment: Some("production".into()),
        files: vec!["routing/uae.toml".into()],
        tenants: vec![Tenant {
            id: uuid::Uuid::from_u128(7),
            alias: Some("sasya".into()),
        }],
        ..Routing::default()
    };
    let region = Region {
        description: None,
        country_codes: vec![Prefix::parse("+971").unwrap()],
        default_config: None,
        origin: at(1),
    };
    routing.regions.insert("uae".into(), region);
    routing.configs.insert("uae-vm".into(), config(worker, 4));
    routing
        .configs
        .insert("uae-vm-2".into(), config("voag-dev", 20));
    for config in ["uae-vm", "uae-vm-2"] {
        routing.settings.push(BindingSettings {
            config: config.into(),
            fields: Fields::new().with(Field::Outbound, true),
            adopt: Vec::new(),
            rollout: None,
        });
    }
    routing.bindings = (0..numbers)
        .map(|n| Binding {
            number: E164::parse(&format!("+97154533{:04}", n)).unwrap(),
            tenant: 0,
            settings: 0,
            origin: at(40 + n as u32),
        })
        .collect();
    routing
}

#[test]
fn nothing_to_do_is_one_line() {
    let routing = routing("voag-dev", 3);
    let text = drawn(&offline::between(&routing, &routing), VIEW);
    let expected =
        "No changes. 6 objects of production are as the files say; 2 secrets not compared\n";
    assert_eq!(text, expected);
}

#[test]
fn one_field_is_shown_at_its_line_and_repeats_are_folded() {
    let before = routing("voag-staging", 70);
    let mut after = routing("voag-production", 70);
    let lines = &mut after.configs.get_mut("uae-vm").unwrap().lines;
    lines.extend([(Field::Url, 6), (Field::WorkerName, 9)]);
    for binding in &mut after.bindings[..40] {
        binding.settings = 1;
    }
    let expected = "\
Plan for production: 41 to update; 32 unchanged; 2 secrets not compared

Changes
  ~ config.uae-vm                                   routing/uae.toml:9
      - worker_name = \"voag-staging\"
      + worker_name = \"voag-production\"
  ~ 40 bindings alike, e.g. binding.+971545330000@sasya  routing/uae.toml:40
      - config = \"uae-vm\"
      + config = \"uae-vm-2\"
";
    let plan = offline::between(&before, &after);
    assert_eq!(drawn(&plan, VIEW), expected);
    let full = drawn(&plan, View { full: true, ..VIEW });
    assert_eq!(full.matches("binding.+97154533").count(), 40);
}

#[test]
fn deletes_come_first_and_by_name_until_they_are_many() {
    let before = routing("voag-staging", 60);
    let mut after = routing("voag-production", 60);
    after.bindings.truncate(59);
    let expected = "\
Plan for production: 1 to update, 1 to delete; 61 unchanged; 2 secrets not
compared

Delete
  - binding.+971545330059@sasya                     was routing/uae.toml:99
      leaves config uae-vm; its row stays, without the keys that lkroute set

Changes
  ~ config.uae-vm                                   routing/uae.toml:4
      - worker_name = \"voag-staging\"
      + worker_name = \"voag-production\"
";
    assert_eq!(drawn(&offline::between(&before, &after), VIEW), expected);
    after.bindings.truncate(5);
    let plan = offline::between(&before, &after);
    let folded = "  - 55 numbers of tenant sasya on config uae-vm\n";
    assert!(drawn(&plan, VIEW).contains(folded));
    assert!(!drawn(&plan, View { full: true, ..VIEW }).contains(folded));
}

#[test]
fn of_a_secret_only_that_it_changes_is_said() {
    let sealed = CipherText::new("lkr1:made-up");
    let before = routing("voag-staging", 0);
    let mut after = before.clone();
    after.configs.get_mut("uae-vm").unwrap().api_secret = SecretSource::Sealed(sealed.clone());
    let mut plan = offline::between(&before, &after);
    let text = drawn(&plan, VIEW);
    let unknown = "api_secret: written; not compared with the stored one (sealed in the file)";
    assert!(text.contains(unknown), "{text}");
    let id = *plan.secrets.keys().next().unwrap();
    plan.secrets.insert(id, SecretOutcome::Changed);
    let text = drawn(&plan, VIEW);
    assert!(
        text.contains("api_secret: changed (sealed in the file)"),
        "{text}"
    );
    let report = json::json_text(&json::PlanReport::new(
        &plan,
        &Reroutes::default(),
        &[],
        None,
    ))
    .unwrap();
    assert!(report.contains(r#""after": "changed""#), "{report}");
    let hash = CipherText::new("lkr1:made-up").digest();
    for text in [text, report] {
        assert!(!text.contains("made-up") && !text.contains(&hash), "{text}");
    }
}

#[test]
fn a_plan_as_json_names_configs_and_has_no_null_lists() {
    let before = routing("voag-staging", 1);
    let mut after = before.clone();
    after.bindings[0].settings = 1;
    let plan = offline::between(&before, &after);
    let text = json::json_text(&json::PlanReport::new(
        &plan,
        &Reroutes::default(),
        &[],
        None,
    ))
    .unwrap();
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expected = serde_json::json!([{
        "address": "binding.+971545330000@sasya",
        "kind": "binding",
        "action": "update",
        "cause": "files",
        "source": { "file": "routing/uae.toml", "line": 40 },
        "fields": [{ "name": "config", "before": "uae-vm", "after": "uae-vm-2" }],
    }]);
    assert_eq!(report["changes"], expected);
    assert_eq!(report["format_version"], 1);
    let failed = json::json_text(&json::PlanReport::failed(&[], &Error::new("no"))).unwrap();
    let failed: serde_json::Value = serde_json::from_str(&failed).unwrap();
    for list in [
        "changes",
        "conflicts",
        "drift",
        "outstanding",
        "findings",
        "refusals",
    ] {
        assert!(report[list].is_array() && failed[list].is_array(), "{list}");
    }
    assert_eq!(failed["error"]["message"], "no");
}
