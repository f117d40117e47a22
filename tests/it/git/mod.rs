//! The git edge, on real repositories.

mod forged;
mod hostile;
mod links;
mod places;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use lkroute::git::{Ancestry, CommitTree, Repository};
use tempfile::TempDir;

use crate::support::Lkroute;

/// Runs git in a directory with an author of its own; its output, trimmed.
pub fn git(dir: &Path, args: &[&str]) -> String {
    git_with_input(dir, args, "")
}

fn git_with_input(dir: &Path, args: &[&str], input: &str) -> String {
    let mut command = Command::new("git");
    command.current_dir(dir).args(args);
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null");
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "Somebody");
        command.env(format!("GIT_{role}_EMAIL"), "somebody@git.example");
    }
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("run git");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(input.as_bytes()).expect("git reads it");
    drop(stdin);
    let output = child.wait_with_output().expect("git ends");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {args:?}: {error}");
    String::from_utf8(output.stdout)
        .expect("UTF-8")
        .trim()
        .to_owned()
}

/// Makes a directory a repository without a commit.
fn repository(dir: &Path) {
    git(dir, &["init", "-q"]);
}

/// Commits all that there is; the commit.
fn commit_all(dir: &Path, message: &str) -> String {
    git(dir, &["add", "--all"]);
    git(dir, &["commit", "-q", "--allow-empty", "-m", message]);
    git(dir, &["rev-parse", "HEAD"])
}

/// Puts a script in the place of git, in which `GIT` is the real one.
fn stand_in(lkroute: &mut Lkroute, script: &str) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let real = std::env::split_paths(&path).map(|dir| dir.join("git"));
    let real = real.into_iter().find(|git| git.is_file()).expect("git");
    let script = script.replace("GIT ", &format!("{} ", real.display()));
    let bin = lkroute.path().join("bin");
    fs::create_dir_all(&bin).expect("make it");
    fs::write(bin.join("git"), format!("#!/bin/sh\n{script}\n")).expect("write it");
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(bin.join("git"), mode).expect("make it run");
    let path = format!("{}:{}", bin.display(), path.to_string_lossy());
    lkroute.env("PATH", &path);
}

fn open(dir: &Path) -> Repository {
    Repository::open(dir).expect("a repository")
}

fn write(dir: &TempDir, name: &str, text: &str) {
    fs::write(dir.path().join(name), text).expect("write a file");
}

fn commit(dir: &TempDir, text: &str) -> String {
    write(dir, "a.toml", text);
    commit_all(dir.path(), text)
}

#[test]
fn a_repository_is_what_git_takes_for_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let error = Repository::open(dir.path()).unwrap_err();
    assert_contains!(error.message, "not a git repository");
    git(dir.path(), &["init", "-q"]);
    assert_eq!(open(dir.path()).head_commit().unwrap(), None, "no commit");
    let commit = commit(&dir, "one");
    assert_eq!(open(dir.path()).head_commit().unwrap(), Some(commit));
    // Never one further up.
    let inner = dir.path().join("inner");
    fs::create_dir(&inner).expect("make it");
    let error = Repository::open(&inner).unwrap_err();
    assert_contains!(error.message, "not a git repository");
}

#[test]
fn an_older_commit_is_told_from_a_newer_and_an_unknown_one() {
    let dir = tempfile::tempdir().expect("a directory");
    git(dir.path(), &["init", "-q"]);
    let (one, two) = (commit(&dir, "one"), commit(&dir, "two"));
    let repository = open(dir.path());
    let is = |old: &str, new: &str| repository.ancestry(old, new).unwrap();
    assert_eq!(is(&one, &two), Ancestry::Ancestor);
    assert_eq!(is(&two, &two), Ancestry::Ancestor);
    assert_eq!(is(&two, &one), Ancestry::NotAncestor);
    assert_eq!(is(&"0".repeat(40), &two), Ancestry::Unknown);

    let clone = tempfile::tempdir().expect("a directory");
    let from = format!("file://{}", dir.path().display());
    git(clone.path(), &["clone", "-q", "--depth", "1", &from, "."]);
    let is = open(clone.path()).ancestry(&one, &two).unwrap();
    assert_eq!(is, Ancestry::Shallow);
}

