//! Whether the columns of the application's tables can be read and written as
//! they are. Core.

use super::columns::{ColumnKind, Columns};
use super::names::{CONFIG_COLUMNS, CONFIGS, NUMBERS};

/// A column, the types that do, and these in words.
type ExpectedColumn = (&'static str, fn(&ColumnKind) -> bool, &'static str);

impl Columns {
    /// Whether binary COPY writes into the table of numbers, and the right bytes.
    pub fn take_copy(&self) -> bool {
        let is = |name: &str, wanted: &[ColumnKind]| {
            self.kind(NUMBERS, name)
                .is_some_and(|kind| wanted.contains(kind))
        };
        !self.are_numbers_secured
            && is("id", &[ColumnKind::Uuid])
            && is("tenant_id", &[ColumnKind::Uuid])
            && is("country_code", &[ColumnKind::Text])
            && is("base_number", &[ColumnKind::Wide])
            && is("provider", &[ColumnKind::Text])
            && is("status", &[ColumnKind::Text])
            && is("rules", &[ColumnKind::Jsonb])
    }

    /// What can't be read or written as it is.
    pub fn problem(&self) -> Option<String> {
        if self.no_table.is_some() {
            return self.no_table.clone();
        }
        let labels = [String::from("active"), String::from("inactive")];
        let numbers: [ExpectedColumn; 7] = [
            ("id", is_id, "uuid or text"),
            ("tenant_id", is_id, "uuid or text"),
            (
                "country_code",
                |kind| {
                    matches!(
                        kind,
                        ColumnKind::Text | ColumnKind::Wide | ColumnKind::Int | ColumnKind::Numeric
                    )
                },
                "text, or a number",
            ),
            (
                "base_number",
                |kind| {
                    matches!(
                        kind,
                        ColumnKind::Text | ColumnKind::Wide | ColumnKind::Numeric
                    )
                },
                "bigint, numeric or text",
            ),
            ("provider", is_words, "text or an enum"),
            ("status", is_words, "text or an enum"),
            (
                "rules",
                |kind| matches!(kind, ColumnKind::Jsonb | ColumnKind::Json),
                "jsonb or json",
            ),
        ];
        let configs = CONFIG_COLUMNS.into_iter();
        let configs = configs.map(|name| (name, is_text as fn(&ColumnKind) -> bool, "text"));
        let configs = configs.chain([("id", is_id as fn(&ColumnKind) -> bool, "uuid or text")]);
        let numbers = numbers.into_iter().map(|column| (NUMBERS, column));
        let all = numbers.chain(configs.map(|column| (CONFIGS, column)));
        for (table, (name, fits, wanted)) in all {
            // A table that is not there yet is one that a migration creates.
            if !self.known.keys().any(|(known, _)| *known == table) {
                continue;
            }
            let Some(column) = self.known.get(&(table, name.to_owned())) else {
                // The one that a migration adds.
                if name == "worker_name" {
                    continue;
                }
                return Some(format!("{table} has no column {name}"));
            };
            if !fits(&column.kind) {
                let shown = &column.limit.shown;
                return Some(format!("{table}.{name} is {shown}, not {wanted}"));
            }
            if column.generated {
                return Some(format!("{table}.{name} is generated, and can't be written"));
            }
            if let (ColumnKind::Enum(known), "status") = (&column.kind, name)
                && let Some(label) = labels.iter().find(|label| !known.contains(label))
            {
                return Some(format!(
                    "{table}.status is {}, which lacks `{label}`",
                    column.limit.shown
                ));
            }
            if let ("status", Some(longest)) = (name, column.limit.longest)
                && let Some(label) = labels.iter().find(|label| label.len() as u64 > longest)
            {
                return Some(format!(
                    "{table}.status is {}, too short for `{label}`",
                    column.limit.shown
                ));
            }
        }
        None
    }
}

fn is_id(kind: &ColumnKind) -> bool {
    matches!(kind, ColumnKind::Uuid | ColumnKind::Text)
}

fn is_text(kind: &ColumnKind) -> bool {
    *kind == ColumnKind::Text
}

fn is_words(kind: &ColumnKind) -> bool {
    matches!(kind, ColumnKind::Text | ColumnKind::Enum(_))
}
