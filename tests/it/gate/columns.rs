//! Columns of other types: written with a cast, or refused by every command
//! before a plan is made.

use super::{run, world};

const NUMBERS: &str = "ALTER TABLE lad_dev.voice_agent_numbers";

#[test]
fn what_can_be_written_with_a_cast_is() {
    for (name, change) in [
        (
            "enum",
            format!(
                "CREATE TYPE lad_dev.\"St\" AS ENUM ('active', 'inactive');
                 {NUMBERS} ALTER status TYPE lad_dev.\"St\" USING status::lad_dev.\"St\""
            ),
        ),
        ("json", format!("{NUMBERS} ALTER rules TYPE json")),
        (
            "text_ids",
            format!(
                "{NUMBERS} ALTER id DROP DEFAULT, ALTER id TYPE text, ALTER tenant_id TYPE text"
            ),
        ),
        (
            "numeric",
            format!("{NUMBERS} ALTER base_number TYPE numeric"),
        ),
        (
            "char",
            format!(
                "{NUMBERS} ALTER country_code TYPE char(8), ALTER base_number TYPE varchar(20)"
            ),
        ),
    ] {
        let Some((lkroute, db)) = world(name) else {
            return;
        };
        db.psql(&change);
        run(&lkroute, "migrate").expect_code(0);
        run(&lkroute, "plan --detailed-exitcode").expect_code(2);
        run(&lkroute, "apply --auto-approve").expect_code(0);
        run(&lkroute, "plan --detailed-exitcode").expect_code(0);
        let found = run(&lkroute, "resolve --from +971545335200").expect_code(0);
        assert!(
            found.stdout.contains("uae-vm-selfhosted"),
            "{name}: {}",
            found.stdout
        );
        let listed = run(&lkroute, "list --config uae-vm-selfhosted").expect_code(0);
        assert!(
            listed.stdout.contains("+971545335200"),
            "{name}: {}",
            listed.stdout
        );
    }
}

#[test]
fn what_can_not_is_refused_before_a_plan() {
    for (name, change, told) in [
        (
            "rules_text",
            "ALTER rules TYPE text",
            "voice_agent_numbers.rules is text, not jsonb or json",
        ),
        (
            "base_float",
            "ALTER base_number TYPE float8",
            "base_number is double precision",
        ),
        (
            "no_rules",
            "DROP rules",
            "voice_agent_numbers has no column rules",
        ),
    ] {
        let Some((lkroute, db)) = world(name) else {
            return;
        };
        db.psql(&format!("{NUMBERS} {change}"));
        for command in ["migrate --check", "plan", "apply --auto-approve"] {
            let ran = run(&lkroute, command).expect_code(1);
            let said = crate::support::words_of(&ran.stderr);
            assert!(said.contains(told), "{name}: {command}: {said}");
        }
    }
}

#[test]
fn every_update_sets_updated_at_without_a_trigger() {
    let Some((lkroute, db)) = world("updated_at") else {
        return;
    };
    db.psql(
        "DROP TRIGGER touch ON lad_dev.voice_agent_numbers;
         DROP TRIGGER touch ON lad_dev.voice_agent_livekit;
         UPDATE lad_dev.voice_agent_numbers SET updated_at = '2024-01-01'",
    );
    run(&lkroute, "migrate").expect_code(0);
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let old = "SELECT count(*) FROM lad_dev.voice_agent_numbers
               WHERE rules ? 'livekit_config' AND updated_at < '2025-01-01'";
    assert_eq!(db.psql(old), "0");
    db.psql("UPDATE lad_dev.voice_agent_livekit SET updated_at = '2024-01-01'");
    lkroute.edit("routing/uae.toml", "voag-staging", "voag-other");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let configs =
        "SELECT count(*) FROM lad_dev.voice_agent_livekit WHERE updated_at > '2025-01-01'";
    assert_eq!(db.psql(configs), "1");
}

#[test]
fn a_config_in_another_spelling_is_the_same_config() {
    let Some((lkroute, db)) = super::applied("spelled") else {
        return;
    };
    for spelled in [
        "E3CA4A84-4CC3-4BE5-8240-34366FE4D0C5",
        "{e3ca4a84-4cc3-4be5-8240-34366fe4d0c5}",
        "e3ca4a844cc34be5824034366fe4d0c5",
        "{E3CA4A844CC34BE5824034366FE4D0C5}",
        "e3ca-4a84-4cc3-4be5-8240-3436-6fe4-d0c5",
        "urn:uuid:e3ca4a84-4cc3-4be5-8240-34366fe4d0c5",
    ] {
        db.psql(&format!(
            "UPDATE lad_dev.voice_agent_numbers
               SET rules = rules || '{{\"livekit_config\": \"{spelled}\"}}'
               WHERE base_number = 545335200"
        ));
        run(&lkroute, "plan --detailed-exitcode").expect_code(0);
        run(&lkroute, "drift").expect_code(0);
        let found = run(&lkroute, "resolve --from +971545335200").expect_code(0);
        assert_contains!(found.stdout, "uae-vm-selfhosted");
        let listed = run(&lkroute, "list --config uae-vm-selfhosted").expect_code(0);
        assert_contains!(listed.stdout, "+971545335200");
        let way = run(&lkroute, "plan --number +971545335200").expect_code(0);
        assert_contains!(way.stdout, "livekit.uae.example");
        let call = "dispatch --from +971545335200 --to +971501234567 --dry-run";
        let called = run(&lkroute, call);
        let said = format!("{}{}", called.stdout, called.stderr);
        assert!(!said.contains("livekit_config"), "{spelled}: {said}");
        let doctor = run(&lkroute, "doctor --no-probe --format json").json();
        let doctor = doctor.to_string();
        assert_lacks!(doctor, "config-unused", "dangling");
    }
}

