//! What a plan does to calls together with the applies of the window before
//! it: numbers whose calls would differ from what they were when the window
//! began. One that came back does not count. Core.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use uuid::Uuid;

use super::carried_out::basis_after;
use super::effective_route::{EffectiveRoute, RouteSource};
use super::reroutes::Effect;
use super::window_sum::{WindowCell, WindowSum};
use crate::diff::earlier::Earlier;
use crate::diff::plan::{Change, Object, Plan};
use crate::fields::{CallField, Field, Fields, FieldsIx};
use crate::resolve::CallBasis;
use crate::snapshot::ApplyId;

/// Numbers that are alike, and were when the window began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct WindowClass {
    tenant: u32,
    /// Index into [`Earlier::bindings`], where the binding was another.
    was: Option<u32>,
    before: FieldsIx,
    after: Option<FieldsIx>,
}

/// Adds up. The plan is as it is carried out: nothing is left out of it
/// afterwards.
pub fn window_sum(plan: &mut Plan) -> Option<WindowSum> {
    let earlier = plan.earlier.take()?;
    let classes = classes(plan, &earlier);
    let sum = Adding::new(plan, &earlier).sum(&classes);
    plan.earlier = Some(earlier);
    Some(sum)
}

/// The numbers of the plan, those that changed within the window apart.
fn classes(plan: &mut Plan, earlier: &Earlier) -> Vec<(WindowClass, u64)> {
    let mut changes: HashMap<Uuid, Change> = HashMap::new();
    for change in &plan.changes {
        let row = change.previous.filter(|row| earlier.rows.contains_key(row));
        if let (Object::Binding { .. }, Some(row)) = (change.object, row) {
            changes.insert(row, *change);
        }
    }
    let mut counts = plan.counts();
    let mut found: BTreeMap<WindowClass, u64> = BTreeMap::new();
    for met in &earlier.met {
        let after = match changes.get(&met.row) {
            Some(change) => plan.after(change, &plan.patch(change).clone()),
            None => met.before,
        };
        if let Some(numbers) = counts.get_mut(&(met.tenant, met.before, after)) {
            *numbers = numbers.saturating_sub(1);
        }
        let Some(before) = met.before else { continue };
        let class = WindowClass {
            tenant: met.tenant,
            was: Some(met.was),
            before,
            after,
        };
        *found.entry(class).or_default() += 1;
    }
    for ((tenant, before, after), numbers) in counts {
        if let Some(before) = before.filter(|_| numbers > 0) {
            let class = WindowClass {
                tenant,
                was: None,
                before,
                after,
            };
            *found.entry(class).or_default() += numbers;
        }
    }
    found.into_iter().collect()
}

/// What the sum is made with.
struct Adding<'a> {
    plan: &'a Plan,
    earlier: &'a Earlier,
    then: CallBasis,
    /// The same without the regions that came later.
    without: BTreeMap<BTreeSet<&'a str>, CallBasis>,
    after: CallBasis,
    cells: BTreeMap<(u32, Option<String>), WindowCell>,
}

impl<'a> Adding<'a> {
    fn new(plan: &'a Plan, earlier: &'a Earlier) -> Adding<'a> {
        Adding {
            plan,
            earlier,
            then: earlier.basis(&plan.basis),
            without: BTreeMap::new(),
            after: basis_after(plan).basis,
            cells: BTreeMap::new(),
        }
    }

    fn sum(mut self, classes: &[(WindowClass, u64)]) -> WindowSum {
        for (class, numbers) in classes {
            self.add(*class, *numbers);
        }
        let mut sum = WindowSum {
            window: self.earlier.window,
            uncounted: self.earlier.uncounted,
            cells: self.cells.into_values().collect(),
            ..WindowSum::default()
        };
        for cell in &sum.cells {
            sum.affected += cell.affected;
            sum.added += cell.added;
            sum.applies.extend(&cell.applies);
        }
        sum
    }

    fn add(&mut self, class: WindowClass, numbers: u64) {
        let was = class.was.map(|was| &self.earlier.bindings[was as usize]);
        let live = self.plan.pool.get(class.before);
        let fields_then = was.map_or_else(|| live.clone(), |was| was.of(live));
        let own = fields_then.text(Field::AllowedOutbound);
        let later = (self.earlier).later_regions(was.and_then(|was| was.came), own);
        let then = if later.is_empty() {
            EffectiveRoute::with(&self.then, &fields_then)
        } else {
            let basis = self.without.entry(later);
            let basis = basis.or_insert_with_key(|later| without(&self.then, later));
            EffectiveRoute::with(basis, &fields_then)
        };
        if !then.is_database() {
            return;
        }
        let before = EffectiveRoute::with(&self.plan.basis, live);
        let fields_after = class.after.map(|after| self.plan.pool.get(after));
        let after = match fields_after {
            Some(fields) => EffectiveRoute::with(&self.after, fields),
            None => EffectiveRoute::nowhere(RouteSource::Environment),
        };
        let effect = Effect::between(&then, &after);
        let by_plan = Effect::between(&before, &after).is_affected();
        let mut applies: BTreeSet<ApplyId> = BTreeSet::new();
        let others = then.differences(&before);
        if effect.is_affected() && !others.is_empty() {
            let config = |fields: &Fields| fields.text(Field::Config)?.parse().ok();
            let configs = [&fields_then, live].into_iter().filter_map(config);
            let configs = configs.filter_map(|id: Uuid| self.earlier.configs.get(&id));
            let countries = others.contains(&CallField::Countries);
            let regions = self.earlier.regions.values().filter(|_| countries);
            let objects = was.into_iter().chain(configs).chain(regions);
            applies.extend(objects.flat_map(|object| &object.applies));
        }
        let key = (class.tenant, then.region.clone());
        let cell = self.cells.entry(key).or_insert_with(|| WindowCell {
            tenant: class.tenant,
            region: then.region.clone(),
            ..WindowCell::default()
        });
        let if_so = |holds: bool| u64::from(holds) * numbers;
        cell.numbers += numbers;
        cell.affected += if_so(effect.is_affected());
        cell.rerouted += if_so(effect.rerouted);
        cell.added += if_so(effect.is_affected() && by_plan);
        cell.applies.extend(applies);
    }
}

fn without(basis: &CallBasis, regions: &BTreeSet<&str>) -> CallBasis {
    let mut basis = basis.clone();
    basis
        .regions
        .0
        .retain(|name, _| !regions.contains(name.as_str()));
    basis
}
