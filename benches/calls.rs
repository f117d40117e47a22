//! What placing a call costs beside resolving it, against a server on loopback
//! that answers at once: `cargo bench --bench calls`. Imports the stand-in of
//! the tests; it needs nothing that is not built here.

// The lints of Cargo.toml are for what ships.
#![allow(
    unreachable_pub,
    clippy::pedantic,
    clippy::print_stderr,
    clippy::print_stdout
)]

#[allow(dead_code, reason = "the tests use the rest of it")]
#[path = "../tests/it/livekit/standin/mod.rs"]
mod standin;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use livekit_protocol::SipOutboundTrunkInfo;
use standin::{KEY, SECRET, StandIn};

/// `made-up key for lkroute's tests`.
const RING: &str = "tests:bWFkZS11cCBrZXkgZm9yIGxrcm91dGUncyB0ZXN0cyE";
const CALL: [&str; 4] = ["--from", "+919513456728", "--to", "+919876543210"];
const TRUNK: &str = "ST_MmVqEuBMDNf6";
const TIMES: usize = 31;

fn main() {
    let standin = StandIn::start();
    standin.world().trunks.push(SipOutboundTrunkInfo {
        sip_trunk_id: TRUNK.to_owned(),
        ..Default::default()
    });
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    fs::create_dir(dir.join("routing")).expect("make it");
    fs::write(dir.join("routing/a.toml"), files(&standin.url())).expect("write it");
    lkroute(dir, &["apply", "--auto-approve"]);
    println!("median of {TIMES}, SQLite, milliseconds");
    row("process start", || lkroute(dir, &["--version"]));
    row("resolve", || {
        lkroute(dir, &[&["resolve"][..], &CALL].concat())
    });
    row("dispatch", || {
        lkroute(dir, &[&["dispatch"][..], &CALL].concat())
    });
    let creates = standin.posts("CreateDispatch").len();
    assert_eq!(creates, TIMES, "each call was placed, and once");
}

/// The seconds that a command takes, which has to succeed.
fn lkroute(dir: &Path, args: &[&str]) -> f64 {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lkroute"));
    command.current_dir(dir).args(args).arg("-q");
    command
        .env("LKROUTE_KEYS", RING)
        .env("LKROUTE_SECRET_MADE_UP", SECRET);
    command
        .env("NO_PROXY", "127.0.0.1")
        .env_remove("CI")
        .env_remove("DATABASE_URL");
    let start = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    let seconds = start.elapsed().as_secs_f64();
    assert!(status.expect("lkroute starts").success(), "{args:?}");
    seconds
}

fn row(name: &str, run: impl Fn() -> f64) {
    let mut times: Vec<f64> = (0..TIMES).map(|_| run()).collect();
    times.sort_by(f64::total_cmp);
    println!("{name:<14} {:6.1}", times[TIMES / 2] * 1000.0);
}

fn files(url: &str) -> String {
    format!(
        r#"
owner = "bench"
[tenants]
techiemaya-test = "e0a3e9ca-3f46-4bb0-ac10-a91b5c1d20b5"
[regions.india]
country_codes = ["+91"]
[configs.india-techiemaya-cloud]
id = "cf7a1d26-04aa-4623-8d4e-f4b079cdec6f"
region = "india"
url = "{url}"
api_key = "{KEY}"
api_secret = {{ env = "LKROUTE_SECRET_MADE_UP" }}
trunk_id = "{TRUNK}"
worker_name = "voag-dev"
[[bindings]]
number = "+919513456728"
tenant = "techiemaya-test"
config = "india-techiemaya-cloud"
"#
    )
}
