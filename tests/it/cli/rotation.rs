//! Another key: what is said to be rotated opens, several keys are at hand for
//! a while, and a pipeline plans without any.

use super::run;
use crate::support::{DEMO_KEYS, FERNET_KEY, Lkroute, Run, console};

/// Made-up keys; the second has the name of the sample's key, and is another.
const NEW: &str = "new:bWFkZS11cCBrZXkgb2YgdGhlIHRlc3RzLCBubyAyISE";
const NOT_DEMO: &str = "demo:bWFkZS11cCBrZXkgb2YgdGhlIHRlc3RzLCBubyAyISE";
/// `made-up key no 3, for fernet only`, in base64.
const NEW_FERNET: &str = "bWFkZS11cCBrZXkgbm8gMywgZm9yIGZlcm5ldCBvbmw=";

fn sample(keys: &str) -> Lkroute {
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.env("LKROUTE_KEYS", keys);
    lkroute
}

#[test]
fn nothing_is_called_rotated_that_does_not_open() {
    let mut lkroute = sample(NOT_DEMO);
    let before = lkroute.read("routing/uae.toml");
    for command in ["secrets rotate", "secrets rotate --check"] {
        let refused = run(&lkroute, command).expect_code(1);
        assert_lacks!(refused.words(), "sealed so already");
    }
    lkroute.env("LKROUTE_KEYS", DEMO_KEYS);
    let fine = run(&lkroute, "secrets rotate --check").expect_code(0);
    assert_contains!(fine.words(), "sealed so already, and opens");
    lkroute.env("LKROUTE_KEYS", &format!("{NEW},{DEMO_KEYS}"));
    let check = run(&lkroute, "secrets rotate --check").expect_code(1);
    assert_contains!(check.words(), "2 secrets to be sealed anew");
    assert_eq!(lkroute.read("routing/uae.toml"), before);
    run(&lkroute, "secrets rotate").expect_code(0);
    lkroute.env("LKROUTE_KEYS", NEW);
    run(&lkroute, "secrets rotate --check").expect_code(0);
}

/// A value that only staging has is under the old key as long as nobody seals
/// it anew: the key would be taken away from under it.
#[test]
fn a_rotation_leaves_no_environment_behind() {
    let mut lkroute = sample(DEMO_KEYS);
    let file = lkroute.read("routing/uae.toml");
    let sealed = file.lines().find(|line| line.starts_with("api_secret"));
    let sealed = sealed.expect("a sealed secret").to_owned();
    lkroute.write(
        "routing/environments.toml",
        "[environments.production]\ndatabase = \"A\"\n[environments.staging]\ndatabase = \"B\"\n",
    );
    run(
        &lkroute,
        "secrets seal --config uae-vm-selfhosted --env staging",
    )
    .expect_code(1);
    let args = ["secrets", "seal", "--config", "uae-vm-selfhosted"];
    let args = [&args[..], &["--env", "staging"]].concat();
    lkroute
        .run_with_input(&args, "made-up-secret-of-staging")
        .expect_code(0);
    let file = lkroute.read("routing/uae.toml");
    assert!(
        file.contains(&sealed) && file.matches("lkr1:demo:").count() == 2,
        "{file}"
    );

    lkroute.env("LKROUTE_KEYS", &format!("{NEW},{DEMO_KEYS}"));
    run(&lkroute, "secrets rotate --env production").expect_code(0);
    let check = run(&lkroute, "secrets rotate --check --env production").expect_code(0);
    let words = check.words();
    assert_contains!(words, "every secret that was looked at");
    let check = run(&lkroute, "secrets rotate --check").expect_code(1);
    assert_contains!(check.words(), "1 secret to be sealed anew");
    run(&lkroute, "secrets rotate").expect_code(0);
    assert_lacks!(lkroute.read("routing/uae.toml"), "lkr1:demo:");
    lkroute.env("LKROUTE_KEYS", NEW);
    run(&lkroute, "secrets rotate --check").expect_code(0);
    for environment in ["production", "staging"] {
        let line = format!("secrets list --offline --env {environment}");
        let listed = run(&lkroute, &line).expect_code(0).words();
        assert_lacks!(listed, "no key");
    }
}

/// A Fernet value opens for any config, one of `aes-256-gcm` for one id.
#[test]
fn a_value_of_two_ids_is_sealed_for_each() {
    let mut lkroute = sample(DEMO_KEYS);
    lkroute.env("LIVEKIT_SECRET_ENCRYPTION_KEY", FERNET_KEY);
    run(&lkroute, "secrets rotate --format fernet").expect_code(0);
    lkroute.write(
        "routing/environments.toml",
        "[environments.production]\ndatabase = \"A\"\n[environments.staging]\ndatabase = \"B\"\n",
    );
    lkroute.edit(
        "routing/uae.toml",
        "[[bindings]]",
        "[configs.uae-vm-selfhosted.env.staging]\n\
         id = \"0f0c3a5e-58a5-4d0c-9a3b-0f3d2b1c4e5f\"\n\n[[bindings]]",
    );
    let rotate = "secrets rotate --format aes-256-gcm";
    let before = lkroute.read("routing/uae.toml");
    let refused = run(&lkroute, rotate).expect_code(1);
    assert_contains!(refused.words(), "one sealed value and two ids");
    assert_eq!(lkroute.read("routing/uae.toml"), before);
    let seal = || {
        let args = ["secrets", "seal", "--config", "uae-vm-selfhosted"];
        let args = [&args[..], &["--env", "staging"]].concat();
        lkroute.run_with_input(&args, "made-up-secret-of-staging")
    };
    let hinted = refused.told("`lkroute secrets seal` seals it for each of them by itself");
    hinted.then(seal).expect_code(0);
    run(&lkroute, rotate).expect_code(0);
}

