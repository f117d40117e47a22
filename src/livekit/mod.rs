//! LiveKit: the one room that talks to a LiveKit server.
//!
//! It sends the requests of a call ([`Client`] is a [`CallServer`]), and looks
//! at a server without changing it ([`probe`], and [`probe_worker`] in a room
//! of its own). Inputs are plain values, nothing is printed, nothing is read
//! from a database; every request has a time limit, and no error text leaves
//! this room with a token in it.
//!
//! A token is signed for one request, and sent to the one server that was
//! named: who may be named is for the caller to decide.
//!
//! May import `livekit_protocol`, `livekit_token`, `prost`, `reqwest`, `rustls`
//! and, like every edge, the core. No other module imports the first four.

mod calls;
mod http;
mod probe;
mod request;
mod request_error;
mod token;

use std::fmt;

use zeroize::Zeroizing;

#[cfg(doc)]
use crate::dispatch::CallServer;
use crate::dispatch::{Failure, Limits, http_base};

pub use calls::end_call;
pub use probe::{
    Check, ProbeReport, WorkerProbe, WorkerSeen, probe_server, probe_worker, reach_server,
};

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

#[cfg(test)]
mod tests {
    use super::*;

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
