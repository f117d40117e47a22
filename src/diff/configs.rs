//! Declared configs against the rows that are there: which row is whose, and
//! what differs. Core.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use serde_json::Value;
use uuid::Uuid;

use super::compare::{Sides, compare, inserted};
use super::object_change::{ObjectChange, Objects, applied_origin};
use super::plan::{Action, FieldChange, Kind, Unchecked};
use super::secret::{self, SecretFacts};
use crate::fields::{Field, Fields};
use crate::finding::Finding;
use crate::routing::{Routing, SecretFormat, ServerConfig};
use crate::snapshot::{LiveConfig, OwnedConfig, Snapshot};

/// The rows of configs, by what they are looked up by.
struct ConfigRows<'a> {
    live: HashMap<Uuid, &'a LiveConfig>,
    live_by_name: HashMap<&'a str, &'a LiveConfig>,
    owned: HashMap<Uuid, &'a OwnedConfig>,
    owned_by_name: HashMap<&'a str, &'a OwnedConfig>,
}

impl<'a> ConfigRows<'a> {
    fn new(snapshot: &'a Snapshot) -> ConfigRows<'a> {
        let (live, owned) = (&snapshot.configs, &snapshot.owned_configs);
        ConfigRows {
            live: live.iter().map(|row| (row.id, row)).collect(),
            live_by_name: live
                .iter()
                .filter_map(|row| Some((row.fields.text(Field::Name)?, row)))
                .collect(),
            owned: owned.iter().map(|config| (config.id, config)).collect(),
            owned_by_name: owned
                .iter()
                .filter_map(|config| Some((config.fields.text(Field::Name)?, config)))
                .collect(),
        }
    }

    /// The row's id of a declared config, where it has one already.
    fn id_of(&self, name: &str, config: &ServerConfig, taken: &BTreeSet<Uuid>) -> Option<Uuid> {
        let free = |id: Uuid| (!taken.contains(&id)).then_some(id);
        let owned = |name: &str| {
            self.owned_by_name
                .get(name)
                .and_then(|config| free(config.id))
        };
        let live = |name: &str| self.live_by_name.get(name).and_then(|row| free(row.id));
        let former = config.formerly.as_deref();
        config
            .id
            .or_else(|| owned(name))
            .or_else(|| former.and_then(owned))
            .or_else(|| live(name))
    }
}

pub(super) fn compare_configs(
    routing: &Routing,
    snapshot: &Snapshot,
    facts: &SecretFacts,
    new_id: &mut dyn FnMut() -> Uuid,
    found: &mut Objects,
) {
    let rows = ConfigRows::new(snapshot);
    let mut taken: BTreeSet<Uuid> = routing
        .configs
        .values()
        .filter_map(|config| config.id)
        .collect();
    for (name, config) in &routing.configs {
        let id = rows
            .id_of(name, config, &taken)
            .unwrap_or_else(&mut *new_id);
        taken.insert(id);
        found.ids.insert(name.clone(), id);
    }
    for (name, config) in &routing.configs {
        let id = found.ids[name];
        let taken_name = rows
            .live_by_name
            .get(name.as_str())
            .filter(|row| !taken.contains(&row.id) && !rows.owned.contains_key(&row.id));
        let taken_name = taken_name.map(|row| row.id.to_string());
        let mut odd = snapshot.odd_configs.iter();
        let odd = odd.find(|row| row.name == *name).map(|row| row.id.clone());
        declared_config(
            routing,
            (name, config, id),
            &rows,
            facts,
            taken_name.or(odd),
            found,
        );
    }
    for gone in snapshot
        .owned_configs
        .iter()
        .filter(|config| !taken.contains(&config.id))
    {
        removed_config(routing, gone, rows.live.get(&gone.id).copied(), found);
    }
}

/// What the files say about a config; `secret` stands for its secret, `ids`
/// are the rows of the declared configs.
pub(super) fn config_fields(
    name: &str,
    config: &ServerConfig,
    secret: String,
    ids: &BTreeMap<String, Uuid>,
) -> Fields {
    let mut fields = config.fields(name).with(Field::ApiSecret, secret);
    let fallback = config.fallback.as_ref();
    let fallback = fallback.and_then(|name| ids.get(name)).map(Uuid::to_string);
    fields.set_text(Field::Fallback, fallback.as_deref());
    fields
}

/// The row's fields, with those that our own table adds to it.
fn live_fields(live: &LiveConfig, owned: Option<&OwnedConfig>) -> Fields {
    let mut fields = live.fields.clone();
    fields.take_ours(owned.map(|owned| &owned.fields));
    fields
}

fn declared_config(
    routing: &Routing,
    (name, config, id): (&str, &ServerConfig, Uuid),
    rows: &ConfigRows<'_>,
    facts: &SecretFacts,
    taken_name: Option<String>,
    found: &mut Objects,
) {
    let live = rows.live.get(&id).copied();
    let owned = rows.owned.get(&id).copied();
    let secret = secret::wanted(name, config, owned, live, routing.secret_format, facts);
    if secret.unchecked {
        found.unchecked.push(Unchecked {
            config: name.to_owned(),
            why: facts.obstacle(name).map(str::to_owned),
        });
    }
    let told = declared_secret((name, config), (owned, live), routing.secret_format);
    found
        .declared_secrets
        .extend(told.map(|told| (name.to_owned(), told)));
    let declared = config_fields(name, config, secret.after, &found.ids);
    let (mut patch, needed) = match live {
        Some(live) => {
            let fields = live_fields(live, owned);
            let sides = Sides {
                declared: Some(&declared),
                owned: owned.map(|owned| &owned.fields),
                live: &fields,
                whole: true,
                adopt: &config.adopt,
            };
            compare(sides, &Field::OF_CONFIG)
        }
        None => (
            inserted(&declared, owned.map(|owned| &owned.fields)),
            Vec::new(),
        ),
    };
    if let Some(row) = taken_name {
        patch.fields.retain(|change| change.field != Field::Name);
        patch.fields.push(name_taken(name, &row));
    }
    let place = routing.place(config.origin);
    let adopt = config.adopt.iter().copied();
    let unused: Vec<Field> = adopt.filter(|field| !needed.contains(field)).collect();
    if !unused.is_empty() {
        found
            .findings
            .push(adopt_not_needed(&unused).at(place.clone()));
    }
    if let Some(former) = &config.formerly
        && !rows.owned_by_name.contains_key(former.as_str())
        && owned.is_some()
    {
        let message = format!("`formerly = \"{former}\"` is no longer needed");
        let finding = Finding::warning("formerly-not-needed", message);
        let hint = "take it out: the config has its row, and another could be renamed so";
        found.findings.push(finding.hint(hint).at(place));
    }
    if patch.fields.is_empty() && owned.is_some() {
        found.unchanged += 1;
        return;
    }
    // Fields that only lkroute's own table has can't be held by a row of others.
    let holds = |change: &FieldChange| {
        if change.field.is_ours_only() {
            owned.is_none()
        } else {
            change.kind == Kind::Adopt
        }
    };
    let only_secret = patch
        .fields
        .iter()
        .all(|change| change.field == Field::ApiSecret);
    let action = match live {
        None => Action::Create,
        Some(_) if patch.fields.iter().all(holds) => Action::Adopt,
        Some(_) if only_secret && secret.reseal && !patch.has(Kind::Drift) => Action::Reseal,
        Some(_) => Action::Update,
    };
    found.configs.push(ObjectChange {
        name: name.to_owned(),
        action,
        patch,
        row: Some(id),
        previous: owned.map(|owned| owned.id),
        origin: Some(config.origin),
        owned: Some(declared),
        inserted: live.is_none() || owned.is_some_and(|owned| owned.inserted),
        insert: live.is_none(),
        secret: live.map(|live| facts.of(name).outcome(is_as_applied(owned, live))),
    });
}

/// How the declared secret differs from the one of the last apply and of the
/// row, as far as that is to be seen without a key: by their texts and sources.
fn declared_secret(
    (name, config): (&str, &ServerConfig),
    (owned, live): (Option<&OwnedConfig>, Option<&LiveConfig>),
    format: Option<SecretFormat>,
) -> Option<FieldChange> {
    let wanted = secret::wanted(name, config, owned, live, format, &SecretFacts::default());
    let declared = Fields::new().with(Field::ApiSecret, wanted.after);
    let nothing = Fields::new();
    let sides = Sides {
        declared: Some(&declared),
        owned: owned.map(|owned| &owned.fields),
        live: live.map_or(&nothing, |live| &live.fields),
        whole: true,
        adopt: &config.adopt,
    };
    compare(sides, &[Field::ApiSecret]).0.fields.pop()
}

/// Whether a row holds the secret that the last apply stored.
fn is_as_applied(owned: Option<&OwnedConfig>, live: &LiveConfig) -> bool {
    let stored = |fields: &Fields| fields.get(Field::ApiSecret).cloned();
    owned.is_some_and(|owned| stored(&owned.fields) == stored(&live.fields))
}

fn name_taken(name: &str, row: &str) -> FieldChange {
    FieldChange {
        field: Field::Name,
        before: Some(Value::from(format!("{name} (row {row})"))),
        after: Some(name.into()),
        kind: Kind::Blocked,
        applied: None,
    }
}

/// `fields` are those of one `adopt`.
pub(super) fn adopt_not_needed(fields: &[Field]) -> Finding {
    let names: Vec<String> = fields.iter().map(|field| format!("`{field}`")).collect();
    let (are, them) = match fields {
        [_] => ("is", "it"),
        _ => ("are", "them"),
    };
    let message = format!("{} in `adopt` {are} no longer needed", names.join(", "));
    let hint = format!("take {them} out: what stays would hide the next conflict");
    Finding::warning("adopt-not-needed", message).hint(hint)
}

fn removed_config(
    routing: &Routing,
    owned: &OwnedConfig,
    live: Option<&LiveConfig>,
    found: &mut Objects,
) {
    let fields = live
        .map(|live| live_fields(live, Some(owned)))
        .unwrap_or_default();
    let sides = Sides {
        declared: None,
        owned: Some(&owned.fields),
        live: &fields,
        whole: true,
        adopt: &[],
    };
    let (mut patch, _) = compare(sides, &Field::OF_CONFIG);
    patch.fields.retain(|change| change.kind != Kind::Release);
    found.configs.push(ObjectChange {
        name: owned
            .fields
            .text(Field::Name)
            .unwrap_or_default()
            .to_owned(),
        action: Action::Delete,
        patch,
        row: live.map(|live| live.id),
        previous: Some(owned.id),
        origin: applied_origin(routing, owned.source),
        owned: None,
        inserted: owned.inserted,
        insert: false,
        secret: None,
    });
}
