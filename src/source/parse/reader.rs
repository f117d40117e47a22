//! Reads the tables of one file into a [`ParsedFile`], judging each value by itself.
//! `configs`, `bindings` and `guards` hold the larger tables. Core; imports
//! only core.

use hashbrown::HashMap;
use uuid::Uuid;

use super::parsed_file::GuardDefs;
use super::parsed_file::{Def, EnvironmentDef, ParsedFile, RegionDef, Spec, name_reference};
use super::raw::{self, At, Text, TextList};
use super::syntax::Shape;
use super::text_rules::{as_set, is_variable, unfit_name, why_unfit};
use crate::fields::Field;
use crate::finding::{Finding, Place};
use crate::phone::Prefix;
use crate::routing::{Origin, Region, SecretFormat};
use crate::source::findings::Findings;
use crate::source::line_index::Lines;
use crate::source::suggest;

/// Reads the tables of one file.
pub(super) struct FileReader<'a> {
    pub lines: Lines<'a>,
    pub number: u32,
    pub environment: Option<&'a str>,
    pub findings: Findings,
    pub parsed: ParsedFile,
    /// Whether the file has keys that don't exist.
    pub unknown_keys: bool,
    pub spec_index: HashMap<Spec, u32>,
}

impl<'a> FileReader<'a> {
    pub(super) fn new(
        lines: Lines<'a>,
        number: u32,
        environment: Option<&'a str>,
    ) -> FileReader<'a> {
        FileReader {
            lines,
            number,
            environment,
            findings: Findings::default(),
            parsed: ParsedFile::default(),
            unknown_keys: false,
            spec_index: HashMap::new(),
        }
    }

    pub(super) fn into_parsed_file(mut self) -> ParsedFile {
        let place = Place::file(self.lines.path());
        self.parsed.findings = self.findings.into_findings(Some(place));
        self.parsed
    }
}

