//! [`KeyRing`]: the keys that seal and open, read from text. Imports the
//! crypto crates for what a key is: AES-256, HKDF subkeys, Fernet.

use std::fmt;

use ::fernet::Fernet;
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    prelude::BASE64_URL_SAFE,
};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::sealed::{Secret, is_key_id, is_lower_hex};

/// HKDF info of the bytes from which a key's default name is made.
const KEY_ID_INFO: &str = "lkroute key id v1";

/// Reads keys with and without padding.
const KEY_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Reads every Fernet key that Python reads.
const FERNET_KEY_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// One key of 32 bytes under its name.
pub(super) struct Key {
    pub id: String,
    pub bytes: Zeroizing<[u8; 32]>,
}

impl Key {
    /// HKDF-SHA256 of the key without salt, 32 bytes.
    pub(super) fn subkey(&self, info: &str) -> Zeroizing<[u8; 32]> {
        subkey(&self.bytes, info)
    }

    /// Whether the name was made from a key, and so proves which key it is.
    pub(super) fn is_named_after_itself(&self) -> bool {
        looks_derived(&self.id)
    }
}

/// The variable of the one key that the Python service reads.
pub const FERNET: &str = "LIVEKIT_SECRET_ENCRYPTION_KEY";
/// That of several, for a change of the key: the first one writes.
pub const FERNET_KEYS: &str = "LKROUTE_FERNET_KEYS";

/// The keys at hand, wiped when dropped. `Debug` shows their names alone.
#[derive(Default)]
pub struct KeyRing {
    keys: Vec<Key>,
    /// The first one writes; all of them open.
    fernet: Vec<FernetKey>,
}

struct FernetKey {
    bytes: Zeroizing<[u8; 32]>,
    key: Fernet,
}

/// There is no such key at hand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoKey {
    #[error("the key ring has no key named `{0}`")]
    Named(String),
    #[error("there is no key ring")]
    Ring,
    #[error(
        "there is no Fernet key (LIVEKIT_SECRET_ENCRYPTION_KEY or LKROUTE_FERNET_KEYS holds it)"
    )]
    Fernet,
}

/// What is wrong with a key ring's text; says where, never what was there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    #[error("the key ring is empty: it needs one entry `<key id>:<key>` at least")]
    Empty,
    #[error("key ring, line {line}, entry {entry}: an entry is `<key id>:<key>`")]
    Shape { line: usize, entry: usize },
    #[error(
        "key ring, line {line}, entry {entry}: a key id is 1 to 32 of a-z, 0-9, `.`, `_` and `-`"
    )]
    KeyId { line: usize, entry: usize },
    #[error("key ring, line {line}, entry {entry}: the key is not 32 bytes in url-safe base64")]
    Key { line: usize, entry: usize },
    #[error(
        "key ring, line {line}, entry {entry}: the name `{id}` is made from a key, but not from \
         this one: name or key was mistyped (names of another form are free)"
    )]
    Mistyped {
        line: usize,
        entry: usize,
        id: String,
    },
    #[error("key ring, line {line}, entry {entry}: the name `{id}` is taken by an earlier entry")]
    DuplicateId {
        line: usize,
        entry: usize,
        id: String,
    },
    #[error("key ring, line {line}, entry {entry}: `{id}` is the same key as `{earlier}`")]
    DuplicateKey {
        line: usize,
        entry: usize,
        id: String,
        earlier: String,
    },
    #[error("the Fernet key is not 32 bytes in url-safe base64")]
    Fernet,
}

impl KeyRing {
    /// Reads a ring: entries `<key id>:<key>` set apart by commas or white
    /// space, `#` to the end of a line is a comment, the first entry seals.
    pub fn parse(text: &str) -> Result<Self, KeyRingError> {
        let mut ring = Self::default();
        for (line, content) in (1..).zip(text.lines()) {
            let content = content.split('#').next().unwrap_or_default();
            let words = content.split(|c: char| c == ',' || c.is_whitespace());
            for word in words.filter(|word| !word.is_empty()) {
                ring.add(word, line)?;
            }
        }
        if ring.keys.is_empty() {
            Err(KeyRingError::Empty)
        } else {
            Ok(ring)
        }
    }

