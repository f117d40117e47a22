//! The beginnings of numbers that a region owns.

use super::country::Country;
use super::error::PhoneError;
use super::number::E164;
use super::plans;
use std::fmt;
use std::str::FromStr;

/// The most digits of a prefix.
pub(super) const MAX_PREFIX: u32 = 7;

/// An entry of a region's `country_codes`: a calling code, alone or with the
/// digits of an area (`+91`, `+1242`, `+9714`). Shown as it is written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(u32);

impl Prefix {
    /// Reads `+` and 1 to 7 digits that begin with a calling code in use.
    ///
    /// # Errors
    /// [`PhoneError::Syntax`], never with a guess, and
    /// [`PhoneError::UnknownCallingCode`].
    pub fn parse(text: &str) -> Result<Self, PhoneError> {
        let syntax = PhoneError::Syntax { guess: None };
        let Some(digits) = text.strip_prefix('+') else {
            return Err(syntax);
        };
        let shape = (1..=MAX_PREFIX as usize).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        let prefix = digits.parse().ok().filter(|_| shape).ok_or(syntax)?;
        plans::split_digits(u64::from(prefix))
            .map(|_| Prefix(prefix))
            .map_err(|digits| PhoneError::UnknownCallingCode { digits })
    }

    /// How many digits the prefix has: of two that begin a number, the one
    /// with more digits wins.
    #[expect(clippy::len_without_is_empty, reason = "a prefix has digits")]
    pub fn len(self) -> u32 {
        plans::count_digits(self.0.into())
    }

    pub(super) fn digits(self) -> u32 {
        self.0
    }

    /// The calling code that the prefix begins with.
    pub fn calling_code(self) -> u16 {
        plans::split_digits(self.0.into()).map_or(0, |split| split.plan.code)
    }

    /// The main country of the calling code, as the country of national
    /// numbers; `None` for global services.
    pub fn main_country(self) -> Option<Country> {
        Country::main_of(self.calling_code())
    }

    /// Whether `other` begins with this prefix.
    pub fn contains(self, other: Prefix) -> bool {
        let rest = other.len().checked_sub(self.len());
        rest.is_some_and(|rest| other.0 / 10u32.pow(rest) == self.0)
    }

    /// Whether `number` begins with the prefix.
    pub fn is_prefix_of(self, number: E164) -> bool {
        let digits = plans::count_digits(number.digits());
        digits
            .checked_sub(self.len())
            .is_some_and(|rest| number.digits() / 10u64.pow(rest) == u64::from(self.0))
    }
}

impl E164 {
    /// Whether the number begins with that prefix.
    pub fn has_prefix(self, prefix: Prefix) -> bool {
        prefix.is_prefix_of(self)
    }
}

impl FromStr for Prefix {
    type Err = PhoneError;

    fn from_str(text: &str) -> Result<Self, PhoneError> {
        Self::parse(text)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::any_number;
    use super::*;
    use proptest::prelude::*;

    fn prefix(text: &str) -> Prefix {
        Prefix::parse(text).unwrap()
    }

    #[test]
    fn reads_calling_codes_and_areas() {
        for (text, code) in [
            ("+91", 91),
            ("+1", 1),
            ("+1242", 1),
            ("+9714", 971),
            ("+3906", 39),
        ] {
            assert_eq!(prefix(text).calling_code(), code);
            assert_eq!(prefix(text).to_string(), text);
        }
        for text in [
            "91",
            "",
            "+",
            "+0",
            "+0091",
            "+91 ",
            "+ 91",
            "+12345678",
            "+-1",
            "++1",
        ] {
            assert_eq!(
                Prefix::parse(text),
                Err(PhoneError::Syntax { guess: None }),
                "{text}"
            );
        }
        for (text, digits) in [("+999", 999), ("+97", 97), ("+210555", 210)] {
            assert_eq!(
                Prefix::parse(text),
                Err(PhoneError::UnknownCallingCode { digits })
            );
        }
    }

    proptest! {
        #[test]
        fn begins_as_the_text_does(number in any_number(), len in 2usize..9, other in 1u32..9_999_999) {
            let text = number.to_string();
            if let Ok(own) = Prefix::parse(&text[..len.min(text.len())]) {
                prop_assert!(number.has_prefix(own));
            }
            if let Ok(other) = Prefix::parse(&format!("+{other}")) {
                prop_assert_eq!(number.has_prefix(other), text.starts_with(&other.to_string()));
            }
        }
    }
}
