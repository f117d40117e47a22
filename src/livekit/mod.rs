//! LiveKit: the one room that talks to a LiveKit server.
//!
//! It places a call ([`place_call`]), waits for the agent to take it
//! ([`wait_for_agent`]), dials through a trunk ([`create_sip_participant`])
//! and looks at a server without changing it ([`probe`], and [`probe_worker`]
//! in a room of its own). Inputs are plain values, nothing is printed, nothing
//! is read from a database; every request has a time limit, and no error text
//! leaves this room with a token in it.
//!
//! A token is signed for one request, and sent to the one server that was
//! named: who may be named is for the caller to decide.
//!
//! May import `livekit_protocol`, `livekit_token`, `prost`, `reqwest`, `rustls`
//! and, like every edge, the core. No other module imports the first four.

mod agent;
mod call;
mod cause;
mod http;
mod probe;
mod request;
mod request_error;
mod sip;
mod token;

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

pub use agent::{
    AgentSeen, AgentThere, CallLook, Dispatched, JOB_LISTED_WITHIN, PhoneSeen, end_call,
    find_dispatch, look_at_call, phone_in_room, wait_for_agent, wait_for_participant,
};
pub use call::{Call, CallOutcome, JobSeen, JobStatus, place_call};
pub use cause::{Cause, Failure};
pub use probe::{
    Check, ProbeReport, WorkerProbe, WorkerSeen, find_trunk, probe_server, probe_worker,
    reach_server,
};
pub use sip::{LONGEST_RING, SipCall, SipFailure, SipPlaced, create_sip_participant};

/// Makes ring the crypto of this process. `main` calls it once, before the
/// first connection of any kind; a second call does nothing.
pub fn install_crypto() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A LiveKit server and what opens it. The secret is borrowed from the caller.
#[derive(Clone, Copy)]
pub struct Server<'a> {
    /// `http`, `https`, `ws` or `wss`, without path or user.
    pub url: &'a str,
    pub api_key: &'a str,
    pub api_secret: &'a str,
}

impl fmt::Debug for Server<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("url", &self.url)
            .field("api_key", &self.api_key)
            .finish_non_exhaustive()
    }
}

/// How long to wait for what.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// One request, from connecting to the last byte of the answer.
    pub step: Duration,
    /// All requests of one operation together.
    pub whole: Duration,
    /// After an unclear answer to the one create: how long to look for what it
    /// made. Comes on top of `whole`; LiveKit's own retries take up to 15 s.
    /// The last look may take one step longer.
    pub settle: Duration,
    /// Between two looks; attempts that may be repeated wait alike.
    pub poll: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            step: Duration::from_secs(10),
            whole: Duration::from_secs(60),
            settle: Duration::from_secs(20),
            poll: Duration::from_millis(500),
        }
    }
}

/// One server, with connections that are kept and shared by all requests.
pub struct Client {
    limits: Limits,
    http: reqwest::Client,
    base: reqwest::Url,
    api_key: String,
    api_secret: Zeroizing<String>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.base.as_str())
            .field("api_key", &self.api_key)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Connects to nothing yet. Fails for a URL that names no LiveKit server,
    /// and where this machine can't do TLS.
    pub fn new(server: &Server<'_>, limits: Limits) -> Result<Client, Failure> {
        let base = http_base(server.url)?;
        Ok(Client {
            limits,
            http: http::http_client(&base)?,
            base,
            api_key: server.api_key.to_owned(),
            api_secret: Zeroizing::new(server.api_secret.to_owned()),
        })
    }
}

/// The address that HTTP requests go to: `ws` and `wss` are LiveKit's usual
/// spelling for what its API answers on `http` and `https`.
fn http_base(url: &str) -> Result<reqwest::Url, Failure> {
    let bad = |detail: &str| Failure::new(Cause::BadUrl, detail);
    let mut base = reqwest::Url::parse(url).map_err(|error| bad(&error.to_string()))?;
    let scheme = match base.scheme() {
        "ws" | "http" => "http",
        "wss" | "https" => "https",
        other => return Err(bad(&format!("scheme {other}"))),
    };
    base.set_scheme(scheme).map_err(|()| bad("scheme"))?;
    base.set_path("");
    Ok(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(url: &str) -> String {
        http_base(url).map_or_else(|failure| failure.cause.code().to_owned(), String::from)
    }

    #[test]
    fn every_scheme_ends_at_http_or_https() {
        assert_eq!(base("ws://127.0.0.1:7880"), "http://127.0.0.1:7880/");
        assert_eq!(base("wss://lk.example"), "https://lk.example/");
        assert_eq!(base("WSS://lk.example"), "https://lk.example/");
        assert_eq!(base("http://[::1]:7880"), "http://[::1]:7880/");
        assert_eq!(base("ftp://lk.example"), "bad-url");
        assert_eq!(base("lk.example"), "bad-url");
    }

    #[test]
    fn debug_shows_no_secret() {
        let server = Server {
            url: "wss://lk.example",
            api_key: "made-up-key",
            api_secret: "made-up-secret",
        };
        let client = Client::new(&server, Limits::default()).unwrap();
        let text = format!("{server:?} {client:?}");
        assert!(text.contains("made-up-key") && !text.contains("made-up-secret"));
    }
}
