//! Listing number rows by tenant and config. Imports core.

use uuid::Uuid;

use crate::snapshot::{ApplyId, NumberRow, SourceLine};

/// Which rows to list; all where nothing is given.
#[derive(Debug, Clone, Default)]
pub struct RowFilter {
    pub tenant: Option<Uuid>,
    /// Rows whose `livekit_config` is one of these.
    pub configs: Option<Vec<Uuid>>,
}

/// A row, and what is ours of it.
#[derive(Debug, Clone, Copy)]
pub struct ListedRow<'a> {
    pub row: NumberRow<'a>,
    /// The apply that set it last.
    pub since: Option<ApplyId>,
    /// The wave that put it on the config that it has.
    pub rollout: Option<&'a str>,
    /// Indexes the files of the last snapshot.
    pub source: Option<SourceLine>,
}
