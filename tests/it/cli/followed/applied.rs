//! Hints about what was applied: plans, conflicts, drift, rollbacks, releases.

use super::{Lkroute, run, sql};
use crate::support::{Run, words_of};

const UAE: &str = "config.uae-vm-selfhosted";
const UAE_ID: &str = "e3ca4a84-4cc3-4be5-8240-34366fe4d0c5";
const FILE: &str = "routing/uae.toml";
const NUMBER: &str = "binding.+971545335200@sasya";

fn applied() -> Lkroute {
    let lkroute = Lkroute::with_two_regions();
    apply(&lkroute);
    lkroute
}

fn apply(lkroute: &Lkroute) -> Run {
    run(lkroute, "apply --auto-approve").expect_code(0)
}

fn worker(lkroute: &Lkroute, from: &str, to: &str) {
    let line = |name: &str| format!("worker_name = \"{name}\"");
    lkroute.edit(FILE, &line(from), &line(to));
}

/// Others change a field of the row.
fn theirs(lkroute: &Lkroute, what: &str) {
    sql(
        lkroute,
        &format!("UPDATE voice_agent_livekit SET {what} WHERE id = '{UAE_ID}'"),
    );
}

/// The rows as if others had made them.
fn forgotten(lkroute: &Lkroute) {
    for table in ["bindings", "configs", "regions"] {
        sql(lkroute, &format!("DELETE FROM lkroute_{table}"));
    }
}

#[test]
fn without_a_database_or_an_approval() {
    let lkroute = Lkroute::with_two_regions();
    let none = run(&lkroute, "list").expect_code(1);
    let check = run(&lkroute, "migrate --check").expect_code(1);
    check
        .told("`lkroute migrate` creates it")
        .run(&lkroute, &[])
        .expect_code(0);
    run(&lkroute, "migrate --check").expect_code(0);
    let asked = run(&lkroute, "apply").expect_code(1);
    let hint = "look at `lkroute plan`, then say `lkroute apply --auto-approve`";
    asked.told(hint).run(&lkroute, &[]).expect_code(0);
    let hint = "say `lkroute apply --auto-approve`";
    asked.told(hint).run(&lkroute, &[]).expect_code(0);
    let hint = "`lkroute apply` creates it; or name another with --database";
    let other = Lkroute::with_two_regions();
    let url = format!("sqlite://{}", lkroute.path().join("lkroute.db").display());
    run(&other, "list")
        .expect_code(1)
        .told(hint)
        .with(&other, &format!("list --database {url}"))
        .expect_code(0);
    none.told(hint)
        .run(&other, &[])
        .told("then say `lkroute apply --auto-approve`")
        .run(&other, &[])
        .expect_code(0);
    run(&other, "list").expect_code(0);
    let rollback = "rollback --to 1 --reason why";
    worker(&lkroute, "voag-staging", "voag-two");
    apply(&lkroute);
    let told = run(&lkroute, rollback).expect_code(1);
    let told = told.told("look at it, then say `lkroute {command} … --auto-approve`");
    told.with(&lkroute, &format!("{rollback} --auto-approve"))
        .expect_code(0);
}

