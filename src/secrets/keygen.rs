//! Making a key. Imports the key ring, which reads it.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use zeroize::Zeroizing;

use super::keyring::{derived_id, looks_derived};
use crate::sealed::{Secret, is_key_id};

/// A key that was just made.
pub struct NewKey {
    pub id: String,
    /// `<key id>:<key>`, ready for a key ring.
    pub entry: Secret,
}

/// Why no key was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeygenError {
    #[error("a key id is 1 to 32 of a-z, 0-9, `.`, `_` and `-`")]
    KeyId,
    #[error("`k` and eight hex digits are names that are made from the key; choose another form")]
    Reserved,
    #[error("the operating system gave no random bytes: {0}")]
    Random(String),
}

/// Makes a key of 32 random bytes, named `id`, or else after itself (`k` and
/// eight hex digits), so that its name later proves which key it is.
pub fn keygen(id: Option<&str>) -> Result<NewKey, KeygenError> {
    match id {
        Some(id) if !is_key_id(id) => return Err(KeygenError::KeyId),
        Some(id) if looks_derived(id) => return Err(KeygenError::Reserved),
        _ => {}
    }
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|e| KeygenError::Random(e.to_string()))?;
    let id = id.map_or_else(|| derived_id(&bytes), str::to_owned);
    let key = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(bytes.as_slice()));
    let mut entry = String::with_capacity(id.len() + 1 + key.len());
    entry.extend([&id, ":", &key]);
    Ok(NewKey {
        id,
        entry: Secret::new(entry),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::KeyRing;

    #[test]
    fn a_key_made_here_is_read_back_under_its_own_name() {
        let key = keygen(None).unwrap();
        assert!(looks_derived(&key.id));
        let ring = KeyRing::parse(key.entry.expose()).unwrap();
        assert_eq!(ring.current(), Some(key.id.as_str()));

        let named = keygen(Some("prod-2026")).unwrap();
        assert!(named.entry.expose().starts_with("prod-2026:"));
        assert!(!named.entry.same(&keygen(Some("prod-2026")).unwrap().entry));
        assert_eq!(
            keygen(Some("k0123abcd")).err().unwrap(),
            KeygenError::Reserved
        );
        assert_eq!(keygen(Some("a b")).err().unwrap(), KeygenError::KeyId);
    }
}
