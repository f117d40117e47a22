//! From routing files to a real worker that has the job, and then one thing
//! after the other taken away.

use serde_json::Value;

use super::world::{FROM, TO, clean, files, routed, said};
use crate::livekit::real::{Livekit, Worker};
use crate::support::{Lkroute, Run, TENANT_INDIA, block_on};

const WAIT: [&str; 2] = ["--wait-for-agent", "8s"];

fn run(lkroute: &Lkroute, args: &[&str]) -> Run {
    clean(lkroute.run(args))
}

fn dispatch(lkroute: &Lkroute, args: &[&str]) -> Run {
    run(
        lkroute,
        &[&["dispatch", "--from", FROM, "--to", TO], args].concat(),
    )
}

/// The one thing that `doctor` complains of, and what `dispatch` says.
#[track_caller]
fn told(lkroute: &Lkroute, check: &str, code: i32, words: &str) {
    let report = run(lkroute, &["doctor", "--probe-worker", "--format", "json"]);
    let report = report.expect_code(1).json();
    let complaints = report["configs"][0]["complaints"].as_array().unwrap();
    let problems = complaints.iter().filter(|c| c["severity"] == "problem");
    let checks: Vec<_> = problems.map(|c| c["check"].as_str().unwrap()).collect();
    assert_eq!(checks, [check], "{report:#}");
    let called = dispatch(lkroute, &WAIT).expect_code(code);
    assert_contains!(said(&called), words);
}

pub fn trunk(livekit: &Livekit, number: &str) -> String {
    block_on(livekit.trunk(&[number.to_owned()]))
}

#[test]
fn from_the_files_to_the_worker_and_every_loss_is_named() {
    let Some(livekit) = Livekit::alone_with_redis() else {
        return;
    };
    let Some(worker) = Worker::start(&livekit, "voag-dev") else {
        return;
    };
    let Some(other) = Worker::start(&livekit, "voag-dev-v2") else {
        return;
    };
    let trunk = trunk(&livekit, FROM);
    let mut lkroute = routed(&files(&livekit.url, TENANT_INDIA, &trunk));
    let well = run(&lkroute, &["doctor", "--probe-worker"]).expect_code(0);
    assert_contains!(well.stdout, "worker voag-dev took a job");
    assert_contains!(well.stdout, "All is well");

    let context = ["--context", "ünïcode \"quoted\"", "--format", "json"];
    let call = dispatch(&lkroute, &[&WAIT[..], &context].concat())
        .expect_code(0)
        .json();
    assert_eq!(
        (&call["outcome"], &call["worker_seen"]),
        (&"picked_up".into(), &"voag-dev".into())
    );
    let job = worker.job_after(1).expect("the job after the trial");
    let metadata: Value = serde_json::from_str(job["metadata"].as_str().unwrap()).unwrap();
    assert_eq!(metadata, call["metadata"]);
    assert_eq!(
        (&job["room"], &job["id"]),
        (&call["room"], &call["agent"]["job_id"])
    );
    assert_eq!(other.jobs().len(), 0);

    drop(worker);
    told(
        &lkroute,
        "worker-missing",
        10,
        "no worker called `voag-dev` is running there",
    );
    assert_eq!(other.jobs().len(), 0);

    block_on(livekit.delete_trunk(&trunk));
    told(
        &lkroute,
        "trunk-missing",
        1,
        "the server has no such SIP trunk",
    );

    lkroute.env(
        "LKROUTE_SECRET_MADE_UP",
        "another-made-up-secret-0123456789abcdef",
    );
    run(&lkroute, &["apply", "--auto-approve"]).expect_code(0);
    told(
        &lkroute,
        "secret-wrong",
        1,
        "the server knows the key, but the secret is wrong",
    );

    drop(livekit);
    told(
        &lkroute,
        "refused",
        1,
        "nothing accepts connections at that host and port",
    );

    let list = run(&lkroute, &["dispatches"]).expect_code(0).stdout;
    assert_contains!(list, "asked for voag-dev, taken by voag-dev");
}
