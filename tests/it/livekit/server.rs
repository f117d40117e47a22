//! Against a real livekit-server: what it keeps of a call, and what it says
//! where something is wrong.

use std::time::Duration;

use lkroute::dispatch::{
    AgentSeen, Call, Cause, Dispatched, Limits, SipCall, create_sip_participant, place_call,
    wait_for_agent,
};
use lkroute::livekit::{Check, Client, Server, WorkerSeen, probe_server, probe_worker};
use uuid::Uuid;

use super::real::{Livekit, breaking_after};
use super::{AGENT, JOB, METADATA, dispatched, failed, server};

/// A real server may be slow, on a machine that runs many tests.
const LIMITS: Limits = Limits {
    step: Duration::from_secs(10),
    whole: Duration::from_secs(30),
    settle: Duration::from_secs(5),
    poll: Duration::from_millis(100),
};

pub fn client(url: &str) -> Client {
    Client::new(&server(url), LIMITS).unwrap()
}

/// A room name that no other test has.
pub fn room() -> String {
    format!("call-{}-0123abcd", Uuid::new_v4().simple())
}

pub fn call(room: &str) -> Call<'_> {
    Call {
        room,
        agent_name: AGENT,
        deployment: None,
        metadata: METADATA,
        job_id: JOB,
    }
}

#[tokio::test]
async fn a_call_is_kept_as_it_was_sent_and_no_worker_means_unconfirmed() {
    let Some(livekit) = Livekit::shared() else {
        return;
    };
    let (client, room) = (client(&livekit.url), room());
    let outcome = place_call(&client, &call(&room)).await;
    let (dispatch_id, false) = dispatched(&outcome) else {
        panic!("{outcome:?}")
    };
    let kept = livekit.dispatches(&room).await;
    let named: Vec<_> = kept
        .iter()
        .filter(|dispatch| !dispatch.agent_name.is_empty())
        .collect();
    let [dispatch] = &named[..] else {
        panic!("{kept:?}")
    };
    assert_eq!(dispatch.id, dispatch_id);
    assert_eq!(
        (dispatch.agent_name.as_str(), dispatch.metadata.as_str()),
        (AGENT, METADATA)
    );
    assert_starts!(dispatch_id, "AD_");

    let sought = Dispatched {
        room: &room,
        dispatch_id,
    };
    let seen = wait_for_agent(&client, &sought, Duration::from_millis(300)).await;
    assert_eq!(seen, AgentSeen::TooShort);
}

#[tokio::test]
async fn a_lost_answer_to_the_create_is_settled_with_one_dispatch() {
    let Some(livekit) = Livekit::shared() else {
        return;
    };
    let client = client(&breaking_after(livekit, "CreateDispatch"));
    let room = room();
    let outcome = place_call(&client, &call(&room)).await;
    let (dispatch_id, true) = dispatched(&outcome) else {
        panic!("{outcome:?}")
    };
    let kept = livekit.dispatches(&room).await;
    let named: Vec<_> = kept
        .iter()
        .filter(|dispatch| dispatch.agent_name == AGENT)
        .collect();
    assert_eq!(named.len(), 1);
    assert_eq!(named[0].id, dispatch_id);
}

#[tokio::test]
async fn a_wrong_key_and_a_wrong_secret_are_told_apart() {
    let Some(livekit) = Livekit::shared() else {
        return;
    };
    let room = room();
    let ours = server(&livekit.url);
    let client = |server: &Server<'_>| Client::new(server, LIMITS).unwrap();
    let stranger = client(&Server {
        api_key: "other-key",
        ..ours
    });
    let outcome = place_call(&stranger, &call(&room)).await;
    assert_eq!(failed(&outcome).cause, Cause::KeyUnknown);
    let wrong = "made-up-wrong-secret-of-some-length-0123";
    let mistyped = client(&Server {
        api_secret: wrong,
        ..ours
    });
    let outcome = place_call(&mistyped, &call(&room)).await;
    let failure = failed(&outcome);
    assert_eq!(failure.cause, Cause::SecretWrong);
    let text = failure.to_string();
    assert!(
        failure.detail.is_none() && !text.contains("eyJ") && !text.contains(wrong),
        "{text}"
    );
    assert!(!livekit.has_room(&room).await);
}

