//! Hints about what guards, conflicts and undone changes stand in the way of.

use super::applied::{applied, apply, theirs, worker};
use super::{Lkroute, run};
use crate::support::{CONFIG_UAE, Run};

const FILE: &str = "routing/uae.toml";
const MANY: &str = "routing/many.toml";
const GUARDS: &str = "routing/guards.toml";
const INDIA: &str = "india-techiemaya-cloud";
const NUMBER: &str = "binding.+971545335200@sasya";

/// The numbers of a config feel what its fallback does, and that can be named.
#[test]
fn a_change_of_a_fallback_is_named_as_an_exception() {
    let mut lkroute = Lkroute::with_two_regions();
    let key = run(&lkroute, "secrets keygen").expect_code(0).stdout;
    lkroute.env("LKROUTE_KEYS", key.trim());
    lkroute.env("LKROUTE_SECRET_SPARE", "made-up-secret-of-the-spare");
    lkroute.write(GUARDS, "[guards]\nreroutes = { max = 0 }\n");
    lkroute.write(
        "routing/spare.toml",
        "[configs.spare]\nid = \"cccccccc-0000-4000-8000-000000000001\"\nregion = \"uae\"\n\
         url = \"wss://spare.example\"\napi_key = \"APIspare\"\n\
         api_secret = { env = \"LKROUTE_SECRET_SPARE\" }\ntrunk_id = \"ST_spare\"\n\
         worker_name = \"voag-spare\"\n",
    );
    let worker_name = "worker_name = \"voag-staging\"";
    lkroute.edit(
        FILE,
        worker_name,
        &format!("{worker_name}\nfallback = \"spare\""),
    );
    apply(&lkroute);
    lkroute.edit("routing/spare.toml", "voag-spare", "voag-other");
    let refused = run(&lkroute, "plan").expect_code(4);
    let hinted = refused.told("if it is meant, paste this into a file under review:");
    let named = "addresses = [\"config.spare\"]";
    assert_contains!(refused.stdout, named);
    hinted.then(|| paste(&lkroute, &refused.stdout));
    apply(&lkroute);
}

/// Writes the exception that a report says is to be pasted.
fn paste(lkroute: &Lkroute, report: &str) {
    let lines = report
        .lines()
        .skip_while(|line| !line.contains("[[guards.allow]]"));
    let block = lines.take_while(|line| !line.trim().is_empty());
    let block: Vec<&str> = block.map(str::trim).collect();
    let block = block
        .join("\n")
        .replace("reason = \"\"", "reason = \"planned\"");
    lkroute.write("routing/exception.toml", &block);
}

/// A range of so many numbers on a config, with a provider.
fn range(lkroute: &Lkroute, name: &str, (first, last): (u32, u32), config: &str, provider: &str) {
    lkroute.write(
        name,
        &format!(
            "[[bindings]]\nrange = [\"+971500000{first:03}\", \"+971500000{last:03}\"]\n\
             tenant = \"sasya\"\nconfig = \"{config}\"\nprovider = \"{provider}\"\n"
        ),
    );
}

#[test]
fn a_change_of_too_many_objects_is_split() {
    let lkroute = Lkroute::with_two_regions();
    lkroute.write(
        GUARDS,
        "[guards]\nwindow = \"0h\"\nreroutes = { max = 0 }\n",
    );
    range(&lkroute, MANY, (0, 299), "uae-vm-selfhosted", "A");
    apply(&lkroute);
    range(&lkroute, MANY, (0, 299), INDIA, "A");
    let refused = run(&lkroute, "plan").expect_code(4);
    let hint = "{} objects cause it, too many to name as an exception: split the change";
    let hinted = refused.told(hint);
    hinted.then(|| {
        range(&lkroute, MANY, (0, 149), INDIA, "A");
        range(
            &lkroute,
            "routing/rest.toml",
            (150, 299),
            "uae-vm-selfhosted",
            "A",
        );
    });
    let half = run(&lkroute, "plan").expect_code(4);
    half.told("if it is meant, paste this into a file under review:")
        .then(|| paste(&lkroute, &half.stdout));
    apply(&lkroute);
    // As many that a rollback took away.
    lkroute.write(GUARDS, "");
    apply(&lkroute);
    let both = |provider: &str| {
        range(&lkroute, MANY, (0, 149), INDIA, provider);
        range(
            &lkroute,
            "routing/rest.toml",
            (150, 299),
            "uae-vm-selfhosted",
            provider,
        );
    };
    both("B");
    apply(&lkroute);
    run(&lkroute, "rollback --reason why --auto-approve").expect_code(0);
    let back = run(&lkroute, "plan").expect_code(4);
    let hinted = back.told("take it out of the files, or write another value");
    hinted.then(|| both("C"));
    let plan = run(&lkroute, "plan --format json").json();
    assert_ne!(plan["summary"]["update"], 0, "{plan}");
}

