//! [`Stored`]: what a database holds in `livekit_api_secret`, whatever that
//! is. Pure; imports no cipher.

use super::secret::Secret;
use super::value::{Sealed, SealedError};

/// A stored value. Reading one never fails, so that a row nobody asked about
/// is carried along as it is.
#[derive(Clone)]
pub enum Stored {
    Sealed(Sealed),
    /// No prefix of a sealed value: today's Python service takes it for the
    /// secret itself.
    Plain(Secret),
    /// Begins like a sealed value, but is none. The text may be anything, so
    /// it is guarded like a secret.
    Damaged {
        text: Secret,
        error: SealedError,
    },
}

impl Stored {
    pub fn read(text: String) -> Self {
        match Sealed::parse(&text) {
            Ok(sealed) => Self::Sealed(sealed),
            Err(SealedError::NotSealed) => Self::Plain(Secret::new(text)),
            Err(error) => Self::Damaged {
                text: Secret::new(text),
                error,
            },
        }
    }

    /// The text, to the byte as it was read: for binding in SQL, never for
    /// showing, since it may be the secret itself.
    pub fn expose(&self) -> &str {
        match self {
            Self::Sealed(sealed) => sealed.as_str(),
            Self::Plain(text) | Self::Damaged { text, .. } => text.expose(),
        }
    }

    pub fn sealed(&self) -> Option<&Sealed> {
        match self {
            Self::Sealed(sealed) => Some(sealed),
            Self::Plain(_) | Self::Damaged { .. } => None,
        }
    }

    /// For reports: `aes-256-gcm`, `fernet`, `plain text` or `damaged`.
    pub fn format_name(&self) -> &'static str {
        match self {
            Self::Sealed(sealed) => sealed.format().as_str(),
            Self::Plain(_) => "plain text",
            Self::Damaged { .. } => "damaged",
        }
    }

    /// Whether both are the same text, compared in constant time.
    pub fn same(&self, other: &Stored) -> bool {
        use subtle::ConstantTimeEq;
        let (a, b) = (self.expose().as_bytes(), other.expose().as_bytes());
        a.ct_eq(b).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_can_be_read_and_none_is_shown() {
        for (text, format) in [
            ("made-up-plain", "plain text"),
            ("", "plain text"),
            ("lkr1:made-up", "damaged"),
            ("lkr7:made-up:x:y", "damaged"),
            ("dev-s-t-made-up", "damaged"),
        ] {
            let stored = Stored::read(text.into());
            assert_eq!(stored.format_name(), format, "{text}");
            assert_eq!(stored.expose(), text);
            assert!(stored.sealed().is_none());
            assert!(stored.same(&stored.clone()));
            assert!(!stored.same(&Stored::read("other".into())));
        }
    }
}
