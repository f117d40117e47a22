//! Going back: the state of an earlier apply, drift, and giving back.

use std::collections::{BTreeMap, BTreeSet};

use lkroute::app::applied_states::{
    RollbackPlan, read_drift, read_release, read_rollback, read_undone,
};
use lkroute::diff::plan::Action;
use lkroute::fields::{Field, Fields, FieldsPool};
use lkroute::history::changes::{What, event};
use lkroute::history::release::ReleasePlan;
use lkroute::routing::Routing;
use lkroute::store::{Mode, VersionFilter};
use uuid::Uuid;

use super::base::*;
use super::on_both;

on_both!(
    every_state_can_be_brought_back,
    what_was_taken_over_is_given_back_as_it_was,
    a_config_of_others_is_given_back_whole,
    what_others_changed_since_is_drift,
    what_is_given_back_stays_as_it_is,
    an_apply_and_an_object_tell_their_story,
    what_a_rollback_took_away_is_known,
);

const INDIA: &str = "+919513456728";
const UAE: &str = "+971545335200";

async fn back(base: &Base, apply: Option<i64>) -> RollbackPlan {
    let mut store = base.open(Mode::Read).await;
    let back = read_rollback(&mut store, apply, &mut |_| (), Uuid::now_v7).await;
    back.expect("the way back")
}

/// Brings back the state of an apply, and sees that nothing is left to do.
async fn roll_back(base: &Base, apply: i64) -> RollbackPlan {
    let way = back(base, Some(apply)).await;
    let mut request = request(&way.plan);
    request.kind = "rollback".to_owned();
    request.restores = Some(apply);
    request.secrets = way.secrets();
    let mut store = base.open(Mode::Write).await;
    let done = store.apply(&way.plan, &request, &mut |_, _| ()).await;
    done.map_err(|error| error.error).expect("roll back");
    assert_eq!(describe(&back(base, Some(apply)).await.plan), "");
    way
}

/// What is lkroute's, in words: names, fields, sources and fingerprints.
async fn owned(base: &Base) -> Vec<String> {
    let state = back(base, None).await.state;
    let routing = &state.routing;
    let mut all: Vec<String> = Vec::new();
    for (name, region) in &routing.regions {
        all.push(format!(
            "{name} {:?} {:?}",
            region.country_codes, region.default_config
        ));
    }
    for config in state.configs.values() {
        let owned = &config.owned;
        let sealed = config.sealed.as_ref().map(|text| text.as_stored());
        let secret = (&owned.secret_source, &owned.fingerprint, sealed);
        all.push(format!("{} {secret:?}", owned.fields.to_json()));
    }
    for binding in &routing.bindings {
        let settings = routing.settings(binding);
        let tenant = routing.tenant(binding).label();
        let fields = settings.fields.to_json();
        all.push(format!(
            "{} {tenant} {} {fields}",
            binding.number, settings.config
        ));
    }
    all.sort();
    all
}

async fn every_state_can_be_brought_back(base: Base) {
    let mut one = files();
    bind(&mut one, INDIA, 0, "india", outbound(true));
    bind(&mut one, "+919000000001", 1, "india", outbound(false));
    let mut two = one.clone();
    bind(&mut two, UAE, 2, "uae", outbound(true));
    two.settings[0].config = "uae".to_owned();
    two.settings[0].fields = outbound(false).with(Field::Provider, "P");
    two.configs.get_mut("uae").unwrap().api_secret = sealed_source("rotated");
    two.configs.get_mut("uae").unwrap().worker_name = None;
    two.regions.get_mut("uae").unwrap().description = Some("new".to_owned());
    let mut three = two.clone();
    three.bindings.remove(0);
    three.settings[1].config = "uae".to_owned();
    three.regions.remove("india");
    three.configs.remove("india");
    let mut states = Vec::new();
    for routing in [&one, &two, &three] {
        base.settle(routing).await;
        states.push(owned(&base).await);
    }
    for apply in [1, 3, 2, 3, 1] {
        roll_back(&base, apply).await;
        assert_eq!(
            owned(&base).await,
            states[apply as usize - 1],
            "apply {apply}"
        );
    }
    assert_eq!(describe(&base.plan(&one).await), "", "the files of apply 1");
    let retired = base.sql("SELECT count(*) FROM {voice_agent_numbers} WHERE status = 'inactive'");
    assert_eq!(retired.await, "1", "the number of apply 2 alone");
    let mut store = base.open(Mode::Read).await;
    let none = read_rollback(&mut store, Some(99), &mut |_| (), Uuid::now_v7).await;
    assert_contains!(none.unwrap_err().message, "no apply 99");
}

