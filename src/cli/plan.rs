//! `lkroute plan`: what an apply would do. Imports what commands share and
//! `render`.

use std::path::PathBuf;

use clap::Args;

use super::diff::{Compared, State};
use super::globals::ReviewFormatted;
use super::keys::KeyArgs;
use super::number::NumberArgs;
use super::planning::{self, Wish};
use super::report::Report;
use super::shell::Shell;
use super::{Stop, approval, database};
use crate::address::Address;
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
pub struct PlanArgs {
    /// Exit 2 where changes are pending or outstanding
    #[arg(long)]
    detailed_exitcode: bool,

    /// Only this object and what it newly depends on; may be repeated
    #[arg(long, value_name = "ADDRESS")]
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
    pub fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        if let Some(state) = &self.against {
            let before = State::named(shell, state)?;
            let compared = Compared::new(shell, &before, &State::Files, &self.number)?;
            return self.print(shell, compared.report());
        }
        let ring = self.keys.ring()?;
        let planned = database::block_on(planning::plan(shell, &ring, self.wish()))?;
        planned.tell_uncommitted(shell);
        if let Some(path) = &self.out {
            approval::save(shell, &planned, &self.target, path)?;
        }
        self.print(shell, planned.report())
    }

    fn wish(&self) -> Wish<'_> {
        Wish {
            targets: &self.target,
            number: Some(&self.number),
            ..Wish::default()
        }
    }

    fn print(&self, shell: &Shell, report: Report<'_>) -> Result<Exit, Stop> {
        let format = self.formatted.format;
        report.print(shell, format, self.full, self.detailed_exitcode)
    }
}
