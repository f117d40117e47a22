//! What is committed, or configured in a repository, runs nothing, reaches
//! nothing, and is taken for nothing else. Each attack was seen to work on the
//! program as it was before.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::{commit_all, git, repository};
use crate::support::Lkroute;

/// Makes a command that leaves its environment behind in the file `ran`.
fn marker(lkroute: &Lkroute) -> (String, PathBuf) {
    let ran = lkroute.path().join("ran");
    (format!("env > '{}'; false", ran.display()), ran)
}

/// Puts a bare repository into `routing/`, whose configuration runs `command`
/// wherever git looks at a work tree.
fn shadow(lkroute: &Lkroute, command: &str) {
    let (top, routing) = (lkroute.path(), lkroute.path().join("routing"));
    git(top, &["init", "-q", "--bare", "shadow"]);
    for name in ["HEAD", "config", "objects", "refs"] {
        fs::rename(top.join("shadow").join(name), routing.join(name)).expect("move it");
    }
    fs::remove_dir_all(top.join("shadow")).expect("remove it");
    let set = |name: &str, value: &str| {
        let file = routing.join("config").display().to_string();
        git(top, &["config", "--file", &file, name, value]);
    };
    set("core.bare", "false");
    set("core.worktree", &top.display().to_string());
    set("core.fsmonitor", command);
    let in_shadow = |args: &[&str]| {
        let head = ["--git-dir", "routing", "-c", "core.fsmonitor="];
        git(top, &[&head, args].concat())
    };
    in_shadow(&["commit", "-q", "--allow-empty", "-m", "shadow"]);
}

#[test]
fn a_bare_repository_among_the_files_is_refused_and_runs_nothing() {
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.env("DATABASE_URL", "sqlite://x.db");
    repository(lkroute.path());
    let (command, ran) = marker(&lkroute);
    shadow(&lkroute, &command);
    commit_all(lkroute.path(), "one");
    for args in [
        &["validate"][..],
        &["plan", "--out", "x.lkplan"],
        &["apply", "--auto-approve"],
    ] {
        let refused = lkroute.run(args).expect_code(3);
        let said = format!("{}{}", refused.stdout, refused.stderr);
        assert!(said.contains("bare-repository"), "{args:?}: {said}");
        assert_contains!(said, "routing` has HEAD, objects");
    }
    let refused = lkroute.run(&["diff", "HEAD", "HEAD"]).expect_code(1);
    assert_contains!(refused.stderr, "has HEAD, objects");
    assert!(
        !ran.exists(),
        "{}",
        fs::read_to_string(ran).unwrap_or_default()
    );
}

#[test]
fn what_a_repository_configures_is_not_run() {
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.env("DATABASE_URL", "sqlite://x.db");
    let top = lkroute.path().to_owned();
    repository(&top);
    let (command, ran) = marker(&lkroute);
    lkroute.write(".gitattributes", "*.toml filter=mine diff=mine\n");
    commit_all(&top, "one");
    lkroute.edit("routing/uae.toml", "a VM in the UAE", "a VM");
    for name in [
        "core.fsmonitor",
        "core.pager",
        "core.sshCommand",
        "core.askPass",
        "diff.external",
        "diff.mine.textconv",
        "diff.mine.command",
        "filter.mine.clean",
        "filter.mine.smudge",
        "filter.mine.process",
        "core.alternateRefsCommand",
        "credential.helper",
    ] {
        git(&top, &["config", name, &command]);
    }
    let hooks = lkroute.path().join("hooks");
    fs::create_dir(&hooks).expect("make it");
    for name in ["post-index-change", "fsmonitor-watchman", "post-checkout"] {
        let script = format!("#!/bin/sh\n{command}\n");
        fs::write(hooks.join(name), script).expect("write it");
    }
    git(&top, &["config", "core.hooksPath", "hooks"]);
    lkroute.run(&["plan", "--out", "x.lkplan"]).expect_code(0);
    lkroute.run(&["apply", "--auto-approve"]).expect_code(0);
    lkroute.run(&["diff"]).expect_code(0);
    assert!(
        !ran.exists(),
        "{}",
        fs::read_to_string(ran).unwrap_or_default()
    );
}

