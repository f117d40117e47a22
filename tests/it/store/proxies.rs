//! Through proxies that send statements of one transaction to several servers.

use lkroute::diff::secret::SecretFacts;
use lkroute::fields::{Field, Fields};
use lkroute::routing::Routing;
use lkroute::store::{DatabaseUrl, LookUp, Mode, Store};

use super::base::*;
use crate::support::{Pgpool, Postgres};

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
        let order = order(&planned);
        let applied = store.apply(&planned, &order, &mut |_, _| ()).await;
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
