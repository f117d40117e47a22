//! `lkroute dispatches`: the calls that lkroute placed, and what became of
//! them. Imports `app` and `render`.

use std::time::Duration;

use clap::Args;
use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};

use super::dispatch::duration;
use super::globals::{CallFormatted, ReportFormat};
use super::keys::KeyArgs;
use super::shell::Shell;
use super::{Stop, names};
use crate::app::database::block_on;
use crate::app::dispatches::{
    CallFilter, CallList, RefreshRequest, UnreadableRecord, list_calls, look_limits, refresh_calls,
};
use crate::dispatch::{Record, Status};
use crate::error::{Error, Exit, Result};
use crate::phone::E164;
use crate::render::call_reports::DispatchesReport;
use crate::render::style::counted;
use crate::render::{calls, clock, json};

const EXAMPLES: &str = "\
Examples:
  lkroute dispatches
  lkroute dispatches --last 5 --number +971545335200
  lkroute dispatches --status unknown --since 2h --format json
  lkroute dispatches --refresh                 look again at all that is open
  lkroute dispatches --refresh call-…          at the call of one room

Accepted is not called: the server has the dispatch, and nobody looked whether
an agent took it. --refresh looks at the servers again, changes nothing there,
and writes down what it saw; exit 8 where something stays open. A call that
stays in_queue was sent, or not, by a command that was ended.

The worker that was asked for stands beside the one that took the job.";

/// List the calls that were placed, the latest first
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DispatchesArgs {
    /// How many [default: 20; with --refresh all]
    #[arg(long, value_name = "N", value_parser = names::count::<u32>)]
    last: Option<u32>,

    /// Only calls from or to this number
    #[arg(long, value_name = "NUMBER", value_parser = names::number)]
    number: Option<E164>,

    /// Only calls of this config, or by it as their fallback
    #[arg(long, value_name = "NAME", value_parser = names::config_name)]
    config: Option<String>,

    /// Only the call of this room
    #[arg(long, value_name = "ROOM")]
    room: Option<String>,

    /// Only calls with this status; may be repeated
    #[arg(long, value_name = "STATUS", value_parser = status)]
    status: Vec<Status>,

    /// Only calls since then: a time back (2h), or a date and time, as they are shown
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Since>,

    /// Only calls of which more can be learned
    #[arg(long, conflicts_with = "status")]
    unsettled: bool,

    /// Look again at the calls of which more can be learned, or at that of ROOM
    #[arg(long, value_name = "ROOM", num_args = 0..=1, default_missing_value = "")]
    refresh: Option<String>,

    /// Time limit for each request to LiveKit
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "5s")]
    #[arg(requires = "refresh")]
    timeout: Duration,

    #[command(flatten)]
    pub formatted: CallFormatted,

    #[command(flatten)]
    keys: KeyArgs,
}

fn status(text: &str) -> Result<Status, String> {
    text.parse().map_err(|_| {
        let all = Status::ALL.map(Status::as_str).join(", ");
        format!("one of {all}")
    })
}

#[derive(Debug, Clone, Copy)]
enum Since {
    Moment(Timestamp),
    /// In the zone that times are shown in.
    Local(DateTime),
}

/// `2h`, `2026-11-25`, `2026-11-25T12:00`, `2026-11-25T12:00:00Z`.
fn since(text: &str) -> Result<Since, String> {
    let wrong = "a time such as 2h, 2026-11-25 or 2026-11-25T12:00Z";
    if let Ok(span) = text.parse::<SignedDuration>() {
        let at = Timestamp::now().checked_sub(span.abs());
        return at.map(Since::Moment).map_err(|_| wrong.to_owned());
    }
    if let Ok(at) = text.parse() {
        return Ok(Since::Moment(at));
    }
    let civil: DateTime = text.parse().map_err(|_| wrong.to_owned())?;
    // A year that no zone has.
    clock::moment(civil).ok_or_else(|| wrong.to_owned())?;
    Ok(Since::Local(civil))
}

impl DispatchesArgs {
    pub(super) fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        match &self.refresh {
            Some(_) => self.refresh(shell),
            None => {
                let mut recorded = block_on(list_calls(&shell.context(), &self.wanted()))?;
                if self.unsettled {
                    recorded.calls.retain(|record| !record.is_settled());
                }
                self.report(shell, &recorded, None)?;
                Ok(Exit::Done)
            }
        }
    }

    fn wanted(&self) -> CallFilter {
        let open = self.unsettled || self.refresh.as_deref() == Some("");
        let status = if open {
            vec![Status::InQueue, Status::Accepted, Status::Unknown]
        } else {
            self.status.clone()
        };
        let room = self.refresh.clone().filter(|room| !room.is_empty());
        let all = self.refresh.is_some() || self.unsettled;
        CallFilter {
            last: self.last.unwrap_or(if all { u32::MAX } else { 20 }),
            number: self.number,
            config: self.config.clone(),
            room: room.or_else(|| self.room.clone()),
            status,
            since: self.since.and_then(|since| {
                let at = match since {
                    Since::Moment(at) => at,
                    Since::Local(civil) => clock::moment(civil)?,
                };
                Some(format!("{at:.3}"))
            }),
            ..CallFilter::default()
        }
    }

    fn refresh(&self, shell: &Shell) -> Result<Exit, Stop> {
        let request = RefreshRequest {
            wanted: self.wanted(),
            limits: look_limits(self.timeout),
            ring: self.keys.ring()?,
        };
        let CallList {
            environment,
            calls: refreshed,
            unreadable,
        } = block_on(refresh_calls(&shell.context(), &request))?;
        let open = refreshed.iter().filter(|r| !r.record.is_settled()).count();
        let records = refreshed.iter().map(|r| r.record.clone());
        let records = CallList {
            environment,
            calls: records.collect(),
            unreadable,
        };
        let error = (open > 0).then(|| {
            let left = counted(open as u64, "call");
            Error::exit(Exit::Unknown, format!("{left} could not be settled"))
                .hint("run it again where the servers and the keys are at hand")
        });
        self.report(shell, &records, error.as_ref())?;
        for refreshed in &refreshed {
            if let Some(why) = &refreshed.not_seen {
                shell.warn(&format!("room {}: {why}", refreshed.record.room));
            }
        }
        match error {
            Some(error) => {
                shell.complain(&error);
                Ok(error.exit)
            }
            None => Ok(Exit::Done),
        }
    }

    fn report(
        &self,
        shell: &Shell,
        recorded: &CallList<Record>,
        error: Option<&Error>,
    ) -> Result<()> {
        let (calls, environment) = (&recorded.calls, recorded.environment.as_deref());
        for UnreadableRecord { record_id, why } in &recorded.unreadable {
            shell.warn(&format!(
                "the record {record_id} of a call is passed over: {why}"
            ));
        }
        match self.formatted.format() {
            ReportFormat::Text => {
                shell.print(&calls::call_list(
                    calls,
                    recorded.unreadable.len(),
                    shell.width(),
                ))?;
                if let Some(name) = environment {
                    let count = counted(calls.len() as u64, "call");
                    shell.note(&format!("{count} in {name}"));
                }
                Ok(())
            }
            ReportFormat::Json => shell.print(&json::json_text(&DispatchesReport {
                environment,
                error: error.map(Into::into),
                unreadable: &recorded.unreadable,
                ..DispatchesReport::new(calls)
            })?),
        }
    }
}
