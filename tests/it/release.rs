//! What users download: archive, package and wheel, each from nothing to a
//! resolved call on a machine that has no Rust. They are packed around the
//! program that the tests run, by the scripts that a release uses.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::support::{not_run, part};

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The program of the tests, without its symbols, as a release has it.
pub(crate) fn program() -> &'static str {
    static STRIPPED: OnceLock<(TempDir, String)> = OnceLock::new();
    let (_, path) = STRIPPED.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("lkroute");
        let mut strip = Command::new("strip");
        strip.args([env!("CARGO_BIN_EXE_lkroute"), "-o"]).arg(&path);
        succeeded(strip.output().expect("run strip"));
        let path = path.to_str().expect("plain").to_owned();
        (dir, path)
    });
    path
}

/// Runs a script of the release; the path that it prints last.
pub(crate) fn pack(script: &str, arguments: &[&str]) -> PathBuf {
    let done = Command::new(root().join(".github/release").join(script))
        .args(arguments)
        .current_dir(root())
        // The debug program is large, and how well it shrinks is not what is tested.
        .env("DPKG_DEB_COMPRESSOR_LEVEL", "0")
        .env("COMPRESSION", "1")
        .output()
        .expect("run the script");
    let done = succeeded(done);
    PathBuf::from(done.lines().last().expect("the path of what was made"))
}

#[track_caller]
pub(crate) fn succeeded(done: Output) -> String {
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{said}");
    String::from_utf8(done.stdout).expect("UTF-8")
}

pub(crate) fn run(program: &Path, arguments: &[&str], dir: &Path) -> String {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(dir).env_clear();
    command.env("PATH", "/usr/bin:/bin").env("HOME", dir);
    succeeded(command.output().expect("run it"))
}

/// From nothing to a resolved call, as CI tries what it built for each system.
fn resolves_a_call(program: &Path) {
    let mut smoke = Command::new(root().join(".github/release/smoke.sh"));
    // A variable of the caller's that would lead elsewhere.
    smoke
        .arg(program)
        .env("DATABASE_URL", "postgres://127.0.0.1:1/x");
    succeeded(smoke.output().expect("run it"));
}

/// Manual pages and completions that speak of the commands there are.
fn has_extras(man: &Path, completion: &Path) {
    let text = run(
        Path::new("/bin/sh"),
        &["-c", "gzip -dcf \"$0\"", man.to_str().expect("plain")],
        root(),
    );
    assert!(
        text.contains(".TH lkroute-plan 1") || text.contains("lkroute\\-plan"),
        "{text}"
    );
    let completion = fs::read_to_string(completion).expect("the completion");
    assert_contains!(completion, "dispatches");
}

#[test]
fn the_archive_goes_from_nothing_to_a_resolved_call() {
    let dir = tempfile::tempdir().expect("a directory");
    let out = dir.path().to_str().expect("plain");
    let archive = pack("archive.sh", &[program(), "x86_64-unknown-linux-musl", out]);
    let again = tempfile::tempdir().expect("a directory");
    let second = pack(
        "archive.sh",
        &[
            program(),
            "x86_64-unknown-linux-musl",
            again.path().to_str().expect("plain"),
        ],
    );
    assert!(
        fs::read(&archive).expect("it") == fs::read(second).expect("it"),
        "the same input gives the same bytes"
    );
    run(
        Path::new("/bin/tar"),
        &["-xzf", archive.to_str().expect("plain")],
        dir.path(),
    );
    let unpacked = dir
        .path()
        .join(format!("lkroute-{VERSION}-x86_64-unknown-linux-musl"));
    // Another system's archive is of the same things.
    let small = dir.path().join("lkroute.exe");
    executable(&small, "exit 0");
    let small = small.to_str().expect("plain");
    let windows = "x86_64-pc-windows-msvc";
    let zip = pack("archive.sh", &[small, windows, out, program()]);
    let list = "import sys, zipfile; print(*zipfile.ZipFile(sys.argv[1]).namelist())";
    let python = Path::new("/usr/bin/env");
    let zip = zip.to_str().expect("plain");
    let listed = run(python, &["python3", "-c", list, zip], dir.path());
    assert_contains!(listed, "/man/lkroute-plan.1");
    for file in [
        "README.md",
        "CHANGELOG.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "completions/_lkroute",
        "man/lkroute.1",
    ] {
        assert!(unpacked.join(file).is_file(), "{file}");
    }
    has_extras(
        &unpacked.join("man/lkroute-plan.1"),
        &unpacked.join("completions/lkroute.bash"),
    );
    resolves_a_call(&unpacked.join("lkroute"));

    let listed = dir.path().join("release");
    fs::create_dir(&listed).expect("make it");
    fs::copy(&archive, listed.join(archive.file_name().expect("a name"))).expect("copy it");
    let sums = Command::new(root().join(".github/release/checksums.sh"))
        .arg(&listed)
        .output();
    succeeded(sums.expect("run it"));
    run(
        Path::new("/usr/bin/sha256sum"),
        &["--check", "SHA256SUMS"],
        &listed,
    );
}