#[test]
fn a_conflict_is_ended_by_adopt() {
    let lkroute = applied();
    forgotten(&lkroute);
    theirs(&lkroute, "worker_name = 'voag-other'");
    let plan = run(&lkroute, "plan").expect_code(6);
    let hint = "`lkroute adopt {address}` lets the files win; to keep what is there, write it into the files";
    plan.told("to set what the files say: lkroute adopt {address} to keep what is there: {keep}")
        .then(|| ());
    let markdown = run(&lkroute, "plan --format markdown").expect_code(6);
    let adopted = markdown.told(
        "To set what the files say, run `lkroute adopt ADDRESS` and commit; to keep what is there, write it into the files.",
    );
    let github = run(&lkroute, "plan --format github").expect_code(6);
    let both = github.told(
        "nothing is applied until the files say what counts; `lkroute plan` shows both values",
    );
    let both = both.run(&lkroute, &[]).expect_code(6).stdout;
    assert!(
        both.contains("voag-other") && both.contains("voag-staging"),
        "{both}"
    );
    let json = run(&lkroute, "plan --format json").expect_code(6).stdout;
    assert!(json.contains(&format!("lkroute adopt {UAE}")), "{json}");
    let done = plan.told(hint).run(&lkroute, &[]).expect_code(0);
    let next = done.told("{what} taken over in the files; look at `lkroute plan` next");
    next.run(&lkroute, &[]).expect_code(0);
    apply(&lkroute);
    // Two at once, by the general form of the hint; one is named.
    forgotten(&lkroute);
    theirs(
        &lkroute,
        "worker_name = 'voag-other', trunk_id = 'ST_other'",
    );
    sql(
        &lkroute,
        "UPDATE voice_agent_numbers SET provider = 'other'",
    );
    let plan = run(&lkroute, "plan").expect_code(6);
    let hint = "`lkroute adopt ADDRESS` (or --all) lets the files win; to keep what is there, write it into the files";
    plan.told(hint)
        .run(&lkroute, &[("ADDRESS", NUMBER)])
        .expect_code(0);
    adopted.run(&lkroute, &[("ADDRESS", UAE)]).expect_code(0);
    plan.told(hint).with(&lkroute, "adopt --all").expect_code(0);
    apply(&lkroute);
    // The line that it wrote is of no use any more.
    let warned = run(&lkroute, "plan").expect_code(0);
    let hinted = warned.told("take {them} out: what stays would hide the next conflict");
    hinted.then(|| {
        for name in [FILE, "routing/india.toml"] {
            let text = lkroute.read(name);
            let lines = text.lines().filter(|line| !line.starts_with("adopt = "));
            let without: String = lines.map(|line| format!("{line}\n")).collect();
            lkroute.write(name, &without);
        }
    });
    let after = run(&lkroute, "plan").expect_code(0).stdout;
    assert!(!after.contains("adopt"), "{after}");
    let nothing = run(&lkroute, &format!("adopt {UAE}")).expect_code(1);
    nothing
        .told("`lkroute plan` lists what is")
        .run(&lkroute, &[])
        .expect_code(0);
}

#[test]
fn drift_is_kept_or_set_back() {
    let lkroute = applied();
    theirs(&lkroute, "worker_name = 'voag-night'");
    let drift = run(&lkroute, "drift").expect_code(7);
    let kept = drift.told("to keep what is there: lkroute drift --accept {}");
    let back = drift.told("to set it back: lkroute apply --revert-drift");
    let india = "routing/india.toml";
    lkroute.edit(india, "LiveKit Cloud for India", "The cloud");
    let left = apply(&lkroute);
    let back_too = left.told("--revert-drift sets back what the files say");
    // Nobody is there to say yes, and the next hint has the word for it.
    let asked = back.run(&lkroute, &[]).expect_code(1);
    asked
        .told("`lkroute apply --auto-approve`")
        .with(&lkroute, "apply --revert-drift --auto-approve")
        .expect_code(0);
    run(&lkroute, "drift").expect_code(0);
    theirs(&lkroute, "worker_name = 'voag-night'");
    back_too
        .with(&lkroute, "apply --auto-approve --revert-drift")
        .expect_code(0);
    theirs(&lkroute, "worker_name = 'voag-night'");
    let line = words_of(&drift.stdout);
    let line = line
        .split("to keep what is there: ")
        .nth(1)
        .expect("a command");
    let line = line.split(" to set it back").next().expect("its end");
    let accepted = kept
        .then(|| run(&lkroute, line.trim_start_matches("lkroute ")))
        .expect_code(0);
    let shown = accepted.told("written into the files; `lkroute plan` shows them as adoptions");
    let plan = shown.run(&lkroute, &[]).expect_code(0).stdout;
    assert!(plan.contains("adopt"), "{plan}");
    let again = run(&lkroute, &format!("drift --accept {UAE}")).expect_code(0);
    let records = again
        .told("no file was changed; `lkroute apply` records the adoption, which ends the drift");
    records.then(|| apply(&lkroute));
    run(&lkroute, "drift").expect_code(0);
    let none = run(&lkroute, &format!("drift --accept {UAE}")).expect_code(1);
    none.told("`lkroute drift` lists what has")
        .run(&lkroute, &[])
        .expect_code(0);
}

