//! What becomes of regions, configs and numbers: the rules of `semantics.md`
//! on values alone.

mod configs;
mod parts;
mod saved;
mod secrets;

use serde_json::{Value, json};
use uuid::Uuid;

use super::differ::Differ;
use super::plan::{Action, Change, ChangeCause, Kind, Plan};
use super::secret::SecretFacts;
use crate::fields::{Field, Fields};
use crate::phone::E164;
use crate::routing::{
    Binding, BindingSettings, CipherText, Origin, Routing, SecretSource, ServerConfig, Tenant,
};
use crate::snapshot::{ApplyRecord, LiveConfig, NumberRow, OwnedBinding, OwnedConfig, Snapshot};

const TENANT: Uuid = Uuid::from_u128(0x7e);
const LINE: Origin = Origin { file: 0, line: 7 };

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

/// A row of the numbers table, in memory.
#[derive(Clone)]
struct Row {
    id: Uuid,
    number: &'static str,
    status: &'static str,
    rules: Value,
    provider: Option<&'static str>,
}

fn row(n: u128, rules: Value) -> Row {
    Row {
        id: id(n),
        number: "9513456728",
        status: "active",
        rules,
        provider: None,
    }
}

#[derive(Default)]
struct Case {
    routing: Routing,
    snapshot: Snapshot,
    owned: Vec<(OwnedBinding, Fields)>,
    rows: Vec<Row>,
}

impl Case {
    fn new() -> Case {
        let mut case = Case::default();
        case.routing.files = vec!["routing/test.toml".into()];
        case.routing.tenants = vec![Tenant {
            id: TENANT,
            alias: Some("acme".into()),
        }];
        case
    }

    fn config(mut self, name: &str, id: Option<Uuid>, worker: &str) -> Case {
        let config = ServerConfig {
            region: "india".into(),
            url: format!("wss://{worker}.example"),
            api_key: "key".into(),
            worker_name: Some(worker.into()),
            ..ServerConfig::of_fields(
                id,
                &Fields::new(),
                SecretSource::Sealed(CipherText::new("lkr1:k:00000000:AAAA")),
                LINE,
            )
        };
        self.routing.configs.insert(name.into(), config);
        self
    }

    fn edit(mut self, name: &str, edit: impl FnOnce(&mut ServerConfig)) -> Case {
        edit(self.routing.configs.get_mut(name).unwrap());
        self
    }

    fn live(mut self, row: Uuid, name: &str, worker: &str) -> Case {
        let secret = CipherText::new("lkr1:k:00000000:AAAA");
        let fields = Fields::new()
            .with(Field::Name, name)
            .with(Field::Url, format!("wss://{worker}.example"))
            .with(Field::ApiKey, "key")
            .with(Field::ApiSecret, secret.digest())
            .with(Field::WorkerName, worker);
        self.snapshot.configs.push(LiveConfig {
            id: row,
            fields,
            secret,
            updated_at: None,
            broken: Vec::new(),
        });
        self
    }

    /// The config row as it is, applied by us.
    fn ours(mut self, row: Uuid) -> Case {
        let live = self.snapshot.configs.iter().find(|live| live.id == row);
        let fields = live.unwrap().fields.clone();
        self.snapshot.owned_configs.push(OwnedConfig {
            id: row,
            since: 1,
            fields: fields.with(Field::Region, "india"),
            secret_source: CipherText::new("lkr1:k:00000000:AAAA").digest(),
            fingerprint: None,
            source: None,
            inserted: true,
        });
        self
    }

    fn binding(mut self, config: &str, fields: Fields, adopt: &[Field]) -> Case {
        self.routing.settings.push(BindingSettings {
            config: config.into(),
            fields,
            adopt: adopt.to_vec(),
            rollout: None,
        });
        self.routing.bindings.push(Binding {
            number: E164::parse("+919513456728").unwrap(),
            tenant: 0,
            settings: 0,
            origin: LINE,
        });
        self
    }

