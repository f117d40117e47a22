//! The files as they are written: one struct for each table, every value with
//! its place. Nothing is required here and no value is judged, so that all
//! problems of meaning can be found at once. The same structs give the JSON
//! Schema for editors. Core; imports nothing of lkroute.

mod secret;
mod value;

use schemars::JsonSchema;

pub(super) use secret::{ApiSecret, SecretSourceTable};
pub(super) use value::{At, Named, Text};

type Str<'a> = Option<At<Text<'a>>>;
pub(super) type TextList<'a> = Option<At<Vec<At<Text<'a>>>>>;

/// A file of LiveKit call routing for lkroute. All files of a directory are
/// read as one.
#[derive(Debug, Default, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "lkroute routing file")]
pub(crate) struct File<'a> {
    /// Who these files speak for: stamped into the database by the first
    /// apply, so that another tree can't be applied to it by mistake. Left out:
    /// only a database without an owner takes them.
    pub owner: Str<'a>,
    /// How secrets are written, and where they come from. Left out: as its keys.
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
    /// How much one change may do; see docs/guards.md. Left out: two guards hold
    /// all the same.
    pub guards: Option<At<GuardsTable<'a>>>,
}

/// How secrets are written to the database.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Secrets<'a> {
    /// `aes-256-gcm`, or `fernet` for a database that the Python service reads.
    /// Left out: `aes-256-gcm`.
    #[serde(borrow)]
    pub format: Str<'a>,
    /// Variables that `{ env }` may read beside `LKROUTE_SECRET_*`. Left out: none.
    #[serde(borrow)]
    pub env: TextList<'a>,
}

/// A region.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Region")]
pub(crate) struct RegionTable<'a> {
    /// For people. Left out: none.
    #[serde(borrow)]
    pub description: Str<'a>,
    /// E.164 prefixes such as `+91`; of all the longest wins. Left out: none.
    #[serde(borrow)]
    pub country_codes: TextList<'a>,
    /// The config of bindings of this region that name none. Left out: each has to.
    #[serde(borrow)]
    pub default_config: Str<'a>,
}

/// A LiveKit deployment with its trunk and worker; also what one environment
/// overrides of it.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config<'a> {
    /// The uuid of the row; needed for a sealed secret. Left out: the row is
    /// known by the name.
    #[serde(borrow)]
    pub id: Str<'a>,
    /// The name that a config without `id` had before, so that its row is kept.
    /// Left out: it had no other.
    #[serde(borrow)]
    pub formerly: Str<'a>,
    /// The region that the deployment is in. Required.
    #[serde(borrow)]
    pub region: Str<'a>,
    /// For people; a column of the row. Left out: NULL.
    #[serde(borrow)]
    pub description: Str<'a>,
    /// `wss://host`, `ws://host:7880`, `https://…` or `http://…`, without a path.
    /// Required.
    #[serde(borrow)]
    pub url: Str<'a>,
    /// The API key that the server knows. Required.
    #[serde(borrow)]
    pub api_key: Str<'a>,
    /// Its secret, sealed or from a place that is named. Required.
    #[serde(borrow)]
    pub api_secret: Option<At<ApiSecret<'a>>>,
    /// The SIP outbound trunk, `ST_…`. Left out: NULL, and the
    /// `outbound_trunk_id` of the number, else `OUTBOUND_TRUNK_ID` of whoever calls.
    #[serde(borrow)]
    pub trunk_id: Str<'a>,
    /// The LiveKit agent name that calls are dispatched to. Left out: NULL, and
    /// `VOICE_AGENT_NAME` of whoever calls, else `inbound-agent`.
    #[serde(borrow)]
    pub worker_name: Str<'a>,
    /// The deployment of the workers that calls are dispatched to. Left out:
    /// production.
    #[serde(borrow)]
    pub deployment: Str<'a>,
    /// The config that takes a call where nothing of it can have been created
    /// here: the server can't be reached, does not know key or secret, or lacks
    /// the trunk. Left out: none.
    #[serde(borrow)]
    pub fallback: Str<'a>,
    /// Fields that may be taken over from others. Left out: none.
    #[serde(borrow)]
    pub adopt: TextList<'a>,
    /// The environments that have this config. Left out: all of them.
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
pub(crate) struct BindingTable<'a> {
    /// One number in E.164 form. Required: one of `number`, `numbers`, `range`.
    #[serde(borrow)]
    pub number: Str<'a>,
    /// Several numbers. Required: one of `number`, `numbers`, `range`.
    #[serde(borrow)]
    pub numbers: TextList<'a>,
    /// The first and the last of a run of numbers, both included. Required: one
    /// of `number`, `numbers`, `range`.
    #[serde(borrow)]
    pub range: TextList<'a>,
    /// The alias or the uuid of the tenant. Required.
    #[serde(borrow)]
    pub tenant: Str<'a>,
    /// The config that the numbers use. Left out: the default of `region`, or of
    /// the region whose `country_codes` fit best.
    #[serde(borrow)]
    pub config: Str<'a>,
    /// The region whose `default_config` is meant. Left out: that whose
    /// `country_codes` fit best.
    #[serde(borrow)]
    pub region: Str<'a>,
    /// The carrier's name; a column of the row. Left out: the column is not
    /// lkroute's.
    #[serde(borrow)]
    pub provider: Str<'a>,
    /// Whom the number may call, and how. Left out: none of its keys is
    /// lkroute's.
    #[serde(borrow)]
    pub rules: Option<At<Rules<'a>>>,
    /// Fields that may be taken over from others. Left out: none.
    #[serde(borrow)]
    pub adopt: TextList<'a>,
    /// The environments that have this binding. Left out: all of them.
    #[serde(borrow)]
    pub only: TextList<'a>,
    /// What an environment has different.
    #[serde(borrow, default)]
    pub env: Named<'a, BindingTable<'a>>,
}

