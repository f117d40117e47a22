//! The rooms of the house (`docs/architecture.md`): who may name whom, read off
//! the sources.

mod source_map;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use source_map::{SourceMap, circles};

/// The rooms in their order: each may name those above it. Of one line only
/// the model's name each other.
const ORDER: [&[&str]; 16] = [
    MODEL,
    &["source"],
    &["resolve"],
    &["diff"],
    &["impact"],
    &["guards"],
    &["history"],
    &["dispatch", "doctor", "import", "trust"],
    &["lookup"],
    ADAPTERS,
    &["answer"],
    &["explain"],
    &["app"],
    &["render"],
    &["cli"],
    // Tests of all readers.
    &["fuzzing"],
];
const MODEL: &[&str] = &[
    "actor",
    "address",
    "count_words",
    "enum_words",
    "error",
    "fields",
    "finding",
    "format_versions",
    "invisible_chars",
    "list_index",
    "phone",
    "routing",
    "sealed",
    "snapshot",
];
/// One thing of the outside world each.
const ADAPTERS: &[&str] = &["files", "git", "livekit", "secrets", "store"];

/// Things of the outside world that model and core must not touch.
const OUTSIDE: [&str; 15] = [
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
    "clap",
    "println!",
    "getrandom",
];

static MAP: LazyLock<SourceMap> = LazyLock::new(|| SourceMap::read(&src()));

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The room of a file: the first part of its path below `src`.
fn room(file: &str) -> &str {
    let first = file.split('/').next().unwrap_or(file);
    first.strip_suffix(".rs").unwrap_or(first)
}

/// The line of [`ORDER`] that a room stands in.
fn rank(room: &str) -> Option<usize> {
    ORDER.iter().position(|rooms| rooms.contains(&room))
}

#[test]
fn every_room_has_its_place_in_the_order() {
    let files = MAP.files.keys().map(|file| room(file));
    let unplaced: BTreeSet<&str> = files.filter(|room| rank(room).is_none()).collect();
    assert_eq!(unplaced, BTreeSet::from(["lib"]));
    assert!(MAP.files.len() > 200, "found only {:?}", MAP.files.keys());
}

