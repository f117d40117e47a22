//! Random histories: files that change, applies, and others who write the
//! same rows, before an apply and between its plan and its end. After each
//! step the rows are those of the model.

use std::collections::BTreeMap;

use lkroute::diff::plan::Plan;
use lkroute::diff::secret::SecretFacts;
use lkroute::error::Exit;
use lkroute::fields::{Field, Fields};
use lkroute::routing::Routing;
use lkroute::store::{Mode, Store};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::model::{Conflict, Declared, Effect, Json, Model, Row};
use super::{Other, how_many};
use crate::store::base::*;
use crate::support::block_on;

/// Numbers that a history is about, all of one tenant.
const KEYS: usize = 4;
/// Steps of one history.
const STEPS: usize = 40;

/// What others do to a row: the key of the number, and which of its rows.
#[derive(Debug, Clone)]
enum Foreign {
    Insert(usize, bool, Option<Json>, Option<Json>),
    Config(usize, usize, Option<Json>),
    Outbound(usize, usize, Option<Json>),
    Note(usize, usize, u8),
    Status(usize, usize, bool),
    Delete(usize, usize),
}

#[derive(Debug, Clone)]
enum Step {
    Declare(usize, Option<Declared>),
    Others(Foreign),
    Apply,
    /// Others come between a plan and its apply.
    Between(Foreign),
}

fn json() -> impl Strategy<Value = Option<Json>> {
    prop::option::weighted(0.7, prop::sample::select(vec!["true", "false", "null"]))
}

fn config() -> impl Strategy<Value = Option<Json>> {
    let ids = [
        "\"cf7a1d26-04aa-4623-8d4e-f4b079cdec6f\"",
        "\"11111111-2222-4333-8444-555555555555\"",
    ];
    prop::option::weighted(0.6, prop::sample::select(ids.to_vec()))
}

