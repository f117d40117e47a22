//! The files in canonical form. Imports core and `files`.

use std::path::{Path, PathBuf};

use super::{Context, Stop};
use crate::error::Result;
use crate::files::{self, FileEdit, Tree};
use crate::source::{Sources, format_text};

/// A file that is not in canonical form.
pub struct FormatChange {
    /// As it is shown.
    pub name: String,
    path: PathBuf,
    pub before: String,
    pub after: String,
}

/// The files that are not in canonical form.
///
/// # Errors
/// A file that can't be read, or is no TOML.
pub fn format_files(context: &Context<'_>) -> Result<Vec<FormatChange>, Stop> {
    let tree = Tree::open(&context.settings.routing);
    let mut findings = tree.problems();
    let mut changes = Vec::new();
    for name in tree.paths() {
        let path = tree.path_of(name).unwrap_or(Path::new(name));
        let before = files::read_text(path)?;
        match format_text(name, &before) {
            Ok(after) if after != before => changes.push(FormatChange {
                name: name.clone(),
                path: path.to_owned(),
                before,
                after,
            }),
            Ok(_) => {}
            Err(more) => findings.extend(more),
        }
    }
    if findings.is_empty() {
        Ok(changes)
    } else {
        Err(Stop::Invalid(findings))
    }
}

/// Writes all of them or none; their paths.
pub fn rewrite_formatted(changes: Vec<FormatChange>) -> Result<Vec<PathBuf>> {
    let edits = changes.into_iter().map(|change| FileEdit {
        path: change.path,
        before: change.before,
        after: change.after,
    });
    let edits: Vec<FileEdit> = edits.collect();
    files::rewrite_files(&edits)?;
    Ok(edits.into_iter().map(|edit| edit.path).collect())
}
