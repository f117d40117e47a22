//! What can be wrong with a number.

use super::number::E164;
use super::plans::NumberingPlan;
use std::ops::RangeInclusive;
use thiserror::Error;

/// Why a text is no number.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PhoneError {
    /// Not `+` and digits only. `guess` is the number that it most likely
    /// means, to be offered and never to be used unasked.
    #[error("not in E.164 form ('+', calling code and national number, digits only)")]
    Syntax { guess: Option<E164> },
    /// No calling code in use begins the number; `digits` are the first three
    /// of it, or fewer where there are no more.
    #[error("no calling code begins with +{digits}")]
    UnknownCallingCode { digits: u16 },
    /// No national number of that calling code has so many digits. Leading
    /// zeros count, unless the number is long enough only because of them.
    #[error(transparent)]
    ImpossibleLength(ImpossibleLength),
    /// With the prefix that is dialled within the country, behind the calling
    /// code; without it, it is a number.
    #[error(
        "no valid number of +{}, but it is one without the national prefix behind the calling code",
        guess.calling_code()
    )]
    NationalPrefix { guess: E164 },
    /// As a spreadsheet shows a number that is too wide for its column.
    #[error("as a spreadsheet shows it: format the column as text, so that no digit is lost")]
    Spreadsheet { guess: Option<E164> },
    /// A national number, and nothing says of which country.
    #[error("a national number needs a country: write it in E.164 form, or name the country")]
    NoCountry,
    /// Read as a national number of that country (ISO 3166), it is none that
    /// libphonenumber knows.
    #[error("no valid national number in {country}: write it in E.164 form")]
    NotNational { country: &'static str },
}

impl PhoneError {
    /// The number that was most likely meant, if there is a likely one.
    pub fn guess(&self) -> Option<E164> {
        match self {
            PhoneError::Syntax { guess } | PhoneError::Spreadsheet { guess } => *guess,
            PhoneError::NationalPrefix { guess } => Some(*guess),
            _ => None,
        }
    }
}

/// The error for a national number of `digits` digits.
pub(super) fn impossible_length(plan: &NumberingPlan, digits: u32) -> PhoneError {
    PhoneError::ImpossibleLength(ImpossibleLength {
        calling_code: plan.code,
        national_digits: u8::try_from(digits).unwrap_or(u8::MAX),
        allowed: plan.min..=plan.max,
    })
}

/// Why a row of `voice_agent_numbers` has no number that can be relied on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// `country_code` is NULL or blank.
    #[error("country_code is empty")]
    NoCountryCode,
    /// `base_number` is NULL.
    #[error("base_number is NULL")]
    NoBaseNumber,
    /// `base_number` is zero or negative.
    #[error("base_number is {0}")]
    NotPositive(i64),
    /// `country_code` is not `+` or `00` or nothing, and then 1 to 7 digits.
    #[error("country_code is no calling code")]
    CountryCodeSyntax,
    /// No calling code in use begins `country_code`; see
    /// [`PhoneError::UnknownCallingCode`].
    #[error("country_code is unknown: no calling code begins with +{digits}")]
    UnknownCallingCode { digits: u16 },
    /// Both columns together have too few or too many digits; see
    /// [`PhoneError::ImpossibleLength`].
    #[error(transparent)]
    ImpossibleLength(ImpossibleLength),
}

/// How many digits a number has, and how many it could have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "a number of +{calling_code} has {} digits after the calling code, not {national_digits}",
    length_span(allowed)
)]
pub struct ImpossibleLength {
    pub calling_code: u16,
    pub national_digits: u8,
    pub allowed: RangeInclusive<u8>,
}

fn length_span(allowed: &RangeInclusive<u8>) -> String {
    let (min, max) = (allowed.start(), allowed.end());
    if min == max {
        min.to_string()
    } else {
        format!("{min} to {max}")
    }
}
