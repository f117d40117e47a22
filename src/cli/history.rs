//! `lkroute history`: the applies, what one of them changed, what happened to
//! one object. Imports what commands share, the store and `render`.

use clap::Args;

use super::globals::{Format, Formatted};
use super::shell::Shell;
use super::{Stop, database, lookup};
use crate::address::Address;
use crate::error::{Error, Exit, Result};
use crate::fields::{Field, FieldsPool};
use crate::history::changes::{self, Event, VersionSide};
use crate::history::{BindingVersion, Versions};
use crate::render::history::{
    self as report, ChangedReport, EventReport, HistoryNames, HistoryReport,
};
use crate::render::json;
use crate::snapshot::{ApplyId, ApplyRecord, Snapshot};
use crate::store::{Mode, Select, Store};

const EXAMPLES: &str = "\
Examples:
  lkroute history                      who applied what, and when
  lkroute history 7                    what apply 7 changed
  lkroute history --address config.uae-vm-selfhosted
  lkroute history --address binding.+971545335200@sasya --format json

It needs a database and no files: it works outside the repository, too.";

/// Show what was applied, when and by whom
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct HistoryArgs {
    /// The number of an apply: show what it changed
    #[arg(value_name = "APPLY", conflicts_with = "address", value_parser = number)]
    apply: Option<ApplyId>,

    /// An object: show what happened to it
    #[arg(long, value_name = "ADDRESS")]
    address: Option<Address>,

    /// Fold nothing: name every object
    #[arg(long)]
    full: bool,

    #[command(flatten)]
    pub formatted: Formatted,
}

/// The number of an apply.
pub(super) fn number(text: &str) -> Result<ApplyId, &'static str> {
    text.parse()
        .map_err(|_| "an apply is a number; `lkroute history` lists them")
}

impl HistoryArgs {
    pub fn run(&self, shell: &Shell) -> Result<Exit, Stop> {
        let target = lookup::target(&shell.context())?;
        let text = database::block_on(async {
            let mut store = database::open_current(&shell.context(), &target, Mode::Look).await?;
            store.begin_read().await?;
            let snapshot = store.snapshot().await?;
            let past = Past {
                applies: store.applies().await?,
                versions: store.versions().await?,
                snapshot,
            };
            let text = match (self.apply, &self.address) {
                (Some(apply), _) => self.one(&mut store, &past, apply).await?,
                (None, Some(address)) => self.story(&mut store, &past, address).await?,
                (None, None) => self.list(&past)?,
            };
            store.end_read().await?;
            Ok::<_, Error>(text)
        })?;
        shell.print(&text)?;
        Ok(Exit::Done)
    }

    fn list(&self, past: &Past) -> Result<String> {
        match self.formatted.format {
            Format::Text => Ok(report::list(&past.applies, past.environment())),
            Format::Json => json::text(&HistoryReport::new(past.environment(), &past.applies)),
        }
    }

    async fn one(&self, store: &mut Store, past: &Past, apply: ApplyId) -> Result<String> {
        let record = past.applies.iter().find(|known| known.id == apply);
        let record = record.ok_or_else(|| {
            Error::new(format!("there is no apply {apply}")).hint("`lkroute history` lists them")
        })?;
        let changed = past.changed(store, record).await?;
        let names = past.names();
        match self.formatted.format {
            Format::Text => Ok(report::one(
                record,
                &changed,
                &names,
                past.environment(),
                self.full,
            )),
            Format::Json => {
                let applies = std::slice::from_ref(record);
                let mut report = HistoryReport::new(past.environment(), applies);
                let changes = changed.iter();
                report.changes = changes
                    .map(|(address, event)| ChangedReport::new(address, event, &names))
                    .collect();
                json::text(&report)
            }
        }
    }

    async fn story(&self, store: &mut Store, past: &Past, address: &Address) -> Result<String> {
        let events = past.story(store, address).await?;
        if events.is_empty() {
            return Err(Error::new(format!(
                "{address} was never lkroute's in this database"
            )));
        }
        let names = past.names();
        match self.formatted.format {
            Format::Text => Ok(report::story(address, &events, &names, past.environment())),
            Format::Json => {
                let mut report = HistoryReport::new(past.environment(), &[]);
                let newest = events.iter().rev();
                report.events = newest
                    .map(|(apply, event)| EventReport::new(apply, event, &names))
                    .collect();
                json::text(&report)
            }
        }
    }
}

/// What the database knows of its past, but for bindings.
struct Past {
    applies: Vec<ApplyRecord>,
    versions: Versions,
    snapshot: Snapshot,
}

impl Past {
    fn environment(&self) -> Option<&str> {
        self.snapshot.environment.as_deref()
    }

    /// Names of configs as of their last version, else of their row.
    fn names(&self) -> HistoryNames {
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
        HistoryNames(named.collect())
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
        let select = Select::Of(record.id);
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
    fn label(&self, tenant: uuid::Uuid) -> String {
        let mut tenants = self.snapshot.tenants.iter();
        let alias = tenants.find(|(id, _)| *id == tenant);
        alias.map_or_else(|| tenant.to_string(), |(_, alias)| alias.clone())
    }

    async fn story(
        &self,
        store: &mut Store,
        address: &Address,
    ) -> Result<Vec<(&ApplyRecord, Event)>> {
        let mut pool = FieldsPool::default();
        let mut bindings: Vec<BindingVersion> = Vec::new();
        if let Address::Binding(number, tenant) = address {
            let mut take = |_: &mut FieldsPool, version: BindingVersion| {
                let id = version.owned.tenant;
                if self.label(id) == *tenant || id.to_string() == *tenant {
                    bindings.push(version);
                }
            };
            let select = Select::Numbers(vec![*number]);
            store
                .binding_versions(&select, &mut pool, &mut take)
                .await?;
        }
        let sides = self.sides(address, &bindings, &pool);
        let kind = |id: ApplyId| self.record(id).map_or("", |apply| apply.kind.as_str());
        let told = changes::story(&sides, kind).into_iter();
        Ok(told
            .filter_map(|(id, event)| Some((self.record(id)?, event)))
            .collect())
    }

    fn record(&self, id: ApplyId) -> Option<&ApplyRecord> {
        self.applies.iter().find(|apply| apply.id == id)
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
                let named = |v: &&crate::history::ConfigVersion| {
                    v.owned.fields.text(Field::Name) == Some(name)
                };
                let ours = self.versions.configs.iter();
                let ids: Vec<_> = ours.clone().filter(named).map(|v| v.owned.id).collect();
                let configs = ours.filter(|v| ids.contains(&v.owned.id));
                configs
                    .map(|v| (v.owned.since, v.until, v.side()))
                    .collect()
            }
            Address::Binding(..) => {
                let versions = bindings.iter();
                versions
                    .map(|v| (v.owned.since, v.until, v.side(pool)))
                    .collect()
            }
        }
    }
}
