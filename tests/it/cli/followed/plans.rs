//! Hints of a plan: objects that move or go, rows of others, slips, saved
//! plans, what a long report leaves out.

use super::applied::{applied, apply, worker};
use super::{Lkroute, run};
use crate::support::CONFIG_UAE;

const UAE: &str = "config.uae-vm-selfhosted";
const FILE: &str = "routing/uae.toml";
const NUMBER: &str = "binding.+971545335200@sasya";

#[test]
fn configs_that_move_or_go() {
    let lkroute = applied();
    let text = lkroute.read(FILE);
    let plain = text.replace(&format!("id = \"{CONFIG_UAE}\"\n"), "");
    let lines = plain
        .lines()
        .map(|line| match line.starts_with("api_secret") {
            true => "api_secret = { env = \"LKROUTE_SECRET_X\" }",
            false => line,
        });
    let plain: Vec<&str> = lines.collect();
    let renamed = plain.join("\n").replace("uae-vm-selfhosted", "uae-vm");
    lkroute.write(FILE, &renamed);
    let plan = run(&lkroute, "plan").expect_code(3);
    let hinted = plan.told("if it was renamed, write `formerly = \"{}\"` or `id = \"{id}\"` into `{}`, which keeps its row");
    let kept = renamed.replace(
        "[configs.uae-vm]\n",
        "[configs.uae-vm]\nformerly = \"uae-vm-selfhosted\"\n",
    );
    hinted.then(|| lkroute.write(FILE, &kept));
    let plan = run(&lkroute, "plan").expect_code(0).stdout;
    assert_lacks!(plan, "Delete");
    lkroute.write(
        FILE,
        &text
            .replace(
                "[configs.uae-vm-selfhosted]",
                "[configs.uae-vm]\nformerly = \"uae-vm-selfhosted\"",
            )
            .replace(
                "default_config = \"uae-vm-selfhosted\"",
                "default_config = \"uae-vm\"",
            ),
    );
    apply(&lkroute);
    let warned = run(&lkroute, "plan").expect_code(0);
    let hinted =
        warned.told("take it out: the config has its row, and another could be renamed so");
    hinted.then(|| lkroute.edit(FILE, "formerly = \"uae-vm-selfhosted\"\n", ""));
    let after = run(&lkroute, "plan").expect_code(0).stdout;
    assert_lacks!(after, "formerly");
}

#[test]
fn a_config_that_rows_or_others_hold_stays_until_they_move() {
    let lkroute = applied();
    let sasya = "734cd516-e252-4728-9c52-4663ee552653";
    lkroute.sql(&format!(
        "INSERT INTO voice_agent_numbers (id, tenant_id, country_code, base_number, rules)
         VALUES ('aaaaaaaa-0000-4000-8000-000000000001', '{sasya}', '+971', 545335301,
           '{{\"livekit_config\": \"{CONFIG_UAE}\"}}')"
    ));
    let text = lkroute.read(FILE);
    std::fs::remove_file(lkroute.path().join(FILE)).expect("removed");
    let plan = run(&lkroute, "plan");
    let hinted = plan.told(
        "move them to another config first; rows of others and inactive rows count, because a call that finds them would find no config",
    );
    hinted.then(|| {
        lkroute.sql("UPDATE voice_agent_numbers SET rules = '{}' WHERE base_number = 545335301")
    });
    let plan = run(&lkroute, "plan").stdout;
    assert_lacks!(plan, "config-in-use");
    // A fallback is held, too.
    lkroute.write(FILE, &text);
    let india = "routing/india.toml";
    lkroute.edit(
        india,
        "worker_name = \"voag-dev\"",
        "worker_name = \"voag-dev\"\nfallback = \"uae-vm-selfhosted\"",
    );
    apply(&lkroute);
    let without = text
        .split("[configs.")
        .next()
        .expect("a region")
        .replace("default_config = \"uae-vm-selfhosted\"\n", "");
    lkroute.write(FILE, &without);
    lkroute.edit(india, "fallback = \"uae-vm-selfhosted\"", "");
    // Narrowed to the deletion, the other still has it.
    let plan = run(&lkroute, &format!("plan --target {UAE} --target {NUMBER}"));
    let hinted = plan.told("give them another `fallback`, or none, with the same change or before");
    let whole = hinted.then(|| run(&lkroute, "plan")).stdout;
    assert_lacks!(whole, "is the fallback of");
}

