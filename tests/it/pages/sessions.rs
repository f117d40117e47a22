//! The sessions of the pages, typed as they stand.

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
    let line = |line: &str| {
        let took = line
            .strip_prefix("Applied as ")
            .and_then(|_| line.split_once(" in "));
        if let Some((head, tail)) = took {
            let rest = tail.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
            return format!("{head} in 0.1{rest}\n");
        }
        if let Some((head, _)) = line.split_once("expires = ") {
            return format!("{head}expires = \"2026-12-31\"\n");
        }
        match line.split_once("  20") {
            Some((head, rest)) => format!("{head}  2026-11-21 10:07{}\n", commit(&rest[14..])),
            None => format!("{line}\n"),
        }
    };
    output.lines().map(line).collect()
}

/// What the README tells in words: four hundred numbers more, and a branch.
const BEGIN: &str = r#"set -e
cat > routing/numbers.toml <<END
[[bindings]]
range = ["+971545335201", "+971545335599"]
tenant = "sasya"

[[bindings]]
numbers = [
    "+971545339000",
    "+971545339001",
    "+971545339002",
]
tenant = "techiemaya-test"
END
printf '%s\n' '/lkroute.db*' '/*.lkplan' '/.story/' > .gitignore
git init -q --bare -b main .story/origin
git init -q -b main
git remote add origin .story/origin
git add -A
git commit -qm 'The two regions'
git push -q origin main
lkroute apply --auto-approve >/dev/null 2>&1
git switch -qc change
sed -i 's/"voag-staging"/"voag-production"/' routing/uae.toml
sed -i -e '/+971545339002/d' \
  -e '/"techiemaya-test"/a config = "india-techiemaya-cloud"' routing/numbers.toml
git commit -qam 'Production for sasya'
"#;

/// The exceptions as they are printed, with a reason.
const ALLOW: &str = r#"set -e
lkroute plan --quiet 2>/dev/null |
  sed -n -e '/^ *\[\[guards.allow/,/^ *expires/s/^      //p' -e '/^ *expires/a\ ' |
  sed -e 's/reason = "".*/reason = "the pilot is over"/' -e 's/ *$//' > allow.toml
sed '$d' allow.toml > routing/allow.toml
rm allow.toml
git add -A
git commit -qm 'Allow it'
"#;

/// With the same commit every day: exceptions end some days from today.
fn commit(line: &str) -> String {
    let is_commit = |word: &&str| word.len() == 12 && word.chars().all(|c| c.is_ascii_hexdigit());
    match line.split(' ').find(is_commit) {
        Some(commit) => line.replace(commit, "8c01d774f2a9"),
        None => line.to_owned(),
    }
}

#[test]
fn what_the_readme_shows_is_what_is_printed() {
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.write(".story/begin.sh", BEGIN);
    lkroute.write(".story/allow.sh", ALLOW);
    for role in ["AUTHOR", "COMMITTER"] {
        lkroute.env(&format!("GIT_{role}_NAME"), "Asha");
        lkroute.env(&format!("GIT_{role}_EMAIL"), "asha@acme.example");
        // So that its commits have the same names everywhere.
        lkroute.env(&format!("GIT_{role}_DATE"), "2026-11-21T10:00:00Z");
    }
    lkroute.env("USER", "asha").env("HOSTNAME", "desk");
    console("README.md", &lkroute, alike);
}

#[test]
fn the_readme_names_its_commands_and_every_variable() {
    let text = include_str!("../../../README.md");
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

#[test]
fn the_page_on_operation_is_true() {
    let mut lkroute = Lkroute::with_two_regions();
    lkroute
        .env("USER", "asha")
        .env("HOSTNAME", "desk")
        .env("LKROUTE_KEYS_FILE", "keys")
        .env("VM_2_SECRET", "made-up-secret-of-vm-2")
        .env("TEST_DATABASE_URL", "sqlite://test.db");
    lkroute.write_private("keys", "demo:bGtyb3V0ZSBkZW1vIGtleSwgbmV2ZXIgdXNlIHRoaXM\n");
    console("docs/operations.md", &lkroute, |output| {
        alike(at_ten(&output))
    });
}

/// Moments as one, in either spelling.
fn at_ten(output: &str) -> String {
    let mut text = output.to_owned();
    let starts: Vec<usize> = output.match_indices("20").map(|(at, _)| at).collect();
    for at in starts {
        let moment = output.get(at..at + 16).unwrap_or_default();
        let rest = output.get(at + 16..at + 24).unwrap_or_default();
        let shape: String = moment
            .chars()
            .map(|c| if c.is_ascii_digit() { '0' } else { c })
            .collect();
        if shape == "0000-00-00 00:00" {
            text = text.replace(moment, "2026-11-21 10:07");
        } else if shape == "0000-00-00T00:00" {
            text = text.replace(&format!("{moment}{rest}"), "2026-11-21T10:07:14.159Z");
        }
    }
    if let Some((before, after)) = text.split_once("it got the id ") {
        text = format!(
            "{before}it got the id 589ba7e1-4bae-4614-9041-6656d195f089{}",
            &after[36..]
        );
    }
    text
}

/// The sample, as somebody called asha works with it.
fn desk() -> Lkroute {
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.env("USER", "asha").env("HOSTNAME", "desk");
    lkroute
}

#[test]
fn what_scripts_become_is_as_the_page_says() {
    console("docs/from-scripts.md", &desk(), |output| {
        alike(at_ten(&output))
    });
}

/// What a key ring needs, and a service's user and agent.
fn desk_with_keys() -> Lkroute {
    let mut desk = desk();
    desk.env("LKROUTE_KEYS_FILE", "keys");
    desk.write_private("keys", "demo:bGtyb3V0ZSBkZW1vIGtleSwgbmV2ZXIgdXNlIHRoaXM\n");
    desk
}

#[test]
fn incidents_end_as_the_page_says() {
    let desk = desk_with_keys();
    console("docs/incidents.md", &desk, |output| alike(at_ten(&output)));
}

#[test]
fn symptoms_are_as_the_page_says() {
    let desk = desk_with_keys();
    console("docs/troubleshooting.md", &desk, |output| {
        alike(at_ten(&output))
    });
}

#[test]
fn guards_refuse_as_the_page_says() {
    console("docs/guards.md", &desk(), |output| alike(at_ten(&output)));
}
