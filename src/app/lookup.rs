//! Looking one call up: what the database, or the files, say of a number, and
//! the secret of the config that was picked. Imports core, the store and
//! `secrets`.

use std::collections::HashMap;

use uuid::Uuid;

use super::database::{self, Target};
use super::{Context, Stop, keys, process_variable, routing_files};
use crate::error::{Error, Exit, Result};
use crate::fields::Field;
use crate::phone::E164;
use crate::resolve::{
    self, AgentFact, ConfigFact, Facts, Query, Resolution, RoutingEnv, SecretState, ShellEnv,
    Source, TenantChoice,
};
use crate::secrets::{self, KeyRing, OpenError, Secret, Stored};
use crate::store::{LookUp, LookedUp, Store};

/// Whose number it is, as the caller says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    Any,
    /// Alias or uuid.
    Tenant(String),
    User(Uuid),
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    pub from: E164,
    pub whose: Whose,
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
}

/// The config whose secret would sign a call's tokens.
#[derive(Debug, Clone)]
pub struct Signing {
    pub id: Uuid,
    pub name: String,
    pub url: String,
    pub api_key: Option<String>,
    /// The region that lkroute knows it by.
    pub region: Option<String>,
    /// Whether lkroute applied it.
    pub owned: bool,
    /// Its URL is the one that lkroute applied last.
    pub as_applied: bool,
    /// Its secret is stored as plain text.
    pub plain_text: bool,
}

impl Signing {
    /// `applied` is the URL that was applied last, where it was.
    pub fn of(config: &ConfigFact, applied: Option<&str>) -> Option<Signing> {
        let text = |field| config.text(field).map(str::to_owned);
        Some(Signing {
            id: config.id?,
            name: config.name().to_owned(),
            url: text(Field::Url)?,
            api_key: text(Field::ApiKey),
            region: text(Field::Region),
            owned: config.place.apply.is_some(),
            as_applied: applied.is_some() && applied == config.fields.text(Field::Url),
            plain_text: config.secret == SecretState::PlainText,
        })
    }
}

/// The routing variables of this shell.
pub fn environment() -> RoutingEnv {
    RoutingEnv::Shell(ShellEnv::read(process_variable))
}

