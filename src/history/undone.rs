//! What rollbacks undid: told from the versions, and held back from a plan
//! that would bring it back. Core: imports the model, `diff` and `guards`.
//!
//! No table of its own remembers it. A value counts as undone as long as the
//! last changes of its field were rollbacks: any other apply that sets the
//! field ends that, by itself.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use uuid::Uuid;

use super::undone_object::{FINGERPRINT, Undoing, UndoneObject, UndoneValue, is_elsewhere};
use super::{BindingVersion, ConfigVersion, Versions};
use crate::diff::plan::{Change, Object, Plan};
use crate::diff::restrict::Held;
use crate::fields::{Field, Fields, FieldsIx, FieldsPool};
use crate::list_index::push_indexed;
use crate::snapshot::{ApplyId, ApplyRecord};

/// What rollbacks undid, and nothing was applied over since.
#[derive(Debug, Default)]
pub struct Undone {
    rollbacks: BTreeMap<ApplyId, Option<String>>,
    regions: BTreeMap<String, UndoneObject>,
    configs: BTreeMap<Uuid, UndoneObject>,
    /// Configs by the name that they had last.
    config_names: BTreeMap<String, Uuid>,
    rows: HashMap<Uuid, u32, RandomState>,
    /// Rows that were treated alike share this.
    of_rows: Vec<UndoneObject>,
    known: HashMap<Vec<Moment>, u32, RandomState>,
    /// The versions of the row that is being taken in.
    versions: Vec<BindingVersion>,
}

/// A version of a binding, but for whose it is.
type Moment = (ApplyId, Option<ApplyId>, FieldsIx, bool);

/// A version, whatever the object.
struct ObjectVersion<'a> {
    since: ApplyId,
    until: Option<ApplyId>,
    /// Absent where the object is removed, and only its row remembered.
    fields: Option<&'a Fields>,
}

impl Undone {
    /// Of regions and configs; bindings are taken in afterwards.
    pub fn new(applies: &[ApplyRecord], versions: &Versions) -> Undone {
        let rollbacks = applies.iter().filter(|apply| apply.kind == "rollback");
        let mut undone = Undone {
            rollbacks: rollbacks
                .map(|apply| (apply.id, apply.reason.clone()))
                .collect(),
            ..Undone::default()
        };
        let mut regions: BTreeMap<&str, Vec<ObjectVersion<'_>>> = BTreeMap::new();
        for version in &versions.regions {
            let owned = &version.owned;
            regions.entry(&owned.name).or_default().push(ObjectVersion {
                since: owned.since,
                until: version.until,
                fields: Some(&owned.fields),
            });
        }
        for (name, versions) in regions {
            let object = undone.undone_object(versions);
            undone.regions.insert(name.to_owned(), object);
        }
        let mut configs: BTreeMap<Uuid, Vec<(&ConfigVersion, Fields)>> = BTreeMap::new();
        for version in &versions.configs {
            let fields = with_source(version);
            let of_one = configs.entry(version.owned.id).or_default();
            of_one.push((version, fields));
        }
        for (id, versions) in configs {
            let last = versions
                .iter()
                .max_by_key(|(version, _)| version.owned.since);
            let name = last.and_then(|(_, fields)| fields.text(Field::Name));
            undone
                .config_names
                .extend(name.map(|name| (name.to_owned(), id)));
            let versions = versions.iter().map(|(version, fields)| ObjectVersion {
                since: version.owned.since,
                until: version.until,
                fields: Some(fields),
            });
            let object = undone.undone_object(versions.collect());
            undone.configs.insert(id, object);
        }
        undone
    }

    /// The rollbacks there were.
    pub fn rollbacks(applies: &[ApplyRecord]) -> Vec<ApplyId> {
        let rollbacks = applies.iter().filter(|apply| apply.kind == "rollback");
        rollbacks.map(|apply| apply.id).collect()
    }

