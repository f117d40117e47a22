//! From the fields of a number to server, trunk and worker. Core.
//!
//! The one place where the order of sources is written down; `plan` calls it
//! for every distinct set of fields, `resolve` and `dispatch` for one row.

use super::choice::{Choice, ChoiceSource, Search};
use super::config_ref::{ConfigRef, host_of};
use super::env::{self, DEFAULT_WORKER, RoutingEnv, ShellEnv};
use super::facts::{ConfigFact, Configs, Link, SecretState, Side};
use super::fallback::Fallback;
use super::trace::{ResolveError, Topic, Trace, Verdict};
use crate::fields::{Field, Fields};
use crate::invisible_chars::without_user_info;
use serde_json::Value;

enum_words! {
    /// Where the credentials come from.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Source {
        Database = "database",
        Environment = "environment",
        Files = "files",
    }
}

/// Server, trunk and worker.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Route {
    pub source: Source,
    /// Absent where the credentials are the environment's.
    pub config: Option<ConfigRef>,
    /// The config's region; `None` for configs that are not ours.
    pub region: Option<String>,
    /// Absent only where the environment is symbolic.
    pub url: Option<String>,
    pub api_key: Option<String>,
    pub secret: Option<SecretState>,
    pub trunk: Choice,
    pub worker: Choice,
    /// The deployment of the workers, which only the config can name; absent
    /// means production.
    pub deployment: Option<String>,
    /// The config that takes the call where this server can't be reached.
    pub fallback: Option<Fallback>,
}

impl Route {
    /// What to show for the trunk, whether it has a value or not.
    pub fn trunk_label(&self) -> &str {
        self.trunk.value.as_deref().unwrap_or(env::TRUNK)
    }

    pub fn worker_label(&self) -> &str {
        let symbolic = "VOICE_AGENT_NAME or inbound-agent";
        self.worker.value.as_deref().unwrap_or(symbolic)
    }
}

/// What a failed look-up of 3–4 in `domain.md`, "Resolution", led to so far.
pub(super) const TODAY: &str =
    "today's service would have fallen back to the environment here, without a word";

/// Everything but the number.
#[derive(Debug, Clone, Copy)]
pub struct Router<'a> {
    pub configs: &'a Configs,
    pub env: &'a RoutingEnv,
    pub side: Side,
    /// The environment must not be the source of credentials.
    pub strict: bool,
}

