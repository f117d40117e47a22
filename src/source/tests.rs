//! Each finding, at its place.

use super::*;
use crate::fields::Field;
use crate::phone::E164;
use crate::routing::SecretSource;

/// Two regions as in the sample, without secrets.
const BASE: &str = r#"
[tenants]
sasya = "734cd516-e252-4728-9c52-4663ee552653"
techiemaya = "e0a3e9ca-3f46-4bb0-ac10-a91b5c1d20b5"

[regions.uae]
country_codes = ["+971"]
default_config = "uae-vm"

[regions.india]
country_codes = ["+91"]
default_config = "india-cloud"

[configs.uae-vm]
id = "e3ca4a84-4cc3-4be5-8240-34366fe4d0c5"
region = "uae"
url = "ws://127.0.0.1:7880"
api_key = "demo-uae-key"
api_secret = { env = "UAE_SECRET" }
worker_name = "voag-staging"

[configs.india-cloud]
region = "india"
url = "wss://livekit.india.example"
api_key = "demo-india-key"
api_secret = { file = "india.secret" }
"#;

fn load_all(files: &[(&str, &str)], environment: Option<&str>) -> Loaded {
    let files = files
        .iter()
        .map(|(path, text)| (format!("routing/{path}"), text.as_bytes().to_vec()));
    let options = LoadOptions {
        environment: environment.map(str::to_owned),
    };
    load(&Texts::new(files), &options)
}

/// Loads `text` beside [`BASE`].
fn with_base(text: &str) -> Loaded {
    load_all(&[("a.toml", BASE), ("b.toml", text)], None)
}

/// `b.toml:2:10 code`, one for each finding, but for unused configs.
fn codes(loaded: &Loaded) -> Vec<String> {
    let shown = |finding: &Finding| {
        let place = finding.place.as_ref().map(Place::to_string);
        let place = place.unwrap_or_default().replace("routing/", "");
        format!("{place} {}", finding.code).trim().to_owned()
    };
    loaded.findings.iter().map(shown).collect()
}

#[track_caller]
fn assert_codes(text: &str, expected: &[&str]) {
    let loaded = with_base(text);
    assert_eq!(codes(&loaded), expected, "{text}\n{:#?}", loaded.findings);
}

fn binding(rest: &str) -> String {
    format!("[[bindings]]\nnumber = \"+971545335200\"\ntenant = \"sasya\"\n{rest}")
}

fn config(rest: &str) -> String {
    let fields = "region = \"uae\"\nurl = \"wss://x.example\"\napi_key = \"k\"\n";
    format!("{}\n[configs.x]\n{fields}{rest}", binding("config = \"x\""))
}

const ENV: &str = "api_secret = { env = \"X\" }\n";

#[test]
fn the_base_has_no_findings() {
    let loaded = with_base("");
    assert_eq!(loaded.findings, []);
    let config = &loaded.routing.configs["uae-vm"];
    assert_eq!(config.url, "ws://127.0.0.1:7880");
    assert_eq!(config.api_secret, SecretSource::Env("UAE_SECRET".into()));
    assert_eq!(config.origin, crate::routing::Origin { file: 0, line: 14 });
    assert_eq!(config.lines[&Field::WorkerName], 20);
    assert_eq!(loaded.routing.files, ["routing/a.toml", "routing/b.toml"]);
}

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
            "+971545335200 sasya india-cloud routing/b.toml:6",
            "+97141234567 sasya uae-vm routing/b.toml:6",
            "+919513456700 techiemaya uae-vm routing/b.toml:9",
            "+919513456701 techiemaya uae-vm routing/b.toml:9",
            "+919513456702 techiemaya uae-vm routing/b.toml:9",
            "+442079460018 sasya uae-vm routing/b.toml:16",
        ]
    );
    let range = routing.settings(&routing.bindings[2]);
    assert_eq!(range.fields.text(Field::Provider), Some("TechieMaya FZE"));
    assert_eq!(range.fields.get(Field::Outbound), Some(&true.into()));
    assert_eq!(
        range.adopt,
        [Field::Config, Field::Provider, Field::Outbound]
    );
    assert_eq!(routing.bindings[2].settings, routing.bindings[4].settings);
    assert_eq!(routing.tenants.len(), 2);
}

