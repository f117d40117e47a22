//! Runs of numbers.

use super::E164;
use std::iter;
use thiserror::Error;

/// The numbers from one to another, both included: one calling code, one count
/// of digits, at most a million.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NumberRange {
    first: E164,
    last: E164,
}

/// Why two numbers are no range.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RangeError {
    /// The last number comes before the first.
    #[error("the range runs backward: write [\"{last}\", \"{first}\"]")]
    Backward { first: E164, last: E164 },
    /// The ends differ in their calling code.
    #[error("the ends of a range share a calling code, not +{first} and +{last}")]
    CallingCodes { first: u16, last: u16 },
    /// The ends differ in how many digits they have.
    #[error("the ends of a range have the same number of digits")]
    Lengths,
    /// More numbers than [`NumberRange::MAX`].
    #[error("the range holds {len} numbers, the most is {}", NumberRange::MAX)]
    TooMany { len: u64 },
}

impl NumberRange {
    /// The most numbers of one range.
    pub const MAX: u64 = 1_000_000;

    /// The range between two numbers, which it includes.
    ///
    /// # Errors
    /// [`RangeError`].
    pub fn new(first: E164, last: E164) -> Result<Self, RangeError> {
        let codes = (first.calling_code(), last.calling_code());
        if codes.0 != codes.1 {
            return Err(RangeError::CallingCodes {
                first: codes.0,
                last: codes.1,
            });
        }
        if first.digits().ilog10() != last.digits().ilog10() {
            return Err(RangeError::Lengths);
        }
        let Some(steps) = last.digits().checked_sub(first.digits()) else {
            return Err(RangeError::Backward { first, last });
        };
        if steps >= Self::MAX {
            return Err(RangeError::TooMany { len: steps + 1 });
        }
        Ok(NumberRange { first, last })
    }

    /// The first number.
    pub fn first(self) -> E164 {
        self.first
    }

    /// The last number.
    pub fn last(self) -> E164 {
        self.last
    }

    /// How many numbers there are: 1 to [`NumberRange::MAX`].
    #[expect(clippy::len_without_is_empty, reason = "a range holds a number")]
    pub fn len(self) -> u64 {
        self.last.digits() - self.first.digits() + 1
    }

    /// Whether the range holds that number.
    pub fn contains(self, number: E164) -> bool {
        (self.first..=self.last).contains(&number)
    }

    /// The numbers, in order.
    pub fn iter(self) -> impl Iterator<Item = E164> {
        iter::successors(Some(self.first), move |number| {
            number.next().filter(|next| *next <= self.last)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: &str, last: &str) -> Result<NumberRange, RangeError> {
        NumberRange::new(E164::parse(first).unwrap(), E164::parse(last).unwrap())
    }

    #[test]
    fn both_ends_belong() {
        let hundred = range("+919513456700", "+919513456799").unwrap();
        assert_eq!(hundred.len(), 100);
        let all: Vec<_> = hundred.iter().collect();
        assert_eq!(all.len(), 100);
        assert_eq!((all[0], all[99]), (hundred.first(), hundred.last()));
        assert!(all.iter().all(|number| hundred.contains(*number)));
        assert!(!hundred.contains(E164::parse("+919513456800").unwrap()));
        let one = range("+919513456728", "+919513456728").unwrap();
        assert_eq!((one.len(), one.iter().count()), (1, 1));
        let zeros = range("+390999999999", "+391000000000").unwrap();
        assert_eq!(zeros.iter().count(), 2);
    }

    #[test]
    fn what_is_no_range() {
        use RangeError::*;
        let (first, last) = ("+919513456799", "+919513456700");
        assert!(matches!(range(first, last), Err(Backward { .. })));
        assert_eq!(
            range("+919513456700", "+971545335200"),
            Err(CallingCodes {
                first: 91,
                last: 971
            })
        );
        assert_eq!(range("+9195134567", "+919513456799"), Err(Lengths));
        assert_eq!(
            range("+919513000000", "+919513999999").map(NumberRange::len),
            Ok(1_000_000)
        );
        assert_eq!(
            range("+919513000000", "+919514000000"),
            Err(TooMany { len: 1_000_001 })
        );
    }
}
