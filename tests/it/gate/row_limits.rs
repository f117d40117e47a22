//! What the catalogue tells of the rows that a table takes is told by `plan`, before
//! anybody approves what an apply could not write.

use super::{run, world};
use crate::support::Lkroute;

const NUMBERS: &str = "lad_dev.voice_agent_numbers";
const CONFIGS: &str = "lad_dev.voice_agent_livekit";

#[test]
fn values_that_a_column_can_not_hold_are_refused_by_plan() {
    let Some((lkroute, db)) = world("row_limits") else {
        return;
    };
    db.psql(&format!("DELETE FROM {NUMBERS}; DELETE FROM {CONFIGS}"));
    run(&lkroute, "migrate").expect_code(0);
    let hint = "declare a shorter value, or let the column take longer ones";
    for (change, told, back) in [
        (
            format!("ALTER TABLE {NUMBERS} ALTER base_number TYPE numeric(9, 4)"),
            "voice_agent_numbers.base_number is numeric(9,4), too short for the value of binding.",
            format!("ALTER TABLE {NUMBERS} ALTER base_number TYPE bigint"),
        ),
        (
            format!(
                "CREATE DOMAIN lad_dev.code AS varchar(3);
                 ALTER TABLE {NUMBERS} ALTER country_code TYPE lad_dev.code"
            ),
            "voice_agent_numbers.country_code is lad_dev.code, too short for the value of binding.",
            format!("ALTER TABLE {NUMBERS} ALTER country_code TYPE text"),
        ),
        (
            format!("ALTER TABLE {CONFIGS} ALTER name TYPE varchar(3)"),
            "voice_agent_livekit.name is character varying(3), too short for the value of config.",
            format!("ALTER TABLE {CONFIGS} ALTER name TYPE varchar(255)"),
        ),
    ] {
        db.psql(&change);
        run(&lkroute, "migrate --check").expect_code(0);
        for command in ["plan", "plan --format json", "apply --auto-approve"] {
            let refused = run(&lkroute, command).expect_code(1);
            let said = crate::support::words_of(&format!("{}{}", refused.stdout, refused.stderr));
            assert!(said.contains(told), "{command}: {said}");
        }
        let refused = run(&lkroute, "plan");
        refused.told(hint).then(|| db.psql(&back));
        run(&lkroute, "plan").expect_code(0);
    }
    // One of an enum.
    db.psql(&format!(
        "CREATE TYPE lad_dev.\"Providers\" AS ENUM ('crm');
         ALTER TABLE {NUMBERS} ALTER provider TYPE lad_dev.\"Providers\"
           USING provider::lad_dev.\"Providers\""
    ));
    let refused = run(&lkroute, "plan").expect_code(1);
    let told = "provider is lad_dev.\"Providers\", which lacks `sasya UAE Number`, the value of";
    assert_contains!(refused.words(), told);
    let hinted = refused.told("declare a value that the type has, or add this one to it");
    hinted.then(|| {
        db.psql("ALTER TYPE lad_dev.\"Providers\" ADD VALUE 'sasya UAE Number'");
        db.psql("ALTER TYPE lad_dev.\"Providers\" ADD VALUE 'TechieMaya FZE'");
    });
    run(&lkroute, "plan").expect_code(0);
    // Of every plan, as the labels of an enum of status are.
    db.psql(&format!(
        "ALTER TABLE {NUMBERS} ALTER status TYPE varchar(7)"
    ));
    for command in ["migrate --check", "plan"] {
        let refused = run(&lkroute, command).expect_code(1);
        let told = "voice_agent_numbers.status is character varying(7), too short for `inactive`";
        assert_contains!(refused.words(), told);
    }
    db.psql(&format!("ALTER TABLE {NUMBERS} ALTER status TYPE text"));
    run(&lkroute, "apply --auto-approve").expect_code(0);
    // What is there, and is not written, is in nobody's way.
    db.psql(&format!(
        "UPDATE {NUMBERS} SET country_code = '91' WHERE country_code = '+91';
         UPDATE {NUMBERS} SET country_code = '971' WHERE country_code = '+971';
         ALTER TABLE {NUMBERS} ALTER country_code TYPE varchar(3)"
    ));
    lkroute.edit("routing/uae.toml", "voag-staging", "voag-two");
    run(&lkroute, "apply --auto-approve").expect_code(0);
}

/// A plan that creates a row, and one that only changes what is there.
fn check_needed(lkroute: &Lkroute, sql: &dyn Fn(&str), add: &str, give: &str) {
    sql(add);
    lkroute.edit("routing/uae.toml", "voag-staging", "voag-two");
    run(lkroute, "apply --auto-approve").expect_code(0);
    let more = "[[bindings]]\nnumber = \"+971545335300\"\ntenant = \"sasya\"\n";
    lkroute.write("routing/more.toml", more);
    let check = run(lkroute, "migrate --check").expect_code(0);
    let told = "voice_agent_numbers.created_by is NOT NULL without a default";
    assert_contains!(check.words(), told);
    for command in ["plan", "apply --auto-approve"] {
        let refused = run(lkroute, command).expect_code(1);
        assert_contains!(
            refused.words(),
            told,
            "binding.+971545335300@sasya can't be created"
        );
    }
    let refused = run(lkroute, "plan");
    let hinted =
        refused.told("give the column a default, or let it be NULL: lkroute has no value for it");
    hinted.then(|| sql(give));
    let check = run(lkroute, "migrate --check").expect_code(0);
    assert_lacks!(check.words(), "created_by");
    run(lkroute, "apply --auto-approve").expect_code(0);
}

