//! The store as the book that a call is recorded in. Imports core and the
//! store.

use jiff::Timestamp;

use crate::dispatch::{CallBook, Record};
use crate::error::Result;
use crate::store::Store;

/// An open database, and the time of day.
pub(super) struct StoreBook<'a> {
    pub store: &'a mut Store,
    pub clock: fn() -> Timestamp,
}

impl CallBook for StoreBook<'_> {
    fn now(&self) -> String {
        format!("{:.3}", (self.clock)())
    }

    async fn insert(&mut self, record: &Record) -> Result<bool> {
        self.store.insert_call(record).await
    }

    async fn of_key(&mut self, key: &str) -> Result<Option<Record>> {
        self.store.call_of_key(key).await
    }

    async fn complete(&mut self, record: &Record) -> Result<bool> {
        self.store.complete_call(record).await
    }
}