/// The database of a command that needs no files: they are read only where
/// the environment that they describe names it.
pub fn target(context: &Context<'_>) -> Result<Target, Stop> {
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

/// Refuses a database of another environment than the one of `--env`.
pub fn same_environment(context: &Context<'_>, stamped: Option<&str>) -> Result<()> {
    is_environment(context.settings.environment.as_deref(), stamped)
}

/// Refuses a database of another environment than the wanted one.
fn is_environment(wanted: Option<&str>, stamped: Option<&str>) -> Result<()> {
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

/// The same for what writes: there the environment has to be said.
pub fn own_environment(context: &Context<'_>, stamped: Option<&str>) -> Result<()> {
    same_environment(context, stamped)?;
    match (context.settings.environment.as_deref(), stamped) {
        (None, Some(stamped)) => {
            let message = format!("the database belongs to the environment `{stamped}`");
            Err(Error::exit(Exit::Conflict, message).hint(format!("say --env {stamped}")))
        }
        _ => Ok(()),
    }
}

/// What the files say.
pub fn in_files(context: &Context<'_>, question: &Question) -> Result<LookedUp, Stop> {
    let loaded = routing_files::load_valid(context)?;
    let mut facts = Facts::of_files(&loaded.routing, question.from);
    facts.agent = question.agent.map(|id| AgentFact { id, tenant: None });
    Ok(LookedUp::of(facts))
}

/// The answer where the database can't be asked.
pub fn failed(question: &Question, error: &Error) -> Resolution {
    let query = Query {
        to: question.to.clone(),
        strict: question.strict,
        environment: question.environment.clone(),
        ..Query::new(question.from, TenantChoice::Any)
    };
    Resolution::failed(&query, error.message.clone(), error.hint.clone())
}

/// Where the call goes, by what was found.
///
/// # Errors
/// The tenant's name is not known.
pub fn answer(
    mut found: LookedUp,
    question: &Question,
    env: &RoutingEnv,
    ring: &KeyRing,
) -> Result<Answer> {
    let opened = open_all(&mut found, ring);
    let whose = match (tenant(&question.whose, &found.facts), env.table_enabled()) {
        // Switched off: no tenant is looked up, so that an alias says nothing.
        (Err(_), false) => TenantChoice::Any,
        (whose, _) => whose?,
    };
    let query = Query {
        to: question.to.clone(),
        strict: question.strict,
        environment: question.environment.clone().or(found.environment.clone()),
        ..Query::new(question.from, whose)
    };
    let mut resolution = resolve::resolve(&query, &found.facts, env);
    if let Some(agent) = default_agent(&found, &resolution) {
        found.facts.agent = Some(agent);
        resolution = resolve::resolve(&query, &found.facts, env);
    }
    let (secret, sealed) = match secret(&resolution, opened) {
        Some(Ok(secret)) => (Some(secret), None),
        Some(Err(error)) => (None, Some(error)),
        None => (None, None),
    };
    Ok(Answer {
        agent: found.facts.agent.map(|agent| agent.id),
        secret,
        sealed,
        signing: signing(&resolution, &found),
        resolution,
    })
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

/// The agent of the row that was picked, where none was asked for.
fn default_agent(found: &LookedUp, resolution: &Resolution) -> Option<AgentFact> {
    let outcome = resolution.outcome.as_ref().ok()?;
    let picked = outcome.tenant.as_ref().filter(|_| outcome.row.is_some());
    match found.facts.agent {
        None => found.default_agents.get(&picked?.id).copied(),
        Some(_) => None,
    }
}

type Opened = HashMap<Uuid, Result<Secret, OpenError>>;

/// Opens the secrets at hand, and notes with each config whether that worked.
fn open_all(found: &mut LookedUp, ring: &KeyRing) -> Opened {
    let mut opened = Opened::new();
    for (id, text) in &found.secrets {
        let stored = Stored::read(text.as_stored().to_owned());
        let secret = secrets::open_stored(ring, *id, &stored);
        if let Some(config) = found.facts.configs.get_mut(*id) {
            config.secret = state(&stored, &secret);
        }
        opened.insert(*id, secret);
    }
    opened
}

pub fn state(stored: &Stored, secret: &Result<Secret, OpenError>) -> SecretState {
    match secret {
        Ok(_) if matches!(stored, Stored::Plain(_)) => SecretState::PlainText,
        Ok(_) => SecretState::Opens,
        Err(OpenError::NoKey(_)) => SecretState::NoKey,
        Err(_) => SecretState::Damaged,
    }
}

/// The secret of the credentials that were picked.
fn secret(resolution: &Resolution, mut opened: Opened) -> Option<Result<Secret, String>> {
    let route = &resolution.outcome.as_ref().ok()?.route;
    match (route.source, route.config.as_ref()) {
        (Source::Environment, _) => keys::variable(resolve::env::API_SECRET).map(Ok),
        (Source::Database, Some(config)) => {
            let opened = opened.remove(&config.id?)?;
            Some(opened.map_err(|error| error.to_string()))
        }
        _ => None,
    }
}

/// The tenant that a command line names.
///
/// # Errors
/// No tenant has that name, or several.
pub fn tenant(whose: &Whose, facts: &Facts) -> Result<TenantChoice> {
    let name = match whose {
        Whose::Any => return Ok(TenantChoice::Any),
        Whose::User(id) => return Ok(TenantChoice::OfUser(*id)),
        Whose::Tenant(name) => name,
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

/// What the database says; with the routing table switched off, nothing is
/// asked of it.
///
/// # Errors
/// Exit 6 where the database is of another environment than the one asked for.
pub async fn find(store: &mut Store, question: &Question, env: &RoutingEnv) -> Result<LookedUp> {
    if !env.table_enabled() {
        return Ok(LookedUp::default());
    }
    let (tenant, initiated_by) = match &question.whose {
        Whose::Any => (None, None),
        Whose::Tenant(name) => {
            let alias = Uuid::parse_str(name).is_err().then(|| name.clone());
            (alias, None)
        }
        Whose::User(id) => (None, Some(*id)),
    };
    let asked = LookUp {
        tenant,
        initiated_by,
        agent: question.agent,
        called: question.to.is_some(),
        ..LookUp::number(question.from)
    };
    let found = store.look_up(&asked).await?;
    is_environment(
        question.environment.as_deref(),
        found.environment.as_deref(),
    )?;
    Ok(found)
}
