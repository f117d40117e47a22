//! All that the guards say of a plan. Core: imports the model, `phone`,
//! `source`, `resolve`, `diff` and `impact`.

pub mod account;
pub(crate) mod budgets;
mod context;
pub mod exceptions;
pub(crate) mod hard_checks;
pub(crate) mod policies;
pub(crate) mod protection;
mod reroute_budgets;
mod scope;
pub(crate) mod shared_secrets;
#[cfg(test)]
mod tests;
pub(crate) mod violation;

pub use self::context::{Basis, GuardContext};

use self::account::BudgetAccount;
use self::violation::Violation;
use crate::diff::plan::Plan;
use crate::finding::Finding;
use crate::routing::guards::{Guards, Limit};

/// What the guards say: refusals, and warnings about exceptions.
#[derive(Debug, Default)]
pub struct GuardReport {
    pub refusals: Vec<Finding>,
    pub warnings: Vec<Finding>,
    /// What an apply of the plan keeps for the budgets of later ones.
    pub account: BudgetAccount,
}

/// The warning where no policy denies it.
fn widening(violation: Violation) -> Finding {
    let finding = Finding::warning(violation.guard, violation.message);
    finding.hint("`widen = \"deny\"` below `[guards.policy]` refuses this")
}

/// Judges a plan by the guards in the files and those of the last apply, each
/// for itself, so that a change can't loosen its own guard.
pub fn evaluate(plan: &Plan, context: &GuardContext<'_>) -> GuardReport {
    let ours = &context.routing.guards;
    let enforced = context
        .applied
        .map_or_else(|| ours.clone(), |applied| ours.stricter(applied));
    let left_open = |guards: &Guards| guards.reroutes.per_tenant == Limit::default();
    let defaults = left_open(ours) || context.applied.is_some_and(left_open);
    let files = (context.routing, context.snapshot);
    let mut violations = budgets::violations(plan, context.reroutes, files, &enforced, defaults);
    if context.basis.has_no_budgets() {
        violations.clear();
    }
    let protected = protection::violations(plan, context, &enforced.protected);
    violations.extend(protected);
    violations.extend(policies::moved_numbers(plan, context));
    let widened = budgets::widened(plan, context.reroutes, files);
    let denied = context.policies().any(|policy| policy.deny_widen);
    let noted = match widened {
        Some(widened) if !denied => Some(widening(widened)),
        widened => {
            violations.extend(widened);
            None
        }
    };
    let judged = exceptions::refuse(plan, violations, context);
    let mut guard_report = GuardReport {
        refusals: hard_checks::refusals(plan, context.routing, context.snapshot),
        warnings: judged.warnings,
        account: BudgetAccount {
            exempt_all: context.basis.has_no_budgets(),
            ..BudgetAccount::new(plan, &judged.exempt)
        },
    };
    guard_report.warnings.extend(noted);
    if context.basis == Basis::Files {
        let idle = protection::idle_patterns(plan, context);
        guard_report.warnings.extend(idle);
    }
    guard_report.refusals.extend(judged.refusals);
    // What stays as it is breaks no policy that it did not break before.
    let mut broken = match context.basis {
        Basis::Release => Vec::new(),
        Basis::Files | Basis::Rollback { .. } => policies::broken(context),
    };
    if context.basis == Basis::Files {
        broken.extend(shared_secrets::shared_sources(context));
    }
    let refused = exceptions::refuse_policies(broken, context);
    guard_report.refusals.extend(refused);
    guard_report
}
