//! Where records of calls are kept: one for each key. Core: whoever has a
//! database writes them.

use super::record::Record;
use crate::error::{Error, Result};

/// A database that records of calls are written to, and the time of day.
pub trait CallBook: Send {
    /// RFC 3339, UTC.
    fn now(&self) -> String;

    /// Writes a record; false where its idempotency key has one already, or where it is
    /// there already itself.
    fn insert(&mut self, record: &Record) -> impl Future<Output = Result<bool>> + Send;

    /// The record of an idempotency key.
    fn of_key(&mut self, key: &str) -> impl Future<Output = Result<Option<Record>>> + Send;

    /// Sets what became of a call; false where it was cancelled meanwhile, which stays.
    fn complete(&mut self, record: &Record) -> impl Future<Output = Result<bool>> + Send;
}

/// Writes a record. Where its idempotency key has one already, nothing is
/// written and that one is returned.
pub(super) async fn begin_record<B: CallBook>(
    book: &mut B,
    record: &Record,
) -> Result<Option<Record>> {
    // Another call may free the key between the two statements: then it is tried again.
    for _ in 0..3 {
        match (book.insert(record).await?, &record.idempotency_key) {
            (false, Some(key)) => {
                if let Some(first) = book.of_key(key).await? {
                    // Its own, where the answer to an earlier insert was lost.
                    return Ok((first.id != record.id).then_some(first));
                }
            }
            _ => return Ok(None),
        }
    }
    let message = "the idempotency key is being used by other calls at this moment";
    Err(Error::new(message).code("key-in-use"))
}
