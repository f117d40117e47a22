//! Who is rerouted: every number that a plan can affect, resolved before and
//! after by the resolver that dispatch uses, and grouped. Core.
//!
//! Numbers come as [`crate::diff::plan::BindingGroup`]es, a few thousand for a million numbers,
//! and each distinct set of fields is resolved once.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

pub use super::effective_route::{EffectiveRoute, EffectiveRoutes, RouteField, RouteSource};
use super::effective_route::{configs_after, leg, nowhere};
use crate::diff::plan::Plan;
use crate::fields::FieldsIx;
use crate::resolve::Configs;

/// A share of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// A tenant's label, or a region; absent for configs of no known region.
    pub name: Option<String>,
    pub numbers: u64,
}

/// Numbers that move alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RerouteGroup {
    pub count: u64,
    /// Absent for numbers that are new.
    pub before: Option<EffectiveRoute>,
    pub after: EffectiveRoute,
    /// In what they differ; empty for numbers that are new.
    pub changed: Vec<RouteField>,
    /// Most numbers first.
    pub tenants: Vec<Share>,
    /// By the region before, else after.
    pub regions: Vec<Share>,
}

/// What a budget is measured against: the numbers of one tenant in one region
/// that had a database route before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantRegionCount {
    /// Index into [`Plan::tenants`].
    pub tenant: u32,
    pub region: Option<String>,
    /// How many had a database route.
    pub numbers: u64,
    /// Of those, how many go elsewhere, the unrouted among them.
    pub rerouted: u64,
    /// Of those, how many lose their database route.
    pub unrouted: u64,
}

/// The effect of a plan on calls.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reroutes {
    /// Database routes lost first, then by count.
    pub groups: Vec<RerouteGroup>,
    /// Numbers that had a database route before.
    pub routed: u64,
    /// Of those, how many go elsewhere, the unrouted among them.
    pub rerouted: u64,
    /// Of those, how many lose their database route.
    pub unrouted: u64,
    /// Numbers whose calls fail where they did not before.
    pub broken: u64,
    /// Numbers that come to the environment from the database.
    pub to_environment: u64,
    /// Numbers that leave the environment for the database.
    pub from_environment: u64,
    /// Numbers that were not there.
    pub new: u64,
    /// Sorted by tenant and region.
    pub cells: Vec<TenantRegionCount>,
}

impl Reroutes {
    /// Whether calls go where they went, new numbers apart.
    pub fn is_empty(&self) -> bool {
        self.groups.iter().all(|group| group.before.is_none())
    }
}

/// Each distinct leg once, and the leg of each set of fields.
struct Memo<'a> {
    plan: &'a Plan,
    configs: &'a Configs,
    seen: HashMap<FieldsIx, EffectiveRoute, foldhash::fast::RandomState>,
}

impl<'a> Memo<'a> {
    fn new(plan: &'a Plan, configs: &'a Configs) -> Memo<'a> {
        Memo {
            plan,
            configs,
            seen: HashMap::default(),
        }
    }

    fn leg(&mut self, ix: FieldsIx) -> &EffectiveRoute {
        let (plan, configs) = (self.plan, self.configs);
        self.seen
            .entry(ix)
            .or_insert_with(|| leg(configs, plan.pool.get(ix)))
    }
}

/// Groups in the making, by their legs.
type GroupsByRoute = BTreeMap<(Option<EffectiveRoute>, EffectiveRoute), Parts>;

#[derive(Default)]
struct Parts {
    count: u64,
    tenants: BTreeMap<u32, u64>,
    regions: BTreeMap<Option<String>, u64>,
}

/// Who is rerouted by a plan; `before` is [`Configs::of_snapshot`].
pub fn reroutes(plan: &Plan, before: &Configs) -> Reroutes {
    let after = configs_after(plan, before);
    let (mut old, mut new) = (Memo::new(plan, before), Memo::new(plan, &after));
    let absent = nowhere(RouteSource::Environment);
    let mut found = Reroutes::default();
    let mut groups = GroupsByRoute::new();
    let mut cells: BTreeMap<(u32, Option<String>), TenantRegionCount> = BTreeMap::new();
    for class in &plan.classes {
        let before = class.before.map(|ix| old.leg(ix));
        let after = class.after.map_or(&absent, |ix| new.leg(ix));
        let changed = before.map(|before| !before.differs(after).is_empty());
        count(&mut found, before, after, changed, class.numbers);
        if let Some(before) = before.filter(|before| before.is_database()) {
            let key = (class.tenant, before.region.clone());
            let cell = cells
                .entry(key)
                .or_insert_with_key(|(tenant, region)| TenantRegionCount {
                    tenant: *tenant,
                    region: region.clone(),
                    numbers: 0,
                    rerouted: 0,
                    unrouted: 0,
                });
            cell.numbers += class.numbers;
            cell.rerouted += u64::from(changed == Some(true)) * class.numbers;
            cell.unrouted += u64::from(!after.is_database()) * class.numbers;
        }
        if changed == Some(false) {
            continue;
        }
        let parts = groups.entry((before.cloned(), after.clone())).or_default();
        let region = before.and_then(|leg| leg.region.clone());
        let region = region.or_else(|| after.region.clone());
        parts.count += class.numbers;
        *parts.tenants.entry(class.tenant).or_default() += class.numbers;
        *parts.regions.entry(region).or_default() += class.numbers;
    }
    found.groups = groups
        .into_iter()
        .map(|((before, after), parts)| group(plan, before, after, parts))
        .collect();
    found.groups.sort_by_key(|group| {
        let lost = group
            .before
            .as_ref()
            .is_some_and(EffectiveRoute::is_database)
            && !group.after.is_database();
        (
            !lost,
            group.before.is_none(),
            std::cmp::Reverse(group.count),
        )
    });
    found.cells = cells.into_values().collect();
    found
}

fn count(
    found: &mut Reroutes,
    before: Option<&EffectiveRoute>,
    after: &EffectiveRoute,
    changed: Option<bool>,
    n: u64,
) {
    let Some(before) = before else {
        found.new += n;
        return;
    };
    let if_so = |holds: bool| u64::from(holds) * n;
    let (routed, stays) = (before.is_database(), after.is_database());
    let environment = RouteSource::Environment;
    found.routed += if_so(routed);
    found.rerouted += if_so(routed && changed == Some(true));
    found.unrouted += if_so(routed && !stays);
    found.broken += if_so(before.error.is_none() && after.error.is_some());
    found.to_environment += if_so(routed && after.source == environment);
    found.from_environment += if_so(before.source == environment && stays);
}

fn group(
    plan: &Plan,
    before: Option<EffectiveRoute>,
    after: EffectiveRoute,
    parts: Parts,
) -> RerouteGroup {
    let tenants = parts.tenants.into_iter().map(|(tenant, numbers)| Share {
        name: plan.tenants.get(tenant as usize).map(|t| t.label()),
        numbers,
    });
    let regions = parts.regions.into_iter();
    RerouteGroup {
        count: parts.count,
        changed: before
            .as_ref()
            .map(|leg| leg.differs(&after))
            .unwrap_or_default(),
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
