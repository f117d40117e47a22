//! Who is rerouted: every number that a plan can affect, resolved before and
//! after by the resolver that dispatch uses, and grouped. Core.
//!
//! Numbers come as [`super::Class`]es, a few thousand for a million numbers,
//! and each distinct set of fields is resolved once. The environment is
//! symbolic: a plan never reads the routing variables of its shell.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{Action, Kind, Object, Plan};
use crate::fields::{Field, Fields, FieldsIx};
use crate::resolve::{
    ConfigFact, Configs, Provenance, Route, Router, RoutingEnv, SecretState, Side, Source, Trace,
};

/// Where a number's calls go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Leg {
    pub source: LegSource,
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
pub enum LegSource {
    Database,
    Environment,
    Error,
}

/// In what two legs differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aspect {
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

impl Leg {
    /// In what calls change. The same config under another name is no change,
    /// nor is a region that was not known before.
    pub fn differs(&self, after: &Leg) -> Vec<Aspect> {
        let moved = |a: &Option<String>, b: &Option<String>| a.is_some() && b.is_some() && a != b;
        let config = self.config_id != after.config_id
            || self.config_id.is_none() && self.config != after.config;
        [
            (
                Aspect::Source,
                self.source != after.source || self.error != after.error,
            ),
            (Aspect::Config, config),
            (Aspect::Server, self.server != after.server),
            (Aspect::Trunk, self.trunk != after.trunk),
            (Aspect::Worker, self.worker != after.worker),
            (Aspect::Region, moved(&self.region, &after.region)),
            (Aspect::Outbound, self.refused != after.refused),
        ]
        .into_iter()
        .filter_map(|(aspect, differs)| differs.then_some(aspect))
        .collect()
    }

    pub fn is_database(&self) -> bool {
        self.source == LegSource::Database
    }

    /// Host and port of the server.
    pub fn host(&self) -> Option<&str> {
        let url = self.server.as_deref()?;
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        rest.split(['/', '?', '#']).next()
    }
}

/// A share of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// A tenant's label, or a region; absent for configs of no known region.
    pub name: Option<String>,
    pub numbers: u64,
}

/// Numbers that move alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub count: u64,
    /// Absent for numbers that are new.
    pub before: Option<Leg>,
    pub after: Leg,
    /// In what they differ; empty for numbers that are new.
    pub changed: Vec<Aspect>,
    /// Most numbers first.
    pub tenants: Vec<Share>,
    /// By the region before, else after.
    pub regions: Vec<Share>,
}

/// What a budget is measured against: the numbers of one tenant in one region
/// that had a database route before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// Index into [`Plan::tenants`].
    pub tenant: u32,
    pub region: Option<String>,
    /// How many had a database route.
    pub numbers: u64,
    /// Of those, how many go elsewhere, the unrouted among them.
    pub rerouted: u64,
    /// Of those, how many lose their database route.
    pub unrouted: u64,
}

/// The effect of a plan on calls.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reroutes {
    /// Database routes lost first, then by count.
    pub groups: Vec<Group>,
    /// Numbers that had a database route before.
    pub routed: u64,
    /// Of those, how many go elsewhere, the unrouted among them.
    pub rerouted: u64,
    /// Of those, how many lose their database route.
    pub unrouted: u64,
    /// Numbers whose calls fail where they did not before.
    pub broken: u64,
    /// Numbers that come to the environment from the database.
    pub to_environment: u64,
    /// Numbers that leave the environment for the database.
    pub from_environment: u64,
    /// Numbers that were not there.
    pub new: u64,
    /// Sorted by tenant and region.
    pub cells: Vec<Cell>,
}

impl Reroutes {
    /// Whether calls go where they went, new numbers apart.
    pub fn is_empty(&self) -> bool {
        self.groups.iter().all(|group| group.before.is_none())
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
            config.place.line = Some((file.to_owned(), line));
        }
        configs.insert(config);
    }
    configs
}

/// Whether an object stops being ours and stays as it is.
fn released(fields: &[super::FieldChange]) -> bool {
    !fields.is_empty() && fields.iter().all(|field| field.kind == Kind::Release)
}

/// Where numbers go before and after a plan.
#[derive(Debug)]
pub struct Legs {
    before: Configs,
    after: Configs,
}

impl Legs {
    /// `before`: [`Configs::of_snapshot`].
    pub fn new(plan: &Plan, before: Configs) -> Legs {
        let after = configs_after(plan, &before);
        Legs { before, after }
    }

    /// Where a number with these live fields goes today.
    pub fn before(&self, fields: &Fields) -> Leg {
        leg(&self.before, fields)
    }

    /// Where a number with these fields goes after the plan.
    pub fn after(&self, fields: &Fields) -> Leg {
        leg(&self.after, fields)
    }

    /// Before and after for numbers that stay bound to this config.
    pub fn of_config(&self, id: Uuid) -> (Leg, Leg) {
        let fields = Fields::new().with(Field::Config, id.to_string());
        (self.before(&fields), self.after(&fields))
    }
}

fn leg(configs: &Configs, fields: &Fields) -> Leg {
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
        Ok(route) => Leg {
            refused,
            ..of_route(route)
        },
        Err(error) => Leg {
            error: Some((error.code.to_owned(), error.message)),
            refused,
            ..nowhere(LegSource::Error)
        },
    }
}

