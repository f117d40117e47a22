//! Names for tenants: a slug of the provider. Core.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

/// The longest slug of a provider.
const LONGEST: usize = 40;

/// Lower-case letters and digits of a text, with `-` for runs of anything
/// else, cut at a word where it is long; may be empty.
pub(super) fn alias_slug(text: &str) -> String {
    let mut slug = String::new();
    for word in text.split(|c: char| !c.is_ascii_alphanumeric()) {
        if word.is_empty() {
            continue;
        }
        let room = LONGEST.saturating_sub(slug.len() + 1);
        if word.len() > room && !slug.is_empty() {
            break;
        }
        if !slug.is_empty() {
            slug.push('-');
        }
        slug.extend(word.chars().take(LONGEST).map(|c| c.to_ascii_lowercase()));
    }
    slug
}

/// An alias for each tenant, by the provider that most of its numbers have.
/// `known` are names given before.
pub(super) fn aliases_by_provider(
    providers: &BTreeMap<Uuid, Option<String>>,
    known: &BTreeMap<Uuid, String>,
) -> BTreeMap<Uuid, String> {
    let mut choices: BTreeMap<Uuid, (usize, Vec<String>)> = BTreeMap::new();
    for (id, provider) in providers {
        let given = known
            .get(id)
            .filter(|alias| Uuid::parse_str(alias).is_err());
        choices.insert(*id, (0, choices_for(*id, provider.as_deref(), given)));
    }
    let current = |(at, names): &(usize, Vec<String>)| names[(*at).min(names.len() - 1)].clone();
    loop {
        let mut seen = BTreeSet::new();
        let twice: BTreeSet<String> = choices
            .values()
            .map(current)
            .filter(|name| !seen.insert(name.clone()))
            .collect();
        let clashing = choices
            .values_mut()
            .filter(|choice| twice.contains(&current(choice)) && choice.0 + 1 < choice.1.len());
        if clashing.map(|choice| choice.0 += 1).count() == 0 {
            break;
        }
    }
    choices
        .iter()
        .map(|(id, choice)| (*id, current(choice)))
        .collect()
}

/// Names for a tenant, the best first, the last one its own beyond doubt.
fn choices_for(id: Uuid, provider: Option<&str>, given: Option<&String>) -> Vec<String> {
    let digits = id.simple().to_string();
    // No name may look like a uuid: it would be read as one.
    let slug = provider
        .map(alias_slug)
        .filter(|slug| !slug.is_empty() && Uuid::parse_str(slug).is_err());
    let stem = slug.as_deref().unwrap_or("tenant");
    let mut names: Vec<String> = given.cloned().into_iter().collect();
    names.extend(slug.clone());
    names.push(format!("{stem}-{}", &digits[..8]));
    names.push(format!("{stem}-{digits}"));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids<const N: usize>(providers: [(&str, Option<&str>); N]) -> Vec<String> {
        let id = |text: &str| Uuid::parse_str(text).unwrap();
        let providers: BTreeMap<Uuid, Option<String>> = providers
            .into_iter()
            .map(|(tenant, provider)| (id(tenant), provider.map(str::to_owned)))
            .collect();
        aliases_by_provider(&providers, &BTreeMap::new())
            .into_values()
            .collect()
    }

    const A: &str = "11111111-0000-4000-8000-000000000001";
    const B: &str = "22222222-0000-4000-8000-000000000002";
    const C: &str = "22222222-0000-4000-8000-000000000003";

    #[test]
    fn slugs() {
        assert_eq!(alias_slug("TechieMaya FZE"), "techiemaya-fze");
        assert_eq!(alias_slug("  Étisalat & Co. (2)"), "tisalat-co-2");
        assert_eq!(alias_slug("شركة"), "");
        assert_eq!(
            alias_slug(&"word ".repeat(20)),
            "word-word-word-word-word-word-word-word"
        );
        assert_eq!(alias_slug(&"w".repeat(300)).len(), LONGEST);
    }

    #[test]
    fn a_name_is_as_short_as_it_can_be_and_never_given_twice() {
        assert_eq!(ids([(A, Some("One")), (B, Some("Two"))]), ["one", "two"]);
        assert_eq!(
            ids([(A, Some("One")), (B, Some("ONE")), (C, None)]),
            ["one-11111111", "one-22222222", "tenant-22222222"]
        );
        assert_eq!(
            ids([(A, Some("One")), (B, Some("one")), (C, Some("one!"))])[1..],
            [
                "one-22222222000040008000000000000002",
                "one-22222222000040008000000000000003"
            ]
        );
        assert_eq!(
            ids([
                (A, Some("One")),
                (B, Some("one")),
                (C, Some("one 11111111"))
            ]),
            [
                "one-11111111000040008000000000000001",
                "one-22222222",
                "one-11111111-22222222",
            ]
        );
        assert_eq!(ids([(A, Some(B))]), ["tenant-11111111"]);
    }

    #[test]
    fn a_name_given_before_stays() {
        let id = Uuid::parse_str(A).unwrap();
        let providers = BTreeMap::from([(id, Some("One".to_owned()))]);
        let known = BTreeMap::from([(id, "sasya".to_owned())]);
        assert_eq!(aliases_by_provider(&providers, &known)[&id], "sasya");
    }
}
