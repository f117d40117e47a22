//! `[configs.NAME]`: the fields of a config, its secret, and what the chosen
//! environment overrides. Core; imports only core, with the form of a
//! sealed value, which needs no key.

use std::collections::BTreeMap;
use std::ops::Range;

use uuid::Uuid;

use super::parsed_file::{ConfigDef, name_reference};
use super::raw::{self, ApiSecret, At, Config, Text};
use super::reader::FileReader;
use super::text_rules::is_variable;
use crate::fields::{Field, FieldKind, Fields};
use crate::finding::Finding;
use crate::routing::{CipherText, PRODUCTION, SecretSource, ServerConfig};
use crate::sealed::Sealed;
use crate::source::url;

/// How many texts a config may give: all of its fields but its name, which is
/// the table's, and its secret.
const TEXTS: usize = Field::OF_CONFIG.len() - 2;

/// The fields of a config or of an override, each judged by itself.
#[derive(Default)]
struct Given {
    id: Option<At<Uuid>>,
    texts: BTreeMap<Field, At<String>>,
    api_secret: Option<At<SecretSource>>,
    adopt: Option<Vec<Field>>,
}

impl Given {
    /// The same with the fields that an override gives.
    fn overridden_by(self, over: Given) -> Given {
        Given {
            id: over.id.or(self.id),
            texts: self.texts.into_iter().chain(over.texts).collect(),
            api_secret: over.api_secret.or(self.api_secret),
            adopt: over.adopt.or(self.adopt),
        }
    }

    /// The first value that is the same in `other`.
    fn same_value(&self, other: &Given) -> Option<Range<usize>> {
        let same_text = self.texts.iter().find_map(|(field, text)| {
            let other = other.texts.get(field)?;
            (other.value == text.value).then(|| text.span.clone())
        });
        let id = self.id.as_ref().zip(other.id.as_ref());
        let same_id = id.filter(|(id, other)| id.value == other.value);
        same_text.or(same_id.map(|(id, _)| id.span.clone()))
    }
}

/// The texts that a config or an override may give. A key that is left out
/// here does not compile, nor does a field that no key is for.
fn raw_texts<'r, 'a>(raw: &'r Config<'a>) -> [(Field, &'r Option<At<Text<'a>>>); TEXTS] {
    let Config {
        id: _,
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
        (Field::Region, region),
        (Field::Description, description),
        (Field::Url, url),
        (Field::ApiKey, api_key),
        (Field::TrunkId, trunk_id),
        (Field::WorkerName, worker_name),
        (Field::Deployment, deployment),
        (Field::Fallback, fallback),
    ]
}

fn gives(raw: &Config<'_>, field: Field) -> bool {
    let mut texts = raw_texts(raw).into_iter();
    match field {
        Field::ApiSecret => raw.api_secret.is_some(),
        _ => texts.any(|(one, text)| one == field && text.is_some()),
    }
}

fn gives_any(raw: &Config<'_>) -> bool {
    raw.id.is_some() || Field::OF_CONFIG.into_iter().any(|field| gives(raw, field))
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
        let texts = given.texts.iter();
        lines.extend(texts.map(|(field, text)| (*field, self.line_of(text))));
        let secret = given.api_secret;
        lines.extend(
            secret
                .iter()
                .map(|secret| (Field::ApiSecret, self.line_of(secret))),
        );
        let fields: Fields = given
            .texts
            .into_iter()
            .map(|(field, text)| (field, text.value.into()))
            .collect();
        let secret = secret.map_or(SecretSource::Env(String::new()), |secret| secret.value);
        let id = given.id.map(|id| id.value);
        ServerConfig {
            formerly,
            adopt: given.adopt.unwrap_or_default(),
            lines,
            ..ServerConfig::of_fields(id, &fields, secret, self.origin_of(name))
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
        let texts = raw_texts(raw).into_iter().filter_map(|(field, text)| {
            let text = self.read_config_text(field, text)?;
            Some((field, text))
        });
        Given {
            id,
            texts: texts.collect(),
            api_secret: raw
                .api_secret
                .as_ref()
                .and_then(|secret| self.read_secret(secret)),
            adopt: self.read_field_names(&raw.adopt, &Field::OF_CONFIG),
        }
    }

    fn read_config_text(
        &mut self,
        field: Field,
        text: &Option<At<Text<'_>>>,
    ) -> Option<At<String>> {
        let key = field.as_str();
        match (field, field.kind()) {
            // Looked up among what is declared, once all files are read.
            (Field::Region | Field::Fallback, _) => text.as_ref().map(|name| At {
                value: name.value.to_string(),
                span: name.span.clone(),
            }),
            (Field::Description, _) => self.read_prose(key, text),
            (Field::Deployment, _) => self.deployment(text),
            (Field::Url, _) => self.read_text(key, text, 500),
            (_, FieldKind::Name) => self.read_name(key, text),
            _ => self.read_text(key, text, 255),
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
        if let Some(span) = given.same_value(base) {
            let at = At { value: (), span };
            self.add_error(
                "override-nothing",
                &at,
                "this is the value without the override",
            );
        }
        if !gives_any(raw) && raw.adopt.is_none() {
            self.add_error("override-nothing", environment, "this override is empty");
        }
        given
    }

    /// What only shows when all fields are together.
    fn judge_whole(&mut self, name: &At<Text<'_>>, given: &Given, raw: [Option<&Config<'_>>; 2]) {
        let needed = Field::OF_CONFIG
            .into_iter()
            .filter(|field| *field != Field::Name && !Field::OPTIONAL_OF_CONFIG.contains(field));
        let missing: Vec<Field> = needed
            .filter(|field| !raw.into_iter().flatten().any(|raw| gives(raw, *field)))
            .collect();
        let what = format!("config `{}`", &*name.value);
        let only_overrides = |raw: &Config<'_>| !gives_any(raw) && !raw.env.0.is_empty();
        if !missing.is_empty() && raw[0].is_some_and(only_overrides) {
            let message = format!("{what} has nothing here but what environments override");
            let hint = "write that below the config itself, in the same file";
            let finding = Finding::error("missing-key", message).at(self.place_of(name));
            return self.findings.add(finding.hint(hint));
        }
        for field in missing {
            self.add_missing(&what, field.as_str(), name);
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
            None if raw.into_iter().flatten().all(|raw| raw.id.is_none()) => self.findings.add(
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
                            "seal it anew: `lkroute secrets seal --config {}`",
                            &*name.value
                        )),
                );
            }
            _ => {}
        }
    }

    fn check_url(&mut self, url: &At<Text<'_>>) {
        let place = if url.value.contains('@') {
            self.lines.place_veiled(url.span.clone())
        } else {
            self.place_of(url)
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
                self.findings.add(if prefixed {
                    finding.hint("seal it anew: `lkroute secrets seal --config NAME`")
                } else {
                    finding
                        .hint("if this is the secret itself, treat it as leaked and get a new one")
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
