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
use crate::resolve::{Aliases, Configs, Regions};
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
}

/// Takes in rows, gives [`Numbers`].
pub struct Survey<'a> {
    configs: &'a Configs,
    aliases: &'a Aliases,
    pool: FieldsPool,
    reader: RowReader,
    routes: HashMap<FieldsIx, EffectiveRoute, RandomState>,
    /// Whether a second active row of the same tenant and key was seen.
    seen: HashMap<(Uuid, RowKey), bool, RandomState>,
    numbers: Numbers,
}

impl<'a> Survey<'a> {
    pub fn new(configs: &'a Configs, aliases: &'a Aliases) -> Survey<'a> {
        Survey {
            configs,
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
        let (configs, pool) = (self.configs, &self.pool);
        let known = self.routes.entry(fields);
        // Only the route is needed here, so no regions are given: they decide terms alone.
        let route = known
            .or_insert_with(|| EffectiveRoute::new(configs, &Regions::default(), pool.get(fields)));
        let name = || named(self.aliases, tenant, number);
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
        let mut survey = Survey::new(configs, aliases);
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
