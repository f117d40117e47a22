//! What the budgets look at: a plan, its changes by what they affect, and the
//! objects that are to be named. Core: imports the model, `diff` and `impact`.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::diff::plan::{BindingGroup, Change, Object, Plan};
use crate::fields::{Field, Fields};
use crate::impact::change_effects::{
    ChangeEffects, ChangedRegions, changes_calls, differ_for_calls,
};
use crate::impact::reroutes::{Effect, Reroutes, TenantRegionCount};
use crate::routing::Routing;
use crate::snapshot::Snapshot;

/// What the budgets look at, gathered once.
pub(super) struct Scope<'a> {
    pub(super) plan: &'a Plan,
    pub(super) reroutes: &'a Reroutes,
    /// The region of each config, as of the last apply, else of the files.
    regions: BTreeMap<Uuid, String>,
    /// Configs by id whose change affects the numbers on them: index of it.
    configs: BTreeMap<Uuid, usize>,
    /// The fallbacks of each config, as of the last apply and of the files.
    fallbacks: BTreeMap<Uuid, BTreeSet<Uuid>>,
    /// Regions whose change affects the numbers that may call them, or from
    /// whose rule they take something out.
    called: ChangedRegions<'a>,
    /// What each change does to its own number.
    effects: OnceCell<Vec<Effect>>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(
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
            fallbacks: fallbacks(plan, routing, snapshot),
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
    pub(super) fn movers(&self, tenants: &BTreeSet<u32>, wanted: fn(Effect) -> bool) -> Vec<usize> {
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
        let sides = sides.into_iter().flatten();
        sides
            .flat_map(|fields| {
                let regions = self.called.felt_by(fields.text(Field::AllowedOutbound));
                self.of_config(fields).into_iter().chain(regions)
            })
            .collect()
    }

    /// The changes of the config that these fields name, and of its fallbacks.
    fn of_config(&self, fields: &Fields) -> Vec<usize> {
        let id = fields.text(Field::Config).and_then(|id| id.parse().ok());
        let fallbacks = id.and_then(|id: Uuid| self.fallbacks.get(&id));
        let all = id.iter().chain(fallbacks.into_iter().flatten());
        all.filter_map(|id| self.configs.get(id).copied()).collect()
    }

    pub(super) fn tenants_where(&self, test: impl Fn(&TenantRegionCount) -> bool) -> BTreeSet<u32> {
        let cells = self.reroutes.cells.iter();
        cells
            .filter(|cell| test(cell))
            .map(|cell| cell.tenant)
            .collect()
    }

    /// The region of the config that an object is, or points to before.
    pub(super) fn region(&self, change: &Change) -> String {
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

    pub(super) fn label(&self, tenant: u32) -> String {
        self.plan.tenants[tenant as usize].label()
    }
}

fn fallbacks(
    plan: &Plan,
    routing: &Routing,
    snapshot: &Snapshot,
) -> BTreeMap<Uuid, BTreeSet<Uuid>> {
    let applied = snapshot.owned_configs.iter().filter_map(|config| {
        let fallback = config.fields.text(Field::Fallback)?;
        Some((config.id, fallback.parse().ok()?))
    });
    let names = plan.config_names.iter();
    let ids: BTreeMap<&str, Uuid> = names.map(|(id, name)| (name.as_str(), *id)).collect();
    let declared = routing.configs.iter().filter_map(|(name, config)| {
        let fallback = config.fallback.as_deref()?;
        Some((*ids.get(name.as_str())?, *ids.get(fallback)?))
    });
    let mut all: BTreeMap<Uuid, BTreeSet<Uuid>> = BTreeMap::new();
    for (config, fallback) in applied.chain(declared) {
        all.entry(config).or_default().insert(fallback);
    }
    all
}
