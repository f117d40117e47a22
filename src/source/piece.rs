//! What one file declares, with every problem that can be seen in it alone.
//! Names that it uses are kept with their places; whether they exist is for
//! [`super::merge`] to say. Core; imports only core.

use hashbrown::HashMap;
use uuid::Uuid;

use super::findings::Findings;
use super::guards::GuardDefs;
use super::lines::Lines;
use super::raw::{At, Text, Texts};
use super::shape::{self, Shape};
use super::{bulk, suggest};
use crate::fields::{Field, Fields};
use crate::finding::{Finding, Place};
use crate::phone::{E164, Prefix};
use crate::routing::{Region, SecretFormat, ServerConfig};

/// One file, read for one environment.
#[derive(Default)]
pub struct Piece {
    pub findings: Vec<Finding>,
    /// Names that are defined, by top-level key, in a way that can't be read.
    pub unusable: Vec<(String, String)>,
    /// Whether the file may define more than could be read.
    pub incomplete: bool,
    /// The SHA-256 of the file; zeroes where it could not be read.
    pub hash: [u8; 32],
    pub owner: Option<Ref>,
    pub secret_format: Option<(SecretFormat, Place)>,
    pub tenants: Vec<Def<Option<Uuid>>>,
    pub regions: Vec<Def<RegionDef>>,
    pub configs: Vec<Def<ConfigDef>>,
    pub environments: Vec<Def<EnvironmentDef>>,
    pub guards: GuardDefs,
    pub rollouts: Vec<RolloutDef>,
    pub expects: Vec<ExpectDef>,
    pub used: Used,
    pub specs: Vec<Spec>,
    pub bindings: Vec<Local>,
}

/// A name, where it is used or defined.
#[derive(Debug, Clone)]
pub struct Ref {
    pub name: String,
    pub place: Place,
}

/// A definition.
pub struct Def<T> {
    pub name: String,
    pub place: Place,
    pub value: T,
}

pub struct RegionDef {
    pub region: Region,
    pub codes: Vec<(Prefix, Place)>,
    pub default: Option<Ref>,
}

pub struct ConfigDef {
    pub config: ServerConfig,
    pub id: Option<Place>,
    pub formerly: Option<Ref>,
    pub region: Option<Ref>,
    /// Not in the environment that is read.
    pub elsewhere: bool,
}

#[derive(Default)]
pub struct EnvironmentDef {
    pub database: Option<String>,
    pub schema: Option<String>,
    pub secret_format: Option<SecretFormat>,
    pub guards: GuardDefs,
}

/// A wave, as written.
pub struct RolloutDef {
    pub from: Ref,
    pub to: Ref,
    pub who: Who,
    pub place: Place,
}

/// Whom a wave moves.
pub enum Who {
    Percent(f64),
    Tenants(Vec<Ref>),
    Region(Ref),
}

/// A routing test, as written.
pub struct ExpectDef {
    pub from: E164,
    pub tenant: Ref,
    pub to: Option<String>,
    pub config: Option<Ref>,
    pub worker: Option<String>,
    pub trunk: Option<String>,
    pub region: Option<Ref>,
    pub place: Place,
}

/// Names that a file uses, each once, at its first place.
#[derive(Default)]
pub struct Used {
    pub tenants: Names,
    pub configs: Names,
    pub regions: Names,
    pub environments: Names,
    /// Of `allowed_outbound`.
    pub outbound: Names,
    /// The `default_config` of regions.
    pub defaults: Vec<Ref>,
}

#[derive(Default)]
pub struct Names {
    pub list: Vec<Ref>,
    index: HashMap<String, u32>,
}

impl Names {
    /// The number of a name.
    pub fn number(&mut self, name: &At<Text<'_>>, lines: Lines<'_>) -> u32 {
        if let Some(found) = self.index.get(&*name.value.0) {
            return *found;
        }
        let number = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.index.insert(name.value.to_string(), number);
        self.list.push(reference(name, lines));
        number
    }
}

/// What bindings declare beside number and tenant; names by their number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Spec {
    pub config: Option<u32>,
    pub region: Option<u32>,
    pub fields: Fields,
    pub adopt: Vec<Field>,
}

/// One number of one tenant; tenant and spec by number.
#[derive(Debug, Clone, Copy)]
pub struct Local {
    pub number: E164,
    pub tenant: u32,
    pub spec: u32,
    pub line: u32,
}

pub fn reference(name: &At<Text<'_>>, lines: Lines<'_>) -> Ref {
    Ref {
        name: name.value.to_string(),
        place: lines.place(name.span.clone()),
    }
}

/// Reads one file; `number` is its index, for [`crate::routing::Origin`].
pub fn read(lines: Lines<'_>, number: u32, environment: Option<&str>) -> Piece {
    bulk::read(lines, number, environment)
        .unwrap_or_else(|| read_plainly(lines, number, environment))
}

