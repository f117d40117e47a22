//! Wrong use, missing settings and databases that are away: what is said, in
//! which format, and the exit code.

use super::run;
use crate::support::Lkroute;

#[test]
fn usage_errors_end_in_1_and_respect_the_format() {
    let lkroute = Lkroute::new();
    let text = run(&lkroute, "plan --tagret x").expect_code(1);
    assert!(
        text.stdout.is_empty() && text.stderr.contains("'--target"),
        "{}",
        text.stderr
    );
    for line in [
        "plan --format json --tagret x",
        "plan --tagret x --format=json",
        "--format json plan --tagret x",
    ] {
        let report = run(&lkroute, line).expect_code(1).json();
        assert_eq!(report["format_version"], 1);
        assert_eq!(report["error"]["exit"], 1);
        assert_contains!(report["error"]["message"].as_str().unwrap(), "--tagret");
        assert_eq!(report["summary"]["create"], 0, "a report like any other");
    }
    let wide = run(
        &lkroute,
        "resolve --from +971545335200 --tenant a --initiated-by \
                              00000000-0000-4000-8000-000000000001 --explain --strict",
    );
    let wide = wide.expect_code(1).stderr;
    assert!(wide.lines().all(|line| line.len() <= 80), "{wide}");
    run(&lkroute, "").expect_code(1);
    run(&lkroute, "nonsense").expect_code(1);
    run(&lkroute, "plan --target binding.nonsense").expect_code(1);
    run(&lkroute, "--version").expect_code(0);
}

#[test]
fn a_file_without_tables_is_no_database_yet() {
    let lkroute = Lkroute::with_two_regions();
    lkroute.write("lkroute.db", "");
    let directory = run(
        &lkroute,
        "resolve --from +971545335200 --database sqlite://routing",
    );
    let said = directory.expect_code(1).stderr;
    assert_contains!(said, "it has to be a file");
    let call = "dispatch --from +971545335200 --to +971501234567";
    for line in ["resolve --from +971545335200", call] {
        let failed = run(&lkroute, line).expect_code(1);
        assert_contains!(failed.stderr, "`lkroute migrate --check`");
    }
}

#[test]
fn invalid_files_come_before_the_database() {
    let lkroute = Lkroute::new();
    lkroute.write("routing/a.toml", "nonsense = 1\n");
    let away = "--database postgres://u:made-up-password@127.0.0.1:1/x";
    for line in [
        format!("plan {away}"),
        format!("apply --auto-approve {away}"),
        format!("adopt --all {away}"),
    ] {
        let invalid = run(&lkroute, &line).expect_code(3);
        assert_contains!(invalid.stderr, "the files are invalid: 1 error");
    }
    let report = run(&lkroute, &format!("plan --format json {away}"))
        .expect_code(3)
        .json();
    assert_eq!(report["findings"][0]["code"], "unknown-key");
    assert_eq!(report["changes"], serde_json::json!([]));
    assert_eq!(report["error"]["exit"], 3);
}

#[test]
fn a_database_that_is_away_is_an_error_without_its_password() {
    let lkroute = Lkroute::with_two_regions();
    let away = "--database postgres://u:made-up-password@127.0.0.1:1/x";
    for line in [
        "plan",
        "apply --auto-approve",
        "resolve --from +971545335200",
        "migrate",
        "plan --format json",
    ] {
        let failed = run(&lkroute, &format!("{line} {away}")).expect_code(1);
        assert_contains!(failed.stderr, "127.0.0.1:1");
        assert!(
            !format!("{}{}", failed.stdout, failed.stderr).contains("made-up"),
            "{line}"
        );
    }
    let report = run(&lkroute, &format!("plan --format json {away}")).json();
    assert_eq!(report["error"]["exit"], 1);
}

