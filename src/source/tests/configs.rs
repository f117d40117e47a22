//! Configs and their secrets.

use super::*;

#[test]
fn the_base_has_no_findings() {
    let loaded = with_base("");
    assert_eq!(loaded.findings, []);
    let config = &loaded.routing.configs["uae-vm"];
    assert_eq!(config.url, "ws://127.0.0.1:7880");
    assert_eq!(
        config.api_secret,
        SecretSource::Env("LKROUTE_SECRET_UAE".into())
    );
    assert_eq!(config.origin, crate::routing::Origin { file: 0, line: 14 });
    assert_eq!(config.lines[&Field::WorkerName], 20);
    assert_eq!(loaded.routing.files, ["routing/a.toml", "routing/b.toml"]);
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
