//! The laws of a plan and its apply, over random files, random rows of others
//! and random edits from outside, on both engines.

use std::collections::BTreeMap;

use lkroute::diff::row_reader::read_row;
use lkroute::error::Exit;
use lkroute::fields::{Field, Fields};
use lkroute::phone;
use lkroute::resolve::{Facts, Query, RoutingEnv, ShellEnv, TenantChoice, resolve};
use lkroute::routing::Routing;
use lkroute::store::{LookUp, Mode};
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, TestRunner};
use serde_json::{Map, Value};

use super::base::*;

/// Numbers and tenants that a case is about: six keys.
const NUMBERS: [&str; 3] = ["+919000000001", "+12425550100", "+390612345678"];
/// How others may have written them.
const WRITTEN: [[&str; 2]; 3] = [
    ["'+91' 9000000001", "'0091' 9000000001"],
    ["'+1' 2425550100", "'+1242' 5550100"],
    ["'+39' 612345678", "'39' 612345678"],
];

/// What the files say of one key.
#[derive(Debug, Clone)]
struct Declared {
    config: &'static str,
    fields: Fields,
}

/// Whether and how others had a row.
#[derive(Debug, Clone)]
struct Foreign {
    written: usize,
    provider: Option<&'static str>,
    status: Option<&'static str>,
    rules: Option<Value>,
}

/// One step in the life of a database.
#[derive(Debug, Clone)]
enum Step {
    /// New files, applied; what they say of each key.
    Apply(Vec<Option<Declared>>),
    /// Somebody else sets a key of `rules`, ours or not, in every row.
    Edit(&'static str, Value),
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(Value::from(true)),
        Just(Value::from(false)),
        Just(Value::from("india")),
        Just(serde_json::json!(["0", "base_number"])),
        Just(serde_json::json!({ "a": [1.5, null, "é"] })),
    ]
}

fn fields() -> impl Strategy<Value = Fields> {
    let among = Field::OF_BINDING.into_iter();
    let among = among.filter(|field| field.rules_key().is_some() && *field != Field::Config);
    let among = prop::sample::select(among.collect::<Vec<_>>());
    let rules = prop::collection::btree_map(among, value(), 0..3);
    let provider = prop::option::of(prop::sample::select(&["P", "Q é"][..]));
    (rules, provider).prop_map(|(rules, provider)| {
        let mut fields: Fields = rules.into_iter().collect();
        fields.set_text(Field::Provider, provider);
        fields
    })
}

fn declared() -> impl Strategy<Value = Option<Declared>> {
    let config = prop::sample::select(&["india", "uae"][..]);
    prop::option::weighted(
        0.7,
        (config, fields()).prop_map(|(config, fields)| Declared { config, fields }),
    )
}

fn foreign() -> impl Strategy<Value = Option<Foreign>> {
    let keys = prop::sample::select(&["outbound", "livekit_config", "ui", "number_type"][..]);
    let rules = prop::collection::btree_map(keys, value(), 0..4).prop_map(|keys| {
        Value::Object(
            keys.into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
        )
    });
    let status = prop::sample::select(&["active", "inactive"][..]);
    let provider = prop::sample::select(&["P", "R"][..]);
    let row = (
        0..2usize,
        prop::option::of(provider),
        prop::option::of(status),
        prop::option::of(rules),
    );
    prop::option::of(row.prop_map(|(written, provider, status, rules)| Foreign {
        written,
        provider,
        status,
        rules,
    }))
}

fn step() -> impl Strategy<Value = Step> {
    let key = prop::sample::select(&["ui", "outbound", "required_lead_format"][..]);
    prop_oneof![
        2 => prop::collection::vec(declared(), 6).prop_map(Step::Apply),
        1 => (key, value()).prop_map(|(key, value)| Step::Edit(key, value)),
    ]
}

type Life = (Vec<Option<Foreign>>, Vec<Step>);

fn life() -> impl Strategy<Value = Life> {
    (
        prop::collection::vec(foreign(), 6),
        prop::collection::vec(step(), 1..5),
    )
}

