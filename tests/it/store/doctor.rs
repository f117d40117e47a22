//! What `doctor` reads: drift without the files, and agents of other tenants.

use lkroute::doctor::DriftSurvey;
use lkroute::fields::{Field, Fields, FieldsPool};
use lkroute::resolve::Aliases;
use lkroute::store::{AgentMismatchRow, Mode};

use super::base::{Base, TENANT_B, TENANT_UAE, bind, files, id, uuid};

super::on_both!(
    each_change_of_what_is_ours_is_drift_and_no_other,
    agents_of_other_tenants_are_found_where_there_are_agents,
);

async fn drifted(base: &Base) -> Vec<String> {
    let mut store = base.open(Mode::Read).await;
    store.begin_read().await.unwrap();
    let snapshot = store.snapshot().await.unwrap();
    let aliases: Aliases = snapshot.tenants.iter().cloned().collect();
    let mut drift = DriftSurvey::new(&snapshot, &aliases);
    let mut pool = FieldsPool::default();
    let mut owned = |owned| drift.owned(owned);
    store.owned(&mut pool, &mut owned).await.unwrap();
    let mut each = |row: &lkroute::snapshot::NumberRow<'_>| drift.row(row, &mut pool);
    store.numbers(&mut each, &mut |_| ()).await.unwrap();
    store.end_read().await.unwrap();
    drift.finish()
}

async fn each_change_of_what_is_ours_is_drift_and_no_other(base: Base) {
    let mut routing = files();
    let fields = || {
        Fields::new()
            .with(Field::Provider, "P")
            .with(Field::Outbound, true)
    };
    bind(&mut routing, "+919513456728", 0, "india", fields());
    bind(&mut routing, "+971545335200", 2, "uae", fields());
    bind(&mut routing, "+971545335201", 2, "uae", fields());
    base.settle(&routing).await;
    assert_eq!(drifted(&base).await, [""; 0]);

    let ours = ["binding.+971545335200@tenant-uae"];
    let set = async |what: &str| {
        let sql = "UPDATE {voice_agent_numbers} SET";
        base.sql(&format!("{sql} {what} WHERE base_number = 545335200"))
            .await;
    };
    set("default_agent_id = 7").await;
    base.number(
        id(1),
        TENANT_B,
        "'+971' 545335200",
        "NULL, 'inactive', '[]'",
    )
    .await;
    assert_eq!(drifted(&base).await, [""; 0], "rows and columns of others");
    set("provider = 'Q'").await;
    assert_eq!(drifted(&base).await, ours);
    set("provider = 'P', status = 'inactive'").await;
    assert_eq!(drifted(&base).await, ours);
    set("status = NULL, rules = '[]'").await;
    assert_eq!(drifted(&base).await, ours);
    base.sql("DELETE FROM {voice_agent_numbers} WHERE base_number = 545335200")
        .await;
    assert_eq!(drifted(&base).await, ours);

    base.sql("UPDATE {voice_agent_livekit} SET worker_name = 'other' WHERE name = 'india'")
        .await;
    assert_eq!(drifted(&base).await, ["config.india", ours[0]]);
    base.sql("DELETE FROM {voice_agent_livekit} WHERE name = 'uae'")
        .await;
    assert_eq!(
        drifted(&base).await,
        ["config.india", "config.uae", ours[0]]
    );

    routing.bindings.remove(1);
    base.sql("UPDATE {voice_agent_livekit} SET worker_name = 'voag-dev'")
        .await;
    base.settle(&routing).await;
    assert_eq!(
        drifted(&base).await,
        [""; 0],
        "what was taken out is no longer ours"
    );
}

async fn agents_of_other_tenants_are_found_where_there_are_agents(base: Base) {
    let mixed = async || {
        let mut store = base.open(Mode::Read).await;
        store.begin_read().await.unwrap();
        let mixed = store.agent_mismatches().await.unwrap();
        store.end_read().await.unwrap();
        mixed
    };
    for n in 1..4 {
        let number = format!("'+91' 900000000{n}");
        base.number(id(n), TENANT_B, &number, "NULL, NULL, NULL")
            .await;
    }
    base.sql("UPDATE {voice_agent_numbers} SET default_agent_id = base_number - 9000000000")
        .await;
    if base.schema.is_none() {
        assert_eq!(mixed().await, [], "no table");
        base.sql("CREATE TABLE voice_agents (id INTEGER PRIMARY KEY, tenant_id TEXT)")
            .await;
    }
    assert_eq!(mixed().await, []);
    let agents = format!("(1, '{TENANT_UAE}'), (2, '{TENANT_B}'), (3, NULL)");
    let table = base.table("voice_agents");
    base.sql(&format!(
        "INSERT INTO {table} (id, tenant_id) VALUES {agents}"
    ))
    .await;
    let expected = AgentMismatchRow {
        country_code: Some("+91".to_owned()),
        base_number: Some(9_000_000_001),
        tenant: uuid(TENANT_B),
        agent: 1,
        agent_tenant: uuid(TENANT_UAE),
    };
    assert_eq!(mixed().await, [expected]);
    base.sql("UPDATE {voice_agent_numbers} SET status = 'inactive'")
        .await;
    assert_eq!(mixed().await, []);
}
