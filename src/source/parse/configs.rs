//! `[configs.NAME]`: the fields of a config, its secret, and what the chosen
//! environment overrides. Core; imports only core, with the form of a
//! sealed value, which needs no key.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::parsed_file::{ConfigDef, name_reference};
use super::raw::{self, ApiSecret, At, Config, Text};
use super::reader::{FileReader, is_variable};
use crate::fields::Field;
use crate::finding::Finding;
use crate::routing::{CipherText, PRODUCTION, SecretSource, ServerConfig};
use crate::sealed::Sealed;
use crate::source::url;

/// The fields of a config or of an override, each judged by itself.
#[derive(Default)]
struct Given {
    id: Option<At<Uuid>>,
    region: Option<At<String>>,
    description: Option<At<String>>,
    url: Option<At<String>>,
    api_key: Option<At<String>>,
    api_secret: Option<At<SecretSource>>,
    trunk_id: Option<At<String>>,
    worker_name: Option<At<String>>,
    deployment: Option<At<String>>,
    fallback: Option<At<String>>,
    adopt: Option<Vec<Field>>,
}

impl Given {
    /// The same with the fields that an override gives.
    fn overridden_by(self, over: Given) -> Given {
        Given {
            id: over.id.or(self.id),
            region: over.region.or(self.region),
            description: over.description.or(self.description),
            url: over.url.or(self.url),
            api_key: over.api_key.or(self.api_key),
            api_secret: over.api_secret.or(self.api_secret),
            trunk_id: over.trunk_id.or(self.trunk_id),
            worker_name: over.worker_name.or(self.worker_name),
            deployment: over.deployment.or(self.deployment),
            fallback: over.fallback.or(self.fallback),
            adopt: over.adopt.or(self.adopt),
        }
    }

    /// A member that is left out here does not compile.
    fn given_texts(&self) -> [&Option<At<String>>; 8] {
        let Given {
            id: _,
            region,
            description,
            url,
            api_key,
            api_secret: _,
            trunk_id,
            worker_name,
            deployment,
            fallback,
            adopt: _,
        } = self;
        [
            region,
            description,
            url,
            api_key,
            trunk_id,
            worker_name,
            deployment,
            fallback,
        ]
    }
}

/// The texts that a config or an override may give; a key that is left out
/// here does not compile.
fn raw_texts<'r, 'a>(raw: &'r Config<'a>) -> [&'r Option<At<Text<'a>>>; 9] {
    let Config {
        id,
        formerly: _,
        region,
        description,
        url,
        api_key,
        api_secret: _,
        trunk_id,
        worker_name,
        deployment,
        fallback,
        adopt: _,
        only: _,
        env: _,
    } = raw;
    [
        id,
        region,
        description,
        url,
        api_key,
        trunk_id,
        worker_name,
        deployment,
        fallback,
    ]
}

fn only_overrides(raw: &Config<'_>) -> bool {
    let no_text = raw_texts(raw).into_iter().all(Option::is_none);
    no_text && raw.api_secret.is_none() && !raw.env.0.is_empty()
}

