//! What was changed outside lkroute, and taking it into the files. Imports
//! core, the files and the store.

use uuid::Uuid;

use super::accept_drift::Accepting;
use super::{Context, Stop, Total, applied_states, database, lookup};
use crate::address::Address;
use crate::error::Error;
use crate::history::drift::Drift;
use crate::snapshot::{ApplyRecord, Snapshot};
use crate::store::Mode;

pub use super::accept_drift::Accepted;

/// The drift of a database.
pub struct DriftFound {
    pub drift: Drift,
    /// What it drifted from.
    pub last_apply: ApplyRecord,
    snapshot: Snapshot,
}

/// Compares a database with what the last apply left there.
///
/// # Errors
/// Nothing has been applied to it, or it is of another environment.
pub async fn find_drift(context: &Context<'_>) -> Result<DriftFound, Stop> {
    let target = lookup::target(context)?;
    let mut store = database::open_current(context, &target, Mode::Read).await?;
    let progress = context.progress.count("comparing", Total::Unknown);
    let mut tell = |rows| progress.at(rows);
    let found = applied_states::read_drift(&mut store, &mut tell, Uuid::now_v7).await;
    drop(progress);
    let (drift, snapshot) = found?;
    database::same_environment(context, snapshot.environment.as_deref())?;
    let last = snapshot.last_apply.clone();
    let last_apply = last.ok_or_else(|| Error::new("nothing has been applied to this database"))?;
    Ok(DriftFound {
        drift,
        last_apply,
        snapshot,
    })
}

/// Writes what these objects, or all, hold in the database into the files.
///
/// # Errors
/// One has not drifted, or files can't say what it holds; nothing was written.
pub fn accept_drift(
    context: &Context<'_>,
    found: &DriftFound,
    wanted: Option<&[Address]>,
) -> Result<Vec<Accepted>, Stop> {
    Accepting::new(context, &found.drift, &found.snapshot)?.accept(wanted)
}
