//! Placing a call while things go wrong: whatever happens, at most one create
//! reaches the server, and what is said about it is true.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use livekit_protocol as proto;
use lkroute::dispatch::{CallLook, CallOutcome, Cause, Dispatched, look_at_call, place_call};

use super::standin::{Answer, Fault, StandIn};
use super::{AGENT, CALL, METADATA, QUICK, ROOM, client, client_as, dispatched, failed, place};

fn unknown(outcome: &CallOutcome) -> Cause {
    match outcome {
        CallOutcome::Unknown { room, failure } => {
            assert_eq!(room, ROOM);
            failure.cause
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_call_is_two_requests_on_one_connection() {
    let standin = StandIn::start();
    let outcome = place(&standin).await;

    let [dispatch] = &standin.dispatches()[..] else {
        panic!("{:?}", standin.dispatches())
    };
    assert_eq!(dispatched(&outcome), (dispatch.id.as_str(), false));
    let methods: Vec<_> = standin
        .world()
        .posts
        .iter()
        .map(|post| post.method.clone())
        .collect();
    assert_eq!(methods, ["CreateRoom", "CreateDispatch"]);
    assert_eq!(standin.world().connections, 1);
}

#[tokio::test]
async fn each_request_says_what_it_should_and_asks_for_no_more() {
    let standin = StandIn::start();
    place(&standin).await;

    let [room] = &standin.posts("CreateRoom")[..] else {
        panic!()
    };
    assert_eq!(room.decode::<proto::CreateRoomRequest>().name, ROOM);
    let grants = &room.claims.as_ref().unwrap().video;
    assert!(grants.room_create && !grants.room_admin && !grants.room_join);
    for post in &standin.world().posts {
        let claims = post.claims.as_ref().unwrap();
        assert_eq!(claims.exp - claims.nbf, 300, "a token lives five minutes");
        assert!(!claims.sip.admin && !claims.sip.call, "{}", post.method);
    }

    let [create] = &standin.posts("CreateDispatch")[..] else {
        panic!()
    };
    let asked: proto::CreateAgentDispatchRequest = create.decode();
    assert_eq!(
        (asked.room.as_str(), asked.agent_name.as_str()),
        (ROOM, AGENT)
    );
    assert_eq!(asked.metadata, METADATA);
    let grants = &create.claims.as_ref().unwrap().video;
    assert!(grants.room_admin && grants.room == ROOM && !grants.room_create);
}

#[tokio::test]
async fn ws_and_ipv6_addresses_work_like_http() {
    let standin = StandIn::start();
    dispatched(&place_call(&client(&standin.url_as("ws")), &CALL).await);
    let standin = StandIn::start_v6();
    dispatched(&place_call(&client(&standin.url()), &CALL).await);
    assert_starts!(standin.url(), "http://[::1]:");
}

#[tokio::test]
async fn a_create_that_was_carried_out_is_found_and_adopted() {
    let faults = [
        Fault::StoreThenAnswer(Answer::twirp(500, "internal", "twirp error unknown: boom")),
        Fault::StoreThenAnswer(Answer::html(502)),
        Fault::StoreThenAnswer(Answer::empty(503)),
        Fault::StoreThenAnswer(Answer::empty(200)),
        Fault::StoreThenAnswer(Answer::twirp(408, "deadline_exceeded", "too slow")),
        Fault::StoreThenClose,
        Fault::StoreLate(Duration::from_millis(600)),
    ];
    for fault in faults {
        let standin = StandIn::start();
        standin.fault("CreateDispatch", 1, fault);
        let outcome = place(&standin).await;
        let [dispatch] = &standin.dispatches()[..] else {
            panic!("{:?}", standin.dispatches())
        };
        assert_eq!(dispatched(&outcome), (dispatch.id.as_str(), true));
        assert_eq!(standin.posts("CreateDispatch").len(), 1);
    }
}

#[tokio::test]
async fn a_create_of_which_nothing_is_found_stays_unknown() {
    let faults = [
        (Fault::Hang, Cause::Timeout),
        (Fault::Reset, Cause::ConnectionLost),
        (Fault::Answer(Answer::html(502)), Cause::Unavailable),
        (Fault::Answer(Answer::empty(503)), Cause::Unavailable),
        (Fault::Answer(Answer::html(200)), Cause::NotLivekit),
        (Fault::Answer(nonsense()), Cause::Unreadable),
        (Fault::Answer(endless()), Cause::Unreadable),
        (
            Fault::Answer(Answer::twirp(500, "internal", "boom")),
            Cause::Unavailable,
        ),
    ];
    for (fault, cause) in faults {
        let standin = StandIn::start();
        standin.fault("CreateDispatch", 9, fault);
        assert_eq!(unknown(&place(&standin).await), cause);
        assert_eq!(standin.posts("CreateDispatch").len(), 1);
        assert!(
            standin.posts("ListDispatch").len() > 1,
            "it looks until the time is up"
        );
    }
}

#[tokio::test]
async fn a_create_is_unknown_where_the_room_cannot_be_listed() {
    let standin = StandIn::start();
    standin.fault("CreateDispatch", 9, Fault::StoreThenClose);
    standin.fault("ListDispatch", 999, Fault::Answer(Answer::empty(503)));
    assert_eq!(unknown(&place(&standin).await), Cause::ConnectionLost);
    assert_eq!(standin.posts("CreateDispatch").len(), 1);
}

#[tokio::test]
async fn a_dispatch_of_another_call_or_agent_is_not_adopted() {
    let standin = StandIn::start();
    let other_job = METADATA.replace("89ab-cdef", "ffff-ffff");
    let other = client(&standin.url());
    place_call(
        &other,
        &lkroute::dispatch::Call {
            metadata: &other_job,
            ..CALL
        },
    )
    .await;
    place_call(
        &other,
        &lkroute::dispatch::Call {
            agent_name: "voag-dev-v2",
            ..CALL
        },
    )
    .await;
    standin.fault("CreateDispatch", 1, Fault::Hang);
    assert_eq!(unknown(&place(&standin).await), Cause::Timeout);
}

#[tokio::test]
async fn a_refusal_is_final_and_nothing_was_dispatched() {
    let refusals = [
        (
            Answer::twirp(401, "unauthenticated", "permissions denied"),
            Cause::NoGrant,
        ),
        (
            Answer::twirp(400, "invalid_argument", "metadata size exceeds limits"),
            Cause::Rejected,
        ),
        (
            Answer::twirp(429, "resource_exhausted", "slow down"),
            Cause::Unavailable,
        ),
    ];
    for (answer, cause) in refusals {
        let standin = StandIn::start();
        standin.fault("CreateDispatch", 9, Fault::Answer(answer));
        assert_eq!(failed(&place(&standin).await).cause, cause);
        assert_eq!(standin.posts("CreateDispatch").len(), 1);
        assert_eq!(standin.posts("ListDispatch").len(), 0);
    }
}

#[tokio::test]
async fn the_room_is_asked_for_again_until_it_is_there() {
    for fault in [
        Fault::Reset,
        Fault::StoreThenClose,
        Fault::Hang,
        Fault::Answer(Answer::html(502)),
        Fault::Answer(Answer::twirp(503, "unavailable", "starting")),
    ] {
        let standin = StandIn::start();
        standin.fault("CreateRoom", 1, fault);
        dispatched(&place(&standin).await);
        assert_eq!(standin.posts("CreateRoom").len(), 2);
        assert_eq!(standin.posts("CreateDispatch").len(), 1);
    }
}

/// A message with a field of so many MiB that nobody knows.
fn long_answer(mebibytes: u32) -> Answer {
    let mut body = vec![0xc2, 0x3e];
    prost::encoding::encode_varint(u64::from(mebibytes << 20), &mut body);
    body.resize(body.len() + (mebibytes << 20) as usize, b'x');
    Answer::new(200, "application/protobuf", body)
}

/// Below the limit an answer is read, whatever else is in it.
#[tokio::test]
async fn an_answer_of_three_mebibytes_is_read() {
    let standin = StandIn::start();
    standin.fault("ListDispatch", 1, Fault::Answer(long_answer(3)));
    dispatched(&place(&standin).await);
    let dispatched = Dispatched {
        room: CALL.room,
        dispatch_id: "AD_none",
    };
    let client = client_as(&standin.url(), super::KEY, super::SECRET);
    // Read to its end: nothing is listed in it.
    let look = look_at_call(&client, &dispatched).await;
    assert_eq!(look, CallLook::Gone);
    standin.fault("ListDispatch", 9, Fault::Answer(long_answer(5)));
    let look = look_at_call(&client, &dispatched).await;
    assert!(matches!(look, CallLook::NotKnown(_)), "{look:?}");
}

#[tokio::test]
async fn without_a_room_nothing_is_dispatched() {
    for (fault, cause) in [
        (Fault::Hang, Cause::Timeout),
        (Fault::Reset, Cause::ConnectionLost),
        (Fault::Answer(Answer::html(502)), Cause::Unavailable),
        (Fault::Answer(Answer::html(200)), Cause::NotLivekit),
        (Fault::Answer(Answer::empty(200)), Cause::NotLivekit),
        (Fault::Answer(long_answer(5)), Cause::Unreadable),
        (
            Fault::Answer(Answer::new(503, "application/json", "[".repeat(1 << 20))),
            Cause::Unavailable,
        ),
        (
            Fault::Answer(Answer::redirect(301, "https://lk.example/")),
            Cause::Redirect,
        ),
        (
            Fault::Answer(Answer::redirect(302, "https://lk.example/")),
            Cause::Redirect,
        ),
    ] {
        let standin = StandIn::start();
        standin.fault("*", 999, fault);
        assert_eq!(failed(&place(&standin).await).cause, cause);
        assert_eq!(standin.posts("CreateDispatch").len(), 0);
    }
}

#[tokio::test]
async fn a_redirect_to_a_living_server_is_named_and_not_dispatched_to() {
    for status in [301, 302, 303, 307, 308] {
        let target = StandIn::start();
        let standin = StandIn::start();
        let to = format!("{}/twirp/livekit.RoomService/CreateRoom", target.url());
        standin.fault(
            "CreateRoom",
            9,
            Fault::Answer(Answer::redirect(status, &to)),
        );
        assert_eq!(failed(&place(&standin).await).cause, Cause::Redirect);
        assert_eq!(standin.posts("CreateRoom").len(), 1);
        assert_eq!(target.world().connections, 0, "{status} was followed");

        let standin = StandIn::start();
        let to = Fault::Answer(Answer::redirect(status, &to));
        standin.fault("CreateDispatch", 9, to);
        assert_eq!(failed(&place(&standin).await).cause, Cause::Redirect);
        assert_eq!(target.world().connections, 0, "{status} was followed");
    }
}

#[tokio::test]
async fn refused_keys_and_clocks_are_named_without_the_token() {
    let standin = StandIn::start();
    let url = standin.url();
    let outcome = place_call(&client_as(&url, "other-key", "made-up"), &CALL).await;
    assert_eq!(failed(&outcome).cause, Cause::KeyUnknown);
    let outcome = place_call(&client_as(&url, super::KEY, "made-up-wrong-secret"), &CALL).await;
    assert_eq!(failed(&outcome).cause, Cause::SecretWrong);
    let failure = failed(&outcome);
    assert_eq!(failure.detail, None, "the server only repeats it");
    standin.world().clock_ahead = -300;
    let outcome = place(&standin).await;
    assert_eq!(failed(&outcome).cause, Cause::ClockSkew);
    let failure = failed(&outcome);
    let text = failure.to_string();
    assert_contains!(text, "invalid token: <token>, error");
    assert_lacks!(text, "eyJ");
    assert_eq!(standin.posts("CreateDispatch").len(), 0);

    let sent = standin.posts("CreateRoom").len();
    let outcome = place_call(&client_as(&url, super::KEY, ""), &CALL).await;
    assert_eq!(failed(&outcome).cause, Cause::BadCredentials);
    assert_eq!(standin.posts("CreateRoom").len(), sent);
}

#[tokio::test]
async fn nothing_is_sent_where_no_connection_comes_about() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let outcome = place_call(&client(&format!("http://{free}")), &CALL).await;
    assert_eq!(failed(&outcome).cause, Cause::Refused);
    let outcome = place_call(&client("http://no-such-host.invalid"), &CALL).await;
    assert_eq!(failed(&outcome).cause, Cause::Dns);
}

#[tokio::test]
async fn a_server_that_never_answers_takes_no_longer_than_the_limits() {
    let standin = StandIn::start();
    standin.fault("*", 999, Fault::Hang);
    let started = Instant::now();
    place(&standin).await;
    assert!(started.elapsed() < QUICK.whole + QUICK.settle + QUICK.step);
}

#[tokio::test]
async fn a_room_that_was_closed_in_between_is_not_dispatched_to_twice() {
    let standin = StandIn::start();
    standin.world().auto_create = false;
    standin.fault(
        "CreateRoom",
        1,
        Fault::Answer(Answer::new(200, "application/protobuf", room())),
    );
    assert_eq!(unknown(&place(&standin).await), Cause::RoomMissing);
    assert_eq!(standin.posts("CreateDispatch").len(), 1);
}

/// Bytes that are no message.
fn nonsense() -> Answer {
    Answer::new(200, "application/protobuf", [0xff; 9])
}

/// More than any message that is asked for.
fn endless() -> Answer {
    Answer::new(200, "application/protobuf", vec![0; 5 * 1024 * 1024])
}

/// The answer to a CreateRoom that made nothing.
fn room() -> Vec<u8> {
    use prost::Message;
    proto::Room {
        name: ROOM.to_owned(),
        ..Default::default()
    }
    .encode_to_vec()
}
