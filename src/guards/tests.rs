//! What the guards refuse, and what lets it pass.

use jiff::civil::{Date, date};

use super::{Basis, GuardContext, GuardReport, evaluate};
use crate::diff::offline;
use crate::fields::{Field, Fields};
use crate::finding::Place;
use crate::impact::reroutes;
use crate::phone::E164;
use crate::resolve::samples::{bind, tree};
use crate::routing::Routing;
use crate::routing::guards::{Allowance, Guards, Limit};

const CLOUD: &str = "india-techiemaya-cloud";
const VM: &str = "uae-vm-selfhosted";
const TODAY: Date = date(2026, 11, 21);

/// Tenant 0 with this many numbers on the cloud, tenant 1 with ten on the VM.
fn numbers(on_cloud: u64) -> Routing {
    let mut routing = tree();
    for n in 0..on_cloud {
        bind(
            &mut routing,
            E164::from_digits(919_513_450_000 + n).unwrap(),
            0,
            CLOUD,
            Fields::new(),
        );
    }
    for n in 0..10 {
        bind(
            &mut routing,
            E164::from_digits(971_545_335_200 + n).unwrap(),
            1,
            VM,
            Fields::new(),
        );
    }
    routing
}

fn judged(before: &Routing, after: &Routing, applied: Option<&Guards>) -> GuardReport {
    let snapshot = offline::applied(before);
    let plan = offline::between(before, after);
    let reroutes = reroutes::reroutes(&plan);
    evaluate(
        &plan,
        &GuardContext {
            routing: after,
            snapshot: &snapshot,
            reroutes: &reroutes,
            applied,
            today: TODAY,
            basis: Basis::Files,
            secrets: None,
        },
    )
}

fn codes(guard_report: &GuardReport) -> Vec<&str> {
    guard_report
        .refusals
        .iter()
        .map(|finding| finding.code.as_ref())
        .collect()
}

fn without_last(routing: &Routing, n: usize) -> Routing {
    let mut fewer = routing.clone();
    fewer.bindings.truncate(fewer.bindings.len() - n);
    fewer
}

fn new_worker(routing: &Routing) -> Routing {
    let mut after = routing.clone();
    after.configs.get_mut(CLOUD).unwrap().worker_name = Some("voag-production".into());
    after
}

fn allow(guard: &str, addresses: &[&str], max: u64, expires: &str) -> Allowance {
    Allowance {
        guard: guard.into(),
        addresses: addresses.iter().map(|&address| address.into()).collect(),
        max: Some(max),
        reason: "meant".into(),
        expires: expires.into(),
        place: Place::file("routing/guards.toml"),
    }
}

#[test]
fn nothing_is_refused_where_nothing_changes() {
    let routing = numbers(10);
    let guard_report = judged(&routing, &routing, None);
    assert!(guard_report.refusals.is_empty() && guard_report.warnings.is_empty());
}

#[test]
fn a_number_that_loses_its_route_is_refused_by_name_until_it_is_excepted() {
    let before = numbers(3);
    let mut after = without_last(&before, 1);
    let refused = judged(&before, &after, None);
    assert_eq!(codes(&refused), ["route-lost"]);
    let hint = refused.refusals[0].hint.clone().unwrap();
    let pasted = hint.split_once('\n').unwrap().1;
    let pasted: toml::Table = pasted.parse().expect("the block is TOML");
    let block = &pasted["guards"]["allow"][0];
    let address = block["addresses"][0].as_str().unwrap();
    assert!(address.starts_with("binding.+971545335209@"), "{address}");
    assert_eq!(block["max"].as_integer(), Some(1));

    after.guards.allow = vec![allow("route-lost", &[address], 1, "2026-12-01")];
    assert!(judged(&before, &after, None).refusals.is_empty());
    for (other, warning) in [
        (allow("route-lost", &["config.x"], 1, "2026-12-01"), None),
        (allow("route-lost", &[address], 0, "2026-12-01"), None),
        (allow("budget-deletes", &[address], 1, "2026-12-01"), None),
        (
            allow("route-lost", &[address], 1, "2026-11-20"),
            Some("allowance-expired"),
        ),
        (
            allow("route-lost", &[address], 1, "2026-12-30"),
            Some("allowance-too-long"),
        ),
        (
            allow("route-lost", &[address], 1, "soon"),
            Some("allowance-date"),
        ),
    ] {
        after.guards.allow = vec![other];
        let guard_report = judged(&before, &after, None);
        assert_eq!(codes(&guard_report), ["route-lost"]);
        assert_eq!(
            guard_report
                .warnings
                .first()
                .map(|finding| finding.code.as_ref()),
            warning
        );
    }
}

