//! Reading numbers in E.164 form.

use super::error::{PhoneError, impossible_length};
use super::number::E164;
use super::plans::{self, MAX_DIGITS};
use super::validity::number_doubt;
use crate::list_index::index_of;
use std::str::FromStr;

impl E164 {
    /// Reads `+` and digits, nothing else, blanks around it neither.
    ///
    /// # Errors
    /// [`PhoneError::Syntax`], with a guess where other writing is
    /// recognised; [`PhoneError::UnknownCallingCode`];
    /// [`PhoneError::ImpossibleLength`].
    pub fn parse(text: &str) -> Result<Self, PhoneError> {
        match strict_digits(text.as_bytes()) {
            Some(Ok(number)) => Self::from_digits(number),
            Some(Err(too_long)) => Err(too_long),
            None => Err(PhoneError::Syntax {
                guess: guess_number(text),
            }),
        }
    }

    /// The number with these digits, as [`E164::digits`] gives them.
    ///
    /// # Errors
    /// As [`E164::parse`], except `Syntax`.
    pub fn from_digits(digits: u64) -> Result<Self, PhoneError> {
        let split = plans::split_digits(digits)
            .map_err(|digits| PhoneError::UnknownCallingCode { digits })?;
        match split.impossible_digits() {
            None => Ok(E164::from_split(digits, Some(split))),
            Some(national) => Err(impossible_length(split.plan, national)),
        }
    }
}

impl TryFrom<String> for E164 {
    type Error = PhoneError;

    fn try_from(text: String) -> Result<E164, PhoneError> {
        E164::parse(&text)
    }
}

impl From<E164> for String {
    fn from(number: E164) -> String {
        number.to_string()
    }
}

impl FromStr for E164 {
    type Err = PhoneError;

    fn from_str(text: &str) -> Result<Self, PhoneError> {
        Self::parse(text)
    }
}

/// The digits of a strictly written number; `Some(Err)` if there are so many
/// that they can't be one, `None` for any other writing.
fn strict_digits(text: &[u8]) -> Option<Result<u64, PhoneError>> {
    let digits = text.strip_prefix(b"+")?;
    if digits.first().is_none_or(|first| *first == b'0') {
        return None;
    }
    if digits.len() > MAX_DIGITS as usize {
        let all_digits = digits.iter().all(u8::is_ascii_digit);
        return all_digits.then(|| Err(too_long(digits)));
    }
    let mut number = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + u64::from(digit);
    }
    Some(Ok(number))
}

/// The error for more digits than any number has.
fn too_long(digits: &[u8]) -> PhoneError {
    let head = digits
        .iter()
        .take(3)
        .fold(0, |n, byte| n * 10 + u64::from(byte - b'0'));
    match plans::split_digits(head) {
        Err(digits) => PhoneError::UnknownCallingCode { digits },
        Ok(head) => {
            let more = index_of(digits.len() - 3);
            impossible_length(head.plan, head.digits.saturating_add(more))
        }
    }
}

/// The number that a text in another writing most likely means: blanks, dashes,
/// dots, slashes and brackets between the digits, `00` or `tel:` before them.
/// Without `+` and `00`, digits may as well be national, so then the guess has
/// to be a valid number in libphonenumber's eyes too.
fn guess_number(text: &str) -> Option<E164> {
    let text = text.trim();
    let text = text.strip_prefix("tel:").unwrap_or(text);
    if text.contains("(0)") {
        return None;
    }
    let digits = without_separators(text)?;
    let marked = match digits.strip_prefix('+') {
        Some(rest) => Some(rest.strip_prefix("00").unwrap_or(rest)),
        None => digits.strip_prefix("00"),
    };
    match marked {
        Some(digits) => read_digits(digits),
        None => read_digits(&digits).filter(|number| number_doubt(*number).is_none()),
    }
}

fn read_digits(digits: &str) -> Option<E164> {
    if digits.starts_with('0') || digits.len() > MAX_DIGITS as usize {
        return None;
    }
    E164::from_digits(digits.parse().ok()?).ok()
}

