//! Secrets at plan and apply: what is known of those that the files name, and
//! the texts to store. Imports `secrets` and core.

use std::path::Path;

use super::keys;
use crate::error::{Error, Result};
use crate::fields::Field;
use crate::plan::secret::{SecretFact, SecretFacts};
use crate::routing::{CipherText, Routing, SecretSource, ServerConfig};
use crate::secrets::{self, Fingerprint, KeyRing, Sealed, Secret, Stored};
use crate::snapshot::{LiveConfig, OwnedConfig, Snapshot};

/// Compares the secrets of the files with those applied and stored, as far as
/// keys and sources are at hand.
pub fn facts(routing: &Routing, snapshot: &Snapshot, ring: &KeyRing) -> SecretFacts {
    let mut facts = SecretFacts::default();
    for (name, config) in &routing.configs {
        let row = Row::find(snapshot, name, config);
        let fact = match &config.api_secret {
            SecretSource::Sealed(text) => of_sealed(text, config, &row, ring),
            SecretSource::Env(_) | SecretSource::File(_) => {
                let secret = source(routing, config).ok();
                secret.map(|secret| of_plain(&secret, &row, ring))
            }
        };
        facts.insert(name.as_str(), fact.unwrap_or_default());
    }
    facts
}

/// The row of a config, as far as there is one.
struct Row<'a> {
    owned: Option<&'a OwnedConfig>,
    live: Option<&'a LiveConfig>,
}

impl<'a> Row<'a> {
    fn find(snapshot: &'a Snapshot, name: &str, config: &ServerConfig) -> Row<'a> {
        let named = |fields: &crate::fields::Fields, wanted: Option<&str>| {
            wanted.is_some() && fields.text(Field::Name) == wanted
        };
        let mut owned = snapshot.owned_configs.iter();
        let owned = match config.id {
            Some(id) => owned.find(|owned| owned.id == id),
            None => owned.find(|owned| {
                named(&owned.fields, Some(name)) || named(&owned.fields, config.formerly.as_deref())
            }),
        };
        let id = config.id.or(owned.map(|owned| owned.id));
        let live = snapshot.configs.iter().find(|live| match id {
            Some(id) => live.id == id,
            None => named(&live.fields, Some(name)),
        });
        Row { owned, live }
    }
}

fn of_plain(secret: &Secret, row: &Row<'_>, ring: &KeyRing) -> SecretFact {
    let applied = row.owned.and_then(|owned| {
        let fingerprint = Fingerprint::parse(owned.fingerprint.as_deref()?).ok()?;
        fingerprint.matches(ring, owned.id, secret).ok()
    });
    let live = row
        .live
        .and_then(|live| Some(opened(live, ring)?.same(secret)));
    SecretFact {
        same_as_applied: applied,
        same_as_live: live,
    }
}

/// Another sealed text may hold the same secret, under another key.
fn of_sealed(
    text: &CipherText,
    config: &ServerConfig,
    row: &Row<'_>,
    ring: &KeyRing,
) -> Option<SecretFact> {
    let live = row.live?;
    if live.secret == *text {
        return None;
    }
    let sealed = Sealed::parse(text.as_stored()).ok()?;
    let declared = secrets::open(ring, config.id.unwrap_or(live.id), &sealed).ok()?;
    let same = opened(live, ring)?.same(&declared);
    let as_applied = row.owned.is_some_and(|owned| {
        owned.fields.text(Field::ApiSecret) == Some(live.secret.digest().as_str())
    });
    Some(SecretFact {
        same_as_applied: as_applied.then_some(same),
        same_as_live: Some(same),
    })
}

fn opened(live: &LiveConfig, ring: &KeyRing) -> Option<Secret> {
    let stored = Stored::read(live.secret.as_stored().to_owned());
    secrets::open_stored(ring, live.id, &stored).ok()
}

/// The plain text of a secret that is not in the files.
fn source(routing: &Routing, config: &ServerConfig) -> Result<Secret> {
    let secret = match &config.api_secret {
        SecretSource::Env(name) => keys::variable(name)
            .ok_or_else(|| Error::new(format!("the variable {name} is not set")))?,
        SecretSource::File(path) => {
            let file = routing.files.get(config.origin.file as usize);
            let dir = file.and_then(|file| Path::new(file).parent());
            keys::read(&dir.unwrap_or(Path::new("")).join(path))?
        }
        SecretSource::Sealed(_) => return Err(Error::new("it is sealed")),
    };
    match secret.is_empty() {
        true => Err(Error::new("it is empty")),
        false => Ok(secret),
    }
}
