//! From an answer or an error to what a caller needs: the cause, and whether
//! the server may have carried the request out. Imports `reqwest`'s errors and
//! `rustls`'.

use std::collections::HashMap;
use std::error::Error;
use std::io;

use super::cause::{Cause, Failure};

/// What was asked for: the same words of the server mean different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ApiResource {
    Rooms,
    Dispatches,
    Sip,
}

/// Whether the server carried the request out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SideEffect {
    /// No connection came about, so nothing was sent.
    NotSent,
    /// It answered that it did not.
    Refused,
    /// It may or may not have.
    Unclear,
}

#[derive(Debug)]
pub(super) struct RequestError {
    pub failure: Failure,
    pub side_effect: SideEffect,
    pub sip_status: Option<u16>,
}

impl RequestError {
    fn new(failure: Failure, side_effect: SideEffect) -> RequestError {
        RequestError {
            failure,
            side_effect,
            sip_status: None,
        }
    }

    pub fn not_sent(failure: Failure) -> RequestError {
        RequestError::new(failure, SideEffect::NotSent)
    }

    pub fn refused(failure: Failure) -> RequestError {
        RequestError::new(failure, SideEffect::Refused)
    }

    pub fn unclear(failure: Failure) -> RequestError {
        RequestError::new(failure, SideEffect::Unclear)
    }

    /// No answer came, or none that could be read to its end.
    pub fn of_request(error: &reqwest::Error) -> RequestError {
        let side_effect = if error.is_connect() || error.is_builder() {
            SideEffect::NotSent
        } else {
            SideEffect::Unclear
        };
        RequestError::new(of_request(error), side_effect)
    }

    /// An error of Twirp.
    pub fn of_answer(
        resource: ApiResource,
        code: &str,
        msg: &str,
        meta: &HashMap<String, String>,
    ) -> RequestError {
        let failure = of_answer(resource, code, msg, meta);
        let no_one_dialled = matches!(
            failure.cause,
            Cause::SipRefused | Cause::SipNoAnswer | Cause::SipNeedsRedis | Cause::SipNotRunning
        );
        let side_effect = if may_be_done(code) && !no_one_dialled {
            SideEffect::Unclear
        } else {
            SideEffect::Refused
        };
        RequestError {
            sip_status: meta
                .get("sip_status_code")
                .and_then(|code| code.parse().ok()),
            ..RequestError::new(failure, side_effect)
        }
    }
}

/// Twirp sends these codes with 5xx, or with 408 where the server itself gave
/// up waiting; all others are a 4xx, and final.
fn may_be_done(code: &str) -> bool {
    !matches!(
        code,
        "invalid_argument"
            | "malformed"
            | "out_of_range"
            | "not_found"
            | "bad_route"
            | "already_exists"
            | "permission_denied"
            | "unauthenticated"
            | "resource_exhausted"
            | "failed_precondition"
            | "aborted"
    )
}

/// What a Twirp error says.
fn of_answer(
    resource: ApiResource,
    code: &str,
    msg: &str,
    meta: &HashMap<String, String>,
) -> Failure {
    if let Some(status) = meta.get("sip_status_code") {
        let words = meta.get("sip_status").map_or("", String::as_str);
        return Failure::new(Cause::SipRefused, &sip_words(status, words));
    }
    let msg = msg.trim_start_matches("twirp error unknown: ");
    let no_one_answers = msg.contains("no response from servers");
    let cause = match code {
        "unauthenticated" | "permission_denied" => Cause::NoGrant,
        "not_found" if msg.contains("sip trunk") => Cause::TrunkMissing,
        "not_found" if msg.contains("room") => Cause::RoomMissing,
        _ if msg.contains("sip not connected") => Cause::SipNeedsRedis,
        "unavailable" if no_one_answers && resource == ApiResource::Dispatches => {
            Cause::RoomMissing
        }
        "unavailable" if no_one_answers && resource == ApiResource::Sip => Cause::SipNotRunning,
        "canceled" if resource == ApiResource::Sip && msg.contains("timed out") => {
            Cause::SipNoAnswer
        }
        "resource_exhausted" => Cause::Unavailable,
        _ if may_be_done(code) => Cause::Unavailable,
        _ => Cause::Rejected,
    };
    Failure::new(cause, &format!("{code}: {msg}"))
}