    /// Takes in a version of a binding; those of one row come one after the
    /// other. [`Undone::end`] comes after the last.
    pub fn add_binding(&mut self, version: &BindingVersion, pool: &FieldsPool) {
        let row = version.owned.row;
        if self
            .versions
            .first()
            .is_some_and(|first| first.owned.row != row)
        {
            self.end_bindings(pool);
        }
        self.versions.push(*version);
    }

    pub fn end_bindings(&mut self, pool: &FieldsPool) {
        let versions = std::mem::take(&mut self.versions);
        let Some(first) = versions.first() else {
            return;
        };
        let moment = |v: &BindingVersion| (v.since, v.until, v.owned.fields, v.owned.retired);
        let moments: Vec<Moment> = versions.iter().map(moment).collect();
        let known = self.known.get(&moments).copied();
        let ix = known.unwrap_or_else(|| {
            let versions = versions.iter().map(|version| ObjectVersion {
                since: version.since,
                until: version.until,
                fields: (!version.owned.retired).then(|| pool.get(version.owned.fields)),
            });
            let object = self.undone_object(versions.collect());
            let ix = push_indexed(&mut self.of_rows, object);
            self.known.insert(moments, ix);
            ix
        });
        self.rows.insert(first.owned.row, ix);
    }

    /// What was undone of an object with these versions.
    fn undone_object(&self, mut versions: Vec<ObjectVersion<'_>>) -> UndoneObject {
        versions.sort_by_key(|version| version.since);
        // The fields after each apply that changed the object, the oldest first.
        let mut moments: Vec<(ApplyId, Option<&Fields>)> = Vec::new();
        for (ix, version) in versions.iter().enumerate() {
            moments.push((version.since, version.fields));
            let next = versions.get(ix + 1).map(|next| next.since);
            moments.extend(
                version
                    .until
                    .filter(|until| next != Some(*until))
                    .map(|u| (u, None)),
            );
        }
        let mut object = UndoneObject::default();
        self.note_presence(&moments, &mut object);
        match moments.last() {
            Some((_, Some(_))) => object.removed.clear(),
            _ => object.restored.clear(),
        }
        for field in Field::ALL {
            self.note_values(&moments, field, &mut object);
        }
        object
    }

    fn note_presence(&self, moments: &[(ApplyId, Option<&Fields>)], object: &mut UndoneObject) {
        for ix in (1..moments.len()).rev() {
            let ((_, before), (apply, after)) = (moments[ix - 1], moments[ix]);
            if before.is_some() == after.is_some() {
                continue;
            }
            if !self.rollbacks.contains_key(&apply) {
                return;
            }
            let same =
                |moment: &&(ApplyId, Option<&Fields>)| moment.1.is_some() == before.is_some();
            let since = moments[..ix].iter().rev().take_while(same).last();
            let by = Undoing {
                set_by: since.map_or(apply, |(since, _)| *since),
                undone_by: apply,
            };
            match before {
                Some(fields) => object.removed.push((fields.clone(), by)),
                None => object.restored.push(by),
            }
        }
    }

    fn note_values(
        &self,
        moments: &[(ApplyId, Option<&Fields>)],
        field: Field,
        object: &mut UndoneObject,
    ) {
        let held = |fields: Option<&Fields>| fields.map(|fields| fields.get(field).cloned());
        let now = moments.last().and_then(|(_, fields)| held(*fields));
        for ix in (1..moments.len()).rev() {
            let ((_, before), (apply, after)) = (moments[ix - 1], moments[ix]);
            let is_rollback = self.rollbacks.contains_key(&apply);
            let (Some(before), Some(after)) = (held(before), held(after)) else {
                if is_rollback { continue } else { return }
            };
            if before == after {
                continue;
            }
            if !is_rollback {
                return;
            }
            let same =
                |moment: &&(ApplyId, Option<&Fields>)| held(moment.1).as_ref() == Some(&before);
            let since = moments[..ix].iter().rev().take_while(same).last();
            if now.as_ref() != Some(&before) {
                object.values.push(UndoneValue {
                    field,
                    by: Undoing {
                        set_by: since.map_or(apply, |(since, _)| *since),
                        undone_by: apply,
                    },
                    value: before,
                });
            }
        }
    }

