//! The README's sessions, typed as they stand.

use crate::support::{Lkroute, console};

/// Durations and ids of new rows differ from run to run, and dates from day to
/// day.
fn alike(output: String) -> String {
    let new_row = output.split([' ', ',', '\n']).find(|word| {
        let id = word.parse::<uuid::Uuid>();
        id.is_ok_and(|id| id.get_version_num() == 7)
    });
    let output = match new_row {
        Some(id) => output.replace(id, "01a1fc35-6254-760c-a9b3-0c50663c07e1"),
        None => output.clone(),
    };
    let line = |line: &str| match (line.rsplit_once(" in "), line.split_once("expires = ")) {
        (Some((head, tail)), _) if tail.ends_with(" s") => format!("{head} in 0.1 s\n"),
        (_, Some((head, _))) => format!("{head}expires = \"2026-12-31\"\n"),
        _ => format!("{line}\n"),
    };
    output.lines().map(line).collect()
}

#[test]
fn what_the_readme_shows_is_what_is_printed() {
    console("../README.md", &Lkroute::with_two_regions(), alike);
}

#[test]
fn the_readme_names_its_commands_and_every_variable() {
    let text = include_str!("../../README.md");
    for name in [
        "cargo run",
        "tests/run",
        "DATABASE_URL",
        "LKROUTE_SCHEMA",
        "LKROUTE_KEYS",
        "LIVEKIT_SECRET_ENCRYPTION_KEY",
        "USE_SELFHOST_ROUTING_TABLE",
        "NO_COLOR",
        "GRANT",
    ] {
        assert!(text.contains(name), "nothing about {name}");
    }
}
