//! Rules about configs, whatever the change: hosts, workers, plain http,
//! required fields, moves across regions. Core.

use super::budgets::Violation;
use crate::diff::plan::{Action, Object, Plan};
use crate::fields::Field;
use crate::finding::{Finding, Place};
use crate::impact::reroutes::Reroutes;
use crate::routing::guards::{self, Policy};
use crate::routing::{Routing, ServerConfig};
use crate::source::url;

/// A config that breaks a policy, by name, and at which line.
pub struct PolicyViolation {
    pub config: String,
    pub finding: Finding,
}

/// Every config that breaks a policy.
pub fn broken(routing: &Routing, policy: &Policy) -> Vec<PolicyViolation> {
    let mut found = Vec::new();
    for (name, config) in &routing.configs {
        let place = |field: Field| Place {
            line: *config.lines.get(&field).unwrap_or(&config.origin.line),
            ..Place::file(
                routing
                    .files
                    .get(config.origin.file as usize)
                    .cloned()
                    .unwrap_or_default(),
            )
        };
        let mut refuse = |code, field, message: String| {
            let message = format!("config `{name}` {message}");
            found.push(PolicyViolation {
                config: name.clone(),
                finding: Finding::error(code, message).at(place(field)),
            });
        };
        if policy.deny_plain_http && url::is_plain_to_public(&config.url) {
            refuse(
                "plain-http",
                Field::Url,
                "uses plain http to a public host".into(),
            );
        }
        if let Some(allowed) = policy.hosts.get(&config.region)
            && !allowed
                .iter()
                .any(|glob| guards::matches(glob, host(&config.url)))
        {
            let message = format!(
                "is on host {}, which region `{}` does not allow ({})",
                host(&config.url),
                config.region,
                allowed.join(", ")
            );
            refuse("host-not-allowed", Field::Url, message);
        }
        if let Some(message) = worker(routing, config, policy) {
            refuse("worker-not-allowed", Field::WorkerName, message);
        }
        for field in policy.require.iter().filter(|field| !has(config, **field)) {
            refuse(
                "field-required",
                *field,
                format!("has no `{field}`, which `[guards.policy]` requires"),
            );
        }
    }
    found
}

fn worker(routing: &Routing, config: &ServerConfig, policy: &Policy) -> Option<String> {
    let environment = routing.environment.as_deref().unwrap_or("*");
    let allowed = policy
        .workers
        .get(environment)
        .or_else(|| policy.workers.get("*"))?;
    let worker = config.worker_name.as_deref()?;
    if allowed.iter().any(|glob| guards::matches(glob, worker)) {
        return None;
    }
    let allowed = allowed.join(", ");
    Some(match routing.environment {
        Some(_) => format!("uses worker `{worker}`; environment `{environment}` allows {allowed}"),
        None => format!("uses worker `{worker}`; allowed is {allowed}"),
    })
}

fn has(config: &ServerConfig, field: Field) -> bool {
    match field {
        Field::Description => config.description.is_some(),
        Field::TrunkId => config.trunk_id.is_some(),
        Field::WorkerName => config.worker_name.is_some(),
        _ => true,
    }
}

/// The host of a URL that validation has passed.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or(rest);
    match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or(v6),
        None => authority.split(':').next().unwrap_or(authority),
    }
}

/// Numbers that would move from one region to another.
pub fn across_regions(plan: &Plan, reroutes: &Reroutes, policy: &Policy) -> Vec<Violation> {
    if !policy.deny_cross_region {
        return Vec::new();
    }
    let mut found = Vec::new();
    for group in &reroutes.groups {
        let Some(before) = &group.before else {
            continue;
        };
        let (Some(from), Some(to)) = (&before.region, &group.after.region) else {
            continue;
        };
        if from == to {
            continue;
        }
        let ids = (before.config_id, group.after.config_id);
        found.push(Violation {
            guard: "cross-region",
            message: format!(
                "{} would move from region {from} to {to}, which `[guards.policy]` denies",
                if group.count == 1 {
                    "1 number".to_owned()
                } else {
                    format!("{} numbers", group.count)
                }
            ),
            figure: group.count,
            causes: causes(plan, ids),
        });
    }
    found
}

/// The changes that move numbers from one config to another, or a config
/// from one region to another.
fn causes(plan: &Plan, (from, to): (Option<uuid::Uuid>, Option<uuid::Uuid>)) -> Vec<usize> {
    let text = |id: Option<uuid::Uuid>| id.map(|id| id.to_string());
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
