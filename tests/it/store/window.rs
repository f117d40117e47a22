//! What there was when the window of the budgets began, from the versions of
//! either engine.

use std::collections::BTreeMap;

use lkroute::app::applied_states::{read_earlier, read_release};
use lkroute::diff::earlier::EarlierObject;
use lkroute::fields::{Field, Fields, FieldsPool};
use lkroute::guards::account::BudgetAccount;
use lkroute::history::window::{WindowApply, WindowReader};
use lkroute::impact::window::window_sum;
use lkroute::impact::window_sum::WindowSum;
use lkroute::routing::Routing;
use lkroute::store::{Mode, VersionFilter};
use uuid::Uuid;

use super::base::*;
use super::on_both;
use lkroute::diff::differ::Differ;
use lkroute::diff::secret::SecretFacts;

on_both!(
    applies_are_added_up,
    what_was_taken_over_counts_from_what_it_held,
    a_clock_decides_and_it_is_the_databases,
    secrets_count_where_they_are_others,
    rows_that_are_not_read_are_as_they_were,
);

const NUMBERS: [&str; 4] = [
    "+919513456701",
    "+919513456702",
    "+919513456703",
    "+919513456704",
];

/// Four numbers, the first ones on the config in the UAE.
fn on_uae(moved: usize) -> Routing {
    let mut routing = files();
    for (n, number) in NUMBERS.into_iter().enumerate() {
        let config = if n < moved { "uae" } else { "india" };
        bind(
            &mut routing,
            number,
            0,
            config,
            Fields::new().with(Field::Outbound, true),
        );
    }
    routing
}

/// What a plan of these files would be counted with.
async fn sum(base: &Base, routing: &Routing) -> Option<WindowSum> {
    let mut store = base.open(Mode::Read).await;
    store.begin_read().await.expect("begin");
    let snapshot = store.snapshot().await.expect("a snapshot");
    let applies = store.applies().await.expect("applies");
    let window = snapshot.guards.window();
    let earlier = read_earlier(&mut store, window, &applies)
        .await
        .expect("versions");
    let facts = SecretFacts::default();
    let mut differ = Differ::new(routing, &snapshot, &facts, Uuid::now_v7);
    differ.since(earlier);
    store
        .run_diff(&mut differ, &mut |_| ())
        .await
        .expect("rows");
    store.end_read().await.expect("end");
    window_sum(&mut differ.finish(Uuid::now_v7))
}

/// How many numbers are counted, how many of them by the plan, and the applies.
async fn counted(base: &Base, routing: &Routing) -> (u64, u64, Vec<i64>) {
    let sum = sum(base, routing).await.expect("a window");
    (sum.affected, sum.added, sum.applies.into_iter().collect())
}

async fn applies_are_added_up(base: Base) {
    assert_eq!(sum(&base, &on_uae(0)).await, None, "nothing was applied");
    for moved in 0..3 {
        base.settle(&on_uae(moved)).await;
    }
    assert_eq!(counted(&base, &on_uae(3)).await, (3, 1, vec![2, 3]));
    assert_eq!(counted(&base, &on_uae(0)).await, (0, 0, vec![]));
    assert_eq!(counted(&base, &on_uae(2)).await, (2, 0, vec![2, 3]));
    // The config moves, and with it the numbers that did not.
    let mut routing = on_uae(2);
    routing.configs.get_mut("india").unwrap().url = "wss://other.india.example".to_owned();
    base.settle(&routing).await;
    assert_eq!(counted(&base, &routing).await, (4, 0, vec![2, 3, 4]));
    // What an exception let pass counts no more.
    let india = routing.configs["india"].id.expect("an id");
    let account = BudgetAccount {
        exempt_rows: [india].into(),
        ..BudgetAccount::default()
    };
    base.sql(&format!(
        "UPDATE {{lkroute_applies}} SET account = '{}' WHERE id = 4",
        account.to_json()
    ))
    .await;
    assert_eq!(counted(&base, &routing).await, (2, 0, vec![2, 3]));
    base.sql("UPDATE {lkroute_applies} SET account = NULL")
        .await;
    let none = sum(&base, &on_uae(0)).await.expect("a window");
    assert_eq!((none.uncounted, none.affected - none.added), (Some(4), 0));
}

async fn what_was_taken_over_counts_from_what_it_held(base: Base) {
    base.settle(&files()).await;
    let uae = files().configs["uae"].id.expect("an id");
    let rules = format!("'{{\"livekit_config\": \"{uae}\", \"outbound\": true}}'");
    for (n, number) in (1..).zip(["'+91' 9513456701", "'+91' 9513456702"]) {
        let rest = format!("'theirs', 'active', {rules}");
        base.number(id(n), TENANT_INDIA, number, &rest).await;
    }
    let mut routing = files();
    for number in &NUMBERS[..2] {
        let adopt = [Field::Config];
        bind_adopting(&mut routing, number, 0, "india", Fields::new(), &adopt);
    }
    base.apply(&base.plan(&routing).await)
        .await
        .expect("taken over");
    assert_eq!(counted(&base, &routing).await, (2, 0, vec![2]));
}

async fn a_clock_decides_and_it_is_the_databases(base: Base) {
    for moved in 0..3 {
        base.settle(&on_uae(moved)).await;
    }
    let set =
        |at: &str, which: &str| format!("UPDATE {{lkroute_applies}} SET at = '{at}' WHERE {which}");
    base.sql(&set("2000-01-01T00:00:00.000Z", "id < 3")).await;
    assert_eq!(counted(&base, &on_uae(3)).await, (2, 1, vec![3]));
    // A clock that was set back hides nothing behind an apply of the window.
    base.sql(&set("2999-01-01T00:00:00.000Z", "id = 2")).await;
    base.sql(&set("2000-01-01T00:00:00.000Z", "id = 3")).await;
    assert_eq!(counted(&base, &on_uae(3)).await, (3, 1, vec![2, 3]));
    base.sql(&set("2000-01-01T00:00:00.000Z", "id > 0")).await;
    assert_eq!(sum(&base, &on_uae(3)).await, None);
}

