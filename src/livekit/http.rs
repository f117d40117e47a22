//! HTTP to a LiveKit server, as little of it as its API needs: one request, an
//! answer of bounded size, no redirect. Imports `reqwest`, `rustls`, and
//! `jiff` for the `Date`.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, LOCATION};
use reqwest::{RequestBuilder, StatusCode, Url};

use crate::dispatch::{Cause, Failure, HttpReply, is_loopback};

/// An answer, its body read to the end or to [`LONGEST_BODY`].
pub(super) struct HttpAnswer {
    status: StatusCode,
    headers: HeaderMap,
    pub body: Vec<u8>,
    /// The body is longer than what was read.
    pub cut: bool,
    pub took: Duration,
    /// The server's clock minus ours, in seconds, from its `Date`.
    pub clock_ahead: Option<i64>,
}

/// A list of some ten thousand trunks fits; what is longer is no answer to
/// what lkroute asks.
pub(super) const LONGEST_BODY: usize = 4 * 1024 * 1024;

/// Sends a request that has its time limit already.
pub(super) async fn send_request(request: RequestBuilder) -> Result<HttpAnswer, reqwest::Error> {
    let (asked, clock) = (Instant::now(), Timestamp::now());
    let mut response = request.send().await?;
    let took = asked.elapsed();
    let clock_ahead = server_clock(response.headers())
        .map(|theirs| theirs.as_second() - (clock + took / 2).as_second());
    let (mut body, mut cut) = (Vec::new(), false);
    while let Some(chunk) = response.chunk().await? {
        let room = LONGEST_BODY - body.len();
        if chunk.len() > room {
            body.extend_from_slice(&chunk[..room]);
            cut = true;
            break;
        }
        body.extend_from_slice(&chunk);
    }
    Ok(HttpAnswer {
        status: response.status(),
        headers: response.headers().clone(),
        body,
        cut,
        took,
        clock_ahead,
    })
}

fn server_clock(headers: &HeaderMap) -> Option<Timestamp> {
    let date = headers.get(DATE)?.to_str().ok()?;
    Some(jiff::fmt::rfc2822::parse(date).ok()?.timestamp())
}

/// Trusts the certificates of the system, or of `SSL_CERT_FILE`, and follows
/// no redirect: a token is for the server that was asked, and for no other. So
/// it goes through no proxy to a server of this machine.
pub(super) fn http_client(base: &Url) -> Result<reqwest::Client, Failure> {
    static TLS: OnceLock<Result<rustls::ClientConfig, Failure>> = OnceLock::new();
    let tls = TLS.get_or_init(tls_config).clone()?;
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none());
    let builder = if is_loopback(base) {
        builder.no_proxy()
    } else {
        builder
    };
    builder
        .build()
        .map_err(|error| Failure::new(Cause::Tls, &error.to_string()))
}

fn tls_config() -> Result<rustls::ClientConfig, Failure> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let ring = rustls::crypto::ring::default_provider();
    let tls = rustls::ClientConfig::builder_with_provider(ring.into())
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::new(Cause::Tls, &error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(tls)
}

impl HttpAnswer {
    /// What the answer to `GET /` says.
    pub(super) fn check_root(&self) -> Result<(), Failure> {
        let reply = self.reply();
        match self.status {
            StatusCode::OK if !reply.is_html() => Ok(()),
            StatusCode::NOT_ACCEPTABLE => Err(Failure::new(Cause::NotReady, &reply.body_text())),
            _ => Err(reply.not_livekit()),
        }
    }

    pub(super) fn reply(&self) -> HttpReply<'_> {
        let text = |name| {
            let value = self.headers.get(name);
            value
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        let reason = self.status.canonical_reason();
        HttpReply {
            status: self.status.as_u16(),
            reason: reason.unwrap_or("<unknown status code>"),
            content_type: text(CONTENT_TYPE),
            location: text(LOCATION),
            body: &self.body,
        }
    }
}
