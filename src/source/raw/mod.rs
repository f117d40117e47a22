//! The files as they are written: one struct for each table, every value with
//! its place. Nothing is required here and no value is judged, so that all
//! problems of meaning can be found at once. The same structs give the JSON
//! Schema for editors. Core; imports nothing of lkroute.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use toml::Spanned;

/// A value and the bytes where it stands.
#[derive(Debug, Clone)]
pub struct At<T> {
    pub value: T,
    pub span: Range<usize>,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<T>::deserialize(from)?;
        let span = spanned.span();
        let value = spanned.into_inner();
        Ok(At { value, span })
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// Text, borrowed from the file where it holds no escapes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Text<'a>(pub Cow<'a, str>);

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Read<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Read<'a> {
            type Value = Text<'a>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'a>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'a>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        from.deserialize_str(Read(PhantomData))
    }
}

impl JsonSchema for Text<'_> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

/// A table of named things, in the order in which they are read.
#[derive(Debug, Clone)]
pub struct Named<'a, T>(pub Vec<(At<Text<'a>>, At<T>)>);

impl<T> Default for Named<'_, T> {
    fn default() -> Self {
        Named(Vec::new())
    }
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Named<'a, T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Read<'a, T>(PhantomData<(&'a (), T)>);
        impl<'de: 'a, 'a, T: Deserialize<'de>> Visitor<'de> for Read<'a, T> {
            type Value = Named<'a, T>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a table")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Named(entries))
            }
        }
        from.deserialize_map(Read(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Named<'_, T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("NamedBy{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let item = generator.subschema_for::<T>();
        schemars::json_schema!({ "type": "object", "additionalProperties": item })
    }
}

type Str<'a> = Option<At<Text<'a>>>;
pub type Texts<'a> = Option<At<Vec<At<Text<'a>>>>>;

/// A file of LiveKit call routing for lkroute. All files of a directory are
/// read as one.
#[derive(Debug, Default, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "lkroute routing file")]
pub struct File<'a> {
    /// Who these files speak for: stamped into the database by the first
    /// apply, so that another tree can't be applied to it by mistake.
    pub owner: Str<'a>,
    pub secrets: Option<At<Secrets<'a>>>,
    /// Names for tenants, each with the tenant's uuid.
    #[serde(default)]
    pub tenants: Named<'a, Text<'a>>,
    /// Regions: which numbers belong together, and where they go by default.
    #[serde(default)]
    pub regions: Named<'a, Region<'a>>,
    /// LiveKit deployments, each with its trunk and worker.
    #[serde(default)]
    pub configs: Named<'a, Config<'a>>,
    /// Databases that these files are applied to.
    #[serde(default)]
    pub environments: Named<'a, Environment<'a>>,
    /// Which number of which tenant uses which config.
    #[serde(default)]
    pub bindings: Vec<At<Binding<'a>>>,
    /// Gradual moves from one config to another.
    #[serde(default)]
    pub rollouts: Vec<At<Rollout<'a>>>,
    /// Routing tests: what a number has to resolve to.
    #[serde(default)]
    pub expect: Vec<At<Expect<'a>>>,
    pub guards: Option<At<Guards<'a>>>,
}

/// How secrets are written to the database.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Secrets<'a> {
    /// `aes-256-gcm`, or `fernet` for a database that the Python service reads.
    #[serde(borrow)]
    pub format: Str<'a>,
}

/// A region.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Region<'a> {
    #[serde(borrow)]
    pub description: Str<'a>,
    /// E.164 prefixes such as `+91`; over all regions the longest wins.
    #[serde(borrow)]
    pub country_codes: Texts<'a>,
    /// The config of bindings of this region that name none.
    #[serde(borrow)]
    pub default_config: Str<'a>,
}

