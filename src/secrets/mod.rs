//! Secrets: the key ring, sealing and opening, and fingerprints that tell
//! whether a secret has changed. `docs/secrets.md` writes the formats down.
//!
//! The only room that imports aes-gcm, fernet, hkdf and hmac. It reads no
//! environment and no file: the shell hands it text. [`Secret`], [`Sealed`]
//! and [`Stored`] are plain values, free of keys, clock and randomness, and so
//! open to the core; all else here is an edge.
//!
//! No error and no `Debug` in here carries a secret, a key or a sealed value.

mod aes;
mod fernet;
mod fingerprint;
mod keyring;
mod sealed;
mod secret;
mod stored;

pub use fingerprint::{Fingerprint, FingerprintError, fingerprint};
pub use keyring::{KeyRing, KeyRingError, KeygenError, NewKey, NoKey, keygen};
pub use sealed::{Format, Sealed, SealedError, UnknownFormat};
pub use secret::{OddSecret, Secret};
pub use stored::Stored;

use uuid::Uuid;

/// Why a secret could not be sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error(transparent)]
    NoKey(#[from] NoKey),
    #[error("an empty secret is not sealed")]
    Empty,
    #[error("the secret is too long for one sealed value")]
    TooLong,
    #[error("the operating system gave no random bytes: {0}")]
    Random(String),
}

/// Why a value could not be opened.
///
/// An authenticated cipher answers yes or no; it never says whether key or
/// value is at fault. Each variant states what can be known beyond that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    NoKey(#[from] NoKey),
    /// By its label; holds whatever key is at hand.
    #[error("it was sealed for another config (or its label was altered)")]
    WrongConfig,
    /// Proven: another key of the ring opens it under the name it gives.
    #[error(
        "the key named `{key_id}` does not open it, but the one named `{opened_by}` does: \
         the key ring holds them under the wrong names"
    )]
    WrongKey { key_id: String, opened_by: String },
    /// A key name chosen by hand, or a Fernet value (`None`), which names no
    /// key: nothing tells a wrong key from a damaged value.
    #[error("{} does not open it: a wrong key, or a damaged value", key_phrase(.key_id))]
    WrongKeyOrDamaged { key_id: Option<String> },
    /// The text is not of the form that its prefix promises.
    #[error("damaged: {0}")]
    Malformed(#[from] SealedError),
    /// The form is right and, as far as 32 bits of its name prove it, so is
    /// the key (a name made by [`keygen`]): the value was altered.
    #[error("damaged: `{key_id}` is the right key by its name, but the value was altered")]
    Altered { key_id: String },
    #[error("it opens, but what comes out is not UTF-8 text")]
    NotText,
}

impl OpenError {
    /// Whether the value is known to be damaged, whatever key is at hand.
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Malformed(_) | Self::Altered { .. } | Self::NotText
        )
    }
}

fn key_phrase(key_id: &Option<String>) -> String {
    match key_id {
        Some(id) => format!("the key named `{id}`"),
        None => "the Fernet key".into(),
    }
}

/// Seals `secret` for the config `config_id`.
///
/// `key_id` picks a key of the ring; without one, its first. The Fernet form
/// knows neither key names nor config ids, so both are ignored for it.
pub fn seal(
    ring: &KeyRing,
    config_id: Uuid,
    secret: &Secret,
    format: Format,
    key_id: Option<&str>,
) -> Result<Sealed, SealError> {
    if secret.is_empty() {
        return Err(SealError::Empty);
    }
    match format {
        Format::Aes256Gcm => {
            let mut nonce = [0; aes::NONCE];
            getrandom::fill(&mut nonce).map_err(|e| SealError::Random(e.to_string()))?;
            aes::seal(ring.key(key_id)?, config_id, secret, &nonce)
        }
        Format::Fernet => Ok(fernet::seal(ring.fernet()?, secret)),
    }
}

/// Opens a sealed value of the config `config_id`.
pub fn open(ring: &KeyRing, config_id: Uuid, sealed: &Sealed) -> Result<Secret, OpenError> {
    match sealed.format() {
        Format::Aes256Gcm => aes::open(ring, config_id, sealed),
        Format::Fernet => fernet::open(ring.fernet()?, sealed),
    }
}

/// Opens what a database holds; plain text, which today's Python service
/// takes as it is, comes back as it is.
pub fn open_stored(ring: &KeyRing, config_id: Uuid, stored: &Stored) -> Result<Secret, OpenError> {
    match stored {
        Stored::Sealed(sealed) => open(ring, config_id, sealed),
        Stored::Plain(secret) => Ok(secret.clone()),
        Stored::Damaged { error, .. } => Err((*error).into()),
    }
}

#[cfg(test)]
mod tests;
