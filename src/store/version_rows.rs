//! Dictionaries of paths, tenants and sets of fields, which lkroute's tables
//! name by integer ids, and the rows of versions, which use these ids. Imports
//! core.

use hashbrown::HashMap;
use serde_json::{Value, json};
use uuid::Uuid;

use super::row_ext::RowExt;
use super::write_request::WriteRequest;
use super::write_set::WriteSet;
use crate::diff::plan::{Change, Object};
use crate::error::Error;
use crate::fields::{Field, Fields, FieldsIx};
use crate::routing::CipherText;

/// What there was of the configs that change.
#[derive(Debug, Default)]
pub(super) struct ConfigsBefore {
    /// Of each version that ends.
    pub versions: HashMap<Uuid, VersionRow>,
    /// The secret of each row.
    pub secrets: HashMap<Uuid, CipherText>,
}

/// What a version of a config says of its secret.
#[derive(Debug)]
pub(super) struct VersionRow {
    pub source: String,
    pub fingerprint: Option<String>,
    pub sealed: Option<String>,
}

impl VersionRow {
    /// Columns: id, secret_source, fingerprint, sealed.
    pub(super) fn of(row: &impl RowExt) -> Result<(Uuid, VersionRow), sqlx::Error> {
        let version = VersionRow {
            source: row.some_text(1)?.to_owned(),
            fingerprint: row.text(2)?.map(str::to_owned),
            sealed: row.text(3)?.map(str::to_owned),
        };
        Ok((row.some_uuid(0)?, version))
    }
}

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
    /// The settings that the row held, of the fields that change.
    pub found: Option<i32>,
}

/// What is kept of a config's secret, and of the row before.
struct SecretColumns {
    source: String,
    fingerprint: Option<String>,
    /// The stored text afterwards, unless it is plain.
    sealed: Option<String>,
    /// As JSON.
    found: Option<String>,
    found_sealed: Option<String>,
}

/// What is in use already, and what is new.
#[derive(Debug, Default)]
pub(super) struct IdDictionaries {
    files: IdDictionary<String>,
    settings: IdDictionary<Fields>,
    tenants: IdDictionary<Uuid>,
    aliases: HashMap<Uuid, String>,
}

/// Values by number, with those that the tables don't have yet.
#[derive(Debug)]
struct IdDictionary<T> {
    known: HashMap<T, i32>,
    next: i32,
    new: Vec<(i32, T)>,
}

impl<T> Default for IdDictionary<T> {
    fn default() -> IdDictionary<T> {
        IdDictionary {
            known: HashMap::new(),
            next: 0,
            new: Vec::new(),
        }
    }
}

impl<T: std::hash::Hash + Eq + Clone> IdDictionary<T> {
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
pub(super) struct DictionaryRows {
    pub files: Vec<(i32, String)>,
    /// The JSON form of the fields.
    pub settings: Vec<(i32, String)>,
    pub tenants: Vec<(i32, Uuid)>,
    /// Tenants whose alias is new or another one.
    pub aliases: Vec<(Uuid, Option<String>)>,
    pub bindings: Vec<BindingRow>,
}

impl IdDictionaries {
    pub(super) fn known_file(&mut self, id: i64, path: &str) {
        self.files.known(id, path.to_owned());
    }

    pub(super) fn known_settings(&mut self, id: i64, fields: Fields) {
        self.settings.known(id, fields);
    }

    pub(super) fn known_tenant(&mut self, id: i64, tenant: Uuid, alias: Option<&str>) {
        self.tenants.known(id, tenant);
        self.aliases
            .extend(alias.map(|alias| (tenant, alias.to_owned())));
    }

    /// The file and line of an object, not of the field that changes in it.
    pub(super) fn source(
        &mut self,
        write_set: &WriteSet<'_>,
        change: &Change,
    ) -> Option<(i32, i32)> {
        let origin = change.origin?;
        let path = write_set.plan.files.get(origin.file as usize)?;
        let file = self.files.id(path);
        Some((file, i32::try_from(origin.line).ok()?))
    }

    /// Numbers for all that the bindings of a plan use, and their rows.
    pub(super) fn into_rows(mut self, write_set: &WriteSet<'_>) -> DictionaryRows {
        let plan = write_set.plan;
        let mut settings: HashMap<FieldsIx, i32> = HashMap::new();
        let mut files: HashMap<u32, i32> = HashMap::new();
        let mut tenants: Vec<Option<i32>> = vec![None; plan.tenants.len()];
        let mut found: HashMap<(u32, bool), Option<i32>> = HashMap::new();
        let mut bindings = Vec::with_capacity(write_set.bindings.len());
        for change in &write_set.bindings {
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
                found: *found
                    .entry((change.patch, change.insert))
                    .or_insert_with(|| Some(self.settings.id(&write_set.found(change)?))),
            });
        }
        let ended = plan.aliases.iter().filter(|change| change.after.is_none());
        let mut aliases: Vec<_> = ended.map(|change| (change.tenant, None)).collect();
        for tenant in &plan.tenants {
            let alias = tenant.alias.as_ref();
            if let Some(alias) = alias.filter(|alias| self.aliases.get(&tenant.id) != Some(alias)) {
                self.tenants.id(&tenant.id);
                if !aliases.contains(&(tenant.id, None)) {
                    aliases.push((tenant.id, Some(alias.clone())));
                }
            }
        }
        let json = |(id, fields): (i32, Fields)| (id, fields.to_json().to_string());
        DictionaryRows {
            files: self.files.new,
            settings: self.settings.new.into_iter().map(json).collect(),
            tenants: self.tenants.new,
            aliases,
            bindings,
        }
    }
}

