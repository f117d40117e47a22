//! Rows of others that nobody can name: passed over and named, in every command,
//! and in the way only where the files declare what they hold.

use super::{applied, run};
use crate::support::{Lkroute, words_of};

const TENANT: &str = "734cd516-e252-4728-9c52-4663ee552653";

/// Rows without an id, or without a tenant's.
fn insert(prefix: &str) -> String {
    format!(
        "INSERT INTO {prefix}voice_agent_numbers
           (id, tenant_id, country_code, base_number, provider, status)
         VALUES (NULL, '{TENANT}', '+971', 545335307, 'crm', 'active'),
           ('aaaaaaaa-0000-4000-8000-000000000008', NULL, '+971', 545335308, 'crm', 'active');
         INSERT INTO {prefix}voice_agent_livekit
           (id, name, livekit_url, livekit_api_key, livekit_api_secret)
         VALUES (NULL, 'of-others', 'wss://others.example', 'APIothers', 'sealed')"
    )
}

fn check(lkroute: &Lkroute) {
    let plan = run(lkroute, "plan --verbose --detailed-exitcode").expect_code(0);
    assert_contains!(
        words_of(&plan.stdout),
        "its id, or its tenant's, is no uuid: `NULL`, of +971545335307",
        "is no uuid: `NULL`, of +971545335308",
        "the config row `NULL`, called `of-others`, is passed over"
    );
    for command in [
        "list",
        "doctor --no-probe",
        "drift",
        "secrets list",
        "history",
        "migrate --check",
        "import --out new",
    ] {
        let ran = run(lkroute, command);
        assert!(!ran.stderr.contains("error:"), "{command}: {}", ran.stderr);
    }
    run(lkroute, "resolve --from +971545335200").expect_code(0);
    lkroute.edit("routing/uae.toml", "voag-staging", "voag-two");
    run(lkroute, "apply --auto-approve").expect_code(0);
    // Declared, it would be a second active row.
    let declared = "[[bindings]]\nnumber = \"+971545335307\"\ntenant = \"sasya\"\n";
    lkroute.write("routing/more.toml", declared);
    let refused = run(lkroute, "plan").expect_code(6);
    assert_contains!(refused.stdout, "+971545335307");
}

#[test]
fn a_row_without_an_id_is_passed_over_and_named() {
    let Some((lkroute, db)) = applied("no_ids") else {
        return;
    };
    for table in ["voice_agent_numbers", "voice_agent_livekit"] {
        db.psql(&format!(
            "ALTER TABLE lad_dev.{table} DROP CONSTRAINT {table}_pkey CASCADE,
               ALTER id DROP NOT NULL"
        ));
    }
    db.psql("ALTER TABLE lad_dev.voice_agent_numbers ALTER tenant_id DROP NOT NULL");
    db.psql(&insert("lad_dev."));
    check(&lkroute);
}

#[test]
fn a_row_without_an_id_as_text_is_too() {
    let Some((lkroute, db)) = applied("no_text_ids") else {
        return;
    };
    for table in ["voice_agent_numbers", "voice_agent_livekit"] {
        db.psql(&format!(
            "ALTER TABLE lad_dev.{table} DROP CONSTRAINT {table}_pkey CASCADE,
               ALTER id DROP NOT NULL, ALTER id DROP DEFAULT, ALTER id TYPE text"
        ));
    }
    db.psql("ALTER TABLE lad_dev.voice_agent_numbers ALTER tenant_id DROP NOT NULL");
    db.psql(&insert("lad_dev."));
    check(&lkroute);
}

#[test]
fn a_row_without_an_id_in_a_file_is_too() {
    let lkroute = Lkroute::with_two_regions();
    run(&lkroute, "apply --auto-approve").expect_code(0);
    // As a tool does that copies a table.
    for table in ["voice_agent_numbers", "voice_agent_livekit"] {
        lkroute.sql(&format!(
            "CREATE TABLE moved AS SELECT * FROM {table};
             DROP TABLE {table};
             ALTER TABLE moved RENAME TO {table}"
        ));
    }
    lkroute.sql(&insert(""));
    check(&lkroute);
}
