//! The secrets of the files, sealed anew. Imports core, the files and
//! `secrets`.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::{Context, Stop, editing, no_such, routing_files};
use crate::error::{Error, Result};
use crate::files;
use crate::routing::{CipherText, Routing, SecretSource};
use crate::secrets::{KeyRing, Sealed, SecretFormat, is_under_current_key, open, seal};
use crate::source::LoadOptions;
use crate::source::write::edit::Edits;

/// What is sealed anew, and how. Without an environment in the settings it is
/// done for all that the files declare.
pub struct RotationRequest {
    /// The key of the ring; its first where left out.
    pub to: Option<String>,
    /// The name of the format; that of each value where left out.
    pub format: Option<String>,
    /// Only these configs; all where empty.
    pub configs: Vec<String>,
    pub ring: KeyRing,
}

/// What a rotation does.
pub struct Rotation {
    pub sealed: Vec<RotatedSecret>,
    /// How many sealed values were opened.
    pub opened: u64,
    /// Secrets from a variable or a file, which follow the ring.
    pub not_in_files: u64,
}

/// A value before and after.
pub struct RotatedSecret {
    pub config: String,
    pub file: String,
    before: CipherText,
    pub after: Sealed,
}

/// A sealed value of the files, and for what it is.
struct SealedValue<'a> {
    config: &'a str,
    id: Option<Uuid>,
    file: &'a str,
    text: &'a CipherText,
}

/// Seals anew what is not sealed as asked for; nothing is written yet.
///
/// # Errors
/// A key or a config is not there, or a value does not open.
pub fn plan_rotation(context: &Context<'_>, request: &RotationRequest) -> Result<Rotation, Stop> {
    let format: Option<SecretFormat> = match request.format.as_deref().map(str::parse) {
        Some(format) => Some(format.map_err(|_| Error::new("there is no such format"))?),
        None => None,
    };
    let ring = &request.ring;
    if let Some(key) = request.to.as_deref().filter(|key| !ring.has(key)) {
        let error = Error::new(format!("the key ring has no key named `{key}`"));
        return Err(error.hint("`lkroute secrets keygen` makes one").into());
    }
    let routings = load_environments(context)?;
    let all = || routings.iter().flat_map(|routing| &routing.configs);
    for name in &request.configs {
        if !all().any(|(known, _)| known == name) {
            let known = all().map(|(name, _)| name.as_str());
            return Err(no_such("config", name, known).into());
        }
    }
    let values = sealed_values(&routings, request)?;
    let outside = all().filter(|(name, config)| {
        request.concerns(name) && !matches!(config.api_secret, SecretSource::Sealed(_))
    });
    let outside: BTreeSet<&str> = outside.map(|(name, _)| name.as_str()).collect();
    Ok(Rotation {
        opened: values.len() as u64,
        sealed: rotate_all(&values, request, format)?,
        not_in_files: outside.len() as u64,
    })
}

/// The files as the environment of the settings has them; where there is none,
/// as each has them that they declare. A key may go only when none needs it.
fn load_environments(context: &Context<'_>) -> Result<Vec<Routing>, Stop> {
    let settings = context.settings;
    let all = routing_files::load_files(context);
    if settings.environment.is_some() || all.environments.is_empty() {
        return Ok(vec![routing_files::valid(all)?.routing]);
    }
    let of_environment = |name: String| {
        let options = LoadOptions {
            environment: Some(name),
            ..settings.load_options()
        };
        let loaded = routing_files::read_files(&settings.routing, &options);
        Ok(routing_files::valid(loaded)?.routing)
    };
    all.environments.into_iter().map(of_environment).collect()
}

