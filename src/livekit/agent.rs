//! Looking for the agent of a call, and for who is in its room. Changes
//! nothing on the server. Imports LiveKit's messages.
//!
//! livekit-server forgets: a dispatch is gone after a restart, and a room with
//! its last participant, while the worker goes on. So what was seen is told
//! apart from what was not, and "no agent" is said only of a dispatch that was
//! listed without a job for the whole wait.

use std::time::Duration;

use livekit_protocol::participant_info::{Kind, State};
use livekit_protocol::{self as proto, AgentDispatch};
use tokio::time::{Instant, sleep};

use super::Client;
use super::call::{Call, JobSeen, is_ours, list_dispatches};
use super::cause::{Cause, Failure};
use super::request::LIST_PARTICIPANTS;
use super::request_error::RequestError;
use super::token::Grant;

/// A shorter wait for an agent proves nothing: livekit-server lists a job only
/// after it has asked all its nodes for workers, for 5 s, unless it did so in
/// the last minute (`CheckEnabledTimeout`, seen on 1.13.5).
pub const JOB_LISTED_WITHIN: Duration = Duration::from_secs(6);

/// A room that was gone for this long does not come back: a server that
/// restarts answers earlier, and a worker that goes on joins earlier.
const GONE_FOR: Duration = Duration::from_secs(3);

/// A dispatch that the server accepted.
#[derive(Debug, Clone, Copy)]
pub struct Dispatched<'a> {
    pub room: &'a str,
    pub dispatch_id: &'a str,
}

/// What a wait for an agent has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentSeen {
    /// An agent took the job, or is in the room.
    There(AgentThere),
    /// The dispatch was listed without a job for the whole wait, which was
    /// long enough to say so.
    NoOne,
    /// The same, but the wait was too short to say so.
    TooShort,
    /// Room or dispatch were gone: an agent may have been there before.
    Gone,
    /// At some time during the wait it could not be looked at.
    NotKnown(Failure),
}

/// What is known of an agent that was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AgentThere {
    /// Absent where only the participant was seen.
    pub job: Option<JobSeen>,
    /// Its identity in the room, where it was seen there.
    pub participant: Option<String>,
}

/// What one look at a call shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallLook {
    There(AgentThere),
    /// The dispatch is listed, without a job.
    Listed,
    Gone,
    NotKnown(Failure),
}

/// Waits until an agent took the dispatch or is in its room. Takes two steps
/// longer than `wait` at most.
pub async fn wait_for_agent(client: &Client, call: &Dispatched<'_>, wait: Duration) -> AgentSeen {
    let began = Instant::now();
    let (mut gone_since, mut interrupted) = (None, None);
    loop {
        let look = look_at_call(client, call).await;
        match &look {
            CallLook::There(there) => return AgentSeen::There(there.clone()),
            CallLook::Listed => gone_since = None,
            CallLook::Gone => {
                gone_since.get_or_insert_with(Instant::now);
                interrupted.get_or_insert(Failure::from(Cause::RoomMissing));
            }
            CallLook::NotKnown(failure) => {
                gone_since = None;
                interrupted.get_or_insert_with(|| failure.clone());
            }
        }
        let gone = gone_since.is_some_and(|since: Instant| since.elapsed() >= GONE_FOR);
        if gone || began.elapsed() + client.limits.poll >= wait {
            return match (look, interrupted) {
                (CallLook::Gone, _) => AgentSeen::Gone,
                (CallLook::NotKnown(failure), _) | (_, Some(failure)) => {
                    AgentSeen::NotKnown(failure)
                }
                _ if wait < JOB_LISTED_WITHIN => AgentSeen::TooShort,
                _ => AgentSeen::NoOne,
            };
        }
        sleep(client.limits.poll).await;
    }
}

/// Looks once.
pub async fn look_at_call(client: &Client, call: &Dispatched<'_>) -> CallLook {
    let listed = match list_dispatches(client, call.room).await {
        Ok(dispatches) => {
            let mut dispatches = dispatches.into_iter();
            dispatches.find(|dispatch| dispatch.id == call.dispatch_id)
        }
        Err(error) if error.failure.cause == Cause::RoomMissing => None,
        Err(error) => return CallLook::NotKnown(error.failure),
    };
    if let Some(job) = listed.as_ref().and_then(first_job) {
        return CallLook::There(AgentThere {
            job: Some(job),
            participant: None,
        });
    }
    match (agent_in_room(client, call.room).await, listed) {
        (Ok(Some(identity)), _) => CallLook::There(AgentThere {
            job: None,
            participant: Some(identity),
        }),
        (Ok(None), Some(_)) => CallLook::Listed,
        (Ok(None), None) => CallLook::Gone,
        (Err(failure), _) => CallLook::NotKnown(failure),
    }
}

