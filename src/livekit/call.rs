//! Placing a call: a room, then one dispatch of one agent, and never a second
//! one. Imports LiveKit's messages.
//!
//! A room is made by name, so asking twice does no harm. Each dispatch that
//! the server accepts starts an agent, which dials a person; so it is sent
//! once, and after an unclear answer we look for what it made instead.

use std::time::Duration;

use livekit_protocol::{self as proto, AgentDispatch};
use tokio::time::{Instant, sleep};

use super::Client;
use super::cause::{Cause, Failure};
use super::request::{CREATE_DISPATCH, CREATE_ROOM, LIST_DISPATCH};
use super::request_error::{RequestError, SideEffect};
use super::token::Grant;

/// A call to place.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    pub room: &'a str,
    /// The name that the worker is registered under.
    pub agent_name: &'a str,
    /// The deployment of the workers; production where absent.
    pub deployment: Option<&'a str>,
    /// JSON with `job_id` in it; the worker gets exactly this text.
    pub metadata: &'a str,
    pub job_id: &'a str,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallOutcome {
    /// The server has the dispatch. That an agent took it is not said yet.
    Dispatched {
        dispatch_id: String,
        /// The answer was unclear, but the dispatch was found in the room.
        adopted: bool,
    },
    /// Nothing was dispatched.
    Failed(Failure),
    /// Nothing can have been created there at all, not even the room: another
    /// server may be asked for the same call.
    NotBegun(Failure),
    /// The server may or may not have started the agent in this room.
    Unknown { room: String, failure: Failure },
}

/// The job by which an agent took a dispatch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSeen {
    pub job_id: String,
    /// The name of the worker that took the job.
    pub agent_name: String,
    pub worker_id: String,
    /// The agent's identity in the room.
    pub participant_identity: String,
    pub status: JobStatus,
    /// What the worker reported, where the job failed.
    pub error: String,
}

/// How far an agent's job was when the server noted it; livekit-server 1.13.5
/// does not update it afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobStatus {
    Pending,
    Running,
    Success,
    Failed,
}

/// Places one call: at most one dispatch reaches the server, whatever happens.
/// Await it to its end; what becomes of a dropped one is unknown.
pub async fn place_call(client: &Client, call: &Call<'_>) -> CallOutcome {
    let until = Instant::now() + client.limits.whole;
    let room = proto::CreateRoomRequest {
        name: call.room.to_owned(),
        ..Default::default()
    };
    match create_room(client, &room, until).await {
        Ok(()) => dispatch_into_room(client, call, until).await,
        Err(none) if none.untouched && none.failure.cause.keeps_out() => {
            CallOutcome::NotBegun(none.failure)
        }
        Err(none) => CallOutcome::Failed(none.failure),
    }
}

/// Why there is no room.
pub(super) struct NoRoom {
    pub failure: Failure,
    /// No attempt can have made one: each was turned away, or never sent.
    untouched: bool,
}

/// The second half of a call, in a room that is there.
pub(super) async fn dispatch_into_room(
    client: &Client,
    call: &Call<'_>,
    until: Instant,
) -> CallOutcome {
    match create_dispatch(client, call, until).await {
        Ok(dispatch_id) => CallOutcome::Dispatched {
            dispatch_id,
            adopted: false,
        },
        Err(error) if error.side_effect == SideEffect::Unclear => {
            settle_dispatch(client, call, error).await
        }
        Err(error) => CallOutcome::Failed(error.failure),
    }
}

pub(super) async fn create_room(
    client: &Client,
    room: &proto::CreateRoomRequest,
    until: Instant,
) -> Result<(), NoRoom> {
    let mut pauses = retry_pauses(client);
    let mut untouched = true;
    loop {
        let made = client.send_message(CREATE_ROOM, Grant::CreateRooms, room, until);
        let made: Result<proto::Room, RequestError> = made.await;
        let failure = match made {
            Ok(made) if made.name == room.name => return Ok(()),
            Ok(_) => {
                untouched = false;
                Cause::NotLivekit.into()
            }
            Err(error) => {
                untouched &= error.side_effect != SideEffect::Unclear;
                error.failure
            }
        };
        if failure.cause.is_final() || !wait_before_retry(&mut pauses, until).await {
            return Err(NoRoom { failure, untouched });
        }
    }
}

