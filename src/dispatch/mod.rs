//! A call as values: what is asked for, the one request that it becomes, and
//! how it ends. Core: imports only core; ids are made by the shell.
//!
//! The room's name and the metadata are those that the application's worker
//! reads (`domain.md`, "Dispatch").

mod metadata;
mod record;

use uuid::Uuid;

pub use metadata::{Extra, is_reserved, read_extra};
pub use record::{Detail, Record, Status, Traced, WentBy, clash};

use crate::error::{Error, Result};
use crate::phone::E164;
use crate::resolve::{Choice, ChoiceSource, ConfigRef, Fallback, Outcome, Source};
use crate::routing::Tenant;
use metadata::Metadata;

/// What the caller says of a call, beside its two numbers and the tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    pub agent_id: Option<i64>,
    pub voice_id: Option<String>,
    pub context: Option<String>,
    pub initiated_by: Option<Uuid>,
    /// A row that the application made for this call.
    pub call_log_id: Option<Uuid>,
    /// Keys of the metadata that only the caller knows.
    pub extra: Extra,
    /// The worker of this one call, in place of the config's.
    pub worker: Option<String>,
}

/// The random part of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ids {
    /// Of lkroute's own record.
    pub record: Uuid,
    pub job: Uuid,
    /// Makes the room's name hard to guess.
    pub room: u32,
}

/// All that is sent for a call, and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub ids: Ids,
    pub from: E164,
    /// As given.
    pub to_input: String,
    /// Absent only where no rule applied and the text is no number.
    pub to: Option<E164>,
    /// As the carrier wants it.
    pub formatted: String,
    pub tenant: Option<Tenant>,
    pub room: String,
    pub call_log_id: Uuid,
    pub worker: String,
    pub worker_source: ChoiceSource,
    /// The worker was named for this call.
    pub worker_given: bool,
    /// The deployment of the workers; absent means production.
    pub deployment: Option<String>,
    pub trunk: String,
    pub trunk_source: ChoiceSource,
    pub url: String,
    pub source: Source,
    pub config: Option<(Option<Uuid>, String)>,
    /// The carrier's name, of the number's row.
    provider: Option<String>,
    /// The agent to run.
    agent: Option<i64>,
    /// The config by which the call goes, where it is not the number's own.
    pub fallback: Option<ConfigRef>,
    /// JSON, to the byte as it is sent.
    pub metadata: String,
}

/// `call-<job id as 32 hex>-<8 hex>`.
pub fn room_name(job: Uuid, suffix: u32) -> String {
    format!("call-{}-{suffix:08x}", job.simple())
}

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
        wish: &Wish,
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
            call_log_id: wish.call_log_id.unwrap_or(ids.record),
            worker: match &wish.worker {
                Some(name) => name.clone(),
                None => known(&route.worker, "worker")?,
            },
            worker_source: route.worker.source,
            worker_given: wish.worker.is_some(),
            deployment: route.deployment.clone(),
            trunk: known(&route.trunk, "trunk")?,
            trunk_source: route.trunk.source,
            url: route.url.clone().ok_or_else(|| open("server"))?,
            source: route.source,
            config: route.config.as_ref().map(|c| (c.id, c.name.clone())),
            provider: outcome.provider.clone(),
            agent: wish.agent_id.or(default_agent),
            fallback: None,
            metadata: String::new(),
        };
        request.metadata = Metadata::new(&request, wish).text()?;
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
        wish: &Wish,
        worker_of_shell: &str,
    ) -> Result<Request> {
        let lacks = |what: &str| Error::new(format!("it has no {what}"));
        let worker = wish.worker.clone().or(fallback.worker);
        let mut request = Request {
            worker: worker.unwrap_or_else(|| worker_of_shell.to_owned()),
            deployment: fallback.deployment,
            trunk: fallback.trunk.ok_or_else(|| lacks("trunk"))?,
            trunk_source: ChoiceSource::Config,
            url: fallback.url.ok_or_else(|| lacks("URL"))?,
            fallback: Some(fallback.config),
            ..self.clone()
        };
        request.metadata = Metadata::new(&request, wish).text()?;
        Ok(request)
    }

    /// Notes in the record that the call goes by its fallback.
    pub fn note_fallback(&self, because: String, record: &mut Record) {
        record.worker = self.worker.clone();
        let detail = &mut record.detail;
        detail.fallback = self.fallback.as_ref().map(|config| WentBy {
            id: config.id,
            name: config.name.clone(),
            because,
        });
        detail.url = self.url.clone();
        detail.trunk = self.trunk.clone();
        detail.deployment = self.deployment.clone();
        detail.cause = None;
    }

    /// What to keep and show of the called number.
    pub fn to_label(&self) -> String {
        self.to
            .map_or_else(|| self.to_input.clone(), |number| number.to_string())
    }

    /// The record as it is written before anything is sent.
    pub fn record(&self, at: String, actor: String, idempotency_key: Option<String>) -> Record {
        Record {
            id: self.ids.record,
            at,
            finished_at: None,
            status: Status::InQueue,
            idempotency_key,
            from: self.from,
            to: self.to_label(),
            tenant: self.tenant.as_ref().map(|tenant| tenant.id),
            config_id: self.config.as_ref().and_then(|(id, _)| *id),
            config_name: self.config.as_ref().map(|(_, name)| name.clone()),
            room: self.room.clone(),
            dispatch_id: None,
            worker: self.worker.clone(),
            worker_seen: None,
            actor,
            detail: Detail {
                job_id: self.ids.job.to_string(),
                call_log_id: self.call_log_id.to_string(),
                source: self.source.as_str().to_owned(),
                url: self.url.clone(),
                trunk: self.trunk.clone(),
                to_input: self.to_input.clone(),
                formatted: self.formatted.clone(),
                worker_given: self.worker_given,
                deployment: self.deployment.clone(),
                ..Detail::default()
            },
        }
    }
}

#[cfg(test)]
mod tests;