#[test]
fn a_missing_secret_never_means_the_default_database() {
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.env("CI", "true");
    let failed = run(&lkroute, "apply --auto-approve").expect_code(1);
    assert_contains!(failed.stderr, "CI is set");
    run(
        &lkroute,
        "apply --auto-approve --database sqlite://lkroute.db",
    )
    .expect_code(0);
    lkroute.env("DATABASE_URL", "");
    let failed = run(&lkroute, "plan").expect_code(1);
    assert_contains!(failed.stderr, "DATABASE_URL is empty");
    // What needs no database does not look at it.
    run(&lkroute, "validate").expect_code(0);
    run(&lkroute, "resolve --offline --from +971545335200").expect_code(0);
    let help = run(&lkroute, "plan --help").expect_code(0);
    assert_contains!(help.stdout, "DATABASE_URL");
}

#[test]
fn commands_that_only_read_make_no_database() {
    let lkroute = Lkroute::with_two_regions();
    for line in ["resolve --from +971545335200", "migrate --check"] {
        let missing = run(&lkroute, line).expect_code(1);
        assert_contains!(missing.stderr, "is missing");
    }
    run(&lkroute, "plan").expect_code(0);
    assert!(!lkroute.path().join("lkroute.db").exists());
    run(&lkroute, "migrate").expect_code(0);
    run(&lkroute, "migrate --check").expect_code(0);
}

/// What `plan` finds to be done can be done.
#[test]
fn a_database_in_a_directory_that_is_not_there_is_told_by_the_directory() {
    let lkroute = Lkroute::with_two_regions();
    for line in [
        "plan",
        "apply --auto-approve",
        "migrate",
        "resolve --from +971545335200",
        "secrets list",
    ] {
        let line = format!("{line} --database sqlite://nowhere/x.db");
        let refused = run(&lkroute, &line).expect_code(1);
        assert!(
            refused.stderr.contains("there is no directory `nowhere`"),
            "{line}: {}",
            refused.stderr
        );
        let hinted = refused.told("make it, or name another file with --database");
        if line.starts_with("secrets") {
            let made = || {
                std::fs::create_dir(lkroute.path().join("nowhere")).expect("make it");
                run(&lkroute, "plan --database sqlite://nowhere/x.db")
            };
            hinted.then(made).expect_code(0);
        }
    }
    run(
        &lkroute,
        "apply --auto-approve --database sqlite://nowhere/x.db",
    )
    .expect_code(0);
}

/// A reason that says nothing would let a rollback past the budgets.
#[test]
fn a_blank_reason_is_no_reason() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    for command in [
        &["rollback", "--auto-approve"][..],
        &["release", "config.uae-vm-selfhosted", "--auto-approve"],
        &["migrate", "--reset-guards"],
        &["trust", "livekit.example"],
    ] {
        for reason in ["", "  ", "--", "."] {
            let reason = format!("--reason={reason}");
            let args = [command, &[reason.as_str()]].concat();
            let refused = lkroute.run(&args).expect_code(1);
            assert!(
                refused.stderr.contains("a reason says why, in words"),
                "{args:?}: {}",
                refused.stderr
            );
        }
    }
}

#[test]
fn a_server_is_trusted_by_its_name_alone() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    for (host, said) in [
        ("https://lk.example/path?x=y", "is more than a server"),
        ("wss://user:made-up@lk.example", "is more than a server"),
        ("*.lk.example", "names no server"),
    ] {
        let args = ["trust", host, "--reason", "failover"];
        let refused = lkroute.run(&args).expect_code(1);
        assert!(refused.stderr.contains(said), "{host}: {}", refused.stderr);
        assert_lacks!(refused.stderr, "made-up");
    }
    assert_eq!(run(&lkroute, "trust").expect_code(0).stdout, "");
    let args = ["trust", "lk.example/path", "--reason", "failover"];
    let refused = lkroute.run(&args).expect_code(1);
    let named = "wss://lk.example:443";
    let hint = "host and port are trusted, and nothing else: {server}";
    let args = ["trust", named, "--reason", "failover"];
    refused
        .told(hint)
        .then(|| lkroute.run(&args))
        .expect_code(0);
}

#[test]
fn migrate_says_what_is_missing_and_does_it_once() {
    let lkroute = Lkroute::new();
    let first = run(&lkroute, "migrate").expect_code(0);
    assert_contains!(first.stderr, "migrated: create lkroute's own tables");
    let second = run(&lkroute, "migrate").expect_code(0);
    assert_contains!(second.stderr, "up to date");
}

