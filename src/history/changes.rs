//! What one apply changed, and what happened to one object: told from the
//! versions that ended and began. Core.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;
use uuid::Uuid;

use super::{BindingVersion, ConfigVersion, RegionVersion, Versions};
use crate::address::Address;
use crate::fields::{Field, Fields, FieldsPool};
use crate::phone::E164;
use crate::snapshot::ApplyId;

enum_words! {
    /// What happened to an object.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum What {
        /// Inserted, or made active again.
        Created = "created",
        /// The row held all that was declared.
        Adopted = "adopted",
        /// Fields were set.
        Changed = "changed",
        /// Out of the files: taken out of the row, or the row deleted.
        Removed = "removed",
        /// Given back to others.
        Released = "released",
    }
}

/// A field before and after; `None` for NULL or no such key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldStep {
    pub field: Field,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// What one apply did to one object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Event {
    pub what: What,
    pub steps: Vec<FieldStep>,
}

/// A version, as far as events are told from it.
#[derive(Debug, Clone, Copy)]
pub struct VersionSide<'a> {
    pub fields: &'a Fields,
    /// What the row held before.
    pub found: Option<&'a Fields>,
    pub inserted: bool,
    pub retired: bool,
}

impl BindingVersion {
    pub fn side<'a>(&self, pool: &'a FieldsPool) -> VersionSide<'a> {
        VersionSide {
            fields: pool.get(self.owned.fields),
            found: self.found.map(|found| pool.get(found)),
            inserted: self.owned.inserted,
            retired: self.owned.retired,
        }
    }
}

impl ConfigVersion {
    pub fn side(&self) -> VersionSide<'_> {
        VersionSide {
            fields: &self.owned.fields,
            found: Some(&self.found),
            inserted: self.owned.inserted,
            retired: false,
        }
    }
}

impl RegionVersion {
    pub fn side(&self) -> VersionSide<'_> {
        VersionSide {
            fields: &self.owned.fields,
            found: None,
            inserted: true,
            retired: false,
        }
    }
}

/// A binding and what an apply did to it.
#[derive(Debug, Clone)]
pub struct ChangedBinding {
    pub number: E164,
    pub tenant: Uuid,
    pub event: Event,
}

/// A region or config, and what an apply did to it.
#[derive(Debug, Clone)]
pub struct ChangedObject {
    pub address: Address,
    pub event: Event,
}

