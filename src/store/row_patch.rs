//! What a patch does to a number row, as both engines write it. Imports core.

use serde_json::{Map, Value};

use crate::diff::plan::{Kind, Patch};
use crate::fields::Field;

/// Whether a row has to hold what a patch says that it held: to be written,
/// or to be recorded as it is.
pub(super) fn counts(kind: Kind) -> bool {
    kind.writes() || kind == Kind::Adopt
}

/// What a patch does to a number row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RowPatch {
    /// The keys of `rules` that change, go, or have to be as they are.
    pub touched: Vec<&'static str>,
    /// What these hold before and after, as far as they are there.
    pub before: Map<String, Value>,
    pub after: Map<String, Value>,
    /// The column before and after, where it changes.
    pub provider: Option<(Option<String>, Option<String>)>,
    /// What the status has to be, NULL counting as active; `None`: anything.
    pub status_before: Option<String>,
    pub status_after: Option<String>,
}

impl RowPatch {
    /// `ours`: whether the row is lkroute's afterwards. One that goes back to
    /// others may be inactive already.
    pub(super) fn of(patch: &Patch, ours: bool) -> RowPatch {
        let mut row = RowPatch {
            status_before: ours.then(|| "active".to_owned()),
            ..RowPatch::default()
        };
        for field in &patch.fields {
            if !counts(field.kind) {
                continue;
            }
            match (field.field, field.field.rules_key()) {
                (_, Some(key)) => {
                    row.touched.push(key);
                    let put = |map: &mut Map<String, Value>, value: &Option<Value>| {
                        if let Some(value) = value {
                            map.insert(key.to_owned(), value.clone());
                        }
                    };
                    put(&mut row.before, &field.before);
                    put(&mut row.after, &field.after);
                }
                (Field::Provider, _) => {
                    row.provider = Some((text(&field.before), text(&field.after)));
                }
                (Field::Status, _) => {
                    row.status_before = text(&field.before);
                    row.status_after = text(&field.after);
                }
                _ => {}
            }
        }
        row
    }
}

fn text(value: &Option<Value>) -> Option<String> {
    value.as_ref().map(|value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::plan::FieldChange;

    #[test]
    fn a_patch_tells_absent_from_null() {
        let change = |field, before, after, kind| FieldChange {
            field,
            before,
            after,
            kind,
            applied: None,
        };
        let patch = Patch {
            fields: vec![
                change(
                    Field::Config,
                    Some(Value::Null),
                    Some("c".into()),
                    Kind::Set,
                ),
                change(Field::Outbound, Some(true.into()), None, Kind::Drift),
                change(Field::Inbound, None, Some(true.into()), Kind::Set),
                change(Field::Provider, None, Some("P".into()), Kind::TakeOver),
                change(
                    Field::AllowedOutbound,
                    Some("x".into()),
                    Some("x".into()),
                    Kind::Adopt,
                ),
            ],
        };
        let row = RowPatch::of(&patch, true);
        let touched = ["livekit_config", "outbound", "inbound", "allowed_outbound"];
        assert_eq!(row.touched, touched);
        let json = |map: &Map<String, Value>| Value::Object(map.clone()).to_string();
        assert_eq!(
            json(&row.before),
            r#"{"allowed_outbound":"x","livekit_config":null,"outbound":true}"#
        );
        assert_eq!(
            json(&row.after),
            r#"{"allowed_outbound":"x","inbound":true,"livekit_config":"c"}"#
        );
        assert_eq!(row.provider, Some((None, Some("P".to_owned()))));
        assert_eq!(row.status_before.as_deref(), Some("active"));
        let removed = RowPatch::of(&Patch::default(), false);
        assert_eq!(removed.status_before, None);
    }
}
