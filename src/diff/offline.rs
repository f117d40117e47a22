//! The plan between two states of the files, with no database: what applying
//! the second would do where the first had just been applied. Core.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::configs::config_fields;
use super::differ::Differ;
use super::plan::Plan;
use super::regions::region_fields;
use super::secret::SecretFacts;
use crate::fields::{Field, Fields};
use crate::routing::{
    BindingSettings, CipherText, Origin, Routing, SecretFormat, SecretSource, Tenant,
};
use crate::snapshot::{
    LiveConfig, NumberRow, OwnedBinding, OwnedConfig, OwnedRegion, Snapshot, SourceLine,
};

/// What changes from `before` to `after`, by the same comparison that a plan
/// against a database makes.
pub fn between(before: &Routing, after: &Routing) -> Plan {
    let snapshot = applied(before);
    let ids = OfflineIds::default();
    let mut differ = Differ::new(after, &snapshot, &SecretFacts::default(), || ids.next());
    let config_id = |name: &str| {
        let owned = |config: &&OwnedConfig| config.fields.text(Field::Name) == Some(name);
        snapshot
            .owned_configs
            .iter()
            .find(owned)
            .map(|config| config.id)
    };
    let settings: Vec<(Fields, String)> = before
        .settings
        .iter()
        .map(|settings| row_of(settings, config_id(&settings.config)))
        .collect();
    let rows: Vec<Uuid> = before.bindings.iter().map(|_| ids.next()).collect();
    for (binding, row) in before.bindings.iter().zip(&rows) {
        let fields = settings[binding.settings as usize].0.clone();
        let fields = differ.pool().intern(fields);
        differ.owned(OwnedBinding {
            row: *row,
            tenant: before.tenant(binding).id,
            number: binding.number,
            fields,
            source: Some(line(binding.origin)),
            inserted: false,
            retired: false,
        });
    }
    for (binding, row) in before.bindings.iter().zip(&rows) {
        let (fields, rules) = &settings[binding.settings as usize];
        let key = binding.number.row_key();
        differ.row(&NumberRow {
            id: *row,
            tenant: before.tenant(binding).id,
            country_code: Some(&key.country_code()),
            base_number: Some(key.base_number()),
            provider: fields.text(Field::Provider),
            status: None,
            rules: Some(rules.as_bytes()),
            passed_over: None,
        });
    }
    let mut plan = differ.finish(|| ids.next());
    let about_rows = ["adopt-not-needed", "formerly-not-needed"];
    plan.findings
        .retain(|finding| !about_rows.contains(&finding.code.as_ref()));
    plan
}

/// Ids that only have to differ from one another and from those in the files.
#[derive(Default)]
struct OfflineIds(std::cell::Cell<u128>);

impl OfflineIds {
    fn next(&self) -> Uuid {
        self.0.set(self.0.get() + 1);
        Uuid::from_u128(self.0.get())
    }
}

fn line(origin: Origin) -> SourceLine {
    SourceLine {
        file: origin.file,
        line: origin.line,
    }
}

/// The database as it is right after an apply of these files.
pub fn applied(routing: &Routing) -> Snapshot {
    let mut snapshot = Snapshot {
        owner: routing.owner.clone(),
        environment: routing.environment.clone(),
        files: routing.files.clone(),
        ..Snapshot::default()
    };
    snapshot.tenants = routing.tenants.iter().filter_map(Tenant::aliased).collect();
    for (name, region) in &routing.regions {
        snapshot.owned_regions.push(OwnedRegion {
            name: name.clone(),
            fields: region_fields(region),
            since: 1,
            source: Some(line(region.origin)),
        });
    }
    let ids = routing.configs.iter().zip(1u128..);
    let ids: BTreeMap<String, Uuid> = ids
        .map(|((name, config), ordinal)| {
            let id = config.id.unwrap_or(Uuid::from_u128(u128::MAX - ordinal));
            (name.clone(), id)
        })
        .collect();
    for (name, config) in &routing.configs {
        let id = ids[name];
        let source = config.api_secret.describe();
        let fields = config_fields(name, config, source.clone(), &ids);
        let mut live = fields.clone();
        live.take_ours(None);
        snapshot.configs.push(LiveConfig {
            id,
            fields: live,
            secret: stored(&config.api_secret, routing.secret_format),
            updated_at: None,
            broken: Vec::new(),
        });
        snapshot.owned_configs.push(OwnedConfig {
            id,
            fields,
            secret_source: source,
            fingerprint: None,
            since: 1,
            source: Some(line(config.origin)),
            inserted: false,
        });
    }
    snapshot
}

/// A text of the format in which an apply would have stored the secret.
fn stored(source: &SecretSource, format: Option<SecretFormat>) -> CipherText {
    match (source, format) {
        (SecretSource::Sealed(text), None) => text.clone(),
        (_, Some(SecretFormat::Fernet)) => CipherText::new("dev-s-t-"),
        (_, _) => CipherText::new("lkr1:"),
    }
}

/// The managed fields of a binding's row, and its `rules` as text.
fn row_of(settings: &BindingSettings, config: Option<Uuid>) -> (Fields, String) {
    let mut fields = settings.fields.clone();
    fields.set(Field::Config, config.map(|id| Value::from(id.to_string())));
    let rules: Map<String, Value> = fields
        .iter()
        .filter_map(|(field, value)| Some((field.rules_key()?.to_owned(), value.clone())))
        .collect();
    (fields, Value::from(rules).to_string())
}
