//! `lkroute list`: the reverse look-up, from a config, tenant or region to
//! its numbers. Imports what commands share, the store and `render`.

use std::collections::HashMap;

use clap::Args;
use uuid::Uuid;

use super::globals::{Format, Formatted};
use super::shell::Shell;
use super::{Stop, database, lookup, routing_files};
use crate::diff::row_reader::read_row;
use crate::error::{Error, Exit, Result};
use crate::fields::Field;
use crate::phone;
use crate::render::json;
use crate::render::listing::{self, ListReport, NumberReport};
use crate::render::style::counted;
use crate::resolve::Configs;
use crate::routing::Routing;
use crate::snapshot::Snapshot;
use crate::store::{Filter, Listed, Mode};

const EXAMPLES: &str = "\
Examples:
  lkroute list --config uae-vm-selfhosted
  lkroute list --tenant sasya --format json
  lkroute list --region india --offline

A number is of the region of its config. Without a filter it lists every
number, those of others too.";

/// List the numbers of a config, a tenant or a region
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ListArgs {
    /// Numbers on this config
    #[arg(long, value_name = "NAME")]
    config: Option<String>,

    /// Numbers of this tenant: a name of the files, or a uuid
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,

    /// Numbers on configs of this region
    #[arg(long, value_name = "NAME")]
    region: Option<String>,

    /// Look into the files alone
    #[arg(long)]
    offline: bool,

    #[command(flatten)]
    pub formatted: Formatted,
}

impl ListArgs {
    pub fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let (source, numbers, stamped) = match self.offline {
            true => {
                let loaded = routing_files::load_valid(&shell.context())?;
                ("files", self.in_files(&loaded.routing)?, None)
            }
            false => {
                let (numbers, stamped) = database::block_on(self.in_database(shell))?;
                ("database", numbers, stamped)
            }
        };
        let report = ListReport {
            environment: shell.globals.env.clone().or(stamped),
            ..ListReport::new(source, numbers)
        };
        match self.formatted.format {
            Format::Text => shell.print(&listing::text(&report.numbers, shell.width()))?,
            Format::Json => shell.print(&json::text(&report)?)?,
        }
        let count = counted(report.numbers.len() as u64, "number");
        shell.note(&match &report.environment {
            Some(name) => format!("{count} in {name}"),
            None => count,
        });
        Ok(Exit::Done)
    }

    fn in_files(&self, routing: &Routing) -> Result<Vec<NumberReport>> {
        let tenants = routing.tenants.iter();
        let tenants = tenants.filter_map(|tenant| Some((tenant.id, tenant.alias.as_deref()?)));
        let tenant = self.tenant_id(tenants)?;
        if let Some(name) = &self.config
            && !routing.configs.contains_key(name)
        {
            return Err(unknown("config", name));
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
            NumberReport {
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

    async fn in_database(
        &self,
        shell: &Shell,
    ) -> Result<(Vec<NumberReport>, Option<String>), Stop> {
        let target = lookup::target(&shell.context())?;
        let mut store = database::open_current(&shell.context(), &target, Mode::Look).await?;
        store.begin_read().await?;
        let snapshot = store.snapshot().await?;
        lookup::same_environment(&shell.context(), snapshot.environment.as_deref())?;
        let aliases = snapshot.tenants.iter();
        let tenant = self.tenant_id(aliases.map(|(id, alias)| (*id, alias.as_str())))?;
        let configs = Configs::of_snapshot(&snapshot);
        let filter = Filter {
            tenant,
            configs: self.config_ids(&configs)?,
        };
        let rows = ListRows::new(&snapshot, &configs);
        let mut numbers = Vec::new();
        store
            .list(&filter, &mut |row| numbers.push(rows.report(row)))
            .await?;
        store.end_read().await?;
        Ok((numbers, snapshot.environment))
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
        let mut named = aliases.filter(|(_, alias)| alias == name);
        named
            .next()
            .map(|(id, _)| Some(id))
            .ok_or_else(|| unknown("tenant", name))
    }

    /// The configs that are asked for; none where any will do.
    fn config_ids(&self, configs: &Configs) -> Result<Option<Vec<Uuid>>> {
        if self.config.is_none() && self.region.is_none() {
            return Ok(None);
        }
        let named = |name: &String| configs.iter().any(|config| config.name() == name);
        if let Some(name) = self.config.as_ref().filter(|name| !named(name)) {
            return Err(unknown("config", name));
        }
        let wanted = configs.iter().filter(|config| {
            self.config
                .as_ref()
                .is_none_or(|name| config.name() == name)
                && self
                    .region
                    .as_deref()
                    .is_none_or(|name| config.text(Field::Region) == Some(name))
        });
        Ok(Some(wanted.filter_map(|config| config.id).collect()))
    }
}

fn unknown(what: &str, name: &str) -> Error {
    Error::new(format!("there is no {what} `{name}` here"))
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

    fn report(&self, listed: &Listed<'_>) -> NumberReport {
        let row = &listed.row;
        let held = read_row(row).ok();
        let held = held.as_ref().and_then(|fields| fields.text(Field::Config));
        let config = held.and_then(|id| self.configs.get(Uuid::parse_str(id).ok()?));
        let number = phone::from_row(row.country_code, row.base_number);
        NumberReport {
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
