//! What docs/python.md shows is run, and prints what it says.

use std::path::Path;
use std::process::Command;

use super::package;
use super::service::{KEYS, SCHEMA, world};
use crate::support::{Postgres, part};

/// Another tenant's row of the sample's number.
const OTHERS: &str = "INSERT INTO lad_dev.voice_agent_numbers
    (tenant_id, country_code, base_number, status) VALUES
    ('926070b5-189b-4682-9279-ea10ca090b84', '+91', 9513456728, 'active')";

#[test]
fn the_page_does_what_it_says() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let (db, _lkroute) = world(postgres, "python_page");
    db.psql(OTHERS);
    let Some(package) = package() else {
        return;
    };
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/python.md");
    let done = package
        .script("page.py")
        .arg(&page)
        .env("DATABASE_URL", &db.url)
        .env("LKROUTE_SCHEMA", SCHEMA)
        .env("LKROUTE_KEYS", KEYS)
        .output()
        .expect("run it");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    let printed = String::from_utf8(done.stdout).expect("UTF-8");
    let page = std::fs::read_to_string(page).expect("the page");
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"));
    let readme = readme.expect("the README");
    for (name, text) in [("docs/python.md", &page), ("README.md", &readme)] {
        let shown = text.contains(&format!("```text\n{printed}```"));
        assert!(shown, "{name} does not show\n{printed}");
    }
    // The README's resolver is the one that was run.
    let block = page.split("```python\n").nth(3).expect("the resolver");
    let block = block.split("```").next().expect("its end");
    assert!(readme.contains(block), "the README has another resolver");
}

/// False word: an example in a docstring.
#[test]
fn the_examples_of_docstrings_do_what_they_say() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let (db, _lkroute) = world(postgres, "python_examples");
    db.psql(OTHERS);
    let Some(package) = package() else {
        return;
    };
    let done = package
        .script("examples.py")
        .env("DATABASE_URL", &db.url)
        .env("LKROUTE_SCHEMA", SCHEMA)
        .env("LKROUTE_KEYS", KEYS)
        .output()
        .expect("run it");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    let ran: usize = String::from_utf8_lossy(&done.stdout)
        .trim()
        .parse()
        .expect("a count");
    assert!(ran >= 20, "only {ran} examples were found");
}

/// False word: "types are shipped".
#[test]
fn the_types_of_the_package_are_complete() {
    let (Some(_), Some(python)) = (package(), part("LKROUTE_TEST_PACKAGE_PYTHON")) else {
        return;
    };
    let cache = tempfile::tempdir().expect("a directory");
    let done = Command::new(python)
        .args([
            "-m",
            "mypy",
            "--config-file",
            "python/pyproject.toml",
            "--cache-dir",
        ])
        .arg(cache.path())
        .arg("python/lkroute")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("run mypy");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}");
}

/// False word: "types are shipped", for a service that has its own checked.
#[test]
fn a_service_that_checks_its_types_finds_them() {
    let Some(package) = package() else {
        return;
    };
    let cache = tempfile::tempdir().expect("a directory");
    let service = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/tests/typed.py");
    let done = Command::new(package.python())
        .args(["-m", "mypy", "--strict", "--cache-dir"])
        .args([cache.path(), &service])
        .current_dir(cache.path())
        .output()
        .expect("run mypy");
    let said = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
}

/// False word: "stubs". They are held against the module that was built.
#[test]
fn the_stubs_are_those_of_the_module() {
    let Some(package) = package() else {
        return;
    };
    let cache = tempfile::tempdir().expect("a directory");
    // Of the module of the tests alone.
    let allowed = cache.path().join("allowed");
    let names = "lkroute._core.__all__\nlkroute._core._panic_next\n";
    std::fs::write(&allowed, names).expect("write it");
    // mypy's stubtest imports what it looks at: it runs where that is installed.
    let done = Command::new(package.python())
        .args(["-m", "mypy.stubtest", "lkroute._core", "--mypy-config-file"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python/pyproject.toml"))
        .arg("--allowlist")
        .arg(allowed)
        .current_dir(cache.path())
        .output()
        .expect("run stubtest");
    let said = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
}
