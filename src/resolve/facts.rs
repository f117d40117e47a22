//! What was found, in the files or in the database, before anything is
//! resolved. Core.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde_json::Value;
use uuid::Uuid;

use crate::fields::{Field, Fields};
use crate::phone::{E164, Prefix, RowKey};
use crate::routing::{Routing, Tenant};
use crate::snapshot::{ApplyId, OwnedRegion, Snapshot, SourceLine};

/// Where facts come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Side {
    #[default]
    Database,
    /// The files alone (`--offline`, expectations).
    Files,
}

/// Aliases of tenants.
pub type Aliases = HashMap<Uuid, String>;

/// Everything that one resolution needs to know.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub side: Side,
    /// Every row with the key of the number, of whatever tenant and status.
    pub rows: Vec<RowFact>,
    /// At least the configs that those rows name.
    pub configs: Configs,
    pub regions: Regions,
    pub aliases: Aliases,
    /// What was found of the user that the query names.
    pub user: Option<UserFact>,
    /// The agent asked for.
    pub agent: Option<AgentFact>,
    /// The default agents of rows.
    pub default_agents: HashMap<Uuid, AgentFact>,
}

impl Facts {
    pub fn tenant(&self, id: Uuid) -> Tenant {
        Tenant {
            id,
            alias: self.aliases.get(&id).cloned(),
        }
    }

    /// The agent asked for, else that of the row.
    pub fn agent_of(&self, row: Option<Uuid>) -> Option<AgentFact> {
        let default = || self.default_agents.get(&row?).copied();
        self.agent.or_else(default)
    }

    /// The alias, else the uuid.
    pub fn label(&self, id: Uuid) -> String {
        self.tenant(id).label()
    }

    /// What the files declare, and of the bindings those of `number`.
    pub fn of_files(routing: &Routing, number: E164) -> Facts {
        let mut rows = rows_of_files(routing, |key| key == number.row_key());
        let mut facts = Facts::of_files_without_rows(routing);
        facts.rows = rows.remove(&number.row_key()).unwrap_or_default();
        facts
    }

    /// What the files declare but the bindings; add those to
    /// [`Facts::rows`] from [`rows_of_files`].
    pub fn of_files_without_rows(routing: &Routing) -> Facts {
        Facts {
            side: Side::Files,
            configs: Configs::of_files(routing),
            regions: Regions::of_files(routing),
            aliases: routing.tenants.iter().filter_map(Tenant::aliased).collect(),
            ..Facts::default()
        }
    }
}

/// The bindings whose key is wanted, as rows, in one pass over all of them.
pub(crate) fn rows_of_files(
    routing: &Routing,
    wanted: impl Fn(RowKey) -> bool,
) -> HashMap<RowKey, Vec<RowFact>> {
    let mut rows: HashMap<RowKey, Vec<RowFact>> = HashMap::new();
    for binding in &routing.bindings {
        let key = binding.number.row_key();
        if !wanted(key) {
            continue;
        }
        let settings = routing.settings(binding);
        let config = routing.configs.get(&settings.config);
        let key_of_config = match config.and_then(|config| config.id) {
            Some(id) => id.to_string(),
            None => settings.config.clone(),
        };
        rows.entry(key).or_default().push(RowFact {
            id: None,
            tenant: routing.tenant(binding).id,
            fields: Some(settings.fields.clone().with(Field::Config, key_of_config)),
            place: Provenance {
                line: line(&routing.files, binding.origin.file, binding.origin.line),
                ..Provenance::default()
            },
            rollout: settings.rollout.clone(),
        });
    }
    rows
}

fn line(files: &[String], file: u32, line: u32) -> Option<(String, u32)> {
    Some((files.get(file as usize)?.clone(), line))
}

/// One row of a number, or one binding of the files.
#[derive(Debug, Clone, PartialEq)]
pub struct RowFact {
    /// Absent for a binding of the files.
    pub id: Option<Uuid>,
    pub tenant: Uuid,
    /// As [`crate::diff::row_reader::read_row`] gives them; absent where `rules` is
    /// no object.
    pub fields: Option<Fields>,
    pub place: Provenance,
    /// The wave that put the number on its config.
    pub rollout: Option<String>,
}

impl RowFact {
    /// The status where the row is not active; a row whose `rules` can't be
    /// read counts as active.
    pub fn inactive(&self) -> Option<&Value> {
        self.fields.as_ref()?.get(Field::Status)
    }
}

/// Where something stands: the row, and the line that it was applied from or
/// is declared at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    pub row: Option<Uuid>,
    pub line: Option<(String, u32)>,
    /// The apply that set it, for what is ours.
    pub apply: Option<ApplyId>,
    /// The commit of that apply.
    pub revision: Option<String>,
}

impl Provenance {
    /// The same row, declared in files that no apply has seen.
    pub(crate) fn declared_at(&self, (file, line): (&str, u32)) -> Provenance {
        Provenance {
            row: self.row,
            line: Some((file.to_owned(), line)),
            ..Provenance::default()
        }
    }
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.row.map(|id| format!("row {id}")));
        let line = self.line.as_ref();
        parts.extend(line.map(|(file, line)| format!("{file}:{line}")));
        parts.extend(self.apply.map(|apply| format!("apply {apply}")));
        parts.extend(self.revision.as_ref().map(|commit| {
            let short: String = commit.chars().take(12).collect();
            format!("revision {short}")
        }));
        if self.apply.is_none() && self.line.is_none() {
            parts.push("not applied by lkroute".to_owned());
        }
        f.write_str(&parts.join(", "))
    }
}

enum_words! {
    /// Whether the stored secret of a config opens.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum SecretState {
        Opens = "opens",
        NoKey = "no key",
        Damaged = "damaged",
        /// It is no sealed value, but the secret itself.
        PlainText = "plain text",
        #[default]
        NotChecked = "not checked",
    }
}

