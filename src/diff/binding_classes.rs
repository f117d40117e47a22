//! What becomes of a number, by what is declared, owned and live: decided
//! once for each distinct combination. Core.

use std::collections::BTreeSet;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use serde_json::Value;

use super::compare::{Sides, compare, inserted};
use super::plan::{Action, FieldChange, Kind, Patch};
use crate::fields::{Field, Fields, FieldsIx, FieldsPool};
use crate::list_index::push_indexed;
use crate::routing::BindingSettings;

/// A combination for which the comparison is made once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct BindingCase {
    /// Index of the declared settings; `None` when the files are silent.
    pub settings: Option<u32>,
    pub owned: Option<FieldsIx>,
    pub retired: bool,
    pub inserted: bool,
    /// Outer `None`: no row. Inner `None`: its `rules` is no object.
    pub live: Option<Option<FieldsIx>>,
    /// How many other active rows hold the number.
    pub rivals: usize,
}

/// What the comparison of a [`Case`] gives.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BindingOutcome {
    /// `None`: nothing to do.
    pub action: Option<Action>,
    pub patch: u32,
    /// What is ours afterwards.
    pub owned: Option<FieldsIx>,
    /// The live fields afterwards.
    pub after: Option<FieldsIx>,
}

/// Judges cases, and keeps the sets and patches that they are made of.
#[derive(Debug, Default)]
pub(crate) struct BindingClassifier<'a> {
    settings: &'a [BindingSettings],
    /// The declared fields of each of the settings.
    declared: Vec<FieldsIx>,
    pub pool: FieldsPool,
    pub patches: Vec<Patch>,
    patch_ix: HashMap<Patch, u32, RandomState>,
    cases: HashMap<BindingCase, BindingOutcome, RandomState>,
    /// The last one: numbers that are alike mostly lie side by side.
    last: Option<(BindingCase, BindingOutcome)>,
    used_adopt: BTreeSet<(u32, Field)>,
}

