//! What was there when the window of the budgets began, told from the
//! versions. Core: imports the model, `diff` and `guards`.
//!
//! Each object has its own beginning: the state before the first apply of the
//! window, the one in which it came where that is later, or, where an exception
//! let a change of the object pass since, the state behind that. What a
//! rollback undid counts no more, nor what it let pass.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use serde_json::Value;
use uuid::Uuid;

use super::{BindingVersion, ConfigVersion, Versions, lineage, was_current};
use crate::diff::earlier::{Earlier, EarlierObject};
use crate::fields::{Field, Fields, FieldsIx, FieldsPool};
use crate::guards::account::BudgetAccount;
use crate::list_index::push_indexed;
use crate::routing::window::Window;
use crate::snapshot::{ApplyId, ApplyRecord};

/// An apply of the window, and what it kept for budgets: nothing where its
/// lkroute knew no window.
#[derive(Debug, Clone)]
pub struct WindowApply {
    pub id: ApplyId,
    pub account: Option<BudgetAccount>,
}

/// Reads versions, and makes [`Earlier`] of them.
#[derive(Debug)]
pub struct WindowReader {
    /// The last apply before those that count.
    start: ApplyId,
    /// The applies that the present state is made of, within the window.
    accounts: BTreeMap<ApplyId, BudgetAccount>,
    earlier: Earlier,
    /// The versions of the row that is being taken in.
    versions: Vec<BindingVersion>,
    known: HashMap<(ApplyId, Vec<WindowMoment>), u32, RandomState>,
}

/// A version of a binding, but for whose it is.
type WindowMoment = (
    ApplyId,
    Option<ApplyId>,
    FieldsIx,
    (bool, bool),
    Option<FieldsIx>,
);

/// A version, whatever the object.
struct Version<'a> {
    since: ApplyId,
    until: Option<ApplyId>,
    fields: &'a Fields,
    found: Option<&'a Fields>,
    retired: bool,
    inserted: bool,
}

impl<'a> Version<'a> {
    /// What the row held before, of what the version changed or took over.
    fn held(&self, field: Field) -> Option<&'a Value> {
        self.found.and_then(|found| found.get(field))
    }

    fn is_as_found(&self) -> bool {
        let mut fields = depended_on().filter(|field| self.takes(*field) && !field.is_ours_only());
        fields.all(|field| self.held(field) == self.fields.get(field))
    }

    fn takes(&self, field: Field) -> bool {
        self.fields.contains(field) || self.held(field).is_some()
    }
}

impl WindowReader {
    /// `recent`: the applies of the window, the oldest first; `applies`: all,
    /// the newest first. `None` where nothing counts.
    pub fn new(
        window: Window,
        recent: Vec<WindowApply>,
        applies: &[ApplyRecord],
    ) -> Option<WindowReader> {
        let first = recent.first()?.id;
        // Every apply without an account is older than every apply with one.
        let uncounted = recent.iter().rev().find(|apply| apply.account.is_none());
        let uncounted = uncounted.map(|apply| apply.id);
        let start = uncounted.unwrap_or(first - 1);
        let accounts = recent.into_iter();
        let accounts = accounts.filter_map(|apply| Some((apply.id, apply.account?)));
        let mut accounts: BTreeMap<ApplyId, BudgetAccount> = accounts.collect();
        let present = lineage::present_since(start, applies);
        accounts.retain(|id, _| present.contains(id));
        Some(WindowReader {
            start,
            accounts,
            earlier: Earlier {
                window,
                uncounted,
                ..Earlier::default()
            },
            versions: Vec::new(),
            known: HashMap::default(),
        })
    }

    /// The apply behind which versions are wanted.
    pub fn start(&self) -> ApplyId {
        self.start
    }

