//! What others wrote is shown as it is, on one line, wherever it comes out: a
//! name in a row or a file forges no line of a log, and drives no terminal.

use std::fs;

use crate::support::{Lkroute, Run};

/// A forged line, a sequence that clears the screen, one that hides what
/// follows, and a mark that turns the text round.
const EVIL: &str = "x\n::error::forged\r\n\u{1b}[2J\u{1b}[8m\u{202e}y";

/// No line that somebody else wrote, and nothing that drives a terminal.
#[track_caller]
fn harmless(what: &str, run: &Run) {
    for text in [&run.stdout, &run.stderr] {
        for line in text.lines() {
            assert!(
                !line.trim_start().starts_with("::error::forged"),
                "{what}: {text}"
            );
        }
        for evil in ["\u{1b}[2J", "\u{1b}[8m", "\u{202e}", "\r"] {
            assert!(!text.contains(evil), "{what}: {evil:?} in {text:?}");
        }
    }
}

/// The text columns of the application's and lkroute's tables, with the text
/// in each.
fn poison(lkroute: &Lkroute) {
    let evil = EVIL.replace('\'', "''");
    let number = "voice_agent_numbers";
    for (table, columns) in [
        (
            "voice_agent_livekit",
            &[
                "name",
                "description",
                "livekit_api_key",
                "trunk_id",
                "worker_name",
            ][..],
        ),
        (number, &["provider"]),
        ("lkroute_applies", &["actor", "reason"]),
    ] {
        for column in columns {
            let own = if *column == "name" { "|| id" } else { "" };
            lkroute.sql(&format!("UPDATE {table} SET {column} = '{evil}' {own}"));
        }
    }
}

/// The text columns of lkroute's own tables, which somebody with the rights to
/// it may write beside lkroute.
fn poison_own_tables(lkroute: &Lkroute) {
    let evil = EVIL.replace('\'', "''");
    for (table, columns) in [
        (
            "lkroute_applies",
            &["kind", "revision", "owner", "version"][..],
        ),
        ("lkroute_files", &["path"]),
        ("lkroute_tenants", &["alias"]),
        ("lkroute_configs", &["secret_source", "fingerprint"]),
    ] {
        for column in columns {
            let own = match *column {
                "path" | "alias" => "|| id",
                _ => "",
            };
            lkroute.sql(&format!("UPDATE {table} SET {column} = '{evil}' {own}"));
        }
    }
    lkroute.sql(&format!(
        "INSERT INTO lkroute_trusted_hosts (host, at, actor, reason)
             VALUES ('{evil}', '{evil}', '{evil}', '{evil}');
             INSERT INTO lkroute_dispatches
               (id, at, status, from_number, to_number, config_name, room, dispatch_id, worker,
                worker_seen, actor, detail)
             VALUES (x'00000000000000000000000000000001', '2026-11-26T00:00:00Z', 'dispatched',
                971545335200, '{evil}', '{evil}', '{evil}', '{evil}', '{evil}', '{evil}', '{evil}',
                '{evil}')"
    ));
}

const COMMANDS: [&str; 22] = [
    "plan",
    "plan --full",
    "plan --number +971545335200",
    "drift",
    "history",
    "history 1",
    "history --address binding.+971545335200@sasya",
    "list",
    "list --config x",
    "resolve --from +971545335200 --to +971545335201 --explain",
    "resolve --from +971545335200 --to +971545335201 --tenant nobody",
    "secrets list",
    "dispatch --from +971545335200 --to +971545335201",
    "dispatches",
    "doctor",
    "rollback --to 1",
    "trust",
    "plan --format markdown",
    "release config.uae-vm-selfhosted",
    "dispatches --unsettled",
    "drift --accept --all",
    "apply --auto-approve",
];

#[test]
fn rows_forge_no_line_and_drive_no_terminal() {
    let lkroute = Lkroute::with_two_regions();
    lkroute.run(&["apply", "--auto-approve"]).expect_code(0);
    let all = || {
        for command in COMMANDS {
            let args: Vec<&str> = command.split(' ').chain(["--color", "always"]).collect();
            harmless(command, &lkroute.run(&args));
        }
    };
    poison_own_tables(&lkroute);
    lkroute.sql("UPDATE voice_agent_livekit SET trunk_id = 'ST_other'");
    all();
    poison(&lkroute);
    all();
    let import = ["import", "--out", "imported", "--color", "always"];
    let imported = lkroute.run(&import);
    harmless("import", &imported);
    assert_contains!(imported.stdout, "::error::forged");
    for file in fs::read_dir(lkroute.path().join("imported"))
        .into_iter()
        .flatten()
    {
        let text = fs::read_to_string(file.expect("a file").path()).expect("text");
        assert!(!text.contains(['\u{202e}', '\u{1b}', '\r']), "{text:?}");
    }
}

