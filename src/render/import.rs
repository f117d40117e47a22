//! What an import wrote and what it left behind, as text and JSON. Imports
//! core.

use schemars::JsonSchema;
use serde::Serialize;

use super::escape::visible;
use super::json::{ErrorReport, FORMAT_VERSION};
use super::style::{BOLD, DIM, counted, paint, thousands, wrapped};
use super::text::View;
use crate::fields::Field;
use crate::import::Import;

/// So many rows of a kind are named in text.
const NAMED: usize = 5;

/// Something to know about an import: a sentence, and what it is about.
struct Item {
    text: String,
    names: Vec<String>,
}

impl Item {
    fn new(text: String, names: impl IntoIterator<Item = String>) -> Item {
        Item {
            text: visible(&text),
            names: names.into_iter().map(|name| visible(&name)).collect(),
        }
    }
}

/// The report as people read it. `paths` are those of the files written.
pub(crate) fn text(import: &Import, paths: &[String], view: View) -> String {
    let mut text = format!("{}\n", paint(BOLD, visible(&import_headline(import))));
    if view.quiet {
        return text;
    }
    for path in paths {
        text += &format!("  {}\n", visible(path));
    }
    let sections = [
        ("Not imported", not_imported(import)),
        ("Left as it is in the rows imported", left_out(import)),
        ("To know", import_notes(import)),
    ];
    for (title, items) in sections {
        if items.is_empty() {
            continue;
        }
        text += &format!("\n{}\n", paint(BOLD, title));
        items.iter().for_each(|item| text += &draw_item(item, view));
    }
    text
}

fn import_headline(import: &Import) -> String {
    let counts = &import.counts;
    if import.files.is_empty() {
        return "Nothing to import".to_owned();
    }
    let environment = import.environment.as_ref();
    let from = environment.map_or(String::new(), |name| format!(" from {name}"));
    format!(
        "Imported {} and {} of {}{from} into {}",
        counted(counts.configs, "config"),
        counted(counts.numbers, "number"),
        counted(counts.tenants, "tenant"),
        counted(import.files.len() as u64, "file"),
    )
}

fn draw_item(item: &Item, view: View) -> String {
    let mut text = format!(
        "  {}\n",
        wrapped(&item.text, view.width.saturating_sub(2), 2)
    );
    let shown = if view.full { item.names.len() } else { NAMED };
    for name in item.names.iter().take(shown) {
        text += &format!("    {}\n", paint(DIM, name));
    }
    let more = item.names.len().saturating_sub(shown) as u64;
    if more > 0 {
        let more = format!("and {} more: --format json lists them all", thousands(more));
        text += &format!("    {}\n", paint(DIM, more));
    }
    text
}

fn not_imported(import: &Import) -> Vec<Item> {
    let configs = import.configs_not_imported.iter();
    let configs = configs.map(|(name, why)| Item::new(format!("config {name}: {why}"), []));
    let rows = import.not_imported.iter().map(|(reason, rows)| {
        let text = format!("{}: {reason}", counted(rows.len() as u64, "row"));
        Item::new(text, rows.iter().map(ToString::to_string))
    });
    let others = [
        (import.others.without_config, "without a config"),
        (import.others.not_asked_for, "that were not asked for"),
    ];
    let others = others.into_iter().filter(|(count, _)| *count > 0);
    let others =
        others.map(|(count, what)| Item::new(format!("{} {what}", counted(count, "row")), []));
    configs.chain(rows).chain(others).collect()
}

fn left_out(import: &Import) -> Vec<Item> {
    let values = import.left_out.iter().map(|left| {
        let rows = counted(left.rows.len() as u64, "row");
        let text = format!("{} = {} in {rows}: {}", left.field, left.value, left.why);
        Item::new(text, left.rows.iter().map(ToString::to_string))
    });
    values.collect()
}

fn import_notes(import: &Import) -> Vec<Item> {
    let secrets = import.env_secrets.iter().map(|secret| {
        let text = format!(
            "the secret of {} was not written: {}; the file takes it from {}, \
             so set that before a plan",
            secret.config, secret.why, secret.variable
        );
        Item::new(text, [])
    });
    let blanks = import.blank.iter().map(|(config, field)| {
        let text = format!("{field} of {config} is blank text: an apply makes it NULL");
        Item::new(text, [])
    });
    let zeros = (!import.restored_zeros.is_empty()).then(|| {
        let count = counted(import.restored_zeros.len() as u64, "number");
        let text = format!("{count} written with the leading zero that the column can't hold");
        Item::new(text, import.restored_zeros.iter().map(ToString::to_string))
    });
    let mixed = import.mixed_formats.then(|| {
        let text = "the secrets are of both formats, so `secrets.format` is not set: \
                    set it before a secret is written"
            .to_owned();
        Item::new(text, [])
    });
    let user_info = import.user_info.iter().map(|(config, field)| {
        let text = format!(
            "{field} of {config} held the user and password of a URL, which the file leaves \
             out: an apply takes them out of the row"
        );
        Item::new(text, [])
    });
    secrets
        .chain(blanks)
        .chain(user_info)
        .chain(zeros)
        .chain(mixed)
        .collect()
}