#[test]
fn drift_that_files_can_not_say() {
    let lkroute = applied();
    let set = |rules: &str| {
        let sql_text =
            format!("UPDATE voice_agent_numbers SET rules = {rules} WHERE base_number = 545335200");
        sql(&lkroute, &sql_text);
    };
    let accept = format!("drift --accept {NUMBER}");
    let revert = "apply --auto-approve --revert-drift";
    set("json_set(rules, '$.outbound', json('null'))");
    let null = run(&lkroute, &accept).expect_code(1);
    let hinted = null.told("set it back with `lkroute apply --revert-drift`");
    hinted.with(&lkroute, revert).expect_code(0);
    set("json_remove(rules, '$.livekit_config')");
    let without = run(&lkroute, &accept).expect_code(1);
    let hinted = without.told("take it out of the files, or set it back");
    hinted.then(|| run(&lkroute, revert)).expect_code(0);
    let other = "99999999-e252-4728-9c52-4663ee552653";
    set(&format!("json_set(rules, '$.livekit_config', '{other}')"));
    let unknown = run(&lkroute, &accept).expect_code(1);
    let hinted = unknown.told("declare that config first, or set it back");
    hinted.then(|| run(&lkroute, revert)).expect_code(0);
    theirs(&lkroute, "livekit_api_secret = 'made-up-plain-text'");
    let plain = run(&lkroute, &format!("drift --accept {UAE}")).expect_code(1);
    let key = run(&lkroute, "secrets keygen").expect_code(0).stdout;
    let sealed = plain.told("seal it anew with `lkroute secrets seal`, then `lkroute adopt` it");
    let mut with_key = lkroute;
    with_key.env("LKROUTE_KEYS", key.trim());
    let seal = ["secrets", "seal", "--config", "uae-vm-selfhosted"];
    sealed
        .then(|| with_key.run_with_input(&seal, "made-up-secret-0123456789"))
        .expect_code(0);
    run(&with_key, &format!("adopt {UAE}")).expect_code(0);
    run(&with_key, revert).expect_code(0);
    run(&with_key, "drift").expect_code(0);
    // What is applied and not in the files any more.
    theirs(&with_key, "worker_name = 'voag-night'");
    let text = with_key.read(FILE);
    std::fs::remove_file(with_key.path().join(FILE)).expect("removed");
    with_key.write(
        "routing/uae-region.toml",
        "[regions.uae]\ncountry_codes = [\"+971\"]\n",
    );
    let gone = run(&with_key, &format!("drift --accept {UAE}")).expect_code(1);
    let hinted = gone.told("it was applied from other files, or taken out since");
    std::fs::remove_file(with_key.path().join("routing/uae-region.toml")).expect("removed");
    hinted.then(|| with_key.write(FILE, &text));
    run(&with_key, &format!("drift --accept {UAE}")).expect_code(0);
}

