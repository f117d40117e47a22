//! The edge to git: which revision the files are of, and which of two came
//! first. Imports core. It runs the command `git` and reads its answers;
//! without git, or outside a repository, there is no revision.

mod tree;

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::error::{Error, Result};
pub use tree::{Tree, tree};

/// What the files in a directory are a checkout of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// In full hex.
    pub commit: String,
    /// Whether the directory holds what was never committed.
    pub dirty: bool,
}

/// How one commit stands to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ancestry {
    Ancestor,
    NotAncestor,
    /// This clone does not have the older commit.
    Unknown,
    /// Nor could it: its history was cut off when it was fetched.
    Shallow,
}

/// The revision of a directory; none where it is in no repository, or in
/// one without a commit.
pub fn revision(dir: &Path) -> Result<Option<Revision>> {
    let Some(inside) = git(dir, ["rev-parse", "--is-inside-work-tree"])? else {
        return Ok(None);
    };
    if !inside.status.success() {
        let why = text(&inside.stderr);
        return match why.contains("not a git repository") {
            true => Ok(None),
            false => Err(failed("rev-parse", &why)),
        };
    }
    let Some(head) = git(dir, ["rev-parse", "--verify", "--quiet", "HEAD"])? else {
        return Ok(None);
    };
    if !head.status.success() {
        return Ok(None);
    }
    let status = git(
        dir,
        ["status", "--porcelain", "--untracked-files=all", "--", "."],
    )?;
    let dirty = match status {
        Some(status) if status.status.success() => !status.stdout.is_empty(),
        Some(status) => return Err(failed("status", &text(&status.stderr))),
        None => false,
    };
    let commit = text(&head.stdout);
    Ok(Some(Revision { commit, dirty }))
}

/// Whether `old` is `new` or came before it.
pub fn ancestry(dir: &Path, old: &str, new: &str) -> Result<Ancestry> {
    let known = git(dir, ["cat-file", "-e", &format!("{old}^{{commit}}")])?;
    if !known.is_some_and(|known| known.status.success()) {
        let shallow = git(dir, ["rev-parse", "--is-shallow-repository"])?;
        let shallow = shallow.is_some_and(|answer| text(&answer.stdout) == "true");
        return Ok(if shallow {
            Ancestry::Shallow
        } else {
            Ancestry::Unknown
        });
    }
    let Some(answer) = git(dir, ["merge-base", "--is-ancestor", old, new])? else {
        return Ok(Ancestry::Unknown);
    };
    match answer.status.code() {
        Some(0) => Ok(Ancestry::Ancestor),
        Some(1) => Ok(Ancestry::NotAncestor),
        _ => Err(failed("merge-base", &text(&answer.stderr))),
    }
}

/// Runs git in a directory; `None` where there is no git.
fn git<I>(dir: &Path, args: I) -> Result<Option<Output>>
where
    I: IntoIterator<Item: AsRef<OsStr>>,
{
    match command(dir).args(args).stdin(Stdio::null()).output() {
        Ok(output) => Ok(Some(output)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("start", &error.to_string())),
    }
}

fn command(dir: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(dir);
    command.env("LC_ALL", "C").env("GIT_OPTIONAL_LOCKS", "0");
    // Nobody is there to answer where git fetches what a partial clone lacks.
    command.env("GIT_TERMINAL_PROMPT", "0");
    command
}

fn failed(what: &str, why: &str) -> Error {
    let first = why.lines().next().unwrap_or_default();
    Error::new(format!("git {what} failed: {first}"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}
