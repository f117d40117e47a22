//! [`Sealed`]: a sealed value as text, understood as far as that goes without
//! a key. Pure; imports no cipher.

use std::fmt;

use base64::prelude::{BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD, Engine};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::key_id::{is_key_id, is_lower_hex};
use crate::routing::SecretFormat;

pub(crate) const AES_PREFIX: &str = "lkr1:";
pub(crate) const FERNET_PREFIX: &str = "dev-s-t-";

/// 12 bytes of nonce and 16 of tag; what is between them is never empty.
const AES_LEAST: usize = 12 + 1 + 16;
/// Version, time, IV and tag; between IV and tag stand whole blocks of 16.
const FERNET_FRAME: usize = 1 + 8 + 16 + 32;

/// What is wrong with a text that should be a sealed value; never says what
/// the text was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealedError {
    #[error("not a sealed value: one begins with `lkr1:` or `dev-s-t-`")]
    NotSealed,
    #[error("a sealed value of another version than `lkr1`: this lkroute is too old for it")]
    UnknownVersion,
    #[error("a sealed value has four parts, `lkr1:<key id>:<label>:<data>`")]
    Parts,
    #[error("the key id of a sealed value is 1 to 32 of a-z, 0-9, `.`, `_` and `-`")]
    KeyId,
    #[error("the label of a sealed value is eight hex digits in lower case")]
    Label,
    #[error("the data of a sealed value is not unpadded, url-safe base64")]
    Base64,
    #[error("the data of a sealed value is cut short")]
    TooShort,
    #[error("what follows `dev-s-t-` is not padded, url-safe base64")]
    FernetBase64,
    #[error("what follows `dev-s-t-` is not a whole Fernet token")]
    FernetShape,
}

/// A sealed value, kept as the text that it was. It is ciphertext, fit for
/// files and database; `Debug` shows format and key id only, to keep output
/// readable.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    text: String,
    format: SecretFormat,
}

/// The parts of an `lkr1:` value.
pub(crate) struct AesParts<'a> {
    pub key_id: &'a str,
    /// nonce ‖ ciphertext ‖ tag
    pub data: Vec<u8>,
}

impl Sealed {
    /// Reads a sealed value as far as that needs no key: form, never content.
    pub fn parse(text: &str) -> Result<Self, SealedError> {
        let format = if text.starts_with(AES_PREFIX) {
            aes_parts(text)?;
            SecretFormat::Aes256Gcm
        } else if let Some(token) = text.strip_prefix(FERNET_PREFIX) {
            check_fernet(token)?;
            SecretFormat::Fernet
        } else if is_other_version(text) {
            return Err(SealedError::UnknownVersion);
        } else {
            return Err(SealedError::NotSealed);
        };
        Ok(Self {
            text: text.to_owned(),
            format,
        })
    }

    pub(crate) fn from_aes(key_id: &str, config_id: Uuid, data: &[u8]) -> Self {
        let label = label(config_id);
        let data = BASE64_URL_SAFE_NO_PAD.encode(data);
        Self {
            text: format!("{AES_PREFIX}{key_id}:{label}:{data}"),
            format: SecretFormat::Aes256Gcm,
        }
    }

    pub(crate) fn from_fernet(token: &str) -> Self {
        Self {
            text: format!("{FERNET_PREFIX}{token}"),
            format: SecretFormat::Fernet,
        }
    }

    /// The text, to the byte as it was read.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn format(&self) -> SecretFormat {
        self.format
    }

    /// The name of the key; `None` for Fernet, which names none.
    pub fn key_id(&self) -> Option<&str> {
        match self.format {
            SecretFormat::Aes256Gcm => self.text.split(':').nth(1),
            SecretFormat::Fernet => None,
        }
    }

    /// Whether the label is that of `config_id`. A Fernet value belongs to no
    /// config in particular, so it passes for any.
    pub fn is_for(&self, config_id: Uuid) -> bool {
        match self.format {
            SecretFormat::Aes256Gcm => self
                .text
                .split(':')
                .nth(2)
                .is_some_and(|found| found == label(config_id)),
            SecretFormat::Fernet => true,
        }
    }

    /// SHA-256 of the text, 64 hex digits: stands for it in digests and plans.
    pub fn hash(&self) -> String {
        hex::encode(Sha256::digest(&self.text))
    }

    /// Cannot fail for a value of the AES format.
    pub(crate) fn aes_parts(&self) -> Result<AesParts<'_>, SealedError> {
        aes_parts(&self.text)
    }

    /// What follows the Fernet prefix; empty for the other format.
    pub(crate) fn fernet_token(&self) -> &str {
        self.text
            .strip_prefix(FERNET_PREFIX)
            .unwrap_or_default()
            .trim_ascii_end()
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key_id() {
            Some(key_id) => write!(f, "Sealed({}, {key_id})", self.format),
            None => write!(f, "Sealed({})", self.format),
        }
    }
}

