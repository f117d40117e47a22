//! The git edge, on real repositories.

use std::path::Path;
use std::process::Command;

use lkroute::git::{Ancestry, Revision, ancestry, commit_of, revision};
use tempfile::TempDir;

/// Runs git in a directory with an author of its own; its output, trimmed.
pub fn git(dir: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(dir).args(args);
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null");
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "Somebody");
        command.env(format!("GIT_{role}_EMAIL"), "somebody@git.example");
    }
    let output = command.output().expect("run git");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {args:?}: {error}");
    String::from_utf8(output.stdout)
        .expect("UTF-8")
        .trim()
        .to_owned()
}

fn write(dir: &TempDir, name: &str, text: &str) {
    std::fs::write(dir.path().join(name), text).expect("write a file");
}

fn commit(dir: &TempDir, text: &str) -> String {
    write(dir, "a.toml", text);
    git(dir.path(), &["add", "."]);
    git(dir.path(), &["commit", "-qm", text]);
    git(dir.path(), &["rev-parse", "HEAD"])
}

#[test]
fn a_revision_is_a_commit_and_whether_more_was_changed() {
    let dir = tempfile::tempdir().expect("a directory");
    assert_eq!(revision(dir.path()).unwrap(), None, "no repository");
    git(dir.path(), &["init", "-q"]);
    assert_eq!(revision(dir.path()).unwrap(), None, "no commit");
    let commit = commit(&dir, "one");
    let clean = Revision {
        commit: commit.clone(),
        dirty: false,
    };
    assert_eq!(revision(dir.path()).unwrap(), Some(clean));
    write(&dir, "new.toml", "two");
    let dirty = revision(dir.path()).unwrap().expect("a revision");
    assert!(dirty.dirty, "a file that git does not know");
    assert_eq!(dirty.recorded(), format!("{commit}-dirty"));
    assert_eq!(commit_of(&dirty.recorded()), commit);
}

#[test]
fn an_older_commit_is_told_from_a_newer_and_an_unknown_one() {
    let dir = tempfile::tempdir().expect("a directory");
    git(dir.path(), &["init", "-q"]);
    let (one, two) = (commit(&dir, "one"), commit(&dir, "two"));
    let is = |old: &str, new: &str| ancestry(dir.path(), old, new).unwrap();
    assert_eq!(is(&one, &two), Ancestry::Ancestor);
    assert_eq!(is(&two, &two), Ancestry::Ancestor);
    assert_eq!(is(&two, &one), Ancestry::NotAncestor);
    assert_eq!(is(&"0".repeat(40), &two), Ancestry::Unknown);

    let clone = tempfile::tempdir().expect("a directory");
    let from = format!("file://{}", dir.path().display());
    git(clone.path(), &["clone", "-q", "--depth", "1", &from, "."]);
    let is = ancestry(clone.path(), &one, &two).unwrap();
    assert_eq!(is, Ancestry::Shallow);
}
