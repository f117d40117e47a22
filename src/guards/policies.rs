//! Rules about configs, whatever the change: hosts, workers, plain http,
//! required fields, moves across regions. Core: imports the model, `merge`,
//! `diff` and `impact`.
//!
//! The policies of the files and those of the last apply are judged one by
//! one, never merged: a list that is added can't widen another.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::context::{Basis, GuardContext};
use super::violation::{Violation, numbers};
use crate::address::Address;
use crate::diff::plan::{Action, Object, Plan};
use crate::fields::Field;
use crate::finding::Finding;
use crate::impact::effective_route::EffectiveRoute;
use crate::routing::glob::matches_glob;
use crate::routing::guards::Policy;
use crate::routing::{Routing, ServerConfig};
use crate::source::url;

/// A region or config that breaks a policy, by every name that it has, the
/// one to name in an exception first.
#[derive(Debug, PartialEq)]
pub struct PolicyViolation {
    pub names: Vec<String>,
    pub finding: Finding,
}

/// Every config and region that breaks a policy.
pub(crate) fn broken(context: &GuardContext<'_>) -> Vec<PolicyViolation> {
    let mut found = uncovered_regions(context);
    let owned = context.snapshot.owned_configs.iter();
    let by_id: BTreeMap<Uuid, &str> = owned
        .clone()
        .filter_map(|config| Some((config.id, config.fields.text(Field::Region)?)))
        .collect();
    let by_name: BTreeMap<&str, Uuid> = owned
        .filter_map(|config| Some((config.fields.text(Field::Name)?, config.id)))
        .collect();
    for (name, config) in &context.routing.configs {
        let known = [Some(name.as_str()), config.formerly.as_deref()];
        let known = known.into_iter().flatten();
        let id = config.id.or_else(|| {
            let mut ids = known.filter_map(|name| by_name.get(name).copied());
            ids.next()
        });
        let judged = Judged {
            routing: context.routing,
            name,
            config,
            id,
            before: id.and_then(|id| by_id.get(&id).copied()),
        };
        for policy in context.policies() {
            for broken in judged.breaks(policy) {
                if !found.contains(&broken) {
                    found.push(broken);
                }
            }
        }
    }
    found
}

/// A declared config, and the region that it had in the last apply.
struct Judged<'a> {
    routing: &'a Routing,
    name: &'a str,
    config: &'a ServerConfig,
    id: Option<Uuid>,
    before: Option<&'a str>,
}

impl Judged<'_> {
    fn breaks(&self, policy: &Policy) -> Vec<PolicyViolation> {
        let config = self.config;
        let mut found = Vec::new();
        if policy.deny_plain_http && url::is_plain_to_public(&config.url) {
            let message = "uses plain http to a public host".to_owned();
            found.push(self.broken("plain-http", Field::Url, message));
        }
        let regions = BTreeSet::from([config.region.as_str()]);
        let regions = regions.into_iter().chain(self.before);
        for region in regions.collect::<BTreeSet<&str>>() {
            let host = host(&config.url);
            let Some(allowed) = refused_host(policy, region, host) else {
                continue;
            };
            let message = format!(
                "is on host {host}, which region `{region}` does not allow ({})",
                allowed.join(", ")
            );
            found.push(self.broken("host-not-allowed", Field::Url, message));
        }
        found.extend(self.fallback_breaks(policy));
        let environment = self.routing.environment.as_deref();
        let worker = config.worker_name.as_deref();
        if let Some((whose, allowed)) = refused_worker(policy, environment, worker) {
            let message = worker_message(worker, whose, allowed);
            found.push(self.broken("worker-not-allowed", Field::WorkerName, message));
        }
        for field in policy
            .require
            .iter()
            .filter(|field| !has_field(config, **field))
        {
            let message = format!("has no `{field}`, which `[guards.policy]` requires");
            found.push(self.broken("field-required", *field, message));
        }
        found
    }

    /// Calls that fall back end in the region and on the host of another
    /// config: they keep to the same policy.
    fn fallback_breaks(&self, policy: &Policy) -> Vec<PolicyViolation> {
        let named = self.config.fallback.as_ref();
        let Some((name, fallback)) = named.and_then(|n| self.routing.configs.get_key_value(n))
        else {
            return Vec::new();
        };
        let regions = BTreeSet::from([self.config.region.as_str()]);
        let regions: BTreeSet<&str> = regions.into_iter().chain(self.before).collect();
        let host = host(&fallback.url);
        let mut found = Vec::new();
        for region in regions {
            if let Some(allowed) = refused_host(policy, region, host) {
                let message = format!(
                    "falls back to `{name}` on host {host}, which region `{region}` does not \
                     allow ({})",
                    allowed.join(", ")
                );
                found.push(self.broken("host-not-allowed", Field::Fallback, message));
            }
            if policy.deny_cross_region && fallback.region != region {
                let message = format!(
                    "falls back from region {region} to {}, which `[guards.policy]` denies",
                    fallback.region
                );
                found.push(self.broken("cross-region", Field::Fallback, message));
            }
        }
        found
    }

    fn broken(&self, code: &'static str, field: Field, message: String) -> PolicyViolation {
        let place = self.routing.field_place(self.config, field);
        let id = self.id.map(|id| Address::Config(id.to_string()));
        let names = [Some(Address::Config(self.name.to_owned())), id];
        PolicyViolation {
            names: names.iter().flatten().map(Address::to_string).collect(),
            finding: Finding::error(code, format!("config `{}` {message}", self.name)).at(place),
        }
    }
}

