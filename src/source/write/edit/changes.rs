//! The changes to a file, and each of them made to the table of its object.
//! Core.

use std::collections::BTreeMap;

use serde_json::Value;
use toml_edit::{InlineTable, Item, TableLike};
use uuid::Uuid;

use super::values;
use crate::fields::Field;
use crate::phone::E164;

/// One change to the table of an object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Edit {
    /// Lists a field in `adopt`.
    Adopt(Field),
    /// Sets a field, or takes it out. A config is named, not numbered; an
    /// `api_secret` is the sealed text.
    Set(Field, Option<Value>),
    /// Gives a config its id.
    Id(Uuid),
    /// Takes a binding out.
    Remove,
}

/// The changes to the objects of one file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edits {
    /// By name.
    pub configs: BTreeMap<String, Vec<Edit>>,
    pub bindings: BTreeMap<(E164, Uuid), Vec<Edit>>,
    /// Tenants by the names that files give them.
    pub aliases: BTreeMap<String, Uuid>,
    /// The environment whose values change; `None` where there are none.
    pub environment: Option<String>,
}

/// Why a text was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EditError {
    #[error("the file is no TOML any more")]
    NotToml,
    #[error("`{0}` is not in the file any more")]
    Gone(String),
    #[error("{0} is written in a form that has to be edited by hand")]
    ByHand(String),
}

/// Makes one change to the table of a config or binding.
pub(super) fn apply_edit(
    table: &mut dyn TableLike,
    change: &Edit,
    environment: Option<&str>,
) -> Result<(), EditError> {
    match change {
        Edit::Id(id) => {
            let table = override_table(table, environment)?;
            values::set_first(table, "id", id.to_string().into());
        }
        Edit::Adopt(field) => values::add_to_list(table, "adopt", field.as_str()),
        Edit::Set(Field::Name, _) => {
            return Err(EditError::ByHand("the name of a config".to_owned()));
        }
        Edit::Remove => return Err(EditError::ByHand("a config".to_owned())),
        Edit::Set(field, value) => {
            let table = override_table(table, environment)?;
            match field.rules_key().filter(|_| *field != Field::Config) {
                Some(key) => set_rule(table, key, value.as_ref()),
                None => set_field(table, *field, value.as_ref()),
            }
        }
    }
    Ok(())
}

fn set_field(table: &mut dyn TableLike, field: Field, value: Option<&Value>) {
    let key = field.as_str();
    match (value, field) {
        (None, _) => {
            table.remove(key);
        }
        (Some(value), Field::ApiSecret) => {
            let mut sealed = InlineTable::new();
            sealed.insert("sealed", values::toml_value(value));
            values::set_key(table, key, sealed.into());
        }
        (Some(value), _) => values::set_key(table, key, values::toml_value(value)),
    }
}

/// Sets a key of `rules`, or takes it out, and `rules` with its last key.
fn set_rule(table: &mut dyn TableLike, key: &str, value: Option<&Value>) {
    if table.get("rules").is_none() {
        if value.is_none() {
            return;
        }
        table.insert("rules", InlineTable::new().into());
    }
    let Some(rules) = table.get_mut("rules").and_then(Item::as_table_like_mut) else {
        return;
    };
    match value {
        Some(value) => values::set_key(rules, key, values::toml_value(value)),
        None => {
            rules.remove(key);
        }
    }
    if rules.is_empty() {
        table.remove("rules");
    } else if let Some(rules) = table.get_mut("rules").and_then(Item::as_inline_table_mut) {
        rules.fmt();
    }
}

/// Where a value of this environment belongs: `env.NAME` below the table.
fn override_table<'a>(
    table: &'a mut dyn TableLike,
    environment: Option<&str>,
) -> Result<&'a mut dyn TableLike, EditError> {
    let Some(name) = environment else {
        return Ok(table);
    };
    let env = table.entry("env").or_insert_with(|| {
        let mut env = toml_edit::Table::new();
        env.set_dotted(true);
        Item::Table(env)
    });
    env.as_table_like_mut()
        .map(|env| env.entry(name).or_insert_with(|| InlineTable::new().into()))
        .and_then(Item::as_table_like_mut)
        .ok_or_else(|| EditError::ByHand(format!("`env.{name}`")))
}
