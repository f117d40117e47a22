//! Where a routing directory can stand: each has one behaviour, the same in
//! `plan` and in `apply`.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{commit_all, git, repository, stand_in};
use crate::support::{Lkroute, Run};

/// Runs `plan` and `apply`, which must end alike; what they say on standard
/// error, without the line that differs.
#[track_caller]
fn plan_and_apply(lkroute: &Lkroute, routing: &str, code: i32) -> String {
    let args = |command: &'static str| {
        let args = ["--routing", routing, "--database", "sqlite://x.db", command];
        args.map(str::to_owned).to_vec()
    };
    let plan: Run = lkroute.run(&args("plan")).expect_code(code);
    let mut apply = args("apply");
    apply.push("--auto-approve".to_owned());
    let apply = lkroute.run(&apply).expect_code(code);
    if code != 0 {
        assert_eq!(plan.stderr, apply.stderr);
    }
    apply.stderr
}

fn applied_commit(lkroute: &Lkroute) -> String {
    let args = ["--database", "sqlite://x.db", "history", "--format", "json"];
    lkroute.run(&args).expect_code(0).stdout
}

#[test]
fn a_worktree_and_a_submodule_are_repositories_of_their_own() {
    let lkroute = Lkroute::with_two_regions();
    let top = lkroute.path().to_owned();
    repository(&top);
    let commit = commit_all(&top, "one");
    git(&top, &["worktree", "add", "-q", "tree", "HEAD"]);
    plan_and_apply(&lkroute, "tree/routing", 0);
    assert!(applied_commit(&lkroute).contains(&commit));

    let around = tempfile::tempdir().expect("a directory");
    repository(around.path());
    let from = top.display().to_string();
    let allow = ["-c", "protocol.file.allow=always"];
    let add = ["submodule", "--quiet", "add", &from, "sub"];
    git(around.path(), &[&allow[..], &add].concat());
    commit_all(around.path(), "around");
    let routing = around.path().join("sub/routing").display().to_string();
    fs::remove_file(top.join("x.db")).expect("remove it");
    plan_and_apply(&lkroute, &routing, 0);
    assert!(applied_commit(&lkroute).contains(&commit));

    // Among the files, a submodule is refused: its files are in no commit.
    let text = plan_and_apply(&lkroute, &around.path().display().to_string(), 3);
    assert!(text.contains("invalid") || text.is_empty(), "{text}");
    git(
        around.path(),
        &["submodule", "--quiet", "deinit", "--all", "--force"],
    );
    let region = "[regions.uae]\ncountry_codes = [\"+971\"]\n";
    fs::write(around.path().join("a.toml"), region).expect("write it");
    commit_all(around.path(), "a file");
    let text = plan_and_apply(&lkroute, &around.path().display().to_string(), 1);
    assert_contains!(text, "is a submodule in commit");
}

#[test]
fn a_shallow_clone_applies_what_it_has() {
    let lkroute = Lkroute::with_two_regions();
    let top = lkroute.path().to_owned();
    repository(&top);
    commit_all(&top, "one");
    lkroute.edit("routing/uae.toml", "a VM in the UAE", "a VM");
    let two = commit_all(&top, "two");
    let from = format!("file://{}", top.display());
    git(&top, &["clone", "-q", "--depth", "1", &from, "clone"]);
    plan_and_apply(&lkroute, "clone/routing", 0);
    assert!(applied_commit(&lkroute).contains(&two));
}

#[test]
fn a_sparse_checkout_that_lacks_routing_files_is_refused() {
    let lkroute = Lkroute::with_two_regions();
    let top = lkroute.path().to_owned();
    lkroute.write("routing/more/empty.toml", "# nothing\n");
    lkroute.write("docs/a.md", "docs\n");
    repository(&top);
    commit_all(&top, "one");
    git(&top, &["clone", "-q", ".", "clone"]);
    let clone = top.join("clone");
    git(&clone, &["config", "core.sparseCheckout", "true"]);
    let patterns = |text: &str| {
        fs::create_dir_all(clone.join(".git/info")).expect("make it");
        fs::write(clone.join(".git/info/sparse-checkout"), text).expect("write it");
        git(&clone, &["read-tree", "-mu", "HEAD"]);
    };
    patterns("/routing/*.toml\n!/routing/more/\n");
    assert!(!clone.join("routing/more").exists());
    let text = plan_and_apply(&lkroute, "clone/routing", 1);
    assert_contains!(text, "this checkout is sparse");
    assert_contains!(text, "clone/routing/more/empty.toml");
    patterns("/routing/\n");
    plan_and_apply(&lkroute, "clone/routing", 0);
}

