//! What became of calls, for people: `dispatch` and `dispatches`. Imports core.

use serde_json::Value;
use textwrap::core::display_width;

use super::call_reports::{CallView, by_fallback};
use super::clock;
use super::escape::visible;
use super::style::{ADDED, BOLD, CHANGED, DIM, ERROR, counted, fitted, paint, wrapped};
use crate::dispatch::{Record, Request, Status};

/// The report of one call; why there is none is the error's to say.
pub fn call_text(view: &CallView<'_>, width: usize) -> String {
    match (view.record, view.request) {
        (Some(record), _) => {
            let headline = wrapped(&call_headline(record, view.repeated), width, 0);
            format!(
                "{}\n{}",
                paint(status_style(record.status), headline),
                of_record(record, width)
            )
        }
        (None, Some(request)) => dry_run(request, width),
        (None, None) => String::new(),
    }
}

fn status_style(status: Status) -> anstyle::Style {
    match status {
        Status::PickedUp | Status::Answered => ADDED.bold(),
        Status::Accepted => BOLD,
        Status::InQueue | Status::NoAgent | Status::Cancelled => CHANGED.bold(),
        Status::Failed | Status::NotDialled | Status::Unknown => ERROR,
    }
}

fn call_headline(record: &Record, repeated: bool) -> String {
    let said = match record.status {
        Status::PickedUp if record.detail.in_room.is_some() => {
            "Picked up: an agent took the job, and is in the room"
        }
        Status::PickedUp => "Picked up: an agent took the job; it was not seen in the room",
        Status::Answered => match record.detail.answered_after {
            Some(after) => return repeated_at(record, repeated, &answered_after(after)),
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
        Status::InQueue => {
            "Unknown: written down, and no more; its command still runs, or was ended"
        }
    };
    repeated_at(record, repeated, said)
}

fn answered_after(after: u64) -> String {
    let seconds = after.div_ceil(1000);
    format!("Answered after {seconds} s: the person is on the phone with the agent")
}

fn repeated_at(record: &Record, repeated: bool, said: &str) -> String {
    if repeated {
        format!(
            "Nothing was sent: this key was used at {}. {said}",
            record.at
        )
    } else {
        said.to_owned()
    }
}

/// Where the values of a report begin.
const VALUES_AT: usize = 12;

/// `  name  value   note`; a note that does not fit stands below.
fn value_line((name, value, note): (&str, &str, &str), width: usize) -> String {
    let (value, note) = (visible(value), visible(note));
    let beside = format!("{value:<40} ");
    let left = width.saturating_sub(VALUES_AT);
    if note.is_empty() {
        return format!("  {name:<9} {value}\n");
    }
    if display_width(&beside) + display_width(&note) <= left {
        return format!("  {name:<9} {beside}{}\n", paint(DIM, note));
    }
    let margin = " ".repeat(VALUES_AT);
    let below = fitted(&note, left).replace('\n', &format!("\n{margin}"));
    format!("  {name:<9} {value}\n{margin}{}\n", paint(DIM, below))
}

fn of_record(record: &Record, width: usize) -> String {
    let detail = &record.detail;
    let call = format!("{} → {}", record.from, record.to);
    let dialled = format!("dialled as {}", detail.formatted);
    let mut text = value_line(("call", &call, &dialled), width);
    let mut add = |name: &str, value: Option<&str>, note: &str| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            text += &value_line((name, value, note), width);
        }
    };
    let called = record.status != Status::Failed;
    add(
        "room",
        Some(&record.room).filter(|_| called).map(String::as_str),
        "",
    );
    let note = if detail.adopted {
        "the answer was lost, it was found in the room"
    } else {
        ""
    };
    add("dispatch", record.dispatch_id.as_deref(), note);
    let own = if called && detail.call_log_id == record.id.to_string() {
        "lkroute's own record"
    } else {
        ""
    };
    add("call log", Some(&detail.call_log_id), own);
    let given = if detail.worker_given {
        "named for this call"
    } else {
        ""
    };
    add("worker", Some(&record.worker), given);
    add(
        "deployed",
        detail.deployment.as_deref(),
        "deployment of the workers",
    );
    if let Some(agent) = &detail.agent {
        let taken = format!("{} by worker {}", agent.job_id, agent.worker_id);
        let note = if record.is_mismatch() {
            format!("MISMATCH: registered as {}", agent.agent_name)
        } else {
            String::new()
        };
        add("job", Some(&taken), &note);
    }
    add("trunk", Some(&detail.trunk), "");
    add("server", Some(&detail.url), "");
    add("config", record.config_name.as_deref(), "");
    if let Some(fallback) = &detail.fallback {
        add("fallback", Some(&fallback.name), &fallback.because);
    }
    add("source", Some(&detail.source), "");
    add("in room", detail.in_room.as_deref(), "");
    add("SIP call", detail.sip_call_id.as_deref(), "");
    text
}

fn worker_source(request: &Request) -> &'static str {
    if request.worker_given {
        "--worker"
    } else {
        request.worker_source.as_str()
    }
}

