//! `lkroute adopt`: writes the lines that take over what is in conflict. It
//! touches files, never the database. Imports `app`.

use clap::Args;

use super::keys::KeyArgs;
use super::shell::Shell;
use super::{Stop, names};
use crate::address::Address;
use crate::app::adopt::adopt_conflicts;
use crate::app::database::block_on;
use crate::error::Exit;
use crate::render::escape::visible;
use crate::render::style::counted;

const EXAMPLES: &str = "\
Examples:
  lkroute adopt config.uae-vm-selfhosted
  lkroute adopt --all

A field in conflict holds a value that lkroute did not set. An `adopt` line in
the files says that it may be set to what the files say: somebody reviews it
like any other line. Nothing changes in the database until the next apply, and
a line that is no longer needed is a warning.";

/// Write the lines that take over values of others
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct AdoptArgs {
    /// The config or binding in conflict; may be repeated
    #[arg(value_name = "ADDRESS", required_unless_present = "all", value_parser = names::object)]
    addresses: Vec<Address>,

    /// All that is in conflict
    #[arg(long, conflicts_with = "addresses")]
    all: bool,

    #[command(flatten)]
    keys: KeyArgs,
}

impl AdoptArgs {
    pub(super) fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let ring = self.keys.ring()?;
        let wanted = (!self.all).then_some(self.addresses.as_slice());
        let adopted = block_on(adopt_conflicts(&shell.context(), &ring, wanted))?;
        if adopted.objects.is_empty() {
            shell.note(match adopted.conflicts {
                0 => "nothing is in conflict, so there is nothing to adopt",
                _ => "no adopt line helps in these conflicts; `lkroute plan` says what does",
            });
            return Ok(Exit::Done);
        }
        let lines = adopted.objects.iter().map(|object| {
            let fields: Vec<&str> = object.fields.iter().map(|field| field.as_str()).collect();
            let (file, address) = (visible(&object.file), &object.address);
            format!("{file}: {address}: adopt {}\n", fields.join(", "))
        });
        shell.print(&lines.collect::<String>())?;
        let what = counted(adopted.objects.len() as u64, "object");
        shell.note(&format!(
            "{what} taken over in the files; look at `lkroute plan` next"
        ));
        Ok(Exit::Done)
    }
}
