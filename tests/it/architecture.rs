//! The rooms of the house: who may import whom, read off the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const EDGES: [&str; 5] = ["files", "git", "livekit", "secrets", "store"];
const APP: &str = "app";
const SHELL: [&str; 2] = ["cli", "render"];

/// Things of the outside world that the core must not touch.
const OUTSIDE: [&str; 14] = [
    "std::fs",
    "std::env",
    "TcpStream",
    "process::Command",
    "std::io",
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "sqlx",
    "tokio",
    "reqwest",
    "println!",
    "getrandom",
];

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
}

/// The room of a file: the first part of its path below `src`.
fn room(path: &Path) -> String {
    let below = path.strip_prefix(src()).unwrap();
    let first = below.components().next().unwrap().as_os_str();
    first.to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// The code of a file: without its comments, and without its tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The rooms that a text names after `crate::`.
fn named_rooms(code: &str) -> BTreeSet<String> {
    let after = code.split("crate::").skip(1);
    after
        .flat_map(|rest| match rest.strip_prefix('{') {
            Some(list) => {
                let list = list.split('}').next().unwrap_or_default();
                list.split(',').map(|part| part.trim().to_owned()).collect()
            }
            None => vec![rest.to_owned()],
        })
        .map(|name| {
            let end = name.find(|c: char| !c.is_ascii_lowercase() && c != '_');
            name[..end.unwrap_or(name.len())].to_owned()
        })
        .filter(|name| !name.is_empty())
        .collect()
}

fn is_test(path: &Path) -> bool {
    let below = path
        .strip_prefix(src())
        .unwrap()
        .to_string_lossy()
        .into_owned();
    below.contains("test")
}

#[test]
fn rooms_import_in_one_direction() {
    let mut files = Vec::new();
    sources(&src(), &mut files);
    assert!(files.len() > 30, "found only {files:?}");
    let mut wrong = Vec::new();
    for path in files.iter().filter(|path| !is_test(path)) {
        let (room, code) = (room(path), code(path));
        let edge = EDGES.contains(&room.as_str());
        let shell = SHELL.contains(&room.as_str()) || room == "main" || room == "lib";
        for other in named_rooms(&code) {
            let to_edge = EDGES.contains(&other.as_str()) && other != room;
            let to_shell = SHELL.contains(&other.as_str()) && other != room;
            let to_app = other == APP && other != room;
            let allowed = match room.as_str() {
                "cli" | "main" | "lib" => true,
                "render" => !to_edge && !to_app && other != "cli",
                APP => !to_shell,
                _ if to_app => false,
                _ if edge => !to_edge && !to_shell,
                // The text form of sealed values needs no key and no cryptography.
                _ => !to_shell && (!to_edge || other == "secrets"),
            };
            if !allowed {
                wrong.push(format!("{} imports {other}", path.display()));
            }
        }
        if !edge && !shell && room != APP {
            let touched = OUTSIDE.iter().filter(|thing| code.contains(**thing));
            wrong.extend(touched.map(|thing| format!("{} touches {thing}", path.display())));
            let keys = ["KeyRing", "secrets::open", "secrets::seal", "fingerprint("];
            let opened = keys
                .iter()
                .filter(|thing| code.contains(&format!("secrets::{thing}")));
            wrong.extend(opened.map(|thing| format!("{} uses {thing}", path.display())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_says_what_it_is_for() {
    let mut files = Vec::new();
    sources(&src(), &mut files);
    let silent: Vec<_> = files
        .iter()
        .filter(|path| !fs::read_to_string(path).unwrap().starts_with("//!"))
        .collect();
    assert!(silent.is_empty(), "no `//!` at the top of {silent:?}");
}
