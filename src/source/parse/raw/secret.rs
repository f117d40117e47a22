//! Where an API secret comes from. A secret in plain text is noticed and not
//! kept. Imports only `value`.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::Str;

/// Where the API secret comes from: exactly one of `sealed`, `env`, `file`.
#[derive(Clone)]
pub(crate) enum ApiSecret<'a> {
    /// Written as plain text. What it was is not kept.
    Plain,
    Source(SecretSourceTable<'a>),
}

/// The table form of an API secret.
#[derive(Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SecretSource")]
pub(crate) struct SecretSourceTable<'a> {
    /// Sealed by `lkroute secrets seal`. Required: one of `sealed`,
    /// `env`, `file`.
    #[serde(borrow)]
    pub sealed: Str<'a>,
    /// The name of an environment variable. Required: one of `sealed`,
    /// `env`, `file`.
    #[serde(borrow)]
    pub env: Str<'a>,
    /// A file, relative to this one. Required: one of `sealed`,
    /// `env`, `file`.
    #[serde(borrow)]
    pub file: Str<'a>,
}

impl fmt::Debug for ApiSecret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiSecret(…)")
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for ApiSecret<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct SecretVisitor<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for SecretVisitor<'a> {
            type Value = ApiSecret<'a>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a table with `sealed`, `env` or `file`")
            }

            fn visit_str<E>(self, _: &str) -> Result<ApiSecret<'a>, E> {
                Ok(ApiSecret::Plain)
            }

            fn visit_i64<E>(self, _: i64) -> Result<ApiSecret<'a>, E> {
                Ok(ApiSecret::Plain)
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<ApiSecret<'a>, M::Error> {
                let from = MapAccessDeserializer::new(map);
                SecretSourceTable::deserialize(from).map(ApiSecret::Source)
            }
        }
        from.deserialize_any(SecretVisitor(PhantomData))
    }
}

impl JsonSchema for ApiSecret<'_> {
    fn schema_name() -> Cow<'static, str> {
        SecretSourceTable::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        SecretSourceTable::json_schema(generator)
    }
}
