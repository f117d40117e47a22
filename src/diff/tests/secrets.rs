//! What becomes of secrets that are sealed anew, stored in another form, or
//! kept outside the files.

use super::*;
use crate::diff::secret::SecretFact;
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
