//! Who is rerouted, on values alone.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::carried_out::basis_after;
use super::one_number;
use super::reroutes::{CallField, EffectiveRoute, Reroutes, RouteSource, reroutes};
use crate::diff::offline;
use crate::diff::plan::{
    Action, BindingGroup, Change, FieldChange, Kind, Object, Patch, Plan, SecretOutcome,
};
use crate::fields::{Field, Fields};
use crate::phone::{E164, Prefix};
use crate::resolve::samples::{INDIA, OTHER, OURS, bind, tree};
use crate::resolve::{
    CallBasis, Facts, Outcome, Query, Route, RoutingEnv, RowFact, TenantChoice, Terms, resolve,
};
use crate::routing::{CipherText, Routing, SecretSource, Tenant};
use crate::snapshot::Snapshot;

const CLOUD: &str = "india-techiemaya-cloud";
const VM: &str = "uae-vm-selfhosted";

fn nth(n: u64) -> E164 {
    E164::from_digits(919_513_450_000 + n).unwrap()
}

fn between(before: &Routing, after: &Routing) -> Reroutes {
    reroutes(&offline::between(before, after))
}

/// Ten numbers of ours and five of another tenant on the cloud.
fn fifteen() -> Routing {
    let mut routing = tree();
    for n in 0..10 {
        bind(&mut routing, nth(n), 0, CLOUD, Fields::new());
    }
    for n in 0..5 {
        bind(&mut routing, nth(n), 1, CLOUD, Fields::new());
    }
    routing
}

#[test]
fn a_changed_worker_reroutes_all_numbers_of_its_config() {
    let before = fifteen();
    let mut after = before.clone();
    after.configs.get_mut(CLOUD).unwrap().worker_name = Some("voag-production".into());
    let found = between(&before, &after);
    let [group] = found.groups.as_slice() else {
        panic!("{found:#?}")
    };
    assert_eq!(
        (group.count, group.changed.as_slice()),
        (15, &[CallField::Worker][..])
    );
    let old = group.before.as_ref().unwrap();
    assert_eq!(old.worker.as_deref(), Some("voag-dev"));
    assert_eq!(group.after.worker.as_deref(), Some("voag-production"));
    assert_eq!(group.after.host(), Some("livekit.india.example"));
    let tenants: Vec<_> = group
        .tenants
        .iter()
        .map(|t| (t.name.clone(), t.numbers))
        .collect();
    let other = OTHER.to_string();
    assert_eq!(
        tenants,
        [(Some("techiemaya-test".into()), 10), (Some(other), 5)]
    );
    assert_eq!(group.regions[0].name.as_deref(), Some("india"));
    assert_eq!(
        (
            found.counts.routed,
            found.counts.rerouted,
            found.counts.unrouted,
            found.counts.new
        ),
        (15, 15, 0, 0)
    );
    assert_eq!(found.cells.len(), 2);
    assert_eq!((found.cells[1].numbers, found.cells[1].rerouted), (5, 5));
}

#[test]
fn what_changes_no_call_is_no_reroute() {
    let before = fifteen();
    assert!(between(&before, &before).groups.is_empty());
    let mut renamed = before.clone();
    let config = renamed.configs.remove(CLOUD).unwrap();
    renamed.configs.insert("india-cloud".into(), config);
    for settings in &mut renamed.settings {
        settings.config = "india-cloud".into();
        settings.fields = Fields::new().with(Field::Provider, "TechieMaya FZE");
    }
    let found = between(&before, &renamed);
    assert!(found.groups.is_empty(), "{found:#?}");
    assert_eq!((found.counts.routed, found.counts.rerouted), (15, 0));
}

#[test]
fn moved_lost_and_new_numbers_are_told_apart() {
    let before = fifteen();
    let mut after = before.clone();
    after.bindings.remove(14);
    after.settings[0].config = VM.into();
    bind(&mut after, nth(77), 1, VM, Fields::new());
    let found = between(&before, &after);
    assert_eq!(
        (
            found.counts.rerouted,
            found.counts.unrouted,
            found.counts.to_environment,
            found.counts.new
        ),
        (2, 1, 1, 1)
    );
    let counts: Vec<_> = found
        .groups
        .iter()
        .map(|g| (g.count, g.after.source))
        .collect();
    let (database, environment) = (RouteSource::Database, RouteSource::Environment);
    assert_eq!(counts, [(1, environment), (1, database), (1, database)]);
    assert!(found.groups[1].changed.contains(&CallField::Region));
    assert_eq!(found.groups[1].regions[0].name.as_deref(), Some("india"));
    assert!(found.groups[2].before.is_none());
    assert!(!found.is_empty());
    let back = between(&after, &before);
    assert_eq!((back.counts.new, back.counts.unrouted), (1, 1));
}

