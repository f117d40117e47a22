//! Migrations: what they make, what they leave alone, and what they say.

use lkroute::store::{DatabaseUrl, Mode, SchemaState, Store};

use sqlx::Connection;

use super::base::{Base, SCHEMA, open_at};
use super::on_both;
use crate::support::{Legacy, Postgres, table_checksum};

on_both!(
    again_is_nothing,
    every_database_has_an_identity_of_its_own,
    a_newer_database_is_refused,
    the_index_is_a_step_of_its_own,
    a_table_that_is_gone_is_named,
);

async fn again_is_nothing(base: Base) {
    let mut store = base.open(Mode::Write).await;
    assert_eq!(store.schema_state().await.unwrap(), SchemaState::Current);
    assert_eq!(store.migrate(false).await.unwrap(), []);
    drop(store);
    let mut store = base.open(Mode::Read).await;
    assert_eq!(store.schema_state().await.unwrap(), SchemaState::Current);
}

async fn every_database_has_an_identity_of_its_own(base: Base) {
    let mut store = base.open(Mode::Read).await;
    let first = store.snapshot().await.unwrap();
    assert_eq!(first.schema, base.schema);
    drop(store);
    // As a database of an earlier version: it keeps what it holds.
    base.sql("DROP TABLE {lkroute_trusted_hosts}").await;
    base.sql("ALTER TABLE {lkroute_state} DROP COLUMN identity")
        .await;
    base.sql("ALTER TABLE {lkroute_applies} DROP COLUMN account")
        .await;
    base.sql("UPDATE {lkroute_state} SET schema_version = 1, owner = 'tests'")
        .await;
    let mut store = base.open(Mode::Write).await;
    let steps = store.migrate(false).await.unwrap();
    let names: Vec<_> = steps.iter().map(|step| step.name.as_str()).collect();
    let expected = [
        "give the database an identity",
        "make room for trusted servers",
        "keep accounts for budgets",
    ];
    assert_eq!(names, expected);
    let second = store.snapshot().await.unwrap();
    assert_eq!(second.owner.as_deref(), Some("tests"));
    assert!(first.identity.is_some() && second.identity.is_some());
    assert_ne!(first.identity, second.identity);
    assert_eq!(second.identity.map(|id| id.get_version_num()), Some(4));
}

async fn a_newer_database_is_refused(base: Base) {
    base.sql("UPDATE {lkroute_state} SET schema_version = 99")
        .await;
    let mut store = base.open(Mode::Write).await;
    assert_eq!(store.schema_state().await.unwrap(), SchemaState::Newer(99));
    let error = store.migrate(false).await.unwrap_err();
    assert_contains!(error.message, "newer lkroute");
}

/// What is missing is named alike by all that ask.
async fn a_table_that_is_gone_is_named(base: Base) {
    base.sql("DROP TABLE {lkroute_files}").await;
    let mut store = base.open(Mode::Write).await;
    let gone = SchemaState::Damaged(vec!["lkroute_files".to_owned()]);
    assert_eq!(store.schema_state().await.unwrap(), gone);
    let error = store.migrate(false).await.unwrap_err();
    assert_contains!(error.message, "lkroute_files");
    assert_contains!(error.hint.unwrap(), "backup");
}

/// That is no other migration.
#[tokio::test]
async fn a_table_of_others_with_a_name_of_ours_is_told() {
    let Some(base) = Base::legacy_postgres("taken") else {
        return;
    };
    base.sql("CREATE TABLE {lkroute_files} (a int)").await;
    let mut store = base.open(Mode::Write).await;
    let error = store.migrate(false).await.unwrap_err();
    assert_contains!(error.message, "already exists");
    assert_contains!(error.hint.unwrap(), "something of others");
}

async fn the_index_is_a_step_of_its_own(base: Base) {
    let mut store = base.open(Mode::Write).await;
    if base.schema.is_some() {
        assert!(store.index_missing().await.unwrap());
        assert!(store.create_index().await.unwrap());
    }
    assert!(!store.index_missing().await.unwrap());
    assert!(!store.create_index().await.unwrap());
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let db = postgres.database("dry");
    let url = DatabaseUrl::parse(&db.url).unwrap();
    let mut store = Store::open(&url, Some("new"), Mode::Write).await.unwrap();
    let steps = store.migrate(true).await.unwrap();
    assert_eq!(steps.len(), 7);
    assert_eq!(
        db.psql("SELECT count(*) FROM pg_namespace WHERE nspname = 'new'"),
        "0"
    );
    assert_eq!(store.migrate(false).await.unwrap(), steps);
    assert_eq!(store.migrate(false).await.unwrap(), []);
    assert!(!store.index_missing().await.unwrap());
    // What it printed does the same.
    let by_hand = postgres.database("by_hand");
    by_hand.psql(&lkroute::store::script(&steps));
    let mut store = open_at(&by_hand.url, Some("new"), Mode::Read).await;
    assert_eq!(store.schema_state().await.unwrap(), SchemaState::Current);
    db.psql("INSERT INTO new.voice_agent_numbers (tenant_id) VALUES (gen_random_uuid())");
    db.psql("UPDATE new.voice_agent_numbers SET updated_at = '2001-01-01'");
    let touched = "SELECT updated_at > '2020-01-01' FROM new.voice_agent_numbers";
    assert_eq!(db.psql(touched), "t");
}