/// Numbers in partitions, some of them in partitions of their own.
const PARTITIONS: &str = "
    ALTER TABLE lad_dev.voice_agent_numbers RENAME TO old;
    CREATE TABLE lad_dev.voice_agent_numbers (LIKE lad_dev.old INCLUDING DEFAULTS)
      PARTITION BY LIST (tenant_id);
    CREATE TABLE lad_dev.\"of Sasya\" PARTITION OF lad_dev.voice_agent_numbers
      FOR VALUES IN ('734cd516-e252-4728-9c52-4663ee552653') PARTITION BY HASH (id);
    CREATE TABLE lad_dev.of_sasya_0 PARTITION OF lad_dev.\"of Sasya\"
      FOR VALUES WITH (modulus 2, remainder 0);
    CREATE TABLE lad_dev.of_sasya_1 PARTITION OF lad_dev.\"of Sasya\"
      FOR VALUES WITH (modulus 2, remainder 1);
    CREATE TABLE lad_dev.others PARTITION OF lad_dev.voice_agent_numbers DEFAULT;
    INSERT INTO lad_dev.voice_agent_numbers SELECT * FROM lad_dev.old;
    DROP TABLE lad_dev.old";

#[test]
fn a_table_in_partitions_is_written_and_indexed() {
    let Some((lkroute, db)) = world("partitions") else {
        return;
    };
    db.psql(PARTITIONS);
    run(&lkroute, "migrate").expect_code(0);
    run(&lkroute, "apply --auto-approve").expect_code(0);
    run(&lkroute, "plan --detailed-exitcode").expect_code(0);
    run(&lkroute, "migrate --check --index").expect_code(1);
    // What is printed does what the command does.
    let script = run(&lkroute, "migrate --dry-run --index").expect_code(0);
    assert_eq!(script.stdout.matches("CONCURRENTLY").count(), 3);
    // A build that ended half-way is gone on with.
    let first = script.stdout.lines().next().expect("a statement");
    db.psql(first);
    run(&lkroute, "migrate --check --index").expect_code(1);
    run(&lkroute, "migrate --index").expect_code(0);
    run(&lkroute, "migrate --check --index").expect_code(0);
    let again = run(&lkroute, "migrate --index").expect_code(0);
    assert_contains!(again.stderr, "there already");
    let found = run(&lkroute, "resolve --from +971545335200").expect_code(0);
    assert_contains!(found.stdout, "uae-vm-selfhosted");
    // Who writes to one of them alone is named.
    let mut holder = super::Session::open(&db.url);
    holder.run("BEGIN; UPDATE lad_dev.of_sasya_0 SET provider = provider WHERE false");
    let more = "[[bindings]]\nnumber = \"+971545335300\"\ntenant = \"sasya\"\n";
    lkroute.write("routing/more.toml", more);
    let waited = run(&lkroute, "--lock-timeout 1 apply --auto-approve").expect_code(1);
    assert_contains!(waited.words(), "is writing to of_sasya_0: waited 1 s");
}

#[test]
fn a_trigger_that_needs_a_search_path_is_named() {
    let Some((lkroute, db)) = world("search_path") else {
        return;
    };
    db.psql(
        "CREATE TABLE lad_dev.numbers_log (id uuid);
         CREATE FUNCTION lad_dev.log_number() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN INSERT INTO numbers_log VALUES (NEW.id); RETURN NEW; END $$;
         CREATE TRIGGER log AFTER UPDATE ON lad_dev.voice_agent_numbers
           FOR EACH ROW EXECUTE FUNCTION lad_dev.log_number()",
    );
    run(&lkroute, "migrate").expect_code(0);
    let ran = run(&lkroute, "apply --auto-approve").expect_code(1);
    let refused = &ran.stderr;
    for told in ["log_number()", "trigger", "numbers_log", "ALTER FUNCTION"] {
        assert_contains!(refused, told);
    }
    let hinted = ran.told(
        "it finds that by the search_path, which lkroute does not set: let the function bring its own, ALTER FUNCTION … SET search_path = …",
    );
    hinted.then(|| db.psql("ALTER FUNCTION lad_dev.log_number() SET search_path = lad_dev"));
    run(&lkroute, "apply --auto-approve").expect_code(0);
    assert_ne!(db.psql("SELECT count(*) FROM lad_dev.numbers_log"), "0");
}
