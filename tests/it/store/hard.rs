//! Applies under hard conditions: lost connections, poolers, scant rights,
//! other applies, locks.

use std::time::Duration;

use lkroute::diff::secret::SecretFacts;
use lkroute::error::Exit;
use lkroute::fields::{Field, Fields};
use lkroute::store::{DatabaseUrl, Mode, Store};
use sqlx::Connection;

use super::base::*;
use super::on_both;
use crate::support::{Cut, Db, Legacy, Pgbouncer, Postgres, TcpCut, table_checksum};

on_both!(
    of_two_at_once_one_is_stale,
    a_lock_that_is_held_is_waited_for_and_told,
);

async fn of_two_at_once_one_is_stale(base: Base) {
    let plan = base.plan(&files()).await;
    let (one, two) = tokio::join!(base.apply(&plan), base.apply(&plan));
    assert!(one.is_ok() != two.is_ok());
    let error = one.err().or(two.err()).unwrap();
    assert_eq!(error.error.exit, Exit::Stale, "{}", error.error);
    assert_contains!(error.error.message, "apply 1 by a test");
    assert_eq!(
        base.sql("SELECT count(*) FROM {lkroute_applies}").await,
        "1"
    );
}

async fn a_lock_that_is_held_is_waited_for_and_told(base: Base) {
    let plan = base.plan(&files()).await;
    let mut request = request(&plan);
    request.lock_timeout = Duration::from_millis(200);
    let mut store = base.open(Mode::Write).await;
    let error = match &base.hold {
        Hold::Postgres(db) => {
            let mut other = sqlx::PgConnection::connect(&db.url).await.unwrap();
            let state = base.table("lkroute_state");
            let lock = format!("BEGIN; SELECT 1 FROM {state} FOR UPDATE");
            let lock = sqlx::raw_sql(sqlx::AssertSqlSafe(lock));
            lock.execute(&mut other).await.unwrap();
            store.apply(&plan, &request, &mut |_, _| ()).await
        }
        Hold::Sqlite(_) => {
            let url = format!("sqlite://{}", base.url.file().unwrap().display());
            let mut other = sqlx::SqliteConnection::connect(&url).await.unwrap();
            let lock = sqlx::raw_sql("BEGIN IMMEDIATE");
            lock.execute(&mut other).await.unwrap();
            store.apply(&plan, &request, &mut |_, _| ()).await
        }
    }
    .unwrap_err();
    // Somebody else's lock is not called an apply.
    let message = error.error.message;
    let holder = match &base.hold {
        Hold::Postgres(_) => "(process ",
        Hold::Sqlite(_) => "another process is writing",
    };
    assert_contains!(message, holder);
    assert_contains!(message, "as an apply does: waited 0 s");
    store.apply(&plan, &request, &mut |_, _| ()).await.unwrap();
}

