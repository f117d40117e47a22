//! A question about one call answered, by what was looked up: the secret
//! opened, and whether it may sign. Imports core and `secrets`.
//!
//! The command and the Python package both answer by it.

mod approval;
mod fallback;
mod opened;
mod signing;

use uuid::Uuid;

pub use approval::{SEAL_OF_OTHERS, UNKNOWN_SERVER, approve_signing};
pub use fallback::{FallbackCall, FallbackConfig};
pub use opened::{OpenedLookUp, secret_state};
pub use signing::{Signing, signing_standing};

use crate::dispatch::{Ids, Record, clash};
use crate::error::{Error, Exit, Result};
use crate::lookup::{LookUp, LookedUp, WRONG_DATABASE};
use crate::phone::E164;
use crate::resolve::{
    self, Facts, Query, Resolution, ResolveError, RoutingEnv, Source, TenantChoice,
};
use crate::secrets::Secret;

/// Whose number it is, as the caller says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TenantSelector {
    Any,
    /// Alias or uuid.
    Tenant(String),
    /// An alias, and the uuid that it has to stand for.
    Both(String, Uuid),
    User(Uuid),
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct ResolveRequest {
    pub from: E164,
    pub tenant: TenantSelector,
    /// As typed.
    pub to: Option<String>,
    pub agent: Option<i64>,
    pub strict: bool,
    /// That of `--env`.
    pub environment: Option<String>,
}

/// Where the call goes, and the secret that opens its server; why there is
/// none is in the resolution where it is needed.
pub struct Answer {
    pub resolution: Resolution,
    /// The agent asked for, else the number's own.
    pub agent: Option<i64>,
    pub secret: Option<Secret>,
    /// Why the secret does not open.
    pub sealed: Option<String>,
    /// The config of the database whose secret would sign, where there is one.
    pub signing: Option<Signing>,
    /// Where the call may go, where nothing of it can have begun there.
    pub fallback: Option<FallbackConfig>,
}

impl ResolveRequest {
    /// Refuses a key whose record is of another call.
    ///
    /// # Errors
    /// The record is of other numbers, or of another tenant.
    pub fn check_repeat(&self, first: &Record) -> Result<()> {
        let tenant = match &self.tenant {
            TenantSelector::Tenant(name) => Uuid::parse_str(name).ok(),
            TenantSelector::Both(_, id) => Some(*id),
            TenantSelector::Any | TenantSelector::User(_) => None,
        };
        let to = self.to.as_deref().unwrap_or_default();
        clash(first, self.from, to, tenant)
    }

    /// What has to be looked up for it.
    pub fn look_up(&self) -> LookUp {
        let (tenant, initiated_by) = match &self.tenant {
            TenantSelector::Any => (None, None),
            TenantSelector::Tenant(name) => {
                let alias = Uuid::parse_str(name).is_err().then(|| name.clone());
                (alias, None)
            }
            TenantSelector::Both(alias, _) => (Some(alias.clone()), None),
            TenantSelector::User(id) => (None, Some(*id)),
        };
        LookUp {
            tenant,
            initiated_by,
            agent: self.agent,
            ..LookUp::number(self.from)
        }
    }
}

/// The answer where the database can't be asked.
pub fn failed(request: &ResolveRequest, error: &Error) -> Resolution {
    let query = Query {
        to: request.to.clone(),
        strict: request.strict,
        environment: request.environment.clone(),
        ..Query::new(request.from, TenantChoice::Any)
    };
    let code = error.code.filter(|code| *code == WRONG_DATABASE);
    let failure = ResolveError::new(code.unwrap_or("lookup-failed"), error.message.clone());
    Resolution::failed(
        &query,
        ResolveError {
            hint: error.hint.clone(),
            ..failure
        },
    )
}

/// Refuses a database of another environment than the wanted one.
pub fn check_environment(wanted: Option<&str>, stamped: Option<&str>) -> Result<()> {
    match (wanted, stamped) {
        (Some(wanted), Some(stamped)) if wanted != stamped => {
            let message = format!(
                "the database belongs to the environment `{stamped}`, not to `{wanted}`, which \
                 --env or LKROUTE_ENV names"
            );
            Err(Error::exit(Exit::Conflict, message).hint(
                "is it the right database? A copy of one is stamped anew by `lkroute migrate \
                 --restamp`",
            ))
        }
        _ => Ok(()),
    }
}

/// Where the call goes, by what was found.
///
/// `variable` is the API secret of the environment.
///
/// # Errors
/// The tenant's name is not known.
pub fn answer(
    opened: &OpenedLookUp,
    request: &ResolveRequest,
    env: &RoutingEnv,
    variable: Option<Secret>,
) -> Result<Answer> {
    let found = &opened.found;
    let tenant = match (
        choose_tenant(&request.tenant, &found.facts),
        env.table_enabled(),
    ) {
        // The table is switched off: no tenant is looked up, and an alias has no meaning.
        (Err(_), false) => TenantChoice::Any,
        (tenant, _) => tenant?,
    };
    let stamped = || found.environment.clone();
    let query = Query {
        to: request.to.clone(),
        strict: request.strict,
        environment: request.environment.clone().or_else(stamped),
        ..Query::new(request.from, tenant)
    };
    let resolution = resolve::resolve(&query, &found.facts, env);
    let (secret, sealed) = match secret(&resolution, opened, variable) {
        Some(Ok(secret)) => (Some(secret), None),
        Some(Err(error)) => (None, Some(error)),
        None => (None, None),
    };
    Ok(Answer {
        agent: agent(&resolution, &found.facts),
        secret,
        sealed,
        signing: signing(&resolution, found),
        fallback: FallbackConfig::of(&resolution, opened),
        resolution,
    })
}

