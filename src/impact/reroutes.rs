//! What a plan does to calls: every number that it can affect, resolved
//! before and after by the resolver that dispatch uses, and grouped. Core.
//!
//! A number is *rerouted* where its route differs, and its *terms* change
//! where anything else does that its calls depend on ([`CallField`] says which
//! is which). Numbers come as [`crate::diff::plan::BindingGroup`]es, a few thousand
//! for a million numbers, and each distinct set of fields is resolved once.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use schemars::JsonSchema;
use serde::Serialize;

use super::carried_out::basis_after;
pub use super::effective_route::{EffectiveRoute, RouteSource};
use super::window_sum::WindowSum;
use crate::diff::plan::Plan;
pub use crate::fields::CallField;
use crate::fields::FieldsIx;
use crate::resolve::CallBasis;

/// A share of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// A tenant's label, or a region; absent for configs of no known region.
    pub name: Option<String>,
    pub numbers: u64,
}

/// What happens to the calls of a number that was there before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Effect {
    /// The number had a route in the database: budgets look at no others.
    pub routed: bool,
    /// It goes elsewhere: config, server, trunk, worker or region, or no
    /// route in the database any more.
    pub rerouted: bool,
    /// Its terms, API key or secret differ. A secret that could not be
    /// compared does not count.
    pub terms_changed: bool,
    /// Its route in the database is gone.
    pub unrouted: bool,
    /// No call out can be made any more, though one could before.
    pub stopped: bool,
    /// More countries can be called than before, or digits are dialled
    /// before the number that were not.
    pub widened: bool,
}

impl Effect {
    pub(super) fn between(before: &EffectiveRoute, after: &EffectiveRoute) -> Effect {
        let differences = before.differences(after);
        let routed = before.is_database();
        Effect {
            routed,
            rerouted: differences.iter().any(|field| field.is_route()),
            terms_changed: differences.iter().any(|field| !field.is_route()),
            unrouted: routed && !after.is_database(),
            stopped: before.stops_in(after),
            widened: before.widens_in(after),
        }
    }

    /// Whether anything differs that a call depends on: what budgets, shares
    /// and protection count.
    pub fn is_affected(self) -> bool {
        self.rerouted || self.terms_changed
    }

    /// What the guard `route-lost` counts.
    pub fn is_lost(self) -> bool {
        self.unrouted || self.stopped
    }
}

/// Numbers whose calls change alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RerouteGroup {
    pub count: u64,
    /// Absent for numbers that are new.
    pub before: Option<EffectiveRoute>,
    pub after: EffectiveRoute,
    /// In what they differ; empty for numbers that are new, and where the
    /// secret alone may differ.
    pub changed: Vec<CallField>,
    /// All that is false for numbers that are new.
    pub effect: Effect,
    /// Whether a secret is written that could not be compared.
    pub secret_not_compared: bool,
    /// Most numbers first.
    pub tenants: Vec<Share>,
    /// By the region before, else after.
    pub regions: Vec<Share>,
}

/// What a budget is measured against: the numbers of one tenant in one region
/// that had a database route before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantRegionCount {
    /// Index into [`Plan::tenants`].
    pub tenant: u32,
    pub region: Option<String>,
    /// How many had a database route.
    pub numbers: u64,
    /// Of those, how many are rerouted or have other terms, the lost ones
    /// among them: [`Effect::is_affected`].
    pub affected: u64,
    /// Of those affected, how many are rerouted: [`Effect::rerouted`].
    pub rerouted: u64,
    /// Of those, how many lose their database route or can make no call out
    /// any more: [`Effect::is_lost`].
    pub lost: u64,
    /// Of those, how many may call more countries or dial other digits:
    /// [`Effect::widened`].
    pub widened: u64,
}