/// Every file of a tree, as `path=text`.
fn contents(tree: &CommitTree) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let read = tree.read_files(|path, bytes| {
        let bytes = bytes.expect("it is not too long");
        found.push(format!("{path}={}", String::from_utf8_lossy(&bytes)));
        Ok(())
    });
    read.map(|()| found).map_err(|error| error.message)
}

#[test]
fn a_directory_is_read_as_it_was_at_a_revision() {
    let dir = tempfile::tempdir().expect("a directory");
    let routing = dir.path().join("deep/routing");
    fs::create_dir_all(routing.join("more")).expect("make them");
    git(dir.path(), &["init", "-q"]);
    let odd = "deep/routing/more/two\nlines ü.TOML";
    write(&dir, odd, "odd");
    write(&dir, "deep/routing/b.toml", "");
    write(&dir, "deep/routing/a.toml", &"long\n".repeat(50_000));
    write(&dir, "deep/routing/notes.md", "unread");
    write(&dir, "deep/routing/.hidden.toml", "unread");
    write(&dir, "outside.toml", "shared");
    std::os::unix::fs::symlink("../../outside.toml", routing.join("link.toml")).expect("a link");
    let old = commit(&dir, "one");
    fs::remove_dir_all(dir.path().join("deep")).expect("remove it");
    let new = commit(&dir, "two");

    let repository = open(dir.path());
    let tree = |commit: &str, inside: &str| repository.commit_tree(commit, inside).unwrap();
    let found = tree(&old, "deep/routing").expect("it was there");
    assert_eq!((&found.commit, &found.problems[..]), (&old, &[][..]));
    let long = format!("a.toml={}", "long\n".repeat(50_000));
    let rest = ["b.toml=", "link.toml=shared", "more/two\nlines ü.TOML=odd"];
    let found = contents(&found).unwrap();
    assert_eq!(found[0], long);
    assert_eq!(found[1..], rest);
    assert_eq!(tree(&new, "deep/routing"), None, "it is gone");
    assert_eq!(tree(&old, "never"), None);
    assert_eq!(tree(&old, "deep/routing/notes.md/x"), None);
    let top = tree(&new, "").expect("the top");
    assert_eq!(
        contents(&top).unwrap(),
        ["a.toml=two", "outside.toml=shared"]
    );
    let one = tree(&new, "a.toml").expect("the file");
    assert_eq!(contents(&one).unwrap(), ["=two"]);
}

#[test]
fn repositories_with_longer_hashes_are_read() {
    let dir = tempfile::tempdir().expect("a directory");
    git(dir.path(), &["init", "-q", "--object-format=sha256"]);
    let commit = commit(&dir, "one");
    assert_eq!(commit.len(), 64);
    let tree = open(dir.path())
        .commit_tree(&commit, "")
        .unwrap()
        .expect("the top");
    assert_eq!(contents(&tree).unwrap(), ["a.toml=one"]);
}

#[test]
fn revisions_that_are_not_there_are_told_apart() {
    let dir = tempfile::tempdir().expect("a directory");
    git(dir.path(), &["init", "-q"]);
    let one = commit(&dir, "one");
    commit(&dir, "two");
    let error = |revision: &str| open(dir.path()).named_commit(revision).unwrap_err();
    assert_eq!(error("gone").message, "git knows no revision gone");
    assert_eq!(error("--all").message, "git knows no revision --all");
    assert_eq!(
        error("--output=x").message,
        "git knows no revision --output=x"
    );

    let clone = tempfile::tempdir().expect("a directory");
    let from = format!("file://{}", dir.path().display());
    git(clone.path(), &["clone", "-q", "--depth", "1", &from, "."]);
    let shallow = open(clone.path()).named_commit(&one).unwrap_err();
    assert_contains!(shallow.message, "shallow");
    assert!(
        shallow
            .hint
            .is_some_and(|hint| hint.contains("fetch-depth: 0"))
    );
}
