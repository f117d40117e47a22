//! Tables where they are expected, and a database that lkroute never touched.

use super::{run, world};
use crate::support::{Lkroute, TENANT_UAE, words_of};

#[test]
fn a_missing_schema_variable_makes_no_second_set_of_tables() {
    let Some((_, db)) = world("elsewhere") else {
        return;
    };
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.env("DATABASE_URL", &db.url);
    for command in [
        "migrate",
        "migrate --check",
        "migrate --dry-run",
        "plan",
        "list",
        "apply --auto-approve",
    ] {
        let ran = run(&lkroute, command).expect_code(1);
        assert!(ran.stderr.contains("lad_dev"), "{command}: {}", ran.stderr);
        assert!(ran.stderr.contains("--schema"), "{command}: {}", ran.stderr);
    }
    // The hint leads on.
    run(&lkroute, "--schema lad_dev migrate").expect_code(0);
    let tables = "SELECT string_agg(schemaname, ' ') FROM pg_tables
                  WHERE tablename = 'voice_agent_numbers'";
    assert_eq!(db.psql(tables), "lad_dev");
    run(&lkroute, "migrate --create-application-tables").expect_code(0);
    run(&lkroute, "plan").expect_code(0);
    assert_eq!(
        db.psql(&tables.replace("schemaname,", "schemaname::text,")),
        "public lad_dev"
    );
}

#[test]
fn a_look_needs_no_migration() {
    let Some((lkroute, db)) = world("bare") else {
        return;
    };
    db.psql("ALTER TABLE lad_dev.voice_agent_livekit DROP COLUMN worker_name");
    for command in [
        "plan",
        "list",
        "history",
        "dispatches",
        "doctor --no-probe",
        "secrets list",
        "import --out new",
        "resolve --from +971545335200 --tenant 734cd516-e252-4728-9c52-4663ee552653",
    ] {
        let ran = run(&lkroute, command);
        let all = format!("{}{}", ran.stdout, ran.stderr);
        assert!(
            !all.contains("migrate") && !all.contains("lkroute_"),
            "{command}: {all}"
        );
    }
    let nobody = run(&lkroute, "dispatches --config nobody").expect_code(1);
    assert_contains!(nobody.stderr, "there is no config `nobody` here");
    run(&lkroute, "plan --detailed-exitcode").expect_code(2);
    let listed = run(&lkroute, "list").expect_code(0).stdout;
    assert_contains!(listed, "+971545335200");
    let drift = run(&lkroute, "drift").expect_code(1).stderr;
    assert_contains!(drift, "nothing has been applied");
    let refused = run(&lkroute, "apply --auto-approve").expect_code(1).stderr;
    assert_contains!(refused, "lkroute migrate");
    assert_eq!(
        db.psql("SELECT count(*) FROM pg_tables WHERE tablename LIKE 'lkroute%'"),
        "0"
    );
}

#[test]
fn the_agent_is_found_without_xml() {
    let Some((lkroute, db)) = super::applied("agents") else {
        return;
    };
    // What a server without libxml lacks is never asked for.
    db.psql("REVOKE EXECUTE ON FUNCTION query_to_xml(text, boolean, boolean, text) FROM PUBLIC");
    let resolve = "resolve --from +919513456728 --tenant e0a3e9ca-3f46-4bb0-ac10-a91b5c1d20b5 \
                   --explain -v";
    let ran = run(&lkroute, resolve).expect_code(0);
    let all = format!("{}{}", ran.stdout, ran.stderr);
    assert_contains!(all, "33");
    let ran = run(&lkroute, &format!("{resolve} --agent-id 33")).expect_code(0);
    let all = format!("{}{}", ran.stdout, ran.stderr);
    assert_lacks!(all, "not known");
    db.psql("DROP TABLE lad_dev.voice_agents");
    run(&lkroute, resolve).expect_code(0);
}

/// A database of an earlier lkroute, as its migrations left it.
#[test]
fn a_look_into_a_database_of_an_earlier_version_needs_no_migration() {
    let Some((lkroute, db)) = super::applied("earlier") else {
        return;
    };
    super::as_version_1_left_it(&db);
    let resolve = format!("resolve --from +971545335200 --tenant {TENANT_UAE}");
    for command in [
        "plan",
        "list",
        "history",
        "drift",
        "dispatches",
        "doctor --no-probe",
        "secrets list",
        "trust",
        "import --out new",
        resolve.as_str(),
    ] {
        let ran = run(&lkroute, command);
        let all = format!("{}{}", ran.stdout, ran.stderr);
        let refused = all.contains("lacks") || all.contains("lkroute_");
        assert!(!refused, "{command}: {all}");
    }
    let plan = run(&lkroute, "plan --detailed-exitcode").expect_code(0);
    assert_contains!(plan.stdout, "No changes");
    for command in ["apply --auto-approve", "migrate --check"] {
        let refused = run(&lkroute, command).expect_code(1).stderr;
        assert!(refused.contains("lkroute migrate"), "{command}: {refused}");
    }
    run(&lkroute, "migrate").expect_code(0);
    run(&lkroute, "apply --auto-approve").expect_code(0);
}

