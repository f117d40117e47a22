//! The number itself. Imports only the table of calling codes.

use super::plans::{self, Split};
use std::fmt;

use serde::{Deserialize, Serialize};

/// An international number in E.164 form, of a possible length for its calling
/// code. Shown as `+919513456728`.
///
/// Kept as the integer of its digits, doubled, and one more where the national
/// number leads with a zero, as in `+39 06…`: whoever asks for the key of its row
/// need not take it apart. Ordered by the digits: numbers of one length lie side by
/// side, as a range has them. A calling code never begins with 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct E164(u64);

impl E164 {
    /// All digits, calling code first, as one integer.
    pub fn digits(self) -> u64 {
        self.0 >> 1
    }

    /// Whether the national number leads with a zero, which a row does not hold.
    pub(super) fn leads_with_zero(self) -> bool {
        self.0 & 1 == 1
    }

    /// The calling code, such as 91.
    pub fn calling_code(self) -> u16 {
        self.split_code().map_or(0, |split| split.plan.code)
    }

    /// The digits after the calling code, leading zeros kept.
    pub fn national(self) -> String {
        self.split_code().map_or_else(String::new, |split| {
            format!("{:0width$}", split.national, width = split.digits as usize)
        })
    }

    /// The number after this one, while calling code and digit count stay.
    pub fn next(self) -> Option<Self> {
        let next = E164::from_digits(self.digits() + 1).ok()?;
        (plans::count_digits(next.digits()) == plans::count_digits(self.digits())
            && next.calling_code() == self.calling_code())
        .then_some(next)
    }

    /// So many numbers, from this one on, that are those of a range.
    pub(crate) fn run_of(self, count: u32) -> impl Iterator<Item = E164> {
        // A zero that leads gives way to other digits, and does not come back.
        (0..u64::from(count)).map(move |step| {
            let digits = self.digits() + step;
            if self.leads_with_zero() {
                E164::from_split(digits, plans::split_digits(digits).ok())
            } else {
                E164::without_zero(digits)
            }
        })
    }

    /// `None` can't happen: every number was split when it was made.
    pub(super) fn split_code(self) -> Option<Split> {
        plans::split_digits(self.digits()).ok()
    }

    /// For digits that are known to make a number, as they were split.
    pub(super) fn from_split(digits: u64, split: Option<Split>) -> Self {
        let zero = split.is_some_and(|split| split.leads_with_zero());
        E164(digits << 1 | u64::from(zero))
    }

    /// For digits that are known to make a number whose national part leads with
    /// no zero.
    pub(super) const fn without_zero(digits: u64) -> Self {
        E164(digits << 1)
    }
}

impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.width().is_none() {
            write!(f, "+{}", self.digits())
        } else {
            f.pad(&format!("+{}", self.digits()))
        }
    }
}

impl fmt::Debug for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.digits())
    }
}
