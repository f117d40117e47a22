//! Looking at a server: each fault is one failed check with its cause, and
//! nothing on the server changes.

use std::time::Duration;

use livekit_protocol as proto;
use lkroute::dispatch::Cause;
use lkroute::livekit::{Check, ProbeReport, Server, WorkerSeen, probe_server, probe_worker};

use super::standin::{Answer, Fault, KEY, SECRET, StandIn};
use super::{AGENT, QUICK, client, server};

const TRUNK: &str = "ST_made_up";

async fn look(standin: &StandIn) -> ProbeReport {
    look_as(standin, KEY, SECRET).await
}

async fn look_as(standin: &StandIn, api_key: &str, api_secret: &str) -> ProbeReport {
    let url = standin.url();
    let report = probe_server(
        &Server {
            url: &url,
            api_key,
            api_secret,
        },
        Some(TRUNK),
        QUICK,
    )
    .await;
    let text = format!("{report:?}");
    assert_lacks!(text, "eyJ", SECRET);
    assert!(standin.posts("CreateRoom").is_empty() && standin.posts("CreateDispatch").is_empty());
    report
}

/// The checks as `name` (passed), `name=cause` (failed) or `-`.
fn said(report: &ProbeReport) -> String {
    let checks = report.named_checks().map(|(name, check)| match check {
        Check::NotReached => "-".to_owned(),
        Check::Passed => name.to_owned(),
        Check::Failed(failure) => format!("{name}={}", failure.cause),
    });
    checks.join(" ")
}

fn standin() -> StandIn {
    let standin = StandIn::start();
    standin.world().trunks.push(proto::SipOutboundTrunkInfo {
        sip_trunk_id: TRUNK.to_owned(),
        numbers: vec!["+14155550100".to_owned()],
        ..Default::default()
    });
    standin
}

#[tokio::test]
async fn a_server_in_order_passes_every_check() {
    let report = look(&standin()).await;
    assert_eq!(
        said(&report),
        "reachable ready key secret clock grants trunk"
    );
    assert_eq!(
        report.trunk_numbers.as_deref(),
        Some(&["+14155550100".to_owned()][..])
    );
    assert!(report.clock_ahead.is_some_and(|seconds| seconds.abs() <= 1));
    assert!(report.answered_in.is_some_and(|took| took < QUICK.step));
    assert_eq!(report.failures().count(), 0);
}

#[tokio::test]
async fn what_the_server_lacks_is_named() {
    let standin = standin();
    standin.world().trunks.clear();
    assert_eq!(
        said(&look(&standin).await),
        "reachable ready key secret clock grants trunk=trunk-missing"
    );
    standin.world().redis = false;
    assert_eq!(
        said(&look(&standin).await),
        "reachable ready key secret clock grants trunk=sip-needs-redis"
    );
    standin
        .world()
        .denied
        .insert("ListSIPOutboundTrunk".to_owned());
    assert_eq!(
        said(&look(&standin).await),
        "reachable ready key secret clock grants trunk=no-grant"
    );
    standin.world().denied.insert("ListRooms".to_owned());
    assert_eq!(
        said(&look(&standin).await),
        "reachable ready key secret clock grants=no-grant -"
    );
    standin.world().ready = false;
    assert_eq!(
        said(&look(&standin).await),
        "reachable ready=not-ready key secret clock grants=no-grant -"
    );
}

#[tokio::test]
async fn keys_secrets_and_clocks_are_told_apart() {
    let standin = standin();
    assert_eq!(
        said(&look_as(&standin, "other-key", SECRET).await),
        "reachable ready key=key-unknown - - - -"
    );
    assert_eq!(
        said(&look_as(&standin, KEY, "made-up-wrong").await),
        "reachable ready key secret=secret-wrong - - -"
    );
    standin.world().clock_ahead = -300;
    let report = look(&standin).await;
    assert_eq!(
        said(&report),
        "reachable ready key secret clock=clock-skew - -"
    );
    assert!(
        report
            .clock_ahead
            .is_some_and(|seconds| (-302..=-298).contains(&seconds))
    );
    standin.world().clock_ahead = 45;
    assert_eq!(
        said(&look(&standin).await),
        "reachable ready key secret clock grants trunk"
    );
    standin.world().clock_ahead = 7 * 3600;
    assert_eq!(
        said(&look(&standin).await),
        "reachable ready key secret clock=clock-skew - -"
    );
}

#[tokio::test]
async fn what_is_not_livekit_is_said_to_be_something_else() {
    for (answer, expected) in [
        (Answer::html(200), "reachable=not-livekit - - - - - -"),
        (Answer::html(404), "reachable=not-livekit - - - - - -"),
        (Answer::html(502), "reachable=unavailable - - - - - -"),
        (Answer::empty(503), "reachable=unavailable - - - - - -"),
        (
            Answer::redirect(308, "https://lk.example/"),
            "reachable=redirect - - - - - -",
        ),
    ] {
        let standin = standin();
        standin.fault("*", 99, Fault::Answer(answer));
        assert_eq!(said(&look(&standin).await), expected);
    }
    let standin = standin();
    standin.fault(
        "ListRooms",
        99,
        Fault::Answer(Answer::text(404, "404 page not found\n")),
    );
    assert_eq!(
        said(&look(&standin).await),
        "reachable=not-livekit ready - - - - -"
    );
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up() {
    for (fault, cause) in [
        (Fault::Hang, Cause::Timeout),
        (Fault::Reset, Cause::ConnectionLost),
    ] {
        let standin = standin();
        standin.fault("*", 99, fault);
        assert_eq!(
            said(&look(&standin).await),
            format!("reachable={cause} - - - - - -")
        );
    }
    let server = server("http://127.0.0.1:1");
    let report = probe_server(&server, None, QUICK).await;
    assert_eq!(said(&report), "reachable=refused - - - - - -");
}

#[tokio::test]
async fn a_worker_is_tried_in_a_room_of_its_own_without_a_phone_number() {
    let standin = standin();
    standin.world().workers.insert(AGENT.to_owned());
    let client = client(&standin.url());
    let wait = Duration::from_millis(200);

    let tried = probe_worker(&client, AGENT, None, wait).await;
    assert!(matches!(&tried.seen, WorkerSeen::Took(there) if there.job.is_some()));
    assert!(tried.left_behind.is_none());
    assert!(standin.world().rooms.is_empty());
    let [create] = &standin.posts("CreateDispatch")[..] else {
        panic!()
    };
    let asked: proto::CreateAgentDispatchRequest = create.decode();
    assert_eq!(asked.room, tried.room);
    let metadata: serde_json::Value = serde_json::from_str(&asked.metadata).unwrap();
    assert_eq!(metadata["lkroute_probe"], true);
    assert_eq!(metadata.as_object().unwrap().len(), 2, "{metadata}");

    let tried = probe_worker(&client, "voag-nobody", None, wait).await;
    assert_eq!(tried.seen, WorkerSeen::NoOne);
    assert!(standin.world().rooms.is_empty());

    standin.fault(
        "DeleteRoom",
        1,
        Fault::Answer(Answer::twirp(500, "internal", "boom")),
    );
    let tried = probe_worker(&client, "voag-nobody", None, wait).await;
    assert_eq!(
        tried.left_behind.map(|failure| failure.cause),
        Some(Cause::Unavailable)
    );
}
