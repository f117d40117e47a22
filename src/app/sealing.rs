//! Secrets at plan and apply: what is known of those that the files name, and
//! the texts to store. Imports `secrets` and core.

use std::collections::HashMap;

use uuid::Uuid;

use super::secret_sources::{NoSecret, SourceRules};
use super::{lookup, secret_marks};
use crate::diff::plan::{Action, Object, Plan};
use crate::diff::secret::{SecretFact, SecretFacts, format_of};
use crate::error::{Error, Result};
use crate::fields::Field;
use crate::finding::Finding;
use crate::history::undone::Undone;
use crate::resolve::SecretState;
use crate::routing::{CipherText, Routing, SecretFormat, SecretSource, ServerConfig};
use crate::secrets::{self, Fingerprint, KeyRing, Sealed, Secret, Stored};
use crate::snapshot::{LiveConfig, OwnedConfig, Snapshot};
use crate::store::PreparedSecret;

/// Compares the secrets of the files with those applied and stored, as far as
/// keys and sources are at hand.
pub(crate) fn facts(
    rules: &SourceRules,
    routing: &Routing,
    snapshot: &Snapshot,
    ring: &KeyRing,
) -> SecretFacts {
    let mut facts = SecretFacts::default();
    for (name, config) in &routing.configs {
        let row = SecretRow::find(snapshot, name, config);
        let fact = match &config.api_secret {
            SecretSource::Sealed(text) => of_sealed(text, config, &row, ring),
            SecretSource::Env(_) | SecretSource::File(_) => match rules.read(routing, config) {
                Ok(secret) => Some(of_plain(&secret, &row, ring)),
                Err(NoSecret::Absent(error)) => {
                    facts.insert_obstacle(name.as_str(), error.message);
                    None
                }
                Err(NoSecret::Refused(code, error)) => {
                    facts.refuse(name.as_str(), refusal(name, config, routing, code, error));
                    None
                }
            },
        };
        let fact = fact.unwrap_or_default();
        if fact.same_as_applied.is_none()
            && let Some(key) = missing_key(&row, ring)
        {
            facts.insert_obstacle(name.as_str(), format!("the key `{key}` is not at hand"));
        }
        facts.insert(name.as_str(), fact);
    }
    secret_marks::mark(&mut facts, rules, routing, ring);
    facts
}

/// A source that may not be read, or holds no secret, at its line.
fn refusal(
    name: &str,
    config: &ServerConfig,
    routing: &Routing,
    code: &'static str,
    error: Error,
) -> Finding {
    let message = format!("the secret of config `{name}`: {}", error.message);
    let place = routing.field_place(config, Field::ApiSecret);
    Finding::error(code, message).at(place).hint_of(error.hint)
}

/// The row of a config, as far as there is one.
pub(crate) struct SecretRow<'a> {
    pub owned: Option<&'a OwnedConfig>,
    pub live: Option<&'a LiveConfig>,
}

