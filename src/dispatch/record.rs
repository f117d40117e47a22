//! lkroute's own record of a call: written before anything is sent, completed
//! with what happened. Core.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::agent::AgentThere;
use super::server::JobSeen;
use crate::error::{Error, Exit};
use crate::phone::{E164, parse_dialled};

enum_words! {
    /// How far a call came, as lkroute saw it.
    #[derive(
        Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
    )]
    #[serde(rename_all = "snake_case")]
    pub enum Status {
        /// Written down. If it stays so, its command was ended before it knew more.
        InQueue = "in_queue",
        /// The server has the dispatch; no agent was waited for.
        Accepted = "accepted",
        /// An agent took the job.
        PickedUp = "picked_up",
        /// The person was dialled from here, and answered.
        Answered = "answered",
        /// The server listed the dispatch without a job for the whole wait; it does
        /// not start the job later.
        NoAgent = "no_agent",
        /// The person was to be dialled from here, and was not reached.
        NotDialled = "not_dialled",
        /// No call.
        Failed = "failed",
        /// An agent may have been there, or not: it can't be known, or not yet.
        Unknown = "unknown",
        /// Ended by `cancel`.
        Cancelled = "cancelled",
    }
}

impl Status {
    /// What `dispatch` ends with. Nothing is known of a call that is only
    /// written down.
    pub fn exit(self) -> Exit {
        match self {
            Status::Accepted | Status::PickedUp | Status::Answered => Exit::Done,
            Status::NoAgent => Exit::NoAgent,
            Status::NotDialled | Status::Failed | Status::Cancelled => Exit::Error,
            Status::InQueue | Status::Unknown => Exit::Unknown,
        }
    }
}

impl FromStr for Status {
    type Err = Error;

    fn from_str(text: &str) -> Result<Status, Error> {
        Status::of_word(text)
            .ok_or_else(|| Error::new(format!("a call's status `{text}` is not known here")))
    }
}

/// One row of `lkroute_dispatches`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub id: Uuid,
    /// RFC 3339, UTC.
    pub at: String,
    pub finished_at: Option<String>,
    pub status: Status,
    pub idempotency_key: Option<String>,
    pub from: E164,
    /// E.164; the text as given where that was not read.
    pub to: String,
    pub tenant: Option<Uuid>,
    pub config_id: Option<Uuid>,
    pub config_name: Option<String>,
    pub room: String,
    pub dispatch_id: Option<String>,
    /// The worker that was asked for.
    pub worker: String,
    /// The name of the one that took the job, where one was seen.
    pub worker_seen: Option<String>,
    pub actor: String,
    pub detail: Detail,
}

/// What is kept as JSON, because nothing is looked up by it. A field that an
/// older lkroute did not write is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Detail {
    pub job_id: String,
    pub call_log_id: String,
    /// `database` or `environment`.
    pub source: String,
    pub url: String,
    pub trunk: String,
    pub to_input: String,
    pub formatted: String,
    /// The stable code of what went wrong.
    pub cause: Option<String>,
    /// What went wrong, in a sentence.
    pub message: Option<String>,
    /// The answer to the create was unclear, but the dispatch was found.
    pub adopted: bool,
    pub agent: Option<Traced>,
    /// The worker was named for this call, not by the config.
    pub worker_given: bool,
    /// The deployment of the workers that were asked; absent means production.
    pub deployment: Option<String>,
    /// The agent's identity in the room, where it was seen there.
    pub in_room: Option<String>,
    pub sip_call_id: Option<String>,
    pub sip_status: Option<u16>,
    /// What LiveKit last said of the phone: `ringing`, `active`, `hangup`.
    pub sip_call_status: Option<String>,
    /// From dialling to the answer, in milliseconds.
    pub answered_after: Option<u64>,
    /// When the person was dialled from here, and when that had an outcome: an
    /// answer, a refusal, or the end of the ring time. RFC 3339, UTC.
    pub dialled_at: Option<String>,
    pub dial_ended_at: Option<String>,
    /// What a call was let through in spite of: `trunk-lacks-number`.
    pub allowed: Option<String>,
    /// Whether an agent was in the room when `dispatches --refresh` last looked.
    pub running: Option<bool>,
    /// The config by which the call went, where it was not the number's own.
    pub fallback: Option<WentBy>,
    /// Nothing more can be learned of this call, where its status alone does
    /// not say so.
    pub settled: bool,
    /// When `dispatches --refresh` last looked: RFC 3339, UTC.
    pub looked_at: Option<String>,
}

/// The fallback that a call went by, or was to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WentBy {
    pub id: Option<Uuid>,
    pub name: String,
    /// Why it did not go by its own config.
    pub because: String,
}

/// The job by which an agent took a call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Traced {
    pub job_id: String,
    pub agent_name: String,
    pub worker_id: String,
    pub participant: String,
    /// `pending`, `running`, `success` or `failed`.
    pub status: String,
    pub error: Option<String>,
}

impl Record {
    /// Whether nothing more can be learned of the call.
    pub fn is_settled(&self) -> bool {
        match self.status {
            Status::InQueue | Status::Accepted => false,
            Status::Unknown => self.detail.settled,
            Status::PickedUp
            | Status::Answered
            | Status::NoAgent
            | Status::NotDialled
            | Status::Failed
            | Status::Cancelled => true,
        }
    }

    /// Whether it is a call between these numbers, the called one as given.
    pub fn is_between(&self, from: E164, to_input: &str) -> bool {
        let read = parse_dialled(to_input, None).map(|number| number.to_string());
        let same_to = self.detail.to_input == to_input || read.is_ok_and(|to| to == self.to);
        self.from == from && same_to
    }

    /// The config whose server has the call, where it went by one.
    pub fn placed_by(&self) -> Option<Uuid> {
        let fallback = self.detail.fallback.as_ref();
        fallback.and_then(|fallback| fallback.id).or(self.config_id)
    }

    /// Whether the call went by the fallback of its config; one that failed
    /// there too did not.
    pub fn went_by_fallback(&self) -> bool {
        self.detail.fallback.is_some() && self.status != Status::Failed
    }

    /// Notes that an agent was seen.
    pub fn note_agent(&mut self, seen: AgentThere) {
        self.status = Status::PickedUp;
        self.detail.in_room = seen.participant;
        if let Some(job) = seen.job {
            self.worker_seen = Some(job.agent_name.clone());
            self.detail.agent = Some(job.into());
        }
    }

    /// Another worker took the job than the one that was asked for.
    pub fn is_mismatch(&self) -> bool {
        self.worker_seen
            .as_ref()
            .is_some_and(|seen| *seen != self.worker)
    }
}

impl From<JobSeen> for Traced {
    fn from(job: JobSeen) -> Traced {
        Traced {
            job_id: job.job_id,
            agent_name: job.agent_name,
            worker_id: job.worker_id,
            participant: job.participant_identity,
            status: job.status.to_string(),
            error: Some(job.error).filter(|error| !error.is_empty()),
        }
    }
}
