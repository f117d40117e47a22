//! What only libphonenumber knows of a number: whether it is valid, and which
//! of several countries it, or all that begin alike, belong to. Its metadata is loaded at first use,
//! which takes some 16 ms.

use std::collections::{BTreeMap, HashMap};
use std::sync::{LazyLock, Mutex, PoisonError};

use super::country::{Country, countries_of};
use super::number::E164;
use super::plans::{self, NumberingPlan};
use super::prefix::{MAX_PREFIX, Prefix};
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber, ValidationError};

/// A warning where libphonenumber knows no such number: plans change faster
/// than its metadata, so this is a doubt and no error. Takes about 2 µs.
pub fn number_doubt(number: E164) -> Option<String> {
    let theirs = to_library(number)?;
    if PHONE_NUMBER_UTIL.is_valid_number(&theirs) {
        return None;
    }
    let code = number.calling_code();
    let place = Country::main_of(code).map_or_else(String::new, |main| format!(" ({main})"));
    let reason = match PHONE_NUMBER_UTIL.is_possible_number_with_reason(&theirs) {
        Err(ValidationError::TooShort) => "it is shorter than any number",
        Err(ValidationError::TooLong) => "it is longer than any number",
        Err(_) => "no number has this length",
        Ok(_) => "it lies in no range in use",
    };
    Some(format!(
        "{number} is perhaps not valid: by libphonenumber's data {reason} of +{code}{place}"
    ))
}

impl E164 {
    /// The country (ISO 3166) the number belongs to: by the table where its
    /// calling code serves one country, by libphonenumber where it serves
    /// several. `None` for global services and where libphonenumber can't say.
    pub fn iso_country(self) -> Option<&'static str> {
        let plan = self.split_code()?.plan;
        let main = countries_of(plan).next()?;
        if main == plan.countries {
            return Some(main);
        }
        let region = PHONE_NUMBER_UTIL.get_region_for_number(&to_library(self)?)?;
        let region = region.as_region_str();
        countries_of(plan).find(|country| *country == region.as_str())
    }
}

impl Prefix {
    /// The country that the prefix stands for: that of all numbers which begin
    /// so, where they are of one country, else the main one of its calling
    /// code. `+1876` is `JM`; `+1` and `+18`, which many share, are `US`.
    pub fn country(self) -> Option<Country> {
        static KNOWN: LazyLock<Mutex<HashMap<Prefix, Option<Country>>>> =
            LazyLock::new(Mutex::default);
        let main = self.main_country()?;
        let plan = plans::plan(self.calling_code())?;
        let is_whole_plan = self.len() == plans::count_digits(plan.code.into());
        if main.code() == plan.countries || is_whole_plan {
            return Some(main);
        }
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        *known
            .entry(self)
            .or_insert_with(|| Some(self.only_country(plan).unwrap_or(main)))
    }

    /// The one country of the numbers that begin so. All continuations up to
    /// seven digits are tried (at most a thousand), which is where countries
    /// part, in each length that the plan knows.
    fn only_country(self, plan: &NumberingPlan) -> Option<Country> {
        let more = MAX_PREFIX.saturating_sub(self.len()).clamp(1, 3);
        let blocks = (0..10u64.pow(more)).map(|next| {
            let head = u64::from(self.digits()) * 10u64.pow(more) + next;
            (head, self.len() + more)
        });
        let code_digits = plans::count_digits(plan.code.into());
        let mut found = None;
        for (head, digits) in blocks {
            for length in plan.min..=plan.max {
                let Some(rest) = (u32::from(length) + code_digits).checked_sub(digits) else {
                    continue;
                };
                // Digits that no numbering plan treats in a special way.
                let tail = 2_345_678_234_567u64 % 10u64.pow(rest);
                let number = E164::from_digits(head * 10u64.pow(rest) + tail).ok();
                let country = number.and_then(E164::iso_country);
                match (country, found) {
                    (Some(country), None) => found = Some(country),
                    (Some(country), Some(before)) if country != before => return None,
                    _ => {}
                }
            }
        }
        Country::parse(found?)
    }
}

/// The countries beside the USA whose numbers `+1` among `own` lets through,
/// each with its area codes; what longer prefixes of `others` take out is left
/// out. Empty where `+1` is not among them. Takes some milliseconds.
pub fn shared_countries(
    own: &[Prefix],
    others: impl Iterator<Item = Prefix>,
) -> BTreeMap<&'static str, Vec<Prefix>> {
    let mut found: BTreeMap<&'static str, Vec<Prefix>> = BTreeMap::new();
    let Some(shared) = own.iter().find(|code| code.digits() == 1) else {
        return found;
    };
    let others: Vec<Prefix> = others
        .filter(|other| shared.contains(*other) && other.country() != shared.country())
        .collect();
    let areas = (1200..2000).filter_map(|area| Prefix::parse(&format!("+{area}")).ok());
    for area in areas {
        let longest = |codes: &[Prefix]| {
            let around = codes.iter().filter(|code| code.contains(area));
            around.map(|code| code.len()).max()
        };
        // Digits that no numbering plan treats in a special way.
        let number = E164::from_digits(u64::from(area.digits()) * 10_000_000 + 2_345_678).ok();
        let country = number.and_then(E164::iso_country);
        if let Some(country) = country.filter(|country| *country != "US")
            && longest(own) >= longest(&others)
        {
            found.entry(country).or_default().push(area);
        }
    }
    found
}

fn to_library(number: E164) -> Option<PhoneNumber> {
    let split = number.split_code()?;
    let zeros = split.digits - split.significant();
    Some(PhoneNumber {
        country_code: split.plan.code.into(),
        national_number: split.national,
        italian_leading_zero: (zeros > 0).then_some(true),
        number_of_leading_zeros: (zeros > 1).then_some(zeros as i32),
        ..PhoneNumber::default()
    })
}