impl FileReader<'_> {
    pub(super) fn read_tables(&mut self, shape: Shape<'_>) {
        self.findings.extend(shape.findings);
        self.unknown_keys = shape.unknown_keys;
        self.parsed.unusable = shape.unusable;
        self.parsed.incomplete = shape.incomplete;
        let file = &shape.file;
        let owner = self.read_text("owner", &file.owner, 255);
        self.parsed.owner = owner.map(|owner| (owner.value.clone(), self.place_of(&owner)));
        let format = file.secrets.as_ref().and_then(|secrets| {
            let format = secrets.value.format.as_ref()?;
            Some((self.read_format(format)?, self.place_of(format)))
        });
        self.parsed.secret_format = format;
        let secrets = file.secrets.as_ref().map(|secrets| &secrets.value);
        self.parsed.secret_env = secrets.and_then(|secrets| {
            let place = self.place_of(secrets.env.as_ref()?);
            Some((self.read_variables(secrets)?, place))
        });
        for (name, id) in &file.tenants.0 {
            let def = self.read_definition("tenant", name, |reader| reader.read_uuid(id));
            self.parsed.tenants.push(def);
        }
        for (name, region) in &file.regions.0 {
            let def = self.read_definition("region", name, |reader| {
                reader.read_region(name, &region.value)
            });
            self.parsed.regions.push(def);
        }
        for (name, config) in &file.configs.0 {
            let def = self.read_definition("config", name, |reader| {
                reader.read_config(name, &config.value)
            });
            self.parsed.configs.push(def);
        }
        for (name, environment) in &file.environments.0 {
            let read = |reader: &mut Self| reader.environment(name, &environment.value);
            let def = self.read_definition("environment", name, read);
            self.parsed.environments.push(def);
        }
        if let Some(guards) = &file.guards {
            self.parsed.guards = self.read_guards(&guards.value);
        }
        for binding in &file.bindings {
            self.read_binding(binding);
        }
        for rollout in &file.rollouts {
            self.read_rollout(rollout);
        }
        for expect in &file.expect {
            self.read_expect(expect);
        }
    }

    pub(super) fn place_of<T>(&self, at: &At<T>) -> Place {
        self.lines.place_of(at.span.clone())
    }

    pub(super) fn line_of<T>(&self, at: &At<T>) -> u32 {
        self.lines.line_of(at.span.start)
    }

    pub(super) fn add_error<T>(
        &mut self,
        code: &'static str,
        at: &At<T>,
        message: impl Into<String>,
    ) {
        let place = self.place_of(at);
        self.findings.add(Finding::error(code, message).at(place));
    }

    /// A key that is not there; where there are unknown ones, it is most
    /// likely among them.
    pub(super) fn add_missing<T>(&mut self, what: &str, key: &str, at: &At<T>) {
        if self.unknown_keys {
            return;
        }
        let finding = Finding::error("missing-key", format!("{what} has no `{key}`"));
        let finding = finding.at(self.place_of(at));
        self.findings.add(match key {
            "api_secret" => finding.hint("`lkroute secrets seal --config NAME` writes it"),
            _ => finding,
        });
    }

    fn read_definition<T>(
        &mut self,
        kind: &str,
        name: &At<Text<'_>>,
        read: impl FnOnce(&mut Self) -> T,
    ) -> Def<T> {
        if let Some(reason) = unfit_name(&name.value) {
            self.add_error("bad-value", name, format!("the name of a {kind} {reason}"));
        }
        Def {
            name: name.value.to_string(),
            place: self.place_of(name),
            value: read(self),
        }
    }

    /// A text of one line that fits a column of `most` characters.
    pub(super) fn read_text(
        &mut self,
        key: &str,
        text: &Option<At<Text<'_>>>,
        most: usize,
    ) -> Option<At<String>> {
        self.read_fitting(key, text, |text| why_unfit(text, most, false))
    }

    /// The name of something, whose ends can't be told from what is around.
    pub(super) fn read_name(
        &mut self,
        key: &str,
        text: &Option<At<Text<'_>>>,
    ) -> Option<At<String>> {
        self.read_fitting(key, text, unfit_name)
    }

    /// A text that may have several lines.
    pub(super) fn read_prose(
        &mut self,
        key: &str,
        text: &Option<At<Text<'_>>>,
    ) -> Option<At<String>> {
        self.read_fitting(key, text, |text| why_unfit(text, 10_000, true))
    }

    fn read_fitting(
        &mut self,
        key: &str,
        text: &Option<At<Text<'_>>>,
        unfit: impl Fn(&str) -> Option<String>,
    ) -> Option<At<String>> {
        let text = text.as_ref()?;
        if let Some(reason) = unfit(&text.value) {
            self.add_error("bad-value", text, format!("`{key}` {reason}"));
        }
        Some(At {
            value: text.value.to_string(),
            span: text.span.clone(),
        })
    }

    pub(super) fn read_uuid(&mut self, text: &At<Text<'_>>) -> Option<Uuid> {
        let id = Uuid::try_parse(&text.value).ok();
        let hyphenated = |id: &Uuid| text.value.eq_ignore_ascii_case(&id.to_string());
        match id {
            Some(id) if hyphenated(&id) => Some(id),
            other => {
                let finding = Finding::error("bad-uuid", "this is no uuid").at(self.place_of(text));
                self.findings.add(finding.hint(match other {
                    Some(id) => format!("write it as `{id}`"),
                    None => "a uuid is 32 hex digits as 8-4-4-4-12".to_owned(),
                }));
                None
            }
        }
    }

    pub(super) fn read_format(&mut self, text: &At<Text<'_>>) -> Option<SecretFormat> {
        let found = text.value.parse().ok();
        if found.is_none() {
            let names = SecretFormat::ALL.map(SecretFormat::as_str);
            let finding = Finding::error("bad-value", "no format of secrets");
            let hint = suggest::suggestion_hint(&text.value, names);
            self.findings
                .add(finding.at(self.place_of(text)).hint_of(hint));
        }
        found
    }

    /// The names of managed fields, sorted, each once.
    pub(super) fn read_field_names(
        &mut self,
        names: &TextList<'_>,
        known: &[Field],
    ) -> Option<Vec<Field>> {
        let names = names.as_ref()?;
        let mut fields = Vec::new();
        for name in &names.value {
            match name.value.parse() {
                Ok(field) if known.contains(&field) => fields.push(field),
                _ => {
                    let message = format!("no field `{}` here", &*name.value);
                    let finding = Finding::error("unknown-field", message).at(self.place_of(name));
                    let known = known.iter().map(|field| field.as_str());
                    let hint = suggest::suggestion_hint(&name.value, known);
                    self.findings.add(finding.hint_of(hint));
                }
            }
        }
        fields.sort_unstable();
        fields.dedup();
        Some(fields)
    }

    fn read_region(&mut self, name: &At<Text<'_>>, raw: &raw::RegionTable<'_>) -> RegionDef {
        let mut codes = Vec::new();
        for code in raw.country_codes.iter().flat_map(|codes| &codes.value) {
            match Prefix::parse(&code.value) {
                Ok(prefix) => codes.push((prefix, self.place_of(code))),
                Err(error) => {
                    let finding = Finding::error("bad-prefix", format!("no prefix: {error}"));
                    let hint = "a calling code, alone or with the digits of an area: `+91`";
                    self.findings
                        .add(finding.at(self.place_of(code)).hint(hint));
                }
            }
        }
        let region = Region {
            description: self
                .read_prose("description", &raw.description)
                .map(|text| text.value),
            country_codes: as_set(codes.iter().map(|(code, _)| *code)),
            default_config: raw
                .default_config
                .as_ref()
                .map(|name| name.value.to_string()),
            origin: self.origin_of(name),
        };
        let default = raw.default_config.as_ref();
        RegionDef {
            region,
            codes,
            default: default.map(|name| name_reference(name, self.lines)),
        }
    }

    fn environment(&mut self, name: &At<Text<'_>>, raw: &raw::Environment<'_>) -> EnvironmentDef {
        if raw.database.is_none() {
            self.add_missing(&format!("environment `{}`", &*name.value), "database", name);
        }
        if let Some(variable) = raw.database.as_ref().filter(|v| !is_variable(&v.value)) {
            let place = self.lines.place_veiled(variable.span.clone());
            let message = "`database` is the name of an environment variable";
            let hint = "put the URL into a variable, and write the variable's name";
            self.findings
                .add(Finding::error("bad-value", message).at(place).hint(hint));
        }
        let format = raw
            .secrets
            .as_ref()
            .and_then(|secrets| secrets.value.format.as_ref());
        EnvironmentDef {
            database: raw.database.as_ref().map(|text| text.value.to_string()),
            schema: self
                .read_text("schema", &raw.schema, 63)
                .map(|text| text.value),
            secret_format: format.and_then(|format| self.read_format(format)),
            secret_env: raw
                .secrets
                .as_ref()
                .and_then(|secrets| self.read_variables(&secrets.value)),
            guards: match &raw.guards {
                Some(guards) => self.read_guards(&guards.value),
                None => GuardDefs::default(),
            },
        }
    }

    /// `secrets.env`: the variables that secrets may come from, sorted.
    fn read_variables(&mut self, secrets: &raw::Secrets<'_>) -> Option<Vec<String>> {
        let mut names = Vec::new();
        for name in &secrets.env.as_ref()?.value {
            if is_variable(&name.value) {
                names.push(name.value.to_string());
            } else {
                self.add_error("bad-value", name, "this is no name of a variable");
            }
        }
        names.sort_unstable();
        names.dedup();
        Some(names)
    }

    /// Whether `only` leaves an object in; without an environment all are in.
    pub(super) fn is_included(&mut self, only: &TextList<'_>) -> bool {
        let Some(only) = only else { return true };
        if only.value.is_empty() {
            self.add_error("bad-value", only, "`only` names no environment");
        }
        for name in &only.value {
            self.parsed.used.environments.number(name, self.lines);
        }
        let chosen = |environment: &str| only.value.iter().any(|name| &*name.value == environment);
        self.environment.is_none_or(chosen)
    }

    /// Takes note of an override; whether it is for the environment read.
    pub(super) fn is_override(&mut self, name: &At<Text<'_>>, only: &TextList<'_>) -> bool {
        self.parsed.used.environments.number(name, self.lines);
        let left_out =
            |only: &At<Vec<At<Text<'_>>>>| only.value.iter().all(|one| one.value != name.value);
        if only.as_ref().is_some_and(left_out) {
            let message = format!("`only` leaves out `{}`", &*name.value);
            self.add_error("override-nothing", name, message);
        }
        Some(&*name.value.0) == self.environment
    }

    /// A key that an override can't have.
    pub(super) fn not_in_override<T>(&mut self, key: &str, value: Option<&At<T>>) {
        if let Some(value) = value {
            let message = format!("`{key}` can't differ by environment");
            self.add_error("unknown-key", value, message);
        }
    }

    pub(super) fn origin_of<T>(&self, at: &At<T>) -> Origin {
        Origin {
            file: self.number,
            line: self.line_of(at),
        }
    }
}
