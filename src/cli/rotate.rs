//! `lkroute secrets rotate`: seals the same secrets anew, in the files.
//! Imports what commands share, `files` and `secrets`.

use std::collections::BTreeMap;

use clap::Args;

use super::keys::KeyArgs;
use super::shell::Shell;
use super::{Stop, editing, routing_files};
use crate::error::{Error, Exit, Result};
use crate::files;
use crate::render::escape::visible;
use crate::render::style::counted;
use crate::routing::{CipherText, Routing, SecretSource, ServerConfig};
use crate::secrets::{Format, KeyRing, Sealed, is_under_current_key, open, seal};
use crate::source::write::edit::Edits;

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
from variables and files the same apply seals with the first key of the ring.";

/// Seal the secrets of the files anew, with another key or in another format
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct RotateArgs {
    /// The key to seal with [default: the first of the ring]
    #[arg(long, value_name = "KEYID")]
    to: Option<String>,

    /// The format [default: that of each value]
    #[arg(long, value_name = "FORMAT", value_parser = ["aes-256-gcm", "fernet"])]
    format: Option<String>,

    /// Only this config; may be repeated
    #[arg(long, value_name = "NAME")]
    config: Vec<String>,

    /// Change nothing; exit 1 where a secret is to be sealed anew
    #[arg(long)]
    check: bool,

    #[command(flatten)]
    keys: KeyArgs,
}

/// A value before and after.
struct Rotated<'a> {
    config: &'a str,
    file: String,
    before: &'a CipherText,
    after: Sealed,
}

impl RotateArgs {
    pub fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let ring = self.keys.ring()?;
        let format: Option<Format> = match self.format.as_deref().map(str::parse) {
            Some(format) => Some(format.map_err(|_| Error::new("there is no such format"))?),
            None => None,
        };
        if let Some(key) = self.to.as_deref().filter(|key| !ring.has(key)) {
            let error = Error::new(format!("the key ring has no key named `{key}`"));
            return Err(error.hint("`lkroute secrets keygen` makes one").into());
        }
        let routing = routing_files::load_valid(&shell.context())?.routing;
        for name in &self.config {
            if !routing.configs.contains_key(name) {
                return Err(Error::new(format!("there is no config `{name}` in the files")).into());
            }
        }
        let rotated = self.rotated(&routing, &ring, format)?;
        if self.check {
            return Ok(check(shell, &rotated)?);
        }
        write(shell, &rotated)?;
        let mut report = String::new();
        for one in &rotated {
            let key = one
                .after
                .key_id()
                .map_or("the Fernet key".to_owned(), |key| format!("key {key}"));
            let what = format!("re-sealed with {key} ({})", one.after.format());
            let (file, config) = (visible(&one.file), visible(one.config));
            report += &format!("{file}: config.{config}: {what}\n");
        }
        shell.print(&report)?;
        self.say_of_others(shell, &routing);
        shell.note(&match rotated.len() as u64 {
            0 => SEALED_SO.to_owned(),
            count => format!(
                "{} re-sealed in the files; `lkroute plan` shows what follows in the database",
                counted(count, "secret")
            ),
        });
        Ok(Exit::Done)
    }

    /// Secrets that are not in the files follow the ring.
    fn say_of_others(&self, shell: &Shell, routing: &Routing) {
        let of_ring = |(name, config): &(&String, &ServerConfig)| {
            (self.config.is_empty() || self.config.contains(name))
                && !matches!(config.api_secret, SecretSource::Sealed(_))
        };
        let count = routing.configs.iter().filter(of_ring).count() as u64;
        if count > 0 {
            shell.note(&format!(
                "{} from a variable or a file: `lkroute apply` seals {} with the first key of the ring",
                counted(count, "secret"),
                if count == 1 { "it" } else { "them" }
            ));
        }
    }

    fn rotated<'a>(
        &self,
        routing: &'a Routing,
        ring: &KeyRing,
        format: Option<Format>,
    ) -> Result<Vec<Rotated<'a>>> {
        let mut rotated = Vec::new();
        for (name, config) in &routing.configs {
            let SecretSource::Sealed(text) = &config.api_secret else {
                continue;
            };
            if !self.config.is_empty() && !self.config.contains(name) {
                continue;
            }
            let after = self.sealed(config, text, ring, format).map_err(|error| {
                error.within(&format!("the secret of config.{name}")).hint(
                    "no file was changed; LKROUTE_KEYS or --keys gives the key ring, \
                     LIVEKIT_SECRET_ENCRYPTION_KEY the Fernet key",
                )
            })?;
            let file = routing.files.get(config.origin.file as usize);
            rotated.extend(after.map(|after| Rotated {
                config: name,
                file: file.cloned().unwrap_or_default(),
                before: text,
                after,
            }));
        }
        Ok(rotated)
    }

    /// The new value; `None` where the old one is as it should be.
    fn sealed(
        &self,
        config: &ServerConfig,
        text: &CipherText,
        ring: &KeyRing,
        format: Option<Format>,
    ) -> Result<Option<Sealed>> {
        let before = Sealed::parse(text.as_stored()).map_err(|e| Error::new(e.to_string()))?;
        let format = format.unwrap_or(before.format());
        let id = config
            .id
            .ok_or_else(|| Error::new("the config has no id"))?;
        // Opened also where nothing is to be done: what is said of it was seen.
        let secret = open(ring, id, &before).map_err(|error| Error::new(error.to_string()))?;
        let under_key = match (&self.to, format) {
            (Some(key), Format::Aes256Gcm) => before.key_id() == Some(key),
            _ => is_under_current_key(ring, &before),
        };
        if before.format() == format && under_key {
            return Ok(None);
        }
        let after = seal(ring, id, &secret, format, self.to.as_deref());
        let after = after.map_err(|error| Error::new(error.to_string()))?;
        match open(ring, id, &after) {
            Ok(opened) if opened.same(&secret) => Ok(Some(after)),
            _ => Err(Error::new(
                "what was sealed does not open to the same secret",
            )),
        }
    }
}