#[tokio::test]
async fn a_connection_lost_around_commit_ends_in_the_truth() {
    for cut in [Cut::Before, Cut::During, Cut::After] {
        let Some(base) = Base::postgres("cut").await else {
            return;
        };
        let plan = base.plan(&files()).await;
        // Of a role's or a database's defaults none counts, when the apply is looked
        // for neither.
        let name = &base.db().name;
        for default in ["isolation = 'serializable'", "read_only = on"] {
            let default = format!("ALTER DATABASE {name} SET default_transaction_{default}");
            base.sql(&default).await;
        }
        let proxy = TcpCut::new(&base.db().url, cut, "lkroute_applies (id");
        let mut store = open_at(&proxy.url, Some(SCHEMA), Mode::Write).await;
        let result = store.apply(&plan, &request(&plan), &mut |_, _| ()).await;
        assert_eq!(proxy.cuts(), 1);
        let there = base.sql("SELECT count(*) FROM {lkroute_applies}").await;
        match cut {
            Cut::Before => {
                let error = result.unwrap_err().error;
                assert_eq!((error.exit, there.as_str()), (Exit::Error, "0"), "{error}");
                assert_contains!(error.message, "nothing was written");
                // The store has found a new connection.
                store
                    .apply(&plan, &request(&plan), &mut |_, _| ())
                    .await
                    .unwrap();
            }
            Cut::During | Cut::After => {
                assert_eq!((result.unwrap().id, there.as_str()), (1, "1"), "{cut:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_outcome_that_cannot_be_found_out_is_exit_8() {
    let Some(base) = Base::postgres("unknown").await else {
        return;
    };
    let plan = base.plan(&files()).await;
    let proxy = TcpCut::new(&base.db().url, Cut::During, "lkroute_applies (id").refuse_after();
    let mut store = open_at(&proxy.url, Some(SCHEMA), Mode::Write).await;
    let mut request = request(&plan);
    request.find_out = Duration::from_secs(1);
    let result = store.apply(&plan, &request, &mut |_, _| ()).await;
    let error = result.unwrap_err().error;
    assert_eq!(error.exit, Exit::Unknown, "{error}");
    assert_eq!(
        base.sql("SELECT count(*) FROM {lkroute_applies}").await,
        "1"
    );
}

/// A synchronous standby is away: the server answers all the time, so that nobody
/// should look for it in the network.
#[tokio::test]
async fn a_commit_that_waits_for_a_standby_is_told() {
    let Some(postgres) = Postgres::own() else {
        return;
    };
    let base = Base::in_cluster(postgres, "synchronous", SCHEMA);
    base.migrated().await;
    let plan = base.plan(&files()).await;
    let standby = |names: &str| {
        let set = format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'");
        [set.as_str(), "SELECT pg_reload_conf()"].map(|sql| base.db().psql(sql))
    };
    base.sql("SET synchronous_commit = off; ALTER ROLE lkroute SET synchronous_commit = on")
        .await;
    standby("nobody");
    let url = format!("{}?socket_timeout=1", base.db().url);
    let mut store = open_at(&url, Some(SCHEMA), Mode::Write).await;
    let mut request = request(&plan);
    request.find_out = Duration::from_secs(2);
    let result = store.apply(&plan, &request, &mut |_, _| ()).await;
    standby("");
    let error = result.unwrap_err().error;
    assert_eq!(error.exit, Exit::Unknown, "{error}");
    assert_contains!(
        error.message,
        "COMMIT has not ended there",
        "synchronous standby"
    );
    let applies = "SELECT count(*) FROM {lkroute_applies}";
    let start = std::time::Instant::now();
    while base.sql(applies).await != "1" {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "it is there in the end"
        );
    }
}

/// The server is away for longer than a glance: it is looked for meanwhile,
/// and people are told.
#[tokio::test]
async fn an_apply_is_looked_for_as_long_as_a_failover_takes() {
    static TOLD: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());
    let Some(base) = Base::postgres("failover").await else {
        return;
    };
    let plan = base.plan(&files()).await;
    let away = Duration::from_secs(9);
    let proxy = TcpCut::new(&base.db().url, Cut::During, "lkroute_applies (id").refuse_for(away);
    let mut store = open_at(&proxy.url, Some(SCHEMA), Mode::Write).await;
    let mut request = request(&plan);
    request.notice = |text| TOLD.lock().unwrap().push(text.to_owned());
    let applied = store.apply(&plan, &request, &mut |_, _| ()).await;
    assert_eq!(applied.unwrap().id, 1);
    let told = TOLD.lock().unwrap();
    assert!(told[0].contains("looking for up to 90 s"), "{told:?}");
}

#[tokio::test]
async fn a_connection_lost_earlier_has_written_nothing() {
    let Some(base) = Base::postgres("lost").await else {
        return;
    };
    let plan = base.plan(&files()).await;
    let before = base.everything().await;
    let mut store = base.open(Mode::Write).await;
    let kill = |done, _| {
        if done == 0 {
            return;
        }
        base.db().psql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE application_name = 'lkroute' AND datname = current_database()",
        );
    };
    let mut routing = files();
    bind(&mut routing, "+919000000001", 0, "india", Fields::new());
    let with_number = base.plan(&routing).await;
    let result = store
        .apply(&with_number, &request(&plan), &mut { kill })
        .await;
    assert_eq!(result.unwrap_err().error.exit, Exit::Error);
    assert_eq!(base.everything().await, before);
}

/// A program that is killed while it writes leaves its journal behind: the
/// files are copied as they are then.
#[tokio::test]
async fn readers_go_on_after_a_killed_apply() {
    let base = Base::sqlite().await;
    base.settle(&files()).await;
    base.sql(
        "CREATE TABLE big AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
           WHERE i < 300) SELECT i, hex(zeroblob(2000)) AS text FROM n",
    )
    .await;
    let file = base.url.file().unwrap();
    let url = format!("sqlite://{}", file.display());
    let mut killed = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let write = "PRAGMA cache_size = 5; BEGIN IMMEDIATE; UPDATE big SET text = 'half written';
        UPDATE voice_agent_livekit SET name = 'half ' || name";
    sqlx::raw_sql(write).execute(&mut killed).await.unwrap();
    let left = Base::sqlite().await;
    let copy = left.url.file().unwrap();
    let journal = |path: &std::path::Path| path.with_extension("db-journal");
    std::fs::copy(file, copy).unwrap();
    std::fs::copy(journal(file), journal(copy)).unwrap();
    let mut plain = sqlx::sqlite::SqliteConnectOptions::new();
    plain = plain.filename(copy).read_only(true);
    let mut plain = sqlx::SqliteConnection::connect_with(&plain).await.unwrap();
    let failed = sqlx::raw_sql("SELECT 1 FROM big").execute(&mut plain).await;
    assert!(failed.is_err(), "the journal is hot");
    plain.close().await.unwrap();
    assert_eq!(describe(&left.plan(&files()).await), "");
    assert!(!journal(copy).exists());
}

