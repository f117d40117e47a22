//! [`Secret`]: a plain-text secret in memory. Pure; imports no cipher.

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::value::{Sealed, SealedError};
use crate::invisible_chars::first_invisible;

/// What a text that was given as a secret is instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OddSecret {
    #[error("it is empty")]
    Empty,
    #[error("it has a line break inside")]
    LineBreak,
    #[error("it begins or ends with a blank")]
    Blank,
    #[error("it has a character inside that nobody sees")]
    Invisible,
    #[error("it stands in quotes")]
    Quoted,
    #[error("it is a sealed value, not the secret itself")]
    Sealed,
}

impl OddSecret {
    /// What to do about it.
    pub fn hint(self) -> &'static str {
        match self {
            OddSecret::Empty => "give the API secret itself",
            OddSecret::Sealed => {
                "a sealed value goes into the files as `{ sealed = \"…\" }`, and opens for the \
                 config that it was sealed for"
            }
            OddSecret::LineBreak | OddSecret::Blank | OddSecret::Invisible | OddSecret::Quoted => {
                "LiveKit would get another secret than the one that was meant: give it in one \
                  line, without blanks or quotes around it (one line end after it is taken off)"
            }
        }
    }
}

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
    pub(crate) fn from_utf8(bytes: Vec<u8>) -> Option<Self> {
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

    /// A secret as people and files hand it over: without the one line end
    /// that editors and shells leave.
    ///
    /// # Errors
    /// What is left can't be what LiveKit gave out.
    pub fn entered(mut self) -> Result<Secret, OddSecret> {
        let text = self.0.as_str();
        let ends = ["\r\n", "\n", "\r"];
        let end = ends.iter().find_map(|end| text.strip_suffix(end));
        let kept = end.map_or(text.len(), str::len);
        self.0.truncate(kept);
        let text = self.0.as_str();
        if text.trim().is_empty() {
            return Err(OddSecret::Empty);
        }
        if text.contains(['\n', '\r']) {
            return Err(OddSecret::LineBreak);
        }
        if text.trim() != text {
            return Err(OddSecret::Blank);
        }
        // Such as the mark that some editors put before a text.
        if first_invisible(text).is_some() {
            return Err(OddSecret::Invisible);
        }
        let quoted = |mark: char| text.len() > 1 && text.starts_with(mark) && text.ends_with(mark);
        if quoted('"') || quoted('\'') {
            return Err(OddSecret::Quoted);
        }
        if !matches!(Sealed::parse(text), Err(SealedError::NotSealed)) {
            return Err(OddSecret::Sealed);
        }
        Ok(self)
    }

    /// Whether both are the same text, in a time that depends on the lengths
    /// alone.
    pub fn same(&self, other: &Secret) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::{OddSecret, Secret};

    #[test]
    fn one_line_end_is_taken_off_and_what_is_odd_is_refused() {
        let entered = |text: &str| Secret::new(text.into()).entered();
        for text in ["made-up", "made-up\n", "made-up\r\n", "made-up\r"] {
            assert_eq!(entered(text).ok().unwrap().expose(), "made-up");
        }
        for (text, odd) in [
            ("", OddSecret::Empty),
            (" \n", OddSecret::Empty),
            ("made-up\n\n", OddSecret::LineBreak),
            ("made\nup", OddSecret::LineBreak),
            ("made-up \n", OddSecret::Blank),
            ("\u{a0}made-up", OddSecret::Blank),
            ("made\u{0}up", OddSecret::Invisible),
            ("\u{feff}made-up", OddSecret::Invisible),
            ("made\u{200b}up", OddSecret::Invisible),
            ("\"made-up\"\n", OddSecret::Quoted),
            ("'made-up'", OddSecret::Quoted),
            ("lkr2:demo:a8799afa:AAAA", OddSecret::Sealed),
            ("lkr1:demo:a8799afa:AAAA", OddSecret::Sealed),
            ("dev-s-t-gAAAA", OddSecret::Sealed),
        ] {
            assert_eq!(entered(text).err(), Some(odd), "{text:?}");
        }
    }

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
