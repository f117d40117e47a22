//! What the files declare, once read and found valid: regions, configs,
//! bindings. Core: imports only core.
//!
//! Bindings are kept small (a million of them is the size to design for): the
//! tenant, what is declared for the number, and where, are indices.

pub(crate) mod glob;
pub mod guards;
pub mod window;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::fields::{Field, Fields};
use crate::finding::Place;
use crate::phone::{E164, Prefix};
use crate::routing::guards::Guards;

/// Everything declared under `routing/`, for one environment.
#[derive(Debug, Clone, Default)]
pub struct Routing {
    /// The name that the first apply stamps into the database.
    pub owner: Option<String>,
    /// The environment that these files were read for, where any is declared.
    pub environment: Option<String>,
    /// `secrets.format`, where it is set.
    pub secret_format: Option<SecretFormat>,
    /// The files read, as the user would type their paths. [`Origin::file`]
    /// is an index into it.
    pub files: Vec<String>,
    pub regions: BTreeMap<String, Region>,
    pub configs: BTreeMap<String, ServerConfig>,
    /// Every tenant that is named or used; [`Binding::tenant`] is an index.
    pub tenants: Vec<Tenant>,
    /// What bindings declare, each distinct declaration once;
    /// [`Binding::settings`] is an index.
    pub settings: Vec<BindingSettings>,
    /// As the files are loaded, sorted by tenant and key.
    pub bindings: Vec<Binding>,
    pub guards: Guards,
    /// Routing tests: what a number is expected to resolve to.
    pub expects: Vec<Expect>,
}

/// `[[expect]]`: a routing test; what is left out is not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expect {
    pub from: E164,
    /// Index into [`Routing::tenants`].
    pub tenant: u32,
    /// The called number, as typed.
    pub to: Option<String>,
    pub config: Option<String>,
    pub worker: Option<String>,
    pub trunk: Option<String>,
    pub region: Option<String>,
    /// Whether calls out are allowed at all.
    pub outbound: Option<bool>,
    /// How the called number is dialled.
    pub dials: Option<String>,
    /// The rule that refuses the call: a key of `rules`.
    pub refused: Option<String>,
    pub place: Place,
}

/// A line of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// Index into [`Routing::files`].
    pub file: u32,
    /// 1-based.
    pub line: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    pub id: Uuid,
    /// The name that reviewers read; reports fall back to the uuid.
    pub alias: Option<String>,
}

impl Tenant {
    /// The alias, else the uuid.
    pub fn label(&self) -> String {
        self.alias.clone().unwrap_or_else(|| self.id.to_string())
    }

    /// The id and the alias, where it has one.
    pub fn aliased(&self) -> Option<(Uuid, String)> {
        Some((self.id, self.alias.clone()?))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    pub description: Option<String>,
    /// E.164 prefixes; over all regions the longest that matches wins.
    pub country_codes: Vec<Prefix>,
    /// The config of bindings of this region that name none.
    pub default_config: Option<String>,
    pub origin: Origin,
}

/// One LiveKit deployment with its trunk and worker.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The row's id; without it the name is the identity.
    pub id: Option<Uuid>,
    /// The name that an id-less config had before, so that its row is kept.
    pub formerly: Option<String>,
    pub region: String,
    pub description: Option<String>,
    pub url: String,
    pub api_key: String,
    pub api_secret: SecretSource,
    pub trunk_id: Option<String>,
    pub worker_name: Option<String>,
    /// The deployment of the workers; absent means production.
    pub deployment: Option<String>,
    /// The config that takes the calls where the server can't be reached.
    pub fallback: Option<String>,
    /// Fields that may be taken over from others.
    pub adopt: Vec<Field>,
    pub origin: Origin,
    /// The line of each field that is declared, for reports.
    pub lines: BTreeMap<Field, u32>,
}

/// The deployment of a config that names none, as LiveKit calls it.
pub const PRODUCTION: &str = "production";

/// Whether a variable is named for secrets, so that files may take one from it.
pub fn is_secret_variable(name: &str) -> bool {
    name.strip_prefix("LKROUTE_SECRET_")
        .is_some_and(|rest| !rest.is_empty())
}

impl ServerConfig {
    /// All that is declared, but for the secret, under the config's name.
    pub fn fields(&self, name: &str) -> Fields {
        let ServerConfig {
            id: _,
            formerly: _,
            region,
            description,
            url,
            api_key,
            api_secret: _,
            trunk_id,
            worker_name,
            deployment,
            fallback,
            adopt: _,
            origin: _,
            lines: _,
        } = self;
        let mut fields = Fields::new()
            .with(Field::Name, name)
            .with(Field::Region, region.as_str())
            .with(Field::Url, url.as_str())
            .with(Field::ApiKey, api_key.as_str());
        fields.set_text(Field::Description, description.as_deref());
        fields.set_text(Field::TrunkId, trunk_id.as_deref());
        fields.set_text(Field::WorkerName, worker_name.as_deref());
        fields.set_text(Field::Deployment, deployment.as_deref());
        fields.set_text(Field::Fallback, fallback.as_deref());
        fields
    }

