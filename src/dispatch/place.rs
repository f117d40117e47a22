//! Placing a call: a room, then one dispatch of one agent, and never a second
//! one. Core.
//!
//! A room is made by name, so asking twice does no harm. Each dispatch that
//! the server accepts starts an agent, which dials a person; so it is sent
//! once, and after an unclear answer we look for what it made instead.

use std::time::Duration;

use super::cause::{Cause, Failure};
use super::reply::{RequestError, SideEffect};
use super::server::{Call, CallServer, Limits, ListedDispatch, NewRoom, time_left};

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

/// Places one call: at most one dispatch reaches the server, whatever happens.
/// Await it to its end; what becomes of a dropped one is unknown.
pub async fn place_call<S: CallServer>(server: &S, call: &Call<'_>) -> CallOutcome {
    match make_room(server, call).await {
        Ok(until) => dispatch_into_room(server, call, until).await,
        Err(outcome) => outcome,
    }
}

/// The first half of a call: its room; until when the second half has time.
pub(super) async fn make_room<S: CallServer>(
    server: &S,
    call: &Call<'_>,
) -> Result<Duration, CallOutcome> {
    let until = server.elapsed() + server.limits().whole;
    let room = NewRoom {
        name: call.room,
        empty_timeout: None,
    };
    match create_room(server, &room, until).await {
        Ok(()) => Ok(until),
        Err(none) if none.untouched && none.failure.cause.keeps_out() => {
            Err(CallOutcome::NotBegun(none.failure))
        }
        Err(none) => Err(CallOutcome::Failed(none.failure)),
    }
}

/// Why there is no room.
pub struct NoRoom {
    pub failure: Failure,
    /// No attempt can have made one: each was turned away, or never sent.
    untouched: bool,
}

/// The second half of a call, in a room that is there.
pub async fn dispatch_into_room<S: CallServer>(
    server: &S,
    call: &Call<'_>,
    until: Duration,
) -> CallOutcome {
    match create_dispatch(server, call, until).await {
        Ok(dispatch_id) => CallOutcome::Dispatched {
            dispatch_id,
            adopted: false,
        },
        Err(error) if error.side_effect == SideEffect::Unclear => {
            settle_dispatch(server, call, error).await
        }
        Err(error) => CallOutcome::Failed(error.failure),
    }
}

pub async fn create_room<S: CallServer>(
    server: &S,
    room: &NewRoom<'_>,
    until: Duration,
) -> Result<(), NoRoom> {
    let poll = server.limits().poll;
    // Before each attempt after the first.
    let mut pauses = [poll / 2, poll * 2].into_iter();
    let mut untouched = true;
    loop {
        let failure = match server.create_room(room, time_left(server, until)).await {
            Ok(made) if made == room.name => return Ok(()),
            Ok(_) => {
                untouched = false;
                Cause::NotLivekit.into()
            }
            Err(error) => {
                untouched &= error.side_effect != SideEffect::Unclear;
                error.failure
            }
        };
        match pauses.next() {
            Some(pause) if !failure.cause.is_final() && server.elapsed() + pause < until => {
                server.pause(pause).await;
            }
            _ => return Err(NoRoom { failure, untouched }),
        }
    }
}

/// The one create; nothing calls this twice for a call.
async fn create_dispatch<S: CallServer>(
    server: &S,
    call: &Call<'_>,
    until: Duration,
) -> Result<String, RequestError> {
    let made = server.create_dispatch(call, time_left(server, until));
    let id = made.await?;
    if id.is_empty() {
        Err(RequestError::unclear(Cause::Unreadable.into()))
    } else {
        Ok(id)
    }
}

/// Looks for the dispatch that an unclear create may have made.
async fn settle_dispatch<S: CallServer>(
    server: &S,
    call: &Call<'_>,
    error: RequestError,
) -> CallOutcome {
    let Limits {
        step, settle, poll, ..
    } = server.limits();
    let until = server.elapsed() + settle;
    loop {
        if let Ok(dispatches) = server.list_dispatches(call.room, step).await
            && let Some(ours) = dispatches
                .into_iter()
                .find(|dispatch| is_ours(dispatch, call))
        {
            return CallOutcome::Dispatched {
                dispatch_id: ours.id,
                adopted: true,
            };
        }
        if server.elapsed() + poll >= until {
            return CallOutcome::Unknown {
                room: call.room.to_owned(),
                failure: error.failure,
            };
        }
        server.pause(poll).await;
    }
}

/// A room also holds a dispatch without a name, the server's own.
pub(super) fn is_ours(dispatch: &ListedDispatch, call: &Call<'_>) -> bool {
    let metadata = serde_json::from_str::<serde_json::Value>(&dispatch.metadata);
    !dispatch.id.is_empty()
        && dispatch.agent_name == call.agent_name
        && metadata.is_ok_and(|m| m.get("job_id").is_some_and(|id| id == call.job_id))
}