    fn row(mut self, row: Row) -> Case {
        self.rows.push(row);
        self
    }

    fn applied(mut self, row: Uuid, fields: Fields, inserted: bool, retired: bool) -> Case {
        let owned = OwnedBinding {
            row,
            tenant: TENANT,
            number: E164::parse("+919513456728").unwrap(),
            fields: crate::fields::FieldsIx(0),
            source: None,
            inserted,
            retired,
        };
        self.owned.push((owned, fields));
        self
    }

    fn plan(&self) -> Plan {
        let facts = SecretFacts::default();
        let fresh = || id(0xf0);
        let mut differ = Differ::new(&self.routing, &self.snapshot, &facts, fresh);
        for (owned, fields) in &self.owned {
            let fields = differ.pool().intern(fields.clone());
            differ.owned(OwnedBinding { fields, ..*owned });
        }
        for row in &self.rows {
            let rules = row.rules.to_string();
            differ.row(&NumberRow {
                id: row.id,
                tenant: TENANT,
                country_code: Some("+91"),
                base_number: row.number.parse().ok(),
                provider: row.provider,
                status: Some(row.status),
                rules: (!row.rules.is_null()).then_some(rules.as_bytes()),
                passed_over: None,
            });
        }
        differ.finish(|| id(0xff))
    }
}

/// The config `one`, applied and unchanged, under id 1.
fn settled() -> Case {
    Case::new()
        .config("one", Some(id(1)), "w1")
        .live(id(1), "one", "w1")
        .ours(id(1))
}

fn config_id(n: u128) -> Value {
    id(n).to_string().into()
}

fn pointing(n: u128) -> Fields {
    Fields::new().with(Field::Config, config_id(n))
}

fn only(plan: &Plan) -> &Change {
    assert_eq!(plan.changes.len(), 1, "{:#?}", plan.changes);
    &plan.changes[0]
}

fn kinds(plan: &Plan) -> Vec<(Field, Kind)> {
    let fields = &plan.patch(only(plan)).fields;
    fields
        .iter()
        .map(|change| (change.field, change.kind))
        .collect()
}

#[test]
fn what_is_as_declared_is_no_change() {
    let case = settled()
        .binding("one", Fields::new(), &[])
        .row(row(5, json!({"livekit_config": id(1), "is_default": true})))
        .applied(id(5), pointing(1), false, false);
    let plan = case.plan();
    assert!(plan.is_empty());
    assert_eq!((plan.unchanged, plan.summary().update), (2, 0));
}

#[test]
fn a_number_is_claimed_adopted_or_in_conflict() {
    let declare = || settled().binding("one", Fields::new(), &[]);
    let claim = declare().row(row(5, json!({"is_default": true}))).plan();
    assert_eq!(only(&claim).action, Action::Update);
    assert_eq!(kinds(&claim), [(Field::Config, Kind::Set)]);
    assert!(!only(&claim).inserted);

    let adopt = declare()
        .row(row(5, json!({"livekit_config": id(1)})))
        .plan();
    assert_eq!(only(&adopt).action, Action::Adopt);
    assert_eq!(adopt.summary().adopt, 1);

    let other = || row(5, json!({"livekit_config": id(2)}));
    let conflict = declare().row(other()).plan();
    assert!(conflict.in_conflict(only(&conflict)));
    assert_eq!(conflict.summary().update, 0);

    let listed = settled().binding("one", Fields::new(), &[Field::Config]);
    let takeover = listed.row(other()).plan();
    assert_eq!(kinds(&takeover), [(Field::Config, Kind::TakeOver)]);
    assert!(takeover.findings.is_empty());
}

#[test]
fn an_adopt_line_that_nothing_needs_is_a_warning() {
    let case = settled()
        .binding("one", Fields::new(), &[Field::Config, Field::Provider])
        .row(row(5, json!({"livekit_config": id(1)})))
        .applied(id(5), pointing(1), false, false);
    let plan = case.plan();
    assert!(plan.is_empty());
    assert_eq!(plan.findings.len(), 1, "one for both fields");
    assert_eq!(plan.findings[0].code, "adopt-not-needed");
    let place = plan.findings[0].place.as_ref().unwrap();
    assert_eq!(place.to_string(), "routing/test.toml:7");
}

