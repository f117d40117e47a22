//! Numbers as the columns `country_code` and `base_number` hold them.

use super::error::{PhoneError, Unreadable, impossible_length};
use super::number::E164;
use super::plans;
use std::fmt;

/// The most digits a `country_code` may have: a calling code and an area.
const CODE_DIGITS: u32 = 7;

/// What a row of `voice_agent_numbers` can tell apart: the calling code and the
/// national number as an integer.
///
/// `+39 06…` and `+39 6…` are two numbers with one key. Kept as the digits of
/// the number without the zeros that lead its national part; no calling code
/// begins another, so those digits are unique. Ordered by them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey(u64);

impl E164 {
    /// The key of the row that holds the number.
    pub fn row_key(self) -> RowKey {
        RowKey::of(self)
    }
}

impl RowKey {
    pub(super) fn of(number: E164) -> Self {
        if !number.leads_with_zero() {
            return RowKey(number.digits());
        }
        RowKey(number.split_code().map_or(0, |split| {
            u64::from(split.plan.code) * plans::power_of_ten(split.significant()) + split.national
        }))
    }

    /// The key as one integer, for packing.
    pub fn digits(self) -> u64 {
        self.0
    }

    /// The number of the key; it lacks the leading zero that a row can't hold.
    pub fn number(self) -> E164 {
        E164::without_zero(self.0)
    }

    /// What lkroute writes as `country_code`: `+91`.
    pub fn country_code(self) -> String {
        format!("+{}", self.number().calling_code())
    }

    /// What lkroute writes as `base_number`.
    pub fn base_number(self) -> i64 {
        self.number()
            .split_code()
            .and_then(|split| i64::try_from(split.national).ok())
            .unwrap_or(0)
    }

    /// Every `base_number` under which a readable row of this key can be
    /// stored, [`RowKey::base_number`] first: others write `+1242` and
    /// 3456789 where lkroute writes `+1` and 2423456789. For a search by
    /// index; what it finds is read by [`from_row`] and compared by key.
    pub fn base_numbers(self) -> impl Iterator<Item = i64> {
        let code = self.number().calling_code();
        let digits = plans::count_digits(self.0);
        let mut last = None;
        (plans::count_digits(code.into())..=CODE_DIGITS.min(digits))
            .map(move |cut| self.0 % 10u64.pow(digits - cut))
            .filter(move |rest| *rest > 0 && last.replace(*rest) != Some(*rest))
            .filter_map(|rest| i64::try_from(rest).ok())
    }
}

impl fmt::Debug for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.country_code(), self.base_number())
    }
}

/// Reads a row of `voice_agent_numbers`: the digits of `country_code`, then
/// those of `base_number`, as one international number. So `+1242` and 3456789
/// are +12423456789, with the key of any other writing of that number.
///
/// `country_code` may have blanks around it, `+`, `00` or nothing before it,
/// and blanks or dashes within: `91`, `+91`, `0091`, `+1-242`. Zeros that
/// `bigint` has lost between the two are not made up, whence the result has no
/// leading national zero unless `country_code` holds it. Allocates nothing.
///
/// # Errors
/// [`Unreadable`] for everything that isn't certain; such a row is reported and
/// never matched.
pub fn from_row(country_code: Option<&str>, base_number: Option<i64>) -> Result<E164, Unreadable> {
    let code = code_digits(country_code.unwrap_or_default())?;
    let national = base_number.ok_or(Unreadable::NoBaseNumber)?;
    let national = u64::try_from(national)
        .ok()
        .filter(|n| *n > 0)
        .ok_or(Unreadable::NotPositive(national))?;
    if let Err(digits) = plans::split_digits(code) {
        return Err(Unreadable::UnknownCallingCode { digits });
    }
    join_digits(code, national).map_err(|error| match error {
        PhoneError::ImpossibleLength(length) => Unreadable::ImpossibleLength(length),
        PhoneError::UnknownCallingCode { digits } => Unreadable::UnknownCallingCode { digits },
        _ => Unreadable::CountryCodeSyntax,
    })
}

/// The digits of `code`, then those of `national`.
fn join_digits(code: u64, national: u64) -> Result<E164, PhoneError> {
    let digits = plans::count_digits(national);
    if plans::count_digits(code) + digits > plans::MAX_DIGITS {
        let head = plans::split_digits(code)
            .map_err(|digits| PhoneError::UnknownCallingCode { digits })?;
        return Err(impossible_length(head.plan, head.digits + digits));
    }
    E164::from_digits(code * plans::power_of_ten(digits) + national)
}

