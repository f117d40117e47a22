//! `lkroute show`: a saved plan, in any format. Imports what commands share.

use std::path::PathBuf;

use clap::Args;

use super::Stop;
use super::globals::ReviewFormatted;
use super::report::PlanReview;
use super::shell::Shell;
use crate::app::approval::read_plan;
use crate::error::{Exit, Result};
use crate::impact::reroutes::{Reroutes, reroutes};

const EXAMPLES: &str = "\
Examples:
  lkroute plan --out routing.lkplan
  lkroute show routing.lkplan
  lkroute show routing.lkplan --format markdown

It reads the file only: no routing files, no database. What was refused stays
refused, with the exit code of that plan.";

/// Show a saved plan
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ShowArgs {
    /// A file that `plan --out` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Fold nothing: name every object
    #[arg(long)]
    full: bool,

    #[command(flatten)]
    pub formatted: ReviewFormatted,
}

impl ShowArgs {
    pub(super) fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let saved = read_plan(&self.file)?;
        let reroutes = Reroutes {
            window: saved.window,
            ..reroutes(&saved.plan)
        };
        let report = PlanReview {
            saved: true,
            ..PlanReview::new(&saved.plan, &reroutes, &saved.refusals)
        };
        shell.note(&saved.digest);
        report.print(shell, self.formatted.format, self.full, false)
    }
}