#[test]
fn rooms_name_only_those_before_them() {
    let mut wrong = Vec::new();
    for ((from, to), path) in &MAP.arrows {
        let (a, b) = (room(from), room(to));
        let inside = a == b || MODEL.contains(&a) && MODEL.contains(&b);
        let is_shell = ["render", "cli"].contains(&a);
        // What `app` hands on of an adapter is `app`'s.
        let around = is_shell && ADAPTERS.contains(&b) && !path.starts_with("crate::app::");
        if a != "lib" && !inside && (rank(b) >= rank(a) || around) {
            wrong.push(format!("{from} names {to}: {path}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_files_name_each_other_in_a_circle() {
    let arrows: BTreeSet<(String, String)> = MAP.arrows.keys().cloned().collect();
    let mut wrong = Vec::new();
    for circle in circles(&arrows) {
        wrong.push(format!("a circle: {}", circle.join(", ")));
        let within = |(from, to): &(String, String)| circle.contains(from) && circle.contains(to);
        let named = MAP.arrows.iter().filter(|(arrow, _)| within(arrow));
        wrong.extend(named.map(|((from, to), path)| format!("    {from} names {to}: {path}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_two_types_have_one_name() {
    let mut files: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, file) in &MAP.types {
        files.entry(name).or_default().push(file);
    }
    files.retain(|_, files| files.len() > 1);
    assert!(files.is_empty(), "types of one name: {files:#?}");
}

/// A name of one word is for what a type, a module or a habit of Rust explains:
/// `Plan::summary`, `url::parse`, `new`. The others need a second word.
#[test]
fn less_than_half_of_the_functions_have_a_name_of_one_word() {
    let one: Vec<&String> = MAP.functions.iter().filter(|n| !n.contains('_')).collect();
    let share = 100.0 * one.len() as f64 / MAP.functions.len() as f64;
    println!(
        "{} functions, {share:.1} % of one word",
        MAP.functions.len()
    );
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in one {
        *counts.entry(name).or_default() += 1;
    }
    let mut often: Vec<(usize, &str)> = counts.into_iter().map(|(n, c)| (c, n)).collect();
    often.sort_unstable_by(|a, b| b.cmp(a));
    often.truncate(40);
    assert!(share <= 45.0, "{share:.1} % have one word: {often:?}");
}

#[test]
fn model_and_core_touch_nothing_of_the_outside_world() {
    let mut wrong = Vec::new();
    let inner = |room: &str| rank(room).is_some_and(|rank| rank < 9);
    for (file, code) in MAP.files.iter().filter(|(file, _)| inner(room(file))) {
        let touched = OUTSIDE.iter().filter(|thing| code.contains(**thing));
        wrong.extend(touched.map(|thing| format!("{file} touches {thing}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn use_cases_neither_print_nor_parse_arguments() {
    let mut wrong = Vec::new();
    for (file, code) in MAP.files.iter().filter(|(file, _)| room(file) == "app") {
        let done = ["clap", "println!", "process::exit"];
        let done = done.iter().filter(|thing| code.contains(**thing));
        wrong.extend(done.map(|thing| format!("{file} has {thing}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_says_what_it_is_for() {
    let mut files = Vec::new();
    all_sources(&src(), &mut files);
    let silent: Vec<_> = files
        .iter()
        .filter(|path| !fs::read_to_string(path).unwrap().starts_with("//!"))
        .collect();
    assert!(silent.is_empty(), "no `//!` at the top of {silent:?}");
}

fn all_sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all_sources(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn functions_are_counted_that_we_name() {
    let dir = tempfile::tempdir().unwrap();
    let code = "fn one() { fn inner_one() {} }
        trait Shape { fn area_of(&self); }
        struct A; impl A { fn of() {} }
        impl Shape for A { fn area_of(&self) {} }
        mod within { pub fn deep() {} }
        #[cfg(test)] mod tests { fn not_counted() {} }";
    fs::write(dir.path().join("lib.rs"), code).unwrap();
    let map = SourceMap::read(dir.path());
    assert_eq!(map.functions, ["one", "inner_one", "area_of", "of", "deep"]);
}

/// The test reads what it is meant to read.
#[test]
fn every_form_of_use_and_path_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    write(
        "lib.rs",
        "mod a; mod b; mod c; mod d; mod e; mod f; mod g; mod tests_only;",
    );
    write(
        "a.rs",
        "use crate::{b::{self, Two}, c as renamed}; fn f(_: Two) { renamed::x(); }",
    );
    write("b.rs", "pub struct Two; pub fn y() {}");
    write("c.rs", "pub fn x() -> super::d::Four { super::d::Four }");
    write("d.rs", "pub use super::e::Five as Again; pub struct Four;");
    write(
        "e.rs",
        "pub struct Five; fn f() { println!(\"{}\", crate::f::z(1)); }",
    );
    write(
        "f.rs",
        "pub fn z(_: u8) -> u8 { mod inner { pub fn q() { super::super::g::w() } } 1 }",
    );
    write(
        "g.rs",
        "use super::*; use super::d::Again; pub fn w() { b::y() }\n#[cfg(test)] mod tests { use crate::a; }",
    );
    write("tests_only.rs", "#[cfg(test)] fn f() { crate::a::f() }");
    let map = SourceMap::read(dir.path());
    let arrows: Vec<String> = map.arrows.keys().map(|(a, b)| format!("{a} {b}")).collect();
    assert_eq!(
        arrows,
        [
            "a.rs b.rs",
            "a.rs c.rs",
            "c.rs d.rs",
            "d.rs e.rs",
            "e.rs f.rs",
            "f.rs g.rs",
            "g.rs b.rs",
            "g.rs e.rs",
            "g.rs lib.rs",
        ]
    );
    let arrows = map.arrows.keys().cloned().collect();
    assert_eq!(circles(&arrows), [["e.rs", "f.rs", "g.rs"]]);
}
