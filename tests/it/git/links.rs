//! Links among routing files: followed to files of the same repository, the
//! same on disk and in a commit; everywhere else they are findings that quote
//! nothing.

use std::fs;
use std::os::unix::fs::symlink;

use super::{commit_all, git, repository};
use crate::support::Lkroute;

/// Findings of `validate` as `code file`, with all that was printed.
fn found(lkroute: &Lkroute) -> (Vec<String>, String) {
    let run = lkroute.run(&["validate", "--format", "json"]);
    let report = run.json();
    let findings = report["findings"].as_array().expect("a list");
    let errors = findings
        .iter()
        .filter(|finding| finding["severity"] == "error");
    let shown = errors.map(|finding| {
        let place = finding["file"]
            .as_str()
            .or(finding["place"]["file"].as_str());
        format!(
            "{} {}",
            finding["code"].as_str().unwrap_or_default(),
            place.unwrap_or_default()
        )
    });
    let text = lkroute.run(&["validate"]);
    (shown.collect(), text.stdout + &text.stderr + &run.stdout)
}

#[test]
fn links_lead_to_files_of_the_repository_and_nowhere_else() {
    let lkroute = Lkroute::with_two_regions();
    let (top, routing) = (lkroute.path(), lkroute.path().join("routing"));
    repository(top);
    git(
        top,
        &[
            "config",
            "http.extraheader",
            "AUTHORIZATION: made-up-header",
        ],
    );
    lkroute.write("shared/empty.toml", "# shared\n");
    lkroute.write("credentials.json", "{ \"made-up-token\": 1 }\n");
    lkroute.write("secret.toml", "made-up-token\n");
    let outside = tempfile::tempdir().expect("a directory");
    fs::write(outside.path().join("x.toml"), "made-up-outside\n").expect("write it");
    commit_all(top, "one");

    let link = routing.join("c.toml");
    let long_way = routing.join("way");
    let way_out = outside.path().display().to_string();
    for (target, code) in [
        ("../shared/empty.toml", ""),
        ("../shared/../shared/empty.toml", ""),
        ("../.git/config", "symlink-not-followed"),
        ("../.GIT/config", "symlink-not-followed"),
        ("../credentials.json", "symlink-not-followed"),
        ("../../x.toml", "symlink-not-followed"),
        (&format!("{way_out}/x.toml"), "symlink-not-followed"),
        ("/dev/zero", "symlink-not-followed"),
        ("../shared", "symlink-not-followed"),
        ("c.toml", "symlink-loop"),
        ("../gone.toml", "unreadable-file"),
    ] {
        let _ = fs::remove_file(&link);
        symlink(target, &link).expect("a link");
        let (codes, said) = found(&lkroute);
        let expected = match code {
            "" => vec![],
            code => vec![format!("{code} routing/c.toml")],
        };
        assert_eq!(codes, expected, "{target}: {said}");
        assert!(!said.contains("made-up"), "{target}: {said}");
        // In a commit it is the same.
        commit_all(top, "link");
        let diff = lkroute.run(&["diff", "HEAD^", "HEAD"]);
        let said = diff.stdout + &diff.stderr;
        assert_eq!(
            said.contains(&format!("error[{code}]")),
            !code.is_empty(),
            "{target}: {said}"
        );
        assert!(!said.contains("made-up"), "{target}: {said}");
        git(top, &["reset", "-q", "--hard", "HEAD^"]);
    }
    // Nor through a directory that is a link itself.
    symlink(&way_out, &long_way).expect("a link");
    symlink("way/x.toml", &link).expect("a link");
    let (codes, said) = found(&lkroute);
    assert_eq!(
        codes,
        [
            "symlink-not-followed routing/c.toml",
            "symlink-not-followed routing/way"
        ]
    );
    assert_lacks!(said, "made-up");
}

#[test]
fn a_routing_directory_that_is_a_link_is_followed_at_each_commit() {
    let lkroute = Lkroute::with_two_regions();
    let top = lkroute.path();
    repository(top);
    fs::rename(top.join("routing"), top.join("one")).expect("rename it");
    fs::create_dir(top.join("two")).expect("make it");
    for name in ["tenants.toml", "uae.toml", "india.toml"] {
        let text = lkroute.read(format!("one/{name}"));
        lkroute.write(
            format!("two/{name}"),
            &text.replace("livekit.uae.example", "livekit.stranger.example"),
        );
    }
    symlink("one", top.join("routing")).expect("a link");
    commit_all(top, "one");
    fs::remove_file(top.join("routing")).expect("remove it");
    symlink("two", top.join("routing")).expect("a link");
    commit_all(top, "two");
    let diff = lkroute.run(&["diff", "HEAD^", "HEAD"]).expect_code(0);
    assert_contains!(diff.stdout, "livekit.stranger.example");

    let outside = tempfile::tempdir().expect("a directory");
    fs::write(outside.path().join("x.toml"), "made-up-outside\n").expect("write it");
    fs::remove_file(top.join("routing")).expect("remove it");
    symlink(outside.path(), top.join("routing")).expect("a link");
    let refused = lkroute.run(&["validate"]).expect_code(3);
    assert_contains!(refused.stdout, "symlink-not-followed");
    assert_lacks!(refused.stdout, "made-up");
}

#[test]
fn outside_of_git_links_stay_within_the_routing_directory() {
    let lkroute = Lkroute::with_two_regions();
    let routing = lkroute.path().join("routing");
    lkroute.write("outside.toml", "made-up-outside\n");
    // As a ConfigMap of Kubernetes is laid out.
    fs::create_dir(routing.join("..one")).expect("make it");
    fs::rename(routing.join("uae.toml"), routing.join("..one/uae.toml")).expect("move it");
    symlink("..one", routing.join("..data")).expect("a link");
    symlink("..data/uae.toml", routing.join("uae.toml")).expect("a link");
    lkroute.run(&["validate"]).expect_code(0);
    symlink("../outside.toml", routing.join("x.toml")).expect("a link");
    let (codes, said) = found(&lkroute);
    assert_eq!(codes, ["symlink-not-followed routing/x.toml"]);
    assert_lacks!(said, "made-up");
}
