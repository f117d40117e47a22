//! Plans of which a part is refused, targeted or left alone.

use super::*;
use crate::address::Address;
use crate::diff::target;
use crate::guards::hard_checks;

/// The number's row before and after, of the only class.
fn class(plan: &Plan) -> (Option<Fields>, Option<Fields>) {
    assert_eq!(plan.classes.len(), 1, "{:?}", plan.classes);
    let class = plan.classes[0];
    let fields = |ix: Option<_>| ix.map(|ix| plan.pool.get(ix).clone());
    (fields(class.before), fields(class.after))
}

fn removed() -> Case {
    let mut case = settled();
    case.routing.configs.clear();
    case
}

fn refusals(case: &Case) -> Vec<crate::finding::Finding> {
    hard_checks::refusals(&case.plan(), &case.routing, &case.snapshot)
}

#[test]
fn a_secret_is_not_written_in_a_form_that_the_python_service_may_not_read() {
    let mut case = settled().config("two", Some(id(2)), "w2");
    assert!(refusals(&case).is_empty());
    case.snapshot.configs[0].secret = CipherText::new("dev-s-t-made-up");
    assert_eq!(refusals(&case)[0].code, "secret-format-not-set");
    case.routing.secret_format = Some(crate::routing::SecretFormat::Fernet);
    assert!(refusals(&case).is_empty());
}

#[test]
fn a_config_that_a_row_still_holds_is_not_deleted() {
    let rules = json!({"livekit_config": config_id(1)});
    let mut inactive = row(9, rules.clone());
    inactive.status = "inactive";
    let mut unreadable = row(9, rules);
    unreadable.number = "0";
    for row in [inactive, unreadable] {
        let refused = refusals(&removed().row(row));
        assert_eq!(refused.len(), 1);
        assert_eq!(refused[0].code, "config-in-use");
    }
    let other = row(9, json!({"livekit_config": config_id(2)}));
    assert!(refusals(&removed().row(other)).is_empty());
}

#[test]
fn a_config_may_go_with_its_last_number_but_not_before_it() {
    let case = removed()
        .row(row(9, json!({"livekit_config": config_id(1)})))
        .applied(id(9), pointing(1), false, false);
    let plan = case.plan();
    assert_eq!(plan.changes.len(), 2);
    assert!(hard_checks::refusals(&plan, &case.routing, &case.snapshot).is_empty());
    let alone = target::narrow(plan, &[Address::Config("one".into())]);
    assert_eq!((alone.changes.len(), alone.outstanding.len()), (1, 1));
    assert_eq!(
        hard_checks::refusals(&alone, &case.routing, &case.snapshot).len(),
        1
    );
}

#[test]
fn a_target_brings_what_it_newly_needs_and_no_dependents() {
    let case = settled()
        .config("two", Some(id(2)), "w2")
        .binding("two", Fields::new(), &[])
        .row(row(9, json!({"livekit_config": config_id(1)})))
        .applied(id(9), pointing(1), false, false);
    let number = E164::parse("+919513456728").unwrap();
    let binding = Address::Binding(number, "acme".into());
    let by_uuid = Address::Binding(number, TENANT.to_string());
    for target in [binding, by_uuid] {
        let plan = target::narrow(case.plan(), &[target]);
        let actions: Vec<_> = plan.changes.iter().map(|change| change.action).collect();
        assert_eq!(actions, [Action::Create, Action::Update]);
    }
    let plan = target::narrow(case.plan(), &[Address::Config("two".into())]);
    assert_eq!(only(&plan).action, Action::Create);
    assert_eq!(plan.outstanding.len(), 1);
    let (before, after) = class(&plan);
    assert_eq!(before, after);
}

#[test]
fn a_target_that_nobody_knows_is_told() {
    let case = settled();
    let known = Address::Config("one".into());
    let typo = Address::Config("oen".into());
    let targets = [known, typo.clone()];
    assert_eq!(
        target::unknown(&case.plan(), &case.routing, &targets),
        [&typo]
    );
}

#[test]
fn drift_that_is_left_alone_counts_as_it_is() {
    let case = settled()
        .binding("one", Fields::new().with(Field::Outbound, true), &[])
        .row(row(
            9,
            json!({"livekit_config": config_id(3), "outbound": false}),
        ))
        .applied(
            id(9),
            pointing(1).with(Field::Outbound, false),
            false,
            false,
        );
    let plan = case.plan();
    assert_eq!(
        class(&plan).1,
        Some(pointing(1).with(Field::Outbound, true))
    );
    let plan = plan.without_drift();
    assert_eq!(plan.left_alone.len(), 1);
    assert_eq!(plan.patch(only(&plan)).fields.len(), 1);
    assert_eq!(
        class(&plan).1,
        Some(pointing(3).with(Field::Outbound, true))
    );
}
