//! What lkroute's objects were when the window of the budgets began. `history`
//! makes it from the versions, the differ notes which numbers it meets, and
//! `impact` adds up. Core.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use serde_json::Value;
use uuid::Uuid;

use crate::fields::{Field, Fields, FieldsIx};
use crate::resolve::facts::codes_of;
use crate::resolve::{CallBasis, ConfigFact, Provenance, SecretState};
use crate::routing::window::Window;
use crate::snapshot::ApplyId;

/// The state at the beginning of the window.
#[derive(Debug, Clone, Default)]
pub struct Earlier {
    pub window: Window,
    /// The last apply whose work does not count because its lkroute kept no
    /// account of it.
    pub uncounted: Option<ApplyId>,
    pub regions: BTreeMap<String, EarlierObject>,
    /// Regions that came within the window, and with which apply: what they
    /// take out of the rules of other numbers was not taken out before.
    pub new_regions: BTreeMap<String, ApplyId>,
    pub configs: BTreeMap<Uuid, EarlierObject>,
    /// Number rows by what they were, as indices into `bindings`.
    pub rows: HashMap<Uuid, u32, RandomState>,
    pub bindings: Vec<EarlierObject>,
    /// Of those rows the ones that were met.
    pub met: Vec<MetBinding>,
}

/// What an object was, and by whom it changed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EarlierObject {
    /// The fields that held something else; `None` for nothing.
    pub values: Vec<(Field, Option<Value>)>,
    /// The applies of the window that changed it.
    pub applies: BTreeSet<ApplyId>,
    /// The apply with which it came, where that was within the window; of
    /// numbers noted only where regions came too.
    pub came: Option<ApplyId>,
}

/// A number whose binding changed within the window, as it is before the plan.
#[derive(Debug, Clone, Copy)]
pub struct MetBinding {
    pub row: Uuid,
    /// Index into [`super::plan::Plan::tenants`].
    pub tenant: u32,
    pub before: Option<FieldsIx>,
    /// Index into [`Earlier::bindings`].
    pub was: u32,
}

impl EarlierObject {
    /// Whether it was then what it is now.
    pub fn is_same(&self) -> bool {
        self.values.is_empty()
    }

    /// These fields, as they were.
    pub fn of(&self, now: &Fields) -> Fields {
        let mut fields = now.clone();
        for (field, value) in &self.values {
            fields.set(*field, value.clone());
        }
        fields
    }
}

impl Earlier {
    /// Notes a number row where its binding changed within the window.
    pub fn meet(&mut self, row: Uuid, tenant: u32, before: Option<FieldsIx>) {
        if let Some(was) = self.rows.get(&row) {
            self.met.push(MetBinding {
                row,
                tenant,
                before,
                was: *was,
            });
        }
    }

    /// Configs and regions as they were.
    pub fn basis(&self, now: &CallBasis) -> CallBasis {
        let mut basis = now.clone();
        for (id, was) in &self.configs {
            let known = basis.configs.get(*id).cloned();
            let fields = known.as_ref().map(|config| was.of(&config.fields));
            basis.configs.insert(ConfigFact {
                id: Some(*id),
                fields: fields.unwrap_or_else(|| was.of(&Fields::new())),
                place: known.map_or_else(Provenance::default, |config| config.place),
                secret: SecretState::NotChecked,
            });
        }
        for (name, was) in &self.regions {
            let mut values = was.values.iter();
            let codes = values.find(|(field, _)| *field == Field::CountryCodes);
            if let Some((_, codes)) = codes {
                let codes = codes_of(codes.as_ref());
                basis.regions.0.insert(name.clone(), codes);
            }
        }
        basis
    }

    /// The regions that were not there yet when a number was, or came with the
    /// apply `came`; the one that its own rule names counts as it was first.
    pub fn later_regions(&self, came: Option<ApplyId>, own: Option<&str>) -> BTreeSet<&str> {
        let regions = self.new_regions.iter();
        let later = regions.filter(|(name, since)| {
            Some(name.as_str()) != own && came.is_none_or(|came| **since > came)
        });
        later.map(|(name, _)| name.as_str()).collect()
    }
}
