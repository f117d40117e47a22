//! Back to the state that an earlier apply left: which one, what that changes,
//! and what the guards say. Imports core and the store.

use uuid::Uuid;

use super::applied_states::{self, RollbackPlan};
use super::apply::{guards_value, new_request};
use super::database::{self, Target};
use super::planning::today;
use super::verdict::verdict;
use super::{Context, Stop, Total, lookup};
use crate::count_words::counted;
use crate::diff::secret::format_of;
use crate::error::{Error, Exit, Result};
use crate::finding::Finding;
use crate::guards::account::BudgetAccount;
use crate::guards::{self, Basis, GuardContext};
use crate::history::lineage;
use crate::impact::reroutes::{self, Reroutes};
use crate::impact::window::window_sum;
use crate::snapshot::{ApplyId, ApplyRecord};
use crate::store::{Mode, WriteRequest};

/// Which state could come back.
pub enum RollbackChoice {
    To {
        apply: ApplyId,
        /// The apply that this undoes, where nobody named one to go back to.
        undone: Option<ApplyId>,
    },
    /// Nothing is left to undo; `first` is where there was nothing before.
    Nothing { first: Option<ApplyRecord> },
    /// There is no such apply among these, the newest first.
    Unknown {
        wanted: ApplyId,
        applies: Vec<ApplyRecord>,
    },
}

/// Whose state is to come back: that of `to`, else the one before the newest
/// apply that changed objects and is neither a rollback nor undone.
///
/// # Errors
/// Nothing has been applied.
pub async fn choose_rollback(
    context: &Context<'_>,
    to: Option<ApplyId>,
) -> Result<RollbackChoice, Stop> {
    let target = lookup::target(context)?;
    let mut store = database::open_current(context, &target, Mode::Read).await?;
    store.begin_read().await?;
    let applies = store.applies().await?;
    store.end_read().await?;
    if applies.is_empty() {
        return Err(Error::new("nothing has been applied to this database").into());
    }
    Ok(match to {
        Some(wanted) if !applies.iter().any(|apply| apply.id == wanted) => {
            RollbackChoice::Unknown { wanted, applies }
        }
        Some(apply) => RollbackChoice::To {
            apply,
            undone: None,
        },
        None => match lineage::step_back(&applies) {
            Some((undone, Some(apply))) => RollbackChoice::To {
                apply,
                undone: Some(undone.id),
            },
            Some((first, None)) => RollbackChoice::Nothing {
                first: Some(first.clone()),
            },
            None => RollbackChoice::Nothing { first: None },
        },
    })
}

/// What is to come back, and how.
pub struct RollbackRequest {
    pub to: ApplyId,
    /// The apply that is undone, where that was chosen for the user.
    pub undone: Option<ApplyId>,
    pub reason: Option<String>,
    /// Drift is left alone, as nobody sees what would be set back.
    pub leave_drift: bool,
}

/// The way back, judged.
pub struct JudgedRollback {
    pub target: Target,
    pub back: RollbackPlan,
    pub reroutes: Reroutes,
    /// What guards refuse.
    pub refusals: Vec<Finding>,
    account: BudgetAccount,
    request: RollbackRequest,
}

/// Plans the way back, and judges it by the stored guards.
pub async fn judge_rollback(
    context: &Context<'_>,
    request: RollbackRequest,
) -> Result<JudgedRollback, Stop> {
    let to = request.to;
    let target = lookup::target(context)?;
    let mut store = database::open_current(context, &target, Mode::Read).await?;
    let progress = context.progress.count("comparing", Total::Unknown);
    let mut tell = |rows| progress.at(rows);
    let back = applied_states::read_rollback(&mut store, Some(to), &mut tell, Uuid::now_v7).await;
    drop(progress);
    let mut back = back?;
    database::own_environment(context, back.snapshot.environment.as_deref())?;
    if back.state.routing.configs.is_empty() && back.state.routing.bindings.is_empty() {
        let message = format!("apply {to} left nothing that could come back");
        let error = Error::new(message).hint("`lkroute release --all` gives objects back");
        return Err(error.into());
    }
    if request.leave_drift {
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
            today: today(),
            basis: Basis::Rollback {
                reason: request.reason.is_some(),
                one: lineage::undoes_one(&back.applies, to),
            },
            secrets: None,
        },
    );
    back.plan.findings.extend(guard_report.warnings);
    let mut refusals = guard_report.refusals;
    let undoing = lineage::undone_by(&back.applies, to).filter(|_| request.reason.is_none());
    refusals.extend(undoing.map(|rollback| was_undone(to, rollback)));
    Ok(JudgedRollback {
        target,
        back,
        reroutes,
        refusals,
        account: guard_report.account,
        request,
    })
}

/// A state that was undone is not gone back to by a slip of the hand.
fn was_undone(to: ApplyId, rollback: &ApplyRecord) -> Finding {
    let why = rollback.reason.as_ref();
    let why = why.map_or(String::new(), |reason| format!(": {reason}"));
    let message = format!("apply {to} was undone by apply {}{why}", rollback.id);
    Finding::error("undone", message).hint("say why it is to come back, with --reason TEXT")
}

impl JudgedRollback {
    /// Whether it can be applied.
    ///
    /// # Errors
    /// Why not.
    pub fn verdict(&self) -> Result<()> {
        verdict(&self.back.plan, &self.refusals).map_err(|error| match error.exit {
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

    /// The apply whose state comes back.
    pub fn restored(&self) -> Option<&ApplyRecord> {
        self.record(self.request.to)
    }

    /// The apply that is undone, where that was chosen for the user.
    pub fn undone(&self) -> Option<&ApplyRecord> {
        self.record(self.request.undone?)
    }

    fn record(&self, apply: ApplyId) -> Option<&ApplyRecord> {
        self.back.applies.iter().find(|known| known.id == apply)
    }

    /// What the store is told beside the plan.
    pub fn request(&self, context: &Context<'_>) -> Result<WriteRequest> {
        let back = &self.back;
        let restored = self.restored();
        Ok(WriteRequest {
            // The state that was brought back is that of this commit.
            revision: restored.and_then(|apply| apply.revision.clone()),
            dirty: restored.is_some_and(|apply| apply.dirty),
            owner: back.snapshot.owner.clone(),
            environment: back.snapshot.environment.clone(),
            reason: self.request.reason.clone(),
            guards: guards_value(&back.state.routing.guards)?,
            account: self.account.to_json(),
            restores: Some(self.request.to),
            secrets: back.secrets(),
            ..new_request(context, "rollback", &back.plan)
        })
    }
}
