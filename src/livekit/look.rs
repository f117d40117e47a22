//! Looking at a server with plain HTTP, where the client crate hides what is
//! needed: the status, the `Date`, a redirect, and the plain-text refusals of
//! a key or a secret. Only reads, so a look may be repeated at will. Imports
//! `reqwest`, `rustls`, the crate's tokens, and `jiff` for the `Date`.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use livekit_api::access_token::{AccessToken, VideoGrants};
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, LOCATION};
use reqwest::{Method, StatusCode};

use super::Client;
use super::cause::{Cause, Failure};
use super::trouble::{Asked, of_answer, of_request};

/// An answer, as far as it tells what answered.
pub(super) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
    pub took: Duration,
    /// The server's clock minus ours, in seconds, from its `Date`.
    pub clock_ahead: Option<i64>,
}

const LONGEST_BODY: usize = 16 * 1024;

impl Client {
    /// `GET /`, LiveKit's own health check, without a token.
    pub(super) async fn look_at_root(&self) -> Result<Answer, Failure> {
        self.look(Method::GET, "/", None).await
    }

    /// Asks for the rooms of a name that no room has: the cheapest request
    /// that needs key, secret and a permission.
    pub(super) async fn look_with_key(&self) -> Result<Answer, Failure> {
        let token = AccessToken::with_api_key(&self.api_key, &self.api_secret)
            .with_grants(VideoGrants {
                room_list: true,
                ..Default::default()
            })
            .to_jwt()
            .map_err(|error| Failure::new(Cause::BadCredentials, &error.to_string()))?;
        self.look(
            Method::POST,
            "/twirp/livekit.RoomService/ListRooms",
            Some(token),
        )
        .await
    }

    async fn look(
        &self,
        method: Method,
        path: &str,
        token: Option<String>,
    ) -> Result<Answer, Failure> {
        let http = self
            .looker
            .get_or_init(looker)
            .as_ref()
            .map_err(Failure::clone)?;
        let mut url = self.base.clone();
        url.set_path(path);
        let mut request = http.request(method, url).timeout(self.limits.step);
        if let Some(token) = token {
            request = request
                .bearer_auth(token)
                .header(CONTENT_TYPE, "application/json")
                .body(r#"{"names":["lkroute-looks-at-no-room"]}"#);
        }
        read(request).await.map_err(|error| of_request(&error))
    }
}

async fn read(request: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
    let (asked, clock) = (Instant::now(), Timestamp::now());
    let mut response = request.send().await?;
    let took = asked.elapsed();
    let mut body = Vec::new();
    while body.len() < LONGEST_BODY
        && let Some(chunk) = response.chunk().await?
    {
        body.extend_from_slice(&chunk);
    }
    let clock_ahead = server_clock(response.headers())
        .map(|theirs| theirs.as_second() - (clock + took / 2).as_second());
    Ok(Answer {
        status: response.status(),
        headers: response.headers().clone(),
        body: String::from_utf8_lossy(&body).into_owned(),
        took,
        clock_ahead,
    })
}

fn server_clock(headers: &HeaderMap) -> Option<Timestamp> {
    let date = headers.get(DATE)?.to_str().ok()?;
    Some(jiff::fmt::rfc2822::parse(date).ok()?.timestamp())
}

/// Trusts what the client crate trusts, and follows no redirect: where an
/// address leads is what we want to know.
fn looker() -> Result<reqwest::Client, Failure> {
    let failed = |error: &dyn std::error::Error| Failure::new(Cause::Tls, &error.to_string());
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let ring = rustls::crypto::ring::default_provider();
    let tls = rustls::ClientConfig::builder_with_provider(ring.into())
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| failed(&error))
}

impl Answer {
    /// What the answer to `GET /` says.
    pub fn root(&self) -> Result<(), Failure> {
        match self.status {
            StatusCode::OK if !self.is_html() => Ok(()),
            StatusCode::NOT_ACCEPTABLE => Err(Failure::new(Cause::NotReady, &self.body)),
            _ => Err(self.not_livekit()),
        }
    }

    /// What the answer to the request with a key says.
    pub fn key(&self) -> Result<(), Failure> {
        let json = serde_json::from_str::<serde_json::Value>(&self.body).ok();
        if self.status == StatusCode::OK && json.as_ref().is_some_and(|j| j.is_object()) {
            return Ok(());
        }
        if let Some(failure) = json.and_then(|json| twirp(&json)) {
            return Err(failure);
        }
        if self.status == StatusCode::UNAUTHORIZED
            && let Some(failure) = refused_token(&super::cause::one_line(&self.body))
        {
            return Err(failure);
        }
        Err(self.not_livekit())
    }

    fn not_livekit(&self) -> Failure {
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
        let body = match self.body.trim() {
            "" => "an empty answer",
            _ if self.is_html() => "an HTML page",
            text => text,
        };
        Failure::new(cause, &format!("{}: {body}", self.status))
    }

    fn is_html(&self) -> bool {
        let kind = self
            .headers
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok());
        kind.is_some_and(|kind| kind.starts_with("text/html"))
            || self.body.trim_start().starts_with('<')
    }
}

fn twirp(error: &serde_json::Value) -> Option<Failure> {
    let text = |name| error.get(name).and_then(|value| value.as_str());
    Some(of_answer(
        Asked::Rooms,
        text("code")?,
        text("msg").unwrap_or_default(),
        &HashMap::new(),
    ))
}

/// The plain-text refusals of livekit-server, tokens already cut out: the key
/// is looked at first, then the signature, then the times.
fn refused_token(text: &str) -> Option<Failure> {
    let cause = if text.starts_with("invalid API key") {
        Cause::KeyUnknown
    } else if !text.starts_with("invalid token") {
        return None;
    } else if text.contains("signature") {
        Cause::SecretWrong
    } else if text.contains("expired") || text.contains("not valid yet") {
        Cause::ClockSkew
    } else {
        return None;
    };
    Some(Failure::new(cause, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(text: &str) -> Option<&'static str> {
        refused_token(text).map(|failure| failure.cause.code())
    }

    /// The texts are those of livekit-server 1.13.5.
    #[test]
    fn plain_text_refusals_are_told_apart() {
        let signature =
            "invalid token: <token>, error: token signature is invalid: signature is invalid";
        let early =
            "invalid token: <token>, error: token has invalid claims: token is not valid yet";
        let late = "invalid token: <token>, error: token has invalid claims: token is expired";
        assert_eq!(cause("invalid API key: devkey"), Some("key-unknown"));
        assert_eq!(cause(signature), Some("secret-wrong"));
        assert_eq!(cause(early), Some("clock-skew"));
        assert_eq!(cause(late), Some("clock-skew"));
        assert_eq!(cause("who are you?"), None);
    }
}
