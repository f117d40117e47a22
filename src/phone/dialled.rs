//! What the table can't know and libphonenumber does: national numbers,
//! validity, and which of several countries a number belongs to. Its metadata
//! is loaded here at first use, which takes some 16 ms.

use super::e164::without_separators;
use super::plans::{self, NumberingPlan};
use super::{E164, PhoneError};
use rlibphonenumber::{
    PHONE_NUMBER_UTIL, PhoneNumber, Region, ValidationError, get_national_significant_number_owned,
};
use std::fmt;

/// A country or territory with phone numbers, by its ISO 3166 code. The codes
/// are libphonenumber's, which has three that ISO only reserves: `AC`, `TA`
/// and `XK`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country(&'static str);

impl Country {
    /// The country with that two-letter code, in either case.
    pub fn parse(code: &str) -> Option<Self> {
        plans::all()
            .iter()
            .flat_map(countries)
            .find(|country| country.eq_ignore_ascii_case(code))
            .map(Country)
    }

    /// The main country of a calling code: 91 is `IN`, 1 is `US`. `None` for
    /// global services and codes not in use.
    pub fn main_of(calling_code: u16) -> Option<Self> {
        countries(plans::plan(calling_code)?).next().map(Country)
    }

    /// The two letters, upper case.
    pub fn code(self) -> &'static str {
        self.0
    }

    fn region(self) -> Option<Region> {
        Region::from_code(self.0).ok()
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

fn countries(plan: &'static NumberingPlan) -> impl Iterator<Item = &'static str> {
    plan.countries.split(' ').filter(|code| !code.is_empty())
}

/// Reads a number as it is dialled. E.164 needs no library; with blanks and the
/// like in it, or as a national number of `home`, libphonenumber reads it.
///
/// How a national number is read depends on the library, so the result has to
/// be valid in its eyes; what is E.164 is taken at its word, and [`doubt`]
/// tells. Letters and extensions are refused.
///
/// # Errors
/// [`PhoneError`]. `00…` without a home is `Syntax` with a guess, because what
/// one dials before a calling code depends on where one is.
pub fn parse_dialled(input: &str, home: Option<Country>) -> Result<E164, PhoneError> {
    let input = input.trim();
    let guess = match E164::parse(input) {
        Err(PhoneError::Syntax { guess }) => guess,
        result => return result,
    };
    let digits = without_separators(input)
        .filter(|digits| digits.bytes().any(|byte| byte.is_ascii_digit()))
        .ok_or(PhoneError::Syntax { guess: None })?;
    if digits.starts_with('+') {
        return library_parse(&digits, None).ok_or(PhoneError::Syntax { guess })?;
    }
    let Some(home) = home else {
        return Err(if digits.starts_with("00") {
            PhoneError::Syntax { guess }
        } else {
            PhoneError::NoCountry
        });
    };
    let not_national = PhoneError::NotNational { country: home.0 };
    match library_parse(&digits, home.region()) {
        Some(Ok(number)) if doubt(number).is_none() => Ok(number),
        Some(Err(error)) => Err(error),
        _ => Err(not_national),
    }
}

/// `None` if the library can't read it; else what the table says to it.
fn library_parse(input: &str, region: Option<Region>) -> Option<Result<E164, PhoneError>> {
    let parsed = PHONE_NUMBER_UTIL.parse(input, region).ok()?;
    let national = get_national_significant_number_owned(&parsed);
    Some(E164::parse(&format!("+{}{national}", parsed.country_code)))
}

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

/// See [`E164::country`].
pub(super) fn country(number: E164) -> Option<&'static str> {
    let plan = number.split()?.plan;
    let main = countries(plan).next()?;
    if main == plan.countries {
        return Some(main);
    }
    let region = PHONE_NUMBER_UTIL.get_region_for_number(&to_library(number)?)?;
    let region = region.as_region_str();
    countries(plan).find(|country| *country == region.as_str())
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

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use proptest::prelude::*;

    fn dial(input: &str, home: &str) -> Result<String, PhoneError> {
        parse_dialled(input, Country::parse(home)).map(|number| number.to_string())
    }

    fn number(text: &str) -> E164 {
        E164::parse(text).unwrap()
    }

    #[test]
    fn national_numbers_are_read_in_their_country() {
        for input in ["0545335200", "054 533 5200", "545335200", "00971545335200"] {
            assert_eq!(dial(input, "AE").as_deref(), Ok("+971545335200"), "{input}");
        }
        for input in ["9513456728", "09513456728", "095134-56728", "919513456728"] {
            assert_eq!(dial(input, "IN").as_deref(), Ok("+919513456728"), "{input}");
        }
        assert_eq!(dial("06 1234 5678", "IT").as_deref(), Ok("+390612345678"));
        assert_eq!(dial("242 345 6789", "US").as_deref(), Ok("+12423456789"));
    }

    #[test]
    fn international_numbers_need_no_country() {
        for input in ["+919513456728", " +91 95134 56728 ", "+91-(9513)-456728"] {
            assert_eq!(dial(input, "").as_deref(), Ok("+919513456728"), "{input}");
            assert_eq!(dial(input, "AE").as_deref(), Ok("+919513456728"), "{input}");
        }
        assert_eq!(
            dial("+44 (0)20 7946 0018", "").as_deref(),
            Ok("+442079460018")
        );
    }

    #[test]
    fn what_is_not_certain_is_refused() {
        assert_eq!(dial("9513456728", ""), Err(PhoneError::NoCountry));
        assert_eq!(dial("0545335200", ""), Err(PhoneError::NoCountry));
        let guess = Some(number("+919513456728"));
        assert_eq!(
            dial("00919513456728", ""),
            Err(PhoneError::Syntax { guess })
        );
        // Possible in length, but Indian numbers don't begin so.
        assert_eq!(
            dial("971545335200", "IN"),
            Err(PhoneError::NotNational { country: "IN" })
        );
        for input in [
            "",
            "abc",
            "+",
            "---",
            "1-800-FLOWERS",
            "9513456728 ext. 3",
            "9513456728;ext=3",
        ] {
            assert_eq!(
                dial(input, "IN"),
                Err(PhoneError::Syntax { guess: None }),
                "{input}"
            );
        }
        assert!(matches!(
            dial("12345", "IN"),
            Err(PhoneError::ImpossibleLength {
                calling_code: 91,
                ..
            })
        ));
        assert!(matches!(
            dial("+999123456", "IN"),
            Err(PhoneError::UnknownCallingCode { digits: 999 })
        ));
    }

    #[test]
    fn countries_by_number() {
        for (text, country) in [
            ("+919513456728", Some("IN")),
            ("+971545335200", Some("AE")),
            ("+12423456789", Some("BS")),
            ("+12015550123", Some("US")),
            ("+14165550123", Some("CA")),
            ("+390612345678", Some("IT")),
            ("+390669812345", Some("VA")),
            ("+77123456789", Some("KZ")),
            ("+80012345678", None),
        ] {
            assert_eq!(number(text).country(), country, "{text}");
        }
    }

    #[test]
    fn countries_by_code() {
        assert_eq!(Country::main_of(91).map(Country::code), Some("IN"));
        assert_eq!(Country::main_of(971).map(Country::code), Some("AE"));
        assert_eq!(Country::main_of(39).map(Country::code), Some("IT"));
        assert_eq!(Country::main_of(800), None);
        assert_eq!(Country::main_of(999), None);
        assert_eq!(Country::parse("bs").map(Country::code), Some("BS"));
        assert_eq!(Country::parse("ZZ"), None);
        assert_eq!(Country::parse(""), None);
    }

    #[test]
    fn doubts() {
        for text in ["+919513456728", "+971545335200", "+390612345678"] {
            assert_eq!(doubt(number(text)), None, "{text}");
        }
        let says = |text| doubt(number(text)).unwrap_or_default();
        assert!(says("+39612345678").contains("no range in use of +39 (IT)"));
        assert!(says("+911111111111").contains("no range"));
        assert!(says("+3961234").contains("shorter"));
        assert!(says("+440207946001").contains("+44 (GB)"));
    }

    #[test]
    fn example_numbers_are_beyond_doubt() {
        for text in samples::library_examples() {
            assert_eq!(doubt(number(&text)), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_input_is_read_without_panic(input in "\\PC{0,24}|[+0-9 ().-]{0,20}") {
            for home in [None, Country::parse("IN"), Country::parse("IT")] {
                if let Ok(number) = parse_dialled(&input, home) {
                    prop_assert_eq!(E164::parse(&number.to_string()), Ok(number));
                }
            }
        }
    }
}
