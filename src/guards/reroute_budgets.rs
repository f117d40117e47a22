//! How many numbers may be rerouted or call on other terms: by this plan, and
//! together with the applies of the window. Core: imports the model, `diff` and
//! `impact`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::scope::Scope;
use super::violation::{Violation, more, shown};
use crate::impact::reroutes::{Effect, TenantRegionCount};
use crate::impact::window_sum::applies;
use crate::routing::guards::{Budget, Limit};
use crate::snapshot::ApplyId;

/// A tenant with fewer numbers is not measured by the default share.
const SMALL_TENANT: u64 = 5;
/// The default share of a tenant's numbers that may be affected, in per cent.
const TENANT_SHARE: f64 = 50.0;

/// Numbers with a route in the database, and how many of them are affected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AffectedCount {
    pub(super) all: u64,
    affected: u64,
    rerouted: u64,
}

impl AffectedCount {
    fn of(cell: &TenantRegionCount) -> AffectedCount {
        AffectedCount {
            all: cell.numbers,
            affected: cell.affected,
            rerouted: cell.rerouted,
        }
    }

    fn plus(self, other: AffectedCount) -> AffectedCount {
        AffectedCount {
            all: self.all + other.all,
            affected: self.affected + other.affected,
            rerouted: self.rerouted + other.rerouted,
        }
    }

    /// What happens to those that are affected.
    fn words(self) -> &'static str {
        match self.rerouted {
            0 => "call on other terms",
            some if some == self.affected => "be rerouted",
            _ => "be rerouted or call on other terms",
        }
    }
}

/// What happens to some numbers: by the plan, and by the applies of the window
/// together with it.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub(super) alone: AffectedCount,
    together: AffectedCount,
    /// How many of those affected together are so by this plan.
    added: u64,
    applies: BTreeSet<ApplyId>,
    /// The tenants of numbers that the plan affects, and of those among them
    /// that it adds to the others.
    moving: BTreeSet<u32>,
    adding: BTreeSet<u32>,
}

/// Why tenants move: together with applies of the window or not, and by which
/// changes.
type Reasons = (bool, Vec<usize>);

/// A limit that is exceeded.
struct Excess {
    count: AffectedCount,
    /// By which applies, where the plan alone would be within the limit.
    by: String,
    tenants: BTreeSet<u32>,
}

impl Tally {
    fn plus(mut self, other: &Tally) -> Tally {
        self.alone = self.alone.plus(other.alone);
        self.together = self.together.plus(other.together);
        self.added += other.added;
        self.applies.extend(&other.applies);
        self
    }
}

/// Counts by tenant and region, taken together by a key.
pub(super) fn tallies<K: Ord>(
    scope: &Scope<'_>,
    key: impl Fn(u32, Option<&str>) -> K,
) -> BTreeMap<K, Tally> {
    let mut tallies: BTreeMap<K, Tally> = BTreeMap::new();
    for cell in &scope.reroutes.cells {
        let tally = tallies.entry(key(cell.tenant, cell.region.as_deref()));
        let tally = tally.or_default();
        tally.alone = tally.alone.plus(AffectedCount::of(cell));
        tally
            .moving
            .extend((cell.affected > 0).then_some(cell.tenant));
    }
    let window = scope.reroutes.window.as_ref();
    for cell in window.into_iter().flat_map(|sum| &sum.cells) {
        let tally = tallies.entry(key(cell.tenant, cell.region.as_deref()));
        let tally = tally.or_default();
        tally.together = tally.together.plus(AffectedCount {
            all: cell.numbers,
            affected: cell.affected,
            rerouted: cell.rerouted,
        });
        tally.added += cell.added;
        tally.applies.extend(&cell.applies);
        tally.adding.extend((cell.added > 0).then_some(cell.tenant));
    }
    tallies
}

/// ` within 24h, 1 by this plan and the others by applies 3 and 4`
fn by(scope: &Scope<'_>, tally: &Tally) -> String {
    let window = scope.reroutes.window.as_ref().map(|sum| sum.window);
    format!(
        " within {}, {} by this plan and the others by {}",
        window.unwrap_or_default(),
        tally.added,
        applies(&tally.applies)
    )
}

