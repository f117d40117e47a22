//! The edge to the file system: the only room that uses `std::fs`. Reads a
//! tree of routing files, and writes edited files so that each is whole at any
//! time. Imports `error`, `finding`, and of `source` what a tree of files is.

mod checkout;
mod path_words;
mod pipes;
mod secret_file;
mod tree;

use std::collections::BTreeSet;
use std::fs::{self, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;

use crate::error::{Error, Exit, Result};
use crate::source::Sources as _;
use path_words::cannot_access;

pub use checkout::{Checkout, find_checkout};
pub use path_words::shown;
pub use secret_file::{SecretFileError, identity, read_secret};
pub use tree::Tree;

/// Bytes of a saved plan, or of a file that is edited.
pub const MAX_TEXT_BYTES: u64 = 1 << 30;

/// Bytes of a key ring or a key.
pub const MAX_KEY_BYTES: u64 = 1 << 20;

/// Reads a file of text, such as a saved plan.
///
/// # Errors
/// Names the file and why it can't be read; never says what is in it.
pub fn read_text(path: &Path) -> Result<String> {
    read_at_most(path, MAX_TEXT_BYTES)
}

/// Reads a file with keys.
///
/// # Errors
/// As [`read_text`].
pub fn read_keys(path: &Path) -> Result<String> {
    read_at_most(path, MAX_KEY_BYTES)
}

fn read_at_most(path: &Path, most: u64) -> Result<String> {
    let opened = pipes::open(path);
    let read = opened.and_then(|file| pipes::read_at_most(file, most + 1));
    let bytes = read.map_err(|error| cannot_access("read", path, &error))?;
    if bytes.len() as u64 > most {
        let message = format!("`{}` is longer than {} MiB", path.display(), most >> 20);
        return Err(Error::new(message));
    }
    String::from_utf8(bytes).map_err(|_| Error::new(format!("`{}` is not UTF-8", path.display())))
}

/// Whether others than its owner can read a file with secrets. Not where it is
/// mounted read-only, as containers are given theirs: their rights mean little
/// there, and can't be changed.
#[cfg(unix)]
pub fn is_open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let Ok(found) = fs::metadata(path) else {
        return false;
    };
    let read_only = rustix::fs::statvfs(path)
        .is_ok_and(|mount| mount.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY));
    found.is_file() && found.permissions().mode() & 0o077 != 0 && !read_only
}

#[cfg(not(unix))]
pub fn is_open_to_others(_: &Path) -> bool {
    false
}

/// A file to rewrite.
#[derive(Debug, Clone)]
pub struct FileEdit {
    pub path: PathBuf,
    /// What it holds; it is not written if that has changed.
    pub before: String,
    pub after: String,
}

/// Rewrites files. Each is replaced as a whole or not at all, with its
/// permissions kept and links followed; none is touched before all new texts
/// are on the disk.
///
/// # Errors
/// A file that can't be written, or that no longer holds what was read (exit
/// 5).
pub fn rewrite_files(edits: &[FileEdit]) -> Result<()> {
    // No other lkroute writes here between the comparison and the end.
    let _locks = lock_directories(edits)?;
    let mut ready = Vec::new();
    for edit in edits {
        let path = fs::canonicalize(&edit.path)
            .map_err(|error| cannot_access("find", &edit.path, &error))?;
        if read_text(&path)? != edit.before {
            let message = format!("`{}` has changed while it was edited", edit.path.display());
            return Err(Error::exit(Exit::Stale, message).hint("nothing was written: try again"));
        }
        let file = file_beside(&path, &edit.after);
        ready.push((
            file.map_err(|error| cannot_access("write", &edit.path, &error))?,
            path,
        ));
    }
    for (file, path) in ready {
        file.persist(&path)
            .map_err(|error| cannot_access("write", &path, &error.error))?;
    }
    Ok(())
}

/// How long other programs of ours may take to write their files.
const PATIENCE: Duration = Duration::from_secs(10);

/// Locks the directories of these files, until the value is dropped. Where
/// directories can't be locked, the comparison alone has to do.
fn lock_directories(edits: &[FileEdit]) -> Result<Vec<fs::File>> {
    let paths = edits.iter().map(|edit| fs::canonicalize(&edit.path));
    let dirs = paths.filter_map(|path| Some(path.ok()?.parent()?.to_owned()));
    // In one order, so that two never wait for each other.
    let dirs: BTreeSet<PathBuf> = dirs.collect();
    let mut locks = Vec::new();
    let until = Instant::now() + PATIENCE;
    for dir in dirs {
        let Ok(handle) = fs::File::open(&dir) else {
            continue;
        };
        while let Err(TryLockError::WouldBlock) = handle.try_lock() {
            if Instant::now() > until {
                let message = format!("another lkroute is writing files in `{}`", shown(&dir));
                return Err(Error::new(message).hint("nothing was written: try again"));
            }
            thread::sleep(Duration::from_millis(20));
        }
        locks.push(handle);
    }
    Ok(locks)
}

/// A new file in the directory of `path`, with its permissions.
fn file_beside(path: &Path, text: &str) -> io::Result<NamedTempFile> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".lkroute-")
        .tempfile_in(dir)?;
    file.write_all(text.as_bytes())?;
    file.as_file()
        .set_permissions(fs::metadata(path)?.permissions())?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// What helps where new files would stand among others.
pub const NEW_DIRECTORY: &str = "an import overwrites nothing: name a new directory with --out";

/// Writes new files into a directory, which is made where it is missing.
///
/// # Errors
/// Where one of the files exists already, or the directory holds other
/// `.toml` files; nothing is written then.
pub fn create_files(dir: &Path, files: &[(String, String)]) -> Result<()> {
    let tree = Tree::open(dir);
    if !tree.paths().is_empty() {
        let message = format!("`{}` holds routing files already", shown(dir));
        return Err(Error::new(message).hint(NEW_DIRECTORY));
    }
    make_directory(dir)?;
    for (name, text) in files {
        let path = dir.join(name);
        let written =
            fs::File::create_new(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| cannot_access("write", &path, &error))?;
    }
    Ok(())
}

/// Makes a directory, and those above it, where it is missing.
///
/// # Errors
/// Names the directory and why it can't be made.
pub fn make_directory(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).map_err(|error| cannot_access("make", dir, &error))
}

/// Writes a file of our own making, such as a saved plan, whole or not at all.
/// A pipe, a device and what a link leads to are written into.
///
/// # Errors
/// Names the file and why it can't be written.
pub fn write_file(path: &Path, text: &str) -> Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let write = || {
        let is_link = fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
        if is_link || fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            let mut file = pipes::open_to_write(path)?;
            return file.write_all(text.as_bytes());
        }
        let dir = dir.unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new()
            .prefix(".lkroute-")
            .tempfile_in(dir)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|error| cannot_access("write", path, &error))
}
