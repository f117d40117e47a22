//! What became of calls, for machines: `dispatch` and `dispatches` as JSON.
//! Imports core.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::json::{ErrorReport, FORMAT_VERSION};
use crate::dispatch::{Record, Request, Status, Traced};
use crate::error::Error;
use crate::invisible_chars::without_user_info;
use crate::lookup::UnreadableRecord;
use crate::resolve::{self, Resolution};

/// All that is known of one call.
#[derive(Debug, Default)]
pub struct CallView<'a> {
    pub resolution: Option<&'a Resolution>,
    /// What is sent, or was about to be.
    pub request: Option<&'a Request>,
    pub record: Option<&'a Record>,
    /// Nothing was sent: the record is that of the first call with this key.
    pub repeated: bool,
    pub error: Option<&'a Error>,
}

/// `dispatch --format json`. Keys are always there.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DispatchReport<'a> {
    pub format_version: u32,
    /// `dry_run`, `refused`, or the status of the record: `accepted`,
    /// `picked_up`, `answered`, `no_agent`, `not_dialled`, `failed`, `unknown`,
    /// `in_queue`, `cancelled`.
    pub outcome: &'static str,
    pub repeated: bool,
    pub room: Option<&'a str>,
    pub dispatch_id: Option<&'a str>,
    /// The answer to the create was unclear, but the dispatch was found.
    pub adopted: bool,
    pub record_id: Option<Uuid>,
    pub call_log_id: Option<String>,
    pub job_id: Option<String>,
    pub idempotency_key: Option<&'a str>,
    /// The worker that was asked for, and the one that took the job.
    pub worker: Option<&'a str>,
    pub worker_seen: Option<&'a str>,
    /// The deployment of the workers that were asked; null means production.
    pub deployment: Option<&'a str>,
    pub trunk_id: Option<&'a str>,
    pub server: Option<Cow<'a, str>>,
    /// The config by which the call went, where it was not the number's own.
    pub fallback: Option<&'a str>,
    /// Why.
    pub fallback_because: Option<&'a str>,
    /// `database` or `environment`; `files` in an offline dry run.
    pub source: Option<&'a str>,
    pub agent: Option<&'a Traced>,
    /// The agent's identity in the room, where it was seen there.
    pub in_room: Option<&'a str>,
    pub sip_call_id: Option<&'a str>,
    pub sip_status: Option<u16>,
    /// From dialling to the answer, in milliseconds.
    pub answered_after: Option<u64>,
    /// When the person was dialled from here, and when that had an outcome.
    pub dialled_at: Option<&'a str>,
    pub dial_ended_at: Option<&'a str>,
    /// What the call was let through in spite of, as `--allow` said.
    pub allowed: Option<&'a str>,
    /// As sent; null for a call of an earlier command.
    pub metadata: Option<Value>,
    pub resolution: Option<resolve::Report>,
    pub error: Option<ErrorReport>,
}

