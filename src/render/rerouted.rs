//! What happens to calls, for machines: `routing` of the plan's report.
//! Imports core.

use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::impact::reroutes::{EffectiveRoute, RerouteCounts, RerouteGroup, Reroutes, Share};
use crate::impact::window_sum::WindowSum;
use crate::invisible_chars::without_user_info;
use crate::resolve::{Fallback, ReportTerms};

/// Where calls go before and after, on what terms, and whose. Counts are of
/// numbers that had a route in the database, where nothing else is said.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct RoutingReport {
    /// Numbers whose calls change alike; what is lost first, then by count.
    pub groups: Vec<GroupReport>,
    #[serde(flatten)]
    pub counts: RerouteCounts,
    /// This plan and the applies before it, as budgets count them; null where
    /// none falls into their window.
    pub window: Option<WindowReport>,
}

/// Numbers whose calls would differ from what they were when the window of the
/// budgets began.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WindowReport {
    /// `guards.window`, as `24h`.
    pub window: String,
    /// How many there would be. What an exception let pass, and a number that
    /// came back, do not count.
    pub affected: u64,
    /// How many of them this plan affects.
    pub added: u64,
    /// The applies that affected the others.
    pub applies: Vec<i64>,
    /// This apply and those before it do not count: their lkroute knew no
    /// window.
    pub uncounted: Option<i64>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct GroupReport {
    pub count: u64,
    /// Null for numbers that are new.
    pub before: Option<RouteReport>,
    pub after: RouteReport,
    /// In what they differ: `source`, `config`, `server`, `trunk`, `worker`,
    /// `deployment` or `region` for the route; `api_key`, `secret`, `fallback`, `inbound`,
    /// `outbound`, `countries` or `dialled` for the terms. Empty for numbers that are new.
    pub changed: Vec<&'static str>,
    /// No call out can be made any more.
    pub stopped: bool,
    /// More countries can be called, or other digits are dialled.
    pub widened: bool,
    /// A secret is written that could not be compared with the stored one.
    pub secret_not_compared: bool,
    /// Most numbers first.
    pub tenants: Vec<ShareReport>,
    /// Regions before, else after; most numbers first.
    pub regions: Vec<ShareReport>,
}

/// Where a number's calls go. What the environment decides is null.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RouteReport {
    /// `database`, `environment` or `error`.
    #[schemars(extend("enum" = ["database", "environment", "error"]))]
    pub source: &'static str,
    pub config: Option<String>,
    pub config_id: Option<Uuid>,
    pub server: Option<String>,
    pub api_key: Option<String>,
    pub trunk: Option<String>,
    pub worker: Option<String>,
    /// The deployment of the workers; null means production.
    pub deployment: Option<String>,
    /// Where calls go where the server can't be reached.
    pub fallback: Option<FallbackReport>,
    pub region: Option<String>,
    /// Whether calls out are refused, wherever they would go.
    pub refused: bool,
    /// Null for numbers taken together whose terms differ from one another and
    /// do not change.
    pub terms: Option<ReportTerms>,
    pub error: Option<RouteError>,
}

/// The config that takes the calls of another.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FallbackReport {
    pub config: String,
    pub config_id: Option<Uuid>,
    pub server: Option<String>,
    pub api_key: Option<String>,
    pub trunk: Option<String>,
    pub worker: Option<String>,
    pub deployment: Option<String>,
}

impl From<Fallback> for FallbackReport {
    fn from(fallback: Fallback) -> FallbackReport {
        let Fallback {
            config,
            url,
            api_key,
            trunk,
            worker,
            deployment,
        } = fallback;
        FallbackReport {
            config: config.name,
            config_id: config.id,
            server: url,
            api_key,
            trunk,
            worker,
            deployment,
        }
    }
}

/// Why there is no route.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RouteError {
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
            counts: reroutes.counts,
            window: reroutes.window.as_ref().map(WindowReport::from),
        }
    }
}

impl From<&WindowSum> for WindowReport {
    fn from(sum: &WindowSum) -> WindowReport {
        WindowReport {
            window: sum.window.to_string(),
            affected: sum.affected,
            added: sum.added,
            applies: sum.applies.iter().copied().collect(),
            uncounted: sum.uncounted,
        }
    }
}

impl From<&RerouteGroup> for GroupReport {
    fn from(group: &RerouteGroup) -> GroupReport {
        GroupReport {
            count: group.count,
            before: group.before.as_ref().map(RouteReport::from),
            after: (&group.after).into(),
            changed: group.changed.iter().map(|field| field.as_str()).collect(),
            stopped: group.effect.stopped,
            widened: group.effect.widened,
            secret_not_compared: group.secret_not_compared,
            tenants: group.tenants.iter().map(ShareReport::from).collect(),
            regions: group.regions.iter().map(ShareReport::from).collect(),
        }
    }
}

impl From<&EffectiveRoute> for RouteReport {
    fn from(route: &EffectiveRoute) -> RouteReport {
        let refused = route.refuses_calls();
        let EffectiveRoute {
            source,
            config,
            config_id,
            server,
            api_key,
            secret: _,
            trunk,
            worker,
            deployment,
            fallback,
            region,
            terms,
            error,
        } = route.clone();
        RouteReport {
            source: source.as_str(),
            config,
            config_id,
            server: server.map(|server| without_user_info(&server).into_owned()),
            api_key,
            trunk,
            worker,
            deployment,
            fallback: fallback.map(FallbackReport::from),
            region,
            refused,
            terms: terms.as_ref().map(ReportTerms::from),
            error: error.map(|(code, message)| RouteError { code, message }),
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