#[tokio::test]
async fn an_apply_goes_through_a_pooler() {
    let Some(base) = Base::postgres("pooled_apply").await else {
        return;
    };
    let Some(pooler) = Pgbouncer::transaction_mode(base.db()) else {
        return;
    };
    let url = DatabaseUrl::parse(&pooler.url).unwrap();
    let mut store = Store::open(&url, Some(SCHEMA), Mode::Write).await.unwrap();
    let mut routing = files();
    for n in 0..20 {
        bind(
            &mut routing,
            &format!("+9190000000{n:02}"),
            n % 3,
            "india",
            Fields::new(),
        );
    }
    for outbound in [true, false] {
        for settings in &mut routing.settings {
            settings.fields.set(Field::Outbound, Some(outbound.into()));
        }
        // Others take and return the pool's connections all the while.
        let mut other = Store::open(&url, Some(SCHEMA), Mode::Read).await.unwrap();
        other.begin_read().await.unwrap();
        let plan = plan(&mut store, &routing, &SecretFacts::default())
            .await
            .unwrap();
        store
            .apply(&plan, &request(&plan), &mut |_, _| ())
            .await
            .unwrap();
        other.end_read().await.unwrap();
    }
    assert_eq!(describe(&base.plan(&routing).await), "");
}

/// The rights that the README lists for apply.
fn grants(schema: &str, role: &str) -> String {
    format!(
        "GRANT USAGE ON SCHEMA {schema} TO {role};
         GRANT SELECT, INSERT, UPDATE, DELETE ON {schema}.voice_agent_livekit TO {role};
         GRANT SELECT, INSERT, UPDATE ON {schema}.voice_agent_numbers TO {role};
         GRANT SELECT, INSERT ON {schema}.lkroute_state, {schema}.lkroute_applies,
           {schema}.lkroute_files, {schema}.lkroute_tenants, {schema}.lkroute_settings,
           {schema}.lkroute_regions, {schema}.lkroute_configs, {schema}.lkroute_bindings TO {role};
         GRANT UPDATE ON {schema}.lkroute_state TO {role};
         GRANT UPDATE (alias) ON {schema}.lkroute_tenants TO {role};
         GRANT UPDATE (until) ON {schema}.lkroute_regions, {schema}.lkroute_configs,
           {schema}.lkroute_bindings TO {role};"
    )
}

#[tokio::test]
async fn tables_of_another_role_take_the_listed_grants() {
    let Some(mut base) = Base::postgres("granted").await else {
        return;
    };
    base.number(id(1), TENANT_B, "'+91' 9000000001", "NULL, NULL, NULL")
        .await;
    let mut routing = files();
    bind(&mut routing, "+919000000001", 1, "india", Fields::new());
    bind(&mut routing, "+919000000002", 1, "india", Fields::new());
    let plan = base.plan(&routing).await;
    let Hold::Postgres(db) = &mut base.hold else {
        return;
    };
    let (role, url) = db.role("deploy");
    let schema = "\"Weird \"\"schema\"";
    db.psql(&format!(
        "GRANT USAGE ON SCHEMA {schema} TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}"
    ));
    let url = DatabaseUrl::parse(&url).unwrap();
    let mut store = Store::open(&url, Some(SCHEMA), Mode::Write).await.unwrap();
    let result = store.apply(&plan, &request(&plan), &mut |_, _| ()).await;
    let error = result.unwrap_err().error;
    assert_contains!(error.message, "permission denied");
    assert_contains!(error.hint.unwrap(), "GRANT");
    db.psql(&grants(schema, &role));
    store
        .apply(&plan, &request(&plan), &mut |_, _| ())
        .await
        .unwrap();
    drop(store);
    let mut without = files();
    without.configs.remove("uae");
    without.regions.remove("uae");
    let mut store = Store::open(&url, Some(SCHEMA), Mode::Write).await.unwrap();
    let plan = super::base::plan(&mut store, &without, &SecretFacts::default())
        .await
        .unwrap();
    store
        .apply(&plan, &request(&plan), &mut |_, _| ())
        .await
        .unwrap();
}

