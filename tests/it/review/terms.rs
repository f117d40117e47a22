//! What a call depends on beside its route: terms and credentials that change
//! under numbers that stay where they are.

use crate::support::Lkroute;

const UAE: &str = "routing/uae.toml";
const NUMBERS: &str = "routing/numbers.toml";

/// The sentence that would be false in all of these.
const NOBODY: &str = "No number is rerouted";

/// The two regions with 400 numbers more of `sasya` on the VM, and three of
/// the other tenant; applied.
fn applied() -> Lkroute {
    let mut lkroute = Lkroute::with_two_regions();
    let database = format!("sqlite://{}", lkroute.path().join("it.db").display());
    lkroute.env("DATABASE_URL", &database);
    lkroute.write(
        NUMBERS,
        r#"[[bindings]]
range = ["+971545340000", "+971545340399"]
tenant = "sasya"
rules = { outbound = true, allowed_outbound = "uae", required_lead_format = ["0", "base_number"] }

[[bindings]]
range = ["+971545350000", "+971545350002"]
tenant = "techiemaya-test"
"#,
    );
    lkroute.run(&["apply", "--auto-approve"]).expect_code(0);
    lkroute
}

/// The reports that people read of the change that was just made.
fn reports(lkroute: &Lkroute, code: i32) -> [String; 4] {
    let run = |args: &[&str]| lkroute.run(args).expect_code(code).stdout;
    let plans = [
        run(&["plan", "--out", "terms.lkplan"]),
        run(&["plan", "--format", "markdown"]),
        run(&["plan", "--format", "github"]),
    ];
    let shown = run(&["show", "terms.lkplan"]);
    let [text, markdown, github] = plans;
    [text, markdown, github, shown]
}

#[track_caller]
fn says(lkroute: &Lkroute, code: i32, sentence: &str) {
    for report in reports(lkroute, code) {
        assert_lacks!(report, NOBODY);
        let plain = report.replace('\n', " ").replace("  ", " ");
        assert!(
            plain.replace("  ", " ").contains(sentence),
            "{sentence}\n{report}"
        );
    }
}

#[test]
fn calls_that_are_refused_from_now_on() {
    let lkroute = applied();
    lkroute.edit(
        NUMBERS,
        "allowed_outbound = \"uae\"",
        "allowed_outbound = \"india\"",
    );
    says(
        &lkroute,
        4,
        "400 numbers of `sasya`: calls to +971 allowed → refused",
    );
}

#[test]
fn a_dialled_form_that_sends_calls_abroad() {
    let lkroute = applied();
    lkroute.edit(
        NUMBERS,
        "[\"0\", \"base_number\"]",
        "[\"0088216\", \"base_number\"]",
    );
    says(&lkroute, 4, "400 numbers of `sasya`: dialled 0… → 0088216…");
}

#[test]
fn another_api_key() {
    let lkroute = applied();
    lkroute.edit(UAE, "\"demo-uae-key\"", "\"another-key\"");
    says(
        &lkroute,
        4,
        "404 numbers of 2 tenants: API key `demo-uae-key` → `another-key`",
    );
}

#[test]
fn new_codes_of_a_region_are_a_change_of_terms_and_widen_them() {
    let lkroute = applied();
    lkroute.edit(UAE, "[\"+971\"]", "[\"+971\", \"+966\"]");
    says(
        &lkroute,
        4,
        "401 numbers of `sasya`: calls to +966 refused → allowed",
    );
    let plan = lkroute.run(&["plan"]).expect_code(4).stdout;
    assert_contains!(plan, "warning[terms-widened]");
    let number = ["plan", "--number", "+971545340000"];
    let number = lkroute.run(&number).expect_code(4).stdout;
    assert_contains!(number, "calls change countries");
    lkroute.write("routing/policy.toml", "[guards.policy]\nwiden = \"deny\"\n");
    let refused = lkroute.run(&["plan", "--format", "json"]).expect_code(4);
    let report = refused.json();
    let codes = report["refusals"].as_array().expect("a list").iter();
    let codes: Vec<&str> = codes.filter_map(|one| one["code"].as_str()).collect();
    assert!(codes.contains(&"terms-widened"), "{codes:?}");
    let routing = &report["routing"];
    assert_eq!(
        (
            &routing["terms_changed"],
            &routing["rerouted"],
            &routing["widened"]
        ),
        (&401.into(), &0.into(), &401.into())
    );
}

/// The digest that `plan` shows, of the database at this URL.
fn digest(lkroute: &Lkroute, database: &str) -> String {
    let run = lkroute.run(&["plan", "--format", "json", "--database", database]);
    run.json()["digest"].as_str().expect("a digest").to_owned()
}

#[test]
fn a_digest_is_of_the_change_and_the_database_however_it_is_reached() {
    let lkroute = applied();
    lkroute.edit(NUMBERS, "\"uae\"", "\"india\"");
    let url = |name: &str| format!("sqlite://{}", lkroute.path().join(name).display());
    let there = digest(&lkroute, &url("it.db"));
    // A replica, at another URL.
    std::fs::copy(
        lkroute.path().join("it.db"),
        lkroute.path().join("replica.db"),
    )
    .expect("copied");
    assert_eq!(digest(&lkroute, &url("replica.db")), there);
    // Lines that moved, as in a squash merge.
    let moved = format!("\n# moved\n\n{}", lkroute.read(NUMBERS));
    lkroute.write(NUMBERS, &moved);
    assert_eq!(digest(&lkroute, &url("it.db")), there);
    // Another database, in which the same was applied.
    lkroute.edit(NUMBERS, "\"india\"", "\"uae\"");
    let other = url("other.db");
    let apply = ["apply", "--auto-approve", "--database", other.as_str()];
    lkroute.run(&apply).expect_code(0);
    lkroute.edit(NUMBERS, "\"uae\"", "\"india\"");
    assert_ne!(digest(&lkroute, &other), there);
}

