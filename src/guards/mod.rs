//! All that the guards say of a plan. Core: imports the model, `phone`,
//! `source`, `resolve`, `diff` and `impact`.

pub mod budgets;
pub mod exceptions;
pub mod hard_checks;
pub mod policies;
#[cfg(test)]
mod tests;

use jiff::civil::Date;

use crate::diff::plan::Plan;
use crate::finding::Finding;
use crate::impact::reroutes::Reroutes;
use crate::routing::Routing;
use crate::routing::guards::{Guards, Limit};
use crate::snapshot::Snapshot;

/// What a plan is judged by, beside itself.
#[derive(Debug, Clone, Copy)]
pub struct GuardContext<'a> {
    pub routing: &'a Routing,
    pub snapshot: &'a Snapshot,
    pub reroutes: &'a Reroutes,
    /// The guards of the last apply, where there was one.
    pub applied: Option<&'a Guards>,
    pub today: Date,
    /// Whether this undoes the latest apply, with a reason: then budgets and
    /// shares do not count, protection and policies do.
    pub undoes: bool,
}

/// What the guards say: refusals, and warnings about exceptions.
#[derive(Debug, Default)]
pub struct GuardReport {
    pub refusals: Vec<Finding>,
    pub warnings: Vec<Finding>,
}

/// Judges a plan by the stricter of the guards in the files and those of the
/// last apply, so that a change can't loosen its own guard.
pub fn evaluate(plan: &Plan, context: &GuardContext<'_>) -> GuardReport {
    let ours = &context.routing.guards;
    let enforced = context
        .applied
        .map_or_else(|| ours.clone(), |applied| ours.stricter(applied));
    let left_open = |guards: &Guards| guards.reroutes.per_tenant == Limit::default();
    let defaults = left_open(ours) || context.applied.is_some_and(left_open);
    let files = (context.routing, context.snapshot);
    let mut violations = budgets::violations(plan, context.reroutes, files, &enforced, defaults);
    if context.undoes {
        violations.retain(|violation| violation.guard == "protected");
    }
    violations.extend(policies::across_regions(
        plan,
        context.reroutes,
        &enforced.policy,
    ));
    let (refused, warnings) = exceptions::refuse(plan, violations, &ours.allow, context.today);
    let mut guard_report = GuardReport {
        refusals: hard_checks::refusals(plan, context.routing, context.snapshot),
        warnings,
    };
    guard_report.refusals.extend(refused);
    let broken = policies::broken(context.routing, &enforced.policy);
    let refused = exceptions::refuse_policies(broken, &ours.allow, context.today);
    guard_report.refusals.extend(refused);
    guard_report
}