#[test]
fn shapes() {
    assert_codes("bindngs = 1\n", &["b.toml:1:1 unknown-key"]);
    assert_codes(&binding("provder = 1"), &["b.toml:4:1 unknown-key"]);
    assert_codes(
        &binding("rules = { outbond = true }"),
        &["b.toml:4:11 unknown-key"],
    );
    assert_codes(
        &binding("rules = { outbound = \"x\" }"),
        &["b.toml:4:22 wrong-type"],
    );
    assert_codes(&binding("only = \"prod\""), &["b.toml:4:8 wrong-type"]);
    assert_codes("regions = 5\n", &["b.toml:1:11 wrong-type"]);
    assert_codes("bindings = {}\n", &["b.toml:1:12 wrong-type"]);
    assert_codes("a = [1,\n", &["b.toml:1:8 syntax"]);
    assert_codes(&config(""), &["b.toml:5:10 missing-key"]);
    assert_codes(
        "[configs.x]\n",
        &[
            "b.toml:1:10 missing-key",
            "b.toml:1:10 missing-key",
            "b.toml:1:10 missing-key",
            "b.toml:1:10 missing-key",
        ],
    );
    // One object of a wrong shape hides no problem of another.
    let two = format!("{}\nx = 1\n{}", binding(""), binding("config = \"nope\""));
    assert_codes(
        &two,
        &["b.toml:5:1 unknown-key", "b.toml:9:10 unknown-config"],
    );
}

#[test]
fn shapes_are_said_in_words() {
    let of = |text: &str| {
        let finding = with_base(text).findings.remove(0);
        format!("{} | {}", finding.message, finding.hint.unwrap_or_default())
    };
    assert_eq!(
        of(&binding("provder = 1")),
        "unknown key `provder` | did you mean `provider`?"
    );
    assert_eq!(
        of(&binding("rules = { livekit_config = \"x\" }")),
        "unknown key `livekit_config` | write `config = \"…\"` beside the number"
    );
    assert_eq!(of(&binding("rules = 5")), "a table is expected here | ");
    assert_eq!(of(&binding("only = \"x\"")), "a list is expected here | ");
    assert_eq!(of(&binding("provider = 5")), "a string is expected here | ");
}

#[test]
fn names() {
    let expect = "[[expect]]\nfrom = \"+971545335200\"\ntenant = \"sasia\"\nconfig = \"uae\"\nregion = \"uea\"";
    assert_codes(
        expect,
        &[
            "b.toml:3:10 unknown-tenant",
            "b.toml:4:10 unknown-config",
            "b.toml:5:10 unknown-region",
        ],
    );
    assert_codes(
        "[regions.x]\ndefault_config = \"uae-wm\"",
        &["b.toml:2:18 unknown-config"],
    );
    assert_codes(
        &config(ENV).replace("\"uae\"", "\"dubai\""),
        &["b.toml:6:10 unknown-region"],
    );
    let hints: Vec<_> = with_base(expect)
        .findings
        .into_iter()
        .map(|f| f.hint)
        .collect();
    assert_eq!(hints[0].as_deref(), Some("did you mean `sasya`?"));
    assert_eq!(hints[2].as_deref(), Some("did you mean `uae`?"));
    // What can't be read is not called unknown too.
    assert_codes(
        &format!("{}\nx = 1", config(ENV)),
        &["b.toml:11:1 unknown-key"],
    );
    assert_codes(
        "[tenants]\nt = \"x\"\n[[bindings]]\nnumber = \"+971545335200\"\ntenant = \"t\"",
        &["b.toml:2:5 bad-uuid"],
    );
    let broken = load_all(&[("a.toml", "x = \n"), ("b.toml", &binding(""))], None);
    assert_eq!(codes(&broken), ["a.toml:1:5 syntax"]);
}