fn outbound(value: bool) -> lkroute::fields::Fields {
    lkroute::fields::Fields::new().with(Field::Outbound, value)
}

fn sealed_source(word: &str) -> lkroute::routing::SecretSource {
    lkroute::routing::SecretSource::Sealed(sealed(word))
}

/// Rows of others: nothing set, all set, another's value, a key of the UI.
async fn others(base: &Base) -> Routing {
    let rows = [
        "'P', NULL, NULL".to_owned(),
        format!("'P', 'active', '{{\"livekit_config\": \"{CONFIG_INDIA}\", \"outbound\": true}}'"),
        "'P', NULL, '{\"outbound\": false, \"inbound\": null, \"ui\": [1]}'".to_owned(),
        "'Q', NULL, '{\"ui\": {\"a\": 1}, \"outbound\": true}'".to_owned(),
    ];
    let mut routing = files();
    for (n, rest) in (1..).zip(rows) {
        let number = format!("'+91' 900000000{n}");
        base.number(id(n), TENANT_INDIA, &number, &rest).await;
        let fields = outbound(true).with(Field::Provider, "P");
        let adopt = [Field::Outbound, Field::Provider];
        bind_adopting(
            &mut routing,
            &format!("+91900000000{n}"),
            0,
            "india",
            fields,
            &adopt,
        );
    }
    routing
}

async fn what_was_taken_over_is_given_back_as_it_was(base: Base) {
    base.settle(&files()).await;
    let mut routing = others(&base).await;
    let before = base.rows().await;
    base.settle(&routing).await;
    assert_ne!(base.rows().await, before);
    let way = roll_back(&base, 1).await;
    let all = |action| {
        way.plan
            .changes
            .iter()
            .all(|change| change.action == action)
    };
    assert!(all(Action::Release), "{}", describe(&way.plan));
    assert_eq!(meaning(base.rows().await), meaning(before.clone()));

    // Taken over twice, and a field more the second time.
    base.settle(&routing).await;
    for settings in &mut routing.settings {
        settings.fields.set(Field::Inbound, Some(true.into()));
        settings.adopt.push(Field::Inbound);
    }
    base.settle(&routing).await;
    roll_back(&base, 4).await;
    let third = base.row(id(3)).await;
    assert_contains!(third, "\"inbound\":null");
    base.sql("UPDATE {voice_agent_numbers} SET provider = 'theirs' WHERE base_number = 9000000004")
        .await;
    roll_back(&base, 1).await;
    let mut expected = before;
    let last = expected.values_mut().last().unwrap();
    *last = last.replace("|Q|", "|theirs|");
    assert_eq!(meaning(base.rows().await), meaning(expected));
}

/// Rows with `rules` by what it means: SQLite writes a patched one anew.
fn meaning(rows: BTreeMap<String, String>) -> Vec<String> {
    let row = |row: String| {
        let mut columns: Vec<String> = row.split('|').map(str::to_owned).collect();
        let rules = match columns[5].as_str() {
            "" => serde_json::json!({}),
            text => serde_json::from_str(text).expect("JSON"),
        };
        columns[5] = rules.to_string();
        columns.join("|")
    };
    rows.into_values().map(row).collect()
}

