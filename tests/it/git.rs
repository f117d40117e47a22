//! The git edge, on real repositories.

use std::path::Path;
use std::process::Command;

use lkroute::git::{Ancestry, Revision, Tree, ancestry, revision, tree};
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
    assert_eq!(dirty.commit, commit);
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

/// Every TOML file of a tree, as `path=text`.
fn contents(tree: &Tree) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let each = |path: &str, bytes: Vec<u8>| {
        found.push(format!("{path}={}", String::from_utf8_lossy(&bytes)));
        Ok(())
    };
    let read = tree.read(|path| path.ends_with(".toml"), each);
    read.map(|()| found).map_err(|error| error.message)
}

#[test]
fn a_directory_is_read_as_it_was_at_a_revision() {
    let dir = tempfile::tempdir().expect("a directory");
    let routing = dir.path().join("deep/routing");
    std::fs::create_dir_all(routing.join("more")).expect("make them");
    git(dir.path(), &["init", "-q"]);
    let odd = "deep/routing/more/two\nlines ü.toml";
    write(&dir, odd, "odd");
    write(&dir, "deep/routing/b.toml", "");
    write(&dir, "deep/routing/a.toml", &"long\n".repeat(50_000));
    write(&dir, "deep/routing/notes.md", "unread");
    write(&dir, "outside.toml", "shared");
    std::os::unix::fs::symlink("../../outside.toml", routing.join("link.toml")).expect("a link");
    let old = commit(&dir, "one");
    std::fs::remove_dir_all(dir.path().join("deep")).expect("remove it");
    commit(&dir, "two");

    let found = tree(&routing, &old).unwrap().expect("it was there");
    assert_eq!(found.commit, old);
    let long = format!("a.toml={}", "long\n".repeat(50_000));
    let rest = ["b.toml=", "link.toml=shared", "more/two\nlines ü.toml=odd"];
    let found = contents(&found).unwrap();
    assert_eq!(found[0], long);
    assert_eq!(found[1..], rest);
    assert_eq!(tree(&routing, "HEAD").unwrap(), None, "it is gone");
    assert_eq!(tree(&dir.path().join("never"), &old).unwrap(), None);
    let top = tree(dir.path(), "HEAD").unwrap().expect("the top");
    assert_eq!(
        contents(&top).unwrap(),
        ["a.toml=two", "outside.toml=shared"]
    );
}

#[test]
fn reading_may_stop_early() {
    let dir = tempfile::tempdir().expect("a directory");
    git(dir.path(), &["init", "-q"]);
    for name in 0..200 {
        write(&dir, &format!("{name}.toml"), &"x".repeat(10_000));
    }
    let commit = commit(&dir, "one");
    let tree = tree(dir.path(), &commit).unwrap().expect("it is there");
    let stop = |_: &str, _| Err(lkroute::error::Error::new("enough"));
    assert_eq!(tree.read(|_| true, stop).unwrap_err().message, "enough");
}

#[test]
fn what_can_not_be_read_at_a_revision_is_told_apart() {
    let dir = tempfile::tempdir().expect("a directory");
    let error = |revision: &str| tree(dir.path(), revision).unwrap_err();
    assert!(error("HEAD").message.contains("not a git repository"));
    git(dir.path(), &["init", "-q"]);
    std::fs::create_dir(dir.path().join("sub")).expect("make it");
    write(&dir, "sub/b.toml", "");
    let one = commit(&dir, "one");
    assert_eq!(error("gone").message, "git knows no revision gone");
    assert_eq!(error("--all").message, "git knows no revision --all");
    for (target, why) in [
        ("loop.toml", "a circle"),
        ("nothing", "a link to nothing"),
        ("/etc/hostname", "leaves the repository"),
        ("sub", "a link to a directory"),
    ] {
        let link = dir.path().join("loop.toml");
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(target, link).expect("a link");
        let two = commit(&dir, target);
        let two = tree(dir.path(), &two).unwrap().expect("it is there");
        let error = contents(&two).unwrap_err();
        assert!(error.contains(why), "{target}: {error}");
        assert!(error.contains("loop.toml at "), "{error}");
    }

    let clone = tempfile::tempdir().expect("a directory");
    let from = format!("file://{}", dir.path().display());
    git(clone.path(), &["clone", "-q", "--depth", "1", &from, "."]);
    let shallow = tree(clone.path(), &one).unwrap_err();
    assert!(shallow.message.contains("shallow"), "{}", shallow.message);
    assert!(
        shallow
            .hint
            .is_some_and(|hint| hint.contains("fetch-depth: 0"))
    );
}
