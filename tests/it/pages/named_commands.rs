//! Commands and flags that the pages name in their sentences exist.

use std::collections::BTreeMap;

use crate::support::Lkroute;
use crate::support::pages::{Block, pages, read_page};

/// Texts that go into keys (docs/secrets.md); they only begin like commands.
pub(super) const INFOS: [&str; 2] = ["lkroute key id v1", "lkroute secret fingerprint v1"];

/// What stands between backticks, on one line each.
pub(super) fn code_spans(text: &str) -> Vec<String> {
    let mut spans = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('`') {
        let ticks = rest[start..].chars().take_while(|c| *c == '`').count();
        let after = &rest[start + ticks..];
        let fence = "`".repeat(ticks);
        let Some(end) = after.find(&fence) else { break };
        let span: Vec<&str> = after[..end].split_whitespace().collect();
        spans.push(span.join(" "));
        rest = &after[end + ticks..];
    }
    spans
}

/// The help of each command: `plan`, `secrets`, `secrets seal`.
struct Helps(BTreeMap<String, String>);

impl Helps {
    fn all() -> Helps {
        let lkroute = Lkroute::new();
        let mut helps = BTreeMap::new();
        let mut left = vec![String::new()];
        while let Some(command) = left.pop() {
            let words = command.split_whitespace().chain(["--help"]);
            let help = lkroute.run(&words.collect::<Vec<_>>()).expect_code(0);
            let (_, listed) = help.stdout.split_once("<COMMAND>\n").unwrap_or_default();
            let (listed, _) = listed.split_once("\nOptions:").unwrap_or_default();
            for line in listed.lines() {
                let name = line
                    .strip_prefix("  ")
                    .and_then(|rest| rest.split(' ').next());
                if let Some(name) = name.filter(|name| !name.is_empty()) {
                    left.push(format!("{command} {name}").trim().to_owned());
                }
            }
            helps.insert(command, help.stdout);
        }
        assert!(helps.contains_key("secrets seal"), "{:?}", helps.keys());
        Helps(helps)
    }

    /// What a span names that is not there.
    fn problem(&self, span: &str) -> Option<String> {
        let words: Vec<&str> = span.split(' ').collect();
        let words = match words.iter().position(|word| *word == "lkroute") {
            Some(at) if words[..at].iter().all(|word| word.contains('=')) => &words[at + 1..],
            // In a table of commands, without the program.
            None if span.contains(" --") && self.0.contains_key(words[0]) => &words[..],
            _ => return None,
        };
        let ends = ["|", ">", "&&", ";", "--"];
        let words = words.iter().take_while(|word| !ends.contains(word));
        let words: Vec<&str> = words.map(|word| word.trim_matches(['[', ']'])).collect();
        let mut command = String::new();
        for word in &words {
            let deeper = format!("{command} {word}").trim().to_owned();
            if self.0.contains_key(&deeper) {
                command = deeper;
            } else if let Some(flag) = word.strip_prefix("--") {
                let is_of = |c: char| c.is_ascii_lowercase() || c == '-';
                let flag = flag.split(|c| !is_of(c)).next().unwrap_or_default();
                if !has_flag(&self.0[&command], flag) {
                    return Some(format!("`lkroute {command}` has no --{flag}"));
                }
            }
        }
        let is_name = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase());
        let first = words.first().copied().filter(is_name);
        let first = first.filter(|_| !INFOS.contains(&span));
        first
            .filter(|_| command.is_empty() && span.starts_with("lkroute "))
            .map(|first| format!("there is no command `{first}`"))
    }
}

fn has_flag(help: &str, flag: &str) -> bool {
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '-');
    let flag = format!("--{flag}");
    flag == "--help" || help.split(&flag).skip(1).any(ends)
}

#[test]
fn every_command_that_a_sentence_names_exists() {
    let helps = Helps::all();
    let mut problems = Vec::new();
    for page in pages() {
        if page == "CHANGELOG.md" {
            continue; // what it names may be gone since
        }
        let (_, text) = Block::all(&read_page(&page));
        for span in code_spans(&text) {
            let problem = helps.problem(&span);
            problems.extend(problem.map(|problem| format!("{page}: `{span}`: {problem}")));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn a_command_that_does_not_exist_is_found() {
    let helps = Helps::all();
    for wrong in [
        "lkroute undo",
        "lkroute plan --publish",
        "lkroute plan --ou FILE",
        "apply --for-good",
        "lkroute --environment production plan",
        "lkroute secrets seal --colour",
        "LKROUTE_ENV=x lkroute plan --publish",
    ] {
        assert!(helps.problem(wrong).is_some(), "{wrong}");
    }
    for right in [
        "lkroute plan --out FILE",
        "secrets rotate --check",
        "plan --against DIR|REV",
        "fmt [--check]",
        "cargo run --release",
        "lkroute COMMAND --help",
        "lkroute --env production plan --format markdown",
    ] {
        assert_eq!(helps.problem(right), None, "{right}");
    }
    let spans = code_spans("a `b\n c` and ``d `e` f``");
    assert_eq!(spans, ["b c", "d `e` f"]);
}
