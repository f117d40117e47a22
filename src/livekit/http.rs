//! HTTP to a LiveKit server, as little of it as its API needs: one request, an
//! answer of bounded size, no redirect. Imports `reqwest`, `rustls`, and
//! `jiff` for the `Date`.

use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, LOCATION};
use reqwest::{RequestBuilder, StatusCode, Url};

use super::cause::{Cause, Failure};

/// An answer, its body read to the end or to [`LONGEST_BODY`].
pub(super) struct HttpAnswer {
    pub status: StatusCode,
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
    let builder = match is_loopback(base) {
        true => builder.no_proxy(),
        false => builder,
    };
    builder
        .build()
        .map_err(|error| Failure::new(Cause::Tls, &error.to_string()))
}

fn is_loopback(base: &Url) -> bool {
    let host = base.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    match address {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
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
    pub fn check_root(&self) -> Result<(), Failure> {
        match self.status {
            StatusCode::OK if !self.is_html() => Ok(()),
            StatusCode::NOT_ACCEPTABLE => Err(Failure::new(Cause::NotReady, &self.body_text())),
            _ => Err(self.not_livekit()),
        }
    }

    /// Why an answer that is none of LiveKit's API is what it is.
    pub fn not_livekit(&self) -> Failure {
        if self.status.is_redirection() {
            let to = self
                .headers
                .get(LOCATION)
                .and_then(|to| to.to_str().ok())
                .unwrap_or_default();
            return Failure::new(Cause::Redirect, &format!("{} to {to}", self.status));
        }
        let cause = if self.status.is_server_error() {
            Cause::Unavailable
        } else {
            Cause::NotLivekit
        };
        let text = self.body_text();
        let body = match text.trim() {
            "" => "an empty answer",
            _ if self.is_html() => "an HTML page",
            text => text,
        };
        Failure::new(cause, &format!("{}: {body}", self.status))
    }

    /// The beginning of the body, as text.
    pub fn body_text(&self) -> String {
        let beginning = &self.body[..self.body.len().min(16 * 1024)];
        String::from_utf8_lossy(beginning).into_owned()
    }

    pub fn is_protobuf(&self) -> bool {
        self.content_type().starts_with("application/protobuf")
    }

    fn is_html(&self) -> bool {
        self.content_type().starts_with("text/html")
            || self.body.trim_ascii_start().starts_with(b"<")
    }

    fn content_type(&self) -> &str {
        let kind = self.headers.get(CONTENT_TYPE);
        kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default()
    }
}
