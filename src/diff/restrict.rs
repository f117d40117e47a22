//! A plan of which a part is left out: drift that nobody saw, or what
//! `--target` does not name. Core.
//!
//! The counts of numbers before and after follow, so that guards and reports
//! speak of what is really applied.

use hashbrown::{HashMap, HashSet};

use super::binding_classes::carried_out;
use super::plan::{BindingGroup, Change, Kind, Object, Patch, Plan};
use crate::fields::FieldsIx;

pub type GroupCounts = HashMap<(u32, Option<FieldsIx>, Option<FieldsIx>), u64>;

impl Plan {
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
            change.patch = u32::try_from(self.patches.len()).unwrap_or(u32::MAX);
            self.patches.push(kept);
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
