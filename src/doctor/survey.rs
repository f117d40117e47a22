//! All numbers seen once: where each of them goes, and which of them go wrong.
//! Core.
//!
//! It is fed the same rows as a plan's comparison, resolves each distinct set
//! of fields once, and keeps eight bytes for each number that has a config.

use std::collections::BTreeMap;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use serde::Serialize;
use uuid::Uuid;

use crate::diff::row_reader::RowReader;
use crate::fields::{Field, FieldsIx, FieldsPool};
use crate::impact::effective_route::{EffectiveRoute, RouteSource};
use crate::phone::{E164, RowKey};
use crate::resolve::{Aliases, Configs, Regions, broken_rules};
use crate::routing::Routing;
use crate::snapshot::NumberRow;

/// How many are named, rather than counted.
const NAMED: usize = 5;

/// Some things, the first of them by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Examples {
    pub count: u64,
    pub first: Vec<String>,
}

impl Examples {
    pub fn of(names: impl Iterator<Item = String>) -> Examples {
        let mut examples = Examples::default();
        names.for_each(|name| examples.add(|| name));
        examples
    }

    fn add(&mut self, name: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(name());
        }
    }

    /// `a, b and 3 more`.
    pub fn shown(&self) -> String {
        let named = self.first.join(", ");
        match self.count - self.first.len() as u64 {
            0 => named,
            more => format!("{named} and {more} more"),
        }
    }
}

/// What the numbers are like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbers {
    pub active: u64,
    pub inactive: u64,
    /// Active numbers by the name of the config they go to.
    pub bound: BTreeMap<String, Vec<E164>>,
    /// Rows whose number can't be read.
    pub unreadable: Examples,
    /// Rows whose `rules` is no object.
    pub odd_rules: Examples,
    /// Numbers that several active rows of one tenant hold.
    pub duplicates: Examples,
    /// Numbers without a config.
    pub environment: Examples,
    /// Numbers whose look-up fails, by the resolver's code and message.
    pub failing: BTreeMap<(String, String), Examples>,
    /// Numbers with a rule that refuses every call because it can't be followed, by
    /// the resolver's code and message.
    pub broken_rules: BTreeMap<(String, String), Examples>,
}

/// What a set of fields comes to.
struct SurveyedFields {
    route: EffectiveRoute,
    broken_rules: Vec<(String, String)>,
}

/// Takes in rows, gives [`Numbers`].
pub struct Survey<'a> {
    configs: &'a Configs,
    regions: Regions,
    aliases: &'a Aliases,
    pool: FieldsPool,
    reader: RowReader,
    routes: HashMap<FieldsIx, SurveyedFields, RandomState>,
    /// Whether a second active row of the same tenant and key was seen.
    seen: HashMap<(Uuid, RowKey), bool, RandomState>,
    numbers: Numbers,
}

impl<'a> Survey<'a> {
    pub fn new(configs: &'a Configs, regions: Regions, aliases: &'a Aliases) -> Survey<'a> {
        Survey {
            configs,
            regions,
            aliases,
            pool: FieldsPool::default(),
            reader: RowReader::default(),
            routes: HashMap::default(),
            seen: HashMap::default(),
            numbers: Numbers::default(),
        }
    }

    /// Takes in one number row.
    pub fn row(&mut self, row: &NumberRow<'_>) {
        if row.status.is_some_and(|status| status != "active") {
            self.numbers.inactive += 1;
            return;
        }
        self.numbers.active += 1;
        let number = match row.number() {
            Ok(number) => number,
            Err(reason) => {
                let name = || format!("row {} ({reason})", row.id);
                return self.numbers.unreadable.add(name);
            }
        };
        self.repeated(row.tenant, number);
        match self.reader.read(row, &mut self.pool) {
            Ok(fields) => self.number(row.tenant, number, fields),
            Err(_) => {
                let name = named(self.aliases, row.tenant, number);
                self.numbers
                    .odd_rules
                    .add(|| format!("{name} (row {})", row.id));
            }
        }
    }

    fn repeated(&mut self, tenant: Uuid, number: E164) {
        let known = match self.seen.get_mut(&(tenant, number.row_key())) {
            None => {
                self.seen.insert((tenant, number.row_key()), false);
                return;
            }
            Some(known) => std::mem::replace(known, true),
        };
        if !known {
            let name = named(self.aliases, tenant, number);
            self.numbers.duplicates.add(|| name);
        }
    }

    fn number(&mut self, tenant: Uuid, number: E164, fields: FieldsIx) {
        let (configs, regions, pool) = (self.configs, &self.regions, &self.pool);
        let seen = self.routes.entry(fields).or_insert_with(|| {
            let fields = pool.get(fields);
            let broken = broken_rules(fields, regions).into_iter();
            SurveyedFields {
                route: EffectiveRoute::new(configs, regions, fields),
                broken_rules: broken.map(|e| (e.code.to_owned(), e.message)).collect(),
            }
        });
        let name = || named(self.aliases, tenant, number);
        for broken in &seen.broken_rules {
            let broken_rules = &mut self.numbers.broken_rules;
            broken_rules.entry(broken.clone()).or_default().add(name);
        }
        let route = &seen.route;
        match (route.source, &route.config, &route.error) {
            (RouteSource::Database, Some(config), _) => match self.numbers.bound.get_mut(config) {
                Some(bound) => bound.push(number),
                None => {
                    self.numbers.bound.insert(config.clone(), vec![number]);
                }
            },
            (_, _, Some(error)) => {
                let failing = &mut self.numbers.failing;
                failing.entry(error.clone()).or_default().add(name);
            }
            _ => self.numbers.environment.add(name),
        }
    }

    pub fn finish(self) -> Numbers {
        self.numbers
    }

    /// The numbers that files declare.
    pub fn of_files(routing: &Routing, configs: &Configs, aliases: &Aliases) -> Numbers {
        let mut survey = Survey::new(configs, Regions::of_files(routing), aliases);
        let settings: Vec<FieldsIx> = routing
            .settings
            .iter()
            .map(|settings| {
                let id = routing.configs.get(&settings.config).and_then(|c| c.id);
                let key = id.map_or_else(|| settings.config.clone(), |id| id.to_string());
                let fields = settings.fields.clone().with(Field::Config, key);
                survey.pool.intern(fields)
            })
            .collect();
        for binding in &routing.bindings {
            let fields = settings[binding.settings as usize];
            survey.numbers.active += 1;
            survey.number(routing.tenant(binding).id, binding.number, fields);
        }
        survey.finish()
    }
}

fn named(aliases: &Aliases, tenant: Uuid, number: E164) -> String {
    match aliases.get(&tenant) {
        Some(alias) => format!("{number} of {alias}"),
        None => format!("{number} of {tenant}"),
    }
}
