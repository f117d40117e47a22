//! Numbers as they are dialled: E.164, or national numbers of a country, which
//! libphonenumber reads.

use super::country::Country;
use super::e164::without_separators;
use super::error::PhoneError;
use super::number::E164;
use super::validity::doubt;
use rlibphonenumber::{PHONE_NUMBER_UTIL, Region, get_national_significant_number_owned};

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
    let not_national = PhoneError::NotNational {
        country: home.code(),
    };
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
