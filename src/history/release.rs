//! Giving objects back without touching them: the plan that ends lkroute's
//! care for them, and nothing else. Core.

use hashbrown::HashMap;
use uuid::Uuid;

use crate::address::Address;
use crate::diff::plan::{Action, Change, FieldChange, Kind, Object, Patch, Plan};
use crate::diff::restrict::GroupCounts;
use crate::fields::{CallField, Field, Fields, FieldsIx, FieldsPool};
use crate::finding::Finding;
use crate::list_index::{index_of, push_indexed};
use crate::phone::E164;
use crate::resolve::CallBasis;
use crate::routing::{Origin, Tenant};
use crate::snapshot::{OwnedBinding, Snapshot, SourceLine};

/// Collects what is to be given back.
#[derive(Debug)]
pub struct ReleasePlan<'a> {
    /// `None`: everything.
    wanted: Option<&'a [Address]>,
    met: Vec<bool>,
    tenants: HashMap<Uuid, u32>,
    patches: HashMap<FieldsIx, u32>,
    plan: Plan,
}

impl<'a> ReleasePlan<'a> {
    /// `wanted`: the objects, or `None` for all that lkroute has.
    pub fn new(wanted: Option<&'a [Address]>, snapshot: &Snapshot) -> ReleasePlan<'a> {
        let mut release = ReleasePlan {
            wanted,
            met: vec![false; wanted.map_or(0, <[Address]>::len)],
            tenants: HashMap::new(),
            patches: HashMap::new(),
            plan: Plan {
                environment: snapshot.environment.clone(),
                base: snapshot.last_apply.as_ref().map(|apply| apply.id),
                files: snapshot.files.clone(),
                basis: CallBasis::of_snapshot(snapshot),
                ..Plan::default()
            },
        };
        for (id, alias) in &snapshot.tenants {
            release.tenant_index(*id, Some(alias.clone()));
        }
        for region in &snapshot.owned_regions {
            let address = Address::Region(region.name.clone());
            release.release_object(address, &region.fields, None, region.source);
        }
        for config in &snapshot.owned_configs {
            let name = config.fields.text(Field::Name).unwrap_or_default();
            release.plan.config_names.insert(config.id, name.to_owned());
            let address = Address::Config(name.to_owned());
            release.release_object(address, &config.fields, Some(config.id), config.source);
        }
        release
    }

    /// The numbers of which bindings are wanted; `None` for all.
    pub fn wanted_numbers(&self) -> Option<Vec<E164>> {
        let number = |address: &Address| match address {
            Address::Binding(number, _) => Some(*number),
            Address::Region(_) | Address::Config(_) => None,
        };
        Some(self.wanted?.iter().filter_map(number).collect())
    }

    /// Takes in a binding that lkroute has; `pool` is that of its fields.
    pub fn add_binding(&mut self, owned: &OwnedBinding, pool: &FieldsPool) {
        let tenant = self.tenant_index(owned.tenant, None);
        let labels = [
            self.plan.tenants[tenant as usize].label(),
            owned.tenant.to_string(),
        ];
        let names = labels.map(|label| Address::Binding(owned.number, label));
        if owned.retired || !self.is_wanted(&names) {
            return;
        }
        let known = self.patches.get(&owned.fields).copied();
        let patch = known.unwrap_or_else(|| {
            let ix = self.add_patch(pool.get(owned.fields));
            self.patches.insert(owned.fields, ix);
            ix
        });
        let object = Object::Binding {
            number: owned.number,
            tenant,
        };
        self.add_change(object, patch, Some(owned.row), owned.source);
    }

    /// The plan.
    ///
    /// # Errors
    /// The objects that lkroute does not have.
    pub fn into_plan(self) -> Result<Plan, Vec<Address>> {
        let wanted = self.wanted.into_iter().flatten();
        let unmet = wanted.zip(&self.met).filter(|(_, met)| !**met);
        let unmet: Vec<Address> = unmet.map(|(address, _)| address.clone()).collect();
        if unmet.is_empty() {
            Ok(self.plan)
        } else {
            Err(unmet)
        }
    }

    fn tenant_index(&mut self, id: Uuid, alias: Option<String>) -> u32 {
        let tenants = &mut self.plan.tenants;
        *self
            .tenants
            .entry(id)
            .or_insert_with(|| push_indexed(tenants, Tenant { id, alias }))
    }

    fn is_wanted(&mut self, names: &[Address]) -> bool {
        let Some(wanted) = self.wanted else {
            return true;
        };
        let meant = |(address, _): &(&Address, &mut bool)| names.contains(address);
        let met = wanted.iter().zip(&mut self.met).filter(meant);
        met.map(|(_, met)| *met = true).count() > 0
    }

    fn release_object(
        &mut self,
        address: Address,
        fields: &Fields,
        row: Option<Uuid>,
        source: Option<SourceLine>,
    ) {
        if !self.is_wanted(std::slice::from_ref(&address)) {
            return;
        }
        let ix = index_of(self.plan.names.len());
        let (object, name) = match address {
            Address::Region(name) => (Object::Region(ix), name),
            Address::Config(name) => (Object::Config(ix), name),
            Address::Binding(..) => return,
        };
        self.plan.names.push(name);
        if let Object::Config(_) = object {
            self.lost(object, fields);
        }
        let patch = self.add_patch(fields);
        self.add_change(object, patch, row, source);
    }

    /// What only lkroute's tables hold of a config, and calls depend on.
    fn lost(&mut self, object: Object, fields: &Fields) {
        let address = self.plan.address(object);
        let lost = Field::OF_CONFIG.into_iter().filter(|f| f.is_ours_only());
        let lost = lost.filter_map(|field| {
            let then = match field.call_field()? {
                // No call changes: a region is only a name for the place.
                CallField::Region => return None,
                CallField::Deployment => "its calls go to production",
                CallField::Fallback => "no other config takes its calls",
                CallField::Source
                | CallField::Config
                | CallField::Server
                | CallField::Trunk
                | CallField::Worker
                | CallField::ApiKey
                | CallField::Secret
                | CallField::Inbound
                | CallField::Outbound
                | CallField::Countries
                | CallField::Dialled => "its calls are made without it",
            };
            let value = self.plan.shown(field, fields.get(field)?);
            let message = format!(
                "{address} has {field} = {value}, which only lkroute's tables hold: given back, \
                 {then}"
            );
            Some(Finding::warning("lost-by-release", message))
        });
        let lost: Vec<Finding> = lost.collect();
        self.plan.findings.extend(lost);
    }

    fn add_patch(&mut self, fields: &Fields) -> u32 {
        let kept = fields.managed_values().map(|(field, value)| FieldChange {
            field,
            before: Some(value.clone()),
            after: Some(value.clone()),
            kind: Kind::Release,
            applied: None,
        });
        let patch = Patch {
            fields: kept.collect(),
        };
        push_indexed(&mut self.plan.patches, patch)
    }

    fn add_change(
        &mut self,
        object: Object,
        patch: u32,
        row: Option<Uuid>,
        source: Option<SourceLine>,
    ) {
        self.plan.changes.push(Change {
            object,
            action: Action::Release,
            patch,
            row,
            previous: row,
            origin: source.map(|source| Origin {
                file: source.file,
                line: source.line,
            }),
            live: None,
            owned: None,
            // Given back, a row that lkroute inserted is no longer its own.
            inserted: false,
            insert: false,
        });
    }
}

impl Plan {
    /// Takes the numbers of another plan of the same moment, as they are: those
    /// whose calls can change where what they go by is given back.
    pub(crate) fn take_numbers(&mut self, other: Plan) {
        let known = (0u32..).zip(&other.tenants);
        let known: HashMap<Uuid, u32> = known.map(|(ix, tenant)| (tenant.id, ix)).collect();
        let own = std::mem::replace(&mut self.tenants, other.tenants);
        for change in &mut self.changes {
            if let Object::Binding { tenant, .. } = &mut change.object {
                let id = own[*tenant as usize].id;
                let tenants = &mut self.tenants;
                let add = || push_indexed(tenants, own[*tenant as usize].clone());
                *tenant = known.get(&id).copied().unwrap_or_else(add);
            }
        }
        let mut counts = GroupCounts::default();
        for class in other.classes.iter().filter(|class| class.before.is_some()) {
            let key = (class.tenant, class.before, class.before);
            *counts.entry(key).or_default() += class.numbers;
        }
        self.pool = other.pool;
        self.earlier = other.earlier;
        self.set_counts(counts);
    }
}