/// The keys of `rules` that lkroute manages.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rules<'a> {
    /// Whether it may be called. Left out: not lkroute's; yes, where the row does
    /// not say.
    pub inbound: Option<bool>,
    /// Whether it may call. Left out: not lkroute's; yes, where the row does not
    /// say.
    pub outbound: Option<bool>,
    /// `global`, or the name of a region, whose `country_codes` it may call. Left
    /// out: not lkroute's; everywhere, where the row does not say.
    #[serde(borrow)]
    pub allowed_outbound: Str<'a>,
    /// The order in which the carrier wants a number: `country_code`,
    /// `base_number`, or digits to dial. Left out: not lkroute's; `+` and both,
    /// where the row does not say.
    #[serde(borrow)]
    pub required_lead_format: TextList<'a>,
    /// The trunk where the config has none. Left out: not lkroute's;
    /// `OUTBOUND_TRUNK_ID` of whoever calls, where the row does not say.
    #[serde(borrow)]
    pub outbound_trunk_id: Str<'a>,
}

/// A gradual move: exactly one of `percent`, `tenants`, `region`.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rollout<'a> {
    /// The config that numbers leave. Required.
    #[serde(borrow)]
    pub from: Str<'a>,
    /// The config that they go to. Required.
    #[serde(borrow)]
    pub to: Str<'a>,
    /// 0 to 100; more of it contains all of less. Required: one of `percent`,
    /// `tenants`, `region`.
    pub percent: Option<At<f64>>,
    /// All numbers of these tenants. Required: one of `percent`, `tenants`,
    /// `region`.
    #[serde(borrow)]
    pub tenants: TextList<'a>,
    /// All numbers that the `country_codes` of this region fit best. Required: one
    /// of `percent`, `tenants`, `region`.
    #[serde(borrow)]
    pub region: Str<'a>,
    /// The environments that have this rollout. Left out: all of them.
    #[serde(borrow)]
    pub only: TextList<'a>,
}

/// A routing test of the files alone; what is left out is not looked at. What a row of
/// the database holds beside them is not tested: `lkroute plan --number` shows it.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Expect")]
pub(crate) struct ExpectTable<'a> {
    /// The calling number. Required.
    #[serde(borrow)]
    pub from: Str<'a>,
    /// Whose number it is. Required.
    #[serde(borrow)]
    pub tenant: Str<'a>,
    /// A called number. Left out: no call is judged.
    #[serde(borrow)]
    pub to: Str<'a>,
    /// The name of the config that is used. Left out: not looked at.
    #[serde(borrow)]
    pub config: Str<'a>,
    /// The worker that is asked for. Left out: not looked at.
    #[serde(borrow)]
    pub worker: Str<'a>,
    /// The trunk that is used. Left out: not looked at.
    #[serde(borrow)]
    pub trunk: Str<'a>,
    /// The region of the config. Left out: not looked at.
    #[serde(borrow)]
    pub region: Str<'a>,
    /// Whether calls out are allowed at all. Left out: not looked at.
    pub outbound: Option<bool>,
    /// How `to` is dialled. Left out: not looked at.
    #[serde(borrow)]
    pub dials: Str<'a>,
    /// The rule that refuses a call to `to`: `outbound`, `allowed_outbound` or
    /// `required_lead_format`. Left out: not looked at.
    #[serde(borrow)]
    pub refused: Str<'a>,
    /// The environments that this is tested in. Left out: all of them.
    #[serde(borrow)]
    pub only: TextList<'a>,
}