fn nowhere(source: LegSource) -> Leg {
    Leg {
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

fn of_route(route: Route) -> Leg {
    let source = match route.source {
        Source::Environment => LegSource::Environment,
        Source::Database | Source::Files => LegSource::Database,
    };
    let (config, config_id) = match route.config {
        Some(config) => (Some(config.name), config.id),
        None => (None, None),
    };
    Leg {
        config,
        config_id,
        server: route.url,
        trunk: route.trunk.value,
        worker: route.worker.value,
        region: route.region,
        ..nowhere(source)
    }
}

/// Each distinct leg once, and the leg of each set of fields.
struct Memo<'a> {
    plan: &'a Plan,
    configs: &'a Configs,
    seen: HashMap<FieldsIx, Leg, foldhash::fast::RandomState>,
}

impl<'a> Memo<'a> {
    fn new(plan: &'a Plan, configs: &'a Configs) -> Memo<'a> {
        Memo {
            plan,
            configs,
            seen: HashMap::default(),
        }
    }

    fn leg(&mut self, ix: FieldsIx) -> &Leg {
        let (plan, configs) = (self.plan, self.configs);
        self.seen
            .entry(ix)
            .or_insert_with(|| leg(configs, plan.pool.get(ix)))
    }
}

/// Groups in the making, by their legs.
type Groups = BTreeMap<(Option<Leg>, Leg), Parts>;

#[derive(Default)]
struct Parts {
    count: u64,
    tenants: BTreeMap<u32, u64>,
    regions: BTreeMap<Option<String>, u64>,
}

/// Who is rerouted by a plan; `before` is [`Configs::of_snapshot`].
pub fn reroutes(plan: &Plan, before: &Configs) -> Reroutes {
    let after = configs_after(plan, before);
    let (mut old, mut new) = (Memo::new(plan, before), Memo::new(plan, &after));
    let absent = nowhere(LegSource::Environment);
    let mut found = Reroutes::default();
    let mut groups = Groups::new();
    let mut cells: BTreeMap<(u32, Option<String>), Cell> = BTreeMap::new();
    for class in &plan.classes {
        let before = class.before.map(|ix| old.leg(ix));
        let after = class.after.map_or(&absent, |ix| new.leg(ix));
        let changed = before.map(|before| !before.differs(after).is_empty());
        count(&mut found, before, after, changed, class.numbers);
        if let Some(before) = before.filter(|before| before.is_database()) {
            let key = (class.tenant, before.region.clone());
            let cell = cells
                .entry(key)
                .or_insert_with_key(|(tenant, region)| Cell {
                    tenant: *tenant,
                    region: region.clone(),
                    numbers: 0,
                    rerouted: 0,
                    unrouted: 0,
                });
            cell.numbers += class.numbers;
            cell.rerouted += u64::from(changed == Some(true)) * class.numbers;
            cell.unrouted += u64::from(!after.is_database()) * class.numbers;
        }
        if changed == Some(false) {
            continue;
        }
        let parts = groups.entry((before.cloned(), after.clone())).or_default();
        let region = before.and_then(|leg| leg.region.clone());
        let region = region.or_else(|| after.region.clone());
        parts.count += class.numbers;
        *parts.tenants.entry(class.tenant).or_default() += class.numbers;
        *parts.regions.entry(region).or_default() += class.numbers;
    }
    found.groups = groups
        .into_iter()
        .map(|((before, after), parts)| group(plan, before, after, parts))
        .collect();
    found.groups.sort_by_key(|group| {
        let lost =
            group.before.as_ref().is_some_and(Leg::is_database) && !group.after.is_database();
        (
            !lost,
            group.before.is_none(),
            std::cmp::Reverse(group.count),
        )
    });
    found.cells = cells.into_values().collect();
    found
}

fn count(found: &mut Reroutes, before: Option<&Leg>, after: &Leg, changed: Option<bool>, n: u64) {
    let Some(before) = before else {
        found.new += n;
        return;
    };
    let if_so = |holds: bool| u64::from(holds) * n;
    let (routed, stays) = (before.is_database(), after.is_database());
    let environment = LegSource::Environment;
    found.routed += if_so(routed);
    found.rerouted += if_so(routed && changed == Some(true));
    found.unrouted += if_so(routed && !stays);
    found.broken += if_so(before.error.is_none() && after.error.is_some());
    found.to_environment += if_so(routed && after.source == environment);
    found.from_environment += if_so(before.source == environment && stays);
}

fn group(plan: &Plan, before: Option<Leg>, after: Leg, parts: Parts) -> Group {
    let tenants = parts.tenants.into_iter().map(|(tenant, numbers)| Share {
        name: plan.tenants.get(tenant as usize).map(|t| t.label()),
        numbers,
    });
    let regions = parts.regions.into_iter();
    Group {
        count: parts.count,
        changed: before
            .as_ref()
            .map(|leg| leg.differs(&after))
            .unwrap_or_default(),
        before,
        after,
        tenants: most_first(tenants.collect()),
        regions: most_first(
            regions
                .map(|(name, numbers)| Share { name, numbers })
                .collect(),
        ),
    }
}

fn most_first(mut shares: Vec<Share>) -> Vec<Share> {
    shares.sort_by(|a, b| (b.numbers, &a.name).cmp(&(a.numbers, &b.name)));
    shares
}

/// The tenants of a group of groups, for "412 numbers of 3 tenants".
pub fn tenants<'a>(groups: impl IntoIterator<Item = &'a Group>) -> usize {
    let shares = groups.into_iter().flat_map(|group| &group.tenants);
    let names: BTreeSet<_> = shares.map(|share| &share.name).collect();
    names.len()
}