#[test]
fn the_past_is_listed_where_it_is_asked_for_wrongly() {
    let lkroute = applied();
    worker(&lkroute, "voag-staging", "voag-two");
    apply(&lkroute);
    run(&lkroute, "rollback --to 9")
        .told("`lkroute history` has them all")
        .run(&lkroute, &[])
        .expect_code(0);
    run(&lkroute, "history 9")
        .told("`lkroute history` lists them")
        .run(&lkroute, &[])
        .expect_code(0);
    let odd = run(&lkroute, "history yesterday").expect_code(1);
    odd.told("an apply is a number; `lkroute history` lists them")
        .run(&lkroute, &[])
        .expect_code(0);
    let nobody = run(&lkroute, "trust --revoke a.example").expect_code(1);
    nobody
        .told("`lkroute trust` lists what is")
        .run(&lkroute, &[])
        .expect_code(0);
    let target = run(&lkroute, "plan --target region.none").expect_code(1);
    target
        .told("there is `india` and `uae`")
        .then(|| run(&lkroute, "plan --target region.uae"))
        .expect_code(0);
    let number = run(&lkroute, "plan --target binding.+971545339999@sasya").expect_code(1);
    number
        .told("`lkroute plan` shows what it has, by address")
        .run(&lkroute, &[])
        .expect_code(0);
    let release = run(&lkroute, &format!("release {NUMBER} --auto-approve")).expect_code(1);
    let hinted = release
        .told("take it out of the files first, or limit it to other environments with `only`");
    let text = lkroute.read(FILE);
    let start = text.split("[[bindings]]").next().expect("a start");
    hinted.then(|| lkroute.write(FILE, start));
    let release = format!("release {NUMBER} --auto-approve");
    run(&lkroute, &release).expect_code(0);
    let unknown = run(&lkroute, &release).expect_code(1);
    let asked = unknown.told("`lkroute history --address` says whether it ever was");
    asked
        .with(&lkroute, &format!("history --address {NUMBER}"))
        .expect_code(0);
}

#[test]
fn rollbacks_say_what_they_need() {
    let lkroute = applied();
    lkroute.write("routing/guards.toml", "[guards]\nreroutes = { max = 0 }\n");
    apply(&lkroute);
    worker(&lkroute, "voag-staging", "voag-two");
    let plan = run(&lkroute, "plan").expect_code(4);
    assert!(plan.stdout.contains("[[guards.allow]]"), "{}", plan.stdout);
    // The exception that is to be pasted.
    let words = plan
        .stdout
        .lines()
        .skip_while(|line| !line.contains("[[guards.allow]]"));
    let block: Vec<&str> = words
        .take_while(|line| !line.trim().is_empty())
        .map(str::trim)
        .collect();
    let block = block
        .join("\n")
        .replace("reason = \"\"", "reason = \"planned\"");
    lkroute.write("routing/exception.toml", &block);
    apply(&lkroute);
    std::fs::remove_file(lkroute.path().join("routing/exception.toml")).expect("removed");
    let refused = run(&lkroute, "rollback --auto-approve").expect_code(4);
    let hinted = refused.told(
        "say why, with --reason TEXT: the undoing of one apply is then not held up by budgets",
    );
    hinted
        .with(&lkroute, "rollback --auto-approve --reason why")
        .expect_code(0);
    // Forward again needs a reason.
    let forward = run(&lkroute, "rollback --to 3 --auto-approve");
    let hinted = forward.told("say why it is to come back, with --reason TEXT");
    let forward = hinted.with(&lkroute, "rollback --to 3 --auto-approve --reason better");
    assert!([0, 4].contains(&forward.code), "{}", forward.stdout);
}

#[test]
fn several_applies_are_undone_one_at_a_time() {
    let lkroute = applied();
    for (from, to) in [("voag-staging", "voag-two"), ("voag-two", "voag-three")] {
        worker(&lkroute, from, to);
        apply(&lkroute);
    }
    lkroute.write(
        "routing/guards.toml",
        "[guards]\nwindow = \"0h\"\nreroutes = { max = 0 }\n",
    );
    apply(&lkroute);
    let refused = run(&lkroute, "rollback --to 1 --reason why --auto-approve").expect_code(4);
    let hint = "budgets hold where more than one apply is undone at once: `lkroute rollback --reason TEXT` goes back one at a time";
    let asked = refused
        .told(hint)
        .run(&lkroute, &[("TEXT", "why")])
        .expect_code(1);
    let hinted = asked.told("look at it, then say `lkroute {command} … --auto-approve`");
    hinted
        .with(&lkroute, "rollback --reason why --auto-approve")
        .expect_code(0);
    run(&lkroute, "rollback --reason why --auto-approve").expect_code(0);
    let worker = sql(
        &lkroute,
        &format!("SELECT worker_name FROM voice_agent_livekit WHERE id = '{UAE_ID}'"),
    );
    assert_eq!(worker, "voag-staging");
    // Before the first there was nothing.
    let nothing = run(&lkroute, "rollback --reason why --auto-approve").expect_code(0);
    let hinted = nothing.told("`lkroute release --all` gives objects back");
    let declared = hinted.run(&lkroute, &[]).expect_code(1);
    let out = declared
        .told("take it out of the files first, or limit it to other environments with `only`");
    out.then(|| std::fs::remove_dir_all(lkroute.path().join("routing")))
        .expect("removed");
    run(&lkroute, "release --all --auto-approve").expect_code(0);
}

