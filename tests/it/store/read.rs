//! Reading: snapshots, rows in odd shapes, rights, poolers.

use std::time::{Duration, Instant};

use lkroute::diff::plan::Action;
use lkroute::diff::secret::SecretFacts;
use lkroute::error::Exit;
use lkroute::fields::{Field, Fields};
use lkroute::store::{DatabaseUrl, LookUp, Mode, Store};

use super::base::*;
use super::on_both;
use crate::faults::link::{Fault, Link, Way};
use crate::support::{Pgbouncer, table_checksum, told};

on_both!(
    an_empty_database_is_planned_full,
    odd_rows_are_met_as_they_are,
    a_snapshot_is_of_one_moment,
);

/// A machine that is gone closes no connection.
#[tokio::test]
async fn a_server_that_falls_silent_is_not_waited_for_for_ever() {
    let Some(base) = Base::postgres("silent").await else {
        return;
    };
    let mut routing = files();
    for n in 0..50 {
        bind(
            &mut routing,
            &format!("+9190000000{n:02}"),
            0,
            "india",
            Fields::new(),
        );
    }
    base.settle(&routing).await;
    let whole = Link::new(&base.db().url, Fault::None, Way::Answered, 0);
    let through = async |link: &Link| {
        let url = format!("{}&socket_timeout=1", link.url);
        let url = DatabaseUrl::parse(&url).unwrap();
        let store = Store::open(&url, base.schema.as_deref(), Mode::Read).await;
        let mut store = store.unwrap();
        store.enter().await?;
        plan(&mut store, &routing, &SecretFacts::default()).await
    };
    through(&whole).await.expect("a plan");
    let all = whole.passed(Way::Answered);
    for part in 5..10 {
        let link = Link::new(
            &base.db().url,
            Fault::Stall(20_000),
            Way::Answered,
            all * part / 10,
        );
        let start = Instant::now();
        let error = through(&link).await.expect_err("silence");
        assert_contains!(error.message, "no answer within 1 s");
        assert!(
            start.elapsed() < Duration::from_secs(15),
            "{:?}",
            start.elapsed()
        );
    }
}

/// Others keep what they like in `rules`: it does not come over the wire.
#[tokio::test]
async fn long_rules_are_read_by_their_keys() {
    let Some(base) = Base::postgres("longrules").await else {
        return;
    };
    let mut routing = files();
    let rules = Fields::new().with(Field::Outbound, true);
    bind(&mut routing, "+919000000001", 0, "india", rules);
    base.settle(&routing).await;
    let long = "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 100000) i)";
    let through = async || {
        let link = Link::new(&base.db().url, Fault::None, Way::Answered, 0);
        let mut store = open_at(&link.url, base.schema.as_deref(), Mode::Read).await;
        store.enter().await.unwrap();
        let plan = plan(&mut store, &routing, &SecretFacts::default()).await;
        (plan.unwrap(), link.passed(Way::Answered))
    };
    for (note, is_as_the_files_say) in [
        (format!("rules || jsonb_build_object('note', {long})"), true),
        (
            format!("rules || jsonb_build_object('outbound', {long})"),
            false,
        ),
        (format!("jsonb_build_array({long})"), false),
        (format!("to_jsonb({long})"), false),
    ] {
        base.sql(&format!(
            "UPDATE {{voice_agent_numbers}} SET rules = {note}"
        ))
        .await;
        let (plan, bytes) = through().await;
        assert_eq!(plan.changes.is_empty(), is_as_the_files_say, "{note}");
        assert!(bytes < 200_000, "{note}: {bytes}");
    }
}