/// A clone that lacks what a file held before, and whose remote runs a command
/// to bring it.
fn clone_without_the_past(lkroute: &Lkroute, command: &str) -> PathBuf {
    let top = lkroute.path();
    repository(top);
    commit_all(top, "one");
    lkroute.edit("routing/uae.toml", "a VM in the UAE", "a VM");
    commit_all(top, "two");
    let past = git(top, &["rev-parse", "HEAD^:routing/uae.toml"]);
    let clone = top.join("clone");
    git(top, &["clone", "-q", "--no-hardlinks", ".", "clone"]);
    for (name, value) in [
        ("core.repositoryformatversion", "1"),
        ("extensions.partialClone", "origin"),
        ("remote.origin.promisor", "true"),
        ("remote.origin.uploadpack", command),
        ("protocol.file.allow", "always"),
        ("protocol.allow", "always"),
    ] {
        git(&clone, &["config", name, value]);
    }
    let (head, tail) = past.split_at(2);
    fs::remove_file(clone.join(".git/objects").join(head).join(tail)).expect("a loose object");
    clone
}

#[test]
fn what_a_clone_lacks_is_not_fetched() {
    let lkroute = Lkroute::with_two_regions();
    let (command, ran) = marker(&lkroute);
    let clone = clone_without_the_past(&lkroute, &command);
    assert_nothing_fetched(&lkroute, &clone, &ran);
}

fn assert_nothing_fetched(lkroute: &Lkroute, clone: &Path, ran: &Path) {
    let mut diff = lkroute.command(&["diff", "HEAD^", "HEAD"]);
    let refused = diff.current_dir(clone).output().expect("run it");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    let lacks = "does not have routing/uae.toml as it was at";
    assert_contains!(said, lacks);
    assert!(!ran.exists(), "git fetched");
}

/// What is said of such a clone helps.
#[test]
fn a_clone_without_contents_is_completed_by_git() {
    let lkroute = Lkroute::with_two_regions();
    let top = lkroute.path();
    repository(top);
    git(top, &["config", "uploadpack.allowFilter", "true"]);
    git(top, &["config", "uploadpack.allowAnySHA1InWant", "true"]);
    commit_all(top, "one");
    lkroute.edit("routing/uae.toml", "a VM in the UAE", "a VM");
    commit_all(top, "two");
    let clone = tempfile::tempdir().expect("a directory");
    let from = format!("file://{}", top.display());
    git(
        clone.path(),
        &["clone", "-q", "--filter=blob:none", &from, "."],
    );
    let routing = clone.path().join("routing").display().to_string();
    let diff = || lkroute.run(&["--routing", &routing, "diff", "HEAD^", "HEAD"]);
    let hinted = diff().expect_code(1).told(
        "it was cloned without all contents (`--filter`), and lkroute fetches nothing: clone it without, or run `git checkout` of that commit once",
    );
    hinted.then(|| {
        git(clone.path(), &["checkout", "-q", "HEAD^"]);
        git(clone.path(), &["checkout", "-q", "-"]);
    });
    diff().expect_code(0);
}

/// A repository that says it has no work tree, or another.
#[test]
fn a_work_tree_that_git_does_not_take_for_one() {
    let lkroute = Lkroute::with_two_regions();
    let top = lkroute.path();
    repository(top);
    commit_all(top, "one");
    let validate = || lkroute.run(&["plan", "--database", "sqlite://x.db"]);
    git(top, &["config", "core.bare", "true"]);
    let hinted = validate()
        .expect_code(1)
        .told("look at core.bare and core.worktree in its configuration");
    hinted.then(|| git(top, &["config", "core.bare", "false"]));
    validate().expect_code(0);
}

/// A git that knows no GIT_NO_LAZY_FETCH, as those before 2.45: it is taken
/// from its environment.
#[test]
fn nor_by_a_git_that_knows_no_switch_for_it() {
    let mut lkroute = Lkroute::with_two_regions();
    let (command, ran) = marker(&lkroute);
    let clone = clone_without_the_past(&lkroute, &command);
    super::stand_in(&mut lkroute, "unset GIT_NO_LAZY_FETCH; exec GIT \"$@\"");
    assert_nothing_fetched(&lkroute, &clone, &ran);
}

