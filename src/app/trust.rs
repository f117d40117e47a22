//! The servers that are recorded as trusted. Imports core and the store.

use super::{Context, Stop, actor, database, lookup};
use crate::error::{Error, Result};
use crate::store::{Mode, Store};
use crate::trust::{Destination, TrustedHost};

/// Those that may be sent tokens, beside what was applied or a policy allows.
pub async fn list_trusted(context: &Context<'_>) -> Result<Vec<TrustedHost>, Stop> {
    let (mut store, stamped) = open_store(context, Mode::Read).await?;
    database::same_environment(context, stamped.as_deref())?;
    Ok(store.trust().await?.facts.recorded)
}

/// Records a server, with whoever runs this process and the reason.
pub async fn record_trust(
    context: &Context<'_>,
    host: &Destination,
    reason: &str,
) -> Result<(), Stop> {
    let (mut store, stamped) = open_store(context, Mode::Record).await?;
    database::own_environment(context, stamped.as_deref())?;
    let actor = actor::current_actor();
    Ok(store.record_trust(&host.to_text(), &actor, reason).await?)
}

/// Takes a server out of the record.
///
/// # Errors
/// It is not recorded.
pub async fn revoke_trust(context: &Context<'_>, host: &Destination) -> Result<(), Stop> {
    let (mut store, stamped) = open_store(context, Mode::Record).await?;
    database::own_environment(context, stamped.as_deref())?;
    let text = host.to_text();
    if store.revoke_trust(&text).await? {
        return Ok(());
    }
    let error = Error::new(format!("{text} is not recorded as trusted"));
    Err(error.hint("`lkroute trust` lists what is").into())
}

/// The database, and the environment that it is stamped with.
async fn open_store(context: &Context<'_>, mode: Mode) -> Result<(Store, Option<String>), Stop> {
    let target = lookup::target(context)?;
    let mut store = database::open_current(context, &target, mode).await?;
    store.begin_read().await?;
    let stamped = store.snapshot().await?.environment;
    store.end_read().await?;
    Ok((store, stamped))
}
