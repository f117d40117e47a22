//! `lkroute secrets`: keys and sealed values. Imports `secrets`, `files` and
//! `source`.

use clap::{Args, Subcommand};

use super::Stop;
use super::shell::Shell;
use crate::error::{Error, Exit, Result};
use crate::secrets::keygen;

/// Make keys, seal secrets into the files
#[derive(Args)]
pub struct SecretsArgs {
    #[command(subcommand)]
    command: SecretsCommand,
}

#[derive(Subcommand)]
enum SecretsCommand {
    Keygen(KeygenArgs),
}

const KEYGEN_EXAMPLES: &str = "\
Examples:
  lkroute secrets keygen > lkroute.keys
  lkroute secrets keygen --id prod-2027 >> lkroute.keys

The first entry of a key ring seals, all of them open. Keep the ring out of
the repository, and give it to lkroute as LKROUTE_KEYS or with --keys FILE.";

/// Print a new key for the key ring
#[derive(Args)]
#[command(after_help = KEYGEN_EXAMPLES)]
struct KeygenArgs {
    /// The key's name [default: made from the key, which proves it later]
    #[arg(long, value_name = "NAME")]
    id: Option<String>,
}

impl SecretsArgs {
    pub fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        match &self.command {
            SecretsCommand::Keygen(args) => args.run(shell),
        }
    }
}

impl KeygenArgs {
    fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let key = keygen(self.id.as_deref()).map_err(|error| Error::new(error.to_string()))?;
        shell.print(&format!("{}\n", key.entry.expose()))?;
        shell.note(&format!("key {}: keep it secret, and keep it", key.id));
        Ok(Exit::Done)
    }
}
