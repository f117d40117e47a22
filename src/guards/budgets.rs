//! How much a plan does, against how much it may: budgets and lost routes.
//! Core: imports the model, `diff` and `impact`.

use std::collections::BTreeMap;

use super::reroute_budgets::{self, tallies};
use super::scope::Scope;
use super::violation::{Violation, more, numbers, shown};
use crate::diff::plan::{Action, Change, Object, Plan};
use crate::impact::change_effects::only_writes_unknown_secret;
use crate::impact::reroutes::{Effect, Reroutes};
use crate::routing::Routing;
use crate::routing::guards::{Budget, Guards, Limit};
use crate::snapshot::Snapshot;

/// Every budget, default and protection that the plan trips. `defaults`:
/// whether the share of a tenant is left to the default.
pub(crate) fn violations(
    plan: &Plan,
    reroutes: &Reroutes,
    (routing, snapshot): (&Routing, &Snapshot),
    enforced: &Guards,
    defaults: bool,
) -> Vec<Violation> {
    let scope = Scope::new(plan, reroutes, routing, snapshot);
    let mut found = Vec::new();
    scope.route_lost(&mut found);
    if defaults {
        reroute_budgets::tenant_share(&scope, &mut found);
    }
    scope.changes(
        "budget-deletes",
        "deleted",
        &enforced.deletes,
        &mut found,
        |change| change.action == Action::Delete,
    );
    scope.changes(
        "budget-updates",
        "updated",
        &enforced.updates,
        &mut found,
        |change| {
            matches!(change.action, Action::Update | Action::Reseal)
                && !only_writes_unknown_secret(plan, change)
        },
    );
    reroute_budgets::reroutes(&scope, &enforced.reroutes, &mut found);
    found
}

/// The numbers that may call more countries than before, or dial other
/// digits: what toll fraud looks like.
pub(crate) fn widened(
    plan: &Plan,
    reroutes: &Reroutes,
    (routing, snapshot): (&Routing, &Snapshot),
) -> Option<Violation> {
    let scope = Scope::new(plan, reroutes, routing, snapshot);
    let tenants = scope.tenants_where(|cell| cell.widened > 0);
    let labels: Vec<String> = tenants.iter().take(5).map(|ix| scope.label(*ix)).collect();
    (!tenants.is_empty()).then(|| Violation {
        figure: reroutes.counts.widened,
        causes: scope.movers(&tenants, |effect| effect.widened),
        ..Violation::new(
            "terms-widened",
            format!(
                "{} could call more countries than before, or dial other digits before the \
                 called number (tenant {}): toll fraud looks like that",
                numbers(reroutes.counts.widened),
                more(labels, tenants.len())
            ),
        )
    })
}

impl Scope<'_> {
    fn route_lost(&self, found: &mut Vec<Violation>) {
        let (unrouted, stopped) = (self.reroutes.counts.unrouted, self.reroutes.counts.stopped);
        let tenants = self.tenants_where(|cell| cell.lost > 0);
        if tenants.is_empty() {
            return;
        }
        let labels: Vec<String> = tenants.iter().take(5).map(|ix| self.label(*ix)).collect();
        let parts = [
            (
                unrouted,
                "would lose its database route",
                "would lose their database route",
            ),
            (
                stopped,
                "could make no call out any more",
                "could make no call out any more",
            ),
        ];
        let parts = parts.iter().filter(|(count, ..)| *count > 0);
        let parts: Vec<String> = parts
            .map(|(count, one, many)| {
                let verb = if *count == 1 { one } else { many };
                format!("{} {verb}", numbers(*count))
            })
            .collect();
        found.push(Violation {
            figure: unrouted + stopped,
            causes: self.movers(&tenants, Effect::is_lost),
            ..Violation::new(
                "route-lost",
                format!(
                    "{} (tenant {}); none may without an exception",
                    parts.join(" and "),
                    more(labels, tenants.len())
                ),
            )
        });
    }

    /// Budgets for objects that change: counted against those that are ours.
    fn changes(
        &self,
        guard: &'static str,
        verb: &str,
        budget: &Budget,
        found: &mut Vec<Violation>,
        counts: impl Fn(&Change) -> bool,
    ) {
        let plan = self.plan;
        let ours = plan.unchanged
            + plan
                .changes
                .iter()
                .filter(|c| c.action != Action::Create)
                .count() as u64;
        let changed: Vec<usize> = (0..plan.changes.len())
            .filter(|ix| counts(&plan.changes[*ix]) && !plan.in_conflict(&plan.changes[*ix]))
            .collect();
        if changed.is_empty() {
            return;
        }
        let mut check = |limit: Limit, of: String, causes: Vec<usize>, all: u64| {
            let figure = causes.len() as u64;
            if limit.exceeded(figure, all) {
                let message = format!(
                    "{figure} of {all} objects{of} would be {verb}; the budget is {}",
                    shown(limit)
                );
                found.push(Violation {
                    figure,
                    causes,
                    ..Violation::new(guard, message)
                });
            }
        };
        check(budget.overall, String::new(), changed.clone(), ours);
        let totals = tallies(self, |tenant, _| tenant);
        let mut tenants: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        let mut regions: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for ix in changed {
            let change = &plan.changes[ix];
            if let Object::Binding { tenant, .. } = change.object {
                tenants.entry(tenant).or_default().push(ix);
            }
            regions.entry(self.region(change)).or_default().push(ix);
        }
        for (tenant, causes) in tenants {
            let all = totals
                .get(&tenant)
                .map_or(0, |tally| tally.alone.all)
                .max(causes.len() as u64);
            check(
                budget.per_tenant,
                format!(" of tenant {}", self.label(tenant)),
                causes,
                all,
            );
        }
        for (region, causes) in regions {
            let here = self
                .reroutes
                .cells
                .iter()
                .filter(|cell| cell.region.as_deref() == Some(&region));
            let all = here
                .map(|cell| cell.numbers)
                .sum::<u64>()
                .max(causes.len() as u64);
            check(
                budget.per_region,
                format!(" of region {region}"),
                causes,
                all,
            );
        }
    }
}
