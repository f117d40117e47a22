//! What the `api_secret` of a config should be in the database, told by
//! hashes and facts: nothing here holds a key or a secret. Core.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::SecretOutcome;
use crate::fields::Field;
use crate::finding::Finding;
use crate::routing::{SecretFormat, SecretSource, ServerConfig};
use crate::snapshot::{LiveConfig, OwnedConfig};

/// What the shell found out about secrets, with the keys and sources at hand.
#[derive(Debug, Clone, Default)]
pub struct SecretFacts {
    by_config: BTreeMap<String, SecretFact>,
    /// Why nothing was found out.
    obstacles: BTreeMap<String, String>,
    /// Sources that may not be read, or that hold no secret.
    refusals: Vec<Finding>,
    /// Marks that two configs share where they have one secret, as far as keys
    /// and sources at hand tell more than the files.
    marks: BTreeMap<String, BTreeSet<String>>,
}

/// About the secret that a config declares; `None` is "not checked".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SecretFact {
    /// It is the secret that the last apply stored.
    pub same_as_applied: Option<bool>,
    /// It is the secret that the row holds now.
    pub same_as_live: Option<bool>,
    /// The row holds it as applied, but under a key that no longer seals.
    pub under_old_key: bool,
}

impl SecretFact {
    /// What is known of the declared secret against the stored one, where it
    /// is written over it. `as_applied`: the row holds what the last apply
    /// stored.
    pub fn outcome(self, as_applied: bool) -> SecretOutcome {
        let same = self.same_as_live;
        match same.or(self.same_as_applied.filter(|_| as_applied)) {
            Some(true) => SecretOutcome::Resealed,
            Some(false) => SecretOutcome::Changed,
            None => SecretOutcome::NotCompared,
        }
    }
}

impl SecretFacts {
    pub fn insert(&mut self, config: impl Into<String>, fact: SecretFact) {
        self.by_config.insert(config.into(), fact);
    }

    pub fn insert_obstacle(&mut self, config: impl Into<String>, why: impl Into<String>) {
        self.obstacles.insert(config.into(), why.into());
    }

    /// Takes in that a config's secret may not be had from where it is said to
    /// be: an error of the plan.
    pub fn refuse(&mut self, config: impl Into<String>, why: Finding) {
        self.insert_obstacle(config, why.message.clone());
        self.refusals.push(why);
    }

    pub fn refusals(&self) -> &[Finding] {
        &self.refusals
    }

    pub fn mark(&mut self, config: impl Into<String>, mark: String) {
        self.marks.entry(config.into()).or_default().insert(mark);
    }

    /// What two configs with one secret have in common.
    pub fn marks(&self, config: &str) -> impl Iterator<Item = &str> {
        let marks = self.marks.get(config).into_iter().flatten();
        marks.map(String::as_str)
    }

    /// Why a config's secret could not be compared.
    pub fn obstacle(&self, config: &str) -> Option<&str> {
        self.obstacles.get(config).map(String::as_str)
    }

    /// What is known of a config's secret; nothing, where nothing was found out.
    pub fn of(&self, config: &str) -> SecretFact {
        self.by_config.get(config).copied().unwrap_or_default()
    }
}

/// The declared value of the field `api_secret`.
#[derive(Debug, PartialEq, Eq)]
pub struct WantedSecret {
    pub after: String,
    /// The secret is known to be the same; its form is not.
    pub reseal: bool,
    /// Nothing could be compared: what is stored stays.
    pub unchecked: bool,
}

/// The format of a sealed value, by its prefix.
pub fn format_of(text: &str) -> Option<SecretFormat> {
    if text.starts_with("lkr1:") {
        return Some(SecretFormat::Aes256Gcm);
    }
    text.starts_with("dev-s-t-").then_some(SecretFormat::Fernet)
}

pub fn wanted(
    name: &str,
    config: &ServerConfig,
    owned: Option<&OwnedConfig>,
    live: Option<&LiveConfig>,
    format: Option<SecretFormat>,
    facts: &SecretFacts,
) -> WantedSecret {
    let fact = facts.of(name);
    let same_secret = match owned {
        Some(_) => fact.same_as_applied,
        None => fact.same_as_live,
    };
    let source = config.api_secret.describe();
    let reseal = same_secret == Some(true);
    let rekeyed = reseal && fact.under_old_key;
    let plainly = |after: String| WantedSecret {
        after,
        reseal,
        unchecked: false,
    };
    let applied = owned.and_then(|owned| owned.fields.text(Field::ApiSecret));
    let same_source = owned.is_some_and(|owned| owned.secret_source == source);
    let stored_so = live.is_none_or(|live| format_of(live.secret.as_stored()) == format);
    match &config.api_secret {
        SecretSource::Sealed(text) => {
            let converts = format.is_some() && format_of(text.as_stored()) != format;
            match applied {
                Some(applied) if converts && same_source && stored_so && !rekeyed => {
                    plainly(applied.to_owned())
                }
                _ if converts => plainly(format!("sealed-from:{source}")),
                _ => plainly(source),
            }
        }
        SecretSource::Env(_) | SecretSource::File(_) => match (applied, live) {
            (_, Some(_)) if rekeyed || reseal && format.is_some() && !stored_so => {
                plainly(format!("sealed-from:{source}"))
            }
            (Some(applied), _) if reseal => plainly(applied.to_owned()),
            (Some(applied), _) if same_secret.is_none() && same_source => WantedSecret {
                after: applied.to_owned(),
                reseal: false,
                unchecked: true,
            },
            (None, Some(live)) if reseal => plainly(live.secret.digest()),
            _ => plainly(source),
        },
    }
}
