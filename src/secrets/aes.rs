//! `lkr1:` values: AES-256-GCM, bound to key name and config. Imports aes-gcm.

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use uuid::Uuid;

use super::error::{OpenError, SealError};
use super::keyring::{Key, KeyRing};
use crate::sealed::{AES_PREFIX, AesParts, Sealed, Secret};

/// Bytes of a nonce.
pub(super) const NONCE: usize = 12;

/// `nonce` must be used once only with this key.
pub(super) fn seal(
    key: &Key,
    config_id: Uuid,
    secret: &Secret,
    nonce: &[u8; NONCE],
) -> Result<Sealed, SealError> {
    let aad = associated(&key.id, config_id);
    let payload = Payload {
        msg: secret.expose().as_bytes(),
        aad: aad.as_bytes(),
    };
    let ciphertext = Aes256Gcm::new((&*key.bytes).into())
        .encrypt(nonce.into(), payload)
        .map_err(|_| SealError::TooLong)?;
    let data = [nonce.as_slice(), &ciphertext].concat();
    Ok(Sealed::from_aes(&key.id, config_id, &data))
}

pub(super) fn open(ring: &KeyRing, config_id: Uuid, sealed: &Sealed) -> Result<Secret, OpenError> {
    let parts = sealed.aes_parts()?;
    if !sealed.is_for(config_id) {
        return Err(OpenError::WrongConfig);
    }
    let key = ring.key(Some(parts.key_id))?;
    match decrypt(key, config_id, &parts) {
        Some(bytes) => Secret::from_utf8(bytes).ok_or(OpenError::NotText),
        None => Err(why_not(ring, key, config_id, &parts)),
    }
}

fn decrypt(key: &Key, config_id: Uuid, parts: &AesParts<'_>) -> Option<Vec<u8>> {
    let (nonce, ciphertext) = parts.data.split_first_chunk::<NONCE>()?;
    let aad = associated(parts.key_id, config_id);
    let payload = Payload {
        msg: ciphertext,
        aad: aad.as_bytes(),
    };
    Aes256Gcm::new((&*key.bytes).into())
        .decrypt(nonce.into(), payload)
        .ok()
}

/// The most that can be said of a value that `key` does not open.
fn why_not(ring: &KeyRing, key: &Key, config_id: Uuid, parts: &AesParts<'_>) -> OpenError {
    let key_id = parts.key_id.to_owned();
    let mut others = ring.keys().iter().filter(|other| other.id != key.id);
    if let Some(other) = others.find(|other| {
        decrypt(other, config_id, parts)
            .map(zeroize::Zeroizing::new)
            .is_some()
    }) {
        let opened_by = other.id.clone();
        return OpenError::WrongKey { key_id, opened_by };
    }
    if key.is_named_after_itself() {
        return OpenError::Altered { key_id };
    }
    OpenError::WrongKeyOrDamaged {
        key_id: Some(key_id),
    }
}

fn associated(key_id: &str, config_id: Uuid) -> String {
    format!("{AES_PREFIX}{key_id}:{}", config_id.hyphenated())
}