/// The application's other table is not there yet.
#[test]
fn a_table_that_is_missing_is_created_beside_the_other() {
    let Some((lkroute, db)) = super::world("one") else {
        return;
    };
    db.psql("DROP TABLE lad_dev.voice_agent_livekit");
    for command in ["migrate --check", "plan"] {
        let ran = run(&lkroute, command).expect_code(1);
        let all = ran.words();
        let missing = "create the application's table of configs";
        assert!(all.contains(missing), "{command}: {all}");
    }
    run(&lkroute, "migrate").expect_code(0);
    run(&lkroute, "apply --auto-approve").expect_code(0);
}

/// A database whose encoding is not what its rows were written in hands out
/// what no text can hold.
#[test]
fn a_row_with_broken_bytes_is_passed_over_with_its_id() {
    let Some((mut lkroute, db)) = world("bytes") else {
        return;
    };
    let name = format!("{}_ascii", db.name);
    db.psql(&format!(
        "CREATE DATABASE {name} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0"
    ));
    let url = db.url.replace(&db.name, &name);
    let legacy = crate::support::Legacy::default();
    let id = "aaaaaaaa-0000-4000-8000-000000000001";
    let broken = format!(
        "INSERT INTO lad_dev.voice_agent_numbers (id, tenant_id, country_code, base_number,
           provider, rules) VALUES ('{id}', '{TENANT_UAE}', '+971', 545335301, E'\\xff\\x41', '{{}}')"
    );
    let config = "bbbbbbbb-0000-4000-8000-000000000001";
    let of_config = format!(
        "INSERT INTO lad_dev.voice_agent_livekit
           (id, name, livekit_url, livekit_api_key, livekit_api_secret, trunk_id)
         VALUES ('{config}', 'of-others', 'wss://o.example', 'APIothers', 'sealed', E'\\xff\\x41')"
    );
    for sql in [
        legacy.schema_sql(),
        legacy.numbers_sql(false),
        broken,
        of_config,
    ] {
        db.psql_as(&url, &sql).expect("psql");
    }
    // Written where nothing is checked, and called UTF-8 since.
    db.psql(&format!(
        "UPDATE pg_database SET encoding = pg_char_to_encoding('UTF8') WHERE datname = '{name}'"
    ));
    lkroute.env("DATABASE_URL", &url);
    let plan = run(&lkroute, "plan --verbose").expect_code(0).stdout;
    let words = words_of(&plan);
    let told = format!("row {id}: it has broken bytes");
    assert!(words.contains(&told), "{plan}");
    let told = format!("the config row {config} has broken bytes in `trunk_id`");
    assert!(words.contains(&told), "{plan}");
    for command in ["list", "doctor --no-probe", "secrets list"] {
        let ran = run(&lkroute, command);
        assert!(!ran.stderr.contains("error:"), "{command}: {}", ran.stderr);
    }
    // What is said of the config's row holds.
    let hinted = crate::support::told(
        &plan,
        "\u{fffd} stands for them here; a change of the field replaces them",
    );
    let key = run(&lkroute, "secrets keygen").expect_code(0).stdout;
    lkroute.env("LKROUTE_KEYS", key.trim());
    lkroute.env("LKROUTE_SECRET_O", "made-up-secret-of-others");
    lkroute.write(
        "routing/others.toml",
        &format!(
            "[configs.of-others]\nid = \"{config}\"\nregion = \"uae\"\nurl = \"wss://o.example\"\n\
             api_key = \"APIothers\"\napi_secret = {{ env = \"LKROUTE_SECRET_O\" }}\n\
             trunk_id = \"ST_new\"\n"
        ),
    );
    run(&lkroute, "migrate").expect_code(0);
    hinted.then(|| run(&lkroute, "adopt --all")).expect_code(0);
    run(&lkroute, "apply --auto-approve").expect_code(0);
    let trunk = "SELECT trunk_id FROM lad_dev.voice_agent_livekit WHERE name = 'of-others'";
    assert_eq!(db.psql_as(&url, trunk).as_deref(), Ok("ST_new"));
    db.psql(&format!("DROP DATABASE {name} WITH (FORCE)"));
}