async fn secrets_count_where_they_are_others(base: Base) {
    base.settle(&on_uae(0)).await;
    let mut routing = on_uae(0);
    let other = lkroute::routing::SecretSource::Sealed(sealed("other"));
    routing.configs.get_mut("india").unwrap().api_secret = other;
    base.settle(&routing).await;
    // Sealed anew, as far as the account says.
    assert_eq!(counted(&base, &routing).await, (0, 0, vec![]));
    let india = routing.configs["india"].id.expect("an id");
    let account = BudgetAccount {
        secrets: [india].into(),
        ..BudgetAccount::default()
    };
    base.sql(&format!(
        "UPDATE {{lkroute_applies}} SET account = '{}' WHERE id = 2",
        account.to_json()
    ))
    .await;
    assert_eq!(counted(&base, &routing).await, (4, 0, vec![2]));
}

/// What the rows were behind an apply, of the versions that are selected.
async fn earlier_rows(
    base: &Base,
    select: &VersionFilter,
    start: i64,
    exempt: Option<(i64, Uuid)>,
) -> BTreeMap<Uuid, EarlierObject> {
    let mut store = base.open(Mode::Read).await;
    store.begin_read().await.unwrap();
    store.snapshot().await.unwrap();
    let applies = store.applies().await.unwrap();
    let of_window = applies.iter().rev().filter(|apply| apply.id > start);
    let recent = of_window.map(|apply| {
        let let_pass = exempt.filter(|(by, _)| *by == apply.id);
        let exempt_rows = let_pass.map(|(_, row)| row).into_iter().collect();
        let account = BudgetAccount {
            exempt_rows,
            ..BudgetAccount::default()
        };
        WindowApply {
            id: apply.id,
            account: Some(account),
        }
    });
    let window = "24h".parse().unwrap();
    let mut reader = WindowReader::new(window, recent.collect(), &applies).unwrap();
    let mut pool = FieldsPool::default();
    let mut take = |pool: &mut FieldsPool, version| reader.binding(&version, pool);
    store
        .binding_versions(select, &mut pool, &mut take)
        .await
        .unwrap();
    let earlier = reader.finish(&pool);
    let rows = earlier.rows.iter();
    rows.map(|(row, ix)| (*row, earlier.bindings[*ix as usize].clone()))
        .collect()
}

/// Attacker: a number whose change within the window a budget does not see,
/// as its versions were not read: most of those that came with the first apply.
async fn rows_that_are_not_read_are_as_they_were(base: Base) {
    let binding = |routing: &mut Routing, n: usize, config: &str| {
        let fields = Fields::new().with(Field::Outbound, true);
        bind(routing, NUMBERS[n], 0, config, fields);
    };
    let uae = files().configs["uae"].id.expect("an id");
    let rest = format!("'theirs', 'active', '{{\"livekit_config\": \"{uae}\"}}'");
    for (n, number) in (1..).zip(["'+91' 9513456703", "'+91' 9513456704"]) {
        base.number(id(n), TENANT_INDIA, number, &rest).await;
    }
    // Inserted and left alone, inserted and moved, taken over, taken away and
    // declared again, given back.
    for step in 0..7 {
        let mut routing = files();
        binding(&mut routing, 0, "india");
        if step != 3 {
            binding(&mut routing, 1, if step == 2 { "uae" } else { "india" });
        }
        if step != 4 {
            let adopt = [Field::Config];
            let config = if step < 6 { "india" } else { "uae" };
            bind_adopting(&mut routing, NUMBERS[2], 0, config, Fields::new(), &adopt);
        }
        if step > 0 {
            bind_adopting(
                &mut routing,
                NUMBERS[3],
                0,
                "india",
                Fields::new(),
                &[Field::Config],
            );
        }
        if step == 5 {
            let mut store = base.open(Mode::Write).await;
            let given = [format!("binding.{}@{TENANT_INDIA}", NUMBERS[3])
                .parse()
                .unwrap()];
            let found = read_release(&mut store, Some(&given)).await.unwrap();
            let plan = found.plan.unwrap();
            let mut request = request(&plan);
            request.kind = "release".to_owned();
            store.apply(&plan, &request, &mut |_, _| ()).await.unwrap();
        }
        base.apply(&base.plan(&routing).await).await.expect("apply");
    }
    let all = VersionFilter::Numbers(NUMBERS.map(e164).to_vec());
    let mut rows = vec![id(1), id(2)];
    let inserted = base.sql("SELECT DISTINCT number_id FROM {lkroute_bindings} WHERE inserted");
    rows.extend(inserted.await.lines().map(uuid));
    let mut differing = 0;
    for start in 0..8 {
        let exempt = rows
            .iter()
            .flat_map(|row| (1..=8).map(|by| Some((by, *row))));
        for exempt in exempt.chain([None]) {
            let whole = earlier_rows(&base, &all, start, exempt).await;
            let read =
                earlier_rows(&base, &VersionFilter::ChangedAfter(start), start, exempt).await;
            assert_eq!(read, whole, "since {start}, exempt {exempt:?}");
            differing += whole.len();
        }
    }
    assert!(differing > 50, "{differing}: there is something to be seen");
}
