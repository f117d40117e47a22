//! What is asked for, and the one request that a call becomes. Core.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use uuid::Uuid;

use super::record::{Detail, Record, Status, WentBy};
use crate::invisible_chars::drop_user_info;
use crate::phone::E164;
use crate::resolve::{ChoiceSource, ConfigRef, Source};
use crate::routing::Tenant;

/// Keys of the metadata that the caller adds, with values as the caller wrote them: a
/// number is not read and written anew.
pub type Extra = BTreeMap<String, Box<RawValue>>;

/// What the caller says of a call, beside its two numbers and the tenant.
#[derive(Debug, Clone, Default)]
pub struct CallOptions {
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
    pub(super) provider: Option<String>,
    /// The agent to run.
    pub(super) agent: Option<i64>,
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
    /// Notes in the record that the call goes by its fallback.
    pub fn note_fallback(&self, because: String, record: &mut Record) {
        record.worker = self.worker.clone();
        let detail = &mut record.detail;
        detail.fallback = self.fallback.as_ref().map(|config| WentBy {
            id: config.id,
            name: config.name.clone(),
            because,
        });
        detail.url = self.kept_url();
        detail.trunk = self.trunk.clone();
        detail.deployment = self.deployment.clone();
        detail.cause = None;
    }

    /// The server's URL for the record, without user info.
    fn kept_url(&self) -> String {
        drop_user_info(&self.url).into_owned()
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
                url: self.kept_url(),
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
