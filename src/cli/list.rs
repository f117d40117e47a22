//! `lkroute list`: the reverse look-up, from a config, tenant or region to
//! its numbers. Imports `app` and `render`.

use clap::Args;

use super::globals::{Formatted, ReportFormat};
use super::names::nfc_name;
use super::shell::Shell;
use super::{Stop, names};
use crate::app::database::block_on;
use crate::app::list::{NumberFilter, list_numbers};
use crate::error::Exit;
use crate::render::json;
use crate::render::listing::{self, ListReport};
use crate::render::style::counted;

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
pub(super) struct ListArgs {
    /// Numbers on this config
    #[arg(long, value_name = "NAME", value_parser = names::config_name)]
    config: Option<String>,

    /// Numbers of this tenant: a name of the files, or a uuid
    #[arg(long, value_name = "TENANT", value_parser = nfc_name)]
    tenant: Option<String>,

    /// Numbers on configs of this region
    #[arg(long, value_name = "NAME", value_parser = names::region_name)]
    region: Option<String>,

    /// Look into the files alone
    #[arg(long)]
    offline: bool,

    #[command(flatten)]
    pub formatted: Formatted,
}

impl ListArgs {
    pub(super) fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let filter = NumberFilter {
            config: self.config.clone(),
            tenant: self.tenant.clone(),
            region: self.region.clone(),
        };
        let listed = block_on(list_numbers(&shell.context(), &filter, self.offline))?;
        let source = if self.offline { "files" } else { "database" };
        let report = ListReport {
            environment: listed.environment,
            ..ListReport::new(source, listed.numbers)
        };
        match self.formatted.format {
            ReportFormat::Text => {
                shell.print(&listing::listing_text(&report.numbers, shell.width()))?;
            }
            ReportFormat::Json => shell.print(&json::json_text(&report)?)?,
        }
        let count = counted(report.numbers.len() as u64, "number");
        shell.note(&match &report.environment {
            Some(name) => format!("{count} in {name}"),
            None => count,
        });
        Ok(Exit::Done)
    }
}
