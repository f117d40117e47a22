//! What an import writes and what it leaves, on values alone.

mod law;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Import, ImportFilter, Importer, Reason};
use crate::fields::{Field, Fields};
use crate::phone::E164;
use crate::routing::CipherText;
use crate::snapshot::{LiveConfig, NumberRow, Snapshot};

const UAE: &str = "e3ca4a84-4cc3-4be5-8240-34366fe4d0c5";
const INDIA: &str = "cf7a1d26-04aa-4623-8d4e-f4b079cdec6f";
const TENANT_UAE: &str = "734cd516-e252-4728-9c52-4663ee552653";
const TENANT_INDIA: &str = "e0a3e9ca-3f46-4bb0-ac10-a91b5c1d20b5";
const FERNET: &str = "dev-s-t-gAAAAABlU_EAm4E5WdNJgyK2PNJXns4H5hBBtmzzOMSTmYP7tM0EmYiOLGjb\
    _qh8e4-L4zf95p_Z2nQui3TWE5GyCtV9qh1jyRwl1xBI1PEp0nS2DXy6tCw=";

fn uuid(text: &str) -> Uuid {
    Uuid::parse_str(text).unwrap()
}

/// A row of the numbers table, in memory.
#[derive(Debug, Clone)]
struct Row {
    id: Uuid,
    tenant: Uuid,
    code: Option<&'static str>,
    base: Option<i64>,
    provider: Option<&'static str>,
    status: Option<&'static str>,
    rules: Option<Value>,
}

fn row(n: u128, tenant: &str, code: &'static str, base: i64, rules: Value) -> Row {
    Row {
        id: Uuid::from_u128(n),
        tenant: uuid(tenant),
        code: Some(code),
        base: Some(base),
        provider: Some("TechieMaya FZE"),
        status: Some("active"),
        rules: Some(rules),
    }
}

fn on(config: &str, more: Value) -> Value {
    let mut rules = json!({ "livekit_config": config, "number_type": "mobile" });
    let more = more.as_object().cloned().unwrap_or_default();
    rules.as_object_mut().unwrap().extend(more);
    rules
}

fn config(id: &str, name: &str, secret: &str) -> LiveConfig {
    let secret = CipherText::new(secret);
    LiveConfig {
        id: uuid(id),
        fields: Fields::new()
            .with(Field::Name, name)
            .with(Field::Url, format!("wss://{}.example", &id[..8]))
            .with(Field::ApiKey, "APImadeup")
            .with(Field::ApiSecret, secret.digest())
            .with(Field::TrunkId, "ST_madeup"),
        secret,
        updated_at: None,
        broken: Vec::new(),
    }
}

fn two_configs(secret: &str) -> Snapshot {
    Snapshot {
        configs: vec![
            config(UAE, "uae-vm-selfhosted", secret),
            config(INDIA, "india-techiemaya-cloud", secret),
        ],
        ..Snapshot::default()
    }
}

fn stream(rows: &[Row], mut take: impl FnMut(&NumberRow<'_>)) {
    for row in rows {
        let rules = row.rules.as_ref().map(Value::to_string);
        take(&NumberRow {
            id: row.id,
            tenant: row.tenant,
            country_code: row.code,
            base_number: row.base,
            provider: row.provider,
            status: row.status,
            rules: rules.as_deref().map(str::as_bytes),
            passed_over: None,
        });
    }
}

fn import(filter: ImportFilter, snapshot: &Snapshot, rows: &[Row]) -> Import {
    let mut importer = Importer::new(filter, snapshot);
    stream(rows, |row| importer.add_row(row));
    importer.into_import("a test")
}

fn import_all(snapshot: &Snapshot, rows: &[Row]) -> Import {
    import(ImportFilter::default(), snapshot, rows)
}

fn text<'a>(import: &'a Import, name: &str) -> &'a str {
    let file = import.files.iter().find(|file| file.name == name);
    file.map_or("", |file| file.text.as_str())
}

fn reasons(import: &Import) -> Vec<(&'static str, usize)> {
    let listed = import.not_imported.iter();
    listed
        .map(|(reason, rows)| (reason.code(), rows.len()))
        .collect()
}

