//! What rows of others held before lkroute took fields of them over, so that
//! going back gives the fields back instead of emptying them. Core.

use std::collections::BTreeMap;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use uuid::Uuid;

use super::{BindingVersion, ConfigVersion};
use crate::fields::{Fields, FieldsIx, FieldsPool};
use crate::routing::CipherText;
use crate::snapshot::ApplyId;

/// By row, what its fields held when they became lkroute's after some apply.
#[derive(Debug, Default)]
pub struct PreviousValues {
    pub configs: BTreeMap<Uuid, PreviousConfig>,
    /// In the pool of the versions.
    pub bindings: HashMap<Uuid, FieldsIx, RandomState>,
    /// The version that was taken in last.
    last: Option<BindingVersion>,
    known: HashMap<TakeoverStep, FieldsIx, RandomState>,
}

/// What a config of others held.
#[derive(Debug, Clone)]
pub struct PreviousConfig {
    pub fields: Fields,
    pub sealed: Option<CipherText>,
}

/// What is found so far, what was owned, what is owned, what was found now.
type TakeoverStep = (
    Option<FieldsIx>,
    Option<FieldsIx>,
    FieldsIx,
    Option<FieldsIx>,
);

impl PreviousValues {
    /// Of configs that lkroute took over after `apply` and still had, or had
    /// again, last. Configs are taken over whole.
    pub fn of_configs(apply: ApplyId, versions: &[ConfigVersion]) -> PreviousValues {
        let mut found = PreviousValues::default();
        let mut later: Vec<_> = versions.iter().filter(|v| v.owned.since > apply).collect();
        later.sort_by_key(|version| version.owned.since);
        for version in later {
            let follows = |other: &&ConfigVersion| {
                other.owned.id == version.owned.id && other.until == Some(version.owned.since)
            };
            if version.owned.inserted || versions.iter().any(|other| follows(&other)) {
                continue;
            }
            let config = PreviousConfig {
                fields: version.found.clone(),
                sealed: version.found_sealed.clone(),
            };
            found.configs.insert(version.owned.id, config);
        }
        found
    }

    /// Takes in a version of a binding, in the order of [`super::State::binding`].
    pub(super) fn add_binding(
        &mut self,
        apply: ApplyId,
        version: &BindingVersion,
        pool: &mut FieldsPool,
    ) {
        let row = version.owned.row;
        let before = self.last.replace(*version);
        if version.since <= apply || version.owned.retired {
            return;
        }
        let follows = |before: &BindingVersion| {
            before.owned.row == row && before.until == Some(version.since) && !before.owned.retired
        };
        let before = before.filter(follows).map(|before| before.owned.fields);
        let so_far = self.bindings.get(&row).copied();
        let step = (so_far, before, version.owned.fields, version.found);
        let known = self.known.get(&step).copied();
        let ix = known.unwrap_or_else(|| {
            let ix = pool.intern(taken_over(step, pool));
            self.known.insert(step, ix);
            ix
        });
        self.bindings.insert(row, ix);
    }
}

/// What was found so far, and now of the fields that are newly owned.
fn taken_over((so_far, before, now, found): TakeoverStep, pool: &FieldsPool) -> Fields {
    let get = |ix: Option<FieldsIx>| ix.map(|ix| pool.get(ix));
    let mut fields = get(so_far).cloned().unwrap_or_default();
    for (field, _) in pool.get(now).iter() {
        if !get(before).is_some_and(|before| before.contains(field)) {
            let held = get(found).and_then(|found| found.get(field));
            fields.set(field, held.cloned());
        }
    }
    fields
}
