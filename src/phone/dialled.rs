//! Numbers as they are dialled: E.164, or national numbers of a country, which
//! libphonenumber reads.

use super::country::Country;
use super::e164::without_separators;
use super::error::PhoneError;
use super::number::E164;
use super::validity::number_doubt;
use rlibphonenumber::{PHONE_NUMBER_UTIL, Region, get_national_significant_number_owned};

/// Reads a number as it is dialled. E.164 needs no library; with blanks and the
/// like in it, or as a national number of `home`, libphonenumber reads it.
///
/// How a national number is read depends on the library, so the result has to
/// be valid in its eyes; what is E.164 is taken at its word, and [`number_doubt`]
/// tells. Letters and extensions are refused.
///
/// # Errors
/// [`PhoneError`]. `00…` without a home is `Syntax` with a guess, because what
/// one dials before a calling code depends on where one is.
pub fn parse_dialled(input: &str, home: Option<Country>) -> Result<E164, PhoneError> {
    let input = input.trim();
    if let Some(exact) = spreadsheet_digits(input) {
        let guess = exact.and_then(|digits| E164::parse(&format!("+{digits}")).ok());
        return Err(PhoneError::Spreadsheet { guess });
    }
    let guess = match E164::parse(input) {
        Ok(number) => return without_national_prefix(number),
        Err(PhoneError::Syntax { guess }) => guess,
        Err(error) => return Err(read_by_library(input).unwrap_or(error)),
    };
    let Some(digits) = without_separators(input) else {
        // Digits of another script are suggested in Latin ones, and never dialled.
        let latin = latin_digits(input).filter(|latin| latin != input);
        let guess = latin.and_then(|latin| parse_dialled(&latin, home).ok());
        return Err(PhoneError::Syntax { guess });
    };
    if !digits.bytes().any(|byte| byte.is_ascii_digit()) {
        return Err(PhoneError::Syntax { guess: None });
    }
    if digits.starts_with('+') {
        return library_parse(&digits, None).ok_or(PhoneError::Syntax { guess })?;
    }
    let Some(home) = home else {
        return Err(if digits.starts_with("00") || guess.is_some() {
            PhoneError::Syntax { guess }
        } else {
            PhoneError::NoCountry
        });
    };
    match library_parse(&digits, home.region()) {
        Some(Ok(number)) if number_doubt(number).is_none() => Ok(number),
        // A number of another country that lost its plus.
        _ if guess.is_some() => Err(PhoneError::Syntax { guess }),
        Some(Err(error)) => Err(error),
        _ => Err(PhoneError::NotNational {
            country: home.code(),
        }),
    }
}

/// Refuses a number that is none, but is one without the prefix that is
/// dialled within its country: `+971 050…`, `+52 1 55…`, `+54 11 15…`. The
/// library is asked only where there may be such a prefix.
fn without_national_prefix(number: E164) -> Result<E164, PhoneError> {
    if !may_hold_national_prefix(number) || number_doubt(number).is_none() {
        return Ok(number);
    }
    match library_parse(&number.to_string(), None) {
        Some(Ok(guess)) if guess != number && number_doubt(guess).is_none() => {
            Err(PhoneError::NationalPrefix { guess })
        }
        _ => Ok(number),
    }
}

/// Where the digits are too many only for a national prefix among them.
fn read_by_library(international: &str) -> Option<PhoneError> {
    // The 1 of Mexican mobiles, which went in 2019 and still stands in lists.
    let mexican = international.strip_prefix("+521");
    let guess = match mexican.filter(|rest| rest.len() == 10) {
        Some(rest) => E164::parse(&format!("+52{rest}")).ok()?,
        None => library_parse(international, None)?.ok()?,
    };
    number_doubt(guess)
        .is_none()
        .then_some(PhoneError::NationalPrefix { guess })
}

/// Countries whose national prefix is no zero, or that put digits of their own
/// inside, and how many national digits their numbers have.
const OTHER_PREFIXES: [(u16, u32); 5] = [(7, 10), (52, 10), (54, 10), (375, 9), (993, 8)];

