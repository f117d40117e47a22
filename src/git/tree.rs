//! The routing files of a directory as they were at a commit. Imports core.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::rc::Rc;

use super::Repository;
use super::objects::{FoundObject, GitObject, ObjectReader};
use crate::error::{Error, Result};
use crate::finding::Finding;
use crate::source::tree_rules::{
    self, FollowError, LinkFault, MAX_DEPTH, MAX_ENTRIES, MAX_FILE_BYTES, MAX_SYMLINKS, PathNode,
    is_toml,
};

/// Bytes of a directory as git keeps it, and of a link's target.
const MAX_TREE_BYTES: u64 = 64 << 20;
const MAX_LINK_BYTES: u64 = 4096;

/// The routing files of a directory at a commit; hidden files and directories
/// are passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitTree {
    /// In full hex.
    pub commit: String,
    top: PathBuf,
    /// From the top of the repository to the directory, its links followed.
    inside: String,
    /// Path from the directory and id of the content, sorted; the path is
    /// empty where the directory is a file itself.
    files: Vec<(String, String)>,
    /// What is wrong, with the path from the directory.
    pub problems: Vec<(String, Finding)>,
}

impl Repository {
    /// The routing files below `inside`, a path from the top, at a commit (in
    /// full hex); none where it did not exist then.
    pub fn commit_tree(&self, commit: &str, inside: &str) -> Result<Option<CommitTree>> {
        let mut walk = TreeWalk {
            objects: ObjectReader::start(&self.top)?,
            root: format!("{commit}^{{tree}}"),
            trees: HashMap::new(),
            found: CommitTree {
                commit: commit.to_owned(),
                top: self.top.clone(),
                inside: String::new(),
                files: Vec::new(),
                problems: Vec::new(),
            },
        };
        let there = match tree_rules::follow_links("", inside, &mut |path| walk.node_at(path)) {
            Ok((path, PathNode::Directory)) => {
                walk.found.inside.clone_from(&path);
                walk.walk_directory(&path)?;
                true
            }
            Ok((path, PathNode::File)) => walk.single_file(&path).map(|()| true)?,
            Ok(_) | Err(FollowError::Fault(LinkFault::Nowhere)) => false,
            Err(FollowError::Fault(fault)) => {
                walk.found
                    .problems
                    .push((String::new(), fault.into_finding()));
                true
            }
            Err(FollowError::Failed(error)) => return Err(error),
        };
        walk.found.files.sort();
        let path = |problem: &(String, Finding)| problem.0.clone();
        walk.found.problems.sort_by_key(path);
        Ok(there.then_some(walk.found))
    }
}

impl CommitTree {
    /// The paths of the files, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|(path, _)| path.as_str())
    }

    /// Reads the files one after the other, sorted by path; a file that is too
    /// long comes as the reason.
    pub fn read_files(
        &self,
        mut each: impl FnMut(&str, Result<Vec<u8>, String>) -> Result<()>,
    ) -> Result<()> {
        let mut objects = ObjectReader::start(&self.top)?;
        for (path, id) in &self.files {
            let content = match objects.read_object(id, MAX_FILE_BYTES)? {
                FoundObject::Whole(object) => Ok(object.bytes),
                FoundObject::TooLong => Err(tree_rules::too_long()),
                FoundObject::Missing => {
                    let path = format!("{}/{path}", self.inside);
                    return Err(object_missing(&self.commit, path.trim_matches('/')));
                }
            };
            each(path, content)?;
        }
        Ok(())
    }
}

/// What an entry of a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EntryKind {
    File,
    Directory,
    Link,
    Submodule,
}

/// An entry of a directory.
#[derive(Debug, Clone)]
struct TreeEntry {
    kind: EntryKind,
    id: String,
}

/// By their names, which need not be UTF-8: two that look alike are two.
type TreeEntries = Rc<BTreeMap<Vec<u8>, TreeEntry>>;

struct TreeWalk {
    objects: ObjectReader,
    /// What git calls the directory at the top.
    root: String,
    /// Directories that were read, by id.
    trees: HashMap<String, TreeEntries>,
    found: CommitTree,
}

impl TreeWalk {
    /// Goes through a directory, given by its path from the top.
    fn walk_directory(&mut self, top: &str) -> Result<()> {
        let Some(id) = self.tree_id(top)? else {
            return Ok(());
        };
        let (mut entries, mut links) = (0, 0);
        let mut ahead = vec![(String::new(), id, 1)];
        while let Some((dir, id, depth)) = ahead.pop() {
            for (name, entry) in self.read_entries(&id)?.iter() {
                if name.starts_with(b".") {
                    continue;
                }
                let path = format!("{dir}{}", String::from_utf8_lossy(name));
                entries += 1;
                links += usize::from(entry.kind == EntryKind::Link);
                if entries > MAX_ENTRIES || links > MAX_SYMLINKS || depth > MAX_DEPTH {
                    self.found.files.clear();
                    self.found.problems = vec![(String::new(), tree_rules::too_many_files())];
                    return Ok(());
                }
                match entry.kind {
                    EntryKind::Directory => {
                        ahead.push((format!("{path}/"), entry.id.clone(), depth + 1));
                    }
                    EntryKind::Submodule => self
                        .found
                        .problems
                        .push((path, tree_rules::nested_repository())),
                    EntryKind::Link => self.follow_link(top, path)?,
                    EntryKind::File if is_toml(&path) => {
                        self.found.files.push((path, entry.id.clone()));
                    }
                    EntryKind::File => {}
                }
            }
        }
        Ok(())
    }

