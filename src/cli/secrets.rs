//! `lkroute secrets`: keys and sealed values. Imports `app`.

use std::io::{self, IsTerminal, Read};

use clap::{Args, Subcommand};

use super::keys::KeyArgs;
use super::shell::Shell;
use super::{Stop, globals, names, rotate, secret_list};
use crate::app::seal::{Secret, find_secret_place, keygen, seal_secret};
use crate::error::{Error, Exit, Result};

/// Make keys, seal secrets into the files
#[derive(Args)]
pub(super) struct SecretsArgs {
    #[command(subcommand)]
    command: SecretsCommand,
}

#[derive(Subcommand)]
enum SecretsCommand {
    Keygen(KeygenArgs),
    Seal(SealArgs),
    Rotate(rotate::RotateArgs),
    List(secret_list::SecretListArgs),
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
    pub(super) fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        match &self.command {
            SecretsCommand::Keygen(args) => args.run(shell),
            SecretsCommand::Seal(args) => args.run(shell),
            SecretsCommand::Rotate(args) => args.run(shell),
            SecretsCommand::List(args) => args.run(shell),
        }
    }

    /// The format of its report, where it prints one.
    pub(super) fn format(&self) -> Option<globals::ReportFormat> {
        match &self.command {
            SecretsCommand::List(args) => Some(args.formatted.format),
            SecretsCommand::Keygen(_) | SecretsCommand::Seal(_) | SecretsCommand::Rotate(_) => None,
        }
    }
}

const SEAL_EXAMPLES: &str = "\
Examples:
  lkroute secrets seal --config uae-vm-selfhosted
  pass show livekit/uae | lkroute secrets seal --config uae-vm-selfhosted

The value comes from a prompt that does not show it, or from standard input.
It is sealed for this config alone, by its id; one that has none gets one.";

/// Seal an API secret into the file of its config
#[derive(Args)]
#[command(after_help = SEAL_EXAMPLES)]
struct SealArgs {
    /// The config whose secret it is
    #[arg(long, value_name = "NAME", value_parser = names::config_name)]
    config: String,

    /// The key of the ring that seals [default: its first]
    #[arg(long, value_name = "ID")]
    key: Option<String>,

    #[command(flatten)]
    keys: KeyArgs,
}

impl SealArgs {
    fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let ring = self.keys.ring()?;
        let context = shell.context();
        let place = find_secret_place(&context, &self.config)?;
        let secret = self.secret()?;
        let sealed = seal_secret(&context, &place, &secret, &ring, self.key.as_deref())?;
        let by = sealed
            .key_id
            .map_or("the Fernet key".to_owned(), |id| format!("key {id}"));
        shell.note(&format!(
            "{}: the secret of config.{} is sealed with {by}",
            place.file, self.config
        ));
        if let Some(id) = sealed.new_id {
            shell.note(&format!(
                "it got the id {id}; if a database has this config already, write the id of its row there and seal again"
            ));
        }
        Ok(Exit::Done)
    }

    fn secret(&self) -> Result<Secret> {
        let stdin = io::stdin();
        let text = if stdin.is_terminal() {
            rpassword::prompt_password(format!("API secret of {}: ", self.config))
        } else {
            let mut text = String::new();
            stdin.lock().read_to_string(&mut text).map(|_| text)
        };
        let text = text.map_err(|error| Error::new(format!("can't read the secret: {error}")))?;
        Secret::new(text).entered().map_err(|odd| {
            let message = format!("this is no secret: {odd}; nothing was sealed");
            Error::new(message).hint(odd.hint())
        })
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