    /// Takes in the versions of regions and configs.
    pub fn objects(&mut self, versions: &Versions) {
        let mut regions: BTreeMap<&str, Vec<Version<'_>>> = BTreeMap::new();
        for version in &versions.regions {
            let owned = &version.owned;
            regions.entry(&owned.name).or_default().push(Version {
                since: owned.since,
                until: version.until,
                fields: &owned.fields,
                found: None,
                retired: false,
                inserted: true,
            });
        }
        for (name, versions) in regions {
            let exempt = |account: &BudgetAccount| account.exempt_regions.contains(name);
            let Beginning { apply, came } = self.begin(&versions, exempt);
            let mut was = earlier_object(apply, versions);
            // Everything is new in the first apply of a database, so it is not counted as new.
            if came && apply > 1 {
                self.earlier.new_regions.insert(name.to_owned(), apply);
                was.get_or_insert_default().applies.insert(apply);
            }
            if let Some(was) = was.filter(|was| came || !was.is_same()) {
                self.earlier.regions.insert(name.to_owned(), was);
            }
        }
        let mut configs: BTreeMap<Uuid, Vec<&ConfigVersion>> = BTreeMap::new();
        for version in &versions.configs {
            configs.entry(version.owned.id).or_default().push(version);
        }
        for (id, versions) in configs {
            self.config(id, &versions);
        }
    }

    fn config(&mut self, id: Uuid, versions: &[&ConfigVersion]) {
        let all = versions.iter().map(|version| Version {
            since: version.owned.since,
            until: version.until,
            fields: &version.owned.fields,
            found: Some(&version.found),
            retired: false,
            inserted: version.owned.inserted,
        });
        let all: Vec<Version<'_>> = all.collect();
        let exempt = |account: &BudgetAccount| account.exempt_rows.contains(&id);
        let begin = self.begin(&all, exempt).apply;
        let Some(mut was) = earlier_object(begin, all) else {
            return;
        };
        let is_there = versions.iter().any(|version| version.until.is_none());
        // The stored text also differs where a secret was sealed anew.
        let changed = |(apply, account): &(&ApplyId, &BudgetAccount)| {
            **apply > begin && account.secrets.contains(&id)
        };
        let is_secret = |(field, _): &(Field, Option<Value>)| *field == Field::ApiSecret;
        let by: Vec<ApplyId> = self
            .accounts
            .iter()
            .filter(changed)
            .map(|(id, _)| *id)
            .collect();
        let is_other = was.values.iter().any(is_secret) && !by.is_empty();
        was.values.retain(|value| !is_there || !is_secret(value));
        if is_there && is_other {
            was.applies.extend(by);
            let before = Value::from(format!("as before apply {}", begin + 1));
            was.values.push((Field::ApiSecret, Some(before)));
        }
        if !was.is_same() {
            self.earlier.configs.insert(id, was);
        }
    }

    /// Takes in a version of a binding; those of one row come one after the
    /// other, the oldest first.
    pub fn binding(&mut self, version: &BindingVersion, pool: &FieldsPool) {
        let first = self.versions.first();
        if first.is_some_and(|first| first.owned.row != version.owned.row) {
            self.end_row(pool);
        }
        self.versions.push(*version);
    }

    fn end_row(&mut self, pool: &FieldsPool) {
        let versions = std::mem::take(&mut self.versions);
        let Some(first) = versions.first() else {
            return;
        };
        let row = first.owned.row;
        let all = versions.iter().map(|version| Version {
            since: version.since,
            until: version.until,
            fields: pool.get(version.owned.fields),
            found: version.found.map(|found| pool.get(found)),
            retired: version.owned.retired,
            inserted: version.owned.inserted,
        });
        let all: Vec<Version<'_>> = all.collect();
        let Beginning { apply: begin, came } =
            self.begin(&all, |account| account.exempt_rows.contains(&row));
        let came = (came && !self.earlier.new_regions.is_empty()).then_some(begin);
        let moment = |version: &BindingVersion| {
            let BindingVersion {
                owned,
                since,
                until,
                found,
            } = *version;
            let kept = (owned.retired, owned.inserted);
            (since, until, owned.fields, kept, found)
        };
        let key = (begin, versions.iter().map(moment).collect());
        let known = self.known.get(&key).copied();
        let ix = known.unwrap_or_else(|| {
            let was = earlier_object(begin, all).unwrap_or_default();
            let was = EarlierObject { came, ..was };
            let ix = push_indexed(&mut self.earlier.bindings, was);
            self.known.insert(key, ix);
            ix
        });
        if came.is_some() || !self.earlier.bindings[ix as usize].is_same() {
            self.earlier.rows.insert(row, ix);
        }
    }

    pub fn finish(mut self, pool: &FieldsPool) -> Earlier {
        self.end_row(pool);
        self.earlier
    }