    fn add(&mut self, word: &str, line: usize) -> Result<(), KeyRingError> {
        let entry = self.keys.len() + 1;
        let (id, key) = word
            .split_once(':')
            .ok_or(KeyRingError::Shape { line, entry })?;
        if !is_key_id(id) {
            return Err(KeyRingError::KeyId { line, entry });
        }
        let bytes = decode_key(&KEY_BASE64, key).ok_or(KeyRingError::Key { line, entry })?;
        let id = id.to_owned();
        if looks_derived(&id) && id != derived_id(&bytes) {
            return Err(KeyRingError::Mistyped { line, entry, id });
        }
        if self.has(&id) {
            return Err(KeyRingError::DuplicateId { line, entry, id });
        }
        if let Some(same) = self.keys.iter().find(|key| *key.bytes == *bytes) {
            let earlier = same.id.clone();
            return Err(KeyRingError::DuplicateKey {
                line,
                entry,
                id,
                earlier,
            });
        }
        self.keys.push(Key { id, bytes });
        Ok(())
    }

    /// The ring of texts that were read: that of [`KeyRing::parse`] with the name
    /// of where it comes from, and those of [`FERNET_KEYS`] and [`FERNET`].
    ///
    /// # Errors
    /// One of them can't be read; says which.
    pub fn of_texts(
        ring: Option<(&str, &Secret)>,
        fernet_keys: Option<&Secret>,
        fernet: Option<&Secret>,
    ) -> Result<KeyRing, Error> {
        let mut found = match ring {
            None => KeyRing::default(),
            Some((from, text)) => KeyRing::parse(text.expose()).map_err(|error| {
                Error::new(format!("{from}: {error}")).hint(
                    "`lkroute secrets keygen` writes an entry; docs/secrets.md has the format",
                )
            })?,
        };
        let bad = |name: &str, error| Error::new(format!("{name}: {error}"));
        if let Some(keys) = fernet_keys {
            found = found
                .with_fernet_keys(keys.expose())
                .map_err(|error| bad(FERNET_KEYS, error))?;
        }
        if let Some(key) = fernet {
            found = found
                .with_fernet(key.expose())
                .map_err(|error| bad(FERNET, error))?;
        }
        Ok(found)
    }

    /// Adds a key of the `dev-s-t-` values: 32 bytes in base64, in every
    /// spelling that Python reads. The first one that is added writes; one that
    /// is there already changes nothing.
    pub fn with_fernet(mut self, key: &str) -> Result<Self, KeyRingError> {
        let key = Zeroizing::new(key.trim().replace('+', "-").replace('/', "_"));
        let bytes = decode_key(&FERNET_KEY_BASE64, &key).ok_or(KeyRingError::Fernet)?;
        if self.fernet.iter().any(|known| *known.bytes == *bytes) {
            return Ok(self);
        }
        let key = Zeroizing::new(BASE64_URL_SAFE.encode(bytes.as_slice()));
        let key = Fernet::new(&key).ok_or(KeyRingError::Fernet)?;
        self.fernet.push(FernetKey { bytes, key });
        Ok(self)
    }

    /// Adds several, set apart by commas or white space.
    pub fn with_fernet_keys(mut self, keys: &str) -> Result<Self, KeyRingError> {
        for key in keys.split(|c: char| c == ',' || c.is_whitespace()) {
            if !key.is_empty() {
                self = self.with_fernet(key)?;
            }
        }
        Ok(self)
    }

    /// The names, the one that seals first.
    pub fn key_ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.id.as_str())
    }

    /// The name of the key that new values are sealed with.
    pub fn current(&self) -> Option<&str> {
        self.key_ids().next()
    }

    pub fn has(&self, key_id: &str) -> bool {
        self.key_ids().any(|id| id == key_id)
    }

    pub fn has_fernet(&self) -> bool {
        !self.fernet.is_empty()
    }

    /// The key of that name, or the first.
    pub(super) fn key(&self, id: Option<&str>) -> Result<&Key, NoKey> {
        match id {
            None => self.keys.first().ok_or(NoKey::Ring),
            Some(id) => self
                .keys
                .iter()
                .find(|key| key.id == id)
                .ok_or_else(|| NoKey::Named(id.to_owned())),
        }
    }

    pub(super) fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The Fernet key that writes.
    pub(super) fn fernet(&self) -> Result<&Fernet, NoKey> {
        self.fernet_keys().next().ok_or(NoKey::Fernet)
    }

    /// All of them, the one that writes first.
    pub(super) fn fernet_keys(&self) -> impl Iterator<Item = &Fernet> {
        self.fernet.iter().map(|key| &key.key)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<&str> = self.key_ids().collect();
        write!(f, "KeyRing({ids:?}, fernet: {})", self.has_fernet())
    }
}

