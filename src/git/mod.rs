//! The edge to git: which revision the files are of, which of two came first,
//! and the files as they were. Imports core. It runs the command `git` and
//! reads its answers.
//!
//! Whoever writes files of a repository, or its configuration, must not get
//! git to run anything or to reach out: see [`command`]. Only commands that
//! read objects and references are used, none that looks at the index or at
//! the work tree, where filters, file system monitors and submodules are.

mod objects;
mod tree;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::error::{Error, Result};
pub use tree::CommitTree;

/// The oldest git that is tried in tests of ours: see docs/operations.md.
const OLDEST: (u32, u32) = (2, 25);

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

/// A repository that git has taken for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// The directory that holds `.git`; a real path.
    top: PathBuf,
}

impl Repository {
    /// The repository whose `.git` is in `top`.
    ///
    /// # Errors
    /// No git, one that is too old, or one that refuses this repository.
    pub fn open(top: &Path) -> Result<Repository> {
        let repository = Repository {
            top: top.to_owned(),
        };
        let version = repository.run_git(["--version"])?;
        if !version.status.success() {
            return Err(git_failed("--version", &version.stderr));
        }
        check_version(&output_text(&version.stdout))?;
        let is_it = repository.run_git(["rev-parse", "--is-bare-repository", "--show-prefix"])?;
        if !is_it.status.success() {
            return Err(git_failed("rev-parse", &is_it.stderr));
        }
        if is_it.stdout != b"false\n\n" {
            let message = format!("git does not take `{}` for a work tree", top.display());
            return Err(Error::new(message)
                .hint("look at core.bare and core.worktree in its configuration"));
        }
        Ok(repository)
    }

