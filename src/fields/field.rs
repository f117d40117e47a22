//! The table of fields: what is known of each, said once. Every list of fields
//! is made from it. Core: imports nothing of lkroute.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};

use super::call_field::CallField;
use FieldKind::{Flag, Name, Text, TextList, TextSet};
use FieldStorage::{Column, Ours, RulesKey};

/// Objects that have a field, as bits.
const REGION: u8 = 1;
const CONFIG: u8 = 2;
const BINDING: u8 = 4;
/// Of a binding, but not declared in the files: `adopt` may name it.
const ADOPT_ONLY: u8 = 8;
/// A config need not declare it.
const OPTIONAL: u8 = 16;

/// Where the database keeps a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FieldStorage {
    /// A column of the application's row: of a config, or of a number.
    Column(&'static str),
    /// A key inside the column `rules` of a number.
    RulesKey(&'static str),
    /// Only lkroute's own tables.
    Ours,
}

/// The JSON type of a field's values, and when two of them are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    Text,
    /// A text that is the same in each of its spellings in Unicode.
    Name,
    Flag,
    TextList,
    /// A list in any order.
    TextSet,
}

/// All that is known of a field.
struct FieldFacts {
    name: &'static str,
    of: u8,
    stored: FieldStorage,
    kind: FieldKind,
    call: Option<CallField>,
}

