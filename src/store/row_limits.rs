//! Whether the application's tables can hold the rows that a plan writes, as far
//! as the catalogue of the database says so: told before anybody approves it.
//! Imports core.

use std::collections::BTreeMap;

use super::schema::{CONFIGS, NUMBERS};
use crate::address::Address;
use crate::diff::plan::{Action, Change, Object, Plan};
use crate::error::{Error, Result};
use crate::fields::Field;
use crate::lookup::{CONFIG_COLUMNS, ColumnLimit, NUMBER_COLUMNS};

/// What the columns of the application's two tables take.
#[derive(Debug, Clone, Default)]
pub struct RowLimits {
    /// Of the database.
    label: String,
    /// By table and column.
    columns: BTreeMap<(String, String), ColumnLimit>,
}

impl RowLimits {
    pub(super) fn new(
        label: &str,
        columns: impl IntoIterator<Item = ((String, String), ColumnLimit)>,
    ) -> RowLimits {
        RowLimits {
            label: label.to_owned(),
            columns: columns.into_iter().collect(),
        }
    }

    /// Columns of others without which there can be no new row, each in words.
    pub fn needed(&self) -> Vec<String> {
        let tables = [NUMBERS, CONFIGS].into_iter();
        let each = tables.filter_map(|table| {
            let column = self.needed_in(table)?;
            Some(format!(
                "{}: {table}.{column} is NOT NULL without a default: no row can be created there",
                self.label
            ))
        });
        each.collect()
    }

    fn needed_in(&self, table: &str) -> Option<&str> {
        let is_ours = |column: &str| match table {
            NUMBERS => NUMBER_COLUMNS.contains(&column),
            _ => column == "id" || CONFIG_COLUMNS.contains(&column),
        };
        let mut columns = self.columns.iter();
        let needed = columns.find(|((of, column), limit)| {
            of == table && limit.not_null && !limit.has_default && !is_ours(column)
        });
        needed.map(|((_, column), _)| column.as_str())
    }

    /// Looks at all that a plan writes; one in conflict writes nothing.
    ///
    /// # Errors
    /// The first value that its column can't hold.
    pub fn check(&self, plan: &Plan) -> Result<()> {
        match self.check_changes(plan) {
            Err(_) if plan.conflicts().next().is_some() => Ok(()),
            checked => checked,
        }
    }

    fn check_changes(&self, plan: &Plan) -> Result<()> {
        let are_keys_limited = ["country_code", "base_number"].iter().any(|column| {
            let limit = self.limit(NUMBERS, column);
            limit.is_some_and(|limit| limit.longest.or(limit.digits).is_some_and(|most| most < 15))
        });
        // A million rows have few patches.
        let mut seen = vec![[false; 2]; plan.patches.len()];
        for change in &plan.changes {
            let table = match change.object {
                Object::Region(_) => continue,
                Object::Config(_) => CONFIGS,
                Object::Binding { .. } => NUMBERS,
            };
            if are_keys_limited && change.insert {
                self.check_key(plan, change)?;
            }
            let seen = &mut seen[change.patch as usize][usize::from(change.insert)];
            if !std::mem::replace(seen, true) || table == CONFIGS {
                self.check_fields(plan, change, table)?;
            }
        }
        Ok(())
    }

    fn limit(&self, table: &str, column: &str) -> Option<&ColumnLimit> {
        self.columns.get(&(table.to_owned(), column.to_owned()))
    }

    fn check_key(&self, plan: &Plan, change: &Change) -> Result<()> {
        let Object::Binding { number, .. } = change.object else {
            return Ok(());
        };
        let key = number.row_key();
        let base = key.base_number().to_string();
        let of = || plan.address(change.object);
        self.check_value((NUMBERS, "country_code"), Some(&key.country_code()), of)?;
        self.check_value((NUMBERS, "base_number"), Some(&base), of)
    }

    fn check_fields(&self, plan: &Plan, change: &Change, table: &str) -> Result<()> {
        let of = || plan.address(change.object);
        if change.insert
            && let Some(column) = self.needed_in(table)
        {
            return Err(Error::new(format!(
                "{}: {table}.{column} is NOT NULL without a default, so {} can't be created",
                self.label,
                of()
            ))
            .hint("give the column a default, or let it be NULL: lkroute has no value for it"));
        }
        if change.action == Action::Delete && table == CONFIGS {
            return Ok(());
        }
        let fields = &plan.patch(change).fields;
        let columns: &[Field] = match table {
            NUMBERS => &[Field::Provider, Field::Status],
            _ => &Field::COLUMNS_OF_CONFIG,
        };
        for field in columns {
            let written = fields.iter().find(|written| written.field == *field);
            let written = written.filter(|written| written.kind.writes());
            // A secret is sealed when it is written, and a status always given.
            let column = field.column().filter(|_| *field != Field::ApiSecret);
            let Some(column) = column else {
                continue;
            };
            match written {
                Some(written) => {
                    let text = written.after.as_ref().and_then(|value| value.as_str());
                    self.check_value((table, column), text, of)?;
                }
                None if change.insert && *field != Field::Status => {
                    self.check_value((table, column), None, of)?;
                }
                None => {}
            }
        }
        Ok(())
    }

    fn check_value(
        &self,
        (table, column): (&str, &str),
        value: Option<&str>,
        of: impl Fn() -> Address,
    ) -> Result<()> {
        let Some(limit) = self.limit(table, column) else {
            return Ok(());
        };
        let Some(value) = value else {
            if !limit.not_null {
                return Ok(());
            }
            return Err(Error::new(format!(
                "{}: {table}.{column} is NOT NULL, and {} has no value for it",
                self.label,
                of()
            ))
            .hint("declare one, or let the column be NULL"));
        };
        if !limit.labels.is_empty() && !limit.labels.iter().any(|label| label == value) {
            return Err(Error::new(format!(
                "{}: {table}.{column} is {}, which lacks `{value}`, the value of {}",
                self.label,
                limit.shown,
                of()
            ))
            .hint("declare a value that the type has, or add this one to it"));
        }
        let most = limit.longest.or(limit.digits);
        if most.is_none_or(|most| value.chars().count() as u64 <= most) {
            return Ok(());
        }
        Err(Error::new(format!(
            "{}: {table}.{column} is {}, too short for the value of {}",
            self.label,
            limit.shown,
            of()
        ))
        .hint("declare a shorter value, or let the column take longer ones"))
    }
}
