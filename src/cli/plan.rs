//! `lkroute plan`: what an apply would do. Imports `app`.

use std::path::PathBuf;

use clap::Args;

use super::globals::ReviewFormatted;
use super::keys::KeyArgs;
use super::number::NumberArgs;
use super::report::{self, PlanReview};
use super::shell::Shell;
use super::{Stop, diff, names};
use crate::address::Address;
use crate::app::approval::save_plan;
use crate::app::compare_files::{FilesState, compare_files};
use crate::app::database::block_on;
use crate::app::planning::{PlanRequest, plan_changes};
use crate::error::{Exit, Result};

const EXAMPLES: &str = "\
Examples:
  lkroute plan
  lkroute plan --detailed-exitcode            in CI: 2 where changes are pending
  lkroute plan --target config.uae-vm-selfhosted
  lkroute plan --format json > plan.json
  lkroute plan --number +971545335200         one number, before and after
  lkroute plan --out routing.lkplan           for `apply routing.lkplan`

It changes nothing and takes no lock. Deletes come first, each by its name;
conflicts, drift (changed outside lkroute) and adoptions stand apart from what
the files change.";

/// Show what an apply would do
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct PlanArgs {
    /// Exit 2 where changes are pending or outstanding
    #[arg(long)]
    detailed_exitcode: bool,

    /// Only this object and what it newly depends on; may be repeated
    #[arg(long, value_name = "ADDRESS", value_parser = names::object)]
    target: Vec<Address>,

    /// Save the plan: what is approved, for `apply FILE`
    #[arg(long, value_name = "FILE", conflicts_with = "against")]
    out: Option<PathBuf>,

    /// Offline: against another directory or a revision, not the database
    #[arg(long, value_name = "DIR|REV", conflicts_with = "target")]
    against: Option<String>,

    /// Fold nothing: name every object
    #[arg(long)]
    full: bool,

    #[command(flatten)]
    number: NumberArgs,

    #[command(flatten)]
    pub formatted: ReviewFormatted,

    #[command(flatten)]
    keys: KeyArgs,
}

impl PlanArgs {
    pub(super) fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        if let Some(state) = &self.against {
            let context = shell.context();
            let before = FilesState::named(&context, state)?;
            let number = self.number.request()?;
            let compared = compare_files(&context, &before, &FilesState::WorkTree, number)?;
            return self.print(shell, diff::report(&compared));
        }
        let ring = self.keys.ring()?;
        let planned = block_on(plan_changes(&shell.context(), &ring, &self.request()?))?;
        report::tell_what_is_unsettled(shell, &planned);
        if let Some(path) = &self.out {
            let digest = save_plan(&planned, &self.target, path)?;
            shell.note(&format!("saved as {} ({digest})", path.display()));
        }
        self.print(shell, PlanReview::of(&planned))
    }

    fn request(&self) -> Result<PlanRequest<'_>> {
        Ok(PlanRequest {
            targets: &self.target,
            number: self.number.request()?,
            ..PlanRequest::default()
        })
    }

    fn print(&self, shell: &Shell, report: PlanReview<'_>) -> Result<Exit, Stop> {
        let format = self.formatted.format;
        report.print(shell, format, self.full, self.detailed_exitcode)
    }
}
