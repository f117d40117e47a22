//! Compares rows with the plan that was made of them, and with what was written.
//! Used by both engines. Imports core.

use hashbrown::HashMap;
use serde_json::Value;
use uuid::Uuid;

use super::row_patch::{RowPatch, counts};
use super::write_request::ApplyError;
use super::write_set::{WriteSet, key};
use crate::address::Address;
use crate::diff::plan::{Action, Change, FieldChange, Patch};
use crate::diff::row_reader::read_row;
use crate::fields::{Field, Fields};
use crate::phone;
use crate::snapshot::{LiveConfig, NumberRow};

impl<'a> WriteSet<'a> {
    /// Whether a number row is as the plan saw it: number, tenant, status,
    /// and the fields that change or are recorded.
    pub(super) fn holds(&self, change: &Change, live: &NumberRow<'_>) -> bool {
        let patch = self.plan.patch(change);
        let status = RowPatch::of(patch, change.owned.is_some()).status_before;
        let Ok(fields) = read_row(live) else {
            return false;
        };
        let mut told = patch.fields.iter().filter(|field| counts(field.kind));
        self.is_of(change, live)
            && status.is_none_or(|status| status == live.status.unwrap_or("active"))
            && told.all(|field| {
                field.field == Field::Status || fields.get(field.field) == field.before.as_ref()
            })
    }

    /// Whether a row has the number and tenant of a change.
    fn is_of(&self, change: &Change, live: &NumberRow<'_>) -> bool {
        let number = phone::from_row(live.country_code, live.base_number);
        let found = number.ok().map(|number| (live.tenant, number.row_key()));
        found.is_some() && found == key(self.plan, change)
    }

    /// What a row, read back, holds another value of than was written.
    pub(super) fn rewritten(&self, change: &Change, live: &NumberRow<'_>) -> Option<String> {
        if !self.is_of(change, live) {
            return Some("the number or the tenant".to_owned());
        }
        let Ok(fields) = read_row(live) else {
            return Some("rules".to_owned());
        };
        let active = Value::from("active");
        let as_written = |field: &FieldChange| {
            let after = field.after.as_ref();
            let after = after.filter(|after| field.field != Field::Status || **after != active);
            fields.get(field.field) == after
        };
        let in_row = |field: Field| {
            field.rules_key().is_some() || matches!(field, Field::Provider | Field::Status)
        };
        let mut written = self.plan.patch(change).fields.iter();
        let written =
            written.find(|field| field.kind.writes() && in_row(field.field) && !as_written(field));
        written.map(|field| field.field.to_string())
    }

    /// The changes of configs whose rows are inserted or updated, by row.
    pub(super) fn configs_written(&self) -> HashMap<Uuid, &'a Change> {
        let changes = self.configs.iter().copied();
        let stays = |change: &&Change| change.action != Action::Delete && self.writes(change);
        let keyed = changes.filter(stays);
        keyed
            .filter_map(|change| Some((change.row?, change)))
            .collect()
    }

    /// # Errors
    /// Rows, read back, that hold other values than were written; `by` names what
    /// acts on them.
    pub(super) fn check_rewritten(
        &self,
        written: &HashMap<Uuid, &Change>,
        live: &[LiveConfig],
        by: &str,
    ) -> Result<(), ApplyError> {
        let found = live.iter().filter_map(|row| {
            let change = written.get(&row.id)?;
            Some((self.address(change), self.config_rewritten(change, row)?))
        });
        let found: Vec<(Address, String)> = found.collect();
        match found.is_empty() {
            true if live.len() == written.len() => Ok(()),
            true => Err(ApplyError::left_out("configs", by)),
            false => Err(ApplyError::rewritten(found)),
        }
    }

    fn config_rewritten(&self, change: &Change, live: &LiveConfig) -> Option<String> {
        let secret = self.secrets.get(&live.id);
        let mut written = self.plan.patch(change).fields.iter();
        let written = written.find(|field| {
            let after = match (field.field, secret) {
                (Field::ApiSecret, Some(text)) => Some(Value::from(text.digest())),
                _ => field.after.clone(),
            };
            let told = field.kind.writes() && field.field.column().is_some();
            told && live.fields.get(field.field) != after.as_ref()
        });
        written.map(|field| field.field.to_string())
    }

    /// # Errors
    /// Configs whose rows, now locked, are not as the plan saw them.
    pub(super) fn check_configs(&self, live: &[LiveConfig]) -> Result<(), ApplyError> {
        let live: HashMap<Uuid, &LiveConfig> = live.iter().map(|row| (row.id, row)).collect();
        let as_planned = |change: &Change| {
            let row = change.row.and_then(|id| live.get(&id));
            match row {
                // One that is no longer ours may be there or not.
                _ if change.owned.is_none() && !self.writes(change) => true,
                None => change.insert,
                Some(row) => !change.insert && as_before(self.plan.patch(change), &row.fields),
            }
        };
        let moved = self.configs.iter().filter(|change| !as_planned(change));
        let moved: Vec<Address> = moved.map(|change| self.address(change)).collect();
        if moved.is_empty() {
            Ok(())
        } else {
            Err(ApplyError::moved("configs have changed", moved))
        }
    }
}

/// Whether a row still holds what a patch says it held; the region is not in
/// the row.
pub(super) fn as_before(patch: &Patch, live: &Fields) -> bool {
    patch
        .fields
        .iter()
        .filter(|field| !field.field.is_ours_only())
        .all(|field| live.get(field.field) == field.before.as_ref())
}