#[test]
fn a_number_that_may_no_longer_call_counts() {
    let before = fifteen();
    let mut after = before.clone();
    after.settings[3].fields = Fields::new().with(Field::Outbound, false);
    let found = between(&before, &after);
    let counted = (
        found.counts.rerouted,
        found.counts.terms_changed,
        found.counts.stopped,
    );
    assert_eq!(counted, (0, 1, 1));
    assert_eq!(found.groups[0].changed, [CallField::Outbound]);
    assert!(found.groups[0].effect.is_lost());
}

#[test]
fn another_key_or_secret_changes_terms_and_a_move_brings_its_own() {
    let before = fifteen();
    let mut after = before.clone();
    after.configs.get_mut(CLOUD).unwrap().api_key = "another".into();
    let found = between(&before, &after);
    assert_eq!(found.groups[0].changed, [CallField::ApiKey]);
    assert_eq!(
        (
            found.counts.affected,
            found.counts.rerouted,
            found.counts.terms_changed
        ),
        (15, 0, 15)
    );

    let mut moved = before.clone();
    moved.settings[3].config = VM.into();
    let found = between(&before, &moved);
    assert_eq!((found.counts.rerouted, found.counts.terms_changed), (1, 0));

    // Without a key nobody can say whether it is another secret.
    let mut sealed = before.clone();
    let other = SecretSource::Sealed(CipherText::new("lkr1:other"));
    sealed.configs.get_mut(CLOUD).unwrap().api_secret = other;
    let found = between(&before, &sealed);
    assert_eq!((found.counts.affected, found.counts.not_compared), (0, 15));
    assert!(!found.is_empty());
    let mut plan = offline::between(&before, &sealed);
    for outcome in [SecretOutcome::Changed, SecretOutcome::Resealed] {
        plan.secrets.insert(INDIA, outcome);
        let found = reroutes(&plan);
        let changed = if outcome == SecretOutcome::Changed {
            15
        } else {
            0
        };
        assert_eq!(
            (found.counts.terms_changed, found.counts.not_compared),
            (changed, 0)
        );
    }
}

#[test]
fn new_codes_of_a_region_change_the_terms_of_those_who_may_call_it() {
    let mut before = tree();
    let allowed = Fields::new().with(Field::AllowedOutbound, "uae");
    for n in 0..3 {
        bind(&mut before, nth(n), 0, CLOUD, allowed.clone());
    }
    bind(&mut before, nth(9), 0, CLOUD, Fields::new());
    let codes = |codes: &[&str]| {
        let mut routing = before.clone();
        let read = codes.iter().map(|code| Prefix::parse(code).unwrap());
        routing.regions.get_mut("uae").unwrap().country_codes = read.collect();
        routing
    };
    let wider = between(&before, &codes(&["+971", "+966"]));
    assert_eq!(
        (
            wider.counts.terms_changed,
            wider.counts.widened,
            wider.counts.stopped
        ),
        (3, 3, 0)
    );
    assert_eq!(wider.groups[0].changed, [CallField::Countries]);
    let other = between(&before, &codes(&["+966"]));
    assert_eq!(
        (
            other.counts.terms_changed,
            other.counts.widened,
            other.counts.stopped
        ),
        (3, 3, 3)
    );
    let narrower = between(&codes(&["+971", "+966"]), &before);
    assert_eq!(
        (narrower.counts.terms_changed, narrower.counts.widened),
        (3, 0)
    );
    let mut without = before.clone();
    without.regions.remove("uae");
    assert!(
        between(&before, &without).is_empty(),
        "a name that is known anyway"
    );
}

/// A plan over rows of others: classes as given, one change to a config.
fn plan(
    classes: &[(Option<Fields>, Option<Fields>, u64)],
    action: Action,
    fields: Vec<FieldChange>,
) -> Plan {
    let mut plan = Plan {
        names: vec![CLOUD.into()],
        tenants: vec![Tenant {
            id: OURS,
            alias: None,
        }],
        patches: vec![Patch { fields }],
        basis: CallBasis::of_snapshot(&offline::applied(&tree())),
        ..Plan::default()
    };
    for (before, after, numbers) in classes {
        let class = BindingGroup {
            tenant: 0,
            before: before.clone().map(|fields| plan.pool.intern(fields)),
            after: after.clone().map(|fields| plan.pool.intern(fields)),
            numbers: *numbers,
        };
        plan.classes.push(class);
    }
    plan.changes.push(Change {
        object: Object::Config(0),
        action,
        patch: 0,
        row: Some(INDIA),
        previous: None,
        origin: None,
        live: None,
        owned: None,
        inserted: false,
        insert: false,
    });
    plan
}

