//! Secrets: the key ring, sealing and opening, and fingerprints that tell
//! whether a secret has changed. `docs/secrets.md` writes the formats down.
//!
//! The only room that imports aes-gcm, fernet, hkdf and hmac. It reads no
//! environment and no file: the shell hands it text. The values that need no key
//! are those of `sealed`.
//!
//! No error and no `Debug` in here carries a secret, a key or a sealed value.

mod aes;
mod error;
mod fernet;
mod fingerprint;
mod keygen;
mod keyring;

pub use crate::sealed::{
    OddSecret, Sealed, SealedError, Secret, SecretFormat, Stored, UnknownFormat,
};
pub use error::{OpenError, SealError};
pub use fingerprint::{Fingerprint, FingerprintError, fingerprint};
pub use keygen::{KeygenError, NewKey, keygen};
pub use keyring::{FERNET, FERNET_KEYS, KeyRing, KeyRingError, NoKey};

use uuid::Uuid;

/// Seals `secret` for the config `config_id`.
///
/// `key_id` picks a key of the ring; without one, its first. The Fernet form
/// knows neither key names nor config ids, so both are ignored for it.
pub fn seal(
    ring: &KeyRing,
    config_id: Uuid,
    secret: &Secret,
    format: SecretFormat,
    key_id: Option<&str>,
) -> Result<Sealed, SealError> {
    if secret.is_empty() {
        return Err(SealError::Empty);
    }
    match format {
        SecretFormat::Aes256Gcm => {
            let mut nonce = [0; aes::NONCE];
            getrandom::fill(&mut nonce).map_err(|e| SealError::Random(e.to_string()))?;
            aes::seal(ring.key(key_id)?, config_id, secret, &nonce)
        }
        SecretFormat::Fernet => Ok(fernet::seal(ring.fernet()?, secret)),
    }
}

/// Opens a sealed value of the config `config_id`.
pub fn open(ring: &KeyRing, config_id: Uuid, sealed: &Sealed) -> Result<Secret, OpenError> {
    match sealed.format() {
        SecretFormat::Aes256Gcm => aes::open(ring, config_id, sealed),
        SecretFormat::Fernet => {
            ring.fernet()?;
            fernet::open(ring.fernet_keys(), sealed)
        }
    }
}

/// Whether a value is sealed with the key that seals today, so that it can do
/// without the others. A Fernet value names no key: the first one has to open it.
pub fn is_under_current_key(ring: &KeyRing, sealed: &Sealed) -> bool {
    match sealed.format() {
        SecretFormat::Aes256Gcm => sealed.key_id() == ring.current(),
        SecretFormat::Fernet => {
            let first = ring.fernet_keys().take(1);
            fernet::open(first, sealed).is_ok()
        }
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
