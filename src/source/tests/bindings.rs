//! Numbers, rules and waves.

use super::*;

#[test]
fn a_binding_gets_its_config() {
    let text = r#"
        [regions.extra]
        country_codes = ["+9715"]
        default_config = "india-cloud"
        [[bindings]]
        numbers = ["+971545335200", "+97141234567"]
        tenant = "sasya"
        [[bindings]]
        range = ["+919513456700", "+919513456702"]
        tenant = "e0a3e9ca-3f46-4bb0-ac10-a91b5c1d20b5"
        region = "uae"
        provider = "TechieMaya FZE"
        rules = { outbound = true, required_lead_format = ["0", "base_number"] }
        adopt = ["provider", "rules.outbound", "config"]
        [[bindings]]
        number = "+442079460018"
        tenant = "sasya"
        config = "uae-vm"
    "#;
    let routing = {
        let loaded = with_base(text);
        assert_eq!(loaded.findings, []);
        loaded.routing
    };
    let shown: Vec<String> = routing
        .bindings
        .iter()
        .map(|binding| {
            let settings = routing.settings(binding);
            let tenant = routing.tenant(binding).label();
            let at = routing.show(binding.origin);
            format!("{} {tenant} {} {at}", binding.number, settings.config)
        })
        .collect();
    assert_eq!(
        shown,
        [
            "+97141234567 sasya uae-vm routing/b.toml:6",
            "+442079460018 sasya uae-vm routing/b.toml:16",
            "+971545335200 sasya india-cloud routing/b.toml:6",
            "+919513456700 techiemaya uae-vm routing/b.toml:9",
            "+919513456701 techiemaya uae-vm routing/b.toml:9",
            "+919513456702 techiemaya uae-vm routing/b.toml:9",
        ]
    );
    let range = routing.settings(&routing.bindings[3]);
    assert_eq!(range.fields.text(Field::Provider), Some("TechieMaya FZE"));
    assert_eq!(range.fields.get(Field::Outbound), Some(&true.into()));
    assert_eq!(
        range.adopt,
        [Field::Config, Field::Provider, Field::Outbound]
    );
    assert_eq!(routing.bindings[3].settings, routing.bindings[5].settings);
    assert_eq!(routing.tenants.len(), 2);
}

#[test]
fn numbers() {
    let number = |text: &str| binding("").replace("+971545335200", text);
    let hint = |text: &str| {
        with_base(&number(text))
            .findings
            .remove(0)
            .hint
            .unwrap_or_default()
    };
    assert_codes(&number("971545335200"), &["b.toml:2:10 not-e164"]);
    assert_eq!(hint("+971 54 533 5200"), "did you mean `+971545335200`?");
    assert_eq!(hint("00971545335200"), "did you mean `+971545335200`?");
    assert_codes(&number("+442079460018"), &["b.toml:2:10 no-region"]);
    let form = |rest: &str| format!("[[bindings]]\ntenant = \"sasya\"\n{rest}\n");
    assert_codes(&form(""), &["b.toml:1:1 number-choice"]);
    assert_codes(
        &form("number = \"+971545335200\"\nnumbers = []"),
        &["b.toml:4:11 number-choice"],
    );
    assert_codes(&form("numbers = []"), &["b.toml:3:11 bad-range"]);
    assert_codes(
        &form("range = [\"+971545335200\"]"),
        &["b.toml:3:9 bad-range"],
    );
    assert_codes(
        &form("range = [\"+971545335200\", \"+971545335100\"]"),
        &["b.toml:3:9 bad-range"],
    );
    assert_codes(
        &form("range = [\"+971500000000\", \"+971501000000\"]"),
        &["b.toml:3:9 bad-range"],
    );
    assert_codes(
        &form("numbers = [\"+971545335200\", \"x\",\n\"y\"]"),
        &["b.toml:3:29 not-e164", "b.toml:4:1 not-e164"],
    );
    assert_codes(
        "[[bindings]]\nnumber = \"+971545335200\"",
        &["b.toml:1:1 missing-key"],
    );
    let no_default = format!("{}\n[regions.x]\n", binding("region = \"x\""));
    assert_codes(&no_default, &["b.toml:2:10 region-without-default"]);
}

#[test]
fn rules() {
    let rule = |rule: &str| binding(&format!("rules = {{ {rule} }}"));
    assert_codes(&rule("allowed_outbound = \"global\""), &[]);
    assert_codes(&rule("allowed_outbound = \"india\""), &[]);
    assert_codes(
        &rule("allowed_outbound = \"indai\""),
        &["b.toml:4:30 unknown-region"],
    );
    let known = format!(
        "{}\n[regions.oman]\ncountry_codes = [\"+968\"]",
        rule("allowed_outbound = \"oman\"")
    );
    assert_codes(&known, &["b.toml:4:30 outbound-unknown-today"]);
    assert_codes(
        &rule("required_lead_format = [\"country_code\", \"base_number\"]"),
        &[],
    );
    assert_codes(
        &rule("required_lead_format = [\"zero\", \"base_number\"]"),
        &["b.toml:4:35 bad-lead-format"],
    );
    assert_codes(
        &rule("required_lead_format = [\"0\"]"),
        &["b.toml:4:34 bad-lead-format"],
    );
    assert_codes(
        &binding("adopt = [\"provder\"]"),
        &["b.toml:4:10 unknown-field"],
    );
    assert_codes(
        &binding("adopt = [\"url\"]"),
        &["b.toml:4:10 unknown-field"],
    );
}

