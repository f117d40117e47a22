//! Numbers in a list: for people in columns, for machines in full. Imports
//! core, and values of `app`.

use schemars::JsonSchema;
use serde::Serialize;

use super::escape::visible;
use super::json::FORMAT_VERSION;
use super::style::{DIM, paint};
use crate::app::list::ListedNumber;

/// `list`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ListReport {
    pub format_version: u32,
    /// That of the database or of `--env`, where there is one.
    pub environment: Option<String>,
    /// `database` or `files`.
    pub source: &'static str,
    pub numbers: Vec<ListedNumber>,
}

impl ListReport {
    pub(crate) fn new(source: &'static str, numbers: Vec<ListedNumber>) -> ListReport {
        ListReport {
            format_version: FORMAT_VERSION,
            environment: None,
            source,
            numbers,
        }
    }
}

/// A line for each number, in columns as wide as they have to be; where that
/// is too wide, the last column gets lines of its own.
pub(crate) fn listing_text(numbers: &[ListedNumber], width: usize) -> String {
    let rows: Vec<[String; 3]> = numbers.iter().map(number_cells).collect();
    let wide = |ix: usize| {
        let cells = rows.iter().map(|row| row[ix].chars().count());
        cells.max().unwrap_or(0)
    };
    let (first, second, third) = (wide(0), wide(1), wide(2));
    let rests: Vec<String> = numbers.iter().map(last_column).collect();
    let last = rests
        .iter()
        .map(|rest| plain_width(rest))
        .max()
        .unwrap_or(0);
    let (third, gap) = if first + second + third + last + 6 <= width {
        (third, "  ")
    } else {
        (0, "\n    ")
    };
    let mut text = String::new();
    for (rest, [one, two, three]) in rests.iter().zip(&rows) {
        let line = format!("{one:first$}  {two:second$}  {three:third$}{gap}{rest}");
        text += line.trim_end();
        text.push('\n');
    }
    text
}

fn plain_width(text: &str) -> usize {
    anstream::adapter::strip_str(text)
        .to_string()
        .chars()
        .count()
}

fn number_cells(number: &ListedNumber) -> [String; 3] {
    let tenant = number.tenant_alias.as_ref().unwrap_or(&number.tenant);
    [
        number
            .number
            .clone()
            .unwrap_or_else(|| "unreadable".to_owned()),
        visible(tenant),
        number.config.as_deref().map_or("-".to_owned(), visible),
    ]
}

fn last_column(number: &ListedNumber) -> String {
    let mut parts = Vec::new();
    if number.status != "active" {
        parts.push(visible(&number.status));
    }
    if let Some(rollout) = &number.rollout {
        parts.push(format!("by rollout {}", visible(rollout)));
    }
    if let (Some(file), Some(line)) = (&number.file, number.line) {
        parts.push(paint(DIM, format!("{}:{line}", visible(file))));
    }
    parts.join("  ")
}