fn foreign() -> impl Strategy<Value = Foreign> {
    let (key, nth) = (0..KEYS, 0..3usize);
    prop_oneof![
        3 => (key.clone(), any::<bool>(), config(), json())
            .prop_map(|(key, active, config, outbound)| Foreign::Insert(key, active, config, outbound)),
        2 => (key.clone(), nth.clone(), config()).prop_map(|(a, b, c)| Foreign::Config(a, b, c)),
        3 => (key.clone(), nth.clone(), json()).prop_map(|(a, b, c)| Foreign::Outbound(a, b, c)),
        1 => (key.clone(), nth.clone(), any::<u8>()).prop_map(|(a, b, c)| Foreign::Note(a, b, c)),
        3 => (key.clone(), nth.clone(), any::<bool>()).prop_map(|(a, b, c)| Foreign::Status(a, b, c)),
        1 => (key, nth).prop_map(|(a, b)| Foreign::Delete(a, b)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let declared = (any::<bool>(), any::<Option<bool>>(), any::<bool>());
    let declared = declared.prop_map(|(uae, outbound, adopt)| Declared {
        uae,
        outbound,
        adopt,
    });
    prop_oneof![
        4 => (0..KEYS, prop::option::weighted(0.6, declared))
            .prop_map(|(key, declared)| Step::Declare(key, declared)),
        4 => foreign().prop_map(Step::Others),
        5 => Just(Step::Apply),
        2 => foreign().prop_map(Step::Between),
    ]
}

#[test]
fn histories_on_sqlite_are_those_of_the_model() {
    let base = block_on(Base::sqlite());
    check(&base, how_many("LKROUTE_STEPS", 1200));
}

#[test]
fn histories_on_postgres_are_those_of_the_model() {
    if let Some(base) = block_on(Base::postgres("histories")) {
        check(&base, how_many("LKROUTE_STEPS", 800));
    }
}

fn check(base: &Base, steps: u32) {
    let config = Config {
        cases: steps.div_ceil(STEPS as u32),
        failure_persistence: None,
        max_shrink_iters: 400,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let history = prop::collection::vec(step(), STEPS);
    let result = runner.run(&history, |steps| {
        block_on(async {
            let mut world = World::new(base).await;
            for step in &steps {
                if let Err(what) = world.step(step).await {
                    return Err(TestCaseError::fail(what));
                }
            }
            Ok(())
        })
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

struct World<'a> {
    base: &'a Base,
    other: Other,
    store: Store,
    model: Model,
    declared: BTreeMap<usize, Declared>,
    applies: usize,
    /// Of rows of others.
    next: u16,
}

fn number(key: usize) -> String {
    format!("+91900000000{key}")
}

impl<'a> World<'a> {
    /// An empty database; nothing is applied yet but regions and configs.
    async fn new(base: &'a Base) -> World<'a> {
        let mut other = Other::of(base).await;
        let tables = [
            "voice_agent_numbers",
            "voice_agent_livekit",
            "lkroute_bindings",
            "lkroute_configs",
            "lkroute_regions",
            "lkroute_settings",
            "lkroute_tenants",
            "lkroute_files",
            "lkroute_applies",
        ];
        let tables = tables.map(|table| base.table(table));
        for table in &tables {
            other.sql(&format!("DELETE FROM {table}")).await;
        }
        // The cluster of the tests does not clean up by itself: dead rows of
        // a thousand histories would be read by each.
        if matches!(base.hold, Hold::Postgres(_)) {
            other.sql(&format!("VACUUM {}", tables.join(", "))).await;
        }
        let state = base.table("lkroute_state");
        other
            .sql(&format!(
                "UPDATE {state} SET last_apply = NULL, owner = NULL, environment = NULL"
            ))
            .await;
        World {
            base,
            other,
            store: base.open(Mode::Write).await,
            model: Model::default(),
            declared: BTreeMap::new(),
            applies: 0,
            next: 0,
        }
    }

    async fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Declare(key, Some(declared)) => {
                self.declared.insert(*key, declared.clone());
            }
            Step::Declare(key, None) => {
                self.declared.remove(key);
            }
            Step::Others(foreign) => self.foreign(foreign).await,
            Step::Apply => self.apply().await?,
            Step::Between(foreign) => self.apply_beside(foreign).await?,
        }
        self.same(step).await
    }

    /// The rows of the database are those of the model.
    async fn same(&mut self, step: &Step) -> Result<(), String> {
        let there = self.rows().await;
        match there == self.model.rows {
            true => Ok(()),
            false => Err(format!(
                "after {step:?}: {there:#?}\ninstead of {:#?}",
                self.model.rows
            )),
        }
    }

    async fn rows(&mut self) -> BTreeMap<String, Row> {
        let key = |key: &str| match self.base.hold {
            Hold::Postgres(_) => format!("(rules->'{key}')::text"),
            Hold::Sqlite(_) => format!("rules -> '$.{key}'"),
        };
        let sql = format!(
            "SELECT id, CAST(base_number AS text), coalesce(status, 'active'), {}, {}, {} FROM {}",
            key("livekit_config"),
            key("outbound"),
            key("note"),
            self.base.table("voice_agent_numbers")
        );
        let rows = self.other.sql(&sql).await.into_iter();
        let rows = rows.map(|mut row| {
            let key = row[1].as_ref().expect("a number").as_bytes();
            let key = usize::from(key[key.len() - 1] - b'0');
            let parsed = Row {
                key,
                active: row[2].as_deref() == Some("active"),
                config: row[3].take(),
                outbound: row[4].take(),
                note: row[5].take(),
            };
            (row[0].take().expect("an id"), parsed)
        });
        rows.collect()
    }

    fn routing(&self) -> Routing {
        let mut routing = files();
        for (key, declared) in &self.declared {
            let config = if declared.uae { "uae" } else { "india" };
            let mut fields = Fields::new();
            fields.set(Field::Outbound, declared.outbound.map(Into::into));
            let all = [Field::Config, Field::Outbound, Field::Status];
            let adopt: &[Field] = if declared.adopt { &all } else { &[] };
            bind_adopting(&mut routing, &number(*key), 0, config, fields, adopt);
        }
        routing
    }

    async fn plan(&mut self) -> Plan {
        let routing = self.routing();
        let facts = SecretFacts::default();
        let plan = plan(&mut self.store, &routing, &facts).await;
        plan.expect("a plan")
    }

    /// Plans; what the model says of it has to be what the plan says.
    async fn agree(&mut self) -> Result<Option<(Plan, Vec<Effect>)>, String> {
        let plan = self.plan().await;
        let conflicts = plan.conflicts().count();
        match self.model.plan(&self.declared) {
            Err(Conflict(_)) if conflicts > 0 => Ok(None),
            Err(Conflict(key)) => Err(format!(
                "no conflict of {}: {}",
                number(key),
                describe(&plan)
            )),
            Ok(_) if conflicts > 0 => Err(format!("a conflict: {}", describe(&plan))),
            Ok(effects) => {
                let numbers = plan.changes.iter();
                let numbers = numbers
                    .filter(|change| {
                        plan.address(change.object)
                            .to_string()
                            .starts_with("binding")
                    })
                    .count();
                match numbers == effects.len() {
                    true => Ok(Some((plan, effects))),
                    false => Err(format!("{} instead of {effects:#?}", describe(&plan))),
                }
            }
        }
    }

    async fn apply(&mut self) -> Result<(), String> {
        let Some((plan, effects)) = self.agree().await? else {
            return Ok(());
        };
        if plan.is_empty() {
            return Ok(());
        }
        let applied = self
            .store
            .apply(&plan, &request(&plan), &mut |_, _| ())
            .await;
        applied.map_err(|error| format!("{}: {}", error.error, describe(&plan)))?;
        self.applied(effects).await?;
        let left = self.plan().await;
        match left.is_empty() {
            true => Ok(()),
            false => Err(format!("left to do: {}", describe(&left))),
        }
    }

    /// The model follows; new rows are those that it does not know yet.
    async fn applied(&mut self, effects: Vec<Effect>) -> Result<(), String> {
        self.applies += 1;
        let there = self.rows().await;
        let mut new: Vec<(String, usize)> = there
            .iter()
            .filter(|(id, _)| !self.model.rows.contains_key(*id))
            .map(|(id, row)| (id.clone(), row.key))
            .collect();
        self.model.apply(effects, |key| {
            let at = new.iter().position(|(_, of)| *of == key);
            at.map_or_else(|| "missing".to_owned(), |at| new.remove(at).0)
        });
        let count = format!(
            "SELECT CAST(count(*) AS text) FROM {}",
            self.base.table("lkroute_applies")
        );
        let count = self.other.sql(&count).await[0][0].clone();
        match count == Some(self.applies.to_string()) {
            true => Ok(()),
            false => Err(format!("{count:?} applies recorded, not {}", self.applies)),
        }
    }

    async fn apply_beside(&mut self, foreign: &Foreign) -> Result<(), String> {
        let Some((plan, effects)) = self.agree().await? else {
            return Ok(());
        };
        let before = self.model.clone();
        self.foreign(foreign).await;
        if plan.is_empty() {
            return Ok(());
        }
        let changed: Vec<usize> = self.changed(&before);
        let touched = effects.iter().any(|effect| changed.contains(&effect.key));
        let applied = self
            .store
            .apply(&plan, &request(&plan), &mut |_, _| ())
            .await;
        match applied {
            Err(error) if error.error.exit == Exit::Stale && touched => Ok(()),
            Err(error) => Err(format!(
                "{} with {foreign:?}: {}",
                error.error,
                describe(&plan)
            )),
            Ok(_) if touched => {
                if let Some(key) = self.doubled(&before, &effects) {
                    return Err(format!("{foreign:?}: {} is double", number(key)));
                }
                let merged = self.merged(&before, effects);
                self.applied(merged).await
            }
            Ok(_) => self.applied(effects).await,
        }
    }

    /// A number that an apply gave an active row, beside one of others.
    fn doubled(&self, before: &Model, effects: &[Effect]) -> Option<usize> {
        let wakes = |effect: &&Effect| match &effect.row {
            Some((Some(id), row)) => {
                row.active && before.rows.get(id).is_some_and(|was| !was.active)
            }
            Some((None, _)) => true,
            None => false,
        };
        let theirs = |effect: &&Effect| {
            let id = effect.row.as_ref().and_then(|(id, _)| id.as_ref());
            let mut rows = self.model.rows.iter();
            rows.any(|(other, row)| row.key == effect.key && row.active && Some(other) != id)
        };
        let doubled = effects.iter().filter(wakes).find(theirs);
        doubled.map(|effect| effect.key)
    }

    /// What others wrote meanwhile stays, but for what the plan writes.
    fn merged(&self, before: &Model, effects: Vec<Effect>) -> Vec<Effect> {
        let merge = |mut effect: Effect| {
            let Some((Some(id), row)) = &mut effect.row else {
                return effect;
            };
            let (Some(was), Some(is)) = (before.rows.get(id), self.model.rows.get(id)) else {
                effect.row = None;
                return effect;
            };
            let ours = std::mem::replace(row, is.clone());
            if ours.config != was.config {
                row.config = ours.config;
            }
            if ours.outbound != was.outbound {
                row.outbound = ours.outbound;
            }
            if ours.active != was.active {
                row.active = ours.active;
            }
            effect
        };
        effects.into_iter().map(merge).collect()
    }

    /// The numbers whose rows differ.
    fn changed(&self, before: &Model) -> Vec<usize> {
        let of = |model: &Model, key| {
            let rows = model.rows.iter().filter(|(_, row)| row.key == key);
            rows.map(|(id, row)| (id.clone(), row.clone()))
                .collect::<Vec<_>>()
        };
        let differs = |key: &usize| of(before, *key) != of(&self.model, *key);
        (0..KEYS).filter(differs).collect()
    }

    /// The row of a number that others mean, if there is one.
    fn nth(&self, key: usize, nth: usize) -> Option<String> {
        let mut rows = self.model.rows.iter().filter(|(_, row)| row.key == key);
        rows.nth(nth).map(|(id, _)| id.clone())
    }

    async fn foreign(&mut self, foreign: &Foreign) {
        let table = self.base.table("voice_agent_numbers");
        // Which of several inactive rows is meant, nobody could say.
        let inactive = |model: &Model, key: usize| {
            model.rows.values().any(|row| row.key == key && !row.active)
        };
        let (id, set) = match foreign {
            Foreign::Insert(key, active, config, outbound) => {
                if !active && inactive(&self.model, *key) {
                    return;
                }
                self.next += 1;
                let id = id(self.next).to_string();
                let row = Row {
                    key: *key,
                    active: *active,
                    config: config.map(str::to_owned),
                    outbound: outbound.map(str::to_owned),
                    note: None,
                };
                let insert = format!(
                    "INSERT INTO {table} (id, tenant_id, country_code, base_number, status, rules)
                     VALUES ('{id}', '{TENANT_INDIA}', '+91', 900000000{key}, {}, '{}')",
                    if *active { "NULL" } else { "'inactive'" },
                    rules(&row)
                );
                self.other.sql(&insert).await;
                self.model.rows.insert(id, row);
                return;
            }
            Foreign::Delete(key, nth) => {
                let Some(id) = self.nth(*key, *nth) else {
                    return;
                };
                self.other
                    .sql(&format!("DELETE FROM {table} WHERE id = '{id}'"))
                    .await;
                self.model.rows.remove(&id);
                return;
            }
            Foreign::Status(key, nth, active) => {
                if !active && inactive(&self.model, *key) {
                    return;
                }
                let Some(id) = self.nth(*key, *nth) else {
                    return;
                };
                if let Some(row) = self.model.rows.get_mut(&id) {
                    row.active = *active;
                }
                let status = if *active { "active" } else { "inactive" };
                (id, format!("status = '{status}'"))
            }
            Foreign::Config(key, nth, value) => {
                let Some(id) = self.nth(*key, *nth) else {
                    return;
                };
                let row = self.model.rows.get_mut(&id).expect("a row");
                row.config = value.map(str::to_owned);
                (id, format!("rules = '{}'", rules(row)))
            }
            Foreign::Outbound(key, nth, value) => {
                let Some(id) = self.nth(*key, *nth) else {
                    return;
                };
                let row = self.model.rows.get_mut(&id).expect("a row");
                row.outbound = value.map(str::to_owned);
                (id, format!("rules = '{}'", rules(row)))
            }
            Foreign::Note(key, nth, value) => {
                let Some(id) = self.nth(*key, *nth) else {
                    return;
                };
                let row = self.model.rows.get_mut(&id).expect("a row");
                row.note = Some(value.to_string());
                (id, format!("rules = '{}'", rules(row)))
            }
        };
        self.other
            .sql(&format!("UPDATE {table} SET {set} WHERE id = '{id}'"))
            .await;
    }
}

fn rules(row: &Row) -> String {
    let keys = [
        ("livekit_config", &row.config),
        ("outbound", &row.outbound),
        ("note", &row.note),
    ];
    let keys = keys.iter().filter_map(|(key, value)| {
        let value = value.as_ref()?;
        Some(format!("\"{key}\": {value}"))
    });
    format!("{{{}}}", keys.collect::<Vec<_>>().join(", "))
}
