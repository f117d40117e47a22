//! The keys at hand, from a file or from variables. Imports `files` and
//! `secrets`.

use std::path::{Path, PathBuf};

use super::process_variable;
use crate::error::{Error, Result};
use crate::files;
use crate::secrets::{FERNET, FERNET_KEYS, Secret};

pub(crate) use crate::files::is_open_to_others;
pub(crate) use crate::secrets::KeyRing;

const RING: &str = "LKROUTE_KEYS";
const RING_FILE: &str = "LKROUTE_KEYS_FILE";

/// The key ring, which is empty where there is none.
///
/// # Errors
/// A ring or a Fernet key that is there, but can't be read.
pub(crate) fn read_ring(file: Option<&Path>) -> Result<KeyRing> {
    check_variables()?;
    let (ring, ring_file) = (variable(RING), variable(RING_FILE));
    let ring = match (file, ring, ring_file) {
        (Some(file), ..) => Some((file.display().to_string(), read(file)?)),
        (None, Some(ring), _) => Some((RING.to_owned(), ring)),
        (None, None, Some(file)) => Some((RING_FILE.to_owned(), read(Path::new(file.expose()))?)),
        (None, None, None) => None,
    };
    let ring = ring.as_ref().map(|(from, text)| (from.as_str(), text));
    let (keys, key) = (variable(FERNET_KEYS), variable(FERNET));
    KeyRing::of_texts(ring, keys.as_ref(), key.as_ref())
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
pub(crate) fn ring_file(file: Option<&Path>) -> Option<PathBuf> {
    match (file, variable(RING)) {
        (Some(file), _) => Some(file.to_owned()),
        (None, Some(_)) => None,
        (None, None) => variable(RING_FILE).map(|file| PathBuf::from(file.expose())),
    }
}

/// A variable that is set to something.
pub(crate) fn variable(name: &str) -> Option<Secret> {
    let value = process_variable(name)?;
    (!value.trim().is_empty()).then(|| Secret::new(value))
}

/// A file's text without the line end that editors leave.
pub(crate) fn read(path: &Path) -> Result<Secret> {
    let text = files::read_keys(path)?;
    let end = text.trim_end_matches(['\r', '\n']).len();
    let mut text = text;
    text.truncate(end);
    Ok(Secret::new(text))
}
