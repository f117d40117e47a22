//! Drift, history, rollback and release, over the sample routing.

use serde_json::json;

use super::run;
use crate::review::schema::assert_valid;
use crate::support::{Lkroute, words_of};

/// The sample, applied; then with another worker, applied again.
fn applied_twice() -> Lkroute {
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.env("USER", "asha").env("HOSTNAME", "desk");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    new_worker(&lkroute, "voag-staging", "voag-production");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute
}

fn new_worker(lkroute: &Lkroute, from: &str, to: &str) {
    let worker = |name: &str| format!("worker_name = \"{name}\"");
    lkroute.edit("routing/uae.toml", &worker(from), &worker(to));
}

fn theirs(lkroute: &Lkroute) {
    lkroute.sql(
        "UPDATE voice_agent_numbers SET provider = 'Theirs',
           rules = json_set(rules, '$.outbound', json('false'), '$.ui', 7)
         WHERE base_number = 545335200",
    );
}

/// False word: "--dry-run: show what it would do", where drift is left alone.
#[test]
fn a_dry_rollback_shows_what_the_rollback_does() {
    let lkroute = applied_twice();
    theirs(&lkroute);
    let counts = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("Plan:"));
        line.expect("a plan").to_owned()
    };
    let dry = run(&lkroute, "rollback --to 1 --dry-run").expect_code(0);
    let reverted = run(&lkroute, "rollback --to 1 --dry-run --revert-drift").expect_code(0);
    assert_ne!(counts(&dry.stdout), counts(&reverted.stdout));
    let done = run(&lkroute, "rollback --to 1 --auto-approve").expect_code(0);
    assert_eq!(counts(&dry.stdout), counts(&done.stdout));
}

/// False word: "nothing", of an apply that changed what protects the others.
#[test]
fn the_history_of_an_apply_tells_of_guards() {
    let lkroute = applied_twice();
    lkroute.write(
        "routing/guards.toml",
        "[guards]\nprotected = [\"config.*\"]\n",
    );
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let told = run(&lkroute, "history 3").expect_code(0);
    assert_contains!(
        told.stdout,
        "1 guard changed: the files that it applied say which"
    );
    assert_lacks!(told.stdout, "nothing");
    lkroute.edit("routing/tenants.toml", "sasya = ", "sasya-new = ");
    lkroute.edit("routing/uae.toml", "\"sasya\"", "\"sasya-new\"");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let told = run(&lkroute, "history 4").expect_code(0);
    assert_contains!(
        told.stdout,
        "1 tenant renamed: the files that it applied say which"
    );
    assert_lacks!(told.stdout, "no object");
}

#[test]
fn a_rollback_needs_neither_files_nor_keys() {
    let lkroute = applied_twice();
    let none = run(&lkroute, "rollback --to 9 --auto-approve").expect_code(1);
    assert_contains!(none.stderr, "no apply 9");
    let dry = run(&lkroute, "rollback --to 1 --dry-run").expect_code(0);
    assert_contains!(dry.stdout, "Back to apply 1 of");
    run(&lkroute, "rollback --to 1").expect_code(1);
    run(&lkroute, "plan --detailed-exitcode").expect_code(0);

    // Outside the repository, and without any key.
    let routing = lkroute.path().join("routing");
    let aside = lkroute.path().join("aside");
    std::fs::rename(&routing, &aside).expect("move it away");
    let words = [
        "rollback",
        "--to",
        "1",
        "--auto-approve",
        "--reason",
        "calls fail",
    ];
    let back = lkroute
        .run(&[&words[..], &["--format", "json"]].concat())
        .expect_code(0);
    let report = assert_valid("apply", &back.stdout);
    assert_eq!(report["applied"]["id"], 3);
    assert_eq!(report["changes"][0]["fields"][0]["after"], "voag-staging");
    let history = run(&lkroute, "history --format json").expect_code(0);
    let history = assert_valid("history", &history.stdout);
    let last = &history["applies"][0];
    assert_eq!(
        (
            &last["kind"],
            &last["reason"],
            &last["restores"],
            &last["actor"]
        ),
        (
            &json!("rollback"),
            &json!("calls fail"),
            &json!(1),
            &json!("asha@desk")
        )
    );
    assert_eq!(last["counts"]["update"], 1);
    std::fs::rename(&aside, &routing).expect("put it back");

    let held = run(&lkroute, "apply --auto-approve").expect_code(4);
    assert_contains!(held.stdout, "calls fail");
    let worker = "SELECT worker_name FROM voice_agent_livekit WHERE name = 'uae-vm-selfhosted'";
    assert_eq!(lkroute.sql(worker), "voag-staging");
    new_worker(&lkroute, "voag-production", "voag-staging");
    run(&lkroute, "plan --detailed-exitcode").expect_code(0);
    new_worker(&lkroute, "voag-staging", "voag-dev-v2");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    assert_eq!(lkroute.sql(worker), "voag-dev-v2");
}