/// The first eight hex digits of SHA-256 of the config id in lower case.
fn label(config_id: Uuid) -> String {
    let digest = Sha256::digest(config_id.hyphenated().to_string());
    hex::encode(&digest[..4])
}

fn aes_parts(text: &str) -> Result<AesParts<'_>, SealedError> {
    let parts: Vec<&str> = text.split(':').collect();
    let &[_, key_id, label, data] = parts.as_slice() else {
        return Err(SealedError::Parts);
    };
    if !is_key_id(key_id) {
        return Err(SealedError::KeyId);
    }
    if label.len() != 8 || !label.bytes().all(is_lower_hex) {
        return Err(SealedError::Label);
    }
    let data = BASE64_URL_SAFE_NO_PAD
        .decode(data)
        .map_err(|_| SealedError::Base64)?;
    if data.len() < AES_LEAST {
        return Err(SealedError::TooShort);
    }
    Ok(AesParts { key_id, data })
}

/// White space after a token is let pass: the Python service reads past it.
fn check_fernet(token: &str) -> Result<(), SealedError> {
    let data = BASE64_URL_SAFE
        .decode(token.trim_ascii_end())
        .map_err(|_| SealedError::FernetBase64)?;
    let blocks = data.len().saturating_sub(FERNET_FRAME);
    if data.first() != Some(&0x80) || blocks == 0 || !blocks.is_multiple_of(16) {
        return Err(SealedError::FernetShape);
    }
    Ok(())
}

/// `lkr`, digits, `:`, as a later lkroute may write it.
fn is_other_version(text: &str) -> bool {
    text.strip_prefix("lkr")
        .and_then(|rest| rest.split_once(':'))
        .is_some_and(|(version, _)| {
            !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit())
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::UnknownFormat;

    /// 29 bytes, the least there can be.
    const DATA: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    #[test]
    fn each_malformation_has_its_own_words() {
        use SealedError::*;
        let short = &DATA[..38];
        for (text, error) in [
            ("made-up-plain-secret".into(), NotSealed),
            (String::new(), NotSealed),
            (format!("LKR1:k1:a8799afa:{DATA}"), NotSealed),
            (format!("lkr2:k1:a8799afa:{DATA}"), UnknownVersion),
            ("lkr1:k1:a8799afa".into(), Parts),
            (format!("lkr1:k1:a8799afa:{DATA}:x"), Parts),
            (format!("lkr1::a8799afa:{DATA}"), KeyId),
            (format!("lkr1:K1:a8799afa:{DATA}"), KeyId),
            (format!("lkr1:{}:a8799afa:{DATA}", "k".repeat(33)), KeyId),
            (format!("lkr1:k1:A8799AFA:{DATA}"), Label),
            (format!("lkr1:k1:a8799af:{DATA}"), Label),
            (format!("lkr1:k1:a8799afa:{DATA}="), Base64),
            (format!("lkr1:k1:a8799afa:{DATA} "), Base64),
            (format!("lkr1:k1:a8799afa:+{}", &DATA[1..]), Base64),
            (format!("lkr1:k1:a8799afa:{}B", &DATA[1..]), Base64),
            (format!("lkr1:k1:a8799afa:{short}"), TooShort),
            ("lkr1:k1:a8799afa:".into(), TooShort),
            ("dev-s-t-made up".into(), FernetBase64),
            ("dev-s-t-".into(), FernetShape),
            (format!("dev-s-t-gA{}", "A".repeat(82)), FernetShape),
        ] {
            assert_eq!(Sealed::parse(&text), Err(error), "{text}");
            assert!(!error.to_string().contains("made"));
        }
        assert!(Sealed::parse(&format!("lkr1:k1:a8799afa:{DATA}")).is_ok());
    }

    #[test]
    fn a_value_is_kept_to_the_byte_and_debug_hides_it() {
        let text = format!("lkr1:k.1_x-y:a8799afa:{DATA}");
        let sealed = Sealed::parse(&text).unwrap();
        assert_eq!(sealed.as_str(), text);
        assert_eq!(sealed.key_id(), Some("k.1_x-y"));
        assert_eq!(format!("{sealed:?}"), "Sealed(aes-256-gcm, k.1_x-y)");
        assert_eq!(sealed.hash().len(), 64);
    }

    #[test]
    fn the_label_tells_configs_apart_without_a_key() {
        let sealed = Sealed::parse(&format!("lkr1:k1:a8799afa:{DATA}")).unwrap();
        let uae = "E3CA4A84-4CC3-4BE5-8240-34366FE4D0C5".parse().unwrap();
        let india = "cf7a1d26-04aa-4623-8d4e-f4b079cdec6f".parse().unwrap();
        assert!(sealed.is_for(uae));
        assert!(!sealed.is_for(india));
    }

    #[test]
    fn formats_are_read_by_the_names_they_are_written_with() {
        for format in [SecretFormat::Aes256Gcm, SecretFormat::Fernet] {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        assert_eq!("Fernet".parse::<SecretFormat>(), Err(UnknownFormat));
    }
}
