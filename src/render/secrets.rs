//! Where secrets live, and whether they open: never what they are. Imports
//! core, and values of `app`.

use schemars::JsonSchema;
use serde::Serialize;

use super::escape::visible;
use super::json::{ErrorReport, FORMAT_VERSION};
use super::style::{ADDED, BOLD, CHANGED, DIM, ERROR, paint};
use crate::app::secret_list::{ListedSecret, ListedValue};
use crate::error::Error;

/// `secrets list --format json`. Keys are always there.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct SecretsReport {
    pub format_version: u32,
    pub environment: Option<String>,
    /// By name.
    pub secrets: Vec<ListedSecret>,
    pub error: Option<ErrorReport>,
}

impl SecretsReport {
    pub fn new(environment: Option<&str>, secrets: Vec<ListedSecret>) -> SecretsReport {
        SecretsReport {
            format_version: FORMAT_VERSION,
            environment: environment.map(str::to_owned),
            secrets,
            error: None,
        }
    }

    pub fn failed(error: &Error) -> SecretsReport {
        SecretsReport {
            error: Some(error.into()),
            ..SecretsReport::new(None, Vec::new())
        }
    }
}

/// A line for each value; one where files and database hold the same kind.
pub fn secrets_text(report: &SecretsReport) -> String {
    let title = ["CONFIG", "WHERE", "FORMAT", "KEY", "STATE"];
    let mut title = title.map(str::to_owned);
    if let Some(environment) = &report.environment {
        title[0] += &format!(" OF {environment}");
    }
    let mut rows = vec![title];
    for secret in &report.secrets {
        let row = |place: &str, value: &ListedValue| {
            let format = match value.format {
                Some(format) => format.to_owned(),
                None => value.source.clone(),
            };
            let key = value.key.clone().unwrap_or_else(|| "-".to_owned());
            let place = place.to_owned();
            [
                visible(&secret.config),
                place,
                visible(&format),
                visible(&key),
                value.state.to_owned(),
            ]
        };
        match (&secret.in_files, &secret.in_database) {
            (Some(files), Some(database)) if files == database => rows.push(row("both", files)),
            (files, database) => {
                rows.extend(files.iter().map(|value| row("files", value)));
                rows.extend(database.iter().map(|value| row("database", value)));
            }
        }
    }
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or_default()
    };
    let widths = [width(0), width(1), width(2), width(3)];
    let mut text = String::new();
    for (ix, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line += &format!("{cell:<width$}  ");
        }
        let state = match (ix, row[4].as_str()) {
            (0, state) => state.to_owned(),
            (_, "opens" | "at hand") => paint(ADDED, &row[4]),
            (_, "no key" | "not at hand") => paint(CHANGED, &row[4]),
            _ => paint(ERROR, &row[4]),
        };
        text += &match ix {
            0 => paint(BOLD, line + &state),
            _ => line + &state,
        };
        text.push('\n');
    }
    if report.secrets.is_empty() {
        paint(DIM, "There is no config yet.") + "\n"
    } else {
        text
    }
}
