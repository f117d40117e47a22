//! Files against database, in one pass over the rows. Core.
//!
//! [`Differ`] is fed what the store reads: first what is owned, then every
//! number row. A row costs a look-up by key; what becomes of it is decided once
//! for each distinct case, in `binding_classes`. Memory grows with what is
//! declared or owned, not with the rows of others.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use uuid::Uuid;

use super::binding_classes::{BindingCase, BindingClassifier};
use super::binding_index::{BindingIndex, NONE};
use super::earlier::Earlier;
use super::object_change::{ObjectChange, Objects, applied_origin};
use super::objects::{broken_configs, compare_objects, odd_configs};
use super::plan::{BindingGroup, Change, ForeignRows, Object, Patch, Plan};
use super::plan_order::{number_rows, ranks, sort_plan};
use super::row_reader::{NoObject, RowReader};
use super::secret::SecretFacts;
use crate::fields::{Field, FieldsIx, FieldsPool};
use crate::list_index::{index_of, push_indexed};
use crate::phone::E164;
use crate::resolve::CallBasis;
use crate::routing::{Routing, Tenant};
use crate::snapshot::{NumberRow, OwnedBinding, Snapshot};

mod findings;

type Map<K, V> = HashMap<K, V, RandomState>;

/// Tenant, fields before, fields after.
type ClassKey = (u32, Option<FieldsIx>, Option<FieldsIx>);

/// How many odd rows are named, rather than counted.
const EXAMPLES: usize = 3;

/// The row of a slot.
#[derive(Debug, Clone, Copy)]
struct LiveRow {
    id: Uuid,
    /// Absent where `rules` is no object.
    fields: Option<FieldsIx>,
    active: bool,
}

/// Collects what the store reads, and makes the plan of it.
#[derive(Debug)]
pub struct Differ<'a> {
    routing: &'a Routing,
    snapshot: &'a Snapshot,
    objects: Objects,
    classifier: BindingClassifier<'a>,
    tenants: Vec<Tenant>,
    tenant_ix: Map<Uuid, u32>,
    last_tenant: Option<(Uuid, u32)>,
    slots: BindingIndex,
    owned: Vec<OwnedBinding>,
    /// A number that is declared in another way than it is owned.
    changed: Option<E164>,
    lives: Vec<LiveRow>,
    /// The active rows with the key of a slot, beside the one that is kept.
    rivals: Map<u32, Vec<Uuid>>,
    reader: RowReader,
    classes: Map<ClassKey, u64>,
    /// The class that was counted last, and how often since it came: numbers that
    /// are alike mostly lie side by side.
    run: (ClassKey, u64),
    /// Rows without a readable number, by their fields.
    held: Map<FieldsIx, u64>,
    foreign: ForeignRows,
    earlier: Option<Box<Earlier>>,
}

