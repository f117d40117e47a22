//! Which numbers `allowed_outbound` lets through. Core; imports `phone` and
//! the facts.
//!
//! A call and the terms that a plan compares ask one set ([`allowed`]), so
//! that neither can say what the other does not.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use serde_json::Value;

use super::facts::Regions;
use super::trace::ResolveError;
use crate::fields::{Field, Fields};
use crate::phone::{E164, Prefix, PrefixSet};

/// Regions that today's Python reader knows by name, for databases where no
/// region is declared.
const KNOWN: [(&str, &str); 2] = [("india", "+91"), ("uae", "+971")];

/// What `allowed_outbound` says.
#[derive(Debug)]
pub(super) enum CountriesRule<'f, 'r> {
    /// It is not set.
    Silent,
    Global,
    Region(AllowedRegion<'f, 'r>),
}

/// A rule that lets through what a region's codes begin.
#[derive(Debug)]
pub(super) struct AllowedRegion<'f, 'r> {
    pub name: &'f str,
    pub codes: Vec<Prefix>,
    /// Whence the codes are, for people.
    pub whence: String,
    regions: &'r Regions,
}

impl<'f, 'r> CountriesRule<'f, 'r> {
    /// Reads the rule of a row.
    pub(super) fn read(fields: &'f Fields, regions: &'r Regions) -> Result<Self, ResolveError> {
        match fields.get(Field::AllowedOutbound) {
            None | Some(Value::Null) => Ok(CountriesRule::Silent),
            Some(Value::String(name)) if name == "global" => Ok(CountriesRule::Global),
            Some(Value::String(name)) => {
                AllowedRegion::find(name, regions).map(CountriesRule::Region)
            }
            Some(other) => {
                let wanted = "it is \"global\" or the name of a region";
                Err(unreadable(Field::AllowedOutbound, other, wanted))
            }
        }
    }

    /// As it stands in the row.
    pub(super) fn text(&self) -> Option<&'f str> {
        match self {
            CountriesRule::Silent => None,
            CountriesRule::Global => Some("global"),
            CountriesRule::Region(region) => Some(region.name),
        }
    }

    /// The numbers that it lets through.
    pub(super) fn allowed(&self) -> PrefixSet {
        match self {
            CountriesRule::Silent | CountriesRule::Global => PrefixSet::all(),
            CountriesRule::Region(region) => region.allowed(),
        }
    }
}

impl<'f, 'r> AllowedRegion<'f, 'r> {
    fn find(name: &'f str, regions: &'r Regions) -> Result<Self, ResolveError> {
        let (codes, whence) = codes(name, regions)?;
        Ok(AllowedRegion {
            name,
            codes,
            whence,
            regions,
        })
    }

    /// The numbers that begin with the region's codes, without those of
    /// another country that a longer prefix of another region takes out: `+1876`
    /// is taken from `+1`, and `+9714` is not from `+971`.
    pub(super) fn allowed(&self) -> PrefixSet {
        let own = self.codes.iter().map(|code| (*code, true));
        let others = self.others().map(|(_, code)| (code, false));
        let mut codes: Vec<(Prefix, bool)> = own.chain(others).collect();
        // The longest prefix decides; of two equally long ones, the region's own.
        codes.sort_by_key(|(code, own)| (code.len(), *own));
        let mut allowed = PrefixSet::default();
        for (code, own) in codes {
            let block = PrefixSet::from_iter([code]);
            let lets_through = own
                || self
                    .container(code)
                    .is_some_and(|own| same_country(own, code));
            allowed = if lets_through {
                allowed.or(&block)
            } else {
                allowed.without(&block)
            };
        }
        allowed
    }

    /// The region, and its prefix, that takes the number out.
    pub(super) fn taken_by(&self, number: E164) -> Option<(&'r str, Prefix)> {
        let of_number = self.others().filter(|(_, code)| code.is_prefix_of(number));
        of_number.max_by_key(|(name, code)| (code.len(), Reverse(*name)))
    }

    /// The longer prefixes of other regions below the region's own.
    fn others(&self) -> impl Iterator<Item = (&'r str, Prefix)> {
        let others = self.regions.0.iter().filter(|(name, _)| *name != self.name);
        let codes =
            others.flat_map(|(name, codes)| codes.iter().map(|code| (name.as_str(), *code)));
        codes.filter(|(_, code)| self.container(*code).is_some())
    }

    /// The longest of the region's own codes in which a longer prefix lies.
    fn container(&self, code: Prefix) -> Option<Prefix> {
        let codes = self.codes.iter().copied();
        let around = codes.filter(|own| own.len() < code.len() && own.contains(code));
        around.max_by_key(|own| own.len())
    }
}

fn same_country(one: Prefix, other: Prefix) -> bool {
    one.country() == other.country()
}

/// The regions whose `country_codes` say what a value of `allowed_outbound`
/// lets through: its own, and those that take something out.
pub fn deciding_regions<'r>(rule: &'r str, regions: &'r Regions) -> BTreeSet<&'r str> {
    let mut found = BTreeSet::from([rule]);
    if rule == "global" {
        return BTreeSet::new();
    }
    if let Ok(region) = AllowedRegion::find(rule, regions) {
        let takers = region.others().filter(|(_, code)| {
            let own = region.container(*code);
            own.is_some_and(|own| !same_country(own, *code))
        });
        found.extend(takers.map(|(name, _)| name));
    }
    found
}

/// The codes that a value of `allowed_outbound` stands for, and whence.
fn codes(name: &str, regions: &Regions) -> Result<(Vec<Prefix>, String), ResolveError> {
    if let Some(codes) = regions.0.get(name).filter(|codes| !codes.is_empty()) {
        return Ok((codes.clone(), format!("country_codes of region {name}")));
    }
    let known = KNOWN.iter().find(|(known, _)| *known == name);
    if let Some(code) = known.and_then(|(_, code)| Prefix::parse(code).ok()) {
        return Ok((vec![code], "no region of that name is declared".to_owned()));
    }
    let declared: BTreeSet<&str> = regions.0.keys().map(String::as_str).collect();
    let known: BTreeSet<&str> = KNOWN.iter().map(|(name, _)| *name).collect();
    let names: Vec<&str> = declared.union(&known).copied().collect();
    let message = format!(
        "the number's rule `allowed_outbound = \"{name}\"` names no known region, so nothing says whom it may call"
    );
    let hint = format!("it can be \"global\" or one of: {}", names.join(", "));
    Err(ResolveError::refused("rule-unknown-region", message).hint(hint))
}

/// The refusal where a rule holds what nobody can understand.
pub(super) fn unreadable(field: Field, value: &Value, wanted: &str) -> ResolveError {
    let key = field.rules_key().unwrap_or(field.as_str());
    let message = format!("the number's rule `{key}` holds {value}, which can't be understood");
    ResolveError::refused("rule-unreadable", message).hint(wanted)
}
