//! docs/limits.md: each reader has an end, and what lkroute makes is its
//! owner's alone.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::time::Instant;

use crate::support::Lkroute;

#[test]
fn a_file_that_is_too_long_is_not_read() {
    let lkroute = Lkroute::with_two_regions();
    // Sparse: it takes no room on the disk.
    let file = fs::File::create(lkroute.path().join("routing/long.toml")).expect("a file");
    file.set_len((256 << 20) + 1).expect("make it long");
    let refused = lkroute.run(&["validate"]).expect_code(3);
    let said = &refused.stdout;
    assert!(said.contains("it is longer than 256 MiB"), "{said}");
    assert!(said.contains("routing/long.toml"), "{said}");
}

#[test]
fn brackets_within_brackets_end() {
    let lkroute = Lkroute::with_two_regions();
    for deep in [
        format!("a = {}{}\n", "[".repeat(100_000), "]".repeat(100_000)),
        format!("a = {}\n", "{ b = ".repeat(100_000)),
        format!("[{}]\n", vec!["a"; 100_000].join(".")),
        format!("{} = 1\n", vec!["a"; 100_000].join(".")),
        format!("{}x\n", "[[bindings]]\n".repeat(10)) + &"[".repeat(100_000),
    ] {
        lkroute.write("routing/deep.toml", &deep);
        let start = Instant::now();
        lkroute.run(&["validate"]).expect_code(3);
        lkroute.run(&["fmt", "--check"]).expect_code(3);
        assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
    }
}

#[test]
fn endless_files_are_not_read() {
    let lkroute = Lkroute::with_two_regions();
    symlink("/dev/zero", lkroute.path().join("endless")).expect("a link");
    let keys = ["--keys", "endless", "secrets", "list"];
    let refused = lkroute
        .run(&["secrets", "list", keys[0], keys[1]])
        .expect_code(1);
    assert!(
        refused.stderr.contains("is longer than 1 MiB"),
        "{refused:?}"
    );
    let refused = lkroute.run(&["show", "endless"]).expect_code(1);
    assert!(
        refused.stderr.contains("is longer than 1024 MiB"),
        "{refused:?}"
    );
}

#[test]
fn what_lkroute_makes_is_its_owners_alone() {
    let lkroute = Lkroute::with_two_regions();
    let mode = |name: &str| {
        let found = fs::metadata(lkroute.path().join(name)).expect("it is there");
        found.mode() & 0o777
    };
    let database = ["--database", "sqlite://x.db"];
    let run = |args: &[&str]| lkroute.run(&[args, &database].concat()).expect_code(0);
    run(&["plan", "--out", "x.lkplan"]);
    run(&["apply", "--auto-approve"]);
    assert_eq!((mode("x.lkplan"), mode("x.db")), (0o600, 0o600));
    // What is there keeps what it has.
    let theirs = fs::Permissions::from_mode(0o640);
    fs::set_permissions(lkroute.path().join("x.db"), theirs).expect("set them");
    run(&["apply", "--auto-approve"]);
    assert_eq!(mode("x.db"), 0o640);
}

#[test]
fn a_key_ring_that_others_can_read_is_told_of() {
    let lkroute = Lkroute::with_two_regions();
    let ring = "demo:bGtyb3V0ZSBkZW1vIGtleSwgbmV2ZXIgdXNlIHRoaXM\n";
    lkroute.write("keys", ring);
    let run = |mode: u32| {
        let keys = lkroute.path().join("keys");
        fs::set_permissions(keys, fs::Permissions::from_mode(mode)).expect("set them");
        let args = ["plan", "--database", "sqlite://x.db", "--keys", "keys"];
        lkroute.run(&args).expect_code(0).stderr
    };
    assert!(run(0o644).contains("others can read `keys`"), "no word");
    assert!(!run(0o600).contains("others can read"), "a word");
}

/// The table of the page names tests; they are there.
#[test]
fn the_page_on_limits_names_tests_that_are_there() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = String::new();
    for dir in ["src", "tests"] {
        for entry in walkdir::WalkDir::new(root.join(dir)) {
            let entry = entry.expect("read it");
            if entry.path().extension().is_some_and(|end| end == "rs") {
                sources += &fs::read_to_string(entry.path()).expect("text");
            }
        }
    }
    for page in [
        "docs/limits.md",
        "docs/threat-model.md",
        "docs/security-review.md",
    ] {
        let text = fs::read_to_string(root.join(page)).expect("a page");
        let names = text.lines().filter(|line| line.starts_with('|'));
        let names = names.filter_map(|line| line.trim_end_matches('|').rsplit('|').next());
        let names: Vec<&str> = names
            .flat_map(|cell| cell.split('`').skip(1).step_by(2))
            .filter(|name| name.contains("::"))
            .collect();
        assert!(names.len() > 5, "{page}: {names:?}");
        for name in names {
            let last = name.rsplit("::").next().unwrap_or_default();
            let there = [format!("fn {last}("), format!("mod {last};")];
            let there = there.iter().any(|code| sources.contains(code.as_str()));
            assert!(there, "{page} names `{name}`");
        }
    }
}