fn first_job(dispatch: &AgentDispatch) -> Option<JobSeen> {
    Some(JobSeen::from(dispatch.state.as_ref()?.jobs.first()?))
}

/// The id of a call's dispatch, where the room lists it.
///
/// # Errors
/// The room is not there, or could not be looked at.
pub async fn find_dispatch(client: &Client, call: &Call<'_>) -> Result<Option<String>, Failure> {
    let listed = list_dispatches(client, call.room).await;
    let listed = listed.map_err(|error| error.failure)?;
    let mut listed = listed.into_iter();
    Ok(listed
        .find(|dispatch| is_ours(dispatch, call))
        .map(|dispatch| dispatch.id))
}

/// Waits until an agent is in the room: a job that raises or dies after it was
/// taken never is.
///
/// # Errors
/// The last look failed.
pub async fn wait_for_participant(
    client: &Client,
    room: &str,
    wait: Duration,
) -> Result<Option<String>, Failure> {
    let began = Instant::now();
    loop {
        let seen = agent_in_room(client, room).await;
        if let Ok(Some(_)) = seen {
            return seen;
        }
        if began.elapsed() + client.limits.poll >= wait {
            return seen;
        }
        sleep(client.limits.poll).await;
    }
}

async fn agent_in_room(client: &Client, room: &str) -> Result<Option<String>, Failure> {
    let present = list_participants(client, room).await?;
    let mut agents = present.into_iter().filter(|p| p.kind() == Kind::Agent);
    Ok(agents.next().map(|agent| agent.identity))
}

/// The phone in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhoneSeen {
    pub identity: String,
    /// `sip.callStatus`: `dialing`, `ringing`, `active`, `hangup`.
    pub call_status: Option<String>,
    /// `sip.callID`.
    pub call_id: Option<String>,
}

/// Who is on the phone in a room, where somebody is.
///
/// # Errors
/// It could not be looked at.
pub async fn phone_in_room(client: &Client, room: &str) -> Result<Option<PhoneSeen>, Failure> {
    let present = list_participants(client, room).await?;
    let phone = present.into_iter().find(|p| p.kind() == Kind::Sip);
    Ok(phone.map(|phone| PhoneSeen {
        call_status: phone.attributes.get("sip.callStatus").cloned(),
        call_id: phone.attributes.get("sip.callID").cloned(),
        identity: phone.identity,
    }))
}

/// Those that are in a room, or joining; nobody where there is no room.
async fn list_participants(
    client: &Client,
    room: &str,
) -> Result<Vec<proto::ParticipantInfo>, Failure> {
    let until = Instant::now() + client.limits.step;
    let request = proto::ListParticipantsRequest {
        room: room.to_owned(),
    };
    let grant = Grant::RoomAdmin(room);
    let listed: Result<proto::ListParticipantsResponse, RequestError> = client
        .send_message(LIST_PARTICIPANTS, grant, &request, until)
        .await;
    match listed {
        Ok(listed) => {
            let all = listed.participants.into_iter();
            Ok(all.filter(|p| p.state() != State::Disconnected).collect())
        }
        Err(error) if error.failure.cause == Cause::RoomMissing => Ok(Vec::new()),
        Err(error) => Err(error.failure),
    }
}

/// Ends a call: its dispatch and its room. Nothing to end is no error.
///
/// # Errors
/// The server could not be asked, or refused.
pub async fn end_call(client: &Client, room: &str, dispatch: Option<&str>) -> Result<(), Failure> {
    let missing = |error: &RequestError| error.failure.cause == Cause::RoomMissing;
    let until = Instant::now() + client.limits.whole;
    if let Some(id) = dispatch {
        let request = proto::DeleteAgentDispatchRequest {
            dispatch_id: id.to_owned(),
            room: room.to_owned(),
        };
        let grant = Grant::RoomAdmin(room);
        let ended: Result<AgentDispatch, RequestError> = client
            .send_message(super::request::DELETE_DISPATCH, grant, &request, until)
            .await;
        if let Err(error) = ended
            && !missing(&error)
        {
            return Err(error.failure);
        }
    }
    let request = proto::DeleteRoomRequest {
        room: room.to_owned(),
    };
    let grant = Grant::CreateRooms;
    let ended: Result<proto::DeleteRoomResponse, RequestError> = client
        .send_message(super::request::DELETE_ROOM, grant, &request, until)
        .await;
    match ended {
        Err(error) if !missing(&error) => Err(error.failure),
        _ => Ok(()),
    }
}
