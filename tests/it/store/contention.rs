//! Beside other software that writes the same tables, in transactions that
//! have not ended yet.

use std::time::{Duration, Instant};

use lkroute::diff::plan::Plan;
use lkroute::error::Exit;
use lkroute::fields::Fields;
use lkroute::store::{ApplyError, Mode, WriteRequest};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::time::sleep;

use super::apply::one;
use super::base::*;

/// A transaction of others: it runs this SQL and stays open.
async fn other(base: &Base, sql: &str) -> PgConnection {
    let mut other = PgConnection::connect(&base.db().url).await.unwrap();
    run(&mut other, &format!("BEGIN; {sql}")).await;
    other
}

async fn run(conn: &mut PgConnection, sql: &str) {
    let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await;
    done.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

async fn apply_as(
    base: &Base,
    plan: &Plan,
    change: impl FnOnce(&mut WriteRequest),
) -> Result<(), ApplyError> {
    let mut request = request(plan);
    change(&mut request);
    let mut store = base.open(Mode::Write).await;
    store
        .apply(plan, &request, &mut |_, _| ())
        .await
        .map(|_| ())
}

fn number(base: &Base, tenant: &str) -> String {
    format!(
        "INSERT INTO {} (id, tenant_id, country_code, base_number)
         VALUES ('{}', '{tenant}', '+91', 9000000001)",
        base.table("voice_agent_numbers"),
        id(1)
    )
}

#[tokio::test]
async fn a_number_that_others_are_inserting_is_not_inserted_twice() {
    let Some(base) = Base::postgres("inserting").await else {
        return;
    };
    base.settle(&files()).await;
    let plan = base.plan(&one("+919000000001", Fields::new())).await;
    let mut theirs = other(&base, &number(&base, TENANT_INDIA)).await;
    let (applied, ()) = tokio::join!(base.apply(&plan), async {
        sleep(Duration::from_millis(700)).await;
        run(&mut theirs, "COMMIT").await;
    });
    let error = applied.unwrap_err();
    assert_eq!(error.error.exit, Exit::Stale, "{}", error.error);
    assert_eq!(error.moved[0].to_string(), "binding.+919000000001@tenant-a");

    // Another number does no harm, and is waited for.
    let plan = base.plan(&one("+919000000002", Fields::new())).await;
    run(&mut theirs, "BEGIN").await;
    let update = format!(
        "UPDATE {} SET provider = 'x'",
        base.table("voice_agent_numbers")
    );
    run(&mut theirs, &update).await;
    let (applied, ()) = tokio::join!(base.apply(&plan), async {
        sleep(Duration::from_millis(700)).await;
        run(&mut theirs, "COMMIT").await;
    });
    applied.unwrap();
}

#[tokio::test]
async fn a_config_that_others_are_taking_into_use_is_not_deleted() {
    let Some(base) = Base::postgres("taking").await else {
        return;
    };
    base.settle(&files()).await;
    run(
        &mut PgConnection::connect(&base.db().url).await.unwrap(),
        &number(&base, TENANT_B),
    )
    .await;
    let mut without = files();
    without.configs.remove("uae");
    without.regions.remove("uae");
    let plan = base.plan(&without).await;
    let take = format!(
        r#"UPDATE {} SET rules = '{{"livekit_config": "{CONFIG_UAE}"}}'"#,
        base.table("voice_agent_numbers")
    );
    let mut theirs = other(&base, &take).await;
    let (applied, ()) = tokio::join!(base.apply(&plan), async {
        sleep(Duration::from_millis(700)).await;
        run(&mut theirs, "COMMIT").await;
    });
    let error = applied.unwrap_err();
    assert_eq!(error.error.exit, Exit::Stale, "{}", error.error);
    assert_eq!(error.moved[0].to_string(), "config.uae");
}

/// While an apply waits for one transaction, others who write are held up for
/// no longer than an attempt; whoever holds it up is named.
#[tokio::test]
async fn writers_are_stalled_for_moments_only() {
    let Some(base) = Base::postgres("stall").await else {
        return;
    };
    base.settle(&files()).await;
    let plan = base.plan(&one("+919000000001", Fields::new())).await;
    let mut theirs = other(&base, &number(&base, TENANT_B)).await;
    let patient = async {
        let applied = apply_as(&base, &plan, |request| {
            request.lock_timeout = Duration::from_millis(2500);
        });
        applied.await.unwrap_err()
    };
    let table = base.table("voice_agent_numbers");
    let writer = async {
        let mut conn = PgConnection::connect(&base.db().url).await.unwrap();
        let (start, mut longest) = (Instant::now(), Duration::ZERO);
        while start.elapsed() < Duration::from_millis(2500) {
            let before = Instant::now();
            run(
                &mut conn,
                &format!("UPDATE {table} SET provider = 'x' WHERE false"),
            )
            .await;
            longest = longest.max(before.elapsed());
            sleep(Duration::from_millis(5)).await;
        }
        longest
    };
    let (error, longest) = tokio::join!(patient, writer);
    let message = error.error.to_string();
    assert_contains!(message, "writing to voice_agent_numbers");
    assert_contains!(message, "lkroute", "process");
    println!("the longest stall of a writer: {} ms", longest.as_millis());
    assert!(longest < Duration::from_millis(800), "{longest:?}");
    assert!(longest > Duration::from_millis(50), "the table is locked");
    // The transaction that was waited for goes on, and can write more.
    run(
        &mut theirs,
        &format!("UPDATE {table} SET provider = 'y'; COMMIT"),
    )
    .await;
    base.apply(&plan).await.unwrap();
}

/// Nothing but the application's row locks is waited for where no row is
/// added, and no config deleted.
#[tokio::test]
async fn an_update_waits_for_no_other_row() {
    let Some(base) = Base::postgres("no_other_row").await else {
        return;
    };
    base.settle(&one("+919000000009", Fields::new())).await;
    let plan = base
        .plan(&one("+919000000009", super::apply::outbound(true)))
        .await;
    let mut theirs = other(&base, &number(&base, TENANT_B)).await;
    let applied = apply_as(&base, &plan, |request| {
        request.lock_timeout = Duration::from_millis(300);
    });
    applied.await.unwrap();
    run(&mut theirs, "ROLLBACK").await;
}

/// The transaction of a client that vanishes ends by itself.
#[tokio::test]
async fn a_writing_transaction_has_limits_of_its_own() {
    let Some(base) = Base::postgres("limits").await else {
        return;
    };
    let plan = base.plan(&files()).await;
    let log = "CREATE TABLE seen AS SELECT '' AS idle, '' AS alive WHERE false;
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           INSERT INTO seen SELECT current_setting('idle_in_transaction_session_timeout'),
             current_setting('tcp_keepalives_idle'); RETURN NEW; END $$";
    base.sql(log).await;
    let configs = base.table("voice_agent_livekit");
    base.sql(&format!(
        "CREATE TRIGGER note BEFORE INSERT ON {configs} EXECUTE FUNCTION note()"
    ))
    .await;
    base.apply(&plan).await.unwrap();
    assert_eq!(base.sql("SELECT * FROM seen").await, "1min|15");
}

/// So does that in which a call is recorded.
#[tokio::test]
async fn a_recording_transaction_has_limits_of_its_own() {
    let Some(base) = Base::postgres("recording").await else {
        return;
    };
    let log = "CREATE TABLE seen AS SELECT '' AS idle, '' AS alive WHERE false;
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           INSERT INTO seen SELECT current_setting('idle_in_transaction_session_timeout'),
             current_setting('tcp_keepalives_idle'); RETURN NEW; END $$";
    base.sql(log).await;
    let calls = base.table("lkroute_dispatches");
    base.sql(&format!(
        "CREATE TRIGGER note BEFORE INSERT OR UPDATE ON {calls} FOR EACH ROW
           EXECUTE FUNCTION note()"
    ))
    .await;
    let mut store = base.open(Mode::Record).await;
    let call = super::dispatches::call(1, None);
    assert!(store.insert_call(&call).await.unwrap());
    store.complete_call(&call).await.unwrap();
    assert_eq!(base.sql("SELECT DISTINCT * FROM seen").await, "1min|15");
}

#[tokio::test]
async fn an_apply_that_is_asked_to_stop_rolls_back() {
    let Some(base) = Base::postgres("asked").await else {
        return;
    };
    base.settle(&files()).await;
    let plan = base.plan(&one("+919000000001", Fields::new())).await;
    let before = base.everything().await;
    // In the wait for a row that others hold.
    let state = base.table("lkroute_state");
    let mut theirs = other(&base, &format!("SELECT 1 FROM {state} FOR UPDATE")).await;
    let (ask, asked) = tokio::sync::watch::channel(false);
    let applying = apply_as(&base, &plan, |request| request.stop = Some(asked));
    let start = Instant::now();
    let (applied, ()) = tokio::join!(applying, async {
        sleep(Duration::from_millis(300)).await;
        ask.send(true).unwrap();
    });
    assert!(start.elapsed() < Duration::from_secs(8));
    let message = applied.unwrap_err().error.message;
    assert_contains!(message, "rolled back");
    run(&mut theirs, "ROLLBACK").await;
    assert_eq!(base.everything().await, before);
    let left = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                AND application_name = 'lkroute' AND state <> 'idle'";
    assert_eq!(base.sql(left).await, "0", "no transaction is left");
}
