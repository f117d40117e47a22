//! [`Secret`]: a plain-text secret in memory. Pure; imports no cipher.

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// A plain-text secret, wiped when dropped. It cannot be displayed, not even
/// for debugging, serialised or compared with `==`.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over without copying it.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// `None` where the bytes are not UTF-8; they are wiped then.
    pub(super) fn from_utf8(bytes: Vec<u8>) -> Option<Self> {
        match String::from_utf8(bytes) {
            Ok(text) => Some(Self::new(text)),
            Err(e) => {
                e.into_bytes().zeroize();
                None
            }
        }
    }

    /// The plain text. Each call is a place to look at in review.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether both are the same text, in a time that depends on the lengths
    /// alone.
    pub fn same(&self, other: &Secret) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    /// Fails to compile, as ambiguous, where `Secret` implements the trait.
    macro_rules! is_not {
        ($($bound:path),+) => {$({
            trait Unless<A> { fn holds() {} }
            impl<T: ?Sized> Unless<()> for T {}
            impl<T: ?Sized + $bound> Unless<u8> for T {}
            <Secret as Unless<_>>::holds();
        })+};
    }

    #[test]
    fn nothing_gives_a_secret_away_by_accident() {
        is_not!(
            std::fmt::Debug,
            std::fmt::Display,
            serde::Serialize,
            PartialEq,
            std::hash::Hash,
            AsRef<str>
        );
    }

    #[test]
    fn same_compares_the_text() {
        let of = |text: &str| Secret::new(text.into());
        assert!(of("made-up").same(&of("made-up")));
        assert!(!of("made-up").same(&of("made-uq")));
        assert!(!of("made-up").same(&of("made-up ")));
    }

    #[test]
    fn bytes_that_are_no_text_are_no_secret() {
        assert!(Secret::from_utf8(vec![0xff, 0xfe]).is_none());
    }
}
