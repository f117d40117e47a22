//! A config and a server, as they are named. Core.

use uuid::Uuid;

use super::facts::ConfigFact;

/// The config of a route.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfigRef {
    /// Absent for a config of the files that declares none.
    pub id: Option<Uuid>,
    pub name: String,
}

impl From<&ConfigFact> for ConfigRef {
    fn from(config: &ConfigFact) -> ConfigRef {
        ConfigRef {
            id: config.id,
            name: config.name().to_owned(),
        }
    }
}

/// Host and port of a URL, without any user info: fit to be shown.
pub fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default()
}
