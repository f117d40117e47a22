//! `lkroute rollback`: brings back the state that an earlier apply left.
//! Imports `app` and `render`.

use std::time::Instant;

use anstream::adapter::strip_str;
use clap::Args;

use super::apply::{approve, print_apply_report, print_done, watcher};
use super::globals::{Formatted, ReportFormat};
use super::report::PlanReview;
use super::shell::Shell;
use super::{Stop, history, names};
use crate::app::apply::carry_out_plan;
use crate::app::database::block_on;
use crate::app::rollback::{
    JudgedRollback, RollbackChoice, RollbackRequest, choose_rollback, judge_rollback,
};
use crate::diff::plan::Plan;
use crate::error::{Error, Exit, Result};
use crate::impact::reroutes::Reroutes;
use crate::render::history::{self as render_history, apply_in_words};
use crate::render::style::{BOLD, paint, wrapped};
use crate::render::text::View;
use crate::snapshot::{ApplyId, ApplyRecord};

const EXAMPLES: &str = "\
Examples:
  lkroute rollback --dry-run           what would it change?
  lkroute rollback --reason \"calls to the UAE fail\"
  lkroute rollback --to 6 --reason \"calls to the UAE fail\"

Without --to it goes before the newest apply that is neither a rollback nor
undone; again, one further back, and never forward. `lkroute history` lists
what --to takes.

It needs neither the repository nor a key: what each apply left is kept in the
database. It is planned, judged by the guards and applied like any change, as
an apply of its own, by the guards stored with the database. With a reason, the
undoing of one apply is not held up by budgets; protection and policies hold.
What it undid stays undone: later plans hold it back until the files say
something else, or an exception `undone` lets it pass.";

/// Go back to what an earlier apply left
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RollbackArgs {
    /// The apply whose state is to come back; without it one step back
    #[arg(long, value_name = "APPLY", value_parser = history::number)]
    to: Option<ApplyId>,

    /// Why; kept in the history
    #[arg(long, value_name = "TEXT", value_parser = names::reason)]
    reason: Option<String>,

    /// Show what it would do, and do nothing
    #[arg(long, conflicts_with = "auto_approve")]
    dry_run: bool,

    /// Don't ask; drift is then left alone
    #[arg(long, alias = "yes")]
    auto_approve: bool,

    /// Also set back what was changed outside lkroute
    #[arg(long)]
    revert_drift: bool,

    /// Fold nothing: name every object
    #[arg(long)]
    full: bool,

    #[command(flatten)]
    pub formatted: Formatted,
}

/// Applies that are shown to choose from.
const SHOWN: usize = 5;

impl RollbackArgs {
    pub(super) fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        block_on(self.roll_back(shell))
    }

    async fn roll_back(&self, shell: &Shell) -> Result<Exit, Stop> {
        let is_text = self.formatted.format == ReportFormat::Text;
        let asks = shell.is_interactive() && !self.auto_approve && is_text;
        let context = shell.context();
        let (to, undone) = match choose_rollback(&context, self.to).await? {
            RollbackChoice::To { apply, undone } => (apply, undone),
            RollbackChoice::Unknown { wanted, applies } => {
                return Err(no_such_apply(wanted, &applies).into());
            }
            RollbackChoice::Nothing { first } => {
                return Ok(self.nothing_to_undo(shell, first.as_ref())?);
            }
        };
        let request = RollbackRequest {
            to,
            undone,
            reason: self.reason.clone(),
            leave_drift: !asks && !self.revert_drift,
        };
        let judged = judge_rollback(&context, request).await?;
        let (format, review) = (self.formatted.format, report(&judged));
        if is_text {
            shell.print(&self.text(shell, &judged))?;
        }
        if let Err(error) = judged.verdict() {
            print_apply_report(shell, format, &review, Some(&error))?;
            shell.complain(&error);
            return Ok(error.exit);
        }
        let plan = &judged.back.plan;
        if plan.is_empty() || self.dry_run {
            print_apply_report(shell, format, &review, None)?;
            return Ok(Exit::Done);
        }
        approve(shell, "rollback", self.auto_approve, asks)?;
        let start = Instant::now();
        let request = judged.request(&context)?;
        let done =
            carry_out_plan(&context, (&judged.target, None), plan, request, watcher()).await?;
        print_done(shell, format, &review, &done, start.elapsed())?;
        Ok(Exit::Done)
    }

    fn nothing_to_undo(&self, shell: &Shell, first: Option<&ApplyRecord>) -> Result<Exit> {
        let said = match first {
            Some(first) => format!(
                "Nothing to undo: before {} there was nothing. `lkroute release --all` gives \
                 objects back.",
                apply_in_words(first)
            ),
            None => "Nothing to undo: no apply that is left changed an object.".to_owned(),
        };
        match self.formatted.format {
            ReportFormat::Text => shell.print(&(wrapped(&said, shell.width(), 0) + "\n"))?,
            ReportFormat::Json => {
                let (plan, reroutes) = (Plan::default(), Reroutes::default());
                let nothing = PlanReview::new(&plan, &reroutes, &[]);
                print_apply_report(shell, ReportFormat::Json, &nothing, None)?;
                shell.note(&said);
            }
        }
        Ok(Exit::Done)
    }

    fn text(&self, shell: &Shell, judged: &JudgedRollback) -> String {
        let to = judged.restored().map(apply_in_words).unwrap_or_default();
        let undone = judged.undone().map(apply_in_words);
        let undone = undone.map_or(String::new(), |apply| format!("\nUndoes {apply}"));
        let title = paint(BOLD, format!("Back to {to}{undone}"));
        let view = View {
            back: true,
            ..shell.view(self.full)
        };
        format!("{title}\n{}", report(judged).text(view))
    }
}

fn report(judged: &JudgedRollback) -> PlanReview<'_> {
    PlanReview::new(&judged.back.plan, &judged.reroutes, &judged.refusals)
}

fn no_such_apply(wanted: ApplyId, applies: &[ApplyRecord]) -> Error {
    let last = applies.get(..SHOWN.min(applies.len())).unwrap_or_default();
    let list = strip_str(&render_history::apply_list(last, None)).to_string();
    let lines: Vec<&str> = list.lines().skip(1).collect();
    Error::new(format!("there is no apply {wanted}; these are the last:"))
        .lines(&lines.join("\n"))
        .hint("`lkroute history` has them all")
}
