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
    pub ring: Duration,
    /// Headers of the INVITE.
    pub headers: Vec<(String, String)>,
    /// The name to show beside the number.
    pub display_name: Option<String>,
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
