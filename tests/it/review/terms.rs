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
fn reports(lkroute: &Lkroute, code: i32) -> [String; 2] {
    let run = |args: &[&str]| lkroute.run(args).expect_code(code).stdout;
    [run(&["plan"]), run(&["plan", "--format", "markdown"])]
}

#[track_caller]
fn says(lkroute: &Lkroute, code: i32, sentence: &str) {
    for report in reports(lkroute, code) {
        assert!(!report.contains(NOBODY), "{report}");
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