#[test]
fn colour_comes_only_when_asked_for_where_nobody_looks() {
    let lkroute = Lkroute::with_two_regions();
    let plain = run(&lkroute, "plan").expect_code(0);
    assert!(!plain.stdout.contains('\u{1b}'));
    let mut colour = lkroute.command(&["plan", "--color", "always"]);
    let output = colour.env_remove("NO_COLOR").output().expect("run lkroute");
    assert_contains!(String::from_utf8_lossy(&output.stdout), "\u{1b}[");
}

#[test]
fn completions_are_made_for_every_shell() {
    let lkroute = Lkroute::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&lkroute, &format!("completions {shell}")).expect_code(0);
        assert!(script.stdout.contains("resolve"), "{shell}");
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let lkroute = Lkroute::new();
    lkroute.write("file", "");
    let no_directory = run(&lkroute, "man --out file/pages").expect_code(1);
    assert_contains!(no_directory.stderr, "file/pages");
    run(&lkroute, "man --out new/pages").expect_code(0);
    let help = run(&lkroute, "--help").expect_code(0).stdout;
    for command in ["plan", "apply", "secrets-seal", "man"] {
        let page = lkroute.read(format!("new/pages/lkroute-{command}.1"));
        assert!(page.contains(".SH OPTIONS"), "{command}: {page}");
        let first = command.split('-').next().expect("a name");
        assert_contains!(help, first);
    }
    assert_contains!(lkroute.read("new/pages/lkroute.1"), "plan");
}

#[test]
fn an_environment_brings_its_own_database_and_no_other() {
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.write(
        "routing/env.toml",
        "[environments.prod]\ndatabase = \"PROD_DATABASE_URL\"\n",
    );
    lkroute.env("DATABASE_URL", "sqlite://default.db");
    let without = run(&lkroute, "plan").expect_code(3);
    assert_contains!(without.stdout, "prod");
    let unset = run(&lkroute, "plan --env prod").expect_code(1);
    assert_contains!(unset.stderr, "PROD_DATABASE_URL");
    lkroute.env("PROD_DATABASE_URL", "sqlite://prod.db");
    let applied = run(&lkroute, "apply --env prod --auto-approve").expect_code(0);
    assert_starts!(applied.stdout, "Plan for prod: 6 to create");
    assert!(lkroute.path().join("prod.db").exists());
    assert!(!lkroute.path().join("default.db").exists());
    run(&lkroute, "resolve --env prod --from +971545335200").expect_code(0);
    // The environment is stamped: another one on the same database is refused.
    lkroute.write(
        "routing/env2.toml",
        "[environments.dev]\ndatabase = \"DEV_DATABASE_URL\"\n",
    );
    run(&lkroute, "plan --env dev --database sqlite://prod.db").expect_code(6);
}

#[test]
fn with_the_routing_table_switched_off_nothing_is_looked_up() {
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.env("USE_SELFHOST_ROUTING_TABLE", "false");
    let variables = [
        ("LIVEKIT_URL", "wss://elsewhere.example"),
        ("LIVEKIT_API_KEY", "made-up-key"),
        ("LIVEKIT_API_SECRET", "made-up-secret"),
        ("OUTBOUND_TRUNK_ID", "ST_elsewhere"),
    ];
    for (name, value) in variables {
        lkroute.env(name, value);
    }
    let line = "resolve --from +971545335200 --tenant sasya --format json";
    let route = run(&lkroute, line).expect_code(0);
    assert_lacks!(route.stdout, "made-up-secret");
    assert_eq!(route.json()["source"], "environment");
    run(&lkroute, "resolve --from +971545335200 --strict").expect_code(1);
}