impl FileReader<'_> {
    pub(super) fn read_config(&mut self, name: &At<Text<'_>>, raw: &Config<'_>) -> ConfigDef {
        let elsewhere = !self.is_included(&raw.only);
        let base = self.read_given(raw);
        let (mut over, mut chosen) = (Given::default(), None);
        for (environment, overlay) in &raw.env.0 {
            let is_chosen = self.is_override(environment, &raw.only);
            let given = self.config_override(environment, &overlay.value, &base);
            if is_chosen {
                (over, chosen) = (given, Some(&overlay.value));
            }
        }
        let given = base.overridden_by(over);
        if raw.env.0.is_empty() || self.environment.is_some() && !elsewhere {
            self.judge_whole(name, &given, [Some(raw), chosen]);
        }
        let region = chosen.and_then(|over| over.region.as_ref());
        let region = region.or(raw.region.as_ref());
        let fallback = chosen.and_then(|over| over.fallback.as_ref());
        let fallback = fallback.or(raw.fallback.as_ref());
        let formerly = raw
            .formerly
            .as_ref()
            .map(|name| name_reference(name, self.lines));
        ConfigDef {
            id: given.id.as_ref().map(|id| self.place_of(id)),
            region: region.map(|name| name_reference(name, self.lines)),
            fallback: fallback.map(|name| name_reference(name, self.lines)),
            config: self.server_config(name, given, formerly.as_ref().map(|f| f.name.clone())),
            formerly,
            elsewhere,
        }
    }

    fn server_config(
        &self,
        name: &At<Text<'_>>,
        given: Given,
        formerly: Option<String>,
    ) -> ServerConfig {
        let mut lines = BTreeMap::from([(Field::Name, self.line_of(name))]);
        let mut line = |field, line: Option<u32>| line.map(|line| lines.insert(field, line));
        let mut take = |field, text: Option<At<String>>| {
            line(field, text.as_ref().map(|text| self.line_of(text)));
            text.map(|text| text.value)
        };
        let region = take(Field::Region, given.region).unwrap_or_default();
        let description = take(Field::Description, given.description);
        let url = take(Field::Url, given.url).unwrap_or_default();
        let api_key = take(Field::ApiKey, given.api_key).unwrap_or_default();
        let trunk_id = take(Field::TrunkId, given.trunk_id);
        let worker_name = take(Field::WorkerName, given.worker_name);
        let deployment = take(Field::Deployment, given.deployment);
        let fallback = take(Field::Fallback, given.fallback);
        let secret = given.api_secret;
        line(
            Field::ApiSecret,
            secret.as_ref().map(|secret| self.line_of(secret)),
        );
        ServerConfig {
            id: given.id.map(|id| id.value),
            formerly,
            region,
            description,
            url,
            api_key,
            api_secret: secret.map_or(SecretSource::Env(String::new()), |secret| secret.value),
            trunk_id,
            worker_name,
            deployment,
            fallback,
            adopt: given.adopt.unwrap_or_default(),
            origin: self.origin_of(name),
            lines,
        }
    }

    /// Reads the fields and judges each by itself.
    fn read_given(&mut self, raw: &Config<'_>) -> Given {
        let id = raw.id.as_ref().and_then(|id| {
            let value = self.read_uuid(id)?;
            let span = id.span.clone();
            Some(At { value, span })
        });
        if let Some(url) = &raw.url {
            self.check_url(url);
        }
        Given {
            id,
            region: raw.region.as_ref().map(|region| At {
                value: region.value.to_string(),
                span: region.span.clone(),
            }),
            description: self.read_prose("description", &raw.description),
            url: self.read_text("url", &raw.url, 500),
            api_key: self.read_text("api_key", &raw.api_key, 255),
            api_secret: raw
                .api_secret
                .as_ref()
                .and_then(|secret| self.read_secret(secret)),
            trunk_id: self.read_text("trunk_id", &raw.trunk_id, 255),
            worker_name: self.read_name("worker_name", &raw.worker_name),
            deployment: self.deployment(&raw.deployment),
            fallback: raw.fallback.as_ref().map(|name| At {
                value: name.value.to_string(),
                span: name.span.clone(),
            }),
            adopt: self.read_field_names(&raw.adopt, &Field::OF_CONFIG),
        }
    }

    /// livekit-server refuses the call for a name that it can't keep apart.
    fn deployment(&mut self, name: &Option<At<Text<'_>>>) -> Option<At<String>> {
        let name = self.read_name("deployment", name)?;
        let odd = |c: char| c == '_' || c.is_whitespace();
        if name.value.len() > 64 || name.value.contains(odd) {
            let message = "`deployment` has 64 bytes at most, no `_` and no blank in it";
            self.add_error("bad-value", &name, message);
        }
        if name.value == PRODUCTION {
            let message = "a worker of production names no deployment, and takes no such call";
            let finding = Finding::warning("deployment-production", message);
            let hint = "leave `deployment` out: that is LiveKit's production";
            self.findings
                .add(finding.at(self.place_of(&name)).hint(hint));
        }
        Some(name)
    }

    fn config_override(
        &mut self,
        environment: &At<Text<'_>>,
        raw: &Config<'_>,
        base: &Given,
    ) -> Given {
        self.not_in_override("formerly", raw.formerly.as_ref());
        self.not_in_override("only", raw.only.as_ref());
        self.not_in_override("env", raw.env.0.first().map(|(name, _)| name));
        let given = self.read_given(raw);
        let same_text = given
            .given_texts()
            .into_iter()
            .zip(base.given_texts())
            .find_map(|(over, base)| {
                let over = over.as_ref()?;
                base.as_ref().filter(|base| base.value == over.value)?;
                Some(over.span.clone())
            });
        let same_id = given.id.as_ref().filter(|id| {
            let base = base.id.as_ref();
            base.is_some_and(|base| base.value == id.value)
        });
        if let Some(span) = same_text.or(same_id.map(|id| id.span.clone())) {
            let at = At { value: (), span };
            self.add_error(
                "override-nothing",
                &at,
                "this is the value without the override",
            );
        }
        let any = raw_texts(raw).into_iter().any(Option::is_some);
        if !any && raw.api_secret.is_none() && raw.adopt.is_none() {
            self.add_error("override-nothing", environment, "this override is empty");
        }
        given
    }

    /// What only shows when all fields are together.
    fn judge_whole(&mut self, name: &At<Text<'_>>, given: &Given, raw: [Option<&Config<'_>>; 2]) {
        let has = |key: fn(&Config<'_>) -> bool| raw.into_iter().flatten().any(key);
        let needed: [(&str, bool); 4] = [
            ("region", has(|raw| raw.region.is_some())),
            ("url", has(|raw| raw.url.is_some())),
            ("api_key", has(|raw| raw.api_key.is_some())),
            ("api_secret", has(|raw| raw.api_secret.is_some())),
        ];
        let what = format!("config `{}`", &*name.value);
        if needed.iter().any(|(_, there)| !there) && raw[0].is_some_and(only_overrides) {
            let message = format!("{what} has nothing here but what environments override");
            let hint = "write that below the config itself, in the same file";
            let finding = Finding::error("missing-key", message).at(self.place_of(name));
            return self.findings.add(finding.hint(hint));
        }
        for (key, _) in needed.into_iter().filter(|(_, there)| !there) {
            self.add_missing(&what, key, name);
        }
        let Some(secret) = &given.api_secret else {
            return;
        };
        let SecretSource::Sealed(text) = &secret.value else {
            return;
        };
        let Ok(sealed) = Sealed::parse(text.as_stored()) else {
            return;
        };
        let place = self.lines.place_shown(secret.span.clone());
        match &given.id {
            None if !has(|raw| raw.id.is_some()) => self.findings.add(
                Finding::error(
                    "sealed-without-id",
                    format!("{what} has a sealed secret and no `id`"),
                )
                .at(place)
                .hint("a sealed secret belongs to an id: give the one that it was sealed for"),
            ),
            Some(id) if !sealed.is_for(id.value) => {
                let id_place = self.place_of(id);
                self.findings.add(
                    Finding::error("sealed-for-another", "this was sealed for another config")
                        .at(place)
                        .also(id_place, "this is not the id that it was sealed for")
                        .hint(format!(
                            "seal it anew: lkroute secrets seal --config {}",
                            &*name.value
                        )),
                );
            }
            _ => {}
        }
    }

    fn check_url(&mut self, url: &At<Text<'_>>) {
        let place = match url.value.contains('@') {
            true => self.lines.place_veiled(url.span.clone()),
            false => self.place_of(url),
        };
        let problems = url::url_problems(&url.value);
        let sound = problems.is_empty();
        for problem in problems {
            let finding = Finding::error(problem.code, problem.message).at(place.clone());
            self.findings.add(finding.hint_of(problem.hint));
        }
        if sound && url::is_plain_to_public(&url.value) {
            let message = "calls and keys go to a public host without TLS";
            let finding = Finding::warning("plain-http", message).at(place);
            self.findings.add(
                finding.hint("use wss, or a name that ends in .internal for a private network"),
            );
        }
    }

    fn read_secret(&mut self, secret: &At<ApiSecret<'_>>) -> Option<At<SecretSource>> {
        let source = match &secret.value {
            ApiSecret::Plain => {
                self.plain_secret(secret);
                return None;
            }
            ApiSecret::Source(source) => source,
        };
        let raw::SecretSourceTable { sealed, env, file } = source;
        let value = match (sealed, env, file) {
            (Some(sealed), None, None) => self.read_sealed(sealed)?,
            (None, Some(name), None) => self.secret_variable(name)?,
            (None, None, Some(path)) => self.secret_file(path)?,
            _ => {
                let message = "`api_secret` has exactly one of `sealed`, `env` and `file`";
                self.add_error("bad-secret-source", secret, message);
                return None;
            }
        };
        let span = secret.span.clone();
        Some(At { value, span })
    }

    fn plain_secret<T>(&mut self, at: &At<T>) {
        let place = self.lines.place_veiled(at.span.clone());
        let message = "a secret stands here as plain text";
        let hint = "treat it as leaked, get a new one, and write it with `lkroute secrets seal`; \
                    or name its source: { env = \"NAME\" } or { file = \"path\" }";
        self.findings.add(
            Finding::error("plaintext-secret", message)
                .at(place)
                .hint(hint),
        );
    }

    fn read_sealed(&mut self, text: &At<Text<'_>>) -> Option<SecretSource> {
        let prefixed = text.value.starts_with("lkr1:") || text.value.starts_with("dev-s-t-");
        match Sealed::parse(&text.value) {
            Ok(sealed) => Some(SecretSource::Sealed(CipherText::new(sealed.as_str()))),
            Err(error) => {
                let place = self.lines.place_veiled(text.span.clone());
                let finding = Finding::error("sealed-malformed", error.to_string()).at(place);
                self.findings.add(match prefixed {
                    true => finding.hint("seal it anew: lkroute secrets seal --config NAME"),
                    false => finding
                        .hint("if this is the secret itself, treat it as leaked and get a new one"),
                });
                None
            }
        }
    }

    fn secret_variable(&mut self, name: &At<Text<'_>>) -> Option<SecretSource> {
        if is_variable(&name.value) {
            return Some(SecretSource::Env(name.value.to_string()));
        }
        let place = self.lines.place_veiled(name.span.clone());
        let finding = Finding::error("bad-secret-source", "this is no name of a variable");
        let hint = "if this is the secret itself, treat it as leaked and get a new one";
        self.findings.add(finding.at(place).hint(hint));
        None
    }

    fn secret_file(&mut self, path: &At<Text<'_>>) -> Option<SecretSource> {
        let path = self.read_text("file", &Some(path.clone()), 4096)?;
        Some(SecretSource::File(path.value))
    }
}
