//! The state that an apply left, as the files that would declare it: so that
//! going back is planned, judged and applied like any other change. Core.

use std::collections::BTreeMap;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use serde_json::Value;
use uuid::Uuid;

use super::{BindingVersion, ConfigVersion, PreviousValues, Versions};
use crate::fields::{Field, Fields, FieldsIx, FieldsPool};
use crate::list_index::push_indexed;
use crate::phone::Prefix;
use crate::routing::guards::{Guards, StoredGuards};
use crate::routing::{
    Binding, BindingSettings, CipherText, Origin, Region, Routing, SecretSource, ServerConfig,
    Tenant,
};
use crate::snapshot::{ApplyId, Snapshot, SourceLine};

type IdMap<K, V> = HashMap<K, V, RandomState>;

/// What was declared when an apply was done, and what has become lkroute's
/// since.
#[derive(Debug)]
pub struct AppliedState {
    pub apply: ApplyId,
    /// All that was declared; complete once every version of a binding that
    /// outlived the apply has been taken in.
    pub routing: Routing,
    /// What the rows of others held before lkroute took them over since.
    pub found: PreviousValues,
    /// The configs of that time, by row.
    pub configs: BTreeMap<Uuid, ConfigVersion>,
    tenants: IdMap<Uuid, u32>,
    settings: IdMap<FieldsIx, u32>,
}

impl AppliedState {
    /// Regions and configs as apply `apply` left them. Owner, environment,
    /// guards and names of files are those of today.
    pub fn after_apply(apply: ApplyId, versions: &Versions, snapshot: &Snapshot) -> AppliedState {
        let mut state = AppliedState {
            apply,
            routing: Routing {
                owner: snapshot.owner.clone(),
                environment: snapshot.environment.clone(),
                files: snapshot.files.clone(),
                guards: match &snapshot.guards {
                    StoredGuards::Guards(guards) => (**guards).clone(),
                    StoredGuards::None | StoredGuards::Unreadable(_) => Guards::default(),
                },
                ..Routing::default()
            },
            found: PreviousValues::of_configs(apply, &versions.configs),
            configs: BTreeMap::new(),
            tenants: IdMap::default(),
            settings: IdMap::default(),
        };
        for (id, alias) in &snapshot.tenants {
            state.tenant_index(*id, Some(alias.clone()));
        }
        let regions = versions.regions.iter();
        for version in regions.filter(|version| version.was_current(apply)) {
            let owned = &version.owned;
            let region = applied_region(&owned.fields, owned.source);
            state.routing.regions.insert(owned.name.clone(), region);
        }
        let configs = versions.configs.iter();
        for version in configs.filter(|version| version.was_current(apply)) {
            let name = version.owned.fields.text(Field::Name).unwrap_or_default();
            let config = applied_config(version);
            state.routing.configs.insert(name.to_owned(), config);
            state.configs.insert(version.owned.id, version.clone());
        }
        state.name_fallbacks();
        state
    }

    /// Versions hold the id of a fallback, files its name.
    fn name_fallbacks(&mut self) {
        let names = self.configs.iter();
        let names: BTreeMap<String, &str> = names
            .filter_map(|(id, version)| {
                Some((id.to_string(), version.owned.fields.text(Field::Name)?))
            })
            .collect();
        for config in self.routing.configs.values_mut() {
            let id = config.fallback.take();
            let name = id.and_then(|id| names.get(&id));
            config.fallback = name.map(|name| (*name).to_owned());
        }
    }

    /// Takes in a version of a binding. Those of one row come one after the
    /// other, the oldest first; those that ended before the apply are not
    /// needed.
    pub fn add_binding(&mut self, version: &BindingVersion, pool: &mut FieldsPool) {
        self.found.add_binding(self.apply, version, pool);
        if !version.was_current(self.apply) {
            return;
        }
        let owned = &version.owned;
        let tenant = self.tenant_index(owned.tenant, None);
        let settings = match self.settings.get(&owned.fields) {
            Some(settings) => *settings,
            None => self.settings(owned.fields, pool.get(owned.fields)),
        };
        self.routing.bindings.push(Binding {
            number: owned.number,
            tenant,
            settings,
            origin: origin_of(owned.source),
        });
    }

    fn tenant_index(&mut self, id: Uuid, alias: Option<String>) -> u32 {
        let tenants = &mut self.routing.tenants;
        *self
            .tenants
            .entry(id)
            .or_insert_with(|| push_indexed(tenants, Tenant { id, alias }))
    }

    fn settings(&mut self, ix: FieldsIx, fields: &Fields) -> u32 {
        let mut declared = fields.clone();
        declared.set(Field::Config, None);
        declared.set(Field::Rollout, None);
        let id = fields.text(Field::Config).unwrap_or_default();
        let named = Uuid::parse_str(id)
            .ok()
            .and_then(|id| self.configs.get(&id));
        let name = named.and_then(|version| version.owned.fields.text(Field::Name));
        let settings = BindingSettings {
            // A config that lkroute did not own at that time has no name here, only its id.
            config: name.unwrap_or(id).to_owned(),
            fields: declared,
            adopt: Vec::new(),
            rollout: fields.text(Field::Rollout).map(str::to_owned),
        };
        let number = push_indexed(&mut self.routing.settings, settings);
        self.settings.insert(ix, number);
        number
    }
}

fn origin_of(source: Option<SourceLine>) -> Origin {
    source.map_or(
        Origin {
            file: u32::MAX,
            line: 0,
        },
        |source| Origin {
            file: source.file,
            line: source.line,
        },
    )
}

fn applied_region(fields: &Fields, source: Option<SourceLine>) -> Region {
    let codes = fields.get(Field::CountryCodes).and_then(Value::as_array);
    let codes = codes.into_iter().flatten().filter_map(Value::as_str);
    let text = |field| fields.text(field).map(str::to_owned);
    Region {
        description: text(Field::Description),
        country_codes: codes.filter_map(|code| Prefix::parse(code).ok()).collect(),
        default_config: text(Field::DefaultConfig),
        origin: origin_of(source),
    }
}

/// The secret is the text that was stored: nothing has to be opened or sealed
/// to bring it back.
fn applied_config(version: &ConfigVersion) -> ServerConfig {
    let owned = &version.owned;
    let sealed = version.sealed.clone();
    let secret = SecretSource::Sealed(sealed.unwrap_or_else(|| CipherText::new("")));
    let origin = origin_of(owned.source);
    ServerConfig::of_fields(Some(owned.id), &owned.fields, secret, origin)
}
