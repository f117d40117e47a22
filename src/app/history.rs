//! The past of a database: its applies, what one changed, what happened to an
//! object. Imports core and the store.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{Context, Stop, database, lookup};
use crate::address::Address;
use crate::error::{Error, Result};
use crate::fields::{Field, FieldsPool};
use crate::history::changes::{self, Event, VersionSide};
use crate::history::{BindingVersion, ConfigVersion, Versions};
use crate::snapshot::{ApplyId, ApplyRecord, Snapshot};
use crate::store::{Mode, Store, VersionFilter};

/// What was asked of the past.
pub struct HistoryFound {
    /// That the database is stamped with.
    pub environment: Option<String>,
    /// Names of configs as of their last version, else of their row.
    pub names: BTreeMap<Uuid, String>,
    pub story: HistoryStory,
}

pub enum HistoryStory {
    /// All applies, the newest first.
    Applies(Vec<ApplyRecord>),
    Apply(ApplyHistory),
    Object(ObjectHistory),
}

/// An apply, and what it changed.
pub struct ApplyHistory {
    pub record: ApplyRecord,
    pub changed: Vec<(Address, Event)>,
}

/// What happened to an object, the oldest first.
pub struct ObjectHistory {
    pub address: Address,
    pub events: Vec<(ApplyRecord, Event)>,
}

/// Reads the applies; or one of them, or the story of an object.
///
/// # Errors
/// There is no such apply, or the object was never lkroute's.
pub async fn read_history(
    context: &Context<'_>,
    apply: Option<ApplyId>,
    address: Option<&Address>,
) -> Result<HistoryFound, Stop> {
    let target = lookup::target(context)?;
    let mut store = database::open_current(context, &target, Mode::Look).await?;
    store.begin_read().await?;
    let snapshot = store.snapshot().await?;
    let past = Past {
        applies: store.applies().await?,
        versions: store.versions().await?,
        snapshot,
    };
    let story = match (apply, address) {
        (Some(apply), _) => {
            let record = past.record(apply).ok_or_else(|| {
                Error::new(format!("there is no apply {apply}"))
                    .hint("`lkroute history` lists them")
            })?;
            HistoryStory::Apply(ApplyHistory {
                changed: past.changed(&mut store, record).await?,
                record: record.clone(),
            })
        }
        (None, Some(address)) => {
            let events = past.story(&mut store, address).await?;
            if events.is_empty() {
                let message = format!("{address} was never lkroute's in this database");
                return Err(Error::new(message).into());
            }
            if let Address::Config(name) = address {
                for id in past.config_ids(name).iter().skip(1) {
                    context.progress.note(&format!(
                        "another config had this name too: `lkroute history --address config.{id}` \
                         tells of it"
                    ));
                }
            }
            HistoryStory::Object(ObjectHistory {
                address: address.clone(),
                events,
            })
        }
        (None, None) => HistoryStory::Applies(past.applies.clone()),
    };
    store.end_read().await?;
    Ok(HistoryFound {
        names: past.names(),
        environment: past.snapshot.environment,
        story,
    })
}

/// What the database knows of its past, but for bindings.
struct Past {
    applies: Vec<ApplyRecord>,
    versions: Versions,
    snapshot: Snapshot,
}

impl Past {
    /// Names of configs as of their last version, else of their row.
    fn names(&self) -> BTreeMap<Uuid, String> {
        let live = self
            .snapshot
            .configs
            .iter()
            .map(|row| (row.id, &row.fields, 0));
        let ours = self.versions.configs.iter();
        let ours = ours.map(|v| (v.owned.id, &v.owned.fields, v.owned.since));
        let mut all: Vec<_> = live.chain(ours).collect();
        all.sort_by_key(|(_, _, since)| *since);
        let named = all.into_iter();
        let named =
            named.filter_map(|(id, fields, _)| Some((id, fields.text(Field::Name)?.to_owned())));
        named.collect()
    }

