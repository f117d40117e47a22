//! A plan of which a part is left out: drift that nobody saw, what `--target`
//! does not name, or what a rollback undid. Core.
//!
//! The counts of numbers before and after follow, so that guards and reports
//! speak of what is really applied.

use std::collections::BTreeMap;

use hashbrown::{HashMap, HashSet};

use super::binding_classes::carried_out;
use super::plan::{Action, BindingGroup, Change, FieldChange, Kind, Object, Patch, Plan, WhyHeld};
use super::target::{Handle, needed};
use crate::fields::{Field, FieldsIx};
use crate::list_index::push_indexed;
use crate::snapshot::ApplyId;

pub(crate) type GroupCounts = HashMap<(u32, Option<FieldsIx>, Option<FieldsIx>), u64>;

/// What of a change is held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    Nothing,
    Whole(WhyHeld),
    /// By the fields of its patch.
    Fields(Vec<Option<WhyHeld>>),
}

/// A change with what is held back of it, and why.
type SplitPatch = (Vec<(FieldChange, WhyHeld)>, Patch);

impl Held {
    fn is_whole(&self) -> bool {
        matches!(self, Held::Whole(_))
    }

    /// The fields that are held back, and those that are not.
    fn split(self, patch: &Patch) -> SplitPatch {
        let fields = patch.fields.iter().cloned();
        match self {
            Held::Nothing => (Vec::new(), patch.clone()),
            Held::Whole(why) => {
                let held = fields.map(|field| (field, why.clone()));
                (held.collect(), Patch::default())
            }
            Held::Fields(why) => {
                let (mut held, mut kept) = (Vec::new(), Patch::default());
                for (field, why) in fields.zip(why) {
                    match why {
                        Some(why) => held.push((field, why)),
                        None => kept.fields.push(field),
                    }
                }
                (held, kept)
            }
        }
    }
}

impl Plan {
    /// The same plan without what is held back, by index into the changes,
    /// and without what needs an object that would come of it.
    pub fn holding_back(mut self, mut held: BTreeMap<usize, Held>) -> Plan {
        hold_dependents(&self, &mut held);
        let mut counts = self.counts();
        let mut known: HashMap<(Patch, Vec<WhyHeld>), u32> = HashMap::new();
        let mut rest = Vec::with_capacity(self.changes.len());
        for (ix, mut change) in std::mem::take(&mut self.changes).into_iter().enumerate() {
            let Some(of_it) = held.remove(&ix).filter(|held| *held != Held::Nothing) else {
                rest.push(change);
                continue;
            };
            let (out, kept) = of_it.split(&self.patch(&change).clone());
            let (fields, why): (Vec<FieldChange>, Vec<WhyHeld>) = out.into_iter().unzip();
            self.uncount(&change, &kept, &mut counts);
            let shown = self.held_patch(&mut known, Patch { fields }, why);
            self.held_back.push(Change {
                patch: shown,
                ..change
            });
            if kept.fields.is_empty() {
                continue;
            }
            change.owned = self.owned_without(&change, shown);
            if kept.fields.iter().all(|field| field.kind == Kind::Adopt) {
                change.action = Action::Adopt;
            }
            change.patch = self.held_patch(&mut known, kept, Vec::new());
            rest.push(change);
        }
        self.changes = rest;
        self.set_counts(counts);
        self
    }

    fn held_patch(
        &mut self,
        known: &mut HashMap<(Patch, Vec<WhyHeld>), u32>,
        patch: Patch,
        why: Vec<WhyHeld>,
    ) -> u32 {
        let key = (patch, why);
        if let Some(ix) = known.get(&key) {
            return *ix;
        }
        let ix = push_indexed(&mut self.patches, key.0.clone());
        if !key.1.is_empty() {
            self.held_why.insert(ix, key.1.clone());
        }
        known.insert(key, ix);
        ix
    }