/// The report for machines.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ImportReport<'a> {
    pub format_version: u32,
    /// That of the database, where it has one.
    pub environment: Option<&'a str>,
    /// Paths of the files written.
    pub files: &'a [String],
    pub summary: SummaryReport,
    pub not_imported: Vec<RowsReport>,
    pub configs_not_imported: Vec<ConfigReport<'a>>,
    pub left_out: Vec<LeftOutReport<'a>>,
    pub blank: Vec<ImportedFieldReport<'a>>,
    /// Texts that the files hold without the user and password of a URL.
    pub user_info: Vec<ImportedFieldReport<'a>>,
    pub secrets: Vec<SecretReport<'a>>,
    pub mixed_secret_formats: bool,
    pub restored_zeros: Vec<String>,
    pub error: Option<ErrorReport>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SummaryReport {
    pub regions: u64,
    pub configs: u64,
    pub tenants: u64,
    pub numbers: u64,
    pub bindings: u64,
    pub not_imported: u64,
    pub without_config: u64,
    pub not_asked_for: u64,
}

/// Number rows that were not imported for one reason.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RowsReport {
    /// Stable: `duplicate-rows`.
    pub reason: &'static str,
    pub message: String,
    pub rows: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ConfigReport<'a> {
    pub config: &'a str,
    pub message: &'a str,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LeftOutReport<'a> {
    pub field: &'static str,
    /// JSON text, shortened.
    pub value: &'a str,
    pub message: &'static str,
    pub rows: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "FieldReport")]
pub(crate) struct ImportedFieldReport<'a> {
    pub config: &'a str,
    pub field: &'static str,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SecretReport<'a> {
    pub config: &'a str,
    pub variable: &'a str,
    pub message: &'a str,
}

impl<'a> ImportReport<'a> {
    pub(crate) fn new(import: &'a Import, paths: &'a [String]) -> ImportReport<'a> {
        let ids = |rows: &[uuid::Uuid]| rows.iter().map(ToString::to_string).collect();
        let not_imported = import.not_imported.iter().map(|(reason, rows)| RowsReport {
            reason: reason.code(),
            message: reason.to_string(),
            rows: ids(rows),
        });
        let configs = import.configs_not_imported.iter();
        let configs = configs.map(|(config, message)| ConfigReport { config, message });
        let left_out = import.left_out.iter().map(|left| LeftOutReport {
            field: left.field.as_str(),
            value: &left.value,
            message: left.why,
            rows: ids(&left.rows),
        });
        let named = |(config, field): &'a (String, Field)| ImportedFieldReport {
            config,
            field: field.as_str(),
        };
        let secrets = import.env_secrets.iter().map(|secret| SecretReport {
            config: &secret.config,
            variable: &secret.variable,
            message: &secret.why,
        });
        ImportReport {
            format_version: FORMAT_VERSION,
            environment: import.environment.as_deref(),
            files: paths,
            summary: summary(import),
            not_imported: not_imported.collect(),
            configs_not_imported: configs.collect(),
            left_out: left_out.collect(),
            blank: import.blank.iter().map(named).collect(),
            user_info: import.user_info.iter().map(named).collect(),
            secrets: secrets.collect(),
            mixed_secret_formats: import.mixed_formats,
            restored_zeros: import
                .restored_zeros
                .iter()
                .map(ToString::to_string)
                .collect(),
            error: None,
        }
    }
}

fn summary(import: &Import) -> SummaryReport {
    let (counts, others) = (&import.counts, &import.others);
    SummaryReport {
        regions: counts.regions,
        configs: counts.configs,
        tenants: counts.tenants,
        numbers: counts.numbers,
        bindings: counts.blocks,
        not_imported: import
            .not_imported
            .values()
            .map(|rows| rows.len() as u64)
            .sum(),
        without_config: others.without_config,
        not_asked_for: others.not_asked_for,
    }
}
