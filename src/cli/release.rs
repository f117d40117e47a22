//! `lkroute release`: gives objects back without touching them. Imports what
//! commands share, the store and `render`.

use std::time::Instant;

use clap::Args;
use uuid::Uuid;

use super::apply::{approve, carry_out, counts};
use super::database::Target;
use super::globals::{Format, Formatted};
use super::report::Report;
use super::shell::Shell;
use super::{Stop, actor, database, lookup, routing_files};
use crate::address::Address;
use crate::diff::plan::Plan;
use crate::diff::target;
use crate::error::{Error, Exit, Result};
use crate::impact::reroutes::Reroutes;
use crate::render::applied;
use crate::render::json::{self, AppliedReport, ApplyReport};
use crate::snapshot::Snapshot;
use crate::store::{Applied, ApplyOrder, Mode};

const EXAMPLES: &str = "\
Examples:
  lkroute release binding.+971545335200@sasya
  lkroute release --all             lkroute keeps only its history

First take the objects out of the files: what is still declared would be
adopted again by the next plan. Where the files no longer declare an object,
`apply` would delete it; after a release it stays as it is.";

/// Give objects back to others, as they are
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ReleaseArgs {
    /// What is given back; may be repeated
    #[arg(value_name = "ADDRESS", required_unless_present = "all")]
    addresses: Vec<Address>,

    /// Everything that lkroute manages
    #[arg(long, conflicts_with = "addresses")]
    all: bool,

    /// Don't ask
    #[arg(long)]
    auto_approve: bool,

    /// Why; kept in the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    /// Fold nothing: name every object
    #[arg(long)]
    full: bool,

    #[command(flatten)]
    pub formatted: Formatted,
}

impl ReleaseArgs {
    pub fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let target = lookup::target(&shell.context())?;
        let (plan, snapshot) = database::block_on(async {
            let mut store = database::open_current(&shell.context(), &target, Mode::Read).await?;
            store.release(self.wanted()).await
        })?;
        lookup::own_environment(&shell.context(), snapshot.environment.as_deref())?;
        let plan = plan.map_err(|unknown| not_ours(&unknown))?;
        self.no_longer_declared(shell, &plan)?;
        Ok(database::block_on(
            self.give_back(shell, &target, &plan, &snapshot),
        )?)
    }

    fn wanted(&self) -> Option<&[Address]> {
        (!self.all).then_some(self.addresses.as_slice())
    }

    /// What is still declared would be adopted again. Outside the repository
    /// there are no files, and files without any object declare none.
    fn no_longer_declared(&self, shell: &Shell, plan: &Plan) -> Result<(), Stop> {
        if !shell.globals.routing.exists() {
            return Ok(());
        }
        let mut loaded = routing_files::load_files(&shell.context());
        let empty = ["no-files", "no-objects"];
        loaded
            .findings
            .retain(|finding| !empty.contains(&finding.code.as_ref()));
        let routing = routing_files::valid(loaded)?.routing;
        let released = plan
            .changes
            .iter()
            .map(|change| plan.address(change.object));
        let released: Vec<Address> = released.collect();
        let unknown = target::unknown(&Plan::default(), &routing, &released);
        let declared = released.iter().find(|address| !unknown.contains(address));
        match declared {
            None => Ok(()),
            Some(address) => Err(Error::new(format!(
                "{address} is still declared in the files: the next plan would adopt it again"
            ))
            .hint("take it out of the files first, or limit it to other environments with `only`")
            .into()),
        }
    }

    async fn give_back(
        &self,
        shell: &Shell,
        target: &Target,
        plan: &Plan,
        snapshot: &Snapshot,
    ) -> Result<Exit> {
        let is_text = self.formatted.format == Format::Text;
        let reroutes = Reroutes::default();
        let report = Report {
            plan,
            reroutes: &reroutes,
            refusals: &[],
            offline: None,
            number: None,
            saved: false,
        };
        if is_text {
            shell.print(&report.text(shell.view(self.full)))?;
        }
        let mut done: Option<Applied> = None;
        if !plan.is_empty() {
            let asks = shell.is_interactive() && is_text;
            approve(shell, "release", self.auto_approve, asks)?;
            let start = Instant::now();
            let order = self.order(shell, plan, snapshot)?;
            let applied = carry_out(shell, target, plan, &order).await?;
            if is_text {
                let summary = applied::text(plan, applied.id, start.elapsed());
                shell.print(&format!("\n{summary}"))?;
            }
            done = Some(applied);
        }
        if !is_text {
            shell.print(&json::text(&ApplyReport {
                plan: report.json(None),
                applied: done.map(|done| AppliedReport {
                    id: done.id,
                    at: done.at,
                }),
                applied_already: None,
            })?)?;
        }
        Ok(Exit::Done)
    }

    fn order(&self, shell: &Shell, plan: &Plan, snapshot: &Snapshot) -> Result<ApplyOrder> {
        let actor = actor::current_actor();
        let last = snapshot.last_apply.as_ref();
        Ok(ApplyOrder {
            // What is left is still of that commit.
            revision: last.and_then(|apply| apply.revision.clone()),
            dirty: last.is_some_and(|apply| apply.dirty),
            owner: snapshot.owner.clone(),
            environment: snapshot.environment.clone(),
            reason: self.reason.clone(),
            counts: counts(plan),
            lock_timeout: shell.globals.write_lock_timeout(),
            ..ApplyOrder::new(Uuid::new_v4(), "release", &actor)
        })
    }
}

fn not_ours(unknown: &[Address]) -> Error {
    let names: Vec<String> = unknown.iter().map(Address::to_string).collect();
    Error::new(format!(
        "not lkroute's in this database: {}",
        names.join(", ")
    ))
    .hint("`lkroute history --address` says whether it ever was")
}