#[test]
fn a_new_number_is_inserted_with_all_it_declares() {
    let fields = Fields::new()
        .with(Field::Outbound, true)
        .with(Field::Provider, "P");
    let plan = settled().binding("one", fields, &[]).plan();
    let change = only(&plan);
    assert_eq!(
        (change.action, change.insert, change.row),
        (Action::Create, true, Some(id(0xff)))
    );
    assert_eq!(plan.patch(change).fields.len(), 3);
}

#[test]
fn drift_is_told_from_changes_and_left_alone_unseen() {
    let case = |worker: &str, live: &str| {
        let fields = Fields::new().with(Field::Outbound, worker);
        settled()
            .binding("one", fields, &[])
            .row(row(5, json!({"livekit_config": id(1), "outbound": live})))
            .applied(id(5), pointing(1).with(Field::Outbound, "a"), false, false)
            .plan()
    };
    let drift = case("a", "b");
    assert_eq!(drift.cause(only(&drift)), ChangeCause::Drift);
    assert_eq!(kinds(&drift), [(Field::Outbound, Kind::Drift)]);
    let rest = drift.without_drift();
    assert!(rest.is_empty());
    assert_eq!(rest.left_alone.len(), 1);

    assert_eq!(
        case("b", "a").cause(only(&case("b", "a"))),
        ChangeCause::Files
    );
    assert_eq!(kinds(&case("b", "b")), [(Field::Outbound, Kind::Adopt)]);
    assert_eq!(kinds(&case("b", "c")), [(Field::Outbound, Kind::Conflict)]);
}

#[test]
fn removal_takes_out_owned_keys_and_retires_only_our_own_rows() {
    let live = json!({"livekit_config": id(1), "outbound": true, "is_default": true});
    let owned = pointing(1)
        .with(Field::Outbound, true)
        .with(Field::Provider, "P");
    let case = |inserted| {
        settled()
            .row(Row {
                provider: Some("P"),
                ..row(5, live.clone())
            })
            .applied(id(5), owned.clone(), inserted, false)
            .plan()
    };
    let claimed = case(false);
    assert_eq!(only(&claimed).action, Action::Delete);
    assert_eq!(
        kinds(&claimed),
        [
            (Field::Config, Kind::Set),
            (Field::Provider, Kind::Release),
            (Field::Outbound, Kind::Set),
        ]
    );
    let inserted = case(true);
    assert!(kinds(&inserted).contains(&(Field::Status, Kind::Set)));
}

#[test]
fn a_retired_row_is_reactivated_and_anothers_inactive_row_is_a_conflict() {
    let inactive = || Row {
        status: "inactive",
        ..row(5, json!({}))
    };
    let declare = || settled().binding("one", Fields::new(), &[]).row(inactive());
    let back = declare().applied(id(5), Fields::new(), true, true).plan();
    assert_eq!(only(&back).row, Some(id(5)));
    assert_eq!(
        kinds(&back),
        [(Field::Config, Kind::Set), (Field::Status, Kind::Set)]
    );
    let theirs = declare().plan();
    assert!(theirs.in_conflict(only(&theirs)));
    let ours = declare().applied(id(5), pointing(1), false, false).plan();
    assert!(ours.in_conflict(only(&ours)));
    let gone = settled()
        .row(inactive())
        .applied(id(5), Fields::new(), true, true);
    assert!(gone.plan().is_empty());
}

