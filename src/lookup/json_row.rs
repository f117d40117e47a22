//! The rows that a statement gives as one JSON text. Core.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use uuid::Uuid;

use crate::fields::Fields;

/// What stands in a statement's JSON text. Texts are those of the document itself, where
/// nothing in them is escaped: a look-up is read for each call.
#[derive(Debug, Clone, Default)]
pub(super) enum JsonCell<'a> {
    #[default]
    Null,
    Flag(bool),
    Int(i64),
    Text(Cow<'a, str>),
    List(Vec<JsonCell<'a>>),
    /// What no statement gives: a fraction, an object.
    Other,
}

/// One row, as an array of its columns; null is NULL.
pub(super) struct JsonRow<'a>(&'a [JsonCell<'a>]);

impl<'a> JsonRow<'a> {
    /// A row. SQLite may hand on a row within a row as its text: see [`unfold`].
    pub(super) fn read(row: &'a JsonCell<'a>) -> Result<JsonRow<'a>, String> {
        match row {
            JsonCell::List(row) => Ok(JsonRow(row)),
            _ => Err("a row is no array".to_owned()),
        }
    }

    /// Rows: an array of them, or null for none.
    pub(super) fn read_all(
        rows: &'a JsonCell<'a>,
    ) -> Result<impl Iterator<Item = Result<JsonRow<'a>, String>>, String> {
        let rows = match rows {
            JsonCell::Null => &[],
            JsonCell::List(rows) => rows.as_slice(),
            _ => return Err("rows are no array".to_owned()),
        };
        Ok(rows.iter().map(JsonRow::read))
    }

    /// None where there are fewer.
    pub(super) fn get(&self, ix: usize) -> Option<&'a JsonCell<'a>> {
        self.0.get(ix)
    }

    pub(super) fn cell(&self, ix: usize) -> Result<Option<&'a JsonCell<'a>>, String> {
        let cell = self.get(ix).ok_or_else(|| odd(ix, "is not there"))?;
        Ok(Some(cell).filter(|cell| !matches!(cell, JsonCell::Null)))
    }

    pub(super) fn text(&self, ix: usize) -> Result<Option<&'a str>, String> {
        match self.cell(ix)? {
            None => Ok(None),
            Some(JsonCell::Text(text)) => Ok(Some(text)),
            Some(_) => Err(odd(ix, "is no text")),
        }
    }

    pub(super) fn int(&self, ix: usize) -> Result<Option<i64>, String> {
        match self.cell(ix)? {
            None => Ok(None),
            Some(JsonCell::Int(number)) => Ok(Some(*number)),
            Some(_) => Err(odd(ix, "is no integer")),
        }
    }

    pub(super) fn uuid(&self, ix: usize) -> Result<Option<Uuid>, String> {
        let text = self.text(ix)?;
        text.map(|text| Uuid::parse_str(text).map_err(|_| odd(ix, "is no uuid")))
            .transpose()
    }

    pub(super) fn flag(&self, ix: usize) -> Result<bool, String> {
        match self.cell(ix)? {
            Some(JsonCell::Flag(flag)) => Ok(*flag),
            Some(JsonCell::Int(number)) => Ok(*number != 0),
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
pub(super) fn unfold<'a>(
    cell: Option<&'a JsonCell<'a>>,
) -> Result<Option<Cow<'a, JsonCell<'a>>>, String> {
    match cell {
        None => Ok(None),
        Some(JsonCell::Text(text)) => read_document(text).map(Cow::Owned).map(Some),
        Some(other) => Ok(Some(Cow::Borrowed(other))),
    }
}

/// What a statement gave.
pub(super) fn read_document(text: &str) -> Result<JsonCell<'_>, String> {
    serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))
}

impl<'de: 'a, 'a> Deserialize<'de> for JsonCell<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<JsonCell<'a>, D::Error> {
        from.deserialize_any(CellVisitor)
    }
}

struct CellVisitor;

impl<'de> Visitor<'de> for CellVisitor {
    type Value = JsonCell<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<JsonCell<'de>, E> {
        Ok(JsonCell::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<JsonCell<'de>, E> {
        Ok(JsonCell::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<JsonCell<'de>, E> {
        Ok(JsonCell::Int(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<JsonCell<'de>, E> {
        Ok(i64::try_from(number).map_or(JsonCell::Other, JsonCell::Int))
    }

    fn visit_f64<E>(self, _: f64) -> Result<JsonCell<'de>, E> {
        Ok(JsonCell::Other)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<JsonCell<'de>, E> {
        Ok(JsonCell::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<JsonCell<'de>, E> {
        Ok(JsonCell::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<JsonCell<'de>, A::Error> {
        let mut cells = Vec::with_capacity(COLUMNS);
        while let Some(cell) = list.next_element()? {
            cells.push(cell);
        }
        Ok(JsonCell::List(cells))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<JsonCell<'de>, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(JsonCell::Other)
    }
}

/// Of most rows.
const COLUMNS: usize = 12;

/// The JSON text of [`Fields::to_json`].
pub(super) fn read_fields(text: &str) -> Result<Fields, String> {
    serde_json::from_str(text).map_err(|error| format!("fields: {error}"))
}