/// A database that these files are applied to.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Environment<'a> {
    /// The name of the variable that holds the URL of the database. Required.
    #[serde(borrow)]
    pub database: Str<'a>,
    /// The schema of the tables, on PostgreSQL. Left out: that of the URL.
    #[serde(borrow)]
    pub schema: Str<'a>,
    /// In place of the `[secrets]` of all environments. Left out: that one.
    #[serde(borrow)]
    pub secrets: Option<At<Secrets<'a>>>,
    /// Each budget, and the policy as a whole, in place of that of `[guards]`;
    /// `protected` and `allow` count beside those there. Left out: those alone.
    #[serde(borrow)]
    pub guards: Option<At<GuardsTable<'a>>>,
}

/// How much one change may do, and what it may not touch.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Guards")]
pub(crate) struct GuardsTable<'a> {
    /// Objects that are deleted. Left out: no limit.
    pub deletes: Option<At<BudgetTable>>,
    /// Objects that are updated or re-sealed. Left out: no limit.
    pub updates: Option<At<BudgetTable>>,
    /// Numbers with a route whose route or terms change. Left out: half of each
    /// tenant that has five or more; so it is without `per_tenant`.
    pub reroutes: Option<At<BudgetTable>>,
    /// Addresses, `*` for any characters: no delete, and no change of what
    /// calls depend on. Left out: none.
    #[serde(borrow)]
    pub protected: TextList<'a>,
    /// What every config has to look like. Left out: as its keys.
    #[serde(borrow)]
    pub policy: Option<At<PolicyTable<'a>>>,
    /// How long applies count together against `reroutes`: `"24h"`, `"7d"`;
    /// `"0h"` counts each alone. It holds from the apply on that stores it. Left
    /// out: `"24h"`.
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
pub(crate) struct BudgetTable {
    /// So many in all. Left out: no such limit.
    pub max: Option<At<u64>>,
    /// A share of all that there are, 0 to 100. Left out: no such limit.
    pub percent: Option<At<f64>>,
    /// `max` and `percent` of each region. Left out: no such limit.
    pub per_region: Option<LimitTable>,
    /// `max` and `percent` of each tenant. Left out: no such limit.
    pub per_tenant: Option<LimitTable>,
}

/// An absolute number, a share, or both.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Limit")]
pub(crate) struct LimitTable {
    /// So many.
    pub max: Option<At<u64>>,
    /// A share, 0 to 100.
    pub percent: Option<At<f64>>,
}

/// What every config has to look like.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Policy")]
pub(crate) struct PolicyTable<'a> {
    /// `deny` or `allow`: `http` and `ws` to public hosts. Left out: `allow`,
    /// with a warning.
    #[serde(borrow)]
    pub plain_http: Str<'a>,
    /// Allowed hosts by region, `*` for any characters; a region without a line
    /// may be anywhere, unless it is new.
    #[serde(borrow, default)]
    pub hosts: Named<'a, Vec<At<Text<'a>>>>,
    /// Allowed workers by environment (`*`: any), `*` for any characters.
    #[serde(borrow, default)]
    pub workers: Named<'a, Vec<At<Text<'a>>>>,
    /// `deny` or `allow`: moves of numbers from region to region. Left out:
    /// `allow`.
    #[serde(borrow)]
    pub cross_region: Str<'a>,
    /// `deny`: no number may call more countries than before, or dial other
    /// digits before the number; `allow` warns. Left out: `allow`.
    #[serde(borrow)]
    pub widen: Str<'a>,
    /// Fields that every config has to set. Left out: none.
    #[serde(borrow)]
    pub require: TextList<'a>,
}

/// An exception from a guard, with a reason and an end.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Allow<'a> {
    /// The code of the guard, as the refusal prints it. Required.
    #[serde(borrow)]
    pub guard: Str<'a>,
    /// Exact addresses. Required.
    #[serde(borrow)]
    pub addresses: TextList<'a>,
    /// How many numbers or objects at most. Left out: any number.
    pub max: Option<At<u64>>,
    /// Why. Required.
    #[serde(borrow)]
    pub reason: Str<'a>,
    /// The last day, `YYYY-MM-DD`, at most 30 days ahead. Required.
    #[serde(borrow)]
    pub expires: Str<'a>,
}
