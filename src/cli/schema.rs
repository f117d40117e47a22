//! `lkroute schema`: the JSON Schema of the routing files, for editors. Imports
//! what commands share and `source`.

use clap::Args;

use super::Stop;
use super::shell::Shell;
use crate::error::Exit;
use crate::source;

const EXAMPLES: &str = "\
Examples:
  lkroute schema > routing.schema.json

Then name it in the first line of a routing file, and editors that know TOML
complete and check it:
  #:schema ../routing.schema.json";

/// Print the JSON Schema of the routing files, for editors
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct SchemaArgs {}

impl SchemaArgs {
    pub(super) fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        shell.print(&format!("{:#}\n", source::routing_schema()))?;
        Ok(Exit::Done)
    }
}
