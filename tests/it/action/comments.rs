//! `comment.sh`, against the stand-in for GitHub.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use super::github::{BOT, Fault, GitHub, REPOSITORY, TOKEN};
use super::runner::root;

const MARKER: &str = "<!-- lkroute plan: production -->";

/// Runs the script as the step does.
fn comment(github: &GitHub, changes: &[(&str, &str)]) -> Output {
    let mut command = Command::new("timeout");
    command.arg("60");
    command.arg(root().join(".github/action/comment.sh"));
    command.env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let given = [
        ("GITHUB_TOKEN", TOKEN),
        ("GITHUB_API_URL", &github.url),
        ("GITHUB_REPOSITORY", REPOSITORY),
        ("GITHUB_SERVER_URL", "https://github.example"),
        ("GITHUB_RUN_ID", "41"),
        ("PULL_REQUEST", "7"),
        ("ENVIRONMENT", "production"),
        ("COMMENT_AUTHOR", BOT),
        ("COMMAND", "plan"),
        ("EXITCODE", "2"),
        ("HEAD_SHA", "1111111111112222222222223333333333334444"),
        ("API_SECONDS", "20"),
        ("RETRY_SECONDS", "0"),
        ("NO_PROXY", "127.0.0.1"),
    ];
    command.envs(given).envs(changes.iter().copied());
    command.output().expect("run it")
}

#[track_caller]
fn log(output: &Output, success: bool) -> String {
    let log = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.success(), success, "{log}\n{error}");
    log
}

#[test]
fn one_comment_for_each_environment_is_updated_in_place() {
    let github = GitHub::start();
    // Of others, and on three pages: one pretends to be ours.
    github
        .comment("somebody", "hello")
        .comment("somebody", MARKER)
        .comment("somebody", "more")
        .comment(BOT, "<!-- another tool -->");
    log(&comment(&github, &[]), true);
    log(&comment(&github, &[("ENVIRONMENT", "staging-2")]), true);
    log(&comment(&github, &[("ENVIRONMENT", "")]), true);
    let before = github.bodies(BOT);
    assert_eq!(before.len(), 4);
    assert_starts!(before[1], MARKER);
    assert_contains!(before[1], "Changes, waiting for review");
    assert_contains!(before[1], "commit 111111111111 ");
    assert_contains!(
        before[1],
        "https://github.example/some-team/routing/actions/runs/41"
    );
    assert_starts!(before[2], "<!-- lkroute plan: staging%2D2 -->\n");
    assert_starts!(before[3], "<!-- lkroute plan -->\n");

    log(&comment(&github, &[("EXITCODE", "4")]), true);
    let after = github.bodies(BOT);
    assert_eq!(after.len(), 4);
    assert_ne!(after[1], before[1]);
    assert_eq!(after[2..], before[2..]);
    assert_eq!(github.bodies("somebody"), ["hello", MARKER, "more"]);
    assert_eq!((github.count("POST"), github.count("PATCH")), (3, 1));
}

#[test]
fn the_report_is_the_comment() {
    let github = GitHub::start();
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().to_str().expect("plain");
    let report = format!("{MARKER}\n### Plan\n\n\"q\" `$(touch /tmp/x)` \\n ü\n");
    fs::write(file.path(), &report).expect("write it");
    log(&comment(&github, &[("REPORT", path)]), true);
    let bodies = github.bodies(BOT);
    assert!(bodies[0].starts_with(report.trim_end()), "{}", bodies[0]);
    assert!(!bodies[0].contains("waiting"), "the report has a headline");

    // Without a mark of its own it gets one, and a headline.
    fs::write(file.path(), "~~~\n2 written\n~~~\n").expect("write it");
    let applied = [("REPORT", path), ("COMMAND", "apply"), ("EXITCODE", "5")];
    log(&comment(&github, &applied), true);
    let body = github.bodies(BOT).remove(0);
    assert_starts!(body, format!("{MARKER}\n\n### ⛔ Not applied"));
    assert_contains!(body, "\n~~~\n2 written\n~~~\n");
}

