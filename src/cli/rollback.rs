//! `lkroute rollback`: brings back the state that an earlier apply left.
//! Imports what commands share, the store and `render`.

use std::time::Instant;

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
use crate::guards::{self, Basis, GuardContext};
use crate::impact::reroutes::{self, Reroutes};
use crate::render::applied;
use crate::render::history::whose;
use crate::render::json::{self, AppliedReport, ApplyReport};
use crate::render::style::{BOLD, counted, paint};
use crate::render::text::View;
use crate::snapshot::{ApplyId, ApplyRecord};
use crate::store::{Applied, ApplyOrder, Back, Mode};

const EXAMPLES: &str = "\
Examples:
  lkroute history                      which apply?
  lkroute rollback --to 6 --dry-run    what would it change?
  lkroute rollback --to 6 --reason \"calls to the UAE fail\"

It needs neither the repository nor a key: what each apply left is kept in the
database. It is planned, judged by the guards and applied like any change, as
an apply of its own. With a reason, undoing the latest apply alone is not held
up by budgets; protection and policies hold. Until the files change, `apply`
refuses to apply again what was undone.";

/// Go back to what an earlier apply left
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct RollbackArgs {
    /// The apply whose state is to come back
    #[arg(long, value_name = "APPLY", value_parser = history::number)]
    to: ApplyId,

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
    back: Back,
    reroutes: Reroutes,
    refusals: Vec<Finding>,
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

/// Whether going back to `to` undoes one apply alone: the latest, or the one
/// whose state the latest, a rollback, brought back. `applies`: newest first.
fn undoes_one(applies: &[ApplyRecord], to: ApplyId) -> bool {
    let before = |id: ApplyId| {
        applies
            .iter()
            .find(|apply| apply.id < id)
            .map(|apply| apply.id)
    };
    let mut current = applies.first();
    while let Some(apply) = current {
        if before(apply.id) == Some(to) {
            return true;
        }
        current = applies
            .iter()
            .find(|known| Some(known.id) == apply.restores);
    }
    false
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
        let judged = self.judged(shell, target, seen).await?;
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

    async fn judged(&self, shell: &Shell, target: &Target, seen: bool) -> Result<Judged> {
        let mut store = database::open_current(&shell.context(), target, Mode::Read).await?;
        let progress = shell.count("comparing", Total::Unknown);
        let mut tell = |rows| progress.at(rows);
        let mut back = store
            .back_to(Some(self.to), &mut tell, Uuid::now_v7)
            .await?;
        lookup::own_environment(&shell.context(), back.snapshot.environment.as_deref())?;
        if back.state.routing.configs.is_empty() && back.state.routing.bindings.is_empty() {
            let message = format!("apply {} left nothing that could come back", self.to);
            return Err(Error::new(message).hint("`lkroute release` gives objects back"));
        }
        if !seen {
            back.plan = std::mem::take(&mut back.plan).without_drift();
        }
        // Secrets come back in the form that they had, whatever that was.
        let mut stored = back.snapshot.configs.iter();
        back.state.routing.secret_format = stored.find_map(|row| format_of(row.secret.as_stored()));
        let reroutes = reroutes::reroutes(&back.plan);
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
                    one: undoes_one(&back.applies, self.to),
                },
            },
        );
        back.plan.findings.extend(guard_report.warnings);
        Ok(Judged {
            back,
            reroutes,
            refusals: guard_report.refusals,
        })
    }

    fn text(&self, shell: &Shell, judged: &Judged) -> String {
        let to = judged.record(self.to).map(whose).unwrap_or_default();
        let title = paint(BOLD, format!("Back to {to}"));
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
            })?),
        }
    }

    fn order(&self, shell: &Shell, judged: &Judged) -> Result<ApplyOrder> {
        let actor = actor::current_actor();
        let back = &judged.back;
        let guards = serde_json::to_value(&back.state.routing.guards);
        let guards = guards.map_err(|error| Error::new(format!("the guards: {error}")))?;
        let restored = judged.record(self.to);
        Ok(ApplyOrder {
            // What is there now is what that commit says.
            revision: restored.and_then(|apply| apply.revision.clone()),
            dirty: restored.is_some_and(|apply| apply.dirty),
            owner: back.snapshot.owner.clone(),
            environment: back.snapshot.environment.clone(),
            reason: self.reason.clone(),
            counts: counts(&back.plan),
            guards,
            restores: Some(self.to),
            secrets: back.secrets(),
            lock_timeout: shell.globals.write_lock_timeout(),
            ..ApplyOrder::new(Uuid::new_v4(), "rollback", &actor)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_step_back_is_one_step_from_what_there_is() {
        let apply = |id, restores| ApplyRecord {
            id,
            restores,
            ..ApplyRecord::default()
        };
        let plain = [apply(3, None), apply(2, None), apply(1, None)];
        assert!(undoes_one(&plain, 2) && !undoes_one(&plain, 1));
        let back = [
            apply(4, Some(2)),
            apply(3, None),
            apply(2, None),
            apply(1, None),
        ];
        assert!(undoes_one(&back, 3), "the rollback itself");
        assert!(undoes_one(&back, 1), "what it brought back");
        assert!(!undoes_one(&back, 2));
    }
}
