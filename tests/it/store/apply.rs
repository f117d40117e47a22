//! What an apply writes, and what it leaves alone.

use lkroute::diff::plan::Plan;
use lkroute::error::Exit;
use lkroute::fields::{Field, Fields};
use lkroute::routing::Routing;
use lkroute::store::Mode;
use serde_json::Value;

use super::base::*;
use super::on_both;

on_both!(
    a_first_apply_creates_what_is_declared,
    claims_adoptions_and_takeovers_touch_their_keys_alone,
    removal_takes_owned_keys_out_and_retires_own_rows,
    odd_shapes_are_patched_in_place,
    configs_swap_names_and_keep_their_rows,
    a_config_is_deleted_only_while_no_number_holds_it,
    drift_is_reverted_only_where_it_was_seen,
    foreign_rows_stay_as_they_are,
    many_rows_go_through_in_sets,
    progress_reaches_its_total,
    what_a_rollback_needs_is_kept,
);

pub(super) const INDIA: &str = "+919513456728";

pub(super) fn outbound(value: bool) -> Fields {
    Fields::new().with(Field::Outbound, value)
}

pub(super) fn one(number: &str, fields: Fields) -> Routing {
    let mut routing = files();
    bind(&mut routing, number, 0, "india", fields);
    routing
}

pub(super) async fn refused(base: &Base, plan: &Plan) -> lkroute::store::ApplyError {
    let before = base.everything().await;
    let error = base.apply(plan).await.expect_err("it is refused");
    assert_eq!(base.everything().await, before, "nothing is written");
    error
}

async fn a_first_apply_creates_what_is_declared(base: Base) {
    let mut routing = files();
    let rules = Fields::new()
        .with(Field::Provider, "TechieMaya FZE")
        .with(Field::Outbound, true)
        .with(Field::RequiredLeadFormat, vec!["0", "base_number"]);
    bind(&mut routing, INDIA, 0, "india", rules);
    bind(&mut routing, "+390612345678", 1, "uae", Fields::new());
    let plan = base.settle(&routing).await;
    assert_eq!(plan.summary().create, 6);

    let numbers = "SELECT country_code, base_number, provider, status FROM {voice_agent_numbers}
                   ORDER BY base_number";
    assert_eq!(
        base.sql(numbers).await,
        "+39|612345678||active\n+91|9513456728|TechieMaya FZE|active"
    );
    let mut india = plan.changes.iter().filter_map(|change| {
        let address = plan.address(change.object).to_string();
        address.contains(INDIA).then_some(change.row?)
    });
    let row = base.row(india.next().unwrap()).await;
    assert_contains!(row, format!("\"livekit_config\":\"{CONFIG_INDIA}\""));
    assert_contains!(row, "\"required_lead_format\":[\"0\",\"base_number\"]");
    let configs = "SELECT name, livekit_url, livekit_api_secret, trunk_id, worker_name, description
                   FROM {voice_agent_livekit} ORDER BY name";
    assert_eq!(
        base.sql(configs).await,
        "india|wss://livekit.india.example|lkr1:made-up:00000000:india|ST_madeUp|voag-dev|\n\
         uae|wss://livekit.uae.example|lkr1:made-up:00000000:uae|ST_madeUp|voag-dev|"
    );
    let mut store = base.open(Mode::Read).await;
    store.begin_read().await.unwrap();
    let snapshot = store.snapshot().await.unwrap();
    let last = snapshot.last_apply.unwrap();
    assert_eq!((last.id, last.actor.as_str()), (1, "a test"));
    assert_eq!(snapshot.owner.as_deref(), Some("tests"));
    let owned = &snapshot.owned_configs[0];
    assert_eq!(
        owned.fields.text(Field::ApiSecret),
        Some(owned.secret_source.as_str())
    );
    assert!(owned.inserted);
    assert!(
        snapshot
            .tenants
            .contains(&(uuid(TENANT_B), "tenant-b".to_owned()))
    );
    let source = snapshot.owned_regions[0].source.unwrap();
    assert_eq!(
        (snapshot.files[source.file as usize].as_str(), source.line),
        ("routing/india.toml", 1)
    );
}

