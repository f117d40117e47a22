//! The values that the files of this room share. Core.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::fields::{Field, Fields};
use crate::phone::RowKey;
use crate::routing::{CipherText, SecretSource};
use crate::sealed::Stored;

/// A config row.
pub(super) struct ImportedConfig {
    pub id: Uuid,
    pub name: String,
    pub fields: Fields,
    /// The config that takes its calls where its server can't be reached.
    pub fallback: Option<Uuid>,
    pub secret: Stored,
    /// Why no file can hold it.
    pub refused: Option<String>,
    /// Fields that hold blank text where files can only leave them out.
    pub blank: Vec<Field>,
    /// Fields whose text holds the user and password of a URL in the row, and
    /// not here.
    pub user_info: Vec<Field>,
    /// How many numbers it serves, by calling code.
    pub codes: BTreeMap<u16, u64>,
}

impl ImportedConfig {
    /// Counts a number of that calling code.
    pub(super) fn count_number(&mut self, calling_code: u16) {
        *self.codes.entry(calling_code).or_default() += 1;
    }

    /// The calling code of most of its numbers; of several, the lowest.
    pub(super) fn main_code(&self) -> Option<u16> {
        let most = self
            .codes
            .iter()
            .max_by_key(|(code, n)| (**n, u16::MAX - **code));
        most.map(|(code, _)| *code)
    }

    /// Where the file takes the secret from: the sealed value itself, else a
    /// variable, and why.
    pub(super) fn secret_source(&self, variable: &str) -> (SecretSource, Option<String>) {
        let why = match &self.secret {
            Stored::Sealed(sealed) if sealed.is_for(self.id) => {
                let text = CipherText::new(sealed.as_str());
                return (SecretSource::Sealed(text), None);
            }
            Stored::Sealed(_) => "it was sealed for another config".to_owned(),
            Stored::Plain(_) => "it is plain text in the row".to_owned(),
            Stored::Damaged { error, .. } => format!("it is damaged: {error}"),
        };
        (SecretSource::Env(variable.to_owned()), Some(why))
    }
}

/// What a binding declares: its config, and the values that are usable.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ImportedSettings {
    /// Index of the config.
    pub config: u32,
    pub fields: Fields,
}

/// A number to import. Ordered so that what is declared together lies
/// together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bound {
    /// Index into the settings of [`super::settings_reader::SettingsReader`].
    pub settings: u32,
    pub tenant: u32,
    pub key: RowKey,
}