impl<'a> From<&CallView<'a>> for DispatchReport<'a> {
    fn from(view: &CallView<'a>) -> DispatchReport<'a> {
        let (request, record) = (view.request, view.record);
        let detail = record.map(|record| &record.detail);
        let fallback = detail.and_then(|detail| detail.fallback.as_ref());
        let text = |kept: Option<&'a str>, sent: Option<&'a str>| kept.or(sent);
        DispatchReport {
            format_version: FORMAT_VERSION,
            outcome: outcome(view),
            repeated: view.repeated,
            room: text(
                record.map(|r| r.room.as_str()),
                request.map(|r| r.room.as_str()),
            ),
            dispatch_id: record.and_then(|record| record.dispatch_id.as_deref()),
            adopted: detail.is_some_and(|detail| detail.adopted),
            record_id: record.map(|record| record.id),
            call_log_id: detail
                .map(|detail| detail.call_log_id.clone())
                .or(request.map(|request| request.call_log_id.to_string())),
            job_id: detail
                .map(|detail| detail.job_id.clone())
                .or(request.map(|request| request.ids.job.to_string())),
            idempotency_key: record.and_then(|record| record.idempotency_key.as_deref()),
            worker: text(
                record.map(|r| r.worker.as_str()),
                request.map(|r| r.worker.as_str()),
            ),
            worker_seen: record.and_then(|record| record.worker_seen.as_deref()),
            deployment: match detail {
                Some(detail) => detail.deployment.as_deref(),
                None => request.and_then(|request| request.deployment.as_deref()),
            },
            trunk_id: text(
                detail.map(|d| d.trunk.as_str()),
                request.map(|r| r.trunk.as_str()),
            ),
            server: text(
                detail.map(|d| d.url.as_str()),
                request.map(|r| r.url.as_str()),
            )
            .map(without_user_info),
            fallback: fallback.map(|fallback| fallback.name.as_str()),
            fallback_because: fallback.map(|fallback| fallback.because.as_str()),
            source: text(
                detail.map(|d| d.source.as_str()),
                request.map(|r| r.source.as_str()),
            ),
            agent: detail.and_then(|detail| detail.agent.as_ref()),
            sip_call_id: detail.and_then(|detail| detail.sip_call_id.as_deref()),
            in_room: detail.and_then(|detail| detail.in_room.as_deref()),
            sip_status: detail.and_then(|detail| detail.sip_status),
            answered_after: detail.and_then(|detail| detail.answered_after),
            dialled_at: detail.and_then(|detail| detail.dialled_at.as_deref()),
            dial_ended_at: detail.and_then(|detail| detail.dial_ended_at.as_deref()),
            allowed: detail.and_then(|detail| detail.allowed.as_deref()),
            metadata: request.and_then(|r| serde_json::from_str(&r.metadata).ok()),
            resolution: view.resolution.map(resolve::Report::from),
            error: view.error.map(ErrorReport::from),
        }
    }
}

impl DispatchReport<'_> {
    /// Where the call did not even begin.
    pub(crate) fn failed(error: &Error) -> DispatchReport<'_> {
        DispatchReport::from(&CallView {
            error: Some(error),
            ..CallView::default()
        })
    }
}

fn outcome(view: &CallView<'_>) -> &'static str {
    match (view.record, view.error) {
        (Some(record), _) => record.status.as_str(),
        (None, Some(error)) if error.exit == crate::error::Exit::CallRefused => "refused",
        (None, Some(_)) => "failed",
        (None, None) => "dry_run",
    }
}

/// `dispatches --format json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DispatchesReport<'a> {
    pub format_version: u32,
    /// That of the database, where it has one.
    pub environment: Option<&'a str>,
    /// The latest first.
    pub dispatches: Vec<DispatchRow<'a>>,
    /// How many of them went by the fallback of their config.
    pub by_fallback: usize,
    /// Records that can't be read here, and are passed over.
    pub unreadable: &'a [UnreadableRecord],
    pub error: Option<ErrorReport>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DispatchRow<'a> {
    pub record_id: Uuid,
    pub at: &'a str,
    pub finished_at: Option<&'a str>,
    pub status: Status,
    pub from: String,
    pub to: &'a str,
    pub tenant: Option<Uuid>,
    pub config: Option<&'a str>,
    /// The config by which the call went, where it was not the number's own.
    pub fallback: Option<&'a str>,
    /// Why.
    pub fallback_because: Option<&'a str>,
    pub worker: &'a str,
    /// Null where no agent was waited for, or none was seen.
    pub worker_seen: Option<&'a str>,
    /// The deployment of the workers that were asked; null means production.
    pub deployment: Option<&'a str>,
    /// Another worker took the job than the one that was asked for.
    pub mismatch: bool,
    pub room: &'a str,
    pub dispatch_id: Option<&'a str>,
    pub trunk_id: &'a str,
    pub server: Cow<'a, str>,
    /// The worker was named for this call, not by the config.
    pub worker_given: bool,
    pub in_room: Option<&'a str>,
    pub sip_call_id: Option<&'a str>,
    /// The carrier's answer, as 486 for busy.
    pub sip_status: Option<u16>,
    /// What LiveKit last said of the phone.
    pub sip_call_status: Option<&'a str>,
    /// From dialling to the answer, in milliseconds.
    pub answered_after: Option<u64>,
    /// When the person was dialled from here, and when that had an outcome.
    pub dialled_at: Option<&'a str>,
    pub dial_ended_at: Option<&'a str>,
    /// What the call was let through in spite of, as `--allow` said.
    pub allowed: Option<&'a str>,
    /// Whether an agent was in the room when `--refresh` last looked; null
    /// where it was not looked at so.
    pub running: Option<bool>,
    /// Nothing more can be learned of this call.
    pub settled: bool,
    /// When `--refresh` last looked.
    pub looked_at: Option<&'a str>,
    pub call_log_id: &'a str,
    pub idempotency_key: Option<&'a str>,
    pub actor: &'a str,
    pub cause: Option<&'a str>,
    pub message: Option<&'a str>,
}

