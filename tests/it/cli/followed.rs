//! Each command that a text of lkroute tells somebody to run, and the test
//! that runs it after it was told, or where it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{run, sql};
use crate::support::Lkroute;

/// The command as the sources write it, and the test.
const FOLLOWED: [(&str, &str); 35] = [
    (
        "lkroute adopt ADDRESS",
        "a_conflict_names_adopt_which_ends_it",
    ),
    (
        "lkroute adopt {address}",
        "a_conflict_names_adopt_which_ends_it",
    ),
    ("lkroute apply", "hints_without_a_database_lead_to_one"),
    (
        "lkroute apply --auto-approve",
        "hints_without_a_database_lead_to_one",
    ),
    (
        "lkroute apply --revert-drift",
        "what_the_files_can_not_say_is_not_accepted",
    ),
    (
        "lkroute dispatches",
        "a_call_that_is_not_known_leads_to_those_that_are",
    ),
    (
        "lkroute dispatches --refresh ROOM",
        "a_call_that_runs_is_told_from_one_that_is_over",
    ),
    (
        "lkroute dispatches --refresh {room}",
        "a_call_that_runs_is_told_from_one_that_is_over",
    ),
    (
        "lkroute dispatches --refresh {}",
        "a_call_that_runs_is_told_from_one_that_is_over",
    ),
    ("lkroute drift", "hints_about_what_was_applied_lead_on"),
    ("lkroute fmt", "hints_about_the_files_lead_on"),
    ("lkroute history", "hints_about_what_was_applied_lead_on"),
    (
        "lkroute history --address",
        "hints_about_what_was_applied_lead_on",
    ),
    ("lkroute list", "a_tenant_without_numbers_leads_to_the_list"),
    ("lkroute migrate", "from_a_live_database_to_an_empty_plan"),
    (
        "lkroute migrate --check",
        "from_a_live_database_to_an_empty_plan",
    ),
    (
        "lkroute migrate --create-application-tables",
        "a_schema_that_is_not_there_is_told",
    ),
    (
        "lkroute migrate --dry-run",
        "from_a_live_database_to_an_empty_plan",
    ),
    (
        "lkroute migrate --index",
        "a_table_in_partitions_is_written_and_indexed",
    ),
    (
        "lkroute migrate --reset-guards --reason TEXT",
        "stored_guards_that_cant_be_read_are_an_error_until_they_are_reset",
    ),
    (
        "lkroute migrate --restamp",
        "a_copy_is_stamped_anew_and_is_another_database",
    ),
    ("lkroute plan", "hints_about_what_was_applied_lead_on"),
    (
        "lkroute plan --out",
        "the_run_of_a_merge_that_is_applied_has_nothing_to_do_while_nothing_undid_it",
    ),
    ("lkroute release", "an_empty_tree_leads_to_release"),
    ("lkroute secrets keygen", "hints_about_the_files_lead_on"),
    (
        "lkroute secrets rotate",
        "nothing_is_called_rotated_that_does_not_open",
    ),
    ("lkroute secrets seal", "a_missing_secret_is_sealed_as_told"),
    (
        "lkroute secrets seal --config NAME",
        "a_missing_secret_is_sealed_as_told",
    ),
    (
        "lkroute secrets seal --config {name}",
        "a_missing_secret_is_sealed_as_told",
    ),
    ("lkroute trust", "hints_about_what_was_applied_lead_on"),
    (
        "lkroute trust {to} --reason …",
        "an_operator_records_a_server_and_takes_it_back",
    ),
    (
        "lkroute trust {} --reason …",
        "an_operator_records_a_server_and_takes_it_back",
    ),
    ("lkroute validate", "hints_about_the_files_lead_on"),
    (
        "lkroute {command}",
        "habits_of_other_tools_are_understood_or_answered",
    ),
    (
        "lkroute {command} … --auto-approve",
        "hints_about_what_was_applied_lead_on",
    ),
];

/// Told, and followed in no test yet: may only become shorter.
const HINTS_LEFT: [&str; 5] = [
    "lkroute --help",
    "lkroute import",
    "lkroute list --format json",
    "lkroute plan --full",
    "lkroute rollback --reason TEXT",
];

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// The text of the code alone: no comments, no unit tests, strings joined that
/// go on behind a backslash.
fn printed_text(path: &Path) -> String {
    let text = std::fs::read_to_string(path).expect("a text");
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let mut printed = String::new();
    let mut goes_on = false;
    for line in code.lines() {
        if line.trim_start().starts_with("//") {
            continue;
        }
        let line = if goes_on { line.trim_start() } else { line };
        goes_on = line.ends_with('\\');
        printed += line.trim_end_matches('\\');
        if !goes_on {
            printed.push('\n');
        }
    }
    printed
}

