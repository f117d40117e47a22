//! `lkroute import`: the rows of an existing database as files. Imports `app`
//! and `render`.

use std::path::PathBuf;

use clap::Args;

use super::globals::{Formatted, ReportFormat};
use super::shell::Shell;
use super::{Stop, names};
use crate::app::database::block_on;
use crate::app::import::{ImportRequest, import_rows};
use crate::error::Exit;
use crate::render::import::{ImportReport, text};
use crate::render::json;

const EXAMPLES: &str = "\
Examples:
  lkroute import --out routing                       everything that is routed
  lkroute import --out routing --config uae-vm-selfhosted
                                                     one config and its numbers
  lkroute import --out routing --format json         a report of every row

Nothing is written to the database, and no key is needed: sealed secrets are
carried over as they are. `lkroute plan` then shows nothing but adoptions.";

/// Write what the database holds as routing files
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ImportArgs {
    /// The directory to write to; it must not hold .toml files
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// Only numbers of this tenant, by uuid, and the configs they use; again
    /// for more
    #[arg(long, value_name = "TENANT")]
    tenant: Vec<String>,

    /// Only this config and its numbers; again for more
    #[arg(long, value_name = "NAME", value_parser = names::config_name)]
    config: Vec<String>,

    #[command(flatten)]
    pub formatted: Formatted,
}

impl ImportArgs {
    pub(super) fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let request = ImportRequest {
            out: self.out.clone(),
            tenants: self.tenant.clone(),
            configs: self.config.clone(),
        };
        let (import, paths) = block_on(import_rows(&shell.context(), &request))?;
        let report = match self.formatted.format {
            ReportFormat::Json => json::json_text(&ImportReport::new(&import, &paths))?,
            ReportFormat::Text => text(&import, &paths, shell.view(shell.globals.verbose > 0)),
        };
        shell.print(&report)?;
        Ok(Exit::Done)
    }
}
