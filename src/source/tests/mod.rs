//! Each finding, at its place.

use super::*;
use crate::fields::Field;
use crate::finding::{Finding, Place};
use crate::phone::E164;
use crate::routing::SecretSource;

mod bindings;
mod configs;
mod environments;
mod guards;
mod laws;
mod shapes;

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
api_secret = { env = "LKROUTE_SECRET_UAE" }
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
        ..LoadOptions::default()
    };
    load_routing(&Texts::new(files), &options)
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

const ENV: &str = "api_secret = { env = \"LKROUTE_SECRET_X\" }\n";

#[test]
fn the_digest_is_that_of_what_the_files_hold() {
    let digest = |files: &[(&str, &str)]| load_all(files, None).digest;
    let one = digest(&[("a.toml", "owner = \"one\"\n"), ("b.toml", "")]);
    assert_eq!(one.len(), 64);
    let moved = digest(&[("x/a.toml", ""), ("x/c.toml", "owner = \"one\"\n")]);
    assert_eq!(one, moved);
    let comment = digest(&[("a.toml", "owner = \"one\" # why\n"), ("b.toml", "")]);
    assert_ne!(one, comment);
}