/// What an apply did to regions and configs, by name.
pub fn objects_of_apply(apply: ApplyId, kind: &str, versions: &Versions) -> Vec<ChangedObject> {
    let mut objects: BTreeMap<Address, [Option<VersionSide<'_>>; 2]> = BTreeMap::new();
    let mut meet = |address: Address, side, since, until: Option<ApplyId>| {
        let [ended, began] = objects.entry(address).or_default();
        if until == Some(apply) {
            *ended = Some(side);
        }
        if since == apply {
            *began = Some(side);
        }
    };
    let of_it = |since, until| since == apply || until == Some(apply);
    for version in versions
        .regions
        .iter()
        .filter(|v| of_it(v.owned.since, v.until))
    {
        let address = Address::Region(version.owned.name.clone());
        meet(address, version.side(), version.owned.since, version.until);
    }
    let mut configs: Vec<_> = versions.configs.iter().collect();
    configs.sort_by_key(|version| version.owned.since);
    // A config that was renamed is listed under its new name.
    let mut names: HashMap<Uuid, &str> = HashMap::new();
    for version in configs.iter().filter(|v| of_it(v.owned.since, v.until)) {
        let name = version.owned.fields.text(Field::Name).unwrap_or_default();
        names.insert(version.owned.id, name);
    }
    for version in configs.iter().filter(|v| of_it(v.owned.since, v.until)) {
        let name = names.get(&version.owned.id).copied().unwrap_or_default();
        let address = Address::Config(name.to_owned());
        meet(address, version.side(), version.owned.since, version.until);
    }
    let told = objects
        .into_iter()
        .map(|(address, [ended, began])| ChangedObject {
            address,
            event: event(ended, began, kind),
        });
    told.collect()
}

/// What happened to one object: by apply, the oldest first. `versions`: since
/// when, until when, and the side; `kind` gives that of an apply.
pub fn object_story<'a>(
    versions: &[(ApplyId, Option<ApplyId>, VersionSide<'a>)],
    kind: impl Fn(ApplyId) -> &'a str,
) -> Vec<(ApplyId, Event)> {
    let since = versions.iter().map(|(since, ..)| *since);
    let applies: BTreeSet<ApplyId> = since.chain(versions.iter().filter_map(|v| v.1)).collect();
    let told = applies.into_iter().map(|apply| {
        let ended = versions.iter().find(|version| version.1 == Some(apply));
        let began = versions.iter().find(|version| version.0 == apply);
        let event = event(ended.map(|v| v.2), began.map(|v| v.2), kind(apply));
        (apply, event)
    });
    told.collect()
}

/// What an apply did to bindings, by tenant and number; `versions`: those
/// that it ended or began.
pub fn of_apply(
    apply: ApplyId,
    kind: &str,
    versions: &[BindingVersion],
    pool: &FieldsPool,
) -> Vec<ChangedBinding> {
    let mut versions: Vec<&BindingVersion> = versions.iter().collect();
    let key = |version: &&BindingVersion| (version.owned.tenant, version.owned.number);
    versions.sort_by_key(key);
    let mut changed = Vec::new();
    for of_one in versions.chunk_by(|a, b| key(a) == key(b)) {
        let side = |version: Option<&&BindingVersion>| version.map(|v| v.side(pool));
        let ended = of_one.iter().find(|version| version.until == Some(apply));
        let began = of_one.iter().find(|version| version.since == apply);
        changed.extend(of_one.first().map(|version| ChangedBinding {
            number: version.owned.number,
            tenant: version.owned.tenant,
            event: event(side(ended), side(began), kind),
        }));
    }
    changed
}

/// What an apply did that ended `before` and began `after`; `kind` is that of
/// the apply.
pub fn event(before: Option<VersionSide<'_>>, after: Option<VersionSide<'_>>, kind: &str) -> Event {
    let before = before.filter(|side| !side.retired);
    let Some(after) = after.filter(|side| !side.retired) else {
        let nothing = Fields::new();
        let fields = before.map_or(&nothing, |side| side.fields);
        let given_back = match kind {
            "release" => true,
            "rollback" => before.is_some_and(|side| !side.inserted),
            _ => false,
        };
        return Event {
            what: if given_back {
                What::Released
            } else {
                What::Removed
            },
            steps: steps(fields, None, &nothing),
        };
    };
    let nothing = Fields::new();
    let known = before.map_or(&nothing, |side| side.fields);
    let steps = steps(known, after.found, after.fields);
    let what = match before {
        None if after.inserted => What::Created,
        _ if steps.is_empty() => What::Adopted,
        _ => What::Changed,
    };
    Event { what, steps }
}

/// The fields that differ. `found` is what the row held, where that is known
/// better than by what was set last.
fn steps(before: &Fields, found: Option<&Fields>, after: &Fields) -> Vec<FieldStep> {
    let held = |field| {
        let found = found.and_then(|found| found.get(field));
        found.or_else(|| before.get(field)).cloned()
    };
    let differing = Field::ALL.into_iter().filter_map(|field| {
        let (before, after) = (held(field), after.get(field).cloned());
        let told = !matches!(field, Field::Status | Field::Rollout);
        (before != after && told).then_some(FieldStep {
            field,
            before,
            after,
        })
    });
    differing.collect()
}

/// Since which apply a field has held what it holds: by the versions of its
/// object, each with its beginning and end, the newest first.
pub fn set_by<'a>(
    versions: impl IntoIterator<Item = (ApplyId, Option<ApplyId>, &'a Fields)>,
    field: Field,
) -> Option<ApplyId> {
    let mut versions = versions.into_iter();
    let (mut since, _, fields) = versions.next()?;
    for (earlier, until, held) in versions {
        if until != Some(since) || held.get(field) != fields.get(field) {
            break;
        }
        since = earlier;
    }
    Some(since)
}