pub(super) fn looks_derived(id: &str) -> bool {
    id.len() == 9 && id.starts_with('k') && id.bytes().skip(1).all(is_lower_hex)
}

/// `k` and the first eight hex digits of a subkey: tells keys apart and
/// nothing about them.
pub(super) fn derived_id(key: &[u8; 32]) -> String {
    let bytes = subkey(key, KEY_ID_INFO);
    format!("k{}", hex::encode(&bytes[..4]))
}

#[expect(clippy::expect_used, reason = "no input reaches the length")]
fn subkey(key: &[u8; 32], info: &str) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(None, key)
        .expand(info.as_bytes(), out.as_mut_slice())
        .expect("HKDF-SHA256 gives up to 8160 bytes");
    out
}

fn decode_key(base64: &GeneralPurpose, text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let bytes = Zeroizing::new(base64.decode(text).ok()?);
    let mut key = Zeroizing::new([0; 32]);
    if bytes.len() != key.len() {
        return None;
    }
    key.copy_from_slice(&bytes);
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    const B: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8";

    #[test]
    fn a_ring_is_read_from_a_variable_and_from_a_file() {
        for text in [
            format!("new:{A},old:{B}="),
            format!("# keys of the tests\n\nnew:{A}   # seals\n\told:{B},\r\n"),
        ] {
            let ring = KeyRing::parse(&text).unwrap();
            assert_eq!(ring.key_ids().collect::<Vec<_>>(), ["new", "old"]);
            assert_eq!(ring.current(), Some("new"));
            assert_eq!(
                format!("{ring:?}"),
                r#"KeyRing(["new", "old"], fernet: false)"#
            );
        }
    }

    #[test]
    fn what_is_wrong_is_said_by_place_and_shows_no_key() {
        use KeyRingError::*;
        let (line, entry) = (2, 2);
        let (id, earlier) = (String::from("b"), String::from("a"));
        for (word, error) in [
            (B.to_owned(), Shape { line, entry }),
            (format!("{B}:b"), KeyId { line, entry }),
            (format!("b:{}", &B[1..]), Key { line, entry }),
            (format!("b:{B}AAAA"), Key { line, entry }),
            (format!("b:{}9", &B[..42]), Key { line, entry }),
            (format!("b:{B}:"), Key { line, entry }),
            (
                format!("a:{B}"),
                DuplicateId {
                    line,
                    entry,
                    id: earlier.clone(),
                },
            ),
            (
                format!("b:{A}"),
                DuplicateKey {
                    line,
                    entry,
                    id,
                    earlier,
                },
            ),
            (
                format!("kb2843125:{B}"),
                Mistyped {
                    line,
                    entry,
                    id: "kb2843125".into(),
                },
            ),
        ] {
            let found = KeyRing::parse(&format!("a:{A}\n{word}")).unwrap_err();
            assert_eq!(found, error);
            let shown = format!("{found} {found:?}");
            assert!(!shown.contains(&A[..8]) && !shown.contains(&B[1..9]));
        }
        assert_eq!(KeyRing::parse(" # none\n").unwrap_err(), Empty);
    }

    #[test]
    fn a_fernet_key_is_read_as_python_reads_it() {
        let fernet = |key: &str| KeyRing::default().with_fernet(key);
        for key in [
            "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=\n",
            "+//7//v/+//7//v/+//7//v/+//7//v/+//7//v/+/8=",
            "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopq=",
        ] {
            assert!(fernet(key).unwrap().has_fernet());
        }
        for key in ["", "made-up", &A[1..]] {
            assert_eq!(fernet(key).unwrap_err(), KeyRingError::Fernet);
        }
    }
}
