//! The edge to the file system: the only room that uses `std::fs`. Reads a
//! tree of routing files, and writes edited files so that each is whole at any
//! time. Imports `error`, `finding` and `source::Sources`.

use std::borrow::Cow;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use walkdir::{DirEntry, WalkDir};

use crate::error::{Error, Exit, Result};
use crate::finding::{Finding, Place};
use crate::source::Sources;

/// The `*.toml` files of a directory, in any layout, sorted; hidden files and
/// directories are passed over.
#[derive(Debug, Default)]
pub struct Tree {
    /// As the user would type them.
    shown: Vec<String>,
    paths: Vec<PathBuf>,
    problems: Vec<Finding>,
}

impl Tree {
    /// Lists a directory, or the one file that is named. What is wrong with it
    /// becomes findings of the load.
    pub fn open(dir: &Path) -> Tree {
        let mut tree = Tree::default();
        let walk = WalkDir::new(dir).follow_links(true).sort_by_file_name();
        for entry in walk.into_iter().filter_entry(|entry| !is_hidden(entry)) {
            match entry {
                Ok(entry) => tree.found(&entry),
                Err(error) => tree.failed(dir, &error),
            }
        }
        tree.sort();
        if tree.paths.is_empty() && tree.problems.is_empty() {
            let message = format!("there are no .toml files under `{}`", shown(dir));
            tree.problem("no-files", message, None);
        }
        tree
    }

    /// The path of a file, by the name under which findings show it.
    pub fn path(&self, shown: &str) -> Option<&Path> {
        let ix = self.shown.iter().position(|path| path == shown)?;
        Some(&self.paths[ix])
    }

    fn found(&mut self, entry: &DirEntry) {
        let path = entry.path();
        if entry.file_type().is_dir() || path.extension().is_none_or(|end| end != "toml") {
            return;
        }
        if entry.file_type().is_file() {
            self.shown.push(shown(path));
            self.paths.push(path.to_owned());
        } else {
            self.problem("unreadable-file", "this is no regular file", Some(path));
        }
    }

    fn failed(&mut self, dir: &Path, error: &walkdir::Error) {
        let path = error.path().unwrap_or(dir);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') && path != dir {
            return;
        }
        if error.loop_ancestor().is_some() {
            return self.problem(
                "symlink-loop",
                "this link leads back to where it stands",
                Some(path),
            );
        }
        let kind = error
            .io_error()
            .map_or(io::ErrorKind::Other, io::Error::kind);
        match kind {
            io::ErrorKind::NotFound if path == dir => {
                let message = format!("there is no directory `{}`", shown(dir));
                self.problem("no-directory", message, None);
            }
            io::ErrorKind::NotFound if path.is_symlink() => {
                self.problem("unreadable-file", "this link leads nowhere", Some(path));
            }
            // `ErrorKind::FilesystemLoop` is not stable yet.
            _ if kind.to_string().contains("filesystem loop") => {
                self.problem("symlink-loop", "this link leads back to itself", Some(path));
            }
            _ => self.problem(
                "unreadable-file",
                format!("can't be read: {kind}"),
                Some(path),
            ),
        }
    }

    fn problem(&mut self, code: &'static str, message: impl Into<String>, path: Option<&Path>) {
        let mut finding = Finding::error(code, message);
        finding.place = path.map(|path| Place::file(shown(path)));
        if matches!(code, "no-files" | "no-directory") {
            finding.hint =
                Some("name the directory of the routing files with --routing".to_owned());
        }
        self.problems.push(finding);
    }

    fn sort(&mut self) {
        let mut both: Vec<_> = self.shown.drain(..).zip(self.paths.drain(..)).collect();
        both.sort();
        (self.shown, self.paths) = both.into_iter().unzip();
    }
}

impl Sources for Tree {
    fn paths(&self) -> &[String] {
        &self.shown
    }

    fn read(&self, file: usize) -> Result<Cow<'_, [u8]>, String> {
        let path = self.paths.get(file).ok_or("there is no such file")?;
        match fs::read(path) {
            Ok(bytes) => Ok(Cow::Owned(bytes)),
            Err(error) => Err(error.kind().to_string()),
        }
    }

    fn problems(&self) -> Vec<Finding> {
        self.problems.clone()
    }
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.depth() > 0 && entry.file_name().to_string_lossy().starts_with('.')
}

/// Whether a path below the directory, with `/` between its parts, is that of
/// a routing file.
pub fn is_routing(path: &str) -> bool {
    path.ends_with(".toml") && !path.split('/').any(|part| part.starts_with('.'))
}

/// A path as the user would type it: with `/` between the parts and without a
/// leading `./`.
pub fn shown(path: &Path) -> String {
    let text = path.to_string_lossy().replace('\\', "/");
    match text.strip_prefix("./") {
        Some(rest) if !rest.is_empty() => rest.to_owned(),
        _ => text,
    }
}

/// Reads a file of text: a key ring, a secret, a saved plan.
///
/// # Errors
/// Names the file and why it can't be read; never says what is in it.
pub fn read_text(path: &Path) -> Result<String> {
    let bytes = fs::read(path).map_err(|error| cannot("read", path, &error))?;
    String::from_utf8(bytes).map_err(|_| Error::new(format!("`{}` is not UTF-8", path.display())))
}

/// A file to rewrite.
#[derive(Debug, Clone)]
pub struct Edit {
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
pub fn rewrite(edits: &[Edit]) -> Result<()> {
    let mut ready = Vec::new();
    for edit in edits {
        let path =
            fs::canonicalize(&edit.path).map_err(|error| cannot("find", &edit.path, &error))?;
        if read_text(&path)? != edit.before {
            let message = format!("`{}` has changed while it was edited", edit.path.display());
            return Err(Error::exit(Exit::Stale, message).hint("nothing was written: try again"));
        }
        let file = beside(&path, &edit.after);
        ready.push((
            file.map_err(|error| cannot("write", &edit.path, &error))?,
            path,
        ));
    }
    for (file, path) in ready {
        file.persist(&path)
            .map_err(|error| cannot("write", &path, &error.error))?;
    }
    Ok(())
}

/// A new file in the directory of `path`, with its permissions.
fn beside(path: &Path, text: &str) -> io::Result<NamedTempFile> {
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

/// Writes new files into a directory, which is made where it is missing.
///
/// # Errors
/// Where one of the files exists already, or the directory holds other
/// `.toml` files; nothing is written then.
pub fn create(dir: &Path, files: &[(String, String)]) -> Result<()> {
    let tree = Tree::open(dir);
    if !tree.paths.is_empty() {
        let message = format!("`{}` holds routing files already", shown(dir));
        return Err(Error::new(message).hint("name a new directory: nothing is overwritten"));
    }
    fs::create_dir_all(dir).map_err(|error| cannot("make", dir, &error))?;
    for (name, text) in files {
        let path = dir.join(name);
        let written =
            fs::File::create_new(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| cannot("write", &path, &error))?;
    }
    Ok(())
}

/// Writes a file of our own making, such as a saved plan, whole or not at all.
///
/// # Errors
/// Names the file and why it can't be written.
pub fn write(path: &Path, text: &str) -> Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let write = || {
        let dir = dir.unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new()
            .prefix(".lkroute-")
            .tempfile_in(dir)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)
    };
    match write() {
        Ok(_) => Ok(()),
        Err(error) => Err(cannot("write", path, &error)),
    }
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> Error {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or directory".to_owned(),
        kind => kind.to_string(),
    };
    Error::new(format!("can't {what} `{}`: {why}", path.display()))
}