#[test]
fn every_exit_code_has_its_words() {
    let github = GitHub::start();
    let words = |command: &str, code: &str| {
        log(
            &comment(&github, &[("COMMAND", command), ("EXITCODE", code)]),
            true,
        );
        let body = github.bodies(BOT).remove(0);
        let title = body.lines().find(|line| line.starts_with("### "));
        title.expect("a title").to_owned()
    };
    for code in ["1", "3", "4", "5", "6", ""] {
        assert!(words("plan", code).contains("⛔ No plan"), "{code}");
        assert!(words("apply", code).contains("⛔ Not applied"), "{code}");
    }
    assert_contains!(words("diff", "2"), "waiting for review");
    assert_contains!(words("plan", "124"), "it took too long");
    assert_contains!(words("apply", "124"), "Nobody knows");
    assert_contains!(words("apply", "8"), "Nobody knows");
    assert_contains!(words("apply", "0"), "✅ Applied");
    assert_contains!(words("plan", "0"), "✅ No changes");
    assert_eq!(github.bodies(BOT).len(), 1);
}

#[test]
fn where_nothing_changes_and_nothing_was_said_nothing_is_said() {
    let github = GitHub::start();
    let said = log(&comment(&github, &[("EXITCODE", "0")]), true);
    assert_contains!(said, "no comment");
    assert_eq!(github.bodies(BOT).len(), 0);
    let said = log(&comment(&github, &[("PULL_REQUEST", "")]), true);
    assert_contains!(said, "No pull request");
    assert_eq!(github.count("GET"), 1);
}

#[test]
fn a_report_that_is_too_long_is_left_to_the_summary() {
    let github = GitHub::start();
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().to_str().expect("plain");
    let long = |letters: usize| format!("{MARKER}\n{}", "ü".repeat(letters));
    fs::write(file.path(), long(32_000)).expect("write it");
    log(&comment(&github, &[("REPORT", path)]), true);
    assert!(github.bodies(BOT)[0].starts_with(&long(32_000)));
    fs::write(file.path(), long(70_000)).expect("write it");
    log(&comment(&github, &[("REPORT", path)]), true);
    let body = github.bodies(BOT).remove(0);
    assert_starts!(body, MARKER);
    assert_contains!(body, "too long for a comment");
}

#[test]
fn faults_that_pass_are_waited_for_and_never_give_two_comments() {
    let github = GitHub::start();
    github
        .fail("GET", Fault::Answer(502, "X-A: b"))
        .fail("POST", Fault::Lost);
    log(&comment(&github, &[]), true);
    assert_eq!(github.bodies(BOT).len(), 1, "it had been made");

    let limited = "X-RateLimit-Remaining: 0\r\nRetry-After: 0";
    github
        .fail("PATCH", Fault::Answer(403, limited))
        .fail("PATCH", Fault::Answer(404, "X-A: b"));
    log(&comment(&github, &[]), true);
    assert_eq!(github.bodies(BOT).len(), 1);
    assert_eq!(github.count("PATCH"), 4);

    for _ in 0..3 {
        github.fail("GET", Fault::Answer(503, "X-A: b"));
    }
    let said = log(&comment(&github, &[]), false);
    assert_contains!(said, "::error title=lkroute::");
    assert_contains!(said, "GitHub answered 503");
}

#[test]
fn a_missing_right_is_named_at_once() {
    let github = GitHub::start();
    github.fail("POST", Fault::Answer(403, "X-A: b"));
    let said = log(&comment(&github, &[]), false);
    assert_contains!(said, "pull-requests: write");
    assert_contains!(said, "Resource not accessible");
    assert_eq!(github.count("POST"), 1);
    let said = log(&comment(&github, &[("GITHUB_TOKEN", "expired")]), false);
    assert_contains!(said, "GitHub answered 401");
    assert_lacks!(said, "expired");
}

#[test]
fn nothing_is_waited_for_longer_than_the_limit() {
    let github = GitHub::start();
    for _ in 0..3 {
        github.fail("GET", Fault::Slow(Duration::from_secs(30)));
    }
    let began = Instant::now();
    let said = log(&comment(&github, &[("API_SECONDS", "1")]), false);
    assert_contains!(said, "did not answer in 1 s");
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn hostile_inputs_are_refused() {
    let github = GitHub::start();
    let dir = tempfile::tempdir().expect("a directory");
    let mark = dir.path().join("mark");
    let hostile = format!("a$(touch {})", mark.display());
    for (name, value) in [
        ("ENVIRONMENT", hostile.as_str()),
        ("ENVIRONMENT", "a --><b>"),
        ("PULL_REQUEST", "7/../8"),
        ("PULL_REQUEST", hostile.as_str()),
    ] {
        let said = log(&comment(&github, &[(name, value)]), false);
        assert_contains!(said, "::error title=lkroute::");
    }
    let path = mark.to_str().expect("plain");
    log(
        &comment(&github, &[("EXITCODE", &hostile), ("DIGEST", &hostile)]),
        true,
    );
    assert!(!Path::new(path).exists());
    assert_eq!(github.count("GET"), 1);
}