impl Router<'_> {
    /// The route of a number that has these fields; `subject` names its row.
    pub fn of_row(
        &self,
        fields: &Fields,
        subject: &str,
        trace: &mut Trace,
    ) -> Result<Route, ResolveError> {
        let config = self.config(fields, subject, trace)?;
        let Some(config) = config else {
            let nothing = format!("{subject} has no livekit_config");
            return self.of_environment(Some(fields), &nothing, trace);
        };
        let (url, api_key) = credentials(config, trace)?;
        self.shadowed_credentials(trace);
        Ok(Route {
            source: match self.side {
                Side::Database => Source::Database,
                Side::Files => Source::Files,
            },
            config: Some(ConfigRef::from(config)),
            region: config.text(Field::Region).map(str::to_owned),
            url: Some(url),
            api_key: Some(api_key),
            secret: Some(config.secret),
            trunk: self.trunk(Some(config), Some(fields), trace)?,
            worker: self.worker(Some(config), trace),
            deployment: deployment(config, trace),
            fallback: self.fallback(config, trace),
        })
    }

    fn config(
        &self,
        fields: &Fields,
        subject: &str,
        trace: &mut Trace,
    ) -> Result<Option<&ConfigFact>, ResolveError> {
        let (code, message) = match fields.get(Field::Config) {
            None | Some(Value::Null) => {
                let detail = format!("{subject} has no livekit_config");
                trace.push(Topic::Config, Verdict::Nothing, detail);
                return Ok(None);
            }
            Some(Value::String(text)) => match self.configs.follow(text) {
                Link::To(config) => {
                    let detail = format!("{} ({})", config.name(), config.place);
                    trace.push(Topic::Config, Verdict::Found, detail);
                    return Ok(Some(config));
                }
                Link::Dangling => (
                    "config-dangling",
                    format!("livekit_config of {subject} is {text}, and no config has that id"),
                ),
                Link::Unreadable => (
                    "config-unreadable",
                    format!("livekit_config of {subject} is \"{text}\", which is no uuid"),
                ),
            },
            Some(other) => (
                "config-unreadable",
                format!("livekit_config of {subject} is {other}, which is no uuid"),
            ),
        };
        trace.push(Topic::Config, Verdict::Failed, &message);
        trace.push(Topic::Credentials, Verdict::Note, TODAY);
        let hint = "point the number to a config that exists, or take livekit_config out";
        Err(ResolveError::new(code, message).hint(hint))
    }

    /// The route where no config was found; `nothing` says what was looked
    /// for. Trunk ids of the row still count.
    pub fn of_environment(
        &self,
        fields: Option<&Fields>,
        nothing: &str,
        trace: &mut Trace,
    ) -> Result<Route, ResolveError> {
        let credentials = self.environment(nothing, trace)?;
        let (url, api_key) = credentials.unzip();
        Ok(Route {
            source: Source::Environment,
            config: None,
            region: None,
            secret: url.as_ref().map(|_| SecretState::NotChecked),
            url,
            api_key,
            trunk: self.trunk(None, fields, trace)?,
            worker: self.worker(None, trace),
            deployment: None,
            fallback: None,
        })
    }

    /// URL and API key of the environment; nothing where it is symbolic.
    fn environment(
        &self,
        nothing: &str,
        trace: &mut Trace,
    ) -> Result<Option<(String, String)>, ResolveError> {
        let fall_back = format!("{nothing}: the environment's credentials are used");
        let found = match self.env.shell() {
            None => {
                trace.push(Topic::Credentials, Verdict::Fallback, fall_back);
                None
            }
            Some(shell) => {
                let found = complete(shell).map_err(|missing| {
                    let error = if shell.url_refused {
                        user_info(nothing)
                    } else {
                        no_credentials(nothing, &missing)
                    };
                    trace.push(Topic::Credentials, Verdict::Failed, &error.message);
                    error
                })?;
                let host = host_of(&found.0);
                let detail = format!("{fall_back} (LIVEKIT_URL from this shell: {host})");
                trace.push(Topic::Credentials, Verdict::Fallback, detail);
                Some(found)
            }
        };
        if !self.strict {
            return Ok(found);
        }
        let message = format!("the credentials would come from the environment: {nothing}");
        trace.push(
            Topic::Credentials,
            Verdict::Failed,
            "--strict refuses the environment",
        );
        Err(ResolveError::new("environment-credentials", message)
            .hint("route the number to a config, or leave --strict out"))
    }

    fn trunk(
        &self,
        config: Option<&ConfigFact>,
        fields: Option<&Fields>,
        trace: &mut Trace,
    ) -> Result<Choice, ResolveError> {
        let mut search = Search::new(Topic::Trunk, trace);
        if let Some(config) = config {
            let whence = format!("trunk_id of config {}", config.name());
            search.offer(config.text(Field::TrunkId), ChoiceSource::Config, &whence);
        }
        if let Some(fields) = fields {
            let whence = "outbound_trunk_id in the number's rules";
            let value = rules_trunk(fields, search.trace)?;
            search.offer(value, ChoiceSource::Rules, whence);
        }
        let shell = self.env.shell();
        if let Some(shell) = shell {
            let whence = "OUTBOUND_TRUNK_ID from this shell";
            search.offer(shell.trunk.as_deref(), ChoiceSource::Environment, whence);
        }
        if let Some(found) = search.found {
            return Ok(found);
        }
        if shell.is_none() {
            trace.push(Topic::Trunk, Verdict::Fallback, "left to OUTBOUND_TRUNK_ID");
            return Ok(Choice::SYMBOLIC);
        }
        let looked = search.looked.join(", ");
        let message = format!("no trunk to call through; looked for {looked}");
        trace.push(Topic::Trunk, Verdict::Failed, &message);
        let hint = match (config, fields) {
            (Some(_), _) => {
                "set `trunk_id` in the config, `outbound_trunk_id` in the binding's rules, or the \
                 variable OUTBOUND_TRUNK_ID"
            }
            (None, Some(_)) => {
                "set `outbound_trunk_id` in the binding's rules or the variable \
                 OUTBOUND_TRUNK_ID; or bind the number to a config that has a `trunk_id`"
            }
            (None, None) => "set the variable OUTBOUND_TRUNK_ID, or bind the number to a config",
        };
        Err(ResolveError::new("no-trunk", message).hint(hint))
    }

    fn worker(&self, config: Option<&ConfigFact>, trace: &mut Trace) -> Choice {
        let mut search = Search::new(Topic::Worker, trace);
        if let Some(config) = config {
            let whence = format!("worker_name of config {}", config.name());
            search.offer(
                config.text(Field::WorkerName),
                ChoiceSource::Config,
                &whence,
            );
        }
        let shell = self.env.shell();
        if let Some(shell) = shell {
            let whence = "VOICE_AGENT_NAME from this shell";
            search.offer(shell.worker.as_deref(), ChoiceSource::Environment, whence);
        }
        if let Some(found) = search.found {
            return found;
        }
        let (choice, detail) = match shell {
            Some(_) => (
                Choice::new(DEFAULT_WORKER, ChoiceSource::Default),
                "inbound-agent, as nothing names a worker",
            ),
            None => (
                Choice::SYMBOLIC,
                "left to VOICE_AGENT_NAME, else inbound-agent",
            ),
        };
        trace.push(Topic::Worker, Verdict::Fallback, detail);
        choice
    }

    fn fallback(&self, config: &ConfigFact, trace: &mut Trace) -> Option<Fallback> {
        let named = config.text(Field::Fallback)?;
        let fallback = Fallback::of(self.configs, config);
        let detail = match &fallback {
            Some(fallback) => format!(
                "{} takes the call where this server can't be reached",
                fallback.config.name
            ),
            None => format!("the fallback {named} is not there"),
        };
        trace.push(Topic::Config, Verdict::Note, detail);
        fallback
    }

    fn shadowed_credentials(&self, trace: &mut Trace) {
        let url = self.env.shell().and_then(|shell| shell.url.as_deref());
        if let Some(url) = url {
            let host = host_of(url);
            let detail = format!("LIVEKIT_URL from this shell ({host}) is not used");
            trace.push(Topic::Credentials, Verdict::Shadowed, detail);
        }
    }
}

