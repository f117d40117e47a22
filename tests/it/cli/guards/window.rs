//! Budgets over a window: what is not allowed at once is not allowed in small
//! steps either.

use serde_json::{Value, json};

use super::{Lkroute, applied, refusals, run};
use crate::review::schema::assert_valid;

const UAE: &str = "routing/uae.toml";
const MORE: &str = "routing/more.toml";
const GUARDS: &str = "routing/guards.toml";
const BUDGET: &str = "[guards.reroutes]\nmax = 3\n";

/// Numbers of sasya, the first ones on the cloud in India.
fn on_cloud(lkroute: &Lkroute, moved: usize, all: usize) {
    let group = |config: &str, numbers: std::ops::Range<usize>| {
        let numbers: Vec<String> = numbers.map(|n| format!("\"+9715000000{n:02}\"")).collect();
        match numbers.is_empty() {
            true => String::new(),
            false => format!(
                "[[bindings]]\nnumbers = [{}]\ntenant = \"sasya\"\n{config}\n",
                numbers.join(", ")
            ),
        }
    };
    let cloud = group("config = \"india-techiemaya-cloud\"\n", 0..moved);
    lkroute.write(MORE, &format!("{cloud}{}", group("", moved..all)));
}

fn apply(lkroute: &Lkroute) {
    run(lkroute, "apply --auto-approve").expect_code(0);
}

/// The window of the plan's report.
fn window(lkroute: &Lkroute) -> Value {
    let plan = run(lkroute, "plan --format json");
    assert_valid("plan", &plan.stdout)["routing"]["window"].clone()
}

/// Ten numbers, of which `moved` were moved in as many applies.
fn one_by_one(moved: usize, guards: &str) -> Lkroute {
    let lkroute = applied(10, guards);
    for n in 1..=moved {
        on_cloud(&lkroute, n, 10);
        apply(&lkroute);
    }
    lkroute
}

/// As if the applies so far had been two days ago.
fn two_days_later(lkroute: &Lkroute) {
    lkroute.sql("UPDATE lkroute_applies SET at = strftime('%Y-%m-%dT%H:%M:%fZ', at, '-2 days')");
}

#[test]
fn applies_one_by_one_count_together() {
    let lkroute = one_by_one(3, BUDGET);
    on_cloud(&lkroute, 4, 10);
    let plan = run(&lkroute, "plan").expect_code(4);
    let text = crate::support::words_of(&plan.stdout);
    let refused = "4 of 12 numbers would be rerouted within 24h, 1 by this plan and the others by \
                   applies 2, 3 and 4; the budget is 3";
    assert_contains!(text, refused);
    assert_contains!(text, "4 numbers within 24h, with applies 2, 3 and 4");
    assert_eq!(
        window(&lkroute),
        json!({ "window": "24h", "affected": 4, "added": 1, "applies": [2, 3, 4], "uncounted": null })
    );
    let markdown = run(&lkroute, "plan --format markdown")
        .expect_code(4)
        .stdout;
    assert_contains!(markdown, "4 numbers within 24h, with applies 2, 3 and 4");
    run(&lkroute, "apply --auto-approve").expect_code(4);
    two_days_later(&lkroute);
    assert_eq!(window(&lkroute), Value::Null);
    apply(&lkroute);
}

#[test]
fn half_of_a_tenant_is_not_moved_in_small_steps_either() {
    let lkroute = one_by_one(5, "");
    on_cloud(&lkroute, 6, 10);
    let plan = run(&lkroute, "plan").expect_code(4);
    let text = crate::support::words_of(&plan.stdout);
    let refused = "6 of 11 numbers of tenant sasya would be rerouted within 24h, 1 by this plan";
    assert_contains!(text, refused);
}

#[test]
fn numbers_that_come_back_do_not_count() {
    let lkroute = one_by_one(3, BUDGET);
    // Going back is never refused, and leaves room.
    on_cloud(&lkroute, 0, 10);
    assert_eq!(window(&lkroute)["affected"], 0);
    apply(&lkroute);
    on_cloud(&lkroute, 3, 10);
    apply(&lkroute);
    // What changes nothing for calls is not refused where the budget is used up.
    lkroute.write(GUARDS, "[guards.reroutes]\nmax = 1\n");
    lkroute.edit(UAE, "on a VM in", "on one VM in");
    apply(&lkroute);
}

