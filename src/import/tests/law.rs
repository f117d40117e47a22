//! Whatever the rows are: what was imported plans as adoptions and no more.

use proptest::prelude::*;

use super::*;
use crate::diff::differ::Differ;
use crate::diff::plan::{Action, Object, Plan};
use crate::diff::secret::SecretFacts;
use crate::finding::Finding;
use crate::phone;
use crate::routing::Routing;
use crate::source::{self, LoadOptions, Texts};

/// Loads what was written, as any files; what is wrong with them comes back.
fn load(import: &Import) -> (Routing, Vec<Finding>) {
    let files = import.files.iter();
    let files = files.map(|file| (file.name.clone(), file.text.clone().into_bytes()));
    let loaded = source::load_routing(&Texts::new(files), &LoadOptions::default());
    (loaded.routing, loaded.findings)
}

fn plan(routing: &Routing, snapshot: &Snapshot, rows: &[Row]) -> Plan {
    let facts = SecretFacts::default();
    let mut differ = Differ::new(routing, snapshot, &facts, Uuid::nil);
    stream(rows, |row| differ.row(row));
    differ.finish(Uuid::nil)
}

fn any_row() -> impl Strategy<Value = Row> {
    let tenants = [
        TENANT_UAE,
        TENANT_INDIA,
        "e0a3e9ca-0000-4000-8000-000000000000",
    ];
    let codes = [
        Some("+91"),
        Some("+91"),
        Some("91"),
        Some("0091"),
        Some("+971"),
        Some("+39"),
        Some("+1242"),
        Some("India"),
        None,
    ];
    let configs = [
        json!(UAE),
        json!(INDIA),
        json!(INDIA),
        json!(UAE.to_uppercase()),
        json!(null),
        json!(3),
        json!(TENANT_UAE),
    ];
    let values = [
        json!(true),
        json!(false),
        json!(null),
        json!("global"),
        json!("india"),
        json!("uae"),
        json!("mars"),
        json!(["0", "base_number"]),
        json!([]),
        json!(["country_code", 1]),
        json!(7),
        json!(""),
        json!("ST_x \"'\n"),
    ];
    let keys = Field::OF_BINDING.into_iter().filter_map(Field::rules_key);
    let keys = keys.filter(|key| *key != "livekit_config");
    let keys: Vec<&str> = keys.chain(["number_type"]).collect();
    let providers = [
        None,
        Some("TechieMaya FZE"),
        Some("techiemaya-fze"),
        Some("é \"\n\\"),
        Some(""),
        Some(INDIA),
    ];
    let rules = (
        prop::option::weighted(0.8, prop::sample::select(configs.to_vec())),
        prop::collection::btree_map(
            prop::sample::select(keys),
            prop::sample::select(values.to_vec()),
            0..3,
        ),
    );
    let rules = rules.prop_map(|(config, more)| {
        let mut rules: serde_json::Map<String, Value> = more
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        rules.extend(config.map(|config| ("livekit_config".to_owned(), config)));
        Value::Object(rules)
    });
    let rules = prop_oneof![30 => rules.prop_map(Some), 1 => Just(Some(json!([1]))), 1 => Just(Some(json!(null))), 1 => Just(None)];
    (
        any::<u128>(),
        prop::sample::select(tenants.to_vec()),
        prop::sample::select(codes.to_vec()),
        prop::option::weighted(
            0.95,
            prop_oneof![
                9_513_456_700..9_513_456_760i64,
                612_345_600..612_345_640i64,
                Just(3_456_789)
            ],
        ),
        prop::sample::select(providers.to_vec()),
        prop::sample::select(vec![None, Some("active"), Some("active"), Some("inactive")]),
        rules,
    )
        .prop_map(|(id, tenant, code, base, provider, status, rules)| Row {
            id: Uuid::from_u128(id),
            tenant: uuid(tenant),
            code,
            base,
            provider,
            status,
            rules,
        })
}

/// What has to be imported, told the long way.
fn importable(rows: &[Row]) -> Vec<&Row> {
    let active = |row: &Row| row.status != Some("inactive");
    let key = |row: &Row| {
        phone::from_row(row.code, row.base)
            .ok()
            .map(|number| (row.tenant, number.row_key()))
    };
    let alone = |row: &Row| {
        rows.iter()
            .filter(|other| active(other) && key(other) == key(row))
            .count()
            == 1
    };
    let routed = |row: &Row| {
        let config = row
            .rules
            .as_ref()
            .and_then(|rules| rules.get("livekit_config"));
        let id = config.and_then(Value::as_str);
        let id = id.and_then(|id| Uuid::parse_str(id).ok());
        id.is_some_and(|id| id == uuid(UAE) || id == uuid(INDIA))
    };
    rows.iter()
        .filter(|row| active(row) && routed(row) && key(row).is_some() && alone(row))
        .collect()
}

proptest! {
    #[test]
    fn a_plan_of_what_was_imported_shows_nothing_but_adoptions(
        mut rows in prop::collection::vec(any_row(), 0..80),
    ) {
        let snapshot = two_configs(FERNET);
        let import = import_all(&snapshot, &rows);
        let expected = importable(&rows);
        prop_assert_eq!(import.counts.numbers as usize, expected.len());
        let listed: usize = import.not_imported.values().map(Vec::len).sum();
        let all = expected.len() + listed + import.others.without_config as usize;
        prop_assert_eq!(all, rows.len());

        let (routing, findings) = load(&import);
        prop_assert!(!findings.iter().any(Finding::is_error) || import.files.is_empty(), "{findings:?}");
        prop_assert_eq!(routing.bindings.len(), expected.len());
        for file in &import.files {
            let canonical = source::format_text(&file.name, &file.text);
            prop_assert_eq!(canonical.as_ref(), Ok(&file.text));
        }
        let plan = plan(&routing, &snapshot, &rows);
        prop_assert!(plan.findings.is_empty(), "{:?}", plan.findings);
        for change in &plan.changes {
            let action = match change.object {
                Object::Region(_) => Action::Create,
                Object::Config(_) | Object::Binding { .. } => Action::Adopt,
            };
            prop_assert_eq!(change.action, action, "{:?}", plan.patch(change));
            prop_assert!(!plan.in_conflict(change));
        }
        let adopted: BTreeSet<Uuid> = plan.changes.iter().filter_map(|change| change.row).collect();
        prop_assert!(expected.iter().all(|row| adopted.contains(&row.id)));

        rows.reverse();
        let again = import_all(&snapshot, &rows);
        prop_assert_eq!(again.files, import.files);
        prop_assert_eq!(again.not_imported, import.not_imported);
    }
}