#[test]
fn git_gets_no_secret_and_obeys_no_variable() {
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.env("DATABASE_URL", "sqlite://x.db");
    lkroute.env("LKROUTE_DEMO_TOKEN", "made up");
    repository(lkroute.path());
    let commit = commit_all(lkroute.path(), "one");
    let other = lkroute.path().join("other");
    fs::create_dir(&other).expect("make it");
    repository(&other);
    for (name, value) in [
        ("GIT_DIR", other.join(".git").display().to_string()),
        ("GIT_WORK_TREE", other.display().to_string()),
        ("GIT_INDEX_FILE", "/nowhere/index".to_owned()),
        ("GIT_OBJECT_DIRECTORY", "/nowhere".to_owned()),
        ("GIT_EXEC_PATH", "/nowhere".to_owned()),
        ("GIT_CONFIG_COUNT", "1".to_owned()),
        (
            "GIT_CONFIG_KEY_0",
            "core.repositoryformatversion".to_owned(),
        ),
        ("GIT_CONFIG_VALUE_0", "99".to_owned()),
    ] {
        lkroute.env(name, &value);
    }
    let seen = lkroute.path().join("seen");
    super::stand_in(
        &mut lkroute,
        &format!("env >> '{}'; exec GIT \"$@\"", seen.display()),
    );
    lkroute.run(&["apply", "--auto-approve"]).expect_code(0);
    let history = lkroute.run(&["history", "--format", "json"]).expect_code(0);
    assert_contains!(history.stdout, commit);
    let seen = fs::read_to_string(seen).expect("git ran");
    for secret in ["DATABASE_URL", "DEMO_TOKEN", "GIT_DIR=", "GIT_CONFIG_COUNT"] {
        assert_lacks!(seen, secret);
    }
    assert_contains!(seen, "HOME=");
}

/// `git cat-file --batch` was asked by name, one line each: a line break in
/// the name of a link made two questions of one, and moved all later answers
/// by one file.
#[test]
fn a_line_break_in_a_name_moves_nothing() {
    let lkroute = Lkroute::with_two_regions();
    let (top, routing) = (lkroute.path(), lkroute.path().join("routing"));
    repository(top);
    lkroute.write("old.toml", &lkroute.read("routing/uae.toml"));
    lkroute.write("empty.toml", "\n");
    commit_all(top, "one");
    git(top, &["branch", "before"]);
    // Sorted before `uae.toml`, whose answer comes later.
    symlink("../empty.toml", routing.join("a\nbefore:old.toml\nb.toml")).expect("a link");
    symlink("../empty.toml", routing.join("a.toml")).expect("a link");
    lkroute.edit(
        "routing/uae.toml",
        "livekit.uae.example",
        "livekit.stranger.example",
    );
    commit_all(top, "two");
    let diff = lkroute.run(&["diff", "before", "HEAD"]).expect_code(0);
    assert_contains!(diff.stdout, "livekit.stranger.example");
    let plan = lkroute.run(&["plan", "--against", "before"]).expect_code(0);
    assert_contains!(plan.stdout, "livekit.stranger.example");
}

#[test]
fn a_directory_of_64_mib_is_not_read() {
    let lkroute = Lkroute::with_two_regions();
    let top = lkroute.path();
    repository(top);
    commit_all(top, "one");
    let blob = git(top, &["rev-parse", "HEAD:routing/uae.toml"]);
    let long = "n".repeat(240);
    let entries = (0..260_000).map(|n| format!("100644 blob {blob}\t{long}{n:06}\n"));
    let routing = super::git_with_input(top, &["mktree"], &entries.collect::<String>());
    let root = format!("040000 tree {routing}\trouting\n");
    let root = super::git_with_input(top, &["mktree"], &root);
    let long = git(top, &["commit-tree", &root, "-m", "long"]);
    let diff = lkroute.run(&["diff", "HEAD", &long]).expect_code(1);
    assert_contains!(diff.stderr, "a directory in git is too long");
}

#[test]
fn a_directory_that_holds_itself_a_thousand_times_is_told_of_and_left() {
    let lkroute = Lkroute::with_two_regions();
    let top = lkroute.path();
    repository(top);
    commit_all(top, "one");
    let blob = git(top, &["rev-parse", "HEAD:routing/uae.toml"]);
    let mut tree = format!("100644 blob {blob}\ta.toml\n");
    for _ in 0..8 {
        let id = super::git_with_input(top, &["mktree"], &tree);
        tree = (0..20)
            .map(|n| format!("040000 tree {id}\td{n}\n"))
            .collect();
    }
    let routing = super::git_with_input(top, &["mktree"], &tree);
    let root = format!("040000 tree {routing}\trouting\n");
    let root = super::git_with_input(top, &["mktree"], &root);
    let bomb = git(top, &["commit-tree", &root, "-m", "bomb"]);
    let diff = lkroute.run(&["diff", "HEAD", &bomb]).expect_code(3);
    assert_contains!(diff.stdout, "too-many-files");
}