#[test]
fn slips_of_aliases_and_numbers() {
    let lkroute = applied();
    let tenants = "routing/tenants.toml";
    lkroute.edit(
        tenants,
        "734cd516-e252-4728-9c52-4663ee552653",
        "99aad516-e252-4728-9c52-4663ee552653",
    );
    let plan = run(&lkroute, "plan");
    let hinted = plan.told(
        "an alias is the name of a tenant: is the new uuid a slip? Another tenant has an alias of its own",
    );
    hinted.then(|| {
        lkroute.edit(
            tenants,
            "99aad516-e252-4728-9c52-4663ee552653",
            "734cd516-e252-4728-9c52-4663ee552653",
        )
    });
    let plan = run(&lkroute, "plan").expect_code(0).stdout;
    assert_contains!(plan, "No changes");
    lkroute.edit(FILE, "+971545335200", "+971545335201");
    let plan = run(&lkroute, "plan");
    let hinted = plan.told("was it mistyped, now or before? Calls of the lost one find no route");
    hinted.then(|| lkroute.edit(FILE, "+971545335201", "+971545335200"));
    run(&lkroute, "plan").expect_code(0);
}

#[test]
fn rows_of_others_that_stand_in_the_way() {
    let lkroute = applied();
    // A second active row of the number.
    let columns = "tenant_id, country_code, base_number, rules, status";
    let twin = format!(
        "INSERT INTO voice_agent_numbers (id, {columns})
         SELECT 'aaaaaaaa-0000-4000-8000-000000000001', {columns} FROM voice_agent_numbers WHERE base_number = 545335200"
    );
    lkroute.sql(&twin);
    let plan = run(&lkroute, "plan");
    let hinted = plan
        .told("make all but one inactive in the application; besides what is compared here: {}");
    let resolve = run(&lkroute, "resolve --from +971545335200").expect_code(1);
    let also = resolve.told("make all but one inactive in the application: {}");
    also.then(|| hinted.then(|| {
        lkroute.sql("UPDATE voice_agent_numbers SET status = 'inactive' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001'")
    }));
    run(&lkroute, "resolve --from +971545335200").expect_code(0);
    // `rules` that are no object.
    lkroute.sql("UPDATE voice_agent_numbers SET rules = '[]' WHERE base_number = 545335200 AND status = 'active'");
    let plan = run(&lkroute, "plan");
    let mended = plan.told("mend `rules` of that row in the application");
    let resolve = run(&lkroute, "resolve --from +971545335200").expect_code(1);
    let repaired = resolve.told("repair the column in the application");
    repaired.then(|| {
        mended
            .then(|| lkroute.sql("UPDATE voice_agent_numbers SET rules = '{}' WHERE rules = '[]'"))
    });
    run(&lkroute, "apply --auto-approve --revert-drift").expect_code(0);
    run(&lkroute, "resolve --from +971545335200").expect_code(0);
}

#[test]
fn saved_plans_and_narrowed_ones() {
    let lkroute = applied();
    worker(&lkroute, "voag-staging", "voag-two");
    lkroute.write("x.lkplan", "{}");
    let wrong = run(&lkroute, "show x.lkplan").expect_code(1);
    let out = wrong.told("it is no plan that `lkroute plan --out` wrote");
    out.with(&lkroute, "plan --out x.lkplan").expect_code(0);
    run(&lkroute, "show x.lkplan").expect_code(0);
    // Something that the plan was to change is changed by then.
    worker(&lkroute, "voag-two", "voag-other");
    apply(&lkroute);
    worker(&lkroute, "voag-other", "voag-two");
    let stale = run(&lkroute, "apply x.lkplan").expect_code(5);
    let hinted =
        stale.told("nothing was written: look at `lkroute plan`, and have it approved anew");
    hinted.run(&lkroute, &[]);
    run(&lkroute, "plan --out x.lkplan").expect_code(0);
    run(&lkroute, "apply x.lkplan").expect_code(0);
    let comment = run(&lkroute, "plan --format markdown").expect_code(0);
    assert_contains!(comment.stdout, "nothing to do");
    worker(&lkroute, "voag-two", "voag-three");
    let narrowed = run(&lkroute, "plan --target region.uae").expect_code(0);
    let rest = narrowed.told("left out by --target");
    rest.then(|| apply(&lkroute));
}

#[test]
fn what_is_left_out_of_a_long_report_can_be_had() {
    let lkroute = Lkroute::with_two_regions();
    lkroute.write(
        "routing/many.toml",
        "[[bindings]]\nrange = [\"+971500000000\", \"+971500000399\"]\ntenant = \"sasya\"\n",
    );
    apply(&lkroute);
    std::fs::remove_file(lkroute.path().join("routing/many.toml")).expect("removed");
    let plan = run(&lkroute, "plan");
    let full = plan
        .told("Delete (--full names them all)")
        .with(&lkroute, "plan --full");
    assert_contains!(full.stdout, "+971500000399");
    let comment = run(&lkroute, "plan --format markdown");
    let all = comment.told("Not everything is shown here; `lkroute plan --full` shows it all.");
    let all = all.run(&lkroute, &[]).stdout;
    assert_contains!(all, "+971500000399");
}
