//! What a database URL says, and what is never said of it.

use super::{applied, run, world};
use crate::support::{Lkroute, free_port};

/// Every command that opens a database.
const COMMANDS: [&str; 12] = [
    "plan",
    "plan --format markdown",
    "plan --format json",
    "plan --format github",
    "apply --auto-approve",
    "drift",
    "history",
    "list --format json",
    "resolve --from +971545335200 --format json",
    "dispatch --from +971545335200 --to +971501234567 --dry-run",
    "migrate --check",
    "doctor -v",
];

#[test]
fn a_password_that_is_not_encoded_is_never_printed() {
    let lkroute = Lkroute::with_two_regions();
    for url in [
        "postgres://lkroute:/Zq7xREALxx9K@127.0.0.1:1/lad",
        "postgres://lkroute:4/ZqREAL@127.0.0.1:1/lad",
        "postgres://lkroute:Zq?REAL@127.0.0.1:1/lad",
        "postgres://lkroute:Zq7xREAL/lad",
        "sqlite://lkroute:Zq7xREAL@127.0.0.1:1/lad",
    ] {
        for command in COMMANDS {
            let ran = run(&lkroute, &format!("--database {url} {command}"));
            let all = format!("{}{}", ran.stdout, ran.stderr);
            assert!(!all.contains("REAL"), "{command}\n{all}");
            ran.expect_code(1);
        }
    }
}

#[test]
fn livekits_url_with_user_info_is_neither_printed_nor_used() {
    let mut lkroute = Lkroute::with_two_regions();
    lkroute.env("LIVEKIT_URL", "wss://bob:Zq7xREAL@lk.example");
    lkroute
        .env("LIVEKIT_API_KEY", "APImadeup")
        .env("LIVEKIT_API_SECRET", "made-up-secret-env");
    lkroute.env("OUTBOUND_TRUNK_ID", "ST_madeUp");
    run(&lkroute, "apply --auto-approve").expect_code(0);
    for command in [
        "resolve --from +971545335201 --explain -v",
        "resolve --from +971545335201 --format json",
        "dispatch --from +971545335201 --to +971501234567 --dry-run",
    ] {
        let ran = run(&lkroute, command);
        let all = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!all.contains("REAL"), "{command}\n{all}");
        assert_contains!(all, "LIVEKIT_URL of this shell holds user info");
        ran.expect_code(1);
    }
    // A number with a config of its own goes on; the variable is not needed.
    let own = run(&lkroute, "resolve --from +971545335200 --explain -v").expect_code(0);
    assert_lacks!(format!("{}{}", own.stdout, own.stderr), "REAL");
}

#[test]
fn the_schema_of_the_url_is_the_schema() {
    let Some((_, db)) = world("url_schema") else {
        return;
    };
    let url = format!(
        "{}?schema=lad_dev&pgbouncer=true&connection_limit=1",
        db.url
    );
    let lkroute = Lkroute::with_two_regions();
    for command in [
        "migrate",
        "apply --auto-approve",
        "list",
        "history",
        "migrate --check",
    ] {
        run(&lkroute, &format!("--database {url} {command}")).expect_code(0);
    }
    let tables = "SELECT string_agg(schemaname, ' ') FROM pg_tables
                  WHERE tablename IN ('voice_agent_numbers', 'lkroute_state')";
    assert_eq!(db.psql(tables), "lad_dev lad_dev");
    let other = run(&lkroute, &format!("--database {url} --schema other list"));
    assert_contains!(other.stderr, "other");
    let mut variable = Lkroute::with_two_regions();
    variable.env("LKROUTE_SCHEMA", "public");
    let ran = run(&variable, &format!("--database {url} list")).expect_code(1);
    assert_contains!(ran.stderr, "`lad_dev`", "`public`");
    let unknown = run(&lkroute, &format!("--database {url}&made_up=1 list")).expect_code(1);
    assert_lacks!(unknown.stderr, "made_up");
    let refused = run(
        &lkroute,
        &format!("--database {url}&channel_binding=require list"),
    );
    assert_contains!(refused.expect_code(1).stderr, "channel_binding");
}

#[test]
fn of_several_hosts_the_first_that_is_as_wanted_is_used() {
    let Some((lkroute, db)) = applied("url_hosts") else {
        return;
    };
    let here = format!("127.0.0.1:{}", db.postgres().port);
    let hosts = format!("127.0.0.1:{},{here}", free_port());
    let url = db.url.replace(&here, &hosts);
    for wanted in ["any", "read-write", "primary", "prefer-standby"] {
        let url = format!("{url}?target_session_attrs={wanted}");
        run(&lkroute, &format!("--database {url} history")).expect_code(0);
        run(&lkroute, &format!("--database {url} apply --auto-approve")).expect_code(0);
    }
    for wanted in ["standby", "read-only"] {
        let url = format!("{}?target_session_attrs={wanted}", db.url);
        let ran = run(&lkroute, &format!("--database {url} history")).expect_code(1);
        let said = format!("is not {wanted}");
        assert_contains!(ran.stderr, said);
    }
}

/// Whoever looks, over whatever way: the plan that is approved is the plan
/// that is applied. Of a replica speaks `gate::standby`, of moved lines `review::terms`.
#[test]
fn another_role_and_a_pooler_change_no_digest() {
    let Some((lkroute, mut db)) = super::applied("digests") else {
        return;
    };
    lkroute.edit("routing/uae.toml", "voag-staging", "voag-other");
    let (role, of_role) = db.role("reader");
    db.psql(&format!(
        "GRANT USAGE ON SCHEMA lad_dev TO {role};
         GRANT SELECT ON ALL TABLES IN SCHEMA lad_dev TO {role}"
    ));
    let pooler = crate::support::Pgbouncer::transaction_mode(&db);
    let pooled = pooler.as_ref().map(|pooler| pooler.url.clone());
    let digest = |url: &str| {
        let plan = run(&lkroute, &format!("plan --format json --database {url}"));
        plan.json()["digest"].as_str().expect("a digest").to_owned()
    };
    let there = digest(&db.url);
    let spelled = db.url.replace("127.0.0.1", "localhost");
    for url in [Some(of_role), pooled.clone(), Some(spelled)]
        .into_iter()
        .flatten()
    {
        assert_eq!(digest(&url), there, "{url}");
    }
    // Planned by the one, applied by the other over the pooler.
    let by = pooled.unwrap_or_else(|| db.url.clone());
    let apply = format!("apply --expect {there} --database {by}");
    run(&lkroute, &apply).expect_code(0);
    assert_ne!(digest(&db.url), there);
}
