//! `release`, where calls depend on what only lkroute's tables hold.

use super::run;
use crate::review::schema::assert_valid;
use crate::support::{Lkroute, words_of};

const RELEASE: &str = "release region.gulf --auto-approve";

/// The rule of the sample's number names a region that the Python service
/// does not know by itself.
fn with_gulf() -> Lkroute {
    let lkroute = Lkroute::with_two_regions();
    let uae = lkroute.read("routing/uae.toml");
    let uae = uae.replace("[regions.uae]", "[regions.gulf]");
    let uae = uae.replace("region = \"uae\"", "region = \"gulf\"");
    let uae = uae.replace("allowed_outbound = \"uae\"", "allowed_outbound = \"gulf\"");
    lkroute.write("routing/uae.toml", &uae);
    run(&lkroute, "apply --auto-approve").expect_code(0);
    std::fs::remove_dir_all(lkroute.path().join("routing")).expect("leave the repository");
    lkroute
}

#[test]
fn a_region_that_rules_name_is_not_given_back_unseen() {
    let lkroute = with_gulf();
    for release in [RELEASE, "release --all --auto-approve"] {
        let refused = run(&lkroute, release).expect_code(4);
        let said = words_of(&refused.stdout);
        assert_contains!(
            said,
            "1 number of `sasya`: calls to +971 allowed → refused",
            "error[route-lost]: 1 number could make no call out any more"
        );
    }
    let call = "resolve --from +971545335200 --to +971501234567";
    run(&lkroute, call).expect_code(0);
    let json = run(&lkroute, &format!("{RELEASE} --format json")).expect_code(4);
    let report = assert_valid("apply", &json.stdout);
    assert_eq!(
        (&report["applied"], report["routing"]["stopped"].as_u64()),
        (&().into(), Some(1))
    );

    // What the refusal prints, in files that hold nothing else.
    let text = run(&lkroute, RELEASE).expect_code(4).stdout;
    let block = text.split_once("[[guards.allow]]").expect("a block").1;
    let block: Vec<&str> = block.lines().take(6).map(str::trim).collect();
    let block = format!("[[guards.allow]]{}", block.join("\n"));
    let block = block.replace("reason = \"\"", "reason = \"they call no more\"");
    lkroute.write("routing/allow.toml", &block);
    let done = run(&lkroute, RELEASE).expect_code(0).stdout;
    assert_contains!(done, "+971 allowed → refused", "1 given back");
    run(&lkroute, call).expect_code(9);
    // And what it did is found by who looks.
    let doctor = run(&lkroute, "doctor --no-probe").expect_code(1).stdout;
    assert_contains!(
        words_of(&doctor),
        "`allowed_outbound = \"gulf\"` names no known region"
    );
}

#[test]
fn what_is_protected_keeps_its_deployment_and_its_fallback() {
    let lkroute = Lkroute::with_two_regions();
    lkroute.edit(
        "routing/uae.toml",
        "worker_name = \"voag-staging\"\n",
        "worker_name = \"voag-staging\"\ndeployment = \"staging\"\n\
         fallback = \"india-techiemaya-cloud\"\n",
    );
    lkroute.write(
        "routing/guards.toml",
        "[guards]\nprotected = [\"binding.*\"]\n",
    );
    run(&lkroute, "apply --auto-approve").expect_code(0);
    std::fs::remove_dir_all(lkroute.path().join("routing")).expect("leave the repository");
    for config in ["uae-vm-selfhosted", "india-techiemaya-cloud"] {
        let refused = run(&lkroute, &format!("release config.{config} --auto-approve"));
        let refused = refused.expect_code(4);
        let said = words_of(&refused.stdout);
        assert_contains!(
            said,
            "error[protected]",
            "would change calls of 1 number",
            "fallback"
        );
    }
    // A number alone takes nothing with it.
    let number = "release binding.+971545335200@sasya --auto-approve";
    let done = run(&lkroute, number).expect_code(0).stdout;
    assert_lacks!(done, "Calls");
    let call = run(&lkroute, "resolve --from +971545335200 --format json").expect_code(0);
    assert_eq!(call.json()["deployment"], "staging");
}

#[test]
fn what_the_files_declare_by_another_name_is_declared() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    for file in ["routing/tenants.toml", "routing/uae.toml"] {
        let text = lkroute.read(file).replace("sasya =", "sasya-new =");
        lkroute.write(file, &text.replace("\"sasya\"", "\"sasya-new\""));
    }
    let uae = lkroute.read("routing/uae.toml");
    lkroute.write(
        "routing/uae.toml",
        &uae.replace("uae-vm-selfhosted", "uae-renamed"),
    );
    for (release, name) in [
        (
            "binding.+971545335200@sasya",
            "binding.+971545335200@sasya-new",
        ),
        ("config.uae-vm-selfhosted", "config.uae-renamed"),
    ] {
        let refused = run(&lkroute, &format!("release {release} --auto-approve")).expect_code(1);
        let said = words_of(&refused.stderr);
        assert_contains!(said, format!("{name} is still declared in the files"));
    }
}

/// Nothing falls back to a config that lkroute did not apply.
#[test]
fn a_fallback_that_is_given_back_is_none() {
    let lkroute = Lkroute::with_two_regions();
    lkroute.edit(
        "routing/uae.toml",
        "worker_name = \"voag-staging\"\n",
        "worker_name = \"voag-staging\"\nfallback = \"india-techiemaya-cloud\"\n",
    );
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let (files, aside) = (lkroute.path().join("routing"), lkroute.path().join("aside"));
    std::fs::rename(&files, &aside).expect("move it away");
    let release = "release config.india-techiemaya-cloud --auto-approve";
    let done = run(&lkroute, release).expect_code(0).stdout;
    assert_contains!(words_of(&done), "1 number of `sasya`: fallback");
    let doctor = run(&lkroute, "doctor --no-probe").expect_code(1);
    assert_contains!(doctor.stdout, "fallback-not-applied");
    doctor.told("declare it in the files, and apply").then(|| {
        std::fs::rename(&aside, &files).expect("move it back");
        run(&lkroute, "apply --auto-approve").expect_code(0);
    });
    assert_lacks!(
        run(&lkroute, "doctor --no-probe").stdout,
        "fallback-not-applied"
    );
}