    /// The commit that is checked out; none in a repository without one.
    pub fn head_commit(&self) -> Result<Option<String>> {
        self.ask_git(&["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])
    }

    /// The commit that a revision names, in full hex.
    pub fn named_commit(&self, revision: &str) -> Result<String> {
        if let Some((commit, warned)) = self.look_up(revision)? {
            // Git would choose one of several and only warn, which nobody sees.
            if !warned.contains("is ambiguous") {
                return Ok(commit);
            }
            let message = format!("{revision} is the name of more than one revision");
            return Err(Error::new(message).hint(
                "say which: refs/heads/NAME is a branch, refs/tags/NAME a tag, and a commit by \
                 all its 40 digits is none of them",
            ));
        }
        Err(if self.is_shallow()? {
            Error::new(format!(
                "this clone does not have the revision {revision}: it is shallow, \
             its history was cut off when it was fetched"
            ))
            .hint(
                "in GitHub Actions, give actions/checkout `fetch-depth: 0`; in GitLab, set \
             `GIT_DEPTH: 0`; by hand, run `git fetch --unshallow`",
            )
        } else {
            Error::new(format!("git knows no revision {revision}"))
                .hint("`git fetch` may bring it; a branch of a remote is origin/NAME")
        })
    }

    /// Whether something has this name, or more than one.
    pub fn is_revision(&self, name: &str) -> Result<bool> {
        Ok(self.look_up(name)?.is_some())
    }

    /// The commit that git takes a name for, and what it warns of.
    fn look_up(&self, revision: &str) -> Result<Option<(String, String)>> {
        // No name begins with a dash: that would be an option.
        if revision.starts_with('-') {
            return Ok(None);
        }
        let name = format!("{revision}^{{commit}}");
        let answer = self.run_git(["rev-parse", "--verify", &name])?;
        let found = (output_text(&answer.stdout), output_text(&answer.stderr));
        Ok(answer.status.success().then_some(found))
    }

    /// Whether `old` is `new` or came before it; both in full hex.
    pub fn ancestry(&self, old: &str, new: &str) -> Result<Ancestry> {
        let known = format!("{old}^{{commit}}");
        if !self.run_git(["cat-file", "-e", &known])?.status.success() {
            return Ok(if self.is_shallow()? {
                Ancestry::Shallow
            } else {
                Ancestry::Unknown
            });
        }
        let answer = self.run_git(["merge-base", "--is-ancestor", old, new])?;
        match answer.status.code() {
            Some(0) => Ok(Ancestry::Ancestor),
            Some(1) => Ok(Ancestry::NotAncestor),
            _ => Err(git_failed("merge-base", &answer.stderr)),
        }
    }

    /// Whether only a part of the files was checked out.
    pub fn is_sparse(&self) -> Result<bool> {
        let set = self.ask_git(&["config", "--type=bool", "--get", "core.sparseCheckout"])?;
        Ok(set.is_some_and(|value| value == "true"))
    }

    fn is_shallow(&self) -> Result<bool> {
        let shallow = self.ask_git(&["rev-parse", "--is-shallow-repository"])?;
        Ok(shallow.is_some_and(|answer| answer == "true"))
    }

    /// What git says to a question; none where it says no.
    fn ask_git(&self, args: &[&str]) -> Result<Option<String>> {
        let answer = self.run_git(args)?;
        Ok(answer.status.success().then(|| output_text(&answer.stdout)))
    }

    fn run_git<I>(&self, args: I) -> Result<Output>
    where
        I: IntoIterator<Item: AsRef<OsStr>>,
    {
        let mut command = git_command(&self.top);
        let output = command.args(args).stdin(Stdio::null()).output();
        output.map_err(|error| not_started(&error))
    }
}

/// What git gets of the environment: where it finds its own configuration
/// (containers need the `safe.directory` in it), other programs and libraries,
/// and whose processes these are. No `GIT_*`, which would lead it elsewhere,
/// and no secret.
const ENVIRONMENT: [&str; 13] = [
    "HOME",
    "XDG_CONFIG_HOME",
    "PATH",
    "USER",
    "LOGNAME",
    "SUDO_UID",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "NIX_LD",
    "USERPROFILE",
    "SYSTEMROOT",
    "TEMP",
];

/// Switches off what runs a program or reaches out, whatever a configuration
/// says; none of it is needed to read objects.
const SWITCHED_OFF: [&str; 13] = [
    // A directory that looks like a repository is none (git 2.38 and later).
    "safe.bareRepository=explicit",
    "core.fsmonitor=",
    "core.hooksPath=/dev/null",
    "core.pager=cat",
    "core.askPass=",
    "core.sshCommand=false",
    "core.alternateRefsCommand=",
    "credential.helper=",
    "diff.external=",
    "protocol.allow=never",
    "submodule.recurse=false",
    "core.commitGraph=false",
    // No configuration may switch this warning off: `named_commit` relies on it.
    "core.warnAmbiguousRefs=true",
];

/// `git` in a directory that holds a `.git`, obeying nobody but us.
fn git_command(top: &Path) -> Command {
    let mut command = Command::new("git");
    command.env_clear();
    for name in ENVIRONMENT {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
        .env("LC_ALL", "C")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_OPTIONAL_LOCKS", "0")
        // Replacements and grafts, which give a commit other parents.
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("GIT_GRAFT_FILE", "/dev/null")
        // A partial clone fetches what it lacks, with the program that its
        // configuration names. Git before 2.45 knows only the second.
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_ALLOW_PROTOCOL", "");
    // Never a directory further up. Never GIT_DIR or --git-dir, with which git
    // does not look whose repository it is.
    if let Some(parent) = top.parent() {
        command.env("GIT_CEILING_DIRECTORIES", parent);
    }
    command.arg("-C").arg(top).arg("--no-pager");
    for switch in SWITCHED_OFF {
        command.args(["-c", switch]);
    }
    command
}

/// `git version 2.39.5`, with whatever a vendor adds.
fn check_version(answer: &str) -> Result<()> {
    let version = answer.split_whitespace().nth(2).unwrap_or_default();
    let mut parts = version.split('.').map(str::parse::<u32>);
    let (oldest, old) = (OLDEST, "is too old");
    let what = match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= oldest => return Ok(()),
        (Some(Ok(_)), Some(Ok(_))) => format!("git {version} {old}"),
        _ => "git does not tell its version".to_owned(),
    };
    let (major, minor) = oldest;
    Err(Error::new(format!(
        "{what}: lkroute needs git {major}.{minor} or later"
    )))
}

fn not_started(error: &std::io::Error) -> Error {
    if error.kind() != std::io::ErrorKind::NotFound {
        return Error::new(format!("git can't be started: {error}"));
    }
    Error::new("git is not installed, and the routing files are in a git repository").hint(
        "install git: which commit is applied, and that none undoes a newer one, is read with it; \
         or work on a copy without `.git`",
    )
}

/// With all that git says: what to do about it is often at the end.
fn git_failed(what: &str, why: &[u8]) -> Error {
    let why = String::from_utf8_lossy(why).replace('\t', "  ");
    let lines = why.lines().map(str::trim_end);
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    let first = lines.first().copied().unwrap_or("it does not say why");
    let first = first.strip_prefix("fatal: ").unwrap_or(first);
    let rest = lines.get(1..).unwrap_or_default().join("\n");
    Error::new(format!("git {what} failed: {first}")).lines(&rest)
}

fn output_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}