const SEALED_SO: &str = "every secret is sealed so already, and opens";

/// Says what a rotation would do.
fn check(shell: &Shell, rotated: &[Rotated<'_>]) -> Result<Exit> {
    if rotated.is_empty() {
        shell.note(SEALED_SO);
        return Ok(Exit::Done);
    }
    let lines = rotated
        .iter()
        .map(|one| format!("{}: config.{}\n", one.file, one.config));
    shell.print(&lines.collect::<String>())?;
    let count = counted(rotated.len() as u64, "secret");
    shell.complain(
        &Error::new(format!("{count} to be sealed anew")).hint("`lkroute secrets rotate` does it"),
    );
    Ok(Exit::Error)
}

/// Writes all or nothing. The old text is replaced where it stands, be that
/// the config itself or what an environment overrides of it.
fn write(shell: &Shell, rotated: &[Rotated<'_>]) -> Result<()> {
    let mut by_file: BTreeMap<String, Vec<&Rotated<'_>>> = BTreeMap::new();
    for one in rotated {
        by_file.entry(one.file.clone()).or_default().push(one);
    }
    let untouched: BTreeMap<String, Edits> = by_file
        .keys()
        .map(|file| (file.clone(), Edits::default()))
        .collect();
    let mut edited = editing::edited(shell, &untouched)?;
    for (file, edit) in &mut edited {
        edit.after.clone_from(&edit.before);
        for one in by_file.get(file).into_iter().flatten() {
            let old = one.before.as_stored();
            if !edit.after.contains(old) {
                let message = format!(
                    "{file}: the secret of config.{} is not on one line",
                    one.config
                );
                return Err(Error::new(message).hint("write it on one; no file was changed"));
            }
            edit.after = edit.after.replace(old, one.after.as_str());
        }
    }
    files::rewrite(&edited.into_values().collect::<Vec<_>>())
}