    /// What is ours afterwards where these fields stay as they are.
    fn owned_without(&mut self, change: &Change, held: u32) -> Option<FieldsIx> {
        let mut fields = self.pool.get(change.owned?).clone();
        for field in &self.patches[held as usize].fields {
            let stays = match field.kind {
                Kind::TakeOver => field.applied.clone(),
                Kind::Set
                | Kind::Adopt
                | Kind::Drift
                | Kind::Conflict
                | Kind::Blocked
                | Kind::Release => field.before.clone().filter(|value| !value.is_null()),
            };
            fields.set(field.field, stays);
            match (field.field, change.row) {
                (Field::Config, _) => fields.set(Field::Rollout, None),
                // The stored secret stays, so where the files take theirs from does not matter.
                (Field::ApiSecret, Some(row)) => {
                    self.config_sources.remove(&row);
                }
                _ => {}
            }
        }
        Some(self.pool.intern(fields))
    }

    /// Whether a rollback is why something is held back.
    pub fn names_rollback(&self, rollback: ApplyId) -> bool {
        let mut whys = self.held_why.values().flatten();
        whys.any(|why| matches!(why, WhyHeld::Undone { undone_by, .. } if *undone_by == rollback))
    }

    /// Why a field of a change is held back, by its place in the patch.
    pub fn why_held(&self, change: &Change, field: usize) -> Option<&WhyHeld> {
        self.held_why.get(&change.patch)?.get(field)
    }

    /// The same in words: what bringing it back would do.
    pub fn explain_held(&self, why: &WhyHeld) -> String {
        match why {
            WhyHeld::Needs(address) => format!("needs {address}, which is held back"),
            WhyHeld::Undone { set_by, undone_by } => {
                let reason = self.undone_reasons.get(undone_by);
                let reason = reason.map_or(String::new(), |reason| format!(": {reason}"));
                format!("brings back what apply {set_by} set and apply {undone_by} undid{reason}")
            }
        }
    }

    /// The same plan with drift left alone: what an apply does that nobody
    /// saw. The objects whose drift that is are kept, with the patches that
    /// would set them back.
    pub fn without_drift(mut self) -> Plan {
        let drifted = |change: &&Change| self.patch(change).has(Kind::Drift);
        let left: Vec<Change> = self.changes.iter().filter(drifted).copied().collect();
        if left.is_empty() {
            return self;
        }
        let mut counts = self.counts();
        let mut rest = Vec::with_capacity(self.changes.len());
        for mut change in std::mem::take(&mut self.changes) {
            let fields = &self.patch(&change).fields;
            let kept = fields.iter().filter(|f| f.kind != Kind::Drift);
            let kept = Patch {
                fields: kept.cloned().collect(),
            };
            if kept.fields.len() == fields.len() {
                rest.push(change);
                continue;
            }
            self.uncount(&change, &kept, &mut counts);
            if kept.fields.is_empty() {
                continue;
            }
            change.patch = push_indexed(&mut self.patches, kept);
            rest.push(change);
        }
        self.changes = rest;
        self.left_alone = left;
        self.set_counts(counts);
        self
    }

    /// The same plan without the changes that are not kept; they are
    /// outstanding.
    pub fn only(mut self, kept: impl Fn(&Change) -> bool) -> Plan {
        let mut counts = self.counts();
        let (rest, left) = std::mem::take(&mut self.changes)
            .into_iter()
            .partition(kept);
        self.changes = rest;
        self.outstanding = left;
        self.keep_declared_secrets();
        for change in self.outstanding.clone() {
            self.uncount(&change, &Patch::default(), &mut counts);
        }
        self.set_counts(counts);
        self
    }

    /// Leaves out what is declared of secrets of configs that are left out.
    fn keep_declared_secrets(&mut self) {
        let configs = self
            .changes
            .iter()
            .filter_map(|change| match change.object {
                Object::Config(name) => Some(&self.names[name as usize]),
                Object::Region(_) | Object::Binding { .. } => None,
            });
        let kept: HashSet<&String> = configs.collect();
        self.declared_secrets.retain(|name, _| kept.contains(name));
    }

    pub fn counts(&self) -> GroupCounts {
        let classes = self.classes.iter();
        classes
            .map(|class| ((class.tenant, class.before, class.after), class.numbers))
            .collect()
    }

    pub fn set_counts(&mut self, counts: GroupCounts) {
        let classes = counts.into_iter().filter(|(_, numbers)| *numbers > 0);
        self.classes = classes
            .map(|((tenant, before, after), numbers)| BindingGroup {
                tenant,
                before,
                after,
                numbers,
            })
            .collect();
        let key = |class: &BindingGroup| (class.tenant, class.before, class.after);
        self.classes.sort_unstable_by_key(key);
    }

