//! The rows that a plan reads, in batches as the server sent them, so that
//! another thread can decode one batch while the next one arrives.

use std::ops::Deref;
use std::sync::{Arc, Mutex};

use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::decode::ValuesById;
use crate::fields::Fields;

/// A part of what [`super::Store::stream_rows`] reads; to be taken in in its order.
pub struct RowBatch(pub(super) BatchPart);

impl RowBatch {
    /// Whether all that is owned came before it.
    pub fn is_of_numbers(&self) -> bool {
        matches!(self.0, BatchPart::Numbers(_))
    }
}

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

/// Rows, not yet decoded.
pub(super) enum RawRows {
    /// A piece of a binary COPY stream.
    Postgres(PooledBuffer),
    Sqlite(Vec<SqliteRow>),
}

/// Bytes of a stream that are handed on at a time.
const BATCH: usize = 256 * 1024;
/// Room for the row with which a batch is full; more makes its buffer grow.
const LAST_ROW: usize = 16 * 1024;
/// How many buffers wait to be filled again: more are only in use while rows
/// come faster than they are taken apart.
const KEPT: usize = 16;

/// The buffers of a stream. One that was taken apart is filled again: memory
/// that goes back to the system comes from it zeroed, a fault for each page.
#[derive(Debug, Clone, Default)]
pub(super) struct BufferPool(Arc<Mutex<Vec<Vec<u8>>>>);

impl BufferPool {
    /// An empty buffer with room for a batch.
    pub(super) fn take(&self) -> PooledBuffer {
        let kept = self.0.lock().ok().and_then(|mut kept| kept.pop());
        PooledBuffer {
            bytes: kept.unwrap_or_else(|| Vec::with_capacity(BATCH + LAST_ROW)),
            pool: self.clone(),
        }
    }
}

/// A buffer that goes back to its pool.
#[derive(Debug, Default)]
pub(super) struct PooledBuffer {
    bytes: Vec<u8>,
    pool: BufferPool,
}

impl PooledBuffer {
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= BATCH
    }
}

impl Deref for PooledBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for PooledBuffer {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        // What one long row made grow is not kept.
        if bytes.capacity() > BATCH + LAST_ROW {
            return;
        }
        bytes.clear();
        if let Ok(mut kept) = self.pool.0.lock()
            && kept.len() < KEPT
        {
            kept.push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_filled_again_and_holds_nothing_of_before() {
        let pool = BufferPool::default();
        let mut first = pool.take();
        first.extend(b"secret");
        let place = first.as_ptr();
        drop(first);
        let again = pool.take();
        assert!(again.is_empty());
        assert_eq!(again.as_ptr(), place);
        let other = pool.take();
        assert_ne!(other.as_ptr(), place);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let pool = BufferPool::default();
        let many: Vec<_> = (0..3 * KEPT).map(|_| pool.take()).collect();
        drop(many);
        assert_eq!(pool.0.lock().unwrap().len(), KEPT);
        let mut long = pool.take();
        assert!(!long.is_full());
        long.extend(&vec![0; 2 * BATCH]);
        assert!(long.is_full());
        drop(long);
        assert_eq!(pool.0.lock().unwrap().len(), KEPT - 1);
    }
}
