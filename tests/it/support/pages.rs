//! The pages of the repository: their blocks, and who runs each.
//!
//! A block of commands (```` ```console ````, ```` ```sh ````) is run by
//! [`console`](super::console) with all others of its page, or the line above
//! it names the test that runs it, or says why none does:
//!
//! ```text
//! <!-- run by calls::kills::the_loop_of_the_docs_calls_nobody_twice -->
//! <!-- not run: it is what runs the tests -->
//! ```

use std::fs;
use std::path::{Path, PathBuf};

/// What the line above a block says.
#[derive(Debug, Clone, PartialEq)]
pub enum Mark {
    None,
    /// The path of a test, as `cargo test` prints it.
    RunBy(String),
    /// Why it can't be run.
    NotRun(String),
}

impl Mark {
    pub fn of(line: &str) -> Mark {
        let inside = line.strip_prefix("<!-- ");
        let inside = inside
            .and_then(|rest| rest.strip_suffix("-->"))
            .unwrap_or("");
        match (
            inside.strip_prefix("run by "),
            inside.strip_prefix("not run:"),
        ) {
            (Some(test), _) => Mark::RunBy(test.trim().to_owned()),
            (_, Some(reason)) => Mark::NotRun(reason.trim().to_owned()),
            _ => Mark::None,
        }
    }
}

/// A fenced block.
#[derive(Debug, Clone)]
pub struct Block {
    /// Of its first fence, from 1.
    pub line: usize,
    /// The word behind the fence.
    pub language: String,
    pub mark: Mark,
    pub text: String,
}

impl Block {
    /// The blocks of a page, and the page without them.
    pub fn all(page: &str) -> (Vec<Block>, String) {
        let (mut blocks, mut rest) = (Vec::new(), String::new());
        let mut above = "";
        let mut lines = page.lines().enumerate();
        while let Some((ix, line)) = lines.next() {
            match line.trim_start().strip_prefix("```") {
                Some(info) => blocks.push(Block {
                    line: ix + 1,
                    language: info.split(' ').next().unwrap_or_default().to_owned(),
                    mark: Mark::of(above),
                    text: lines
                        .by_ref()
                        .map(|(_, line)| line)
                        .take_while(|line| line.trim_start() != "```")
                        .map(|line| format!("{line}\n"))
                        .collect(),
                }),
                None => rest += &format!("{line}\n"),
            }
            above = line;
        }
        (blocks, rest)
    }
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All pages, by their paths from the root.
pub fn pages() -> Vec<String> {
    let skipped = ["target", ".git", "golden"];
    let files = walkdir::WalkDir::new(root()).into_iter();
    let files = files.filter_entry(|entry| {
        let name = entry.file_name().to_str().unwrap_or_default();
        !skipped.contains(&name)
    });
    let paths = files.map(|entry| entry.expect("an entry").into_path());
    let paths = paths.filter(|path| path.extension().is_some_and(|ext| ext == "md"));
    let below = |path: PathBuf| path.strip_prefix(root()).expect("below").to_owned();
    let mut pages: Vec<String> = paths
        .map(|path| below(path).to_str().expect("plain").to_owned())
        .collect();
    pages.sort();
    pages
}

pub fn read_page(page: &str) -> String {
    fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

/// The blocks of a page that name the test `name` above them, in their order.
///
/// # Panics
/// Where there is none: the test would run nothing.
#[track_caller]
pub fn blocks_run_by(page: &str, name: &str) -> Vec<String> {
    let (blocks, _) = Block::all(&read_page(page));
    let mine = blocks.into_iter().filter(
        |block| matches!(&block.mark, Mark::RunBy(test) if test.ends_with(&format!("::{name}"))),
    );
    let texts: Vec<String> = mine.map(|block| block.text).collect();
    assert!(!texts.is_empty(), "{page} has no block for {name}");
    texts
}
