//! Trees of routing files on a real disk.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use lkroute::files::{FileEdit, Tree, create_files, rewrite_files};
use lkroute::routing::SecretSource;
use lkroute::secrets::{KeyRing, Sealed, open};
use lkroute::source::{LoadOptions, Loaded, Sources, load_routing, routing_schema};

use crate::support::{DEMO_KEYS, Lkroute};

const REGION: &str = "[regions.uae]\ncountry_codes = [\"+971\"]\n";

fn codes(dir: &Path) -> Vec<String> {
    let loaded = load_routing(&Tree::open(dir), &LoadOptions::default());
    let shown = |finding: &lkroute::finding::Finding| {
        let place = finding
            .place
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        let place = place.replace(&format!("{}/", dir.display()), "");
        format!("{place} {}", finding.code).trim().to_owned()
    };
    loaded.findings.iter().map(shown).collect()
}

#[test]
fn any_layout_is_read_and_hidden_files_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    for path in ["b", "a/deep", ".git"] {
        fs::create_dir_all(at(path)).unwrap();
    }
    fs::write(at("b/x.toml"), REGION).unwrap();
    fs::write(
        at("a/deep/y.toml"),
        REGION.replace("uae", "y").replace("971", "91"),
    )
    .unwrap();
    fs::write(at("README.md"), "no toml").unwrap();
    fs::write(at(".hidden.toml"), "no toml").unwrap();
    fs::write(at(".git/z.toml"), "no toml").unwrap();
    let tree = Tree::open(dir.path());
    let names: Vec<_> = tree
        .paths()
        .iter()
        .map(|p| p.rsplit('/').next().unwrap())
        .collect();
    assert_eq!(names, ["y.toml", "x.toml"]);
    let Loaded {
        routing, findings, ..
    } = load_routing(&tree, &LoadOptions::default());
    assert_eq!(findings, []);
    assert_eq!(routing.regions.len(), 2);
    assert_eq!(
        tree.path_of(&tree.paths()[1]),
        Some(at("b/x.toml").as_path())
    );
}

#[test]
fn trees_that_cannot_be_read_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    assert_eq!(codes(&at("missing")), ["no-directory"]);
    assert_eq!(codes(dir.path()), ["no-files"]);
    symlink(dir.path(), at("loop")).unwrap();
    assert_eq!(codes(dir.path()), ["loop symlink-not-followed"]);
    fs::remove_file(at("loop")).unwrap();
    symlink(at("self.toml"), at("self.toml")).unwrap();
    assert_eq!(codes(dir.path()), ["self.toml symlink-loop"]);
    fs::remove_file(at("self.toml")).unwrap();
    symlink(at("gone"), at("x.toml")).unwrap();
    fs::write(at("ok.toml"), REGION).unwrap();
    assert_eq!(codes(dir.path()), ["x.toml unreadable-file"]);
    let found = Tree::open(dir.path()).problems();
    assert_eq!(found[0].message, "this link leads nowhere");
    fs::remove_file(at("x.toml")).unwrap();
    symlink(at("ok.toml"), at("x.toml")).unwrap();
    assert_eq!(codes(dir.path()), ["x.toml:1:10 duplicate"]);
}

#[test]
fn files_are_rewritten_whole() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    fs::write(at("a.toml"), "a").unwrap();
    fs::set_permissions(at("a.toml"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink(at("a.toml"), at("link.toml")).unwrap();
    fs::write(at("b.toml"), "changed").unwrap();
    let edit = |path: &str, before: &str| FileEdit {
        path: at(path),
        before: before.to_owned(),
        after: "new".to_owned(),
    };
    let stale = rewrite_files(&[edit("a.toml", "a"), edit("b.toml", "b")]).unwrap_err();
    assert_eq!(stale.exit as u8, 5);
    assert_eq!(fs::read_to_string(at("a.toml")).unwrap(), "a");
    rewrite_files(&[edit("link.toml", "a")]).unwrap();
    assert_eq!(fs::read_to_string(at("a.toml")).unwrap(), "new");
    assert!(fs::symlink_metadata(at("link.toml")).unwrap().is_symlink());
    let mode = fs::metadata(at("a.toml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
}

/// Four programs edit one file at once; each tries again where it has changed.
#[test]
fn of_many_who_edit_one_file_none_loses_a_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.toml");
    fs::write(&path, "").unwrap();
    let add = |line: String| {
        for _ in 0..1000 {
            let before = fs::read_to_string(&path).unwrap();
            let after = format!("{before}{line}\n");
            let edit = FileEdit {
                path: path.clone(),
                before,
                after,
            };
            match rewrite_files(&[edit]) {
                Ok(()) => return,
                Err(stale) => assert_eq!(stale.exit as u8, 5, "{stale}"),
            }
        }
        panic!("it never got its turn");
    };
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let add = &add;
            scope.spawn(move || (0..15).for_each(|n| add(format!("{writer} {n}"))));
        }
    });
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 60);
}

