//! Countries, as the calling codes name them.

use super::plans::{self, NumberingPlan};
use rlibphonenumber::Region;
use std::fmt;

/// A country or territory with phone numbers, by its ISO 3166 code. The codes
/// are libphonenumber's, which has three that ISO only reserves: `AC`, `TA`
/// and `XK`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country(&'static str);

impl Country {
    /// The country with that two-letter code, in either case.
    pub fn parse(code: &str) -> Option<Self> {
        plans::all_plans()
            .iter()
            .flat_map(countries_of)
            .find(|country| country.eq_ignore_ascii_case(code))
            .map(Country)
    }

    /// The main country of a calling code: 91 is `IN`, 1 is `US`. `None` for
    /// global services and codes not in use.
    pub fn main_of(calling_code: u16) -> Option<Self> {
        countries_of(plans::plan(calling_code)?).next().map(Country)
    }

    /// The two letters, upper case.
    pub fn code(self) -> &'static str {
        self.0
    }

    pub(super) fn region(self) -> Option<Region> {
        Region::from_code(self.0).ok()
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

/// The countries of a calling code, the main one first.
pub(super) fn countries_of(plan: &'static NumberingPlan) -> impl Iterator<Item = &'static str> {
    plan.countries.split(' ').filter(|code| !code.is_empty())
}