/// Makes [`Field`], [`Field::ALL`] and the facts of each field from one list.
macro_rules! table_of_fields {
    ($($(#[$doc:meta])* $field:ident: $name:literal, $of:expr, $stored:expr, $kind:expr, $call:expr;)*) => {
        /// One managed field, in the order in which people read them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(into = "&'static str")]
        pub enum Field {
            $($(#[$doc])* $field,)*
        }

        impl Field {
            /// Every field, in declaration order.
            pub const ALL: [Field; [$($name),*].len()] = [$(Field::$field),*];

            const FACTS: &[FieldFacts] = &[$(FieldFacts {
                name: $name,
                of: $of,
                stored: $stored,
                kind: $kind,
                call: $call,
            }),*];
        }
    };
}

table_of_fields! {
    // Field: name, of which objects, where it is stored, type, what a call depends on it for
    Name: "name", CONFIG, Column("name"), Name, None;
    /// The column is that of a config; a region's is kept by lkroute.
    Description: "description", REGION | CONFIG | OPTIONAL, Column("description"), Text, None;
    Region: "region", CONFIG, Ours, Name, Some(CallField::Region);
    CountryCodes: "country_codes", REGION, Ours, TextSet, Some(CallField::Countries);
    /// Bindings are given the config when the files are read.
    DefaultConfig: "default_config", REGION, Ours, Name, None;
    Url: "url", CONFIG, Column("livekit_url"), Text, Some(CallField::Server);
    ApiKey: "api_key", CONFIG, Column("livekit_api_key"), Text, Some(CallField::ApiKey);
    /// The SHA-256 of the stored ciphertext, or the source it is sealed from:
    /// never a ciphertext, never a secret.
    ApiSecret: "api_secret", CONFIG, Column("livekit_api_secret"), Text, Some(CallField::Secret);
    TrunkId: "trunk_id", CONFIG | OPTIONAL, Column("trunk_id"), Text, Some(CallField::Trunk);
    WorkerName: "worker_name", CONFIG | OPTIONAL, Column("worker_name"), Name, Some(CallField::Worker);
    /// The deployment of the workers; absent means production.
    Deployment: "deployment", CONFIG | OPTIONAL, Ours, Name, Some(CallField::Deployment);
    /// The config that takes the calls where the server can't be reached: by
    /// its name in the files, by its id, as uuid text, once it is applied.
    Fallback: "fallback", CONFIG | OPTIONAL, Ours, Text, Some(CallField::Fallback);
    /// The id of the config, as uuid text.
    Config: "config", BINDING, RulesKey("livekit_config"), Text, Some(CallField::Config);
    Provider: "provider", BINDING, Column("provider"), Text, None;
    Status: "status", ADOPT_ONLY, Column("status"), Text, Some(CallField::Source);
    Inbound: "rules.inbound", BINDING, RulesKey("inbound"), Flag, Some(CallField::Inbound);
    Outbound: "rules.outbound", BINDING, RulesKey("outbound"), Flag, Some(CallField::Outbound);
    AllowedOutbound: "rules.allowed_outbound", BINDING, RulesKey("allowed_outbound"), Text, Some(CallField::Countries);
    RequiredLeadFormat: "rules.required_lead_format", BINDING, RulesKey("required_lead_format"), TextList, Some(CallField::Dialled);
    OutboundTrunkId: "rules.outbound_trunk_id", BINDING, RulesKey("outbound_trunk_id"), Text, Some(CallField::Trunk);
    /// The wave that put a binding on its config. Remembered with what is
    /// ours, for explanations; never compared, and not in any row.
    Rollout: "rollout", 0, Ours, Text, None;
}

impl Field {
    const fn facts(self) -> &'static FieldFacts {
        &Field::FACTS[self as usize]
    }
}

const fn has_all(field: Field, bits: u8) -> bool {
    field.facts().of & bits == bits
}

/// How many fields of a config are columns of its row.
const fn count_columns() -> usize {
    let (mut n, mut i) = (0, 0);
    while i < Field::OF_CONFIG.len() {
        n += Field::OF_CONFIG[i].column().is_some() as usize;
        i += 1;
    }
    n
}

/// How many fields have all of these bits.
const fn count_of(bits: u8) -> usize {
    let (mut n, mut i) = (0, 0);
    while i < Field::ALL.len() {
        n += has_all(Field::ALL[i], bits) as usize;
        i += 1;
    }
    n
}

/// The fields that have all of these bits.
const fn list_of<const N: usize>(bits: u8) -> [Field; N] {
    let mut list = [Field::Name; N];
    let (mut n, mut i) = (0, 0);
    while i < Field::ALL.len() {
        if has_all(Field::ALL[i], bits) {
            list[n] = Field::ALL[i];
            n += 1;
        }
        i += 1;
    }
    list
}

impl Field {
    /// The fields of a region.
    pub const OF_REGION: [Field; count_of(REGION)] = list_of(REGION);

    /// The fields of a config; all of them are owned, an omitted one is NULL.
    pub const OF_CONFIG: [Field; count_of(CONFIG)] = list_of(CONFIG);

    /// Those that a config need not declare.
    pub const OPTIONAL_OF_CONFIG: [Field; count_of(CONFIG | OPTIONAL)] = list_of(CONFIG | OPTIONAL);

    /// Those that are columns of its row, in the order in which they are read.
    pub const COLUMNS_OF_CONFIG: [Field; count_columns()] = {
        let mut list = [Field::Name; count_columns()];
        let (mut n, mut i) = (0, 0);
        while i < Field::OF_CONFIG.len() {
            if Field::OF_CONFIG[i].column().is_some() {
                list[n] = Field::OF_CONFIG[i];
                n += 1;
            }
            i += 1;
        }
        list
    };

    /// The fields of a binding that files can declare.
    pub const OF_BINDING: [Field; count_of(BINDING)] = list_of(BINDING);

    /// How many fields are keys of `rules`.
    pub const KEYS_OF_RULES: usize = {
        let (mut n, mut i) = (0, 0);
        while i < Field::ALL.len() {
            n += Field::ALL[i].rules_key().is_some() as usize;
            i += 1;
        }
        n
    };

    /// The fields of a binding that `adopt` may name: a row that others made
    /// inactive is taken over too.
    pub const ADOPTABLE_OF_BINDING: [Field; count_of(BINDING) + count_of(ADOPT_ONLY)] = {
        let mut list = [Field::Status; count_of(BINDING) + count_of(ADOPT_ONLY)];
        let mut i = 0;
        while i < Field::OF_BINDING.len() {
            list[i] = Field::OF_BINDING[i];
            i += 1;
        }
        list
    };

    /// The name in TOML, reports and `adopt` lists.
    pub const fn as_str(self) -> &'static str {
        self.facts().name
    }

    /// The column of the application's row, for the fields that have one.
    pub const fn column(self) -> Option<&'static str> {
        match self.facts().stored {
            Column(column) => Some(column),
            RulesKey(_) | Ours => None,
        }
    }

    /// Whether only lkroute's own tables hold the field: no row of the
    /// application has it.
    pub const fn is_ours_only(self) -> bool {
        matches!(self.facts().stored, Ours)
    }

    /// The key inside the `rules` column, for the fields that live there.
    pub const fn rules_key(self) -> Option<&'static str> {
        match self.facts().stored {
            RulesKey(key) => Some(key),
            Column(_) | Ours => None,
        }
    }

    /// Whether the values are ids of configs.
    pub const fn names_config(self) -> bool {
        matches!(self, Field::Config | Field::Fallback)
    }

    /// The key in the files: that of `rules` without the table's name.
    pub fn file_key(self) -> &'static str {
        let name = self.as_str();
        name.strip_prefix("rules.").unwrap_or(name)
    }

    pub const fn kind(self) -> FieldKind {
        self.facts().kind
    }

    /// What calls depend on this field for; `None` for what is only shown or
    /// remembered.
    pub const fn call_field(self) -> Option<CallField> {
        self.facts().call
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

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Field, D::Error> {
        struct NameVisitor;

        impl Visitor<'_> for NameVisitor {
            type Value = Field;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a field")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Field, E> {
                text.parse().map_err(E::custom)
            }
        }

        from.deserialize_str(NameVisitor)
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
    fn each_name_column_and_key_stands_once() {
        for (i, one) in Field::ALL.into_iter().enumerate() {
            for other in Field::ALL.into_iter().skip(i + 1) {
                assert_ne!(one.as_str(), other.as_str());
                let same = |a: Option<&str>, b: Option<&str>| a.is_some() && a == b;
                assert!(!same(one.column(), other.column()), "{one} {other}");
                assert!(!same(one.rules_key(), other.rules_key()), "{one} {other}");
            }
        }
    }

    #[test]
    fn what_is_of_no_object_is_only_remembered() {
        let lists = [
            &Field::OF_REGION[..],
            &Field::OF_CONFIG,
            &Field::ADOPTABLE_OF_BINDING,
        ];
        let unlisted = |field: &Field| !lists.iter().any(|list| list.contains(field));
        let unlisted: Vec<Field> = Field::ALL.into_iter().filter(unlisted).collect();
        assert_eq!(unlisted, [Field::Rollout]);
    }
}
