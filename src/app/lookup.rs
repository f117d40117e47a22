//! Looking one call up: what the database, or the files, say of a number.
//! Imports core, the store and `answer`.

use super::database::{self, Target};
use super::{Context, Stop, keys, process_variable, routing_files};
pub(crate) use crate::answer::{
    Answer, LEAVE_TENANT_OUT, ResolveRequest, Signing, TenantSelector, choose_tenant, failed,
    secret_state,
};
use crate::answer::{OpenedLookUp, check_environment};
use crate::error::Result;
use crate::resolve::{self, AgentFact, Facts, RoutingEnv, ShellEnv};
use crate::secrets::KeyRing;
use crate::store::{LookedUp, Store};

/// The routing variables of this shell.
pub(crate) fn environment() -> RoutingEnv {
    RoutingEnv::Shell(ShellEnv::read(process_variable))
}

/// The database of a command that needs no files: they are read only where
/// the environment that they describe names it.
pub(crate) fn target(context: &Context<'_>) -> Result<Target, Stop> {
    let settings = context.settings;
    let named =
        settings.database.is_some() && (settings.schema.is_some() || !settings.routing.is_dir());
    if settings.environment.is_none() || named {
        return Ok(database::target(context, None)?);
    }
    let loaded = routing_files::load_valid(context)?;
    let environment = routing_files::environment_database(context, &loaded);
    Ok(database::target(context, environment.as_ref())?)
}

/// What the files say.
pub(crate) fn in_files(context: &Context<'_>, request: &ResolveRequest) -> Result<LookedUp, Stop> {
    let loaded = routing_files::load_valid(context)?;
    let mut facts = Facts::of_files(&loaded.routing, request.from);
    facts.agent = request.agent.map(|id| AgentFact { id, tenant: None });
    Ok(LookedUp::of(facts))
}

/// Where the call goes, by what was found.
///
/// # Errors
/// The tenant's name is not known.
pub(crate) fn answer(
    found: LookedUp,
    request: &ResolveRequest,
    env: &RoutingEnv,
    ring: &KeyRing,
) -> Result<Answer> {
    let variable = keys::variable(resolve::env::API_SECRET);
    crate::answer::answer(&OpenedLookUp::new(found, ring), request, env, variable)
}

/// What the database says; with the routing table switched off, nothing is
/// asked of it.
///
/// # Errors
/// Exit 6 where the database is of another environment than the one asked for.
pub(crate) async fn find(
    store: &mut Store,
    request: &ResolveRequest,
    env: &RoutingEnv,
) -> Result<LookedUp> {
    if !env.table_enabled() {
        return Ok(LookedUp::default());
    }
    let found = store.look_up(&request.look_up()).await?;
    check_environment(request.environment.as_deref(), found.environment.as_deref())?;
    Ok(found)
}
