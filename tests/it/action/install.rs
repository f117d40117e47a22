//! How the action comes to an lkroute: the release of its own commit, checked;
//! or a build that nothing of the caller's repository has a say in.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::github::{GitHub, REPOSITORY, TOKEN};
use super::scripts::{Done, Step};

const COMMIT: &str = "cccccccccccccccccccccccccccccccccccccccc";
const VERSION: &str = env!("CARGO_PKG_VERSION");

fn archive_name() -> String {
    format!("lkroute-{VERSION}-x86_64-unknown-linux-musl.tar.gz")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An archive as a release has it, around a script in place of the program.
fn archive(text: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("a directory");
    let inside = dir.path().join("lkroute-it");
    fs::create_dir(&inside).expect("make it");
    executable(&inside.join("lkroute"), text);
    let packed = Command::new("tar")
        .args(["-czf", "-", "lkroute-it"])
        .current_dir(dir.path())
        .output()
        .expect("run tar");
    assert!(packed.status.success());
    packed.stdout
}

fn executable(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a directory")).expect("make it");
    fs::write(path, text).expect("write it");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("may run");
}

fn publish(github: &GitHub, archive: Vec<u8>) {
    let sum = hex(&Sha256::digest(&archive));
    let mut state = github.state();
    let tag = format!("v{VERSION}");
    let sums = format!("{sum}  {}\n", archive_name());
    state
        .assets
        .insert(format!("{tag}/SHA256SUMS"), sums.into_bytes());
    state
        .assets
        .insert(format!("{tag}/{}", archive_name()), archive);
    state.tags.insert(tag, COMMIT.to_owned());
}

fn program() -> String {
    format!("#!/bin/sh\necho lkroute {VERSION}\n")
}

fn released() -> GitHub {
    let github = GitHub::start();
    publish(&github, archive(&program()));
    github
}

/// The step on a runner whose system programs are the real ones.
fn installing(github: &GitHub) -> Step {
    Step::new(&[
        ("GITHUB_API_URL", &github.url),
        ("GITHUB_SERVER_URL", &github.url),
        ("GITHUB_TOKEN", TOKEN),
        ("ACTION_REPOSITORY", REPOSITORY),
        ("ACTION_REF", COMMIT),
        ("RUNNER_OS", "Linux"),
        ("RUNNER_ARCH", "X64"),
    ])
}

#[track_caller]
fn refused(done: &Done, why: &str) {
    done.failed_with(why);
    assert!(!done.outputs.contains_key("lkroute"), "{}", done.log);
}

#[test]
fn the_release_of_the_actions_own_commit_is_there_in_seconds() {
    let github = released();
    let step = installing(&github);
    let began = Instant::now();
    let done = step.run("install.sh");
    assert!(done.success, "{}", done.log);
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    assert_contains!(done.log, format!("lkroute {VERSION}"));
    assert!(Path::new(&done.outputs["lkroute"]).is_file());

    // The archive is kept; the list of checksums is asked for each time.
    let downloads = || {
        let state = github.state();
        let archives = state
            .requests
            .iter()
            .filter(|line| line.contains(".tar.gz"));
        archives.count()
    };
    assert_eq!(downloads(), 1);
    assert!(step.run("install.sh").success);
    assert_eq!(downloads(), 1);
}

#[test]
fn what_somebody_planted_is_not_taken() {
    let github = released();
    let step = installing(&github);
    assert!(step.run("install.sh").success);
    let planted = "#!/bin/sh\necho planted >>\"$HOME/ran\"\n";
    // In the place of the kept archive, and of a program that older versions kept.
    let kept = step.path("lkroute");
    for entry in fs::read_dir(&kept).expect("what is kept") {
        fs::write(entry.expect("a file").path(), archive(planted)).expect("plant it");
    }
    executable(&kept.join("bin/lkroute"), planted);
    executable(&step.path("lkroute-program/lkroute"), planted);
    let done = step.run("install.sh");
    assert!(done.success, "{}", done.log);
    assert!(!step.path("ran").exists());
}

#[test]
fn an_archive_that_was_tampered_with_is_refused() {
    let github = released();
    let name = format!("v{VERSION}/{}", archive_name());
    let other = archive("#!/bin/sh\necho planted >>\"$HOME/ran\"\n");
    github.state().assets.insert(name.clone(), other);
    let step = installing(&github);
    refused(&step.run("install.sh"), "its checksum differs");
    github.state().assets.remove(&name);
    let mut step = installing(&github);
    step.set("RETRY_SECONDS", "0");
    refused(&step.run("install.sh"), "could not be downloaded");
    assert!(!step.path("ran").exists());
}

#[test]
fn a_release_of_another_commit_is_refused() {
    let github = released();
    let mut step = installing(&github);
    for other in ["main", &COMMIT.replace('c', "d"), &COMMIT[..12], "v0"] {
        let done = step.set("ACTION_REF", other).run("install.sh");
        refused(&done, "which is not release");
    }
    let tag = format!("v{VERSION}");
    assert!(step.set("ACTION_REF", &tag).run("install.sh").success);
    github.state().tags.clear();
    refused(&step.run("install.sh"), "could not be looked up");
    let done = step.set("ACTION_REF", "").run("install.sh");
    refused(&done, "no release is its own");
    let done = step
        .set("ACTION_REF", COMMIT)
        .set("RUNNER_OS", "Windows")
        .run("install.sh");
    refused(&done, "There is no release for Windows");
}

/// A gh that knows one attestation, and refuses whatever it is asked beside it.
fn with_gh(step: &Step, attested: &str) {
    let text = r#"#!/usr/bin/env bash
case $* in *--help*) exit 0 ;; esac
sum=$(sha256sum <"$3" | cut -d' ' -f1)
asked="$1 $2 $sum ${*:4}"
[ "$asked" = "ATTESTED" ] || { printf '::error::not by you: %s\n' "$asked" >&2; exit 1; }
"#;
    let text = text.replace("ATTESTED", attested);
    executable(&step.path(".cargo/bin/gh"), &text);
}

