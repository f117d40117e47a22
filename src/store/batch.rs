//! What a plan reads, in batches of rows as the server sent them, so that
//! another thread can take them apart while the next ones come.

use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::decode::ValuesById;
use crate::fields::Fields;

/// A part of what [`super::Store::pour`] reads; to be taken in in its order.
pub struct Batch(pub(super) Part);

pub(super) enum Part {
    /// What owned bindings name by number. First.
    Names(Names),
    Owned(Rows),
    Numbers(Rows),
    /// Last: the streams before have to be whole. SQLite has none.
    End,
}

pub(super) struct Names {
    /// Of the database.
    pub label: String,
    pub tenants: ValuesById<Option<Uuid>>,
    pub settings: ValuesById<Option<Fields>>,
}

/// Rows, not yet decoded.
pub(super) enum Rows {
    /// A piece of a binary COPY stream.
    Postgres(Vec<u8>),
    Sqlite(Vec<SqliteRow>),
}
