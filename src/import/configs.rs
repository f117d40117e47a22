//! The configs of a database, as far as files can hold them. Core.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::emit;
use super::model::ImportedConfig;
use super::report::EnvSecret;
use crate::fields::{Field, Fields};
use crate::finding::Finding;
use crate::invisible_chars::drop_user_info;
use crate::routing::SecretSource;
use crate::sealed::{SecretFormat, Stored};
use crate::snapshot::LiveConfig;
use crate::source::{self, LoadOptions, Texts};

/// A config row, as far as files can hold it, with what lkroute's own tables
/// add to it.
pub(super) fn read_config(row: &LiveConfig, owned: Option<&Fields>) -> ImportedConfig {
    let mut fields = row.fields.clone();
    fields.take_ours(owned);
    // A file names it by the name of a config that is in the files too.
    let fallback = fields.text(Field::Fallback);
    let fallback = fallback.and_then(|id| Uuid::parse_str(id).ok());
    fields.set(Field::Fallback, None);
    let user_info = take_user_info(&mut fields);
    let config = ImportedConfig {
        id: row.id,
        name: row.fields.text(Field::Name).unwrap_or_default().to_owned(),
        blank: blank_fields(&fields),
        user_info,
        fields,
        fallback,
        secret: Stored::read(row.secret.as_stored().to_owned()),
        refused: None,
        codes: BTreeMap::new(),
    };
    ImportedConfig {
        refused: if row.broken.is_empty() {
            loader_refusal(&config)
        } else {
            Some("its row has broken bytes".to_owned())
        },
        ..config
    }
}

/// What the loader says against a config: asked, rather than known twice.
fn loader_refusal(config: &ImportedConfig) -> Option<String> {
    if drop_user_info(&config.name) != config.name {
        return Some("its name holds the user and password of a URL".to_owned());
    }
    const REGION: &str = "any";
    let mut text = String::new();
    emit::push_region(&mut text, REGION, None, None);
    emit::push_config(
        &mut text,
        config,
        REGION,
        None,
        &config.secret_source("LKROUTE_SECRET_ANY").0,
    );
    let file = ("config.toml".to_owned(), text.into_bytes());
    let loaded = source::load_routing(&Texts::new([file]), &LoadOptions::default());
    let mut errors = loaded.findings.into_iter().filter(Finding::is_error);
    errors.next().map(|error| error.message)
}

/// Drops the user and password of URLs, which no file may hold: the fields that
/// held them.
fn take_user_info(fields: &mut Fields) -> Vec<Field> {
    let mut held = Vec::new();
    for field in Field::OF_CONFIG {
        let text = fields.text(field).unwrap_or_default();
        let kept = drop_user_info(text);
        if field != Field::Name && kept != text {
            let kept = kept.into_owned();
            fields.set_text(field, Some(&kept));
            held.push(field);
        }
    }
    held
}

fn blank_fields(fields: &Fields) -> Vec<Field> {
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
pub(super) fn secret_sources(
    configs: &[ImportedConfig],
    wanted: &[bool],
) -> (BTreeMap<usize, SecretSource>, Vec<EnvSecret>) {
    let mut variables = BTreeSet::new();
    let mut sources = BTreeMap::new();
    let mut missing = Vec::new();
    let mut by_name: Vec<usize> = (0..configs.len()).filter(|ix| wanted[*ix]).collect();
    by_name.sort_unstable_by_key(|ix| &configs[*ix].name);
    for ix in by_name {
        let config = &configs[ix];
        let mut variable = secret_variable(&config.name);
        if variables.contains(&variable) {
            variable = format!("{variable}_{}", &config.id.simple().to_string()[..8]);
        }
        let (source, why) = config.secret_source(&variable);
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
fn secret_variable(name: &str) -> String {
    let capital = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    let name: String = name.chars().map(capital).collect();
    format!("LKROUTE_SECRET_{name}")
}

/// The formats of the sealed secrets of the wanted configs.
pub(super) fn secret_formats(
    configs: &[ImportedConfig],
    wanted: &[bool],
) -> BTreeSet<SecretFormat> {
    let wanted = configs.iter().zip(wanted).filter(|(_, wanted)| **wanted);
    let sealed = wanted.filter_map(|(config, _)| config.secret.sealed());
    sealed.map(|sealed| sealed.format()).collect()
}
