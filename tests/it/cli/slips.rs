//! Slips of the pen that `plan` and `diff` name.

use super::run;
use crate::support::{DEMO_KEYS, Lkroute};

fn applied() -> Lkroute {
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.env("LKROUTE_KEYS", DEMO_KEYS);
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
    assert_lacks!(none.words(), "doubtful-number");
    lkroute.write(
        "routing/more.toml",
        "[[bindings]]\nnumbers = [\n    \"+971111111111\",\n    \"+971545335201\",\n]\n\
         tenant = \"sasya\"\nconfig = \"uae-vm-selfhosted\"\n",
    );
    let planned = run(&lkroute, "plan").expect_code(0);
    assert_contains!(planned.words(), "+971111111111 is perhaps not valid");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let again = run(&lkroute, "plan").expect_code(0);
    assert!(
        !again.words().contains("doubtful-number"),
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
    let words = planned.words();
    assert_contains!(
        words,
        format!("`sasya` was {old}, is {new}: 1 number lost and 1 new")
    );
}

#[test]
fn a_number_that_is_the_lost_one_but_for_a_slip_is_named() {
    let one = "they differ by one digit";
    let lost = "+971545335200";
    for (new, how) in [
        ("+971545335700", one),
        ("+97154533520", one),
        ("+9715453352002", one),
        ("+971543535200", "two neighbouring digits changed places"),
    ] {
        let lkroute = applied();
        replace(&lkroute, lost, new);
        for command in ["plan", "plan --format markdown"] {
            let words = run(&lkroute, command).words().replace('`', "");
            let sentence = format!("{lost} is lost and {new} is new: {how}");
            assert!(words.contains(&sentence), "{command}: {words}");
        }
        let annotated = run(&lkroute, "plan --format github").words();
        let at = "file=routing/uae.toml,line=";
        assert_contains!(annotated, at);
        assert_contains!(annotated, how);
    }
    // Any other number is another number.
    let lkroute = applied();
    replace(&lkroute, lost, "+971505335211");
    let words = run(&lkroute, "plan").words();
    assert_lacks!(words, "number-mistyped");
}

#[test]
fn a_slip_onto_a_row_of_others_is_named_too() {
    let lkroute = applied();
    lkroute.sql(
        "INSERT INTO voice_agent_numbers (id, tenant_id, country_code, base_number, status, rules)
         VALUES ('11111111-1111-4111-8111-111111111111', '734cd516-e252-4728-9c52-4663ee552653',
           '+971', 545335700, 'active', '{}')",
    );
    replace(&lkroute, "+971545335200", "+971545335700");
    let words = run(&lkroute, "plan").words();
    assert_contains!(words, "+971545335200 is lost and +971545335700 is new");
}

/// A thousand good numbers before it hide no doubtful one.
#[test]
fn a_doubtful_number_behind_many_good_ones_is_named() {
    let lkroute = applied();
    lkroute.write(
        "routing/more.toml",
        "[[bindings]]\nrange = [\"+971545300000\", \"+971545301999\"]\ntenant = \"sasya\"\n\
         config = \"uae-vm-selfhosted\"\n\
         [[bindings]]\nnumbers = [\"+971991111111\", \"+971991111112\"]\ntenant = \"sasya\"\n\
         config = \"uae-vm-selfhosted\"\n",
    );
    let words = run(&lkroute, "plan").words();
    assert_contains!(
        words,
        "+971991111111 is perhaps not valid",
        "so is 1 more here"
    );
}

/// Whoever calls from a number that two tenants have, and names neither tenant
/// nor user, has no route any more: "new" alone would say nothing of that.
#[test]
fn a_new_number_that_another_tenant_has_is_named() {
    let lkroute = applied();
    let number = "+971545335200";
    run(&lkroute, &format!("resolve --from {number}")).expect_code(0);
    let binding = |numbers: &str| {
        format!(
            "[[bindings]]\nnumbers = [{numbers}]\ntenant = \"techiemaya-test\"\n\
             config = \"uae-vm-selfhosted\"\n"
        )
    };
    // Numbers that are this tenant's alone are no news.
    lkroute.write("routing/more.toml", &binding("\"+971545335277\""));
    let alone = run(&lkroute, "plan").words();
    assert_lacks!(alone, "number-shared");
    lkroute.write(
        "routing/more.toml",
        &binding(&format!("\"+971545335277\", \"{number}\"")),
    );
    let sentence = format!("{number} is new for `techiemaya-test`, and `sasya` has it as well");
    let planned = run(&lkroute, "plan").expect_code(0);
    assert_contains!(planned.words(), sentence);
    let annotated = run(&lkroute, "plan --format github").words();
    assert_contains!(annotated, "file=routing/more.toml,line=");
    let hinted = planned.told(
        "a call from it that names neither tenant nor user finds several routes and fails: see that whoever places calls names one of them",
    );
    hinted.then(|| run(&lkroute, "apply --auto-approve").expect_code(0));
    let ambiguous = run(&lkroute, &format!("resolve --from {number}")).expect_code(1);
    assert_contains!(ambiguous.words(), "belongs to 2 tenants");
    run(&lkroute, &format!("resolve --from {number} --tenant sasya")).expect_code(0);
    let again = run(&lkroute, "plan").words();
    assert_lacks!(again, "number-shared");
}