/// `rules.outbound_trunk_id`; blank counts as none.
fn rules_trunk<'a>(fields: &'a Fields, trace: &mut Trace) -> Result<Option<&'a str>, ResolveError> {
    match fields.get(Field::OutboundTrunkId) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.trim().is_empty())),
        Some(other) => {
            let message =
                format!("outbound_trunk_id in the number's rules is {other}, which is no text");
            trace.push(Topic::Trunk, Verdict::Failed, &message);
            Err(ResolveError::new("trunk-unreadable", message))
        }
    }
}

fn credentials(config: &ConfigFact, trace: &mut Trace) -> Result<(String, String), ResolveError> {
    let missing = match (config.text(Field::Url), config.text(Field::ApiKey)) {
        (Some(url), Some(key)) => {
            let secret = config.secret.as_str();
            let shown = without_user_info(url);
            let detail = format!("{shown} with API key {key}; secret: {secret}");
            trace.push(Topic::Credentials, Verdict::Found, detail);
            return Ok((url.to_owned(), key.to_owned()));
        }
        (None, _) => "URL",
        _ => "API key",
    };
    let message = format!("config {} has no {missing}", config.name());
    trace.push(Topic::Credentials, Verdict::Failed, &message);
    trace.push(Topic::Credentials, Verdict::Note, TODAY);
    Err(ResolveError::new("config-incomplete", message))
}

fn deployment(config: &ConfigFact, trace: &mut Trace) -> Option<String> {
    let name = config.text(Field::Deployment)?;
    let detail = format!("{name}: deployment of config {}", config.name());
    trace.push(Topic::Worker, Verdict::Found, detail);
    Some(name.to_owned())
}

/// URL and API key, or the names of the variables that are not set.
fn complete(shell: &ShellEnv) -> Result<(String, String), Vec<&'static str>> {
    match (&shell.url, &shell.api_key, shell.has_api_secret) {
        (Some(url), Some(key), true) => Ok((url.clone(), key.clone())),
        (url, key, secret) => {
            let set = [
                (env::URL, url.is_some()),
                (env::API_KEY, key.is_some()),
                (env::API_SECRET, secret),
            ];
            Err(set
                .iter()
                .filter(|(_, set)| !set)
                .map(|(name, _)| *name)
                .collect())
        }
    }
}

fn user_info(nothing: &str) -> ResolveError {
    let message =
        format!("no credentials: {nothing}, and LIVEKIT_URL of this shell holds user info");
    ResolveError::new("no-credentials", message)
        .hint("write wss://HOST alone: LiveKit takes its key from LIVEKIT_API_KEY")
}

fn no_credentials(nothing: &str, missing: &[&str]) -> ResolveError {
    let names = missing.join(", ");
    let verb = if missing.len() == 1 { "is" } else { "are" };
    let message = format!("no credentials: {nothing}, and {names} {verb} not set in this shell");
    ResolveError::new("no-credentials", message)
        .hint("bind the number to a config and apply, or set the variables")
}
