//! Values by field. Core: imports nothing of lkroute but its siblings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::field::Field;

/// Values by field. A field that is absent has no value: NULL in a column,
/// no such key in `rules`. JSON null is a value of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fields(BTreeMap<Field, Value>);

impl Fields {
    pub fn new() -> Fields {
        Fields::default()
    }

    pub fn get(&self, field: Field) -> Option<&Value> {
        self.0.get(&field)
    }

    /// The value as text, where it is text.
    pub fn text(&self, field: Field) -> Option<&str> {
        self.get(field).and_then(Value::as_str)
    }

    pub fn contains(&self, field: Field) -> bool {
        self.0.contains_key(&field)
    }

    /// Sets a field, or takes it out where there is no value.
    pub fn set(&mut self, field: Field, value: Option<Value>) {
        match value {
            Some(value) => self.0.insert(field, value),
            None => self.0.remove(&field),
        };
    }

    pub fn set_text(&mut self, field: Field, value: Option<&str>) {
        self.set(field, value.map(Value::from));
    }

    /// The same set with one field given, for building.
    pub fn with(mut self, field: Field, value: impl Into<Value>) -> Fields {
        self.0.insert(field, value.into());
        self
    }

    /// Takes what only lkroute's tables hold of a config from what it owns
    /// there, where it owns it.
    pub fn take_ours(&mut self, owned: Option<&Fields>) {
        for field in Field::OF_CONFIG.into_iter().filter(|f| f.is_ours_only()) {
            self.set(field, owned.and_then(|owned| owned.get(field)).cloned());
        }
    }

    /// What a row can hold.
    pub fn managed_values(&self) -> impl Iterator<Item = (Field, &Value)> {
        self.iter().filter(|(field, _)| *field != Field::Rollout)
    }

    pub fn iter(&self) -> impl Iterator<Item = (Field, &Value)> {
        self.0.iter().map(|(field, value)| (*field, value))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As a JSON object by field name: the form kept in lkroute's own tables.
    pub fn to_json(&self) -> Value {
        self.iter()
            .map(|(field, value)| (field.as_str().to_owned(), value.clone()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    /// The reverse of [`Fields::to_json`]; names of fields that this version
    /// does not know are passed over.
    pub fn from_json(value: &Value) -> Fields {
        let known = value.as_object().into_iter().flatten();
        Fields(
            known
                .filter_map(|(name, value)| Some((name.parse().ok()?, value.clone())))
                .collect(),
        )
    }
}

impl FromIterator<(Field, Value)> for Fields {
    fn from_iter<I: IntoIterator<Item = (Field, Value)>>(pairs: I) -> Fields {
        Fields(pairs.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_survives_its_json_form() {
        let fields = Fields::new()
            .with(Field::Outbound, true)
            .with(Field::Provider, Value::Null)
            .with(Field::RequiredLeadFormat, vec!["0", "base_number"]);
        assert_eq!(Fields::from_json(&fields.to_json()), fields);
    }
}
