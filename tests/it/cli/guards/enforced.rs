//! Ways round protection, policies and the end of an exception.

use super::{Lkroute, applied, refusals, run};

const UAE: &str = "routing/uae.toml";

/// Another name, wherever the files use it.
fn renamed(lkroute: &Lkroute, from: &str, to: &str) {
    for entry in walkdir::WalkDir::new(lkroute.path().join("routing")) {
        let entry = entry.expect("read routing/");
        if entry.file_type().is_file() {
            let name = entry.path().strip_prefix(lkroute.path()).expect("inside");
            let text = lkroute.read(name);
            lkroute.write(name, &text.replace(from, to));
        }
    }
}

#[test]
fn a_config_under_another_name_is_protected_all_the_same() {
    let lkroute = applied(0, "[guards]\nprotected = [\"config.uae-*\"]\n");
    renamed(&lkroute, "uae-vm-selfhosted", "gulf");
    assert_eq!(refusals(&lkroute), ["protected"], "out of the protection");
    lkroute.edit(UAE, "voag-staging", "voag-production");
    assert_eq!(refusals(&lkroute), ["protected"], "and moved");
    lkroute.edit(UAE, "voag-production", "voag-staging");
    lkroute.write(
        "routing/guards.toml",
        "[guards]\nprotected = [\"config.gulf\"]\n",
    );
    assert!(
        refusals(&lkroute).is_empty(),
        "protected under its new name"
    );
}

#[test]
fn a_tenant_under_another_alias_is_protected_all_the_same() {
    let lkroute = applied(2, "[guards]\nprotected = [\"binding.*@sasya\"]\n");
    renamed(&lkroute, "sasya", "acme");
    lkroute.write(
        "routing/guards.toml",
        "[guards]\nprotected = [\"binding.*@sasya\"]\n",
    );
    assert_eq!(refusals(&lkroute), ["protected"], "out of the protection");
    lkroute.edit(
        "routing/more.toml",
        "tenant =",
        "config = \"india-techiemaya-cloud\"\ntenant =",
    );
    assert!(
        refusals(&lkroute).iter().any(|code| code == "protected"),
        "and moved"
    );
}

#[test]
fn an_id_protects_whatever_the_name() {
    for glob in [
        "config.e3ca4a84-4cc3-4be5-8240-34366fe4d0c5",
        "binding.*@734cd516-e252-4728-9c52-4663ee552653",
    ] {
        let lkroute = applied(0, &format!("[guards]\nprotected = [\"{glob}\"]\n"));
        renamed(&lkroute, "uae-vm-selfhosted", "gulf");
        renamed(&lkroute, "\"sasya\"", "\"acme\"");
        renamed(&lkroute, "sasya =", "acme =");
        assert!(refusals(&lkroute).is_empty(), "{glob}: a rename is none");
        lkroute.edit(UAE, "voag-staging", "voag-production");
        assert_eq!(refusals(&lkroute), ["protected"], "{glob}");
    }
}

#[test]
fn whatever_a_call_depends_on_is_protected() {
    let guards =
        "[guards]\nprotected = [\"config.uae-*\", \"binding.+971545335200@*\", \"region.uae\"]\n";
    let lkroute = applied(0, guards);
    let text = lkroute.read(UAE);
    for (from, to) in [
        ("demo-uae-key", "other-key"),
        ("ST_svHE4RdTc7Ds", "ST_other"),
        ("voag-staging", "voag-production"),
        ("http://livekit.uae", "http://livekit2.uae"),
        (
            "allowed_outbound = \"uae\"",
            "allowed_outbound = \"global\"",
        ),
        ("[\"0\", \"base_number\"]", "[\"00882\", \"base_number\"]"),
        ("outbound = true", "outbound = false"),
        ("[\"+971\"]", "[\"+971\", \"+882\"]"),
    ] {
        lkroute.edit(UAE, from, to);
        assert!(
            refusals(&lkroute).iter().any(|code| code == "protected"),
            "{from} {to}: {:?}",
            refusals(&lkroute)
        );
        lkroute.write(UAE, &text);
    }
    lkroute.edit(UAE, "a VM in", "one VM in");
    assert!(refusals(&lkroute).is_empty(), "no call depends on it");
}

