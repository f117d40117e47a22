//! Files that hold a secret. Imports the error type.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use super::cannot;
use crate::error::Error;

/// Why a secret's file was not read.
#[derive(Debug)]
pub enum SecretFileError {
    /// It is not there, or not for us to read.
    Absent(Error),
    /// It is nothing that a secret may come from.
    Refused(Error),
}

/// An API secret has some tens of bytes.
const LONGEST_SECRET: u64 = 64 * 1024;

/// Reads the file of a secret: a regular file, links followed, below one of
/// these directories, and of a size that a secret may have.
///
/// # Errors
/// Names the file and why; never says what is in it.
pub fn read_secret(path: &Path, within: &[&Path]) -> Result<String, SecretFileError> {
    use SecretFileError::{Absent, Refused};
    let absent = |error: &io::Error| Absent(cannot("read", path, error));
    let refused = |why: &str| {
        Refused(Error::new(format!("`{}` {why}", path.display())).hint(
            "a secret's file is a regular file below the routing directory, or below the \
                 directory that LKROUTE_SECRETS_DIR names",
        ))
    };
    let real = fs::canonicalize(path).map_err(|error| absent(&error))?;
    let mut roots = within.iter().filter_map(|dir| {
        let dir = if dir.as_os_str().is_empty() {
            Path::new(".")
        } else {
            dir
        };
        fs::canonicalize(dir).ok()
    });
    if !roots.any(|root| real.starts_with(root)) {
        return Err(refused(
            "leads out of the directories that secrets are read from",
        ));
    }
    // A pipe or a device is not even opened.
    let about = fs::metadata(&real).map_err(|error| absent(&error))?;
    if !about.is_file() {
        return Err(refused("is no regular file"));
    }
    let file = fs::File::open(&real).map_err(|error| absent(&error))?;
    let mut bytes = Vec::new();
    file.take(LONGEST_SECRET + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| absent(&error))?;
    if bytes.len() as u64 > LONGEST_SECRET {
        return Err(refused("is longer than any secret"));
    }
    String::from_utf8(bytes).map_err(|_| refused("is not UTF-8"))
}

/// What tells a file from all others, whatever it is called here: links of
/// both kinds are names of one file.
pub fn identity(path: &Path) -> Option<String> {
    let real = fs::canonicalize(path).ok()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let about = fs::metadata(&real).ok()?;
        Some(format!("{}:{}", about.dev(), about.ino()))
    }
    #[cfg(not(unix))]
    Some(real.to_string_lossy().into_owned())
}
