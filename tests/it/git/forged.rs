//! Trees and names that git itself would not make, but checks out or takes all
//! the same: a review sees what the work tree then holds, or nothing at all.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{commit_all, git, repository};
use crate::support::Lkroute;

/// Writes a tree with whatever modes and names; its id.
fn forge(top: &Path, entries: &[(&str, &[u8], &str)]) -> String {
    let mut tree = Vec::new();
    for (mode, name, id) in entries {
        tree.extend([mode.as_bytes(), b" ", name, b"\0"].concat());
        tree.extend(hex::decode(id).expect("an id"));
    }
    let mut command = Command::new("git");
    let args = ["hash-object", "-w", "-t", "tree", "--literally", "--stdin"];
    command.current_dir(top).args(args);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("run git");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(&tree).expect("git reads it");
    drop(stdin);
    let id = child.wait_with_output().expect("git ends").stdout;
    String::from_utf8(id).expect("hex").trim().to_owned()
}

/// A repository whose commit `HEAD` has two regions, and the ids of its files,
/// with one of a file with another server.
struct Forgery {
    lkroute: Lkroute,
    uae: String,
    india: String,
    tenants: String,
    evil: String,
}

impl Forgery {
    fn new() -> Forgery {
        let lkroute = Lkroute::with_two_regions();
        let top = lkroute.path();
        repository(top);
        commit_all(top, "one");
        let id = |name: &str| git(top, &["rev-parse", &format!("HEAD:routing/{name}.toml")]);
        let (uae, india, tenants) = (id("uae"), id("india"), id("tenants"));
        let text = lkroute.read("routing/uae.toml");
        let text = text.replace("livekit.uae.example", "livekit.stranger.example");
        let evil = super::git_with_input(top, &["hash-object", "-w", "--stdin"], &text);
        Forgery {
            lkroute,
            uae,
            india,
            tenants,
            evil,
        }
    }

    fn tree(&self, entries: &[(&str, &[u8], &str)]) -> String {
        forge(self.lkroute.path(), entries)
    }

    /// What `diff HEAD` says of a commit of this tree, whatever its exit code.
    fn diff(&self, root: &str) -> (i32, String) {
        let top = self.lkroute.path();
        let commit = git(top, &["commit-tree", root, "-p", "HEAD", "-m", "forged"]);
        let diff = self.lkroute.run(&["diff", "HEAD", &commit]);
        (diff.code, format!("{}{}", diff.stdout, diff.stderr))
    }
}

/// The modes of trees are octal numbers, of which git looks at the kind alone.
#[test]
fn a_directory_is_one_however_its_mode_is_written() {
    let forgery = Forgery::new();
    let below = forgery.tree(&[("100644", b"uae.toml", &forgery.evil)]);
    for mode in ["040000", "40755", "0040000"] {
        let india = ("100644", &b"india.toml"[..], forgery.india.as_str());
        let tenants = ("100644", &b"tenants.toml"[..], forgery.tenants.as_str());
        let routing = forgery.tree(&[india, (mode, b"sub", &below), tenants]);
        let (code, said) = forgery.diff(&forgery.tree(&[(mode, b"routing", &routing)]));
        assert_eq!(code, 0, "{mode}: {said}");
        assert!(said.contains("livekit.stranger.example"), "{mode}: {said}");
    }
    let link = super::git_with_input(
        forgery.lkroute.path(),
        &["hash-object", "-w", "--stdin"],
        "../.git/config",
    );
    let routing = forgery.tree(&[("0120000", b"a.toml", &link)]);
    let (code, said) = forgery.diff(&forgery.tree(&[("40000", b"routing", &routing)]));
    assert_eq!(code, 3, "{said}");
    assert_contains!(said, "symlink-not-followed");
}

