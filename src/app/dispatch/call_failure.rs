//! Why a call did not get all the way: the status to record and the one line
//! to say. Imports core and `livekit`.

use std::time::Duration;

use crate::dispatch::{Record, Request, Status};
use crate::error::{Error, Exit};
use crate::livekit::Failure;

/// Why a call did not get all the way.
pub(super) enum CallFailure {
    Failed(Failure),
    Unknown(Failure),
    NoAgent(Duration, Option<Failure>),
    /// The agent is there, the person is not.
    NotDialled(Failure),
    /// The agent is there; the phone may be ringing.
    DialUnknown(Failure),
    Interrupted,
}

/// What a failure means, in the words of who reported it.
pub(super) fn meaning(failure: &Failure) -> String {
    let words = failure.detail.iter().map(|detail| format!(" ({detail})"));
    failure.cause.meaning().to_owned() + &words.collect::<String>()
}

pub(super) fn not_placed(failure: &Failure) -> Error {
    Error::new(format!("no call was placed: {}", meaning(failure))).hint(failure.cause.remedy())
}

impl CallFailure {
    pub(super) fn failed(record: &mut Record, failure: Failure) -> CallFailure {
        record.detail.cause = Some(failure.cause.code().to_owned());
        CallFailure::Failed(failure)
    }

    /// The status to record, and the one line to say. `dialling` where the
    /// person was to be dialled from here.
    pub(super) fn status_and_error(
        self,
        request: &Request,
        accepted: bool,
        dialling: bool,
    ) -> (Status, Error) {
        let room = &request.room;
        let unknown = |what: &str| {
            let message = format!("whether {what} can't be known; room {room}");
            let hint = format!(
                "look into that room before calling again: `lk dispatch list {room}` shows what \
                 is there"
            );
            (
                Status::Unknown,
                Error::exit(Exit::Unknown, message).hint(hint),
            )
        };
        match self {
            CallFailure::Failed(failure) => (Status::Failed, not_placed(&failure)),
            CallFailure::Unknown(failure) => {
                unknown(&format!("the call was placed ({}),", meaning(&failure)))
            }
            CallFailure::NoAgent(wait, failure) => {
                (Status::NoAgent, no_agent(request, wait, failure))
            }
            CallFailure::NotDialled(failure) => {
                let why = meaning(&failure);
                let message = format!("the agent is in room {room}, but nobody was dialled: {why}");
                (
                    Status::NotDialled,
                    Error::new(message).hint(failure.cause.remedy()),
                )
            }
            CallFailure::DialUnknown(failure) => {
                unknown(&format!("the person was dialled ({}),", meaning(&failure)))
            }
            CallFailure::Interrupted if accepted && dialling => {
                unknown("the person was dialled before the interruption")
            }
            CallFailure::Interrupted if accepted => {
                let message =
                    format!("interrupted after the server accepted the call; room {room}");
                (Status::NoAgent, Error::exit(Exit::NoAgent, message))
            }
            CallFailure::Interrupted => unknown("the call was placed before the interruption"),
        }
    }
}

fn no_agent(request: &Request, wait: Duration, failure: Option<Failure>) -> Error {
    let Request { worker, room, .. } = request;
    let message = match failure {
        Some(failure) => format!(
            "the server accepted the call, but whether an agent took it could not be seen: {}",
            meaning(&failure)
        ),
        None => format!(
            "the server accepted the call, but no agent took it within {}: no worker called \
             `{worker}` is running there, or none is free",
            shown(wait)
        ),
    };
    Error::exit(Exit::NoAgent, message).hint(format!(
        "start the worker under that name, or correct worker_name; a worker that starts later \
         does not take this call (room {room})"
    ))
}

/// `10s`, `1m 30s`.
fn shown(wait: Duration) -> String {
    let wait = jiff::SignedDuration::try_from(wait);
    wait.map_or_else(|_| "that time".to_owned(), |wait| format!("{wait:#}"))
}
