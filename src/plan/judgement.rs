//! All that the guards say of a plan, in one judgement. Core.

use jiff::civil::Date;

use super::reroute::Reroutes;
use super::{Plan, allow, budgets, guards, policy};
use crate::finding::Finding;
use crate::guards::{Guards, Limit};
use crate::routing::Routing;
use crate::snapshot::Snapshot;

/// What a plan is judged by, beside itself.
#[derive(Debug, Clone, Copy)]
pub struct Bench<'a> {
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
pub struct Judgement {
    pub refusals: Vec<Finding>,
    pub warnings: Vec<Finding>,
}

/// Judges a plan by the stricter of the guards in the files and those of the
/// last apply, so that a change can't loosen its own guard.
pub fn judge(plan: &Plan, bench: &Bench<'_>) -> Judgement {
    let ours = &bench.routing.guards;
    let enforced = bench
        .applied
        .map_or_else(|| ours.clone(), |applied| ours.stricter(applied));
    let left_open = |guards: &Guards| guards.reroutes.per_tenant == Limit::default();
    let defaults = left_open(ours) || bench.applied.is_some_and(left_open);
    let files = (bench.routing, bench.snapshot);
    let mut violations = budgets::violations(plan, bench.reroutes, files, &enforced, defaults);
    if bench.undoes {
        violations.retain(|violation| violation.guard == "protected");
    }
    violations.extend(policy::across_regions(
        plan,
        bench.reroutes,
        &enforced.policy,
    ));
    let (refused, warnings) = allow::refuse(plan, violations, &ours.allow, bench.today);
    let mut judgement = Judgement {
        refusals: guards::refusals(plan, bench.routing, bench.snapshot),
        warnings,
    };
    judgement.refusals.extend(refused);
    let broken = policy::broken(bench.routing, &enforced.policy);
    let refused = allow::refuse_policies(broken, &ours.allow, bench.today);
    judgement.refusals.extend(refused);
    judgement
}