/// Regions that are new and have no line among the hosts of the files, where
/// another region has one.
fn uncovered_regions(context: &GuardContext<'_>) -> Vec<PolicyViolation> {
    let known: BTreeSet<&str> = context
        .snapshot
        .owned_regions
        .iter()
        .map(|region| region.name.as_str())
        .collect();
    let any = context.policies().any(|policy| !policy.hosts.is_empty());
    if !any || known.is_empty() || context.basis != Basis::Files {
        return Vec::new();
    }
    let routing = context.routing;
    let new = routing.regions.iter().filter(|(name, _)| {
        !known.contains(name.as_str()) && !routing.guards.policy.hosts.contains_key(*name)
    });
    let broken = new.map(|(name, region)| {
        let message = format!(
            "region `{name}` is new and has no line in `[guards.policy.hosts]`, where other \
             regions have one"
        );
        PolicyViolation {
            names: vec![Address::Region(name.clone()).to_string()],
            finding: Finding::error("policy-uncovered", message).at(routing.place(region.origin)),
        }
    });
    broken.collect()
}

/// What a region allows, where the host is not among it.
fn refused_host<'a>(policy: &'a Policy, region: &str, host: &str) -> Option<&'a [String]> {
    let allowed = policy.hosts.get(region)?;
    let fits = allowed.iter().any(|glob| matches_glob(glob, host));
    (!fits).then_some(allowed)
}

/// The first entry for this environment that does not allow the worker, where
/// all that match have to. A worker that is left out is whatever the caller's
/// environment says: no entry allows that.
fn refused_worker<'a>(
    policy: &'a Policy,
    environment: Option<&str>,
    worker: Option<&str>,
) -> Option<(&'a str, &'a [String])> {
    let mut entries = policy.workers.iter().filter(|(name, allowed)| {
        let meant = matches_glob(name, environment.unwrap_or_default());
        let fits = |worker| allowed.iter().any(|glob| matches_glob(glob, worker));
        meant && !worker.is_some_and(fits)
    });
    entries
        .next()
        .map(|(name, allowed)| (name.as_str(), allowed.as_slice()))
}

fn worker_message(worker: Option<&str>, whose: &str, allowed: &[String]) -> String {
    let allowed = allowed.join(", ");
    let what = match worker {
        Some(worker) => format!("uses worker `{worker}`"),
        None => "leaves `worker_name` out, so that VOICE_AGENT_NAME of each caller decides".into(),
    };
    match whose {
        "*" => format!("{what}; allowed is {allowed}"),
        whose => format!("{what}; environment `{whose}` allows {allowed}"),
    }
}

/// Whether a config sets a field. One that no config has is never set.
fn has_field(config: &ServerConfig, field: Field) -> bool {
    field == Field::ApiSecret || config.fields("its name").contains(field)
}

