//! The reverse look-up: from a config, tenant or region to its numbers. Imports
//! core, the files and the store.

use std::collections::{BTreeSet, HashMap};

use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::{Context, Stop, database, lookup, no_such, routing_files};
use crate::diff::row_reader::read_row;
use crate::error::Result;
use crate::fields::Field;
use crate::invisible_chars::in_nfc;
use crate::phone;
use crate::resolve::{ConfigFact, Configs};
use crate::routing::Routing;
use crate::snapshot::Snapshot;
use crate::store::{ListedRow, Mode, RowFilter};

/// Which numbers; all that are left out do not matter.
pub struct NumberFilter {
    /// By name.
    pub config: Option<String>,
    /// Alias or uuid.
    pub tenant: Option<String>,
    /// By name; a number is of the region of its config.
    pub region: Option<String>,
}

pub struct ListedNumbers {
    /// That of the settings, else of the database.
    pub environment: Option<String>,
    pub numbers: Vec<ListedNumber>,
}

/// A number row.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "NumberReport")]
pub struct ListedNumber {
    /// E.164; null where the row's number can't be read.
    pub number: Option<String>,
    /// The row's id; null in the files.
    pub row: Option<String>,
    pub tenant: String,
    pub tenant_alias: Option<String>,
    /// The config's name, else what `livekit_config` holds.
    pub config: Option<String>,
    pub region: Option<String>,
    pub provider: Option<String>,
    /// `active`, or what the row says.
    pub status: String,
    /// The apply that set it last; null where it is not lkroute's.
    pub since: Option<i64>,
    /// The wave that put it on its config, as it was when that was applied.
    pub rollout: Option<String>,
    pub file: Option<String>,
    pub line: Option<u32>,
}

/// Lists the numbers of the database, or of the files alone.
///
/// # Errors
/// A name that is not known.
pub async fn list_numbers(
    context: &Context<'_>,
    filter: &NumberFilter,
    offline: bool,
) -> Result<ListedNumbers, Stop> {
    if offline {
        Ok(ListedNumbers {
            numbers: filter.in_files(&routing_files::load_valid(context)?.routing)?,
            environment: context.settings.environment.clone(),
        })
    } else {
        filter.in_database(context).await
    }
}

impl NumberFilter {
    fn in_files(&self, routing: &Routing) -> Result<Vec<ListedNumber>> {
        let tenants = routing.tenants.iter();
        let tenants = tenants.filter_map(|tenant| Some((tenant.id, tenant.alias.as_deref()?)));
        let tenant = self.tenant_id(tenants)?;
        if let Some(name) = &self.config
            && !routing.configs.contains_key(name)
        {
            let known = routing.configs.keys().map(String::as_str);
            return Err(no_such("config", name, known));
        }
        if let Some(name) = &self.region
            && !routing.regions.contains_key(name)
        {
            let known = routing.regions.keys().map(String::as_str);
            return Err(no_such("region", name, known));
        }
        let wanted = routing.bindings.iter().filter(|binding| {
            let config = &routing.settings(binding).config;
            let region = routing.configs.get(config).map(|config| &config.region);
            tenant.is_none_or(|id| routing.tenant(binding).id == id)
                && self.config.as_ref().is_none_or(|name| name == config)
                && self.region.as_ref().is_none_or(|name| Some(name) == region)
        });
        let reports = wanted.map(|binding| {
            let settings = routing.settings(binding);
            let config = routing.configs.get(&settings.config);
            ListedNumber {
                number: Some(binding.number.to_string()),
                row: None,
                tenant: routing.tenant(binding).id.to_string(),
                tenant_alias: routing.tenant(binding).alias.clone(),
                config: Some(settings.config.clone()),
                region: config.map(|config| config.region.clone()),
                provider: settings.fields.text(Field::Provider).map(str::to_owned),
                status: "active".to_owned(),
                since: None,
                rollout: settings.rollout.clone(),
                file: routing.files.get(binding.origin.file as usize).cloned(),
                line: Some(binding.origin.line),
            }
        });
        Ok(reports.collect())
    }

