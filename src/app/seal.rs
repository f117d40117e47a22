//! A secret, sealed into the file of its config. Imports core, the files and
//! `secrets`.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{Context, editing, no_such, routing_files};
use crate::error::{Error, Exit, Result};
use crate::fields::Field;
use crate::files::{self, Tree};
use crate::routing::SecretFormat;
use crate::secrets::{KeyRing, seal};
use crate::source::Sources;
use crate::source::write::edit::{Edit, Edits};

pub use crate::secrets::{Secret, keygen};

/// Where a config stands in the files.
pub struct SecretPlace {
    config: String,
    pub file: String,
    id: Option<Uuid>,
}

/// What was sealed.
pub struct SealedSecret {
    /// The key of the ring; none for a format that names no key.
    pub key_id: Option<String>,
    /// The id that the config got, where it had none.
    pub new_id: Option<Uuid>,
}

/// Seals a secret for the config of that place, and writes it there.
///
/// # Errors
/// The key is not at hand, or the file can't be edited.
pub fn seal_secret(
    context: &Context<'_>,
    place: &SecretPlace,
    secret: &Secret,
    ring: &KeyRing,
    key: Option<&str>,
) -> Result<SealedSecret> {
    let format = routing_files::load_files(context).routing.secret_format;
    let format = format.unwrap_or(SecretFormat::Aes256Gcm);
    let id = place.id.unwrap_or_else(Uuid::new_v4);
    let sealed = seal(ring, id, secret, format, key).map_err(|error| {
        Error::new(error.to_string())
            .hint("LKROUTE_KEYS or --keys gives the key ring; `lkroute secrets keygen` makes a key")
    })?;
    let new_id = place.id.is_none().then_some(id);
    let mut lines = Vec::new();
    lines.extend(new_id.map(Edit::Id));
    lines.push(Edit::Set(Field::ApiSecret, Some(sealed.as_str().into())));
    let edits = Edits {
        configs: BTreeMap::from([(place.config.clone(), lines)]),
        environment: context.settings.environment.clone(),
        ..Edits::default()
    };
    editing::write(context, &BTreeMap::from([(place.file.clone(), edits)]))?;
    Ok(SealedSecret {
        key_id: sealed.key_id().map(str::to_owned),
        new_id,
    })
}

/// Looks for the config in each file for itself: what else is wrong with
/// them, a secret that is still missing above all, does not matter here.
pub fn find_secret_place(context: &Context<'_>, name: &str) -> Result<SecretPlace> {
    let tree = Tree::open(&context.settings.routing);
    let mut known: Vec<String> = Vec::new();
    for file in tree.paths() {
        let Some(path) = tree.path_of(file) else {
            continue;
        };
        let text = files::read_text(path)?;
        let Ok(table) = text.parse::<toml::Table>() else {
            let message = format!("{file} is no TOML");
            return Err(Error::exit(Exit::Invalid, message).hint("`lkroute validate` says where"));
        };
        let configs = table.get("configs").and_then(toml::Value::as_table);
        known.extend(configs.into_iter().flat_map(toml::Table::keys).cloned());
        let config = configs.and_then(|configs| configs.get(name));
        if let Some(config) = config {
            let environment = context.settings.environment.as_deref();
            let id = id_of(config, environment)?;
            return Ok(SecretPlace {
                config: name.to_owned(),
                file: file.clone(),
                id,
            });
        }
    }
    Err(no_such("config", name, known.iter().map(String::as_str)))
}

/// The id that a config declares, for an environment where there is one.
fn id_of(config: &toml::Value, environment: Option<&str>) -> Result<Option<Uuid>> {
    let of_environment = environment.and_then(|name| config.get("env")?.get(name)?.get("id"));
    let Some(id) = of_environment.or_else(|| config.get("id")) else {
        return Ok(None);
    };
    let id = id.as_str().and_then(|text| Uuid::parse_str(text).ok());
    id.map(Some)
        .ok_or_else(|| Error::exit(Exit::Invalid, "the id of this config is no uuid"))
}
