//! Edited texts, as people would see them.

use serde_json::json;

use super::*;
use crate::fields::Field;
use crate::phone::E164;
use uuid::Uuid;

const TENANT: Uuid = Uuid::from_u128(7);

fn number(text: &str) -> E164 {
    E164::parse(text).unwrap()
}

fn binding(text: &str, changes: &[Edit]) -> Edits {
    let mut edits = Edits::default();
    edits.aliases.insert("acme".into(), TENANT);
    edits
        .bindings
        .insert((number(text), TENANT), changes.to_vec());
    edits
}

fn config(changes: &[Edit]) -> Edits {
    let mut edits = Edits::default();
    edits.configs.insert("uae".into(), changes.to_vec());
    edits
}

const CONFIG: &str = r#"# the VM
[configs.uae] # ours
# where
url = "wss://uae.example" # moved twice
worker_name = "a"
api_secret = { env = "LKROUTE_SECRET_X" }

[regions.uae]
country_codes = ["+971"]
"#;

#[test]
fn fields_of_a_config_change_and_comments_stay() {
    let changes = [
        Edit::Set(Field::Url, Some(json!("wss://new.example"))),
        Edit::Set(Field::WorkerName, None),
        Edit::Set(Field::TrunkId, Some(json!("ST_1"))),
        Edit::Adopt(Field::TrunkId),
    ];
    let expected = r#"# the VM
[configs.uae] # ours
# where
url = "wss://new.example" # moved twice
api_secret = { env = "LKROUTE_SECRET_X" }
trunk_id = "ST_1"
adopt = ["trunk_id"]

[regions.uae]
country_codes = ["+971"]
"#;
    assert_eq!(edit_text(CONFIG, &config(&changes)).unwrap(), expected);
}

#[test]
fn a_secret_is_sealed_and_an_id_comes_first() {
    let changes = [
        Edit::Id(Uuid::from_u128(1)),
        Edit::Set(Field::ApiSecret, Some(json!("lkr1:k:l:v"))),
    ];
    let text = edit_text(CONFIG, &config(&changes)).unwrap();
    assert!(
        text.contains(
            "[configs.uae] # ours\nid = \"00000000-0000-0000-0000-000000000001\"\n# where\nurl"
        ),
        "{text}"
    );
    assert!(
        text.contains("api_secret = { sealed = \"lkr1:k:l:v\" }\n"),
        "{text}"
    );
}

#[test]
fn values_of_an_environment_go_below_env() {
    let mut edits = config(&[Edit::Set(Field::WorkerName, Some(json!("b")))]);
    edits.environment = Some("prod".into());
    let text = edit_text(CONFIG, &edits).unwrap();
    assert!(text.contains("worker_name = \"a\"\n"), "{text}");
    let table: toml::Table = text.parse().unwrap();
    assert_eq!(
        table["configs"]["uae"]["env"]["prod"]["worker_name"].as_str(),
        Some("b")
    );
}

const BINDINGS: &str = r#"# one
[[bindings]]
number = "+919513456728"
tenant = "acme"
rules = { outbound = true } # may call

# a group
[[bindings]]
numbers = [
    "+919513456701", # first
    "+919513456702",
    "+919513456703",
]
tenant = "acme"
[bindings.rules]
outbound = true

[[bindings]]
range = ["+919513456800", "+919513456899"]
tenant = "00000000-0000-0000-0000-000000000007"
"#;

#[test]
fn a_number_alone_is_edited_in_place() {
    let changes = [
        Edit::Adopt(Field::Config),
        Edit::Adopt(Field::Outbound),
        Edit::Set(Field::Inbound, Some(json!(false))),
    ];
    let text = edit_text(BINDINGS, &binding("+919513456728", &changes)).unwrap();
    let expected = r#"# one
[[bindings]]
number = "+919513456728"
tenant = "acme"
rules = { outbound = true, inbound = false } # may call
adopt = ["config", "rules.outbound"]

# a group"#;
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn a_number_of_a_group_is_split_off_with_all_it_had() {
    let changes = [
        Edit::Set(Field::Outbound, None),
        Edit::Set(Field::Config, Some(json!("uae"))),
    ];
    let text = edit_text(BINDINGS, &binding("+919513456702", &changes)).unwrap();
    let expected = r#"# a group
[[bindings]]
numbers = [
    "+919513456701", # first
    "+919513456703",
]
tenant = "acme"
[bindings.rules]
outbound = true

[[bindings]]
number = "+919513456702"
tenant = "acme"
config = "uae"

[[bindings]]
range = "#;
    assert!(text.contains(expected), "{text}");
}

#[test]
fn a_number_of_a_range_leaves_two_ranges() {
    let text = edit_text(
        BINDINGS,
        &binding("+919513456850", &[Edit::Adopt(Field::Config)]),
    )
    .unwrap();
    let table: toml::Table = text.parse().unwrap();
    let bindings = table["bindings"].as_array().unwrap();
    let named: Vec<String> = bindings[2..]
        .iter()
        .map(|binding| match binding.get("range") {
            Some(range) => range.to_string(),
            None => binding["number"].to_string(),
        })
        .collect();
    assert_eq!(
        named,
        [
            r#"["+919513456800", "+919513456849"]"#,
            r#"["+919513456851", "+919513456899"]"#,
            r#""+919513456850""#,
        ]
    );
    assert!(bindings[3].get("adopt").is_none() && bindings[4].get("adopt").is_some());
}

#[test]
fn what_is_not_there_is_told_and_changes_nothing() {
    let gone = edit_text(BINDINGS, &binding("+919513456999", &[]));
    assert!(matches!(gone, Err(EditError::Gone(_))));
    let gone = edit_text(BINDINGS, &config(&[]));
    assert_eq!(gone, Err(EditError::Gone("uae".into())));
    let renamed = edit_text(CONFIG, &config(&[Edit::Set(Field::Name, Some(json!("x")))]));
    assert!(matches!(renamed, Err(EditError::ByHand(_))));
}