#[test]
fn what_is_protected_is_protected_from_rollbacks_and_renames() {
    let lkroute = applied();
    worker(&lkroute, "voag-staging", "voag-two");
    apply(&lkroute);
    let protected = |glob: &str| format!("[guards]\nprotected = [\"{glob}\"]\n");
    lkroute.write(GUARDS, &protected("config.uae-vm-selfhosted"));
    apply(&lkroute);
    let refused = run(&lkroute, "rollback --to 1 --reason why --auto-approve").expect_code(4);
    let hinted = refused.told(
        "protection and policies hold for a rollback too, with a --reason or without; they are those of the last apply, and another apply changes them",
    );
    hinted.then(|| lkroute.write(GUARDS, "[guards]\nprotected = []\n"));
    let weaker = run(&lkroute, "apply --auto-approve");
    if weaker.code == 4 {
        paste(&lkroute, &run(&lkroute, "plan").stdout);
        apply(&lkroute);
    }
    run(&lkroute, "rollback --to 1 --reason why --auto-approve").expect_code(0);
    // A tenant under another name.
    let lkroute = applied();
    lkroute.write(GUARDS, &protected("binding.*@sasya"));
    apply(&lkroute);
    lkroute.edit("routing/tenants.toml", "sasya = ", "sasya-uae = ");
    lkroute.edit(FILE, "tenant = \"sasya\"", "tenant = \"sasya-uae\"");
    let refused = run(&lkroute, "plan").expect_code(4);
    let hinted = refused
        .told("write a pattern for the new alias, or for the tenant's uuid, into `protected`");
    let both = "[guards]\nprotected = [\"binding.*@sasya\", \"binding.*@sasya-uae\"]\n";
    hinted.then(|| lkroute.write(GUARDS, both));
    run(&lkroute, "plan").expect_code(0);
}

fn set(lkroute: &Lkroute, what: &str) {
    let set = format!("UPDATE voice_agent_numbers SET {what} WHERE base_number = 545335200");
    lkroute.sql(&set);
}

#[test]
fn a_conflict_is_ended_by_the_files() {
    // Written into the files.
    let lkroute = applied();
    worker(&lkroute, "voag-staging", "voag-two");
    theirs(&lkroute, "worker_name = 'voag-night'");
    let plan = run(&lkroute, "plan").expect_code(6);
    let hinted = plan.told("write it into the files");
    hinted.then(|| worker(&lkroute, "voag-two", "voag-night"));
    apply(&lkroute);
    // A number that others made inactive.
    set(&lkroute, "status = 'inactive'");
    let plan = run(&lkroute, "plan").expect_code(6);
    let hinted = plan.told("take the number out of the files");
    let text = lkroute.read(FILE);
    let without = text.split("[[bindings]]").next().expect("a start");
    hinted.then(|| lkroute.write(FILE, without));
    apply(&lkroute);
    run(&lkroute, "plan --detailed-exitcode").expect_code(0);
}

#[test]
fn what_is_taken_out_and_changed_by_others_is_put_back_first() {
    let lkroute = applied();
    let text = lkroute.read(FILE);
    let without = text.split("[[bindings]]").next().expect("a start");
    set(
        &lkroute,
        "rules = json_set(rules, '$.outbound', json('false'))",
    );
    lkroute.write(FILE, without);
    let plan = run(&lkroute, "plan").expect_code(6);
    let hinted = plan.told("put it back into the files until the database says what was applied");
    hinted.then(|| lkroute.write(FILE, &text));
    run(&lkroute, "apply --revert-drift --auto-approve").expect_code(0);
    lkroute.write(FILE, without);
    paste(&lkroute, &run(&lkroute, "plan").stdout);
    apply(&lkroute);
}

