//! Which commit the files are of, and the order of applies: an older revision
//! does not undo a newer one. Imports `files`, `git` and core.

use std::collections::BTreeMap;
use std::path::Path;

use crate::count_words::counted;
use crate::error::{Error, Exit, Result};
use crate::files::{self, Tree, find_checkout};
use crate::git::{Ancestry, CommitTree, Repository, Revision};
use crate::snapshot::ApplyRecord;
use crate::source::Sources;

/// The commit that the files are a checkout of, and how they differ from it.
#[derive(Debug, Clone)]
pub struct CheckedOut {
    pub revision: Revision,
    /// The routing files that are not as they are in the commit, each with
    /// how: new ones, git-ignored ones among them, changed and missing ones.
    pub uncommitted: Vec<String>,
}

impl CheckedOut {
    /// What to say of files that are not those of the commit.
    pub fn note(&self) -> Option<String> {
        let shown = 3;
        let more = match self.uncommitted.len() {
            0 => return None,
            count if count > shown => format!(" and {} more", count - shown),
            _ => String::new(),
        };
        let first: Vec<&str> = self.uncommitted.iter().take(shown).map(|s| &**s).collect();
        let commit = short_commit(&self.revision.commit);
        let first = first.join(", ");
        Some(format!("not as in commit {commit}: {first}{more}"))
    }
}

/// What the routing files are a checkout of; none outside of git, and before
/// the first commit. The files are compared by what they hold, with CRLF as
/// LF: git's own word passes over ignored files, which are read all the same,
/// and runs what its configuration names.
///
/// # Errors
/// A git that is missing, too old or refuses the repository; a checkout that
/// leaves out files of the commit.
pub(crate) fn checked_out(dir: &Path) -> Result<Option<CheckedOut>> {
    let Some(checkout) = find_checkout(dir)? else {
        return Ok(None);
    };
    let repository = Repository::open(&checkout.top)?;
    let Some(commit) = repository.head_commit()? else {
        return Ok(None);
    };
    let tree = repository.commit_tree(&commit, &checkout.inside)?;
    let compared = compare(dir, tree.as_ref())?;
    if !compared.missing.is_empty() && repository.is_sparse()? {
        let count = counted(compared.missing.len() as u64, "routing file");
        let message = format!(
            "this checkout is sparse, and {count} of commit {} are not in it: {}",
            short_commit(&commit),
            compared.missing[0]
        );
        return Err(Error::new(message).hint(
            "what is not there would be removed: take the directory in with `git \
             sparse-checkout add`, or commit the removal",
        ));
    }
    let missing = compared
        .missing
        .iter()
        .map(|path| format!("{path} (missing)"));
    let uncommitted: Vec<String> = compared.changed.into_iter().chain(missing).collect();
    let revision = Revision {
        commit,
        dirty: !uncommitted.is_empty(),
    };
    Ok(Some(CheckedOut {
        revision,
        uncommitted,
    }))
}

/// How files on disk and in a commit differ.
#[derive(Default)]
struct WorkTreeDiff {
    changed: Vec<String>,
    missing: Vec<String>,
}

fn compare(dir: &Path, tree: Option<&CommitTree>) -> Result<WorkTreeDiff> {
    let files = Tree::open(dir);
    let mut diff = WorkTreeDiff::default();
    let mut new: BTreeMap<&str, usize> = BTreeMap::new();
    new.extend(files.paths().iter().map(String::as_str).zip(0..));
    if let Some(tree) = tree {
        for (path, finding) in &tree.problems {
            let path = path_below(dir, path);
            if finding.code == "nested-repository" {
                let commit = short_commit(&tree.commit);
                let message = format!("`{path}` is a submodule in commit {commit}");
                let hint = finding.hint.clone().unwrap_or_default();
                return Err(Error::new(message).hint(hint));
            }
            diff.changed.push(format!("{path} (changed)"));
        }
        tree.read_files(|path, committed| {
            let path = path_below(dir, path);
            let now = new.remove(path.as_str()).map(|file| files.read(file));
            match (now, committed) {
                (None, _) => diff.missing.push(path),
                (Some(Ok(now)), Ok(committed)) if is_same_text(&now, &committed) => {}
                _ => diff.changed.push(format!("{path} (changed)")),
            }
            Ok(())
        })?;
    }
    let new = new.into_keys().map(|path| format!("{path} (not in it)"));
    diff.changed.extend(new);
    Ok(diff)
}

/// A file of a tree in git, by its path from the routing directory, as the
/// user would type it.
pub(crate) fn path_below(dir: &Path, path: &str) -> String {
    match path {
        "" => files::shown(dir),
        path => files::shown(&dir.join(path)),
    }
}

/// Whether two files hold the same, however their lines end.
fn is_same_text(one: &[u8], other: &[u8]) -> bool {
    one == other || with_lf(one) == with_lf(other)
}

fn with_lf(bytes: &[u8]) -> Vec<u8> {
    let next = bytes.iter().skip(1).map(Some).chain([None]);
    let pairs = bytes.iter().zip(next);
    let kept = pairs.filter(|pair| *pair != (&b'\r', Some(&b'\n')));
    kept.map(|(byte, _)| *byte).collect()
}

/// Refuses to apply over a commit that the one at hand does not contain;
/// `superseded` names a commit that may be undone.
pub(crate) fn in_order(
    dir: &Path,
    last: Option<&ApplyRecord>,
    now: Option<&Revision>,
    superseded: Option<&str>,
) -> Result<()> {
    let last = last.and_then(|apply| Some((apply, apply.revision.as_deref()?)));
    let (Some((apply, old)), Some(now)) = (last, now) else {
        return Ok(());
    };
    let new = now.commit.as_str();
    if superseded.is_some_and(|commit| commit.len() >= 7 && old.starts_with(commit)) {
        return Ok(());
    }
    let Some(checkout) = find_checkout(dir)? else {
        return Ok(());
    };
    let (why, first) = match Repository::open(&checkout.top)?.ancestry(old, new)? {
        Ancestry::Ancestor => return Ok(()),
        Ancestry::NotAncestor => (
            "which is not among its ancestors",
            "bring the branch up to date",
        ),
        Ancestry::Unknown => ("which this clone does not have", "fetch it"),
        Ancestry::Shallow => (
            "which this clone, being shallow, does not have",
            "fetch the whole history (`git fetch --unshallow`)",
        ),
    };
    let message = format!(
        "commit {} would undo apply {}, made of commit {}, {why}",
        short_commit(new),
        apply.id,
        short_commit(old)
    );
    Err(Error::exit(Exit::Stale, message).hint(format!(
        "{first}, or say `--supersede {}` if it is to be undone",
        short_commit(old)
    )))
}

/// Whether the last apply, where it was of another commit, is known to be made
/// of one behind that of `done`: by `--supersede` it may be of one before it.
pub(crate) fn is_followed(dir: &Path, done: &ApplyRecord, last: Option<&ApplyRecord>) -> bool {
    let last = last.and_then(|last| last.revision.as_deref());
    let (Some(commit), Some(last)) = (done.revision.as_deref(), last) else {
        return true;
    };
    let checkout = find_checkout(dir).ok().flatten();
    let repository = checkout.and_then(|checkout| Repository::open(&checkout.top).ok());
    commit == last
        || repository.is_some_and(|repository| {
            matches!(repository.ancestry(commit, last), Ok(Ancestry::Ancestor))
        })
}

fn short_commit(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}
