//! All SQL that goes to PostgreSQL, as it stands in the sources: what engines
//! beside it can't do is not asked of them.

use std::fs;
use std::path::Path;

/// Each file of the store on PostgreSQL, and its migrations.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    for dir in [
        "src/lookup",
        "src/store",
        "src/store/postgres",
        "migrations/postgres",
    ] {
        for entry in fs::read_dir(root.join(dir)).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                let text = fs::read_to_string(&path).expect("a text");
                all.push((path.display().to_string(), text));
            }
        }
    }
    assert!(all.len() > 30, "{}", all.len());
    all
}

/// Citus refuses functions that are not immutable in RETURNING.
#[test]
fn nothing_returns_the_time() {
    let mut looked_at = 0;
    for (file, text) in sources() {
        for (_, after) in text
            .match_indices("RETURNING")
            .map(|(at, word)| text[at..].split_at(word.len()))
        {
            // To the end of the statement, or of the text in Rust.
            let end = after.find([';', '"']).unwrap_or(after.len());
            let returned = after[..end].to_lowercase();
            for function in [
                "now(",
                "timestamp",
                "timeofday",
                "current_",
                "to_char",
                "random",
                "gen_",
                "nextval",
            ] {
                assert!(!returned.contains(function), "{file}: RETURNING{returned}");
            }
            looked_at += 1;
        }
    }
    assert!(looked_at >= 3, "{looked_at}");
}

/// A server may be built without libxml.
#[test]
fn nothing_needs_xml() {
    for (file, text) in sources() {
        for word in ["query_to_xml", "xpath(", "xmlparse", "::xml"] {
            assert!(!text.to_lowercase().contains(word), "{file}: {word}");
        }
    }
}