#[test]
fn the_package_goes_from_nothing_to_a_resolved_call() {
    let Some(dpkg) = ["/usr/bin/dpkg"]
        .map(Path::new)
        .into_iter()
        .find(|path| path.exists())
    else {
        return not_run("dpkg");
    };
    let dir = tempfile::tempdir().expect("a directory");
    let out = dir.path().to_str().expect("plain");
    let package = pack("deb.sh", &[program(), "amd64", out]);
    let package = package.to_str().expect("plain");
    let field = |name: &str| {
        run(
            Path::new("/usr/bin/dpkg-deb"),
            &["-f", package, name],
            dir.path(),
        )
    };
    assert_eq!(field("Version").trim(), VERSION);
    assert!(
        field("Depends").contains("libc6"),
        "the program of the tests is linked to one"
    );
    // A scratch root: what it needs is on this machine, not in there.
    let scratch = dir.path().join("root");
    let admin = scratch.join("var/lib/dpkg");
    for below in ["info", "updates", "triggers"] {
        fs::create_dir_all(admin.join(below)).expect("make it");
    }
    fs::write(admin.join("status"), "").expect("write it");
    let scratch_root = format!("--root={}", scratch.display());
    let log = format!("--log={}", dir.path().join("log").display());
    let install = [
        &scratch_root,
        &log,
        "--force-not-root",
        "--force-depends",
        "--force-bad-path",
        "-i",
        package,
    ];
    run(dpkg, &install, dir.path());
    let installed = run(
        Path::new("/usr/bin/dpkg-query"),
        &[
            &format!("--admindir={}", admin.display()),
            "--show",
            "lkroute",
        ],
        dir.path(),
    );
    assert_contains!(installed, VERSION);
    has_extras(
        &scratch.join("usr/share/man/man1/lkroute-plan.1.gz"),
        &scratch.join("usr/share/bash-completion/completions/lkroute"),
    );
    resolves_a_call(&scratch.join("usr/bin/lkroute"));
}

#[test]
fn the_wheel_goes_from_nothing_to_a_resolved_call() {
    let (Some(maturin), Some(python)) = (part("LKROUTE_TEST_MATURIN"), part("LKROUTE_TEST_PYTHON"))
    else {
        return not_run("maturin");
    };
    let dir = tempfile::tempdir().expect("a directory");
    let out = dir.path().to_str().expect("plain");
    // From links to what the tests were built from: maturin takes the program
    // away for a moment, and other tests run it.
    let built = Path::new(env!("CARGO_BIN_EXE_lkroute"));
    let built = built.parent().expect("a directory");
    let target = built.with_file_name("wheel");
    let linked = target.join("debug");
    let _ = fs::remove_dir_all(&target);
    fs::create_dir_all(&linked).expect("make it");
    let linked = linked.to_str().expect("plain");
    for part in ["deps", "build", ".fingerprint"] {
        run(Path::new("cp"), &["-al", part, linked], built);
    }
    let made = Command::new(root().join(".github/release/wheel.sh"))
        .args([
            out,
            "--profile",
            "dev",
            "--target-dir",
            target.to_str().expect("plain"),
        ])
        .env("MATURIN", maturin)
        .output()
        .expect("run it");
    let wheel = succeeded(made).trim().to_owned();
    let sbom = pack("sbom.sh", &[&wheel, out]);
    let sbom: serde_json::Value =
        serde_json::from_slice(&fs::read(sbom).expect("it")).expect("JSON");
    assert_eq!(sbom["bomFormat"], "CycloneDX");
    assert_eq!(sbom["metadata"]["component"]["version"], VERSION);
    let names = sbom["components"].as_array().expect("components");
    assert!(names.iter().any(|component| component["name"] == "aes-gcm"));

    let venv = dir.path().join("venv");
    run(
        &python,
        &["-m", "venv", venv.to_str().expect("plain")],
        dir.path(),
    );
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-index",
        &wheel,
    ];
    run(&venv.join("bin/python"), &pip, dir.path());
    resolves_a_call(&venv.join("bin/lkroute"));
    holds_to_the_golden_files(&venv.join("bin/lkroute"));
    if let Some(beside) = part("LKROUTE_TEST_PACKAGE_PYTHON") {
        let uv = beside.with_file_name("uv");
        let python = beside.to_str().expect("plain");
        let uvx = ["tool", "run", "--quiet", "--offline", "--no-config"];
        let from = ["--python", python, "--from", &wheel, "lkroute", "--version"];
        let said = run(&uv, &[&uvx[..], &from].concat(), dir.path());
        assert_contains!(said, VERSION);
    }
}

/// What people read is the same, to the byte: the tests that hold the command to
/// golden files, on another build of it.
fn holds_to_the_golden_files(program: &Path) {
    let test = |program: &Path| {
        let done = Command::new(std::env::current_exe().expect("the tests"))
            .args(["cli::output::", "review::commands::", "review::number::"])
            .env("LKROUTE_TEST_PROGRAM", program)
            .env_remove("LKROUTE_GOLDEN")
            .output()
            .expect("run them");
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        (done.status.success(), said)
    };
    let (passed, said) = test(program);
    assert!(passed && said.contains("plan_and_apply ... ok"), "{said}");
    let (passed, said) = test(Path::new("/bin/false"));
    assert!(
        !passed && said.contains("plan_and_apply ... FAILED"),
        "{said}"
    );
}

pub(crate) fn executable(path: &Path, script: &str) {
    fs::write(path, format!("#!/bin/sh\n{script}\n")).expect("write it");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(path, mode).expect("may run");
}

#[test]
fn a_release_has_one_version_everywhere() {
    let check = |tag: &str| {
        let mut command = Command::new(root().join(".github/release/check-version.sh"));
        let done = command.args([tag, program()]).output().expect("run it");
        String::from_utf8(done.stderr).expect("UTF-8")
    };
    let other = check("v9.9.9");
    assert_contains!(other, format!("Cargo.toml says {VERSION}"));
    // The newest heading is that version, or it is not released yet.
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).expect("it");
    let newest = changelog
        .lines()
        .find(|line| line.starts_with("## "))
        .expect("a heading");
    let said = check(&format!("v{VERSION}"));
    match newest {
        "## Unreleased" => assert!(said.contains("CHANGELOG.md"), "{said}"),
        heading => assert!(
            heading.contains(VERSION) && said.is_empty(),
            "{heading}: {said}"
        ),
    }
}
