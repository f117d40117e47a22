//! A real worker: it has the job with exactly the metadata that was sent, and
//! a worker of another name does not.

use lkroute::dispatch::{
    AgentSeen, AgentThere, Dispatched, JOB_LISTED_WITHIN, JobStatus, place_call, wait_for_agent,
};
use lkroute::livekit::{WorkerSeen, probe_worker};

use super::real::{Livekit, Worker};
use super::server::{call, client, room};
use super::{AGENT, METADATA, dispatched};

#[tokio::test]
async fn the_worker_of_that_name_has_the_job_and_no_other_does() {
    let Some(livekit) = Livekit::alone() else {
        return;
    };
    let Some(worker) = Worker::start(&livekit, AGENT) else {
        return;
    };
    let Some(other) = Worker::start(&livekit, "voag-dev-v2") else {
        return;
    };
    let (client, room) = (client(&livekit.url), room());

    let outcome = place_call(&client, &call(&room)).await;
    let (dispatch_id, false) = dispatched(&outcome) else {
        panic!("{outcome:?}")
    };
    let job = worker.job_after(0).expect("a job");
    assert_eq!(job["metadata"], METADATA);
    assert_eq!(job["room"], room.as_str());

    let sought = Dispatched {
        room: &room,
        dispatch_id,
    };
    let seen = wait_for_agent(&client, &sought, JOB_LISTED_WITHIN).await;
    let AgentSeen::There(AgentThere {
        job: Some(seen), ..
    }) = seen
    else {
        panic!("{seen:?}")
    };
    assert_eq!(job["id"], seen.job_id.as_str());
    assert_eq!(
        (seen.agent_name.as_str(), seen.status),
        (AGENT, JobStatus::Running)
    );
    assert!(seen.worker_id.starts_with("AW_"), "{seen:?}");
    assert!(!seen.participant_identity.is_empty(), "{seen:?}");

    let tried = probe_worker(&client, AGENT, None, JOB_LISTED_WITHIN).await;
    assert!(
        matches!(&tried.seen, WorkerSeen::Took(AgentThere { job: Some(job), .. }) if job.agent_name == AGENT),
        "{tried:?}"
    );
    let job = worker.job_after(1).expect("the trial");
    assert_contains!(job["metadata"].as_str().unwrap(), "lkroute_probe");

    assert_eq!((worker.jobs().len(), other.jobs().len()), (2, 0));
    drop(worker);
    let tried = probe_worker(&client, AGENT, None, JOB_LISTED_WITHIN).await;
    assert_eq!(tried.seen, WorkerSeen::NoOne);
    assert_eq!(other.jobs().len(), 0);
}

/// The real server keeps the workers of deployments apart, under one name.
#[tokio::test]
async fn a_worker_of_another_deployment_gets_no_job() {
    let Some(livekit) = Livekit::alone() else {
        return;
    };
    let Some(production) = Worker::start(&livekit, AGENT) else {
        return;
    };
    let Some(staging) = Worker::deployed(&livekit, AGENT, "staging") else {
        return;
    };
    let client = client(&livekit.url);
    let took = |seen: &WorkerSeen| matches!(seen, WorkerSeen::Took(_));
    let wait = JOB_LISTED_WITHIN * 2;
    let tried = probe_worker(&client, AGENT, Some("staging"), wait).await;
    assert!(took(&tried.seen), "{tried:?}");
    // A worker writes its job down when its code runs, which may be after the
    // server has listed the job.
    let job = staging.job_after(0).expect("the job");
    assert_eq!(job["room"], tried.room.as_str());
    assert_eq!(production.jobs().len(), 0);
    let tried = probe_worker(&client, AGENT, None, wait).await;
    assert!(took(&tried.seen), "{tried:?}");
    let job = production.job_after(0).expect("the job");
    assert_eq!(job["room"], tried.room.as_str());
    assert_eq!(staging.jobs().len(), 1);
    drop(staging);
    let tried = probe_worker(&client, AGENT, Some("staging"), JOB_LISTED_WITHIN).await;
    assert_eq!(tried.seen, WorkerSeen::NoOne);
    assert_eq!(production.jobs().len(), 1);
}
