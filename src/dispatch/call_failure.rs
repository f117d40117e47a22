//! Why a call did not get all the way: the status to record and the one line
//! to say. Core.
//!
//! A sentence here says what was seen, and no more: "no agent" only where that
//! was seen, "nobody was dialled" only where nobody was.

use std::time::Duration;

use super::agent::JOB_LISTED_WITHIN;
use super::cause::{Cause, Failure};
use super::record::{Record, Status};
use super::request::Request;
use crate::error::{Error, Exit};

/// The code of a call that would show another number, as in exceptions.
pub const TRUNK_LACKS_NUMBER: &str = "trunk-lacks-number";

/// Said wherever somebody is told that a call may be placed again.
pub(super) const TWICE: &str = "calling again may call a person twice";

/// Why a call did not get all the way.
pub(super) enum CallFailure {
    /// There is no call.
    Failed(Failure),
    /// There is none, and nothing of one can have been created there.
    NotBegun(Failure),
    /// Nor is there one by the fallback.
    NorByFallback(Failure, String),
    /// Its trunk may not show the calling number; nothing was sent.
    TrunkLacksNumber,
    /// Whether the server has the dispatch can't be known.
    Unknown(Failure),
    /// The dispatch was listed without a job for all of this time.
    NoAgent(Duration),
    /// The same, for too short a time to say so.
    TooShort(Duration),
    /// Room or dispatch were gone before an agent was seen.
    Gone,
    /// At some time it could not be looked at.
    NotSeen(Failure),
    /// An agent took the job and is not in the room, so nobody was dialled.
    NotInRoom,
    /// The agent is there, the person was not reached.
    NotReached(Failure),
    /// The agent is there; the phone may be ringing.
    DialUnknown(Failure),
    /// Before anything was sent that makes a call.
    NotSent,
    /// Behind that.
    Interrupted { to_dial: bool },
}

/// Why there is no call.
pub fn not_placed(failure: &Failure) -> Error {
    Error::new(format!("no call was placed: {}", failure.meaning())).hint(failure.cause.remedy())
}

impl CallFailure {
    pub(super) fn failed(record: &mut Record, failure: Failure) -> CallFailure {
        record.detail.cause = Some(failure.cause.code().to_owned());
        CallFailure::Failed(failure)
    }

    pub(super) fn not_begun(record: &mut Record, failure: Failure) -> CallFailure {
        record.detail.cause = Some(failure.cause.code().to_owned());
        CallFailure::NotBegun(failure)
    }

    /// The status to record, and the one line to say; nothing where an
    /// interruption came after all was seen.
    pub(super) fn status_and_error(
        self,
        request: &Request,
        record: &Record,
    ) -> Option<(Status, Error)> {
        let room = &request.room;
        let unknown = |what: &str| (Status::Unknown, cannot_know(what, room));
        Some(match self {
            CallFailure::Failed(failure) | CallFailure::NotBegun(failure) => {
                (Status::Failed, not_placed(&failure))
            }
            CallFailure::NorByFallback(first, second) => {
                (Status::Failed, neither_server(&first, &second))
            }
            CallFailure::TrunkLacksNumber => (Status::Failed, trunk_lacks_number(request)),
            CallFailure::Unknown(failure) => unknown(&format!(
                "whether the call was placed ({}) can't be known",
                failure.meaning()
            )),
            CallFailure::NoAgent(wait) => (Status::NoAgent, no_agent(request, wait)),
            CallFailure::TooShort(wait) => unknown(&format!(
                "the server accepted the call, and no agent was seen within {}, which is too \
                 short to say that none came: LiveKit may list a job only after {} s",
                shown(wait),
                JOB_LISTED_WITHIN.as_secs()
            )),
            CallFailure::Gone => unknown(
                "the server accepted the call, but room or dispatch were gone before an agent \
                 was seen: the call was short, or the server restarted",
            ),
            CallFailure::NotSeen(failure) => unknown(&format!(
                "the server accepted the call, but whether an agent took it could not be seen: {}",
                failure.meaning()
            )),
            CallFailure::NotInRoom => (Status::NotDialled, not_in_room(room)),
            CallFailure::NotReached(failure) => (Status::NotDialled, not_reached(room, &failure)),
            CallFailure::DialUnknown(failure) => unknown(&format!(
                "whether the person was dialled ({}) can't be known",
                failure.meaning()
            )),
            CallFailure::NotSent => (Status::Failed, not_sent()),
            CallFailure::Interrupted { to_dial } => match record.status {
                Status::PickedUp if !to_dial => return None,
                Status::PickedUp if record.detail.dialled_at.is_none() => {
                    (Status::NotDialled, not_dialled(room))
                }
                Status::PickedUp => {
                    unknown("whether the person was dialled before the interruption can't be known")
                }
                Status::Accepted => unknown(
                    "interrupted after the server accepted the call; whether an agent took it \
                     was not seen",
                ),
                Status::InQueue
                | Status::Answered
                | Status::NoAgent
                | Status::NotDialled
                | Status::Failed
                | Status::Unknown
                | Status::Cancelled => {
                    unknown("whether the call was placed before the interruption can't be known")
                }
            },
        })
    }
}

