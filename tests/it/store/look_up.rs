//! Looking one number up.

use lkroute::fields::{Field, Fields};
use lkroute::phone::Prefix;
use lkroute::resolve::{Fallback, UserFact};
use lkroute::store::{DatabaseUrl, LookUp, LookedUp, Mode, RowFilter, Store};
use serde_json::Value;

use super::base::*;
use super::on_both;
use crate::faults::link::{Fault, Link, Way};
use crate::support::{Legacy, Pgbouncer, Postgres};

on_both!(
    every_row_of_the_number_is_found_however_it_is_written,
    what_is_ours_comes_with_its_line,
    the_fallback_of_a_config_comes_with_it,
    odd_configs_are_no_obstacle,
    people_may_be_missing,
    a_newer_lkroute_is_refused,
    tables_that_came_since_are_seen,
    rows_are_listed_by_tenant_and_config,
);

async fn look(base: &Base, asked: &LookUp) -> LookedUp {
    let mut store = base.open(Mode::Read).await;
    store.look_up(asked).await.unwrap()
}

async fn every_row_of_the_number_is_found_however_it_is_written(base: Base) {
    let codes = [
        ("'+1' 2425550100", true),
        ("'1' 2425550100", true),
        ("' 001 ' 2425550100", true),
        ("'+1242' 5550100", true),
        ("'1-242' 5550100", true),
        ("'+1242555' 100", false),
        ("'+1' 5550100", false),
        ("'+44' 2425550100", false),
        ("NULL 2425550100", false),
        ("'+1' 2425550101", false),
    ];
    for (n, (number, _)) in (1..).zip(codes) {
        base.number(id(n), TENANT_B, number, "NULL, NULL, NULL")
            .await;
    }
    let found = look(&base, &LookUp::number(e164("+12425550100"))).await;
    let mut rows: Vec<_> = found.facts.rows.iter().filter_map(|row| row.id).collect();
    rows.sort();
    let expected = (1..).zip(codes).filter(|(_, (_, found))| *found);
    assert_eq!(rows, expected.map(|(n, _)| id(n)).collect::<Vec<_>>());
    let none = look(&base, &LookUp::number(e164("+919513456728"))).await;
    assert_eq!(none.facts.rows, []);
}

async fn what_is_ours_comes_with_its_line(base: Base) {
    let mut routing = files();
    let fields = Fields::new()
        .with(Field::Provider, "P")
        .with(Field::Outbound, true);
    bind(&mut routing, "+919513456728", 0, "india", fields);
    bind(&mut routing, "+919513456728", 1, "uae", Fields::new());
    let plan = base.plan(&routing).await;
    let mut request = request(&plan);
    request.revision = Some("0123456789abcdef".to_owned());
    let mut store = base.open(Mode::Write).await;
    store.apply(&plan, &request, &mut |_, _| ()).await.unwrap();
    base.number(
        id(3),
        TENANT_UAE,
        "'+91' 9513456728",
        "'Q', 'inactive', '{}'",
    )
    .await;

    let mut asked = LookUp::number(e164("+919513456728"));
    asked.tenant = Some("tenant-uae".to_owned());

    let found = store.look_up(&asked).await.unwrap();
    let facts = &found.facts;
    assert_eq!(facts.rows.len(), 3);
    let row = |tenant: &str| {
        let tenant = uuid(tenant);
        facts.rows.iter().find(|row| row.tenant == tenant).unwrap()
    };
    let ours = row(TENANT_INDIA);
    assert_eq!(ours.place.line, Some(("routing/uae.toml".to_owned(), 100)));
    assert_eq!(ours.place.apply, Some(1));
    assert_eq!(ours.place.revision.as_deref(), Some("0123456789abcdef"));
    let fields = ours.fields.as_ref().unwrap();
    assert_eq!(fields.text(Field::Provider), Some("P"));
    assert_eq!(fields.text(Field::Config), Some(CONFIG_INDIA));
    let foreign = row(TENANT_UAE);
    assert_eq!((foreign.place.apply, &foreign.place.line), (None, &None));
    assert_eq!(foreign.inactive(), Some(&Value::from("inactive")));
    let config = facts.configs.get(uuid(CONFIG_INDIA)).unwrap();
    assert_eq!(config.text(Field::Region), Some("india"));
    assert_eq!(
        config.place.line,
        Some(("routing/india.toml".to_owned(), 10))
    );
    assert_eq!(found.secrets[&uuid(CONFIG_INDIA)], sealed("india"));
    assert_eq!(facts.configs.iter().count(), 2);
    let codes = [Prefix::parse("+971").unwrap()];
    assert_eq!(facts.regions.0["uae"], codes);
    assert_eq!(facts.label(uuid(TENANT_B)), "tenant-b");
    assert_eq!(facts.label(uuid(TENANT_UAE)), "tenant-uae");

    base.settle(&files()).await;
    let found = look(&base, &asked).await;
    assert_eq!(found.facts.rows.len(), 3);
    assert!(
        found.facts.rows.iter().all(|row| row.place.apply.is_none()),
        "retired"
    );
}

