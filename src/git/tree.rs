//! The files of a directory as they were at a revision, read with one process
//! for the list and one for all contents. Imports core.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Stdio};
use std::thread;

use super::{command, failed, git, text};
use crate::error::{Error, Result};

/// A directory at a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// In full hex.
    pub commit: String,
    /// What git runs in.
    root: PathBuf,
    /// From the top of the repository to the directory; ends in `/`, or empty.
    prefix: String,
    /// Sorted by path.
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    /// From the directory, with `/`.
    path: String,
    id: String,
    symlink: bool,
}

/// The directory `dir` at a revision; none where it did not exist then. It
/// need not exist now.
pub fn tree(dir: &Path, revision: &str) -> Result<Option<Tree>> {
    let (root, rest) = existing(dir);
    let prefix = prefix(&root)?;
    let commit = commit(&root, revision)?;
    let prefix = match rest.to_string_lossy() {
        rest if rest.is_empty() => prefix,
        rest => format!("{prefix}{}/", rest.trim_end_matches('/')),
    };
    let name = format!("{commit}:{}", prefix.trim_end_matches('/'));
    let found = ask(&root, &["cat-file", "-t", &name])?;
    if found.is_none_or(|kind| kind != b"tree\n") {
        return Ok(None);
    }
    let list = ask(&root, &["ls-tree", "-r", "-z", "--full-tree", &name])?;
    let list = list.ok_or_else(|| failed("ls-tree", "it can't list the directory"))?;
    let list = String::from_utf8_lossy(&list);
    Ok(Some(Tree {
        commit,
        root,
        prefix,
        entries: list.split_terminator('\0').filter_map(entry).collect(),
    }))
}

impl Tree {
    /// Reads the files whose path (from the directory, with `/`) is wanted,
    /// one after the other, sorted by path.
    pub fn read(
        &self,
        wanted: impl Fn(&str) -> bool,
        mut each: impl FnMut(&str, Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        let entries = self.entries.iter().filter(|entry| wanted(&entry.path));
        let entries: Vec<&Entry> = entries.collect();
        let mut command = command(&self.root);
        command
            .args(["cat-file", "--batch", "--buffer", "--follow-symlinks"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command
            .spawn()
            .map_err(|error| failed("start", &error.to_string()))?;
        let names: String = entries.iter().map(|entry| self.object(entry)).collect();
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed("cat-file", "it has no pipes"));
        };
        let feeding = thread::spawn(move || feed(stdin, &names));
        let mut answers = BufReader::new(stdout);
        let read = entries.iter().try_for_each(|entry| {
            let bytes = answer(&mut answers).map_err(|why| self.unreadable(entry, &why))?;
            each(&entry.path, bytes)
        });
        // Where reading stopped early, git ends on its closed pipe.
        drop(answers);
        let _ = feeding.join();
        let _ = child.wait();
        read
    }

    /// The object's name for git, as a line.
    fn object(&self, entry: &Entry) -> String {
        match entry.symlink {
            true => format!("{}:{}{}\n", self.commit, self.prefix, entry.path),
            false => format!("{}\n", entry.id),
        }
    }

    fn unreadable(&self, entry: &Entry, why: &str) -> Error {
        let short = self.commit.get(..12).unwrap_or(&self.commit);
        let (prefix, path) = (&self.prefix, &entry.path);
        Error::new(format!("can't read {prefix}{path} at {short}: {why}"))
    }
}

/// The nearest directory that exists, and the way on from there.
fn existing(dir: &Path) -> (PathBuf, PathBuf) {
    let found = dir.ancestors().find(|path| path.is_dir());
    let found = found.unwrap_or(Path::new(""));
    let rest = dir.strip_prefix(found).unwrap_or(dir).to_owned();
    match found.as_os_str().is_empty() {
        true => (PathBuf::from("."), rest),
        false => (found.to_owned(), rest),
    }
}

/// The way from the top of the repository to a directory in it.
fn prefix(root: &Path) -> Result<String> {
    let answer = git(root, ["rev-parse", "--show-prefix"])?;
    let Some(answer) = answer else {
        return Err(Error::new(
            "git is not installed, and revisions are read with it",
        ));
    };
    match answer.status.success() {
        true => Ok(text(&answer.stdout)),
        false => {
            let why = text(&answer.stderr);
            Err(failed("rev-parse", &why).hint("revisions are read from a clone of the repository"))
        }
    }
}

/// The commit that a revision names, in full hex.
fn commit(root: &Path, revision: &str) -> Result<String> {
    let name = format!("{revision}^{{commit}}");
    let verify = [
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        &name,
    ];
    if let Some(commit) = ask(root, &verify)? {
        return Ok(text(&commit));
    }
    let shallow = ask(root, &["rev-parse", "--is-shallow-repository"])?;
    Err(match shallow.is_some_and(|answer| answer == b"true\n") {
        true => Error::new(format!(
            "this clone does not have the revision {revision}: it is shallow, \
             its history was cut off when it was fetched"
        ))
        .hint(
            "in GitHub Actions, give actions/checkout `fetch-depth: 0`; in GitLab, set \
             `GIT_DEPTH: 0`; by hand, run `git fetch --unshallow`",
        ),
        false => Error::new(format!("git knows no revision {revision}"))
            .hint("`git fetch` may bring it; a branch of a remote is origin/NAME"),
    })
}

/// What git says to a question; none where it fails.
fn ask(root: &Path, args: &[&str]) -> Result<Option<Vec<u8>>> {
    let answer = git(root, args)?;
    Ok(answer
        .filter(|answer| answer.status.success())
        .map(|answer| answer.stdout))
}

/// `<mode> <type> <id>\t<path>`; submodules hold no files of ours.
fn entry(line: &str) -> Option<Entry> {
    let (facts, path) = line.split_once('\t')?;
    let mut facts = facts.split(' ');
    let (mode, kind, id) = (facts.next()?, facts.next()?, facts.next()?);
    (kind == "blob").then(|| Entry {
        path: path.to_owned(),
        id: id.to_owned(),
        symlink: mode == "120000",
    })
}

/// A reader that stopped early is seen where the answers are read.
fn feed(mut stdin: ChildStdin, names: &str) {
    let _ = stdin.write_all(names.as_bytes());
}

/// The next answer of `cat-file`: a file's bytes, or why there are none.
fn answer(from: &mut impl BufRead) -> Result<Vec<u8>, String> {
    let mut head = String::new();
    from.read_line(&mut head).map_err(|why| why.to_string())?;
    let words: Vec<&str> = head.trim_end().rsplitn(3, ' ').collect();
    let size = match words[..] {
        [size, "blob", _] => size.parse().map_err(|_| "git gives no size")?,
        [_, "tree", _] => return Err("it is a link to a directory".to_owned()),
        [_, "loop"] => return Err("its links go in a circle".to_owned()),
        [_, "symlink"] => return Err("it is a link that leaves the repository".to_owned()),
        [_, "dangling" | "notdir"] => return Err("it is a link to nothing".to_owned()),
        _ => return Err("git does not have it".to_owned()),
    };
    let mut bytes = vec![0; size];
    from.read_exact(&mut bytes).map_err(|why| why.to_string())?;
    from.read_exact(&mut [0]).map_err(|why| why.to_string())?;
    Ok(bytes)
}
