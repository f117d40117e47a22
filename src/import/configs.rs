//! The configs of a database, as far as files can hold them. Core.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::emit;
use super::report::EnvSecret;
use crate::fields::{Field, Fields};
use crate::finding::Finding;
use crate::routing::{CipherText, SecretSource};
use crate::secrets::{Format, Stored};
use crate::snapshot::LiveConfig;
use crate::source::{self, LoadOptions, Texts};

/// A config row.
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
        let config = Config {
            id: row.id,
            name: row.fields.text(Field::Name).unwrap_or_default().to_owned(),
            fields: row.fields.clone(),
            secret: Stored::read(row.secret.as_stored().to_owned()),
            refused: None,
            blank: blank(&row.fields),
            codes: BTreeMap::new(),
        };
        Config {
            refused: refusal(&config),
            ..config
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

    /// Where the file takes the secret from: the sealed value itself, else a
    /// variable, and why.
    fn source(&self, variable: &str) -> (SecretSource, Option<String>) {
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

/// What the loader says against a config: asked, rather than known twice.
fn refusal(config: &Config) -> Option<String> {
    const REGION: &str = "any";
    let mut text = String::new();
    emit::region(&mut text, REGION, None, None);
    emit::config(
        &mut text,
        config,
        REGION,
        &config.source("LKROUTE_SECRET").0,
    );
    let file = ("config.toml".to_owned(), text.into_bytes());
    let loaded = source::load(&Texts::new([file]), &LoadOptions::default());
    let mut errors = loaded.findings.into_iter().filter(Finding::is_error);
    errors.next().map(|error| error.message)
}

fn blank(fields: &Fields) -> Vec<Field> {
    let blank = |field: &Field| fields.text(*field).is_some_and(is_blank);
    Field::OPTIONAL_OF_CONFIG
        .into_iter()
        .filter(blank)
        .collect()
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
        let mut variable = variable(&config.name);
        if variables.contains(&variable) {
            variable = format!("{variable}_{}", &config.id.simple().to_string()[..8]);
        }
        let (source, why) = config.source(&variable);
        sources.insert(ix, source);
        if let Some(why) = why {
            variables.insert(variable.clone());
            missing.push(EnvSecret {
                config: config.name.clone(),
                variable,
                why,
            });
        }
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
pub fn formats(configs: &[Config], wanted: &[bool]) -> BTreeSet<Format> {
    let wanted = configs.iter().zip(wanted).filter(|(_, wanted)| **wanted);
    let sealed = wanted.filter_map(|(config, _)| config.secret.sealed());
    sealed.map(|sealed| sealed.format()).collect()
}