async fn the_fallback_of_a_config_comes_with_it(base: Base) {
    let mut routing = files();
    bind(&mut routing, "+919513456728", 0, "india", Fields::new());
    let india = routing.configs.get_mut("india").unwrap();
    india.fallback = Some("uae".to_owned());
    india.deployment = Some("staging".to_owned());
    base.settle(&routing).await;
    let found = look(&base, &LookUp::number(e164("+919513456728"))).await;
    let configs = &found.facts.configs;
    let india = configs.get(uuid(CONFIG_INDIA)).unwrap();
    assert_eq!(india.text(Field::Deployment), Some("staging"));
    let fallback = Fallback::of(configs, india).unwrap();
    assert_eq!(fallback.config.id, Some(uuid(CONFIG_UAE)));
    assert_eq!(fallback.trunk.as_deref(), Some("ST_madeUp"));
    let uae = configs.get(uuid(CONFIG_UAE)).unwrap();
    assert!(uae.place.apply.is_some());
    assert!(found.secrets.contains_key(&uuid(CONFIG_UAE)));
}

async fn odd_configs_are_no_obstacle(base: Base) {
    base.settle(&files()).await;
    let configs = [
        format!("\"{}\"", CONFIG_UAE.to_uppercase()),
        "\"\"".to_owned(),
        "\"no uuid\"".to_owned(),
        "7".to_owned(),
        "null".to_owned(),
        "[1]".to_owned(),
        "\"00000000-0000-4000-8000-00000000dead\"".to_owned(),
    ];
    for (n, config) in (1..).zip(&configs) {
        let rules = format!("NULL, NULL, '{{\"livekit_config\": {config}}}'");
        base.number(id(n), TENANT_B, "'+91' 9000000001", &rules)
            .await;
    }
    base.number(
        id(20),
        TENANT_B,
        "'+91' 9000000001",
        "NULL, NULL, '[\"x\"]'",
    )
    .await;
    let found = look(&base, &LookUp::number(e164("+919000000001"))).await;
    assert_eq!(found.facts.rows.len(), 8);
    assert_eq!(found.facts.configs.iter().count(), 1);
    assert!(found.facts.configs.get(uuid(CONFIG_UAE)).is_some());
    let unreadable = found.facts.rows.iter().filter(|row| row.fields.is_none());
    assert_eq!(unreadable.count(), 1);
}

