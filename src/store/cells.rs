//! Reading the columns of a row of either engine, whose uuids, numbers and
//! truth values travel in different types. Imports sqlx.

use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Error, Row};
use uuid::Uuid;

/// A row, by column number. `None` is NULL.
pub(super) trait Cells {
    fn text(&self, ix: usize) -> Result<Option<&str>, Error>;
    /// PostgreSQL: of type `int8`.
    fn int(&self, ix: usize) -> Result<Option<i64>, Error>;
    fn uuid(&self, ix: usize) -> Result<Option<Uuid>, Error>;
    fn flag(&self, ix: usize) -> Result<bool, Error>;

    fn some_text(&self, ix: usize) -> Result<&str, Error> {
        self.text(ix)?.ok_or_else(|| null(ix))
    }

    fn some_int(&self, ix: usize) -> Result<i64, Error> {
        self.int(ix)?.ok_or_else(|| null(ix))
    }

    fn some_uuid(&self, ix: usize) -> Result<Uuid, Error> {
        self.uuid(ix)?.ok_or_else(|| null(ix))
    }
}

fn null(ix: usize) -> Error {
    odd(ix, "is NULL")
}

fn odd(ix: usize, what: &str) -> Error {
    Error::ColumnDecode {
        index: format!("{}", ix + 1),
        source: what.into(),
    }
}

impl Cells for PgRow {
    fn text(&self, ix: usize) -> Result<Option<&str>, Error> {
        self.try_get(ix)
    }

    fn int(&self, ix: usize) -> Result<Option<i64>, Error> {
        self.try_get(ix)
    }

    fn uuid(&self, ix: usize) -> Result<Option<Uuid>, Error> {
        self.try_get(ix)
    }

    fn flag(&self, ix: usize) -> Result<bool, Error> {
        self.try_get(ix)
    }
}

impl Cells for SqliteRow {
    fn text(&self, ix: usize) -> Result<Option<&str>, Error> {
        self.try_get_unchecked(ix)
    }

    fn int(&self, ix: usize) -> Result<Option<i64>, Error> {
        self.try_get_unchecked(ix)
    }

    fn uuid(&self, ix: usize) -> Result<Option<Uuid>, Error> {
        let text = self.text(ix)?;
        text.map(|text| Uuid::parse_str(text).map_err(|_| odd(ix, "is no uuid")))
            .transpose()
    }

    fn flag(&self, ix: usize) -> Result<bool, Error> {
        Ok(self.some_int(ix)? != 0)
    }
}

/// A row within a row: a JSON array, in which a uuid is text.
pub(super) struct Nested(Vec<Value>);

impl Nested {
    pub fn read(row: &impl Cells, ix: usize) -> Result<Option<Nested>, Error> {
        let read = |text| serde_json::from_str(text).map_err(|error| Error::Decode(error.into()));
        row.text(ix)?
            .map(read)
            .transpose()
            .map(|row| row.map(Nested))
    }

    fn cell(&self, ix: usize) -> Result<Option<&Value>, Error> {
        let cell = self.0.get(ix).ok_or(Error::ColumnIndexOutOfBounds {
            index: ix,
            len: self.0.len(),
        })?;
        Ok(Some(cell).filter(|cell| !cell.is_null()))
    }
}

impl Cells for Nested {
    fn text(&self, ix: usize) -> Result<Option<&str>, Error> {
        let cell = self.cell(ix)?;
        cell.map(|cell| cell.as_str().ok_or_else(|| odd(ix, "is no text")))
            .transpose()
    }

    fn int(&self, ix: usize) -> Result<Option<i64>, Error> {
        let cell = self.cell(ix)?;
        cell.map(|cell| cell.as_i64().ok_or_else(|| odd(ix, "is no integer")))
            .transpose()
    }

    fn uuid(&self, ix: usize) -> Result<Option<Uuid>, Error> {
        let text = self.text(ix)?;
        text.map(|text| Uuid::parse_str(text).map_err(|_| odd(ix, "is no uuid")))
            .transpose()
    }

    fn flag(&self, ix: usize) -> Result<bool, Error> {
        let cell = self.cell(ix)?.and_then(Value::as_bool);
        cell.ok_or_else(|| odd(ix, "is no truth value"))
    }
}
