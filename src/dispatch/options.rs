//! How a call is placed, beside what is sent. Core.

use std::time::Duration;

/// What the caller wants of one call.
#[derive(Debug, Clone, Default)]
pub struct PlacingOptions {
    /// How long to wait for an agent, where one is waited for.
    pub wait_for_agent: Option<Duration>,
    /// How to dial the person from here, for workers that don't.
    pub sip: Option<SipRequest>,
    /// A trunk that does not list the calling number is a warning, for this
    /// call.
    pub allow_unlisted_number: bool,
}

/// How a person is dialled.
#[derive(Debug, Clone)]
pub struct SipRequest {
    /// How long to let it ring.
    pub(super) ring: Duration,
    /// Headers of the INVITE.
    pub(super) headers: Vec<(String, String)>,
    /// The name to show beside the number.
    pub(super) display_name: Option<String>,
}

/// Headers that every INVITE has, by all their names.
const SET_BY_SIP: [&str; 20] = [
    "via",
    "v",
    "from",
    "f",
    "to",
    "t",
    "call-id",
    "i",
    "cseq",
    "contact",
    "m",
    "max-forwards",
    "route",
    "record-route",
    "content-length",
    "l",
    "content-type",
    "c",
    "authorization",
    "proxy-authorization",
];

impl SipRequest {
    /// # Errors
    /// A header whose name is none (RFC 3261), that SIP sets itself, or that is given
    /// twice; a text that would end its line.
    pub fn new(
        ring: Duration,
        headers: Vec<(String, String)>,
        display_name: Option<String>,
    ) -> Result<SipRequest, String> {
        let in_name = |c: char| c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c);
        let mut names: Vec<String> = Vec::with_capacity(headers.len());
        for (name, value) in &headers {
            let lower = name.to_ascii_lowercase();
            if name.is_empty() || !name.chars().all(in_name) {
                return Err(format!("`{name}` is no name of a SIP header"));
            }
            if SET_BY_SIP.contains(&lower.as_str()) {
                return Err(format!("SIP sets the header `{name}` itself"));
            }
            if names.contains(&lower) {
                return Err(format!("the SIP header `{name}` is given twice"));
            }
            if value.chars().any(char::is_control) {
                return Err(format!(
                    "the SIP header `{name}` has a line break, or the like"
                ));
            }
            names.push(lower);
        }
        if display_name
            .iter()
            .any(|name| name.chars().any(char::is_control))
        {
            return Err("the name to show has a line break, or the like".to_owned());
        }
        Ok(SipRequest {
            ring,
            headers,
            display_name,
        })
    }
}

/// Where the person is dialled from here, the agent is waited for even so.
const WAIT_BEFORE_DIALLING: Duration = Duration::from_secs(15);

impl PlacingOptions {
    /// How long an agent is waited for.
    pub(super) fn wait(&self) -> Option<Duration> {
        let before_dialling = self.sip.as_ref().map(|_| WAIT_BEFORE_DIALLING);
        self.wait_for_agent.or(before_dialling)
    }
}
