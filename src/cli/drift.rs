//! `lkroute drift`: what was changed outside lkroute. Imports `app` and
//! `render`.

use clap::Args;

use super::globals::{Formatted, ReportFormat};
use super::shell::Shell;
use super::{Stop, names};
use crate::address::Address;
use crate::app::database::block_on;
use crate::app::drift::{DriftFound, accept_drift, find_drift};
use crate::error::{Exit, Result};
use crate::render::drift::{self as report, DriftReport};
use crate::render::escape::visible;
use crate::render::json;

const EXAMPLES: &str = "\
Examples:
  lkroute drift                        exit 7 where there is some
  lkroute drift --accept config.uae-vm-selfhosted
  lkroute drift --all                  keep everything that is there
  lkroute drift --format json

It compares the database with what the last apply left there, so it needs no
files. --accept writes what is there into the files, at its place; a number
that sits in a group or a range is split off. It never touches the database:
the next plan shows an adoption. `lkroute apply --revert-drift` sets it back.";

/// Show what was changed outside lkroute since the last apply
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DriftArgs {
    /// Write what the database holds into the files; may be repeated
    #[arg(long, value_name = "ADDRESS", num_args = 1.., value_parser = names::object)]
    accept: Vec<Address>,

    /// The same for everything that was changed
    #[arg(long, conflicts_with = "accept")]
    all: bool,

    /// Fold nothing: name every object
    #[arg(long)]
    full: bool,

    #[command(flatten)]
    pub formatted: Formatted,
}

impl DriftArgs {
    pub(super) fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let found = block_on(find_drift(&shell.context()))?;
        if self.all || !self.accept.is_empty() {
            self.accept(shell, &found)
        } else {
            Ok(self.report(shell, &found)?)
        }
    }

    fn report(&self, shell: &Shell, found: &DriftFound) -> Result<Exit> {
        let (drift, last) = (&found.drift, &found.last_apply);
        shell.print(&match self.formatted.format {
            ReportFormat::Text => report::drift_text(drift, last, shell.width(), self.full),
            ReportFormat::Json => json::json_text(&DriftReport::new(drift, last))?,
        })?;
        Ok(if drift.is_empty() {
            Exit::Done
        } else {
            Exit::Drift
        })
    }

    fn accept(&self, shell: &Shell, found: &DriftFound) -> Result<Exit, Stop> {
        let wanted = (!self.all).then_some(self.accept.as_slice());
        let accepted = accept_drift(&shell.context(), found, wanted)?;
        match self.formatted.format {
            ReportFormat::Json => {
                let mut report = DriftReport::new(&found.drift, &found.last_apply);
                report.accepted = accepted
                    .iter()
                    .map(|accepted| accepted.address.clone())
                    .collect();
                shell.print(&json::json_text(&report)?)?;
            }
            ReportFormat::Text => {
                let lines = accepted.iter();
                let lines: String = lines
                    .map(|accepted| {
                        let said = if accepted.said_already {
                            "the files say so already"
                        } else {
                            "as the database has it"
                        };
                        format!(
                            "{}: {}: {said}\n",
                            visible(&accepted.file),
                            accepted.address
                        )
                    })
                    .collect();
                shell.print(&lines)?;
                let all_said = accepted.iter().all(|accepted| accepted.said_already);
                shell.note(if accepted.is_empty() {
                    "nothing has drifted, so there is nothing to accept"
                } else if all_said {
                    "no file was changed; `lkroute apply` records the adoption, which ends the drift"
                } else {
                    "written into the files; `lkroute plan` shows them as adoptions"
                });
            }
        }
        Ok(Exit::Done)
    }
}