async fn a_config_of_others_is_given_back_whole(base: Base) {
    let mut routing = files();
    let uae = routing.configs.remove("uae").unwrap();
    routing.regions.remove("uae");
    base.settle(&routing).await;
    base.sql(&format!(
        "INSERT INTO {{voice_agent_livekit}} (id, name, livekit_url, livekit_api_key, livekit_api_secret)
         VALUES ('{CONFIG_UAE}', 'old', 'wss://livekit.uae.example', 'APImadeupuae', 'dev-s-t-made-up')"
    ))
    .await;
    let row = format!(
        "SELECT name, description, livekit_url, livekit_api_key, livekit_api_secret, trunk_id,
           worker_name FROM {{voice_agent_livekit}} WHERE id = '{CONFIG_UAE}'"
    );
    let before = base.sql(&row).await;
    let mut all = files();
    let config = all.configs.get_mut("uae").unwrap();
    config.adopt = vec![
        Field::Name,
        Field::ApiSecret,
        Field::TrunkId,
        Field::WorkerName,
    ];
    base.settle(&all).await;
    assert_contains!(base.sql(&row).await, "lkr1:");
    roll_back(&base, 1).await;
    assert_eq!(base.sql(&row).await, before);

    // A plain text is not kept by lkroute: the sealed one stays.
    let plain = format!(
        "UPDATE {{voice_agent_livekit}} SET livekit_api_secret = 'made-up plain' WHERE id = '{CONFIG_UAE}'"
    );
    base.sql(&plain).await;
    base.settle(&all).await;
    let way = roll_back(&base, 1).await;
    assert!(
        way.plan
            .findings
            .iter()
            .any(|finding| finding.code == "secret-not-restored")
    );
    let after = base.sql(&row).await;
    assert!(
        after.starts_with("old|") && after.contains("lkr1:"),
        "{after}"
    );
    assert_lacks!(base.everything().await, "made-up plain");
    drop(uae);
}

async fn what_others_changed_since_is_drift(base: Base) {
    let mut routing = files();
    bind(&mut routing, INDIA, 0, "india", outbound(true));
    bind(&mut routing, UAE, 2, "uae", outbound(true));
    base.settle(&routing).await;
    routing.settings[0].fields = outbound(true).with(Field::Provider, "P");
    routing.configs.get_mut("uae").unwrap().worker_name = Some("voag-dev-v2".to_owned());
    base.settle(&routing).await;
    assert_eq!(describe(&back(&base, None).await.plan), "");

    let rules = match base.hold {
        Hold::Postgres(_) => "rules || '{\"outbound\": false, \"ui\": 1}'",
        Hold::Sqlite(_) => "json_set(rules, '$.outbound', json('false'), '$.ui', 1)",
    };
    base.sql(&format!(
        "UPDATE {{voice_agent_numbers}} SET rules = {rules}, provider = 'Q' WHERE base_number = 9513456728"
    ))
    .await;
    base.sql("UPDATE {voice_agent_livekit} SET worker_name = 'theirs', trunk_id = NULL WHERE name = 'uae'")
        .await;
    base.sql("DELETE FROM {voice_agent_numbers} WHERE base_number = 545335200")
        .await;
    let mut store = base.open(Mode::Read).await;
    let drift = read_drift(&mut store, &mut |_| (), Uuid::now_v7).await;
    let (drift, _) = drift.expect("what has drifted");
    let mut lines = Vec::new();
    for change in &drift.plan.changes {
        for field in &drift.plan.patch(change).fields {
            let by = drift.set_by(change, field.field);
            let address = drift.plan.address(change.object);
            lines.push(format!(
                "{address} {} {by:?} {}",
                field.field, change.insert
            ));
        }
        let touched = change.previous.and_then(|row| drift.touched.get(&row));
        assert_eq!(touched.is_some(), !change.insert);
    }
    assert_eq!(
        lines,
        [
            "config.uae trunk_id Some(1) false",
            "config.uae worker_name Some(2) false",
            "binding.+971545335200@tenant-uae config Some(1) true",
            "binding.+971545335200@tenant-uae rules.outbound Some(1) true",
            "binding.+919513456728@tenant-a provider Some(2) false",
            "binding.+919513456728@tenant-a rules.outbound Some(1) false",
        ]
    );
}

