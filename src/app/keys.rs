//! The keys at hand, from a file or from variables. Imports `files` and
//! `secrets`.

use std::path::{Path, PathBuf};

use super::process_variable;
use crate::error::{Error, Result};
use crate::files;
use crate::secrets::{KeyRing, Secret};

const RING: &str = "LKROUTE_KEYS";
const RING_FILE: &str = "LKROUTE_KEYS_FILE";
/// The one key that the Python service reads.
const FERNET: &str = "LIVEKIT_SECRET_ENCRYPTION_KEY";
/// Several, for a change of the key: the first one writes.
const FERNET_KEYS: &str = "LKROUTE_FERNET_KEYS";

/// The key ring, which is empty where there is none.
///
/// # Errors
/// A ring or a Fernet key that is there, but can't be read.
pub fn read_ring(file: Option<&Path>) -> Result<KeyRing> {
    check_variables()?;
    let (ring, ring_file) = (variable(RING), variable(RING_FILE));
    let ring = match (file, ring, ring_file) {
        (Some(file), ..) => parse_ring(&read(file)?, &file.display().to_string())?,
        (None, Some(ring), _) => parse_ring(&ring, RING)?,
        (None, None, Some(file)) => parse_ring(&read(Path::new(file.expose()))?, RING_FILE)?,
        (None, None, None) => KeyRing::default(),
    };
    let bad = |name: &str, error| Error::new(format!("{name}: {error}"));
    let ring = match variable(FERNET_KEYS) {
        Some(keys) => ring
            .with_fernet_keys(keys.expose())
            .map_err(|error| bad(FERNET_KEYS, error))?,
        None => ring,
    };
    match variable(FERNET) {
        Some(key) => ring
            .with_fernet(key.expose())
            .map_err(|error| bad(FERNET, error)),
        None => Ok(ring),
    }
}

/// A variable of bytes that are no text would count as not set, and its keys
/// would be missing without a word.
fn check_variables() -> Result<()> {
    for name in [RING, RING_FILE, FERNET, FERNET_KEYS] {
        if std::env::var_os(name).is_some_and(|value| value.to_str().is_none()) {
            let error = Error::new(format!("{name} can't be read: it is not UTF-8"));
            return Err(error.hint("set it again, from a text file"));
        }
    }
    Ok(())
}

/// The file that the key ring is read from, where it is in one.
pub fn ring_file(file: Option<&Path>) -> Option<PathBuf> {
    match (file, variable(RING)) {
        (Some(file), _) => Some(file.to_owned()),
        (None, Some(_)) => None,
        (None, None) => variable(RING_FILE).map(|file| PathBuf::from(file.expose())),
    }
}

fn parse_ring(text: &Secret, from: &str) -> Result<KeyRing> {
    KeyRing::parse(text.expose()).map_err(|error| {
        Error::new(format!("{from}: {error}"))
            .hint("`lkroute secrets keygen` writes an entry; docs/secrets.md has the format")
    })
}

/// A variable that is set to something.
pub fn variable(name: &str) -> Option<Secret> {
    let value = process_variable(name)?;
    (!value.trim().is_empty()).then(|| Secret::new(value))
}

/// A file's text without the line end that editors leave.
pub fn read(path: &Path) -> Result<Secret> {
    let text = files::read_keys(path)?;
    let end = text.trim_end_matches(['\r', '\n']).len();
    let mut text = text;
    text.truncate(end);
    Ok(Secret::new(text))
}
