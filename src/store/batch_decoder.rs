//! Decodes batches of rows and feeds them to the [`Differ`]. Imports the
//! differ.

use uuid::Uuid;

use super::decode::ValuesById;
use super::error_map::database_error;
use super::postgres::copy::CopyReader;
use super::row_batch::{BatchPart, RawRows, RowBatch};
use super::{postgres, sqlite};
use crate::diff::differ::Differ;
use crate::error::Result;
use crate::fields::FieldsIx;

/// Takes batches apart.
#[derive(Default)]
pub struct BatchDecoder {
    label: String,
    tenants: ValuesById<Option<Uuid>>,
    settings: ValuesById<Option<FieldsIx>>,
    owned: CopyReader<{ postgres::OWNED }>,
    numbers: CopyReader<7>,
}

impl BatchDecoder {
    /// Hands what is in a batch to the differ.
    pub fn decode(&mut self, batch: RowBatch, differ: &mut Differ<'_>) -> Result<()> {
        match batch.0 {
            BatchPart::Names(names) => {
                self.label = names.label;
                self.tenants = names.tenants;
                self.settings = names.settings.interned(differ.pool());
                Ok(())
            }
            BatchPart::Owned(rows) => self.owned(rows, differ),
            BatchPart::Numbers(rows) => self.numbers(rows, differ),
            BatchPart::End => {
                self.owned.finish()?;
                Ok(self.numbers.finish()?)
            }
        }
    }

    fn owned(&mut self, rows: RawRows, differ: &mut Differ<'_>) -> Result<()> {
        let (tenants, settings) = (&self.tenants, &self.settings);
        match rows {
            RawRows::Postgres(bytes) => self.owned.read(&bytes, |row| {
                differ.owned(postgres::owned_binding(row, tenants, settings)?);
                Ok(())
            })?,
            RawRows::Sqlite(rows) => {
                for row in rows {
                    let owned = sqlite::owned_binding(&row, tenants, settings);
                    differ.owned(owned.map_err(|error| database_error(&self.label, &error))?);
                }
            }
        }
        Ok(())
    }

    fn numbers(&mut self, rows: RawRows, differ: &mut Differ<'_>) -> Result<()> {
        match rows {
            RawRows::Postgres(bytes) => self.numbers.read(&bytes, |row| {
                differ.row(&postgres::number_row(row)?);
                Ok(())
            })?,
            RawRows::Sqlite(rows) => {
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
    use crate::store::row_batch::PooledBuffer;

    #[test]
    fn a_stream_that_is_cut_short_is_no_end() {
        let (routing, snapshot) = (Routing::default(), Snapshot::default());
        let facts = SecretFacts::default();
        let mut differ = Differ::new(&routing, &snapshot, &facts, Uuid::nil);
        let whole: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\xff\xff";
        for (length, ends) in [(whole.len(), true), (whole.len() - 2, false), (0, false)] {
            let mut decoder = BatchDecoder::default();
            let mut take = |part| decoder.decode(RowBatch(part), &mut differ);
            let rows = |bytes: &[u8]| {
                let mut buffer = PooledBuffer::default();
                buffer.extend(bytes);
                RawRows::Postgres(buffer)
            };
            take(BatchPart::Owned(rows(whole))).unwrap();
            take(BatchPart::Numbers(rows(&whole[..length]))).unwrap();
            assert_eq!(take(BatchPart::End).is_ok(), ends, "{length} bytes");
        }
    }
}
