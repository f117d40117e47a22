//! The LiveKit room, against a stand-in for what goes wrong and against a real
//! server and a real worker for what goes right.

mod calls;
mod probes;
mod proxy;
pub mod real;
mod server;
pub mod standin;
pub mod tls;
mod worker;

use std::process::Command;
use std::time::Duration;

use lkroute::dispatch::{Call, CallOutcome, Limits};
use lkroute::livekit::{Client, Server};
use standin::{KEY, SECRET, StandIn};

/// Short enough for tests that wait for a limit to run out.
pub const QUICK: Limits = Limits {
    step: Duration::from_millis(400),
    whole: Duration::from_secs(3),
    settle: Duration::from_millis(600),
    poll: Duration::from_millis(20),
};

const ROOM: &str = "call-0123456789abcdef0123456789abcdef-01234567";
const AGENT: &str = "voag-dev";
const JOB: &str = "01234567-89ab-cdef-0123-456789abcdef";
const METADATA: &str = r#"{"job_id":"01234567-89ab-cdef-0123-456789abcdef","to_number":"+911234567890","note":"ünïcode \"quoted\""}"#;

const CALL: Call<'static> = Call {
    room: ROOM,
    agent_name: AGENT,
    deployment: None,
    metadata: METADATA,
    job_id: JOB,
};

pub fn client(url: &str) -> Client {
    client_as(url, KEY, SECRET)
}

pub fn client_as(url: &str, api_key: &str, api_secret: &str) -> Client {
    Client::new(
        &Server {
            url,
            api_key,
            api_secret,
        },
        QUICK,
    )
    .expect("a URL")
}

async fn place(standin: &StandIn) -> CallOutcome {
    lkroute::dispatch::place_call(&client(&standin.url()), &CALL).await
}

/// Tells a test that [`again`] started, and where the server is.
const URL: &str = "LKROUTE_TEST_LIVEKIT_URL";

/// Environment variables belong to a process, so a test that needs some runs
/// in this binary, started once more with them.
fn again(test: &str, variables: &[(&str, &str)]) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("livekit::{test}")])
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && output.contains("1 passed"),
        "{output}"
    );
}
