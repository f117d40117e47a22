//! Commands inside the sentences of the pages: each is run, as it stands or
//! with its placeholders filled in: by a block, here, or by the test that is
//! named (`command_lists`); or it is said why none can.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::blocks::{run_in_turn, test_source};
use super::command_lists::{ELSEWHERE, HERE, NOT_RUN};
use super::named_commands::{INFOS, code_spans};
use crate::support::pages::{Block, Mark, pages, read_page, root};
use crate::support::{Lkroute, shell};

/// Programs whose names with a word behind them are a command.
const PROGRAMS: [&str; 8] = [
    "lkroute", "cargo", "git", "dpkg", "pip", "uvx", "python", "npm",
];

/// A span as a command, with the name of lkroute where a table leaves it out.
/// None where it is none.
fn as_command(span: &str, subcommands: &BTreeSet<String>) -> Option<String> {
    let words: Vec<&str> = span.split(' ').collect();
    let is_variable = |word: &&&str| word.contains('=') && !word.starts_with('-');
    let set = words.iter().take_while(is_variable).count();
    let (first, more) = words[set..].split_first()?;
    let is_script = first.contains('/') && !first.starts_with(['/', '~']) && may_run(first);
    let is_program = PROGRAMS.contains(first) && more.first().is_some_and(|word| *word != "=");
    if INFOS.contains(&span) {
        return None;
    }
    if is_program || is_script {
        return Some(span.to_owned());
    }
    let is_option = |word: &&str| word.starts_with(['-', '[']) || is_placeholder(word);
    let of_lkroute = subcommands.contains(*first) && more.iter().any(is_option);
    (of_lkroute && more[0] != "=").then(|| format!("lkroute {span}"))
}

/// Whether it is a script of this repository.
fn may_run(path: &str) -> bool {
    let file = root().join(path);
    let mode = file.metadata().map(|found| found.permissions());
    let mode = mode.map_or(0, |found| PermissionsExt::mode(&found));
    !path.contains("..") && file.is_file() && mode & 0o111 != 0
}

/// The commands that one span stands for: with and without what is in brackets,
/// and each of what stands between `|`.
fn variants(command: &str) -> Vec<String> {
    let (optional, always): (Vec<&str>, Vec<&str>) =
        command.split(' ').partition(|word| word.starts_with('['));
    let mut found = vec![always.clone()];
    for word in optional {
        found.push([&always[..], &[word.trim_matches(['[', ']'])]].concat());
    }
    let each = |words: Vec<&str>| match words.iter().position(|word| word.contains('|')) {
        None => vec![words.join(" ")],
        Some(at) => {
            let either = words[at].split('|').map(|one| {
                let mut words = words.clone();
                words[at] = one;
                words.join(" ")
            });
            either.collect()
        }
    };
    found.into_iter().flat_map(each).collect()
}

/// `FILE`, `…`, `<environment>`: whatever is meant there.
fn is_placeholder(word: &str) -> bool {
    let upper = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    let is_name = word.starts_with(|c: char| c.is_ascii_uppercase());
    word == "…" || word.starts_with('<') || is_name && word.chars().all(upper)
}

/// Whether a line runs the command: its words are there, in their order.
fn runs(line: &str, command: &str) -> bool {
    let separators = ["|", "||", "&&", ";", "\n"];
    let words: Vec<&str> = line.split_whitespace().collect();
    words.split(|word| separators.contains(word)).any(|words| {
        let mut left = command
            .split(' ')
            .filter(|word| !word.contains('='))
            .peekable();
        for word in words {
            let word = word.trim_matches([';', '(', ')', '\'']);
            let fits =
                |wanted: &&str| *wanted == word || is_placeholder(wanted) && !word.starts_with('-');
            left.next_if(fits);
        }
        left.peek().is_none()
    })
}

/// Every line that a block shows and a test runs.
fn lines_of_blocks() -> Vec<String> {
    let in_turn = run_in_turn();
    let mut lines = Vec::new();
    for page in pages() {
        for block in Block::all(&read_page(&page)).0 {
            let is_run = match &block.mark {
                Mark::RunBy(_) => true,
                Mark::None => in_turn.contains(&page),
                Mark::NotRun(_) => false,
            };
            let commands = block
                .text
                .lines()
                .filter_map(|line| match block.language.as_str() {
                    "console" => line.strip_prefix("$ ").map(str::to_owned),
                    "sh" => Some(line.split('#').next().unwrap_or_default().to_owned()),
                    _ => None,
                });
            lines.extend(commands.filter(|_| is_run));
        }
    }
    lines
}

/// Each command of a sentence, and the pages that name it.
fn commands_of_sentences() -> BTreeMap<String, BTreeSet<String>> {
    let help = Lkroute::new().run(&["--help"]).expect_code(0).stdout;
    let names = help.lines().filter_map(|line| line.strip_prefix("  "));
    let names = names.filter_map(|line| line.split(' ').next());
    let subcommands: BTreeSet<String> = names.map(str::to_owned).collect();
    let mut found = BTreeMap::<String, BTreeSet<String>>::new();
    for page in pages().into_iter().filter(|page| page != "CHANGELOG.md") {
        let (_, text) = Block::all(&read_page(&page));
        for span in code_spans(&text) {
            let span = span.replace("\\|", "|");
            let command = as_command(&span, &subcommands);
            for variant in command.iter().flat_map(|command| variants(command)) {
                found.entry(variant).or_default().insert(page.clone());
            }
        }
    }
    found
}

