//! `lkroute apply`: plans, shows, asks, and carries it out in one
//! transaction. Imports what commands share, the store and `render`.

use std::path::PathBuf;
use std::pin::pin;
use std::time::Instant;

use clap::Args;
use serde_json::Value;
use tokio::sync::watch;
use uuid::Uuid;

use super::approval::{self, Approved};
use super::database::Target;
use super::globals::{Format, Formatted};
use super::keys::KeyArgs;
use super::planning::{self, Planned, Wish};
use super::shell::Shell;
use super::signals::asked_to_stop;
use super::{Stop, actor, database, revision, sealing};
use crate::address::Address;
use crate::app::Total;
use crate::diff::plan::Plan;
use crate::error::{Error, Exit, Result};
use crate::git::Revision;
use crate::history::lineage;
use crate::render::{applied, json};
use crate::secrets::KeyRing;
use crate::snapshot::ApplyRecord;
use crate::store::{Applied, ApplyOrder, Mode, SchemaState};

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
pub struct ApplyArgs {
    /// A saved plan: applied only if what would be done is still the same
    #[arg(value_name = "FILE", conflicts_with_all = ["target", "expect"])]
    file: Option<PathBuf>,

    /// The digest of the plan that was approved
    #[arg(long, value_name = "DIGEST")]
    expect: Option<String>,

    /// Don't ask; drift is then left alone
    #[arg(long)]
    auto_approve: bool,

    /// Also set back what was changed outside lkroute
    #[arg(long)]
    revert_drift: bool,