/// RFC 3261 section 21, in the words of someone who waits for a phone to ring.
fn sip_words(status: &str, words: &str) -> String {
    let meaning = match status {
        "401" | "403" | "407" => "the carrier does not accept this trunk or number",
        "404" | "410" | "604" => "there is no such number",
        "408" | "480" => "no one answered",
        "484" => "the number is incomplete",
        "486" | "600" => "the line is busy",
        "487" => "the call was ended before it was answered",
        "488" | "606" => "the carrier accepts none of the audio formats",
        "603" | "607" | "608" => "the call was declined",
        _ if status.starts_with('5') => "the carrier has trouble",
        _ => "",
    };
    let separator = if meaning.is_empty() { "" } else { ": " };
    format!("SIP {} {}{separator}{meaning}", status.trim(), words.trim())
}

/// Why a request brought no answer that could be read.
pub(super) fn of_request(error: &reqwest::Error) -> Failure {
    if error.is_timeout() {
        return Cause::Timeout.into();
    }
    if error.is_decode() {
        return Cause::Unreadable.into();
    }
    let mut last = String::new();
    let mut link = error.source();
    while let Some(error) = link {
        if let Some(failure) = of_link(error) {
            return failure;
        }
        last = error.to_string();
        link = error.source();
    }
    let cause = if error.is_connect() {
        Cause::Refused
    } else {
        Cause::ConnectionLost
    };
    Failure::new(cause, &last)
}

fn of_link(error: &(dyn Error + 'static)) -> Option<Failure> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(of_tls(tls));
    }
    if let Some(io) = error.downcast_ref::<io::Error>() {
        let inner = io.get_ref().map(|inner| inner as &(dyn Error + 'static));
        return inner.and_then(of_link).or_else(|| of_io(io));
    }
    let text = error.to_string();
    if text.starts_with("dns error") {
        Some(Cause::Dns.into())
    } else if text.starts_with("tunnel error") {
        Some(Failure::new(Cause::Proxy, &text))
    } else {
        None
    }
}

fn of_tls(error: &rustls::Error) -> Failure {
    match error {
        rustls::Error::InvalidMessage(_) => Failure::new(
            Cause::Tls,
            "that port does not speak TLS: is it http:// or ws://?",
        ),
        error => Failure::new(Cause::Tls, &error.to_string()),
    }
}

fn of_io(error: &io::Error) -> Option<Failure> {
    let cause = match error.kind() {
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable => Cause::Refused,
        io::ErrorKind::TimedOut => Cause::Timeout,
        io::ErrorKind::UnexpectedEof if error.to_string().contains("tls") => Cause::Tls,
        _ => return None,
    };
    Some(Failure::new(cause, &error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(resource: ApiResource, code: &str, msg: &str) -> &'static str {
        of_answer(resource, code, msg, &HashMap::new()).cause.code()
    }

    /// The texts are those of livekit-server 1.13.5.
    #[test]
    fn the_servers_words_have_one_cause_each() {
        let none = "twirp error unknown: no response from servers";
        assert_eq!(
            cause(ApiResource::Dispatches, "unavailable", none),
            "room-missing"
        );
        assert_eq!(
            cause(ApiResource::Sip, "unavailable", none),
            "sip-not-running"
        );
        assert_eq!(
            cause(ApiResource::Rooms, "unavailable", none),
            "unavailable"
        );
        let redis = "twirp error unknown: sip not connected (redis required)";
        assert_eq!(
            cause(ApiResource::Sip, "internal", redis),
            "sip-needs-redis"
        );
        let trunk = "twirp error unknown: requested sip trunk does not exist";
        assert_eq!(cause(ApiResource::Sip, "not_found", trunk), "trunk-missing");
        assert_eq!(
            cause(ApiResource::Rooms, "unauthenticated", "permissions denied"),
            "no-grant"
        );
        assert_eq!(
            cause(ApiResource::Rooms, "invalid_argument", "no room name"),
            "rejected"
        );
    }

    #[test]
    fn a_code_we_do_not_know_may_have_been_carried_out() {
        assert!(may_be_done("internal") && may_be_done("deadline_exceeded") && may_be_done("new"));
        assert!(!may_be_done("unauthenticated") && !may_be_done("not_found"));
    }

    #[test]
    fn a_sip_status_is_said_in_words() {
        assert_eq!(
            sip_words("486", "Busy Here"),
            "SIP 486 Busy Here: the line is busy"
        );
        assert_eq!(sip_words("699", "Odd"), "SIP 699 Odd");
    }
}