/// The versions that end: of regions by name, of configs and bindings by row.
pub(super) fn ended_regions<'a>(write_set: &WriteSet<'a>) -> Vec<&'a str> {
    let names = write_set.regions.iter().filter(|change| !change.insert);
    names
        .filter_map(|change| region_name(write_set, change))
        .collect()
}

pub(super) fn ended_rows(changes: &[&Change]) -> Vec<Uuid> {
    changes
        .iter()
        .filter_map(|change| change.previous)
        .collect()
}

fn region_name<'a>(write_set: &WriteSet<'a>, change: &Change) -> Option<&'a str> {
    match change.object {
        Object::Region(ix) => Some(&write_set.plan.names[ix as usize]),
        Object::Config(_) | Object::Binding { .. } => None,
    }
}

/// Rows of `lkroute_regions` as JSON: name, fields, file, line.
pub(super) fn region_rows(
    write_set: &WriteSet<'_>,
    dictionaries: &mut IdDictionaries,
) -> Vec<Value> {
    let mut rows = Vec::new();
    for change in &write_set.regions {
        let (Some(owned), Some(name)) = (change.owned, region_name(write_set, change)) else {
            continue;
        };
        let fields = write_set.plan.pool.get(owned).to_json().to_string();
        let (file, line) = dictionaries.source(write_set, change).unzip();
        rows.push(json!([name, fields, file, line]));
    }
    rows
}

/// Rows of `lkroute_configs` as JSON: id, fields, secret_source, fingerprint,
/// sealed, file, line, inserted, found, found_sealed.
pub(super) fn config_rows(
    write_set: &WriteSet<'_>,
    dictionaries: &mut IdDictionaries,
    request: &WriteRequest,
    before: &ConfigsBefore,
) -> Vec<Value> {
    let mut rows = Vec::new();
    for change in &write_set.configs {
        let (Some(fields), Some(id)) = (write_set.config_owned(change), change.row) else {
            continue;
        };
        let fields = fields.to_json().to_string();
        let (file, line) = dictionaries.source(write_set, change).unzip();
        let secret = secret_columns(write_set, request, before, change, id);
        rows.push(json!([
            id,
            fields,
            secret.source,
            secret.fingerprint,
            secret.sealed,
            file,
            line,
            change.inserted,
            secret.found,
            secret.found_sealed,
        ]));
    }
    rows
}

fn secret_columns(
    write_set: &WriteSet<'_>,
    request: &WriteRequest,
    before: &ConfigsBefore,
    change: &Change,
    id: Uuid,
) -> SecretColumns {
    let declared = write_set.plan.config_sources.get(&id);
    let former = change
        .previous
        .and_then(|previous| before.versions.get(&previous));
    let prepared = request.secrets.get(&id);
    let restored = prepared.and_then(|prepared| prepared.source.clone());
    let source = match (declared, former) {
        _ if restored.is_some() => restored.unwrap_or_default(),
        (Some(declared), _) => declared.describe(),
        (None, former) => former.map_or(String::new(), |former| former.source.clone()),
    };
    let written = write_set.secret(id);
    // A fingerprint stays true as long as source and secret do.
    let kept = former
        .filter(|former| former.source == source && written.is_none())
        .and_then(|former| former.fingerprint.clone());
    let prepared = prepared.and_then(|prepared| prepared.fingerprint.clone());
    let held = before.secrets.get(&id);
    let found = write_set.found(change);
    // Drift that is left alone is in the row, and not ours.
    let untouched = !write_set.touches_secret(change);
    let stored = match (written, former) {
        (Some(written), _) => sealed(written),
        (None, Some(former)) if untouched => former.sealed.clone(),
        (None, _) => held.and_then(sealed),
    };
    SecretColumns {
        source,
        fingerprint: prepared.or(kept),
        sealed: stored,
        found_sealed: found
            .as_ref()
            .filter(|found| found.contains(Field::ApiSecret))
            .and(held)
            .and_then(sealed),
        found: found.map(|found| found.to_json().to_string()),
    }
}

/// A stored text, unless it is a plain one.
fn sealed(text: &CipherText) -> Option<String> {
    let sealed = text.digest().starts_with("sha256:");
    sealed.then(|| text.as_stored().to_owned())
}

/// Under the lock row, what a plan read of lkroute's own tables can't change
/// but by other hands.
pub(super) fn tampered(rows: u64, expected: usize) -> Error {
    super::error_map::stale_plan(format!(
        "lkroute's own tables are not as they were left: {rows} current versions, not {expected}"
    ))
}