#[test]
fn the_attestation_has_to_name_archive_repository_workflow_and_commit() {
    let github = released();
    let name = format!("v{VERSION}/{}", archive_name());
    let sum = hex(&Sha256::digest(&github.state().assets[&name]));
    let attested = |sum: &str, repository: &str, workflow: &str, commit: &str| {
        format!(
            "attestation verify {sum} --repo {repository} --signer-workflow \
             {repository}/.github/workflows/{workflow} --source-digest {commit} \
             --deny-self-hosted-runners"
        )
    };
    let step = installing(&github);
    with_gh(&step, &attested(&sum, REPOSITORY, "release.yml", COMMIT));
    let done = step.run("install.sh");
    assert!(done.success, "{}", done.log);
    assert_lacks!(done.log, "its attestation was not");
    let other = COMMIT.replace('c', "d");
    for attested in [
        attested(&sum, "a-stranger/routing", "release.yml", COMMIT),
        attested(&sum, REPOSITORY, "ci.yml", COMMIT),
        attested(&sum, REPOSITORY, "release.yml", &other),
        attested(
            &hex(&Sha256::digest("other")),
            REPOSITORY,
            "release.yml",
            COMMIT,
        ),
    ] {
        with_gh(&step, &attested);
        let done = step.run("install.sh");
        refused(&done, "does not hold");
        assert_contains!(done.log, "::stop-commands::");
    }
    // Archive and checksum changed together: the attestation is of another one.
    publish(
        &github,
        archive("#!/bin/sh\necho planted >>\"$HOME/ran\"\n"),
    );
    with_gh(&step, &attested(&sum, REPOSITORY, "release.yml", COMMIT));
    refused(&step.run("install.sh"), "does not hold");
    assert!(!step.path("ran").exists());
}

/// An earlier step can put programs before those of the system.
#[test]
fn no_program_of_the_caller_judges_the_release() {
    let github = released();
    let mut step = installing(&github);
    for name in ["curl", "jq", "sha256sum", "tar", "awk", "sed"] {
        step.program(name, "echo \"$0\" >>\"$HOME/ran\"; exit 0");
    }
    let path = std::env::var("PATH").expect("a PATH");
    let path = format!("{}:{path}", step.dir.path().display());
    let done = step.set("PATH", &path).run("install.sh");
    assert!(done.success, "{}", done.log);
    let ran = fs::read_to_string(step.path("ran")).unwrap_or_default();
    assert_eq!(ran, "", "{ran}");
}

const CARGO: &str = r#"#!/usr/bin/env bash
env >"${0%/*}/seen"; pwd >>"${0%/*}/seen"
while [ "$1" != --root ]; do shift; done
mkdir -p "$2/bin"
printf '#!/bin/sh\necho lkroute 0.0.0-built\n' >"$2/bin/lkroute"
chmod +x "$2/bin/lkroute"
"#;