#[test]
fn a_column_that_needs_a_value_is_told_of() {
    let Some((lkroute, db)) = super::applied("needed") else {
        return;
    };
    let add = format!(
        "ALTER TABLE {NUMBERS} ADD created_by text DEFAULT 'crm' NOT NULL;
         ALTER TABLE {NUMBERS} ALTER created_by DROP DEFAULT"
    );
    // A trigger may give it one, which no catalogue tells.
    let give = format!(
        "CREATE FUNCTION lad_dev.by() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN NEW.created_by = current_user; RETURN NEW; END $$;
         CREATE TRIGGER by BEFORE INSERT ON {NUMBERS}
           FOR EACH ROW EXECUTE FUNCTION lad_dev.by()"
    );
    let sql = |text: &str| drop(db.psql(text));
    check_needed(&lkroute, &sql, &add, &give);
    // One of ours that may not be left out.
    db.psql(&format!(
        "ALTER TABLE {CONFIGS} ALTER trunk_id SET NOT NULL"
    ));
    let uae = lkroute.read("routing/uae.toml");
    let kept = uae.lines().filter(|line| !line.starts_with("trunk_id"));
    let without: Vec<&str> = kept.collect();
    lkroute.write("routing/uae.toml", &without.join("\n"));
    let refused = run(&lkroute, "plan").expect_code(1);
    let told =
        "voice_agent_livekit.trunk_id is NOT NULL, and config.uae-vm-selfhosted has no value";
    assert_contains!(refused.words(), told);
    let hinted = refused.told("declare one, or let the column be NULL");
    hinted.then(|| lkroute.write("routing/uae.toml", &uae));
    run(&lkroute, "plan").expect_code(0);
}

#[test]
fn so_is_one_of_a_file() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let sql = |text: &str| drop(lkroute.sql(text));
    let moved = |columns: &str| {
        format!(
            "CREATE TABLE made (id TEXT PRIMARY KEY, tenant_id TEXT NOT NULL, country_code TEXT,
               base_number INTEGER, provider TEXT, status TEXT, rules TEXT,
               default_agent_id INTEGER, created_at TEXT DEFAULT '', updated_at TEXT DEFAULT '',
               {columns});
             INSERT INTO made (id, tenant_id, country_code, base_number, provider, status, rules,
                 created_by)
               SELECT id, tenant_id, country_code, base_number, provider, status, rules, 'crm'
               FROM voice_agent_numbers;
             DROP TABLE voice_agent_numbers; ALTER TABLE made RENAME TO voice_agent_numbers"
        )
    };
    check_needed(
        &lkroute,
        &sql,
        &moved("created_by TEXT NOT NULL"),
        &moved("created_by TEXT NOT NULL DEFAULT 'crm'"),
    );
    // A STRICT table takes no text for bytes.
    sql(&moved("created_by TEXT")
        .replace("rules TEXT", "rules BLOB")
        .replace("created_by TEXT)", "created_by TEXT) STRICT")
        .replace("status, rules, 'crm'", "status, CAST(rules AS BLOB), 'crm'"));
    for command in ["migrate --check", "plan"] {
        let refused = run(&lkroute, command).expect_code(1);
        let told = "voice_agent_numbers.rules is BLOB in a STRICT table, and can't hold what";
        assert_contains!(refused.words(), told);
    }
}

/// The look-up compared texts with whole numbers: "done", and no call found a number.
#[test]
fn a_number_as_text_in_a_file_is_found() {
    for kind in ["TEXT", "VARCHAR(20)", "NUMERIC", ""] {
        let lkroute = Lkroute::with_two_regions();
        run(&lkroute, "migrate").expect_code(0);
        lkroute.sql(&of_kind(kind));
        run(&lkroute, "migrate --check").expect_code(0);
        run(&lkroute, "apply --auto-approve").expect_code(0);
        run(&lkroute, "plan --detailed-exitcode").expect_code(0);
        let found = run(&lkroute, "resolve --from +971545335200").expect_code(0);
        assert_contains!(found.stdout, "uae-vm-selfhosted");
        // One that others insert before the apply writes is seen.
        let more = "[[bindings]]\nnumber = \"+971545335300\"\ntenant = \"sasya\"\n";
        lkroute.write("routing/more.toml", more);
        run(&lkroute, "plan --out saved.plan").expect_code(0);
        lkroute.sql(
            "INSERT INTO voice_agent_numbers (id, tenant_id, country_code, base_number, status)
             VALUES ('aaaaaaaa-0000-4000-8000-000000000001',
               '734cd516-e252-4728-9c52-4663ee552653', '+971', 545335300, 'active')",
        );
        run(&lkroute, "apply saved.plan").expect_code(5);
    }
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "migrate").expect_code(0);
    lkroute.sql(&of_kind("DOUBLE"));
    for command in ["migrate --check", "plan"] {
        let refused = run(&lkroute, command).expect_code(1);
        let told = "voice_agent_numbers.base_number is DOUBLE, and no whole number";
        assert_contains!(refused.words(), told);
    }
}

/// An empty table whose base numbers are of this type.
fn of_kind(kind: &str) -> String {
    format!(
        "DROP TABLE voice_agent_numbers;
         CREATE TABLE voice_agent_numbers (id TEXT PRIMARY KEY, tenant_id TEXT NOT NULL,
           country_code TEXT, base_number {kind}, provider TEXT, status TEXT, rules TEXT,
           default_agent_id INTEGER, created_at TEXT, updated_at TEXT)"
    )
}
