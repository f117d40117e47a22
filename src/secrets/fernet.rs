//! `dev-s-t-` values: Fernet tokens, as the Python service reads and writes
//! them. Imports fernet, and the clock for a token's time stamp.

use std::time::SystemTime;

use ::fernet::Fernet;

use super::error::OpenError;
use crate::sealed::{Sealed, Secret};

/// Later than any time stamp the crate would refuse, short of overflowing
/// the minute that it adds.
const END_OF_TIME: u64 = u64::MAX - 60;

pub(super) fn seal(key: &Fernet, secret: &Secret) -> Sealed {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    Sealed::from_fernet(&key.encrypt_at_time(secret.expose().as_bytes(), now))
}

/// Opens with the first key that fits. A token's time stamp is not looked at,
/// as in Python without a `ttl`: a machine whose clock is behind opens it too.
pub(super) fn open<'k>(
    mut keys: impl Iterator<Item = &'k Fernet>,
    sealed: &Sealed,
) -> Result<Secret, OpenError> {
    let token = sealed.fernet_token();
    let opened = keys.find_map(|key| key.decrypt_at_time(token, None, END_OF_TIME).ok());
    let bytes = opened.ok_or(OpenError::WrongKeyOrDamaged { key_id: None })?;
    Secret::from_utf8(bytes).ok_or(OpenError::NotText)
}
