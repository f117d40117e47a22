//! What one file declares, with every problem that can be seen in it alone.
//! Names that it uses are kept with their places; whether they exist is for
//! `merge` to say. Core; imports only core.

use hashbrown::HashMap;
use uuid::Uuid;

use super::raw::{At, Text};
use crate::fields::{Field, Fields};
use crate::finding::{Finding, Place};
use crate::list_index::push_indexed;
use crate::phone::{E164, Prefix};
use crate::routing::guards::{Allowance, Budget, Guards, Policy};
use crate::routing::window::Window;
use crate::routing::{Expect, Region, SecretFormat, ServerConfig};
use crate::source::line_index::Lines;

/// One file, read for one environment.
#[derive(Default)]
pub(crate) struct ParsedFile {
    pub findings: Vec<Finding>,
    /// Names that are defined, by top-level key, in a way that can't be read.
    pub unusable: Vec<(String, String)>,
    /// Whether the file may define more than could be read.
    pub incomplete: bool,
    /// The SHA-256 of the file; zeroes where it could not be read.
    pub hash: [u8; 32],
    pub owner: Option<(String, Place)>,
    pub secret_format: Option<(SecretFormat, Place)>,
    pub secret_env: Option<(Vec<String>, Place)>,
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
pub(crate) struct Ref {
    pub name: String,
    pub place: Place,
}

/// A definition.
pub(crate) struct Def<T> {
    pub name: String,
    pub place: Place,
    pub value: T,
}

pub(crate) struct RegionDef {
    pub region: Region,
    pub codes: Vec<(Prefix, Place)>,
    pub default: Option<Ref>,
}

pub(crate) struct ConfigDef {
    pub config: ServerConfig,
    pub id: Option<Place>,
    pub formerly: Option<Ref>,
    pub region: Option<Ref>,
    pub fallback: Option<Ref>,
    /// Not in the environment that is read.
    pub elsewhere: bool,
}

#[derive(Default)]
pub(crate) struct EnvironmentDef {
    pub database: Option<String>,
    pub schema: Option<String>,
    pub secret_format: Option<SecretFormat>,
    pub secret_env: Option<Vec<String>>,
    pub guards: GuardDefs,
}

/// A wave, as written.
pub(crate) struct RolloutDef {
    pub from: Ref,
    pub to: Ref,
    pub who: Who,
    pub place: Place,
}

/// Whom a wave moves.
pub(crate) enum Who {
    Percent(f64),
    Tenants(Vec<Ref>),
    Region(Ref),
}

/// A routing test, as written.
pub(crate) struct ExpectDef {
    pub tenant: Ref,
    pub config: Option<Ref>,
    pub region: Option<Ref>,
    /// With no tenant yet.
    pub expect: Expect,
}

/// Names that a file uses, each once, at its first place.
#[derive(Default)]
pub(crate) struct Used {
    pub tenants: NameTable,
    pub configs: NameTable,
    pub regions: NameTable,
    pub environments: NameTable,
    /// Of `allowed_outbound`.
    pub outbound: NameTable,
}

#[derive(Default)]
pub(crate) struct NameTable {
    pub list: Vec<Ref>,
    index: HashMap<String, u32>,
}

impl NameTable {
    /// The number of a name.
    pub(crate) fn number(&mut self, name: &At<Text<'_>>, lines: Lines<'_>) -> u32 {
        if let Some(found) = self.index.get(&*name.value.0) {
            return *found;
        }
        let number = push_indexed(&mut self.list, name_reference(name, lines));
        self.index.insert(name.value.to_string(), number);
        number
    }
}

/// What bindings declare beside number and tenant; names by their number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Spec {
    pub config: Option<u32>,
    pub region: Option<u32>,
    pub fields: Fields,
    pub adopt: Vec<Field>,
}

/// Numbers of one tenant, each the next of the one before, so that a range
/// takes no more room than a number; tenant and spec by number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Local {
    pub first: E164,
    pub count: u32,
    pub tenant: u32,
    pub spec: u32,
    pub line: u32,
}

impl Local {
    pub(crate) fn numbers(&self) -> impl Iterator<Item = E164> {
        self.first.run_of(self.count)
    }
}

pub(crate) fn name_reference(name: &At<Text<'_>>, lines: Lines<'_>) -> Ref {
    Ref {
        name: name.value.to_string(),
        place: lines.place_of(name.span.clone()),
    }
}

/// The guards of one file or environment; what is given, with its place.
#[derive(Default)]
pub(crate) struct GuardDefs {
    pub deletes: Option<(Budget, Place)>,
    pub updates: Option<(Budget, Place)>,
    pub reroutes: Option<(Budget, Place)>,
    pub protected: Vec<String>,
    pub policy: Option<(Policy, Place)>,
    pub window: Option<(Window, Place)>,
    pub allow: Vec<Allowance>,
    /// Regions that `policy.hosts` names.
    pub regions: Vec<Ref>,
}

/// Something that stands twice: what, where, and where it stood first.
pub(crate) type Twice = (&'static str, Place, Place);

impl GuardDefs {
    /// Takes in the guards of another file; returns what both give.
    pub(crate) fn join_with(&mut self, other: GuardDefs) -> Vec<Twice> {
        let mut twice = Vec::new();
        for (first, second, what) in [
            (&mut self.deletes, other.deletes, "guards.deletes"),
            (&mut self.updates, other.updates, "guards.updates"),
            (&mut self.reroutes, other.reroutes, "guards.reroutes"),
        ] {
            keep_first(first, second, what, &mut twice);
        }
        keep_first(&mut self.policy, other.policy, "guards.policy", &mut twice);
        keep_first(&mut self.window, other.window, "guards.window", &mut twice);
        self.protected.extend(other.protected);
        self.allow.extend(other.allow);
        self.regions.extend(other.regions);
        twice
    }

    /// What holds in the end, and the regions that it names.
    pub(crate) fn into_guards(self) -> (Guards, Vec<Ref>) {
        fn value<T: Default>(given: Option<(T, Place)>) -> T {
            given.map(|(value, _)| value).unwrap_or_default()
        }
        let guards = Guards {
            deletes: value(self.deletes),
            updates: value(self.updates),
            reroutes: value(self.reroutes),
            protected: self.protected,
            policy: value(self.policy),
            secret_env: None,
            window: self.window.map(|(window, _)| window),
            allow: self.allow,
        };
        (guards, self.regions)
    }
}

/// Keeps what is given first, and takes note of the second.
pub(crate) fn keep_first<T>(
    first: &mut Option<(T, Place)>,
    second: Option<(T, Place)>,
    what: &'static str,
    twice: &mut Vec<Twice>,
) {
    let Some((value, place)) = second else { return };
    match first {
        Some((_, before)) => twice.push((what, place, before.clone())),
        None => *first = Some((value, place)),
    }
}

/// Takes the definitions of one kind out of all files, in order.
pub(crate) fn drain_all<'f, T: 'f>(
    parsed_files: &'f mut [ParsedFile],
    definitions: fn(&mut ParsedFile) -> &mut Vec<T>,
) -> impl Iterator<Item = T> {
    let files = parsed_files.iter_mut();
    files.flat_map(move |parsed| definitions(parsed).drain(..))
}