#[test]
fn configs_that_move_or_go() {
    let lkroute = applied();
    let text = lkroute.read(FILE);
    let plain = text.replace(&format!("id = \"{UAE_ID}\"\n"), "");
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
    assert!(!plan.contains("Delete"), "{plan}");
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
    assert!(!after.contains("formerly"), "{after}");
}

#[test]
fn a_config_that_rows_or_others_hold_stays_until_they_move() {
    let lkroute = applied();
    let sasya = "734cd516-e252-4728-9c52-4663ee552653";
    sql(
        &lkroute,
        &format!(
            "INSERT INTO voice_agent_numbers (id, tenant_id, country_code, base_number, rules)
         VALUES ('aaaaaaaa-0000-4000-8000-000000000001', '{sasya}', '+971', 545335301,
           '{{\"livekit_config\": \"{UAE_ID}\"}}')"
        ),
    );
    let text = lkroute.read(FILE);
    std::fs::remove_file(lkroute.path().join(FILE)).expect("removed");
    let plan = run(&lkroute, "plan");
    let hinted = plan.told(
        "move them to another config first; rows of others and inactive rows count, because a call that finds them would find no config",
    );
    hinted.then(|| {
        sql(
            &lkroute,
            "UPDATE voice_agent_numbers SET rules = '{}' WHERE base_number = 545335301",
        )
    });
    let plan = run(&lkroute, "plan").stdout;
    assert!(!plan.contains("config-in-use"), "{plan}");
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
    assert!(!whole.contains("is the fallback of"), "{whole}");
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
    assert!(plan.contains("No changes"), "{plan}");
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
    sql(&lkroute, &twin);
    let plan = run(&lkroute, "plan");
    let hinted = plan
        .told("make all but one inactive in the application; besides what is compared here: {}");
    let resolve = run(&lkroute, "resolve --from +971545335200").expect_code(1);
    let also = resolve.told("make all but one inactive in the application: {}");
    also.then(|| hinted.then(|| {
        sql(&lkroute, "UPDATE voice_agent_numbers SET status = 'inactive' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001'")
    }));
    run(&lkroute, "resolve --from +971545335200").expect_code(0);
    // `rules` that are no object.
    sql(
        &lkroute,
        "UPDATE voice_agent_numbers SET rules = '[]' WHERE base_number = 545335200 AND status = 'active'",
    );
    let plan = run(&lkroute, "plan");
    let mended = plan.told("mend `rules` of that row in the application");
    let resolve = run(&lkroute, "resolve --from +971545335200").expect_code(1);
    let repaired = resolve.told("repair the column in the application");
    repaired.then(|| {
        mended.then(|| {
            sql(
                &lkroute,
                "UPDATE voice_agent_numbers SET rules = '{}' WHERE rules = '[]'",
            )
        })
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
    assert!(
        comment.stdout.contains("nothing to do"),
        "{}",
        comment.stdout
    );
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
    assert!(full.stdout.contains("+971500000399"), "{}", full.stdout);
    let comment = run(&lkroute, "plan --format markdown");
    let all = comment.told("Not everything is shown here; `lkroute plan --full` shows it all.");
    let all = all.run(&lkroute, &[]).stdout;
    assert!(all.contains("+971500000399"), "{all}");
}
