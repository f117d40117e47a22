//! What became of calls, as text and JSON: `dispatch` and `dispatches`.
//! Imports core.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::clock;
use super::escape::visible;
use super::json::{ErrorReport, FORMAT_VERSION};
use super::style::{ADDED, BOLD, CHANGED, DIM, ERROR, paint, wrapped};
use crate::dispatch::{Record, Request, Status, Traced};
use crate::error::Error;
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
pub struct DispatchReport<'a> {
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
    pub server: Option<&'a str>,
    /// `database` or `environment`; `files` in an offline dry run.
    pub source: Option<&'a str>,
    pub agent: Option<&'a Traced>,
    /// The agent's identity in the room, where it was seen there.
    pub in_room: Option<&'a str>,
    pub sip_call_id: Option<&'a str>,
    pub sip_status: Option<u16>,
    /// From dialling to the answer, in milliseconds.
    pub answered_after: Option<u64>,
    /// As sent; null for a call of an earlier command.
    pub metadata: Option<Value>,
    pub resolution: Option<resolve::Report>,
    pub error: Option<ErrorReport>,
}

impl<'a> From<&CallView<'a>> for DispatchReport<'a> {
    fn from(view: &CallView<'a>) -> DispatchReport<'a> {
        let (request, record) = (view.request, view.record);
        let detail = record.map(|record| &record.detail);
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
            ),
            source: text(
                detail.map(|d| d.source.as_str()),
                request.map(|r| r.source.as_str()),
            ),
            agent: detail.and_then(|detail| detail.agent.as_ref()),
            sip_call_id: detail.and_then(|detail| detail.sip_call_id.as_deref()),
            in_room: detail.and_then(|detail| detail.in_room.as_deref()),
            sip_status: detail.and_then(|detail| detail.sip_status),
            answered_after: detail.and_then(|detail| detail.answered_after),
            metadata: request.and_then(|r| serde_json::from_str(&r.metadata).ok()),
            resolution: view.resolution.map(resolve::Report::from),
            error: view.error.map(ErrorReport::from),
        }
    }
}

impl DispatchReport<'_> {
    /// Where the call did not even begin.
    pub fn failed(error: &Error) -> DispatchReport<'_> {
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

/// The report of one call; why there is none is the error's to say.
pub fn text(view: &CallView<'_>, width: usize) -> String {
    match (view.record, view.request) {
        (Some(record), _) => {
            let headline = wrapped(&headline(record, view.repeated), width, 0);
            format!(
                "{}\n{}",
                paint(style(record.status), headline),
                of_record(record)
            )
        }
        (None, Some(request)) => dry_run(request),
        (None, None) => String::new(),
    }
}

fn style(status: Status) -> anstyle::Style {
    match status {
        Status::PickedUp | Status::Answered => ADDED.bold(),
        Status::Accepted => BOLD,
        Status::InQueue | Status::NoAgent | Status::Cancelled => CHANGED.bold(),
        Status::Failed | Status::NotDialled | Status::Unknown => ERROR,
    }
}

fn headline(record: &Record, repeated: bool) -> String {
    let said = match record.status {
        Status::PickedUp if record.detail.in_room.is_some() => {
            "Picked up: an agent took the job, and is in the room"
        }
        Status::PickedUp => "Picked up: an agent took the job; it was not seen in the room",
        Status::Answered => match record.detail.answered_after {
            Some(after) => return repeated_at(record, repeated, &answered(after)),
            None => "Answered: the person is on the phone with the agent",
        },
        Status::Accepted => {
            "Accepted by the server; whether an agent takes it was not looked at \
             (--wait-for-agent 10s tells; the id alone is no proof)"
        }
        Status::NoAgent => "Accepted by the server, and no agent took it",
        Status::NotDialled => "Not reached: the person is not on the phone",
        Status::Failed => "No call",
        Status::Unknown => "Unknown: an agent may have been there, or not",
        Status::Cancelled => "Cancelled",
        Status::InQueue => "Unknown: recorded, and lkroute was ended before it knew more",
    };
    repeated_at(record, repeated, said)
}

fn answered(after: u64) -> String {
    let seconds = after.div_ceil(1000);
    format!("Answered after {seconds} s: the person is on the phone with the agent")
}

