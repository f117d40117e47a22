//! The wheel of the module as a release has it: what is inside, and that it
//! installs as users install it.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::package;
use super::package::{root, succeeded};
use crate::support::part;

/// Runs a line of Python with arguments, away from the sources.
#[track_caller]
fn python(program: &Path, code: &str, arguments: &[&Path]) -> String {
    succeeded(
        Command::new(program)
            .args(["-I", "-c", code])
            .args(arguments)
            .current_dir("/"),
    )
}

#[test]
fn the_wheel_holds_module_stubs_licences_and_what_it_is_made_of() {
    let Some(package) = package() else {
        return;
    };
    let name = package.wheel.file_name().expect("a name").to_string_lossy();
    let of_all = format!("lkroute-{}-cp310-abi3-", env!("CARGO_PKG_VERSION"));
    assert!(name.starts_with(&of_all), "{name}");
    let code = "import json, sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
texts = {n: wheel.read(n).decode() for n in wheel.namelist() if not n.endswith('.so')}
module = wheel.read('lkroute/_core.abi3.so')
known = ['aes-gcm', 'tokio', 'sqlx-core', 'reqwest', 'rustls', 'clap']
known = [n for n in known if f'/{n}-'.encode() in module]
print(json.dumps([sorted(wheel.namelist()), texts, known]))";
    let found = python(&package.python(), code, &[&package.wheel]);
    let found: Value = serde_json::from_str(&found).expect("JSON");
    let names: Vec<&str> = found[0]
        .as_array()
        .expect("names")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    for entry in std::fs::read_dir(root().join("python/lkroute")).expect("the sources") {
        let file = entry.expect("a file").file_name();
        let file = file.to_string_lossy();
        if file != "__pycache__" {
            assert!(
                names.contains(&&*format!("lkroute/{file}")),
                "{file} in {names:?}"
            );
        }
    }
    assert!(names.contains(&"lkroute/_core.abi3.so"), "{names:?}");
    let of = |part: &str| {
        let name = names.iter().find(|name| name.ends_with(part));
        let name = name.unwrap_or_else(|| panic!("no {part} in {names:?}"));
        found[1][name].as_str().expect("a text").to_owned()
    };
    for line in [
        "Requires-Python: >=3.10",
        "Provides-Extra: asyncpg",
        "Provides-Extra: psycopg",
        "Provides-Extra: livekit",
        "License-Expression: MIT OR Apache-2.0",
    ] {
        assert!(of("/METADATA").lines().any(|found| found == line), "{line}");
    }
    for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
        let text = std::fs::read_to_string(root().join(licence)).expect("the licence");
        assert_eq!(of(licence), text);
    }
    let sbom: Value = serde_json::from_str(&of(".cyclonedx.json")).expect("JSON");
    let parts = sbom["components"].as_array().expect("components");
    let has = |name: &str| parts.iter().any(|component| component["name"] == name);
    assert!(has("aes-gcm") && has("rlibphonenumber"), "{parts:?}");
    // The module starts no runtime and opens no connection. (Its SBOM names what the
    // workspace builds, these among it.)
    assert_eq!(found[2], json!(["aes-gcm"]));
}

/// `uv`, as the services of its users are made with.
#[test]
fn uv_installs_the_wheel() {
    let (Some(package), Some(beside)) = (package(), part("LKROUTE_TEST_PACKAGE_PYTHON")) else {
        return;
    };
    let dir = tempfile::tempdir().expect("a directory");
    let uv = |args: &[&str]| {
        let mut command = Command::new(beside.with_file_name("uv"));
        command
            .args(args)
            .args(["--quiet", "--offline", "--no-config"])
            .env("UV_CACHE_DIR", dir.path().join("cache"))
            .current_dir(dir.path());
        succeeded(&mut command)
    };
    let python_of = beside.to_str().expect("plain");
    uv(&["venv", "--python", python_of, "venv"]);
    let wheel = package.wheel.to_str().expect("plain");
    uv(&[
        "pip",
        "install",
        "--python",
        "venv/bin/python",
        "--no-deps",
        wheel,
    ]);
    let code = "import lkroute, lkroute.sqlite; print(lkroute.__doc__.splitlines()[0])";
    let said = python(&dir.path().join("venv/bin/python"), code, &[]);
    assert_eq!(
        said,
        "lkroute's resolver for the service that places the calls.\n"
    );
}

/// False word: "`cargo build` needs no Python".
#[test]
fn a_build_at_the_root_leaves_the_module_out() {
    let metadata = succeeded(
        Command::new("cargo")
            .args(["metadata", "--locked", "--offline", "--no-deps"])
            .args(["--format-version", "1"])
            .current_dir(root()),
    );
    let metadata: Value = serde_json::from_str(&metadata).expect("JSON");
    let built = |members: &str| metadata[members].as_array().expect("a list").len();
    assert_eq!(built("workspace_members"), 2, "{metadata}");
    let alone = metadata["workspace_default_members"].to_string();
    assert_eq!(built("workspace_default_members"), 1, "{alone}");
    assert!(!alone.contains("python"), "{alone}");
}

/// Those whom no wheel fits build it from this, without the repository.
#[test]
fn the_sources_are_whole() {
    let Some(maturin) = part("LKROUTE_TEST_MATURIN") else {
        return crate::support::not_run("maturin");
    };
    let dir = tempfile::tempdir().expect("a directory");
    succeeded(
        Command::new(maturin)
            .args(["sdist", "--out"])
            .arg(dir.path())
            .current_dir(root().join("python")),
    );
    let name = format!("lkroute-{}", env!("CARGO_PKG_VERSION"));
    let archive = dir.path().join(format!("{name}.tar.gz"));
    succeeded(
        Command::new("tar")
            .arg("-xzf")
            .arg(&archive)
            .current_dir(dir.path()),
    );
    let there = dir.path().join(&name);
    // What builds it finds all that it names, and the versions of the release.
    let metadata = succeeded(
        Command::new("cargo")
            .args(["metadata", "--locked", "--offline", "--format-version", "1"])
            .current_dir(&there)
            .env_remove("RUSTFLAGS"),
    );
    let metadata: Value = serde_json::from_str(&metadata).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let ours = packages.iter().filter(|package| {
        let path = package["manifest_path"].as_str().expect("a path");
        Path::new(path).starts_with(std::fs::canonicalize(&there).expect("it"))
    });
    let ours: Vec<&str> = ours
        .filter_map(|package| package["name"].as_str())
        .collect();
    assert!(
        ours.contains(&"lkroute") && ours.contains(&"lkroute-python"),
        "{ours:?}"
    );
}
