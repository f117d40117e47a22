//! Loads all files: each is parsed for itself, on several threads, and then
//! all are merged. Core.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use sha2::{Digest, Sha256};

use super::line_index::OpenedFile;
use super::loaded::{LoadOptions, Loaded};
use super::parse::parsed_file::ParsedFile;
use super::sources::{Sources, as_text};
use super::{merge, parse};
use crate::finding::{Finding, Place};
use crate::list_index::index_of;

/// Loads the files as one.
pub fn load_routing(sources: &dyn Sources, options: &LoadOptions) -> Loaded {
    let mut problems = sources.problems();
    if sources.paths().is_empty() && problems.is_empty() {
        let finding = Finding::error("no-files", "there are no .toml files");
        problems.push(finding.hint("an empty tree would delete everything, so it is refused"));
    }
    let parsed_files = read_all(sources, options.environment.as_deref());
    let digest = digest_files(&parsed_files);
    let mut loaded =
        merge::merger::merge_files(parsed_files, sources, options, problems.is_empty());
    problems.append(&mut loaded.findings);
    Loaded {
        findings: problems,
        digest,
        ..loaded
    }
}

fn digest_files(parsed_files: &[ParsedFile]) -> String {
    let mut hashes: Vec<[u8; 32]> = parsed_files.iter().map(|parsed| parsed.hash).collect();
    hashes.sort_unstable();
    hex::encode(Sha256::digest(hashes.concat()))
}

/// Reads all files, in as many threads as help.
fn read_all(sources: &dyn Sources, environment: Option<&str>) -> Vec<ParsedFile> {
    let count = sources.paths().len();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(8).min(count / 4).max(1);
    let next = AtomicUsize::new(0);
    let parsed_files = Mutex::new(Vec::with_capacity(count));
    let work = || {
        loop {
            let file = next.fetch_add(1, Ordering::Relaxed);
            if file >= count {
                break;
            }
            let parsed = read_one(sources, file, environment);
            if let Ok(mut parsed_files) = parsed_files.lock() {
                parsed_files.push((file, parsed));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let mut parsed_files = parsed_files.into_inner().unwrap_or_default();
    parsed_files.sort_by_key(|(file, _)| *file);
    parsed_files.into_iter().map(|(_, parsed)| parsed).collect()
}

/// Of a file's text, however its lines end.
fn hash_text(text: &str) -> [u8; 32] {
    if text.contains('\r') {
        Sha256::digest(text.replace("\r\n", "\n")).into()
    } else {
        Sha256::digest(text).into()
    }
}

fn read_one(sources: &dyn Sources, file: usize, environment: Option<&str>) -> ParsedFile {
    let path = &sources.paths()[file];
    let unread = |code, message: String, place| ParsedFile {
        findings: vec![Finding::error(code, message).at(place)],
        incomplete: true,
        ..ParsedFile::default()
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
            let number = index_of(file);
            ParsedFile {
                hash: hash_text(text),
                ..parse::read_file(OpenedFile::new(path, text).lines(), number, environment)
            }
        }
        Err((line, column)) => {
            let place = Place {
                column,
                width: 1,
                ..Place::line(path, line)
            };
            unread(
                "not-utf8",
                "not UTF-8 from here on: save the file as UTF-8".to_owned(),
                place,
            )
        }
    }
}
