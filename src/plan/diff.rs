//! Files against database, in one pass over the rows. Core.
//!
//! [`Differ`] is fed what the store reads: first what is owned, then every
//! number row. Each row costs a look-up by key; the comparison itself is made
//! once for each distinct combination of declared, last applied and live
//! fields. Memory grows with what is declared or owned, not with the rows of
//! others.

use std::collections::BTreeSet;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use serde_json::Value;
use uuid::Uuid;

use super::compare::{Sides, compare};
use super::live::{NoObject, RowReader};
use super::objects::{self, ObjectChange, Objects};
use super::secret::SecretFacts;
use super::{Action, Change, Class, FieldChange, Foreign, Kind, Object, Patch, Plan};
use crate::fields::{Field, Fields, FieldsIx, FieldsPool};
use crate::finding::{Finding, Place};
use crate::phone::{self, RowKey};
use crate::routing::{Origin, Routing, Tenant};
use crate::snapshot::{NumberRow, OwnedBinding, Snapshot};

type Map<K, V> = HashMap<K, V, RandomState>;

/// No index.
const NONE: u32 = u32::MAX;
/// How many odd rows are named, rather than counted.
const EXAMPLES: usize = 20;

/// What is known about one (tenant, number): indices, or [`NONE`].
#[derive(Debug, Clone, Copy)]
struct Slot {
    declared: u32,
    owned: u32,
    live: u32,
}

/// The row of a slot.
#[derive(Debug, Clone, Copy)]
struct Live {
    id: Uuid,
    /// Absent where `rules` is no object.
    fields: Option<FieldsIx>,
    active: bool,
}

/// A combination for which the comparison is made once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Case {
    settings: u32,
    owned: Option<FieldsIx>,
    retired: bool,
    inserted: bool,
    live: Option<Option<FieldsIx>>,
}

/// What the comparison of a [`Case`] gives.
#[derive(Debug, Clone, Copy)]
struct Verdict {
    /// `None`: nothing to do.
    action: Option<Action>,
    patch: u32,
    owned: Option<FieldsIx>,
    /// The live fields afterwards.
    after: Option<FieldsIx>,
}

/// Collects what the store reads, and makes the plan of it.
#[derive(Debug)]
pub struct Differ<'a> {
    routing: &'a Routing,
    snapshot: &'a Snapshot,
    new_id: fn() -> Uuid,
    objects: Objects,
    pool: FieldsPool,
    /// The declared fields of each of [`Routing::settings`].
    declared: Vec<FieldsIx>,
    tenants: Vec<Tenant>,
    tenant_ix: Map<Uuid, u32>,
    slot_ix: Map<(u32, RowKey), u32>,
    slots: Vec<Slot>,
    owned: Vec<OwnedBinding>,
    lives: Vec<Live>,
    /// Further active rows with the key of a slot.
    duplicates: Map<u32, Vec<Uuid>>,
    reader: RowReader,
    classes: Map<(u32, Option<FieldsIx>, Option<FieldsIx>), u64>,
    /// Rows without a readable number, by their fields: they may hold a config.
    held: Map<FieldsIx, u64>,
    foreign: Foreign,
    cases: Map<Case, Verdict>,
    patches: Vec<Patch>,
    patch_ix: Map<Patch, u32>,
    used_adopt: BTreeSet<(u32, Field)>,
}

