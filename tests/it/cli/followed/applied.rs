//! Hints about what was applied: plans, conflicts, drift, rollbacks, releases.

use super::{Lkroute, run};
use crate::support::{CONFIG_UAE, Run, words_of};

const UAE: &str = "config.uae-vm-selfhosted";
const FILE: &str = "routing/uae.toml";
const NUMBER: &str = "binding.+971545335200@sasya";

pub(super) fn applied() -> Lkroute {
    let lkroute = Lkroute::with_two_regions();
    apply(&lkroute);
    lkroute
}

pub(super) fn apply(lkroute: &Lkroute) -> Run {
    run(lkroute, "apply --auto-approve").expect_code(0)
}

pub(super) fn worker(lkroute: &Lkroute, from: &str, to: &str) {
    let line = |name: &str| format!("worker_name = \"{name}\"");
    lkroute.edit(FILE, &line(from), &line(to));
}

/// Others change a field of the row.
pub(super) fn theirs(lkroute: &Lkroute, what: &str) {
    lkroute.sql(&format!(
        "UPDATE voice_agent_livekit SET {what} WHERE id = '{CONFIG_UAE}'"
    ));
}

/// The rows as if others had made them.
fn forgotten(lkroute: &Lkroute) {
    for table in ["bindings", "configs", "regions"] {
        lkroute.sql(&format!("DELETE FROM lkroute_{table}"));
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
    assert_contains!(both, "voag-other", "voag-staging");
    let json = run(&lkroute, "plan --format json").expect_code(6).stdout;
    assert_contains!(json, format!("lkroute adopt {UAE}"));
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
    lkroute.sql("UPDATE voice_agent_numbers SET provider = 'other'");
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
    assert_lacks!(after, "adopt");
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
    run(&lkroute, "plan --format markdown").says(
        "> [!WARNING] > **Drift: {count} changed outside lkroute.** An apply that was seen sets this back; a bare `apply --auto-approve` leaves it alone.",
    );
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
    assert_contains!(plan, "adopt");
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
        lkroute.sql(&sql_text);
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
    target.says("--target {unknown}: neither the files nor the database know it");
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
    assert_contains!(plan.stdout, "[[guards.allow]]");
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
    let worker = lkroute.sql(&format!(
        "SELECT worker_name FROM voice_agent_livekit WHERE id = '{CONFIG_UAE}'"
    ));
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
