//! TLS: a private CA through `SSL_CERT_FILE`, and what goes wrong without it.

use std::path::{Path, PathBuf};
use std::process::Command;

use lkroute::dispatch::{Cause, place_call};
use lkroute::livekit::{Check, probe_server};
use tempfile::TempDir;

use super::standin::StandIn;
use super::{CALL, QUICK, URL, again, client, dispatched, failed, server};
use crate::support::block_on;

/// A certificate that signs itself, for this name alone, and its key.
pub fn certificate(dir: &TempDir, name: &str) -> (PathBuf, PathBuf) {
    let (certificate, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
        ])
        .args(["-nodes", "-days", "2", "-subj", "/CN=lkroute test"])
        .args(["-addext", &format!("subjectAltName={name}")])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args([Path::new("-keyout"), &key, Path::new("-out"), &certificate])
        .output()
        .expect("openssl");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    (certificate, key)
}

#[test]
fn a_private_ca_is_trusted_through_ssl_cert_file() {
    if let Ok(url) = std::env::var(URL) {
        return block_on(with_ssl_cert_file(&url));
    }
    let dir = TempDir::new().unwrap();
    let (certificate, key) = certificate(&dir, "IP:127.0.0.1");
    let standin = StandIn::start_tls(&certificate, &key);
    let variables = [
        ("SSL_CERT_FILE", certificate.to_str().unwrap()),
        ("SSL_CERT_DIR", ""),
        (URL, &standin.url_as("wss")),
    ];
    again(
        "tls::a_private_ca_is_trusted_through_ssl_cert_file",
        &variables,
    );
    assert_eq!(standin.dispatches().len(), 1);
}

async fn with_ssl_cert_file(url: &str) {
    let outcome = place_call(&client(url), &CALL).await;
    dispatched(&outcome);
    let server = server(url);
    let report = probe_server(&server, None, QUICK).await;
    assert_eq!(report.grants, Check::Passed, "{report:?}");
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_sent() {
    let dir = TempDir::new().unwrap();
    let (certificate, key) = certificate(&dir, "IP:127.0.0.1");
    let standin = StandIn::start_tls(&certificate, &key);
    let outcome = place_call(&client(&standin.url()), &CALL).await;
    let failure = failed(&outcome);
    assert_eq!(failure.cause, Cause::Tls, "{failure}");
    assert_contains!(failure.to_string(), "SSL_CERT_FILE");
    assert!(standin.world().posts.is_empty());
}

#[tokio::test]
async fn tls_and_plain_ports_mixed_up_are_named() {
    let standin = StandIn::start();
    let outcome = place_call(&client(&standin.url_as("https")), &CALL).await;
    let failure = failed(&outcome);
    assert_eq!(failure.cause, Cause::Tls, "{failure}");

    let dir = TempDir::new().unwrap();
    let (certificate, key) = certificate(&dir, "IP:127.0.0.1");
    let standin = StandIn::start_tls(&certificate, &key);
    let outcome = place_call(&client(&standin.url_as("http")), &CALL).await;
    failed(&outcome);
    assert!(standin.world().posts.is_empty());
}