fn set(field: Field, value: serde_json::Value, kind: Kind) -> FieldChange {
    FieldChange {
        field,
        before: None,
        after: Some(value),
        kind,
        applied: None,
    }
}

fn bound(id: Uuid) -> Option<Fields> {
    Some(Fields::new().with(Field::Config, id.to_string()))
}

#[test]
fn a_config_that_becomes_known_to_us_reroutes_nobody() {
    let claim = vec![
        set(Field::Region, json!("india"), Kind::Set),
        set(Field::WorkerName, json!("voag-dev"), Kind::Adopt),
    ];
    let mut claimed = plan(&[(bound(INDIA), bound(INDIA), 3)], Action::Update, claim);
    let config = claimed.basis.configs.get_mut(INDIA).unwrap();
    config.fields.set(Field::Region, None);
    let found = reroutes(&claimed);
    assert!(found.groups.is_empty(), "{found:#?}");
    assert_eq!(found.cells[0].numbers, 3);
}

#[test]
fn conflicts_change_nothing_and_a_deleted_config_breaks_its_numbers() {
    let classes = [(bound(INDIA), bound(INDIA), 3)];
    let conflict = vec![set(Field::WorkerName, json!("w"), Kind::Conflict)];
    let found = reroutes(&plan(&classes, Action::Update, conflict));
    assert!(found.groups.is_empty());
    let gone = plan(&classes, Action::Delete, Vec::new());
    let found = reroutes(&gone);
    assert_eq!((found.counts.broken, found.counts.unrouted), (3, 3));
    let error = found.groups[0].after.error.as_ref().unwrap();
    assert_eq!(error.0, "config-dangling");
    let fields = bound(INDIA).unwrap();
    let before = EffectiveRoute::with(&gone.basis, &fields);
    let after = EffectiveRoute::with(&basis_after(&gone).basis, &fields);
    assert_eq!(
        (before.source, after.source),
        (RouteSource::Database, RouteSource::Error)
    );
}

#[test]
fn inactive_rows_route_nowhere() {
    let inactive = bound(INDIA).map(|fields| fields.with(Field::Status, "inactive"));
    let classes = [
        (inactive.clone(), inactive.clone(), 2),
        (bound(INDIA), inactive.clone(), 3),
        (inactive, bound(INDIA), 5),
    ];
    let found = reroutes(&plan(&classes, Action::Update, Vec::new()));
    assert_eq!(
        (
            found.counts.routed,
            found.counts.unrouted,
            found.counts.from_environment
        ),
        (3, 3, 5)
    );
}

#[test]
fn one_number_is_shown_before_and_after() {
    let before = fifteen();
    let mut after = before.clone();
    after.settings[3].config = VM.into();
    let plan = offline::between(&before, &after);
    let change = plan.changes[0];
    let row = RowFact {
        id: change.row,
        tenant: OURS,
        fields: bound(INDIA),
        place: Default::default(),
        rollout: None,
    };
    let snapshot = offline::applied(&before);
    let sides = one_number::before_and_after(&plan, &after, &snapshot, vec![row], nth(3));
    let query = Query::new(nth(3), TenantChoice::Given(OURS));
    let worker = |facts: &Facts| {
        let outcome = resolve(&query, facts, &RoutingEnv::Symbolic).outcome;
        outcome.unwrap().route.worker.value.unwrap()
    };
    assert_eq!(worker(&sides.0), "voag-dev");
    assert_eq!(worker(&sides.1), "voag-staging");

    let (none, created) = {
        let plan = offline::between(&tree(), &after);
        let snapshot = Snapshot::default();
        one_number::before_and_after(&plan, &after, &snapshot, Vec::new(), nth(3))
    };
    assert!(none.rows.is_empty());
    assert_eq!(created.rows.len(), 2);
    assert_eq!(
        created.rows[0].place.line,
        Some(("routing/all.toml".into(), 3))
    );
    let mut tenants = created.aliases.values();
    assert_eq!(tenants.next().map(String::as_str), Some("techiemaya-test"));
}

// ---- law ----

