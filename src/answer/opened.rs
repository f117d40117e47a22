//! What was found of a number, with the secrets of its configs opened. Imports core
//! and `secrets`.

use std::collections::HashMap;

use uuid::Uuid;

use crate::lookup::LookedUp;
use crate::resolve::SecretState;
use crate::secrets::{self, KeyRing, OpenError, Secret, Stored};

/// What answers any question about the number that was looked up.
pub struct OpenedLookUp {
    pub(super) found: LookedUp,
    secrets: HashMap<Uuid, Result<Secret, OpenError>>,
}

impl OpenedLookUp {
    /// Opens the secrets at hand, and notes with each config whether that worked.
    pub fn new(mut found: LookedUp, ring: &KeyRing) -> OpenedLookUp {
        let mut opened = HashMap::with_capacity(found.secrets.len());
        for (id, text) in &found.secrets {
            let stored = Stored::read(text.as_stored().to_owned());
            let secret = secrets::open_stored(ring, *id, &stored);
            if let Some(config) = found.facts.configs.get_mut(*id) {
                config.secret = secret_state(&stored, &secret);
            }
            opened.insert(*id, secret);
        }
        OpenedLookUp {
            found,
            secrets: opened,
        }
    }

    /// That the database is stamped with.
    pub fn environment(&self) -> Option<&str> {
        self.found.environment.as_deref()
    }

    /// The secret of a config, where one is stored.
    pub(super) fn secret(&self, config: Option<Uuid>) -> Option<Result<Secret, OpenError>> {
        self.secrets.get(&config?).cloned()
    }
}

/// How far a stored secret opens.
pub fn secret_state(stored: &Stored, secret: &Result<Secret, OpenError>) -> SecretState {
    match secret {
        Ok(_) if matches!(stored, Stored::Plain(_)) => SecretState::PlainText,
        Ok(_) => SecretState::Opens,
        Err(OpenError::NoKey(_)) => SecretState::NoKey,
        Err(_) => SecretState::Damaged,
    }
}
