//! Through proxies that send statements of one transaction to several servers.

use lkroute::diff::secret::SecretFacts;
use lkroute::fields::{Field, Fields};
use lkroute::routing::Routing;
use lkroute::store::{DatabaseUrl, LookUp, Mode, Store};

use super::base::*;
use crate::support::{Pgpool, Postgres, SpreadingProxy, Standby};

/// pgpool sends reads to a standby that never hears of what was applied.
#[tokio::test]
async fn behind_pgpool_plans_and_applies_are_those_of_the_primary() {
    let Some(postgres) = Postgres::own() else {
        return;
    };
    // pgpool itself fails at schemas with a quote in their name.
    let base = Base::in_cluster(postgres, "pgpool", "lad_dev");
    base.migrated().await;
    base.sql("CREATE TABLE plain (a int)").await;
    let Some(pool) = Pgpool::before(postgres) else {
        return;
    };
    let url = DatabaseUrl::parse(&pool.url(&base.db().url)).unwrap();
    let open = async |mode| {
        Store::open(&url, base.schema.as_deref(), mode)
            .await
            .unwrap()
    };
    let read = async |routing: &Routing| {
        let mut store = open(Mode::Read).await;
        plan(&mut store, routing, &SecretFacts::default())
            .await
            .unwrap()
    };
    let rules = |outbound: bool| Fields::new().with(Field::Outbound, outbound);
    let mut routing = files();
    for n in 0..50 {
        let number = format!("+9190000000{n:02}");
        bind(&mut routing, &number, n % 3, "india", rules(true));
    }
    let count =
        "SELECT count(*), count(DISTINCT (tenant_id, base_number)) FROM {voice_agent_numbers}";
    for outbound in [true, false, true] {
        for settings in &mut routing.settings {
            settings.fields.set(Field::Outbound, Some(outbound.into()));
        }
        let planned = read(&routing).await;
        let mut store = open(Mode::Write).await;
        let request = request(&planned);
        let applied = store.apply(&planned, &request, &mut |_, _| ()).await;
        applied.unwrap();
        assert_eq!(base.sql(count).await, "50|50");
        assert_eq!(describe(&read(&routing).await), "");
        let mut store = open(Mode::Read).await;
        let found = store.look_up(&LookUp::number(e164("+919000000001"))).await;
        assert_eq!(found.unwrap().facts.rows.len(), 1);
    }
    // That it does spread reads, and that the standby lags:
    base.sql("INSERT INTO plain VALUES (1)").await;
    let count = "SELECT count(*) FROM plain";
    for url in [pool.standby(&base.db().url), pool.url(&base.db().url)] {
        assert_eq!(postgres.psql_at(&url, count).as_deref(), Ok("0"));
    }
    assert_eq!(base.sql(count).await, "1");
}

/// A proxy that respects nothing: the transaction itself sees that what it
/// reads is not what it wrote.
#[tokio::test]
async fn an_apply_proves_that_it_reads_what_it_wrote() {
    let Some(postgres) = Postgres::own() else {
        return;
    };
    let base = Base::in_cluster(postgres, "spread", "lad_dev");
    base.migrated().await;
    base.settle(&files()).await;
    let standby = Standby::of(postgres, &["recovery_min_apply_delay=1h"]);
    let mut routing = files();
    bind(&mut routing, "+919000000001", 0, "india", Fields::new());
    let planned = base.plan(&routing).await;
    let count = "SELECT count(*) FROM {voice_agent_numbers}";
    // Through the same proxy, with one server behind it, all is well.
    for (reads, works) in [(Some(standby.port), false), (None, true)] {
        let proxy = SpreadingProxy::new(&base.db().url, postgres.port, reads);
        let url = DatabaseUrl::parse(&proxy.url).unwrap();
        let store = Store::open(&url, base.schema.as_deref(), Mode::Write).await;
        let mut request = request(&planned);
        request.find_out = std::time::Duration::from_secs(5);
        let applied = store
            .unwrap()
            .apply(&planned, &request, &mut |_, _| ())
            .await;
        match applied {
            Ok(_) => assert!(works, "it noticed nothing"),
            Err(error) => {
                assert!(!works, "{}", error.error);
                let says = "does not show what this transaction has just written";
                assert_contains!(error.error.message, says);
            }
        }
        assert_eq!(base.sql(count).await, if works { "1" } else { "0" });
    }
}