#[test]
fn without_git_a_repository_is_an_error_and_other_files_are_not() {
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.env("PATH", "/nowhere");
    plan_and_apply(&lkroute, "routing", 0);
    repository(lkroute.path());
    commit_all(lkroute.path(), "one");
    let text = plan_and_apply(&lkroute, "routing", 1);
    assert_contains!(text, "git is not installed");
    let hinted = crate::support::told(
        &text,
        "install git: which commit is applied, and that none undoes a newer one, is read with it; or work on a copy without `.git`",
    );
    lkroute.run(&["validate"]).expect_code(0);
    let moved =
        |from: &str, to: &str| fs::rename(lkroute.path().join(from), lkroute.path().join(to));
    hinted.then(|| moved(".git", "git")).expect("moved");
    plan_and_apply(&lkroute, "routing", 0);
}

#[test]
fn a_git_that_is_too_old_is_named() {
    let mut lkroute = Lkroute::with_two_regions();
    repository(lkroute.path());
    commit_all(lkroute.path(), "one");
    // Such a git answers this, whatever stands before it.
    stand_in(
        &mut lkroute,
        "case \"$*\" in *--version) echo git version 2.11.4 ;; *) exec GIT \"$@\" ;; esac",
    );
    let text = plan_and_apply(&lkroute, "routing", 1);
    assert_contains!(text, "git 2.11.4 is too old");
    assert_contains!(text, "git 2.25 or later");
}

#[test]
fn a_git_that_is_damaged_is_told_of() {
    let lkroute = Lkroute::with_two_regions();
    fs::create_dir(lkroute.path().join(".git")).expect("make it");
    let text = plan_and_apply(&lkroute, "routing", 1);
    assert_contains!(text, "not a git repository");
}

/// In a container the files often belong to somebody else: git's remedy is
/// shown whole.
#[test]
fn dubious_ownership_is_one_error_with_the_remedy_of_git() {
    let lkroute = Lkroute::with_two_regions();
    repository(lkroute.path());
    commit_all(lkroute.path(), "one");
    let chown = Command::new("chown")
        .args(["-R", "65534"])
        .arg(lkroute.path())
        .status();
    if !chown.is_ok_and(|status| status.success()) || is_open(lkroute.path()) {
        crate::support::not_run("root, to give files away");
        return;
    }
    let text = plan_and_apply(&lkroute, "routing", 1);
    let top = fs::canonicalize(lkroute.path()).expect("it is there");
    let remedy = format!("git config --global --add safe.directory {}", top.display());
    assert_contains!(text, "dubious ownership");
    assert_contains!(text, remedy);
    // Which was followed, once.
    let mut git = Command::new("git");
    git.args(remedy.split_whitespace().skip(1))
        .env("HOME", lkroute.path());
    assert!(git.status().is_ok_and(|status| status.success()));
    plan_and_apply(&lkroute, "routing", 0);
}

/// Whether files of others are taken as ours all the same.
fn is_open(dir: &Path) -> bool {
    let mut git = Command::new("git");
    git.arg("-C")
        .arg(dir)
        .args(["rev-parse", "--git-dir"])
        .env("HOME", dir);
    git.output().is_ok_and(|output| output.status.success())
}

/// Files that git ignores are read all the same; what an apply records of them
/// must not be that they are those of the commit.
#[test]
fn files_that_are_not_committed_are_named() {
    let lkroute = Lkroute::with_two_regions();
    repository(lkroute.path());
    lkroute.write(".gitignore", "local.toml\n");
    commit_all(lkroute.path(), "one");
    let text = plan_and_apply(&lkroute, "routing", 0);
    assert_lacks!(text, "not as in commit");
    // Line ends are no difference: git changes them at will.
    let crlf = lkroute.read("routing/uae.toml").replace('\n', "\r\n");
    lkroute.write("routing/uae.toml", &crlf);
    let text = plan_and_apply(&lkroute, "routing", 0);
    assert_lacks!(text, "not as in commit");
    lkroute.write("routing/local.toml", "# ignored\n");
    let text = plan_and_apply(&lkroute, "routing", 0);
    assert_contains!(text, "routing/local.toml (not in it)");
}
