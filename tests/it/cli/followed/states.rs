//! Hints about what a database holds: what `doctor` complains of, exceptions
//! that ended, a rollback that drift stands in the way of.

use super::{Lkroute, run};
use crate::support::{CONFIG_UAE, DEMO_KEYS};

fn applied() -> Lkroute {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute
}

fn theirs(lkroute: &Lkroute, what: &str) {
    lkroute.sql(&format!(
        "UPDATE voice_agent_livekit SET {what} WHERE id = '{CONFIG_UAE}'"
    ));
}

fn sound(lkroute: &Lkroute, code: &str) {
    let doctor = run(lkroute, "doctor --no-probe");
    assert_lacks!(doctor.stdout, code);
}

#[test]
fn doctor_on_drift_and_keys() {
    let mut lkroute = applied();
    let key = run(&lkroute, "secrets keygen").expect_code(0).stdout;
    lkroute.env("LKROUTE_KEYS", key.trim());
    let closed = run(&lkroute, "doctor --no-probe");
    let hinted = closed.told(
        "put that key into LKROUTE_KEYS, or LIVEKIT_SECRET_ENCRYPTION_KEY for `dev-s-t-` values",
    );
    lkroute.env("LKROUTE_KEYS", DEMO_KEYS);
    hinted.with(&lkroute, "doctor --no-probe");
    sound(&lkroute, "secret-no-key");
    theirs(&lkroute, "worker_name = 'voag-night'");
    let drifted = run(&lkroute, "doctor --no-probe");
    let hinted =
        drifted.told("see `lkroute drift`; accept it into the files, or apply with --revert-drift");
    hinted.run(&lkroute, &[]).expect_code(7);
    hinted
        .with(&lkroute, "apply --auto-approve --revert-drift")
        .expect_code(0);
    sound(&lkroute, "drift");
    theirs(
        &lkroute,
        "livekit_api_secret = replace(livekit_api_secret, 'a8799afa', '6c2ad2f3')",
    );
    let damaged = run(&lkroute, "doctor --no-probe");
    let hinted = damaged.told("seal the secret again with `lkroute secrets seal` and apply");
    let seal = ["secrets", "seal", "--config", "uae-vm-selfhosted"];
    let sealed = hinted.then(|| lkroute.run_with_input(&seal, "made-up-secret-0123456789"));
    sealed.expect_code(0);
    // Somebody else wrote it, which the next message has the word for.
    let conflict = run(&lkroute, "apply --auto-approve").expect_code(6);
    let hint = "`lkroute adopt {address}` lets the files win";
    conflict.told(hint).run(&lkroute, &[]).expect_code(0);
    run(&lkroute, "apply --auto-approve").expect_code(0);
    sound(&lkroute, "secret-damaged");
}

#[test]
fn doctor_on_the_files_alone() {
    let mut lkroute = applied();
    let offline = run(&lkroute, "doctor --offline");
    let hinted = offline.told("run doctor where the database and the keys are at hand");
    hinted.then(|| lkroute.env("LKROUTE_KEYS", DEMO_KEYS));
    sound(&lkroute, "secret-not-checked");
}

#[test]
fn doctor_on_plain_text_of_others() {
    let mut lkroute = applied();
    lkroute.env("LKROUTE_KEYS", DEMO_KEYS);
    lkroute.sql(
        "INSERT INTO voice_agent_livekit
           (id, name, livekit_url, livekit_api_key, livekit_api_secret, trunk_id)
         VALUES ('cccccccc-0000-4000-8000-000000000001', 'theirs', 'wss://theirs.example',
           'APItheirs', 'made-up-plain-text', 'ST_theirs')",
    );
    let plain = run(&lkroute, "doctor --no-probe");
    let hinted = plain.told("`lkroute import`, `lkroute secrets seal`, and apply");
    let usage = hinted.run(&lkroute, &[]);
    assert_contains!(usage.stderr, "--out");
    let import = "import --out new --config theirs";
    let import = hinted.then(|| run(&lkroute, import));
    assert!([0, 1, 3].contains(&import.code), "{}", import.stderr);
}

