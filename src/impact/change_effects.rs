//! What each change of a plan does to calls: who is to be named where a guard
//! refuses, and what `protected` is about. Core.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use super::carried_out::{BasisAfter, basis_after};
use super::effective_route::EffectiveRoute;
use super::reroutes::Effect;
use crate::diff::binding_classes::carried_out;
use crate::diff::plan::{Action, Change, Kind, Object, Plan, SecretOutcome};
use crate::fields::{CallField, Field, Fields, FieldsIx};
use crate::resolve::{Regions, deciding_regions};

/// Whether a change writes something that calls of numbers which are there
/// depend on. A secret that is the same, or could not be compared, is none.
pub(crate) fn changes_calls(plan: &Plan, change: &Change) -> bool {
    writes_calls(plan, change) || is_fallback_given_back(plan, change)
}

/// The same of the numbers that go to the object itself.
pub(crate) fn writes_calls(plan: &Plan, change: &Change) -> bool {
    // A new region is no new object to calls: rules may name it already.
    let is_new = change.insert && !matches!(change.object, Object::Region(_));
    if is_new || plan.in_conflict(change) {
        return false;
    }
    let mut fields = plan.patch(change).fields.iter();
    fields.any(|field| match field.field.call_field() {
        Some(CallField::Secret) => plan.secret_outcome(change) == Some(SecretOutcome::Changed),
        // A region is only a name for the place.
        Some(CallField::Region) => field.kind.writes(),
        Some(_) => field.kind.writes() || field.kind == Kind::Release && field.field.is_ours_only(),
        None => false,
    })
}

/// Whether a config is given back that another has as its fallback.
fn is_fallback_given_back(plan: &Plan, change: &Change) -> bool {
    let (Action::Release, Object::Config(_), Some(id)) = (change.action, change.object, change.row)
    else {
        return false;
    };
    let id = id.to_string();
    let mut configs = plan.basis.configs.iter();
    configs.any(|config| config.text(Field::Fallback) == Some(&id))
}

/// Whether all that a change writes is a secret that could not be compared
/// with the stored one: it trips no budget.
pub(crate) fn only_writes_unknown_secret(plan: &Plan, change: &Change) -> bool {
    let fields = plan.patch(change).fields.iter();
    let mut written = fields.filter(|field| field.kind.writes());
    plan.secret_outcome(change) == Some(SecretOutcome::NotCompared)
        && written.all(|field| field.field == Field::ApiSecret)
}

/// Whether two rows differ in what calls depend on.
pub(crate) fn differ_for_calls(before: &Fields, after: &Fields) -> bool {
    let counts = |fields: &Fields| -> Vec<_> {
        let fields = fields.iter();
        let counting = fields.filter(|(field, _)| field.call_field().is_some());
        counting
            .map(|(field, value)| (field, value.clone()))
            .collect()
    };
    counts(before) != counts(after)
}

/// The regions whose `country_codes` a plan changes, and who feels it: a
/// region decides for the numbers that may call it, and for those from whose
/// rule its longer prefix takes something out.
#[derive(Debug)]
pub(crate) struct ChangedRegions<'a> {
    /// Index of the change, by the region's name.
    changes: BTreeMap<&'a str, usize>,
    before: &'a Regions,
    after: Regions,
}

impl<'a> ChangedRegions<'a> {
    pub(crate) fn new(plan: &'a Plan) -> ChangedRegions<'a> {
        let changes = plan.changes.iter().enumerate();
        let changes = changes.filter(|(_, change)| changes_calls(plan, change));
        let changes = changes.filter_map(|(at, change)| match change.object {
            Object::Region(name) => Some((plan.names[name as usize].as_str(), at)),
            Object::Config(_) | Object::Binding { .. } => None,
        });
        ChangedRegions {
            changes: changes.collect(),
            before: &plan.basis.regions,
            after: basis_after(plan).basis.regions,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The changes that numbers with this `allowed_outbound` can feel.
    pub(crate) fn felt_by(&self, rule: Option<&str>) -> BTreeSet<usize> {
        let rule = rule.filter(|_| !self.is_empty());
        let regions = rule.into_iter().flat_map(|rule| {
            let before = deciding_regions(rule, self.before);
            before
                .into_iter()
                .chain(deciding_regions(rule, &self.after))
        });
        regions
            .filter_map(|region| self.changes.get(region).copied())
            .collect()
    }
}

/// The effect of changes on the number of each; those that are alike are
/// looked at once.
#[derive(Debug)]
pub(crate) struct ChangeEffects<'a> {
    plan: &'a Plan,
    after: BasisAfter,
    seen: HashMap<(FieldsIx, u32), Effect, foldhash::fast::RandomState>,
}

impl<'a> ChangeEffects<'a> {
    pub(crate) fn new(plan: &'a Plan) -> ChangeEffects<'a> {
        ChangeEffects {
            plan,
            after: basis_after(plan),
            seen: HashMap::default(),
        }
    }

    /// What happens to the calls of a binding's number; nothing, where it is
    /// new.
    pub(crate) fn of(&mut self, change: &Change) -> Effect {
        let (Object::Binding { .. }, Some(live)) = (change.object, change.live) else {
            return Effect::default();
        };
        let (plan, after) = (self.plan, &self.after);
        let effect = self.seen.entry((live, change.patch)).or_insert_with(|| {
            let fields = plan.pool.get(live);
            let written = carried_out(fields, plan.patch(change));
            Effect::between(
                &EffectiveRoute::with(&plan.basis, fields),
                &EffectiveRoute::with(&after.basis, &written),
            )
        });
        *effect
    }
}
