//! The README's blocks that are no sessions: its first command, the key of the
//! samples, PostgreSQL.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::pages::{blocks_run_by, root};
use crate::support::{Legacy, Lkroute, Postgres};

/// Runs a script in the directory of `lkroute`, with programs of `first` before
/// others.
fn shell(lkroute: &Lkroute, script: &str, first: &Path) -> String {
    let like = lkroute.command(&[] as &[&str]);
    let path = std::env::var("PATH").expect("a PATH");
    let mut shell = Command::new("sh");
    shell
        .args(["-ec", script])
        .current_dir(lkroute.path())
        .env_clear();
    for (name, value) in like.get_envs() {
        shell.envs(value.map(|value| (name, value)));
    }
    shell.env("PATH", format!("{}:{path}", first.display()));
    succeeded(script, &shell.output().expect("run sh"))
}

#[track_caller]
fn succeeded(script: &str, done: &Output) -> String {
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{script}\n{said}");
    String::from_utf8(done.stdout.clone()).expect("UTF-8")
}

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_lkroute"))
}

/// `cargo run` without cargo: the program that the tests were built with. There
/// is no other that it could mean.
fn cargo_of(lkroute: &Lkroute) -> std::path::PathBuf {
    let cargo = std::env::var("CARGO").unwrap_or(env!("CARGO").to_owned());
    let manifest = root().join("Cargo.toml");
    let mut metadata = Command::new(cargo);
    metadata.args(["metadata", "--no-deps", "--offline", "--format-version=1"]);
    let done = metadata.arg("--manifest-path").arg(manifest).output();
    let text = succeeded("cargo metadata", &done.expect("run cargo"));
    let metadata: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let mut packages = metadata["packages"].as_array().expect("packages").iter();
    let package = packages.find(|package| package["name"] == "lkroute");
    let package = package.expect("the package of the root");
    let targets = package["targets"].as_array().expect("targets").iter();
    let programs = targets.filter(|target| target["kind"][0] == "bin");
    let programs: Vec<&str> = programs.filter_map(|bin| bin["name"].as_str()).collect();
    assert_eq!(programs, ["lkroute"]);

    let program = program().display();
    let text = format!(
        "#!/bin/sh\n[ \"$1\" = run ] || exit 9\nshift\n[ \"$1\" != -q ] || shift\n\
         [ \"$1\" = -- ] || exit 9\nshift\nexec '{program}' \"$@\"\n"
    );
    let cargo = lkroute.write("bin/cargo", &text);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&cargo, mode).expect("may run");
    cargo
}

#[test]
fn the_first_command_goes_from_nothing_to_a_resolved_call() {
    let blocks = blocks_run_by(
        "README.md",
        "the_first_command_goes_from_nothing_to_a_resolved_call",
    );
    let lkroute = Lkroute::with_two_regions();
    let cargo = cargo_of(&lkroute);
    let said = shell(&lkroute, &blocks[0], cargo.parent().expect("bin"));
    for part in [
        "Applied as 1: 6 created",
        "No changes. 6 objects are as the files say",
        "+971545335200 of sasya: config uae-vm-selfhosted",
    ] {
        assert_contains!(said, part);
    }
}

#[test]
fn the_key_of_the_readme_opens_the_samples() {
    let blocks = blocks_run_by("README.md", "the_key_of_the_readme_opens_the_samples");
    let script = format!("{}lkroute secrets list --offline", blocks[0]);
    let bin = program().parent().expect("a directory");
    let said = shell(&Lkroute::with_two_regions(), &script, bin);
    assert_eq!(said.matches("  opens").count(), 2, "{said}");
}

#[test]
fn the_commands_for_postgresql_do_what_the_readme_says() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let db = postgres.database("readme");
    Legacy::named("lad_dev").install(&db);
    db.psql("TRUNCATE lad_dev.voice_agent_livekit, lad_dev.voice_agent_numbers");
    let blocks = blocks_run_by(
        "README.md",
        "the_commands_for_postgresql_do_what_the_readme_says",
    );
    let invented = "postgres://lkroute@db.internal/voice";
    assert_contains!(blocks[0], invented);
    let script = blocks[0].replace(invented, &db.url);
    let bin = program().parent().expect("a directory");
    let said = shell(&Lkroute::with_two_regions(), &script, bin);
    assert!(said.contains("CREATE TABLE"), "the SQL: {said}");
    assert_contains!(said, "\nPlan: 6 to create\n");
}