const GULF: &str = "[regions.gulf]
country_codes = [\"+968\"]

[configs.gulf]
id = \"0f3c0d52-6f5e-4b5a-9d0c-5f0d8a3f7c11\"
region = \"gulf\"
url = \"wss://livekit.elsewhere.example\"
api_key = \"made-up\"
api_secret = { env = \"LKROUTE_SECRET_GULF\" }
trunk_id = \"ST_madeUp\"
worker_name = \"voag-staging\"
";

#[test]
fn a_new_region_is_no_way_to_another_host() {
    let policy =
        |more: &str| format!("[guards.policy]\nhosts = {{ uae = [\"*.uae.example\"]{more} }}\n");
    let mut lkroute = applied(0, &policy(""));
    lkroute.env("LKROUTE_SECRET_GULF", "made-up-secret-of-gulf");
    lkroute.write("routing/gulf.toml", GULF);
    assert_eq!(refusals(&lkroute), ["policy-uncovered"]);
    lkroute.write(
        "routing/guards.toml",
        &policy(", gulf = [\"*.elsewhere.example\"]"),
    );
    assert!(refusals(&lkroute).is_empty(), "with a line of its own");
    lkroute.edit(UAE, "tenant =", "config = \"gulf\"\ntenant =");
    assert_eq!(refusals(&lkroute), ["host-not-allowed"], "its number moves");
    // Nor is the region of the config itself.
    lkroute.edit(UAE, "config = \"gulf\"\n", "");
    lkroute.edit(UAE, "region = \"uae\"", "region = \"gulf\"");
    lkroute.edit(
        UAE,
        "http://livekit.uae.example:7880",
        "wss://livekit.elsewhere.example",
    );
    let codes = refusals(&lkroute);
    assert!(
        codes.iter().all(|code| code == "host-not-allowed"),
        "{codes:?}"
    );
    assert!(!codes.is_empty());
}

#[test]
fn a_worker_left_out_breaks_a_worker_policy() {
    let lkroute = applied(0, "");
    lkroute.write(
        "routing/guards.toml",
        "[guards.policy]\nworkers = { \"*\" = [\"voag-*\"] }\n",
    );
    assert!(refusals(&lkroute).is_empty());
    lkroute.edit(UAE, "worker_name = \"voag-staging\"\n", "");
    let plan = run(&lkroute, "plan").expect_code(4);
    assert_contains!(plan.stdout, "worker-not-allowed", "VOICE_AGENT_NAME");
}

#[test]
fn an_exception_ends_with_its_day_in_utc_wherever_it_is_read() {
    let today = jiff::Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    let yesterday = today.yesterday().expect("a day");
    for (zone, expires, refused) in [
        ("Pacific/Kiritimati", today, false),
        ("Etc/GMT+12", today, false),
        ("Pacific/Kiritimati", yesterday, true),
        ("Etc/GMT+12", yesterday, true),
    ] {
        let mut lkroute = applied(10, "");
        lkroute.env("TZ", zone);
        lkroute.edit(UAE, "voag-staging", "voag-production");
        lkroute.write(
            "routing/allow.toml",
            &format!(
                "[[guards.allow]]\nguard = \"tenant-rerouted\"\n\
                 addresses = [\"config.uae-vm-selfhosted\"]\nreason = \"meant\"\n\
                 expires = \"{expires}\"\n"
            ),
        );
        assert_eq!(!refusals(&lkroute).is_empty(), refused, "{zone} {expires}");
    }
}

#[test]
fn the_new_codes_can_be_named() {
    let lkroute = Lkroute::with_two_regions();
    for code in [
        "policy-uncovered",
        "undone",
        "terms-widened",
        "trunk-lacks-number",
    ] {
        lkroute.write(
            "routing/allow.toml",
            &format!(
                "[[guards.allow]]\nguard = \"{code}\"\naddresses = [\"config.x\"]\n\
                 reason = \"meant\"\nexpires = \"2026-12-01\"\n"
            ),
        );
        run(&lkroute, "validate").expect_code(0);
    }
}

#[test]
fn a_longer_prefix_of_another_region_is_a_change_of_a_protected_number() {
    let lkroute = Lkroute::with_two_regions();
    let region =
        |name: &str, code: &str| format!("[regions.{name}]\ncountry_codes = [\"{code}\"]\n");
    lkroute.write("routing/us.toml", &region("us", "+1"));
    lkroute.edit(
        UAE,
        "allowed_outbound = \"uae\"",
        "allowed_outbound = \"us\"",
    );
    lkroute.write(
        "routing/guards.toml",
        "[guards]\nprotected = [\"binding.+971545335200@*\"]\n",
    );
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute.write("routing/jamaica.toml", &region("jamaica", "+1876"));
    assert_eq!(refusals(&lkroute), ["protected"]);
}
