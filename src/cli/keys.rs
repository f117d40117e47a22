//! The keys at hand, from a file or from variables. Imports `files` and
//! `secrets`.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::error::{Error, Result};
use crate::files;
use crate::secrets::{KeyRing, Secret};

const RING: &str = "LKROUTE_KEYS";
const RING_FILE: &str = "LKROUTE_KEYS_FILE";
const FERNET: &str = "LIVEKIT_SECRET_ENCRYPTION_KEY";

#[derive(Args, Clone)]
pub struct KeyArgs {
    /// The file with the key ring [env: LKROUTE_KEYS_FILE; or the ring itself
    /// in LKROUTE_KEYS]
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
}

impl KeyArgs {
    /// The key ring, which is empty where there is none.
    ///
    /// # Errors
    /// A ring or a Fernet key that is there, but can't be read.
    pub fn ring(&self) -> Result<KeyRing> {
        let ring = match (&self.keys, variable(RING), variable(RING_FILE)) {
            (Some(file), ..) => parse(&read(file)?, &file.display().to_string())?,
            (None, Some(ring), _) => parse(&ring, RING)?,
            (None, None, Some(file)) => parse(&read(Path::new(file.expose()))?, RING_FILE)?,
            (None, None, None) => KeyRing::default(),
        };
        match variable(FERNET) {
            Some(key) => ring
                .with_fernet(key.expose())
                .map_err(|error| Error::new(format!("{FERNET}: {error}"))),
            None => Ok(ring),
        }
    }
}

fn parse(text: &Secret, from: &str) -> Result<KeyRing> {
    KeyRing::parse(text.expose()).map_err(|error| {
        Error::new(format!("{from}: {error}"))
            .hint("`lkroute secrets keygen` writes an entry; docs/secrets.md has the format")
    })
}

/// A variable that is set to something.
pub fn variable(name: &str) -> Option<Secret> {
    let value = std::env::var(name).ok()?;
    (!value.trim().is_empty()).then(|| Secret::new(value))
}

/// A file's text without the line end that editors leave.
pub fn read(path: &Path) -> Result<Secret> {
    let text = files::read_text(path)?;
    let end = text.trim_end_matches(['\r', '\n']).len();
    let mut text = text;
    text.truncate(end);
    Ok(Secret::new(text))
}