fn repeated_at(record: &Record, repeated: bool, said: &str) -> String {
    match repeated {
        true => format!(
            "Nothing was sent: this key was used at {}. {said}",
            record.at
        ),
        false => said.to_owned(),
    }
}

/// `  name  value   note`.
fn line(name: &str, value: &str, note: &str) -> String {
    let (value, note) = (visible(value), visible(note));
    match note.as_str() {
        "" => format!("  {name:<9} {value}\n"),
        note => format!("  {name:<9} {value:<40} {}\n", paint(DIM, note)),
    }
}

fn of_record(record: &Record) -> String {
    let detail = &record.detail;
    let mut text = line(
        "call",
        &format!("{} → {}", record.from, record.to),
        &format!("dialled as {}", detail.formatted),
    );
    let mut add = |name: &str, value: Option<&str>, note: &str| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            text += &line(name, value, note);
        }
    };
    let called = record.status != Status::Failed;
    add(
        "room",
        Some(&record.room).filter(|_| called).map(String::as_str),
        "",
    );
    let note = match detail.adopted {
        true => "the answer was lost, it was found in the room",
        false => "",
    };
    add("dispatch", record.dispatch_id.as_deref(), note);
    let own = match called && detail.call_log_id == record.id.to_string() {
        true => "lkroute's own record",
        false => "",
    };
    add("call log", Some(&detail.call_log_id), own);
    let given = match detail.worker_given {
        true => "named for this call",
        false => "",
    };
    add("worker", Some(&record.worker), given);
    add(
        "deployed",
        detail.deployment.as_deref(),
        "deployment of the workers",
    );
    if let Some(agent) = &detail.agent {
        let taken = format!("{} by worker {}", agent.job_id, agent.worker_id);
        let note = match record.is_mismatch() {
            true => format!("MISMATCH: registered as {}", agent.agent_name),
            false => String::new(),
        };
        add("job", Some(&taken), &note);
    }
    add("trunk", Some(&detail.trunk), "");
    add("server", Some(&detail.url), "");
    add("config", record.config_name.as_deref(), "");
    add("source", Some(&detail.source), "");
    add("in room", detail.in_room.as_deref(), "");
    add("SIP call", detail.sip_call_id.as_deref(), "");
    text
}

fn worker_source(request: &Request) -> &'static str {
    match request.worker_given {
        true => "--worker",
        false => request.worker_source.as_str(),
    }
}

fn dry_run(request: &Request) -> String {
    let metadata: Option<Value> = serde_json::from_str(&request.metadata).ok();
    let metadata = metadata.and_then(|value| serde_json::to_string_pretty(&value).ok());
    let metadata = metadata.unwrap_or_default();
    let number = request.to_label();
    let call = format!("{} → {number}", request.from);
    let deployed = request.deployment.as_ref();
    let deployed = deployed.map(|name| line("deployed", name, "deployment of the config"));
    let deployed = deployed.unwrap_or_default();
    let rows = [
        line("call", &call, &format!("dialled as {}", request.formatted)),
        line("server", &request.url, ""),
        line("room", &request.room, "drawn anew for each call"),
        line("worker", &request.worker, worker_source(request)),
        deployed,
        line("trunk", &request.trunk, request.trunk_source.as_str()),
        line("source", request.source.as_str(), ""),
    ];
    let indented = metadata.replace('\n', "\n    ");
    let title = paint(BOLD, "Dry run: this would be sent; nothing was");
    format!("{title}\n{}  metadata\n    {indented}\n", rows.concat())
}

