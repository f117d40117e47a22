//! The rows that a statement gives as one JSON text. Core.

use std::borrow::Cow;

use serde_json::Value;
use uuid::Uuid;

use crate::fields::Fields;

/// One row, as an array of its columns; null is NULL.
pub(super) struct JsonRow<'a>(&'a [Value]);

const NO_ROWS: &[Value] = &[];

impl<'a> JsonRow<'a> {
    /// A row. SQLite may hand on a row within a row as its text: see [`unfold`].
    pub(super) fn read(row: &'a Value) -> Result<JsonRow<'a>, String> {
        let row = row.as_array().ok_or("a row is no array")?;
        Ok(JsonRow(row))
    }

    /// Rows: an array of them, or null for none.
    pub(super) fn read_all(
        rows: &'a Value,
    ) -> Result<impl Iterator<Item = Result<JsonRow<'a>, String>>, String> {
        let rows = match rows {
            Value::Null => NO_ROWS,
            rows => rows.as_array().ok_or("rows are no array")?,
        };
        Ok(rows.iter().map(JsonRow::read))
    }

    pub(super) fn cell(&self, ix: usize) -> Result<Option<&'a Value>, String> {
        let cell = self.0.get(ix).ok_or_else(|| odd(ix, "is not there"))?;
        Ok(Some(cell).filter(|cell| !cell.is_null()))
    }

    pub(super) fn text(&self, ix: usize) -> Result<Option<&'a str>, String> {
        let cell = self.cell(ix)?;
        cell.map(|cell| cell.as_str().ok_or_else(|| odd(ix, "is no text")))
            .transpose()
    }

    pub(super) fn int(&self, ix: usize) -> Result<Option<i64>, String> {
        let cell = self.cell(ix)?;
        cell.map(|cell| cell.as_i64().ok_or_else(|| odd(ix, "is no integer")))
            .transpose()
    }

    pub(super) fn uuid(&self, ix: usize) -> Result<Option<Uuid>, String> {
        let text = self.text(ix)?;
        text.map(|text| Uuid::parse_str(text).map_err(|_| odd(ix, "is no uuid")))
            .transpose()
    }

    pub(super) fn flag(&self, ix: usize) -> Result<bool, String> {
        match self.cell(ix)? {
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(Value::Number(number)) => Ok(number.as_i64() != Some(0)),
            _ => Err(odd(ix, "is no truth value")),
        }
    }

    pub(super) fn some_text(&self, ix: usize) -> Result<&'a str, String> {
        self.text(ix)?.ok_or_else(|| odd(ix, "is NULL"))
    }

    pub(super) fn some_uuid(&self, ix: usize) -> Result<Uuid, String> {
        self.uuid(ix)?.ok_or_else(|| odd(ix, "is NULL"))
    }
}

fn odd(ix: usize, what: &str) -> String {
    format!("column {}: {what}", ix + 1)
}

/// A row within a row, which SQLite gives as its text.
pub(super) fn unfold(cell: Option<&Value>) -> Result<Option<Cow<'_, Value>>, String> {
    match cell {
        None => Ok(None),
        Some(Value::String(text)) => read_document(text).map(Cow::Owned).map(Some),
        Some(other) => Ok(Some(Cow::Borrowed(other))),
    }
}

/// What a statement gave.
pub(super) fn read_document(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))
}

/// The JSON text of [`Fields::to_json`].
pub(super) fn read_fields(text: &str) -> Result<Fields, String> {
    serde_json::from_str(text).map_err(|error| format!("fields: {error}"))
}