#[test]
fn a_row_is_not_woken_beside_an_active_one_of_others() {
    let inactive = || Row {
        status: "inactive",
        ..row(5, json!({}))
    };
    let theirs = || row(6, json!({"outbound": true}));
    for retired in [true, false] {
        for adopt in [&[][..], &[Field::Status]] {
            for ours_first in [true, false] {
                let case = settled().binding("one", Fields::new(), adopt);
                let case = if ours_first {
                    case.row(inactive()).row(theirs())
                } else {
                    case.row(theirs()).row(inactive())
                };
                let plan = case.applied(id(5), Fields::new(), true, retired).plan();
                assert!(plan.in_conflict(only(&plan)), "{retired} {adopt:?}");
                assert!(kinds(&plan).contains(&(Field::Status, Kind::Blocked)));
                // What is counted of calls is what is there.
                let moved = plan
                    .classes
                    .iter()
                    .find(|class| class.before != class.after);
                assert_eq!(moved.map(|class| class.numbers), None);
            }
        }
    }
    // Nobody declares it: nothing to do, and nothing to report.
    let gone = settled().row(inactive()).row(theirs());
    let gone = gone.applied(id(5), Fields::new(), true, true).plan();
    assert!(gone.is_empty() && gone.findings.is_empty());
    // Two of others fail calls, whatever ours is.
    let two = settled()
        .row(inactive())
        .row(theirs())
        .row(row(7, json!({})));
    let two = two.applied(id(5), Fields::new(), true, true).plan();
    assert_eq!(two.findings[0].code, "duplicate-rows");
}

#[test]
fn several_active_rows_are_reported_and_never_picked_from() {
    let case = settled()
        .binding("one", Fields::new(), &[])
        .row(row(5, json!({})))
        .row(row(6, json!({})));
    let plan = case.plan();
    assert!(plan.in_conflict(only(&plan)));
    assert_eq!(plan.findings[0].code, "duplicate-rows");
    let passed_over = settled()
        .binding("one", Fields::new(), &[])
        .row(Row {
            status: "inactive",
            ..row(5, json!({}))
        })
        .row(row(6, json!({})));
    let plan = passed_over.plan();
    assert_eq!(only(&plan).row, Some(id(6)));
    assert!(!plan.in_conflict(only(&plan)));
}

#[test]
fn a_row_that_took_the_place_of_ours_is_anothers() {
    let case = settled()
        .binding("one", Fields::new(), &[])
        .row(row(6, json!({"livekit_config": id(1)})))
        .applied(id(5), pointing(1), true, false);
    let plan = case.plan();
    let change = only(&plan);
    assert_eq!((change.action, change.row), (Action::Adopt, Some(id(6))));
    assert_eq!((change.previous, change.inserted), (Some(id(5)), false));
    let removed = settled()
        .row(row(6, json!({"livekit_config": id(1)})))
        .applied(id(5), pointing(1), true, false)
        .plan();
    assert_eq!(only(&removed).row, None);
    assert!(
        !removed
            .patch(only(&removed))
            .fields
            .iter()
            .any(|f| f.kind.writes())
    );
}

#[test]
fn rules_that_are_no_object_are_a_conflict() {
    let case = settled()
        .binding("one", Fields::new(), &[])
        .row(row(5, json!([1])));
    let plan = case.plan();
    assert!(plan.in_conflict(only(&plan)));
}

#[test]
fn two_states_of_the_files_compare_without_a_database() {
    let before = settled()
        .binding("one", Fields::new().with(Field::Outbound, true), &[])
        .routing;
    let same = crate::diff::offline::between(&before, &before);
    assert!(same.is_empty(), "{:#?}", same.changes);
    let after = settled()
        .edit("one", |config| config.worker_name = Some("w2".into()))
        .binding("one", Fields::new(), &[])
        .routing;
    let plan = crate::diff::offline::between(&before, &after);
    let actions: Vec<Action> = plan.changes.iter().map(|change| change.action).collect();
    assert_eq!(actions, [Action::Update, Action::Update]);
    let fields = &plan.patch(&plan.changes[1]).fields;
    assert_eq!(
        (fields[0].field, fields[0].kind),
        (Field::Outbound, Kind::Set)
    );
    let gone = crate::diff::offline::between(&before, &settled().routing);
    assert_eq!(only(&gone).action, Action::Delete);
}