/// Whether a limit is exceeded by the plan, else by what it adds to the
/// applies of the window: what adds nothing is never refused for them.
fn budget_excess(
    scope: &Scope<'_>,
    tally: &Tally,
    exceeds: impl Fn(AffectedCount) -> bool,
) -> Option<Excess> {
    if tally.alone.affected > 0 && exceeds(tally.alone) {
        return Some(Excess {
            count: tally.alone,
            by: String::new(),
            tenants: tally.moving.clone(),
        });
    }
    let together = tally.added > 0 && exceeds(tally.together);
    together.then(|| Excess {
        count: tally.together,
        by: by(scope, tally),
        tenants: tally.adding.clone(),
    })
}

/// The default: more than half of the numbers of a tenant.
pub(super) fn tenant_share(scope: &Scope<'_>, found: &mut Vec<Violation>) {
    let limit = Limit {
        max: None,
        percent: Some(TENANT_SHARE),
    };
    let exceeds = |count: AffectedCount| {
        count.all >= SMALL_TENANT && limit.exceeded(count.affected, count.all)
    };
    // Tenants that move for the same reasons, those with the most numbers first.
    let mut alike: BTreeMap<Reasons, Vec<(AffectedCount, u32, Tally)>> = BTreeMap::new();
    for (tenant, tally) in tallies(scope, |tenant, _| tenant) {
        if let Some(excess) = budget_excess(scope, &tally, exceeds) {
            let causes = scope.movers(&excess.tenants, Effect::is_affected);
            let key = (!excess.by.is_empty(), causes);
            let tenants = alike.entry(key).or_default();
            tenants.push((excess.count, tenant, tally));
        }
    }
    for ((together, causes), mut tenants) in alike {
        tenants.sort_by_key(|(count, ..)| Reverse(count.affected));
        let (count, ..) = tenants[0];
        let figure = count.affected;
        let names = tenants.iter().take(5).map(|(_, ix, _)| scope.label(*ix));
        let names = more(names.collect(), tenants.len());
        let who = match tenants.len() {
            1 => format!("{figure} of {} numbers of tenant {names}", count.all),
            many => format!("up to {figure} numbers of each of {many} tenants ({names})"),
        };
        let (mut verb, mut tally) = (AffectedCount::default(), Tally::default());
        for (count, _, of) in &tenants {
            verb = verb.plus(*count);
            tally = tally.plus(of);
        }
        let by = if together {
            by(scope, &tally)
        } else {
            String::new()
        };
        let message = format!(
            "{who} would {}{by}; more than half of a tenant may not without an exception",
            verb.words()
        );
        found.push(Violation {
            figure,
            causes,
            ..Violation::new("tenant-rerouted", message)
        });
    }
}

/// The budgets of the files.
pub(super) fn reroutes(scope: &Scope<'_>, budget: &Budget, found: &mut Vec<Violation>) {
    let mut check = |limit: Limit, of: String, tally: &Tally| {
        let exceeds = |count: AffectedCount| limit.exceeded(count.affected, count.all);
        let Some(excess) = budget_excess(scope, tally, exceeds) else {
            return;
        };
        let Excess { count, by, tenants } = excess;
        let message = format!(
            "{} of {} numbers{of} would {}{by}; the budget is {}",
            count.affected,
            count.all,
            count.words(),
            shown(limit)
        );
        found.push(Violation {
            figure: count.affected,
            causes: scope.movers(&tenants, Effect::is_affected),
            ..Violation::new("budget-reroutes", message)
        });
    };
    for tally in tallies(scope, |_, _| ()).values() {
        check(budget.overall, String::new(), tally);
    }
    for (tenant, tally) in tallies(scope, |tenant, _| tenant) {
        let of = format!(" of tenant {}", scope.label(tenant));
        check(budget.per_tenant, of, &tally);
    }
    for (region, tally) in tallies(scope, |_, region| region.map(str::to_owned)) {
        let of = format!(" of region {}", region.as_deref().unwrap_or("(none)"));
        check(budget.per_region, of, &tally);
    }
}
