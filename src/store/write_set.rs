//! A plan as the sets of rows that an apply writes, the same for both
//! engines. Imports core; makes no choices of its own.

use hashbrown::{HashMap, HashSet};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::write_request::WriteRequest;
use crate::address::Address;
use crate::diff::plan::{Action, Change, FieldChange, Kind, Object, Plan};
use crate::error::{Error, Exit};
use crate::fields::{Field, Fields};
use crate::phone::RowKey;
use crate::routing::CipherText;

/// The changes of a plan, by kind of object.
pub(super) struct WriteSet<'a> {
    pub plan: &'a Plan,
    pub regions: Vec<&'a Change>,
    pub configs: Vec<&'a Change>,
    pub bindings: Vec<&'a Change>,
    /// The written secret of each config that gets one.
    pub secrets: HashMap<Uuid, &'a CipherText>,
}

impl<'a> WriteSet<'a> {
    /// # Errors
    /// The plan is in conflict, or a secret that it writes is missing.
    pub(super) fn new(plan: &'a Plan, request: &'a WriteRequest) -> Result<WriteSet<'a>, Error> {
        if let Some(change) = plan.conflicts().next() {
            let address = plan.address(change.object);
            return Err(Error::exit(
                Exit::Conflict,
                format!("{address} is in conflict"),
            ));
        }
        let mut write_set = WriteSet {
            plan,
            regions: Vec::new(),
            configs: Vec::new(),
            bindings: Vec::new(),
            secrets: HashMap::new(),
        };
        for change in &plan.changes {
            match change.object {
                Object::Region(_) => write_set.regions.push(change),
                Object::Config(_) => write_set.configs.push(change),
                Object::Binding { .. } => write_set.bindings.push(change),
            }
        }
        for change in &write_set.configs {
            let fields = &plan.patch(change).fields;
            let writes = |f: &FieldChange| f.field == Field::ApiSecret && f.kind.writes();
            if change.action == Action::Delete || !(change.insert || fields.iter().any(writes)) {
                continue;
            }
            let id = row(change)?;
            let text = request
                .secrets
                .get(&id)
                .and_then(|secret| secret.text.as_ref());
            let text = text.ok_or_else(|| {
                let address = plan.address(change.object);
                Error::new(format!("the secret of {address} is not at hand"))
            })?;
            write_set.secrets.insert(id, text);
        }
        Ok(write_set)
    }

    pub(super) fn address(&self, change: &Change) -> Address {
        self.plan.address(change.object)
    }

    /// The number rows to insert.
    pub(super) fn inserts(&self) -> Vec<&'a Change> {
        let all = self.bindings.iter().copied();
        all.filter(|change| change.insert).collect()
    }

    /// The number rows that are there and change.
    pub(super) fn updates(&self) -> Vec<&'a Change> {
        let writes =
            |change: &&Change| !change.insert && change.row.is_some() && self.writes(change);
        self.bindings.iter().copied().filter(writes).collect()
    }

    /// The same: first those that become inactive, so that another row of their
    /// number can become active, then the rest. Each is a statement of its own: a
    /// key of the application's is looked at row by row.
    pub(super) fn updates_in_turn(&self) -> [Vec<&'a Change>; 2] {
        let inactive = Some(Value::from("inactive"));
        let retires = |change: &&Change| {
            let mut fields = self.plan.patch(change).fields.iter();
            fields.any(|field| field.field == Field::Status && field.after == inactive)
        };
        let (first, then) = self.updates().into_iter().partition(retires);
        [first, then]
    }

    /// Number rows of lkroute's own that become inactive and are remembered.
    pub(super) fn retired(&self) -> Vec<Uuid> {
        let own = |change: &&&Change| change.action == Action::Delete && change.inserted;
        let rows = self.bindings.iter().filter(own);
        rows.filter_map(|change| change.row.and(change.previous))
            .collect()
    }

    /// The number rows that are there and stay as they are: what is recorded
    /// of them has to be so all the same.
    pub(super) fn adopted(&self) -> Vec<&'a Change> {
        let adopted = |change: &&Change| {
            let there = !change.insert && change.row.is_some() && change.owned.is_some();
            there && !self.writes(change)
        };
        self.bindings.iter().copied().filter(adopted).collect()
    }

    /// The numbers that get an active row, new or woken.
    pub(super) fn made_active(&self) -> HashMap<(Uuid, RowKey), &'a Change> {
        let changes = self.bindings.iter().filter(|change| self.appears(change));
        let keyed = changes.filter_map(|change| Some((key(self.plan, change)?, *change)));
        keyed.collect()
    }

    /// Whether a change brings an active row.
    pub(super) fn appears(&self, change: &Change) -> bool {
        let active = Some(Value::from("active"));
        let wakes = |field: &FieldChange| field.kind.writes() && field.after == active;
        let fields = &self.plan.patch(change).fields;
        let status = |field: &FieldChange| field.field == Field::Status && wakes(field);
        change.insert || fields.iter().any(status)
    }

    /// The configs that numbers go to and that are there before this plan, each
    /// with a number.
    pub(super) fn configs_gone_to(&self) -> HashMap<Uuid, &'a Change> {
        let mut wanted = HashMap::new();
        let mut seen = HashSet::new();
        for change in self.bindings.iter().copied() {
            if change.owned.is_none() || !seen.insert(change.patch) {
                continue;
            }
            let fields = self.plan.patch(change).fields.iter();
            let mut configs = fields.filter(|field| field.field == Field::Config);
            let config = configs.find_map(|field| field.after.as_ref()?.as_str());
            if let Some(id) = config.and_then(|id| Uuid::parse_str(id).ok()) {
                wanted.entry(id).or_insert(change);
            }
        }
        for change in self.configs_to(ConfigWrite::Insert) {
            wanted.retain(|id, _| Some(*id) != change.row);
        }
        wanted
    }

    /// Whether the plan relies on there being no rows but those that it knows.
    pub(super) fn relies_on_numbers(&self) -> bool {
        let mut bindings = self.bindings.iter();
        !self.configs_to(ConfigWrite::Delete).is_empty()
            || bindings.any(|change| self.appears(change))
    }

    pub(super) fn writes(&self, change: &Change) -> bool {
        let fields = &self.plan.patch(change).fields;
        fields.iter().any(|field| field.kind.writes())
    }

    /// The configs to insert, to update or to delete.
    pub(super) fn configs_to(&self, what: ConfigWrite) -> Vec<&'a Change> {
        let is = |change: &&Change| match what {
            ConfigWrite::Delete => change.action == Action::Delete && self.writes(change),
            ConfigWrite::Insert => change.insert,
            ConfigWrite::Update => change.action != Action::Delete && !change.insert,
        };
        self.configs.iter().copied().filter(is).collect()
    }

    /// The columns that change in a config's row, and its id, as JSON.
    fn config_columns(&self, change: &Change) -> Result<Map<String, Value>, Error> {
        let id = row(change)?;
        let mut columns = Map::new();
        columns.insert("id".to_owned(), id.to_string().into());
        let fields = self.plan.patch(change).fields.iter();
        for field in fields.filter(|field| field.kind.writes()) {
            let Some(column) = field.field.column() else {
                continue;
            };
            let value = match (field.field, self.secrets.get(&id)) {
                (Field::ApiSecret, Some(text)) => Value::from(text.as_stored()),
                _ => field.after.clone().unwrap_or(Value::Null),
            };
            columns.insert(column.to_owned(), value);
        }
        Ok(columns)
    }

    /// These rows as JSON, without those of which only our own tables change,
    /// and the ids of those that get a name.
    pub(super) fn config_rows(
        &self,
        changes: &[&Change],
    ) -> Result<(Vec<Value>, Vec<Uuid>), Error> {
        let mut rows = Vec::new();
        let mut renamed = Vec::new();
        for change in changes {
            let columns = self.config_columns(change)?;
            if columns.contains_key("name") {
                renamed.extend(change.row);
            }
            if columns.len() > 1 {
                rows.push(Value::Object(columns));
            }
        }
        Ok((rows, renamed))
    }

    /// What is ours of a config afterwards: the secret by the hash of the
    /// text that is stored.
    pub(super) fn config_owned(&self, change: &Change) -> Option<Fields> {
        let mut fields = self.plan.pool.get(change.owned?).clone();
        if let Some(text) = change.row.and_then(|id| self.secrets.get(&id)) {
            fields.set(Field::ApiSecret, Some(text.digest().into()));
        }
        Some(fields)
    }

    /// The secret that this apply writes to a config.
    pub(super) fn secret(&self, id: Uuid) -> Option<&'a CipherText> {
        self.secrets.get(&id).copied()
    }

    /// Whether a change is about the config's secret, written or not.
    pub(super) fn touches_secret(&self, change: &Change) -> bool {
        let fields = &self.plan.patch(change).fields;
        fields.iter().any(|field| field.field == Field::ApiSecret)
    }

    /// What the row of a change holds before, of the fields that are written
    /// or adopted; `None` where none is, or there is no row yet.
    pub(super) fn found(&self, change: &Change) -> Option<Fields> {
        let fields = self.plan.patch(change).fields.iter();
        let mut taken = fields
            .filter(|field| field.kind != Kind::Release)
            .peekable();
        if change.insert || taken.peek().is_none() {
            return None;
        }
        let held = taken
            .filter(|field| !field.field.is_ours_only())
            .filter_map(|field| Some((field.field, field.before.clone()?)));
        Some(held.collect())
    }
}

/// What happens to a config's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConfigWrite {
    Insert,
    Update,
    Delete,
}

/// The tenant and number of a binding, as a row tells them.
pub(super) fn key(plan: &Plan, change: &Change) -> Option<(Uuid, RowKey)> {
    match change.object {
        Object::Binding { number, tenant } => {
            Some((plan.tenants[tenant as usize].id, number.row_key()))
        }
        Object::Region(_) | Object::Config(_) => None,
    }
}

/// The row of a change that has to have one.
pub(super) fn row(change: &Change) -> Result<Uuid, Error> {
    change
        .row
        .ok_or_else(|| Error::new("the plan names no row for a change"))
}

pub(super) use crate::lookup::CONFIG_COLUMNS;
