//! How much a plan does, against how much it may: budgets and lost routes.
//! Core: imports the model, `diff` and `impact`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::protection::changes_calls;
use crate::diff::plan::{Action, Change, Object, Plan};
use crate::fields::Field;
use crate::impact::reroutes::{Reroutes, TenantRegionCount};
use crate::routing::Routing;
use crate::routing::guards::{Budget, Guards, Limit};
use crate::snapshot::Snapshot;

/// A tenant with fewer numbers is not measured by the default share.
const SMALL_TENANT: u64 = 5;
/// The default share of a tenant's numbers that may be rerouted, in per cent.
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

/// What the budgets look at, gathered once.
struct Scope<'a> {
    plan: &'a Plan,
    reroutes: &'a Reroutes,
    /// The region of each config, as of the last apply, else of the files.
    regions: BTreeMap<Uuid, String>,
    /// Configs by id whose change moves the numbers on them: index of it.
    configs: BTreeMap<Uuid, usize>,
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
        |change| matches!(change.action, Action::Update | Action::Reseal),
    );
    scope.reroutes(&enforced.reroutes, &mut found);
    found
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
        let moving = plan
            .changes
            .iter()
            .enumerate()
            .filter(|(_, change)| changes_calls(plan, change));
        let configs = moving
            .filter(|(_, change)| matches!(change.object, Object::Config(_)))
            .filter_map(|(ix, change)| Some((change.row.or(change.previous)?, ix)))
            .collect();
        Scope {
            plan,
            reroutes,
            regions: declared.chain(owned).collect(),
            configs,
        }
    }

    /// The changes that move numbers of these tenants.
    fn movers(&self, tenants: &BTreeSet<u32>, lost: bool) -> Vec<usize> {
        let plan = self.plan;
        let mut causes: BTreeSet<usize> = BTreeSet::new();
        for (ix, change) in plan.changes.iter().enumerate() {
            let Object::Binding { tenant, .. } = change.object else {
                continue;
            };
            if tenants.contains(&tenant)
                && changes_calls(plan, change)
                && (!lost || loses(plan, change))
            {
                causes.insert(ix);
            }
        }
        if self.configs.is_empty() || (lost && !causes.is_empty()) {
            return causes.into_iter().collect();
        }
        for class in plan
            .classes
            .iter()
            .filter(|class| tenants.contains(&class.tenant))
        {
            let id = |ix| {
                plan.pool
                    .get(ix)
                    .text(Field::Config)
                    .and_then(|id| id.parse().ok())
            };
            let ids: [Option<Uuid>; 2] = [class.before.and_then(id), class.after.and_then(id)];
            let configs = ids.into_iter().flatten();
            causes.extend(configs.filter_map(|id| self.configs.get(&id)));
        }
        causes.into_iter().collect()
    }

    fn tenants_where(&self, test: impl Fn(&TenantRegionCount) -> bool) -> BTreeSet<u32> {
        let cells = self.reroutes.cells.iter();
        cells
            .filter(|cell| test(cell))
            .map(|cell| cell.tenant)
            .collect()
    }

    fn route_lost(&self, found: &mut Vec<Violation>) {
        let lost = self.reroutes.unrouted;
        if lost == 0 {
            return;
        }
        let tenants = self.tenants_where(|cell| cell.unrouted > 0);
        let labels: Vec<String> = tenants.iter().take(5).map(|ix| self.label(*ix)).collect();
        found.push(Violation {
            figure: lost,
            causes: self.movers(&tenants, true),
            ..Violation::new(
                "route-lost",
                format!(
                    "{} would lose {} database route (tenant {}); none may without an exception",
                    numbers(lost),
                    if lost == 1 { "its" } else { "their" },
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
        let mut alike: BTreeMap<Vec<usize>, Vec<(u64, u64, u32)>> = BTreeMap::new();
        for (tenant, (rerouted, all)) in self.by_tenant() {
            if all >= SMALL_TENANT && limit.exceeded(rerouted, all) {
                let causes = self.movers(&BTreeSet::from([tenant]), false);
                let tenants = alike.entry(causes).or_default();
                tenants.push((rerouted, all, tenant));
            }
        }
        for (causes, mut tenants) in alike {
            tenants.sort_by_key(|(rerouted, ..)| Reverse(*rerouted));
            let (figure, all, _) = tenants[0];
            let names = tenants.iter().take(5).map(|(.., ix)| self.label(*ix));
            let names = more(names.collect(), tenants.len());
            let who = match tenants.len() {
                1 => format!("{figure} of {all} numbers of tenant {names}"),
                count => format!("up to {figure} numbers of each of {count} tenants ({names})"),
            };
            found.push(Violation {
                figure,
                causes,
                ..Violation::new("tenant-rerouted", format!(
                    "{who} would be rerouted; more than half of a tenant may not without an exception"
                ))
            });
        }
    }

    fn by_tenant(&self) -> BTreeMap<u32, (u64, u64)> {
        let mut tenants: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
        for cell in &self.reroutes.cells {
            let sum = tenants.entry(cell.tenant).or_default();
            sum.0 += cell.rerouted;
            sum.1 += cell.numbers;
        }
        tenants
    }

    fn reroutes(&self, budget: &Budget, found: &mut Vec<Violation>) {
        let mut check =
            |limit: Limit, of: String, (rerouted, all): (u64, u64), tenants: BTreeSet<u32>| {
                if rerouted > 0 && limit.exceeded(rerouted, all) {
                    found.push(Violation {
                        figure: rerouted,
                        causes: self.movers(&tenants, false),
                        ..Violation::new("budget-reroutes", format!(
                            "{rerouted} of {all} numbers{of} would be rerouted; the budget is {}",
                            shown(limit)
                        ))
                    });
                }
            };
        let all = (self.reroutes.rerouted, self.reroutes.routed);
        let moving = self.tenants_where(|cell| cell.rerouted > 0);
        check(budget.overall, String::new(), all, moving);
        for (tenant, counts) in self.by_tenant() {
            let of = format!(" of tenant {}", self.label(tenant));
            check(budget.per_tenant, of, counts, BTreeSet::from([tenant]));
        }
        let mut regions: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for cell in &self.reroutes.cells {
            let sum = regions
                .entry(cell.region.as_deref().unwrap_or("(none)"))
                .or_default();
            sum.0 += cell.rerouted;
            sum.1 += cell.numbers;
        }
        for (region, counts) in regions {
            let here =
                |cell: &TenantRegionCount| cell.region.as_deref().unwrap_or("(none)") == region;
            let tenants = self.tenants_where(|cell| here(cell) && cell.rerouted > 0);
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
                .map_or(0, |(_, all)| *all)
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

/// Whether a number without its config goes to the environment.
fn loses(plan: &Plan, change: &Change) -> bool {
    let fields = &plan.patch(change).fields;
    let gone = |field: Field| fields.iter().find(|change| change.field == field);
    let unset = gone(Field::Config).is_some_and(|config| config.after.is_none());
    unset || gone(Field::Status).is_some_and(|status| status.after != Some("active".into()))
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