impl<'a> Differ<'a> {
    /// Compares regions and configs, and makes ready for the numbers.
    /// `new_id` makes the ids of rows to insert.
    pub fn new(
        routing: &'a Routing,
        snapshot: &'a Snapshot,
        facts: &SecretFacts,
        new_id: fn() -> Uuid,
    ) -> Differ<'a> {
        let objects = objects::objects(routing, snapshot, facts, &mut { new_id });
        let mut differ = Differ {
            routing,
            snapshot,
            new_id,
            objects,
            pool: FieldsPool::default(),
            declared: Vec::with_capacity(routing.settings.len()),
            tenants: routing.tenants.clone(),
            tenant_ix: Map::default(),
            slot_ix: Map::with_capacity_and_hasher(routing.bindings.len(), RandomState::default()),
            slots: Vec::with_capacity(routing.bindings.len()),
            owned: Vec::new(),
            lives: Vec::with_capacity(routing.bindings.len()),
            duplicates: Map::default(),
            reader: RowReader::default(),
            classes: Map::default(),
            held: Map::default(),
            foreign: Foreign::default(),
            cases: Map::default(),
            patches: Vec::new(),
            patch_ix: Map::default(),
            used_adopt: BTreeSet::new(),
        };
        differ.declare();
        differ
    }

    fn declare(&mut self) {
        for (ix, tenant) in (0u32..).zip(&self.tenants) {
            self.tenant_ix.insert(tenant.id, ix);
        }
        for settings in &self.routing.settings {
            let id = self.objects.ids.get(&settings.config);
            let mut fields = settings.fields.clone();
            fields.set(Field::Config, id.map(|id| Value::from(id.to_string())));
            self.declared.push(self.pool.intern(fields));
        }
        for (ix, binding) in (0u32..).zip(&self.routing.bindings) {
            let slot = self.slot(binding.tenant, binding.number.key());
            self.slots[slot as usize].declared = ix;
        }
    }

    /// The pool in which the store interns what it reads.
    pub fn pool(&mut self) -> &mut FieldsPool {
        &mut self.pool
    }

    fn tenant(&mut self, id: Uuid) -> u32 {
        if let Some(ix) = self.tenant_ix.get(&id) {
            return *ix;
        }
        let ix = index(self.tenants.len());
        let alias = self
            .snapshot
            .tenants
            .iter()
            .find(|(tenant, _)| *tenant == id);
        self.tenants.push(Tenant {
            id,
            alias: alias.map(|(_, alias)| alias.clone()),
        });
        self.tenant_ix.insert(id, ix);
        ix
    }

    fn slot(&mut self, tenant: u32, key: RowKey) -> u32 {
        *self.slot_ix.entry((tenant, key)).or_insert_with(|| {
            self.slots.push(Slot {
                declared: NONE,
                owned: NONE,
                live: NONE,
            });
            index(self.slots.len() - 1)
        })
    }

    /// Takes in what the last apply set a binding to.
    pub fn owned(&mut self, owned: OwnedBinding) {
        let tenant = self.tenant(owned.tenant);
        let slot = self.slot(tenant, owned.number.key());
        self.slots[slot as usize].owned = index(self.owned.len());
        self.owned.push(owned);
    }

    /// Takes in a number row; all that is owned must have been taken in.
    pub fn row(&mut self, row: &NumberRow<'_>) {
        let tenant = self.tenant(row.tenant);
        let fields = self.reader.read(row, &mut self.pool);
        let number = match phone::from_row(row.country_code, row.base_number) {
            Ok(number) => number,
            Err(reason) => return self.unreadable(row.id, reason.to_string(), fields),
        };
        let Some(slot) = self.slot_ix.get(&(tenant, number.key())).copied() else {
            return self.others(tenant, fields);
        };
        let live = Live {
            id: row.id,
            fields: fields.ok(),
            active: row.status.is_none_or(|status| status == "active"),
        };
        self.meet(tenant, slot, live);
    }

    fn unreadable(&mut self, id: Uuid, reason: String, fields: Result<FieldsIx, NoObject>) {
        self.foreign.numbers += 1;
        self.foreign.unreadable += 1;
        if self.foreign.unreadable_rows.len() < EXAMPLES {
            self.foreign.unreadable_rows.push((id, reason));
        }
        if let Ok(fields) = fields {
            *self.held.entry(fields).or_default() += 1;
        }
    }

    fn others(&mut self, tenant: u32, fields: Result<FieldsIx, NoObject>) {
        self.foreign.numbers += 1;
        match fields {
            Ok(fields) => self.count(tenant, Some(fields), Some(fields)),
            Err(NoObject) => self.foreign.odd_rules += 1,
        }
    }

    fn count(&mut self, tenant: u32, before: Option<FieldsIx>, after: Option<FieldsIx>) {
        *self.classes.entry((tenant, before, after)).or_default() += 1;
    }

    /// A row with the key of a slot: the first, or a better one, or a duplicate.
    fn meet(&mut self, tenant: u32, ix: u32, row: Live) {
        let slot = self.slots[ix as usize];
        if slot.live == NONE {
            self.slots[ix as usize].live = index(self.lives.len());
            self.lives.push(row);
            return;
        }
        let ours = self.owned.get(slot.owned as usize).map(|owned| owned.row);
        let rank = |live: &Live| (Some(live.id) == ours, live.active);
        let kept = &mut self.lives[slot.live as usize];
        let mut other = row;
        if rank(&row) > rank(kept) {
            std::mem::swap(kept, &mut other);
        }
        if kept.active && other.active {
            self.duplicates.entry(ix).or_default().push(other.id);
        }
        self.others(tenant, other.fields.ok_or(NoObject));
    }

    /// Compares every slot and puts the plan together.
    pub fn finish(mut self) -> Plan {
        let mut plan = Plan {
            environment: self.routing.environment.clone(),
            base: self.snapshot.last_apply.as_ref().map(|apply| apply.id),
            files: self
                .routing
                .files
                .iter()
                .chain(&self.snapshot.files)
                .cloned()
                .collect(),
            unchanged: self.objects.unchanged,
            unchecked: self.objects.unchecked,
            findings: std::mem::take(&mut self.objects.findings),
            ..Plan::default()
        };
        self.name_configs(&mut plan);
        self.place_objects(&mut plan);
        let slots = std::mem::take(&mut self.slots);
        let keys: Vec<(u32, u32)> = self
            .slot_ix
            .drain()
            .map(|((tenant, _), slot)| (slot, tenant))
            .collect();
        for (slot, tenant) in keys {
            self.compare_slot(slot, slots[slot as usize], tenant, &mut plan);
        }
        self.warn_adopt(&mut plan);
        plan.classes = self
            .classes
            .iter()
            .map(|(&(tenant, before, after), &numbers)| Class {
                tenant,
                before,
                after,
                numbers,
            })
            .collect();
        plan.foreign = self.foreign;
        plan.pool = self.pool;
        plan.patches = self.patches;
        plan.tenants = self.tenants;
        plan.held = self.held.into_iter().collect();
        sort(&mut plan);
        plan
    }

    fn name_configs(&self, plan: &mut Plan) {
        let live = self.snapshot.configs.iter().filter_map(|row| {
            let name = row.fields.text(Field::Name)?;
            Some((row.id, name.to_owned()))
        });
        plan.config_names.extend(live);
        let declared = self
            .objects
            .ids
            .iter()
            .map(|(name, id)| (*id, name.clone()));
        plan.config_names.extend(declared);
        plan.config_sources = self
            .routing
            .configs
            .iter()
            .filter_map(|(name, config)| {
                Some((*self.objects.ids.get(name)?, config.api_secret.clone()))
            })
            .collect();
    }

    fn place_objects(&mut self, plan: &mut Plan) {
        type Make = fn(u32) -> Object;
        let regions = std::mem::take(&mut self.objects.regions);
        let configs = std::mem::take(&mut self.objects.configs);
        let kinds: [(Vec<ObjectChange>, Make); 2] =
            [(regions, Object::Region), (configs, Object::Config)];
        for (changes, make) in kinds {
            for change in changes {
                plan.names.push(change.name);
                plan.changes.push(Change {
                    object: make(index(plan.names.len() - 1)),
                    action: change.action,
                    patch: self.patch(change.patch),
                    row: change.row,
                    origin: change.origin,
                    owned: change.owned.map(|fields| self.pool.intern(fields)),
                    inserted: change.inserted,
                    insert: change.insert,
                });
            }
        }
    }

    fn patch(&mut self, patch: Patch) -> u32 {
        if let Some(ix) = self.patch_ix.get(&patch) {
            return *ix;
        }
        let ix = index(self.patches.len());
        self.patches.push(patch.clone());
        self.patch_ix.insert(patch, ix);
        ix
    }

    fn compare_slot(&mut self, ix: u32, slot: Slot, tenant: u32, plan: &mut Plan) {
        let owned = self.owned.get(slot.owned as usize).copied();
        let live = self.lives.get(slot.live as usize).copied();
        let binding = self.routing.bindings.get(slot.declared as usize).copied();
        let case = Case {
            settings: binding.map_or(NONE, |binding| binding.settings),
            owned: owned.map(|owned| owned.fields),
            retired: owned.is_some_and(|owned| owned.retired),
            inserted: owned.is_some_and(|owned| owned.inserted),
            live: live.map(|live| live.fields),
        };
        let verdict = match self.cases.get(&case) {
            Some(verdict) => *verdict,
            None => {
                let verdict = self.judge(case);
                self.cases.insert(case, verdict);
                verdict
            }
        };
        let before = live.and_then(|live| live.fields);
        if before.is_some() || verdict.after.is_some() {
            self.count(tenant, before, verdict.after);
        }
        let origin = match binding {
            Some(binding) => Some(binding.origin),
            None => owned.and_then(|owned| objects::applied_origin(self.routing, owned.source)),
        };
        let number = binding.map(|b| b.number).or(owned.map(|o| o.number));
        let Some(number) = number else { return };
        let object = Object::Binding { number, tenant };
        let Some(action) = verdict.action else {
            plan.unchanged += u64::from(binding.is_some());
            self.warn_duplicates(ix, object, origin, plan);
            return;
        };
        let mut change = Change {
            object,
            action,
            patch: verdict.patch,
            row: live.map(|live| live.id),
            origin,
            owned: verdict.owned,
            inserted: owned.is_some_and(|owned| owned.inserted),
            insert: false,
        };
        if binding.is_some() && live.is_none() {
            change.row = Some((self.new_id)());
            change.insert = true;
            change.inserted = true;
        }
        if binding.is_none() {
            change.row = change.row.or(owned.map(|owned| owned.row));
        }
        if self.warn_duplicates(ix, object, origin, plan) {
            change.patch = self.duplicate_patch(ix, verdict.patch);
        }
        plan.changes.push(change);
    }

    fn warn_duplicates(
        &self,
        ix: u32,
        object: Object,
        origin: Option<Origin>,
        plan: &mut Plan,
    ) -> bool {
        let Some(others) = self.duplicates.get(&ix) else {
            return false;
        };
        let Object::Binding { number, tenant } = object else {
            return false;
        };
        let tenant = self.tenants[tenant as usize].label();
        let message = format!(
            "{} active rows hold {number} for tenant {tenant}: calls from it fail until one is left",
            others.len() + 1
        );
        let ids: Vec<String> = others.iter().map(Uuid::to_string).collect();
        let finding = Finding::warning("duplicate-rows", message).hint(format!(
            "make all but one inactive in the application; beside ours: {}",
            ids.join(", ")
        ));
        plan.findings.push(match origin {
            Some(origin) => finding.at(self.line(origin)),
            None => finding,
        });
        true
    }

    /// A change to a number that is there twice is a conflict.
    fn duplicate_patch(&mut self, ix: u32, patch: u32) -> u32 {
        let rows = self.duplicates.get(&ix).map_or(0, Vec::len) + 1;
        let mut patch = self.patches[patch as usize].clone();
        patch.fields.push(FieldChange {
            field: Field::Status,
            before: Some(Value::from(format!("{rows} active rows"))),
            after: Some(Value::from("one active row")),
            kind: Kind::Conflict,
            applied: None,
        });
        self.patch(patch)
    }

    fn judge(&mut self, case: Case) -> Verdict {
        let declared = self.declared.get(case.settings as usize).copied();
        let owned = case.owned.filter(|_| !case.retired);
        match (declared, case.live) {
            (Some(declared), None) => self.judge_missing(declared, owned),
            (Some(declared), Some(live)) => self.judge_declared(case, declared, owned, live),
            (None, live) => match owned {
                Some(owned) => self.judge_removed(owned, live, case.inserted),
                None => Verdict {
                    action: None,
                    patch: 0,
                    owned: case.owned,
                    after: live.flatten(),
                },
            },
        }
    }

    fn judge_missing(&mut self, declared: FieldsIx, owned: Option<FieldsIx>) -> Verdict {
        let before = owned.map(|owned| self.pool.get(owned).clone());
        let patch = objects::inserted(self.pool.get(declared), before.as_ref());
        Verdict {
            action: Some(Action::Create),
            patch: self.patch(patch),
            owned: Some(declared),
            after: Some(declared),
        }
    }

    fn judge_declared(
        &mut self,
        case: Case,
        declared: FieldsIx,
        owned: Option<FieldsIx>,
        live: Option<FieldsIx>,
    ) -> Verdict {
        let Some(live) = live else {
            let patch = self.patch(odd_rules(self.pool.get(declared)));
            return Verdict {
                action: Some(Action::Update),
                patch,
                owned: Some(declared),
                after: None,
            };
        };
        let adopt = &self.routing.settings[case.settings as usize].adopt;
        let sides = Sides {
            declared: Some(self.pool.get(declared)),
            owned: owned.map(|owned| self.pool.get(owned)),
            live: self.pool.get(live),
            whole: false,
            adopt,
        };
        let (mut patch, mut needed) = compare(sides, &Field::OF_BINDING);
        if let Some(status) = self.pool.get(live).get(Field::Status) {
            let kind = match (case.retired, adopt.contains(&Field::Status)) {
                (true, _) => Kind::Set,
                (false, true) => Kind::TakeOver,
                (false, false) => Kind::Conflict,
            };
            needed.extend((kind == Kind::TakeOver).then_some(Field::Status));
            patch
                .fields
                .push(status_change(Some(status.clone()), None, kind));
        }
        self.used_adopt
            .extend(needed.into_iter().map(|field| (case.settings, field)));
        let action = match patch.fields.iter().all(|change| change.kind == Kind::Adopt) {
            true if patch.fields.is_empty() => None,
            true => Some(Action::Adopt),
            false => Some(Action::Update),
        };
        let after = self.carried_out(live, &patch);
        Verdict {
            action,
            patch: self.patch(patch),
            owned: Some(declared),
            after: Some(after),
        }
    }

    /// Every owned key goes out of `rules`, columns stay; a row that lkroute
    /// inserted becomes inactive.
    fn judge_removed(
        &mut self,
        owned: FieldsIx,
        live: Option<Option<FieldsIx>>,
        inserted: bool,
    ) -> Verdict {
        let nothing = Fields::new();
        let fields = match live {
            Some(None) => {
                let patch = self.patch(odd_rules(&nothing));
                return Verdict {
                    action: Some(Action::Delete),
                    patch,
                    owned: None,
                    after: None,
                };
            }
            Some(Some(live)) => self.pool.get(live),
            None => &nothing,
        };
        let sides = Sides {
            declared: None,
            owned: Some(self.pool.get(owned)),
            live: fields,
            whole: false,
            adopt: &[],
        };
        let (mut patch, _) = compare(sides, &Field::OF_BINDING);
        if inserted && live.is_some() && !fields.contains(Field::Status) {
            let inactive = Some(Value::from("inactive"));
            patch.fields.push(status_change(None, inactive, Kind::Set));
        }
        let live = live.flatten();
        let after = live.map(|live| self.carried_out(live, &patch));
        Verdict {
            action: Some(Action::Delete),
            patch: self.patch(patch),
            owned: None,
            after,
        }
    }

    /// The live fields with a patch carried out; in conflict nothing is.
    fn carried_out(&mut self, live: FieldsIx, patch: &Patch) -> FieldsIx {
        if patch.has(Kind::Conflict) {
            return live;
        }
        let mut fields = self.pool.get(live).clone();
        for change in patch.fields.iter().filter(|change| change.kind.writes()) {
            let active = change.field == Field::Status
                && change
                    .after
                    .as_ref()
                    .is_none_or(|status| status == "active");
            let after = change.after.clone().filter(|_| !active);
            fields.set(change.field, after);
        }
        self.pool.intern(fields)
    }

    fn line(&self, origin: Origin) -> Place {
        let mut ours = self.routing.files.iter().chain(&self.snapshot.files);
        let file = ours.nth(origin.file as usize).cloned();
        Place {
            line: origin.line,
            ..Place::file(file.unwrap_or_default())
        }
    }

    /// `adopt` lines that no binding of their settings needed.
    fn warn_adopt(&self, plan: &mut Plan) {
        let listing: Vec<u32> = (0u32..)
            .zip(&self.routing.settings)
            .filter(|(_, settings)| !settings.adopt.is_empty())
            .map(|(ix, _)| ix)
            .collect();
        if listing.is_empty() {
            return;
        }
        let mut first: Map<u32, Origin> = Map::default();
        for binding in &self.routing.bindings {
            let origin = first.entry(binding.settings).or_insert(binding.origin);
            *origin = binding.origin.min(*origin);
        }
        for ix in listing {
            let settings = &self.routing.settings[ix as usize];
            for field in settings
                .adopt
                .iter()
                .filter(|field| !self.used_adopt.contains(&(ix, **field)))
            {
                let finding = objects::adopt_not_needed(*field);
                plan.findings.push(match first.get(&ix) {
                    Some(origin) => finding.at(self.line(*origin)),
                    None => finding,
                });
            }
        }
    }
}