async fn people_may_be_missing(base: Base) {
    if base.schema.is_some() {
        base.sql("DROP TABLE {users}").await;
        base.sql("DROP TABLE {voice_agents}").await;
    }
    base.number(id(1), TENANT_B, "'+91' 9000000001", "NULL, NULL, NULL")
        .await;
    base.sql("UPDATE {voice_agent_numbers} SET default_agent_id = 33")
        .await;
    let asked = LookUp {
        initiated_by: Some(id(5)),
        agent: Some(7),
        ..LookUp::number(e164("+919000000001"))
    };
    let found = look(&base, &asked).await;
    assert_eq!(found.facts.rows.len(), 1);
    assert_eq!(found.facts.user, Some(UserFact::NoTable));
    assert_eq!(found.facts.agent.map(|agent| agent.tenant), Some(None));
    let default = found.facts.default_agents[&id(1)];
    assert_eq!((default.id, default.tenant), (33, None));

    base.sql("CREATE TABLE {users} (id char(36), tenant_id char(36))")
        .await;
    base.sql("CREATE TABLE {voice_agents} (id bigint, tenant_id char(36))")
        .await;
    if base.schema.is_some() {
        for table in ["users", "voice_agents"] {
            base.sql(&format!(
                "ALTER TABLE {{{table}}} ALTER tenant_id TYPE uuid USING tenant_id::uuid"
            ))
            .await;
        }
        base.sql("ALTER TABLE {users} ALTER id TYPE uuid USING id::uuid")
            .await;
    }
    assert_eq!(
        look(&base, &asked).await.facts.user,
        Some(UserFact::Unknown)
    );
    base.sql(&format!("INSERT INTO {{users}} VALUES ('{}', NULL)", id(5)))
        .await;
    assert_eq!(
        look(&base, &asked).await.facts.user,
        Some(UserFact::NoTenant)
    );
    base.sql(&format!("UPDATE {{users}} SET tenant_id = '{TENANT_B}'"))
        .await;
    base.sql(&format!(
        "INSERT INTO {{voice_agents}} VALUES (33, '{TENANT_UAE}'), (7, '{TENANT_INDIA}')"
    ))
    .await;
    let found = look(&base, &asked).await;
    assert_eq!(found.facts.user, Some(UserFact::Tenant(uuid(TENANT_B))));
    assert_eq!(found.facts.agent.unwrap().tenant, Some(uuid(TENANT_INDIA)));
    assert_eq!(
        found.facts.default_agents[&id(1)].tenant,
        Some(uuid(TENANT_UAE))
    );

    base.sql("DROP TABLE {voice_agents}").await;
    base.sql("CREATE TABLE {voice_agents} (id bigint, owner text)")
        .await;
    if base.schema.is_some() {
        let found = look(&base, &asked).await;
        assert_eq!(found.facts.agent.map(|agent| agent.tenant), Some(None));
        assert_eq!(found.facts.default_agents[&id(1)].tenant, None);
        assert_eq!(found.facts.user, Some(UserFact::Tenant(uuid(TENANT_B))));
    }
    let mut store = base.open(Mode::Read).await;
    store.begin_read().await.unwrap();
    let asked = LookUp {
        agents: false,
        ..LookUp::number(e164("+919000000001"))
    };
    assert_eq!(store.look_up(&asked).await.unwrap().facts.rows.len(), 1);
    store.end_read().await.unwrap();
}

/// Attacker: a newer lkroute, which stores what this one does not know of.
async fn a_newer_lkroute_is_refused(base: Base) {
    base.settle(&files()).await;
    base.sql("UPDATE {lkroute_state} SET schema_version = 99")
        .await;
    let mut store = base.open(Mode::Read).await;
    let refused = store.look_up(&LookUp::number(e164("+919000000001"))).await;
    let error = refused.unwrap_err();
    assert_contains!(error.message, "of a newer lkroute");
    assert_eq!(error.hint.as_deref(), Some("use a newer lkroute"));
}

/// Attacker: a migration between two look-ups of one connection.
async fn tables_that_came_since_are_seen(base: Base) {
    let mut routing = files();
    bind(&mut routing, "+919513456728", 0, "india", Fields::new());
    base.settle(&routing).await;
    let renamed = |from: &str, to: &str| match base.schema.is_some() {
        true => format!("ALTER TABLE {{{from}}} RENAME TO {to}"),
        false => format!("ALTER TABLE {from} RENAME TO {to}"),
    };
    base.sql(&renamed("lkroute_state", "lkroute_hidden")).await;
    let mut store = base.open(Mode::Read).await;
    let asked = LookUp::number(e164("+919513456728"));
    let found = store.look_up(&asked).await.unwrap();
    assert!(found.facts.rows[0].place.apply.is_none());
    base.sql(&renamed("lkroute_hidden", "lkroute_state")).await;
    let found = store.look_up(&asked).await.unwrap();
    assert_eq!(found.facts.rows[0].place.apply, Some(1));
}