    fn begin(
        &self,
        versions: &[Version<'_>],
        exempt: impl Fn(&BudgetAccount) -> bool,
    ) -> Beginning {
        let touched = |apply: ApplyId| {
            let mut versions = versions.iter();
            versions.any(|version| version.since == apply || version.until == Some(apply))
        };
        let mut accounts = self.accounts.iter().rev();
        let last =
            accounts.find(|(id, account)| exempt(account) || account.exempt_all && touched(**id));
        let begin = last.map_or(self.start, |(id, _)| *id);
        let there = |version: &Version<'_>| was_current(version.since, version.until, begin);
        let first = versions.iter().filter(|version| version.since > begin);
        let first = first.min_by_key(|version| version.since);
        let came = first.filter(|first| first.inserted && !versions.iter().any(there));
        Beginning {
            apply: came.map_or(begin, |first| first.since),
            came: came.is_some(),
        }
    }
}

/// The apply whose state an object is compared with, and whether it came with
/// that apply.
struct Beginning {
    apply: ApplyId,
    came: bool,
}

/// What an object was behind the apply `begin`; `None` where it is not ours
/// now, or did not change.
fn earlier_object(begin: ApplyId, mut versions: Vec<Version<'_>>) -> Option<EarlierObject> {
    versions.sort_by_key(|version| version.since);
    let then = versions
        .iter()
        .find(|version| was_current(version.since, version.until, begin));
    let since: Vec<&Version<'_>> = versions.iter().filter(|v| v.since > begin).collect();
    let applies = changed_by(&versions, begin);
    let Some(now) = versions.iter().find(|version| version.until.is_none()) else {
        // It was removed: its last version says what a region or a config was.
        let then = then.filter(|then| !then.retired)?;
        let values = then.fields.iter();
        return Some(EarlierObject {
            values: values
                .map(|(field, value)| (field, Some(value.clone())))
                .collect(),
            applies,
            came: None,
        });
    };
    if now.since <= begin {
        return None;
    }
    let mut values = Vec::new();
    for field in depended_on() {
        let owned = then.map(|then| then.fields);
        let before = match owned.filter(|then| then.contains(field)) {
            Some(then) => then.get(field),
            // The value that the field held when lkroute took it over.
            None => match since.iter().find(|version| version.takes(field)) {
                Some(first) => first.held(field),
                None => continue,
            },
        };
        if field != Field::Status && (now.retired || before != now.fields.get(field)) {
            values.push((field, before.cloned()));
        }
    }
    values.extend(status(then, now, &since).map(|status| (Field::Status, status)));
    Some(EarlierObject {
        values,
        applies,
        came: None,
    })
}

/// The fields that calls depend on.
fn depended_on() -> impl Iterator<Item = Field> {
    let counts = |field: &Field| field.call_field().is_some();
    Field::ALL.into_iter().filter(counts)
}

/// The applies behind `begin` that changed what calls depend on; those that
/// changed a secret are told elsewhere.
fn changed_by(versions: &[Version<'_>], begin: ApplyId) -> BTreeSet<ApplyId> {
    let same = |one: &Version<'_>, other: &Version<'_>| {
        let mut fields = depended_on().filter(|field| *field != Field::ApiSecret);
        one.retired == other.retired
            && fields.all(|field| one.fields.get(field) == other.fields.get(field))
    };
    let mut applies = BTreeSet::new();
    for (ix, version) in versions.iter().enumerate() {
        let before = ix.checked_sub(1).map(|before| &versions[before]);
        let before = before.filter(|before| before.until == Some(version.since));
        let alike = match before {
            Some(before) => same(before, version),
            // It was taken over without a change.
            None => !version.inserted && version.is_as_found(),
        };
        applies.extend((!alike).then_some(version.since));
        let next = versions.get(ix + 1).map(|next| next.since);
        applies.extend(version.until.filter(|until| next != Some(*until)));
    }
    applies.retain(|apply| *apply > begin);
    applies
}

/// The status of a number row, where it was another.
fn status(
    then: Option<&Version<'_>>,
    now: &Version<'_>,
    since: &[&Version<'_>],
) -> Option<Option<Value>> {
    match then {
        Some(then) if then.retired == now.retired => None,
        Some(then) => Some(then.retired.then(|| "inactive".into())),
        None => {
            let mut found = since.iter().filter_map(|version| version.found);
            let found = found.find_map(|found| found.get(Field::Status))?;
            Some(Some(found.clone()).filter(|found| *found != "active"))
        }
    }
}
