//! Every block of commands in every page is run, or says why it can't be.

use std::fs;

use crate::support::pages::{Block, Mark, pages, read_page, root};

/// The languages of blocks that hold no command.
const TEXTS: [&str; 7] = ["text", "toml", "yaml", "json", "sql", "python", "mermaid"];

/// What is wrong with a page. `source` gives a test file of a path below
/// `tests/it`; `in_turn` says whether a test runs the sessions of the page.
fn problems(text: &str, in_turn: bool, source: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let (blocks, rest) = Block::all(text);
    let of_block = |block: Block| {
        let problem = problem(&block, in_turn, source)?;
        Some(format!("line {}: {problem}", block.line))
    };
    let mut problems: Vec<String> = blocks.into_iter().filter_map(of_block).collect();
    // A mark with a gap below it would be above nothing.
    let marks = rest.lines().filter(|line| Mark::of(line) != Mark::None);
    let (marked, _) = Block::all(text);
    let marked = marked.iter().filter(|block| block.mark != Mark::None);
    if marks.count() != marked.count() {
        problems.push("a mark is not right above a block".to_owned());
    }
    problems
}

fn problem(
    block: &Block,
    in_turn: bool,
    source: &dyn Fn(&str) -> Option<String>,
) -> Option<String> {
    let is_session = block.text.lines().any(|line| line.starts_with("$ "));
    match (block.language.as_str(), &block.mark) {
        ("console" | "sh", Mark::RunBy(test)) => not_a_test(test, source),
        ("console" | "sh", Mark::NotRun(reason)) => reason
            .is_empty()
            .then(|| "it isn't said why it is not run".to_owned()),
        ("console", Mark::None) if in_turn => {
            (!is_session).then(|| "it shows no command; say `text`".to_owned())
        }
        ("console" | "sh", Mark::None) => {
            Some("no test runs it: write `<!-- run by … -->` above it".to_owned())
        }
        (language, _) if !TEXTS.contains(&language) => {
            Some(format!("what is a block of {language:?}?"))
        }
        _ => is_session.then(|| "it shows commands; say `console`".to_owned()),
    }
}

/// A test counts that asks for its blocks by its own name.
fn not_a_test(test: &str, source: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let (module, name) = test.rsplit_once("::")?;
    let module = module.replace("::", "/");
    let files = [format!("{module}.rs"), format!("{module}/mod.rs")];
    let text = files.iter().find_map(|file| source(file));
    let text = text.unwrap_or_default();
    let is_there = text.contains(&format!("fn {name}("));
    let asks = ["blocks_run_by(", "console_run_by("];
    let asks = asks.iter().any(|function| text.contains(function));
    let asks = asks && text.contains(&format!("\"{name}\""));
    (!is_there || !asks).then(|| format!("no test {test} asks for it"))
}

pub(super) fn test_source(file: &str) -> Option<String> {
    fs::read_to_string(root().join("tests/it").join(file)).ok()
}

/// The pages whose sessions a test runs, as the calls of `console` name them.
pub(super) fn run_in_turn() -> Vec<String> {
    let files = walkdir::WalkDir::new(root().join("tests/it")).into_iter();
    let files = files.map(|entry| entry.expect("an entry").into_path());
    let files = files.filter(|path| path.extension().is_some_and(|ext| ext == "rs"));
    let texts = files.map(|path| fs::read_to_string(path).expect("a test"));
    texts
        .flat_map(|text| {
            let text = text.replace("console_where(", "console(");
            let calls = text.split("console(").skip(1);
            let pages = calls.filter_map(|call| call.trim_start().strip_prefix('"'));
            let pages = pages.filter_map(|call| call.split_once('"'));
            pages
                .map(|(page, _)| page.to_owned())
                .collect::<Vec<String>>()
        })
        .collect()
}

#[test]
fn every_block_of_commands_is_run_or_says_why_not() {
    let in_turn = run_in_turn();
    let mut all = Vec::new();
    for page in pages() {
        let found = problems(&read_page(&page), in_turn.contains(&page), &test_source);
        all.extend(
            found
                .into_iter()
                .map(|problem| format!("{page}, {problem}")),
        );
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn a_block_that_nobody_runs_is_found() {
    let source = |file: &str| {
        let text = r#"fn it_runs() { blocks_run_by("docs/x.md", "it_runs") }"#;
        (file == "a/b.rs").then(|| text.to_owned())
    };
    let found = |text: &str, in_turn| problems(text, in_turn, &source);
    let session = "```console\n$ lkroute plan\n```\n";
    assert_eq!(found(session, true), [""; 0]);
    assert_contains!(found(session, false)[0], "no test runs it");
    let marked = |mark: &str| found(&format!("{mark}\n{session}"), false);
    assert_eq!(marked("<!-- run by a::b::it_runs -->"), [""; 0]);
    assert_eq!(marked("<!-- not run: it needs a phone -->"), [""; 0]);
    assert_contains!(
        marked("<!-- run by a::b::it_ran -->")[0],
        "no test a::b::it_ran"
    );
    assert_contains!(marked("<!-- not run: -->")[0], "why");
    let gap = format!("<!-- run by a::b::it_runs -->\n\n{session}");
    assert_contains!(found(&gap, true)[0], "right above");
    assert_contains!(
        found("```text\n$ lkroute plan\n```\n", true)[0],
        "say `console`"
    );
    assert_contains!(
        found("```\nlkroute plan\n```\n", true)[0],
        "a block of \"\""
    );
    assert_contains!(
        found("```console\nlkroute plan\n```\n", true)[0],
        "no command"
    );
}
