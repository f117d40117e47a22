//! Dialling a person through a trunk, for workers that don't do it themselves.
//! Sent once, whatever happens. Core.

use std::time::Duration;

use super::cause::Failure;
use super::reply::SideEffect;
use super::server::{CallServer, SipCall, SipPlaced};

/// livekit-server lets it ring this long at most, whatever it is asked for
/// (seen on 1.13.5).
pub const LONGEST_RING: Duration = Duration::from_secs(80);

/// Why there is no such participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SipFailure {
    pub failure: Failure,
    /// The phone may be ringing all the same.
    pub unclear: bool,
    /// The carrier's answer, as 486 for busy.
    pub sip_status: Option<u16>,
}

/// Dials; never a second time.
pub async fn create_sip_participant<S: CallServer>(
    server: &S,
    call: &SipCall<'_>,
) -> Result<SipPlaced, SipFailure> {
    let limit = server.limits().step + call.wait_for_answer.unwrap_or_default();
    let placed = server.dial(call, limit).await;
    placed.map_err(|error| SipFailure {
        unclear: error.side_effect == SideEffect::Unclear,
        sip_status: error.sip_status,
        failure: error.failure,
    })
}
