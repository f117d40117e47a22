//! The same on the application's own PostgreSQL: its tables, its schema, a
//! pooler in between.

use lkroute::secrets::{KeyRing, Secret, SecretFormat, seal};
use uuid::Uuid;

use super::world::{RING, clean, said, trunk};
use crate::livekit::standin::{KEY, SECRET, StandIn};
use crate::support::{CONFIG_INDIA, FERNET_KEY, Legacy, Lkroute, Pgbouncer, Postgres, Run};
use crate::support::{TENANT_INDIA, TENANT_UAE};

const USER: &str = "00000000-0000-4000-8000-000000000001";
const CALL: [&str; 5] = [
    "dispatch",
    "--from",
    "+919513456728",
    "--to",
    "+919876543210",
];

#[test]
fn calls_work_on_a_database_that_others_made_and_through_a_pooler() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let db = postgres.database("calls");
    let legacy = Legacy::named("Weird \"schema");
    legacy.install(&db);
    let standin = StandIn::start();
    standin.world().trunks.push(trunk());
    // The Python service's form of secret, and its reader's form of a URL.
    let ring = KeyRing::parse(RING)
        .and_then(|ring| ring.with_fernet(FERNET_KEY))
        .unwrap();
    let secret = Secret::new(SECRET.to_owned());
    let id = Uuid::parse_str(CONFIG_INDIA).unwrap();
    let sealed = seal(&ring, id, &secret, SecretFormat::Fernet, None).unwrap();
    db.psql(&format!(
        "UPDATE {} SET livekit_url = '{}', livekit_api_key = '{KEY}', livekit_api_secret = '{}'
         WHERE id = '{CONFIG_INDIA}'",
        legacy.table("voice_agent_livekit"),
        standin.url_as("ws"),
        sealed.as_str(),
    ));
    let Some(pooler) = Pgbouncer::transaction_mode(&db) else {
        return;
    };
    let mut lkroute = Lkroute::new();
    lkroute.env("LIVEKIT_SECRET_ENCRYPTION_KEY", FERNET_KEY);
    lkroute
        .env("DATABASE_URL", &pooler.url)
        .env("LKROUTE_SCHEMA", &legacy.schema);
    let run = |args: &[&str]| -> Run { clean(lkroute.run(args)) };
    run(&["migrate"]).expect_code(0);

    let several = run(&CALL).expect_code(1);
    assert_contains!(said(&several), TENANT_UAE);
    let json = ["--format", "json"];
    let call = run(&[&CALL[..], &["--initiated-by", USER], &json].concat())
        .expect_code(0)
        .json();
    assert_eq!(call["metadata"]["initiated_by"], USER);
    assert_eq!(call["resolution"]["tenant"], TENANT_INDIA);
    assert_eq!(
        call["metadata"]["agent_id"], 33,
        "the number's default agent"
    );
    let trace = call["resolution"]["trace"].to_string();
    assert_contains!(trace, "agent 33");

    let keyed = ["--tenant", TENANT_INDIA, "--idempotency-key", "k'1"];
    for repeated in [false, true] {
        let call = run(&[&CALL[..], &keyed, &json].concat()).expect_code(0);
        assert_eq!(call.json()["repeated"], repeated);
    }
    assert_eq!(standin.posts("CreateDispatch").len(), 2);
    let list = run(&[&["dispatches", "--last", "1000"][..], &json].concat()).json();
    assert_eq!(list["dispatches"].as_array().unwrap().len(), 2);
    // By the fallback's name, too; a detail that holds what PostgreSQL can't
    // read as text hides no other call.
    db.psql(&format!(
        r#"UPDATE {} SET detail = CASE idempotency_key WHEN 'k''1'
             THEN replace(detail, '"fallback":null', '"fallback":{{"name":"backup"}}')
             ELSE replace(detail, '"message":null', '"message":"\u0000"') END"#,
        legacy.table("lkroute_dispatches"),
    ));
    let of = |config: &str| run(&[&["dispatches", "--config", config][..], &json].concat());
    let list = of("backup").expect_code(0).json();
    assert_eq!(list["dispatches"].as_array().unwrap().len(), 1);
    of("nobody").expect_code(1);

    let report = run(&[&["doctor"][..], &json].concat())
        .expect_code(1)
        .json();
    let text = report.to_string();
    for check in [
        "config-dangling",
        "duplicate-rows",
        "number-unreadable",
        "rules-no-object",
    ] {
        assert!(text.contains(check), "{check}: {report:#}");
    }
    assert!(text.contains("agent-of-other-tenant"), "{report:#}");
    let one = ["doctor", "--config", "india-techiemaya-cloud"];
    run(&one).expect_code(0);
}