/// On SQLite, where they would be held whole, the same; each managed value is
/// what it is when all is read.
#[tokio::test]
async fn long_rules_are_read_by_their_keys_on_sqlite() {
    let base = Base::sqlite().await;
    let mut routing = files();
    let rules = Fields::new().with(Field::Outbound, true);
    bind(&mut routing, "+919000000001", 0, "india", rules);
    base.settle(&routing).await;
    let long = format!("\"{}\"", "x".repeat(100_000));
    let config = format!("\"livekit_config\": \"{CONFIG_INDIA}\"");
    for (rules, is_as_the_files_say) in [
        (
            format!("{{{config}, \"outbound\": true, \"note\": {long}}}"),
            true,
        ),
        (
            format!("{{\"note\": {long}, \"outbound\": true, {config}}}"),
            true,
        ),
        (
            format!("{{{config}, \"outbound\": null, \"note\": {long}}}"),
            false,
        ),
        (
            format!("{{{config}, \"outbound\": 1, \"note\": {long}}}"),
            false,
        ),
        (
            format!("{{{config}, \"outbound\": \"true\", \"note\": {long}}}"),
            false,
        ),
        (
            format!("{{{config}, \"outbound\": [true], \"note\": {long}}}"),
            false,
        ),
        (format!("{{{config}, \"outbound\": {long}}}"), false),
        (format!("{{\"outbound\": true, \"note\": {long}}}"), false),
        (format!("[{long}]"), false),
        (long.clone(), false),
        (format!("{{{config}, {long}"), false),
    ] {
        let set = |text: &str| format!("UPDATE {{voice_agent_numbers}} SET rules = '{text}'");
        base.sql(&set(&rules)).await;
        let shown: String = rules.chars().filter(|c| *c != 'x').collect();
        let plan = base.plan(&routing).await;
        assert_eq!(plan.changes.is_empty(), is_as_the_files_say, "{shown}");
        let number = LookUp::number(e164("+919000000001"));
        let mut store = base.open(Mode::Look).await;
        if let Err(error) = store.look_up(&number).await {
            panic!("{shown}: {error:?}");
        }
        let sent = lkroute::lookup::sqlite_rules_text("n");
        let sent = base
            .sql(&format!("SELECT {sent} FROM {{voice_agent_numbers}} n"))
            .await;
        assert!(sent.len() < 2_000, "{shown}: {}", sent.len());
        // As what is short enough to be read whole.
        let short = rules.replace(&"x".repeat(100_000), "x");
        base.sql(&set(&short)).await;
        assert_eq!(
            describe(&base.plan(&routing).await),
            describe(&plan),
            "{shown}"
        );
    }
}

/// SQLite keeps what it is given: a text where a number should be, ids and
/// tenants in any spelling. A plan, its apply and a look-up read them alike, and
/// none gives a number a second active row.
#[tokio::test]
async fn odd_spellings_on_sqlite_are_read_alike() {
    let base = Base::sqlite().await;
    let mut routing = files();
    bind(&mut routing, "+919000000001", 0, "india", Fields::new());
    let text = format!("'{TENANT_INDIA}'");
    let capitals = text.to_uppercase();
    let bare = text.replace('-', "");
    let insert = |row: &str, tenant: &str, base: &str| {
        format!(
            "INSERT INTO voice_agent_numbers (id, tenant_id, country_code, base_number, status)
             VALUES ({row}, {tenant}, '+91', {base}, 'active')"
        )
    };
    let row = format!("'{}'", id(0xab));
    for (row, tenant, number, expected) in [
        // Ours to write: what is there is claimed.
        (row.clone(), capitals.as_str(), "9000000001", "update"),
        (row.clone(), &bare, "9000000001", "update"),
        (row.clone(), &text, "'9000000001'", "update"),
        // No number at all.
        (row.clone(), &text, "'9000000001x'", "create"),
        (row.clone(), &text, "'x'", "create"),
        (row.clone(), &text, "x'41'", "create"),
        // Not to be written, and active.
        (row.to_uppercase(), &text, "9000000001", "conflict"),
        (row.replace('-', ""), &capitals, "9000000001", "conflict"),
    ] {
        let what = insert(&row, tenant, number);
        base.settle(&files()).await;
        // Before the plan: it says what is so.
        base.sql(&what).await;
        let plan = base.plan(&routing).await;
        let planned = match plan.conflicts().count() {
            0 => describe(&plan)
                .split(' ')
                .next()
                .unwrap_or_default()
                .to_owned(),
            _ => "conflict".to_owned(),
        };
        assert_eq!(planned, expected, "{what}: {}", describe(&plan));
        if planned != "conflict" {
            base.settle(&routing).await;
            let mut store = base.open(Mode::Look).await;
            let found = store.look_up(&LookUp::number(e164("+919000000001"))).await;
            assert_eq!(found.unwrap().facts.rows.len(), 1, "{what}");
        }
        base.sql("DELETE FROM voice_agent_numbers").await;
        base.settle(&files()).await;
        // Behind the plan: it is stale where a second row would come about.
        for numbers in [1, 1200] {
            let mut many = routing.clone();
            for n in 1..numbers {
                let number = format!("+91900001{n:04}");
                bind(&mut many, &number, 0, "india", Fields::new());
            }
            let plan = base.plan(&many).await;
            base.sql(&what).await;
            let applied = base.apply(&plan).await.map_err(|error| error.error.exit);
            let expected = match expected {
                "create" => Ok(()),
                _ => Err(Exit::Stale),
            };
            assert_eq!(applied.map(|_| ()), expected, "{what} beside {numbers}");
            base.sql("DELETE FROM voice_agent_numbers").await;
            base.settle(&files()).await;
        }
    }
    // A config that its numbers would not find.
    base.sql("UPDATE voice_agent_livekit SET id = upper(id) WHERE name = 'india'")
        .await;
    let mut store = base.open(Mode::Read).await;
    let error = store.enter().await.unwrap_err();
    assert_contains!(error.message, "another spelling");
    let hint = error.hint.unwrap_or_default();
    let lower = "UPDATE voice_agent_livekit SET id = lower(id)";
    told(&hint, "write that id in lower case, with hyphens")
        .then(|| base.sql(lower))
        .await;
    store.enter().await.unwrap();
}

