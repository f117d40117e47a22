//! How much a plan does, against how much it may: budgets and lost routes.
//! Core: imports the model, `diff` and `impact`.

use std::cell::OnceCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::diff::plan::{Action, BindingGroup, Change, Object, Plan};
use crate::fields::{Field, Fields};
use crate::impact::change_effects::{
    ChangeEffects, ChangedRegions, changes_calls, differ_for_calls, only_writes_unknown_secret,
};
use crate::impact::reroutes::{Effect, Reroutes, TenantRegionCount};
use crate::routing::Routing;
use crate::routing::guards::{Budget, Guards, Limit};
use crate::snapshot::Snapshot;

/// A tenant with fewer numbers is not measured by the default share.
const SMALL_TENANT: u64 = 5;
/// The default share of a tenant's numbers that may be affected, in per cent.
const TENANT_SHARE: f64 = 50.0;

/// A guard that a plan trips, before exceptions are looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// The guard's code.
    pub guard: &'static str,
    pub message: String,
    /// How many numbers or objects it is about.
    pub figure: u64,
    /// The objects of the plan that cause it, by index into its changes.
    pub causes: Vec<usize>,
    /// What to do where no exception can name it.
    pub hint: Option<&'static str>,
}

impl Violation {
    /// About one object, which nothing causes yet.
    pub fn new(guard: &'static str, message: String) -> Violation {
        Violation {
            guard,
            message,
            figure: 1,
            causes: Vec::new(),
            hint: None,
        }
    }
}

/// Numbers with a route in the database, and how many of them are affected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct AffectedCount {
    all: u64,
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

/// What the budgets look at, gathered once.
struct Scope<'a> {
    plan: &'a Plan,
    reroutes: &'a Reroutes,
    /// The region of each config, as of the last apply, else of the files.
    regions: BTreeMap<Uuid, String>,
    /// Configs by id whose change affects the numbers on them: index of it.
    configs: BTreeMap<Uuid, usize>,
    /// Regions whose change affects the numbers that may call them, or from
    /// whose rule they take something out.
    called: ChangedRegions<'a>,
    /// What each change does to its own number.
    effects: OnceCell<Vec<Effect>>,
}

/// Every budget, default and protection that the plan trips. `defaults`:
/// whether the share of a tenant is left to the default.
pub fn violations(
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
        scope.tenant_share(&mut found);
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
    scope.reroutes(&enforced.reroutes, &mut found);
    found
}

/// The numbers that may call more countries than before, or dial other
/// digits: what toll fraud looks like.
pub fn widened(
    plan: &Plan,
    reroutes: &Reroutes,
    (routing, snapshot): (&Routing, &Snapshot),
) -> Option<Violation> {
    let scope = Scope::new(plan, reroutes, routing, snapshot);
    let tenants = scope.tenants_where(|cell| cell.widened > 0);
    let labels: Vec<String> = tenants.iter().take(5).map(|ix| scope.label(*ix)).collect();
    (!tenants.is_empty()).then(|| Violation {
        figure: reroutes.widened,
        causes: scope.movers(&tenants, |effect| effect.widened),
        ..Violation::new(
            "terms-widened",
            format!(
                "{} could call more countries than before, or dial other digits before the \
                 called number (tenant {}): toll fraud looks like that",
                numbers(reroutes.widened),
                more(labels, tenants.len())
            ),
        )
    })
}

