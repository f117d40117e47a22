//! The fields that lkroute manages, and sets of them.
//!
//! A [`Fields`] value is what somebody says about one object: the files
//! (declared), the last apply (owned) or the database (live). All three speak
//! of the same [`Field`]s, so that one three-way comparison serves regions,
//! configs and bindings. Core: imports nothing of lkroute.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One managed field, in the order in which people read them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Field {
    Name,
    Description,
    Region,
    CountryCodes,
    DefaultConfig,
    Url,
    ApiKey,
    /// The SHA-256 of the stored ciphertext, or the source it is sealed from:
    /// never a ciphertext, never a secret.
    ApiSecret,
    TrunkId,
    WorkerName,
    /// `rules.livekit_config`: the id of the config, as uuid text.
    Config,
    Provider,
    Status,
    Inbound,
    Outbound,
    AllowedOutbound,
    RequiredLeadFormat,
    OutboundTrunkId,
    /// The wave that put a binding on its config. Remembered with what is
    /// ours, for explanations; never compared, and not in any row.
    Rollout,
}

impl Field {
    /// Every field, in declaration order.
    pub const ALL: [Field; 19] = [
        Field::Name,
        Field::Description,
        Field::Region,
        Field::CountryCodes,
        Field::DefaultConfig,
        Field::Url,
        Field::ApiKey,
        Field::ApiSecret,
        Field::TrunkId,
        Field::WorkerName,
        Field::Config,
        Field::Provider,
        Field::Status,
        Field::Inbound,
        Field::Outbound,
        Field::AllowedOutbound,
        Field::RequiredLeadFormat,
        Field::OutboundTrunkId,
        Field::Rollout,
    ];

    /// The fields of a config; all of them are owned, an omitted one is NULL.
    pub const OF_CONFIG: [Field; 8] = [
        Field::Name,
        Field::Description,
        Field::Region,
        Field::Url,
        Field::ApiKey,
        Field::ApiSecret,
        Field::TrunkId,
        Field::WorkerName,
    ];

    /// The fields of a binding that files can declare.
    pub const OF_BINDING: [Field; 7] = [
        Field::Config,
        Field::Provider,
        Field::Inbound,
        Field::Outbound,
        Field::AllowedOutbound,
        Field::RequiredLeadFormat,
        Field::OutboundTrunkId,
    ];

    /// The fields of a binding that `adopt` may name: a row that others made
    /// inactive is taken over too.
    pub const ADOPTABLE_OF_BINDING: [Field; 8] = [
        Field::Config,
        Field::Provider,
        Field::Inbound,
        Field::Outbound,
        Field::AllowedOutbound,
        Field::RequiredLeadFormat,
        Field::OutboundTrunkId,
        Field::Status,
    ];

    /// The name in TOML, reports and `adopt` lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Field::Name => "name",
            Field::Description => "description",
            Field::Region => "region",
            Field::CountryCodes => "country_codes",
            Field::DefaultConfig => "default_config",
            Field::Url => "url",
            Field::ApiKey => "api_key",
            Field::ApiSecret => "api_secret",
            Field::TrunkId => "trunk_id",
            Field::WorkerName => "worker_name",
            Field::Config => "config",
            Field::Provider => "provider",
            Field::Status => "status",
            Field::Inbound => "rules.inbound",
            Field::Outbound => "rules.outbound",
            Field::AllowedOutbound => "rules.allowed_outbound",
            Field::RequiredLeadFormat => "rules.required_lead_format",
            Field::OutboundTrunkId => "rules.outbound_trunk_id",
            Field::Rollout => "rollout",
        }
    }

    /// The key inside the `rules` column, for the fields that live there.
    pub fn rules_key(self) -> Option<&'static str> {
        match self {
            Field::Config => Some("livekit_config"),
            Field::Inbound => Some("inbound"),
            Field::Outbound => Some("outbound"),
            Field::AllowedOutbound => Some("allowed_outbound"),
            Field::RequiredLeadFormat => Some("required_lead_format"),
            Field::OutboundTrunkId => Some("outbound_trunk_id"),
            _ => None,
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Reads a field's name; a key of `rules` is understood with and without the
/// `rules.` before it, as is `livekit_config` for `config`.
impl FromStr for Field {
    type Err = UnknownField;

    fn from_str(text: &str) -> Result<Field, UnknownField> {
        let bare = text.strip_prefix("rules.").unwrap_or(text);
        Field::ALL
            .into_iter()
            .find(|field| field.as_str() == text || field.rules_key() == Some(bare))
            .ok_or(UnknownField)
    }
}

impl TryFrom<String> for Field {
    type Error = UnknownField;

    fn try_from(text: String) -> Result<Field, UnknownField> {
        text.parse()
    }
}

impl From<Field> for &'static str {
    fn from(field: Field) -> &'static str {
        field.as_str()
    }
}

/// The text names no managed field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no field of that name")]
pub struct UnknownField;

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

    /// What a row can hold.
    pub fn managed(&self) -> impl Iterator<Item = (Field, &Value)> {
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

/// Distinct [`Fields`] kept once and named by a small number: a million
/// bindings share a few hundred sets.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Fields>", into = "Vec<Fields>")]
pub struct FieldsPool {
    sets: Vec<Fields>,
    index: hashbrown::HashMap<Fields, FieldsIx, foldhash::fast::RandomState>,
}

/// The number of a set in a [`FieldsPool`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FieldsIx(pub u32);

impl FieldsPool {
    /// The number of this set, which is added where it is new.
    pub fn intern(&mut self, fields: Fields) -> FieldsIx {
        if let Some(found) = self.index.get(&fields) {
            return *found;
        }
        let ix = FieldsIx(u32::try_from(self.sets.len()).unwrap_or(u32::MAX));
        self.sets.push(fields.clone());
        self.index.insert(fields, ix);
        ix
    }

    pub fn get(&self, ix: FieldsIx) -> &Fields {
        &self.sets[ix.0 as usize]
    }

    pub fn len(&self) -> usize {
        self.sets.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }
}

impl From<Vec<Fields>> for FieldsPool {
    fn from(sets: Vec<Fields>) -> FieldsPool {
        let mut pool = FieldsPool::default();
        for fields in sets {
            pool.intern(fields);
        }
        pool
    }
}

impl From<FieldsPool> for Vec<Fields> {
    fn from(pool: FieldsPool) -> Vec<Fields> {
        pool.sets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for field in Field::ALL {
            assert_eq!(field.as_str().parse(), Ok(field));
        }
        assert_eq!("outbound".parse(), Ok(Field::Outbound));
        assert_eq!("rules.livekit_config".parse(), Ok(Field::Config));
        assert_eq!("rules.provider".parse::<Field>(), Err(UnknownField));
    }

    #[test]
    fn a_set_survives_its_json_form() {
        let fields = Fields::new()
            .with(Field::Outbound, true)
            .with(Field::Provider, Value::Null)
            .with(Field::RequiredLeadFormat, vec!["0", "base_number"]);
        assert_eq!(Fields::from_json(&fields.to_json()), fields);
    }

    #[test]
    fn equal_sets_share_a_number() {
        let mut pool = FieldsPool::default();
        let one = pool.intern(Fields::new().with(Field::Provider, "a"));
        let two = pool.intern(Fields::new().with(Field::Provider, "b"));
        assert_ne!(one, two);
        assert_eq!(pool.intern(Fields::new().with(Field::Provider, "a")), one);
        assert_eq!(pool.len(), 2);
    }
}
