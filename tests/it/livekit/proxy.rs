//! A proxy from the environment is used, and named where it says no.

use std::time::Duration;

use lkroute::dispatch::{CallOutcome, Cause, Limits, place_call};
use lkroute::livekit::{Check, Client, probe_server};

use super::standin::{Answer, Fault, StandIn};
use super::{CALL, QUICK, URL, again, client, dispatched, failed, server};
use crate::support::block_on;

#[test]
fn requests_go_through_the_proxy_of_the_environment() {
    if let Ok(host) = std::env::var(URL) {
        return block_on(behind_the_proxy(&host));
    }
    let standin = StandIn::start();
    behind(
        &standin,
        "livekit.example",
        "proxy::requests_go_through_the_proxy_of_the_environment",
    );
    assert_eq!(standin.dispatches().len(), 1);
}

/// Runs a test with the stand-in as proxy: it answers for any host itself.
fn behind(standin: &StandIn, host: &str, test: &str) {
    let proxy = standin.url();
    let variables = [
        ("HTTP_PROXY", proxy.as_str()),
        ("HTTPS_PROXY", &proxy),
        ("http_proxy", &proxy),
        ("https_proxy", &proxy),
        ("NO_PROXY", ""),
        ("no_proxy", ""),
        (URL, host),
    ];
    again(test, &variables);
}

/// A token for a server of this machine leaves it through no proxy, as Go's
/// programs have it.
#[test]
fn a_server_of_this_machine_is_asked_itself() {
    let there = std::env::var(URL).ok();
    if let Some(port) = there {
        let url = format!("ws://127.0.0.1:{port}");
        let outcome = block_on(place_call(&client(&url), &CALL));
        dispatched(&outcome);
        return;
    }
    let (standin, proxy) = (StandIn::start(), StandIn::start());
    let standins = standin.url();
    let port = standins.rsplit(':').next().unwrap_or_default();
    let test = "proxy::a_server_of_this_machine_is_asked_itself";
    behind(&proxy, port.trim_end_matches('/'), test);
    assert_eq!(
        (standin.dispatches().len(), proxy.dispatches().len()),
        (1, 0)
    );
}

/// For hosts of LiveKit's cloud its own clients send a create again, to
/// another region, after a 5xx. The name is never looked up: the proxy has it.
#[test]
fn a_create_is_not_sent_to_another_region() {
    if let Ok(host) = std::env::var(URL) {
        let patient = Limits {
            step: Duration::from_secs(8),
            ..QUICK
        };
        let url = format!("http://{host}");
        let server = server(&url);
        let client = Client::new(&server, patient).unwrap();
        let outcome = block_on(place_call(&client, &CALL));
        assert!(
            matches!(outcome, CallOutcome::Unknown { .. }),
            "{outcome:?}"
        );
        return;
    }
    let standin = StandIn::start();
    let regions = r#"{"regions":[{"region":"b","url":"http://b.livekit.example","distance":"1"}]}"#;
    let regions = Answer::new(200, "application/json", regions);
    standin.fault("/settings/regions", 9, Fault::Answer(regions));
    let broken = Answer::twirp(500, "internal", "boom");
    standin.fault("CreateDispatch", 9, Fault::Answer(broken));
    let cloud = "made-up.livekit.cloud";
    behind(
        &standin,
        cloud,
        "proxy::a_create_is_not_sent_to_another_region",
    );
    assert_eq!(standin.posts("CreateDispatch").len(), 1);
}

/// The stand-in opens no tunnel, as a proxy that says no.
async fn behind_the_proxy(host: &str) {
    let url = format!("http://{host}");
    let outcome = place_call(&client(&url), &CALL).await;
    dispatched(&outcome);
    let server = server(&url);
    assert_eq!(
        probe_server(&server, None, QUICK).await.grants,
        Check::Passed
    );

    let outcome = place_call(&client(&format!("https://{host}")), &CALL).await;
    let failure = failed(&outcome);
    assert_eq!(failure.cause, Cause::Proxy, "{failure}");
}