impl<'a> Differ<'a> {
    /// Compares regions and configs, and makes ready for the numbers.
    /// `new_id` makes the ids of configs to insert.
    pub fn new(
        routing: &'a Routing,
        snapshot: &'a Snapshot,
        facts: &SecretFacts,
        mut new_id: impl FnMut() -> Uuid,
    ) -> Differ<'a> {
        let objects = compare_objects(routing, snapshot, facts, &mut new_id);
        // A state that a rollback brings back names undeclared configs by their ids.
        let undeclared = |name: &str| Uuid::parse_str(name).ok();
        let config_id = |name: &str| {
            let id = objects.ids.get(name).copied().or_else(|| undeclared(name));
            id.map(|id| id.to_string())
        };
        let classifier = BindingClassifier::new(&routing.settings, config_id);
        let declared = routing.bindings.iter();
        let declared = declared.map(|binding| (binding.tenant, binding.number.row_key()));
        let mut differ = Differ {
            routing,
            snapshot,
            objects,
            classifier,
            tenants: routing.tenants.clone(),
            tenant_ix: Map::default(),
            last_tenant: None,
            slots: BindingIndex::new(declared),
            owned: Vec::with_capacity(routing.bindings.len()),
            changed: None,
            lives: Vec::with_capacity(routing.bindings.len()),
            rivals: Map::default(),
            reader: RowReader::default(),
            classes: Map::default(),
            run: Default::default(),
            held: Map::default(),
            foreign: ForeignRows::default(),
            earlier: None,
        };
        for (ix, tenant) in (0u32..).zip(&routing.tenants) {
            differ.tenant_ix.insert(tenant.id, ix);
        }
        differ
    }

    /// What there was when the window of the budgets began: the plan then
    /// says of which numbers it is.
    pub fn since(&mut self, earlier: Option<Earlier>) {
        self.earlier = earlier.map(Box::new);
    }

    /// The pool in which the store interns what it reads.
    pub fn pool(&mut self) -> &mut FieldsPool {
        &mut self.classifier.pool
    }

    fn tenant(&mut self, id: Uuid) -> u32 {
        // Mostly that of the row before.
        if let Some((last, ix)) = self.last_tenant
            && last == id
        {
            return ix;
        }
        let ix = self.find_tenant(id);
        self.last_tenant = Some((id, ix));
        ix
    }

    fn find_tenant(&mut self, id: Uuid) -> u32 {
        if let Some(ix) = self.tenant_ix.get(&id) {
            return *ix;
        }
        let alias = self
            .snapshot
            .tenants
            .iter()
            .find(|(tenant, _)| *tenant == id);
        let tenant = Tenant {
            id,
            alias: alias.map(|(_, alias)| alias.clone()),
        };
        let ix = push_indexed(&mut self.tenants, tenant);
        self.tenant_ix.insert(id, ix);
        ix
    }

    /// Takes in what the last apply set a binding to.
    pub fn owned(&mut self, owned: OwnedBinding) {
        let tenant = self.tenant(owned.tenant);
        let slot = self.slots.find_or_add(tenant, owned.number.row_key());
        let slot = &mut self.slots.all[slot as usize];
        let declared = self.routing.bindings.get(slot.declared as usize);
        let is_changed = declared.is_some_and(|binding| {
            self.classifier.declared_fields(binding.settings) != owned.fields
        });
        if is_changed && self.changed.is_none() {
            self.changed = Some(owned.number);
        }
        slot.owned = push_indexed(&mut self.owned, owned);
    }

    /// When all that is owned was taken in: a number like those that are sure to
    /// be created or changed, where there are any.
    pub fn foreseen_change(&self) -> Option<E164> {
        let first = self.routing.bindings.first();
        let is_new = self.owned.len() < self.routing.bindings.len();
        let new = first.filter(|_| is_new).map(|binding| binding.number);
        self.changed.or(new)
    }

    /// The same for all bindings at once, whose fields are of another pool.
    pub(crate) fn owned_all(&mut self, mut all: Vec<OwnedBinding>, pool: &FieldsPool) {
        let mut known: Map<FieldsIx, FieldsIx> = Map::default();
        for (ix, owned) in (0u32..).zip(&mut all) {
            owned.fields = *known
                .entry(owned.fields)
                .or_insert_with_key(|fields| self.pool().intern(pool.get(*fields).clone()));
            let tenant = self.tenant(owned.tenant);
            let slot = self.slots.find_or_add(tenant, owned.number.row_key());
            self.slots.all[slot as usize].owned = ix;
        }
        self.owned = all;
    }

    /// Takes in a number row; all that is owned must have been taken in.
    pub fn row(&mut self, row: &NumberRow<'_>) {
        let tenant = self.tenant(row.tenant);
        let fields = self.reader.read(row, &mut self.classifier.pool);
        let number = match row.number() {
            Ok(number) => number,
            Err(reason) => {
                self.meet_passed_over(tenant, row);
                return self.unreadable(row.id, reason, fields);
            }
        };
        let Some(slot) = self.slots.find(tenant, number.row_key()) else {
            return self.others(tenant, fields);
        };
        let live = LiveRow {
            id: row.id,
            fields: fields.ok(),
            active: row.is_active(),
        };
        self.meet(tenant, slot, live);
    }

    /// A row that can't be written stands beside what is declared all the same.
    fn meet_passed_over(&mut self, tenant: u32, row: &NumberRow<'_>) {
        let number = row.any_number().ok().filter(|_| row.is_active());
        let slot = number.and_then(|number| self.slots.find(tenant, number.row_key()));
        if let Some(slot) = slot {
            self.rivals.entry(slot).or_default().push(row.id);
        }
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
        let class = (tenant, before, after);
        if self.run.0 != class {
            self.end_run();
            self.run.0 = class;
        }
        self.run.1 += 1;
    }

    fn end_run(&mut self) {
        let (class, numbers) = std::mem::take(&mut self.run);
        if numbers > 0 {
            *self.classes.entry(class).or_default() += numbers;
        }
    }

    /// A row with the key of a slot: the first, or a better one, or a duplicate.
    fn meet(&mut self, tenant: u32, ix: u32, row: LiveRow) {
        let slot = self.slots.all[ix as usize];
        if slot.live == NONE {
            self.slots.all[ix as usize].live = push_indexed(&mut self.lives, row);
            return;
        }
        let ours = self.owned.get(slot.owned as usize).map(|owned| owned.row);
        let rank = |live: &LiveRow| (Some(live.id) == ours, live.active);
        let kept = &mut self.lives[slot.live as usize];
        let mut other = row;
        if rank(&row) > rank(kept) {
            std::mem::swap(kept, &mut other);
        }
        if other.active {
            self.rivals.entry(ix).or_default().push(other.id);
        }
        self.others(tenant, other.fields.ok_or(NoObject));
    }

    /// Compares every slot and puts the plan together. `new_row` makes the
    /// ids of number rows to insert, in the order of the plan: ascending ids
    /// keep the index that takes them in short.
    pub fn finish(mut self, new_row: impl FnMut() -> Uuid) -> Plan {
        let ours = self.routing.files.iter();
        let mut plan = Plan {
            environment: self.routing.environment.clone(),
            base: self.snapshot.last_apply.as_ref().map(|apply| apply.id),
            files: ours.chain(&self.snapshot.files).cloned().collect(),
            unchanged: self.objects.unchanged,
            unchecked: std::mem::take(&mut self.objects.unchecked),
            findings: std::mem::take(&mut self.objects.findings),
            declared_secrets: std::mem::take(&mut self.objects.declared_secrets),
            // There is none before the first apply, which may have to create it.
            database: self
                .snapshot
                .identity
                .filter(|_| self.snapshot.last_apply.is_some()),
            basis: CallBasis::of_snapshot(self.snapshot),
            ..Plan::default()
        };
        plan.findings.extend(broken_configs(self.snapshot));
        plan.findings.extend(odd_configs(self.snapshot));
        self.name_configs(&mut plan);
        self.place_objects(&mut plan);
        // In the order of the plan, so that there is next to nothing to sort.
        let ranks = ranks(self.tenants.iter().map(|tenant| tenant.id));
        for slot in self.slots.in_order(&ranks) {
            self.compare_slot(slot, &mut plan);
        }
        self.end_run();
        self.warn_adopt(&mut plan);
        let classes = self.classes.iter();
        plan.classes = classes
            .map(|(&(tenant, before, after), &numbers)| BindingGroup {
                tenant,
                before,
                after,
                numbers,
            })
            .collect();
        plan.foreign = self.foreign;
        plan.held = self.held.into_iter().collect();
        plan.pool = self.classifier.pool;
        plan.patches = self.classifier.patches;
        plan.tenants = self.tenants;
        plan.earlier = self.earlier;
        sort_plan(&mut plan);
        number_rows(&mut plan, new_row);
        plan
    }

    fn name_configs(&self, plan: &mut Plan) {
        let live = self.snapshot.configs.iter().filter_map(|row| {
            let name = row.fields.text(Field::Name)?;
            Some((row.id, name.to_owned()))
        });
        plan.config_names.extend(live);
        let ids = &self.objects.ids;
        let declared = ids.iter().map(|(name, id)| (*id, name.clone()));
        plan.config_names.extend(declared);
        let configs = self.routing.configs.iter();
        plan.config_sources = configs
            .filter_map(|(name, config)| Some((*ids.get(name)?, config.api_secret.clone())))
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
                let ix = index_of(plan.names.len());
                let object = make(ix);
                if let Object::Config(_) = object
                    && let Some(config) = self.routing.configs.get(&change.name)
                {
                    plan.field_lines.insert(ix, config.lines.clone());
                }
                plan.names.push(change.name);
                let outcome = change.row.zip(change.secret);
                plan.secrets
                    .extend(outcome.filter(|_| writes_secret(&change.patch)));
                plan.changes.push(Change {
                    object,
                    action: change.action,
                    patch: self.classifier.patch(change.patch),
                    row: change.row,
                    previous: change.previous,
                    origin: change.origin,
                    live: None,
                    owned: change
                        .owned
                        .map(|fields| self.classifier.pool.intern(fields)),
                    inserted: change.inserted,
                    insert: change.insert,
                });
            }
        }
    }

    fn compare_slot(&mut self, ix: u32, plan: &mut Plan) {
        let slot = self.slots.all[ix as usize];
        let tenant = slot.tenant;
        let binding = self.routing.bindings.get(slot.declared as usize).copied();
        let live = self.lives.get(slot.live as usize).copied();
        let owned = self.owned.get(slot.owned as usize).copied();
        let Some(number) = binding.map(|b| b.number).or(owned.map(|o| o.number)) else {
            return;
        };
        // Another row took the place of lkroute's: it is treated as any row of others.
        let replaced = owned
            .zip(live)
            .is_some_and(|(owned, live)| owned.row != live.id);
        let ours = owned.filter(|_| !replaced);
        let before = live.and_then(|live| live.fields);
        let rivals = self.rivals.get(&ix).map_or(0, Vec::len);
        let outcome = match (binding, owned) {
            (None, Some(owned)) if replaced && !owned.retired => {
                self.count(tenant, before, before);
                self.classifier.outcome(BindingCase {
                    settings: None,
                    owned: Some(owned.fields),
                    retired: false,
                    inserted: owned.inserted,
                    live: None,
                    rivals: 0,
                })
            }
            _ => {
                let outcome = self.classifier.outcome(BindingCase {
                    settings: binding.map(|binding| binding.settings),
                    owned: ours.map(|owned| owned.fields),
                    retired: ours.is_some_and(|owned| owned.retired),
                    inserted: ours.is_some_and(|owned| owned.inserted),
                    live: live.map(|live| live.fields),
                    rivals,
                });
                if before.is_some() || outcome.after.is_some() {
                    self.count(tenant, before, outcome.after);
                    if let Some((earlier, ours)) = self.earlier.as_mut().zip(ours) {
                        earlier.meet(ours.row, tenant, before);
                    }
                }
                outcome
            }
        };
        let object = Object::Binding { number, tenant };
        let applied = || applied_origin(self.routing, owned?.source);
        let origin = binding.map(|binding| binding.origin).or_else(applied);
        let rows = rivals + usize::from(live.is_some_and(|live| live.active));
        if rows > 1 {
            plan.findings
                .push(self.duplicates_of(ix, rows, object, origin));
        }
        let Some(action) = outcome.action else {
            plan.unchanged += u64::from(binding.is_some());
            return;
        };
        let insert = binding.is_some() && live.is_none();
        plan.changes.push(Change {
            object,
            action,
            patch: outcome.patch,
            row: live
                .filter(|_| binding.is_some() || !replaced)
                .map(|live| live.id),
            previous: owned.map(|owned| owned.row),
            origin,
            live: before.filter(|_| binding.is_some() || !replaced),
            owned: outcome.owned,
            inserted: insert || ours.is_some_and(|owned| owned.inserted),
            insert,
        });
    }
}

fn writes_secret(patch: &Patch) -> bool {
    let mut fields = patch.fields.iter();
    fields.any(|change| change.field == Field::ApiSecret && change.kind.writes())
}