impl<'a> BindingClassifier<'a> {
    /// `config_id` gives the row id of a declared config, as text.
    pub(crate) fn new(
        settings: &'a [BindingSettings],
        config_id: impl Fn(&str) -> Option<String>,
    ) -> BindingClassifier<'a> {
        let mut classifier = BindingClassifier {
            settings,
            ..BindingClassifier::default()
        };
        for settings in settings {
            let mut fields = settings.fields.clone();
            fields.set(Field::Config, config_id(&settings.config).map(Value::from));
            fields.set_text(Field::Rollout, settings.rollout.as_deref());
            let ix = classifier.pool.intern(fields);
            classifier.declared.push(ix);
        }
        classifier
    }

    /// What settings declare.
    pub(crate) fn declared_fields(&self, settings: u32) -> FieldsIx {
        self.declared[settings as usize]
    }

    /// The number of a patch, which is kept once.
    pub(crate) fn patch(&mut self, patch: Patch) -> u32 {
        if let Some(ix) = self.patch_ix.get(&patch) {
            return *ix;
        }
        let ix = push_indexed(&mut self.patches, patch.clone());
        self.patch_ix.insert(patch, ix);
        ix
    }

    /// The outcome of a case, classified the first time it is met.
    pub(crate) fn outcome(&mut self, case: BindingCase) -> BindingOutcome {
        if let Some((last, outcome)) = self.last
            && last == case
        {
            return outcome;
        }
        let known = self.cases.get(&case).copied();
        let outcome = known.unwrap_or_else(|| {
            let outcome = self.classify(case);
            self.cases.insert(case, outcome);
            outcome
        });
        self.last = Some((case, outcome));
        outcome
    }

    fn classify(&mut self, case: BindingCase) -> BindingOutcome {
        let outcome = self.classify_alone(case);
        match case.live {
            Some(None) => outcome,
            live if case.rivals > 0 => self.beside_rivals(case, live.flatten(), outcome),
            _ => outcome,
        }
    }

    /// A change to a number that several active rows hold, before or after
    /// it, is a conflict: nothing of it is carried out.
    fn beside_rivals(
        &mut self,
        case: BindingCase,
        live: Option<FieldsIx>,
        outcome: BindingOutcome,
    ) -> BindingOutcome {
        if outcome.action.is_none() {
            return outcome;
        }
        let active = |patch: &Patch| {
            let wakes = |change: &FieldChange| change.after.as_ref() == Some(&"active".into());
            let mut fields = patch.fields.iter();
            fields.any(|change| change.field == Field::Status && wakes(change))
        };
        let is_active = live.is_some_and(|live| !self.pool.get(live).contains(Field::Status));
        let wakes =
            outcome.action == Some(Action::Create) || active(&self.patches[outcome.patch as usize]);
        if !(is_active || wakes) {
            return outcome;
        }
        let rows = case.rivals + 1;
        let before = match (live, is_active) {
            (_, true) => format!("{rows} active rows"),
            (Some(_), false) => format!("inactive, beside {} of others", active_rows(case.rivals)),
            (None, false) => format!("{} of others", active_rows(case.rivals)),
        };
        let mut patch = self.patches[outcome.patch as usize].clone();
        patch.fields.retain(|change| change.field != Field::Status);
        patch.fields.push(FieldChange {
            field: Field::Status,
            before: Some(Value::from(before)),
            after: Some(Value::from("one active row")),
            kind: Kind::Blocked,
            applied: None,
        });
        BindingOutcome {
            patch: self.patch(patch),
            after: live,
            ..outcome
        }
    }

    fn classify_alone(&mut self, case: BindingCase) -> BindingOutcome {
        let owned = case.owned.filter(|_| !case.retired);
        match (case.settings, case.live) {
            (Some(settings), None) => self.missing(self.declared[settings as usize], owned),
            (Some(settings), Some(live)) => self.declared(settings, case.retired, owned, live),
            (None, live) => match owned {
                Some(owned) => self.removed(owned, live, case.inserted),
                None => BindingOutcome {
                    action: None,
                    patch: 0,
                    owned: case.owned,
                    after: live.flatten(),
                },
            },
        }
    }

    fn missing(&mut self, declared: FieldsIx, owned: Option<FieldsIx>) -> BindingOutcome {
        let before = owned.map(|owned| self.pool.get(owned).clone());
        let patch = inserted(self.pool.get(declared), before.as_ref());
        BindingOutcome {
            action: Some(Action::Create),
            patch: self.patch(patch),
            owned: Some(declared),
            after: Some(declared),
        }
    }

    fn declared(
        &mut self,
        settings: u32,
        retired: bool,
        owned: Option<FieldsIx>,
        live: Option<FieldsIx>,
    ) -> BindingOutcome {
        let declared = self.declared[settings as usize];
        let Some(live) = live else {
            let patch = self.patch(odd_rules(self.pool.get(declared)));
            return BindingOutcome {
                action: Some(Action::Update),
                patch,
                owned: Some(declared),
                after: None,
            };
        };
        let adopt = &self.settings[settings as usize].adopt;
        let sides = Sides {
            declared: Some(self.pool.get(declared)),
            owned: owned.map(|owned| self.pool.get(owned)),
            live: self.pool.get(live),
            whole: false,
            adopt,
        };
        let (mut patch, mut needed) = compare(sides, &Field::OF_BINDING);
        if let Some(status) = self.pool.get(live).get(Field::Status) {
            let kind = match (retired, adopt.contains(&Field::Status)) {
                (true, _) => Kind::Set,
                (false, true) => Kind::TakeOver,
                (false, false) => Kind::Conflict,
            };
            needed.extend((kind == Kind::TakeOver).then_some(Field::Status));
            patch
                .fields
                .push(status_change(Some(status.clone()), None, kind));
        }
        self.used_adopt
            .extend(needed.into_iter().map(|field| (settings, field)));
        let action = match patch.fields.iter().all(|change| change.kind == Kind::Adopt) {
            true if patch.fields.is_empty() => None,
            true => Some(Action::Adopt),
            false => Some(Action::Update),
        };
        let after = self.carried_out(live, &patch);
        BindingOutcome {
            action,
            patch: self.patch(patch),
            owned: Some(declared),
            after: Some(after),
        }
    }

    /// Every owned key goes out of `rules`, columns stay; a row that lkroute
    /// inserted becomes inactive.
    fn removed(
        &mut self,
        owned: FieldsIx,
        live: Option<Option<FieldsIx>>,
        inserted: bool,
    ) -> BindingOutcome {
        let nothing = Fields::new();
        let fields = match live {
            Some(None) => {
                return BindingOutcome {
                    action: Some(Action::Delete),
                    patch: self.patch(odd_rules(&nothing)),
                    owned: None,
                    after: None,
                };
            }
            Some(Some(live)) => self.pool.get(live),
            None => &nothing,
        };
        let sides = Sides {
            declared: None,
            owned: Some(self.pool.get(owned)),
            live: fields,
            whole: false,
            adopt: &[],
        };
        let (mut patch, _) = compare(sides, &Field::OF_BINDING);
        if inserted && live.is_some() && !fields.contains(Field::Status) {
            let inactive = Some(Value::from("inactive"));
            patch.fields.push(status_change(None, inactive, Kind::Set));
        }
        let after = live.flatten().map(|live| self.carried_out(live, &patch));
        BindingOutcome {
            action: Some(Action::Delete),
            patch: self.patch(patch),
            owned: None,
            after,
        }
    }

    fn carried_out(&mut self, live: FieldsIx, patch: &Patch) -> FieldsIx {
        let fields = carried_out(self.pool.get(live), patch);
        self.pool.intern(fields)
    }

    /// The `adopt` lines of settings that no binding needed.
    pub(crate) fn unused_adopt(&self) -> impl Iterator<Item = (u32, Field)> {
        (0u32..)
            .zip(self.settings)
            .flat_map(|(ix, settings)| settings.adopt.iter().map(move |field| (ix, *field)))
            .filter(|line| !self.used_adopt.contains(line))
    }
}

/// The live fields with a patch carried out; in conflict nothing is.
pub(crate) fn carried_out(live: &Fields, patch: &Patch) -> Fields {
    let mut fields = live.clone();
    let writes = |change: &&FieldChange| change.kind.writes() && !patch.in_conflict();
    for change in patch.fields.iter().filter(writes) {
        let active = Some(&Value::from("active"));
        let shows = change.field != Field::Status || change.after.as_ref() != active;
        fields.set(change.field, change.after.clone().filter(|_| shows));
    }
    fields
}

fn active_rows(rows: usize) -> String {
    match rows {
        1 => "an active row".to_owned(),
        rows => format!("{rows} active rows"),
    }
}

fn status_change(before: Option<Value>, after: Option<Value>, kind: Kind) -> FieldChange {
    let or_active = |status: Option<Value>| status.or_else(|| Some("active".into()));
    FieldChange {
        field: Field::Status,
        before: or_active(before),
        after: or_active(after),
        kind,
        applied: None,
    }
}

/// A row whose `rules` is no object can't be patched.
fn odd_rules(declared: &Fields) -> Patch {
    Patch {
        fields: vec![FieldChange {
            field: Field::Config,
            before: Some(Value::from("rules is no JSON object")),
            after: declared.get(Field::Config).cloned(),
            kind: Kind::Blocked,
            applied: None,
        }],
    }
}