impl<'a> From<&'a Record> for DispatchRow<'a> {
    fn from(record: &'a Record) -> DispatchRow<'a> {
        let fallback = record.detail.fallback.as_ref();
        DispatchRow {
            record_id: record.id,
            at: &record.at,
            finished_at: record.finished_at.as_deref(),
            status: record.status,
            from: record.from.to_string(),
            to: &record.to,
            tenant: record.tenant,
            config: record.config_name.as_deref(),
            fallback: fallback.map(|fallback| fallback.name.as_str()),
            fallback_because: fallback.map(|fallback| fallback.because.as_str()),
            worker: &record.worker,
            worker_seen: record.worker_seen.as_deref(),
            deployment: record.detail.deployment.as_deref(),
            mismatch: record.is_mismatch(),
            room: &record.room,
            dispatch_id: record.dispatch_id.as_deref(),
            trunk_id: &record.detail.trunk,
            server: without_user_info(&record.detail.url),
            worker_given: record.detail.worker_given,
            in_room: record.detail.in_room.as_deref(),
            sip_call_id: record.detail.sip_call_id.as_deref(),
            sip_status: record.detail.sip_status,
            sip_call_status: record.detail.sip_call_status.as_deref(),
            answered_after: record.detail.answered_after,
            dialled_at: record.detail.dialled_at.as_deref(),
            dial_ended_at: record.detail.dial_ended_at.as_deref(),
            allowed: record.detail.allowed.as_deref(),
            running: record.detail.running,
            settled: record.is_settled(),
            looked_at: record.detail.looked_at.as_deref(),
            call_log_id: &record.detail.call_log_id,
            idempotency_key: record.idempotency_key.as_deref(),
            actor: &record.actor,
            cause: record.detail.cause.as_deref(),
            message: record.detail.message.as_deref(),
        }
    }
}

impl<'a> DispatchesReport<'a> {
    pub(crate) fn new(records: &'a [Record]) -> DispatchesReport<'a> {
        DispatchesReport {
            format_version: FORMAT_VERSION,
            environment: None,
            dispatches: records.iter().map(DispatchRow::from).collect(),
            by_fallback: by_fallback(records),
            unreadable: &[],
            error: None,
        }
    }
}

impl DispatchesReport<'_> {
    pub(crate) fn failed(error: &Error) -> DispatchesReport<'static> {
        DispatchesReport {
            error: Some(error.into()),
            ..DispatchesReport::new(&[])
        }
    }
}

/// How many of these calls went by the fallback of their config.
pub(super) fn by_fallback(records: &[Record]) -> usize {
    let went = records.iter().filter(|record| record.went_by_fallback());
    went.count()
}
