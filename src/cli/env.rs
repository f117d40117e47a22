//! `lkroute env`: runs a command with the credentials of a config. Imports
//! `app`.

use std::ffi::{OsStr, OsString};
use std::process::Command;

use clap::Args;

use super::keys::KeyArgs;
use super::shell::Shell;
use super::{Stop, names};
use crate::app::credentials::config_credentials;
use crate::app::database::block_on;
use crate::error::{Error, Exit};

const EXAMPLES: &str = "\
Examples:
  lkroute env --config uae-vm-selfhosted -- lk room list
  lkroute env --config uae-vm-selfhosted -- lk dispatch list call-…

The command gets LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET of the
config, as the database holds them. What opens more than this server is taken
out: LKROUTE_KEYS…, LKROUTE_FERNET_KEYS, LKROUTE_SECRET…, what `[secrets] env`
lists, LIVEKIT_SECRET_ENCRYPTION_KEY, DATABASE_URL, all of libpq's (PG…), and
what holds the URL of a PostgreSQL database, of whatever driver, or password=.
Nothing is printed by lkroute; the command ends with its own exit code.";

/// Run a command with the LIVEKIT_* variables of a config
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct EnvArgs {
    /// The config whose server is meant
    #[arg(long, value_name = "NAME", value_parser = names::config_name)]
    config: String,

    /// The command, after `--`
    #[arg(value_name = "COMMAND", last = true, required = true)]
    command: Vec<OsString>,

    #[command(flatten)]
    keys: KeyArgs,
}

impl EnvArgs {
    pub(super) fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let ring = self.keys.ring()?;
        let context = shell.context();
        let found = config_credentials(&context, &self.config, &ring);
        let access = block_on(found)?;
        if let Some(warning) = &access.warning {
            shell.warn(warning);
        }
        let found = &access.credentials;
        let Some((program, args)) = self.command.split_first() else {
            return Err(Error::new("no command was given").into());
        };
        let mut command = Command::new(program);
        command
            .args(args)
            .env("LIVEKIT_URL", &found.url)
            .env("LIVEKIT_API_KEY", &found.api_key)
            .env("LIVEKIT_API_SECRET", found.api_secret.expose());
        for (name, value) in std::env::vars_os() {
            let is_listed = access
                .secret_variables
                .iter()
                .any(|listed| name == **listed);
            if is_listed || is_ours_alone(&name, &value) {
                command.env_remove(name);
            }
        }
        Err(replace_process(command, program).into())
    }
}

/// Variables that open more than the one server: keys, secrets of the files,
/// databases (those of environments have any name).
fn is_ours_alone(name: &OsStr, value: &OsStr) -> bool {
    let (name, value) = (name.to_string_lossy(), value.to_string_lossy());
    let known = ["LIVEKIT_SECRET_ENCRYPTION_KEY", "DATABASE_URL"];
    let begins = [
        "LKROUTE_KEYS",
        "LKROUTE_FERNET_KEYS",
        "LKROUTE_SECRET",
        "PG",
    ];
    known.contains(&&*name)
        || begins.iter().any(|prefix| name.starts_with(prefix))
        || opens_postgres(&value)
}

/// Whether the text holds the URL of a PostgreSQL database, or the password of a
/// connection as libpq and JDBC write it.
fn opens_postgres(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let mut schemes = text.match_indices("://").map(|(at, _)| {
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_');
        let scheme = text[..at].rsplit(|c: char| !is_scheme(c)).next();
        scheme.unwrap_or_default()
    });
    let dense: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    // SQLAlchemy's `postgresql+asyncpg`, Django's and others' `postgresql-psycopg`.
    schemes.any(|scheme| scheme.starts_with("postgres")) || dense.contains("password=")
}

/// Becomes the command; returns only where it could not be started.
#[cfg(unix)]
fn replace_process(mut command: Command, program: &OsString) -> Error {
    use std::os::unix::process::CommandExt;
    cannot_start(program, &command.exec())
}

#[cfg(not(unix))]
fn replace_process(mut command: Command, program: &OsString) -> Error {
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(error) => cannot_start(program, &error),
    }
}

fn cannot_start(program: &OsString, error: &std::io::Error) -> Error {
    let program = program.to_string_lossy();
    Error::new(format!("can't start `{program}`: {}", error.kind()))
}
