//! A proxy from the environment is used, and named where it says no.

use lkroute::livekit::{CallOutcome, Cause, Check, Server, place_call, probe};

use super::standin::{KEY, SECRET, StandIn};
use super::{CALL, QUICK, URL, again, client};
use crate::support::block_on;

#[test]
fn requests_go_through_the_proxy_of_the_environment() {
    if let Ok(host) = std::env::var(URL) {
        return block_on(behind_the_proxy(&host));
    }
    let standin = StandIn::start();
    let proxy = standin.url();
    let variables = [
        ("HTTP_PROXY", proxy.as_str()),
        ("HTTPS_PROXY", &proxy),
        ("http_proxy", &proxy),
        ("https_proxy", &proxy),
        ("NO_PROXY", ""),
        ("no_proxy", ""),
        (URL, "livekit.example"),
    ];
    again(
        "proxy::requests_go_through_the_proxy_of_the_environment",
        &variables,
    );
    assert_eq!(standin.dispatches().len(), 1);
}

/// The stand-in plays the proxy: it answers for any host, but opens no tunnel.
async fn behind_the_proxy(host: &str) {
    let url = format!("http://{host}");
    let outcome = place_call(&client(&url), &CALL).await;
    assert!(
        matches!(outcome, CallOutcome::Dispatched { .. }),
        "{outcome:?}"
    );
    let server = Server {
        url: &url,
        api_key: KEY,
        api_secret: SECRET,
    };
    assert_eq!(probe(&server, None, QUICK).await.grants, Check::Passed);

    let outcome = place_call(&client(&format!("https://{host}")), &CALL).await;
    let CallOutcome::Failed(failure) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(failure.cause, Cause::Proxy, "{failure}");
}
