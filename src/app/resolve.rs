//! Where a call goes, without placing it. Imports core, the files and the
//! store.

use super::lookup::{self, ResolveRequest};
use super::{Context, Stop, database};
use crate::error::{Exit, Result};
use crate::resolve::{Resolution, RoutingEnv};
use crate::secrets::KeyRing;
use crate::store::{LookedUp, Mode};

/// Resolves a call by the database, or by the files alone. What goes wrong
/// with the database stands in the resolution.
///
/// # Errors
/// The settings or the files are wrong, or the database is of another
/// environment.
pub async fn resolve_call(
    context: &Context<'_>,
    request: &ResolveRequest,
    ring: &KeyRing,
    offline: bool,
) -> Result<Resolution, Stop> {
    let env = lookup::environment();
    let found = if offline {
        Ok(lookup::in_files(context, request)?)
    } else {
        find_in_database(context, request, &env).await?
    };
    match found {
        Ok(found) => Ok(lookup::answer(found, request, &env, ring)?.resolution),
        // A database of another environment does not know where this number goes.
        Err(error) if error.exit == Exit::Conflict => Err(error.into()),
        Err(error) => Ok(lookup::failed(request, &error)),
    }
}

/// Settings that are wrong are an error of their own; what the database then
/// does belongs into the trace.
async fn find_in_database(
    context: &Context<'_>,
    request: &ResolveRequest,
    env: &RoutingEnv,
) -> Result<Result<LookedUp>, Stop> {
    if !env.table_enabled() {
        return Ok(Ok(LookedUp::default()));
    }
    let target = lookup::target(context)?;
    Ok(match database::open(context, &target, Mode::Look).await {
        Ok(mut store) => lookup::find(&mut store, request, env).await,
        Err(error) => Err(error),
    })
}
