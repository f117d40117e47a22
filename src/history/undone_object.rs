//! What rollbacks undid of one object, and what of a change would bring that
//! back. Core: imports the model and `diff`.

use serde_json::Value;

use crate::diff::plan::{Action, Change, FieldChange, Kind, Plan, WhyHeld};
use crate::diff::restrict::Held;
use crate::fields::{Field, Fields};
use crate::snapshot::ApplyId;

/// A value that a rollback took away, by what set it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct UndoneValue {
    pub field: Field,
    /// `None`: the field was not set.
    pub value: Option<Value>,
    pub by: Undoing,
}

/// The apply that set something, and the rollback that undid it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Undoing {
    pub set_by: ApplyId,
    pub undone_by: ApplyId,
}

/// What rollbacks undid of one object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct UndoneObject {
    pub values: Vec<UndoneValue>,
    /// What it was, where a rollback took it away.
    pub removed: Vec<(Fields, Undoing)>,
    /// Where a rollback brought it back.
    pub restored: Vec<Undoing>,
    /// Of a config: the undone secret that its source holds again.
    pub secret_again: Option<Value>,
}

/// Before a fingerprint in the place of a secret.
pub(super) const FINGERPRINT: &str = "fingerprint:";

/// Whether a secret is not in the files, so that its source does not tell it.
pub(super) fn is_elsewhere(source: &str) -> bool {
    source.starts_with("env:") || source.starts_with("file:")
}

impl UndoneObject {
    /// What of a change would bring back what was undone.
    pub(super) fn held_of(&self, plan: &Plan, change: &Change) -> Held {
        let patch = plan.patch(change);
        match change.action {
            _ if plan.in_conflict(change) => Held::Nothing,
            Action::Adopt | Action::Reseal | Action::Release => Held::Nothing,
            Action::Delete => {
                let by = self.restored.first();
                by.map_or(Held::Nothing, |by| Held::Whole(why_held(*by)))
            }
            Action::Create | Action::Update => {
                let removed = self.removed.iter();
                let declared = change.owned.map(|owned| plan.pool.get(owned));
                let mut again = removed.filter(|(fields, _)| {
                    let alike = |declared| same_calls(fields, declared);
                    declared.is_some_and(alike)
                });
                if let Some((_, by)) = again.next() {
                    return Held::Whole(why_held(*by));
                }
                let of = |field: &FieldChange| {
                    let mut values = self.values.iter();
                    let again = self.secret_again.as_ref();
                    let value = values.find(|value| brings_back(field, value, again))?;
                    Some(why_held(value.by))
                };
                let fields: Vec<Option<WhyHeld>> = patch.fields.iter().map(of).collect();
                if fields.iter().all(Option::is_none) {
                    Held::Nothing
                } else {
                    Held::Fields(fields)
                }
            }
        }
    }
}

fn why_held(by: Undoing) -> WhyHeld {
    WhyHeld::Undone {
        set_by: by.set_by,
        undone_by: by.undone_by,
    }
}

fn brings_back(field: &FieldChange, undone: &UndoneValue, secret_again: Option<&Value>) -> bool {
    let writes = matches!(field.kind, Kind::Set | Kind::TakeOver);
    let source = field.after.as_ref().and_then(Value::as_str);
    if field.field == Field::ApiSecret && source.is_some_and(is_elsewhere) {
        let again = secret_again.is_some() && secret_again == undone.value.as_ref();
        return writes && field.field == undone.field && again;
    }
    let after = field.after.as_ref().map(|after| match after {
        Value::String(text) => text.strip_prefix("sealed-from:").unwrap_or(text).into(),
        other => other.clone(),
    });
    writes && field.field == undone.field && after == undone.value
}

/// Whether calls could not tell the two apart. The secret is left out: it may
/// be known by its source alone.
fn same_calls(before: &Fields, after: &Fields) -> bool {
    let told = |field: &Field| {
        field.call_field().is_some() && !matches!(field, Field::ApiSecret | Field::Status)
    };
    let mut fields = Field::ALL.into_iter().filter(told);
    fields.all(|field| before.get(field) == after.get(field))
}