#[test]
fn every_command_of_a_sentence_is_run_or_says_why_not() {
    let found = commands_of_sentences();
    let shown = lines_of_blocks();
    assert!(found.len() > 60 && shown.len() > 100, "{found:#?}");
    let here: BTreeSet<&str> = HERE.iter().map(|(command, ..)| *command).collect();
    let listed: BTreeSet<&str> = ELSEWHERE
        .iter()
        .map(|(command, ..)| *command)
        .chain(NOT_RUN.iter().map(|(command, _)| *command))
        .chain(here.into_iter().filter(|command| !command.is_empty()))
        .collect();
    let in_a_block = |command: &str| shown.iter().any(|line| runs(line, command));
    let new = found
        .iter()
        .filter(|(command, _)| !listed.contains(command.as_str()) && !in_a_block(command));
    let new: Vec<String> = new
        .map(|(command, pages)| format!("`{command}` of {pages:?}"))
        .collect();
    assert!(
        new.is_empty(),
        "run by nobody; show it in a block, or add it to a list of command_lists.rs:\n{}",
        new.join("\n")
    );
    for command in listed {
        assert!(
            found.contains_key(command),
            "no page names `{command}` any more"
        );
        assert!(!in_a_block(command), "a block runs `{command}`");
    }
}

#[test]
fn the_commands_of_sentences_do_what_they_are_named_for() {
    let lkroute = Lkroute::with_two_regions();
    for (command, code, line) in HERE {
        assert!(
            runs(line, command) || command.is_empty(),
            "{line} is not `{command}`"
        );
        let (said, ended) = shell(&lkroute, line);
        assert_eq!(ended, code, "{line}\n{said}");
    }
}

#[test]
fn commands_that_are_run_elsewhere_are_run_there() {
    for (command, test, words) in ELSEWHERE {
        let (module, name) = test.rsplit_once("::").expect("a path");
        let module = PathBuf::from(module.replace("::", "/"));
        let files = [module.with_extension("rs"), module.join("mod.rs")];
        let text = files.iter().find_map(|file| test_source(file.to_str()?));
        let text = text.unwrap_or_else(|| panic!("`{command}`: no file of {test}"));
        assert!(
            text.contains(&format!("fn {name}(")),
            "`{command}`: no {test}"
        );
        for word in words {
            assert!(
                text.contains(word),
                "`{command}`: {test} does not run {word}"
            );
        }
    }
    for (command, reason) in NOT_RUN {
        assert!(!reason.is_empty(), "{command}");
    }
}

/// The core is checked alone by CI, and filters of tests find tests.
#[test]
fn what_ci_runs_is_what_the_pages_say() {
    let ci = std::fs::read_to_string(root().join(".ci/run")).expect("it");
    assert_contains!(ci, "cargo check --locked --lib --no-default-features");
    let tests = std::process::Command::new(std::env::current_exe().expect("it"))
        .arg("--list")
        .output();
    let tests = String::from_utf8(tests.expect("run it").stdout).expect("UTF-8");
    for (command, _) in NOT_RUN {
        let filters = command
            .split_once("--test it -- ")
            .map_or("", |(_, filters)| filters);
        for filter in filters.split(' ').filter(|word| word.contains("::")) {
            assert!(
                tests.contains(filter),
                "`{command}`: no test is called {filter}"
            );
        }
    }
}

#[test]
fn a_command_that_nobody_runs_is_found() {
    assert!(runs(
        "lkroute plan -q --out a.lkplan | head -1",
        "lkroute plan --out FILE"
    ));
    assert!(!runs(
        "lkroute plan -q | lkroute show --out a",
        "lkroute plan --out FILE"
    ));
    assert!(!runs("lkroute plan -q --full", "lkroute plan --out FILE"));
    assert!(!runs(
        "lkroute plan --out --full",
        "lkroute plan --out FILE"
    ));
    assert_eq!(variants("fmt [--check]"), ["fmt", "fmt --check"]);
    assert_eq!(
        variants("diff [REV1 [REV2]]"),
        ["diff", "diff REV1", "diff REV2"]
    );
    assert_eq!(
        variants("adopt ADDRESS|--all"),
        ["adopt ADDRESS", "adopt --all"]
    );
    let names = BTreeSet::from(["plan".to_owned(), "adopt".to_owned()]);
    let command = |span| as_command(span, &names);
    assert_eq!(
        command("plan --out FILE").as_deref(),
        Some("lkroute plan --out FILE")
    );
    assert_eq!(
        command("LKROUTE_ENV=x lkroute plan").as_deref(),
        Some("LKROUTE_ENV=x lkroute plan")
    );
    for no in [
        "plan",
        "lkroute",
        "adopt = [\"field\"]",
        "plan of a change",
        "lkroute = 1",
    ] {
        assert_eq!(command(no), None, "{no}");
    }
}
