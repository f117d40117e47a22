//! `lkroute apply`: plans, shows, asks, and carries it out in one
//! transaction. Imports `app` and `render`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;

use super::globals::{Formatted, ReportFormat};
use super::keys::KeyArgs;
use super::report::{self, PlanReview};
use super::shell::Shell;
use super::signals::asked_to_stop;
use super::{Stop, names};
use crate::address::Address;
use crate::app::apply::{
    Applied, ApplyCheck, ApplyRequest, Watcher, carry_out_plan, prepare_apply,
};
use crate::app::approval::{Approved, StalePlan, read_plan};
use crate::app::database::block_on;
use crate::app::keys::KeyRing;
use crate::app::planning::Planned;
use crate::count_words::counted;
use crate::diff::plan::Plan;
use crate::error::{Error, Exit, Result};
use crate::render::{applied, json, stale};
use crate::snapshot::ApplyRecord;

const EXAMPLES: &str = "\
Examples:
  lkroute apply                        shows the plan and asks
  lkroute apply --auto-approve         in a pipeline
  lkroute apply --auto-approve --revert-drift
  lkroute apply --target binding.+971545335200@sasya
  lkroute apply routing.lkplan         only what was approved, else exit 5
  lkroute apply --expect sha256:…      the same, by the digest alone

All of it happens in one transaction, or nothing does. What others write is
left alone: their rows, their fields and, without a yes on the terminal or
--revert-drift, also what they changed in fields of lkroute.";

/// Carry out the plan, after a yes
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ApplyArgs {
    /// A saved plan: applied only if what would be done is still the same
    #[arg(value_name = "FILE", conflicts_with_all = ["target", "expect"])]
    file: Option<PathBuf>,

    /// The digest of the plan that was approved
    #[arg(long, value_name = "DIGEST")]
    expect: Option<String>,

    /// Don't ask; drift is then left alone
    #[arg(long, alias = "yes")]
    auto_approve: bool,

    /// Also set back what was changed outside lkroute
    #[arg(long)]
    revert_drift: bool,

    /// Only this object and what it newly depends on; may be repeated
    #[arg(long, value_name = "ADDRESS", value_parser = names::object)]
    target: Vec<Address>,

    /// Undo this commit, which was applied last and is not among the
    /// ancestors
    #[arg(long, value_name = "COMMIT")]
    supersede: Option<String>,

    /// Fold nothing: name every object
    #[arg(long)]
    full: bool,

    #[command(flatten)]
    pub formatted: Formatted,

    #[command(flatten)]
    keys: KeyArgs,
}

impl ApplyArgs {
    pub(super) fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let ring = self.keys.ring()?;
        block_on(self.apply(shell, ring))
    }

    async fn apply(&self, shell: &Shell, ring: KeyRing) -> Result<Exit, Stop> {
        let approved = self.approved_before()?;
        let seen = approved.is_some();
        let asks = shell.is_interactive() && !self.auto_approve && !seen && self.is_text();
        let request = ApplyRequest {
            targets: self.target.clone(),
            approved,
            leave_drift: !asks && !seen && !self.revert_drift,
            supersede: self.supersede.clone(),
            ring,
        };
        let mut ready = prepare_apply(&shell.context(), request).await?;
        // Who is asked may take an hour: then the database is connected to anew.
        let store = ready.planned.store.take().filter(|_| !asks);
        let planned = &ready.planned;
        let (format, review) = (self.formatted.format, PlanReview::of(planned));
        report::tell_what_is_unsettled(shell, planned);
        if self.is_text() {
            shell.print(&review.text(shell.view(self.full)))?;
        }
        let refused = match &ready.check {
            ApplyCheck::AppliedAlready(done) => {
                return self.applied_already(shell, planned, done);
            }
            ApplyCheck::Refused(error) => Some(error.clone()),
            ApplyCheck::Stale(stale) => Some(stale_error(stale, &planned.plan)),
            ApplyCheck::NothingToDo | ApplyCheck::Pending => None,
        };
        if let Some(error) = refused {
            print_apply_report(shell, format, &review, Some(&error))?;
            shell.complain(&error);
            return Ok(error.exit);
        }
        if matches!(ready.check, ApplyCheck::NothingToDo) {
            print_apply_report(shell, format, &review, None)?;
            return Ok(Exit::Done);
        }
        let request = ready.request(&shell.context())?;
        if !seen {
            approve(shell, "apply", self.auto_approve, asks)?;
        }
        let start = Instant::now();
        let (context, watcher) = (shell.context(), watcher());
        let place = (&planned.target, store);
        let done = carry_out_plan(&context, place, &planned.plan, request, watcher);
        let done = done.await?;
        print_done(shell, format, &review, &done, start.elapsed())?;
        Ok(Exit::Done)
    }

    /// The run of a merge that is applied already has nothing to do.
    fn applied_already(
        &self,
        shell: &Shell,
        planned: &Planned,
        done: &ApplyRecord,
    ) -> Result<Exit, Stop> {
        match self.formatted.format {
            ReportFormat::Text => {
                let text = format!("\nAlready applied as {}: nothing is written.\n", done.id);
                shell.print(&text)?;
            }
            ReportFormat::Json => shell.print(&json::json_text(&json::ApplyReport {
                plan: PlanReview::of(planned).json(None),
                applied: None,
                applied_already: Some(json::AppliedReport {
                    id: done.id,
                    at: done.at.clone(),
                }),
            })?)?,
        }
        Ok(Exit::Done)
    }

    /// What somebody approved before this command was typed.
    fn approved_before(&self) -> Result<Option<Approved>> {
        match (&self.file, &self.expect) {
            (Some(path), _) => Ok(Some(Approved::Plan(Box::new(read_plan(path)?)))),
            (None, Some(digest)) => Ok(Some(Approved::Digest(digest.clone()))),
            (None, None) => Ok(None),
        }
    }

    fn is_text(&self) -> bool {
        self.formatted.format == ReportFormat::Text
    }
}

