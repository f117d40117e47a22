//! The files as they are written: one struct for each table, every value with
//! its place. Nothing is required here and no value is judged, so that all
//! problems of meaning can be found at once. The same structs give the JSON
//! Schema for editors. Core; imports nothing of lkroute.

mod secret;
mod value;

use schemars::JsonSchema;

pub use secret::{ApiSecret, SecretSourceTable};
pub use value::{At, Named, Text};

type Str<'a> = Option<At<Text<'a>>>;
pub type TextList<'a> = Option<At<Vec<At<Text<'a>>>>>;

/// A file of LiveKit call routing for lkroute. All files of a directory are
/// read as one.
#[derive(Debug, Default, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "lkroute routing file")]
pub struct File<'a> {
    /// Who these files speak for: stamped into the database by the first
    /// apply, so that another tree can't be applied to it by mistake.
    pub owner: Str<'a>,
    pub secrets: Option<At<Secrets<'a>>>,
    /// Names for tenants, each with the tenant's uuid.
    #[serde(default)]
    pub tenants: Named<'a, Text<'a>>,
    /// Regions: which numbers belong together, and where they go by default.
    #[serde(default)]
    pub regions: Named<'a, RegionTable<'a>>,
    /// LiveKit deployments, each with its trunk and worker.
    #[serde(default)]
    pub configs: Named<'a, Config<'a>>,
    /// Databases that these files are applied to.
    #[serde(default)]
    pub environments: Named<'a, Environment<'a>>,
    /// Which number of which tenant uses which config.
    #[serde(default)]
    pub bindings: Vec<At<BindingTable<'a>>>,
    /// Gradual moves from one config to another.
    #[serde(default)]
    pub rollouts: Vec<At<Rollout<'a>>>,
    /// Routing tests: what a number has to resolve to.
    #[serde(default)]
    pub expect: Vec<At<ExpectTable<'a>>>,
    pub guards: Option<At<GuardsTable<'a>>>,
}

/// How secrets are written to the database.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Secrets<'a> {
    /// `aes-256-gcm`, or `fernet` for a database that the Python service reads.
    #[serde(borrow)]
    pub format: Str<'a>,
    /// Variables that `{ env = "NAME" }` may read beside `LKROUTE_SECRET_*`.
    #[serde(borrow)]
    pub env: TextList<'a>,
}

/// A region.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Region")]
pub struct RegionTable<'a> {
    #[serde(borrow)]
    pub description: Str<'a>,
    /// E.164 prefixes such as `+91`; over all regions the longest wins.
    #[serde(borrow)]
    pub country_codes: TextList<'a>,
    /// The config of bindings of this region that name none.
    #[serde(borrow)]
    pub default_config: Str<'a>,
}

/// A LiveKit deployment with its trunk and worker; also what one environment
/// overrides of it.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config<'a> {
    /// The uuid of the row; needed for a sealed secret.
    #[serde(borrow)]
    pub id: Str<'a>,
    /// The name that a config without `id` had before, so that its row is kept.
    #[serde(borrow)]
    pub formerly: Str<'a>,
    #[serde(borrow)]
    pub region: Str<'a>,
    #[serde(borrow)]
    pub description: Str<'a>,
    /// `wss://host`, `ws://host:7880`, `https://…` or `http://…`, without a path.
    #[serde(borrow)]
    pub url: Str<'a>,
    #[serde(borrow)]
    pub api_key: Str<'a>,
    #[serde(borrow)]
    pub api_secret: Option<At<ApiSecret<'a>>>,
    /// The SIP outbound trunk, `ST_…`.
    #[serde(borrow)]
    pub trunk_id: Str<'a>,
    /// The LiveKit agent name that calls are dispatched to.
    #[serde(borrow)]
    pub worker_name: Str<'a>,
    /// The deployment of the workers that calls are dispatched to; without it,
    /// production.
    #[serde(borrow)]
    pub deployment: Str<'a>,
    /// The config that takes a call where nothing of it can have been created
    /// here: the server can't be reached, does not know key or secret, or lacks
    /// the trunk.
    #[serde(borrow)]
    pub fallback: Str<'a>,
    /// Fields that may be taken over from others.
    #[serde(borrow)]
    pub adopt: TextList<'a>,
    /// The environments that have this config; all of them without it.
    #[serde(borrow)]
    pub only: TextList<'a>,
    /// What an environment has different.
    #[serde(borrow, default)]
    pub env: Named<'a, Config<'a>>,
}

/// Numbers of a tenant, and what they use; also what one environment
/// overrides of it.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Binding")]
pub struct BindingTable<'a> {
    /// One number in E.164 form.
    #[serde(borrow)]
    pub number: Str<'a>,
    /// Several numbers.
    #[serde(borrow)]
    pub numbers: TextList<'a>,
    /// The first and the last of a run of numbers, both included.
    #[serde(borrow)]
    pub range: TextList<'a>,
    /// The alias or the uuid of the tenant.
    #[serde(borrow)]
    pub tenant: Str<'a>,
    /// Without it, the default of `region`, or of the region whose
    /// `country_codes` fit best.
    #[serde(borrow)]
    pub config: Str<'a>,
    #[serde(borrow)]
    pub region: Str<'a>,
    /// The carrier's name.
    #[serde(borrow)]
    pub provider: Str<'a>,
    #[serde(borrow)]
    pub rules: Option<At<Rules<'a>>>,
    /// Fields that may be taken over from others.
    #[serde(borrow)]
    pub adopt: TextList<'a>,
    /// The environments that have this binding; all of them without it.
    #[serde(borrow)]
    pub only: TextList<'a>,
    /// What an environment has different.
    #[serde(borrow, default)]
    pub env: Named<'a, BindingTable<'a>>,
}