#[tokio::test]
async fn two_at_once_agree() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let db = postgres.database("race");
    let url = DatabaseUrl::parse(&db.url).unwrap();
    let migrate = || async {
        let mut store = Store::open(&url, Some("s"), Mode::Write).await.unwrap();
        store.migrate(false).await
    };
    let all = futures_util::future::join_all((0..4).map(|_| migrate())).await;
    for result in all {
        result.unwrap();
    }
    assert_eq!(db.psql("SELECT count(*) FROM s.lkroute_state"), "1");
}

#[tokio::test]
async fn a_table_of_another_role_with_worker_name_is_not_touched() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let mut db = postgres.database("owned");
    let legacy = Legacy::named(SCHEMA);
    legacy.install(&db);
    let (role, url) = db.role("deploy");
    let schema = "\"Weird \"\"schema\"";
    db.psql(&format!("GRANT USAGE ON SCHEMA {schema} TO {role}"));
    let mut store = open_at(&url, Some(SCHEMA), Mode::Write).await;

    let error = store.migrate(false).await.unwrap_err();
    assert_contains!(error.message, "permission denied");
    assert_contains!(
        error.message,
        "CREATE TABLE \"Weird \"\"schema\".lkroute_state"
    );
    let touched = "ALTER TABLE \"Weird \"\"schema\".voice";
    assert_lacks!(error.message, touched);

    db.psql(&format!("GRANT CREATE ON SCHEMA {schema} TO {role}"));
    let before = table_checksum(&db, SCHEMA, "voice_agent_numbers", "true");
    assert_eq!(store.migrate(false).await.unwrap().len(), 4);
    assert_eq!(
        table_checksum(&db, SCHEMA, "voice_agent_numbers", "true"),
        before
    );
    let error = store.create_index().await.unwrap_err();
    assert_contains!(error.message, "CREATE INDEX CONCURRENTLY");
    assert!(store.index_missing().await.unwrap());
}

#[tokio::test]
async fn worker_name_is_added_where_it_is_absent() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let mut db = postgres.database("worker");
    let legacy = Legacy {
        worker_name: false,
        ..Legacy::default()
    };
    legacy.install(&db);
    let url = DatabaseUrl::parse(&db.url).unwrap();
    let mut store = Store::open(&url, Some("lad_dev"), Mode::Write)
        .await
        .unwrap();

    // Not while somebody holds the table: it waits three seconds, and no queue
    // forms behind it.
    let mut other = sqlx::PgConnection::connect(&db.url).await.unwrap();
    let hold = "BEGIN; SELECT 1 FROM lad_dev.voice_agent_livekit";
    sqlx::raw_sql(hold).execute(&mut other).await.unwrap();
    let error = store.migrate(false).await.unwrap_err();
    assert_contains!(error.message, "lock");
    drop(other);

    let (_, reader) = db.role("reader");
    let mut store = open_at(&reader, Some("lad_dev"), Mode::Read).await;
    let SchemaState::Behind(steps) = store.schema_state().await.unwrap() else {
        panic!("the schema is behind");
    };
    assert_eq!(steps.len(), 5);
    let mut store = Store::open(&url, Some("lad_dev"), Mode::Write)
        .await
        .unwrap();
    assert_eq!(store.migrate(false).await.unwrap(), steps);
    let workers = "SELECT count(*) FROM lad_dev.voice_agent_livekit WHERE worker_name IS NULL";
    assert_eq!(db.psql(workers), "2");
}

#[tokio::test]
async fn a_failed_build_of_the_index_is_cleared_away() {
    let Some(base) = Base::postgres("invalid").await else {
        return;
    };
    let mut store = base.open(Mode::Write).await;
    assert!(store.create_index().await.unwrap());
    base.sql(
        "UPDATE pg_index SET indisvalid = false
              WHERE indexrelid = (SELECT oid FROM pg_class WHERE relname = 'lkroute_number')",
    )
    .await;
    assert!(store.index_missing().await.unwrap());
    assert!(store.create_index().await.unwrap());
    assert!(!store.index_missing().await.unwrap());
}

#[tokio::test]
async fn a_missing_file_is_told_and_not_made_by_reading() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("none.db");
    let url = DatabaseUrl::parse(&format!("sqlite://{}", path.display())).unwrap();
    assert!(!url.exists().unwrap());
    let error = Store::open(&url, None, Mode::Read).await.unwrap_err();
    assert!(error.message.ends_with("none.db is missing"), "{error}");
    assert!(!path.exists());
    let error = Store::open(&url, Some("public"), Mode::Write)
        .await
        .unwrap_err();
    assert_contains!(error.message, "no schema");
    Store::open(&url, None, Mode::Write).await.unwrap();
    assert!(url.exists().unwrap());
    std::fs::write(
        &path,
        "this is no database, but long enough to look like one",
    )
    .unwrap();
    let mut store = Store::open(&url, None, Mode::Read).await.unwrap();
    let error = store.schema_state().await.unwrap_err();
    assert!(
        error.hint.unwrap().contains("no intact"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn no_server_and_a_wrong_password_are_told_without_the_password() {
    let port = crate::support::free_port();
    let url = format!("postgres://bob:made-up-password@127.0.0.1:{port}/none");
    let url = DatabaseUrl::parse(&url).unwrap();
    let error = Store::open(&url, None, Mode::Read).await.unwrap_err();
    assert_contains!(error.message, format!("127.0.0.1:{port}/none"));
    assert_lacks!(format!("{error:?}"), "made-up");
}