#[test]
fn a_saved_plan_cannot_be_made_to_say_that_nobody_is_rerouted() {
    let lkroute = applied();
    lkroute.edit(UAE, "\"demo-uae-key\"", "\"another-key\"");
    lkroute.edit(NUMBERS, "\"uae\"", "\"india\"");
    lkroute.run(&["plan", "--out", "a.lkplan"]).expect_code(4);
    let text = lkroute.read("a.lkplan");
    let mut saved: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    saved["plan"]["classes"] = serde_json::json!([]);
    saved["refusals"] = serde_json::json!([]);
    lkroute.write("a.lkplan", &saved.to_string());
    for format in ["text", "markdown"] {
        let shown = lkroute.run(&["show", "a.lkplan", "--format", format]);
        let shown = shown.expect_code(0).stdout.replace('\n', " ");
        assert_lacks!(shown, NOBODY);
        assert_contains!(shown, "400 numbers of `sasya`: calls to +971");
        assert_contains!(shown, "does not cover");
    }
    // What it was compared with is covered.
    let id = "e3ca4a84-4cc3-4be5-8240-34366fe4d0c5";
    saved["plan"]["basis"]["configs"][id]["api_key"] = "another-key".into();
    lkroute.write("a.lkplan", &saved.to_string());
    let refused = lkroute.run(&["show", "a.lkplan"]).expect_code(1);
    assert_contains!(refused.stderr, "its digest does not fit");
}

/// 400 numbers that may call `us` (`+1`), applied; then Jamaica gets a region
/// of its own.
fn with_jamaica() -> Lkroute {
    let lkroute = applied();
    let us = "[regions.us]\ncountry_codes = [\"+1\"]\n";
    lkroute.write("routing/us.toml", us);
    lkroute.edit(NUMBERS, "\"uae\"", "\"us\"");
    let url = format!("sqlite://{}", lkroute.path().join("us.db").display());
    lkroute
        .run(&["apply", "--auto-approve", "--database", &url])
        .expect_code(0);
    lkroute.write(
        "routing/jamaica.toml",
        "[regions.jamaica]\ncountry_codes = [\"+1876\", \"+1658\"]\n",
    );
    lkroute
}

#[test]
fn a_longer_prefix_of_a_new_region_takes_calls_away() {
    let mut lkroute = with_jamaica();
    let url = format!("sqlite://{}", lkroute.path().join("us.db").display());
    lkroute.env("DATABASE_URL", &url);
    says(
        &lkroute,
        4,
        "400 numbers of `sasya`: calls to +1658, +1876 allowed → refused",
    );
    // The guard names the region as the cause: what it says to paste lets it
    // pass.
    let refused = lkroute.run(&["plan"]).expect_code(4).stdout;
    let pasted: Vec<&str> = refused
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != "[[guards.allow]]")
        .take_while(|line| !line.is_empty())
        .collect();
    let pasted = pasted
        .join("\n")
        .replace("\"\" # why", "\"no calls to Jamaica\"");
    assert!(pasted.contains("region.jamaica"), "{refused}");
    lkroute.write("routing/exception.toml", &pasted);
    lkroute.run(&["plan"]).expect_code(0);
    // What is protected is protected from that too.
    let protected = "[guards]\nprotected = [\"binding.+971545340000@*\"]\n";
    lkroute.write("routing/guards.toml", protected);
    let refused = lkroute.run(&["plan"]).expect_code(4).stdout;
    assert_contains!(
        refused,
        "region.jamaica would change calls of 1 number that"
    );
    lkroute.write("routing/guards.toml", "");
    // A call is told what the plan says.
    let call = [
        "resolve",
        "--from",
        "+971545340000",
        "--tenant",
        "sasya",
        "--to",
        "+18765550123",
    ];
    lkroute.run(&call).expect_code(0);
    lkroute.run(&["apply", "--auto-approve"]).expect_code(0);
    lkroute.run(&call).expect_code(9);
    // The way back lets through more than before.
    std::fs::remove_file(lkroute.path().join("routing/jamaica.toml")).expect("removed");
    lkroute.write("routing/exception.toml", "");
    let plan = lkroute.run(&["plan"]).expect_code(4).stdout;
    assert_contains!(plan, "warning[terms-widened]");
}

/// A part of the same country takes nothing out, and no plan says that it does.
#[test]
fn an_area_of_the_same_country_changes_no_terms() {
    let lkroute = applied();
    lkroute.write(
        "routing/dubai.toml",
        "[regions.dubai]\ncountry_codes = [\"+9714\"]\n",
    );
    let plan = lkroute
        .run(&["plan", "--format", "json"])
        .expect_code(0)
        .json();
    let routing = &plan["routing"];
    assert_eq!(
        (&routing["terms_changed"], &routing["widened"]),
        (&0.into(), &0.into())
    );
}