/// The keys of `rules` that lkroute manages.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rules<'a> {
    pub inbound: Option<bool>,
    pub outbound: Option<bool>,
    /// `global`, or the name of a region.
    #[serde(borrow)]
    pub allowed_outbound: Str<'a>,
    /// The order in which the carrier wants a number: `country_code`,
    /// `base_number`, or digits to dial.
    #[serde(borrow)]
    pub required_lead_format: TextList<'a>,
    /// The trunk where the config has none.
    #[serde(borrow)]
    pub outbound_trunk_id: Str<'a>,
}

/// A gradual move: exactly one of `percent`, `tenants`, `region`.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rollout<'a> {
    #[serde(borrow)]
    pub from: Str<'a>,
    #[serde(borrow)]
    pub to: Str<'a>,
    /// 0 to 100; more of it contains all of less.
    pub percent: Option<At<f64>>,
    #[serde(borrow)]
    pub tenants: TextList<'a>,
    #[serde(borrow)]
    pub region: Str<'a>,
    #[serde(borrow)]
    pub only: TextList<'a>,
}

/// A routing test; what is left out is not looked at.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Expect")]
pub struct ExpectTable<'a> {
    #[serde(borrow)]
    pub from: Str<'a>,
    #[serde(borrow)]
    pub tenant: Str<'a>,
    /// A called number.
    #[serde(borrow)]
    pub to: Str<'a>,
    #[serde(borrow)]
    pub config: Str<'a>,
    #[serde(borrow)]
    pub worker: Str<'a>,
    #[serde(borrow)]
    pub trunk: Str<'a>,
    #[serde(borrow)]
    pub region: Str<'a>,
    /// Whether calls out are allowed at all.
    pub outbound: Option<bool>,
    /// How `to` is dialled.
    #[serde(borrow)]
    pub dials: Str<'a>,
    /// The rule that refuses a call to `to`: `outbound`, `allowed_outbound` or
    /// `required_lead_format`.
    #[serde(borrow)]
    pub refused: Str<'a>,
    #[serde(borrow)]
    pub only: TextList<'a>,
}

/// A database that these files are applied to.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Environment<'a> {
    /// The name of the variable that holds the URL of the database.
    #[serde(borrow)]
    pub database: Str<'a>,
    #[serde(borrow)]
    pub schema: Str<'a>,
    #[serde(borrow)]
    pub secrets: Option<At<Secrets<'a>>>,
    #[serde(borrow)]
    pub guards: Option<At<GuardsTable<'a>>>,
}

/// How much one change may do, and what it may not touch.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Guards")]
pub struct GuardsTable<'a> {
    pub deletes: Option<At<BudgetTable>>,
    pub updates: Option<At<BudgetTable>>,
    pub reroutes: Option<At<BudgetTable>>,
    /// Addresses, `*` for any characters: no delete and no reroute.
    #[serde(borrow)]
    pub protected: TextList<'a>,
    #[serde(borrow)]
    pub policy: Option<At<PolicyTable<'a>>>,
    /// How long applies count together against `reroutes`: `"24h"`, which is
    /// the default, `"7d"`; `"0h"` counts each alone. It holds from the apply
    /// on that stores it.
    #[serde(borrow)]
    pub window: Option<At<Text<'a>>>,
    /// Reviewed exceptions.
    #[serde(borrow, default)]
    pub allow: Vec<At<Allow<'a>>>,
}

/// The most that one change may do.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Budget")]
pub struct BudgetTable {
    pub max: Option<At<u64>>,
    /// 0 to 100.
    pub percent: Option<At<f64>>,
    pub per_region: Option<LimitTable>,
    pub per_tenant: Option<LimitTable>,
}

/// An absolute number, a share, or both.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Limit")]
pub struct LimitTable {
    pub max: Option<At<u64>>,
    /// 0 to 100.
    pub percent: Option<At<f64>>,
}

/// What every config has to look like.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Policy")]
pub struct PolicyTable<'a> {
    /// `deny` or `allow`: `http` and `ws` to public hosts.
    #[serde(borrow)]
    pub plain_http: Str<'a>,
    /// Allowed hosts by region, `*` for any characters.
    #[serde(borrow, default)]
    pub hosts: Named<'a, Vec<At<Text<'a>>>>,
    /// Allowed workers by environment, `*` for any characters.
    #[serde(borrow, default)]
    pub workers: Named<'a, Vec<At<Text<'a>>>>,
    /// `deny` or `allow`: moves of numbers from region to region.
    #[serde(borrow)]
    pub cross_region: Str<'a>,
    /// `deny`: no number may call more countries than before, or dial other
    /// digits before the number.
    #[serde(borrow)]
    pub widen: Str<'a>,
    /// Fields that every config has to set.
    #[serde(borrow)]
    pub require: TextList<'a>,
}

/// An exception from a guard, with a reason and an end.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Allow<'a> {
    /// The code of the guard, as the refusal prints it.
    #[serde(borrow)]
    pub guard: Str<'a>,
    /// Exact addresses.
    #[serde(borrow)]
    pub addresses: TextList<'a>,
    pub max: Option<At<u64>>,
    #[serde(borrow)]
    pub reason: Str<'a>,
    /// The last day, `YYYY-MM-DD`, at most 30 days ahead.
    #[serde(borrow)]
    pub expires: Str<'a>,
}
