//! Names of tenants that an apply changes: whom `--tenant NAME` means is told by
//! what is stored, so a change of it is a change of its own kind. Core.

use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};
use uuid::Uuid;

use super::alias_change::AliasChange;
use super::plan::{Object, Plan};
use crate::routing::Routing;

/// How the stored names differ from the declared ones, by tenant. Tenants that are
/// new with the plan have their names from its bindings.
pub(crate) fn alias_changes(
    stored: &[(Uuid, String)],
    routing: &Routing,
    plan: &Plan,
) -> Vec<AliasChange> {
    let before: HashMap<Uuid, &str> = stored.iter().map(|(id, alias)| (*id, &**alias)).collect();
    let declared = routing.tenants.iter();
    let declared = declared.filter_map(|tenant| Some((tenant.id, tenant.alias.as_deref()?)));
    let declared: BTreeMap<Uuid, &str> = declared.collect();
    let known: HashSet<&str> = before.values().copied().collect();
    let named_first = if declared.keys().any(|id| !before.contains_key(id)) {
        bound_before(routing, plan)
    } else {
        HashSet::new()
    };
    let mut changes = BTreeMap::new();
    for (tenant, alias) in &declared {
        let old = before.get(tenant).copied();
        let counts = old.is_some() || known.contains(alias) || named_first.contains(tenant);
        if old != Some(alias) && counts {
            changes.insert(*tenant, (old, Some(*alias)));
        }
    }
    let given: HashSet<&str> = declared.values().copied().collect();
    for (tenant, alias) in &before {
        if given.contains(alias) && !declared.contains_key(tenant) {
            changes.insert(*tenant, (Some(*alias), None));
        }
    }
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let changes = changes
        .into_iter()
        .map(|(tenant, (before, after))| AliasChange {
            tenant,
            before: owned(before),
            after: owned(after),
        });
    changes.collect()
}

/// Tenants with a declared number that the plan does not touch.
fn bound_before(routing: &Routing, plan: &Plan) -> HashSet<Uuid> {
    let touched = plan
        .changes
        .iter()
        .filter_map(|change| match change.object {
            Object::Binding { tenant, .. } => Some(plan.tenants[tenant as usize].id),
            Object::Region(_) | Object::Config(_) => None,
        });
    let touched: HashSet<Uuid> = touched.collect();
    let bound: HashSet<u32> = routing
        .bindings
        .iter()
        .map(|binding| binding.tenant)
        .collect();
    let bound = bound
        .into_iter()
        .map(|tenant| routing.tenants[tenant as usize].id);
    bound.filter(|id| !touched.contains(id)).collect()
}
