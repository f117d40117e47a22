//! Dialling a person through a trunk, for workers that don't do it themselves.
//! Sent once, whatever happens. Imports LiveKit's messages.

use std::time::Duration;

use livekit_protocol as proto;

use super::Client;
use super::cause::Failure;
use super::request::CREATE_SIP_PARTICIPANT;
use super::request_error::{RequestError, SideEffect};
use super::token::Grant;

/// livekit-server lets it ring this long at most, whatever it is asked for
/// (seen on 1.13.5).
pub const LONGEST_RING: Duration = Duration::from_secs(80);

/// Whom to dial, through what, into which room.
#[derive(Debug, Clone, Copy)]
pub struct SipCall<'a> {
    pub trunk_id: &'a str,
    /// The number to dial, in the form that the carrier wants.
    pub to: &'a str,
    /// The number to show; one of the trunk's own where absent.
    pub from: Option<&'a str>,
    pub room: &'a str,
    /// The called person's identity in the room.
    pub identity: &'a str,
    /// Headers of the INVITE.
    pub headers: &'a [(String, String)],
    /// The name to show beside the number.
    pub display_name: Option<&'a str>,
    /// Wait for an answer, ringing this long at most. Where absent, the server
    /// says yes as soon as it has begun to dial.
    pub wait_for_answer: Option<Duration>,
}

/// The participant that stands for the called person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SipPlaced {
    pub sip_call_id: String,
    pub participant_id: String,
    pub participant_identity: String,
}

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
pub async fn create_sip_participant(
    client: &Client,
    call: &SipCall<'_>,
) -> Result<SipPlaced, SipFailure> {
    let request = proto::CreateSipParticipantRequest {
        sip_trunk_id: call.trunk_id.to_owned(),
        sip_call_to: call.to.to_owned(),
        sip_number: call.from.unwrap_or_default().to_owned(),
        room_name: call.room.to_owned(),
        participant_identity: call.identity.to_owned(),
        headers: call.headers.iter().cloned().collect(),
        display_name: call.display_name.map(str::to_owned),
        wait_until_answered: call.wait_for_answer.is_some(),
        ringing_timeout: call.wait_for_answer.map(Into::into),
        ..Default::default()
    };
    let limit = client.limits.step + call.wait_for_answer.unwrap_or_default();
    let made = client.ask_within(CREATE_SIP_PARTICIPANT, Grant::SipCall, &request, limit);
    let made: Result<proto::SipParticipantInfo, RequestError> = made.await;
    match made {
        Ok(made) => Ok(SipPlaced {
            sip_call_id: made.sip_call_id,
            participant_id: made.participant_id,
            participant_identity: made.participant_identity,
        }),
        Err(error) => Err(SipFailure {
            unclear: error.side_effect == SideEffect::Unclear,
            sip_status: error.sip_status,
            failure: error.failure,
        }),
    }
}
