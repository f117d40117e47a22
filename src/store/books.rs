//! The small numbers under which lkroute's tables keep paths, tenants and
//! sets of fields, and the version rows that use them. Imports core.

use hashbrown::HashMap;
use uuid::Uuid;

use super::work::Work;
use crate::error::Error;
use crate::fields::{Fields, FieldsIx};
use crate::plan::{Change, Object};

/// The secret's source and fingerprint of each config version that ends.
pub(super) type Before = HashMap<Uuid, (String, Option<String>)>;

/// A row of `lkroute_bindings`, but for the apply that it begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BindingRow {
    pub number_id: Uuid,
    pub number: i64,
    pub tenant: i32,
    pub settings: i32,
    /// File and line.
    pub source: Option<(i32, i32)>,
    pub inserted: bool,
}

/// A row of `lkroute_regions` or `lkroute_configs`, its fields as JSON.
#[derive(Debug)]
pub(super) struct ObjectRow<K> {
    pub key: K,
    pub fields: String,
    pub source: Option<(i32, i32)>,
    pub inserted: bool,
    /// Of configs only.
    pub secret_source: String,
    pub fingerprint: Option<String>,
}

/// What is in use already, and what is new.
#[derive(Debug, Default)]
pub(super) struct Books {
    files: Ids<String>,
    settings: Ids<Fields>,
    tenants: Ids<Uuid>,
    aliases: HashMap<Uuid, String>,
}

/// Values by number, with those that the tables don't have yet.
#[derive(Debug)]
struct Ids<T> {
    known: HashMap<T, i32>,
    next: i32,
    new: Vec<(i32, T)>,
}

impl<T> Default for Ids<T> {
    fn default() -> Ids<T> {
        Ids {
            known: HashMap::new(),
            next: 0,
            new: Vec::new(),
        }
    }
}

impl<T: std::hash::Hash + Eq + Clone> Ids<T> {
    fn known(&mut self, id: i64, value: T) {
        let id = i32::try_from(id).unwrap_or(i32::MAX);
        self.known.insert(value, id);
        self.next = self.next.max(id.saturating_add(1));
    }

    fn id(&mut self, value: &T) -> i32 {
        if let Some(id) = self.known.get(value) {
            return *id;
        }
        let id = self.next;
        self.next += 1;
        self.known.insert(value.clone(), id);
        self.new.push((id, value.clone()));
        id
    }
}

/// What the bookkeeping of one apply writes.
#[derive(Debug, Default)]
pub(super) struct Entries {
    pub files: Vec<(i32, String)>,
    /// The JSON form of the fields.
    pub settings: Vec<(i32, String)>,
    pub tenants: Vec<(i32, Uuid)>,
    /// Tenants whose alias is new or another one.
    pub aliases: Vec<(Uuid, String)>,
    pub bindings: Vec<BindingRow>,
}

impl Books {
    pub fn known_file(&mut self, id: i64, path: &str) {
        self.files.known(id, path.to_owned());
    }

    pub fn known_settings(&mut self, id: i64, fields: Fields) {
        self.settings.known(id, fields);
    }

    pub fn known_tenant(&mut self, id: i64, tenant: Uuid, alias: Option<&str>) {
        self.tenants.known(id, tenant);
        self.aliases
            .extend(alias.map(|alias| (tenant, alias.to_owned())));
    }

    /// The file and line of a change.
    pub fn source(&mut self, work: &Work<'_>, change: &Change) -> Option<(i32, i32)> {
        let (path, line) = work.plan.source(change)?;
        let file = self.files.id(&path.to_owned());
        Some((file, i32::try_from(line).ok()?))
    }

