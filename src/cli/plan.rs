//! `lkroute plan`: what an apply would do. Imports what commands share and
//! `render`.

use clap::Args;

use super::globals::{Format, Formatted};
use super::keys::KeyArgs;
use super::planning::{self, Planned, Wish};
use super::shell::Shell;
use super::{Stop, database};
use crate::address::Address;
use crate::error::{Error, Exit, Result};
use crate::render::json;

const EXAMPLES: &str = "\
Examples:
  lkroute plan
  lkroute plan --detailed-exitcode            in CI: 2 where changes are pending
  lkroute plan --target config.uae-vm-selfhosted
  lkroute plan --format json > plan.json

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

    /// Fold nothing: name every object
    #[arg(long)]
    full: bool,

    #[command(flatten)]
    pub formatted: Formatted,

    #[command(flatten)]
    keys: KeyArgs,
}

impl PlanArgs {
    pub fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let ring = self.keys.ring()?;
        let planned = database::block_on(planning::plan(shell, &ring, self.wish()))?;
        let verdict = planned.verdict();
        shell.print(&self.report(shell, &planned, verdict.as_ref())?)?;
        if let Some(verdict) = verdict {
            shell.complain(&verdict);
            return Ok(verdict.exit);
        }
        let pending = !planned.plan.is_empty() || !planned.plan.outstanding.is_empty();
        Ok(match pending && self.detailed_exitcode {
            true => Exit::Pending,
            false => Exit::Done,
        })
    }

    fn wish(&self) -> Wish<'_> {
        Wish {
            targets: &self.target,
            ..Wish::default()
        }
    }

    fn report(&self, shell: &Shell, planned: &Planned, verdict: Option<&Error>) -> Result<String> {
        match self.formatted.format {
            Format::Text => Ok(planned.text(shell.view(self.full))),
            Format::Json => json::text(&planned.json(verdict)),
        }
    }
}
