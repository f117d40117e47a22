//! What a plan reads, on its way to the [`Differ`]: batches of rows as the
//! server sent them, so that another thread can take them apart while the
//! next ones come. Imports the plan's [`Differ`].

use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::postgres::copy::{BadStream, Reader};
use super::rows::Numbered;
use super::trouble::trouble;
use super::{postgres, sqlite};
use crate::error::{Error, Result};
use crate::fields::{Fields, FieldsIx};
use crate::plan::diff::Differ;

/// A part of what [`super::Store::pour`] reads; to be taken in in its order.
pub struct Batch(pub(super) Part);

pub(super) enum Part {
    /// What owned bindings name by number. First.
    Names(Names),
    Owned(Rows),
    /// Last.
    Numbers(Rows),
}

pub(super) struct Names {
    /// Of the database.
    pub label: String,
    pub tenants: Numbered<Option<Uuid>>,
    pub settings: Numbered<Option<Fields>>,
}

/// Rows, not yet decoded.
pub(super) enum Rows {
    /// A piece of a binary COPY stream.
    Postgres(Vec<u8>),
    Sqlite(Vec<SqliteRow>),
}

/// Takes batches apart.
#[derive(Default)]
pub struct Intake {
    label: String,
    tenants: Numbered<Option<Uuid>>,
    settings: Numbered<Option<FieldsIx>>,
    owned: Reader<9>,
    numbers: Reader<7>,
}

impl Intake {
    /// Hands what is in a batch to the differ.
    pub fn take(&mut self, batch: Batch, differ: &mut Differ<'_>) -> Result<()> {
        match batch.0 {
            Part::Names(names) => {
                self.label = names.label;
                self.tenants = names.tenants;
                self.settings = names.settings.interned(differ.pool());
                Ok(())
            }
            Part::Owned(rows) => self.owned(rows, differ),
            Part::Numbers(rows) => self.numbers(rows, differ),
        }
    }

    fn owned(&mut self, rows: Rows, differ: &mut Differ<'_>) -> Result<()> {
        let (tenants, settings) = (&self.tenants, &self.settings);
        match rows {
            Rows::Postgres(bytes) => self.owned.read(&bytes, |row| {
                differ.owned(postgres::owned_binding(row, tenants, settings)?);
                Ok(())
            })?,
            Rows::Sqlite(rows) => {
                for row in rows {
                    let owned = sqlite::owned_binding(&row, tenants, settings);
                    differ.owned(owned.map_err(|error| trouble(&self.label, &error))?);
                }
            }
        }
        Ok(())
    }

    fn numbers(&mut self, rows: Rows, differ: &mut Differ<'_>) -> Result<()> {
        match rows {
            Rows::Postgres(bytes) => self.numbers.read(&bytes, |row| {
                differ.row(&postgres::number_row(row)?);
                Ok(())
            })?,
            Rows::Sqlite(rows) => {
                for row in rows {
                    let number = sqlite::number_row(&row, 0);
                    differ.row(&number.map_err(|error| trouble(&self.label, &error))?);
                }
            }
        }
        Ok(())
    }
}

impl From<BadStream> for Error {
    fn from(bad: BadStream) -> Error {
        Error::new(bad.to_string())
    }
}