#[test]
fn new_files_overwrite_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out/routing");
    let files = [("uae.toml".to_owned(), REGION.to_owned())];
    create_files(&out, &files).unwrap();
    assert_eq!(codes(&out), [""; 0]);
    assert!(create_files(&out, &files).is_err());
}

fn sample() -> Loaded {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("routing");
    load_routing(&Tree::open(&dir), &LoadOptions::default())
}

#[test]
fn the_sample_is_sound() {
    let Loaded {
        routing, findings, ..
    } = sample();
    let codes: Vec<_> = findings
        .iter()
        .map(|finding| finding.code.as_ref())
        .collect();
    assert_eq!(codes, ["plain-http"]);
    assert_eq!((routing.regions.len(), routing.configs.len()), (2, 2));
    assert_eq!(routing.bindings.len(), 2);
}

#[test]
fn the_secrets_of_the_sample_open_with_the_demo_key() {
    let ring = KeyRing::parse(DEMO_KEYS).unwrap();
    for (name, config) in sample().routing.configs {
        let SecretSource::Sealed(text) = config.api_secret else {
            panic!("{name} is not sealed");
        };
        let sealed = Sealed::parse(text.as_stored()).unwrap();
        let secret = open(&ring, config.id.unwrap(), &sealed).unwrap();
        assert_starts!(secret.expose(), "demo-secret-of-the-");
    }
}

/// `LKROUTE_GOLDEN=refresh tests/run` writes the file anew.
#[test]
fn the_schema_in_the_repository_is_the_one_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/routing.schema.json");
    let now = format!("{:#}\n", routing_schema());
    if std::env::var_os("LKROUTE_GOLDEN").is_some_and(|value| value == "refresh") {
        fs::write(&path, &now).unwrap();
    }
    assert_eq!(fs::read_to_string(path).unwrap(), now);
    let printed = Lkroute::new().run(&["schema"]).expect_code(0);
    assert_eq!(printed.stdout, now);
}

#[test]
fn the_schema_accepts_the_sample_and_refuses_what_is_unknown() {
    let validator = jsonschema::validator_for(&routing_schema()).unwrap();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("routing");
    let tree = Tree::open(&dir);
    assert_eq!(tree.paths().len(), 3);
    for file in 0..tree.paths().len() {
        let bytes = tree.read(file).unwrap();
        let text = std::str::from_utf8(&bytes).unwrap();
        assert_starts!(text, "#:schema ../docs/routing.schema.json\n");
        let value: serde_json::Value = toml::from_str(text).unwrap();
        assert!(
            validator.is_valid(&value),
            "{:?}",
            validator.validate(&value)
        );
    }
    for text in [
        "bindngs = []",
        "[[bindings]]\nnumbr = \"\"",
        "[configs.x]\nurl = 5",
    ] {
        let value: serde_json::Value = toml::from_str(text).unwrap();
        assert!(!validator.is_valid(&value), "{text}");
    }
}

/// The same words in another spelling, with other line ends, are no change.
#[test]
fn spellings_and_line_ends_change_nothing() {
    let lkroute = Lkroute::with_two_regions();
    let text = lkroute.read("routing/uae.toml");
    let text = text.replace(
        "description = \"LiveKit on a VM in the UAE\"",
        "description = \"\"\"\nLiveKit on a VM in the UAE.\nOwner: caf\u{e9}.\"\"\"",
    );
    lkroute.write("routing/uae.toml", &text);
    let database = ["--database", "sqlite://x.db"];
    let run = |args: &[&str]| lkroute.run(&[&database[..], args].concat());
    run(&["apply", "--auto-approve"]).expect_code(0);
    lkroute.write("routing/uae.toml", &text.replace('\n', "\r\n"));
    run(&["plan", "--detailed-exitcode"]).expect_code(0);
    lkroute.write("routing/uae.toml", &text.replace('\u{e9}', "e\u{301}"));
    run(&["plan", "--detailed-exitcode"]).expect_code(0);
}

#[test]
fn names_with_blanks_at_their_ends_are_errors() {
    let lkroute = Lkroute::with_two_regions();
    lkroute.edit("routing/uae.toml", "\"voag-staging\"", "\"voag-staging \"");
    let refused = lkroute.run(&["validate"]).expect_code(3);
    assert_contains!(refused.stdout, "`worker_name` has blanks at its ends");
}

/// On file systems that know no case, `Numbers.TOML` is what somebody meant.
#[test]
fn the_ending_counts_in_any_case() {
    let lkroute = Lkroute::with_two_regions();
    lkroute.write("routing/Numbers.TOML", "wrong\n");
    let refused = lkroute.run(&["validate"]).expect_code(3);
    assert_contains!(refused.stdout, "routing/Numbers.TOML");
}
