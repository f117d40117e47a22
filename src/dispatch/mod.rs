//! A call: what is asked for, the one request that it becomes, how it is
//! placed, and how it ends. Core: imports only core; ids are made by the shell,
//! and [`CallServer`] and [`CallBook`] are whatever server and database the
//! caller has. So the command and the Python package place calls by one code.
//!
//! The room's name and the metadata are those that the application's worker
//! reads (`domain.md`, "Dispatch").

mod agent;
mod book;
mod call_failure;
mod cause;
mod dial;
mod metadata;
mod options;
mod place;
mod record;
mod repeat;
mod reply;
mod request;
mod server;
#[cfg(test)]
mod tests;
mod under_way;

pub use agent::{
    AgentSeen, AgentThere, CallLook, Dispatched, JOB_LISTED_WITHIN, find_dispatch, look_at_call,
    phone_in_room, wait_for_agent, wait_for_participant,
};
pub use book::CallBook;
pub use call_failure::{TRUNK_LACKS_NUMBER, not_placed};
pub use cause::{Cause, Failure, one_line};
pub use dial::{LONGEST_RING, SipFailure, create_sip_participant};
pub use metadata::{is_reserved, read_extra};
pub use options::{PlacingOptions, SipRequest};
pub use place::{CallOutcome, NoRoom, create_room, dispatch_into_room, place_call};
pub use record::{Detail, Record, Status, Traced, WentBy};
pub use repeat::{clash, first_outcome, read_key};
pub use reply::{ApiResource, HttpReply, RequestError, SideEffect};
pub use request::{CallOptions, Extra, Ids, Request, room_name};
pub use server::{
    Call, CallServer, JobSeen, JobStatus, Limits, ListedDispatch, NewRoom, Participant,
    ParticipantKind, SipCall, SipPlaced, find_trunk, http_base, is_loopback,
};
pub use under_way::{NextServer, Placed, PlacedCall, place_once};

use crate::error::{Error, Result};
use crate::phone::E164;
use crate::resolve::{Choice, ChoiceSource, Fallback, Outcome};
use metadata::Metadata;

impl Request {
    /// The request for a call that was resolved. `default_agent` stands in
    /// where the caller names no agent.
    ///
    /// # Errors
    /// Something is left to an environment that was not read, or there is no
    /// called number: neither happens for an outcome of `dispatch`.
    pub fn new(
        from: E164,
        outcome: &Outcome,
        options: &CallOptions,
        default_agent: Option<i64>,
        ids: Ids,
    ) -> Result<Request> {
        let route = &outcome.route;
        let open = |what: &str| Error::new(format!("the {what} of this call is not known"));
        let called = outcome.to.as_ref().ok_or_else(|| open("called number"))?;
        let known = |choice: &Choice, what| choice.value.clone().ok_or_else(|| open(what));
        if let Some(name) = &options.worker
            && (name.trim().is_empty() || name.chars().any(char::is_control))
        {
            // Without one LiveKit would give the job to workers that have none either.
            let message =
                "the worker of this call has no name, or one with a line break or the like";
            return Err(Error::new(message).code("usage"));
        }
        let mut request = Request {
            ids,
            from,
            to_input: called.input.clone(),
            to: called.number,
            formatted: called.formatted.clone(),
            tenant: outcome.tenant.clone(),
            room: room_name(ids.job, ids.room),
            call_log_id: options.call_log_id.unwrap_or(ids.record),
            worker: match &options.worker {
                Some(name) => name.clone(),
                None => known(&route.worker, "worker")?,
            },
            worker_source: route.worker.source,
            worker_given: options.worker.is_some(),
            deployment: route.deployment.clone(),
            trunk: known(&route.trunk, "trunk")?,
            trunk_source: route.trunk.source,
            url: route.url.clone().ok_or_else(|| open("server"))?,
            source: route.source,
            config: route.config.as_ref().map(|c| (c.id, c.name.clone())),
            provider: outcome.provider.clone(),
            agent: options.agent_id.or(default_agent),
            fallback: None,
            metadata: String::new(),
        };
        request.metadata = Metadata::new(&request, options).text()?;
        Ok(request)
    }

    /// The same call by the fallback of its config: room, job and ids stay, as
    /// nothing of it was created. `worker_of_shell` is that of a config
    /// without one.
    ///
    /// # Errors
    /// The fallback has no server or no trunk of its own.
    pub fn by_fallback(
        &self,
        fallback: Fallback,
        options: &CallOptions,
        worker_of_shell: &str,
    ) -> Result<Request> {
        let lacks = |what: &str| Error::new(format!("it has no {what}"));
        let worker = options.worker.clone().or(fallback.worker);
        let mut request = Request {
            worker: worker.unwrap_or_else(|| worker_of_shell.to_owned()),
            deployment: fallback.deployment,
            trunk: fallback.trunk.ok_or_else(|| lacks("trunk"))?,
            trunk_source: ChoiceSource::Config,
            url: fallback.url.ok_or_else(|| lacks("URL"))?,
            fallback: Some(fallback.config),
            ..self.clone()
        };
        request.metadata = Metadata::new(&request, options).text()?;
        Ok(request)
    }
}
