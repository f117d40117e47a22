//! The routing files of a directory on disk, and of what kind each entry is.

use std::borrow::Cow;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::checkout::{find_checkout, has_git};
use super::path_words::shown;
use crate::finding::{Finding, Place};
use crate::source::Sources;
use crate::source::tree_rules::{
    self, FollowError, LinkFault, MAX_DEPTH, MAX_ENTRIES, MAX_FILE_BYTES, MAX_SYMLINKS, PathNode,
    is_toml,
};

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
        match LinkBounds::of(dir) {
            Ok(bounds) => tree.walk_directory(dir, &bounds),
            Err(problem) => tree.problems.push(*problem),
        }
        tree.sort_files();
        if tree.paths.is_empty() && tree.problems.is_empty() {
            let message = format!("there are no .toml files under `{}`", shown(dir));
            tree.add_problem("no-files", message, None);
        }
        tree
    }

    /// The path of a file, by the name under which findings show it.
    pub fn path_of(&self, shown: &str) -> Option<&Path> {
        let ix = self.shown.iter().position(|path| path == shown)?;
        Some(&self.paths[ix])
    }

    fn walk_directory(&mut self, dir: &Path, bounds: &LinkBounds) {
        let walk = WalkDir::new(dir).max_depth(MAX_DEPTH + 1);
        let mut walk = walk
            .sort_by_file_name()
            .into_iter()
            .filter_entry(|entry| !is_hidden(entry));
        let (mut entries, mut links) = (0, 0);
        while let Some(entry) = walk.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.take_error(dir, &error);
                    continue;
                }
            };
            entries += 1;
            links += usize::from(entry.path_is_symlink());
            if entries > MAX_ENTRIES || links > MAX_SYMLINKS || entry.depth() > MAX_DEPTH {
                *self = Tree {
                    problems: vec![tree_rules::too_many_files().at(file_place(dir))],
                    ..Tree::default()
                };
                return;
            }
            if entry.depth() == 0 && !entry.path().is_file() {
                continue;
            }
            if entry.file_type().is_dir() && bounds.in_git && has_git(entry.path()) {
                let finding = tree_rules::nested_repository();
                self.problems.push(finding.at(file_place(entry.path())));
                walk.skip_current_dir();
                continue;
            }
            self.take_entry(dir, &entry, bounds);
        }
    }

    fn take_entry(&mut self, dir: &Path, entry: &DirEntry, bounds: &LinkBounds) {
        let (path, kind) = (entry.path(), entry.file_type());
        if entry.path_is_symlink() && entry.depth() > 0 {
            let below = path.strip_prefix(dir).unwrap_or(path);
            if let Err(fault) = bounds.linked_file(below) {
                return self
                    .problems
                    .push(fault.into_finding().at(file_place(path)));
            }
        } else if kind.is_dir() {
            return;
        }
        if !is_toml(&path.to_string_lossy()) {
            return;
        }
        if path.is_file() {
            self.shown.push(shown(path));
            self.paths.push(path.to_owned());
        } else {
            self.add_problem("unreadable-file", "this is no regular file", Some(path));
        }
    }

    fn take_error(&mut self, dir: &Path, error: &walkdir::Error) {
        let path = error.path().unwrap_or(dir);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') && path != dir {
            return;
        }
        let kind = error
            .io_error()
            .map_or(io::ErrorKind::Other, io::Error::kind);
        match kind {
            io::ErrorKind::NotFound if path == dir => {
                let message = format!("there is no directory `{}`", shown(dir));
                self.add_problem("no-directory", message, None);
            }
            // `ErrorKind::FilesystemLoop` is not stable yet.
            _ if kind.to_string().contains("filesystem loop") => {
                self.add_problem("symlink-loop", "this link leads back to itself", Some(path));
            }
            _ => self.add_problem(
                "unreadable-file",
                format!("can't be read: {kind}"),
                Some(path),
            ),
        }
    }

    fn add_problem(&mut self, code: &'static str, message: impl Into<String>, path: Option<&Path>) {
        let mut finding = Finding::error(code, message);
        finding.place = path.map(file_place);
        let hint = "name the directory of the routing files with --routing";
        self.problems.push(match code {
            "no-files" | "no-directory" => finding.hint(hint),
            _ => finding,
        });
    }

    fn sort_files(&mut self) {
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
        let mut bytes = Vec::new();
        let opened = fs::File::open(path);
        let read = opened.and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes));
        match read {
            Ok(read) if read as u64 > MAX_FILE_BYTES => Err(tree_rules::too_long()),
            Ok(_) => Ok(Cow::Owned(bytes)),
            Err(error) => Err(error.kind().to_string()),
        }
    }

    fn problems(&self) -> Vec<Finding> {
        self.problems.clone()
    }
}