/// Each sealed text once, by the file that it stands in.
fn sealed_values<'a>(
    routings: &'a [Routing],
    request: &RotationRequest,
) -> Result<Vec<SealedValue<'a>>> {
    let mut values: Vec<SealedValue<'_>> = Vec::new();
    for routing in routings {
        for (name, config) in &routing.configs {
            let SecretSource::Sealed(text) = &config.api_secret else {
                continue;
            };
            if !request.concerns(name) {
                continue;
            }
            let file = routing.files.get(config.origin.file as usize);
            let value = SealedValue {
                config: name,
                id: config.id,
                file: file.map_or("", String::as_str),
                text,
            };
            let mut before = values.iter();
            match before.find(|known| known.file == value.file && known.text == value.text) {
                None => values.push(value),
                Some(known) if known.id == value.id => {}
                Some(known) => {
                    let message = format!(
                        "config.{name} and config.{} have one sealed value and two ids",
                        known.config
                    );
                    return Err(Error::new(message)
                        .hint("`lkroute secrets seal` seals it for each of them by itself"));
                }
            }
        }
    }
    Ok(values)
}

fn rotate_all(
    values: &[SealedValue<'_>],
    request: &RotationRequest,
    format: Option<SecretFormat>,
) -> Result<Vec<RotatedSecret>> {
    let mut rotated = Vec::new();
    for value in values {
        let after = request.seal_anew(value, format).map_err(|error| {
            let whose = format!("the secret of config.{}", value.config);
            error.within(&whose).hint(
                "no file was changed; LKROUTE_KEYS or --keys gives the key ring, \
                 LIVEKIT_SECRET_ENCRYPTION_KEY the Fernet key",
            )
        })?;
        rotated.extend(after.map(|after| RotatedSecret {
            config: value.config.to_owned(),
            file: value.file.to_owned(),
            before: value.text.clone(),
            after,
        }));
    }
    Ok(rotated)
}

impl RotationRequest {
    fn concerns(&self, config: &str) -> bool {
        self.configs.is_empty() || self.configs.iter().any(|name| name == config)
    }

    /// The new value; `None` where the old one is as it should be.
    fn seal_anew(
        &self,
        value: &SealedValue<'_>,
        format: Option<SecretFormat>,
    ) -> Result<Option<Sealed>> {
        let ring = &self.ring;
        let before = Sealed::parse(value.text.as_stored());
        let before = before.map_err(|error| Error::new(error.to_string()))?;
        let format = format.unwrap_or(before.format());
        let id = value.id.ok_or_else(|| Error::new("the config has no id"))?;
        // Opened even where nothing is to be done, so that the report is about a secret that opens.
        let secret = open(ring, id, &before).map_err(|error| Error::new(error.to_string()))?;
        let under_key = match (&self.to, format) {
            (Some(key), SecretFormat::Aes256Gcm) => before.key_id() == Some(key),
            _ => is_under_current_key(ring, &before),
        };
        if before.format() == format && under_key {
            return Ok(None);
        }
        let after = seal(ring, id, &secret, format, self.to.as_deref());
        let after = after.map_err(|error| Error::new(error.to_string()))?;
        match open(ring, id, &after) {
            Ok(opened) if opened.same(&secret) => Ok(Some(after)),
            _ => Err(Error::new(
                "what was sealed does not open to the same secret",
            )),
        }
    }
}

/// Writes all or nothing. The old text is replaced where it stands, be that
/// the config itself or what an environment overrides of it.
pub fn write_rotation(context: &Context<'_>, rotation: &Rotation) -> Result<()> {
    let mut by_file: BTreeMap<String, Vec<&RotatedSecret>> = BTreeMap::new();
    for one in &rotation.sealed {
        by_file.entry(one.file.clone()).or_default().push(one);
    }
    let untouched: BTreeMap<String, Edits> = by_file
        .keys()
        .map(|file| (file.clone(), Edits::default()))
        .collect();
    let mut edited = editing::edited(context, &untouched)?;
    for (file, edit) in &mut edited {
        edit.after.clone_from(&edit.before);
        for one in by_file.get(file).into_iter().flatten() {
            let old = one.before.as_stored();
            if !edit.after.contains(old) {
                let message = format!(
                    "{file}: the secret of config.{} is not on one line",
                    one.config
                );
                return Err(Error::new(message).hint("write it on one; no file was changed"));
            }
            edit.after = edit.after.replace(old, one.after.as_str());
        }
    }
    files::rewrite_files(&edited.into_values().collect::<Vec<_>>())
}