fn not_sent() -> Error {
    Error::new("no call was placed: interrupted before it was sent")
}

fn not_dialled(room: &str) -> Error {
    Error::new(format!(
        "interrupted while the agent was waited for in room {room}, so nobody was dialled"
    ))
}

fn neither_server(first: &Failure, second: &str) -> Error {
    let message = format!("no call was placed: {}; {second}", first.meaning());
    Error::new(message).hint(first.cause.remedy())
}

fn cannot_know(what: &str, room: &str) -> Error {
    Error::exit(Exit::Unknown, format!("{what}; room {room}")).hint(format!(
        "`lkroute dispatches --refresh {room}` looks again; {TWICE}"
    ))
}

fn trunk_lacks_number(request: &Request) -> Error {
    let (trunk, from) = (&request.trunk, request.from);
    let message = format!(
        "no call was placed: trunk {trunk} does not list {from}, so the call would show another \
         number or go out by the wrong carrier"
    );
    let error = Error::exit(Exit::CallRefused, message).code(TRUNK_LACKS_NUMBER);
    error.hint(
        "add the number to the trunk's numbers, or bind it to the config that has it; for this one \
         call, `--allow trunk-lacks-number`",
    )
}

fn no_agent(request: &Request, wait: Duration) -> Error {
    let Request {
        worker,
        room,
        deployment,
        ..
    } = request;
    let within = deployment
        .as_ref()
        .map(|name| format!(" in deployment `{name}`"));
    let within = within.unwrap_or_default();
    let message = format!(
        "the server accepted the call, but no agent took it within {}: no worker called \
         `{worker}`{within} is running there, or none is free",
        shown(wait)
    );
    Error::exit(Exit::NoAgent, message).hint(format!(
        "start the worker under that name, or correct worker_name; a worker that starts later \
         does not take this call (room {room}); should one have been there unseen, {TWICE}"
    ))
}

fn not_in_room(room: &str) -> Error {
    Error::new(format!(
        "an agent took the job and is not in room {room}, so nobody was dialled"
    ))
    .hint("look into the worker's log: it raised, died, or does not join the room")
}

/// Whether a phone rang, by why it was not answered.
fn not_reached(room: &str, failure: &Failure) -> Error {
    let why = failure.meaning();
    let said = match failure.cause {
        Cause::SipRefused | Cause::SipNoAnswer => "the person was dialled and did not answer",
        _ => "nobody was dialled",
    };
    let message = format!("the agent is in room {room}, but {said}: {why}");
    Error::new(message).hint(failure.cause.remedy())
}

/// `10s`, `1m 30s`.
fn shown(wait: Duration) -> String {
    let wait = jiff::SignedDuration::try_from(wait);
    wait.map_or_else(|_| "that time".to_owned(), |wait| format!("{wait:#}"))
}
