//! Changes to the files, comments kept. Imports `files` and `source`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Context;
use crate::error::{Error, Result};
use crate::files::{self, Tree};
use crate::source::write::edit::{EditError, Edits, edit_text};

/// Makes the changes of each file, by the names that reports show, and writes
/// all of them or none.
pub(super) fn write(context: &Context<'_>, changes: &BTreeMap<String, Edits>) -> Result<()> {
    let ready = edited(context, changes)?;
    files::rewrite_files(&ready.into_values().collect::<Vec<_>>())
}

/// The files as the changes leave them, not written yet.
pub(super) fn edited(
    context: &Context<'_>,
    changes: &BTreeMap<String, Edits>,
) -> Result<BTreeMap<String, files::FileEdit>> {
    let tree = Tree::open(&context.settings.routing);
    let mut ready = BTreeMap::new();
    for (file, edits) in changes {
        let path = tree
            .path_of(file)
            .map_or_else(|| PathBuf::from(file), PathBuf::from);
        let before = files::read_text(&path)?;
        let after = edit_text(&before, edits).map_err(|error| cannot_edit(file, &error))?;
        let edit = files::FileEdit {
            path,
            before,
            after,
        };
        ready.insert(file.clone(), edit);
    }
    Ok(ready)
}

/// Why a file was not changed; nothing was, then.
pub(super) fn cannot_edit(file: &str, error: &EditError) -> Error {
    Error::new(format!("{file}: {error}")).hint("edit it by hand; no file was changed")
}