/// A LiveKit deployment with its trunk and worker; also what one environment
/// overrides of it.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config<'a> {
    /// The uuid of the row; needed for a sealed secret.
    #[serde(borrow)]
    pub id: Str<'a>,
    /// The name that a config without `id` had before, so that its row is kept.
    #[serde(borrow)]
    pub formerly: Str<'a>,
    #[serde(borrow)]
    pub region: Str<'a>,
    #[serde(borrow)]
    pub description: Str<'a>,
    /// `wss://host`, `ws://host:7880`, `https://…` or `http://…`, without a path.
    #[serde(borrow)]
    pub url: Str<'a>,
    #[serde(borrow)]
    pub api_key: Str<'a>,
    #[serde(borrow)]
    pub api_secret: Option<At<ApiSecret<'a>>>,
    /// The SIP outbound trunk, `ST_…`.
    #[serde(borrow)]
    pub trunk_id: Str<'a>,
    /// The LiveKit agent name that calls are dispatched to.
    #[serde(borrow)]
    pub worker_name: Str<'a>,
    /// Fields that may be taken over from others.
    #[serde(borrow)]
    pub adopt: Texts<'a>,
    /// The environments that have this config; all of them without it.
    #[serde(borrow)]
    pub only: Texts<'a>,
    /// What an environment has different.
    #[serde(borrow, default)]
    pub env: Named<'a, Config<'a>>,
}

/// Where the API secret comes from: exactly one of `sealed`, `env`, `file`.
#[derive(Clone)]
pub enum ApiSecret<'a> {
    /// Written as plain text. What it was is not kept.
    Plain,
    Source(SecretSource<'a>),
}

/// The table form of an API secret.
#[derive(Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretSource<'a> {
    /// Sealed by `lkroute secrets seal`.
    #[serde(borrow)]
    pub sealed: Str<'a>,
    /// The name of an environment variable.
    #[serde(borrow)]
    pub env: Str<'a>,
    /// A file, relative to this one.
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
        struct Read<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Read<'a> {
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
                SecretSource::deserialize(from).map(ApiSecret::Source)
            }
        }
        from.deserialize_any(Read(PhantomData))
    }
}

impl JsonSchema for ApiSecret<'_> {
    fn schema_name() -> Cow<'static, str> {
        SecretSource::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        SecretSource::json_schema(generator)
    }
}

/// Numbers of a tenant, and what they use; also what one environment
/// overrides of it.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Binding<'a> {
    /// One number in E.164 form.
    #[serde(borrow)]
    pub number: Str<'a>,
    /// Several numbers.
    #[serde(borrow)]
    pub numbers: Texts<'a>,
    /// The first and the last of a run of numbers, both included.
    #[serde(borrow)]
    pub range: Texts<'a>,
    /// The alias or the uuid of the tenant.
    #[serde(borrow)]
    pub tenant: Str<'a>,
    /// Without it, the default of `region`, or of the region whose
    /// `country_codes` fit best.
    #[serde(borrow)]
    pub config: Str<'a>,
    #[serde(borrow)]
    pub region: Str<'a>,
    /// The carrier's name.
    #[serde(borrow)]
    pub provider: Str<'a>,
    #[serde(borrow)]
    pub rules: Option<At<Rules<'a>>>,
    /// Fields that may be taken over from others.
    #[serde(borrow)]
    pub adopt: Texts<'a>,
    /// The environments that have this binding; all of them without it.
    #[serde(borrow)]
    pub only: Texts<'a>,
    /// What an environment has different.
    #[serde(borrow, default)]
    pub env: Named<'a, Binding<'a>>,
}

/// The keys of `rules` that lkroute manages.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rules<'a> {
    pub inbound: Option<bool>,
    pub outbound: Option<bool>,
    /// `global`, or the name of a region.
    #[serde(borrow)]
    pub allowed_outbound: Str<'a>,
    /// The order in which the carrier wants a number: `country_code`,
    /// `base_number`, or digits to dial.
    #[serde(borrow)]
    pub required_lead_format: Texts<'a>,
    /// The trunk where the config has none.
    #[serde(borrow)]
    pub outbound_trunk_id: Str<'a>,
}