    async fn changed(
        &self,
        store: &mut Store,
        record: &ApplyRecord,
    ) -> Result<Vec<(Address, Event)>> {
        let objects = changes::objects_of_apply(record.id, &record.kind, &self.versions);
        let mut changed: Vec<_> = objects.into_iter().map(|o| (o.address, o.event)).collect();
        let mut pool = FieldsPool::default();
        let mut versions = Vec::new();
        let mut take = |_: &mut FieldsPool, version| versions.push(version);
        let select = VersionFilter::Of(record.id);
        store
            .binding_versions(&select, &mut pool, &mut take)
            .await?;
        for binding in changes::of_apply(record.id, &record.kind, &versions, &pool) {
            let tenant = self.label(binding.tenant);
            changed.push((Address::Binding(binding.number, tenant), binding.event));
        }
        Ok(changed)
    }

    /// The alias of a tenant, else its uuid.
    fn label(&self, tenant: Uuid) -> String {
        let mut tenants = self.snapshot.tenants.iter();
        let alias = tenants.find(|(id, _)| *id == tenant);
        alias.map_or_else(|| tenant.to_string(), |(_, alias)| alias.clone())
    }

    async fn story(
        &self,
        store: &mut Store,
        address: &Address,
    ) -> Result<Vec<(ApplyRecord, Event)>> {
        let mut pool = FieldsPool::default();
        let mut bindings: Vec<BindingVersion> = Vec::new();
        if let Address::Binding(number, tenant) = address {
            let mut take = |_: &mut FieldsPool, version: BindingVersion| {
                let id = version.owned.tenant;
                if self.label(id) == *tenant || id.to_string() == *tenant {
                    bindings.push(version);
                }
            };
            let select = VersionFilter::Numbers(vec![*number]);
            store
                .binding_versions(&select, &mut pool, &mut take)
                .await?;
        }
        let sides = self.sides(address, &bindings, &pool);
        let kind = |id: ApplyId| self.record(id).map_or("", |apply| apply.kind.as_str());
        let told = changes::object_story(&sides, kind).into_iter();
        Ok(told
            .filter_map(|(id, event)| Some((self.record(id)?.clone(), event)))
            .collect())
    }

    fn record(&self, id: ApplyId) -> Option<&ApplyRecord> {
        self.applies.iter().find(|apply| apply.id == id)
    }

    /// The configs that an address means, or meant: the one that has the name now, or
    /// had it last, first.
    fn config_ids(&self, name: &str) -> Vec<Uuid> {
        let uuid = Uuid::parse_str(name).ok();
        let means = |v: &&ConfigVersion| {
            v.owned.fields.text(Field::Name) == Some(name) || Some(v.owned.id) == uuid
        };
        let mut versions: Vec<_> = self.versions.configs.iter().filter(means).collect();
        versions.sort_by_key(|v| std::cmp::Reverse((v.until.is_none(), v.owned.since)));
        let mut ids: Vec<Uuid> = Vec::new();
        for version in versions {
            if !ids.contains(&version.owned.id) {
                ids.push(version.owned.id);
            }
        }
        ids
    }

    fn sides<'a>(
        &'a self,
        address: &Address,
        bindings: &[BindingVersion],
        pool: &'a FieldsPool,
    ) -> Vec<(ApplyId, Option<ApplyId>, VersionSide<'a>)> {
        match address {
            Address::Region(name) => {
                let regions = self
                    .versions
                    .regions
                    .iter()
                    .filter(|v| v.owned.name == *name);
                regions
                    .map(|v| (v.owned.since, v.until, v.side()))
                    .collect()
            }
            Address::Config(name) => {
                let id = self.config_ids(name).into_iter().next();
                let ours = self.versions.configs.iter();
                let configs = ours.filter(|v| Some(v.owned.id) == id);
                configs
                    .map(|v| (v.owned.since, v.until, v.side()))
                    .collect()
            }
            Address::Binding(..) => {
                let versions = bindings.iter();
                versions.map(|v| (v.since, v.until, v.side(pool))).collect()
            }
        }
    }
}
