//! Sets of called numbers, told by the digits that they begin with: which
//! countries may be called. Core; imports nothing beyond `phone`.

use std::fmt;

use super::number::E164;
use super::plans;
use super::prefix::Prefix;

/// Numbers are told apart by this many digits at their beginning, as many as
/// the longest prefix has.
const DIGITS: u32 = 7;

/// No number begins with a zero.
const FIRST: u32 = 10u32.pow(DIGITS - 1);
const END: u32 = 10u32.pow(DIGITS);

/// How many prefixes are named in a text, the rest is counted.
const NAMED: usize = 6;

/// Numbers that begin with one of some prefixes. Two sets of the same numbers
/// are equal, however they were written.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrefixSet {
    /// Half-open spans of the first digits: sorted, apart from one another.
    spans: Vec<(u32, u32)>,
}

impl PrefixSet {
    /// Every number there is.
    pub fn all() -> PrefixSet {
        PrefixSet {
            spans: vec![(FIRST, END)],
        }
    }

    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    pub fn is_all(&self) -> bool {
        *self == PrefixSet::all()
    }

    /// The numbers of this set that are not in `other`.
    pub fn without(&self, other: &PrefixSet) -> PrefixSet {
        let mut left = Vec::new();
        for &(start, end) in &self.spans {
            let mut from = start;
            for &(taken, until) in &other.spans {
                if until <= from || taken >= end {
                    continue;
                }
                if taken > from {
                    left.push((from, taken));
                }
                from = until;
            }
            if from < end {
                left.push((from, end));
            }
        }
        PrefixSet { spans: left }
    }

    /// The numbers that are in either.
    pub fn or(&self, other: &PrefixSet) -> PrefixSet {
        joined(self.spans.iter().chain(&other.spans).copied().collect())
    }

    /// Whether the number is one of them.
    pub fn holds(&self, number: E164) -> bool {
        let (digits, first) = (plans::count_digits(number.digits()), number.digits());
        let first = match digits.checked_sub(DIGITS) {
            Some(rest) => first / 10u64.pow(rest),
            None => first * 10u64.pow(DIGITS - digits),
        };
        let mut spans = self.spans.iter();
        spans.any(|&(start, end)| (u64::from(start)..u64::from(end)).contains(&first))
    }

    /// The numbers that are in both.
    pub fn both(&self, other: &PrefixSet) -> PrefixSet {
        self.without(&self.without(other))
    }

    /// The prefixes of the set, each as short as it can be: `+971`.
    pub fn prefixes(&self) -> Vec<String> {
        let mut found = Vec::new();
        for &(start, end) in &self.spans {
            let mut from = start;
            while from < end {
                let block = |power: &u32| {
                    let size = 10u32.pow(*power);
                    from.is_multiple_of(size) && from + size <= end
                };
                let power = (0..DIGITS).rev().find(block).unwrap_or_default();
                let size = 10u32.pow(power);
                found.push(format!("+{}", from / size));
                from += size;
            }
        }
        found
    }
}

impl FromIterator<Prefix> for PrefixSet {
    fn from_iter<I: IntoIterator<Item = Prefix>>(prefixes: I) -> PrefixSet {
        joined(prefixes.into_iter().map(prefix_span).collect())
    }
}

fn joined(mut spans: Vec<(u32, u32)>) -> PrefixSet {
    spans.sort_unstable();
    let mut joined: Vec<(u32, u32)> = Vec::with_capacity(spans.len());
    for (start, end) in spans {
        match joined.last_mut() {
            Some((_, last)) if *last >= start => *last = end.max(*last),
            _ => joined.push((start, end)),
        }
    }
    PrefixSet { spans: joined }
}

fn prefix_span(prefix: Prefix) -> (u32, u32) {
    let size = 10u32.pow(DIGITS - prefix.len());
    let start = prefix.digits() * size;
    (start, start + size)
}

/// `+91, +971`, `anywhere`, `anywhere but +91`, `nowhere`.
impl fmt::Display for PrefixSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = PrefixSet::all().without(self);
        let named = |prefixes: &[String]| {
            let shown = prefixes[..prefixes.len().min(NAMED)].join(", ");
            match prefixes.len().saturating_sub(NAMED) {
                0 => shown,
                more => format!("{shown} and {more} more"),
            }
        };
        let (ours, others) = (self.prefixes(), rest.prefixes());
        match (ours.len(), others.len()) {
            (0, _) => f.write_str("nowhere"),
            (_, 0) => f.write_str("anywhere"),
            (ours, others) if others < ours => {
                write!(f, "anywhere but {}", named(&rest.prefixes()))
            }
            _ => f.write_str(&named(&ours)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::any_number;
    use super::*;
    use proptest::prelude::*;

    fn set(prefixes: &[&str]) -> PrefixSet {
        let read = |text: &&str| Prefix::parse(text).unwrap();
        prefixes.iter().map(read).collect()
    }

    #[test]
    fn the_same_numbers_are_the_same_set() {
        assert_eq!(set(&["+971", "+9714", "+91"]), set(&["+91", "+971"]));
        let tens: Vec<String> = (0..10).map(|digit| format!("+971{digit}")).collect();
        let tens: Vec<&str> = tens.iter().map(String::as_str).collect();
        assert_eq!(set(&tens), set(&["+971"]));
        assert_ne!(set(&tens[..9]), set(&["+971"]));
    }

    #[test]
    fn people_read_the_shorter_form() {
        assert_eq!(set(&["+971", "+91"]).to_string(), "+91, +971");
        assert_eq!(PrefixSet::all().to_string(), "anywhere");
        assert_eq!(PrefixSet::default().to_string(), "nowhere");
        let all_but = PrefixSet::all().without(&set(&["+91"]));
        assert_eq!(all_but.to_string(), "anywhere but +91");
        let us = set(&["+1"]).without(&set(&["+1876"]));
        assert!(us.to_string().ends_with("more"), "{us}");
        assert!(set(&["+1"]).without(&us) == set(&["+1876"]));
    }

    proptest! {
        /// What is left of a set, and what is in both, is told right for
        /// every number.
        #[test]
        fn the_operations_say_what_prefixes_say(
            number in any_number(),
            ours in prop::collection::vec(1u32..9_999_999, 0..5),
            others in prop::collection::vec(1u32..9_999_999, 0..5),
        ) {
            let read = |codes: &[u32]| -> Vec<Prefix> {
                let codes = codes.iter().map(|code| Prefix::parse(&format!("+{code}")));
                codes.filter_map(Result::ok).collect()
            };
            let (ours, others) = (read(&ours), read(&others));
            let begins = |prefixes: &[Prefix]| prefixes.iter().any(|p| p.is_prefix_of(number));
            let holds = |set: &PrefixSet| {
                let digits = number.digits().to_string();
                let begins = set.prefixes().iter().any(|p| digits.starts_with(&p[1..]));
                assert!(begins == set.holds(number) || digits.len() < 7);
                begins
            };
            let (a, b) = (ours.iter().copied().collect::<PrefixSet>(),
                          others.iter().copied().collect::<PrefixSet>());
            prop_assert_eq!(holds(&a), begins(&ours));
            prop_assert_eq!(holds(&a.without(&b)), begins(&ours) && !begins(&others));
            prop_assert_eq!(holds(&a.both(&b)), begins(&ours) && begins(&others));
            prop_assert_eq!(holds(&a.or(&b)), begins(&ours) || begins(&others));
            prop_assert!(holds(&PrefixSet::all()));
        }
    }
}