impl<'a> Scope<'a> {
    fn new(
        plan: &'a Plan,
        reroutes: &'a Reroutes,
        routing: &'a Routing,
        snapshot: &Snapshot,
    ) -> Scope<'a> {
        let declared = plan.config_names.iter().filter_map(|(id, name)| {
            let config = routing.configs.get(name)?;
            Some((*id, config.region.clone()))
        });
        let owned = snapshot.owned_configs.iter().filter_map(|config| {
            let region = config.fields.text(Field::Region)?;
            Some((config.id, region.to_owned()))
        });
        let mut configs = BTreeMap::new();
        let changes = plan.changes.iter().enumerate();
        for (at, change) in changes.filter(|(_, change)| changes_calls(plan, change)) {
            let id = change.row.or(change.previous);
            if let (Object::Config(_), Some(id)) = (change.object, id) {
                configs.insert(id, at);
            }
        }
        Scope {
            plan,
            reroutes,
            regions: declared.chain(owned).collect(),
            configs,
            called: ChangedRegions::new(plan),
            effects: OnceCell::new(),
        }
    }

    fn effect(&self, change: usize) -> Effect {
        let effects = self.effects.get_or_init(|| {
            let mut effects = ChangeEffects::new(self.plan);
            let changes = self.plan.changes.iter();
            changes.map(|change| effects.of(change)).collect()
        });
        effects[change]
    }

    /// The changes by which numbers of these tenants are affected, or lost.
    fn movers(&self, tenants: &BTreeSet<u32>, wanted: fn(Effect) -> bool) -> Vec<usize> {
        let plan = self.plan;
        let mut causes: BTreeSet<usize> = BTreeSet::new();
        for (at, change) in plan.changes.iter().enumerate() {
            let Object::Binding { tenant, .. } = change.object else {
                continue;
            };
            if tenants.contains(&tenant) && changes_calls(plan, change) && wanted(self.effect(at)) {
                causes.insert(at);
            }
        }
        if self.configs.is_empty() && self.called.is_empty() {
            return causes.into_iter().collect();
        }
        for (class, effect) in plan.classes.iter().zip(&self.reroutes.effects) {
            if tenants.contains(&class.tenant) && effect.is_some_and(wanted) {
                causes.extend(self.shared_causes(class, effect.is_some_and(Effect::is_lost)));
            }
        }
        causes.into_iter().collect()
    }

    /// The configs and regions by which these numbers are affected. What is
    /// lost by a change of the number itself is not lost by them.
    fn shared_causes(&self, class: &BindingGroup, lost: bool) -> Vec<usize> {
        let sides = [class.before, class.after].map(|ix| ix.map(|ix| self.plan.pool.get(ix)));
        if lost && matches!(sides, [Some(before), Some(after)] if differ_for_calls(before, after)) {
            return Vec::new();
        }
        let config = |fields: &Fields| self.configs.get(&fields.text(Field::Config)?.parse().ok()?);
        let sides = sides.into_iter().flatten();
        sides
            .flat_map(|fields| {
                let regions = self.called.felt_by(fields.text(Field::AllowedOutbound));
                config(fields).copied().into_iter().chain(regions)
            })
            .collect()
    }

    fn tenants_where(&self, test: impl Fn(&TenantRegionCount) -> bool) -> BTreeSet<u32> {
        let cells = self.reroutes.cells.iter();
        cells
            .filter(|cell| test(cell))
            .map(|cell| cell.tenant)
            .collect()
    }

    fn route_lost(&self, found: &mut Vec<Violation>) {
        let (unrouted, stopped) = (self.reroutes.unrouted, self.reroutes.stopped);
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

    fn tenant_share(&self, found: &mut Vec<Violation>) {
        let limit = Limit {
            max: None,
            percent: Some(TENANT_SHARE),
        };
        // Tenants that move for the same reasons, with the most that move.
        let mut alike: BTreeMap<Vec<usize>, Vec<(AffectedCount, u32)>> = BTreeMap::new();
        for (tenant, count) in self.by_tenant() {
            if count.all >= SMALL_TENANT && limit.exceeded(count.affected, count.all) {
                let causes = self.movers(&BTreeSet::from([tenant]), Effect::is_affected);
                alike.entry(causes).or_default().push((count, tenant));
            }
        }
        for (causes, mut tenants) in alike {
            tenants.sort_by_key(|(count, _)| Reverse(count.affected));
            let (count, _) = tenants[0];
            let figure = count.affected;
            let names = tenants.iter().take(5).map(|(_, ix)| self.label(*ix));
            let names = more(names.collect(), tenants.len());
            let who = match tenants.len() {
                1 => format!("{figure} of {} numbers of tenant {names}", count.all),
                many => format!("up to {figure} numbers of each of {many} tenants ({names})"),
            };
            let verb = tenants
                .iter()
                .fold(AffectedCount::default(), |sum, (count, _)| sum.plus(*count));
            found.push(Violation {
                figure,
                causes,
                ..Violation::new(
                    "tenant-rerouted",
                    format!(
                        "{who} would {}; more than half of a tenant may not without an exception",
                        verb.words()
                    ),
                )
            });
        }
    }

    fn by_tenant(&self) -> BTreeMap<u32, AffectedCount> {
        let mut tenants: BTreeMap<u32, AffectedCount> = BTreeMap::new();
        for cell in &self.reroutes.cells {
            let sum = tenants.entry(cell.tenant).or_default();
            *sum = sum.plus(AffectedCount::of(cell));
        }
        tenants
    }

    fn reroutes(&self, budget: &Budget, found: &mut Vec<Violation>) {
        let mut check = |limit: Limit, of: String, count: AffectedCount, tenants: BTreeSet<u32>| {
            if count.affected > 0 && limit.exceeded(count.affected, count.all) {
                let message = format!(
                    "{} of {} numbers{of} would {}; the budget is {}",
                    count.affected,
                    count.all,
                    count.words(),
                    shown(limit)
                );
                found.push(Violation {
                    figure: count.affected,
                    causes: self.movers(&tenants, Effect::is_affected),
                    ..Violation::new("budget-reroutes", message)
                });
            }
        };
        let cells = self.reroutes.cells.iter();
        let all = cells.fold(AffectedCount::default(), |sum, cell| {
            sum.plus(AffectedCount::of(cell))
        });
        let moving = self.tenants_where(|cell| cell.affected > 0);
        check(budget.overall, String::new(), all, moving);
        for (tenant, counts) in self.by_tenant() {
            let of = format!(" of tenant {}", self.label(tenant));
            check(budget.per_tenant, of, counts, BTreeSet::from([tenant]));
        }
        let mut regions: BTreeMap<&str, AffectedCount> = BTreeMap::new();
        for cell in &self.reroutes.cells {
            let region = cell.region.as_deref().unwrap_or("(none)");
            let sum = regions.entry(region).or_default();
            *sum = sum.plus(AffectedCount::of(cell));
        }
        for (region, counts) in regions {
            let here =
                |cell: &TenantRegionCount| cell.region.as_deref().unwrap_or("(none)") == region;
            let tenants = self.tenants_where(|cell| here(cell) && cell.affected > 0);
            check(
                budget.per_region,
                format!(" of region {region}"),
                counts,
                tenants,
            );
        }
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
        let totals = self.by_tenant();
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
                .map_or(0, |count| count.all)
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

    /// The region of the config that an object is, or points to before.
    fn region(&self, change: &Change) -> String {
        let plan = self.plan;
        let fields = || plan.patch(change).fields.iter();
        let value = |field: Field| {
            let change = fields().find(|change| change.field == field)?;
            change.before.clone().or(change.after.clone())
        };
        let owned = |field: Field| Some(plan.pool.get(change.owned?).get(field)?.clone());
        let text = |field| {
            value(field)
                .or_else(|| owned(field))
                .and_then(|v| v.as_str().map(str::to_owned))
        };
        match change.object {
            Object::Region(ix) => plan.names[ix as usize].clone(),
            Object::Config(_) => text(Field::Region).unwrap_or_default(),
            Object::Binding { .. } => {
                let id = text(Field::Config).and_then(|id| id.parse().ok());
                id.and_then(|id: Uuid| self.regions.get(&id).cloned())
                    .unwrap_or_default()
            }
        }
    }

    fn label(&self, tenant: u32) -> String {
        self.plan.tenants[tenant as usize].label()
    }
}

pub(super) fn numbers(count: u64) -> String {
    match count {
        1 => "1 number".to_owned(),
        count => format!("{count} numbers"),
    }
}

fn more(names: Vec<String>, all: usize) -> String {
    match all - names.len() {
        0 => names.join(", "),
        rest => format!("{} and {rest} more", names.join(", ")),
    }
}

fn shown(limit: Limit) -> String {
    let max = limit.max.map(|max| max.to_string());
    let percent = limit.percent.map(|percent| format!("{percent} %"));
    let parts: Vec<String> = max.into_iter().chain(percent).collect();
    parts.join(" and ")
}
