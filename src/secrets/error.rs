//! Why a secret could not be sealed or opened. Imports no cipher.

use super::keyring::NoKey;
use crate::sealed::SealedError;

/// Why a secret could not be sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error(transparent)]
    NoKey(#[from] NoKey),
    #[error("an empty secret is not sealed")]
    Empty,
    #[error("the secret is too long for one sealed value")]
    TooLong,
    #[error("the operating system gave no random bytes: {0}")]
    Random(String),
}

/// Why a value could not be opened.
///
/// An authenticated cipher answers yes or no; it never says whether key or
/// value is at fault. Each variant states what can be known beyond that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    NoKey(#[from] NoKey),
    /// By its label; holds whatever key is at hand.
    #[error("it was sealed for another config (or its label was altered)")]
    WrongConfig,
    /// Proven: another key of the ring opens it under the name it gives.
    #[error(
        "the key named `{key_id}` does not open it, but the one named `{opened_by}` does: \
         the key ring holds them under the wrong names"
    )]
    WrongKey { key_id: String, opened_by: String },
    /// A key name chosen by hand, or a Fernet value (`None`), which names no
    /// key: nothing tells a wrong key from a damaged value.
    #[error("{} does not open it: a wrong key, or a damaged value", key_phrase(.key_id))]
    WrongKeyOrDamaged { key_id: Option<String> },
    /// The text is not of the form that its prefix promises.
    #[error("damaged: {0}")]
    Malformed(#[from] SealedError),
    /// The form is right and, as far as 32 bits of its name prove it, so is
    /// the key (a name made by [`keygen`]): the value was altered.
    #[error("damaged: `{key_id}` is the right key by its name, but the value was altered")]
    Altered { key_id: String },
    #[error("it opens, but what comes out is not UTF-8 text")]
    NotText,
}

fn key_phrase(key_id: &Option<String>) -> String {
    match key_id {
        Some(id) => format!("the key named `{id}`"),
        None => "the Fernet key".into(),
    }
}
