//! Slips of the pen that `plan` and `diff` name.

use super::run;
use crate::support::{Lkroute, Run};

fn said(run: &Run) -> String {
    let text = format!("{} {}", run.stdout, run.stderr);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn applied() -> Lkroute {
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.env(
        "LKROUTE_KEYS",
        "demo:bGtyb3V0ZSBkZW1vIGtleSwgbmV2ZXIgdXNlIHRoaXM",
    );
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute
}

/// Replaces a text wherever it stands in the sample.
fn replace(lkroute: &Lkroute, from: &str, to: &str) {
    for file in [
        "routing/uae.toml",
        "routing/india.toml",
        "routing/tenants.toml",
    ] {
        if lkroute.path().join(file).exists() {
            let text = lkroute.read(file);
            lkroute.write(file, &text.replace(from, to));
        }
    }
}

#[test]
fn a_doubtful_number_is_named_where_it_is_created() {
    let lkroute = applied();
    let none = run(&lkroute, "plan").expect_code(0);
    assert!(!said(&none).contains("doubtful-number"), "{none:?}");
    lkroute.write(
        "routing/more.toml",
        "[[bindings]]\nnumbers = [\n    \"+971111111111\",\n    \"+971545335201\",\n]\n\
         tenant = \"sasya\"\nconfig = \"uae-vm-selfhosted\"\n",
    );
    let planned = run(&lkroute, "plan").expect_code(0);
    assert!(
        said(&planned).contains("+971111111111 is perhaps not valid"),
        "{planned:?}"
    );
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let again = run(&lkroute, "plan").expect_code(0);
    assert!(
        !said(&again).contains("doubtful-number"),
        "it changes nothing there"
    );
}

#[test]
fn an_alias_that_means_another_tenant_is_named_with_what_it_costs() {
    let lkroute = applied();
    let old = "734cd516-e252-4728-9c52-4663ee552653";
    let new = "99aad516-e252-4728-9c52-4663ee552653";
    replace(&lkroute, old, new);
    let planned = run(&lkroute, "plan");
    let words = said(&planned);
    assert!(
        words.contains(&format!(
            "`sasya` was {old}, is {new}: 1 numbers lost and 1 new"
        )),
        "{words}"
    );
}

#[test]
fn a_number_that_differs_by_a_digit_from_the_lost_one_is_named() {
    let lkroute = applied();
    replace(&lkroute, "+971545335200", "+971545335700");
    let words = said(&run(&lkroute, "plan"));
    assert!(
        words.contains("+971545335200 is lost and +971545335700 is new: they differ by one digit"),
        "{words}"
    );
}