#[test]
fn a_build_sees_no_secret_and_obeys_no_file_of_the_caller() {
    let github = GitHub::start();
    let mut step = installing(&github);
    step.set("BUILD", "true")
        .set("DATABASE_URL", "made-up-secret");
    for name in [
        "CARGO_HOME",
        "RUSTUP_TOOLCHAIN",
        "RUSTC_WRAPPER",
        "CARGO_BUILD_RUSTC",
    ] {
        step.set(name, "/callers/own");
    }
    executable(&step.path(".cargo/bin/cargo"), CARGO);
    // The caller's repository, with all that cargo would read there, and a
    // `cargo` put before others.
    step.program("cargo", "touch \"$HOME/shadow\"; exit 1");
    let path = format!(
        "{}:{}",
        step.dir.path().display(),
        std::env::var("PATH").expect("a PATH")
    );
    step.set("PATH", &path);
    let done = step.run("install.sh");
    assert!(done.success, "{}", done.log);
    assert_contains!(done.log, "lkroute 0.0.0-built");
    assert!(!step.path("shadow").exists());
    let seen = fs::read_to_string(step.path(".cargo/bin/seen")).expect("its environment");
    assert_lacks!(seen, "made-up-secret");
    assert_lacks!(seen, "/callers/own");
    let directory = seen.lines().last().expect("its directory");
    assert!(directory.ends_with("lkroute-program"), "{seen}");
    assert_eq!(github.count(""), 0, "nothing is downloaded");
}

/// The same with the real cargo, around a crate that is there in a second.
#[test]
fn a_build_is_not_what_the_callers_files_say() {
    let github = GitHub::start();
    let mut step = installing(&github);
    let own = step.path("action");
    for (file, text) in [
        (
            "Cargo.toml",
            "[package]\nname = \"lkroute\"\nversion = \"0.0.0\"\nedition = \"2021\"\n",
        ),
        (
            "Cargo.lock",
            "version = 3\n\n[[package]]\nname = \"lkroute\"\nversion = \"0.0.0\"\n",
        ),
        ("src/main.rs", "fn main() { println!(\"lkroute 0.0.0\") }\n"),
    ] {
        let path = own.join(file);
        fs::create_dir_all(path.parent().expect("a directory")).expect("make it");
        fs::write(path, text).expect("write it");
    }
    // Its scripts are those of the repository, its crate the small one.
    let real = Path::new(env!("CARGO")).parent().expect("a toolchain");
    for name in ["cargo", "rustc"] {
        let real = real.join(name);
        let text = format!("#!/bin/sh\nexec '{}' \"$@\"\n", real.display());
        executable(&step.path(".cargo/bin").join(name), &text);
    }
    let planted = "#!/bin/sh\necho planted >>\"$HOME/ran\"; exit 1\n";
    let checkout = step.path("checkout");
    executable(&checkout.join("planted"), planted);
    executable(&checkout.join("cargo"), planted);
    let wrapper = checkout.join("planted").display().to_string();
    let config = format!("[build]\nrustc-wrapper = \"{wrapper}\"\n[net]\noffline = true\n");
    fs::create_dir_all(checkout.join(".cargo")).expect("make it");
    fs::write(checkout.join(".cargo/config.toml"), config).expect("write it");
    let toolchain = "[toolchain]\nchannel = \"1.0.0-planted\"\n";
    fs::write(checkout.join("rust-toolchain.toml"), toolchain).expect("write it");
    let path = std::env::var("PATH").expect("a PATH");
    step.set("PATH", &format!("{}:{path}", checkout.display()))
        .set("GITHUB_ACTION_PATH", own.to_str().expect("plain"))
        .set("RUSTC_WRAPPER", &wrapper)
        .set("BUILD", "true");
    let done = step.run("install.sh");
    assert!(done.success, "{}", done.log);
    assert_contains!(done.log, "lkroute 0.0.0");
    assert!(!step.path("ran").exists(), "{}", done.log);
}

#[test]
fn a_program_of_another_version_is_no_release() {
    let github = GitHub::start();
    publish(&github, archive("#!/bin/sh\necho lkroute 9.9.9\n"));
    refused(
        &installing(&github).run("install.sh"),
        "the program says it is",
    );
}