#[test]
fn the_two_regions_of_today_come_out_as_one_would_write_them() {
    let carrier = json!({ "outbound": true, "allowed_outbound": "india",
        "required_lead_format": ["0", "base_number"] });
    let mut rows = vec![
        row(1, TENANT_UAE, "+971", 545_335_200, on(UAE, json!({}))),
        row(2, TENANT_INDIA, "+91", 9_513_456_728, on(INDIA, carrier)),
        row(
            3,
            TENANT_UAE,
            "+91",
            9_513_456_728,
            json!({ "is_default": true }),
        ),
    ];
    rows[0].provider = Some("sasya UAE Number");
    let import = import_all(&two_configs(FERNET), &rows);
    let names: Vec<&str> = import.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(
        names,
        ["india.toml", "settings.toml", "tenants.toml", "uae.toml"]
    );
    assert_eq!(
        text(&import, "india.toml"),
        format!(
            r#"# Imported by lkroute from a test.

[regions.india]
country_codes = ["+91"]
default_config = "india-techiemaya-cloud"

[configs.india-techiemaya-cloud]
id = "cf7a1d26-04aa-4623-8d4e-f4b079cdec6f"
region = "india"
url = "wss://cf7a1d26.example"
api_key = "APImadeup"
api_secret = {{ sealed = "{FERNET}" }}
trunk_id = "ST_madeup"

[[bindings]]
number = "+919513456728"
tenant = "techiemaya-fze"
config = "india-techiemaya-cloud"
provider = "TechieMaya FZE"
rules = {{ outbound = true, allowed_outbound = "india", required_lead_format = ["0", "base_number"] }}
"#
        )
    );
    assert_eq!(
        text(&import, "tenants.toml"),
        "# Imported by lkroute from a test.\n\n[tenants]\n\
         sasya-uae-number = \"734cd516-e252-4728-9c52-4663ee552653\"\n\
         techiemaya-fze = \"e0a3e9ca-3f46-4bb0-ac10-a91b5c1d20b5\"\n"
    );
    assert!(text(&import, "settings.toml").ends_with("\n[secrets]\nformat = \"fernet\"\n"));
    assert_eq!(
        (import.counts.numbers, import.others.without_config),
        (2, 1)
    );
    assert!(import.not_imported.is_empty());
}

#[test]
fn equal_settings_are_grouped_and_runs_are_ranges() {
    let rows: Vec<Row> = (0..14)
        .map(|n| {
            let gap = i64::from(n >= 12) * 100;
            let more = json!({ "outbound": n != 3 });
            row(
                n as u128,
                TENANT_INDIA,
                "+91",
                9_000_000_000 + n + gap,
                on(INDIA, more),
            )
        })
        .collect();
    let import = import_all(&two_configs(FERNET), &rows);
    assert_eq!((import.counts.numbers, import.counts.blocks), (14, 2));
    let india = text(&import, "india.toml");
    assert_eq!(india.matches("[[bindings]]").count(), 2);
    assert!(india.contains("number = \"+919000000003\"\n"), "{india}");
    assert_eq!(india.matches("    \"+91").count(), 13, "{india}");

    let rows: Vec<Row> = (0..12)
        .map(|n| {
            row(
                n as u128,
                TENANT_INDIA,
                "+91",
                9_000_000_000 + n,
                on(INDIA, json!({})),
            )
        })
        .collect();
    let import = import_all(&two_configs(FERNET), &rows);
    let range = "range = [\"+919000000000\", \"+919000000011\"]\n";
    assert!(text(&import, "india.toml").contains(range));
}

#[test]
fn what_is_not_imported_is_listed_with_the_reason() {
    let plain = on(INDIA, json!({}));
    let number = |n: u128, rules: &Value| {
        row(
            n,
            TENANT_INDIA,
            "+91",
            9_000_000_000 + n as i64,
            rules.clone(),
        )
    };
    let dangling = "00000000-0000-4000-8000-00000000dead";
    let mut rows = vec![
        number(1, &plain),
        number(2, &on(dangling, json!({}))),
        number(3, &json!({ "livekit_config": 7 })),
        number(4, &on(&INDIA.to_uppercase(), json!({}))),
        number(5, &json!({ "livekit_config": null })),
        number(6, &json!(["a"])),
        number(7, &plain),
        Row {
            base: Some(9_000_000_007),
            ..number(8, &json!({}))
        },
        Row {
            code: None,
            ..number(9, &plain)
        },
        Row {
            status: Some("inactive"),
            ..number(10, &plain)
        },
        Row {
            status: Some("inactive"),
            ..number(11, &json!({}))
        },
        Row {
            code: Some("India"),
            ..number(12, &json!({}))
        },
    ];
    let import = import_all(&two_configs(FERNET), &rows);
    // The fourth names its config in capitals, which is the same uuid.
    assert_eq!(import.counts.numbers, 2);
    assert_eq!(
        reasons(&import),
        [
            ("dangling-config", 1),
            ("odd-config", 1),
            ("duplicate-rows", 2),
            ("unreadable-number", 1),
            ("inactive", 1),
            ("rules-no-object", 1),
        ]
    );
    assert_eq!(import.others.without_config, 3);
    let listed: Vec<String> = import.not_imported.keys().map(Reason::to_string).collect();
    assert_eq!(
        listed[2],
        format!("+919000000007 is there several times for tenant {TENANT_INDIA}")
    );
    // Two rows of others are nobody's business.
    rows[6] = number(7, &json!({}));
    assert_eq!(
        import_all(&two_configs(FERNET), &rows)
            .others
            .without_config,
        5
    );
}