#[test]
fn every_report_says_which_environment_it_speaks_of() {
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.write(
        "routing/env.toml",
        "[environments.prod]\ndatabase = \"MADE_UP_URL\"\n[environments.dev]\ndatabase = \"OTHER_URL\"\n",
    );
    lkroute.env("MADE_UP_URL", "sqlite://prod.db");
    run(&lkroute, "--env prod apply --auto-approve").expect_code(0);
    for command in [
        "validate",
        "plan",
        "drift",
        "history",
        "history --address config.uae-vm-selfhosted",
        "list",
        "list --offline",
        "secrets list",
        "resolve --from +971545335200",
        "resolve --from +971545335200 --offline",
        "doctor --offline",
        "rollback --to 1 --dry-run",
        "import --out imported",
    ] {
        let text = run(&lkroute, &format!("--env prod {command}"));
        let said = format!("{}{}", text.stdout, text.stderr);
        let words: Vec<&str> = said.split([' ', ':', ',', '.', '\n']).collect();
        assert!(words.contains(&"prod"), "{command}: {said}");
        let again = command.replace("imported", "imported-again");
        let json = run(&lkroute, &format!("--env prod {again} --format json")).json();
        assert_eq!(json["environment"], "prod", "{command}: {json:#}");
    }
    for (style, title) in [
        (
            "mermaid",
            "---\ntitle: \"environment prod\"\n---\nflowchart LR\n",
        ),
        ("dot", "  label=\"environment prod\"\n"),
    ] {
        let picture = run(&lkroute, &format!("--env prod graph --format {style}"));
        assert_contains!(picture.stdout, title);
    }
    let other = run(
        &lkroute,
        "--env dev --database sqlite://prod.db import --out x",
    );
    other.expect_code(6);
    assert!(!lkroute.path().join("lkroute.db").exists());
}

#[test]
fn names_are_found_however_a_keyboard_writes_their_letters() {
    let lkroute = Lkroute::with_two_regions();
    let tenants = lkroute.read("routing/tenants.toml");
    lkroute.write(
        "routing/tenants.toml",
        &tenants.replace("sasya =", "\"zo\u{eb}\" ="),
    );
    let uae = lkroute.read("routing/uae.toml");
    let uae = uae.replace("\"sasya\"", "\"zo\u{eb}\"");
    let uae = uae.replace("regions.uae", "regions.\"caf\u{e9}\"");
    let uae = uae.replace("\"uae\"", "\"caf\u{e9}\"");
    lkroute.write("routing/uae.toml", &uae);
    let run = |args: &[&str]| lkroute.run(args).expect_code(0).stdout;
    let target = ["plan", "--target", "region.\"cafe\u{301}\""];
    assert_contains!(run(&target), "+ region.\"caf\u{e9}\"");
    run(&["apply", "--auto-approve"]);
    let from = [
        "resolve",
        "--from",
        "+971545335200",
        "--tenant",
        "zoe\u{308}",
    ];
    assert_contains!(run(&from), "uae-vm-selfhosted");
    let listed = run(&["list", "--region", "cafe\u{301}", "--tenant", "zoe\u{308}"]);
    assert_contains!(listed, "+971545335200");
}

#[test]
fn a_count_that_is_none_says_what_is_wanted() {
    let lkroute = Lkroute::new();
    for line in [
        "dispatches --last x",
        "dispatches --last 99999999999",
        "plan --lock-timeout 5s",
        "plan --max-bindings many",
    ] {
        let said = run(&lkroute, line).expect_code(1).stderr;
        let words = crate::support::words_of(&said);
        assert!(words.contains("a whole number is wanted"), "{line}: {said}");
        assert!(!said.contains("digit"), "{line}: {said}");
    }
}

/// Nobody writes into it: the command ends.
#[cfg(unix)]
#[test]
fn a_pipe_is_not_waited_for_without_end() {
    let lkroute = Lkroute::with_two_regions();
    let pipe = lkroute.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo").success());
    let start = std::time::Instant::now();
    for line in ["show pipe", "apply pipe", "secrets rotate --keys pipe"] {
        run(&lkroute, line).expect_code(1);
    }
    assert!(start.elapsed() < std::time::Duration::from_secs(20));
    // What a shell gives as a file goes on being read.
    run(&lkroute, "plan --out x.lkplan").expect_code(0);
    let script = format!(
        "{} show <(sleep 1; cat x.lkplan)",
        env!("CARGO_BIN_EXE_lkroute")
    );
    let shown = std::process::Command::new("bash")
        .args(["-c", &script])
        .current_dir(lkroute.path())
        .output()
        .expect("bash");
    assert!(shown.status.success(), "{shown:?}");
}
