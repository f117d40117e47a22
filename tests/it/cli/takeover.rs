//! The sample routing on a PostgreSQL that other software made and writes.

use super::run;
use crate::support::{DEMO_KEYS, FERNET_KEY, Legacy, Lkroute, Postgres, table_checksum};

/// What no row of the sample's own is.
const OTHERS: &str = "NOT (base_number = 545335200 AND provider = 'sasya UAE Number')
    AND NOT (base_number = 9513456728 AND provider = 'TechieMaya FZE')";

#[test]
fn without_the_rights_migrate_prints_what_somebody_else_can_run() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let mut db = postgres.database("cli-rights");
    Legacy::named("lad_dev").install(&db);
    let (role, url) = db.role("reader");
    db.psql(&format!(
        "GRANT USAGE ON SCHEMA lad_dev TO {role};
         GRANT SELECT ON ALL TABLES IN SCHEMA lad_dev TO {role}"
    ));
    let mut lkroute = Lkroute::with_two_regions();
    lkroute
        .env("DATABASE_URL", &url)
        .env("LKROUTE_SCHEMA", "lad_dev");
    let refused = run(&lkroute, "migrate").expect_code(1);
    let then = refused.told("then run `lkroute migrate --check`");
    let refused = refused.stderr;
    assert_contains!(refused, "permission denied");
    let (_, sql) = refused.split_once("BEGIN;").expect("the SQL");
    let (sql, _) = sql.split_once("COMMIT;").expect("all of it");
    assert_contains!(
        run(&lkroute, "migrate --check").expect_code(1).stderr,
        "lacks"
    );
    db.psql(&format!("BEGIN; {sql} COMMIT"));
    db.psql(&format!(
        "GRANT SELECT ON ALL TABLES IN SCHEMA lad_dev TO {role}"
    ));
    then.run(&lkroute, &[]).expect_code(0);
    run(&lkroute, "migrate").expect_code(0);
}

#[test]
fn a_schema_that_is_not_there_is_told() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let db = postgres.database("cli-schema");
    Legacy::named("lad_dev").install(&db);
    let mut lkroute = Lkroute::with_two_regions();
    lkroute
        .env("DATABASE_URL", &db.url)
        .env("LKROUTE_SCHEMA", "lad_devv");
    let told = "the schema \"lad_devv\" has no table voice_agent_numbers, but lad_dev has";
    let behind = run(&lkroute, "plan --format json").expect_code(1).json();
    let message = behind["error"]["message"].as_str().expect("a message");
    assert_contains!(message, told);
    run(&lkroute, "migrate --dry-run").expect_code(1);
    run(&lkroute, "migrate").expect_code(1);
    let made = run(&lkroute, "migrate --create-application-tables").expect_code(0);
    let created = "create the schema \"lad_devv\", which is not there";
    assert_contains!(made.stderr, created);
}

#[test]
fn from_a_live_database_to_an_empty_plan() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let db = postgres.database("cli-takeover");
    Legacy::named("lad_dev").install(&db);
    let untouched = || table_checksum(&db, "lad_dev", "voice_agent_numbers", OTHERS);
    let before = untouched();
    let mut lkroute = Lkroute::with_two_regions();
    lkroute
        .env("DATABASE_URL", &db.url)
        .env("LKROUTE_SCHEMA", "lad_dev");

    // A look needs no migration; writing does.
    run(&lkroute, "plan").expect_code(6);
    let behind = run(&lkroute, "apply --auto-approve").expect_code(1);
    assert_contains!(behind.stderr, "run `lkroute migrate`");
    let behind = run(&lkroute, "migrate --check").expect_code(1);
    assert_contains!(behind.stderr, "create lkroute's own tables");
    let sql = run(&lkroute, "migrate --dry-run").expect_code(0);
    assert_contains!(sql.stdout, "lkroute_state");
    run(&lkroute, "migrate").expect_code(0);
    run(&lkroute, "migrate --check").expect_code(0);

    // Keys, secrets and some fields differ: nothing of that is taken unasked.
    let plan = run(&lkroute, "plan --format json").expect_code(6).json();
    assert_eq!(plan["summary"]["conflict"], 2, "{:#}", plan["conflicts"]);
    let adopted = run(&lkroute, "adopt --all").expect_code(0);
    assert_contains!(adopted.stdout, "config.uae-vm-selfhosted: adopt");
    run(&lkroute, "validate").expect_code(0);

    // The Python service reads this table, so the form of secrets has to be said.
    let refused = run(&lkroute, "plan --format json").expect_code(4).json();
    assert_eq!(refused["refusals"][0]["code"], "secret-format-not-set");
    lkroute.write("routing/secrets.toml", "[secrets]\nformat = \"fernet\"\n");
    run(&lkroute, "plan").expect_code(0);
    let keyless = run(&lkroute, "apply --auto-approve").expect_code(1);
    assert_contains!(keyless.stderr, "the secret of config.");
    assert_eq!(untouched(), before);

    lkroute
        .env("LKROUTE_KEYS", DEMO_KEYS)
        .env("LIVEKIT_SECRET_ENCRYPTION_KEY", FERNET_KEY);
    run(&lkroute, "apply --auto-approve").expect_code(0);
    run(&lkroute, "plan --detailed-exitcode").expect_code(0);
    assert_eq!(untouched(), before);
    let stored = db.psql("SELECT livekit_api_secret FROM lad_dev.voice_agent_livekit");
    assert!(
        stored.lines().all(|secret| secret.starts_with("dev-s-t-")),
        "{stored}"
    );

    // One number, five tenants: it has to be said whose it is.
    let several = run(&lkroute, "resolve --from +919513456728").expect_code(1);
    assert_contains!(several.stderr, "techiemaya-test");
    let user = "resolve --from +919513456728 --format json \
                --initiated-by 00000000-0000-4000-8000-000000000001";
    let route = run(&lkroute, user).expect_code(0).json();
    assert_eq!(
        (&route["secret"], &route["worker_name"]),
        (&"opens".into(), &"voag-dev".into())
    );

    lkroute.edit(
        "routing/uae.toml",
        "worker_name = \"voag-staging\"",
        "worker_name = \"voag-dev-v2\"",
    );
    let plan = run(&lkroute, "plan --detailed-exitcode --format json")
        .expect_code(2)
        .json();
    assert_eq!(
        plan["changes"].as_array().map(Vec::len),
        Some(1),
        "{:#}",
        plan["changes"]
    );
    assert_eq!(plan["changes"][0]["fields"][0]["name"], "worker_name");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    run(&lkroute, "plan --detailed-exitcode").expect_code(0);
    assert_eq!(untouched(), before);
}