/// The one create; nothing calls this twice for a call.
async fn create_dispatch(
    client: &Client,
    call: &Call<'_>,
    until: Instant,
) -> Result<String, RequestError> {
    let request = proto::CreateAgentDispatchRequest {
        agent_name: call.agent_name.to_owned(),
        room: call.room.to_owned(),
        metadata: call.metadata.to_owned(),
        deployment: call.deployment.unwrap_or_default().to_owned(),
        ..Default::default()
    };
    let made: AgentDispatch = client
        .send_message(
            CREATE_DISPATCH,
            Grant::RoomAdmin(call.room),
            &request,
            until,
        )
        .await?;
    if made.id.is_empty() {
        Err(RequestError::unclear(Cause::Unreadable.into()))
    } else {
        Ok(made.id)
    }
}

/// Before each attempt after the first.
fn retry_pauses(client: &Client) -> impl Iterator<Item = Duration> {
    [client.limits.poll / 2, client.limits.poll * 2].into_iter()
}

/// Waits before the next attempt; false where there is to be none.
async fn wait_before_retry(pauses: &mut impl Iterator<Item = Duration>, until: Instant) -> bool {
    match pauses.next() {
        Some(pause) if Instant::now() + pause < until => {
            sleep(pause).await;
            true
        }
        _ => false,
    }
}

/// Looks for the dispatch that an unclear create may have made.
async fn settle_dispatch(client: &Client, call: &Call<'_>, error: RequestError) -> CallOutcome {
    let until = Instant::now() + client.limits.settle;
    loop {
        if let Ok(dispatches) = list_dispatches(client, call.room).await
            && let Some(ours) = dispatches
                .into_iter()
                .find(|dispatch| is_ours(dispatch, call))
        {
            return CallOutcome::Dispatched {
                dispatch_id: ours.id,
                adopted: true,
            };
        }
        if Instant::now() + client.limits.poll >= until {
            return CallOutcome::Unknown {
                room: call.room.to_owned(),
                failure: error.failure,
            };
        }
        sleep(client.limits.poll).await;
    }
}

/// A room also holds a dispatch without a name, the server's own.
pub(super) fn is_ours(dispatch: &AgentDispatch, call: &Call<'_>) -> bool {
    let metadata = serde_json::from_str::<serde_json::Value>(&dispatch.metadata);
    !dispatch.id.is_empty()
        && dispatch.agent_name == call.agent_name
        && metadata.is_ok_and(|m| m.get("job_id").is_some_and(|id| id == call.job_id))
}

pub(super) async fn list_dispatches(
    client: &Client,
    room: &str,
) -> Result<Vec<AgentDispatch>, RequestError> {
    let until = Instant::now() + client.limits.step;
    let request = proto::ListAgentDispatchRequest {
        room: room.to_owned(),
        ..Default::default()
    };
    let listed: proto::ListAgentDispatchResponse = client
        .send_message(LIST_DISPATCH, Grant::RoomAdmin(room), &request, until)
        .await?;
    Ok(listed.agent_dispatches)
}

impl From<&proto::Job> for JobSeen {
    fn from(job: &proto::Job) -> JobSeen {
        let state = job.state.clone().unwrap_or_default();
        JobSeen {
            job_id: job.id.clone(),
            agent_name: job.agent_name.clone(),
            status: match state.status() {
                proto::JobStatus::JsPending => JobStatus::Pending,
                proto::JobStatus::JsRunning => JobStatus::Running,
                proto::JobStatus::JsSuccess => JobStatus::Success,
                proto::JobStatus::JsFailed => JobStatus::Failed,
            },
            worker_id: state.worker_id,
            participant_identity: state.participant_identity,
            error: super::cause::one_line(&state.error),
        }
    }
}
