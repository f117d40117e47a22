//! The LiveKit room, against a stand-in for what goes wrong and against a real
//! server and a real worker for what goes right.

mod agents;
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

use lkroute::dispatch::{Call, CallOutcome, Failure, Limits};
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

/// A server of these tests, with the key that it knows.
pub fn server(url: &str) -> Server<'_> {
    Server {
        url,
        api_key: KEY,
        api_secret: SECRET,
    }
}

pub fn client(url: &str) -> Client {
    client_as(url, KEY, SECRET)
}

pub fn client_as(url: &str, api_key: &str, api_secret: &str) -> Client {
    let server = Server {
        url,
        api_key,
        api_secret,
    };
    Client::new(&server, QUICK).expect("a URL")
}

/// The id of the dispatch, and whether it was found after an unclear answer.
#[track_caller]
fn dispatched(outcome: &CallOutcome) -> (&str, bool) {
    match outcome {
        CallOutcome::Dispatched {
            dispatch_id,
            adopted,
        } => (dispatch_id, *adopted),
        other => panic!("{other:?}"),
    }
}

/// Why nothing was dispatched.
#[track_caller]
fn failed(outcome: &CallOutcome) -> &Failure {
    match outcome {
        CallOutcome::Failed(failure) | CallOutcome::NotBegun(failure) => failure,
        other => panic!("{other:?}"),
    }
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
