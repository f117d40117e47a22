//! Moving an existing database into files: what the rows hold, as tidy TOML
//! texts, and a list of what was left behind and why.
//!
//! [`Importer`] is fed the rows as the store reads them and makes an
//! [`Import`] of them; nothing here reads or writes anything. The texts are
//! canonical, load without errors, and a plan of them shows nothing but
//! adoptions. Core: imports core, and the text form of sealed values.
//!
//! A row costs one look-up and 40 bytes until the end, whoever it belongs to:
//! only all rows of a tenant tell whether a number is there twice.

mod configs;
mod emit;
mod files;
mod model;
mod regions;
mod report;
mod settings_reader;
mod tenants;

use std::collections::{BTreeMap, BTreeSet};

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use uuid::Uuid;

use crate::diff::row_reader::RowReader;
use crate::fields::{Field, FieldsIx, FieldsPool};
use crate::list_index::{index_of, push_indexed};
use crate::phone::{self, RowKey, Unreadable};
use crate::snapshot::{NumberRow, Snapshot};

use model::{Bound, ImportedConfig};
use regions::GuessedRegions;
pub(crate) use report::{Import, ImportFile, Others, Reason};
use settings_reader::SettingsReader;

/// Which part of a database to import; an empty set means everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct ImportFilter {
    pub tenants: BTreeSet<Uuid>,
    /// By name.
    pub configs: BTreeSet<String>,
}

/// Where the `livekit_config` of a row leads.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Holds {
    /// Nowhere, or to a config that was not asked for.
    Nothing { other: bool },
    /// Index into [`Importer::configs`].
    Config(u32),
    /// To a row that is not there, by the text in `rules`.
    Dangling(String),
    /// It is no id as lkroute writes one; the JSON text.
    Odd(String),
}

/// An active row with a readable number, until the end.
#[derive(Debug, Clone, Copy)]
struct ImportedRow {
    tenant: u32,
    /// `None` where `rules` is no object.
    fields: Option<FieldsIx>,
    key: RowKey,
    id: Uuid,
}

/// Collects rows and makes the files of them.
pub(crate) struct Importer {
    filter: ImportFilter,
    configs: Vec<ImportedConfig>,
    config_ix: HashMap<Uuid, u32, RandomState>,
    aliases: BTreeMap<Uuid, String>,
    pool: FieldsPool,
    reader: RowReader,
    /// For each set of the pool.
    holds: Vec<Holds>,
    tenants: Vec<Uuid>,
    tenant_ix: HashMap<Uuid, u32, RandomState>,
    rows: Vec<ImportedRow>,
    others: Others,
    not_imported: BTreeMap<Reason, Vec<Uuid>>,
}

impl Importer {
    /// Takes the configs, and the tenants that have a name already, from a
    /// snapshot.
    pub(crate) fn new(filter: ImportFilter, snapshot: &Snapshot) -> Importer {
        let owned = |id: Uuid| {
            let mut owned = snapshot.owned_configs.iter();
            owned
                .find(|owned| owned.id == id)
                .map(|owned| &owned.fields)
        };
        let configs = snapshot.configs.iter();
        let configs: Vec<ImportedConfig> = configs
            .map(|row| configs::read_config(row, owned(row.id)))
            .collect();
        let config_ix = (0u32..).zip(&configs).map(|(ix, config)| (config.id, ix));
        Importer {
            config_ix: config_ix.collect(),
            configs,
            aliases: snapshot.tenants.iter().cloned().collect(),
            filter,
            pool: FieldsPool::default(),
            reader: RowReader::default(),
            holds: Vec::new(),
            tenants: Vec::new(),
            tenant_ix: HashMap::default(),
            rows: Vec::new(),
            others: Others::default(),
            not_imported: BTreeMap::new(),
        }
    }

