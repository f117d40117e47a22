//! One pure resolver: which server, trunk and worker a call goes to, and why.
//! Core: imports only core.
//!
//! It is called on the files alone, on the single row that `resolve` and
//! `dispatch` read, and on sets of fields in `plan`, so that all of them agree.
//! It picks a config and never opens its secret. It falls back to the
//! environment only where a look-up worked and found nothing; a look-up that
//! failed is an error, with the trace still there.

pub(crate) mod carrier;
pub(crate) mod choice;
mod config_ref;
pub(crate) mod countries;
pub mod env;
pub(crate) mod facts;
pub mod fallback;
pub mod report;
pub mod route;
pub(crate) mod terms;
pub(crate) mod trace;

#[cfg(test)]
mod country_laws;
#[cfg(test)]
mod laws;
mod number;
mod query;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

use uuid::Uuid;

pub use carrier::Called;
pub(crate) use carrier::broken_rules;
pub use choice::{Choice, ChoiceSource};
pub use config_ref::{ConfigRef, host_of};
pub use countries::deciding_regions;
pub use env::{RoutingEnv, ShellEnv};
pub use facts::{
    AgentFact, Aliases, CallBasis, ConfigFact, Configs, Facts, Provenance, Regions, RowFact,
};
pub use facts::{SecretState, Side, UserFact};
pub use fallback::Fallback;
pub use query::{Query, TenantChoice};
pub use report::{Report, ReportTerms};
pub use route::{Route, Router, Source};
pub use terms::{DialledForm, Switch, Terms};
pub use trace::{ResolveError, Step, Topic, Trace, Verdict};

use crate::fields::{Field, Fields};
use crate::routing::Tenant;

/// The answer, and how it came about; the trace is there in either case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    pub query: Query,
    pub outcome: Result<Outcome, ResolveError>,
    /// What was found, also where it led to no route.
    pub reached: Reached,
    pub trace: Trace,
}

/// What is known before, or without, a route.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reached {
    pub tenant: Option<Tenant>,
    pub config: Option<ConfigRef>,
    /// The config's region.
    pub region: Option<String>,
    /// The terms of the number's row.
    pub terms: Option<Terms>,
}

/// Where a call goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub tenant: Option<Tenant>,
    /// The number row.
    pub row: Option<Uuid>,
    /// The carrier's name, of the row.
    pub provider: Option<String>,
    pub route: Route,
    /// Present where the query has a called number.
    pub to: Option<Called>,
}

/// Resolves one call.
pub fn resolve(query: &Query, facts: &Facts, env: &RoutingEnv) -> Resolution {
    let (mut trace, mut reached) = (Trace::default(), Reached::default());
    let outcome = if env.table_enabled() {
        routed(query, facts, env, &mut reached, &mut trace)
    } else {
        if let TenantChoice::Given(id) = query.tenant {
            reached.tenant = Some(facts.tenant(id));
        }
        without_table(query, facts, env, &mut trace)
    };
    Resolution {
        query: query.clone(),
        outcome,
        reached,
        trace,
    }
}

impl Reached {
    fn row(&mut self, tenant: Uuid, fields: &Fields, facts: &Facts) {
        self.tenant = Some(facts.tenant(tenant));
        self.terms = Some(Terms::new(fields, &facts.regions));
        let config = fields.text(Field::Config);
        let Some(config) = config.and_then(|text| facts.configs.find(text)) else {
            return;
        };
        self.config = Some(ConfigRef::from(config));
        self.region = config.text(Field::Region).map(str::to_owned);
    }
}

impl Resolution {
    /// Takes the answer back: its credentials can't be used, as the secret
    /// does not open.
    pub fn without_secret(&mut self, refused: ResolveError) {
        let trace = &mut self.trace;
        trace.push(Topic::Credentials, Verdict::Failed, &refused.message);
        trace.push(Topic::Credentials, Verdict::Note, route::TODAY);
        self.outcome = Err(refused);
    }