#[tokio::test]
async fn through_a_pooler_and_with_scant_rights() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let mut db = postgres.database("looked_up");
    Legacy::default().install(&db);
    let url = DatabaseUrl::parse(&db.url).unwrap();
    let mut store = Store::open(&url, Some("lad_dev"), Mode::Write)
        .await
        .unwrap();
    store.migrate(false).await.unwrap();
    let asked = LookUp {
        initiated_by: Some(id(1)),
        ..LookUp::number(e164("+919513456728"))
    };
    let Some(pooler) = Pgbouncer::transaction_mode(&db) else {
        return;
    };
    let mut store = open_at(&pooler.url, Some("lad_dev"), Mode::Read).await;
    let found = store.look_up(&asked).await.unwrap();
    assert_eq!(found.facts.rows.len(), 5);
    assert_eq!(found.facts.user, Some(UserFact::Tenant(uuid(TENANT_INDIA))));
    let rows = found.facts.rows.iter();
    let row = rows
        .filter(|row| row.tenant == uuid(TENANT_INDIA))
        .find_map(|row| row.id);
    let agent = found.facts.agent_of(row).unwrap();
    assert_eq!((agent.id, agent.tenant), (33, Some(uuid(TENANT_UAE))));

    let (role, url) = db.role("resolver");
    db.psql(&format!(
        "GRANT USAGE ON SCHEMA lad_dev TO {role};
         GRANT SELECT ON lad_dev.voice_agent_livekit, lad_dev.voice_agent_numbers,
           lad_dev.lkroute_state, lad_dev.lkroute_applies, lad_dev.lkroute_files,
           lad_dev.lkroute_tenants, lad_dev.lkroute_settings, lad_dev.lkroute_regions, lad_dev.lkroute_configs, lad_dev.lkroute_bindings TO {role}"
    ));
    let mut store = open_at(&url, Some("lad_dev"), Mode::Read).await;
    let found = store.look_up(&LookUp::number(asked.number)).await.unwrap();
    assert_eq!(found.facts.rows.len(), 5);
    let error = store.look_up(&asked).await.unwrap_err();
    assert_contains!(error.message, "permission denied for table users");
    let after = store.look_up(&LookUp::number(asked.number)).await.unwrap();
    assert_eq!(
        after.facts.rows.len(),
        5,
        "the connection is as good as before"
    );
}

async fn rows_are_listed_by_tenant_and_config(base: Base) {
    let mut routing = files();
    bind(&mut routing, "+919000000002", 0, "india", Fields::new());
    bind(&mut routing, "+919000000001", 0, "uae", Fields::new());
    bind(&mut routing, "+919000000001", 1, "india", Fields::new());
    base.settle(&routing).await;
    let rules = format!(
        "NULL, NULL, '{{\"livekit_config\": \"{}\"}}'",
        CONFIG_UAE.to_uppercase()
    );
    base.number(id(1), TENANT_B, "'+91' 9000000009", &rules)
        .await;
    base.number(id(2), TENANT_B, "NULL NULL", "NULL, NULL, '[1]'")
        .await;
    let list = async |filter: RowFilter| {
        let mut store = base.open(Mode::Read).await;
        store.begin_read().await.unwrap();
        let snapshot = store.snapshot().await.unwrap();
        let mut lines = Vec::new();
        let mut each = |listed: &lkroute::store::ListedRow<'_>| {
            let source = listed.source.map(|source| {
                let file = &snapshot.files[source.file as usize];
                format!(" {file}:{} by {:?}", source.line, listed.since)
            });
            let number = listed.row.base_number.unwrap_or_default();
            lines.push(format!("{number}{}", source.unwrap_or_default()));
        };
        store.list(&filter, &mut each).await.unwrap();
        store.end_read().await.unwrap();
        lines.join(", ")
    };
    let of_tenant = RowFilter {
        tenant: Some(uuid(TENANT_INDIA)),
        ..RowFilter::default()
    };
    assert_eq!(
        list(of_tenant).await,
        "9000000001 routing/uae.toml:101 by Some(1), 9000000002 routing/uae.toml:100 by Some(1)"
    );
    let of_config = RowFilter {
        configs: Some(vec![uuid(CONFIG_UAE)]),
        ..RowFilter::default()
    };
    assert_eq!(
        list(of_config).await,
        "9000000009, 9000000001 routing/uae.toml:101 by Some(1)"
    );
    let none = RowFilter {
        configs: Some(Vec::new()),
        ..RowFilter::default()
    };
    assert_eq!(list(none).await, "");
    assert_eq!(list(RowFilter::default()).await.split(", ").count(), 5);
}