/// How many numbers a plan affects, and how. Counts are of numbers that had a
/// route in the database before, where nothing else is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RerouteCounts {
    /// Numbers that had a route in the database before.
    pub routed: u64,
    /// How many are rerouted or call on other terms.
    pub affected: u64,
    /// How many go elsewhere, the unrouted among them.
    pub rerouted: u64,
    /// How many have other terms, or another API key or secret.
    pub terms_changed: u64,
    /// How many lose their route in the database.
    pub unrouted: u64,
    /// How many keep it and can make no call out any more.
    pub stopped: u64,
    /// How many may call more countries than before, or dial other digits
    /// before the number.
    pub widened: u64,
    /// Numbers of configs whose secret is written without being compared.
    pub not_compared: u64,
    /// Numbers whose calls fail where they did not before.
    pub broken: u64,
    /// Numbers that come to the environment from the database.
    pub to_environment: u64,
    /// Numbers that leave the environment for the database.
    pub from_environment: u64,
    /// Numbers that were not there.
    pub new: u64,
}

/// The effect of a plan on calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reroutes {
    /// What is lost first, then by count.
    pub groups: Vec<RerouteGroup>,
    pub counts: RerouteCounts,
    /// Sorted by tenant and region.
    pub cells: Vec<TenantRegionCount>,
    /// Of each of [`Plan::classes`], in their order; `None` for new numbers.
    pub effects: Vec<Option<Effect>>,
    /// The same together with the applies before it, where a window of budgets
    /// has begun.
    pub window: Option<WindowSum>,
}

impl Reroutes {
    /// Whether nothing changes that a call depends on, as far as that can be
    /// told; new numbers apart.
    pub fn is_empty(&self) -> bool {
        self.groups.iter().all(|group| group.before.is_none())
    }
}

/// Each distinct set of fields resolved once.
struct Memo<'a> {
    plan: &'a Plan,
    basis: &'a CallBasis,
    seen: HashMap<FieldsIx, EffectiveRoute, foldhash::fast::RandomState>,
}

impl<'a> Memo<'a> {
    fn new(plan: &'a Plan, basis: &'a CallBasis) -> Memo<'a> {
        Memo {
            plan,
            basis,
            seen: HashMap::default(),
        }
    }

    fn route(&mut self, ix: FieldsIx) -> &EffectiveRoute {
        let (plan, basis) = (self.plan, self.basis);
        self.seen
            .entry(ix)
            .or_insert_with(|| EffectiveRoute::with(basis, plan.pool.get(ix)))
    }
}

/// Routes before and after, and whether the secret is unknown.
type GroupKey = (Option<EffectiveRoute>, EffectiveRoute, bool);

/// Groups in the making.
type Groups = BTreeMap<GroupKey, GroupParts>;

/// By what numbers are taken together: terms that do not change are no
/// reason to tell them apart.
fn group_key(before: Option<&EffectiveRoute>, after: &EffectiveRoute, unknown: bool) -> GroupKey {
    let (mut before, mut after) = (before.cloned(), after.clone());
    if let Some(before) = before.as_mut().filter(|before| before.terms == after.terms) {
        before.terms = None;
        after.terms = None;
    }
    (before, after, unknown)
}

#[derive(Default)]
struct GroupParts {
    count: u64,
    tenants: BTreeMap<u32, u64>,
    regions: BTreeMap<Option<String>, u64>,
}

