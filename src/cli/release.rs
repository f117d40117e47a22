//! `lkroute release`: gives objects back without touching them. Imports
//! `app` and `render`.

use std::time::Instant;

use clap::Args;

use super::apply::{approve, print_apply_report, print_done, watcher};
use super::globals::{Formatted, ReportFormat};
use super::report::PlanReview;
use super::shell::Shell;
use super::{Stop, names};
use crate::address::Address;
use crate::app::apply::carry_out_plan;
use crate::app::database::block_on;
use crate::app::release::{ReadyRelease, prepare_release};
use crate::error::{Exit, Result};

const EXAMPLES: &str = "\
Examples:
  lkroute release binding.+971545335200@sasya
  lkroute release --all             lkroute keeps only its history

First take the objects out of the files: what is still declared would be
adopted again by the next plan. Where the files no longer declare an object,
`apply` would delete it; after a release it stays as it is. What only the tables
of lkroute hold is gone then: a config's deployment and fallback, a region that
rules name. Where calls change by that, the guards of the last apply judge it,
and exceptions in the files count.";

/// Give objects back to others, as they are
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ReleaseArgs {
    /// What is given back; may be repeated
    #[arg(value_name = "ADDRESS", required_unless_present = "all", value_parser = names::object)]
    addresses: Vec<Address>,

    /// Everything that lkroute manages
    #[arg(long, conflicts_with = "addresses")]
    all: bool,

    /// Don't ask
    #[arg(long, alias = "yes")]
    auto_approve: bool,

    /// Why; kept in the history
    #[arg(long, value_name = "TEXT", value_parser = names::reason)]
    reason: Option<String>,

    /// Fold nothing: name every object
    #[arg(long)]
    full: bool,

    #[command(flatten)]
    pub formatted: Formatted,
}

impl ReleaseArgs {
    pub(super) fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let wanted = (!self.all).then_some(self.addresses.as_slice());
        block_on(async {
            let ready = prepare_release(&shell.context(), wanted).await?;
            Ok(self.give_back(shell, &ready).await?)
        })
    }

    async fn give_back(&self, shell: &Shell, ready: &ReadyRelease) -> Result<Exit> {
        let is_text = self.formatted.format == ReportFormat::Text;
        let plan = &ready.plan;
        let report = PlanReview::new(plan, &ready.reroutes, &ready.refusals);
        if is_text {
            shell.print(&report.text(shell.view(self.full)))?;
        }
        if let Err(error) = ready.verdict() {
            print_apply_report(shell, self.formatted.format, &report, Some(&error))?;
            shell.complain(&error);
            return Ok(error.exit);
        }
        if plan.is_empty() {
            print_apply_report(shell, self.formatted.format, &report, None)?;
            return Ok(Exit::Done);
        }
        let asks = shell.is_interactive() && is_text;
        approve(shell, "release", self.auto_approve, asks)?;
        let start = Instant::now();
        let context = shell.context();
        let request = ready.request(&context, self.reason.clone());
        let place = (&ready.target, None);
        let done = carry_out_plan(&context, place, plan, request, watcher()).await?;
        print_done(
            shell,
            self.formatted.format,
            &report,
            &done,
            start.elapsed(),
        )?;
        Ok(Exit::Done)
    }
}
