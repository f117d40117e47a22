//! Batches of rows, taken apart for the [`Differ`]. Imports the plan's
//! [`Differ`].

use uuid::Uuid;

use super::batch::{Batch, Part, Rows};
use super::decode::ValuesById;
use super::error_map::database_error;
use super::postgres::copy::CopyReader;
use super::{postgres, sqlite};
use crate::diff::differ::Differ;
use crate::error::Result;
use crate::fields::FieldsIx;

/// Takes batches apart.
#[derive(Default)]
pub struct Intake {
    label: String,
    tenants: ValuesById<Option<Uuid>>,
    settings: ValuesById<Option<FieldsIx>>,
    owned: CopyReader<5>,
    numbers: CopyReader<7>,
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
            Part::End => {
                self.owned.finish()?;
                Ok(self.numbers.finish()?)
            }
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
                    differ.owned(owned.map_err(|error| database_error(&self.label, &error))?);
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
                    differ.row(&number.map_err(|error| database_error(&self.label, &error))?);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::secret::SecretFacts;
    use crate::routing::Routing;
    use crate::snapshot::Snapshot;

    #[test]
    fn a_stream_that_is_cut_short_is_no_end() {
        let (routing, snapshot) = (Routing::default(), Snapshot::default());
        let facts = SecretFacts::default();
        let mut differ = Differ::new(&routing, &snapshot, &facts, Uuid::nil);
        let whole: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\xff\xff";
        for (length, ends) in [(whole.len(), true), (whole.len() - 2, false), (0, false)] {
            let mut intake = Intake::default();
            let mut take = |part| intake.take(Batch(part), &mut differ);
            take(Part::Owned(Rows::Postgres(whole.to_vec()))).unwrap();
            take(Part::Numbers(Rows::Postgres(whole[..length].to_vec()))).unwrap();
            assert_eq!(take(Part::End).is_ok(), ends, "{length} bytes");
        }
    }
}