    /// Numbers for all that the bindings of a plan use, and their rows.
    pub fn enter(mut self, work: &Work<'_>) -> Entries {
        let plan = work.plan;
        let mut settings: HashMap<FieldsIx, i32> = HashMap::new();
        let mut files: HashMap<u32, i32> = HashMap::new();
        let mut tenants: Vec<Option<i32>> = vec![None; plan.tenants.len()];
        let mut bindings = Vec::with_capacity(work.bindings.len());
        for change in &work.bindings {
            let (Some(owned), Some(row)) = (change.owned, change.row) else {
                continue;
            };
            let Object::Binding { number, tenant } = change.object else {
                continue;
            };
            let settings = *settings
                .entry(owned)
                .or_insert_with(|| self.settings.id(plan.pool.get(owned)));
            let tenant = *tenants[tenant as usize]
                .get_or_insert_with(|| self.tenants.id(&plan.tenants[tenant as usize].id));
            let source = change.origin.and_then(|origin| {
                let path = plan.files.get(origin.file as usize)?;
                let file = files
                    .entry(origin.file)
                    .or_insert_with(|| self.files.id(path));
                Some((*file, i32::try_from(origin.line).ok()?))
            });
            bindings.push(BindingRow {
                number_id: row,
                number: i64::try_from(number.digits()).unwrap_or(i64::MAX),
                tenant,
                settings,
                source,
                inserted: change.inserted,
            });
        }
        let mut aliases = Vec::new();
        for tenant in &plan.tenants {
            let alias = tenant.alias.as_ref();
            if let Some(alias) = alias.filter(|alias| self.aliases.get(&tenant.id) != Some(alias)) {
                self.tenants.id(&tenant.id);
                aliases.push((tenant.id, alias.clone()));
            }
        }
        let json = |(id, fields): (i32, Fields)| (id, fields.to_json().to_string());
        Entries {
            files: self.files.new,
            settings: self.settings.new.into_iter().map(json).collect(),
            tenants: self.tenants.new,
            aliases,
            bindings,
        }
    }
}

/// The versions that end: of regions by name, of configs and bindings by row.
pub(super) fn ended_regions<'a>(work: &Work<'a>) -> Vec<&'a str> {
    let names = work.regions.iter().filter(|change| !change.insert);
    names
        .filter_map(|change| region_name(work, change))
        .collect()
}

pub(super) fn ended_rows(changes: &[&Change]) -> Vec<Uuid> {
    changes
        .iter()
        .filter_map(|change| change.previous)
        .collect()
}

fn region_name<'a>(work: &Work<'a>, change: &Change) -> Option<&'a str> {
    match change.object {
        Object::Region(ix) => Some(&work.plan.names[ix as usize]),
        Object::Config(_) | Object::Binding { .. } => None,
    }
}

pub(super) fn region_rows<'a>(work: &Work<'a>, books: &mut Books) -> Vec<ObjectRow<&'a str>> {
    let mut rows = Vec::new();
    for change in &work.regions {
        let (Some(owned), Some(key)) = (change.owned, region_name(work, change)) else {
            continue;
        };
        rows.push(ObjectRow {
            key,
            fields: work.plan.pool.get(owned).to_json().to_string(),
            source: books.source(work, change),
            inserted: true,
            secret_source: String::new(),
            fingerprint: None,
        });
    }
    rows
}

/// `fingerprint` gives the new one of a config, else that of the version
/// which ends, with the source that this had.
pub(super) fn config_rows(
    work: &Work<'_>,
    books: &mut Books,
    order: &super::order::ApplyOrder,
    before: &Before,
) -> Vec<ObjectRow<Uuid>> {
    let mut rows = Vec::new();
    for change in &work.configs {
        let (Some(fields), Some(key)) = (work.config_owned(change), change.row) else {
            continue;
        };
        let source = work.plan.config_sources.get(&key);
        let former = change.previous.and_then(|id| before.get(&id));
        let secret_source = match (source, former) {
            (Some(source), _) => source.describe(),
            (None, Some((source, _))) => source.clone(),
            (None, None) => String::new(),
        };
        let prepared = order.secrets.get(&key);
        let kept = former
            .filter(|(source, _)| *source == secret_source && !work.writes_secret(key))
            .and_then(|(_, fingerprint)| fingerprint.clone());
        rows.push(ObjectRow {
            key,
            fields: fields.to_json().to_string(),
            source: books.source(work, change),
            inserted: change.inserted,
            secret_source,
            fingerprint: prepared
                .and_then(|prepared| prepared.fingerprint.clone())
                .or(kept),
        });
    }
    rows
}

/// Under the lock row, what a plan read of lkroute's own tables can't change
/// but by other hands.
pub(super) fn tampered(rows: u64, expected: usize) -> Error {
    super::trouble::stale(format!(
        "lkroute's own tables are not as they were left: {rows} current versions, not {expected}"
    ))
}
