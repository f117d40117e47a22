//! Declared, last applied, live: the three-way comparison of one object's
//! fields (`semantics.md`, "Ownership" and "Four kinds of difference"). Core.

use std::collections::BTreeSet;

use serde_json::Value;

use super::plan::{FieldChange, Kind, Patch};
use crate::fields::{Field, FieldKind, Fields};
use crate::invisible_chars::in_nfc;

/// What three parties say about one object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sides<'a> {
    /// What the files say; `None` when the object is not in them.
    pub declared: Option<&'a Fields>,
    /// What the last apply set; `None` when the object is not ours.
    pub owned: Option<&'a Fields>,
    /// What the row holds.
    pub live: &'a Fields,
    /// Whether the object is owned whole, so that an omitted field is NULL.
    pub whole: bool,
    /// Fields that may be taken over.
    pub adopt: &'a [Field],
}

/// The fields of `among` that differ, and the `adopt` lines that were needed.
pub(crate) fn compare(sides: Sides<'_>, among: &[Field]) -> (Patch, Vec<Field>) {
    let mut patch = Patch::default();
    let mut needed = Vec::new();
    for &field in among {
        let Some(change) = compare_field(sides, field) else {
            continue;
        };
        if change.kind == Kind::TakeOver {
            needed.push(field);
        }
        patch.fields.push(change);
    }
    (patch, needed)
}

fn compare_field(sides: Sides<'_>, field: Field) -> Option<FieldChange> {
    let says = |fields: Option<&Fields>| fields.is_some_and(|f| sides.whole || f.contains(field));
    let value = |fields: Option<&'_ Fields>| fields.and_then(|f| f.get(field)).cloned();
    let (declared, owned) = (value(sides.declared), value(sides.owned));
    let live = sides.live.get(field).cloned();

    let same = |one: &Option<Value>, other: &Option<Value>| is_same(field, one, other);
    let kind = match (says(sides.declared), says(sides.owned)) {
        (false, false) => return None,
        (true, false) if same(&live, &declared) => match live {
            None => return None,
            Some(_) => Kind::Adopt,
        },
        (true, false) if matches!(live, None | Some(Value::Null)) => Kind::Set,
        (true, false) => taken_over(sides, field),
        (true, true) if same(&live, &owned) && same(&declared, &owned) => return None,
        (true, true) if same(&live, &owned) => Kind::Set,
        (true, true) if same(&declared, &owned) => Kind::Drift,
        (true, true) if same(&live, &declared) => Kind::Adopt,
        (true, true) => taken_over(sides, field),
        (false, true) if field == Field::Provider || live.is_none() => Kind::Release,
        (false, true) if same(&live, &owned) => Kind::Set,
        (false, true) => taken_over(sides, field),
    };
    let after = match kind {
        Kind::Release => live.clone(),
        Kind::Set | Kind::TakeOver | Kind::Adopt | Kind::Drift | Kind::Conflict | Kind::Blocked => {
            declared
        }
    };
    let applied = owned.filter(|owned| Some(owned) != live.as_ref());
    Some(FieldChange {
        field,
        before: live,
        after,
        kind,
        applied,
    })
}

/// See [`FieldKind`].
fn is_same(field: Field, one: &Option<Value>, other: &Option<Value>) -> bool {
    if one == other {
        return true;
    }
    match (field.kind(), one, other) {
        (FieldKind::Name, Some(Value::String(one)), Some(Value::String(other))) => {
            in_nfc(one) == in_nfc(other)
        }
        (FieldKind::TextSet, Some(Value::Array(one)), Some(Value::Array(other))) => {
            let set = |items: &[Value]| -> BTreeSet<String> {
                items.iter().map(Value::to_string).collect()
            };
            set(one) == set(other)
        }
        _ => false,
    }
}

fn taken_over(sides: Sides<'_>, field: Field) -> Kind {
    if sides.adopt.contains(&field) {
        Kind::TakeOver
    } else {
        Kind::Conflict
    }
}