async fn what_is_given_back_stays_as_it_is(base: Base) {
    let mut routing = others(&base).await;
    bind(&mut routing, UAE, 2, "uae", outbound(true));
    base.settle(&routing).await;
    let (rows, configs) = (
        base.rows().await,
        "SELECT * FROM {voice_agent_livekit} ORDER BY id",
    );
    let before = base.sql(configs).await;
    let wanted = [
        "config.uae",
        "region.uae",
        "binding.+971545335200@tenant-uae",
        "binding.+919000000001@e0a3e9ca-3f46-4bb0-ac10-a91b5c1d20b5",
    ];
    let wanted: Vec<_> = wanted.iter().map(|text| text.parse().unwrap()).collect();
    for (addresses, left) in [(Some(wanted.as_slice()), 5), (None, 0)] {
        let mut store = base.open(Mode::Read).await;
        let found = read_release(&mut store, addresses).await.unwrap();
        let plan = found.plan.expect("all are ours");
        assert!(
            plan.changes
                .iter()
                .all(|change| change.action == Action::Release)
        );
        assert_eq!(plan.summary().release, plan.changes.len() as u64);
        let mut request = request(&plan);
        request.kind = "release".to_owned();
        request.secrets.clear();
        let mut store = base.open(Mode::Write).await;
        store
            .apply(&plan, &request, &mut |_, _| ())
            .await
            .expect("give back");
        let state = back(&base, None).await.state;
        let routing = state.routing;
        let all = routing.regions.len() + routing.configs.len() + routing.bindings.len();
        assert_eq!(all, left);
        assert_eq!(
            (base.rows().await, base.sql(configs).await),
            (rows.clone(), before.clone())
        );
    }
    let unknown = ["config.none".parse().unwrap()];
    let mut store = base.open(Mode::Read).await;
    let none = read_release(&mut store, Some(&unknown)).await.unwrap();
    assert_eq!(none.plan.unwrap_err(), unknown);
}

async fn an_apply_and_an_object_tell_their_story(base: Base) {
    let mut routing = others(&base).await;
    bind(&mut routing, UAE, 2, "uae", outbound(true));
    base.settle(&routing).await;
    routing.bindings.pop();
    routing.settings[0]
        .fields
        .set(Field::Outbound, Some(false.into()));
    base.settle(&routing).await;
    let mut store = base.open(Mode::Read).await;
    store.begin_read().await.unwrap();
    store.snapshot().await.unwrap();
    let mut pool = FieldsPool::default();
    let mut story = Vec::new();
    for apply in [1, 2] {
        let mut versions = Vec::new();
        let select = VersionFilter::Of(apply);
        store
            .binding_versions(&select, &mut pool, &mut |_, version| versions.push(version))
            .await
            .unwrap();
        for changed in lkroute::history::changes::of_apply(apply, "apply", &versions, &pool) {
            let steps = changed.event.steps.iter().map(|step| step.field.as_str());
            let steps: Vec<_> = steps.collect();
            let what = changed.event.what.as_str();
            story.push(format!(
                "{apply} {} {what} {}",
                changed.number,
                steps.join(",")
            ));
        }
    }
    story.sort();
    assert_eq!(
        story,
        [
            "1 +919000000001 changed config,rules.outbound",
            "1 +919000000002 adopted ",
            "1 +919000000003 changed config,rules.outbound",
            "1 +919000000004 changed config,provider",
            "1 +971545335200 created config,rules.outbound",
            "2 +919000000001 changed rules.outbound",
            "2 +919000000002 changed rules.outbound",
            "2 +919000000003 changed rules.outbound",
            "2 +919000000004 changed rules.outbound",
            "2 +971545335200 removed config,rules.outbound",
        ]
    );
    assert_eq!(event(None, None, "release").what, What::Released);
    let _ = ReleasePlan::new(None, &Default::default());
}

/// Told from the versions of the rows that rollbacks touched.
async fn what_a_rollback_took_away_is_known(base: Base) {
    let with = |outbound: bool| {
        let mut routing = files();
        let rules = Fields::new().with(Field::Outbound, outbound);
        bind(&mut routing, INDIA, 0, "india", rules.clone());
        bind(&mut routing, UAE, 2, "uae", rules);
        routing
    };
    base.settle(&with(true)).await;
    base.settle(&with(false)).await;
    roll_back(&base, 1).await;
    let mut store = base.open(Mode::Read).await;
    let held = async |store: &mut lkroute::store::Store, routing: &Routing| {
        let plan = base.plan(routing).await;
        store.begin_read().await.expect("read");
        store.snapshot().await.expect("a snapshot");
        let applies = store.applies().await.expect("the applies");
        let undone = read_undone(store, &applies).await.expect("what was undone");
        store.end_read().await.expect("the end");
        let plan = undone.hold_back(plan, |_, _| BTreeSet::new());
        (plan.changes.len(), plan.held_back.len())
    };
    assert_eq!(held(&mut store, &with(false)).await, (0, 2));
    assert_eq!(held(&mut store, &with(true)).await, (0, 0));
    let mut another = with(true);
    bind(&mut another, "+919513456729", 0, "india", Fields::new());
    assert_eq!(held(&mut store, &another).await, (1, 0));
}