    /// Only this object and what it newly depends on; may be repeated
    #[arg(long, value_name = "ADDRESS")]
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
    pub fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let ring = self.keys.ring()?;
        database::block_on(self.apply(shell, &ring))
    }

    async fn apply(&self, shell: &Shell, ring: &KeyRing) -> Result<Exit, Stop> {
        let approved = self.approved_before()?;
        let seen = approved.is_some();
        let asks = shell.is_interactive() && !self.auto_approve && !seen && self.is_text();
        let saved = approved
            .as_ref()
            .map_or(Ok(Vec::new()), Approved::targets)?;
        let wish = Wish {
            targets: if self.target.is_empty() {
                &saved
            } else {
                &self.target
            },
            leave_drift: !asks && !seen && !self.revert_drift,
            to_write: true,
            ..Wish::default()
        };
        let planned = planning::plan(shell, ring, wish).await?;
        planned.tell_uncommitted(shell);
        let revision = planned.checked_out.as_ref();
        let revision = revision.map(|found| found.revision.clone());
        if self.is_text() {
            shell.print(&planned.report().text(shell.view(self.full)))?;
        }
        let ordered = self.in_order(shell, &planned, revision.as_ref());
        let stale = approved.map_or(Ok(()), |approved| approved.check(&planned));
        let over = planned.plan.is_empty() || ordered.is_err() || stale.is_err();
        if let Some(done) = revision
            .as_ref()
            .filter(|_| over)
            .and_then(|now| already(&planned, now))
        {
            return self.applied_already(shell, &planned, done);
        }
        let verdict = planned.report().verdict().map_or(Ok(()), Err);
        let refused = verdict.and(stale).and(ordered);
        if let Err(error) = refused {
            self.print_json(shell, &planned, None, Some(&error))?;
            shell.complain(&error);
            return Ok(error.exit);
        }
        if planned.plan.is_empty() {
            self.print_json(shell, &planned, None, None)?;
            return Ok(Exit::Done);
        }
        let mut order = self.order(shell, &planned, revision)?;
        let Planned { plan, rules, .. } = &planned;
        order.secrets = sealing::prepare(rules, plan, &planned.routing, &planned.facts, ring)?;
        if !seen {
            approve(shell, "apply", self.auto_approve, asks)?;
        }
        let start = Instant::now();
        let done = carry_out(shell, &planned.target, &planned.plan, &order).await?;
        self.print_json(shell, &planned, Some(&done), None)?;
        if self.is_text() {
            let summary = applied::text(&planned.plan, done.id, start.elapsed());
            shell.print(&format!("\n{summary}"))?;
        }
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
            Format::Text => {
                let text = format!("\nAlready applied as {}: nothing is written.\n", done.id);
                shell.print(&text)?;
            }
            Format::Json => shell.print(&json::text(&json::ApplyReport {
                plan: planned.report().json(None),
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
            (Some(path), _) => Ok(Some(Approved::Plan(Box::new(approval::read(path)?)))),
            (None, Some(digest)) => Ok(Some(Approved::Digest(digest.clone()))),
            (None, None) => Ok(None),
        }
    }

    fn is_text(&self) -> bool {
        self.formatted.format == Format::Text
    }

    fn print_json(
        &self,
        shell: &Shell,
        planned: &Planned,
        done: Option<&Applied>,
        error: Option<&Error>,
    ) -> Result<()> {
        match self.formatted.format {
            Format::Text => Ok(()),
            Format::Json => shell.print(&json::text(&json::ApplyReport {
                plan: planned.report().json(error),
                applied: done.map(|done| json::AppliedReport {
                    id: done.id,
                    at: done.at.clone(),
                }),
                applied_already: None,
            })?),
        }
    }

    fn in_order(&self, shell: &Shell, planned: &Planned, now: Option<&Revision>) -> Result<()> {
        let last = planned.snapshot.last_apply.as_ref();
        revision::in_order(&shell.globals.routing, last, now, self.supersede.as_deref())
    }

    fn order(
        &self,
        shell: &Shell,
        planned: &Planned,
        revision: Option<Revision>,
    ) -> Result<ApplyOrder> {
        let actor = actor::current_actor();
        let Planned { plan, routing, .. } = planned;
        let guards = serde_json::to_value(planned.guards_after()?);
        let guards = guards.map_err(|error| Error::new(format!("the guards: {error}")))?;
        Ok(ApplyOrder {
            dirty: revision.as_ref().is_some_and(|revision| revision.dirty),
            revision: revision.map(|revision| revision.commit),
            owner: routing.owner.clone(),
            environment: routing.environment.clone(),
            counts: counts(plan),
            guards,
            account: planned.account.to_json(),
            files: Some(planned.digest.clone()),
            lock_timeout: shell.globals.write_lock_timeout(),
            ..ApplyOrder::new(Uuid::new_v4(), "apply", &actor)
        })
    }
}

/// The apply of this very commit, where nothing undid it.
fn already<'a>(planned: &'a Planned, now: &Revision) -> Option<&'a ApplyRecord> {
    let files_as_committed = !now.dirty;
    lineage::applied_already(&planned.applies, &now.commit).filter(|_| files_as_committed)
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

pub(super) fn counts(plan: &Plan) -> Value {
    let summary = json::summary(plan);
    serde_json::to_value(summary).unwrap_or_default()
}

/// Writes it all in one transaction; a SQLite file is made and brought up to
/// date first.
pub(super) async fn carry_out(
    shell: &Shell,
    target: &Target,
    plan: &Plan,
    order: &ApplyOrder,
) -> Result<Applied> {
    let (mut store, entry) = database::open_stamped(&shell.context(), target, Mode::Write).await?;
    if target.url.file().is_none() && entry.state != SchemaState::Current {
        return Err(entry.state.refusal(store.label()));
    }
    if target.url.file().is_some() {
        for step in store.migrate(false).await? {
            shell.detail(&format!("{}: {}", target.url.label(), step.name));
        }
    }
    let progress = shell.count("applying", Total::Known);
    let mut tell = |done, total| progress.of(done, total);
    let (ask, stop) = watch::channel(false);
    let order = ApplyOrder {
        stop: Some(stop),
        notice: |text| anstream::eprintln!("note: {text}"),
        ..order.clone()
    };
    let mut applying = pin!(store.apply(plan, &order, &mut tell));
    let done = tokio::select! {
        done = &mut applying => done,
        () = asked_to_stop() => {
            // It rolls back, or has begun to commit and says what became of it.
            ask.send_replace(true);
            applying.await
        }
    };
    done.map_err(|failed| failed.error)
}
