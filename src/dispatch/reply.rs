//! What an answer of LiveKit says that is not what was asked for: the cause,
//! and whether the server may have carried the request out. Core.

use std::collections::HashMap;

use super::cause::{Cause, Failure, one_line};

/// What was asked for: the same words of the server mean different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiResource {
    Rooms,
    Dispatches,
    Sip,
}

/// Whether the server carried the request out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SideEffect {
    /// No connection came about, so nothing was sent.
    NotSent,
    /// It answered that it did not.
    Refused,
    /// It may or may not have.
    Unclear,
}

/// A request that brought no good answer.
#[derive(Debug, Clone)]
pub struct RequestError {
    pub failure: Failure,
    pub side_effect: SideEffect,
    /// The carrier's answer, as 486 for busy.
    pub sip_status: Option<u16>,
}

impl RequestError {
    pub fn new(failure: Failure, side_effect: SideEffect) -> RequestError {
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

    /// An error of Twirp.
    fn of_answer(
        asked: ApiResource,
        code: &str,
        msg: &str,
        meta: &HashMap<String, String>,
    ) -> RequestError {
        let failure = of_answer(asked, code, msg, meta);
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

/// An answer over HTTP, in a form that no library names.
#[derive(Debug, Clone, Copy)]
pub struct HttpReply<'a> {
    pub status: u16,
    /// The words beside the status, as `Bad Gateway`.
    pub reason: &'a str,
    pub content_type: &'a str,
    /// Where a redirect leads.
    pub location: &'a str,
    pub body: &'a [u8],
}

/// How much of a body is looked at where it is shown as text.
const SHOWN: usize = 16 * 1024;

impl HttpReply<'_> {
    /// Whether it may hold the message that was asked for.
    pub fn is_message(&self) -> bool {
        self.status == 200 && self.content_type.starts_with("application/protobuf")
    }

    /// Why it holds none.
    pub fn request_error(&self, asked: ApiResource) -> RequestError {
        if (200..300).contains(&self.status) {
            return RequestError::unclear(self.not_livekit());
        }
        // What a server has refused comes with a 4xx. In a 5xx such a code is a
        // gateway's own, and the server behind it may have done what it was asked for.
        let gave_up = self.status >= 500 || self.status == 408;
        let is_servers = |code: &str, meta: &HashMap<String, String>| {
            !gave_up || may_be_done(code) || meta.contains_key("sip_status_code")
        };
        if let Some((code, msg, meta)) = twirp_error(self.body)
            && is_servers(&code, &meta)
        {
            return RequestError::of_answer(asked, &code, &msg, &meta);
        }
        if self.status == 401
            && let Some(failure) = refused_token(&one_line(&self.body_text()))
        {
            return RequestError::refused(failure);
        }
        let failure = self.not_livekit();
        if gave_up {
            RequestError::unclear(failure)
        } else {
            RequestError::refused(failure)
        }
    }

    /// Why an answer that is none of LiveKit's API is what it is.
    pub fn not_livekit(&self) -> Failure {
        let line = format!("{} {}", self.status, self.reason);
        if (300..400).contains(&self.status) {
            return Failure::new(Cause::Redirect, &format!("{line} to {}", self.location));
        }
        let cause = if self.status >= 500 {
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
        Failure::new(cause, &format!("{line}: {body}"))
    }

    /// The beginning of the body, as text.
    pub fn body_text(&self) -> String {
        let beginning = &self.body[..self.body.len().min(SHOWN)];
        String::from_utf8_lossy(beginning).into_owned()
    }

    pub fn is_html(&self) -> bool {
        self.content_type.starts_with("text/html") || self.body.trim_ascii_start().starts_with(b"<")
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
fn of_answer(asked: ApiResource, code: &str, msg: &str, meta: &HashMap<String, String>) -> Failure {
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
        "unavailable" if no_one_answers && asked == ApiResource::Dispatches => Cause::RoomMissing,
        "unavailable" if no_one_answers && asked == ApiResource::Sip => Cause::SipNotRunning,
        "canceled" if asked == ApiResource::Sip && msg.contains("timed out") => Cause::SipNoAnswer,
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

/// Code, message and further words of an error of Twirp.
fn twirp_error(body: &[u8]) -> Option<(String, String, HashMap<String, String>)> {
    let error: serde_json::Value = serde_json::from_slice(body).ok()?;
    let text = |name| error.get(name).and_then(|value| value.as_str());
    let meta = error.get("meta").and_then(|meta| meta.as_object());
    let words = meta.into_iter().flatten().filter_map(|(name, value)| {
        let value = value.as_str()?;
        Some((name.clone(), value.to_owned()))
    });
    let msg = text("msg").unwrap_or_default();
    Some((text("code")?.to_owned(), msg.to_owned(), words.collect()))
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

    fn cause(asked: ApiResource, code: &str, msg: &str) -> &'static str {
        of_answer(asked, code, msg, &HashMap::new()).cause.code()
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

    fn side_effect(status: u16, content_type: &str, body: &str) -> SideEffect {
        let reply = HttpReply {
            status,
            reason: "",
            content_type,
            location: "",
            body: body.as_bytes(),
        };
        reply.request_error(ApiResource::Dispatches).side_effect
    }

    /// False word: "no call was placed", after which its key is free. Attackers: a
    /// gateway that answers 202, and one with a JSON of its own for what it cut off.
    #[test]
    fn only_a_refusal_of_the_server_itself_means_that_nothing_was_done() {
        let codes = [
            "not_found",
            "aborted",
            "unauthenticated",
            "invalid_argument",
        ];
        let bodies = codes.map(|code| format!(r#"{{"code": "{code}", "msg": "gone"}}"#));
        for body in bodies
            .iter()
            .map(String::as_str)
            .chain(["", "<html>", "{}"])
        {
            for status in (200..300).chain([408]).chain(500..600) {
                for kind in ["application/json", "application/protobuf", "text/html", ""] {
                    let effect = side_effect(status, kind, body);
                    assert_eq!(effect, SideEffect::Unclear, "{status} {kind} {body}");
                }
            }
            for status in [400, 401, 403, 404, 409, 412, 429] {
                let effect = side_effect(status, "application/json", body);
                assert_eq!(effect, SideEffect::Refused, "{status} {body}");
            }
        }
        let busy = r#"{"code": "unavailable", "msg": "", "meta": {"sip_status_code": "486"}}"#;
        assert_eq!(side_effect(503, "", busy), SideEffect::Refused);
    }

    #[test]
    fn a_sip_status_is_said_in_words() {
        assert_eq!(
            sip_words("486", "Busy Here"),
            "SIP 486 Busy Here: the line is busy"
        );
        assert_eq!(sip_words("699", "Odd"), "SIP 699 Odd");
    }

    fn refusal(text: &str) -> Option<&'static str> {
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
        assert_eq!(refusal("invalid API key: devkey"), Some("key-unknown"));
        assert_eq!(refusal(signature), Some("secret-wrong"));
        assert_eq!(refusal(early), Some("clock-skew"));
        assert_eq!(refusal(late), Some("clock-skew"));
        assert_eq!(refusal("who are you?"), None);
    }
}