/// Attacker: whoever keeps a book in `rules`, or in a value that lkroute reads.
/// A look-up takes the keys that it reads over the wire, and no more.
#[tokio::test]
async fn long_rules_are_looked_up_by_their_keys() {
    let Some(base) = Base::postgres("longlook").await else {
        return;
    };
    let mut routing = files();
    let rules = Fields::new().with(Field::Outbound, true);
    bind(&mut routing, "+919000000001", 0, "india", rules);
    base.settle(&routing).await;
    let long = "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 100000) i)";
    let asked = LookUp::number(e164("+919000000001"));
    let read = async || {
        let link = Link::new(&base.db().url, Fault::None, Way::Answered, 0);
        let mut store = open_at(&link.url, base.schema.as_deref(), Mode::Read).await;
        let found = store.look_up(&asked).await.unwrap();
        assert!(link.passed(Way::Answered) < 100_000);
        found.facts.rows[0].fields.clone()
    };
    base.sql(&format!(
        "UPDATE {{voice_agent_numbers}}
           SET rules = rules || jsonb_build_object('note', {long}, 'inbound', NULL)"
    ))
    .await;
    let fields = read().await.unwrap();
    assert_eq!(fields.text(Field::Config), Some(CONFIG_INDIA));
    assert_eq!(fields.get(Field::Outbound), Some(&Value::Bool(true)));
    assert_eq!(fields.get(Field::Inbound), Some(&Value::Null));
    assert_eq!(fields.get(Field::AllowedOutbound), None);
    base.sql(&format!(
        "UPDATE {{voice_agent_numbers}} SET rules = rules || jsonb_build_object('outbound', {long})"
    ))
    .await;
    assert_eq!(read().await, None, "no room for what is read");
    for odd in [
        format!("jsonb_build_array({long})"),
        format!("jsonb_build_array({long}, rules)"),
        format!("jsonb_build_array(rules, {long})"),
        format!("to_jsonb({long})"),
    ] {
        base.sql(&format!("UPDATE {{voice_agent_numbers}} SET rules = {odd}"))
            .await;
        assert_eq!(read().await, None, "{odd}");
    }
}

/// Attacker: an administrator who turns row-level security on between two
/// look-ups of one connection; what it hides would be "no such number".
#[tokio::test]
async fn row_security_that_came_since_is_seen() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let mut db = postgres.database("seen_late");
    Legacy::default().install(&db);
    let (role, url) = db.role("resolver");
    db.psql(&format!(
        "GRANT USAGE ON SCHEMA lad_dev TO {role};
         GRANT SELECT ON ALL TABLES IN SCHEMA lad_dev TO {role}"
    ));
    let url = DatabaseUrl::parse(&url).unwrap();
    let asked = LookUp::number(e164("+919513456728"));
    for table in ["voice_agent_numbers", "voice_agent_livekit", "users"] {
        let mut store = Store::open(&url, Some("lad_dev"), Mode::Read)
            .await
            .unwrap();
        assert_eq!(store.look_up(&asked).await.unwrap().facts.rows.len(), 5);
        let secure = |how: &str| db.psql(&format!("ALTER TABLE lad_dev.{table} {how}"));
        secure("ENABLE ROW LEVEL SECURITY");
        let error = store.look_up(&asked).await.unwrap_err();
        let message = format!("rows of lad_dev.{table} from the role {role}");
        assert_contains!(error.message, message);
        // A policy that lets all through hides nothing.
        db.psql(&format!(
            "CREATE POLICY all_rows ON lad_dev.{table} TO {role} USING (true)"
        ));
        assert_eq!(store.look_up(&asked).await.unwrap().facts.rows.len(), 5);
        db.psql(&format!("DROP POLICY all_rows ON lad_dev.{table}"));
        assert!(store.look_up(&asked).await.is_err());
        secure("DISABLE ROW LEVEL SECURITY");
        assert_eq!(store.look_up(&asked).await.unwrap().facts.rows.len(), 5);
    }
}