/// The host of a URL that validation has passed.
pub(super) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or(rest);
    match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or(v6),
        None => authority.split(':').next().unwrap_or(authority),
    }
}

/// Numbers that had a route and would go where a policy does not let them.
pub(crate) fn moved_numbers(plan: &Plan, context: &GuardContext<'_>) -> Vec<Violation> {
    let mut found: Vec<Violation> = Vec::new();
    let database = |route: &&EffectiveRoute| route.is_database();
    for group in &context.reroutes.groups {
        let Some(before) = group.before.as_ref().filter(database) else {
            continue;
        };
        let after = &group.after;
        if !after.is_database() {
            continue;
        }
        let mut refuse = |guard, message: String| {
            let violation = Violation {
                figure: group.count,
                causes: causes(plan, (before.config_id, after.config_id)),
                ..Violation::new(guard, message)
            };
            if !found.contains(&violation) {
                found.push(violation);
            }
        };
        let some = numbers(group.count);
        for policy in context.policies() {
            if let Some(message) = crosses_regions(policy, before, after) {
                refuse("cross-region", format!("{some} would move {message}"));
            }
        }
        // A config that stays the same is judged by its own declaration.
        if before.config_id == after.config_id {
            continue;
        }
        let Some(stored) = context.applied.map(|guards| &guards.policy) else {
            continue;
        };
        let server = after.server.as_deref().unwrap_or_default();
        let refused = before.region.as_deref().and_then(|region| {
            let allowed = refused_host(stored, region, host(server))?;
            Some((region, allowed))
        });
        if let Some((region, allowed)) = refused {
            let (host, allowed) = (host(server), allowed.join(", "));
            let message = format!(
                "{some} of region `{region}` would go to host {host}, which that region does not \
                 allow ({allowed})"
            );
            refuse("host-not-allowed", message);
        }
        let environment = plan.environment.as_deref();
        let worker = after.worker.as_deref();
        if let Some((whose, allowed)) = refused_worker(stored, environment, worker) {
            let config = after.config.as_deref().unwrap_or_default();
            let message = worker_message(worker, whose, allowed);
            let message = format!("{some} would go to config `{config}`, which {message}");
            refuse("worker-not-allowed", message);
        }
        if stored.deny_plain_http && url::is_plain_to_public(server) {
            let message = format!("{some} would go to a public host by plain http");
            refuse("plain-http", message);
        }
    }
    found
}

/// From which region to which, where a policy denies that. Out of every known
/// region counts too.
fn crosses_regions(
    policy: &Policy,
    before: &EffectiveRoute,
    after: &EffectiveRoute,
) -> Option<String> {
    let from = before.region.as_ref()?;
    if !policy.deny_cross_region || after.region.as_ref() == Some(from) {
        return None;
    }
    Some(match &after.region {
        Some(to) => format!("from region {from} to {to}, which `[guards.policy]` denies"),
        None => format!("from region {from} to none that is known, which `[guards.policy]` denies"),
    })
}

/// The changes that move numbers from one config to another, or a config
/// from one region to another.
fn causes(plan: &Plan, (from, to): (Option<Uuid>, Option<Uuid>)) -> Vec<usize> {
    let text = |id: Option<Uuid>| id.map(|id| id.to_string());
    let (from, to) = (text(from), text(to));
    let mut causes = Vec::new();
    for (ix, change) in plan.changes.iter().enumerate() {
        let mut fields = plan.patch(change).fields.iter();
        let caused = match change.object {
            Object::Region(_) => false,
            Object::Config(_) => {
                change.action == Action::Update
                    && change.row.map(|id| id.to_string()) == from
                    && fields.any(|field| field.field == Field::Region)
            }
            Object::Binding { .. } => fields.any(|field| {
                let is = |value: &Option<serde_json::Value>, id: &Option<String>| {
                    value.as_ref().and_then(|value| value.as_str()) == id.as_deref()
                };
                field.field == Field::Config && is(&field.before, &from) && is(&field.after, &to)
            }),
        };
        if caused {
            causes.push(ix);
        }
    }
    causes
}