#[test]
fn a_number_is_said_with_its_tenant() {
    let lkroute = applied();
    let bare = run(&lkroute, "plan --target +971545335200").expect_code(1);
    let hinted =
        bare.told("say whose number it is: binding.{number}@TENANT (`lkroute list` shows it)");
    let listed = hinted.run(&lkroute, &[]).expect_code(0).stdout;
    assert_contains!(listed, "sasya");
    run(&lkroute, "plan --target binding.+971545335200@sasya").expect_code(0);
}

#[test]
fn an_exception_that_ended_is_taken_out() {
    let lkroute = applied();
    lkroute.write(
        "routing/old.toml",
        "[[guards.allow]]\nguard = \"route-lost\"\naddresses = [\"binding.+971545335200@sasya\"]\n\
         max = 1\nreason = \"moved\"\nexpires = \"2020-01-31\"\n",
    );
    let warned = run(&lkroute, "plan").expect_code(0);
    let hinted = warned.told("take it out, or have it reviewed again");
    let old = lkroute.path().join("routing/old.toml");
    hinted.then(|| std::fs::remove_file(old)).expect("removed");
    let after = run(&lkroute, "plan").expect_code(0).stdout;
    assert_lacks!(after, "allowance");
}

#[test]
fn drift_in_the_way_of_a_rollback_is_set_back_first() {
    let lkroute = applied();
    lkroute.edit("routing/uae.toml", "voag-staging", "voag-two");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    theirs(&lkroute, "worker_name = 'voag-night'");
    let blocked = run(&lkroute, "rollback --reason why --auto-approve").expect_code(6);
    let hinted = blocked.told("to set it back first: lkroute apply --revert-drift");
    let asked = hinted.run(&lkroute, &[]).expect_code(1);
    let hint = "say `lkroute apply --auto-approve`";
    asked.told(hint).then(|| ());
    run(&lkroute, "apply --revert-drift --auto-approve").expect_code(0);
    run(&lkroute, "rollback --reason why --auto-approve").expect_code(0);
}

/// A config whose name a row of others has: no adopt line helps.
#[test]
fn a_conflict_that_no_adopt_line_ends() {
    let lkroute = applied();
    let id = "cccccccc-0000-4000-8000-000000000001";
    lkroute.sql(&format!(
        "INSERT INTO voice_agent_livekit
               (id, name, livekit_url, livekit_api_key, livekit_api_secret)
             VALUES ('{id}', 'theirs', 'wss://theirs.example', 'APItheirs', 'sealed')"
    ));
    let config = |id_line: &str| {
        let other = "dddddddd-0000-4000-8000-000000000001";
        let id_line = id_line.replace("OTHER", other);
        format!(
            "[configs.theirs]\n{id_line}\nregion = \"uae\"\nurl = \"wss://theirs.example\"\n\
             api_key = \"APItheirs\"\napi_secret = {{ env = \"LKROUTE_SECRET_T\" }}\n"
        )
    };
    lkroute.write("routing/theirs.toml", &config("id = \"OTHER\""));
    let plan = run(&lkroute, "plan").expect_code(6);
    let each = plan.told("adopting can't resolve this: each conflict says what to do");
    let all = run(&lkroute, "adopt --all").expect_code(0);
    let shown = all.told("no adopt line helps in these conflicts; `lkroute plan` says what does");
    let shown = shown.run(&lkroute, &[]).expect_code(6);
    let one = run(&lkroute, "adopt config.theirs").expect_code(1);
    let also = one.told("`lkroute plan` says what to do");
    also.run(&lkroute, &[]).expect_code(6);
    let hint = "to take that row over, write its id into the config as `id`";
    let hinted = shown.told(hint);
    each.then(|| {
        hinted.then(|| lkroute.write("routing/theirs.toml", &config(&format!("id = \"{id}\""))))
    });
    let plan = run(&lkroute, "plan").stdout;
    assert_lacks!(plan, "write its id");
}

#[test]
fn the_digest_of_a_comment_is_what_is_applied() {
    let lkroute = applied();
    lkroute.edit("routing/uae.toml", "voag-staging", "voag-two");
    let comment = run(&lkroute, "plan --format markdown").expect_code(0);
    let plain = comment.stdout.replace('`', " ");
    let told = crate::support::told(&plain, "lkroute apply --expect {digest}");
    let applied = told.run(&lkroute, &[]).expect_code(0).stdout;
    assert_contains!(applied, "Applied as 2");
}