    async fn in_database(&self, context: &Context<'_>) -> Result<ListedNumbers, Stop> {
        let target = lookup::target(context)?;
        let mut store = database::open_current(context, &target, Mode::Look).await?;
        store.begin_read().await?;
        let snapshot = store.snapshot().await?;
        database::same_environment(context, snapshot.environment.as_deref())?;
        let aliases = snapshot.tenants.iter();
        let tenant = self.tenant_id(aliases.map(|(id, alias)| (*id, alias.as_str())))?;
        let configs = Configs::of_snapshot(&snapshot);
        let filter = RowFilter {
            tenant,
            configs: self.config_ids(&configs, &snapshot)?,
        };
        let rows = ListRows::new(&snapshot, &configs);
        let mut numbers = Vec::new();
        store
            .list(&filter, &mut |row| numbers.push(rows.report(row)))
            .await?;
        store.end_read().await?;
        Ok(ListedNumbers {
            environment: context
                .settings
                .environment
                .clone()
                .or(snapshot.environment),
            numbers,
        })
    }

    fn tenant_id<'a>(
        &self,
        aliases: impl Iterator<Item = (Uuid, &'a str)>,
    ) -> Result<Option<Uuid>> {
        let Some(name) = &self.tenant else {
            return Ok(None);
        };
        if let Ok(id) = Uuid::parse_str(name) {
            return Ok(Some(id));
        }
        let aliases: Vec<(Uuid, &str)> = aliases.collect();
        let known = aliases.iter().map(|(_, alias)| *alias);
        let mut named = aliases.iter().filter(|(_, alias)| alias == name);
        named
            .next()
            .map(|(id, _)| Some(*id))
            .ok_or_else(|| no_such("tenant", name, known))
    }

    /// The configs that are asked for; none where any will do.
    fn config_ids(&self, configs: &Configs, snapshot: &Snapshot) -> Result<Option<Vec<Uuid>>> {
        if self.config.is_none() && self.region.is_none() {
            return Ok(None);
        }
        // A row that other software wrote may hold the name in another Unicode form.
        let is_named = |config: &ConfigFact, name: &str| in_nfc(config.name()) == name;
        let named = |name: &String| configs.iter().any(|config| is_named(config, name));
        if let Some(name) = self.config.as_ref().filter(|name| !named(name)) {
            return Err(no_such(
                "config",
                name,
                configs.iter().map(ConfigFact::name),
            ));
        }
        let owned = snapshot.owned_regions.iter();
        let regions: BTreeSet<&str> = owned.map(|region| region.name.as_str()).collect();
        let is_none = |name: &&String| !regions.contains(name.as_str());
        if let Some(name) = self.region.as_ref().filter(is_none) {
            return Err(no_such("region", name, regions));
        }
        let wanted = configs.iter().filter(|config| {
            self.config
                .as_ref()
                .is_none_or(|name| is_named(config, name))
                && self
                    .region
                    .as_deref()
                    .is_none_or(|name| config.text(Field::Region) == Some(name))
        });
        Ok(Some(wanted.filter_map(|config| config.id).collect()))
    }
}

/// Makes rows into reports.
struct ListRows<'a> {
    configs: &'a Configs,
    aliases: HashMap<Uuid, &'a str>,
    files: &'a [String],
}

impl<'a> ListRows<'a> {
    fn new(snapshot: &'a Snapshot, configs: &'a Configs) -> ListRows<'a> {
        let aliases = snapshot.tenants.iter();
        ListRows {
            configs,
            aliases: aliases.map(|(id, alias)| (*id, alias.as_str())).collect(),
            files: &snapshot.files,
        }
    }

    fn report(&self, listed: &ListedRow<'_>) -> ListedNumber {
        let row = &listed.row;
        let held = read_row(row).ok();
        let held = held.as_ref().and_then(|fields| fields.text(Field::Config));
        let config = held.and_then(|id| self.configs.get(Uuid::parse_str(id).ok()?));
        let number = phone::from_row(row.country_code, row.base_number);
        ListedNumber {
            number: number.ok().map(|number| number.to_string()),
            row: Some(row.id.to_string()),
            tenant: row.tenant.to_string(),
            tenant_alias: self
                .aliases
                .get(&row.tenant)
                .map(|alias| (*alias).to_owned()),
            config: config
                .map(|config| config.name())
                .or(held)
                .map(str::to_owned),
            region: config
                .and_then(|config| config.text(Field::Region))
                .map(str::to_owned),
            provider: row.provider.map(str::to_owned),
            status: row.status.unwrap_or("active").to_owned(),
            since: listed.since,
            rollout: listed.rollout.map(str::to_owned),
            file: listed
                .source
                .and_then(|source| self.files.get(source.file as usize).cloned()),
            line: listed.source.map(|source| source.line),
        }
    }
}