/// Within what links are followed.
struct LinkBounds {
    /// The top of the repository, else the routing directory; a real path.
    top: PathBuf,
    /// From there to the routing directory.
    inside: String,
    in_git: bool,
}

impl LinkBounds {
    fn of(dir: &Path) -> Result<LinkBounds, Box<Finding>> {
        let found = find_checkout(dir).map_err(|error| {
            let finding = Finding::error(error.code.unwrap_or("unreadable-file"), error.message);
            finding.hint_of(error.hint)
        })?;
        let Some(checkout) = found else {
            // What does not exist is told by the walk.
            let top = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
            return Ok(LinkBounds {
                top,
                inside: String::new(),
                in_git: false,
            });
        };
        let mut bounds = LinkBounds {
            top: checkout.top,
            inside: checkout.inside,
            in_git: true,
        };
        let followed =
            tree_rules::follow_links("", &bounds.inside, &mut |path| Ok(bounds.node_at(path)));
        match followed {
            Ok((inside, _)) => bounds.inside = inside,
            Err(FollowError::Fault(LinkFault::Nowhere) | FollowError::Failed(_)) => {}
            Err(FollowError::Fault(fault)) => {
                let finding = fault.into_finding();
                let hint = "name the directory that it leads to with --routing";
                return Err(Box::new(finding.at(file_place(dir)).hint(hint)));
            }
        }
        Ok(bounds)
    }

    /// Whether a link, by its path from the routing directory, may be read.
    fn linked_file(&self, link: &Path) -> Result<(), LinkFault> {
        let path = format!("{}/{}", self.inside, link.to_string_lossy());
        match tree_rules::linked_file(&path, &mut |path| Ok(self.node_at(path))) {
            Ok(_) => Ok(()),
            Err(FollowError::Fault(fault)) => Err(fault),
            Err(FollowError::Failed(_)) => Err(LinkFault::Nowhere),
        }
    }

    fn node_at(&self, path: &str) -> PathNode {
        let path = self.top.join(path);
        let Ok(found) = fs::symlink_metadata(&path) else {
            return PathNode::Missing;
        };
        let kind = found.file_type();
        if kind.is_symlink() {
            return self.follow_link(&path);
        }
        match (kind.is_dir(), kind.is_file()) {
            (true, _) if self.in_git && has_git(&path) => PathNode::Repository,
            (true, _) => PathNode::Directory,
            (_, true) => PathNode::File,
            _ => PathNode::Special,
        }
    }

    fn follow_link(&self, path: &Path) -> PathNode {
        let Ok(target) = fs::read_link(path) else {
            return PathNode::Missing;
        };
        // In git an absolute path means another place in each clone.
        if let (false, Ok(below)) = (self.in_git, target.strip_prefix(&self.top)) {
            return PathNode::LinkFromTop(shown(below));
        }
        match target.to_str() {
            Some(target) => PathNode::Link(target.to_owned()),
            None => PathNode::Missing,
        }
    }
}

fn file_place(path: &Path) -> Place {
    Place::file(shown(path))
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.depth() > 0 && entry.file_name().to_string_lossy().starts_with('.')
}