fn code_digits(text: &str) -> Result<u64, Unreadable> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Unreadable::NoCountryCode);
    }
    let bytes = text.as_bytes();
    let bytes = bytes
        .strip_prefix(b"+")
        .or_else(|| bytes.strip_prefix(b"00"))
        .unwrap_or(bytes);
    let mut code = 0;
    let mut digits = 0;
    for byte in bytes {
        match byte {
            b'0' if digits == 0 => return Err(Unreadable::CountryCodeSyntax),
            b'0'..=b'9' if digits < CODE_DIGITS => {
                code = code * 10 + u64::from(byte - b'0');
                digits += 1;
            }
            b' ' | b'-' if digits > 0 => {}
            _ => return Err(Unreadable::CountryCodeSyntax),
        }
    }
    if digits == 0 {
        return Err(Unreadable::CountryCodeSyntax);
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{self, any_number};
    use super::*;
    use proptest::prelude::*;

    fn read(code: &str, base: i64) -> Result<String, Unreadable> {
        from_row(Some(code), Some(base)).map(|number| number.to_string())
    }

    #[test]
    fn odd_shapes_of_the_country_code() {
        for code in ["+91", "91", " +91 ", "0091", "+91\t"] {
            assert_eq!(read(code, 9_513_456_728).as_deref(), Ok("+919513456728"));
        }
        for code in ["+1242", "1242", "+1-242", "+1 242", "001242"] {
            let number = from_row(Some(code), Some(3_456_789)).unwrap();
            assert_eq!(number.to_string(), "+12423456789");
            assert_eq!(number.row_key().country_code(), "+1");
            assert_eq!(number.row_key().base_number(), 2_423_456_789);
        }
        assert_eq!(read("+9714", 1_234_567).as_deref(), Ok("+97141234567"));
    }

    #[test]
    fn the_unreadable_is_never_guessed() {
        use Unreadable::*;
        assert_eq!(from_row(None, Some(9_513_456_728)), Err(NoCountryCode));
        assert_eq!(read("  ", 9_513_456_728), Err(NoCountryCode));
        assert_eq!(from_row(Some("+91"), None), Err(NoBaseNumber));
        assert_eq!(read("+91", 0), Err(NotPositive(0)));
        assert_eq!(read("+91", i64::MIN), Err(NotPositive(i64::MIN)));
        assert_eq!(
            read("+999", 12_345_678),
            Err(UnknownCallingCode { digits: 999 })
        );
        assert_eq!(
            read("+97", 1_545_335_200),
            Err(UnknownCallingCode { digits: 97 })
        );
        for code in [
            "IN",
            "+",
            "00",
            "+091",
            "091",
            "++91",
            "+91a",
            "-91",
            "+97145678",
            "９１",
        ] {
            assert_eq!(read(code, 9_513_456_728), Err(CountryCodeSyntax), "{code}");
        }
        let length = |calling_code, national_digits, allowed| {
            Err(ImpossibleLength(crate::phone::ImpossibleLength {
                calling_code,
                national_digits,
                allowed,
            }))
        };
        assert_eq!(read("+91", 123), length(91, 3, 8..=13));
        assert_eq!(read("+91", i64::MAX), length(91, 19, 8..=13));
        assert_eq!(read("+1242", 2_423_456_789), length(1, 13, 10..=10));
    }

    #[test]
    fn an_italian_zero_is_lost_in_the_row_and_shared_in_the_key() {
        let rome = E164::parse("+390612345678").unwrap();
        let other = E164::parse("+39612345678").unwrap();
        assert_ne!(rome, other);
        assert_eq!(rome.row_key(), other.row_key());
        assert_eq!(rome.row_key().base_number(), 612_345_678);
        assert_eq!(rome.row_key().number(), other);
        assert_eq!(from_row(Some("+39"), Some(612_345_678)), Ok(other));
        assert_eq!(from_row(Some("+3906"), Some(12_345_678)), Ok(rome));
    }

    #[test]
    fn every_example_number_is_readable_as_a_row() {
        for text in samples::library_examples() {
            let key = E164::parse(&text).unwrap().row_key();
            let row = from_row(Some(&key.country_code()), Some(key.base_number()));
            assert_eq!(row.map(E164::row_key), Ok(key), "{text}");
        }
    }

    #[test]
    fn base_numbers_cover_the_splits_that_others_use() {
        let key = E164::parse("+12423456789").unwrap().row_key();
        let all: Vec<_> = key.base_numbers().collect();
        assert_eq!(all[0], 2_423_456_789);
        assert!(all.contains(&3_456_789));
        assert_eq!(all.len(), 7);
    }

    proptest! {
        #[test]
        fn a_row_of_our_own_is_found_again(number in any_number()) {
            let key = number.row_key();
            let row = from_row(Some(&key.country_code()), Some(key.base_number()));
            prop_assert_eq!(row.clone(), Ok(key.number()));
            prop_assert_eq!(key.number().row_key(), key);
            prop_assert_eq!(E164::parse(&key.number().to_string()), Ok(key.number()));
            if !number.national().starts_with('0') {
                prop_assert_eq!(row, Ok(number));
            }
        }

        #[test]
        fn a_search_by_base_number_finds_every_split(number in any_number(), cut in 1usize..8) {
            let text = number.digits().to_string();
            let (code, base) = text.split_at(cut.min(text.len() - 1));
            let base: i64 = base.parse().unwrap();
            if let Ok(row) = from_row(Some(code), Some(base)) {
                prop_assert!(row.row_key().base_numbers().any(|n| n == base));
            }
        }

        #[test]
        fn any_row_is_read_without_panic(code in "\\PC{0,12}|[+0-9 -]{0,9}", base in any::<i64>()) {
            if let Err(reason) = from_row(Some(&code), Some(base)) {
                prop_assert!(!reason.to_string().is_empty());
            }
        }
    }
}