/// A zero behind the calling code, or more digits than are usual where the
/// prefix is another one.
fn may_hold_national_prefix(number: E164) -> bool {
    number.split_code().is_some_and(|split| {
        let usual = OTHER_PREFIXES
            .iter()
            .find(|(code, _)| *code == split.plan.code);
        split.digits > split.significant() || usual.is_some_and(|(_, usual)| split.digits > *usual)
    })
}

/// `9.71545E+11` or `971545335200.0`: a number as a spreadsheet shows it, and
/// all of its digits where none is lost.
fn spreadsheet_digits(text: &str) -> Option<Option<String>> {
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let zeros = |text: &str| text.bytes().all(|byte| byte == b'0');
    if let Some((whole, rest)) = unsigned.split_once('.')
        && all_digits(whole)
        && whole.len() > 6
        && !rest.is_empty()
        && zeros(rest)
        && rest.len() <= 2
    {
        return Some(Some(whole.to_owned()));
    }
    let (mantissa, exponent) = unsigned.split_once(['E', 'e'])?;
    let exponent = exponent.strip_prefix('+').unwrap_or(exponent);
    let (whole, fraction) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, ""));
    let shape = whole.len() == 1
        && all_digits(whole)
        && (fraction.is_empty() || all_digits(fraction))
        && all_digits(exponent)
        && exponent.len() <= 2;
    let exponent: usize = exponent.parse().ok().filter(|_| shape)?;
    Some((fraction.len() == exponent).then(|| format!("{whole}{fraction}")))
}

/// Where the decimal digits of other scripts begin.
const DIGIT_ZEROS: [char; 17] = [
    '\u{660}', '\u{6f0}', '\u{7c0}', '\u{966}', '\u{9e6}', '\u{a66}', '\u{ae6}', '\u{b66}',
    '\u{be6}', '\u{c66}', '\u{ce6}', '\u{d66}', '\u{e50}', '\u{ed0}', '\u{1040}', '\u{17e0}',
    '\u{ff10}',
];