#[test]
fn history_tells_of_applies_and_of_objects() {
    let lkroute = applied_twice();
    let list = run(&lkroute, "history").expect_code(0).stdout;
    assert_contains!(list, "1 updated", "asha@desk");
    let two = run(&lkroute, "history 2").expect_code(0).stdout;
    assert_contains!(two, "+ worker_name = \"voag-production\"");
    run(&lkroute, "history 9").expect_code(1);
    let one = run(&lkroute, "history 1 --format json").expect_code(0);
    let one = assert_valid("history", &one.stdout);
    assert_eq!(one["changes"].as_array().map(Vec::len), Some(6));
    assert!(!one.to_string().contains("lkr1:"), "no ciphertext");
    for address in [
        "config.uae-vm-selfhosted",
        "binding.+971545335200@sasya",
        "region.uae",
    ] {
        let line = format!("history --format json --address {address}");
        let story = run(&lkroute, &line).expect_code(0);
        let story = assert_valid("history", &story.stdout);
        let events = story["events"].as_array().expect("a list");
        assert_eq!(events.last().expect("an event")["what"], "created");
        assert_eq!(events.len(), 1 + usize::from(address.starts_with("config")));
    }
    run(&lkroute, "history --address config.none").expect_code(1);
}

#[test]
fn drift_is_shown_and_accepted_into_the_files() {
    let lkroute = applied_twice();
    run(&lkroute, "drift").expect_code(0);
    theirs(&lkroute);
    let text = run(&lkroute, "drift").expect_code(7).stdout;
    assert_contains!(
        text,
        "set to           \"sasya UAE Number\"\n        by               apply 1 of"
    );
    let json = run(&lkroute, "drift --format json").expect_code(7);
    let report = assert_valid("drift", &json.stdout);
    let fields = &report["objects"][0]["fields"];
    assert_eq!(
        (
            &fields[1]["name"],
            &fields[1]["live"],
            &fields[1]["by"]["id"]
        ),
        (&json!("rules.outbound"), &json!(false), &json!(1))
    );
    let before = lkroute.sql("SELECT rules FROM voice_agent_numbers ORDER BY id");
    let accept = "drift --accept binding.+971545335200@sasya";
    let accepted = run(&lkroute, accept).expect_code(0);
    assert_contains!(accepted.stdout, "as the database has it");
    // A second time there is nothing to write, which is said.
    let files = lkroute.read("routing/uae.toml");
    let again = run(&lkroute, accept).expect_code(0);
    assert_contains!(again.stdout, "the files say so already");
    assert_contains!(again.stderr, "no file was");
    assert_eq!(lkroute.read("routing/uae.toml"), files);
    run(&lkroute, "drift --accept config.uae-vm-selfhosted").expect_code(1);
    let plan = run(&lkroute, "plan --format json").expect_code(0).json();
    let summary = &plan["summary"];
    assert_eq!(
        (&summary["adopt"], &summary["update"]),
        (&json!(1), &json!(0))
    );
    run(&lkroute, "apply --auto-approve").expect_code(0);
    assert_eq!(
        lkroute.sql("SELECT rules FROM voice_agent_numbers ORDER BY id"),
        before
    );
    run(&lkroute, "drift").expect_code(0);
}

