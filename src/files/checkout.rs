//! Which git repository a directory stands in, found by looking for `.git`
//! ourselves: git would also take a directory that merely looks like a
//! repository, and then does what the configuration in it says.

use std::path::{Component, Path, PathBuf};
use std::{env, fs};

use crate::error::{Error, Result};

/// Where a directory stands in a git repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// The directory that holds `.git`; a real path.
    pub top: PathBuf,
    /// The way from there, with `/` between its parts; its links are not
    /// followed. Empty where the directory is the top itself.
    pub inside: String,
}

/// Walks up from a directory, which need not exist, to the first that holds a
/// `.git`.
///
/// # Errors
/// A directory on the way that git would take for a bare repository.
pub fn find_checkout(dir: &Path) -> Result<Option<Checkout>> {
    let named = absolute_path(dir)?;
    let real = real_path(&named);
    // Links above the repository are followed, those within it are its own.
    for path in [&named, &real] {
        let up_to_top = path.ancestors().scan(false, |done, dir| {
            let more = !*done;
            *done = has_git(dir);
            more.then_some(dir)
        });
        for dir in up_to_top {
            refuse_bare_repository(dir)?;
        }
    }
    let found = [&named, &real].into_iter().find_map(|path| {
        let top = path.ancestors().find(|dir| has_git(dir))?;
        let inside = path.strip_prefix(top).unwrap_or(Path::new(""));
        Some((top, inside))
    });
    let Some((top, inside)) = found else {
        return Ok(None);
    };
    let top = fs::canonicalize(top)
        .map_err(|error| Error::new(format!("can't find `{}`: {error}", top.display())))?;
    let inside = inside.to_string_lossy().into_owned();
    Ok(Some(Checkout { top, inside }))
}

/// A path without `..`: links before a `..` are followed, as the system would.
fn absolute_path(dir: &Path) -> Result<PathBuf> {
    let mut path = env::current_dir()
        .map_err(|error| Error::new(format!("can't find the current directory: {error}")))?;
    for part in dir.components() {
        match part {
            Component::ParentDir => {
                path = real_path(&path);
                path.pop();
            }
            Component::CurDir => {}
            part => path.push(part),
        }
    }
    Ok(path)
}

/// The path with its links followed, as far as it exists.
fn real_path(path: &Path) -> PathBuf {
    let existing = path.ancestors().find_map(|dir| {
        let real = fs::canonicalize(dir).ok()?;
        Some((real, path.strip_prefix(dir).ok()?))
    });
    existing.map_or_else(
        || path.to_owned(),
        |(mut real, rest)| {
            real.extend(rest.components());
            real
        },
    )
}

/// Whether there is a `.git` in a directory, of whatever kind.
pub(super) fn has_git(dir: &Path) -> bool {
    path_exists(&dir.join(".git"))
}

fn path_exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn refuse_bare_repository(dir: &Path) -> Result<()> {
    let names = ["HEAD", "objects", "refs"];
    if !names.iter().all(|name| path_exists(&dir.join(name))) {
        return Ok(());
    }
    let message = format!(
        "`{}` has HEAD, objects and refs, as a git repository without a work tree has: git would \
         obey the configuration in it",
        dir.display()
    );
    Err(Error::new(message)
        .code("bare-repository")
        .hint("remove them, or keep the routing files outside of it"))
}
