//! The calls that were placed, as the records tell. Imports the store.

use super::{Context, Stop, database, lookup};
use crate::dispatch::Record;
use crate::store::{Calls, Mode};

/// The records that were asked for, the latest first.
///
/// # Errors
/// The database can't be asked.
pub async fn list_calls(context: &Context<'_>, wanted: &Calls) -> Result<Vec<Record>, Stop> {
    let target = lookup::target(context)?;
    let mut store = database::open_current(context, &target, Mode::Read).await?;
    Ok(store.calls(wanted).await?)
}