fn check(cases: u32, test: impl Fn(Life)) {
    let config = Config {
        cases,
        max_shrink_iters: 60,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..Config::default()
    };
    let run = TestRunner::new(config).run(&life(), |life| {
        test(life);
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
}

fn block_on(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(test);
}

#[test]
fn on_postgres() {
    check(6, |life| {
        block_on(async {
            if let Some(base) = Base::postgres("laws").await {
                live_it(base, life).await;
            }
        });
    });
}

#[test]
fn on_sqlite() {
    check(24, |life| {
        block_on(async { live_it(Base::sqlite().await, life).await })
    });
}

/// Number and tenant of a key: those of [`files`].
fn key(ix: usize) -> (&'static str, u32) {
    (NUMBERS[ix / 2], (ix % 2) as u32)
}

fn routing(declared: &[Option<Declared>]) -> Routing {
    let mut routing = files();
    let adopt: Vec<Field> = Field::OF_BINDING
        .into_iter()
        .chain([Field::Status])
        .collect();
    for (ix, declared) in declared.iter().enumerate() {
        let (number, tenant) = key(ix);
        if let Some(Declared { config, fields }) = declared {
            bind_adopting(&mut routing, number, tenant, config, fields.clone(), &adopt);
        }
    }
    routing
}

async fn live_it(base: Base, (rows, steps): Life) {
    // Rows of a tenant that no file names, in any shape.
    base.number(
        id(90),
        TENANT_UAE,
        "'+91' 9000000001",
        "'X', NULL, '[1, {\"a\": null}]'",
    )
    .await;
    base.number(
        id(91),
        TENANT_UAE,
        "NULL NULL",
        "NULL, 'odd', '{\"outbound\": 1.50}'",
    )
    .await;
    for (ix, row) in rows.iter().enumerate() {
        let Some(row) = row else { continue };
        let text = |text: Option<&str>| text.map_or("NULL".to_owned(), |text| format!("'{text}'"));
        let rules = row.rules.as_ref().map(Value::to_string);
        let rest = format!(
            "{}, {}, {}",
            text(row.provider),
            text(row.status),
            text(rules.as_deref())
        );
        let tenant = [TENANT_INDIA, TENANT_B][ix % 2];
        base.number(id(ix as u16), tenant, WRITTEN[ix / 2][row.written], &rest)
            .await;
    }
    let strangers = strangers(&base).await;
    let mut known = foreign_parts(&base).await;
    let mut last = files();
    for step in &steps {
        match step {
            Step::Edit(key, value) => edit(&base, key, value, &mut known).await,
            Step::Apply(declared) => {
                let next = routing(declared);
                // What was changed and is no longer declared is a conflict,
                // until the change is reverted.
                if base.plan(&next).await.conflicts().next().is_some() {
                    applied(&base, &last).await;
                }
                last = next;
                applied(&base, &last).await;
                same_but_ours(&base, &mut known).await;
            }
        }
    }
    // Edits since the last apply are drift, and are reverted.
    applied(&base, &last).await;
    resolves_alike(&base, &last).await;
    a_failed_apply_changes_nothing(&base, &last).await;
    applied(&base, &files()).await;
    same_but_ours(&base, &mut known).await;
    assert_eq!(
        self::strangers(&base).await,
        strangers,
        "rows of others, to the byte"
    );
}

/// Applies, and sees that what is declared is there and nothing is left.
async fn applied(base: &Base, routing: &Routing) {
    let plan = base.plan(routing).await;
    assert_eq!(plan.conflicts().count(), 0, "{}", describe(&plan));
    if !plan.is_empty() {
        base.apply(&plan).await.expect("apply");
    }
    assert_eq!(
        describe(&base.plan(routing).await),
        "",
        "a second plan is empty"
    );
    let mut store = base.open(Mode::Read).await;
    let mut live = Vec::new();
    let mut each = |row: &lkroute::snapshot::NumberRow<'_>| {
        if let Ok(number) = phone::from_row(row.country_code, row.base_number) {
            live.push((row.tenant, number.row_key(), read_row(row).ok()));
        }
    };
    store.begin_read().await.unwrap();
    store.numbers(&mut each, &mut |_| ()).await.unwrap();
    for binding in &routing.bindings {
        let key = (routing.tenant(binding).id, binding.number.row_key());
        let row = live
            .iter()
            .find(|(tenant, number, _)| (*tenant, *number) == key);
        let fields = row
            .and_then(|(_, _, fields)| fields.as_ref())
            .expect("a row");
        for (field, value) in routing.settings(binding).fields.iter() {
            assert_eq!(fields.get(field), Some(value), "{field}");
        }
        assert_eq!(fields.get(Field::Status), None, "active");
    }
}

async fn strangers(base: &Base) -> Vec<(String, String)> {
    let rows = base.rows().await.into_iter();
    let odd = [id(90).to_string(), id(91).to_string()];
    rows.filter(|(id, _)| odd.contains(id)).collect()
}

/// Of each row all that is never ours: columns, and keys of `rules`.
type Parts = BTreeMap<String, (String, Map<String, Value>)>;

async fn foreign_parts(base: &Base) -> Parts {
    let columns = "SELECT id, tenant_id, country_code, base_number, default_agent_id, created_at
                   FROM {voice_agent_numbers}";
    let columns = base.sql(columns).await;
    let text = match base.hold {
        Hold::Postgres(_) => "rules::text",
        Hold::Sqlite(_) => "rules",
    };
    let rules = base
        .sql(&format!("SELECT id, {text} FROM {{voice_agent_numbers}}"))
        .await;
    let mut parts = Parts::new();
    for (columns, rules) in columns.lines().zip(rules.lines()) {
        let (id, columns) = columns.split_once('|').unwrap();
        let (same, rules) = rules.split_once('|').unwrap();
        assert_eq!(id, same);
        let mut keys = match serde_json::from_str(rules) {
            Ok(Value::Object(keys)) => keys,
            _ => Map::new(),
        };
        keys.retain(|key, _| {
            !Field::ALL
                .iter()
                .any(|field| field.rules_key() == Some(key))
        });
        parts.insert(id.to_owned(), (columns.to_owned(), keys));
    }
    parts
}

/// New rows may come; nothing goes, and what is not ours stays.
async fn same_but_ours(base: &Base, known: &mut Parts) {
    let now = foreign_parts(base).await;
    for (id, parts) in &*known {
        assert_eq!(now.get(id), Some(parts));
    }
    *known = now;
}

async fn edit(base: &Base, key: &str, value: &Value, known: &mut Parts) {
    let set = match base.hold {
        Hold::Postgres(_) => {
            format!(
                "rules = coalesce(rules, '{{}}') || jsonb_build_object('{key}', '{value}'::jsonb)"
            )
        }
        Hold::Sqlite(_) => {
            format!("rules = json_set(coalesce(rules, '{{}}'), '$.{key}', json('{value}'))")
        }
    };
    base.sql(&format!(
        "UPDATE {{voice_agent_numbers}} SET {set} WHERE id NOT IN ('{}', '{}')",
        id(90),
        id(91)
    ))
    .await;
    *known = foreign_parts(base).await;
}

/// What the files say of a call is what the database says after an apply.
async fn resolves_alike(base: &Base, routing: &Routing) {
    let env = RoutingEnv::Shell(ShellEnv::default());
    let mut store = base.open(Mode::Read).await;
    for binding in &routing.bindings {
        let tenant = routing.tenant(binding).id;
        let query = Query::new(binding.number, TenantChoice::Given(tenant));
        let offline = resolve(&query, &Facts::of_files(routing, binding.number), &env);
        let found = store
            .look_up(&LookUp::number(binding.number))
            .await
            .unwrap();
        let live = resolve(&query, &found.facts, &env);
        let said = |resolution: &lkroute::resolve::Resolution| {
            let outcome = resolution.outcome.as_ref().ok()?;
            let (route, declared) = (&outcome.route, &routing.settings(binding).fields);
            let trunk = declared
                .contains(Field::OutboundTrunkId)
                .then(|| route.trunk.value.clone());
            Some((
                route.config.as_ref()?.id,
                route.url.clone(),
                route.region.clone(),
                trunk,
                route.worker.value.clone(),
            ))
        };
        assert_eq!(said(&live), said(&offline), "{}", binding.number);
    }
}

async fn a_failed_apply_changes_nothing(base: &Base, routing: &Routing) {
    let mut other = routing.clone();
    other.configs.get_mut("uae").unwrap().worker_name = None;
    let stale = base.plan(&other).await;
    other.configs.get_mut("india").unwrap().worker_name = None;
    applied(base, &other).await;
    let before = base.everything().await;
    let error = base
        .apply(&stale)
        .await
        .expect_err("another apply came in between");
    assert_eq!(error.error.exit, Exit::Stale);
    assert_eq!(base.everything().await, before);
}