#[test]
fn what_was_taken_out_of_a_range_by_others_is_split_off() {
    let lkroute = Lkroute::with_two_regions();
    lkroute.write(
        "routing/more.toml",
        "# a block\n[[bindings]]\nrange = [\"+971500000000\", \"+971500000009\"] # ten\n\
         tenant = \"sasya\"\nprovider = \"P\"\n",
    );
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute.sql(
        "UPDATE voice_agent_numbers SET provider = 'Q' WHERE base_number = 500000004;
         DELETE FROM voice_agent_numbers WHERE base_number = 500000009",
    );
    let text = run(&lkroute, "drift").expect_code(7).stdout;
    assert_contains!(text, "its row is gone");
    run(&lkroute, "drift --all").expect_code(0);
    let file = lkroute.read("routing/more.toml");
    assert_starts!(file, "# a block\n");
    assert_contains!(file, "number = \"+971500000004\"");
    assert_lacks!(file, "+971500000009");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    run(&lkroute, "plan --detailed-exitcode").expect_code(0);
    run(&lkroute, "drift").expect_code(0);
}

#[test]
fn what_the_files_can_not_say_is_not_accepted() {
    let lkroute = applied_twice();
    let accept = |what: &str| {
        let run = run(&lkroute, "drift --all").expect_code(1);
        assert_contains!(run.stderr, what);
    };
    let id = "00000000-0000-4000-8000-000000000001";
    lkroute.sql(&format!(
        "UPDATE voice_agent_numbers SET rules = json_set(rules, '$.livekit_config', '{id}')
             WHERE base_number = 545335200"
    ));
    accept("which the files don't declare");
    lkroute.sql("UPDATE voice_agent_numbers SET rules = json_set(rules, '$.livekit_config', null)");
    accept("no config any more");
    run(&lkroute, "apply --auto-approve --revert-drift").expect_code(0);
    lkroute.sql("UPDATE voice_agent_livekit SET livekit_api_secret = 'made-up-plain text'");
    accept("plain text");
    run(&lkroute, "apply --auto-approve --revert-drift").expect_code(0);
    lkroute.sql("UPDATE voice_agent_numbers SET status = 'inactive'");
    accept("the row is in a state");
    assert_eq!(
        run(&lkroute, "drift --full")
            .expect_code(7)
            .stdout
            .matches("status")
            .count(),
        2
    );
}

#[test]
fn what_is_given_back_stays_as_it_is_and_leaves_the_plan() {
    let lkroute = applied_twice();
    let all = "SELECT name || coalesce(worker_name, '') || updated_at FROM voice_agent_livekit
               UNION ALL SELECT coalesce(rules, '') || updated_at FROM voice_agent_numbers
               ORDER BY 1";
    let before = lkroute.sql(all);
    let address = "binding.+971545335200@sasya";
    let release = format!("release {address} --auto-approve");
    let declared = run(&lkroute, &release).expect_code(1);
    assert_contains!(declared.stderr, "still declared");
    let file = lkroute.read("routing/uae.toml");
    let (kept, _) = file.split_once("[[bindings]]").expect("a binding");
    lkroute.write("routing/uae.toml", kept);
    let delete = run(&lkroute, "plan").expect_code(4).stdout;
    assert_contains!(delete, "1 to delete");
    run(&lkroute, &format!("release {address}")).expect_code(1);
    let released = run(&lkroute, &format!("{release} --format json")).expect_code(0);
    let report = assert_valid("apply", &released.stdout);
    assert_eq!(report["changes"][0]["action"], "release");
    run(&lkroute, "plan --detailed-exitcode").expect_code(0);
    assert_eq!(lkroute.sql(all), before);
    run(&lkroute, &release).expect_code(1);

    std::fs::remove_dir_all(lkroute.path().join("routing")).expect("leave the repository");
    run(&lkroute, "release --all --auto-approve").expect_code(0);
    assert_eq!(lkroute.sql(all), before);
    let ours = "SELECT count(*) || '' FROM lkroute_bindings WHERE until IS NULL";
    assert_eq!(lkroute.sql(ours), "0");
    let history = run(&lkroute, "history").expect_code(0).stdout;
    assert_contains!(history, "release");
}

