//! `lkroute secrets`: keys and sealed values. Imports `secrets`, `files` and
//! `source`.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Read};

use clap::{Args, Subcommand};
use uuid::Uuid;

use super::keys::KeyArgs;
use super::shell::Shell;
use super::{Stop, editing, globals, rotate, routing_files, secret_list};
use crate::error::{Error, Exit, Result};
use crate::fields::Field;
use crate::files::{self, Tree};
use crate::routing::SecretFormat;
use crate::secrets::{Format, Secret, keygen, seal};
use crate::source::Sources;
use crate::source::write::edit::{Edit, Edits};

/// Make keys, seal secrets into the files
#[derive(Args)]
pub struct SecretsArgs {
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
    pub fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        match &self.command {
            SecretsCommand::Keygen(args) => args.run(shell),
            SecretsCommand::Seal(args) => args.run(shell),
            SecretsCommand::Rotate(args) => args.run(shell),
            SecretsCommand::List(args) => args.run(shell),
        }
    }

    /// The format of its report, where it prints one.
    pub fn format(&self) -> Option<globals::Format> {
        match &self.command {
            SecretsCommand::List(args) => Some(args.formatted.format),
            _ => None,
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
    #[arg(long, value_name = "NAME")]
    config: String,

    /// The key of the ring that seals [default: its first]
    #[arg(long, value_name = "ID")]
    key: Option<String>,

    #[command(flatten)]
    keys: KeyArgs,
}

/// Where a config stands in the files.
struct SecretPlace {
    file: String,
    id: Option<Uuid>,
}

impl SealArgs {
    fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let ring = self.keys.ring()?;
        let place = self.find(shell)?;
        let format = match routing_files::load_files(&shell.context())
            .routing
            .secret_format
        {
            Some(SecretFormat::Fernet) => Format::Fernet,
            Some(SecretFormat::Aes256Gcm) | None => Format::Aes256Gcm,
        };
        let id = place.id.unwrap_or_else(Uuid::new_v4);
        let secret = self.secret()?;
        let sealed = seal(&ring, id, &secret, format, self.key.as_deref()).map_err(|error| {
            Error::new(error.to_string()).hint(
                "LKROUTE_KEYS or --keys gives the key ring; `lkroute secrets keygen` makes a key",
            )
        })?;
        let mut lines = Vec::new();
        lines.extend(place.id.is_none().then_some(Edit::Id(id)));
        lines.push(Edit::Set(Field::ApiSecret, Some(sealed.as_str().into())));
        let edits = Edits {
            configs: BTreeMap::from([(self.config.clone(), lines)]),
            environment: shell.globals.env.clone(),
            ..Edits::default()
        };
        editing::write(shell, &BTreeMap::from([(place.file.clone(), edits)]))?;
        let by = sealed
            .key_id()
            .map_or("the Fernet key".to_owned(), |id| format!("key {id}"));
        shell.note(&format!(
            "{}: the secret of config.{} is sealed with {by}",
            place.file, self.config
        ));
        if place.id.is_none() {
            shell.note(&format!(
                "it got the id {id}; if a database has this config already, write the id of its row there and seal again"
            ));
        }
        Ok(Exit::Done)
    }

    /// Looks for the config in each file for itself: what else is wrong with
    /// them, a secret that is still missing above all, does not matter here.
    fn find(&self, shell: &Shell) -> Result<SecretPlace> {
        let tree = Tree::open(&shell.globals.routing);
        for file in tree.paths() {
            let Some(path) = tree.path(file) else {
                continue;
            };
            let text = files::read_text(path)?;
            let Ok(table) = text.parse::<toml::Table>() else {
                let message = format!("{file} is no TOML");
                return Err(
                    Error::exit(Exit::Invalid, message).hint("`lkroute validate` says where")
                );
            };
            let config = table
                .get("configs")
                .and_then(|configs| configs.get(&self.config));
            if let Some(config) = config {
                let environment = shell.globals.env.as_deref();
                let id = id_of(config, environment)?;
                return Ok(SecretPlace {
                    file: file.clone(),
                    id,
                });
            }
        }
        Err(Error::new(format!(
            "there is no config `{}` in the files",
            self.config
        )))
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

/// The id that a config declares, for an environment where there is one.
fn id_of(config: &toml::Value, environment: Option<&str>) -> Result<Option<Uuid>> {
    let of_environment = environment.and_then(|name| config.get("env")?.get(name)?.get("id"));
    let Some(id) = of_environment.or_else(|| config.get("id")) else {
        return Ok(None);
    };
    let id = id.as_str().and_then(|text| Uuid::parse_str(text).ok());
    id.map(Some)
        .ok_or_else(|| Error::exit(Exit::Invalid, "the id of this config is no uuid"))
}

impl KeygenArgs {
    fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let key = keygen(self.id.as_deref()).map_err(|error| Error::new(error.to_string()))?;
        shell.print(&format!("{}\n", key.entry.expose()))?;
        shell.note(&format!("key {}: keep it secret, and keep it", key.id));
        Ok(Exit::Done)
    }
}
