//! The rows that a plan reads, in batches as the server sent them, so that
//! another thread can decode one batch while the next one arrives.

use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::decode::ValuesById;
use crate::fields::Fields;

/// A part of what [`super::Store::stream_rows`] reads; to be taken in in its order.
pub struct RowBatch(pub(super) BatchPart);

pub(super) enum BatchPart {
    /// What owned bindings name by number. First.
    Names(BatchNames),
    Owned(RawRows),
    Numbers(RawRows),
    /// Last: the streams before have to be whole. SQLite has none.
    End,
}

pub(super) struct BatchNames {
    /// Of the database.
    pub label: String,
    pub tenants: ValuesById<Option<Uuid>>,
    pub settings: ValuesById<Option<Fields>>,
}

/// RawRows, not yet decoded.
pub(super) enum RawRows {
    /// A piece of a binary COPY stream.
    Postgres(Vec<u8>),
    Sqlite(Vec<SqliteRow>),
}