/// The patch of a row that is not there. Where it was ours and the files say
/// what they said, its absence is drift.
pub(crate) fn inserted(declared: &Fields, owned: Option<&Fields>) -> Patch {
    let gone = owned.is_some_and(|owned| owned.managed_values().eq(declared.managed_values()));
    let fields = declared.managed_values().map(|(field, value)| FieldChange {
        field,
        before: None,
        after: Some(value.clone()),
        kind: if gone { Kind::Drift } else { Kind::Set },
        applied: owned.and_then(|owned| owned.get(field)).cloned(),
    });
    Patch {
        fields: fields.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const F: Field = Field::Outbound;

    fn kind(declared: Option<i32>, owned: Option<i32>, live: Option<i32>) -> Option<Kind> {
        let fields = |value: Option<i32>| {
            let mut fields = Fields::new();
            fields.set(F, value.map(Value::from));
            fields
        };
        let (declared, owned, live) = (fields(declared), fields(owned), fields(live));
        let sides = Sides {
            declared: Some(&declared),
            owned: Some(&owned),
            live: &live,
            whole: false,
            adopt: &[],
        };
        compare(sides, &[F])
            .0
            .fields
            .first()
            .map(|change| change.kind)
    }

    #[test]
    fn the_table_of_semantics() {
        // not ours yet
        assert_eq!(kind(Some(1), None, None), Some(Kind::Set));
        assert_eq!(kind(Some(1), None, Some(1)), Some(Kind::Adopt));
        assert_eq!(kind(Some(1), None, Some(2)), Some(Kind::Conflict));
        assert_eq!(kind(None, None, Some(2)), None);
        // ours
        assert_eq!(kind(Some(1), Some(1), Some(1)), None);
        assert_eq!(kind(Some(2), Some(1), Some(1)), Some(Kind::Set));
        assert_eq!(kind(Some(1), Some(1), Some(2)), Some(Kind::Drift));
        assert_eq!(kind(Some(1), Some(1), None), Some(Kind::Drift));
        assert_eq!(kind(Some(2), Some(1), Some(2)), Some(Kind::Adopt));
        assert_eq!(kind(Some(2), Some(1), Some(3)), Some(Kind::Conflict));
        // no longer declared
        assert_eq!(kind(None, Some(1), Some(1)), Some(Kind::Set));
        assert_eq!(kind(None, Some(1), None), Some(Kind::Release));
        assert_eq!(kind(None, Some(1), Some(2)), Some(Kind::Conflict));
    }

    #[test]
    fn an_adopt_line_takes_over_and_json_null_counts_as_not_set() {
        let declared = Fields::new().with(F, true);
        let null = Fields::new().with(F, Value::Null);
        let other = Fields::new().with(F, false);
        let sides = |live, adopt| Sides {
            declared: Some(&declared),
            owned: None,
            live,
            whole: false,
            adopt,
        };
        let (patch, needed) = compare(sides(&null, &[F]), &[F]);
        assert_eq!((patch.fields[0].kind, needed.len()), (Kind::Set, 0));
        assert_eq!(patch.fields[0].before, Some(Value::Null));
        let (patch, needed) = compare(sides(&other, &[F]), &[F]);
        assert_eq!((patch.fields[0].kind, needed), (Kind::TakeOver, vec![F]));
    }

    #[test]
    fn spellings_of_a_name_and_orders_of_a_set_are_no_difference() {
        let change = |field: Field, declared: Value, live: Value| {
            let declared = Fields::new().with(field, declared);
            let live = Fields::new().with(field, live);
            let sides = Sides {
                declared: Some(&declared),
                owned: Some(&declared),
                live: &live,
                whole: false,
                adopt: &[],
            };
            compare(sides, &[field]).0.fields.len()
        };
        let (composed, apart) = ("caf\u{e9}", "cafe\u{301}");
        assert_eq!(change(Field::WorkerName, composed.into(), apart.into()), 0);
        assert_eq!(change(Field::WorkerName, composed.into(), "cafe".into()), 1);
        assert_eq!(change(Field::Provider, composed.into(), apart.into()), 1);
        let codes = |codes: [&str; 2]| Value::from(codes.to_vec());
        let (one, other) = (codes(["+971", "+91"]), codes(["+91", "+971"]));
        assert_eq!(change(Field::CountryCodes, one, other), 0);
    }

    #[test]
    fn configs_are_owned_whole() {
        let declared = Fields::new();
        let live = Fields::new().with(Field::TrunkId, "ST_x");
        let sides = Sides {
            declared: Some(&declared),
            owned: None,
            live: &live,
            whole: true,
            adopt: &[],
        };
        let (patch, _) = compare(sides, &Field::OF_CONFIG);
        assert_eq!(patch.fields.len(), 1);
        assert_eq!(patch.fields[0].kind, Kind::Conflict);
        assert_eq!(patch.fields[0].after, None);
    }
}
