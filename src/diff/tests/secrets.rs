//! What becomes of secrets that are sealed anew, stored in another form, or
//! kept outside the files.

use super::*;
use crate::diff::secret::SecretFact;
use crate::impact::digest::digest;
use crate::routing::SecretFormat;

fn known(same: bool) -> SecretFacts {
    let mut facts = SecretFacts::default();
    let fact = SecretFact {
        same_as_applied: Some(same),
        same_as_live: Some(same),
        under_old_key: false,
    };
    facts.insert("one", fact);
    facts
}

/// With keys, with keys and another secret, and without keys.
fn digests(case: &Case) -> [String; 3] {
    [known(true), known(false), SecretFacts::default()].map(|facts| {
        let differ = Differ::new(&case.routing, &case.snapshot, &facts, || id(0xf0));
        digest(&differ.finish(|| id(0xff)))
    })
}

#[test]
fn a_plan_made_without_keys_is_the_plan_that_an_apply_with_keys_carries_out() {
    let source = |source: &SecretSource| {
        let mut case = settled().edit("one", |config| config.api_secret = source.clone());
        case.snapshot.owned_configs[0].secret_source = source.describe();
        case
    };
    let env = SecretSource::Env("UAE_SECRET".into());
    let mut renamed = source(&env);
    let other = SecretSource::Env("OTHER_SECRET".into());
    renamed = renamed.edit("one", |config| config.api_secret = other);
    let mut moved = sealed_anew();
    moved = moved.edit("one", |config| config.worker_name = Some("w2".into()));
    let cases = [source(&env), renamed, sealed_anew(), moved];
    for case in &cases {
        let [same, changed, unknown] = digests(case);
        assert_eq!(same, changed);
        assert_eq!(same, unknown);
    }
    let all = cases.map(|case| digests(&case)[0].clone());
    assert_eq!(
        all[0],
        digests(&settled())[0],
        "no line of the files differs"
    );
    for (at, one) in all.iter().enumerate() {
        assert!(!all[at + 1..].contains(one), "{at}");
    }
}

#[test]
fn what_keys_told_when_it_was_approved_is_held_to() {
    use crate::impact::saved_plan::unseen_secret;
    let env = SecretSource::Env("UAE_SECRET".into());
    let mut case = settled().edit("one", |config| config.api_secret = env.clone());
    case.snapshot.owned_configs[0].secret_source = env.describe();
    let plan = |facts: &SecretFacts| {
        let differ = Differ::new(&case.routing, &case.snapshot, facts, || id(0xf0));
        differ.finish(|| id(0xff))
    };
    let (same, changed) = (plan(&known(true)), plan(&known(false)));
    let unknown = plan(&SecretFacts::default());
    assert_eq!(unseen_secret(&same, &changed), Some("one"));
    assert_eq!(unseen_secret(&unknown, &changed), None);
    assert_eq!(unseen_secret(&changed, &changed), None);
    assert_eq!(unseen_secret(&changed, &same), None);
}

fn action(case: &Case, facts: &SecretFacts) -> Option<Action> {
    let differ = Differ::new(&case.routing, &case.snapshot, facts, || id(0xf0));
    let plan = differ.finish(|| id(0xff));
    assert!(plan.changes.len() <= 1);
    plan.changes.first().map(|change| {
        let fields = &plan.patch(change).fields;
        assert!(fields.iter().all(|field| field.field == Field::ApiSecret));
        change.action
    })
}

fn sealed_anew() -> Case {
    let anew = SecretSource::Sealed(CipherText::new("lkr1:k2:00000000:BBBB"));
    settled().edit("one", |config| config.api_secret = anew)
}

#[test]
fn the_same_secret_sealed_anew_is_re_sealed_and_another_is_an_update() {
    assert_eq!(action(&settled(), &SecretFacts::default()), None);
    assert_eq!(action(&sealed_anew(), &known(true)), Some(Action::Reseal));
    assert_eq!(action(&sealed_anew(), &known(false)), Some(Action::Update));
    let unknown = action(&sealed_anew(), &SecretFacts::default());
    assert_eq!(unknown, Some(Action::Update), "without keys it may be any");
}

#[test]
fn a_sealed_value_is_stored_in_the_form_that_the_files_ask_for() {
    let mut case = settled();
    case.routing.secret_format = Some(SecretFormat::Aes256Gcm);
    assert_eq!(action(&case, &known(true)), None);
    case.routing.secret_format = Some(SecretFormat::Fernet);
    assert_eq!(action(&case, &known(true)), Some(Action::Reseal));
    let stored = CipherText::new("dev-s-t-made-up");
    case.snapshot.configs[0]
        .fields
        .set_text(Field::ApiSecret, Some(&stored.digest()));
    case.snapshot.owned_configs[0]
        .fields
        .set_text(Field::ApiSecret, Some(&stored.digest()));
    case.snapshot.configs[0].secret = stored;
    assert_eq!(action(&case, &known(true)), None, "converted already");
}

#[test]
fn a_secret_from_outside_is_compared_where_that_is_possible() {
    let env = SecretSource::Env("UAE_SECRET".into());
    let mut case = settled().edit("one", |config| config.api_secret = env.clone());
    case.snapshot.owned_configs[0].secret_source = env.describe();
    assert_eq!(action(&case, &known(true)), None);
    assert_eq!(action(&case, &known(false)), Some(Action::Update));
    assert_eq!(action(&case, &SecretFacts::default()), None, "not checked");
    for (same, expected) in [
        (Some(true), Some(Action::Reseal)),
        (Some(false), Some(Action::Update)),
        (None, None),
    ] {
        let mut facts = SecretFacts::default();
        let fact = SecretFact {
            same_as_applied: same,
            under_old_key: true,
            ..SecretFact::default()
        };
        facts.insert("one", fact);
        assert_eq!(action(&case, &facts), expected, "under an old key");
    }
    case.routing.secret_format = Some(SecretFormat::Fernet);
    assert_eq!(
        action(&case, &known(true)),
        Some(Action::Reseal),
        "in another form"
    );
    assert_eq!(action(&case, &SecretFacts::default()), None, "not checked");
}