/// Nothing is called sealed where nothing is.
#[test]
fn secrets_that_are_elsewhere_are_not_called_sealed() {
    let lkroute = sample(NEW);
    for file in ["routing/uae.toml", "routing/india.toml"] {
        let text = lkroute.read(file);
        let sealed = text.lines().find(|line| line.starts_with("api_secret"));
        let source = format!("api_secret = {{ env = \"LKROUTE_SECRET_{}\" }}", file.len());
        lkroute.edit(file, sealed.expect("a secret"), &source);
    }
    for command in ["secrets rotate", "secrets rotate --check"] {
        let words = run(&lkroute, command).expect_code(0).words();
        assert_contains!(words, "no secret is sealed in the files");
        assert_contains!(words, "2 secrets from a variable or a file");
    }
}

/// One job plans without these variables; another, which has them, re-seals.
fn plan_without_and_apply(lkroute: &Lkroute, unset: &[&str]) {
    let mut command = lkroute.command(&["plan", "--out", "saved.lkplan"]);
    for name in unset {
        command.env_remove(name);
    }
    Run::of_command(&mut command).expect_code(0);
    let applied = run(lkroute, "apply saved.lkplan --auto-approve").expect_code(0);
    assert_contains!(applied.words(), "re-seal");
}

/// The ring gets another key first; the plan of the pull request has neither key
/// nor secret.
#[test]
fn a_pipeline_plans_without_keys_what_follows_the_ring() {
    let mut lkroute = sample(DEMO_KEYS);
    let text = lkroute.read("routing/uae.toml");
    let sealed = text.lines().find(|line| line.starts_with("api_secret"));
    let source = "api_secret = { env = \"LKROUTE_SECRET_UAE\" }";
    lkroute.edit("routing/uae.toml", sealed.expect("a secret"), source);
    lkroute.env("LKROUTE_SECRET_UAE", "made-up-secret-of-the-ring");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute.env("LKROUTE_KEYS", &format!("{NEW},{DEMO_KEYS}"));
    run(&lkroute, "secrets rotate").expect_code(0);
    plan_without_and_apply(&lkroute, &["LKROUTE_KEYS", "LKROUTE_SECRET_UAE"]);
    let planned = run(&lkroute, "plan --detailed-exitcode").expect_code(0);
    assert_contains!(planned.words(), "No changes");
}

#[test]
fn several_fernet_keys_open_and_the_first_writes() {
    let mut lkroute = sample(DEMO_KEYS);
    lkroute.env("LIVEKIT_SECRET_ENCRYPTION_KEY", FERNET_KEY);
    lkroute.write("routing/format.toml", "[secrets]\nformat = \"fernet\"\n");
    run(&lkroute, "secrets rotate --format fernet").expect_code(0);
    run(&lkroute, "secrets rotate --check").expect_code(0);
    run(&lkroute, "apply --auto-approve").expect_code(0);
    // The new key writes, and the one of the Python service still opens.
    lkroute.env(
        "LKROUTE_FERNET_KEYS",
        &format!("{NEW_FERNET}, {FERNET_KEY}"),
    );
    run(&lkroute, "secrets rotate --check").expect_code(1);
    run(&lkroute, "secrets rotate").expect_code(0);
    let planned = run(&lkroute, "plan").expect_code(0);
    assert_contains!(planned.words(), "re-seal");
    run(&lkroute, "apply --auto-approve").expect_code(0);

    let mut lkroute = without_old_keys(&lkroute);
    lkroute.env("LKROUTE_FERNET_KEYS", NEW_FERNET);
    run(&lkroute, "secrets rotate --check").expect_code(0);
    lkroute.env("LKROUTE_FERNET_KEYS", "made-up");
    let bad = run(&lkroute, "secrets rotate --check").expect_code(1);
    assert_contains!(bad.words(), "LKROUTE_FERNET_KEYS");
    let none = without_old_keys(&lkroute);
    let none = run(&none, "secrets rotate --check").expect_code(1);
    assert_contains!(none.words(), "LIVEKIT_SECRET_ENCRYPTION_KEY");
}

/// The same files, with no key at all.
fn without_old_keys(from: &Lkroute) -> Lkroute {
    let to = Lkroute::with_two_regions();
    for name in [
        "routing/uae.toml",
        "routing/india.toml",
        "routing/format.toml",
    ] {
        to.write(name, &from.read(name));
    }
    to
}

#[test]
fn the_page_on_what_leaked_is_true() {
    let mut lkroute = Lkroute::with_two_regions();
    lkroute
        .env("LKROUTE_KEYS_FILE", "keys")
        .env("NEW_SECRET", "made-up-secret-that-nobody-saw");
    lkroute.write_private("keys", &format!("{DEMO_KEYS}\n"));
    run(&lkroute, "apply --auto-approve --quiet").expect_code(0);
    console("docs/leaks.md", &lkroute, |output| {
        let line = |line: &str| match line.split_once(" in ") {
            Some((head, _)) if line.starts_with("Applied as ") => format!("{head} in 0.1 s\n"),
            _ if line.starts_with("(sha256:") => "(sha256:…)\n".to_owned(),
            _ => format!("{line}\n"),
        };
        output.lines().map(line).collect()
    });
}

#[test]
fn a_pipeline_plans_a_rotation_without_keys_and_applies_it_with_them() {
    let mut lkroute = sample(DEMO_KEYS);
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute.env("LKROUTE_KEYS", &format!("{NEW},{DEMO_KEYS}"));
    run(&lkroute, "secrets rotate").expect_code(0);
    plan_without_and_apply(&lkroute, &["LKROUTE_KEYS"]);
    run(&lkroute, "plan --detailed-exitcode").expect_code(0);
}
