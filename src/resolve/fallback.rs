//! The config that takes the calls of another whose server can't be reached.
//! Core.

use super::config_ref::{ConfigRef, host_of};
use super::facts::{ConfigFact, Configs};
use crate::fields::Field;

/// Where a call goes where nothing of it can have been created at the server
/// of its own config.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fallback {
    pub config: ConfigRef,
    pub url: Option<String>,
    pub api_key: Option<String>,
    /// Only the config's own: a trunk belongs to one server.
    pub trunk: Option<String>,
    /// Absent where `VOICE_AGENT_NAME`, else `inbound-agent`, decides.
    pub worker: Option<String>,
    /// Absent means production.
    pub deployment: Option<String>,
}

impl Fallback {
    /// The fallback of a config, where it has one that is known.
    pub fn of(configs: &Configs, config: &ConfigFact) -> Option<Fallback> {
        let named = config.text(Field::Fallback)?;
        let by_name = || configs.iter().find(|other| other.name() == named);
        configs.find(named).or_else(by_name).map(Fallback::new)
    }

    pub fn new(config: &ConfigFact) -> Fallback {
        let text = |field| config.text(field).map(str::to_owned);
        Fallback {
            config: ConfigRef::from(config),
            url: text(Field::Url),
            api_key: text(Field::ApiKey),
            trunk: text(Field::TrunkId),
            worker: text(Field::WorkerName),
            deployment: text(Field::Deployment),
        }
    }

    /// Whether calls end at the same place, whatever the config is called.
    pub fn is_same_place(&self, other: &Fallback) -> bool {
        let id = |fallback: &Fallback| match fallback.config.id {
            Some(id) => id.to_string(),
            None => fallback.config.name.clone(),
        };
        let rest = |fallback: &Fallback| {
            let Fallback {
                config: _,
                url,
                api_key,
                trunk,
                worker,
                deployment,
            } = fallback.clone();
            [url, api_key, trunk, worker, deployment]
        };
        id(self) == id(other) && rest(self) == rest(other)
    }

    /// All that tells one from another, in a phrase.
    pub fn label(&self) -> String {
        let host = self.url.as_deref().map(host_of);
        let parts = [
            host,
            self.api_key.as_deref(),
            self.trunk.as_deref(),
            self.worker.as_deref(),
            self.deployment.as_deref(),
        ];
        let parts: Vec<&str> = parts.into_iter().flatten().collect();
        format!("{} ({})", self.config.name, parts.join(", "))
    }
}
