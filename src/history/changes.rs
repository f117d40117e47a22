//! What one apply changed, and what happened to one object: told from the
//! versions that ended and began. Core.

use serde_json::Value;

use uuid::Uuid;

use super::{BindingVersion, ConfigVersion, RegionVersion};
use crate::fields::{Field, Fields, FieldsPool};
use crate::phone::E164;
use crate::snapshot::ApplyId;

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    /// Inserted, or made active again.
    Created,
    /// The row held all that was declared.
    Adopted,
    /// Fields were set.
    Changed,
    /// Out of the files: taken out of the row, or the row deleted.
    Removed,
    /// Given back to others.
    Released,
}

impl What {
    pub fn as_str(self) -> &'static str {
        match self {
            What::Created => "created",
            What::Adopted => "adopted",
            What::Changed => "changed",
            What::Removed => "removed",
            What::Released => "released",
        }
    }
}

/// A field before and after; `None` for NULL or no such key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Step {
    pub field: Field,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// What one apply did to one object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Event {
    pub what: What,
    pub steps: Vec<Step>,
}

/// A version, as far as events are told from it.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    pub fields: &'a Fields,
    /// What the row held before.
    pub found: Option<&'a Fields>,
    pub inserted: bool,
    pub retired: bool,
}

impl BindingVersion {
    pub fn side<'a>(&self, pool: &'a FieldsPool) -> Side<'a> {
        Side {
            fields: pool.get(self.owned.fields),
            found: self.found.map(|found| pool.get(found)),
            inserted: self.owned.inserted,
            retired: self.owned.retired,
        }
    }
}

impl ConfigVersion {
    pub fn side(&self) -> Side<'_> {
        Side {
            fields: &self.owned.fields,
            found: Some(&self.found),
            inserted: self.owned.inserted,
            retired: false,
        }
    }
}

impl RegionVersion {
    pub fn side(&self) -> Side<'_> {
        Side {
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
        let began = of_one.iter().find(|version| version.owned.since == apply);
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
pub fn event(before: Option<Side<'_>>, after: Option<Side<'_>>, kind: &str) -> Event {
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
            what: match given_back {
                true => What::Released,
                false => What::Removed,
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
fn steps(before: &Fields, found: Option<&Fields>, after: &Fields) -> Vec<Step> {
    let held = |field| {
        let found = found.and_then(|found| found.get(field));
        found.or_else(|| before.get(field)).cloned()
    };
    let differing = Field::ALL.into_iter().filter_map(|field| {
        let (before, after) = (held(field), after.get(field).cloned());
        (before != after && field != Field::Status).then_some(Step {
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