/// Why a call can't be placed whose secret is not there, or does not open.
pub fn not_opened(answer: &Answer) -> ResolveError {
    let outcome = answer.resolution.outcome.as_ref().ok();
    let config = outcome.and_then(|outcome| outcome.route.config.as_ref());
    let whose = match config {
        Some(config) => format!("the secret of config {}", config.name),
        None => resolve::env::API_SECRET.to_owned(),
    };
    let why = answer.sealed.as_deref().unwrap_or("it is not there");
    ResolveError::new("secret-not-opened", format!("{whose} does not open: {why}")).hint(
        "put its key into LKROUTE_KEYS (or LIVEKIT_SECRET_ENCRYPTION_KEY), or seal the secret \
         again and apply; today's service would have fallen back to the environment here, \
         without a word",
    )
}

/// Ids that nobody has had.
pub fn draw_ids() -> Ids {
    let (record, job) = (Uuid::now_v7(), Uuid::new_v4());
    let [a, b, c, d, ..] = *Uuid::new_v4().as_bytes();
    Ids {
        record,
        job,
        room: u32::from_be_bytes([a, b, c, d]),
    }
}

fn signing(resolution: &Resolution, found: &LookedUp) -> Option<Signing> {
    let route = &resolution.outcome.as_ref().ok()?.route;
    let picked = route
        .config
        .as_ref()
        .filter(|_| route.source == Source::Database);
    let id = picked?.id?;
    let applied = found.applied_urls.get(&id).map(String::as_str);
    Signing::of(found.facts.configs.get(id)?, applied)
}

/// The agent asked for, else that of the row that was picked.
fn agent(resolution: &Resolution, facts: &Facts) -> Option<i64> {
    let outcome = resolution.outcome.as_ref().ok();
    let row = outcome.and_then(|outcome| outcome.row);
    Some(facts.agent_of(row)?.id)
}

/// The secret of the credentials that were picked.
fn secret(
    resolution: &Resolution,
    opened: &OpenedLookUp,
    variable: Option<Secret>,
) -> Option<Result<Secret, String>> {
    let route = &resolution.outcome.as_ref().ok()?.route;
    match (route.source, route.config.as_ref()) {
        (Source::Environment, _) => variable.map(Ok),
        (Source::Database, Some(config)) => {
            let secret = opened.secret(config.id)?;
            Some(secret.map_err(|error| error.to_string()))
        }
        _ => None,
    }
}

/// What to say where an address and an option name two tenants.
pub const LEAVE_TENANT_OUT: &str = "leave --tenant out";

/// The tenant that a command line names.
///
/// # Errors
/// No tenant has that name, or several.
pub fn choose_tenant(selector: &TenantSelector, facts: &Facts) -> Result<TenantChoice> {
    let name = match selector {
        TenantSelector::Any => return Ok(TenantChoice::Any),
        TenantSelector::User(id) => return Ok(TenantChoice::OfUser(*id)),
        TenantSelector::Tenant(name) => name,
        TenantSelector::Both(alias, wanted) => {
            let choice = choose_tenant(&TenantSelector::Tenant(alias.clone()), facts)?;
            return match choice {
                TenantChoice::Given(id) if id != *wanted => Err(Error::new(format!(
                    "two tenants are named: `{alias}` is {id}, and not {wanted}"
                ))
                .hint(LEAVE_TENANT_OUT)),
                choice @ (TenantChoice::Any | TenantChoice::Given(_) | TenantChoice::OfUser(_)) => {
                    Ok(choice)
                }
            };
        }
    };
    if let Ok(id) = Uuid::parse_str(name) {
        return Ok(TenantChoice::Given(id));
    }
    let mut named = facts.aliases.iter().filter(|(_, alias)| *alias == name);
    match (named.next(), named.next()) {
        (Some((id, _)), None) => Ok(TenantChoice::Given(*id)),
        (Some(_), Some(_)) => Err(Error::new(format!("several tenants are called `{name}`"))
            .hint("give the tenant's uuid")),
        (None, _) => {
            let hint = match tenants_of(facts).as_slice() {
                [] => "aliases come from the files, with an apply; or give the tenant's uuid"
                    .to_owned(),
                tenants => format!("the number belongs to {}", tenants.join(", ")),
            };
            Err(Error::new(format!("no tenant is called `{name}` here")).hint(hint))
        }
    }
}

/// The tenants that have the number that was looked up.
fn tenants_of(facts: &Facts) -> Vec<String> {
    let active = facts.rows.iter().filter(|row| row.inactive().is_none());
    let mut tenants: Vec<String> = active.map(|row| facts.label(row.tenant)).collect();
    tenants.sort_unstable();
    tenants.dedup();
    tenants
}
