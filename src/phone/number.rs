//! The number itself. Imports only the table of calling codes.

use super::plans::{self, Split};
use std::fmt;

use serde::{Deserialize, Serialize};

/// An international number in E.164 form, of a possible length for its calling
/// code. Shown as `+919513456728`.
///
/// Kept as the integer of its digits; a calling code never begins with 0, so
/// the zero of `+39 06…` survives. Ordered by that integer: numbers of one
/// length lie side by side, as a range has them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct E164(u64);

impl E164 {
    /// All digits, calling code first, as one integer.
    pub fn digits(self) -> u64 {
        self.0
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
        let next = E164(self.0 + 1);
        (plans::count_digits(next.0) == plans::count_digits(self.0)
            && next.calling_code() == self.calling_code())
        .then_some(next)
    }

    /// So many numbers, from this one on, that are those of a range.
    pub(crate) fn run_of(self, count: u32) -> impl Iterator<Item = E164> {
        (0..u64::from(count)).map(move |step| E164(self.0 + step))
    }

    /// `None` can't happen: every number was split when it was made.
    pub(super) fn split_code(self) -> Option<Split> {
        plans::split_digits(self.0).ok()
    }

    /// For digits that are known to make a number.
    pub(super) const fn from_valid(digits: u64) -> Self {
        E164(digits)
    }
}

impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.width().is_none() {
            write!(f, "+{}", self.0)
        } else {
            f.pad(&format!("+{}", self.0))
        }
    }
}

impl fmt::Debug for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}