#[tokio::test]
async fn a_probe_finds_the_trunk_and_its_numbers() {
    let Some(livekit) = Livekit::shared() else {
        return;
    };
    let server = server(&livekit.url);
    let numbers = vec!["+14155550100".to_owned(), "+911234567890".to_owned()];
    let trunk = livekit.trunk(&numbers).await;
    let report = probe_server(&server, Some(&trunk), LIMITS).await;
    assert!(
        report
            .named_checks()
            .iter()
            .all(|(_, check)| **check == Check::Passed),
        "{report:?}"
    );
    assert_eq!(report.trunk_numbers, Some(numbers));
    assert!(report.clock_ahead.is_some_and(|seconds| seconds.abs() <= 1));

    livekit.delete_trunk(&trunk).await;
    let report = probe_server(&server, Some(&trunk), LIMITS).await;
    let [failure] = &report.failures().collect::<Vec<_>>()[..] else {
        panic!("{report:?}")
    };
    assert_eq!(failure.cause, Cause::TrunkMissing);
}

#[tokio::test]
async fn dialling_fails_with_the_reason() {
    let Some(livekit) = Livekit::shared() else {
        return;
    };
    let (client, room) = (client(&livekit.url), room());
    let sip = SipCall {
        trunk_id: "ST_made_up",
        to: "+911234567890",
        from: None,
        room: &room,
        identity: "callee",
        headers: &[],
        display_name: None,
        wait_for_answer: None,
    };
    let failure = create_sip_participant(&client, &sip).await.unwrap_err();
    assert_eq!(
        (failure.failure.cause, failure.unclear),
        (Cause::TrunkMissing, false)
    );

    let trunk = livekit.trunk(&["+14155550101".to_owned()]).await;
    let sip = SipCall {
        trunk_id: &trunk,
        ..sip
    };
    let failure = create_sip_participant(&client, &sip).await.unwrap_err();
    let expected = (Cause::SipNotRunning, false);
    assert_eq!(
        (failure.failure.cause, failure.unclear),
        expected,
        "{failure:?}"
    );
}

#[tokio::test]
async fn a_server_without_redis_has_no_trunks_and_one_that_stopped_is_refused() {
    let Some(livekit) = Livekit::alone() else {
        return;
    };
    let url = livekit.url.clone();
    let server = server(&url);
    let report = probe_server(&server, Some("ST_made_up"), LIMITS).await;
    let [failure] = &report.failures().collect::<Vec<_>>()[..] else {
        panic!("{report:?}")
    };
    assert_eq!(failure.cause, Cause::SipNeedsRedis);

    drop(livekit);
    let report = probe_server(&server, None, LIMITS).await;
    assert!(matches!(&report.reachable, Check::Failed(f) if f.cause == Cause::Refused));
    let room = room();
    assert_eq!(
        failed(&place_call(&client(&url), &call(&room)).await).cause,
        Cause::Refused
    );
}

#[tokio::test]
async fn a_room_that_is_not_there_is_named() {
    let Some(livekit) = Livekit::shared() else {
        return;
    };
    let client = client(&livekit.url);
    let sought = Dispatched {
        room: &room(),
        dispatch_id: "AD_madeUp",
    };
    let seen = wait_for_agent(&client, &sought, Duration::from_millis(100)).await;
    assert_eq!(seen, AgentSeen::Gone);
}

#[tokio::test]
async fn a_trial_of_a_worker_that_is_not_there_leaves_no_room() {
    let Some(livekit) = Livekit::shared() else {
        return;
    };
    let client = client(&livekit.url);
    let tried = probe_worker(&client, "voag-nobody", None, Duration::from_millis(300)).await;
    assert_eq!(tried.seen, WorkerSeen::NoOne);
    assert_eq!(tried.left_behind, None);
    assert!(!livekit.has_room(&tried.room).await);
}