/// What a plan does to calls.
pub fn reroutes(plan: &Plan) -> Reroutes {
    let after = basis_after(plan);
    let (mut old, mut new) = (Memo::new(plan, &plan.basis), Memo::new(plan, &after.basis));
    let absent = EffectiveRoute::nowhere(RouteSource::Environment);
    let mut found = Reroutes::default();
    let mut groups = Groups::new();
    let mut cells: BTreeMap<(u32, Option<String>), TenantRegionCount> = BTreeMap::new();
    for class in &plan.classes {
        let before = class.before.map(|ix| old.route(ix));
        let to = class.after.map_or(&absent, |ix| new.route(ix));
        let effect = before.map(|before| Effect::between(before, to));
        let unknown = before
            .and_then(|before| to.config_id.filter(|id| before.config_id == Some(*id)))
            .is_some_and(|id| after.not_compared.contains(&id));
        found.effects.push(effect);
        count(
            &mut found.counts,
            (before, to),
            effect,
            unknown,
            class.numbers,
        );
        if let (Some(before), Some(effect)) = (before.filter(|before| before.is_database()), effect)
        {
            let key = (class.tenant, before.region.clone());
            let cell = cells
                .entry(key)
                .or_insert_with_key(|(tenant, region)| TenantRegionCount {
                    tenant: *tenant,
                    region: region.clone(),
                    ..TenantRegionCount::default()
                });
            let if_so = |holds: bool| u64::from(holds) * class.numbers;
            cell.numbers += class.numbers;
            cell.affected += if_so(effect.is_affected());
            cell.rerouted += if_so(effect.rerouted);
            cell.lost += if_so(effect.is_lost());
            cell.widened += if_so(effect.widened);
        }
        if effect.is_some_and(|effect| !effect.is_affected()) && !unknown {
            continue;
        }
        let key = group_key(before, to, unknown);
        let parts = groups.entry(key).or_default();
        let region = before.and_then(|route| route.region.clone());
        let region = region.or_else(|| to.region.clone());
        parts.count += class.numbers;
        *parts.tenants.entry(class.tenant).or_default() += class.numbers;
        *parts.regions.entry(region).or_default() += class.numbers;
    }
    found.groups = groups
        .into_iter()
        .map(|(routes, parts)| group(plan, routes, parts))
        .collect();
    found.groups.sort_by_key(|group| {
        let order = std::cmp::Reverse(group.count);
        (!group.effect.is_lost(), group.before.is_none(), order)
    });
    found.cells = cells.into_values().collect();
    found
}

fn count(
    found: &mut RerouteCounts,
    (before, after): (Option<&EffectiveRoute>, &EffectiveRoute),
    effect: Option<Effect>,
    unknown: bool,
    numbers: u64,
) {
    let (Some(before), Some(effect)) = (before, effect) else {
        found.new += numbers;
        return;
    };
    let if_so = |holds: bool| u64::from(holds) * numbers;
    let routed = effect.routed;
    let environment = RouteSource::Environment;
    found.routed += if_so(routed);
    found.affected += if_so(routed && effect.is_affected());
    found.rerouted += if_so(routed && effect.rerouted);
    found.terms_changed += if_so(routed && effect.terms_changed);
    found.unrouted += if_so(effect.unrouted);
    found.stopped += if_so(routed && effect.stopped);
    found.widened += if_so(routed && effect.widened);
    found.not_compared += if_so(unknown);
    found.broken += if_so(before.error.is_none() && after.error.is_some());
    found.to_environment += if_so(routed && after.source == environment);
    found.from_environment += if_so(before.source == environment && after.is_database());
}

fn group(plan: &Plan, (before, after, unknown): GroupKey, parts: GroupParts) -> RerouteGroup {
    let tenants = parts.tenants.into_iter().map(|(tenant, numbers)| Share {
        name: plan
            .tenants
            .get(tenant as usize)
            .map(|tenant| tenant.label()),
        numbers,
    });
    let regions = parts.regions.into_iter();
    let old = before.as_ref();
    RerouteGroup {
        count: parts.count,
        changed: old.map_or_else(Vec::new, |before| before.differences(&after)),
        effect: old.map_or_else(Effect::default, |before| Effect::between(before, &after)),
        secret_not_compared: unknown,
        before,
        after,
        tenants: most_first(tenants.collect()),
        regions: most_first(
            regions
                .map(|(name, numbers)| Share { name, numbers })
                .collect(),
        ),
    }
}

fn most_first(mut shares: Vec<Share>) -> Vec<Share> {
    shares.sort_by(|a, b| (b.numbers, &a.name).cmp(&(a.numbers, &b.name)));
    shares
}

/// The tenants of a group of groups, for "412 numbers of 3 tenants".
pub fn tenants<'a>(groups: impl IntoIterator<Item = &'a RerouteGroup>) -> usize {
    let shares = groups.into_iter().flat_map(|group| &group.tenants);
    let names: BTreeSet<_> = shares.map(|share| &share.name).collect();
    names.len()
}
