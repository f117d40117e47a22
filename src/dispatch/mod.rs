//! A call as values: what is asked for, the one request that it becomes, and
//! how it ends. Core: imports only core; ids are made by the shell.
//!
//! The room's name and the metadata are those that the application's worker
//! reads (`domain.md`, "Dispatch").

mod metadata;
mod record;
mod request;
#[cfg(test)]
mod tests;

pub use metadata::{is_reserved, read_extra};
pub use record::{Detail, Record, Status, Traced, WentBy, clash};
pub use request::{CallOptions, Extra, Ids, Request, room_name};

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