/// Git checks out the last of two entries of one name, or both where they are
/// directories, and follows a `/` in a name.
#[test]
fn names_that_git_would_not_write_are_refused() {
    let forgery = Forgery::new();
    let Forgery {
        uae, india, evil, ..
    } = &forgery;
    let file = "100644";
    let good = forgery.tree(&[(file, b"india.toml", india), (file, b"uae.toml", uae)]);
    let bad = forgery.tree(&[(file, b"uae.toml", evil)]);
    let twice = forgery.tree(&[
        (file, b"india.toml", india),
        (file, b"uae.toml", evil),
        (file, b"uae.toml", uae),
    ]);
    for root in [
        forgery.tree(&[("40000", b"routing", &twice)]),
        forgery.tree(&[("40000", b"routing", &bad), ("40000", b"routing", &good)]),
        forgery.tree(&[
            ("40000", b"routing", &good),
            (file, b"routing/b.toml", evil),
        ]),
    ] {
        let (code, said) = forgery.diff(&root);
        assert_eq!(code, 1, "{said}");
        assert_contains!(said, "that git would not write");
        let hint = "somebody made it by hand; `git fsck` says what is wrong with it";
        crate::support::told(&said, hint).then(|| {
            let mut fsck = Command::new("git");
            let fsck = fsck
                .current_dir(forgery.lkroute.path())
                .args(["fsck", "--strict"]);
            let fsck = fsck.output().expect("run git");
            let said = String::from_utf8_lossy(&fsck.stderr).into_owned();
            let named = ["Duplicate", "fullPathname", "treeNotSorted"];
            assert!(
                named
                    .iter()
                    .any(|name| said.contains(name) || said.contains(&name.to_lowercase())),
                "{said}"
            );
        });
    }
}

/// Two names that differ only where they are no UTF-8 are shown alike, and
/// are two files all the same.
#[test]
fn files_whose_names_are_no_text_are_all_read() {
    let forgery = Forgery::new();
    let Forgery {
        uae, india, evil, ..
    } = &forgery;
    let routing = forgery.tree(&[
        ("100644", b"india.toml", india),
        ("100644", b"x\xfe.toml", evil),
        ("100644", b"x\xff.toml", uae),
    ]);
    let (code, said) = forgery.diff(&forgery.tree(&[("40000", b"routing", &routing)]));
    assert_eq!(code, 3, "{said}");
    assert_contains!(said, "is defined twice");
}

/// A tag or a branch that is named like what a reviewer compares with would
/// be taken in its place.
#[test]
fn a_name_that_git_can_read_in_two_ways_is_no_revision() {
    let forgery = Forgery::new();
    let (lkroute, top) = (&forgery.lkroute, forgery.lkroute.path());
    let short = git(top, &["rev-parse", "--short", "HEAD"]);
    git(top, &["branch", "base"]);
    lkroute.edit(
        "routing/uae.toml",
        "livekit.uae.example",
        "livekit.stranger.example",
    );
    let evil = commit_all(top, "two");
    git(top, &["tag", "base", &evil]);
    git(top, &["branch", &short, &evil]);
    for name in ["base", &short] {
        let refused = lkroute.run(&["diff", name]).expect_code(1);
        let said = &refused.stderr;
        assert_contains!(said, "more than one");
    }
    let diff = lkroute.run(&["diff", "refs/heads/base"]).expect_code(0);
    assert_contains!(diff.stdout, "stranger");
}

/// A commit of another history is given an ancestor that it does not have.
#[test]
fn a_commit_has_the_parents_that_it_names() {
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.env("DATABASE_URL", "sqlite://x.db");
    let top = lkroute.path();
    repository(top);
    lkroute.write(".gitignore", "x.db*\n");
    let old = commit_all(top, "one");
    lkroute.run(&["apply", "--auto-approve"]).expect_code(0);
    git(top, &["checkout", "-q", "--orphan", "other"]);
    lkroute.edit("routing/uae.toml", "a VM in the UAE", "a VM");
    let new = commit_all(top, "two");
    lkroute.write(".git/info/grafts", &format!("{new} {old}\n"));
    git(top, &["replace", "--graft", &new, &old]);
    let refused = lkroute.run(&["apply", "--auto-approve"]).expect_code(5);
    assert_contains!(refused.stderr, "not among its ancestors");
}

/// A pull request that brings a directory named like the revision that CI
/// compares with would be compared with itself.
#[test]
fn a_directory_is_not_taken_for_the_revision_of_its_name() {
    let forgery = Forgery::new();
    let (lkroute, top) = (&forgery.lkroute, forgery.lkroute.path());
    git(top, &["branch", "base"]);
    lkroute.edit(
        "routing/uae.toml",
        "livekit.uae.example",
        "livekit.stranger.example",
    );
    for name in ["india", "tenants", "uae"] {
        let text = lkroute.read(format!("routing/{name}.toml"));
        lkroute.write(format!("base/{name}.toml"), &text);
    }
    commit_all(top, "two");
    let plan = |against: &str| lkroute.run(&["plan", "--against", against]);
    let refused = plan("base").expect_code(1);
    assert_contains!(refused.stderr, "./base");
    assert_contains!(plan("refs/heads/base").stdout, "stranger");
    assert_contains!(plan("./base").stdout, "No changes");
}
