//! What an import gives: the files, and all that is not in them. Core.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use crate::fields::Field;
use crate::invisible_chars::without_user_info;
use crate::phone::E164;

/// How many characters of an odd value are shown.
const SHOWN: usize = 60;

/// The files to write, and what they leave out.
#[derive(Debug, Clone, Default)]
pub struct Import {
    /// That of the database, where it has one.
    pub environment: Option<String>,
    /// By name; empty where there was nothing to import.
    pub files: Vec<ImportFile>,
    pub counts: ImportCounts,
    /// Ids of number rows that were not imported, sorted, by the reason.
    pub not_imported: BTreeMap<Reason, Vec<Uuid>>,
    /// Names of configs that were not imported, each with the reason.
    pub configs_not_imported: BTreeMap<String, String>,
    /// Values in imported rows that stay theirs.
    pub left_out: Vec<LeftOut>,
    /// Blank texts of imported configs, which the files take over as NULL, by
    /// the config's name: what a plan will show beside adoptions.
    pub blank: Vec<(String, Field)>,
    /// Texts of imported configs that the files hold without the user and
    /// password of a URL, by the config's name.
    pub user_info: Vec<(String, Field)>,
    /// Configs whose secret was not written.
    pub env_secrets: Vec<EnvSecret>,
    /// Whether secrets of both formats were imported, so that no
    /// `secrets.format` could be written.
    pub mixed_formats: bool,
    /// Numbers written with the zero that their row has lost, sorted.
    pub restored_zeros: Vec<E164>,
    pub others: Others,
}

/// A TOML file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportFile {
    /// Without a directory: `india.toml`.
    pub name: String,
    pub text: String,
}

/// What is in the files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportCounts {
    pub regions: u64,
    pub configs: u64,
    pub tenants: u64,
    pub numbers: u64,
    /// `[[bindings]]` blocks.
    pub blocks: u64,
}

/// Number rows that are none of lkroute's business, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Others {
    /// Rows without a config.
    pub without_config: u64,
    /// Rows of tenants or configs that were not asked for.
    pub not_asked_for: u64,
}

impl Others {
    pub(super) fn count_row(&mut self, not_asked_for: bool) {
        if not_asked_for {
            self.not_asked_for += 1;
        } else {
            self.without_config += 1;
        }
    }
}

/// Why a number row was not imported.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Reason {
    /// Its config is not there, by the id that `rules` holds.
    #[error("no config has the id {0}")]
    Dangling(String),
    /// `livekit_config` is no id as lkroute writes one: lower case, with
    /// hyphens. Holds the JSON text.
    #[error("livekit_config is no id as lkroute writes one: {0}")]
    OddConfig(String),
    /// Several active rows of a tenant hold the number.
    #[error("{number} is there several times for tenant {tenant}")]
    Duplicate { number: E164, tenant: Uuid },
    /// Its number can't be relied on; says why.
    #[error("the number can't be read: {0}")]
    Unreadable(String),
    /// Its status is neither NULL nor `active`.
    #[error("the status is {0:?}")]
    Inactive(String),
    #[error("rules is no JSON object")]
    RulesNoObject,
    /// Its config was not imported; holds the name.
    #[error("config {0:?} was not imported")]
    ConfigNotImported(String),
}

impl Reason {
    /// Stable, kebab-case, for JSON.
    pub fn code(&self) -> &'static str {
        match self {
            Reason::Dangling(_) => "dangling-config",
            Reason::OddConfig(_) => "odd-config",
            Reason::Duplicate { .. } => "duplicate-rows",
            Reason::Unreadable(_) => "unreadable-number",
            Reason::Inactive(_) => "inactive",
            Reason::RulesNoObject => "rules-no-object",
            Reason::ConfigNotImported(_) => "config-not-imported",
        }
    }
}

/// A value that the files don't declare, so that it stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    pub field: Field,
    /// JSON text, shortened.
    pub value: String,
    pub why: &'static str,
    /// The rows that hold it, sorted.
    pub rows: Vec<Uuid>,
}

/// A config whose secret the files take from the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvSecret {
    pub config: String,
    pub variable: String,
    /// Why the value of the row could not be carried over; never the value.
    pub why: String,
}

/// A value as JSON, shortened.
pub(super) fn shown_value(value: &Value) -> String {
    let text = value.to_string();
    let text = without_user_info(&text).into_owned();
    match text.char_indices().nth(SHOWN) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
