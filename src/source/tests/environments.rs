//! Environments and what they override.

use super::*;

const ENVIRONMENTS: &str = r#"
[environments.prod]
database = "PROD_DATABASE_URL"
schema = "lad_prod"
secrets = { format = "fernet" }
guards = { deletes = { max = 5 } }
[environments.dev]
database = "DEV_DATABASE_URL"
"#;

#[test]
fn environments() {
    let text = format!(
        "{ENVIRONMENTS}
[configs.uae-two]
region = \"uae\"
url = \"wss://two.example\"
api_key = \"k\"
api_secret = {{ env = \"LKROUTE_SECRET_X\" }}
worker_name = \"voag-staging\"
[configs.uae-two.env.prod]
worker_name = \"voag-production\"
id = \"00000000-0000-4000-8000-000000000002\"
[[bindings]]
number = \"+971545335200\"
tenant = \"sasya\"
config = \"uae-vm\"
env.prod = {{ config = \"uae-two\", rules = {{ outbound = false }} }}
[[bindings]]
number = \"+971545335201\"
tenant = \"sasya\"
only = [\"dev\"]
config = \"uae-two\"
"
    );
    let files = [("a.toml", BASE), ("b.toml", text.as_str())];
    let without = load_all(&files, None);
    assert_eq!(codes(&without), ["environment-required"]);
    assert!(without.findings[0].message.ends_with("`dev` and `prod`"));
    assert_eq!(without.environments, ["dev", "prod"]);
    let prod = load_all(&files, Some("prod"));
    assert_eq!(prod.findings, []);
    assert_eq!(prod.database.as_deref(), Some("PROD_DATABASE_URL"));
    assert_eq!(prod.schema.as_deref(), Some("lad_prod"));
    let routing = &prod.routing;
    assert_eq!(routing.environment.as_deref(), Some("prod"));
    assert_eq!(
        routing.secret_format,
        Some(crate::routing::SecretFormat::Fernet)
    );
    assert_eq!(routing.guards.deletes.overall.max, Some(5));
    let two = &routing.configs["uae-two"];
    assert_eq!(two.worker_name.as_deref(), Some("voag-production"));
    assert!(two.id.is_some());
    assert_eq!(routing.bindings.len(), 1);
    let settings = routing.settings(&routing.bindings[0]);
    assert_eq!(settings.config, "uae-two");
    assert_eq!(settings.fields.get(Field::Outbound), Some(&false.into()));
    let dev = load_all(&files, Some("dev"));
    assert_eq!(dev.findings, []);
    assert_eq!(dev.routing.bindings.len(), 2);
    assert_eq!(dev.routing.configs["uae-two"].id, None);
    assert_eq!(
        codes(&load_all(&files, Some("prd"))),
        ["unknown-environment"]
    );
    assert_eq!(
        codes(&load_all(&[("a.toml", BASE)], Some("prod"))),
        ["unknown-environment"]
    );
}

#[test]
fn overrides_that_go_wrong() {
    let check = |text: &str, expected: &[&str]| {
        let files = [("a.toml", BASE), ("b.toml", text), ("c.toml", ENVIRONMENTS)];
        let loaded = load_all(&files, Some("dev"));
        assert_eq!(codes(&loaded), expected, "{:#?}", loaded.findings);
    };
    check(
        &binding("env.prdo = { provider = \"x\" }"),
        &["b.toml:4:5 unknown-environment"],
    );
    check(&binding("env.prod = {}"), &["b.toml:4:5 override-nothing"]);
    check(
        &binding("provider = \"x\"\nenv.prod = { provider = \"x\" }"),
        &["b.toml:5:5 override-nothing"],
    );
    check(
        &binding("env.prod = { number = \"+971545335201\", provider = \"x\" }"),
        &["b.toml:4:23 unknown-key"],
    );
    check(
        &binding("only = [\"dev\"]\nenv.prod = { provider = \"x\" }"),
        &["b.toml:5:5 override-nothing"],
    );
    check(
        &config(&format!("{ENV}env.prod = {{ api_key = \"k\" }}")),
        &["b.toml:10:24 override-nothing"],
    );
    check(
        &config(&format!("{ENV}env.prod = {{}}")),
        &["b.toml:10:5 override-nothing"],
    );
    check(
        &config(&format!("{ENV}only = [\"prod\"]")),
        &["b.toml:4:10 unknown-config"],
    );
    check("[environments.x]", &["b.toml:1:15 missing-key"]);
    check(
        "[environments.x]\ndatabase = \"postgres://u:p@h/db\"",
        &["b.toml:2:12 bad-value"],
    );
}

#[test]
fn overrides_stand_with_their_config() {
    let lone = format!("{ENVIRONMENTS}[configs.uae-vm.env.prod]\nworker_name = \"w\"\n");
    let loaded = load_all(&[("a.toml", BASE), ("b.toml", &lone)], Some("prod"));
    assert_eq!(
        codes(&loaded),
        ["b.toml:9:10 missing-key", "b.toml:9:10 duplicate"]
    );
}