/// `dispatches --format json`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DispatchesReport<'a> {
    pub format_version: u32,
    /// The latest first.
    pub dispatches: Vec<DispatchRow<'a>>,
    pub error: Option<ErrorReport>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct DispatchRow<'a> {
    pub record_id: Uuid,
    pub at: &'a str,
    pub finished_at: Option<&'a str>,
    pub status: Status,
    pub from: String,
    pub to: &'a str,
    pub tenant: Option<Uuid>,
    pub config: Option<&'a str>,
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
    pub server: &'a str,
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
        DispatchRow {
            record_id: record.id,
            at: &record.at,
            finished_at: record.finished_at.as_deref(),
            status: record.status,
            from: record.from.to_string(),
            to: &record.to,
            tenant: record.tenant,
            config: record.config_name.as_deref(),
            worker: &record.worker,
            worker_seen: record.worker_seen.as_deref(),
            deployment: record.detail.deployment.as_deref(),
            mismatch: record.is_mismatch(),
            room: &record.room,
            dispatch_id: record.dispatch_id.as_deref(),
            trunk_id: &record.detail.trunk,
            server: &record.detail.url,
            worker_given: record.detail.worker_given,
            in_room: record.detail.in_room.as_deref(),
            sip_call_id: record.detail.sip_call_id.as_deref(),
            sip_status: record.detail.sip_status,
            sip_call_status: record.detail.sip_call_status.as_deref(),
            answered_after: record.detail.answered_after,
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
    pub fn new(records: &'a [Record]) -> DispatchesReport<'a> {
        DispatchesReport {
            format_version: FORMAT_VERSION,
            dispatches: records.iter().map(DispatchRow::from).collect(),
            error: None,
        }
    }
}

impl DispatchesReport<'_> {
    pub fn failed(error: &Error) -> DispatchesReport<'static> {
        DispatchesReport {
            error: Some(error.into()),
            ..DispatchesReport::new(&[])
        }
    }
}

/// One call in a few lines: what was asked for, and what came of it.
pub fn list(records: &[Record], width: usize) -> String {
    if records.is_empty() {
        return "No calls are recorded that fit.\n".to_owned();
    }
    records.iter().map(|record| listed(record, width)).collect()
}

/// Trunk, dispatch and phone, as far as they are known.
fn of_the_way(record: &Record) -> String {
    let detail = &record.detail;
    let dispatch = record.dispatch_id.as_deref().unwrap_or_default();
    let mut parts = vec![detail.trunk.clone(), dispatch.to_owned()];
    parts.extend(detail.sip_status.map(|status| format!("SIP {status}")));
    parts.extend(
        detail
            .sip_call_status
            .as_ref()
            .map(|s| format!("phone {s}")),
    );
    let after = detail.answered_after.map(|after| after.div_ceil(1000));
    parts.extend(after.map(|after| format!("answered after {after} s")));
    parts.retain(|part| !part.is_empty());
    match parts.is_empty() {
        true => String::new(),
        false => format!("\n    {}", visible(&parts.join("  "))),
    }
}

fn listed(record: &Record, width: usize) -> String {
    let at = clock::second(&record.at);
    let call = format!("{} → {}", record.from, visible(&record.to));
    let config = visible(record.config_name.as_deref().unwrap_or("environment"));
    let took = match &record.worker_seen {
        Some(seen) if record.is_mismatch() => {
            paint(ERROR, format!("MISMATCH: taken by {}", visible(seen)))
        }
        Some(seen) => format!("taken by {}", visible(seen)),
        None => match record.status {
            Status::Accepted => "accepted is not called: nobody looked (--refresh does)",
            Status::NotDialled => "not waited for",
            Status::Failed => "no call",
            Status::NoAgent => "taken by nobody",
            Status::PickedUp | Status::Answered => "an agent was in the room",
            _ => "taken by nobody that was seen",
        }
        .to_owned(),
    };
    let status = paint(style(record.status), format!("{:<11}", record.status));
    let message = record.detail.message.iter();
    let inside = |text: &str| wrapped(text, width.saturating_sub(4), 0).replace('\n', "\n    ");
    let message: String = message
        .map(|message| format!("    {}\n", paint(DIM, inside(&visible(message)))))
        .collect();
    let room = match record.status {
        Status::Failed => String::new(),
        _ => format!("\n    room {}", record.room),
    };
    let way = of_the_way(record);
    let deployment = record.detail.deployment.iter();
    let deployment: String = deployment.map(|name| format!(" ({name})")).collect();
    let worker = visible(&format!("{}{deployment}", record.worker));
    format!(
        "{at}  {status}  {call:<31}  {config}\n    asked for {worker}, {took}{room}{way}\n{message}"
    )
}