fn told_commands() -> BTreeSet<String> {
    let mut files = Vec::new();
    rust_files(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut files,
    );
    let mut told = BTreeSet::new();
    for file in files {
        let is_test = file.components().any(|part| part.as_os_str() == "tests");
        if is_test || file.ends_with("tests.rs") {
            continue;
        }
        let text = printed_text(&file);
        let quoted = text.split('`').skip(1).step_by(2);
        let commands = quoted.filter(|said| said.starts_with("lkroute ") && !said.contains('\n'));
        told.extend(commands.map(str::to_owned));
    }
    told
}

#[test]
fn every_command_that_is_told_is_followed_in_a_test() {
    let told = told_commands();
    assert!(told.len() > 30, "{told:#?}");
    let followed: BTreeMap<&str, &str> = FOLLOWED.into_iter().collect();
    let left: BTreeSet<&str> = HINTS_LEFT.into_iter().collect();
    let unknown: Vec<&String> = told
        .iter()
        .filter(|said| !followed.contains_key(said.as_str()) && !left.contains(said.as_str()))
        .collect();
    assert!(
        unknown.is_empty(),
        "told, and followed in no test: write one and name it in FOLLOWED: {unknown:#?}"
    );
    for said in followed.keys().chain(&left) {
        assert!(told.contains(*said), "`{said}` is told no more");
    }
    for said in &left {
        assert!(!followed.contains_key(said), "`{said}` is followed");
    }
    let mut tests = Vec::new();
    rust_files(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it"),
        &mut tests,
    );
    let tests: Vec<String> = tests
        .iter()
        .map(|path| std::fs::read_to_string(path).expect("a text"))
        .collect();
    for (said, test) in followed {
        let head = format!("fn {test}(");
        let there = tests.iter().any(|text| text.contains(&head));
        assert!(there, "`{said}`: there is no test {test}");
    }
}

/// What was said, on one line.
fn said(lkroute: &Lkroute, line: &str, code: i32) -> String {
    let ran = run(lkroute, line).expect_code(code);
    let all = format!("{} {}", ran.stdout, ran.stderr);
    all.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_conflict_names_adopt_which_ends_it() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    // The rows stay, as if others had made them; lkroute knows none.
    for table in ["bindings", "configs", "regions"] {
        sql(&lkroute, &format!("DELETE FROM lkroute_{table}"));
    }
    sql(
        &lkroute,
        "UPDATE voice_agent_livekit SET worker_name = 'voag-other' WHERE name = 'uae-vm-selfhosted'",
    );
    let told = said(&lkroute, "plan", 6);
    assert!(told.contains("lkroute adopt"), "{told}");
    run(&lkroute, "adopt config.uae-vm-selfhosted").expect_code(0);
    run(&lkroute, "apply --auto-approve").expect_code(0);
}

#[test]
fn a_call_that_is_not_known_leads_to_those_that_are() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let told = said(&lkroute, "cancel call-none --yes", 1);
    assert!(told.contains("as `lkroute dispatches` shows"), "{told}");
    run(&lkroute, "dispatches").expect_code(0);
}

#[test]
fn a_tenant_without_numbers_leads_to_the_list() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let nobody = "99999999-e252-4728-9c52-4663ee552653";
    let told = said(&lkroute, &format!("import --out n --tenant {nobody}"), 1);
    assert!(told.contains("`lkroute list` shows"), "{told}");
    let listed = said(&lkroute, "list", 0);
    assert!(listed.contains("sasya"), "{listed}");
    run(&lkroute, "import --out n --tenant sasya").expect_code(0);
}

#[test]
fn an_empty_tree_leads_to_release() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    for entry in std::fs::read_dir(lkroute.path().join("routing")).expect("files") {
        std::fs::write(entry.expect("a file").path(), "").expect("written");
    }
    let told = said(&lkroute, "plan", 3);
    assert!(
        told.contains("`lkroute release` gives objects back"),
        "{told}"
    );
    run(&lkroute, "release --all --auto-approve").expect_code(0);
    let listed = said(&lkroute, "list", 0);
    assert!(listed.contains("+971545335200"), "{listed}");
}

#[test]
fn a_missing_secret_is_sealed_as_told() {
    let mut lkroute = Lkroute::with_two_regions();
    let file = lkroute.read("routing/uae.toml");
    let lines = file.lines();
    let without: Vec<&str> = lines
        .filter(|line| !line.starts_with("api_secret"))
        .collect();
    lkroute.write("routing/uae.toml", &without.join("\n"));
    let told = said(&lkroute, "validate", 3);
    assert!(told.contains("lkroute secrets seal --config"), "{told}");
    let key = run(&lkroute, "secrets keygen").expect_code(0).stdout;
    lkroute.env("LKROUTE_KEYS", key.trim());
    let seal = ["secrets", "seal", "--config", "uae-vm-selfhosted"];
    let secret = "made-up-secret-0123456789abcdef";
    lkroute.run_with_input(&seal, secret).expect_code(0);
    run(&lkroute, "validate").expect_code(0);
}