#[test]
fn waves_move_numbers() {
    let target = config(ENV).replace(&binding("config = \"x\""), "");
    let many = "[[bindings]]\ntenant = \"sasya\"\nrange = [\"+971545330000\", \"+971545330999\"]\n";
    let moved = |wave: &str| {
        let loaded = with_base(&format!(
            "{target}{many}[[rollouts]]\nfrom = \"uae-vm\"\nto = \"x\"\n{wave}"
        ));
        assert_eq!(loaded.findings, [], "{wave}");
        let routing = loaded.routing;
        let on_x = |binding: &&crate::routing::Binding| routing.settings(binding).config == "x";
        let moved = routing.bindings.iter().filter(on_x);
        moved.map(|binding| binding.number).collect::<Vec<E164>>()
    };
    let (ten, twenty) = (moved("percent = 10"), moved("percent = 20"));
    assert!((70..130).contains(&ten.len()), "{}", ten.len());
    assert!((160..240).contains(&twenty.len()), "{}", twenty.len());
    assert!(ten.iter().all(|number| twenty.contains(number)));
    assert_eq!(moved("percent = 100").len(), 1000);
    assert_eq!(moved("percent = 0").len(), 0);
    assert_eq!(moved("region = \"uae\"").len(), 1000);
    assert_eq!(moved("tenants = [\"sasya\"]").len(), 1000);
    let wave =
        |wave: &str| format!("{target}{many}[[rollouts]]\nfrom = \"uae-vm\"\nto = \"x\"\n{wave}");
    assert_codes(&wave(""), &["b.toml:10:1 bad-rollout"]);
    assert_codes(&wave("percent = 120"), &["b.toml:13:11 bad-rollout"]);
    assert_codes(&wave("region = \"india\""), &["b.toml:10:1 idle-rollout"]);
    assert_codes(
        &wave("percent = 5").replace("to = \"x\"", "to = \"uae-vm\""),
        &["b.toml:12:6 bad-rollout"],
    );
    let loaded = with_base(&wave("percent = 100"));
    let settings = loaded.routing.settings(&loaded.routing.bindings[0]);
    assert_eq!(settings.rollout.as_deref(), Some("uae-vm → x: 100 %"));
}

/// In a tree without tenants that was a panic, in another the first tenant's.
#[test]
fn bindings_of_no_tenant_are_nobodys() {
    let two = "[[bindings]]\nnumber = \"+971545335200\"\nconfig = \"uae-vm\"\n".repeat(2);
    let alone = codes(&load_all(&[("a.toml", &two)], None));
    assert!(!alone.iter().any(|code| code.contains("duplicate-binding")));
    assert_codes(&two, &["b.toml:1:1 missing-key", "b.toml:4:1 missing-key"]);
}

#[test]
fn one_mistake_in_a_range_is_one_finding() {
    // A wrong prefix: 401 numbers of no region.
    let wrong = "[[bindings]]\ntenant = \"sasya\"\nrange = [\"+4930123000\", \"+4930123400\"]\n";
    let loaded = with_base(wrong);
    assert_codes(wrong, &["b.toml:3:10 no-region"]);
    let message = &loaded.findings[0].message;
    assert!(
        message.contains("+4930123000 and 400 more of this range are in no region"),
        "{message}"
    );
    // Two ranges that overlap.
    let range =
        "[[bindings]]\ntenant = \"sasya\"\nrange = [\"+971545330000\", \"+971545330400\"]\n";
    let loaded = with_base(&format!("{range}{range}"));
    assert_eq!(loaded.findings.len(), 1);
    let message = &loaded.findings[0].message;
    assert!(message.contains("so are 400 more here"), "{message}");
}

/// 30 ranges in 2 kB were 30 million bindings and 1.9 GB.
#[test]
fn more_bindings_than_asked_for_are_not_made() {
    let range = |n: u64| {
        let (from, to) = (
            971_500_000_000 + n * 1_000_000,
            971_500_999_999 + n * 1_000_000,
        );
        format!("[[bindings]]\ntenant = \"sasya\"\nrange = [\"+{from}\", \"+{to}\"]\n")
    };
    let ranges: String = (0..30).map(range).collect();
    let start = std::time::Instant::now();
    let loaded = with_base(&ranges);
    assert!(loaded.routing.bindings.is_empty());
    let found: Vec<&str> = loaded.findings.iter().map(|f| f.code.as_ref()).collect();
    assert_eq!(found, ["too-many-bindings"], "{:?}", loaded.findings);
    let finding = &loaded.findings[0];
    assert!(
        finding.message.contains("bind 30000000 numbers"),
        "{}",
        finding.message
    );
    assert_eq!(finding.place.as_ref().map(|place| place.line), Some(9));
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    let hint = finding.hint.as_deref().unwrap_or_default();
    assert!(hint.contains("--max-bindings 30000000"), "{hint}");
}

/// A config that was deleted while numbers go to it: the files say so, and do
/// not offer the server of somebody else.
#[test]
fn a_deleted_config_that_is_in_use_is_named_with_its_numbers() {
    let text = r#"
        [[bindings]]
        range = ["+971545335200", "+971545335599"]
        tenant = "sasya"
        config = "uae-vm-2"
    "#;
    let findings = with_base(text).findings;
    assert_eq!(
        findings[0].message,
        "there is no config `uae-vm-2`, and 400 numbers go to it"
    );
    let hint = findings[0].hint.as_deref();
    assert_eq!(
        hint,
        Some("declare [configs.uae-vm-2]; one that is to go is deleted once nothing names it")
    );
    let typo = text.replace("uae-vm-2", "uae-vn");
    let hint = with_base(&typo).findings.remove(0).hint;
    assert_eq!(hint.as_deref(), Some("did you mean `uae-vm`?"));
}