fn dry_run(request: &Request, width: usize) -> String {
    let metadata: Option<Value> = serde_json::from_str(&request.metadata).ok();
    let metadata = metadata.and_then(|value| serde_json::to_string_pretty(&value).ok());
    let metadata = metadata.unwrap_or_default();
    let number = request.to_label();
    let call = format!("{} → {number}", request.from);
    let dialled = format!("dialled as {}", request.formatted);
    let deployed = request.deployment.as_deref().unwrap_or_default();
    let rows = [
        ("call", call.as_str(), dialled.as_str()),
        ("server", &request.url, ""),
        ("room", &request.room, "drawn anew for each call"),
        ("worker", &request.worker, worker_source(request)),
        ("deployed", deployed, "deployment of the config"),
        ("trunk", &request.trunk, request.trunk_source.as_str()),
        ("source", request.source.as_str(), ""),
    ];
    let known = rows
        .into_iter()
        .filter(|row| row.0 != "deployed" || !row.1.is_empty());
    let rows: String = known.map(|row| value_line(row, width)).collect();
    let indented = metadata.replace('\n', "\n    ");
    let title = paint(BOLD, "Dry run: this would be sent; nothing was");
    format!("{title}\n{rows}  metadata\n    {indented}\n")
}

/// One call in a few lines: what was asked for, and what came of it.
/// `unreadable` are records that are passed over.
pub fn call_list(records: &[Record], unreadable: usize, width: usize) -> String {
    if records.is_empty() {
        return match unreadable {
            0 => "No calls are recorded that fit.\n".to_owned(),
            _ => "No call that fits can be read.\n".to_owned(),
        };
    }
    let mut text: String = records
        .iter()
        .map(|record| listed_call(record, width))
        .collect();
    match by_fallback(records) as u64 {
        0 => {}
        some => text += &format!("{} went by a fallback.\n", counted(some, "call")),
    }
    text
}

/// A blank at which no line is broken.
const KEPT: &str = "\u{a0}";

/// Trunk, dispatch and phone, as far as they are known.
fn of_the_way(record: &Record) -> String {
    let detail = &record.detail;
    let dispatch = record.dispatch_id.as_deref().unwrap_or_default();
    let mut parts = vec![detail.trunk.clone(), dispatch.to_owned()];
    let dialled_at = detail.dialled_at.as_deref().map(clock::to_second);
    parts.extend(dialled_at.map(|at| format!("dialled at {at}")));
    parts.extend(detail.sip_status.map(|status| format!("SIP {status}")));
    let phone = detail.sip_call_status.as_ref();
    parts.extend(phone.map(|status| format!("phone {status}")));
    let looked_at = detail.looked_at.as_deref().map(clock::to_second);
    let running = detail.running.zip(looked_at);
    parts.extend(running.map(|(running, at)| {
        if running {
            format!("running at {at}")
        } else {
            format!("over at {at}")
        }
    }));
    let after = detail.answered_after.map(|after| after.div_ceil(1000));
    parts.extend(after.map(|after| format!("answered after {after} s")));
    parts.retain(|part| !part.is_empty());
    let whole = parts.iter().map(|part| visible(part).replace(' ', KEPT));
    whole.collect::<Vec<_>>().join("  ")
}

/// The config, and the fallback that the call went by.
fn of_the_config(record: &Record) -> String {
    let config = record.config_name.as_deref();
    let config = config.map_or("environment".to_owned(), |name| format!("config {name}"));
    visible(&match &record.detail.fallback {
        Some(fallback) if record.went_by_fallback() => {
            let (name, because) = (&fallback.name, &fallback.because);
            format!("{config} → {name} (fallback): {because}")
        }
        _ => config,
    })
}

/// The worker that was asked for, and the one that took the job.
fn of_the_worker(record: &Record) -> String {
    let took = match &record.worker_seen {
        Some(seen) if record.is_mismatch() => {
            paint(ERROR, format!("MISMATCH: taken by {}", visible(seen)))
        }
        Some(seen) => format!("taken by {}", visible(seen)),
        None => match record.status {
            Status::InQueue => {
                "no more is known: its command still runs, or, after two minutes, was ended"
            }
            Status::Accepted => "accepted is not called: nobody looked (--refresh does)",
            Status::NotDialled => "not waited for",
            Status::Failed => "no call",
            Status::NoAgent => "taken by nobody",
            Status::PickedUp | Status::Answered => "an agent was in the room",
            Status::Unknown | Status::Cancelled => "taken by nobody that was seen",
        }
        .to_owned(),
    };
    let deployment = record.detail.deployment.as_ref();
    let deployment = deployment.map(|name| format!(" ({name})"));
    let worker = format!("{}{}", record.worker, deployment.unwrap_or_default());
    format!("asked for {}, {took}", visible(&worker))
}

/// The columns of time, status and numbers; all that may be of any length
/// stands below them, and no line is wider than the terminal.
fn listed_call(record: &Record, width: usize) -> String {
    let at = clock::to_second(&record.at);
    let status = paint(
        status_style(record.status),
        format!("{:<11}", record.status),
    );
    let call = format!("{} → {}", record.from, visible(&record.to));
    let room = match record.status {
        Status::Failed => String::new(),
        _ => visible(&format!("room {}", record.room)),
    };
    let message = record.detail.message.as_deref().map(visible);
    let below = [
        of_the_config(record),
        of_the_worker(record),
        room,
        of_the_way(record),
        message.map_or(String::new(), |message| paint(DIM, message)),
    ];
    let left = width.saturating_sub(4);
    let head = fitted(&format!("{at}  {status}  {call}"), left).replace('\n', "\n    ");
    let below = below.iter().filter(|text| !text.is_empty());
    let below: String = below
        .map(|text| {
            fitted(text, left)
                .replace(KEPT, " ")
                .replace('\n', "\n    ")
        })
        .map(|text| format!("    {text}\n"))
        .collect();
    format!("{head}\n{below}")
}