#[test]
fn more_than_half_of_a_tenant_is_not_rerouted_unless_it_is_small() {
    let large = numbers(5);
    let refused = judged(&large, &new_worker(&large), None);
    assert_eq!(codes(&refused), ["tenant-rerouted"]);
    assert!(
        refused.refusals[0]
            .hint
            .as_ref()
            .unwrap()
            .contains("config.india-techiemaya-cloud")
    );
    let small = numbers(4);
    assert!(
        judged(&small, &new_worker(&small), None)
            .refusals
            .is_empty()
    );
    let mut excepted = new_worker(&large);
    excepted.guards.allow = vec![allow(
        "tenant-rerouted",
        &["config.india-techiemaya-cloud"],
        5,
        "2026-11-21",
    )];
    assert!(judged(&large, &excepted, None).refusals.is_empty());
}

#[test]
fn a_share_in_the_files_replaces_the_default_only_after_its_own_apply() {
    let before = numbers(5);
    let mut after = new_worker(&before);
    after.guards.reroutes.per_tenant.percent = Some(100.0);
    assert!(judged(&before, &after, None).refusals.is_empty());
    let applied = Guards::default();
    assert_eq!(
        codes(&judged(&before, &after, Some(&applied))),
        ["tenant-rerouted"]
    );
    let applied = after.guards.clone();
    assert!(judged(&before, &after, Some(&applied)).refusals.is_empty());
}

#[test]
fn budgets_count_small_sets_too() {
    let before = numbers(4);
    let mut after = new_worker(&before);
    after.guards.updates.overall = Limit {
        max: Some(0),
        percent: None,
    };
    after.guards.reroutes.per_region.percent = Some(50.0);
    let refused = judged(&before, &after, None);
    assert_eq!(codes(&refused), ["budget-updates", "budget-reroutes"]);
    assert!(
        refused.refusals[1]
            .message
            .contains("4 of 4 numbers of region india"),
        "{refused:#?}"
    );
    let mut fewer = without_last(&before, 2);
    fewer.guards.deletes.per_tenant.max = Some(1);
    let refused = judged(&before, &fewer, None);
    assert_eq!(codes(&refused), ["route-lost", "budget-deletes"]);
}

#[test]
fn what_is_protected_is_neither_deleted_nor_rerouted() {
    let before = numbers(3);
    let protect = |mut routing: Routing, glob: &str| {
        routing.guards.protected = vec![glob.into()];
        routing
    };
    let moved = new_worker(&before);
    for glob in ["config.india-*", "binding.+919513450001@*"] {
        let refused = judged(&before, &protect(moved.clone(), glob), None);
        assert_eq!(codes(&refused), ["protected"], "{glob}");
    }
    for glob in ["config.uae-*", "binding.+971545335200@*"] {
        assert!(
            judged(&before, &protect(moved.clone(), glob), None)
                .refusals
                .is_empty()
        );
    }
    let deleted = protect(without_last(&before, 1), "binding.+971545335209@*");
    assert_eq!(
        codes(&judged(&before, &deleted, None)),
        ["route-lost", "protected"]
    );
}

