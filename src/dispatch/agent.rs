//! Looking for the agent of a call, and for who is in its room. Changes
//! nothing on the server. Core.
//!
//! livekit-server forgets: a dispatch is gone after a restart, and a room with
//! its last participant, while the worker goes on. So what was seen is told
//! apart from what was not, and "no agent" is said only of a dispatch that was
//! listed without a job for the whole wait.

use std::time::Duration;

use super::cause::{Cause, Failure};
use super::place::is_ours;
use super::server::{Call, CallServer, JobSeen, Participant, ParticipantKind};

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
pub async fn wait_for_agent<S: CallServer>(
    server: &S,
    call: &Dispatched<'_>,
    wait: Duration,
) -> AgentSeen {
    let (began, poll) = (server.elapsed(), server.limits().poll);
    let (mut gone_since, mut interrupted) = (None, None);
    loop {
        let look = look_at_call(server, call).await;
        match &look {
            CallLook::There(there) => return AgentSeen::There(there.clone()),
            CallLook::Listed => gone_since = None,
            CallLook::Gone => {
                gone_since.get_or_insert_with(|| server.elapsed());
                interrupted.get_or_insert(Failure::from(Cause::RoomMissing));
            }
            CallLook::NotKnown(failure) => {
                gone_since = None;
                interrupted.get_or_insert_with(|| failure.clone());
            }
        }
        let now = server.elapsed();
        let gone = gone_since.is_some_and(|since| now - since >= GONE_FOR);
        if gone || now - began + poll >= wait {
            return match (look, interrupted) {
                (CallLook::Gone, _) => AgentSeen::Gone,
                (CallLook::NotKnown(failure), _) | (_, Some(failure)) => {
                    AgentSeen::NotKnown(failure)
                }
                _ if wait < JOB_LISTED_WITHIN => AgentSeen::TooShort,
                _ => AgentSeen::NoOne,
            };
        }
        server.pause(poll).await;
    }
}

/// Looks once.
pub async fn look_at_call<S: CallServer>(server: &S, call: &Dispatched<'_>) -> CallLook {
    let step = server.limits().step;
    let listed = match server.list_dispatches(call.room, step).await {
        Ok(dispatches) => {
            let mut dispatches = dispatches.into_iter();
            dispatches.find(|dispatch| dispatch.id == call.dispatch_id)
        }
        Err(error) if error.failure.cause == Cause::RoomMissing => None,
        Err(error) => return CallLook::NotKnown(error.failure),
    };
    if let Some(job) = listed.as_ref().and_then(|dispatch| dispatch.job.clone()) {
        return CallLook::There(AgentThere {
            job: Some(job),
            participant: None,
        });
    }
    match (agent_in_room(server, call.room).await, listed) {
        (Ok(Some(identity)), _) => CallLook::There(AgentThere {
            job: None,
            participant: Some(identity),
        }),
        (Ok(None), Some(_)) => CallLook::Listed,
        (Ok(None), None) => CallLook::Gone,
        (Err(failure), _) => CallLook::NotKnown(failure),
    }
}

/// The id of a call's dispatch, where the room lists it.
///
/// # Errors
/// The room is not there, or could not be looked at.
pub async fn find_dispatch<S: CallServer>(
    server: &S,
    call: &Call<'_>,
) -> Result<Option<String>, Failure> {
    let listed = server
        .list_dispatches(call.room, server.limits().step)
        .await;
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
pub async fn wait_for_participant<S: CallServer>(
    server: &S,
    room: &str,
    wait: Duration,
) -> Result<Option<String>, Failure> {
    let (began, poll) = (server.elapsed(), server.limits().poll);
    loop {
        let seen = agent_in_room(server, room).await;
        if let Ok(Some(_)) = seen {
            return seen;
        }
        if server.elapsed() - began + poll >= wait {
            return seen;
        }
        server.pause(poll).await;
    }
}

async fn agent_in_room<S: CallServer>(server: &S, room: &str) -> Result<Option<String>, Failure> {
    let agent = first_of_kind(server, room, ParticipantKind::Agent).await?;
    Ok(agent.map(|agent| agent.identity))
}

/// Who is on the phone in a room, where somebody is.
///
/// # Errors
/// It could not be looked at.
pub async fn phone_in_room<S: CallServer>(
    server: &S,
    room: &str,
) -> Result<Option<Participant>, Failure> {
    first_of_kind(server, room, ParticipantKind::Phone).await
}

/// Nobody where there is no room.
async fn first_of_kind<S: CallServer>(
    server: &S,
    room: &str,
    kind: ParticipantKind,
) -> Result<Option<Participant>, Failure> {
    match server.list_participants(room, server.limits().step).await {
        Ok(present) => Ok(present.into_iter().find(|there| there.kind == kind)),
        Err(error) if error.failure.cause == Cause::RoomMissing => Ok(None),
        Err(error) => Err(error.failure),
    }
}