#[test]
fn a_rollback_in_between_hides_nothing_and_costs_nothing() {
    let lkroute = one_by_one(3, BUDGET);
    run(&lkroute, "rollback --auto-approve --reason wrong").expect_code(0);
    on_cloud(&lkroute, 2, 10);
    assert_eq!(window(&lkroute)["affected"], 2);
    // One more is within the budget, two are not.
    let other = lkroute
        .read(MORE)
        .replace("+971500000009\"]", "+971500000009\"]\n#");
    lkroute.write(MORE, &other);
    on_cloud_last(&lkroute, 2);
    assert_eq!(refusals(&lkroute), ["budget-reroutes"]);
    on_cloud_last(&lkroute, 1);
    assert!(refusals(&lkroute).is_empty());
}

/// Moves this many of the last of ten numbers too, beside the first two.
fn on_cloud_last(lkroute: &Lkroute, moved: usize) {
    on_cloud(lkroute, 2, 10 - moved);
    let numbers: Vec<String> = (10 - moved..10)
        .map(|n| format!("\"+9715000000{n:02}\""))
        .collect();
    let more = format!(
        "[[bindings]]\nnumbers = [{}]\ntenant = \"sasya\"\nconfig = \"india-techiemaya-cloud\"\n",
        numbers.join(", ")
    );
    let text = lkroute.read(MORE) + &more;
    lkroute.write(MORE, &text);
}

#[test]
fn what_an_exception_let_pass_is_not_counted_again() {
    let lkroute = applied(10, BUDGET);
    on_cloud(&lkroute, 5, 10);
    let refused = run(&lkroute, "plan --format json").expect_code(4).json();
    let hint = refused["refusals"][0]["hint"].as_str().expect("a hint");
    let (_, block) = hint.split_once('\n').expect("a block");
    let block = block.replace("reason = \"\"", "reason = \"meant\"");
    lkroute.write(GUARDS, &format!("{BUDGET}\n{block}\n"));
    apply(&lkroute);
    on_cloud(&lkroute, 8, 10);
    assert_eq!(window(&lkroute)["affected"], 3, "the five are let pass");
    apply(&lkroute);
    on_cloud(&lkroute, 9, 10);
    assert_eq!(window(&lkroute)["affected"], 4);
    let codes = refusals(&lkroute);
    assert!(codes.contains(&"budget-reroutes".to_owned()), "{codes:?}");
}

#[test]
fn a_config_counts_for_all_its_numbers_whatever_it_is_called() {
    let lkroute = applied(2, "[guards.reroutes]\nmax = 4\n");
    let text = lkroute.read(UAE);
    lkroute.write(UAE, &text.replace("voag-staging", "voag-production"));
    apply(&lkroute);
    // Another name, and then the other config, by one number after the other.
    let text = lkroute.read(UAE);
    lkroute.write(UAE, &text.replace("uae-vm-selfhosted", "gulf"));
    apply(&lkroute);
    assert_eq!(window(&lkroute)["applies"], json!([2]));
    lkroute.edit("routing/india.toml", "\"voag-dev\"", "\"voag-test\"");
    assert_eq!(window(&lkroute)["affected"], 4, "3 before, and 1");
    apply(&lkroute);
    lkroute.edit(UAE, "voag-production", "voag-staging");
    assert_eq!(window(&lkroute)["affected"], 1, "the three come back");
    apply(&lkroute);
}

#[test]
fn the_window_is_the_stored_one() {
    let lkroute = one_by_one(3, &format!("[guards]\nwindow = \"7d\"\n\n{BUDGET}"));
    two_days_later(&lkroute);
    on_cloud(&lkroute, 4, 10);
    lkroute.write(GUARDS, &format!("[guards]\nwindow = \"0h\"\n\n{BUDGET}"));
    assert_eq!(refusals(&lkroute), ["budget-reroutes"]);
    assert_eq!(window(&lkroute)["window"], "7d");
    on_cloud(&lkroute, 3, 10);
    apply(&lkroute);
    on_cloud(&lkroute, 4, 10);
    apply(&lkroute);
    for wrong in ["31d", "24", "-1h", ""] {
        lkroute.write(GUARDS, &format!("[guards]\nwindow = \"{wrong}\"\n"));
        let refused = run(&lkroute, "validate").expect_code(3).stdout;
        assert!(refused.contains("`window` is a time"), "{wrong}: {refused}");
    }
}

