//! What is seen of an agent after a call was placed, and a person who is dialled.

use std::time::Duration;

use livekit_protocol as proto;
use lkroute::dispatch::{
    AgentSeen, CallOutcome, Cause, Dispatched, JOB_LISTED_WITHIN, JobStatus, SipCall,
    create_sip_participant, wait_for_agent,
};

use super::standin::{Answer, Fault, StandIn};
use super::{AGENT, ROOM, client, dispatched, place};

/// Waits for the agent of a call that was placed.
async fn waited(standin: &StandIn, outcome: &CallOutcome, wait: Duration) -> AgentSeen {
    let call = Dispatched {
        room: ROOM,
        dispatch_id: dispatched(outcome).0,
    };
    wait_for_agent(&client(&standin.url()), &call, wait).await
}

#[tokio::test]
async fn an_agent_is_seen_by_its_job_or_in_the_room() {
    let standin = StandIn::start();
    standin.world().workers.insert(AGENT.to_owned());
    let outcome = place(&standin).await;
    let wait = Duration::from_millis(200);
    let AgentSeen::There(there) = waited(&standin, &outcome, wait).await else {
        panic!("no agent")
    };
    let job = there.job.expect("a job");
    assert_eq!(
        (job.agent_name.as_str(), job.status),
        (AGENT, JobStatus::Running)
    );
    assert_eq!(job.worker_id, "AW_standin");

    // As after a restart of the server: the dispatch is forgotten, the worker
    // has joined again.
    let here = standin.world().participants.clone();
    standin.forget();
    standin.world().participants = here;
    let AgentSeen::There(there) = waited(&standin, &outcome, wait).await else {
        panic!("no agent")
    };
    assert_eq!(there.participant.as_deref(), Some("agent-standin"));
}

#[tokio::test]
async fn no_agent_is_said_only_of_a_dispatch_that_was_listed_for_the_whole_wait() {
    let standin = StandIn::start();
    let outcome = place(&standin).await;
    let wait = JOB_LISTED_WITHIN + Duration::from_millis(100);
    assert_eq!(waited(&standin, &outcome, wait).await, AgentSeen::NoOne);
    let short = Duration::from_millis(200);
    assert_eq!(waited(&standin, &outcome, short).await, AgentSeen::TooShort);

    standin.fault("ListDispatch", 1, Fault::Answer(Answer::html(502)));
    let seen = waited(&standin, &outcome, wait).await;
    assert!(matches!(seen, AgentSeen::NotKnown(_)), "{seen:?}");

    standin.forget();
    assert_eq!(waited(&standin, &outcome, wait).await, AgentSeen::Gone);
}

fn sip_call() -> SipCall<'static> {
    SipCall {
        trunk_id: "ST_made_up",
        to: "+911234567890",
        from: Some("+14155550100"),
        room: ROOM,
        identity: "callee",
        headers: &[],
        display_name: None,
        wait_for_answer: None,
    }
}

#[tokio::test]
async fn a_person_is_dialled_once_and_the_carriers_answer_is_said() {
    let standin = StandIn::start();
    let trunk = proto::SipOutboundTrunkInfo {
        sip_trunk_id: "ST_made_up".into(),
        ..Default::default()
    };
    standin.world().trunks.push(trunk);
    let client = client(&standin.url());
    let placed = create_sip_participant(&client, &sip_call())
        .await
        .expect("placed");
    assert_eq!(placed.participant_identity, "callee");
    let [post] = &standin.posts("CreateSIPParticipant")[..] else {
        panic!()
    };
    let asked: proto::CreateSipParticipantRequest = post.decode();
    assert_eq!(
        (asked.sip_call_to.as_str(), asked.sip_number.as_str()),
        ("+911234567890", "+14155550100")
    );
    assert!(post.claims.as_ref().unwrap().sip.call);

    let busy = Answer::sip(503, "486", "Busy Here");
    standin.fault("CreateSIPParticipant", 1, Fault::Answer(busy));
    let failure = create_sip_participant(&client, &sip_call())
        .await
        .unwrap_err();
    assert_eq!((failure.sip_status, failure.unclear), (Some(486), false));
    assert!(
        failure
            .failure
            .to_string()
            .ends_with("(SIP 486 Busy Here: the line is busy)")
    );
}

#[tokio::test]
async fn dialling_is_never_repeated() {
    for (fault, cause, unclear) in [
        (Fault::Hang, Cause::Timeout, true),
        (Fault::Reset, Cause::ConnectionLost, true),
        (Fault::Answer(Answer::html(502)), Cause::Unavailable, true),
        (Fault::Answer(Answer::html(404)), Cause::NotLivekit, false),
        (
            Fault::Answer(Answer::twirp(401, "unauthenticated", "permissions denied")),
            Cause::NoGrant,
            false,
        ),
    ] {
        let standin = StandIn::start();
        standin.fault("CreateSIPParticipant", 9, fault);
        let failure = create_sip_participant(&client(&standin.url()), &sip_call())
            .await
            .unwrap_err();
        assert_eq!((failure.failure.cause, failure.unclear), (cause, unclear));
        assert_eq!(standin.posts("CreateSIPParticipant").len(), 1);
    }
    let standin = StandIn::start();
    let client = client(&standin.url());
    let failure = create_sip_participant(&client, &sip_call())
        .await
        .unwrap_err();
    assert_eq!(failure.failure.cause, Cause::TrunkMissing);
    standin.world().redis = false;
    let failure = create_sip_participant(&client, &sip_call())
        .await
        .unwrap_err();
    assert_eq!(failure.failure.cause, Cause::SipNeedsRedis);
}
