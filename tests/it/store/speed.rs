//! Figures, on request: the store against what psql does by hand, at a
//! million numbers. Run with `--ignored`, built for release, and with
//! `LKROUTE_SPEED_URL` naming an empty database.

use std::time::{Duration, Instant};

use lkroute::diff::differ::Differ;
use lkroute::diff::secret::SecretFacts;
use lkroute::fields::{Field, Fields};
use lkroute::routing::{Binding, Origin, Routing};
use lkroute::store::{DatabaseUrl, LookUp, Mode, Store};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use super::base::*;

const TENANTS: u32 = 40;

fn many(numbers: u32) -> Routing {
    let mut routing = files();
    let fields = Fields::new()
        .with(Field::Provider, "TechieMaya FZE")
        .with(Field::Outbound, true)
        .with(Field::AllowedOutbound, "india")
        .with(Field::RequiredLeadFormat, vec!["0", "base_number"]);
    bind(&mut routing, "+919000000000", 0, "india", fields);
    routing.bindings.clear();
    let tenants = 3..TENANTS;
    let more = tenants.map(|n| lkroute::routing::Tenant {
        id: Uuid::from_u64_pair(0x1234_5678_0000_4000 + u64::from(n), 0x8000_0000_0000_0000),
        alias: Some(format!("tenant-{n}")),
    });
    routing.tenants.extend(more);
    for n in 0..numbers {
        routing.bindings.push(Binding {
            number: e164(&format!("+919{n:09}")),
            tenant: n % TENANTS,
            settings: 0,
            origin: Origin {
                file: n % 2,
                line: n / 2 + 1,
            },
        });
    }
    routing
}

async fn planned(
    store: &mut Store,
    routing: &Routing,
) -> (lkroute::diff::plan::Plan, [Duration; 3]) {
    let start = Instant::now();
    store.begin_read().await.unwrap();
    let snapshot = store.snapshot().await.unwrap();
    let mut differ = Differ::new(routing, &snapshot, &SecretFacts::default(), Uuid::now_v7);
    let begun = start.elapsed();
    store.run_diff(&mut differ, &mut |_| ()).await.unwrap();
    let fed = start.elapsed();
    store.end_read().await.unwrap();
    let plan = differ.finish(Uuid::now_v7);
    (plan, [begun, fed, start.elapsed()])
}

