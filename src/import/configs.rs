//! The configs of a database, as far as files can hold them. Core.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::report::EnvSecret;
use crate::fields::{Field, Fields};
use crate::routing::{SecretFormat, SecretSource};
use crate::secrets::{Format, Stored};
use crate::snapshot::LiveConfig;

/// A config row.
#[derive(Debug)]
pub struct Config {
    pub id: Uuid,
    pub name: String,
    pub fields: Fields,
    pub secret: Stored,
    /// Why no file can hold it.
    pub refused: Option<String>,
    /// Fields that hold blank text where files can only leave them out.
    pub blank: Vec<Field>,
    /// How many numbers it serves, by calling code.
    codes: BTreeMap<u16, u64>,
}

impl Config {
    pub fn read(row: &LiveConfig) -> Config {
        Config {
            id: row.id,
            name: row.fields.text(Field::Name).unwrap_or_default().to_owned(),
            fields: row.fields.clone(),
            secret: Stored::read(row.secret.as_stored().to_owned()),
            refused: refusal(&row.fields),
            blank: blank(&row.fields),
            codes: BTreeMap::new(),
        }
    }

    /// Counts a number of that calling code.
    pub fn count(&mut self, calling_code: u16) {
        *self.codes.entry(calling_code).or_default() += 1;
    }

    /// The calling code of most of its numbers; of several, the lowest.
    pub fn main_code(&self) -> Option<u16> {
        let most = self
            .codes
            .iter()
            .max_by_key(|(code, n)| (**n, u16::MAX - **code));
        most.map(|(code, _)| *code)
    }

    /// Why its secret can't be carried over, if so.
    fn secret_trouble(&self) -> Option<String> {
        match &self.secret {
            Stored::Sealed(sealed) if sealed.is_for(self.id) => None,
            Stored::Sealed(_) => Some("it was sealed for another config".to_owned()),
            Stored::Plain(_) => Some("it is plain text in the row".to_owned()),
            Stored::Damaged { error, .. } => Some(format!("it is damaged: {error}")),
        }
    }
}

const REQUIRED: [Field; 3] = [Field::Name, Field::Url, Field::ApiKey];
const OPTIONAL: [Field; 3] = [Field::Description, Field::TrunkId, Field::WorkerName];

/// What the loader would not take.
fn refusal(fields: &Fields) -> Option<String> {
    let value = |field: Field| fields.text(field).unwrap_or_default();
    if let Some(field) = REQUIRED.into_iter().find(|field| is_blank(value(*field))) {
        return Some(format!("its {field} is empty"));
    }
    let controls = |field: &Field| {
        value(*field)
            .chars()
            .any(|c| c.is_control() && c != '\n' && c != '\t')
    };
    let odd = REQUIRED.into_iter().chain(OPTIONAL).find(controls);
    odd.map(|field| format!("its {field} holds control characters"))
}

fn blank(fields: &Fields) -> Vec<Field> {
    let blank = |field: &Field| fields.text(*field).is_some_and(is_blank);
    OPTIONAL.into_iter().filter(blank).collect()
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

/// Where the secrets of the wanted configs come from, by index, and those that
/// are not in the files.
pub fn secrets(
    configs: &[Config],
    wanted: &[bool],
) -> (BTreeMap<usize, SecretSource>, Vec<EnvSecret>) {
    let mut variables = BTreeSet::new();
    let mut sources = BTreeMap::new();
    let mut missing = Vec::new();
    let mut by_name: Vec<usize> = (0..configs.len()).filter(|ix| wanted[*ix]).collect();
    by_name.sort_unstable_by_key(|ix| &configs[*ix].name);
    for ix in by_name {
        let config = &configs[ix];
        let Some(why) = config.secret_trouble() else {
            let text = crate::routing::CipherText::new(config.secret.expose());
            sources.insert(ix, SecretSource::Sealed(text));
            continue;
        };
        let mut variable = variable(&config.name);
        if !variables.insert(variable.clone()) {
            variable = format!("{variable}_{}", &config.id.simple().to_string()[..8]);
            variables.insert(variable.clone());
        }
        sources.insert(ix, SecretSource::Env(variable.clone()));
        missing.push(EnvSecret {
            config: config.name.clone(),
            variable,
            why,
        });
    }
    (sources, missing)
}

/// `LKROUTE_SECRET_` and the config's name in capitals.
fn variable(name: &str) -> String {
    let capital = |c: char| match c.is_ascii_alphanumeric() {
        true => c.to_ascii_uppercase(),
        false => '_',
    };
    let name: String = name.chars().map(capital).collect();
    format!("LKROUTE_SECRET_{name}")
}

/// The formats of the sealed secrets of the wanted configs.
pub fn formats(configs: &[Config], wanted: &[bool]) -> BTreeSet<&'static str> {
    let wanted = configs.iter().zip(wanted).filter(|(_, wanted)| **wanted);
    wanted
        .filter_map(|(config, _)| config.secret.sealed())
        .map(|sealed| match sealed.format() {
            Format::Aes256Gcm => SecretFormat::Aes256Gcm.as_str(),
            Format::Fernet => SecretFormat::Fernet.as_str(),
        })
        .collect()
}