/// One config row, or one config of the files.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ConfigFact {
    /// Absent for a config of the files that declares none.
    pub id: Option<Uuid>,
    /// Config fields, the region among them where lkroute knows it.
    pub fields: Fields,
    pub place: Provenance,
    pub secret: SecretState,
}

impl ConfigFact {
    pub fn name(&self) -> &str {
        self.fields.text(Field::Name).unwrap_or_default()
    }

    /// The text of a field, blank counting as none.
    pub fn text(&self, field: Field) -> Option<&str> {
        self.fields
            .text(field)
            .filter(|text| !text.trim().is_empty())
    }
}

/// Configs by what `rules.livekit_config` holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Configs(HashMap<String, ConfigFact>);

/// What a `livekit_config` leads to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Link<'a> {
    To(&'a ConfigFact),
    /// A uuid that no row has.
    Dangling,
    /// No uuid at all.
    Unreadable,
}

impl Configs {
    /// Takes in a config under its id; in the files, where there is none,
    /// under its name.
    pub fn insert(&mut self, config: ConfigFact) {
        let key = match config.id {
            Some(id) => id.to_string(),
            None => config.name().to_owned(),
        };
        self.0.insert(key, config);
    }

    pub fn remove(&mut self, id: Uuid) {
        self.0.remove(&id.to_string());
    }

    pub fn get(&self, id: Uuid) -> Option<&ConfigFact> {
        self.0.get(&id.to_string())
    }

    pub fn get_mut(&mut self, id: Uuid) -> Option<&mut ConfigFact> {
        self.0.get_mut(&id.to_string())
    }

    pub fn iter(&self) -> impl Iterator<Item = &ConfigFact> {
        self.0.values()
    }

    /// The config that a `livekit_config` leads to.
    pub fn find(&self, text: &str) -> Option<&ConfigFact> {
        match self.follow(text) {
            Link::To(config) => Some(config),
            Link::Dangling | Link::Unreadable => None,
        }
    }

    pub fn follow(&self, text: &str) -> Link<'_> {
        if let Some(config) = self.0.get(text) {
            return Link::To(config);
        }
        match Uuid::parse_str(text) {
            Ok(id) => self.get(id).map_or(Link::Dangling, Link::To),
            Err(_) => Link::Unreadable,
        }
    }

    pub fn of_files(routing: &Routing) -> Configs {
        let mut configs = Configs::default();
        for (name, config) in &routing.configs {
            configs.insert(ConfigFact {
                id: config.id,
                fields: config.fields(name),
                place: Provenance {
                    line: line(&routing.files, config.origin.file, config.origin.line),
                    ..Provenance::default()
                },
                secret: SecretState::NotChecked,
            });
        }
        configs
    }

    /// Every config row, with the region that lkroute's own table adds.
    pub fn of_snapshot(snapshot: &Snapshot) -> Configs {
        let owned: HashMap<Uuid, _> = snapshot.owned_configs.iter().map(|c| (c.id, c)).collect();
        let mut configs = Configs::default();
        for row in &snapshot.configs {
            let ours = owned.get(&row.id);
            let mut fields = row.fields.clone();
            fields.take_ours(ours.map(|ours| &ours.fields));
            configs.insert(ConfigFact {
                id: Some(row.id),
                fields,
                place: Provenance {
                    row: Some(row.id),
                    line: ours.and_then(|ours| applied_line(snapshot, ours.source)),
                    apply: ours.map(|ours| ours.since),
                    revision: None,
                },
                secret: SecretState::NotChecked,
            });
        }
        configs
    }
}

fn applied_line(snapshot: &Snapshot, source: Option<SourceLine>) -> Option<(String, u32)> {
    line(&snapshot.files, source?.file, source?.line)
}

/// The codes of each region, for `allowed_outbound`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Regions(pub BTreeMap<String, Vec<Prefix>>);

impl Regions {
    pub fn of_files(routing: &Routing) -> Regions {
        let regions = routing.regions.iter();
        Regions(
            regions
                .map(|(name, region)| (name.clone(), region.country_codes.clone()))
                .collect(),
        )
    }

    /// The regions of lkroute's own table.
    pub fn of_owned(regions: &[OwnedRegion]) -> Regions {
        let codes = |region: &OwnedRegion| codes_of(region.fields.get(Field::CountryCodes));
        Regions(
            regions
                .iter()
                .map(|region| (region.name.clone(), codes(region)))
                .collect(),
        )
    }
}

/// The prefixes in a value of `country_codes`.
pub(crate) fn codes_of(value: Option<&Value>) -> Vec<Prefix> {
    let codes = value.and_then(Value::as_array).into_iter().flatten();
    codes
        .filter_map(|code| Prefix::parse(code.as_str()?).ok())
        .collect()
}

/// The configs and regions by which calls are resolved.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallBasis {
    pub configs: Configs,
    pub regions: Regions,
}

impl CallBasis {
    /// As a database holds them.
    pub fn of_snapshot(snapshot: &Snapshot) -> CallBasis {
        CallBasis {
            configs: Configs::of_snapshot(snapshot),
            regions: Regions::of_owned(&snapshot.owned_regions),
        }
    }
}

/// What looking up a user's tenant gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserFact {
    Tenant(Uuid),
    /// The row is there, its `tenant_id` is NULL.
    NoTenant,
    Unknown,
    /// There is no `users` table, or no database was asked.
    NoTable,
}

/// An agent and its own tenant, which decides nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentFact {
    pub id: i64,
    /// Absent where the agent, or its tenant, is not known.
    pub tenant: Option<Uuid>,
}
