//! The secrets that the files name instead of holding them: which variables
//! and files may be read, and what a value may look like. Imports core,
//! `files` and `secrets`.

use std::path::{Path, PathBuf};

use super::keys;
use crate::error::{Error, Result};
use crate::files;
use crate::finding::Finding;
use crate::routing::guards::Guards;
use crate::routing::{Routing, SecretSource, ServerConfig, is_secret_variable};
use crate::secrets::Secret;

/// A directory of secret files beside the routing files.
const SECRETS_DIR: &str = "LKROUTE_SECRETS_DIR";

/// From where secrets may come.
#[derive(Debug, Clone)]
pub struct SourceRules {
    /// The directory of the routing files.
    dir: PathBuf,
    /// The variables that may be read beside `LKROUTE_SECRET_*`: those of the
    /// last apply, else those of the files.
    listed: Vec<String>,
    /// Whether that list is the last apply's.
    stored: bool,
}

/// Why there is no secret.
pub enum NoSecret {
    /// It is not at hand here.
    Absent(Error),
    /// It may not be read, or is no secret: an error wherever it is wanted.
    Refused(&'static str, Error),
}

impl From<NoSecret> for Error {
    fn from(none: NoSecret) -> Error {
        match none {
            NoSecret::Absent(error) | NoSecret::Refused(_, error) => error,
        }
    }
}

fn secrets_dir() -> Option<PathBuf> {
    keys::variable(SECRETS_DIR).map(|dir| PathBuf::from(dir.expose()))
}

impl SourceRules {
    /// `routing_dir` is `--routing`; `applied` the guards of the last apply.
    pub fn new(routing_dir: &Path, routing: &Routing, applied: Option<&Guards>) -> SourceRules {
        let stored = applied.and_then(|guards| guards.secret_env.clone());
        let own = routing.guards.secret_env.clone().unwrap_or_default();
        let dir = if routing_dir.is_file() {
            routing_dir.parent().unwrap_or(Path::new(""))
        } else {
            routing_dir
        };
        SourceRules {
            dir: dir.to_owned(),
            stored: stored.is_some(),
            listed: stored.unwrap_or(own),
        }
    }

    /// The plain text of a secret that is not in the files.
    pub fn read(&self, routing: &Routing, config: &ServerConfig) -> Result<Secret, NoSecret> {
        let text = match &config.api_secret {
            SecretSource::Env(name) => self.variable(name)?,
            SecretSource::File(path) => self.file(routing, config, path)?,
            SecretSource::Sealed(_) => {
                return Err(NoSecret::Absent(Error::new("it is sealed")));
            }
        };
        text.entered().map_err(|odd| {
            let error = Error::new(format!("{odd}")).hint(odd.hint());
            NoSecret::Refused("odd-secret", error)
        })
    }

    fn variable(&self, name: &str) -> Result<Secret, NoSecret> {
        if !is_secret_variable(name) && !self.listed.iter().any(|listed| listed == name) {
            // A variable that the files themselves don't list is a finding of `source`.
            let message =
                format!("the variable {name} is not one that the list of the last apply names");
            let hint = "apply the longer list first, in a change of its own: which variables a \
                        change may read is for an earlier review to say";
            let error = Error::new(message).hint(hint);
            return Err(NoSecret::Refused("secret-variable-not-listed", error));
        }
        keys::variable(name).ok_or_else(|| {
            NoSecret::Absent(
                Error::new(format!("the variable {name} is not set"))
                    .hint(format!("nothing was changed: set {name} for this command")),
            )
        })
    }

    /// Beside the TOML file that names it, else below `LKROUTE_SECRETS_DIR`.
    fn place(routing: &Routing, config: &ServerConfig, path: &str) -> PathBuf {
        let file = routing.files.get(config.origin.file as usize);
        let dir = file.and_then(|file| Path::new(file).parent());
        let beside = dir.unwrap_or(Path::new("")).join(path);
        match secrets_dir() {
            Some(dir) if !beside.exists() => dir.join(path),
            _ => beside,
        }
    }

    /// What tells the file of a secret from all others, whatever its name;
    /// none where there is no file.
    pub fn identity(routing: &Routing, config: &ServerConfig, path: &str) -> Option<String> {
        files::identity(&Self::place(routing, config, path))
    }

    fn file(
        &self,
        routing: &Routing,
        config: &ServerConfig,
        path: &str,
    ) -> Result<Secret, NoSecret> {
        let place = Self::place(routing, config, path);
        let secrets_dir = secrets_dir();
        let mut within = vec![self.dir.as_path()];
        within.extend(secrets_dir.as_deref());
        match files::read_secret(&place, &within) {
            Ok(text) => Ok(Secret::new(text)),
            Err(files::SecretFileError::Absent(error)) => Err(NoSecret::Absent(error.hint(
                "nothing was changed: put the secret there, or into the directory that \
                 LKROUTE_SECRETS_DIR names",
            ))),
            Err(files::SecretFileError::Refused(error)) => {
                Err(NoSecret::Refused("secret-file-refused", error))
            }
        }
    }

    /// A warning for each variable that only the files themselves allow: no
    /// earlier review has seen that list.
    pub fn own_lists(&self, routing: &Routing) -> Vec<Finding> {
        if self.stored {
            return Vec::new();
        }
        let named = routing.configs.iter().filter_map(|(name, config)| {
            let SecretSource::Env(variable) = &config.api_secret else {
                return None;
            };
            let message = format!(
                "config `{name}` reads the variable {variable}, which these files list themselves"
            );
            let hint = "the list is stored by the first apply; from then on the stored one counts";
            (!is_secret_variable(variable))
                .then(|| Finding::warning("secret-variable-listed", message).hint(hint))
        });
        named.collect()
    }
}