    fn of(&self, plan: &Plan, change: &Change) -> Option<&UndoneObject> {
        match change.object {
            Object::Region(ix) => self.regions.get(&plan.names[ix as usize]),
            Object::Config(ix) => {
                let known = |id: &Uuid| self.configs.get(id);
                let mut ids = change.row.iter().chain(&change.previous);
                ids.find_map(known).or_else(|| {
                    let id = self.config_names.get(&plan.names[ix as usize])?;
                    self.configs.get(id)
                })
            }
            Object::Binding { .. } => {
                let rows = change.row.iter().chain(&change.previous);
                let mut known = rows.filter_map(|row| self.rows.get(row));
                self.of_rows.get(*known.next()? as usize)
            }
        }
    }

    /// The secrets from variables and files that rollbacks took away: config
    /// and fingerprint, for who can compare them with what is there now.
    pub fn fingerprints(&self) -> Vec<(Uuid, String)> {
        let configs = self.configs.iter();
        let values = configs.flat_map(|(id, object)| object.values.iter().map(|of| (*id, of)));
        let secrets = values.filter(|(_, undone)| undone.field == Field::ApiSecret);
        let found = secrets.filter_map(|(id, undone)| {
            let text = undone.value.as_ref()?.as_str()?;
            Some((id, text.strip_prefix(FINGERPRINT)?.to_owned()))
        });
        found.collect()
    }

    /// Takes in that the source of a config's secret holds that one again.
    pub fn secret_is_back(&mut self, config: Uuid, fingerprint: &str) {
        if let Some(object) = self.configs.get_mut(&config) {
            object.secret_again = Some(format!("{FINGERPRINT}{fingerprint}").into());
        }
    }

    /// The same plan without what it would bring back, and what needs that;
    /// `allowed`: the changes, by index, that exceptions let pass of those that
    /// are held back.
    pub fn hold_back(
        &self,
        plan: Plan,
        allowed: impl Fn(&Plan, &[usize]) -> BTreeSet<usize>,
    ) -> Plan {
        let mut held: BTreeMap<usize, Held> = BTreeMap::new();
        for (ix, change) in plan.changes.iter().enumerate() {
            let Some(object) = self.of(&plan, change) else {
                continue;
            };
            let found = object.held_of(&plan, change);
            if found != Held::Nothing {
                held.insert(ix, found);
            }
        }
        let candidates: Vec<usize> = held.keys().copied().collect();
        let passing = allowed(&plan, &candidates);
        held.retain(|ix, _| !passing.contains(ix));
        if held.is_empty() {
            return plan;
        }
        let mut plan = plan.holding_back(held);
        let named = |id: &&ApplyId| plan.names_rollback(**id);
        let reasons = self.rollbacks.keys().filter(named);
        plan.undone_reasons = reasons
            .filter_map(|id| Some((*id, self.rollbacks.get(id)?.clone()?)))
            .collect();
        plan
    }
}

/// The fields of a config with the secret by its source in the files, where
/// that says which it was; of one from a variable or a file by its
/// fingerprint.
fn with_source(version: &ConfigVersion) -> Fields {
    let source = version.owned.secret_source.as_str();
    let mut fields = version.owned.fields.clone();
    if !is_elsewhere(source) {
        fields.set_text(Field::ApiSecret, Some(source));
    } else if let Some(fingerprint) = &version.owned.fingerprint {
        let known = format!("{FINGERPRINT}{fingerprint}");
        fields.set_text(Field::ApiSecret, Some(&known));
    }
    fields
}
