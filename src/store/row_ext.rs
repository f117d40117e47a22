//! Reading the columns of a row of either engine, whose uuids, numbers and
//! truth values travel in different types. Imports sqlx.

use std::borrow::Cow;

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Error, Row, ValueRef};
use uuid::Uuid;

/// A row, by column number. `None` is NULL.
pub(super) trait RowExt {
    fn text(&self, ix: usize) -> Result<Option<&str>, Error>;
    /// The bytes of a text.
    fn text_bytes(&self, ix: usize) -> Result<Option<&[u8]>, Error>;
    /// PostgreSQL: of type `int8`.
    fn int(&self, ix: usize) -> Result<Option<i64>, Error>;
    fn uuid(&self, ix: usize) -> Result<Option<Uuid>, Error>;
    fn flag(&self, ix: usize) -> Result<bool, Error>;

    fn some_text(&self, ix: usize) -> Result<&str, Error> {
        self.text(ix)?.ok_or_else(|| null(ix))
    }

    /// A text in which `\u{fffd}` stands for bytes that are none.
    fn any_text(&self, ix: usize) -> Result<Option<Cow<'_, str>>, Error> {
        Ok(self.text_bytes(ix)?.map(String::from_utf8_lossy))
    }

    fn some_int(&self, ix: usize) -> Result<i64, Error> {
        self.int(ix)?.ok_or_else(|| null(ix))
    }

    fn some_uuid(&self, ix: usize) -> Result<Uuid, Error> {
        self.uuid(ix)?.ok_or_else(|| null(ix))
    }
}

pub(super) fn null(ix: usize) -> Error {
    odd(ix, "is NULL")
}

fn odd(ix: usize, what: &str) -> Error {
    Error::ColumnDecode {
        index: format!("{}", ix + 1),
        source: what.into(),
    }
}

impl RowExt for PgRow {
    fn text(&self, ix: usize) -> Result<Option<&str>, Error> {
        self.try_get(ix)
    }

    fn text_bytes(&self, ix: usize) -> Result<Option<&[u8]>, Error> {
        let value = self.try_get_raw(ix)?;
        if value.is_null() {
            Ok(None)
        } else {
            value.as_bytes().map(Some).map_err(Error::Decode)
        }
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

impl RowExt for SqliteRow {
    fn text(&self, ix: usize) -> Result<Option<&str>, Error> {
        self.try_get_unchecked(ix)
    }

    fn text_bytes(&self, ix: usize) -> Result<Option<&[u8]>, Error> {
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