#[tokio::test]
#[ignore = "takes a minute, and a database of its own"]
async fn a_million() {
    let url = std::env::var("LKROUTE_SPEED_URL").expect("LKROUTE_SPEED_URL");
    let numbers: u32 =
        std::env::var("LKROUTE_SPEED_ROWS").map_or(1_000_000, |n| n.parse().unwrap());
    let mut db = PgConnection::connect(&url).await.unwrap();
    let sql = async |db: &mut PgConnection, sql: &str| {
        let start = Instant::now();
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(db).await.unwrap();
        start.elapsed()
    };
    sql(&mut db, "DROP SCHEMA IF EXISTS speed CASCADE").await;
    let url = DatabaseUrl::parse(&url).unwrap();
    let mut store = Store::open(&url, Some("speed"), Mode::Write).await.unwrap();
    store.migrate(false).await.unwrap();
    sql(
        &mut db,
        "CREATE INDEX ON speed.voice_agent_numbers (tenant_id, country_code, base_number)",
    )
    .await;

    let mut routing = many(numbers);
    let (plan, took) = planned(&mut store, &routing).await;
    println!("plan of {numbers} creates: {took:.2?}");
    let start = Instant::now();
    let mut last = (Instant::now(), 0);
    let mut slow = Vec::new();
    let mut progress = |done: u64, total: u64| {
        if done == total || done / (total / 8).max(1) != last.1 {
            slow.push(format!("{done} at {:.2?}", start.elapsed()));
            last = (Instant::now(), done / (total / 8).max(1));
        }
    };
    store
        .apply(&plan, &request(&plan), &mut progress)
        .await
        .unwrap();
    println!("apply of {numbers} creates: {:.2?}", start.elapsed());
    println!("  {}", slow.join(", "));
    sql(&mut db, "VACUUM ANALYZE").await;

    let dump =
        "CREATE TABLE speed.t AS SELECT tenant_id, country_code, base_number, provider, status,
      rules FROM speed.voice_agent_numbers ORDER BY random()";
    sql(&mut db, dump).await;
    sql(
        &mut db,
        "CREATE TABLE speed.n (LIKE speed.voice_agent_numbers INCLUDING ALL)",
    )
    .await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let psql = |what: &str| {
        let start = Instant::now();
        let url = std::env::var("LKROUTE_SPEED_URL").unwrap();
        let status = std::process::Command::new("psql")
            .args(["-qX", &url, "-c", what])
            .status();
        assert!(status.unwrap().success());
        start.elapsed()
    };
    let columns = "tenant_id, country_code, base_number, provider, status, rules";
    let path = file.path().display();
    psql(&format!("\\copy speed.t ({columns}) TO '{path}'"));
    println!(
        "psql COPY in, default ids: {:.2?}",
        psql(&format!("\\copy speed.n ({columns}) FROM '{path}'"))
    );
    sql(&mut db, "TRUNCATE speed.n").await;
    psql(&format!(
        "\\copy (SELECT id, {columns} FROM speed.voice_agent_numbers ORDER BY tenant_id, base_number) TO '{path}'"
    ));
    println!(
        "psql COPY in, ids given, sorted: {:.2?}",
        psql(&format!("\\copy speed.n (id, {columns}) FROM '{path}'"))
    );
    sql(&mut db, "DROP TABLE speed.n").await;

    for _ in 0..3 {
        println!(
            "psql COPY out: {:.2?}",
            psql(&format!(
                "\\copy (SELECT id, {columns} FROM speed.voice_agent_numbers) TO '{path}' (FORMAT binary)"
            ))
        );
        println!(
            "psql COPY out of ours: {:.2?}",
            psql(&format!(
                "\\copy (SELECT * FROM speed.lkroute_bindings WHERE until IS NULL) TO '{path}' (FORMAT binary)"
            ))
        );
    }
    let mut other = routing.settings[0].clone();
    other.config = "uae".to_owned();
    routing.settings.push(other);
    for binding in routing.bindings.iter_mut().step_by(100) {
        binding.settings = 1;
    }
    for _ in 0..3 {
        let (plan, took) = planned(&mut store, &routing).await;
        println!(
            "plan, 1 % changed: {took:.2?}, {} changes",
            plan.changes.len()
        );
    }
    let (plan, _) = planned(&mut store, &routing).await;
    let by_hand = "BEGIN; UPDATE speed.voice_agent_numbers n
      SET rules = rules || '{\"livekit_config\": \"e3ca4a84-4cc3-4be5-8240-34366fe4d0c5\"}'
      FROM (SELECT id FROM speed.pick) t WHERE n.id = t.id
        AND n.rules->>'livekit_config' = 'cf7a1d26-04aa-4623-8d4e-f4b079cdec6f'; ROLLBACK";
    sql(&mut db, "CREATE TABLE speed.pick AS SELECT id FROM speed.voice_agent_numbers WHERE base_number % 100 = 0").await;
    sql(&mut db, "ANALYZE speed.pick").await;
    for _ in 0..3 {
        println!("UPDATE of 1 % by hand: {:.2?}", sql(&mut db, by_hand).await);
    }
    let start = Instant::now();
    let mut seen = Vec::new();
    store
        .apply(&plan, &request(&plan), &mut |done, _| {
            seen.push(format!("{done} at {:.2?}", start.elapsed()))
        })
        .await
        .unwrap();
    println!(
        "apply of 1 %: {:.2?} ({})",
        start.elapsed(),
        seen.join(", ")
    );
    sql(&mut db, "VACUUM ANALYZE").await;
    let start = Instant::now();
    for n in 0..1000 {
        let number = e164(&format!("+919{:09}", n * 900 % numbers));
        let found = store.look_up(&LookUp::number(number)).await.unwrap();
        assert_eq!(found.facts.rows.len(), 1);
    }
    println!("look-up: {:.3?} each", start.elapsed() / 1000);
}

#[tokio::test]
#[ignore = "takes a minute"]
async fn a_hundred_thousand_on_sqlite() {
    let base = Base::sqlite().await;
    let mut store = base.open(Mode::Write).await;
    let mut routing = many(100_000);
    let (plan, took) = planned(&mut store, &routing).await;
    println!("plan of 100k creates: {took:.2?}");
    let start = Instant::now();
    let applied = store.apply(&plan, &request(&plan), &mut |_, _| ()).await;
    println!("apply: {:.2?}", start.elapsed());
    applied.unwrap();
    let mut other = routing.settings[0].clone();
    other.config = "uae".to_owned();
    routing.settings.push(other);
    for binding in routing.bindings.iter_mut().step_by(100) {
        binding.settings = 1;
    }
    let (plan, took) = planned(&mut store, &routing).await;
    println!(
        "plan, 1 % changed: {took:.2?}, {} changes",
        plan.changes.len()
    );
    let start = Instant::now();
    let applied = store.apply(&plan, &request(&plan), &mut |_, _| ()).await;
    println!("apply of 1 %: {:.2?}", start.elapsed());
    applied.unwrap();
    let start = Instant::now();
    for n in 0..1000 {
        let number = e164(&format!("+919{:09}", n * 90 % 100_000));
        let found = store.look_up(&LookUp::number(number)).await.unwrap();
        assert_eq!(found.facts.rows.len(), 1);
    }
    println!("look-up: {:.3?} each", start.elapsed() / 1000);
}
