//! `lkroute secrets rotate`: seals the same secrets anew, in the files.
//! Imports what commands share, `files` and `secrets`.

use clap::Args;

use super::keys::KeyArgs;
use super::shell::Shell;
use super::{Stop, names};
use crate::app::rotate::{Rotation, RotationRequest, plan_rotation, write_rotation};
use crate::error::{Error, Exit, Result};
use crate::render::escape::visible;
use crate::render::style::counted;

const EXAMPLES: &str = "\
Examples:
  lkroute secrets keygen --id prod-2027    then put it first into the key ring
  lkroute secrets rotate --to prod-2027
  lkroute secrets rotate --format aes-256-gcm --config uae-vm-selfhosted
  lkroute secrets rotate --check           is every secret sealed so already?
  lkroute plan                             shows what is to be re-sealed

All values are opened before the first is written, so the ring needs the old
keys too. The database follows with the next apply, which writes the sealed
texts of the files; no agent notices, since the secrets stay the same. Secrets
from variables and files the same apply seals with the first key of the ring.
Without --env the values of all environments are sealed anew.";

/// Seal the secrets of the files anew, with another key or in another format
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RotateArgs {
    /// The key to seal with [default: the first of the ring]
    #[arg(long, value_name = "KEYID")]
    to: Option<String>,

    /// The format [default: that of each value]
    #[arg(long, value_name = "FORMAT", value_parser = ["aes-256-gcm", "fernet"])]
    format: Option<String>,

    /// Only this config; may be repeated
    #[arg(long, value_name = "NAME", value_parser = names::config_name)]
    config: Vec<String>,

    /// Change nothing; exit 1 where a secret is to be sealed anew
    #[arg(long)]
    check: bool,

    #[command(flatten)]
    keys: KeyArgs,
}

impl RotateArgs {
    pub(super) fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let request = RotationRequest {
            to: self.to.clone(),
            format: self.format.clone(),
            configs: self.config.clone(),
            ring: self.keys.ring()?,
        };
        let rotation = plan_rotation(&shell.context(), &request)?;
        if self.check {
            return Ok(self.check_rotation(shell, &rotation)?);
        }
        write_rotation(&shell.context(), &rotation)?;
        let lines = rotation.sealed.iter().map(|one| {
            let key = one
                .after
                .key_id()
                .map_or("the Fernet key".to_owned(), |key| format!("key {key}"));
            let what = format!("re-sealed with {key} ({})", one.after.format());
            let (file, config) = (visible(&one.file), visible(&one.config));
            format!("{file}: config.{config}: {what}\n")
        });
        shell.print(&lines.collect::<String>())?;
        say_of_others(shell, rotation.not_in_files);
        shell.note(&match rotation.sealed.len() as u64 {
            0 => self.sealed_so(shell, &rotation).to_owned(),
            count => format!(
                "{} re-sealed in the files; `lkroute plan` shows what follows in the database",
                counted(count, "secret")
            ),
        });
        Ok(Exit::Done)
    }

    /// What is said where nothing is to be done: never of more than was opened.
    fn sealed_so(&self, shell: &Shell, rotation: &Rotation) -> &'static str {
        let all = self.config.is_empty() && shell.settings.environment.is_none();
        match rotation.opened {
            0 => "no secret is sealed in the files",
            _ if all => "every secret of the files is sealed so already, and opens",
            _ => "every secret that was looked at is sealed so already, and opens",
        }
    }

    /// Says what a rotation would do.
    fn check_rotation(&self, shell: &Shell, rotation: &Rotation) -> Result<Exit> {
        say_of_others(shell, rotation.not_in_files);
        if rotation.sealed.is_empty() {
            shell.note(self.sealed_so(shell, rotation));
            return Ok(Exit::Done);
        }
        let lines = rotation.sealed.iter();
        let lines = lines.map(|one| {
            let (file, config) = (visible(&one.file), visible(&one.config));
            format!("{file}: config.{config}\n")
        });
        shell.print(&lines.collect::<String>())?;
        let count = counted(rotation.sealed.len() as u64, "secret");
        let error = Error::new(format!("{count} to be sealed anew"));
        shell.complain(&error.hint("`lkroute secrets rotate` does it"));
        Ok(Exit::Error)
    }
}

/// Secrets that are not in the files follow the ring.
fn say_of_others(shell: &Shell, count: u64) {
    if count > 0 {
        shell.note(&format!(
            "{} from a variable or a file: `lkroute apply` seals {} with the first key of the ring",
            counted(count, "secret"),
            if count == 1 { "it" } else { "them" }
        ));
    }
}
