//! Hints about the directory of the files, the repository around it, and the
//! command line.

use super::{Lkroute, run};
use crate::git::git;
use crate::support::{Run, told};

fn commit(lkroute: &Lkroute, message: &str) -> String {
    git(lkroute.path(), &["add", "routing"]);
    git(lkroute.path(), &["commit", "-qm", message]);
    git(lkroute.path(), &["rev-parse", "HEAD"])
}

fn committed() -> Lkroute {
    let lkroute = Lkroute::with_two_regions();
    git(lkroute.path(), &["init", "-q"]);
    commit(&lkroute, "one");
    lkroute
}

/// A clone of the last commit of `main-line`, over the same database.
fn shallow_clone(lkroute: &Lkroute) -> Lkroute {
    let mut clone = Lkroute::new();
    let from = format!("file://{}", lkroute.path().display());
    let depth = ["clone", "-q", "--depth", "1"];
    let branch = ["--branch", "main-line", &from, "."];
    git(clone.path(), &[depth, branch].concat());
    let url = format!("sqlite://{}", lkroute.path().join("lkroute.db").display());
    clone.env("DATABASE_URL", &url);
    clone
}

#[test]
fn revisions() {
    let lkroute = Lkroute::with_two_regions();
    let outside = run(&lkroute, "diff HEAD").expect_code(1);
    let hinted = outside.told("revisions are read from a clone of the repository");
    hinted.then(|| {
        git(lkroute.path(), &["init", "-q"]);
        commit(&lkroute, "one")
    });
    run(&lkroute, "diff HEAD").expect_code(0);
    let unknown = run(&lkroute, "diff feature").expect_code(1);
    let hinted = unknown.told("`git fetch` may bring it; a branch of a remote is origin/NAME");
    hinted.then(|| {
        git(
            lkroute.path(),
            &["update-ref", "refs/remotes/origin/feature", "HEAD"],
        )
    });
    run(&lkroute, "diff origin/feature").expect_code(0);
    // One name for two.
    git(lkroute.path(), &["branch", "twice"]);
    git(lkroute.path(), &["tag", "twice"]);
    let twice = run(&lkroute, "diff twice").expect_code(1);
    let hinted = twice.told(
        "say which: refs/heads/NAME is a branch, refs/tags/NAME a tag, and a commit by all its 40 digits is none of them",
    );
    hinted
        .then(|| run(&lkroute, "diff refs/tags/twice"))
        .expect_code(0);
    git(lkroute.path(), &["branch", "base"]);
    std::fs::create_dir(lkroute.path().join("base")).expect("made");
    let both = run(&lkroute, "plan --against base").expect_code(1);
    let hinted = both.told("say which: the directory is ./{text}, a branch refs/heads/{text}");
    hinted
        .then(|| run(&lkroute, "plan --against refs/heads/base"))
        .expect_code(0);
    lkroute.edit("routing/uae.toml", "url = ", "url = = ");
    commit(&lkroute, "broken");
    lkroute.edit("routing/uae.toml", "url = = ", "url = ");
    let invalid = run(&lkroute, "diff HEAD").expect_code(3);
    let hinted = invalid.told("compare with a revision whose files are valid");
    hinted.then(|| run(&lkroute, "diff HEAD^1")).expect_code(0);
}

#[test]
fn an_older_commit_and_a_clone_that_lacks_the_newer() {
    let lkroute = committed();
    let old = git(lkroute.path(), &["rev-parse", "HEAD"]);
    lkroute.edit("routing/uae.toml", "LiveKit on a VM in the UAE", "A VM");
    let new = commit(&lkroute, "two");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    git(lkroute.path(), &["checkout", "-q", &old]);
    let stale = run(&lkroute, "apply --auto-approve").expect_code(5);
    let hint = "bring the branch up to date, or say `--supersede {}` if it is to be undone";
    let hinted = told(&format!("{} {}", stale.stdout, stale.stderr), hint);
    git(lkroute.path(), &["checkout", "-q", &new]);
    run(&lkroute, "apply --auto-approve").expect_code(0);
    git(lkroute.path(), &["checkout", "-q", &old]);
    let also = stale.told(", or say `--supersede {}` if it is to be undone");
    also.with(
        &lkroute,
        &format!("apply --auto-approve --supersede {}", &new[..12]),
    )
    .expect_code(0);
    hinted.then(|| ());
    // A shallow clone that was applied from elsewhere.
    git(lkroute.path(), &["checkout", "-q", &new]);
    git(lkroute.path(), &["branch", "-f", "main-line", &new]);
    let clone = shallow_clone(&lkroute);
    let shallow = run(&clone, "apply --auto-approve").expect_code(5);
    let hinted = shallow.told("fetch the whole history (`git fetch --unshallow`)");
    hinted.then(|| git(clone.path(), &["fetch", "-q", "--unshallow"]));
    run(&clone, "apply --auto-approve").expect_code(0);
    let older = run(&clone, "diff HEAD^1 HEAD").expect_code(0);
    drop(older);
    let other = shallow_clone(&lkroute);
    let none = run(&other, "diff HEAD^1 HEAD").expect_code(1);
    let hinted = none.told(
        "in GitHub Actions, give actions/checkout `fetch-depth: 0`; in GitLab, set `GIT_DEPTH: 0`; by hand, run `git fetch --unshallow`",
    );
    hinted.then(|| git(other.path(), &["fetch", "-q", "--unshallow"]));
    run(&other, "diff HEAD^1 HEAD").expect_code(0);
}

