//! `lkroute doctor`: everything that would fail a call, before a customer
//! finds it. Imports `app` and `render`.

use std::time::Duration;

use clap::Args;

use super::dispatch::duration;
use super::globals::{CallFormatted, ReportFormat};
use super::keys::KeyArgs;
use super::shell::Shell;
use super::{Stop, names};
use crate::app::database::block_on;
use crate::app::doctor::{DoctorRequest, DoctorScope, Limits, examine_routing};
use crate::doctor::DoctorFindings;
use crate::error::{Error, Exit};
use crate::render::{doctor, json};

const EXAMPLES: &str = "\
Examples:
  lkroute doctor                              database and servers
  lkroute doctor --config uae-vm-selfhosted   one config
  lkroute doctor --no-probe                   the database alone
  lkroute doctor --offline                    the files alone, no network
  lkroute doctor --probe-worker               try each worker, too

Exit 0 only if all is well; notes don't count. Servers are asked side by side,
each with a time limit, and nothing is changed on them. --probe-worker starts
each worker's entry point once, in a room of its own that is deleted afterwards,
with the metadata {\"lkroute_probe\": true, \"job_id\": …} and no phone number.

Each cause has a name, and what to do about it: refused, dns, timeout, tls,
not-livekit, key-unknown, secret-wrong, clock-skew, trunk-missing,
sip-needs-redis, worker-missing, …; docs/calls.md lists them.";

/// Find everything that would fail a call
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DoctorArgs {
    /// Only this config; may be repeated
    #[arg(long, value_name = "NAME", value_parser = names::config_name)]
    config: Vec<String>,

    /// Ask no LiveKit server
    #[arg(long)]
    no_probe: bool,

    /// Look into the files alone; asks no server either
    #[arg(long, conflicts_with = "probe_worker")]
    offline: bool,

    /// Start each worker once, in a room of its own
    #[arg(long, conflicts_with = "no_probe")]
    probe_worker: bool,

    /// Time limit for each request to LiveKit
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "5s")]
    timeout: Duration,

    #[command(flatten)]
    pub formatted: CallFormatted,

    #[command(flatten)]
    keys: KeyArgs,
}

impl DoctorArgs {
    pub(super) fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let request = DoctorRequest {
            only: self.config.iter().cloned().collect(),
            scope: self.scope(),
            limits: Limits {
                step: self.timeout,
                whole: self.timeout * 3,
                ..Limits::default()
            },
            ring: self.keys.ring()?,
        };
        if self.probe_worker {
            shell.note(
                "--probe-worker: each worker's entry point runs once, in a room of its own, with \
                 metadata that says lkroute_probe and holds no phone number",
            );
        }
        let (report, stamped) = block_on(examine_routing(&shell.context(), &request))?;
        self.report(shell, &report, stamped.as_deref())
    }

    fn scope(&self) -> DoctorScope {
        match (self.offline, self.no_probe, self.probe_worker) {
            (true, ..) => DoctorScope::Files,
            (_, true, _) => DoctorScope::Database,
            (_, _, true) => DoctorScope::Workers,
            _ => DoctorScope::Servers,
        }
    }

    fn report(
        &self,
        shell: &Shell,
        report: &DoctorFindings,
        stamped: Option<&str>,
    ) -> Result<Exit, Stop> {
        let error = (!report.well).then(|| Error::new("not all is well"));
        let environment = shell.globals.env.as_deref().or(stamped);
        shell.print(&match self.formatted.format() {
            ReportFormat::Text => doctor::doctor_text(report, environment, shell.width()),
            ReportFormat::Json => json::json_text(&doctor::DoctorReport::new(
                report,
                environment,
                error.as_ref(),
            ))?,
        })?;
        Ok(error.map_or(Exit::Done, |error| error.exit))
    }
}