async fn claims_adoptions_and_takeovers_touch_their_keys_alone(base: Base) {
    let ui = r#""ui": {"colour": 7, "note": "é \\ “x”", "nothing": null}"#;
    let config = format!(r#""livekit_config": "{CONFIG_INDIA}""#);
    base.number(
        id(1),
        TENANT_INDIA,
        "'+91' 9000000001",
        &format!("'P', NULL, '{{{ui}}}'"),
    )
    .await;
    base.number(
        id(2),
        TENANT_INDIA,
        "'+91' 9000000002",
        &format!("NULL, 'active', '{{{config}, {ui}}}'"),
    )
    .await;
    base.number(
        id(3),
        TENANT_INDIA,
        "'+91' 9000000003",
        "'P', 'active', '{\"outbound\": false}'",
    )
    .await;
    let mut routing = files();
    for number in ["+919000000001", "+919000000002"] {
        bind(&mut routing, number, 0, "india", Fields::new());
    }
    bind(&mut routing, "+919000000003", 0, "india", outbound(true));
    let plan = base.plan(&routing).await;
    assert_contains!(
        describe(&plan),
        "adopt binding.+919000000002@tenant-a: config Adopt"
    );
    assert_contains!(describe(&plan), "rules.outbound Conflict");
    let error = refused(&base, &plan).await;
    assert_eq!(error.error.exit, Exit::Conflict);

    routing.bindings.pop();
    bind_adopting(
        &mut routing,
        "+919000000003",
        0,
        "india",
        outbound(true),
        &[Field::Outbound],
    );
    let untouched = base.row(id(2)).await;
    let plan = base.plan(&routing).await;
    assert_contains!(describe(&plan), "rules.outbound TakeOver");
    base.apply(&plan).await.unwrap();
    assert_eq!(base.row(id(2)).await, untouched);
    let claimed = base.row(id(1)).await;
    assert!(
        claimed.contains(&config.replace(": ", ":")) && claimed.ends_with("||P"),
        "{claimed}"
    );
    assert_contains!(claimed, r#""nothing":null"#, "“x”");
    let taken = base.row(id(3)).await;
    assert_contains!(taken, r#""outbound":true"#);
    let plan = base.plan(&routing).await;
    assert_eq!(describe(&plan), "");
    assert_eq!(plan.findings.len(), 1, "the adopt line is no longer needed");
}

async fn removal_takes_owned_keys_out_and_retires_own_rows(base: Base) {
    let config = format!(r#""livekit_config": "{CONFIG_INDIA}""#);
    base.number(
        id(1),
        TENANT_INDIA,
        "'+91' 9000000001",
        "'P', NULL, '{\"ui\":1}'",
    )
    .await;
    base.number(
        id(2),
        TENANT_INDIA,
        "'+91' 9000000002",
        &format!("'P', 'active', '{{{config}}}'"),
    )
    .await;
    let before = base.rows().await;
    let mut routing = files();
    for number in ["+919000000001", "+919000000002", "+919000000003"] {
        bind(&mut routing, number, 0, "india", outbound(true));
    }
    base.settle(&routing).await;
    let own = base
        .sql("SELECT id FROM {voice_agent_numbers} WHERE base_number = 9000000003")
        .await;

    base.settle(&files()).await;
    let after = base.rows().await;
    assert_eq!(
        after[&id(1).to_string()],
        before[&id(1).to_string()],
        "as it was before"
    );
    assert_eq!(base.row(id(2)).await, "{}|active|P", "adopted keys go too");
    assert_eq!(base.row(uuid(&own)).await, "{}|inactive|");
    let retired = "SELECT since, inserted, retired FROM {lkroute_bindings} WHERE until IS NULL";
    let retired = base.sql(retired).await;
    assert!(retired == "2|t|t" || retired == "2|1|1", "{retired}");

    // Declared again, it is the same row.
    base.settle(&routing).await;
    let row = base.row(uuid(&own)).await;
    assert!(
        row.ends_with("|active|") && row.contains("livekit_config"),
        "{row}"
    );
    assert_eq!(base.rows().await.len(), 3);
    let current = "SELECT count(*) FROM {lkroute_bindings} WHERE until IS NULL";
    assert_eq!(base.sql(current).await, "3");

    // A row that others made inactive is theirs.
    base.sql("UPDATE {voice_agent_numbers} SET status = 'inactive' WHERE base_number = 9000000001")
        .await;
    let plan = base.plan(&routing).await;
    assert_contains!(describe(&plan), "status Conflict");
}

async fn odd_shapes_are_patched_in_place(base: Base) {
    let rows = [
        ("'91' 9000000001", "NULL, NULL, NULL"),
        (
            "' 0091 ' 9000000002",
            "NULL, 'active', '{\"livekit_config\": null}'",
        ),
        (
            "'+1242' 5550100",
            "NULL, NULL, '{\"a\": [1.50, 1e3, \"\\u00e9\"]}'",
        ),
        ("'+3906' 12345678", "NULL, NULL, '{\"outbound\": null}'"),
    ];
    for (n, (number, rest)) in (1..).zip(rows) {
        base.number(id(n), TENANT_INDIA, number, rest).await;
    }
    let mut routing = files();
    for number in [
        "+919000000001",
        "+919000000002",
        "+12425550100",
        "+390612345678",
    ] {
        bind(&mut routing, number, 0, "india", outbound(true));
    }
    let plan = base.settle(&routing).await;
    assert_eq!(plan.summary().update, 4);
    let codes = "SELECT country_code FROM {voice_agent_numbers} ORDER BY id";
    assert_eq!(base.sql(codes).await, "91\n 0091 \n+1242\n+3906");
    for n in 1..5 {
        let row = base.row(id(n)).await;
        assert_contains!(row, r#""outbound":true"#, CONFIG_INDIA);
    }
    let kept = base.row(id(3)).await;
    assert!(
        kept.contains("[1.50,") && kept.contains('é') || kept.contains("\\u00e9"),
        "{kept}"
    );
    // Taken out again, what is left is an object where there was NULL.
    base.settle(&files()).await;
    assert_eq!(base.row(id(1)).await, "{}||");
    assert_eq!(base.row(id(4)).await, "{}||");
}

async fn configs_swap_names_and_keep_their_rows(base: Base) {
    let routing = one(INDIA, Fields::new());
    base.settle(&routing).await;
    let mut swapped = routing.clone();
    swapped.configs.get_mut("india").unwrap().id = Some(uuid(CONFIG_UAE));
    swapped.configs.get_mut("uae").unwrap().id = Some(uuid(CONFIG_INDIA));
    swapped.settings[0].config = "uae".to_owned();
    let plan = base.settle(&swapped).await;
    assert_eq!(
        (plan.summary().update, plan.summary().create),
        (2, 0),
        "{}",
        describe(&plan)
    );
    let names = "SELECT id, name FROM {voice_agent_livekit} ORDER BY id";
    assert_eq!(
        base.sql(names).await,
        format!("{CONFIG_INDIA}|uae\n{CONFIG_UAE}|india")
    );

    // An id-less config keeps its row by `formerly`.
    let mut renamed = swapped.clone();
    for config in renamed.configs.values_mut() {
        config.id = None;
    }
    base.settle(&renamed).await;
    let mut config = renamed.configs.remove("uae").unwrap();
    config.formerly = Some("uae".to_owned());
    renamed.configs.insert("emirates".to_owned(), config);
    renamed.settings[0].config = "emirates".to_owned();
    renamed.regions.get_mut("uae").unwrap().default_config = Some("emirates".to_owned());
    let plan = base.plan(&renamed).await;
    base.apply(&plan).await.unwrap();
    assert_eq!(
        base.sql(names).await,
        format!("{CONFIG_INDIA}|emirates\n{CONFIG_UAE}|india")
    );
    assert_eq!(describe(&base.plan(&renamed).await), "");
}

async fn a_config_is_deleted_only_while_no_number_holds_it(base: Base) {
    base.settle(&files()).await;
    let mut without = files();
    without.configs.remove("uae");
    without.regions.remove("uae");
    let plan = base.plan(&without).await;
    assert_eq!(plan.summary().delete, 2);
    // Another program hands it to a number in the meantime; inactive counts.
    let upper = CONFIG_UAE.to_uppercase();
    base.number(
        id(1),
        TENANT_B,
        "NULL NULL",
        &format!("NULL, 'inactive', '{{\"livekit_config\": \"{upper}\"}}'"),
    )
    .await;
    base.number(
        id(2),
        TENANT_B,
        "NULL NULL",
        "NULL, NULL, '[\"livekit_config\"]'",
    )
    .await;
    let error = refused(&base, &plan).await;
    assert_eq!(error.error.exit, Exit::Stale);
    assert_eq!(error.moved[0].to_string(), "config.uae");

    base.sql("UPDATE {voice_agent_numbers} SET rules = NULL WHERE status = 'inactive'")
        .await;
    base.apply(&plan).await.unwrap();
    assert_eq!(
        base.sql("SELECT name FROM {voice_agent_livekit}").await,
        "india"
    );
    assert_eq!(describe(&base.plan(&without).await), "");
}

async fn drift_is_reverted_only_where_it_was_seen(base: Base) {
    let routing = one(INDIA, outbound(true).with(Field::Provider, "P"));
    base.settle(&routing).await;
    base.sql("UPDATE {voice_agent_numbers} SET provider = 'Q'")
        .await;
    base.sql("UPDATE {voice_agent_livekit} SET worker_name = NULL WHERE name = 'uae'")
        .await;
    let mut changed = routing.clone();
    changed.settings[0]
        .fields
        .set(Field::Outbound, Some(false.into()));
    let plan = base.plan(&changed).await.without_drift();
    assert_eq!(plan.left_alone.len(), 2);
    base.apply(&plan).await.unwrap();
    let row = "SELECT provider, rules FROM {voice_agent_numbers}";
    let row = base.sql(row).await.replace(": ", ":");
    assert!(
        row.starts_with("Q|") && row.contains(r#""outbound":false"#),
        "{row}"
    );

    let plan = base.plan(&changed).await;
    let drift = describe(&plan);
    assert_contains!(drift, "provider Drift", "worker_name Drift");
    base.settle(&changed).await;
    assert_eq!(
        base.sql("SELECT provider FROM {voice_agent_numbers}").await,
        "P"
    );
    // A row that is gone is drift too, and is made again under a new id.
    base.sql("DELETE FROM {voice_agent_numbers}").await;
    base.settle(&changed).await;
    let current = "SELECT count(*) FROM {lkroute_bindings} WHERE until IS NULL";
    assert_eq!(base.sql(current).await, "1");
}

async fn foreign_rows_stay_as_they_are(base: Base) {
    for n in 0..100u16 {
        let status = ["NULL", "'active'", "'inactive'"][n as usize % 3];
        let rules = format!(
            r#"{{"number_type": "local", "ui": {{"n": {n}.0, "note": "é \"q\" {n}", "none": null}}}}"#
        );
        let rest = format!("'Carrier {n}', {status}, '{rules}'");
        base.number(
            id(1000 + n),
            TENANT_B,
            &format!("'+971' 50000{n:04}"),
            &rest,
        )
        .await;
    }
    let foreign = |rows: std::collections::BTreeMap<String, String>| -> Vec<_> {
        rows.into_iter()
            .filter(|(row, _)| {
                row.as_str() >= id(1000).to_string().as_str()
                    && row.as_str() <= id(1100).to_string().as_str()
            })
            .collect()
    };
    let before = foreign(base.rows().await);
    assert_eq!(before.len(), 100);
    let mut routing = files();
    for n in 0..50 {
        bind(
            &mut routing,
            &format!("+9197000000{n:02}"),
            1,
            "uae",
            outbound(n % 2 == 0),
        );
    }
    base.settle(&routing).await;
    routing.settings[0].config = "india".to_owned();
    base.settle(&routing).await;
    routing.bindings.truncate(10);
    base.settle(&routing).await;
    base.settle(&files()).await;
    assert_eq!(foreign(base.rows().await), before);
}

async fn many_rows_go_through_in_sets(base: Base) {
    let mut routing = files();
    for n in 0..12_000u32 {
        let fields = match n % 3 {
            0 => outbound(true),
            1 => Fields::new().with(Field::Provider, format!("P{}", n % 40)),
            _ => Fields::new(),
        };
        bind(
            &mut routing,
            &format!("+9190{n:08}"),
            n % 3,
            "india",
            fields,
        );
    }
    base.settle(&routing).await;
    assert_eq!(
        base.sql("SELECT count(*) FROM {voice_agent_numbers}").await,
        "12000"
    );
    for settings in &mut routing.settings {
        settings.config = "uae".to_owned();
        if settings.fields.contains(Field::Provider) {
            settings.fields.set(Field::Inbound, Some(Value::Bool(true)));
        }
    }
    let plan = base.settle(&routing).await;
    assert_eq!(plan.summary().update, 12_000);
    routing.bindings.truncate(100);
    base.settle(&routing).await;
    let inactive = "SELECT count(*) FROM {voice_agent_numbers} WHERE status = 'inactive'";
    assert_eq!(base.sql(inactive).await, "11900");
    let versions = "SELECT count(*) FROM {lkroute_bindings}";
    assert_eq!(
        base.sql(versions).await,
        (12_000 + 12_000 + 11_900).to_string()
    );
}

async fn progress_reaches_its_total(base: Base) {
    let mut routing = files();
    for n in 0..6000 {
        bind(
            &mut routing,
            &format!("+9190{n:08}"),
            1,
            "india",
            Fields::new(),
        );
    }
    let plan = base.plan(&routing).await;
    let mut store = base.open(Mode::Write).await;
    let mut seen = Vec::new();
    let mut progress = |done, total| seen.push((done, total));
    store
        .apply(&plan, &request(&plan), &mut progress)
        .await
        .unwrap();
    assert!(seen.is_sorted() && seen.len() > 1);
    assert_eq!(seen.last(), Some(&(12_000, 12_000)));
}

async fn what_a_rollback_needs_is_kept(base: Base) {
    let rules = "'P', NULL, '{\"outbound\": false, \"inbound\": true}'";
    base.number(id(1), TENANT_INDIA, "'+91' 9513456728", rules)
        .await;
    base.sql(&format!(
        "INSERT INTO {{voice_agent_livekit}} (id, name, livekit_url, livekit_api_key, livekit_api_secret)
         VALUES ('{CONFIG_UAE}', 'old', 'wss://livekit.uae.example', 'APImadeupuae', 'dev-s-t-made-up')"
    ))
    .await;
    let mut routing = files();
    let fields = outbound(true).with(Field::Inbound, true);
    bind_adopting(&mut routing, INDIA, 0, "india", fields, &[Field::Outbound]);
    let uae = routing.configs.get_mut("uae").unwrap();
    uae.adopt = vec![
        Field::Name,
        Field::ApiSecret,
        Field::TrunkId,
        Field::WorkerName,
    ];
    let plan = base.plan(&routing).await;
    let mut first = request(&plan);
    first.files = Some("a digest".to_owned());
    first.restores = Some(7);
    let mut store = base.open(Mode::Write).await;
    store.apply(&plan, &first, &mut |_, _| ()).await.unwrap();

    let found =
        "SELECT s.fields FROM {lkroute_bindings} b JOIN {lkroute_settings} s ON s.id = b.found";
    assert_eq!(
        base.sql(found).await,
        r#"{"rules.inbound":true,"rules.outbound":false}"#
    );
    let configs = format!(
        "SELECT sealed, found, found_sealed FROM {{lkroute_configs}} WHERE id = '{CONFIG_UAE}' ORDER BY since"
    );
    let first_version = base.sql(&configs).await;
    assert!(
        first_version.starts_with("lkr1:made-up:00000000:uae|{\"api_key\":\"APImadeupuae\",")
            && first_version.ends_with(
                "\"name\":\"old\",\"url\":\"wss://livekit.uae.example\"}|dev-s-t-made-up"
            ),
        "{first_version}"
    );
    let applies = "SELECT files, restores FROM {lkroute_applies}";
    assert_eq!(base.sql(applies).await, "a digest|7");

    // A version that leaves the secret alone keeps its text.
    routing.configs.get_mut("uae").unwrap().worker_name = None;
    let plan = base.plan(&routing).await;
    base.apply(&plan).await.unwrap();
    let second = base.sql(&configs).await;
    let second = second.lines().last().unwrap();
    assert_eq!(
        second,
        r#"lkr1:made-up:00000000:uae|{"worker_name":"voag-dev"}|"#
    );
    // A plain text is never kept.
    base.sql("UPDATE {voice_agent_livekit} SET livekit_api_secret = 'made-up plain text' WHERE name = 'uae'").await;
    routing.configs.get_mut("uae").unwrap().trunk_id = None;
    let plan = base.plan(&routing).await.without_drift();
    assert_eq!(plan.left_alone.len(), 1);
    base.apply(&plan).await.unwrap();
    let third = base.sql(&configs).await;
    let third = third.lines().last().unwrap();
    assert_eq!(
        third,
        r#"lkr1:made-up:00000000:uae|{"trunk_id":"ST_madeUp"}|"#
    );
    assert_lacks!(
        base.sql("SELECT * FROM {lkroute_configs}").await,
        "plain text"
    );
}