#[test]
fn drift_that_the_files_decide_otherwise() {
    let lkroute = Lkroute::with_two_regions();
    lkroute.write(
        "routing/rollout.toml",
        &format!("[[rollouts]]\nfrom = \"uae-vm-selfhosted\"\nto = \"{INDIA}\"\npercent = 100\n"),
    );
    apply(&lkroute);
    set(
        &lkroute,
        &format!("rules = json_set(rules, '$.livekit_config', '{CONFIG_UAE}')"),
    );
    let accept = format!("drift --accept {NUMBER}");
    let refused = run(&lkroute, &accept).expect_code(1);
    let hinted = refused
        .told("a rollout or a default decides otherwise; edit it by hand. No file was changed");
    hinted
        .then(|| std::fs::remove_file(lkroute.path().join("routing/rollout.toml")))
        .expect("removed");
    apply(&lkroute);
    run(&lkroute, "drift").expect_code(0);
    // A state that no file says.
    set(&lkroute, "status = 'inactive'");
    let refused = run(&lkroute, &accept).expect_code(1);
    let hinted = refused.told("`lkroute drift` says which");
    let shown: Run = hinted.run(&lkroute, &[]).expect_code(7);
    assert_contains!(shown.stdout, "status");
}

/// What others named twice is told apart by its uuid.
#[test]
fn a_tenant_that_has_the_name_of_another() {
    let lkroute = applied();
    lkroute.sql("UPDATE lkroute_tenants SET alias = 'sasya'");
    let resolve = "resolve --from +971545335200 --tenant";
    let unclear = run(&lkroute, &format!("{resolve} sasya")).expect_code(1);
    let hinted = unclear.told("give the tenant's uuid");
    let uuid = "734cd516-e252-4728-9c52-4663ee552653";
    hinted
        .then(|| run(&lkroute, &format!("{resolve} {uuid}")))
        .expect_code(0);
}

#[test]
fn what_a_report_names_only_some_of_can_be_had() {
    let lkroute = applied();
    for n in 0..9 {
        lkroute.sql(&format!(
            "INSERT INTO voice_agent_numbers (id, tenant_id, country_code, base_number, rules)
                 VALUES ('aaaaaaaa-0000-4000-8000-00000000000{n}',
                   '734cd516-e252-4728-9c52-4663ee552653', 'India', 90000000{n},
                   '{{\"livekit_config\": \"{CONFIG_UAE}\"}}')"
        ));
    }
    let all_of = |text: &str| (0..9).all(|n| text.contains(&format!("00000000000{n}")));
    let plan = run(&lkroute, "plan --verbose").expect_code(0);
    let hinted = plan.told("and {more} more: `lkroute list --format json` has their rows");
    let listed = hinted.run(&lkroute, &[]).expect_code(0).stdout;
    assert!(!all_of(&plan.stdout) && all_of(&listed), "{listed}");
    let import = run(&lkroute, "import --out imported");
    let hinted = import.told("and {} more: --format json lists them all");
    let listed = hinted
        .with(&lkroute, "import --out again --format json")
        .stdout;
    assert!(!all_of(&import.stdout) && all_of(&listed), "{listed}");
}

/// Files that are written elsewhere, or in a way that no program edits.
#[test]
fn files_that_can_not_be_edited_now() {
    let lkroute = applied();
    theirs(&lkroute, "worker_name = 'voag-night'");
    let accept = "drift --accept config.uae-vm-selfhosted";
    let directory = std::fs::File::open(lkroute.path().join("routing")).expect("opened");
    directory.lock().expect("locked");
    let busy = run(&lkroute, accept).expect_code(1);
    let hinted = busy.told("nothing was written: try again");
    hinted.then(|| directory.unlock()).expect("unlocked");
    run(&lkroute, accept).expect_code(0);
    apply(&lkroute);
    theirs(&lkroute, "name = 'another-name'");
    let by_hand = run(&lkroute, accept).expect_code(1);
    let hinted = by_hand.told("edit it by hand; no file was changed");
    hinted.then(|| {
        let text = lkroute
            .read(FILE)
            .replace("uae-vm-selfhosted", "another-name");
        lkroute.write(FILE, &text);
    });
    apply(&lkroute);
    run(&lkroute, "drift").expect_code(0);
}