#[test]
fn a_checkout_that_leaves_files_out() {
    let lkroute = committed();
    lkroute.write("routing/more/more.toml", "# nothing\n");
    commit(&lkroute, "two");
    git(lkroute.path(), &["sparse-checkout", "init", "--cone"]);
    git(lkroute.path(), &["sparse-checkout", "set", "other"]);
    // The directory itself is among what is left out.
    git(
        lkroute.path(),
        &[
            "sparse-checkout",
            "set",
            "--no-cone",
            "/routing/*",
            "!/routing/more/",
        ],
    );
    let sparse = run(&lkroute, "plan").expect_code(1);
    let hinted = sparse.told(
        "what is not there would be removed: take the directory in with `git sparse-checkout add`, or commit the removal",
    );
    hinted.then(|| {
        git(
            lkroute.path(),
            &["sparse-checkout", "add", "/routing/more/"],
        )
    });
    run(&lkroute, "plan").expect_code(0);
}

#[test]
fn links_and_repositories_among_the_files() {
    let lkroute = committed();
    lkroute.write("other/other.toml", "# nothing\n");
    let link = lkroute.path().join("routing/link.toml");
    std::os::unix::fs::symlink("/etc/hostname", &link).expect("a link");
    let hint = "links are followed to .toml files of the same repository (without a repository: of the same routing directory), and nowhere else";
    let outside = run(&lkroute, "validate").expect_code(3);
    let hinted = outside.told(hint);
    hinted.then(|| {
        std::fs::remove_file(&link).expect("removed");
        std::os::unix::fs::symlink("../other/other.toml", &link).expect("a link");
    });
    run(&lkroute, "validate").expect_code(0);
    let inner = lkroute.path().join("routing/inner");
    std::fs::create_dir(&inner).expect("made");
    git(&inner, &["init", "-q"]);
    lkroute.write("routing/inner/a.toml", "# nothing\n");
    let nested = run(&lkroute, "validate").expect_code(3);
    let hinted = nested.told("name it with --routing, or move its files out of it");
    let there = hinted
        .with(&lkroute, "validate --routing routing/inner")
        .expect_code(3);
    there
        .told("an empty tree would delete everything, so it is refused")
        .then(|| {
            std::fs::remove_dir_all(&inner).expect("removed");
        });
    run(&lkroute, "validate").expect_code(0);
    // Git's own files beside the routing files.
    for name in ["HEAD", "objects", "refs"] {
        lkroute.write(format!("routing/{name}/x"), "");
    }
    std::fs::remove_dir_all(lkroute.path().join("routing/HEAD")).expect("removed");
    lkroute.write("routing/HEAD", "ref: refs/heads/main\n");
    let bare = run(&lkroute, "validate");
    let hinted = bare.told("remove them, or keep the routing files outside of it");
    hinted.then(|| {
        std::fs::remove_file(lkroute.path().join("routing/HEAD")).expect("removed");
    });
    run(&lkroute, "validate").expect_code(0);
}

#[test]
fn a_routing_directory_that_is_a_link_elsewhere() {
    let outside = Lkroute::with_two_regions();
    let lkroute = Lkroute::new();
    git(lkroute.path(), &["init", "-q"]);
    let routing = outside.path().join("routing");
    std::os::unix::fs::symlink(&routing, lkroute.path().join("routing")).expect("a link");
    let refused = run(&lkroute, "validate").expect_code(3);
    let hinted = refused.told("name the directory that it leads to with --routing");
    hinted
        .with(
            &lkroute,
            &format!("validate --routing {}", routing.display()),
        )
        .expect_code(0);
}