    /// Takes in a number row.
    pub(crate) fn add_row(&mut self, row: &NumberRow<'_>) {
        if !self.filter.tenants.is_empty() && !self.filter.tenants.contains(&row.tenant) {
            self.others.not_asked_for += 1;
            return;
        }
        let tenant = self.tenant_index(row.tenant);
        let number = phone::from_row(row.country_code, row.base_number);
        let fields = self.reader.read(row, &mut self.pool).ok();
        let holds = fields.map(|fields| self.holds(fields));
        if let (Ok(number), Some(Holds::Config(ix))) = (&number, holds) {
            let config = *ix as usize;
            self.configs[config].count_number(number.calling_code());
        }
        let active = row.status.is_none_or(|status| status == "active");
        match number {
            Ok(number) if active => self.rows.push(ImportedRow {
                tenant,
                fields,
                key: number.row_key(),
                id: row.id,
            }),
            number => self.pass_over(row, fields, number.err()),
        }
    }

    /// Lists a row that can't be imported, if it would be otherwise.
    fn pass_over(
        &mut self,
        row: &NumberRow<'_>,
        fields: Option<FieldsIx>,
        unreadable: Option<Unreadable>,
    ) {
        if let Some(Holds::Nothing { other }) = fields.map(|fields| self.holds(fields)) {
            let other = *other;
            return self.others.count_row(other);
        }
        let reason = match (unreadable, fields) {
            (Some(reason), _) => Reason::Unreadable(reason.to_string()),
            (None, Some(_)) => Reason::Inactive(row.status.unwrap_or_default().to_owned()),
            (None, None) => return self.others.count_row(false),
        };
        self.not_imported.entry(reason).or_default().push(row.id);
    }

    fn tenant_index(&mut self, id: Uuid) -> u32 {
        *self
            .tenant_ix
            .entry(id)
            .or_insert_with(|| push_indexed(&mut self.tenants, id))
    }

    /// Where a set of fields leads, found out when it is new.
    fn holds(&mut self, fields: FieldsIx) -> &Holds {
        while self.holds.len() <= fields.0 as usize {
            let next = FieldsIx(index_of(self.holds.len()));
            let holds = self.read_config(next);
            self.holds.push(holds);
        }
        &self.holds[fields.0 as usize]
    }

    fn read_config(&self, fields: FieldsIx) -> Holds {
        let value = match self.pool.get(fields).get(Field::Config) {
            None | Some(serde_json::Value::Null) => return Holds::Nothing { other: false },
            Some(value) => value,
        };
        let text = value.as_str();
        let Some(id) = text.and_then(|text| Uuid::parse_str(text).ok()) else {
            return Holds::Odd(report::shown_value(value));
        };
        match self.config_ix.get(&id) {
            None => Holds::Dangling(id.to_string()),
            Some(ix) if !self.asked_for(*ix) => Holds::Nothing { other: true },
            // Compared as text, here and in a plan.
            Some(_) if text != Some(id.to_string().as_str()) => {
                Holds::Odd(report::shown_value(value))
            }
            Some(ix) => Holds::Config(*ix),
        }
    }

    fn asked_for(&self, config: u32) -> bool {
        let name = &self.configs[config as usize].name;
        self.filter.configs.is_empty() || self.filter.configs.contains(name)
    }

    /// What was asked for and is not there: names of configs, then tenants.
    /// Complete once all rows were taken in.
    pub(crate) fn not_found(&self) -> (Vec<&str>, Vec<Uuid>) {
        let there = |name: &String| self.configs.iter().any(|config| config.name == *name);
        let configs = self.filter.configs.iter().filter(|name| !there(name));
        let tenants = self.filter.tenants.iter().copied();
        (
            configs.map(String::as_str).collect(),
            tenants
                .filter(|id| !self.tenant_ix.contains_key(id))
                .collect(),
        )
    }

    /// All that the database holds.
    pub(crate) fn config_names(&self) -> impl Iterator<Item = &str> {
        self.configs.iter().map(|config| config.name.as_str())
    }

    /// Makes the files. `origin` ends the sentence "Imported by lkroute from …"
    /// at the head of each.
    pub(crate) fn into_import(mut self, origin: &str) -> Import {
        self.keep_importable();
        let wanted = self.wanted_configs();
        let mut regions = regions::guess_regions(&self.configs, &wanted);
        let mut reader = SettingsReader::default();
        let mut bound = self.bind_rows(&mut reader, &mut regions);
        bound.sort_unstable();
        let mut import = files::write_import(&files::Content {
            origin,
            configs: &self.configs,
            wanted: &wanted,
            regions: &regions,
            settings: &reader.settings,
            tenants: &self.tenants,
            known: &self.aliases,
            bound: &bound,
        });
        import.not_imported = self.not_imported;
        import
            .not_imported
            .values_mut()
            .for_each(|rows| rows.sort_unstable());
        let named = &self.filter.configs;
        let refused = &mut import.configs_not_imported;
        refused.retain(|config, _| named.is_empty() || named.contains(config));
        import.left_out = reader.left_out();
        import.others = self.others;
        import
    }

