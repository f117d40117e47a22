//! Commands that change the files.

use super::run;
use crate::support::Lkroute;

/// Made up: 32 bytes from 00 to 1f.
const KEYS: &str = "kb2843125:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

#[test]
fn seal_writes_a_value_that_resolve_can_open() {
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.env("LKROUTE_KEYS", KEYS);
    let before = lkroute.read("routing/uae.toml");
    let args = ["secrets", "seal", "--config", "uae-vm-selfhosted"];
    let sealed = lkroute
        .run_with_input(&args, "made-up-secret\n")
        .expect_code(0);
    assert_lacks!(
        format!("{}{}", sealed.stdout, sealed.stderr),
        "made-up-secret"
    );
    let after = lkroute.read("routing/uae.toml");
    assert_ne!(before, after);
    assert!(
        after.contains("# Sealed with the demo key"),
        "comments stay\n{after}"
    );
    run(&lkroute, "validate").expect_code(0);
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let route = run(&lkroute, "resolve --from +971545335200 --format json").expect_code(0);
    assert_eq!(route.json()["secret"], "opens");
}

#[test]
fn a_new_config_gets_its_secret_and_its_id() {
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.env("LKROUTE_KEYS", KEYS);
    let config =
        "[configs.new]\nregion = \"uae\"\nurl = \"wss://new.uae.example\"\napi_key = \"k\"\n";
    lkroute.write("routing/new.toml", config);
    run(&lkroute, "validate").expect_code(3);
    let args = ["secrets", "seal", "--config", "new"];
    lkroute
        .run_with_input(&args, "made-up-secret")
        .expect_code(0);
    let text = lkroute.read("routing/new.toml");
    assert_contains!(text, "id = \"", "sealed = \"lkr1:kb2843125:");
    run(&lkroute, "validate").expect_code(0);
}

#[test]
fn sealing_needs_a_key_a_config_and_a_secret() {
    let mut lkroute = Lkroute::with_two_regions();
    let seal = |lkroute: &Lkroute, name: &str, input: &str| {
        let run = lkroute.run_with_input(&["secrets", "seal", "--config", name], input);
        run.expect_code(1).stderr
    };
    assert_contains!(
        seal(&lkroute, "uae-vm-selfhosted", "made-up"),
        "no key ring"
    );
    lkroute.env("LKROUTE_KEYS", KEYS);
    assert_contains!(seal(&lkroute, "nope", "made-up"), "no config `nope`");
    assert_contains!(seal(&lkroute, "uae-vm-selfhosted", "\n"), "is empty");
}

#[test]
fn a_malformed_key_ring_is_an_error_that_does_not_show_it() {
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.env("LKROUTE_KEYS", "made-up-but-no-ring");
    let failed = run(&lkroute, "plan").expect_code(1);
    assert_contains!(failed.stderr, "LKROUTE_KEYS: key ring, line 1");
    assert_lacks!(failed.stderr, "made-up");
}

#[test]
fn keygen_makes_a_ring() {
    let mut lkroute = Lkroute::with_two_regions();
    let key = run(&lkroute, "secrets keygen").expect_code(0).stdout;
    lkroute.env("LKROUTE_KEYS", key.trim());
    run(&lkroute, "plan").expect_code(0);
    run(&lkroute, "secrets keygen --id kb2843125").expect_code(1);
}

#[test]
fn fmt_rewrites_and_check_only_looks() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "fmt --check").expect_code(0);
    lkroute.edit(
        "routing/uae.toml",
        "[regions.uae]",
        "[ regions . uae ]   # here",
    );
    let text = lkroute.read("routing/uae.toml");
    let check = run(&lkroute, "fmt --check").expect_code(1);
    assert_contains!(check.stdout, "+[regions.uae] # here");
    assert_eq!(lkroute.read("routing/uae.toml"), text);
    let fmt = run(&lkroute, "fmt").expect_code(0);
    assert_eq!(fmt.stdout, "routing/uae.toml\n");
    run(&lkroute, "fmt --check").expect_code(0);
    lkroute.write("routing/broken.toml", "x = [");
    run(&lkroute, "fmt").expect_code(3);
}

#[test]
fn adopting_what_is_not_in_conflict_is_an_error() {
    let lkroute = Lkroute::with_two_regions();
    let all = run(&lkroute, "adopt --all").expect_code(0);
    assert_contains!(all.stderr, "nothing is in conflict");
    let one = run(&lkroute, "adopt config.uae-vm-selfhosted").expect_code(1);
    assert_contains!(one.stderr, "is not in conflict");
}