async fn an_empty_database_is_planned_full(base: Base) {
    let mut routing = files();
    bind(&mut routing, "+919513456728", 0, "india", Fields::new());
    let plan = base.plan(&routing).await;
    assert_eq!(plan.base, None);
    assert_eq!(plan.changes.len(), 5);
    assert!(
        plan.changes
            .iter()
            .all(|change| change.action == Action::Create)
    );
    assert_eq!(plan.findings, []);
}

async fn odd_rows_are_met_as_they_are(base: Base) {
    let rows = [
        ("'91' 9000000002", "'no plus', 'active', '{}'"),
        ("NULL 9000000001", "'no code', 'active', '{}'"),
        ("'+91' NULL", "'no number', NULL, NULL"),
        ("'+1242' 5550100", "'area code', NULL, NULL"),
        ("'+91' 9000000003", "'twice', 'active', '{}'"),
        ("'0091' 9000000003", "'twice', NULL, NULL"),
        ("'+91' 9000000004", "'array', 'active', '[\"a\", 1]'"),
        ("'+91' 9000000005", "'json null', 'active', 'null'"),
        (
            "'+91' 9000000006",
            "'null', 'active', '{\"livekit_config\": null}'",
        ),
        (
            "'+91' 9000000007",
            "'é “quoted”', 'suspended', '{\"ui\": [1, {\"a\": null}]}'",
        ),
    ];
    for (n, (number, rest)) in (1..).zip(rows) {
        base.number(id(n), TENANT_B, number, rest).await;
    }
    let mut routing = files();
    for number in [
        "+919000000002",
        "+12425550100",
        "+919000000003",
        "+919000000004",
        "+919000000005",
        "+919000000006",
        "+919000000007",
    ] {
        bind(&mut routing, number, 1, "india", Fields::new());
    }
    let plan = base.plan(&routing).await;
    assert_eq!(plan.foreign.unreadable, 2);
    let of = |number: &str| {
        let object = |change: &&lkroute::diff::plan::Change| {
            plan.address(change.object).to_string() == format!("binding.{number}@tenant-b")
        };
        let change = plan.changes.iter().find(object).expect("a change");
        let fields = plan.patch(change).fields.iter();
        let kinds: Vec<_> = fields
            .map(|f| {
                format!(
                    "{} {:?} {:?}",
                    f.field,
                    f.kind,
                    f.before.as_ref().map(ToString::to_string)
                )
            })
            .collect();
        (change.row, kinds.join(", "))
    };
    assert_eq!(of("+919000000002"), (Some(id(1)), "config Set None".into()));
    assert_eq!(of("+12425550100"), (Some(id(4)), "config Set None".into()));
    let twice = of("+919000000003").1;
    assert_contains!(twice, "status Blocked Some(\"\\\"2 active rows");
    for number in ["+919000000004", "+919000000005"] {
        let odd = of(number).1;
        assert_contains!(odd, "no JSON object");
    }
    assert_eq!(of("+919000000006").1, "config Set Some(\"null\")");
    let inactive = of("+919000000007").1;
    assert_contains!(inactive, "status Conflict Some(\"\\\"suspended");
}