/// A name is wrapped where it has a blank, so that the rest of it begins a
/// line; a runner looks past the blanks before it.
#[test]
fn a_wrapped_name_gives_no_command_to_a_runner() {
    let lkroute = Lkroute::with_two_regions();
    lkroute.run(&["apply", "--auto-approve"]).expect_code(0);
    for length in 0..80 {
        let name = format!("{} ::stop-commands::x ##[error]y", "a".repeat(length));
        for args in [["history", &name], ["show", &name]] {
            let refused = lkroute.run(&args);
            let said = [refused.stdout, refused.stderr].concat();
            let command = |line: &str| line.trim_start().starts_with("::");
            assert!(!said.lines().any(command), "{said}");
            assert_lacks!(said, "##[");
        }
    }
}

/// What a saved plan says of findings is covered by no digest.
#[test]
fn findings_of_a_saved_plan_forge_no_line() {
    let lkroute = Lkroute::with_two_regions();
    lkroute.run(&["plan", "--out", "x.lkplan"]).expect_code(0);
    let text = lkroute.read("x.lkplan");
    let mut plan: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let place = serde_json::json!({ "file": EVIL, "line": 1, "column": 1, "width": 1 });
    let finding = serde_json::json!({
        "code": EVIL, "severity": "error", "message": EVIL, "place": place,
        "also": [[place, EVIL]], "hint": EVIL,
    });
    plan["refusals"] = serde_json::json!([finding]);
    plan["plan"]["findings"] = serde_json::json!([finding]);
    lkroute.write("x.lkplan", &plan.to_string());
    for format in ["text", "markdown", "json"] {
        let args = ["show", "x.lkplan", "--color", "always", "--format", format];
        let shown = lkroute.run(&args).expect_code(3);
        if format != "json" {
            harmless(format, &shown);
        }
    }
}

#[test]
fn names_in_files_and_of_files_forge_no_line() {
    let lkroute = Lkroute::with_two_regions();
    let quoted = serde_json::to_string(EVIL).expect("JSON");
    let quoted = quoted.replace('\u{202e}', "\\u202e");
    lkroute.write(
        "routing/evil.toml",
        &format!(
            "[regions.{quoted}]\ncountry_codes = [\"+49\"]\ndefault_config = {quoted}\n\
             [[bindings]]\nnumber = \"+4930123456\"\ntenant = {quoted}\n\
             [guards]\nprotected = [{quoted}]\n"
        ),
    );
    for name in ["x\n::error::forged.toml", "\u{1b}[2J.toml"] {
        lkroute.write(format!("routing/{name}"), "wrong");
    }
    for args in [
        &["validate"][..],
        &["plan"],
        &["fmt", "--check"],
        &["validate", "--format", "json"],
        &[
            "resolve",
            "--offline",
            "--from",
            "+4930123456",
            "--to",
            "+4930123457",
        ],
        &["plan", "--env", EVIL],
        &["resolve", "--from", EVIL, "--to", EVIL],
        &["history", EVIL],
        &["show", EVIL],
        &["adopt", EVIL],
        &["plan", "--routing", EVIL],
        &["plan", "--database", EVIL],
    ] {
        let args: Vec<&str> = args.iter().copied().chain(["--color", "always"]).collect();
        harmless(&format!("{args:?}"), &lkroute.run(&args));
    }
}

/// Errors and findings are made by functions that write out what can't be
/// seen; nothing sets their texts beside these.
#[test]
fn texts_of_errors_are_set_in_one_place() {
    let src = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut raw = Vec::new();
    for entry in walkdir::WalkDir::new(&src) {
        let entry = entry.expect("read src/");
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy());
        if !name.ends_with(".rs") || ["error.rs", "finding.rs"].contains(&&*name) {
            continue;
        }
        let text = fs::read_to_string(path).expect("text");
        let lines = text.lines().enumerate();
        raw.extend(
            lines
                .filter(|(_, line)| line.contains(".hint = ") || line.contains(".message = "))
                .filter(|(_, line)| !line.contains("visible(") && !line.contains("record."))
                .map(|(ix, line)| format!("{}:{}: {line}", path.display(), ix + 1)),
        );
    }
    assert!(raw.is_empty(), "{}", raw.join("\n"));
}