#[test]
fn values_that_no_file_can_declare_stay_theirs() {
    let odd = json!({ "outbound": null, "inbound": "yes", "allowed_outbound": "mars",
        "required_lead_format": ["base"], "outbound_trunk_id": "ST_madeup" });
    let rows = [
        row(1, TENANT_INDIA, "+91", 9_000_000_001, on(INDIA, odd)),
        row(
            2,
            TENANT_INDIA,
            "+91",
            9_000_000_002,
            on(INDIA, json!({ "allowed_outbound": "uae" })),
        ),
    ];
    let filter = ImportFilter {
        configs: BTreeSet::from(["india-techiemaya-cloud".to_owned()]),
        ..ImportFilter::default()
    };
    let import = import(filter, &two_configs(FERNET), &rows);
    let left: Vec<(Field, &str)> = import
        .left_out
        .iter()
        .map(|left| (left.field, &*left.value))
        .collect();
    assert_eq!(
        left,
        [
            (Field::Inbound, "\"yes\""),
            (Field::Outbound, "null"),
            (Field::AllowedOutbound, "\"mars\""),
            (Field::RequiredLeadFormat, "[\"base\"]"),
        ]
    );
    assert!(
        import
            .left_out
            .iter()
            .all(|left| left.rows == [Uuid::from_u128(1)])
    );
    let india = text(&import, "india.toml");
    assert!(
        india.contains("rules = { outbound_trunk_id = \"ST_madeup\" }\n"),
        "{india}"
    );
    // A rule speaks of a region that no config is in.
    assert!(text(&import, "uae.toml").ends_with("[regions.uae]\ncountry_codes = [\"+971\"]\n"));
}

#[test]
fn a_secret_that_is_not_sealed_reaches_no_file_and_no_list() {
    let secret = "made-up-plain-secret";
    let mut snapshot = two_configs(secret);
    snapshot.configs[0].secret = CipherText::new("dev-s-t-made-up-damage");
    let import = import_all(&snapshot, &[]);
    let variables: Vec<&str> = import
        .env_secrets
        .iter()
        .map(|s| s.variable.as_str())
        .collect();
    assert_eq!(
        variables,
        [
            "LKROUTE_SECRET_INDIA_TECHIEMAYA_CLOUD",
            "LKROUTE_SECRET_UAE_VM_SELFHOSTED"
        ]
    );
    let expected = "api_secret = { env = \"LKROUTE_SECRET_INDIA_TECHIEMAYA_CLOUD\" }\n";
    assert!(text(&import, "india.toml").contains(expected));
    assert_eq!(text(&import, "settings.toml"), "");
    let everything = format!("{import:?}");
    assert!(!everything.contains("made-up-plain") && !everything.contains("made-up-damage"));
}

#[test]
fn a_blank_text_is_taken_over_and_what_no_file_can_hold_is_refused() {
    let mut snapshot = two_configs(FERNET);
    snapshot.configs[0]
        .fields
        .set_text(Field::TrunkId, Some(" "));
    snapshot.configs[1].fields.set_text(Field::ApiKey, Some(""));
    let rows = [
        row(1, TENANT_UAE, "+971", 500_000_001, on(UAE, json!({}))),
        row(2, TENANT_UAE, "+91", 9_000_000_001, on(INDIA, json!({}))),
    ];
    let import = import_all(&snapshot, &rows);
    let uae = text(&import, "uae.toml");
    assert!(
        uae.contains("adopt = [\"trunk_id\"] #") && !uae.contains("trunk_id = "),
        "{uae}"
    );
    assert_eq!(
        import.blank,
        [("uae-vm-selfhosted".to_owned(), Field::TrunkId)]
    );
    assert_eq!(
        import.configs_not_imported["india-techiemaya-cloud"],
        "`api_key` is empty"
    );
    assert_eq!(reasons(&import), [("config-not-imported", 1)]);
    assert_eq!((import.counts.configs, import.counts.numbers), (1, 1));
}