impl<'a> SecretRow<'a> {
    pub(crate) fn find(snapshot: &'a Snapshot, name: &str, config: &ServerConfig) -> SecretRow<'a> {
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
        SecretRow { owned, live }
    }

    fn is_as_applied(&self) -> bool {
        let applied = |owned: &OwnedConfig| owned.fields.text(Field::ApiSecret).map(str::to_owned);
        let applied = self.owned.and_then(applied);
        applied.is_some() && applied == self.live.map(|live| live.secret.digest())
    }

    /// Whether what was applied is sealed with another key than the ring's
    /// first.
    fn is_under_old_key(&self, ring: &KeyRing) -> bool {
        let sealed = self.live.map(|live| Sealed::parse(live.secret.as_stored()));
        let sealed = sealed.and_then(Result::ok).filter(|_| self.is_as_applied());
        let has_key = |sealed: &Sealed| match sealed.format() {
            SecretFormat::Aes256Gcm => ring.current().is_some(),
            SecretFormat::Fernet => ring.has_fernet(),
        };
        let sealed = sealed.filter(has_key);
        sealed.is_some_and(|sealed| !secrets::is_under_current_key(ring, &sealed))
    }
}

fn of_plain(secret: &Secret, row: &SecretRow<'_>, ring: &KeyRing) -> SecretFact {
    let live = row
        .live
        .and_then(|live| Some(opened(live, ring)?.same(secret)));
    let fingerprint = row.owned.and_then(|owned| {
        let fingerprint = Fingerprint::parse(owned.fingerprint.as_deref()?).ok()?;
        fingerprint.matches(ring, owned.id, secret).ok()
    });
    SecretFact {
        // Where the key of the fingerprint is missing, the stored text is compared.
        same_as_applied: fingerprint.or(live.filter(|_| row.is_as_applied())),
        same_as_live: live,
        under_old_key: row.is_under_old_key(ring),
    }
}

/// The key of what the last apply noted, where it is not in the ring.
fn missing_key(row: &SecretRow<'_>, ring: &KeyRing) -> Option<String> {
    let noted = row.owned?.fingerprint.as_deref()?;
    let noted = Fingerprint::parse(noted).ok()?;
    (!ring.has(noted.key_id())).then(|| noted.key_id().to_owned())
}

/// Another sealed text may hold the same secret, under another key.
fn of_sealed(
    text: &CipherText,
    config: &ServerConfig,
    row: &SecretRow<'_>,
    ring: &KeyRing,
) -> Option<SecretFact> {
    let live = row.live?;
    if live.secret == *text {
        return None;
    }
    let sealed = Sealed::parse(text.as_stored()).ok()?;
    let declared = secrets::open(ring, config.id.unwrap_or(live.id), &sealed).ok()?;
    let same = opened(live, ring)?.same(&declared);
    Some(SecretFact {
        same_as_applied: row.is_as_applied().then_some(same),
        same_as_live: Some(same),
        under_old_key: row.is_under_old_key(ring),
    })
}

fn opened(live: &LiveConfig, ring: &KeyRing) -> Option<Secret> {
    let stored = Stored::read(live.secret.as_stored().to_owned());
    secrets::open_stored(ring, live.id, &stored).ok()
}

/// Compares the secrets of variables and files with those that rollbacks took
/// away, as far as the keys are at hand.
pub(crate) fn find_undone(
    rules: &SourceRules,
    routing: &Routing,
    snapshot: &Snapshot,
    ring: &KeyRing,
    undone: &mut Undone,
) {
    for (id, text) in undone.fingerprints() {
        let mut configs = routing.configs.iter();
        let config = configs.find(|(name, config)| {
            let row = SecretRow::find(snapshot, name, config);
            row.owned.is_some_and(|owned| owned.id == id)
        });
        let secret = config.and_then(|(_, config)| rules.read(routing, config).ok());
        let fingerprint = Fingerprint::parse(&text).ok();
        let is_back = fingerprint
            .zip(secret)
            .is_some_and(|(fingerprint, secret)| {
                fingerprint.matches(ring, id, &secret).unwrap_or_default()
            });
        if is_back {
            undone.secret_is_back(id, &text);
        }
    }
}

/// Whether the secret that the files name can be had here; without any key,
/// sealed ones are not looked at.
pub(crate) fn state(
    rules: &SourceRules,
    routing: &Routing,
    config: &ServerConfig,
    ring: &KeyRing,
) -> SecretState {
    let keys = ring.current().is_some() || ring.has_fernet();
    let (SecretSource::Sealed(text), Some(id)) = (&config.api_secret, config.id) else {
        return match rules.read(routing, config) {
            Ok(_) => SecretState::Opens,
            Err(_) => SecretState::NotChecked,
        };
    };
    match Sealed::parse(text.as_stored()) {
        Ok(_) if !keys => SecretState::NotChecked,
        Ok(sealed) => {
            let opened = secrets::open(ring, id, &sealed);
            lookup::secret_state(&Stored::Sealed(sealed), &opened)
        }
        Err(_) => SecretState::Damaged,
    }
}

/// The texts to store, all of them made before the first is written.
///
/// # Errors
/// A key, a variable or a file that is needed and not at hand.
pub(crate) fn prepare(
    rules: &SourceRules,
    plan: &Plan,
    routing: &Routing,
    facts: &SecretFacts,
    ring: &KeyRing,
) -> Result<HashMap<Uuid, PreparedSecret>> {
    let mut prepared = HashMap::new();
    for change in &plan.changes {
        let (Object::Config(ix), Some(id)) = (change.object, change.row) else {
            continue;
        };
        let name = &plan.names[ix as usize];
        let Some(config) = routing
            .configs
            .get(name)
            .filter(|_| change.action != Action::Delete)
        else {
            continue;
        };
        let needed = plan.writes_secret(change);
        let secret = if needed {
            Some(
                sealed_text(rules, routing, config, id, ring)
                    .map_err(|error| explain(name, error))?,
            )
        } else {
            None
        };
        let fact = facts.of(name);
        let known = needed || fact.same_as_applied.or(fact.same_as_live) == Some(true);
        let fingerprint = known
            .then(|| fingerprint(rules, routing, config, id, ring))
            .flatten();
        if secret.is_some() || fingerprint.is_some() {
            let text = secret;
            prepared.insert(
                id,
                PreparedSecret {
                    text,
                    fingerprint,
                    source: None,
                },
            );
        }
    }
    Ok(prepared)
}

fn explain(name: &str, error: Error) -> Error {
    error.within(&format!("the secret of config.{name} can't be written"))
}

fn no_key(error: &impl std::fmt::Display) -> Error {
    Error::new(error.to_string()).hint(
        "nothing was changed; LKROUTE_KEYS or --keys gives the key ring, \
         LIVEKIT_SECRET_ENCRYPTION_KEY the Fernet key",
    )
}

fn sealed_text(
    rules: &SourceRules,
    routing: &Routing,
    config: &ServerConfig,
    id: Uuid,
    ring: &KeyRing,
) -> Result<CipherText> {
    let wanted = routing.secret_format;
    let secret = match &config.api_secret {
        SecretSource::Sealed(text) if wanted.is_none() || wanted == format_of(text.as_stored()) => {
            return Ok(text.clone());
        }
        SecretSource::Sealed(text) => {
            let sealed = Sealed::parse(text.as_stored()).map_err(|e| Error::new(e.to_string()))?;
            secrets::open(ring, id, &sealed).map_err(|error| no_key(&error))?
        }
        SecretSource::Env(_) | SecretSource::File(_) => rules.read(routing, config)?,
    };
    let format = wanted.unwrap_or(SecretFormat::Aes256Gcm);
    let sealed = secrets::seal(ring, id, &secret, format, None);
    let sealed = sealed.map_err(|error| no_key(&error))?;
    Ok(CipherText::new(sealed.as_str()))
}

/// Tells the next plan whether the secret has changed; none for sealed
/// values, which tell it themselves, nor without a key.
fn fingerprint(
    rules: &SourceRules,
    routing: &Routing,
    config: &ServerConfig,
    id: Uuid,
    ring: &KeyRing,
) -> Option<String> {
    if matches!(config.api_secret, SecretSource::Sealed(_)) {
        return None;
    }
    let secret = rules.read(routing, config).ok()?;
    let fingerprint = secrets::fingerprint(ring, None, id, &secret).ok()?;
    Some(fingerprint.to_column())
}
