//! The secrets of the files, sealed anew. Imports core, the files and
//! `secrets`.

use std::collections::BTreeMap;

use super::{Context, Stop, editing, no_such, routing_files};
use crate::error::{Error, Result};
use crate::files;
use crate::routing::{CipherText, Routing, SecretSource, ServerConfig};
use crate::secrets::{Format, KeyRing, Sealed, is_under_current_key, open, seal};
use crate::source::write::edit::Edits;

/// What is sealed anew, and how.
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

/// Seals anew what is not sealed as asked for; nothing is written yet.
///
/// # Errors
/// A key or a config is not there, or a value does not open.
pub fn plan_rotation(context: &Context<'_>, request: &RotationRequest) -> Result<Rotation, Stop> {
    let format: Option<Format> = match request.format.as_deref().map(str::parse) {
        Some(format) => Some(format.map_err(|_| Error::new("there is no such format"))?),
        None => None,
    };
    let ring = &request.ring;
    if let Some(key) = request.to.as_deref().filter(|key| !ring.has(key)) {
        let error = Error::new(format!("the key ring has no key named `{key}`"));
        return Err(error.hint("`lkroute secrets keygen` makes one").into());
    }
    let routing = routing_files::load_valid(context)?.routing;
    for name in &request.configs {
        if !routing.configs.contains_key(name) {
            let known = routing.configs.keys().map(String::as_str);
            return Err(no_such("config", name, known).into());
        }
    }
    let outside = |(name, config): &(&String, &ServerConfig)| {
        (request.configs.is_empty() || request.configs.contains(name))
            && !matches!(config.api_secret, SecretSource::Sealed(_))
    };
    Ok(Rotation {
        sealed: rotate_all(&routing, request, format)?,
        not_in_files: routing.configs.iter().filter(outside).count() as u64,
    })
}

fn rotate_all(
    routing: &Routing,
    request: &RotationRequest,
    format: Option<Format>,
) -> Result<Vec<RotatedSecret>> {
    let mut rotated = Vec::new();
    for (name, config) in &routing.configs {
        let SecretSource::Sealed(text) = &config.api_secret else {
            continue;
        };
        if !request.configs.is_empty() && !request.configs.contains(name) {
            continue;
        }
        let after = request.seal_anew(config, text, format).map_err(|error| {
            error.within(&format!("the secret of config.{name}")).hint(
                "no file was changed; LKROUTE_KEYS or --keys gives the key ring, \
                 LIVEKIT_SECRET_ENCRYPTION_KEY the Fernet key",
            )
        })?;
        let file = routing.files.get(config.origin.file as usize);
        rotated.extend(after.map(|after| RotatedSecret {
            config: name.clone(),
            file: file.cloned().unwrap_or_default(),
            before: text.clone(),
            after,
        }));
    }
    Ok(rotated)
}

impl RotationRequest {
    /// The new value; `None` where the old one is as it should be.
    fn seal_anew(
        &self,
        config: &ServerConfig,
        text: &CipherText,
        format: Option<Format>,
    ) -> Result<Option<Sealed>> {
        let ring = &self.ring;
        let before = Sealed::parse(text.as_stored()).map_err(|e| Error::new(e.to_string()))?;
        let format = format.unwrap_or(before.format());
        let id = config
            .id
            .ok_or_else(|| Error::new("the config has no id"))?;
        // Opened also where nothing is to be done: what is said of it was seen.
        let secret = open(ring, id, &before).map_err(|error| Error::new(error.to_string()))?;
        let under_key = match (&self.to, format) {
            (Some(key), Format::Aes256Gcm) => before.key_id() == Some(key),
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
