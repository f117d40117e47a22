//! `--target`: a plan narrowed to some objects and what they newly depend
//! on, never their dependents. Core.

use hashbrown::{HashMap, HashSet};
use serde_json::Value;
use uuid::Uuid;

use super::plan::{Change, FieldChange, Object, Plan};
use crate::address::Address;
use crate::fields::Field;
use crate::routing::{Routing, Tenant};
use crate::source::suggest;

/// The plan of these objects alone; all else is outstanding.
pub(crate) fn narrow(plan: Plan, targets: &[Address]) -> Plan {
    let kept = reachable_objects(&plan, targets);
    let mut plan = plan;
    plan.guards_outstanding = plan.guards.take().is_some();
    plan.only(|change| kept.contains(&change.object))
}

/// The targets that neither the files nor the plan know: most likely typos.
pub(crate) fn unknown<'a>(
    plan: &Plan,
    routing: &Routing,
    targets: &'a [Address],
) -> Vec<&'a Address> {
    let declared = |address: &Address| match address {
        Address::Region(name) => routing.regions.contains_key(name),
        Address::Config(name) => routing.configs.contains_key(name),
        Address::Binding(number, tenant) => routing.bindings.iter().any(|binding| {
            binding.number == *number && names_tenant(tenant, routing.tenant(binding))
        }),
    };
    let planned = |address: &Address| {
        let mut changes = plan.changes.iter();
        changes.any(|change| names(plan, change.object, address))
    };
    let unknown = |address: &&Address| !declared(address) && !planned(address);
    targets.iter().filter(unknown).collect()
}

/// What there is in place of a target that is not known.
pub(crate) fn like_target(target: &Address, routing: &Routing) -> String {
    let aliases = routing.tenants.iter();
    let aliases = aliases.filter_map(|tenant| tenant.alias.as_deref());
    let (name, known): (_, Vec<&str>) = match target {
        Address::Region(name) => (name, routing.regions.keys().map(String::as_str).collect()),
        Address::Config(name) => (name, routing.configs.keys().map(String::as_str).collect()),
        Address::Binding(_, tenant) => (tenant, aliases.collect()),
    };
    let guess = suggest::suggestion_hint(name, known.iter().copied());
    let guess = guess.filter(|_| !known.contains(&name.as_str()));
    guess.unwrap_or_else(|| "`lkroute plan` shows what it has, by address".to_owned())
}

/// Whether the text is the tenant's alias or uuid.
fn names_tenant(text: &str, tenant: &Tenant) -> bool {
    tenant.alias.as_deref() == Some(text) || Uuid::parse_str(text) == Ok(tenant.id)
}

/// Whether the address means the object; a tenant by its alias or its uuid.
pub(crate) fn names(plan: &Plan, object: Object, address: &Address) -> bool {
    match (object, address) {
        (Object::Region(ix), Address::Region(name))
        | (Object::Config(ix), Address::Config(name)) => plan.names[ix as usize] == *name,
        (Object::Binding { number, tenant }, Address::Binding(wanted, label)) => {
            number == *wanted && names_tenant(label, &plan.tenants[tenant as usize])
        }
        _ => false,
    }
}

/// What the changed fields of an object may refer to.
#[derive(PartialEq, Eq, Hash)]
pub(super) enum Handle<'a> {
    ConfigRow(Uuid),
    Config(&'a str),
    Region(&'a str),
    /// A config's name before the plan, which a change gives up.
    NameGivenUp(&'a str),
}

fn reachable_objects(plan: &Plan, targets: &[Address]) -> HashSet<Object> {
    let by_handle = handles(plan);
    let targeted = |change: &&Change| {
        let mut targets = targets.iter();
        targets.any(|address| names(plan, change.object, address))
    };
    let mut queue: Vec<&Change> = plan.changes.iter().filter(targeted).collect();
    let mut reached: HashSet<Object> = queue.iter().map(|change| change.object).collect();
    while let Some(change) = queue.pop() {
        for needed in needed_handles(plan, change).filter_map(|handle| by_handle.get(&handle)) {
            if reached.insert(needed.object) {
                queue.push(needed);
            }
        }
    }
    reached
}

fn handles(plan: &Plan) -> HashMap<Handle<'_>, &Change> {
    let mut handles = HashMap::new();
    for change in &plan.changes {
        match change.object {
            Object::Region(ix) => {
                handles.insert(Handle::Region(&plan.names[ix as usize]), change);
            }
            Object::Config(ix) => {
                handles.insert(Handle::Config(&plan.names[ix as usize]), change);
                handles.extend(change.row.map(|row| (Handle::ConfigRow(row), change)));
                let fields = plan.patch(change).fields.iter();
                let name = fields.filter(|field| field.field == Field::Name);
                let name = name.filter_map(|field| field.before.as_ref()?.as_str());
                handles.extend(name.map(|name| (Handle::NameGivenUp(name), change)));
            }
            Object::Binding { .. } => {}
        }
    }
    handles
}

/// What the object has after the change and had not before.
fn needed_handles<'a>(plan: &'a Plan, change: &Change) -> impl Iterator<Item = Handle<'a>> {
    plan.patch(change).fields.iter().filter_map(needed)
}

/// What a field refers to after the change.
pub(super) fn needed(field: &FieldChange) -> Option<Handle<'_>> {
    let after = field.after.as_ref().and_then(Value::as_str)?;
    match field.field {
        Field::Config | Field::Fallback => Some(Handle::ConfigRow(Uuid::parse_str(after).ok()?)),
        Field::Region | Field::AllowedOutbound => Some(Handle::Region(after)),
        Field::DefaultConfig => Some(Handle::Config(after)),
        Field::Name => Some(Handle::NameGivenUp(after)),
        _ => None,
    }
}