/// A gradual move: exactly one of `percent`, `tenants`, `region`.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rollout<'a> {
    #[serde(borrow)]
    pub from: Str<'a>,
    #[serde(borrow)]
    pub to: Str<'a>,
    /// 0 to 100; more of it contains all of less.
    pub percent: Option<At<f64>>,
    #[serde(borrow)]
    pub tenants: Texts<'a>,
    #[serde(borrow)]
    pub region: Str<'a>,
    #[serde(borrow)]
    pub only: Texts<'a>,
}

/// A routing test; what is left out is not looked at.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expect<'a> {
    #[serde(borrow)]
    pub from: Str<'a>,
    #[serde(borrow)]
    pub tenant: Str<'a>,
    /// A called number.
    #[serde(borrow)]
    pub to: Str<'a>,
    #[serde(borrow)]
    pub config: Str<'a>,
    #[serde(borrow)]
    pub worker: Str<'a>,
    #[serde(borrow)]
    pub trunk: Str<'a>,
    #[serde(borrow)]
    pub region: Str<'a>,
    #[serde(borrow)]
    pub only: Texts<'a>,
}

/// A database that these files are applied to.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Environment<'a> {
    /// The name of the variable that holds the URL of the database.
    #[serde(borrow)]
    pub database: Str<'a>,
    #[serde(borrow)]
    pub schema: Str<'a>,
    #[serde(borrow)]
    pub secrets: Option<At<Secrets<'a>>>,
    #[serde(borrow)]
    pub guards: Option<At<Guards<'a>>>,
}

/// How much one change may do, and what it may not touch.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Guards<'a> {
    pub deletes: Option<At<Budget>>,
    pub updates: Option<At<Budget>>,
    pub reroutes: Option<At<Budget>>,
    /// Addresses, `*` for any characters: no delete and no reroute.
    #[serde(borrow)]
    pub protected: Texts<'a>,
    #[serde(borrow)]
    pub policy: Option<At<Policy<'a>>>,
    /// Reviewed exceptions.
    #[serde(borrow, default)]
    pub allow: Vec<At<Allow<'a>>>,
}

/// The most that one change may do.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    pub max: Option<At<u64>>,
    /// 0 to 100.
    pub percent: Option<At<f64>>,
    pub per_region: Option<Limit>,
    pub per_tenant: Option<Limit>,
}

/// An absolute number, a share, or both.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    pub max: Option<At<u64>>,
    /// 0 to 100.
    pub percent: Option<At<f64>>,
}

/// What every config has to look like.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy<'a> {
    /// `deny` or `allow`: `http` and `ws` to public hosts.
    #[serde(borrow)]
    pub plain_http: Str<'a>,
    /// Allowed hosts by region, `*` for any characters.
    #[serde(borrow, default)]
    pub hosts: Named<'a, Vec<At<Text<'a>>>>,
    /// Allowed workers by environment, `*` for any characters.
    #[serde(borrow, default)]
    pub workers: Named<'a, Vec<At<Text<'a>>>>,
    /// `deny` or `allow`: moves of numbers from region to region.
    #[serde(borrow)]
    pub cross_region: Str<'a>,
    /// Fields that every config has to set.
    #[serde(borrow)]
    pub require: Texts<'a>,
}

/// An exception from a guard, with a reason and an end.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Allow<'a> {
    /// The code of the guard, as the refusal prints it.
    #[serde(borrow)]
    pub guard: Str<'a>,
    /// Exact addresses.
    #[serde(borrow)]
    pub addresses: Texts<'a>,
    pub max: Option<At<u64>>,
    #[serde(borrow)]
    pub reason: Str<'a>,
    /// The last day, `YYYY-MM-DD`, at most 30 days ahead.
    #[serde(borrow)]
    pub expires: Str<'a>,
}
