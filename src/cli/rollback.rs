//! `lkroute rollback`: brings back the state that an earlier apply left.
//! Imports what commands share, the store and `render`.

use std::time::Instant;

use anstream::adapter::strip_str;
use clap::Args;
use uuid::Uuid;

use super::apply::{approve, carry_out, counts};
use super::database::Target;
use super::globals::{Format, Formatted};
use super::report::Report;
use super::shell::Shell;
use super::{Stop, actor, database, history, lookup, planning};
use crate::app::Total;
use crate::diff::secret::format_of;
use crate::error::{Error, Exit, Result};
use crate::finding::Finding;
use crate::guards::account::BudgetAccount;
use crate::guards::{self, Basis, GuardContext};
use crate::history::lineage;
use crate::impact::reroutes::{self, Reroutes};
use crate::impact::window::window_sum;
use crate::render::applied;
use crate::render::history::{self as render_history, whose};
use crate::render::json::{self, AppliedReport, ApplyReport};
use crate::render::style::{BOLD, counted, paint};
use crate::render::text::View;
use crate::snapshot::{ApplyId, ApplyRecord};
use crate::store::{Applied, ApplyOrder, Back, Mode};

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
pub struct RollbackArgs {
    /// The apply whose state is to come back; without it one step back
    #[arg(long, value_name = "APPLY", value_parser = history::number)]
    to: Option<ApplyId>,

    /// Why; kept in the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    /// Show what it would do, and do nothing
    #[arg(long, conflicts_with = "auto_approve")]
    dry_run: bool,

    /// Don't ask; drift is then left alone
    #[arg(long)]
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

/// The way back, judged.
struct Judged {
    /// The apply whose state comes back.
    to: ApplyId,
    /// The apply that is undone, where that was chosen for the user.
    undone: Option<ApplyId>,
    back: Back,
    reroutes: Reroutes,
    refusals: Vec<Finding>,
    account: BudgetAccount,
}

impl Judged {
    fn report(&self) -> Report<'_> {
        Report {
            plan: &self.back.plan,
            reroutes: &self.reroutes,
            refusals: &self.refusals,
            offline: None,
            number: None,
            saved: false,
        }
    }

    fn verdict(&self) -> Option<Error> {
        let error = self.report().verdict()?;
        Some(match error.exit {
            Exit::Conflict => {
                let count = counted(self.back.plan.conflicts().count() as u64, "object");
                let message = format!(
                    "{count} in conflict: others changed what the rollback would set, and \
                     nothing is applied"
                );
                Error::exit(Exit::Conflict, message)
            }
            _ => error,
        })
    }

    fn record(&self, apply: ApplyId) -> Option<&ApplyRecord> {
        self.back.applies.iter().find(|known| known.id == apply)
    }
}

/// Applies that are shown to choose from.
const SHOWN: usize = 5;

/// A state that was undone is not gone back to by a slip of the hand.
fn forward(to: ApplyId, rollback: &ApplyRecord) -> Finding {
    let why = rollback.reason.as_ref();
    let why = why.map_or(String::new(), |reason| format!(": {reason}"));
    let message = format!("apply {to} was undone by apply {}{why}", rollback.id);
    Finding::error("undone", message).hint("say why it is to come back, with --reason TEXT")
}

