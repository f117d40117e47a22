//! Who is rerouted, for machines: `routing` of the plan's report. Imports
//! core.

use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::impact::reroutes::{
    EffectiveRoute, RerouteGroup, Reroutes, RouteField, RouteSource, Share,
};

/// Where calls go before and after, and whose.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct RoutingReport {
    /// Numbers that move alike; routes that are lost first, then by count.
    pub groups: Vec<GroupReport>,
    /// Numbers that had a route in the database before.
    pub routed: u64,
    /// Of those, how many go elsewhere, the unrouted among them.
    pub rerouted: u64,
    /// Of those, how many lose their route in the database.
    pub unrouted: u64,
    /// Numbers whose calls fail where they did not before.
    pub broken: u64,
    /// Numbers that come to the environment from the database.
    pub to_environment: u64,
    /// Numbers that leave the environment for the database.
    pub from_environment: u64,
    /// Numbers that were not there.
    pub new: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct GroupReport {
    pub count: u64,
    /// Null for numbers that are new.
    pub before: Option<LegReport>,
    pub after: LegReport,
    /// In what they differ: `source`, `config`, `server`, `trunk`, `worker`,
    /// `region` or `outbound`; empty for numbers that are new.
    pub changed: Vec<&'static str>,
    /// Most numbers first.
    pub tenants: Vec<ShareReport>,
    /// Regions before, else after; most numbers first.
    pub regions: Vec<ShareReport>,
}

/// Where a number's calls go. What the environment decides is null.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LegReport {
    /// `database`, `environment` or `error`.
    #[schemars(extend("enum" = ["database", "environment", "error"]))]
    pub source: &'static str,
    pub config: Option<String>,
    pub config_id: Option<Uuid>,
    pub server: Option<String>,
    pub trunk: Option<String>,
    pub worker: Option<String>,
    pub region: Option<String>,
    /// Whether calls out are refused, wherever they would go.
    pub refused: bool,
    pub error: Option<LegError>,
}

/// Why there is no route.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LegError {
    pub code: String,
    pub message: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct ShareReport {
    /// A tenant by alias or uuid, or a region; null where it is not known.
    pub name: Option<String>,
    pub count: u64,
}

impl From<&Reroutes> for RoutingReport {
    fn from(reroutes: &Reroutes) -> RoutingReport {
        RoutingReport {
            groups: reroutes.groups.iter().map(GroupReport::from).collect(),
            routed: reroutes.routed,
            rerouted: reroutes.rerouted,
            unrouted: reroutes.unrouted,
            broken: reroutes.broken,
            to_environment: reroutes.to_environment,
            from_environment: reroutes.from_environment,
            new: reroutes.new,
        }
    }
}

impl From<&RerouteGroup> for GroupReport {
    fn from(group: &RerouteGroup) -> GroupReport {
        GroupReport {
            count: group.count,
            before: group.before.as_ref().map(LegReport::from),
            after: (&group.after).into(),
            changed: group.changed.iter().map(|aspect| name(*aspect)).collect(),
            tenants: group.tenants.iter().map(ShareReport::from).collect(),
            regions: group.regions.iter().map(ShareReport::from).collect(),
        }
    }
}

fn name(aspect: RouteField) -> &'static str {
    match aspect {
        RouteField::Source => "source",
        RouteField::Config => "config",
        RouteField::Server => "server",
        RouteField::Trunk => "trunk",
        RouteField::Worker => "worker",
        RouteField::Region => "region",
        RouteField::Outbound => "outbound",
    }
}

impl From<&EffectiveRoute> for LegReport {
    fn from(leg: &EffectiveRoute) -> LegReport {
        let EffectiveRoute {
            source,
            config,
            config_id,
            server,
            trunk,
            worker,
            region,
            refused,
            error,
        } = leg.clone();
        LegReport {
            source: match source {
                RouteSource::Database => "database",
                RouteSource::Environment => "environment",
                RouteSource::Error => "error",
            },
            config,
            config_id,
            server,
            trunk,
            worker,
            region,
            refused,
            error: error.map(|(code, message)| LegError { code, message }),
        }
    }
}

impl From<&Share> for ShareReport {
    fn from(share: &Share) -> ShareReport {
        ShareReport {
            name: share.name.clone(),
            count: share.numbers,
        }
    }
}