/// Numbers 0..6, each of one or two tenants, on a config or none.
fn any_tree() -> impl Strategy<Value = Routing> {
    let binding = (0..6u64, 0..2u32, any::<bool>(), any::<[bool; 2]>());
    let worker = prop::sample::select(vec![None, Some("voag-dev"), Some("voag-dev-v2")]);
    let parts = (
        prop::collection::vec(binding, 0..8),
        worker,
        any::<[bool; 2]>(),
    );
    parts.prop_map(|(bindings, worker, [codes, key])| {
        let mut routing = tree();
        let region = routing.regions.get_mut("uae").unwrap();
        region
            .country_codes
            .extend(codes.then(|| Prefix::parse("+966").unwrap()));
        if key {
            routing.configs.get_mut(VM).unwrap().api_key = "another".into();
        }
        if let Some(config) = routing.configs.get_mut(CLOUD) {
            config.worker_name = worker.map(str::to_owned);
        }
        let mut seen = BTreeSet::new();
        for (n, tenant, cloud, [trunk, outbound]) in bindings {
            let mut fields = Fields::new();
            fields.set_text(Field::OutboundTrunkId, trunk.then_some("ST_row"));
            fields.set(Field::Outbound, outbound.then_some(false.into()));
            fields.set_text(Field::AllowedOutbound, (n % 2 == 0).then_some("uae"));
            if seen.insert((n, tenant)) {
                bind(
                    &mut routing,
                    nth(n),
                    tenant,
                    if cloud { CLOUD } else { VM },
                    fields,
                );
            }
        }
        routing
    })
}

fn outcome(routing: &Routing, n: u64, tenant: Uuid) -> Option<Outcome> {
    let facts = Facts::of_files(routing, nth(n));
    let query = Query::new(nth(n), TenantChoice::Given(tenant));
    let there = facts.rows.iter().any(|row| row.tenant == tenant);
    let outcome = resolve(&query, &facts, &RoutingEnv::Symbolic)
        .outcome
        .ok()?;
    there.then_some(outcome)
}

fn terms(routing: &Routing, n: u64, tenant: Uuid) -> Option<Terms> {
    let facts = Facts::of_files(routing, nth(n));
    let query = Query::new(nth(n), TenantChoice::Given(tenant));
    resolve(&query, &facts, &RoutingEnv::Symbolic).reached.terms
}

/// The route without its credentials.
fn way(outcome: &Outcome) -> Route {
    Route {
        api_key: None,
        ..outcome.route.clone()
    }
}

proptest! {
    /// The plan counts what resolving every number twice would count.
    #[test]
    fn the_plan_says_what_resolve_says(before in any_tree(), after in any_tree()) {
        let found = between(&before, &after);
        let (mut routed, mut rerouted, mut unrouted, mut new) = (0, 0, 0, 0);
        let (mut changed, mut affected) = (0, 0);
        for n in 0..6 {
            for tenant in [OURS, OTHER] {
                match (outcome(&before, n, tenant), outcome(&after, n, tenant)) {
                    (Some(old), Some(now)) => {
                        let moves = way(&old) != way(&now);
                        let key = old.route.config == now.route.config
                            && old.route.api_key != now.route.api_key;
                        let other = terms(&before, n, tenant) != terms(&after, n, tenant);
                        routed += 1;
                        rerouted += u64::from(moves);
                        changed += u64::from(key || other);
                        affected += u64::from(moves || key || other);
                    }
                    (Some(_), None) => {
                        routed += 1;
                        rerouted += 1;
                        affected += 1;
                        unrouted += 1;
                    }
                    (None, Some(_)) => new += 1,
                    (None, None) => {}
                }
            }
        }
        let counted = (found.counts.routed, found.counts.rerouted, found.counts.unrouted, found.counts.new);
        prop_assert_eq!(counted, (routed, rerouted, unrouted, new));
        prop_assert_eq!((found.counts.terms_changed, found.counts.affected), (changed, affected));
        let sum: u64 = found.groups.iter().map(|group| group.count).sum();
        prop_assert_eq!(sum, affected + new);
        for group in &found.groups {
            let tenants: u64 = group.tenants.iter().map(|share| share.numbers).sum();
            let regions: u64 = group.regions.iter().map(|share| share.numbers).sum();
            prop_assert_eq!((tenants, regions), (group.count, group.count));
        }
        let cells: u64 = found.cells.iter().map(|cell| cell.affected).sum();
        prop_assert_eq!(cells, affected);
    }
}