impl RollbackArgs {
    pub fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let target = lookup::target(&shell.context())?;
        Ok(database::block_on(self.roll_back(shell, &target))?)
    }

    async fn roll_back(&self, shell: &Shell, target: &Target) -> Result<Exit> {
        let is_text = self.formatted.format == Format::Text;
        let asks = shell.is_interactive() && !self.auto_approve && is_text;
        let seen = asks || self.revert_drift || self.dry_run;
        let Some((to, undone)) = self.choose(shell, target).await? else {
            return Ok(Exit::Done);
        };
        let judged = self.judged(shell, target, (to, undone), seen).await?;
        if is_text {
            shell.print(&self.text(shell, &judged))?;
        }
        if let Some(error) = judged.verdict() {
            self.print_json(shell, &judged, None, Some(&error))?;
            shell.complain(&error);
            return Ok(error.exit);
        }
        if judged.back.plan.is_empty() || self.dry_run {
            self.print_json(shell, &judged, None, None)?;
            return Ok(Exit::Done);
        }
        approve(shell, "rollback", self.auto_approve, asks)?;
        let start = Instant::now();
        let order = self.order(shell, &judged)?;
        let done = carry_out(shell, target, &judged.back.plan, &order).await?;
        self.print_json(shell, &judged, Some(&done), None)?;
        if is_text {
            let summary = applied::text(&judged.back.plan, done.id, start.elapsed());
            shell.print(&format!("\n{summary}"))?;
        }
        Ok(Exit::Done)
    }

    /// Whose state is to come back, and what that undoes where nobody said it;
    /// nothing where there is nothing to undo.
    async fn choose(
        &self,
        shell: &Shell,
        target: &Target,
    ) -> Result<Option<(ApplyId, Option<ApplyId>)>> {
        let mut store = database::open_current(&shell.context(), target, Mode::Read).await?;
        store.begin_read().await?;
        let applies = store.applies().await?;
        store.end_read().await?;
        if applies.is_empty() {
            return Err(Error::new("nothing has been applied to this database"));
        }
        if let Some(to) = self.to {
            if !applies.iter().any(|apply| apply.id == to) {
                let last = applies.get(..SHOWN.min(applies.len())).unwrap_or_default();
                let list = strip_str(&render_history::list(last, None)).to_string();
                let lines: Vec<&str> = list.lines().skip(1).collect();
                let error = Error::new(format!("there is no apply {to}; these are the last:"));
                let error = error.lines(&lines.join("\n"));
                return Err(error.hint("`lkroute history` has them all"));
            }
            return Ok(Some((to, None)));
        }
        let text = match lineage::step_back(&applies) {
            Some((undone, Some(to))) => return Ok(Some((to, Some(undone.id)))),
            Some((first, None)) => format!(
                "Nothing to undo: before {} there was nothing. `lkroute release` gives objects back.\n",
                whose(first)
            ),
            None => "Nothing to undo: no apply that is left changed an object.\n".to_owned(),
        };
        shell.print(&text)?;
        Ok(None)
    }

    async fn judged(
        &self,
        shell: &Shell,
        target: &Target,
        (to, undone): (ApplyId, Option<ApplyId>),
        seen: bool,
    ) -> Result<Judged> {
        let mut store = database::open_current(&shell.context(), target, Mode::Read).await?;
        let progress = shell.count("comparing", Total::Unknown);
        let mut tell = |rows| progress.at(rows);
        let mut back = store.back_to(Some(to), &mut tell, Uuid::now_v7).await?;
        lookup::own_environment(&shell.context(), back.snapshot.environment.as_deref())?;
        if back.state.routing.configs.is_empty() && back.state.routing.bindings.is_empty() {
            let message = format!("apply {to} left nothing that could come back");
            return Err(Error::new(message).hint("`lkroute release` gives objects back"));
        }
        if !seen {
            back.plan = std::mem::take(&mut back.plan).without_drift();
        }
        // Secrets come back in the form that they had, whatever that was.
        let mut stored = back.snapshot.configs.iter();
        back.state.routing.secret_format = stored.find_map(|row| format_of(row.secret.as_stored()));
        let mut reroutes = reroutes::reroutes(&back.plan);
        reroutes.window = window_sum(&mut back.plan);
        let guard_report = guards::evaluate(
            &back.plan,
            &GuardContext {
                routing: &back.state.routing,
                snapshot: &back.snapshot,
                reroutes: &reroutes,
                applied: back.snapshot.guards.readable()?,
                today: planning::today(),
                basis: Basis::Rollback {
                    reason: self.reason.is_some(),
                    one: lineage::undoes_one(&back.applies, to),
                },
                secrets: None,
            },
        );
        back.plan.findings.extend(guard_report.warnings);
        let mut refusals = guard_report.refusals;
        let undoing = lineage::undone_by(&back.applies, to).filter(|_| self.reason.is_none());
        refusals.extend(undoing.map(|rollback| forward(to, rollback)));
        Ok(Judged {
            to,
            undone,
            back,
            reroutes,
            refusals,
            account: guard_report.account,
        })
    }

    fn text(&self, shell: &Shell, judged: &Judged) -> String {
        let to = judged.record(judged.to).map(whose).unwrap_or_default();
        let undone = judged.undone.and_then(|id| judged.record(id));
        let undone = undone.map_or(String::new(), |apply| format!("\nUndoes {}", whose(apply)));
        let title = paint(BOLD, format!("Back to {to}{undone}"));
        let view = View {
            back: true,
            ..shell.view(self.full)
        };
        format!("{title}\n{}", judged.report().text(view))
    }

    fn print_json(
        &self,
        shell: &Shell,
        judged: &Judged,
        done: Option<&Applied>,
        error: Option<&Error>,
    ) -> Result<()> {
        match self.formatted.format {
            Format::Text => Ok(()),
            Format::Json => shell.print(&json::text(&ApplyReport {
                plan: judged.report().json(error),
                applied: done.map(|done| AppliedReport {
                    id: done.id,
                    at: done.at.clone(),
                }),
                applied_already: None,
            })?),
        }
    }

    fn order(&self, shell: &Shell, judged: &Judged) -> Result<ApplyOrder> {
        let actor = actor::current_actor();
        let back = &judged.back;
        let guards = serde_json::to_value(&back.state.routing.guards);
        let guards = guards.map_err(|error| Error::new(format!("the guards: {error}")))?;
        let restored = judged.record(judged.to);
        Ok(ApplyOrder {
            // What is there now is what that commit says.
            revision: restored.and_then(|apply| apply.revision.clone()),
            dirty: restored.is_some_and(|apply| apply.dirty),
            owner: back.snapshot.owner.clone(),
            environment: back.snapshot.environment.clone(),
            reason: self.reason.clone(),
            counts: counts(&back.plan),
            guards,
            account: judged.account.to_json(),
            restores: Some(judged.to),
            secrets: back.secrets(),
            lock_timeout: shell.globals.write_lock_timeout(),
            ..ApplyOrder::new(Uuid::new_v4(), "rollback", &actor)
        })
    }
}