#[test]
fn too_many_files_are_kept_elsewhere() {
    let lkroute = Lkroute::with_two_regions();
    let mut deep = "routing".to_owned();
    for _ in 0..70 {
        deep += "/d";
    }
    lkroute.write(format!("{deep}/a.toml"), "# nothing\n");
    let many = run(&lkroute, "validate").expect_code(3);
    let hinted = many.told("keep other files outside of it");
    hinted
        .then(|| std::fs::remove_dir_all(lkroute.path().join("routing/d")))
        .expect("removed");
    run(&lkroute, "validate").expect_code(0);
}

#[test]
fn files_that_others_have() {
    let lkroute = Lkroute::with_two_regions();
    let text = lkroute.read("routing/uae.toml");
    lkroute.write("routing/uae.toml", &format!("{text}\n\n\n"));
    let hinted = run(&lkroute, "fmt --check").expect_code(1);
    hinted
        .told("`lkroute fmt` rewrites them")
        .run(&lkroute, &[])
        .expect_code(0);
    run(&lkroute, "fmt --check").expect_code(0);
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let there = run(&lkroute, "import --out routing").expect_code(1);
    let hinted = there.told("an import overwrites nothing: name a new directory with --out");
    hinted
        .with(&lkroute, "import --out imported")
        .expect_code(0);
    let nobody = run(
        &lkroute,
        "import --out n --tenant 99999999-e252-4728-9c52-4663ee552653",
    )
    .expect_code(1);
    let listed = nobody.told("`lkroute list` shows whose numbers there are");
    let listed = listed.run(&lkroute, &[]).expect_code(0);
    assert_contains!(listed.stdout, "sasya");
    run(&lkroute, "import --out n --tenant sasya").expect_code(0);
}

#[test]
fn habits_of_other_tools() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    run(&lkroute, "apply --dry-run")
        .expect_code(1)
        .told("`lkroute plan` shows what an apply would do")
        .run(&lkroute, &[])
        .expect_code(0);
    let without = |line: &str, hint: Run| hint.expect_code(1).told(line);
    let hinted = without(
        "it changes nothing: leave the option out",
        run(&lkroute, "plan --dry-run"),
    );
    run(&lkroute, "plan --dry-run")
        .told("`lkroute {command}` has no {option}")
        .then(|| run(&lkroute, "plan"))
        .expect_code(0);
    hinted.then(|| run(&lkroute, "plan")).expect_code(0);
    run(&lkroute, "plan --dry-run")
        .told("it changes nothing: leave the option out")
        .then(|| run(&lkroute, "plan"))
        .expect_code(0);
    run(&lkroute, "plan --yes")
        .told("it asks nothing: leave the option out")
        .then(|| run(&lkroute, "plan"))
        .expect_code(0);
    let hint = "of the commands that write, rollback, migrate and dispatch have it";
    let release = run(&lkroute, "release --all --dry-run")
        .expect_code(1)
        .told(hint);
    release.then(|| {
        for line in ["rollback --dry-run", "migrate --dry-run"] {
            let ran = run(&lkroute, line);
            assert_lacks!(ran.stderr, "has no --dry-run");
        }
        run(
            &lkroute,
            "dispatch --from +971545335200 --to +971501234567 --offline --dry-run",
        );
    });
    let bare = run(&lkroute, "--format json");
    assert_contains!(bare.stdout, "try `lkroute --help`");
    bare.told("try `lkroute --help`")
        .run(&lkroute, &[])
        .expect_code(0);
    let address = "binding.+971545335200@sasya";
    let both = run(
        &lkroute,
        &format!("resolve --from {address} --tenant other"),
    )
    .expect_code(1);
    both.says("the address is of the tenant `{named}`, --tenant says `{option}`");
    let hinted = both.told("leave --tenant out");
    hinted
        .then(|| run(&lkroute, &format!("resolve --from {address}")))
        .expect_code(0);
    let user = run(
        &lkroute,
        &format!("resolve --from {address} --initiated-by 734cd516-e252-4728-9c52-4663ee552653"),
    )
    .expect_code(1);
    user.says("the address is of the tenant `{named}`, and --initiated-by asks for the user's");
    let hinted = user.told("leave --initiated-by out, or name the number alone");
    hinted
        .then(|| run(&lkroute, &format!("resolve --from {address}")))
        .expect_code(0);
}
