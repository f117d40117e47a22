//! `lkroute dispatches`: the calls that lkroute placed. Imports `app` and
//! `render`.

use clap::Args;

use super::Stop;
use super::globals::{Format, Formatted};
use super::shell::Shell;
use crate::app::database::block_on;
use crate::app::dispatches::list_calls;
use crate::error::{Exit, Result};
use crate::phone::E164;
use crate::render::{calls, json};
use crate::store::Calls;

const EXAMPLES: &str = "\
Examples:
  lkroute dispatches
  lkroute dispatches --last 5 --number +971545335200
  lkroute dispatches --config uae-vm-selfhosted --format json

The worker that was asked for stands beside the one that took the job; which one
did is known only where `dispatch` was told to wait for it (--wait-for-agent).
A call that stays in_queue was sent, or not, by a command that was ended.";

/// List the calls that were placed, the latest first
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct DispatchesArgs {
    /// How many
    #[arg(long, value_name = "N", default_value = "20")]
    last: u32,

    /// Only calls from or to this number
    #[arg(long, value_name = "NUMBER")]
    number: Option<E164>,

    /// Only calls through this config
    #[arg(long, value_name = "NAME")]
    config: Option<String>,

    #[command(flatten)]
    pub formatted: Formatted,
}

impl DispatchesArgs {
    pub fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let wanted = Calls {
            last: self.last,
            number: self.number,
            config: self.config.clone(),
        };
        let records = block_on(list_calls(&shell.context(), &wanted))?;
        shell.print(&match self.formatted.format {
            Format::Text => calls::list(&records, shell.width()),
            Format::Json => json::text(&calls::DispatchesReport::new(&records))?,
        })?;
        Ok(Exit::Done)
    }
}
