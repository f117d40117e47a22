//! Terms and calls say the same of every called number, as property tests.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::carrier;
use super::countries::deciding_regions;
use super::facts::Regions;
use super::terms::Terms;
use super::trace::Trace;
use crate::fields::{Field, Fields};
use crate::phone::{E164, Prefix};

/// Codes that lie in one another, of calling codes that serve one country
/// and of those that serve many.
const CODES: [&str; 22] = [
    "+1", "+18", "+1876", "+18765", "+1658", "+1416", "+1212", "+1242", "+44", "+447", "+441481",
    "+4414817", "+447781", "+7", "+77", "+7727", "+971", "+9714", "+97145", "+91", "+39",
    "+3906698",
];

fn any_regions() -> impl Strategy<Value = Regions> {
    let codes = prop::collection::btree_set(prop::sample::select(CODES.to_vec()), 0..4);
    let names = prop::sample::select(vec!["us", "jamaica", "uae", "india", "x"]);
    prop::collection::btree_map(names, codes, 0..5).prop_map(regions)
}

fn regions(of: BTreeMap<&str, BTreeSet<&str>>) -> Regions {
    let read = |codes: BTreeSet<&str>| {
        let codes = codes.into_iter().map(Prefix::parse);
        codes.map(Result::unwrap).collect()
    };
    let of = of.into_iter();
    Regions(
        of.map(|(name, codes)| (name.to_owned(), read(codes)))
            .collect(),
    )
}

fn of(name: &str, regions: &Regions) -> String {
    let fields = Fields::new().with(Field::AllowedOutbound, name);
    Terms::new(&fields, regions).countries.to_string()
}

fn any_called() -> impl Strategy<Value = String> {
    let tail = prop_oneof![Just(5_550_123u64), 2_000_000u64..10_000_000];
    (prop::sample::select(CODES.to_vec()), tail).prop_map(|(code, tail)| {
        let all = format!("{code}{tail}2345678");
        let length = match &code[1..2] {
            "1" | "7" => 1 + 11,
            _ => 1 + 12,
        };
        all[..length].to_owned()
    })
}

proptest! {
    /// What a call is told and what the terms say is one thing; so where a
    /// plan changes regions or rules, terms change whenever an answer does.
    #[test]
    fn terms_say_what_a_call_is_told(
        before in any_regions(),
        after in any_regions(),
        rules in prop::array::uniform2(prop::sample::select(vec!["us", "jamaica", "uae", "india", "x"])),
        called in prop::collection::vec(any_called(), 1..30),
    ) {
        let fields = rules.map(|rule| Fields::new().with(Field::AllowedOutbound, rule));
        let sides = [(&fields[0], &before), (&fields[1], &after)];
        let terms = sides.map(|(fields, regions)| Terms::new(fields, regions));
        for number in called {
            let told = sides.map(|(fields, regions)| {
                carrier::call(fields, &number, regions, &mut Trace::default())
            });
            // A number that nobody has is refused before any rule.
            if told.iter().any(|told| matches!(told, Err(e) if e.code == "called-number")) {
                continue;
            }
            let parsed = E164::parse(&number).unwrap();
            for (terms, told) in terms.iter().zip(&told) {
                prop_assert_eq!(terms.callable().holds(parsed), told.is_ok(), "{} {:?}", number, told);
            }
            let answers = told.map(|told| told.map(|c| c.formatted).map_err(|e| e.code));
            prop_assert!(answers[0].is_ok() == answers[1].is_ok() || terms[0] != terms[1]);
        }
    }

    /// A region by which terms change is one of those that decide.
    #[test]
    fn terms_change_only_by_regions_that_decide(
        before in any_regions(),
        codes in prop::collection::btree_set(prop::sample::select(CODES.to_vec()), 0..4),
        changed in prop::sample::select(vec!["us", "jamaica", "uae", "india", "x"]),
        rule in prop::sample::select(vec!["us", "jamaica", "uae", "india", "x"]),
    ) {
        let mut after = before.clone();
        let [(_, codes)] = <[_; 1]>::try_from(
            regions([(changed, codes)].into()).0.into_iter().collect::<Vec<_>>()).unwrap();
        after.0.insert(changed.to_owned(), codes);
        if of(rule, &before) != of(rule, &after) {
            let decide = |regions| deciding_regions(rule, regions).contains(changed);
            prop_assert!(decide(&before) || decide(&after));
        }
    }
}

#[test]
fn a_country_takes_its_numbers_out_and_an_area_none() {
    let tree = |of: &[(&'static str, &[&'static str])]| {
        let of = of
            .iter()
            .map(|(name, codes)| (*name, codes.iter().copied().collect()));
        regions(of.collect())
    };
    let all = tree(&[
        ("us", &["+1"]),
        ("jamaica", &["+1876", "+1658"]),
        ("kingston", &["+187692"]),
        ("new-york", &["+1212"]),
        ("uae", &["+971"]),
        ("dubai", &["+9714"]),
        ("uk", &["+44"]),
        ("mobiles", &["+447"]),
        ("guernsey", &["+441481", "+447781"]),
    ]);
    for untouched in ["jamaica", "kingston", "uae", "dubai", "mobiles"] {
        let alone = Regions([(untouched.to_owned(), all.0[untouched].clone())].into());
        let taken = match untouched {
            "mobiles" => tree(&[("mobiles", &["+447"]), ("guernsey", &["+447781"])]),
            _ => alone,
        };
        assert_eq!(of(untouched, &all), of(untouched, &taken), "{untouched}");
    }
    let decide = |rule| Vec::from_iter(deciding_regions(rule, &all));
    assert_eq!(decide("us"), ["jamaica", "kingston", "us"]);
    assert_eq!(decide("uk"), ["guernsey", "uk"]);
    assert_eq!(decide("uae"), ["uae"]);
    assert_eq!(decide("jamaica"), ["jamaica"]);
}