    /// Leaves only the rows to import, each alone with its key.
    fn keep_importable(&mut self) {
        let mut rows = std::mem::take(&mut self.rows);
        rows.sort_unstable_by_key(|row| (row.tenant, row.key));
        let mut keep = Vec::with_capacity(rows.len());
        for same in rows.chunk_by(|a, b| (a.tenant, a.key) == (b.tenant, b.key)) {
            match same {
                [row] => keep.push(self.is_importable(row)),
                _ => {
                    self.drop_duplicates(same);
                    keep.extend(same.iter().map(|_| false));
                }
            }
        }
        let mut keep = keep.into_iter();
        rows.retain(|_| keep.next() == Some(true));
        self.rows = rows;
    }

    /// The settings of each row to import.
    fn bind_rows(
        &mut self,
        reader: &mut SettingsReader,
        regions: &mut GuessedRegions,
    ) -> Vec<Bound> {
        let rows = std::mem::take(&mut self.rows);
        let bound = rows.iter().filter_map(|row| {
            let ix = row.fields?;
            let Holds::Config(config) = self.holds[ix.0 as usize] else {
                return None;
            };
            let fields = (ix, self.pool.get(ix));
            Some(Bound {
                settings: reader.settings(row.id, config, fields, regions),
                tenant: row.tenant,
                key: row.key,
            })
        });
        bound.collect()
    }

    fn is_importable(&mut self, row: &ImportedRow) -> bool {
        let reason = match row.fields.map(|fields| &self.holds[fields.0 as usize]) {
            None => Reason::RulesNoObject,
            Some(Holds::Nothing { other }) => {
                self.others.count_row(*other);
                return false;
            }
            Some(Holds::Dangling(id)) => Reason::Dangling(id.clone()),
            Some(Holds::Odd(value)) => Reason::OddConfig(value.clone()),
            Some(Holds::Config(ix)) => {
                let config = &self.configs[*ix as usize];
                match config.refused {
                    None => return true,
                    Some(_) => Reason::ConfigNotImported(config.name.clone()),
                }
            }
        };
        self.not_imported.entry(reason).or_default().push(row.id);
        false
    }

    /// None of several rows of one number is picked.
    fn drop_duplicates(&mut self, rows: &[ImportedRow]) {
        let holds = |row: &ImportedRow| row.fields.map(|fields| &self.holds[fields.0 as usize]);
        let foreign = |row: &ImportedRow| match holds(row) {
            Some(Holds::Nothing { other }) => Some(*other),
            _ => None,
        };
        if rows.iter().all(|row| foreign(row).is_some()) {
            let others: Vec<bool> = rows.iter().filter_map(foreign).collect();
            return others
                .into_iter()
                .for_each(|other| self.others.count_row(other));
        }
        let reason = Reason::Duplicate {
            number: rows[0].key.number(),
            tenant: self.tenants[rows[0].tenant as usize],
        };
        let ids = rows.iter().map(|row| row.id);
        self.not_imported.entry(reason).or_default().extend(ids);
    }

    /// Whether each config is to be written: those asked for, which for some
    /// tenants are those that they use.
    fn wanted_configs(&self) -> Vec<bool> {
        let all = self.filter.tenants.is_empty() || !self.filter.configs.is_empty();
        let mut wanted: Vec<bool> = (0u32..)
            .zip(&self.configs)
            .map(|(ix, config)| all && config.refused.is_none() && self.asked_for(ix))
            .collect();
        for row in &self.rows {
            let holds = row.fields.map(|fields| &self.holds[fields.0 as usize]);
            if let Some(Holds::Config(ix)) = holds {
                wanted[*ix as usize] = true;
            }
        }
        wanted
    }
}

#[cfg(test)]
mod tests;