/// `+` (only in front) and digits, without what people write between them;
/// `None` if there is anything else.
pub(super) fn without_separators(text: &str) -> Option<String> {
    let mut kept = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '0'..='9' => kept.push(c),
            '+' if kept.is_empty() => kept.push(c),
            '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '.' | '(' | ')' | '/' => {}
            // Marks of direction and joining, which come along when numbers are copied.
            '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}' => {}
            c if c.is_whitespace() => {}
            _ => return None,
        }
    }
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::super::error::ImpossibleLength;
    use super::super::samples::{self, any_number};
    use super::*;
    use proptest::prelude::*;

    fn number(text: &str) -> E164 {
        E164::parse(text).unwrap()
    }

    #[test]
    fn parts() {
        let india = number("+919513456728");
        assert_eq!(india.digits(), 919_513_456_728);
        assert_eq!(india.calling_code(), 91);
        assert_eq!(india.national(), "9513456728");
        assert_eq!(india.to_string(), "+919513456728");
        assert_eq!(format!("{india:>15}|"), "  +919513456728|");
        assert_eq!(number("+971545335200").national(), "545335200");
        assert_eq!(number("+390612345678").national(), "0612345678");
        assert_eq!(number("+2250102030405").national(), "0102030405");
    }

    #[test]
    fn example_numbers_of_every_country_and_service_parse() {
        let examples = samples::library_examples();
        assert!(examples.len() > 1000, "{}", examples.len());
        for text in examples {
            let number = E164::parse(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(number.to_string(), text);
        }
    }

    #[test]
    fn guesses() {
        for text in [
            "+91 95134 56728",
            "+91-9513-456-728",
            "+91 (9513) 456.728",
            "0091 9513456728",
            "+00919513456728",
            "919513456728",
            "91 95134/56728",
            "tel:+91-9513456728",
            " +919513456728\n",
            "\u{202a}+91\u{a0}9513456728\u{202c}",
        ] {
            let error = E164::parse(text).unwrap_err();
            assert_eq!(error.guess(), Some(number("+919513456728")), "{text:?}");
        }
        // A national number, a doubtful zero, letters, two numbers, nothing.
        for text in [
            "9513456728",
            "0545335200",
            "+44 (0)20 7946 0018",
            "+1 800 FLOWERS",
            "+91 9513456728 ext 3",
            "+919513456728 +971545335200",
            "",
            "+",
            "00",
            "+999 123 456",
        ] {
            assert_eq!(
                E164::parse(text),
                Err(PhoneError::Syntax { guess: None }),
                "{text:?}"
            );
        }
    }

    #[test]
    fn unknown_codes_and_impossible_lengths() {
        let unknown = |digits| Err(PhoneError::UnknownCallingCode { digits });
        assert_eq!(E164::parse("+999123456"), unknown(999));
        assert_eq!(E164::parse("+2101234567890123456789"), unknown(210));
        assert_eq!(E164::parse("+9"), unknown(9));
        let length = |calling_code, national_digits, allowed| {
            Err(PhoneError::ImpossibleLength(ImpossibleLength {
                calling_code,
                national_digits,
                allowed,
            }))
        };
        assert_eq!(E164::parse("+9195134"), length(91, 5, 8..=13));
        assert_eq!(E164::parse("+91"), length(91, 0, 8..=13));
        assert_eq!(E164::parse("+910000000000"), length(91, 0, 8..=13));
        assert_eq!(E164::parse("+1234567890123456"), length(1, 15, 10..=10));
        let many = format!("+91{}", "1".repeat(500));
        assert_eq!(E164::parse(&many), length(91, 255, 8..=13));
        assert_eq!(
            E164::parse("+1242345678").unwrap_err().to_string(),
            "a number of +1 has 10 digits after the calling code, not 9"
        );
    }

    #[test]
    fn next_keeps_calling_code_and_digit_count() {
        let after = |text| number(text).next().map(|n| n.to_string());
        assert_eq!(after("+919513456728").as_deref(), Some("+919513456729"));
        assert_eq!(after("+919999999999"), None);
        assert_eq!(after("+19999999999"), None);
        assert_eq!(after("+998999999999"), None);
    }

    #[test]
    fn a_zero_that_leads_gives_way_within_a_run() {
        for number in number("+390999999990").run_of(20) {
            assert_eq!(E164::parse(&number.to_string()), Ok(number));
            let lacks = number.row_key().digits() != number.digits();
            assert_eq!(lacks, number.to_string().starts_with("+390"), "{number}");
        }
    }

    #[test]
    fn eight_bytes() {
        assert_eq!(size_of::<E164>(), 8);
    }

    proptest! {
        #[test]
        fn text_round_trips(number in any_number()) {
            prop_assert_eq!(E164::parse(&number.to_string()), Ok(number));
            let parts = format!("+{}{}", number.calling_code(), number.national());
            prop_assert_eq!(parts, number.to_string());
        }

        #[test]
        fn any_text_is_read_without_panic_and_guesses_parse(text in "\\PC{0,24}|[+0-9 ().-]{0,24}") {
            if let Err(error) = E164::parse(&text) {
                let _ = error.to_string();
                if let Some(guess) = error.guess() {
                    prop_assert_eq!(E164::parse(&guess.to_string()), Ok(guess));
                }
            }
        }

        #[test]
        fn a_run_is_of_the_numbers_as_they_are_read(number in any_number(), count in 1u32..300) {
            for counted in number.run_of(count) {
                let read = E164::parse(&counted.to_string());
                let read = read.ok().filter(|read| read.digits().ilog10() == number.digits().ilog10());
                let Some(read) = read.filter(|read| read.calling_code() == number.calling_code()) else {
                    break;
                };
                prop_assert_eq!((counted, counted.row_key()), (read, read.row_key()));
            }
        }

        #[test]
        fn next_is_the_next_valid_number(number in any_number()) {
            if let Some(next) = number.next() {
                prop_assert_eq!(E164::parse(&next.to_string()), Ok(next));
                prop_assert_eq!(next.digits(), number.digits() + 1);
            }
        }
    }
}
