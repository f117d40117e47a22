//! The files → [`Routing`], with every problem that they have. Core: text in,
//! values out; imports only core.
//!
//! [`load`] reads each file for itself, on several threads, into a piece that
//! no longer needs its text ([`shape`] says what is not TOML or has a wrong
//! shape, [`piece`] what is wrong within the file), and [`merge`] puts the
//! pieces together and finds what is wrong between them. Reading never stops
//! at the first problem.

mod bindings;
mod bulk;
mod configs;
mod declared;
mod doubts;
pub mod edit;
mod environments;
mod findings;
mod format;
mod guards;
mod lines;
mod merge;
mod piece;
pub mod raw;
mod reader;
mod relook;
mod routes;
mod schema;
mod shape;
mod suggest;
#[cfg(test)]
mod tests;
pub mod url;
mod waves;

use std::borrow::Cow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use sha2::{Digest, Sha256};

use crate::finding::{Finding, Place};
use crate::routing::Routing;
use lines::Opened;
use piece::Piece;

pub use doubts::doubts;
pub use format::{format, veiled};
pub use schema::schema;

/// Files to load, wherever they are: a directory, a git revision, memory.
pub trait Sources: Sync {
    /// The paths as the user would type them, sorted.
    fn paths(&self) -> &[String];

    /// The content of a file, by its index in [`Sources::paths`]; else why it
    /// can't be read. It is asked for again where a finding needs a line.
    fn read(&self, file: usize) -> Result<Cow<'_, [u8]>, String>;

    /// What was wrong before any file was read.
    fn problems(&self) -> Vec<Finding> {
        Vec::new()
    }
}

/// Files in memory.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    paths: Vec<String>,
    contents: Vec<Vec<u8>>,
}

impl Texts {
    /// Path and content of each file.
    pub fn new(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Texts {
        let mut files: Vec<_> = files.into_iter().collect();
        files.sort();
        let (paths, contents) = files.into_iter().unzip();
        Texts { paths, contents }
    }
}

impl Sources for Texts {
    fn paths(&self) -> &[String] {
        &self.paths
    }

    fn read(&self, file: usize) -> Result<Cow<'_, [u8]>, String> {
        let content = self.contents.get(file).ok_or("there is no such file")?;
        Ok(Cow::Borrowed(content))
    }
}

/// How to load.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// The environment to load for; needed where the files declare any.
    pub environment: Option<String>,
}

/// What the files say.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// Of use only where there is no error among the findings.
    pub routing: Routing,
    /// By place.
    pub findings: Vec<Finding>,
    /// The environments that are declared.
    pub environments: Vec<String>,
    /// Of the chosen environment: the variable that holds the database's URL.
    pub database: Option<String>,
    /// Of the chosen environment: the schema.
    pub schema: Option<String>,
    /// A SHA-256 over what the files hold, in hex: the same wherever they lie
    /// and whatever they are called.
    pub digest: String,
}

impl Loaded {
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(Finding::is_error)
    }
}

/// Loads the files as one.
pub fn load(sources: &dyn Sources, options: &LoadOptions) -> Loaded {
    let mut problems = sources.problems();
    if sources.paths().is_empty() && problems.is_empty() {
        let finding = Finding::error("no-files", "there are no .toml files");
        problems.push(finding.hint("an empty tree would delete everything, so it is refused"));
    }
    let pieces = read_all(sources, options.environment.as_deref());
    let digest = digest(&pieces);
    let mut loaded = merge::merge(pieces, sources, options, problems.is_empty());
    problems.append(&mut loaded.findings);
    Loaded {
        findings: problems,
        digest,
        ..loaded
    }
}

fn digest(pieces: &[Piece]) -> String {
    let mut hashes: Vec<[u8; 32]> = pieces.iter().map(|piece| piece.hash).collect();
    hashes.sort_unstable();
    hex::encode(Sha256::digest(hashes.concat()))
}

/// Reads all files, in as many threads as help.
fn read_all(sources: &dyn Sources, environment: Option<&str>) -> Vec<Piece> {
    let count = sources.paths().len();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(8).min(count / 4).max(1);
    let next = AtomicUsize::new(0);
    let pieces = Mutex::new(Vec::with_capacity(count));
    let work = || {
        loop {
            let file = next.fetch_add(1, Ordering::Relaxed);
            if file >= count {
                break;
            }
            let piece = read_one(sources, file, environment);
            if let Ok(mut pieces) = pieces.lock() {
                pieces.push((file, piece));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let mut pieces = pieces.into_inner().unwrap_or_default();
    pieces.sort_by_key(|(file, _)| *file);
    pieces.into_iter().map(|(_, piece)| piece).collect()
}

fn read_one(sources: &dyn Sources, file: usize, environment: Option<&str>) -> Piece {
    let path = &sources.paths()[file];
    let unread = |code, message: String, place| Piece {
        findings: vec![Finding::error(code, message).at(place)],
        incomplete: true,
        ..Piece::default()
    };
    let bytes = match sources.read(file) {
        Ok(bytes) => bytes,
        Err(reason) => {
            let message = format!("can't be read: {reason}");
            return unread("unreadable-file", message, Place::file(path));
        }
    };
    match as_text(&bytes) {
        Ok(text) => {
            let number = u32::try_from(file).unwrap_or(u32::MAX);
            Piece {
                hash: Sha256::digest(&bytes).into(),
                ..piece::read(Opened::new(path, text).lines(), number, environment)
            }
        }
        Err((line, column)) => {
            let place = Place {
                line,
                column,
                width: 1,
                ..Place::file(path)
            };
            unread("not-utf8", "not UTF-8 from here on".to_owned(), place)
        }
    }
}

/// The text of a file; else line and column of the first byte that is no UTF-8.
fn as_text(bytes: &[u8]) -> Result<&str, (u32, u32)> {
    std::str::from_utf8(bytes).map_err(|error| {
        let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        let lines = before.matches('\n').count();
        let column = before.chars().rev().take_while(|c| *c != '\n').count();
        let one_based = |count: usize| u32::try_from(count + 1).unwrap_or(u32::MAX);
        (one_based(lines), one_based(column))
    })
}