#[tokio::test]
async fn deadlocks_are_tried_again() {
    let Some(base) = Base::postgres("deadlock").await else {
        return;
    };
    base.number(id(1), TENANT_B, "'+91' 9000000001", "NULL, NULL, NULL")
        .await;
    base.settle(&files()).await;
    let mut routing = files();
    routing.configs.get_mut("uae").unwrap().worker_name = None;
    bind(&mut routing, "+919000000001", 1, "india", Fields::new());
    let plan = base.plan(&routing).await;
    // Another program holds the number, and then wants the config that the
    // apply holds; its deadlock timeout is longer than ours.
    let mut other = sqlx::PgConnection::connect(&base.db().url).await.unwrap();
    let numbers = base.table("voice_agent_numbers");
    let configs = base.table("voice_agent_livekit");
    let first = format!(
        "BEGIN; SET LOCAL deadlock_timeout = '60s';
         UPDATE {numbers} SET default_agent_id = 1"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(first))
        .execute(&mut other)
        .await
        .unwrap();
    let second = async {
        let waiting = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        for _ in 0..400 {
            if base.sql(waiting).await == "1" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let sql = format!("UPDATE {configs} SET description = NULL; COMMIT");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&mut other)
            .await
    };
    let (applied, other) = tokio::join!(base.apply(&plan), second);
    other.unwrap();
    applied.unwrap();
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    let mut waited = 0;
    while base.sql(deadlocks).await != "1" {
        waited += 1;
        assert!(waited < 100, "there was a deadlock");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(describe(&base.plan(&routing).await), "");
}

/// A database as in production: five tenants of one number, triggers, a
/// hundred foreign rows and odd ones.
#[tokio::test]
async fn a_database_in_use_keeps_all_that_is_not_ours() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let db = postgres.database("in_use");
    Legacy::default().install(&db);
    let mut store = open_at(&db.url, Some("lad_dev"), Mode::Write).await;
    store.migrate(false).await.unwrap();
    let others = format!("NOT (tenant_id = '{TENANT_INDIA}' AND base_number = 9513456728)");
    let sum = |db: &Db| table_checksum(db, "lad_dev", "voice_agent_numbers", &others);
    let before = sum(&db);

    let mut routing = files();
    routing.configs.retain(|name, _| name == "india");
    routing.regions.retain(|name, _| name == "india");
    let config = routing.configs.get_mut("india").unwrap();
    config.adopt = vec![Field::Name, Field::ApiSecret, Field::TrunkId];
    config.api_key = "APImadeupindia".to_owned();
    bind(
        &mut routing,
        "+919513456728",
        0,
        "india",
        Fields::new().with(Field::Outbound, true),
    );
    let facts = SecretFacts::default();
    let touched = "SELECT updated_at > now() - interval '1 minute' FROM lad_dev.voice_agent_numbers
                   WHERE tenant_id = 'e0a3e9ca-3f46-4bb0-ac10-a91b5c1d20b5'";
    db.psql(
        "ALTER TABLE lad_dev.voice_agent_numbers DISABLE TRIGGER touch;
             UPDATE lad_dev.voice_agent_numbers SET updated_at = '2020-01-01'
               WHERE tenant_id = 'e0a3e9ca-3f46-4bb0-ac10-a91b5c1d20b5';
             ALTER TABLE lad_dev.voice_agent_numbers ENABLE TRIGGER touch",
    );
    let plan = super::base::plan(&mut store, &routing, &facts)
        .await
        .unwrap();
    store
        .apply(&plan, &request(&plan), &mut |_, _| ())
        .await
        .unwrap();
    assert_eq!(db.psql(touched), "t");
    let row = "SELECT rules, default_agent_id FROM lad_dev.voice_agent_numbers
               WHERE tenant_id = 'e0a3e9ca-3f46-4bb0-ac10-a91b5c1d20b5'";
    assert_eq!(
        db.psql(row),
        format!(
            r#"{{"inbound": true, "outbound": true, "number_type": "mobile", "livekit_config": "{CONFIG_INDIA}"}}|33"#
        )
    );
    let left = super::base::plan(&mut store, &routing, &facts)
        .await
        .unwrap();
    assert_eq!(describe(&left), "");
    routing.bindings.clear();
    let plan = super::base::plan(&mut store, &routing, &facts)
        .await
        .unwrap();
    store
        .apply(&plan, &request(&plan), &mut |_, _| ())
        .await
        .unwrap();
    assert_eq!(
        db.psql(row),
        r#"{"inbound": true, "number_type": "mobile"}|33"#
    );
    assert_eq!(sum(&db), before);
}
