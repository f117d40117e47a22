//! Values and keys of TOML, set so that what stands around them stays. Core.

use serde_json::Value;
use toml_edit::{Array, Item, TableLike, Value as Toml};

/// A JSON value as TOML. There is no null in TOML: it becomes an empty text,
/// which no field of ours takes, so that it is noticed.
pub(super) fn toml_value(value: &Value) -> Toml {
    match value {
        Value::Bool(flag) => (*flag).into(),
        Value::String(text) => text.as_str().into(),
        Value::Number(number) => match number.as_i64() {
            Some(number) => number.into(),
            None => number.as_f64().unwrap_or_default().into(),
        },
        Value::Array(values) => Toml::Array(values.iter().map(toml_value).collect::<Array>()),
        Value::Null => "".into(),
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(key, value)| (key.as_str(), toml_value(value)));
            Toml::InlineTable(fields.collect())
        }
    }
}

/// Sets a key; the comment behind an old value stays.
pub(super) fn set_key(table: &mut dyn TableLike, key: &str, mut value: Toml) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        None => {
            table.insert(key, value.into());
        }
    }
}

/// Sets a key, which comes first where it is new.
pub(super) fn set_first(table: &mut dyn TableLike, key: &str, value: Toml) {
    let new = !table.contains_key(key);
    set_key(table, key, value);
    if !new {
        return;
    }
    let others: Vec<String> = table
        .iter()
        .filter(|(other, item)| *other != key && item.is_value())
        .map(|(other, _)| other.to_owned())
        .collect();
    for other in others {
        move_to_end(table, &other);
    }
}

/// Takes a key out and puts it back as the last, its comments with it.
fn move_to_end(table: &mut dyn TableLike, key: &str) {
    let decor = table.key(key).map(|key| key.leaf_decor().clone());
    let Some(item) = table.remove(key) else {
        return;
    };
    table.insert(key, item);
    if let (Some(decor), Some(mut key)) = (decor, table.key_mut(key)) {
        *key.leaf_decor_mut() = decor;
    }
}

/// Adds a text to a list, which is made where it is missing.
pub(super) fn add_to_list(table: &mut dyn TableLike, key: &str, text: &str) {
    let list = table.entry(key).or_insert_with(|| Array::new().into());
    let Some(list) = list.as_array_mut() else {
        return;
    };
    if !list.iter().any(|value| value.as_str() == Some(text)) {
        list.push(text);
    }
}
