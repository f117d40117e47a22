//! What only libphonenumber knows of a number: whether it is valid, and which
//! of several countries it belongs to. Its metadata is loaded at first use,
//! which takes some 16 ms.

use super::country::{Country, countries};
use super::number::E164;
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber, ValidationError};

/// A warning where libphonenumber knows no such number: plans change faster
/// than its metadata, so this is a doubt and no error. Takes about 2 µs.
pub fn doubt(number: E164) -> Option<String> {
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
    pub fn country(self) -> Option<&'static str> {
        let plan = self.split()?.plan;
        let main = countries(plan).next()?;
        if main == plan.countries {
            return Some(main);
        }
        let region = PHONE_NUMBER_UTIL.get_region_for_number(&to_library(self)?)?;
        let region = region.as_region_str();
        countries(plan).find(|country| *country == region.as_str())
    }
}

fn to_library(number: E164) -> Option<PhoneNumber> {
    let split = number.split()?;
    let zeros = split.digits - split.significant();
    Some(PhoneNumber {
        country_code: split.plan.code.into(),
        national_number: split.national,
        italian_leading_zero: (zeros > 0).then_some(true),
        number_of_leading_zeros: (zeros > 1).then_some(zeros as i32),
        ..PhoneNumber::default()
    })
}
