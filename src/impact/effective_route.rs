//! Where the calls of a number go, before and after a plan: one leg for each
//! set of fields. Core.
//!
//! The environment is symbolic: a plan never reads the routing variables of
//! its shell.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::diff::plan::{Action, FieldChange, Kind, Object, Plan};
use crate::fields::{Field, Fields};
use crate::resolve::{
    ConfigFact, Configs, Provenance, Route, Router, RoutingEnv, SecretState, Side, Source, Trace,
    host_of,
};

/// Where a number's calls go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EffectiveRoute {
    pub source: RouteSource,
    pub config: Option<String>,
    pub config_id: Option<Uuid>,
    /// The server's URL.
    pub server: Option<String>,
    /// Absent where `OUTBOUND_TRUNK_ID` decides.
    pub trunk: Option<String>,
    /// Absent where `VOICE_AGENT_NAME`, else `inbound-agent`, decides.
    pub worker: Option<String>,
    pub region: Option<String>,
    /// `outbound = false`: no call out, wherever it would go.
    pub refused: bool,
    /// Why there is no route: the resolver's code and message.
    pub error: Option<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteSource {
    Database,
    Environment,
    Error,
}

/// In what two legs differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteField {
    /// Database, environment or error.
    Source,
    Config,
    Server,
    Trunk,
    Worker,
    Region,
    /// Whether calls out are refused.
    Outbound,
}

impl EffectiveRoute {
    /// In what calls change. The same config under another name is no change,
    /// nor is a region that was not known before.
    pub fn differs(&self, after: &EffectiveRoute) -> Vec<RouteField> {
        let moved = |a: &Option<String>, b: &Option<String>| a.is_some() && b.is_some() && a != b;
        let config = self.config_id != after.config_id
            || self.config_id.is_none() && self.config != after.config;
        [
            (
                RouteField::Source,
                self.source != after.source || self.error != after.error,
            ),
            (RouteField::Config, config),
            (RouteField::Server, self.server != after.server),
            (RouteField::Trunk, self.trunk != after.trunk),
            (RouteField::Worker, self.worker != after.worker),
            (RouteField::Region, moved(&self.region, &after.region)),
            (RouteField::Outbound, self.refused != after.refused),
        ]
        .into_iter()
        .filter_map(|(aspect, differs)| differs.then_some(aspect))
        .collect()
    }

    pub fn is_database(&self) -> bool {
        self.source == RouteSource::Database
    }

    /// Host and port of the server.
    pub fn host(&self) -> Option<&str> {
        self.server.as_deref().map(host_of)
    }
}

/// The configs after a plan: those before, with its changes carried out.
pub fn configs_after(plan: &Plan, before: &Configs) -> Configs {
    let mut configs = before.clone();
    for change in &plan.changes {
        let (Object::Config(_), Some(id)) = (change.object, change.row) else {
            continue;
        };
        let patch = plan.patch(change);
        if plan.in_conflict(change) {
            continue;
        }
        if change.action == Action::Delete {
            if !released(&patch.fields) {
                configs.remove(id);
            }
            continue;
        }
        let mut config = configs.get(id).cloned().unwrap_or_else(|| ConfigFact {
            id: Some(id),
            fields: Fields::new(),
            place: Provenance::default(),
            secret: SecretState::NotChecked,
        });
        for field in patch.fields.iter().filter(|f| f.kind != Kind::Release) {
            config.fields.set(field.field, field.after.clone());
        }
        if let Some((file, line)) = plan.source(change) {
            // The apply that will set it is still to come.
            config.place = Provenance {
                row: config.place.row,
                line: Some((file.to_owned(), line)),
                ..Provenance::default()
            };
        }
        configs.insert(config);
    }
    configs
}

/// Whether an object stops being ours and stays as it is.
fn released(fields: &[FieldChange]) -> bool {
    !fields.is_empty() && fields.iter().all(|field| field.kind == Kind::Release)
}

/// Where numbers go before and after a plan.
#[derive(Debug)]
pub struct EffectiveRoutes {
    before: Configs,
    after: Configs,
}

impl EffectiveRoutes {
    /// `before`: [`Configs::of_snapshot`].
    pub fn new(plan: &Plan, before: Configs) -> EffectiveRoutes {
        let after = configs_after(plan, &before);
        EffectiveRoutes { before, after }
    }

    /// Where a number with these live fields goes today.
    pub fn before(&self, fields: &Fields) -> EffectiveRoute {
        leg(&self.before, fields)
    }

    /// Where a number with these fields goes after the plan.
    pub fn after(&self, fields: &Fields) -> EffectiveRoute {
        leg(&self.after, fields)
    }

    /// Before and after for numbers that stay bound to this config.
    pub fn of_config(&self, id: Uuid) -> (EffectiveRoute, EffectiveRoute) {
        let fields = Fields::new().with(Field::Config, id.to_string());
        (self.before(&fields), self.after(&fields))
    }
}

/// Where a number with these fields goes, with these configs.
pub fn leg(configs: &Configs, fields: &Fields) -> EffectiveRoute {
    let router = Router {
        configs,
        env: &RoutingEnv::Symbolic,
        side: Side::Database,
        strict: false,
    };
    let mut trace = Trace::default();
    let active = !fields.contains(Field::Status);
    let route = match active {
        true => router.of_row(fields, "the number", &mut trace),
        false => router.of_environment(None, "the number is not active", &mut trace),
    };
    let refused = active && fields.get(Field::Outbound) == Some(&Value::Bool(false));
    match route {
        Ok(route) => EffectiveRoute {
            refused,
            ..of_route(route)
        },
        Err(error) => EffectiveRoute {
            error: Some((error.code.to_owned(), error.message)),
            refused,
            ..nowhere(RouteSource::Error)
        },
    }
}

/// A leg that says nothing but its source.
pub(super) fn nowhere(source: RouteSource) -> EffectiveRoute {
    EffectiveRoute {
        source,
        config: None,
        config_id: None,
        server: None,
        trunk: None,
        worker: None,
        region: None,
        refused: false,
        error: None,
    }
}

fn of_route(route: Route) -> EffectiveRoute {
    let source = match route.source {
        Source::Environment => RouteSource::Environment,
        Source::Database | Source::Files => RouteSource::Database,
    };
    let (config, config_id) = match route.config {
        Some(config) => (Some(config.name), config.id),
        None => (None, None),
    };
    EffectiveRoute {
        config,
        config_id,
        server: route.url,
        trunk: route.trunk.value,
        worker: route.worker.value,
        region: route.region,
        ..nowhere(source)
    }
}