#[test]
fn policies_judge_every_config_and_moves_across_regions() {
    let mut before = numbers(3);
    before.configs.get_mut(VM).unwrap().url = "http://livekit.uae.example:7880".into();
    let mut after = before.clone();
    let policy = &mut after.guards.policy;
    policy.deny_plain_http = true;
    policy
        .hosts
        .insert("india".into(), vec!["*.elsewhere.example".into()]);
    policy
        .workers
        .insert("*".into(), vec!["voag-production*".into()]);
    policy.require = vec![Field::Description];
    let refused = judged(&before, &after, None);
    let found: std::collections::BTreeSet<&str> = codes(&refused).into_iter().collect();
    let all = [
        "plain-http",
        "host-not-allowed",
        "worker-not-allowed",
        "field-required",
    ];
    assert_eq!(found, all.into_iter().collect());
    let of = |guard_report: &GuardReport, config: &str| {
        let at = |finding: &&crate::finding::Finding| {
            finding.message.contains(&format!("config `{config}`"))
        };
        let found = guard_report.refusals.iter().filter(at);
        found
            .map(|finding| finding.code.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(of(&refused, VM)[0], "plain-http");
    let address = format!("config.{VM}");
    after.guards.allow = vec![allow("plain-http", &[address.as_str()], 1, "2026-12-01")];
    let allowed = judged(&before, &after, None);
    assert_eq!(of(&allowed, VM), of(&refused, VM)[1..]);
    after.guards.allow = vec![allow("plain-http", &[address.as_str()], 1, "2026-11-20")];
    assert_eq!(codes(&judged(&before, &after, None)), codes(&refused));

    let mut moved = before.clone();
    moved.guards.policy.deny_cross_region = true;
    let binding = moved
        .bindings
        .iter()
        .position(|binding| binding.tenant == 0)
        .unwrap();
    let vm = moved
        .settings
        .iter()
        .position(|settings| settings.config == VM)
        .unwrap();
    moved.bindings[binding].settings = u32::try_from(vm).unwrap();
    assert_eq!(codes(&judged(&before, &moved, None)), ["cross-region"]);
}

/// What is refused of these files where the same were applied before.
fn judged_again(routing: &Routing, applied: &Guards) -> GuardReport {
    judged(routing, routing, Some(applied))
}

#[test]
fn one_more_pattern_of_workers_does_not_widen_another() {
    let mut routing = numbers(3);
    routing.environment = Some("production".into());
    for config in routing.configs.values_mut() {
        config.worker_name = Some("voag-production".into());
    }
    let mut applied = Guards::default();
    let workers = &mut applied.policy.workers;
    workers.insert("*".into(), vec!["voag-*".into()]);
    routing.guards = applied.clone();
    assert!(judged_again(&routing, &applied).refusals.is_empty());
    let after = routing.configs.get_mut(VM).unwrap();
    after.worker_name = Some("evil".into());
    let workers = &mut routing.guards.policy.workers;
    workers.insert("production".into(), vec!["evil".into(), "voag-*".into()]);
    assert_eq!(
        codes(&judged_again(&routing, &applied)),
        ["worker-not-allowed"]
    );
    workers_of_another(&mut routing);
    let after = routing.configs.get_mut(VM).unwrap();
    after.worker_name = Some("voag-production".into());
    assert!(judged_again(&routing, &applied).refusals.is_empty());
}

/// A list of another environment says nothing about this one.
fn workers_of_another(routing: &mut Routing) {
    let workers = &mut routing.guards.policy.workers;
    workers.insert("staging".into(), vec!["voag-staging".into()]);
}

#[test]
fn a_stored_list_holds_beside_that_of_the_files_whatever_its_patterns_are() {
    let mut routing = numbers(3);
    let host = "livekit.uae.example";
    routing.configs.get_mut(VM).unwrap().url = format!("wss://{host}");
    let list = |globs: &[&str]| {
        let mut guards = Guards::default();
        let globs = globs.iter().map(|glob| (*glob).to_owned()).collect();
        guards.policy.hosts.insert("uae".into(), globs);
        guards
    };
    let stored = list(&["*.uae.example"]);
    // The same host, written in another way: both allow it.
    routing.guards = list(&[host]);
    assert!(judged_again(&routing, &stored).refusals.is_empty());
    // The files allow another one: the last apply did not.
    routing.guards = list(&["*"]);
    routing.configs.get_mut(VM).unwrap().url = "wss://elsewhere.example".into();
    assert_eq!(
        codes(&judged_again(&routing, &stored)),
        ["host-not-allowed"]
    );
    // No list in the files does not end that of the last apply.
    routing.guards = Guards::default();
    assert_eq!(
        codes(&judged_again(&routing, &stored)),
        ["host-not-allowed"]
    );
}

#[test]
fn numbers_stay_with_the_hosts_and_workers_of_their_region() {
    let before = numbers(3);
    let mut stored = Guards::default();
    let policy = &mut stored.policy;
    policy
        .hosts
        .insert("uae".into(), vec!["*.uae.example".into()]);
    policy.deny_cross_region = true;
    let mut after = before.clone();
    after.guards = stored.clone();
    let moved = |routing: &mut Routing, config: &str| {
        for binding in routing
            .bindings
            .iter()
            .filter(|binding| binding.tenant == 1)
        {
            let settings = &mut routing.settings[binding.settings as usize];
            settings.config = config.to_owned();
        }
    };
    moved(&mut after, CLOUD);
    let mut found = codes(&judged(&before, &after, Some(&stored)))
        .into_iter()
        .map(str::to_owned)
        .collect::<Vec<_>>();
    found.sort();
    assert_eq!(
        found,
        ["cross-region", "host-not-allowed", "tenant-rerouted"]
    );
    // Nor does a new name for the region help.
    let mut after = before.clone();
    let region = after.regions.remove("uae").unwrap();
    after.regions.insert("gulf".into(), region);
    after.configs.get_mut(VM).unwrap().region = "gulf".into();
    let refused = judged(&before, &after, Some(&stored));
    let found = codes(&refused);
    assert!(found.contains(&"cross-region"), "{found:?}");
    assert!(found.contains(&"policy-uncovered"), "{found:?}");
}

#[test]
fn an_exception_may_name_an_object_by_its_id_or_its_old_name() {
    let before = numbers(3);
    let mut after = without_last(&before, 1);
    let (number, tenant) = (971_545_335_209u64, before.tenants[1].id);
    let by_id = format!("binding.+{number}@{tenant}");
    after.guards.allow = vec![allow("route-lost", &[by_id.as_str()], 1, "2026-12-01")];
    assert!(judged(&before, &after, None).refusals.is_empty());
}

/// Ten numbers of tenant 1 may call the UAE alone.
fn with_rules(fields: &Fields) -> Routing {
    let mut routing = numbers(2);
    for settings in &mut routing.settings[2..] {
        settings.fields = fields.clone();
    }
    routing
}

#[test]
fn terms_count_as_reroutes_do() {
    let uae = Fields::new()
        .with(Field::Outbound, true)
        .with(Field::AllowedOutbound, "uae");
    let before = with_rules(&uae);
    for changed in [
        uae.clone().with(Field::AllowedOutbound, "global"),
        uae.clone().with(Field::Inbound, false),
        uae.clone()
            .with(Field::RequiredLeadFormat, vec!["0088216", "base_number"]),
    ] {
        let refused = judged(&before, &with_rules(&changed), None);
        assert_eq!(codes(&refused), ["tenant-rerouted"], "{changed:?}");
        let message = &refused.refusals[0].message;
        assert!(message.contains("would call on other terms"), "{message}");
    }
    for lost in [
        uae.clone().with(Field::Outbound, false),
        uae.clone().with(Field::AllowedOutbound, "india"),
        uae.clone().with(Field::RequiredLeadFormat, "nonsense"),
    ] {
        let refused = judged(&before, &with_rules(&lost), None);
        assert_eq!(
            codes(&refused),
            ["route-lost", "tenant-rerouted"],
            "{lost:?}"
        );
    }
    let mut key = before.clone();
    key.configs.get_mut(VM).unwrap().api_key = "another".into();
    let refused = judged(&before, &key, None);
    assert_eq!(codes(&refused), ["tenant-rerouted"]);
    let hint = refused.refusals[0].hint.as_deref().unwrap();
    assert!(hint.contains(&format!("\"config.{VM}\"")), "{hint}");
}

#[test]
fn codes_of_a_region_are_a_cause_that_can_be_named_and_protected() {
    let uae = Fields::new().with(Field::AllowedOutbound, "uae");
    let before = with_rules(&uae);
    let mut after = before.clone();
    let region = after.regions.get_mut("uae").unwrap();
    region.country_codes = vec![crate::phone::Prefix::parse("+966").unwrap()];
    let refused = judged(&before, &after, None);
    assert_eq!(codes(&refused), ["route-lost", "tenant-rerouted"]);
    for refusal in &refused.refusals {
        let hint = refusal.hint.as_deref().unwrap();
        assert!(hint.contains("addresses = [\"region.uae\"]"), "{hint}");
    }
    after.guards.allow = ["route-lost", "tenant-rerouted"]
        .map(|guard| allow(guard, &["region.uae"], 10, "2026-12-01"))
        .into();
    assert!(judged(&before, &after, None).refusals.is_empty());
    after.guards.protected = vec!["binding.+971545335203@*".into()];
    assert_eq!(codes(&judged(&before, &after, None)), ["protected"]);
}

#[test]
fn a_secret_that_nobody_could_compare_trips_nothing() {
    let before = numbers(6);
    let mut after = before.clone();
    let sealed = crate::routing::CipherText::new("lkr1:another");
    after.configs.get_mut(CLOUD).unwrap().api_secret = crate::routing::SecretSource::Sealed(sealed);
    after.guards.protected = vec!["config.*".into()];
    after.guards.updates.overall.max = Some(0);
    after.guards.reroutes.overall.max = Some(0);
    assert_eq!(codes(&judged(&before, &after, None)), [""; 0]);
}