    /// Counts the number of a change as if only `kept` of it were done.
    pub fn uncount(&mut self, change: &Change, kept: &Patch, counts: &mut GroupCounts) {
        let Object::Binding { tenant, .. } = change.object else {
            return;
        };
        let planned = self.after(change, &self.patch(change).clone());
        if let Some(numbers) = counts.get_mut(&(tenant, change.live, planned)) {
            *numbers = numbers.saturating_sub(1);
        }
        if change.live.is_some() {
            let after = self.after(change, kept);
            *counts.entry((tenant, change.live, after)).or_default() += 1;
        }
    }

    /// Counts at least the numbers that are among the changes: of a plan that
    /// was read from a file, the counts are not to be believed.
    pub fn count_changes(&mut self) {
        let mut known: HashMap<(Option<FieldsIx>, u32), Option<FieldsIx>> = HashMap::new();
        let mut among: GroupCounts = HashMap::new();
        for change in self.changes.clone() {
            let Object::Binding { tenant, .. } = change.object else {
                continue;
            };
            let after = match known.get(&(change.live, change.patch)) {
                Some(after) if change.live.is_some() => *after,
                _ => self.after(&change, &self.patch(&change).clone()),
            };
            known.insert((change.live, change.patch), after);
            if change.live.is_some() || after.is_some() {
                *among.entry((tenant, change.live, after)).or_default() += 1;
            }
        }
        let mut counts = self.counts();
        for (key, numbers) in among {
            let count = counts.entry(key).or_default();
            *count = numbers.max(*count);
        }
        self.set_counts(counts);
    }

    /// The fields of a binding's row with a patch carried out.
    pub fn after(&mut self, change: &Change, patch: &Patch) -> Option<FieldsIx> {
        match change.live {
            Some(live) => {
                let fields = carried_out(self.pool.get(live), patch);
                Some(self.pool.intern(fields))
            }
            None => change.owned.filter(|_| change.insert),
        }
    }
}

/// Holds back what needs an object that would have come of what is held back.
fn hold_dependents(plan: &Plan, held: &mut BTreeMap<usize, Held>) {
    let mut known = 0;
    loop {
        let gone: Vec<usize> = held
            .iter()
            .filter(|(ix, held)| held.is_whole() && plan.changes[**ix].action == Action::Create)
            .map(|(ix, _)| *ix)
            .collect();
        if gone.len() == known {
            return;
        }
        known = gone.len();
        let mut absent: HashMap<Handle<'_>, usize> = HashMap::new();
        for ix in gone {
            let change = &plan.changes[ix];
            match change.object {
                Object::Region(name) => {
                    absent.insert(Handle::Region(&plan.names[name as usize]), ix);
                }
                Object::Config(name) => {
                    absent.insert(Handle::Config(&plan.names[name as usize]), ix);
                    absent.extend(change.row.map(|row| (Handle::ConfigRow(row), ix)));
                }
                Object::Binding { .. } => {}
            }
        }
        for (ix, change) in plan.changes.iter().enumerate() {
            if held.get(&ix).is_some_and(Held::is_whole) || change.action == Action::Delete {
                continue;
            }
            let needs = |field: &FieldChange| {
                let of = absent.get(&needed(field)?)?;
                let address = plan.address(plan.changes[*of].object);
                Some(WhyHeld::Needs(address.to_string()))
            };
            let fields = &plan.patch(change).fields;
            let found: Vec<Option<WhyHeld>> = fields.iter().map(needs).collect();
            let Some(first) = found.iter().flatten().next().cloned() else {
                continue;
            };
            let whole = change.action == Action::Create || change.insert;
            let merged = match (whole, held.remove(&ix)) {
                (true, _) => Held::Whole(first),
                (false, Some(Held::Fields(before))) => {
                    let both = before.into_iter().zip(found);
                    Held::Fields(both.map(|(before, found)| before.or(found)).collect())
                }
                (false, _) => Held::Fields(found),
            };
            held.insert(ix, merged);
        }
    }
}