#[test]
fn what_a_wave_did_and_others_undid_is_not_said_of_it() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    lkroute.write(
        "routing/wave.toml",
        "[[rollouts]]\nfrom = \"uae-vm-selfhosted\"\nto = \"india-techiemaya-cloud\"\n\
         region = \"uae\"\n",
    );
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let rollouts = || {
        let list = run(&lkroute, "list --tenant sasya --format json").expect_code(0);
        let rollout = list.json()["numbers"][0]["rollout"].clone();
        let explained = run(&lkroute, "resolve --from +971545335200 --explain");
        (rollout.is_string(), explained.stdout.contains("by rollout"))
    };
    assert_eq!(rollouts(), (true, true));
    lkroute.sql(
        "UPDATE voice_agent_numbers SET rules = json_set(rules, '$.livekit_config',
           (SELECT id FROM voice_agent_livekit WHERE name = 'uae-vm-selfhosted'))",
    );
    assert_eq!(rollouts(), (false, false));
    let unwritten = run(&lkroute, "drift --all").expect_code(1);
    assert_contains!(unwritten.stderr, "a rollout");
}

/// Rows of others that SQLite keeps though nobody can read them, or find them
/// by the id that they should have: named, and nothing fails.
#[test]
fn a_row_with_broken_bytes_or_an_odd_id_is_passed_over() {
    let lkroute = applied_twice();
    let ids = [
        "aaaaaaaa-0000-4000-8000-000000000001",
        "AAAAAAAA-0000-4000-8000-000000000002",
    ];
    let texts = ["CAST(x'ff41' AS TEXT)", "'P'"];
    for (n, (id, provider)) in ids.into_iter().zip(texts).enumerate() {
        lkroute.sql(&format!(
            "INSERT INTO voice_agent_numbers (id, tenant_id, country_code, base_number,
                   provider, status, rules)
                 VALUES ('{id}', '734cd516-e252-4728-9c52-4663ee552653', '+971', 54533530{n},
                   {provider}, 'active', '{{}}')"
        ));
    }
    let plan = run(&lkroute, "plan --verbose --detailed-exitcode").expect_code(0);
    for told in [
        "000000000001: it has broken bytes",
        "000000000002: it has an id in another spelling",
    ] {
        let words = words_of(&plan.stdout);
        assert!(words.contains(told), "{told}\n{}", plan.stdout);
    }
    for command in ["list", "doctor --no-probe", "drift", "import --out new"] {
        let ran = run(&lkroute, command);
        let broken = ran.stderr.contains("error:");
        assert!(!broken, "{command}: {}", ran.stderr);
    }
}

