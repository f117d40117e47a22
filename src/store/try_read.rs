//! Whether all that a plan reads can be read. Imports core.

use super::history::VersionFilter;
use super::{Engine, Store};
use crate::error::Result;
use crate::fields::FieldsPool;

impl Store {
    /// Reads all that a plan reads, but for the rows of numbers: whether each
    /// column is there, and may be read.
    pub async fn try_to_read(&mut self) -> Result<()> {
        self.begin_read().await?;
        let snapshot = self.snapshot().await?;
        self.applies().await?;
        self.recent_applies(snapshot.guards.window()).await?;
        self.versions().await?;
        let (none, mut pool) = (VersionFilter::Rows(Vec::new()), FieldsPool::default());
        let mut each = |_: &mut FieldsPool, _| ();
        self.binding_versions(&none, &mut pool, &mut each).await?;
        on!(self, engine => engine.try_numbers().await)?;
        self.end_read().await
    }
}