    /// The answer where the look-up itself failed: the database is away, or
    /// what it holds can't be read.
    pub fn failed(query: &Query, error: ResolveError) -> Resolution {
        let mut trace = Trace::default();
        trace.push(Topic::Lookup, Verdict::Failed, &error.message);
        trace.push(Topic::Credentials, Verdict::Note, route::TODAY);
        Resolution {
            query: query.clone(),
            outcome: Err(error),
            reached: Reached::default(),
            trace,
        }
    }
}

/// Flag off: no routing query, no tenant look-up, no carrier rules.
fn without_table(
    query: &Query,
    facts: &Facts,
    env: &RoutingEnv,
    trace: &mut Trace,
) -> Result<Outcome, ResolveError> {
    let value = env.shell().and_then(|shell| shell.routing_table.clone());
    let flag = format!(
        "{} is \"{}\" in this shell, not \"true\"",
        env::ROUTING_TABLE,
        value.unwrap_or_default()
    );
    let detail = format!("{flag}: no row, no tenant and no carrier rule is looked at");
    trace.push(Topic::Flag, Verdict::Skipped, detail);
    let route = router(query, facts, env).of_environment(None, &flag, trace)?;
    let tenant = match query.tenant {
        TenantChoice::Given(id) => Some(facts.tenant(id)),
        TenantChoice::Any | TenantChoice::OfUser(_) => None,
    };
    Ok(Outcome {
        tenant,
        row: None,
        provider: None,
        route,
        to: query.to.as_deref().map(carrier::as_given),
    })
}

fn router<'a>(query: &Query, facts: &'a Facts, env: &'a RoutingEnv) -> Router<'a> {
    Router {
        configs: &facts.configs,
        env,
        side: facts.side,
        strict: query.strict,
    }
}

fn routed(
    query: &Query,
    facts: &Facts,
    env: &RoutingEnv,
    reached: &mut Reached,
    trace: &mut Trace,
) -> Result<Outcome, ResolveError> {
    let tenant = number::tenant(query, facts, trace)?;
    reached.tenant = tenant.map(|id| facts.tenant(id));
    let row = number::row(query.from, tenant, facts, trace)?;
    if let Some((row, fields)) = row {
        reached.row(row.tenant, fields, facts);
    }
    let router = router(query, facts, env);
    let nothing = Fields::new();
    let (route, fields) = match row {
        Some((row, fields)) => {
            let subject = number::name(query.from, row, facts);
            (router.of_row(fields, &subject, trace)?, fields)
        }
        None => {
            let looked = number::looked_for(query.from, tenant, facts);
            let route = router.of_environment(None, &looked, trace);
            let route = route.map_err(|error| match number::other_tenants(tenant, facts) {
                others if others.is_empty() => error,
                others => error.hint(format!(
                    "say --tenant {}, or bind the number to the tenant that was asked for",
                    others.join(" or ")
                )),
            });
            (route?, &nothing)
        }
    };
    let tenant = row.map(|(row, _)| row.tenant).or(tenant);
    let id = row.and_then(|(row, _)| row.id);
    number::compare_agent(id, tenant, facts, trace);
    number::mark_undeclared(row.map(|(_, fields)| fields), facts, trace);
    let to = match &query.to {
        Some(to) => {
            carrier::allows_calls(fields, trace)?;
            Some(carrier::call(fields, to, &facts.regions, trace)?)
        }
        None => {
            note_rules(fields, trace);
            None
        }
    };
    Ok(Outcome {
        tenant: tenant.map(|id| facts.tenant(id)),
        row: id,
        provider: fields.text(Field::Provider).map(str::to_owned),
        route,
        to,
    })
}

/// Without a called number the rules decide nothing, but one that refuses
/// every call is worth a word.
fn note_rules(fields: &Fields, trace: &mut Trace) {
    let mut steps = Trace::default();
    if let Err(error) = carrier::allows_calls(fields, &mut steps) {
        trace.push(Topic::Rules, Verdict::Note, error.message);
    }
}