fn index(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(NONE)
}

fn status_change(before: Option<Value>, after: Option<Value>, kind: Kind) -> FieldChange {
    let or_active = |status: Option<Value>| status.or_else(|| Some("active".into()));
    FieldChange {
        field: Field::Status,
        before: or_active(before),
        after: or_active(after),
        kind,
        applied: None,
    }
}

/// A row whose `rules` is no object can't be patched.
fn odd_rules(declared: &Fields) -> Patch {
    Patch {
        fields: vec![FieldChange {
            field: Field::Config,
            before: Some(Value::from("rules is no JSON object")),
            after: declared.get(Field::Config).cloned(),
            kind: Kind::Conflict,
            applied: None,
        }],
    }
}

/// Deletes first, then by kind and address.
fn sort(plan: &mut Plan) {
    let names = &plan.names;
    let tenants = &plan.tenants;
    let order = |change: &Change| {
        let (kind, name, number, tenant) = match change.object {
            Object::Region(ix) => (0, names[ix as usize].as_str(), None, None),
            Object::Config(ix) => (1, names[ix as usize].as_str(), None, None),
            Object::Binding { number, tenant } => {
                (2, "", Some(number), Some(tenants[tenant as usize].id))
            }
        };
        (change.action != Action::Delete, kind, name, number, tenant)
    };
    plan.changes
        .sort_unstable_by(|a, b| order(a).cmp(&order(b)));
    plan.findings
        .sort_by(|a, b| (b.severity, &a.place, a.code).cmp(&(a.severity, &b.place, b.code)));
    plan.classes
        .sort_unstable_by_key(|class| (class.tenant, class.before, class.after));
}
