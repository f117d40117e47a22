//! Paths and I/O errors as messages name them. Imports core.

use std::io;
use std::path::Path;

use crate::error::Error;

/// A path as the user would type it: with `/` between the parts and without a
/// leading `./`.
pub fn shown(path: &Path) -> String {
    let text = path.to_string_lossy().replace('\\', "/");
    match text.strip_prefix("./") {
        Some(rest) if !rest.is_empty() => rest.to_owned(),
        _ => text,
    }
}

/// Why something could not be done with a file.
pub(super) fn cannot_access(what: &str, path: &Path, error: &io::Error) -> Error {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or directory".to_owned(),
        kind => kind.to_string(),
    };
    Error::new(format!("can't {what} `{}`: {why}", path.display()))
}
