//! [`Fingerprint`]: tells whether a secret has changed, without keeping it.
//! Imports hmac.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::keyring::{KeyRing, NoKey};
use crate::sealed::{Secret, is_key_id};

/// HKDF info of the key that fingerprints are made with.
const INFO: &str = "lkroute secret fingerprint v1";

/// HMAC-SHA256 over config id ‖ secret, under a subkey of the named key. Kept
/// in lkroute's table; never printed.
#[derive(Clone)]
pub struct Fingerprint {
    key_id: String,
    mac: [u8; 32],
}

/// A stored fingerprint that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stored fingerprint is `<key id>:<64 hex digits in lower case>`")]
pub struct FingerprintError;

/// The fingerprint of a config's secret, under the key of that name or else
/// the ring's first.
#[expect(clippy::expect_used, reason = "no input reaches the length")]
pub fn fingerprint(
    ring: &KeyRing,
    key_id: Option<&str>,
    config_id: Uuid,
    secret: &Secret,
) -> Result<Fingerprint, NoKey> {
    let key = ring.key(key_id)?;
    let subkey: Zeroizing<[u8; 32]> = key.subkey(INFO);
    let mut mac =
        Hmac::<Sha256>::new_from_slice(subkey.as_slice()).expect("HMAC takes a key of any length");
    mac.update(config_id.hyphenated().to_string().as_bytes());
    mac.update(secret.expose().as_bytes());
    Ok(Fingerprint {
        key_id: key.id.clone(),
        mac: mac.finalize().into_bytes().into(),
    })
}

impl Fingerprint {
    /// Reads what [`Fingerprint::to_column`] wrote.
    pub fn parse(text: &str) -> Result<Self, FingerprintError> {
        let (key_id, digits) = text.split_once(':').ok_or(FingerprintError)?;
        let mut mac = [0; 32];
        hex::decode_to_slice(digits, &mut mac).map_err(|_| FingerprintError)?;
        let found = Self {
            key_id: key_id.to_owned(),
            mac,
        };
        if is_key_id(key_id) && found.to_column() == text {
            Ok(found)
        } else {
            Err(FingerprintError)
        }
    }

    /// `<key id>:<64 hex digits>`, for a text column and nothing else.
    pub fn to_column(&self) -> String {
        format!("{}:{}", self.key_id, hex::encode(self.mac))
    }

    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Whether it is that of `secret`; an error where the ring lacks its key,
    /// which is to say `not checked`.
    pub fn matches(&self, ring: &KeyRing, config_id: Uuid, secret: &Secret) -> Result<bool, NoKey> {
        Ok(fingerprint(ring, Some(&self.key_id), config_id, secret)? == *self)
    }
}

/// In constant time. Equal only under the same key, so `false` is no news of
/// a change where the key ids differ.
impl PartialEq for Fingerprint {
    fn eq(&self, other: &Self) -> bool {
        self.key_id == other.key_id && self.mac.ct_eq(&other.mac).into()
    }
}

impl Eq for Fingerprint {}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({}, …)", self.key_id)
    }
}