/// SQLite takes any text for an id, and none.
#[test]
fn ids_that_are_no_uuid_are_passed_over_and_named() {
    let lkroute = applied_twice();
    let columns = "id, name, livekit_url, livekit_api_key, livekit_api_secret";
    let number = "id, tenant_id, country_code, base_number, rules";
    let tenant = "734cd516-e252-4728-9c52-4663ee552653";
    lkroute.sql(&format!(
        "INSERT INTO voice_agent_livekit ({columns})
             VALUES ('config-7', 'of-others', 'wss://others.example', 'APIothers', 'sealed');
             INSERT INTO voice_agent_numbers ({number})
             VALUES ('row-7', '{tenant}', '+971', 545335307, '{{}}'),
               ('aaaaaaaa-0000-4000-8000-000000000008', 'tenant-7', '+971', 545335308, '{{}}')"
    ));
    let plan = run(&lkroute, "plan --verbose --detailed-exitcode").expect_code(0);
    let words = crate::support::words_of(&plan.stdout);
    for told in [
        "the config row `config-7`, called `of-others`, is passed over: its id is no uuid",
        "its id, or its tenant's, is no uuid: `row-7`",
        "its id, or its tenant's, is no uuid: `tenant-7`",
    ] {
        assert!(words.contains(told), "{told}\n{}", plan.stdout);
    }
    for command in [
        "list",
        "doctor --no-probe",
        "drift",
        "secrets list",
        "import --out new",
    ] {
        let ran = run(&lkroute, command);
        assert!(!ran.stderr.contains("error:"), "{command}: {}", ran.stderr);
    }
    run(&lkroute, "resolve --from +971545335200").expect_code(0);
    // Where the files mean it, it stands in the way.
    let uae = lkroute.read("routing/uae.toml");
    let other = "[configs.of-others]\nregion = \"uae\"\nurl = \"wss://others.example\"\n\
                 api_key = \"APIothers\"\napi_secret = { env = \"LKROUTE_SECRET_O\" }\n\n[[bindings]]";
    lkroute.write("routing/uae.toml", &uae.replacen("[[bindings]]", other, 1));
    let refused = run(&lkroute, "plan").expect_code(6).stdout;
    assert_contains!(refused, "config-7");
    let hint = "to take that row over, write its id into the config as `id`; one that is no uuid is changed in the application first";
    let id = "cccccccc-0000-4000-8000-000000000001";
    let hinted = crate::support::told(&refused, hint);
    hinted.then(|| {
        let change = format!("UPDATE voice_agent_livekit SET id = '{id}' WHERE id = 'config-7'");
        lkroute.sql(&change);
        let with_id = format!("[configs.of-others]\nid = \"{id}\"");
        lkroute.edit("routing/uae.toml", "[configs.of-others]", &with_id);
    });
    let plan = run(&lkroute, "plan");
    assert_lacks!(plan.stdout, "config-7");
}

/// A config row of which nobody can read a column: its id is told, everything
/// else of the database is read, and a value of the files replaces it.
#[test]
fn a_config_row_with_broken_bytes_is_named_and_no_read_fails() {
    let lkroute = applied_twice();
    let id = "bbbbbbbb-0000-4000-8000-000000000001";
    lkroute.sql(&format!(
        "INSERT INTO voice_agent_livekit
               (id, name, livekit_url, livekit_api_key, livekit_api_secret, trunk_id)
             VALUES ('{id}', 'of-others', 'wss://others.example', 'APIothers', 'sealed',
               CAST(x'ff41' AS TEXT))"
    ));
    let words = |text: &str| words_of(text);
    let plan = run(&lkroute, "plan --detailed-exitcode").expect_code(0);
    let told = format!("the config row {id} has broken bytes in `trunk_id`");
    let all = words(&format!("{}{}", plan.stdout, plan.stderr));
    assert_contains!(all, told);
    for command in [
        "list",
        "doctor --no-probe",
        "drift",
        "secrets list",
        "history",
    ] {
        let ran = run(&lkroute, command);
        assert!(!ran.stderr.contains("error:"), "{command}: {}", ran.stderr);
    }
    run(&lkroute, "import --out new").expect_code(0);
    let files = std::fs::read_dir(lkroute.path().join("new")).expect("files");
    for file in files {
        let text = std::fs::read_to_string(file.expect("a file").path()).expect("a text");
        assert!(
            !text.contains('\u{fffd}') && !text.contains("of-others"),
            "{text}"
        );
    }
    // One of ours: drift as any other, and the files' value replaces it.
    lkroute.sql(
        "UPDATE voice_agent_livekit SET trunk_id = CAST(x'ff41' AS TEXT)
         WHERE name = 'uae-vm-selfhosted'",
    );
    run(&lkroute, "plan --detailed-exitcode").expect_code(2);
    run(&lkroute, "apply --revert-drift --auto-approve").expect_code(0);
    run(&lkroute, "plan --detailed-exitcode").expect_code(0);
}