#[test]
fn duplicates_show_both_places() {
    let both = |loaded: &Loaded| {
        let finding = &loaded.findings[0];
        let also = &finding.also[0].0;
        format!("{} {} {also}", finding.code, finding.place.clone().unwrap())
    };
    let a = "routing/a.toml";
    let b = "routing/b.toml";
    assert_eq!(
        both(&with_base("[regions.uae]")),
        format!("duplicate {b}:1:10 {a}:6:10")
    );
    assert_eq!(
        both(&with_base(
            "[configs.uae-vm]\nregion = \"uae\"\nurl = \"wss://x.example\"\napi_key = \"k\"\napi_secret = { env = \"X\" }"
        )),
        format!("duplicate {b}:1:10 {a}:14:10")
    );
    assert_eq!(
        both(&with_base("owner = \"x\"\nowner = \"y\"")),
        format!("duplicate {b}:2:1 {b}:1:1")
    );
    assert_eq!(
        both(&with_base("[regions.x]\n[tenants]\n[regions.x]")),
        format!("duplicate {b}:3:10 {b}:1:10")
    );
    assert_eq!(
        both(&with_base(
            "[tenants]\nsasya = \"00000000-0000-4000-8000-000000000001\""
        )),
        format!("duplicate {b}:2:1 {a}:3:1")
    );
    assert_eq!(
        both(&with_base(
            "[tenants]\nother = \"734cd516-e252-4728-9c52-4663ee552653\""
        )),
        format!("same-tenant {b}:2:1 {a}:3:1")
    );
    assert_eq!(
        both(&with_base("[regions.x]\ncountry_codes = [\"+91\"]")),
        format!("same-prefix {b}:2:18 {a}:11:18")
    );
    let same_id = config(&format!(
        "id = \"e3ca4a84-4cc3-4be5-8240-34366fe4d0c5\"\n{ENV}"
    ));
    assert_eq!(
        both(&with_base(&same_id)),
        format!("same-id {b}:9:6 {a}:15:6")
    );
    let twice = format!("{}\n{}", binding(""), binding("provider = \"x\""));
    assert_eq!(
        both(&with_base(&twice)),
        format!("duplicate-binding {b}:6:10 {b}:2:10")
    );
    // By uuid and by alias it is one tenant; a range and a list overlap.
    let overlap = r#"
        [[bindings]]
        tenant = "sasya"
        range = ["+971545335200", "+971545335209"]
        [[bindings]]
        tenant = "734cd516-e252-4728-9c52-4663ee552653"
        numbers = [
          "+971545335300",
          "+971545335205",
        ]"#;
    assert_eq!(
        both(&with_base(overlap)),
        format!("duplicate-binding {b}:9:11 {b}:4:9")
    );
    let rome = "[[bindings]]\ntenant = \"sasya\"\nconfig = \"uae-vm\"\nnumbers = [\"+390612345678\", \"+39612345678\"]";
    assert_eq!(
        both(&with_base(rome)),
        format!("same-row {b}:4:29 {b}:4:12")
    );
    let owners = load_all(
        &[
            ("a.toml", &format!("owner = \"a\"\n{BASE}")),
            ("b.toml", "owner = \"b\""),
        ],
        None,
    );
    assert_eq!(both(&owners), format!("duplicate {b}:1:9 {a}:1:9"));
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
fn configs() {
    let url = |url: &str| config(ENV).replace("wss://x.example", url);
    assert_codes(&url("x.example:7880"), &["b.toml:7:7 bad-url"]);
    assert_codes(&url("WSS://x.example"), &["b.toml:7:7 bad-url"]);
    assert_codes(&url("wss://x.example/rtc"), &["b.toml:7:7 url-path"]);
    assert_codes(&url("http://x.example:7880"), &["b.toml:7:7 plain-http"]);
    assert_codes(&url("http://10.1.2.3:7880"), &[]);
    assert_codes(
        &config(&format!("id = \"e3ca4a84\"\n{ENV}")),
        &["b.toml:9:6 bad-uuid"],
    );
    assert_codes(
        &config(&format!("{ENV}worker_name = \"\"")),
        &["b.toml:10:15 bad-value"],
    );
    assert_codes(
        &config(&format!("{ENV}trunk_id = \"{}\"", "x".repeat(256))),
        &["b.toml:10:12 bad-value"],
    );
    assert_codes(
        &config(&format!("{ENV}formerly = \"x\"")),
        &["b.toml:10:12 formerly-clash"],
    );
    assert_codes(
        &config(&format!("{ENV}formerly = \"india-cloud\"")),
        &["b.toml:10:12 formerly-clash"],
    );
    assert_codes(&config(&format!("{ENV}formerly = \"gone\"")), &[]);
    let unused = config(ENV).replace("config = \"x\"", "");
    assert_codes(&unused, &["b.toml:5:10 unused-config"]);
    assert!(!with_base(&unused).has_errors());
}

#[test]
fn formerly_lets_two_swap_names() {
    let one = |name: &str, former: &str| {
        format!(
            "[configs.{name}]\nformerly = \"{former}\"\nregion = \"uae\"\nurl = \"wss://x.example\"\napi_key = \"k\"\n{ENV}"
        )
    };
    let uses = format!(
        "{}\n{}",
        binding("config = \"p\""),
        binding("config = \"q\"").replace("5200", "5201")
    );
    assert_codes(&format!("{uses}\n{}{}", one("p", "q"), one("q", "p")), &[]);
    assert_codes(
        &format!("{uses}\n{}{}", one("p", "o"), one("q", "o")),
        &["b.toml:16:12 formerly-clash"],
    );
}

const SEALED: &str = "lkr1:demo:c18b5b35:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[test]
fn secrets() {
    let secret = |id: &str, secret: &str| config(&format!("{id}\napi_secret = {secret}"));
    let id = "id = \"cf7a1d26-04aa-4623-8d4e-f4b079cdec6f\"";
    let sealed = format!("{{ sealed = \"{SEALED}\" }}");
    assert_codes(&secret("", &sealed), &["b.toml:10:14 sealed-without-id"]);
    assert_codes(&secret(id, &sealed), &["b.toml:10:14 sealed-for-another"]);
    assert_codes(
        &secret(id, "{ sealed = \"lkr1:x\" }"),
        &["b.toml:10:25 sealed-malformed"],
    );
    assert_codes(
        &secret("", "{ env = \"1 X\" }"),
        &["b.toml:10:22 bad-secret-source"],
    );
    assert_codes(&secret("", "{}"), &["b.toml:10:14 bad-secret-source"]);
    assert_codes(
        &secret("", "{ env = \"X\", file = \"y\" }"),
        &["b.toml:10:14 bad-secret-source"],
    );
    assert_codes(
        &secret("", "\"hunter2hunter2\""),
        &["b.toml:10:14 plaintext-secret"],
    );
}

#[test]
fn a_plain_secret_is_never_echoed() {
    let plain = "hunter2hunter2";
    for line in [
        format!("api_secret = \"{plain}\""),
        format!("api_secret = {plain}"),
        format!("api_secret = \"{plain}"),
        format!("api_secret = {{ sealed = \"{plain}\" }}"),
        format!("api_secret = {{ env = \"{plain}-\" }}"),
        format!("api_secret = {{ sealed = [\"{plain}\"] }}"),
        format!("api_secret = {{ plain = \"{plain}\" }}"),
        format!("api_secret = [\"{plain}\"]"),
        format!("api_secret = \"\"\"\n{plain}\"\"\""),
        format!("api_secret = \"\"\"\na = b\n{plain}"),
        format!("api_secret.{plain} = 1"),
        format!("api_secert = \"{plain}\""),
        format!("secret = \"{plain}\""),
        format!("password = \"{plain}\""),
        format!("livekit_api_secret = \"{plain}\""),
        format!("api_secret = {{ file = \"x\" }}\nenv.prod = {{ api_secret = \"{plain}\" }}"),
    ] {
        let loaded = with_base(&config(&line));
        assert!(loaded.has_errors(), "{line}");
        let shown = format!("{:?}", loaded.findings);
        assert!(
            !shown.contains(plain) || line.contains("api_secret.hunter"),
            "{line}\n{shown}"
        );
    }
    let url = with_base(&config(ENV).replace("wss://", "wss://key:hunter2@"));
    assert!(!format!("{:?}", url.findings).contains("hunter2"));
}

#[test]
fn trees() {
    let nothing = load(&Texts::default(), &LoadOptions::default());
    assert_eq!(codes(&nothing), ["no-files"]);
    assert_eq!(
        codes(&load_all(&[("a.toml", "# nothing yet\n")], None)),
        ["no-objects"]
    );
    let bytes = Texts::new([("x.toml".to_owned(), b"a = 1\n\"\xff\"".to_vec())]);
    let loaded = load(&bytes, &LoadOptions::default());
    assert_eq!(codes(&loaded), ["x.toml not-utf8"]);
    assert!(loaded.findings[0].message.ends_with("line 2"));
}

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
api_secret = {{ env = \"X\" }}
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

#[test]
fn guards() {
    let text = r#"
[guards]
deletes = { max = 3, percent = 2.5, per_tenant = { max = 1 } }
protected = ["config.uae-*", "binding.+971545335200@*"]
[guards.policy]
plain_http = "deny"
hosts = { uae = ["*.uae.example"] }
workers = { "*" = ["voag-*"] }
require = ["trunk_id"]
[[guards.allow]]
guard = "deletes"
addresses = ["binding.+971545335200@sasya"]
reason = "the number was returned to the carrier"
expires = "2026-08-01"
"#;
    let loaded = with_base(text);
    assert_eq!(loaded.findings, []);
    let guards = loaded.routing.guards;
    assert_eq!(guards.deletes.overall.percent, Some(2.5));
    assert_eq!(guards.deletes.per_tenant.max, Some(1));
    assert_eq!(guards.policy.require, [Field::TrunkId]);
    assert!(guards.policy.deny_plain_http);
    assert_eq!(guards.allow[0].place.line, 10);
    assert_codes(
        "[guards]\nprotected = [\"uae-*\"]",
        &["b.toml:2:14 bad-guard"],
    );
    assert_codes(
        "[guards.policy]\nplain_http = \"no\"",
        &["b.toml:2:14 bad-guard"],
    );
    assert_codes(
        "[guards.policy.hosts]\nuea = []",
        &["b.toml:2:1 unknown-region"],
    );
    assert_codes(
        "[guards.policy.workers]\nprod = []",
        &["b.toml:2:1 unknown-environment"],
    );
    assert_codes("[guards.updates]", &["b.toml:1:1 bad-guard"]);
    assert_codes(
        "[guards]\nupdates = { percent = 101 }",
        &["b.toml:2:23 bad-guard"],
    );
    assert_codes(
        "[[guards.allow]]\nguard = \"deletes\"\naddresses = [\"x\"]\nexpires = \"soon\"",
        &[
            "b.toml:1:1 missing-key",
            "b.toml:3:14 bad-guard",
            "b.toml:4:11 bad-guard",
        ],
    );
}

#[test]
fn a_million_problems_are_counted_not_listed() {
    let numbers: String = (0..1500).map(|n| format!("\"{n}\",\n")).collect();
    let text = format!("[[bindings]]\ntenant = \"sasya\"\nnumbers = [\n{numbers}]");
    let findings = with_base(&text).findings;
    assert_eq!(findings.len(), 1001);
    let last = findings
        .iter()
        .find(|f| f.place.as_ref().is_some_and(|p| p.line == 0));
    assert_eq!(last.unwrap().message, "and 500 more like the 1000 above");
}

#[test]
fn many_files_load_in_order() {
    let files = (0..40).map(|n| {
        let text = format!("{}\n", binding("").replace("5200", &format!("52{n:02}")));
        (format!("routing/{n:02}.toml"), text.into_bytes())
    });
    let base = ("routing/base.toml".to_owned(), BASE.as_bytes().to_vec());
    let loaded = load(&Texts::new(files.chain([base])), &LoadOptions::default());
    assert_eq!(loaded.findings, []);
    let sorted = loaded
        .routing
        .bindings
        .is_sorted_by_key(|binding| (binding.origin, binding.number));
    assert!(sorted && loaded.routing.bindings.len() == 40);
}