/// The same text with digits `0` to `9`; `None` where it has no others.
fn latin_digits(text: &str) -> Option<String> {
    let digit = |c: char| {
        let zero = DIGIT_ZEROS.into_iter().find(|zero| {
            let from = u32::from(*zero);
            (from..from + 10).contains(&u32::from(c))
        })?;
        char::from_digit(u32::from(c) - u32::from(zero), 10)
    };
    let latin = text.chars().map(|c| match c {
        '\u{ff0b}' => '+',
        c => digit(c).unwrap_or(c),
    });
    let latin: String = latin.collect();
    (latin != text).then_some(latin)
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
            dial("111111111111", "IN"),
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
            Err(PhoneError::ImpossibleLength(length)) if length.calling_code == 91
        ));
        assert!(matches!(
            dial("+999123456", "IN"),
            Err(PhoneError::UnknownCallingCode { digits: 999 })
        ));
    }

    #[test]
    fn a_national_prefix_behind_the_calling_code_is_refused_with_the_guess() {
        for (text, guess) in [
            ("+9710501234567", "+971501234567"),
            ("+9109812345678", "+919812345678"),
            ("+4402079460018", "+442079460018"),
            ("+5215512345678", "+525512345678"),
        ] {
            let guess = number(guess);
            let refused = Err(PhoneError::NationalPrefix { guess });
            assert_eq!(dial(text, "AE"), refused, "{text}");
        }
        // The zero of Italy and of the Ivory Coast belongs to the number.
        for text in ["+390612345678", "+2250102030405", "+919513456728"] {
            assert_eq!(dial(text, "").as_deref(), Ok(text));
        }
        let argentina = dial("+54 11 15 2345 6789", "");
        assert_eq!(argentina.as_deref(), Ok("+5491123456789"));
    }

    /// No number of any country is called with the digits in it that are dialled
    /// within it alone, where the library knows which number was meant.
    #[test]
    fn no_country_is_called_with_its_own_prefix_inside() {
        let mut called = Vec::new();
        for example in samples::library_examples() {
            let code = number(&example).calling_code().to_string();
            let national = &example[1 + code.len()..];
            for prefix in ["0", "1", "8", "06", "01", "02", "80", "0015", "015", "9"] {
                let text = format!("+{code}{prefix}{national}");
                let Ok(read) = parse_dialled(&text, None) else {
                    continue;
                };
                let guess = library_parse(&text, None).and_then(Result::ok);
                let meant = guess.filter(|guess| *guess != read && number_doubt(*guess).is_none());
                if let (Some(meant), Some(_)) = (meant, number_doubt(read)) {
                    called.push(format!("{read} for {meant}"));
                }
            }
        }
        assert!(called.is_empty(), "{called:#?}");
    }

    #[test]
    fn what_spreadsheets_and_other_keyboards_make_of_a_number_is_refused() {
        let guess = Some(number("+971545335200"));
        let rounded = Err(PhoneError::Spreadsheet { guess: None });
        for text in ["9.715453352E+11", "9,715453352e11", "+9.7E+11"] {
            assert_eq!(dial(text, "AE"), rounded, "{text}");
        }
        let whole = Err(PhoneError::Spreadsheet { guess });
        assert_eq!(dial("971545335200.0", "AE"), whole);
        let exact = Err(PhoneError::Spreadsheet { guess });
        assert_eq!(dial("9.71545335200E+11", ""), exact);
        let lost = Err(PhoneError::Spreadsheet { guess: None });
        assert_eq!(dial("9.71545E+11", "AE"), lost);
        for text in ["+٩٧١٥٤٥٣٣٥٢٠٠", "\u{ff0b}９７１５４５３３５２００"] {
            assert_eq!(dial(text, ""), Err(PhoneError::Syntax { guess }), "{text}");
        }
        assert_eq!(dial("٠٥٤٥٣٣٥٢٠٠", "AE"), Err(PhoneError::Syntax { guess }));
        for home in ["", "IN"] {
            assert_eq!(
                dial("971545335200", home),
                Err(PhoneError::Syntax { guess })
            );
        }
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
            assert_eq!(number(text).iso_country(), country, "{text}");
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
            assert_eq!(number_doubt(number(text)), None, "{text}");
        }
        let says = |text| number_doubt(number(text)).unwrap_or_default();
        assert!(says("+39612345678").contains("no range in use of +39 (IT)"));
        assert!(says("+911111111111").contains("no range"));
        assert!(says("+3961234").contains("shorter"));
        assert!(says("+440207946001").contains("+44 (GB)"));
    }

    #[test]
    fn example_numbers_are_beyond_doubt() {
        for text in samples::library_examples() {
            assert_eq!(number_doubt(number(&text)), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_input_is_read_without_panic(input in "\\PC{0,24}|[+0-9 ().-]{0,20}") {
            for home in [None, Country::parse("IN"), Country::parse("IT")] {
                if let Ok(number) = parse_dialled(&input, home) {
                    prop_assert_eq!(E164::parse(&number.to_string()), Ok(number));
                    // A number that was read is read again as the same one.
                    prop_assert_eq!(parse_dialled(&number.to_string(), home), Ok(number));
                }
            }
        }

        /// No zero of a national number is called as part of an international
        /// one, unless the library knows such numbers.
        #[test]
        fn a_zero_behind_the_calling_code_is_never_called(
            at in 0usize..1000,
            code in prop::sample::select(vec!["+971", "+91", "+44", "+49", "+33"]),
        ) {
            let examples = samples::library_examples();
            let national = examples
                .iter()
                .filter_map(|text| text.strip_prefix(code))
                .collect::<Vec<_>>();
            let national = national[at % national.len()];
            let read = parse_dialled(&format!("{code}0{national}"), None);
            if let Ok(number) = read {
                prop_assert!(number_doubt(number).is_none() || !number.national().starts_with('0')
                    || library_parse(&number.to_string(), None) == Some(Ok(number)));
            }
        }
    }
}