pub(super) fn read_plainly(lines: Lines<'_>, number: u32, environment: Option<&str>) -> Piece {
    let mut reader = Reader::new(lines, number, environment);
    reader.file(shape::read(lines, lines.text()));
    reader.finish()
}

/// Reads the tables of one file.
pub(super) struct Reader<'a> {
    pub lines: Lines<'a>,
    pub number: u32,
    pub environment: Option<&'a str>,
    pub findings: Findings,
    pub piece: Piece,
    pub spec_index: HashMap<Spec, u32>,
}

impl<'a> Reader<'a> {
    pub fn new(lines: Lines<'a>, number: u32, environment: Option<&'a str>) -> Reader<'a> {
        Reader {
            lines,
            number,
            environment,
            findings: Findings::default(),
            piece: Piece::default(),
            spec_index: HashMap::new(),
        }
    }

    pub fn finish(mut self) -> Piece {
        let place = Place::file(self.lines.path());
        self.piece.findings = self.findings.finish(Some(place));
        self.piece
    }
}

impl Reader<'_> {
    pub fn file(&mut self, shape: Shape<'_>) {
        self.findings.extend(shape.findings);
        self.piece.unusable = shape.unusable;
        self.piece.incomplete = shape.incomplete;
        let file = &shape.file;
        self.piece.owner = self.text("owner", &file.owner, 255).map(|owner| Ref {
            place: self.place(&owner),
            name: owner.value,
        });
        let format = file.secrets.as_ref().and_then(|secrets| {
            let format = secrets.value.format.as_ref()?;
            Some((self.format(format)?, self.place(format)))
        });
        self.piece.secret_format = format;
        for (name, id) in &file.tenants.0 {
            let def = self.define("tenant", name, |reader| reader.uuid(id));
            self.piece.tenants.push(def);
        }
        for (name, region) in &file.regions.0 {
            let def = self.define("region", name, |reader| reader.region(name, &region.value));
            self.piece.regions.push(def);
        }
        for (name, config) in &file.configs.0 {
            let def = self.define("config", name, |reader| reader.config(name, &config.value));
            self.piece.configs.push(def);
        }
        for (name, environment) in &file.environments.0 {
            let read = |reader: &mut Self| reader.environment(name, &environment.value);
            let def = self.define("environment", name, read);
            self.piece.environments.push(def);
        }
        if let Some(guards) = &file.guards {
            self.piece.guards = self.guards(&guards.value);
        }
        for binding in &file.bindings {
            self.binding(binding);
        }
        for rollout in &file.rollouts {
            self.rollout(rollout);
        }
        for expect in &file.expect {
            self.expect(expect);
        }
    }

    pub fn place<T>(&self, at: &At<T>) -> Place {
        self.lines.place(at.span.clone())
    }

    pub fn line<T>(&self, at: &At<T>) -> u32 {
        self.lines.line(at.span.start)
    }

    pub fn error<T>(&mut self, code: &'static str, at: &At<T>, message: impl Into<String>) {
        let place = self.place(at);
        self.findings.add(Finding::error(code, message).at(place));
    }

    pub fn missing<T>(&mut self, what: &str, key: &str, at: &At<T>) {
        self.error("missing-key", at, format!("{what} has no `{key}`"));
    }

    fn define<T>(
        &mut self,
        kind: &str,
        name: &At<Text<'_>>,
        read: impl FnOnce(&mut Self) -> T,
    ) -> Def<T> {
        if let Some(reason) = unfit(&name.value, 255) {
            self.error("bad-value", name, format!("the name of a {kind} {reason}"));
        }
        Def {
            name: name.value.to_string(),
            place: self.place(name),
            value: read(self),
        }
    }

    /// A text that fits a column of `most` characters.
    pub fn text(
        &mut self,
        key: &str,
        text: &Option<At<Text<'_>>>,
        most: usize,
    ) -> Option<At<String>> {
        let text = text.as_ref()?;
        if let Some(reason) = unfit(&text.value, most) {
            self.error("bad-value", text, format!("`{key}` {reason}"));
        }
        Some(At {
            value: text.value.to_string(),
            span: text.span.clone(),
        })
    }

    pub fn uuid(&mut self, text: &At<Text<'_>>) -> Option<Uuid> {
        let id = Uuid::try_parse(&text.value).ok();
        let hyphenated = |id: &Uuid| text.value.eq_ignore_ascii_case(&id.to_string());
        match id {
            Some(id) if hyphenated(&id) => Some(id),
            other => {
                let finding = Finding::error("bad-uuid", "this is no uuid").at(self.place(text));
                self.findings.add(finding.hint(match other {
                    Some(id) => format!("write it as `{id}`"),
                    None => "a uuid is 32 hex digits as 8-4-4-4-12".to_owned(),
                }));
                None
            }
        }
    }

    pub fn format(&mut self, text: &At<Text<'_>>) -> Option<SecretFormat> {
        let all = [SecretFormat::Aes256Gcm, SecretFormat::Fernet];
        let found = all
            .into_iter()
            .find(|format| format.as_str() == &*text.value);
        if found.is_none() {
            let names = all.map(SecretFormat::as_str);
            let finding = Finding::error("bad-value", "no format of secrets");
            let hint = suggest::hint(&text.value, names).unwrap_or_default();
            self.findings.add(finding.at(self.place(text)).hint(hint));
        }
        found
    }

    /// The names of managed fields, sorted, each once.
    pub fn fields(&mut self, names: &Texts<'_>, known: &[Field]) -> Option<Vec<Field>> {
        let names = names.as_ref()?;
        let mut fields = Vec::new();
        for name in &names.value {
            match name.value.parse() {
                Ok(field) if known.contains(&field) => fields.push(field),
                _ => {
                    let message = format!("no field `{}` here", &*name.value);
                    let finding = Finding::error("unknown-field", message).at(self.place(name));
                    let known = known.iter().map(|field| field.as_str());
                    let hint = suggest::hint(&name.value, known).unwrap_or_default();
                    self.findings.add(finding.hint(hint));
                }
            }
        }
        fields.sort_unstable();
        fields.dedup();
        Some(fields)
    }

    fn region(&mut self, name: &At<Text<'_>>, raw: &super::raw::Region<'_>) -> RegionDef {
        let mut codes = Vec::new();
        for code in raw.country_codes.iter().flat_map(|codes| &codes.value) {
            match Prefix::parse(&code.value) {
                Ok(prefix) => codes.push((prefix, self.place(code))),
                Err(error) => {
                    let finding = Finding::error("bad-prefix", format!("no prefix: {error}"));
                    let hint = "a calling code, alone or with the digits of an area: `+91`";
                    self.findings.add(finding.at(self.place(code)).hint(hint));
                }
            }
        }
        let region = Region {
            description: self
                .text("description", &raw.description, 10_000)
                .map(|text| text.value),
            country_codes: codes.iter().map(|(code, _)| *code).collect(),
            default_config: raw
                .default_config
                .as_ref()
                .map(|name| name.value.to_string()),
            origin: self.origin(name),
        };
        let default = raw.default_config.as_ref();
        RegionDef {
            region,
            codes,
            default: default.map(|name| reference(name, self.lines)),
        }
    }

    fn environment(
        &mut self,
        name: &At<Text<'_>>,
        raw: &super::raw::Environment<'_>,
    ) -> EnvironmentDef {
        if raw.database.is_none() {
            self.missing(&format!("environment `{}`", &*name.value), "database", name);
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
            schema: self.text("schema", &raw.schema, 63).map(|text| text.value),
            secret_format: format.and_then(|format| self.format(format)),
            guards: match &raw.guards {
                Some(guards) => self.guards(&guards.value),
                None => GuardDefs::default(),
            },
        }
    }

    /// Whether `only` leaves an object in; without an environment all are in.
    pub fn included(&mut self, only: &Texts<'_>) -> bool {
        let Some(only) = only else { return true };
        if only.value.is_empty() {
            self.error("bad-value", only, "`only` names no environment");
        }
        for name in &only.value {
            self.piece.used.environments.number(name, self.lines);
        }
        let chosen = |environment: &str| only.value.iter().any(|name| &*name.value == environment);
        self.environment.is_none_or(chosen)
    }

    /// Takes note of an override; whether it is for the environment read.
    pub fn overrides(&mut self, name: &At<Text<'_>>, only: &Texts<'_>) -> bool {
        self.piece.used.environments.number(name, self.lines);
        let left_out =
            |only: &At<Vec<At<Text<'_>>>>| only.value.iter().all(|one| one.value != name.value);
        if only.as_ref().is_some_and(left_out) {
            let message = format!("`only` leaves out `{}`", &*name.value);
            self.error("override-nothing", name, message);
        }
        Some(&*name.value.0) == self.environment
    }

    /// A key that an override can't have.
    pub fn not_in_override<T>(&mut self, key: &str, value: Option<&At<T>>) {
        if let Some(value) = value {
            let message = format!("`{key}` can't differ by environment");
            self.error("unknown-key", value, message);
        }
    }

    pub fn origin<T>(&self, at: &At<T>) -> crate::routing::Origin {
        crate::routing::Origin {
            file: self.number,
            line: self.line(at),
        }
    }
}

/// Why a text can't be stored; `None` if it can.
fn unfit(text: &str, most: usize) -> Option<String> {
    if text.trim().is_empty() {
        return Some("is empty".to_owned());
    }
    if text
        .chars()
        .any(|c| c.is_control() && c != '\n' && c != '\t')
    {
        return Some("holds control characters".to_owned());
    }
    let long = text.chars().count() > most;
    long.then(|| format!("is longer than {most} characters"))
}

pub(super) fn is_variable(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && name.chars().all(fits) && !name.starts_with(|c: char| c.is_ascii_digit())
}