#[test]
fn a_history_that_was_cut_or_has_no_accounts_counts_what_is_left() {
    let lkroute = one_by_one(3, BUDGET);
    on_cloud(&lkroute, 4, 10);
    // Applies of an lkroute that kept no account, as far as the second.
    lkroute.sql("UPDATE lkroute_applies SET account = NULL WHERE id <= 2");
    assert_eq!(
        window(&lkroute),
        json!({ "window": "24h", "affected": 3, "added": 1, "applies": [3, 4], "uncounted": 2 })
    );
    assert!(refusals(&lkroute).is_empty());
    let said = "apply 2 and those before it kept no account";
    for format in ["text", "markdown"] {
        let plan = run(&lkroute, &format!("plan --format {format}"));
        let words: Vec<&str> = plan.stdout.split_whitespace().collect();
        assert!(words.join(" ").contains(said), "{}", plan.stdout);
    }
    // One in between that is gone counts as what it left.
    lkroute.sql("UPDATE lkroute_applies SET account = '{}'");
    lkroute.sql("DELETE FROM lkroute_applies WHERE id = 3");
    assert_eq!(refusals(&lkroute), ["budget-reroutes"]);
    // An account that can't be read exempts nothing.
    lkroute.sql("UPDATE lkroute_applies SET account = 'exempt all'");
    assert_eq!(refusals(&lkroute), ["budget-reroutes"]);
    // A clock that ran ahead hides no apply.
    lkroute.sql("UPDATE lkroute_applies SET at = '2999-01-01T00:00:00.000Z' WHERE id = 4");
    lkroute.sql("UPDATE lkroute_applies SET at = '2000-01-01T00:00:00.000Z' WHERE id <= 2");
    assert_eq!(window(&lkroute)["affected"], 2);
}

/// Each new region takes a country out of the rules of other numbers: one
/// after the other they count together.
#[test]
fn new_regions_that_touch_other_rules_count_together() {
    let lkroute = Lkroute::with_two_regions();
    let rules = |first: &str, allowed: &str| {
        let numbers = (0..3).map(|n| format!("\"{first}{n}\""));
        format!(
            "[[bindings]]\nnumbers = [{}]\ntenant = \"sasya\"\nconfig = \"uae-vm-selfhosted\"\n\
             rules = {{ allowed_outbound = \"{allowed}\" }}\n",
            numbers.collect::<Vec<_>>().join(", ")
        )
    };
    let region =
        |name: &str, code: &str| format!("[regions.{name}]\ncountry_codes = [\"{code}\"]\n");
    lkroute.write(
        MORE,
        &(region("us", "+1")
            + &region("russia", "+7")
            + &rules("+97150000000", "us")
            + &rules("+97150000001", "russia")),
    );
    lkroute.write(GUARDS, "[guards]\nreroutes = { max = 4 }\n");
    apply(&lkroute);
    // The same number of numbers twice: three, of four that are allowed.
    lkroute.write("routing/jamaica.toml", &region("jamaica", "+1876"));
    apply(&lkroute);
    lkroute.write("routing/bahamas.toml", &region("bahamas", "+1242"));
    apply(&lkroute);
    lkroute.write("routing/kazakhstan.toml", &region("kazakhstan", "+77"));
    let refused = refusals(&lkroute);
    assert!(
        refused.contains(&"budget-reroutes".to_owned()),
        "{refused:?}"
    );
    assert_eq!(window(&lkroute)["affected"], 6);
    two_days_later(&lkroute);
    assert!(refusals(&lkroute).is_empty());
}

/// Rows of others count too, by the rules that they have now.
#[test]
fn new_regions_that_touch_rows_of_others_count_together() {
    let lkroute = Lkroute::with_two_regions();
    let region =
        |name: &str, code: &str| format!("[regions.{name}]\ncountry_codes = [\"{code}\"]\n");
    lkroute.write(MORE, &(region("us", "+1") + &region("russia", "+7")));
    lkroute.write(GUARDS, "[guards]\nreroutes = { max = 4 }\n");
    apply(&lkroute);
    for (ix, allowed) in ["us", "us", "us", "russia", "russia", "russia"]
        .iter()
        .enumerate()
    {
        lkroute.sql(&format!(
            "INSERT INTO voice_agent_numbers (id, tenant_id, country_code, base_number, rules)
                 VALUES ('aaaaaaaa-0000-4000-8000-00000000000{ix}',
                   '734cd516-e252-4728-9c52-4663ee552653', '+971', 50111111{ix},
                   '{{\"livekit_config\": \"e3ca4a84-4cc3-4be5-8240-34366fe4d0c5\",
                      \"allowed_outbound\": \"{allowed}\"}}')"
        ));
    }
    lkroute.write("routing/jamaica.toml", &region("jamaica", "+1876"));
    apply(&lkroute);
    lkroute.write("routing/kazakhstan.toml", &region("kazakhstan", "+77"));
    let refused = refusals(&lkroute);
    assert!(
        refused.contains(&"budget-reroutes".to_owned()),
        "{refused:?}"
    );
    assert_eq!(window(&lkroute)["affected"], 6);
}