/// The report of what was carried out.
pub(super) fn print_done(
    shell: &Shell,
    format: ReportFormat,
    review: &PlanReview<'_>,
    done: &Applied,
    took: Duration,
) -> Result<()> {
    let report = match format {
        ReportFormat::Text => format!("\n{}", applied::applied_text(review.plan, done.id, took)),
        ReportFormat::Json => apply_json(review, Some(done), None)?,
    };
    shell.print_done(&report, &format!("applied as {}", done.id));
    Ok(())
}

/// The JSON report of what writes and did not, where it is wanted: its plan.
pub(super) fn print_apply_report(
    shell: &Shell,
    format: ReportFormat,
    report: &PlanReview<'_>,
    error: Option<&Error>,
) -> Result<()> {
    match format {
        ReportFormat::Text => Ok(()),
        ReportFormat::Json => shell.print(&apply_json(report, None, error)?),
    }
}

fn apply_json(
    report: &PlanReview<'_>,
    done: Option<&Applied>,
    error: Option<&Error>,
) -> Result<String> {
    json::json_text(&json::ApplyReport {
        plan: report.json(error),
        applied: done.map(|done| json::AppliedReport {
            id: done.id,
            at: done.at.clone(),
        }),
        applied_already: None,
    })
}

/// How it is told that a plan is not the one that was approved.
fn stale_error(stale: &StalePlan, now: &Plan) -> Error {
    let error = match stale {
        StalePlan::Digest { approved, now } => {
            let digests = format!("  approved: {approved}\n  now:      {now}");
            let message = "the plan is not the one that was approved";
            Error::exit(Exit::Stale, message).lines(&digests)
        }
        StalePlan::Secret(config) => {
            let message = format!(
                "the secret of config.{config} was compared and found the same when the plan was \
                 approved, and it is another one now"
            );
            Error::exit(Exit::Stale, message)
        }
        StalePlan::Numbers(more) => {
            let message = format!(
                "calls of {} of `{}` would change now, and of {} when the plan was approved",
                counted(more.now, "number"),
                more.tenant,
                more.approved
            );
            Error::exit(Exit::Stale, message)
        }
        StalePlan::Plan(saved) => {
            let message = "the plan is not the one that was approved; what differs:";
            Error::exit(Exit::Stale, message).lines(&stale::stale_text(&saved.plan, now))
        }
    };
    error.hint("nothing was written: look at `lkroute plan`, and have it approved anew")
}

/// Tells the terminal what takes long; stopped by Ctrl-C.
pub(super) fn watcher() -> Watcher<impl Future<Output = ()>> {
    Watcher {
        notice: |text| anstream::eprintln!("note: {text}"),
        stop: asked_to_stop(),
    }
}

/// Asks, where somebody is there to answer; `command` is what is asked for.
pub(super) fn approve(shell: &Shell, command: &str, yes: bool, asks: bool) -> Result<()> {
    if yes {
        return Ok(());
    }
    if !asks {
        let look = match command {
            "apply" => "look at `lkroute plan`, then say `lkroute apply --auto-approve`".to_owned(),
            _ => format!("look at it, then say `lkroute {command} … --auto-approve`"),
        };
        return Err(
            Error::new("nothing was applied: nobody is there to approve the plan").hint(look),
        );
    }
    match shell.ask("\nApply this? Only `yes` is a yes:")?.as_str() {
        "yes" => Ok(()),
        _ => Err(Error::new("nothing was applied: the answer was not `yes`")),
    }
}