    /// The config that declares these fields: the reverse of
    /// [`ServerConfig::fields`].
    pub fn of_fields(
        id: Option<Uuid>,
        fields: &Fields,
        secret: SecretSource,
        origin: Origin,
    ) -> ServerConfig {
        let text = |field| fields.text(field).map(str::to_owned);
        let needed = |field| text(field).unwrap_or_default();
        ServerConfig {
            id,
            formerly: None,
            region: needed(Field::Region),
            description: text(Field::Description),
            url: needed(Field::Url),
            api_key: needed(Field::ApiKey),
            api_secret: secret,
            trunk_id: text(Field::TrunkId),
            worker_name: text(Field::WorkerName),
            deployment: text(Field::Deployment),
            fallback: text(Field::Fallback),
            adopt: Vec::new(),
            origin,
            lines: BTreeMap::new(),
        }
    }
}

/// Where the API secret of a config comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// `{ sealed = "…" }`
    Sealed(CipherText),
    /// `{ env = "NAME" }`
    Env(String),
    /// `{ file = "path" }`, relative to the TOML file that names it.
    File(String),
}

impl SecretSource {
    /// A name for the source that is safe to store and to show: a sealed
    /// value by its hash.
    pub fn describe(&self) -> String {
        match self {
            SecretSource::Sealed(text) => text.digest(),
            SecretSource::Env(name) => format!("env:{name}"),
            SecretSource::File(path) => format!("file:{path}"),
        }
    }
}

enum_words! {
    /// How a secret is sealed, and written to the database.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum SecretFormat {
        /// `lkr1:…`, lkroute's own.
        Aes256Gcm = "aes-256-gcm",
        /// `dev-s-t-…`, for databases that the Python service still reads.
        Fernet = "fernet",
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret's format is `aes-256-gcm` or `fernet`")]
pub struct UnknownFormat;

impl FromStr for SecretFormat {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<SecretFormat, UnknownFormat> {
        SecretFormat::of_word(name).ok_or(UnknownFormat)
    }
}

/// A sealed secret as it stands in a file or a row. It can be stored, hashed
/// and compared; it can't be formatted.
#[derive(Clone, PartialEq, Eq)]
pub struct CipherText(String);

impl CipherText {
    pub fn new(text: impl Into<String>) -> CipherText {
        CipherText(text.into())
    }

    /// The text itself, for storing and opening; never for showing.
    pub fn as_stored(&self) -> &str {
        &self.0
    }

    /// `sha256:` and the SHA-256 of the text, in hex; `plain-text` for a text
    /// that is not sealed, whose hash would say too much.
    pub fn digest(&self) -> String {
        use fmt::Write;
        if !self.0.starts_with("lkr1:") && !self.0.starts_with("dev-s-t-") {
            return "plain-text".to_owned();
        }
        let hash = Sha256::digest(self.0.as_bytes());
        hash.iter().fold("sha256:".to_owned(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl fmt::Debug for CipherText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CipherText(…)")
    }
}

/// What a binding declares, beside its number and tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BindingSettings {
    /// The config's name, the default of the region already filled in.
    pub config: String,
    /// The declared fields but `config`: `provider` and keys of `rules`.
    pub fields: Fields,
    /// Fields that may be taken over from others, sorted.
    pub adopt: Vec<Field>,
    /// The wave that put the number on this config, for explanations.
    pub rollout: Option<String>,
}

/// One number of one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    pub number: E164,
    pub tenant: u32,
    pub settings: u32,
    pub origin: Origin,
}

impl Routing {
    pub fn tenant(&self, binding: &Binding) -> &Tenant {
        &self.tenants[binding.tenant as usize]
    }

    /// Where something is declared.
    pub fn place(&self, origin: Origin) -> Place {
        let file = self.files.get(origin.file as usize).cloned();
        Place::line(file.unwrap_or_default(), origin.line)
    }

    /// Where a field of a config stands; the config itself where it has none.
    pub fn field_place(&self, config: &ServerConfig, field: Field) -> Place {
        let line = config.lines.get(&field).copied();
        self.place(Origin {
            line: line.unwrap_or(config.origin.line),
            ..config.origin
        })
    }

    pub fn settings(&self, binding: &Binding) -> &BindingSettings {
        &self.settings[binding.settings as usize]
    }

    /// The region whose prefix matches the number best.
    pub fn region_of(&self, number: E164) -> Option<&str> {
        let matching = self.regions.iter().flat_map(|(name, region)| {
            let codes = region.country_codes.iter();
            codes.map(move |code| (*code, name.as_str()))
        });
        matching
            .filter(|(code, _)| number.has_prefix(*code))
            .max_by_key(|(code, _)| code.len())
            .map(|(_, name)| name)
    }

    /// `file:line`, as the user would type it.
    pub fn show(&self, origin: Origin) -> String {
        let file = self.files.get(origin.file as usize);
        format!("{}:{}", file.map_or("?", String::as_str), origin.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field that is missing in one of the two is lost here.
    #[test]
    fn a_config_holds_each_of_its_fields() {
        let mut declared = Fields::new();
        for field in Field::OF_CONFIG {
            declared.set_text(field, Some(field.as_str()));
        }
        declared.set(Field::ApiSecret, None);
        let secret = SecretSource::Env("X".to_owned());
        let origin = Origin { file: 0, line: 1 };
        let config = ServerConfig::of_fields(None, &declared, secret, origin);
        assert_eq!(config.fields("name"), declared);
    }
}
