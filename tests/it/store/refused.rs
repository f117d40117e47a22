//! What stops an apply: others changed what it was to write, the database is
//! somebody else's, a secret is missing. Nothing is written then.

use lkroute::error::Exit;
use lkroute::fields::{Field, Fields};
use lkroute::routing::SecretSource;
use lkroute::store::Mode;

use super::apply::{INDIA, one, outbound, refused};
use super::base::*;
use super::on_both;

on_both!(
    a_region_whose_record_is_gone_stops_an_apply,
    a_foreign_edit_of_another_key_does_no_harm,
    a_foreign_edit_of_the_same_key_makes_it_stale,
    a_number_that_appeared_makes_it_stale,
    a_row_of_others_that_appeared_keeps_ours_asleep,
    what_is_recorded_as_adopted_is_so,
    what_a_trigger_rewrites_is_told,
    keys_of_the_application_hold_while_rows_are_written,
    a_config_that_is_gone_meanwhile_gets_no_number,
    a_config_that_leads_elsewhere_meanwhile_gets_no_number,
    a_newer_lkroute_that_came_meanwhile_is_told,
    a_name_that_was_taken_makes_it_stale,
    another_owner_is_refused,
    a_missing_secret_is_told_before_anything_is_written,
);

async fn a_foreign_edit_of_another_key_does_no_harm(base: Base) {
    base.number(
        id(1),
        TENANT_INDIA,
        "'+91' 9513456728",
        "'P', 'active', '{\"ui\":1}'",
    )
    .await;
    let plan = base.plan(&one(INDIA, outbound(true))).await;
    base.sql("UPDATE {voice_agent_numbers} SET rules = '{\"ui\": 2, \"new\": true}', provider = 'Q', status = NULL").await;
    base.apply(&plan).await.unwrap();
    let row = base.row(id(1)).await;
    assert_contains!(row, r#""ui":2"#, r#""new":true"#);
    assert!(
        row.contains(r#""outbound":true"#) && row.ends_with("||Q"),
        "{row}"
    );
}

async fn a_foreign_edit_of_the_same_key_makes_it_stale(base: Base) {
    for n in 1..4 {
        base.number(
            id(n),
            TENANT_INDIA,
            &format!("'+91' 900000000{n}"),
            "'P', 'active', '{}'",
        )
        .await;
    }
    let mut routing = files();
    for n in 1..4 {
        bind(
            &mut routing,
            &format!("+91900000000{n}"),
            0,
            "india",
            outbound(true),
        );
    }
    let plan = base.plan(&routing).await;
    let edits = [
        "rules = '{\"outbound\": false}'",
        "rules = '{\"outbound\": null}'",
        "rules = '[]'",
        "rules = 'null'",
        "status = 'inactive'",
        "country_code = '+971', base_number = 545335200",
        "tenant_id = '926070b5-189b-4682-9279-ea10ca090b84'",
    ];
    for edit in edits {
        let was = base.sql("SELECT tenant_id, country_code, base_number FROM {voice_agent_numbers} ORDER BY id LIMIT 1 OFFSET 1").await;
        let was: Vec<&str> = was.split('|').collect();
        let set = |set: &str| {
            format!(
                "UPDATE {{voice_agent_numbers}} SET {set} WHERE id = '{}'",
                id(2)
            )
        };
        base.sql(&set(edit)).await;
        let error = refused(&base, &plan).await;
        assert_eq!(error.error.exit, Exit::Stale, "{edit}");
        let moved: Vec<_> = error.moved.iter().map(ToString::to_string).collect();
        assert_eq!(moved, ["binding.+919000000002@tenant-a"], "{edit}");
        base.sql(&set(&format!(
            "rules = '{{}}', status = NULL, tenant_id = '{}', country_code = '{}', base_number = {}",
            was[0], was[1], was[2]
        ))).await;
    }
    base.sql(&format!(
        "DELETE FROM {{voice_agent_numbers}} WHERE id = '{}'",
        id(2)
    ))
    .await;
    assert_eq!(refused(&base, &plan).await.moved.len(), 1);
}

async fn a_number_that_appeared_makes_it_stale(base: Base) {
    base.settle(&files()).await;
    let plan = base.plan(&one("+12425550100", Fields::new())).await;
    base.number(id(1), TENANT_B, "'+1242' 5550100", "NULL, NULL, NULL")
        .await;
    base.number(
        id(2),
        TENANT_INDIA,
        "'+1242' 5550100",
        "NULL, 'inactive', NULL",
    )
    .await;
    let error = refused(&base, &plan).await;
    assert_eq!(error.moved[0].to_string(), "binding.+12425550100@tenant-a");
    base.sql("UPDATE {voice_agent_numbers} SET base_number = 5550101")
        .await;
    base.apply(&plan).await.unwrap();
}

async fn a_row_of_others_that_appeared_keeps_ours_asleep(base: Base) {
    let routing = one("+12425550100", Fields::new());
    base.settle(&routing).await;
    base.settle(&files()).await;
    let plan = base.plan(&routing).await;
    let theirs = async |id, status: &str| {
        let rest = format!("NULL, {status}, NULL");
        base.number(id, TENANT_INDIA, "'+1' 2425550100", &rest)
            .await;
    };
    theirs(id(1), "'inactive'").await;
    theirs(id(2), "NULL").await;
    let error = refused(&base, &plan).await;
    assert_eq!(error.error.exit, Exit::Stale);
    assert_eq!(error.moved[0].to_string(), "binding.+12425550100@tenant-a");
    let again = base.plan(&routing).await;
    assert_contains!(describe(&again), "status Blocked");
    base.sql(&format!(
        "DELETE FROM {{voice_agent_numbers}} WHERE id = '{}'",
        id(2)
    ))
    .await;
    base.apply(&plan).await.unwrap();
}

/// Others change a row between the plan and the apply that was to record it.
async fn what_is_recorded_as_adopted_is_so(base: Base) {
    base.settle(&files()).await;
    let config = format!(r#""livekit_config": "{CONFIG_INDIA}""#);
    let rules = format!("NULL, NULL, '{{{config}, \"outbound\": true}}'");
    base.number(id(1), TENANT_INDIA, "'+91' 9000000001", &rules)
        .await;
    base.number(
        id(2),
        TENANT_INDIA,
        "'+91' 9000000002",
        &format!("NULL, NULL, '{{{config}}}'"),
    )
    .await;
    let mut routing = files();
    for number in ["+919000000001", "+919000000002"] {
        bind(&mut routing, number, 0, "india", outbound(true));
    }
    let plan = base.plan(&routing).await;
    assert_contains!(describe(&plan), "adopt binding.+919000000001@tenant-a");
    assert_contains!(
        describe(&plan),
        "update binding.+919000000002@tenant-a: config Adopt"
    );
    for n in 1..3 {
        let of = |set: &str| {
            format!(
                "UPDATE {{voice_agent_numbers}} SET {set} WHERE id = '{}'",
                id(n)
            )
        };
        let rules = "SELECT rules FROM {voice_agent_numbers} WHERE id = ";
        let was = base.sql(&format!("{rules}'{}'", id(n))).await;
        base.sql(&of(&format!(
            "rules = '{{\"livekit_config\": \"{CONFIG_UAE}\", \"outbound\": true}}'"
        )))
        .await;
        let error = refused(&base, &plan).await;
        assert_eq!(error.error.exit, Exit::Stale);
        assert_eq!(
            error.moved[0].to_string(),
            format!("binding.+91900000000{n}@tenant-a")
        );
        base.sql(&of(&format!("rules = '{was}'"))).await;
    }
    base.apply(&plan).await.unwrap();
    assert_eq!(describe(&base.plan(&routing).await), "");
}

/// The application's own key against two active rows, or from numbers to configs,
/// is looked at row by row: in another order no number could go back to an earlier
/// tenant, or move to a config that comes with it.
async fn keys_of_the_application_hold_while_rows_are_written(base: Base) {
    base.sql(
        "CREATE UNIQUE INDEX one_active ON {voice_agent_numbers} (country_code, base_number)
           WHERE status = 'active'",
    )
    .await;
    if let Hold::Postgres(_) = &base.hold {
        base.sql(
            "ALTER TABLE {voice_agent_numbers} ADD COLUMN livekit_id uuid
               GENERATED ALWAYS AS ((rules->>'livekit_config')::uuid) STORED
               REFERENCES {voice_agent_livekit} (id)",
        )
        .await;
    }
    let mut before = files();
    bind(&mut before, "+919000000001", 0, "india", Fields::new());
    bind(&mut before, "+919000000002", 0, "india", Fields::new());
    // The first goes to another tenant, and both to a config that takes the other's
    // place and its name, or has another.
    let [next, same] = ["next", "india"].map(|name| {
        let mut after = files();
        let config = config(None, "india", 10);
        after.configs.remove("india");
        after.configs.insert(name.to_owned(), config);
        after
            .regions
            .get_mut("india")
            .expect("a region")
            .default_config = Some(name.to_owned());
        bind(&mut after, "+919000000001", 1, name, Fields::new());
        bind(&mut after, "+919000000002", 0, name, Fields::new());
        after
    });
    for routing in [&before, &next, &before, &next, &before, &same, &before] {
        base.settle(routing).await;
    }
}

/// The application deletes the config while somebody reads the plan: the number would
/// point to nothing.
async fn a_config_that_is_gone_meanwhile_gets_no_number(base: Base) {
    base.settle(&files()).await;
    let plan = base.plan(&one(INDIA, Fields::new())).await;
    base.sql("DELETE FROM {voice_agent_livekit}").await;
    let error = refused(&base, &plan).await.error;
    assert_eq!(error.exit, Exit::Stale, "{error}");
    assert_contains!(
        error.message,
        "the configs that numbers go to are gone",
        INDIA
    );
}

/// People approved where calls go, while others changed it.
async fn a_config_that_leads_elsewhere_meanwhile_gets_no_number(base: Base) {
    base.settle(&files()).await;
    let plan = base.plan(&one(INDIA, Fields::new())).await;
    let set = async |set: &str| {
        let update = format!("UPDATE {{voice_agent_livekit}} SET {set}");
        base.sql(&update).await;
    };
    for (changed, back) in [
        (
            "livekit_url = livekit_url || '.evil.example'",
            "livekit_url = replace(livekit_url, '.evil.example', '')",
        ),
        (
            "livekit_api_key = livekit_api_key || 'x'",
            "livekit_api_key = substr(livekit_api_key, 1, length(livekit_api_key) - 1)",
        ),
        (
            "trunk_id = coalesce(trunk_id, '') || 'x'",
            "trunk_id = nullif(substr(trunk_id, 1, length(trunk_id) - 1), '')",
        ),
    ] {
        set(changed).await;
        let error = refused(&base, &plan).await.error;
        assert_eq!(error.exit, Exit::Stale, "{error}");
        assert_contains!(
            error.message,
            "the configs that numbers go to lead elsewhere",
            INDIA
        );
        set(back).await;
    }
    set("description = 'no call depends on it'").await;
    base.apply(&plan).await.expect("applied");
}

async fn a_newer_lkroute_that_came_meanwhile_is_told(base: Base) {
    let plan = base.plan(&files()).await;
    base.sql("UPDATE {lkroute_state} SET schema_version = 99")
        .await;
    let error = refused(&base, &plan).await.error;
    assert_eq!(error.exit, Exit::Stale, "{error}");
    assert_contains!(error.message, "a newer lkroute", "99");
}

async fn what_a_trigger_rewrites_is_told(base: Base) {
    let numbers = base.table("voice_agent_numbers");
    let configs = base.table("voice_agent_livekit");
    let rewrite = match &base.hold {
        Hold::Postgres(_) => format!(
            "CREATE FUNCTION deny() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
               NEW.rules = NEW.rules || '{{\"outbound\": false}}'; RETURN NEW; END $$;
             CREATE FUNCTION upper() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
               NEW.worker_name = upper(NEW.worker_name); RETURN NEW; END $$;
             CREATE TRIGGER deny BEFORE INSERT OR UPDATE ON {numbers}
               FOR EACH ROW WHEN (NEW.base_number = 9000000002) EXECUTE FUNCTION deny();
             CREATE TRIGGER up BEFORE INSERT OR UPDATE ON {configs}
               FOR EACH ROW WHEN (NEW.name = 'uae') EXECUTE FUNCTION upper()"
        ),
        Hold::Sqlite(_) => "CREATE TRIGGER deny AFTER INSERT ON voice_agent_numbers
             WHEN NEW.base_number = 9000000002 BEGIN
               UPDATE voice_agent_numbers SET rules = json_set(rules, '$.outbound', json('false'))
                 WHERE id = NEW.id; END;
           CREATE TRIGGER deny2 AFTER UPDATE ON voice_agent_numbers
             WHEN NEW.base_number = 9000000002 BEGIN
               UPDATE voice_agent_numbers SET rules = json_set(rules, '$.outbound', json('false'))
                 WHERE id = NEW.id; END;
           CREATE TRIGGER up AFTER INSERT ON voice_agent_livekit WHEN NEW.name = 'uae' BEGIN
               UPDATE voice_agent_livekit SET worker_name = upper(worker_name)
                 WHERE id = NEW.id; END"
            .to_owned(),
    };
    base.sql(&rewrite).await;
    let error = refused(&base, &base.plan(&files()).await).await.error;
    assert_eq!(error.exit, Exit::Error);
    assert_contains!(error.message, "config.uae (worker_name)");
    match &base.hold {
        Hold::Postgres(_) => base.sql(&format!("DROP TRIGGER up ON {configs}")).await,
        Hold::Sqlite(_) => base.sql("DROP TRIGGER up").await,
    };
    let inserted = one("+919000000002", outbound(true));
    let error = refused(&base, &base.plan(&inserted).await).await.error;
    assert_contains!(
        error.message,
        "binding.+919000000002@tenant-a (rules.outbound)"
    );
    let held = "NULL, NULL, '{\"outbound\": false}'";
    base.number(id(2), TENANT_INDIA, "'+91' 9000000002", held)
        .await;
    let mut taken = files();
    bind_adopting(
        &mut taken,
        "+919000000002",
        0,
        "india",
        outbound(true),
        &[Field::Outbound],
    );
    let error = refused(&base, &base.plan(&taken).await).await.error;
    assert_contains!(error.message, "(rules.outbound)");
    assert_contains!(error.hint.unwrap(), "trigger");
    // Where nothing is rewritten it goes through.
    base.sql("DELETE FROM {voice_agent_numbers}").await;
    base.settle(&one("+919000000003", outbound(true))).await;
}

async fn a_name_that_was_taken_makes_it_stale(base: Base) {
    let plan = base.plan(&files()).await;
    base.sql(&format!(
        "INSERT INTO {{voice_agent_livekit}} (id, name, livekit_url, livekit_api_key, livekit_api_secret)
         VALUES ('{}', 'uae', 'u', 'k', 's')",
        id(7)
    )).await;
    let error = refused(&base, &plan).await;
    assert_eq!(error.error.exit, Exit::Stale);
    assert_contains!(error.error.message, "taken");
    base.sql("DELETE FROM {voice_agent_livekit}").await;
    base.apply(&plan).await.unwrap();

    let mut changed = files();
    changed.configs.get_mut("uae").unwrap().worker_name = Some("voag-dev-v2".to_owned());
    let plan = base.plan(&changed).await;
    base.sql("UPDATE {voice_agent_livekit} SET worker_name = 'other' WHERE name = 'uae'")
        .await;
    let error = refused(&base, &plan).await;
    assert_eq!(error.moved[0].to_string(), "config.uae");
    // Another column is not in the plan.
    base.sql("UPDATE {voice_agent_livekit} SET worker_name = 'voag-dev', trunk_id = 'ST_other' WHERE name = 'uae'").await;
    base.apply(&plan).await.unwrap();
    assert_eq!(
        describe(&base.plan(&changed).await),
        "update config.uae: trunk_id Drift"
    );
}

async fn another_owner_is_refused(base: Base) {
    let plan = base.plan(&files()).await;
    base.apply(&plan).await.unwrap();
    let plan = base.plan(&one(INDIA, Fields::new())).await;
    let mut store = base.open(Mode::Write).await;
    let mut other = request(&plan);
    other.owner = Some("another tree".to_owned());
    let error = store
        .apply(&plan, &other, &mut |_, _| ())
        .await
        .unwrap_err();
    assert_eq!(error.error.exit, Exit::Conflict);
    let mut prod = request(&plan);
    prod.environment = Some("prod".to_owned());
    store.apply(&plan, &prod, &mut |_, _| ()).await.unwrap();
    let plan = base.plan(&files()).await;
    let error = base.apply(&plan).await.unwrap_err();
    assert_contains!(error.error.message, "environment `prod`");
}

async fn a_missing_secret_is_told_before_anything_is_written(base: Base) {
    let mut routing = files();
    routing.configs.get_mut("uae").unwrap().api_secret = SecretSource::Env("NONE".to_owned());
    let plan = base.plan(&routing).await;
    let error = refused(&base, &plan).await;
    assert_contains!(error.error.message, "config.uae");
    let mut request = request(&plan);
    let stored = sealed("from-env");
    request.secrets.insert(
        uuid(CONFIG_UAE),
        lkroute::store::PreparedSecret {
            text: Some(stored.clone()),
            fingerprint: Some("k1:made-up".to_owned()),
            source: None,
        },
    );
    let mut store = base.open(Mode::Write).await;
    store.apply(&plan, &request, &mut |_, _| ()).await.unwrap();
    let owned = |snapshot: lkroute::snapshot::Snapshot| {
        let mut owned = snapshot.owned_configs.into_iter();
        owned.find(|config| config.id == uuid(CONFIG_UAE)).unwrap()
    };
    store.begin_read().await.unwrap();
    let config = owned(store.snapshot().await.unwrap());
    store.end_read().await.unwrap();
    assert_eq!(
        config.fields.text(Field::ApiSecret),
        Some(stored.digest().as_str())
    );
    assert_eq!(config.secret_source, "env:NONE");

    // Without the source at hand, other fields change, the secret stays, and
    // so does its fingerprint.
    routing.configs.get_mut("uae").unwrap().worker_name = None;
    let plan = base.plan(&routing).await;
    assert_eq!(plan.unchecked.len(), 1);
    base.apply(&plan).await.unwrap();
    let secret =
        "SELECT livekit_api_secret, worker_name FROM {voice_agent_livekit} WHERE name = 'uae'";
    assert_eq!(base.sql(secret).await, format!("{}|", stored.as_stored()));
    store.begin_read().await.unwrap();
    let config = owned(store.snapshot().await.unwrap());
    assert_eq!(config.fingerprint.as_deref(), Some("k1:made-up"));
    assert_eq!(config.since, 2);
}

/// Regions are lkroute's alone; their records are looked at all the same.
async fn a_region_whose_record_is_gone_stops_an_apply(base: Base) {
    base.settle(&files()).await;
    let mut routing = files();
    let india = routing.regions.get_mut("india").unwrap();
    india.description = Some("changed".to_owned());
    let plan = base.plan(&routing).await;
    base.sql("DELETE FROM {lkroute_regions} WHERE name = 'india'")
        .await;
    let before = base.everything().await;
    base.apply(&plan).await.unwrap_err();
    assert_eq!(base.everything().await, before);
}