async fn a_snapshot_is_of_one_moment(base: Base) {
    let mut store = base.open(Mode::Read).await;
    store.begin_read().await.unwrap();
    let before = store.snapshot().await.unwrap();
    assert_eq!(before.configs.len(), 0);
    if base.schema.is_some() {
        base.sql(
            "INSERT INTO {voice_agent_livekit}
               (name, livekit_url, livekit_api_key, livekit_api_secret) VALUES ('x', 'y', 'z', 's')",
        )
        .await;
        assert_eq!(store.snapshot().await.unwrap().configs.len(), 0);
    }
    store.end_read().await.unwrap();
    let id = id(9);
    base.sql(&format!(
        "INSERT INTO {{voice_agent_livekit}}
           (id, name, description, livekit_url, livekit_api_key, livekit_api_secret)
         VALUES ('{id}', 'n', 'd', 'u', 'k', 'dev-s-t-made-up')"
    ))
    .await;
    store.begin_read().await.unwrap();
    let after = store.snapshot().await.unwrap();
    let config = after.configs.iter().find(|config| config.id == id).unwrap();
    let fields = Fields::new()
        .with(Field::Name, "n")
        .with(Field::Description, "d")
        .with(Field::Url, "u")
        .with(Field::ApiKey, "k")
        .with(Field::ApiSecret, config.secret.digest());
    assert_eq!(config.fields, fields);
    assert_eq!(config.secret.as_stored(), "dev-s-t-made-up");
    let touched = config.updated_at.as_deref().unwrap();
    assert!(
        touched.starts_with("20") && touched.ends_with('Z'),
        "{touched}"
    );
}

/// Ten thousand rows through the binary stream, behind a pooler too.
#[tokio::test]
async fn many_rows_come_through_a_pooler() {
    let Some(base) = Base::postgres("pooled").await else {
        return;
    };
    let Some(pooler) = Pgbouncer::transaction_mode(base.db()) else {
        return;
    };
    base.sql(&format!(
        "INSERT INTO {{voice_agent_numbers}} (tenant_id, country_code, base_number, rules)
         SELECT '{TENANT_B}', '+91', 9000000000 + n, jsonb_build_object('n', n, 'outbound', n % 2 = 0)
         FROM generate_series(1, 10000) n"
    ))
    .await;
    let mut routing = files();
    let outbound = || Fields::new().with(Field::Outbound, true);
    bind(&mut routing, "+919000000001", 1, "india", outbound());
    bind(&mut routing, "+919000010000", 1, "india", outbound());
    let url = DatabaseUrl::parse(&pooler.url).unwrap();
    // Other clients of the pool take the server connections in turns.
    let mut busy = Vec::new();
    for _ in 0..3 {
        let mut other = Store::open(&url, Some(SCHEMA), Mode::Read).await.unwrap();
        other.begin_read().await.unwrap();
        busy.push(other);
    }
    let mut store = Store::open(&url, Some(SCHEMA), Mode::Write).await.unwrap();
    assert_eq!(store.migrate(false).await.unwrap(), []);
    let facts = SecretFacts::default();
    let plan = plan(&mut store, &routing, &facts).await.unwrap();
    assert_eq!(plan.foreign.numbers, 9998);
    assert_eq!(plan.conflicts().count(), 1);
    // A build waits for transactions that began before it.
    drop(busy);
    assert!(store.create_index().await.unwrap());
}

#[tokio::test]
async fn a_read_only_role_can_plan() {
    let Some(mut base) = Base::postgres("reader").await else {
        return;
    };
    base.number(id(1), TENANT_B, "'+91' 9000000001", "NULL, NULL, NULL")
        .await;
    let Hold::Postgres(db) = &mut base.hold else {
        return;
    };
    let (role, url) = db.role("reader");
    let schema = "\"Weird \"\"schema\"";
    let url = DatabaseUrl::parse(&url).unwrap();
    let facts = SecretFacts::default();
    let mut routing = files();
    bind(&mut routing, "+919000000001", 1, "india", Fields::new());

    let mut store = Store::open(&url, Some(SCHEMA), Mode::Read).await.unwrap();
    let error = plan(&mut store, &routing, &facts).await.unwrap_err();
    assert_contains!(error.message, "permission denied");
    assert_contains!(error.hint.unwrap(), "GRANT");

    db.psql(&format!(
        "GRANT USAGE ON SCHEMA {schema} TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}"
    ));
    let before = table_checksum(db, SCHEMA, "voice_agent_numbers", "true");
    let mut store = Store::open(&url, Some(SCHEMA), Mode::Read).await.unwrap();
    let plan = plan(&mut store, &routing, &facts).await.unwrap();
    assert_eq!(plan.summary().update, 1);
    assert_eq!(
        table_checksum(db, SCHEMA, "voice_agent_numbers", "true"),
        before
    );
}