    fn single_file(&mut self, path: &str) -> Result<()> {
        if let Some(entry) = self.entry_at(path)? {
            self.found.files.push((String::new(), entry.id));
        }
        Ok(())
    }

    fn follow_link(&mut self, top: &str, path: String) -> Result<()> {
        let link = format!("{top}/{path}");
        match tree_rules::linked_file(&link, &mut |path| self.node_at(path)) {
            Ok(file) if is_toml(&path) => {
                let entry = self.entry_at(&file)?;
                self.found.files.extend(entry.map(|entry| (path, entry.id)));
            }
            Ok(_) => {}
            Err(FollowError::Fault(fault)) => {
                self.found.problems.push((path, fault.into_finding()));
            }
            Err(FollowError::Failed(error)) => return Err(error),
        }
        Ok(())
    }

    fn node_at(&mut self, path: &str) -> Result<PathNode> {
        let Some(TreeEntry { kind, id }) = self.entry_at(path)? else {
            return Ok(PathNode::Missing);
        };
        Ok(match kind {
            EntryKind::File => PathNode::File,
            EntryKind::Directory => PathNode::Directory,
            EntryKind::Submodule => PathNode::Repository,
            EntryKind::Link => match self.objects.read_object(&id, MAX_LINK_BYTES)? {
                FoundObject::Whole(link) => match String::from_utf8(link.bytes) {
                    Ok(target) => PathNode::Link(target),
                    Err(_) => PathNode::Missing,
                },
                FoundObject::TooLong => PathNode::Missing,
                FoundObject::Missing => return Err(object_missing(&self.found.commit, path)),
            },
        })
    }

    /// The id of a directory by its path from the top.
    fn tree_id(&mut self, path: &str) -> Result<Option<String>> {
        if path.is_empty() {
            return Ok(Some(self.root.clone()));
        }
        Ok(self.entry_at(path)?.map(|entry| entry.id))
    }

    /// The entry at a path from the top, through directories alone.
    fn entry_at(&mut self, path: &str) -> Result<Option<TreeEntry>> {
        let mut tree = self.root.clone();
        let mut found = None;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            if found.is_some_and(|entry: TreeEntry| entry.kind != EntryKind::Directory) {
                return Ok(None);
            }
            let Some(entry) = self.read_entries(&tree)?.get(name.as_bytes()).cloned() else {
                return Ok(None);
            };
            tree.clone_from(&entry.id);
            found = Some(entry);
        }
        Ok(found)
    }

    fn read_entries(&mut self, id: &str) -> Result<TreeEntries> {
        if let Some(known) = self.trees.get(id) {
            return Ok(Rc::clone(known));
        }
        let commit = &self.found.commit;
        let entries = match self.objects.read_object(id, MAX_TREE_BYTES)? {
            FoundObject::Whole(object) => {
                parse(&object, commit.len() / 2).ok_or_else(|| not_written_by_git(commit))?
            }
            FoundObject::TooLong => return Err(Error::new("a directory in git is too long")),
            FoundObject::Missing => return Err(object_missing(commit, "a directory")),
        };
        let entries = Rc::new(entries);
        self.trees.insert(id.to_owned(), Rc::clone(&entries));
        Ok(entries)
    }
}

/// `<mode> <name>\0<id>` for each entry; an id is as long as the hash that the
/// repository uses. None where a name is there twice, or would lead elsewhere:
/// what git checks out of such a directory is another thing than what it says.
fn parse(tree: &GitObject, id_length: usize) -> Option<BTreeMap<Vec<u8>, TreeEntry>> {
    if tree.kind != "tree" {
        return None;
    }
    let mut entries = BTreeMap::new();
    let mut rest = tree.bytes.as_slice();
    while !rest.is_empty() {
        let blank = rest.iter().position(|byte| *byte == b' ')?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        let id = rest.get(end + 1..end + 1 + id_length)?;
        let name = rest.get(blank + 1..end)?;
        let entry = TreeEntry {
            kind: entry_kind(&rest[..blank])?,
            id: hex::encode(id),
        };
        let odd = name.is_empty() || name.contains(&b'/');
        if odd || entries.insert(name.to_vec(), entry).is_some() {
            return None;
        }
        rest = &rest[end + 1 + id_length..];
    }
    Some(entries)
}

/// A mode is octal, and git looks at its kind alone: `040000` and `40755` are
/// directories too.
fn entry_kind(mode: &[u8]) -> Option<EntryKind> {
    let mode = u32::from_str_radix(std::str::from_utf8(mode).ok()?, 8).ok()?;
    Some(match mode & 0o170_000 {
        0o100_000 => EntryKind::File,
        0o040_000 => EntryKind::Directory,
        0o120_000 => EntryKind::Link,
        _ => EntryKind::Submodule,
    })
}

fn not_written_by_git(commit: &str) -> Error {
    let short = commit.get(..12).unwrap_or(commit);
    Error::new(format!(
        "commit {short} has a directory that git would not write: a name is in it twice, or \
         leads elsewhere"
    ))
    .hint("somebody made it by hand; `git fsck` says what is wrong with it")
}

fn object_missing(commit: &str, what: &str) -> Error {
    let short = commit.get(..12).unwrap_or(commit);
    Error::new(format!(
        "this clone does not have {what} as it was at {short}"
    ))
    .hint(
        "it was cloned without all contents (`--filter`), and lkroute fetches nothing: clone it \
         without, or run `git checkout` of that commit once",
    )
}
