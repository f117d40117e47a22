//! Phone numbers (placeholder until the real module lands).

use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct E164(u64);
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey(u64);
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(u32);
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a number")]
pub struct PhoneError;

impl E164 {
    pub fn parse(text: &str) -> Result<E164, PhoneError> {
        text.strip_prefix('+')
            .and_then(|t| t.parse().ok())
            .map(E164)
            .ok_or(PhoneError)
    }
    pub fn key(self) -> RowKey {
        RowKey(self.0)
    }
    pub fn has_prefix(self, prefix: Prefix) -> bool {
        self.0.to_string().starts_with(&prefix.0.to_string())
    }
}

impl Prefix {
    pub fn len(self) -> usize {
        self.0.to_string().len()
    }
}

impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}

pub fn from_row(country_code: Option<&str>, base_number: Option<i64>) -> Result<E164, PhoneError> {
    E164::parse(&format!(
        "{}{}",
        country_code.ok_or(PhoneError)?,
        base_number.ok_or(PhoneError)?
    ))
}