#[test]
fn users_and_passwords_of_urls_get_into_no_file() {
    let mut snapshot = two_configs(FERNET);
    let fields = &mut snapshot.configs[0].fields;
    fields.set_text(Field::Url, Some("wss://user:Zq7pw@uae.example"));
    fields.set_text(Field::Description, Some("see https://Zq7pw@wiki.example/a"));
    let name = "wss://x:Zq7pw@india.example";
    snapshot.configs[1].fields.set_text(Field::Name, Some(name));
    let allowed = json!({ "outbound_trunk_id": "sip://Zq7pw@carrier.example" });
    let mut one = row(1, TENANT_UAE, "+971", 500_000_001, on(UAE, allowed));
    one.provider = Some("https://u:Zq7pw@carrier.example");
    let import = import_all(&snapshot, &[one]);
    let uae = text(&import, "uae.toml");
    for kept in [
        "url = \"wss://uae.example\"",
        "description = \"see https://wiki.example/a\"",
        "adopt = [\"description\", \"url\"] # the row holds the user and password of a URL",
    ] {
        assert!(uae.contains(kept), "{kept}: {uae}");
    }
    assert_eq!(import.user_info.len(), 2);
    assert_eq!(import.left_out.len(), 2);
    let refused = &import.configs_not_imported[name];
    assert_eq!(refused, "its name holds the user and password of a URL");
    for file in &import.files {
        assert!(!file.text.contains("Zq7pw"), "{}", file.text);
    }
    let values = import.left_out.iter().map(|left| left.value.as_str());
    assert!(values.clone().all(|value| !value.contains("Zq7pw")));
}

#[test]
fn regions_follow_the_numbers_and_failing_them_the_name() {
    let mut snapshot = two_configs(FERNET);
    let ids =
        ["11111111", "22222222", "33333333"].map(|id| format!("{id}-0000-4000-8000-000000000000"));
    for (id, name) in ids.iter().zip(["New Zealand (cloud)", "spare", "iceland"]) {
        snapshot.configs.push(config(id, name, FERNET));
    }
    let rows = [
        row(1, TENANT_UAE, "+91", 9_000_000_001, on(UAE, json!({}))),
        row(2, TENANT_UAE, "+971", 500_000_001, on(UAE, json!({}))),
        row(3, TENANT_UAE, "+971", 500_000_002, on(UAE, json!({}))),
        row(4, TENANT_UAE, "+354", 5_000_002, on(&ids[2], json!({}))),
        row(5, TENANT_UAE, "+39", 612_345_678, on(UAE, json!({}))),
    ];
    let import = import_all(&snapshot, &rows);
    let regions: Vec<&str> = import.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(
        regions,
        [
            "india.toml",
            "is.toml",
            "new-zealand.toml",
            "settings.toml",
            "tenants.toml",
            "uae.toml",
            "unassigned.toml"
        ]
    );
    assert!(text(&import, "uae.toml").contains("\"+919000000001\""));
    // Valid only with the zero that the column can't hold.
    assert_eq!(
        import.restored_zeros,
        [E164::parse("+390612345678").unwrap()]
    );
    assert!(text(&import, "uae.toml").contains("\"+390612345678\""));
}

#[test]
fn only_what_was_asked_for() {
    let rows = [
        row(1, TENANT_UAE, "+971", 500_000_001, on(UAE, json!({}))),
        row(2, TENANT_INDIA, "+91", 9_000_000_002, on(INDIA, json!({}))),
        row(3, TENANT_INDIA, "+91", 9_000_000_003, on(UAE, json!({}))),
    ];
    let snapshot = two_configs(FERNET);
    let filter = ImportFilter {
        tenants: BTreeSet::from([uuid(TENANT_UAE)]),
        ..ImportFilter::default()
    };
    let of_tenant = import(filter, &snapshot, &rows);
    assert_eq!((of_tenant.counts.configs, of_tenant.counts.numbers), (1, 1));
    assert_eq!(of_tenant.others.not_asked_for, 2);
    let filter = ImportFilter {
        configs: BTreeSet::from(["uae-vm-selfhosted".to_owned()]),
        ..ImportFilter::default()
    };
    let of_config = import(filter, &snapshot, &rows);
    assert_eq!((of_config.counts.configs, of_config.counts.numbers), (1, 2));

    let filter = ImportFilter {
        tenants: BTreeSet::from([Uuid::nil()]),
        configs: BTreeSet::from(["nowhere".to_owned()]),
    };
    let importer = Importer::new(filter, &snapshot);
    assert_eq!(importer.not_found(), (vec!["nowhere"], vec![Uuid::nil()]));
}

#[test]
fn a_row_costs_forty_bytes() {
    assert_eq!(size_of::<super::ImportedRow>(), 40);
    assert_eq!(size_of::<super::Bound>(), 16);
}
