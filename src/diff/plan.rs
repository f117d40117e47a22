//! The plan: what an apply would do, as one value. Core: imports only core.
//!
//! A [`Change`] is data, never a closure: it can be compared, counted, drawn,
//! hashed and executed. What changes in an object is a [`Patch`], kept once
//! for all objects that change alike: a million moved numbers are one patch.
//!
//! [`super::differ`] makes it, `guards` check it, `render` shows it, `store`
//! executes it without making choices of its own.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use super::alias_change::AliasChange;
use super::earlier::Earlier;
pub use super::patch::{ChangeCause, FieldChange, Kind, Patch};
use crate::address::Address;
use crate::fields::{Field, FieldsIx, FieldsPool};
use crate::finding::{Finding, Place};
use crate::invisible_chars::without_user_info;
use crate::phone::E164;
use crate::resolve::CallBasis;
use crate::routing::guards::GuardsChange;
use crate::routing::{Origin, SecretSource, Tenant};
use crate::snapshot::ApplyId;

/// What an apply would do to a database, and what it would leave alone.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The environment it speaks of, where there are any.
    pub environment: Option<String>,
    /// The last apply that the database had seen.
    pub base: Option<ApplyId>,
    /// Paths that [`Change::origin`] indexes.
    pub files: Vec<String>,
    /// Names of regions and configs that [`Object`] indexes.
    pub names: Vec<String>,
    /// The lines of the fields of declared configs, by index into the names.
    pub field_lines: BTreeMap<u32, BTreeMap<Field, u32>>,
    /// Tenants that [`Object`] indexes.
    pub tenants: Vec<Tenant>,
    /// Names of configs by id, before and after, for showing `config` fields.
    pub config_names: BTreeMap<Uuid, String>,
    /// The sets of fields that [`Change::owned`] and [`BindingGroup`] index.
    pub pool: FieldsPool,
    pub patches: Vec<Patch>,
    /// The guards, where an apply stores others than there are.
    pub guards: Option<GuardsChange>,
    /// The names of tenants that an apply stores in place of others.
    pub aliases: Vec<AliasChange>,
    /// Sorted: deletes first, then by kind and address.
    pub changes: Vec<Change>,
    /// Left out by `--target`, sorted alike.
    pub outstanding: Vec<Change>,
    /// Whether `--target` left a change of the guards out, too.
    pub guards_outstanding: bool,
    /// Changed outside lkroute and left so: see [`Plan::without_drift`].
    pub left_alone: Vec<Change>,
    /// Not carried out, because a rollback undid it: see
    /// [`Plan::holding_back`].
    pub held_back: Vec<Change>,
    /// Why, by the patch of a change that is held back: for each of its
    /// fields.
    pub held_why: BTreeMap<u32, Vec<WhyHeld>>,
    /// What was said when something of it was undone, by rollback.
    pub undone_reasons: BTreeMap<ApplyId, String>,
    /// Declared objects that are as they should be.
    pub unchanged: u64,
    /// Configs whose secret could not be compared.
    pub unchecked: Vec<Unchecked>,
    /// Numbers by what they are before and after: what `resolve` needs to say
    /// who is rerouted.
    pub classes: Vec<BindingGroup>,
    /// Rows whose number can't be read, counted by their fields: they may
    /// hold the id of a config all the same.
    pub held: Vec<(FieldsIx, u64)>,
    /// Rows of others.
    pub foreign: ForeignRows,
    /// What is known of the secrets that are written over others, by row id.
    pub secrets: BTreeMap<Uuid, SecretOutcome>,
    /// What is to be told of the secret of each declared config without any
    /// key: by the name of the config, those that differ.
    pub declared_secrets: BTreeMap<String, FieldChange>,
    /// The identity of the database, once it has seen an apply.
    pub database: Option<Uuid>,
    /// The configs and regions before the plan: what its calls are resolved
    /// with.
    pub basis: CallBasis,
    /// Where the secret of each declared config comes from, by row id.
    pub config_sources: BTreeMap<Uuid, SecretSource>,
    /// What the objects were when the window of the budgets began, where one
    /// has begun.
    pub earlier: Option<Box<Earlier>>,
    /// What the plan found wrong, or worth saying.
    pub findings: Vec<Finding>,
}

enum_words! {
    /// What is known of a secret that takes the place of another.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum SecretOutcome {
        /// It is another secret.
        Changed = "changed",
        /// It is the same secret in another form.
        Resealed = "re-sealed",
        /// One of the two could not be opened here.
        NotCompared = "not compared",
    }
}

/// A config whose secret could not be compared: what is stored stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unchecked {
    pub config: String,
    /// Absent where nobody tried, as with files alone.
    pub why: Option<String>,
}

/// An object of a plan, by indices into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Object {
    /// Index into [`Plan::names`].
    Region(u32),
    /// Index into [`Plan::names`].
    Config(u32),
    Binding {
        number: E164,
        /// Index into [`Plan::tenants`].
        tenant: u32,
    },
}

enum_words! {
    /// What happens to an object as a whole.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Action {
        Delete = "delete",
        Create = "create",
        Update = "update",
        /// The row holds the declared values already and becomes ours.
        Adopt = "adopt",
        /// The same secret under another key or in another format.
        Reseal = "reseal",
        /// Given back: the row stays and is no longer ours, most often as it is;
        /// a rollback puts back what it held before it became ours.
        Release = "release",
    }
}

/// One object that changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    pub object: Object,
    pub action: Action,
    /// Index into [`Plan::patches`].
    pub patch: u32,
    /// The id of the config or number row; made here for rows to insert.
    /// Absent for regions, and for a binding whose row is gone.
    pub row: Option<Uuid>,
    /// The row that the last apply knew the object by; most often the same.
    pub previous: Option<Uuid>,
    /// Where it is declared; for a delete, where it was when last applied
    /// (in [`Plan::files`] too).
    pub origin: Option<Origin>,
    /// Of a binding: the managed fields of the row that is there.
    pub live: Option<FieldsIx>,
    /// What is ours afterwards; absent when the object stops being ours.
    pub owned: Option<FieldsIx>,
    /// Whether the row is lkroute's own (inserted now or earlier).
    pub inserted: bool,
    /// Whether the row is to be inserted by this plan.
    pub insert: bool,
}

impl Change {
    /// Whether calls of numbers other than its own can depend on the object.
    pub fn is_shared(&self) -> bool {
        !matches!(self.object, Object::Binding { .. })
    }
}

/// Why something is held back.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum WhyHeld {
    /// An apply set it, and a rollback undid that.
    Undone { set_by: ApplyId, undone_by: ApplyId },
    /// It needs an object, by its address, that is held back itself.
    Needs(String),
}

/// Numbers of one tenant that are alike before and alike after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BindingGroup {
    /// Index into [`Plan::tenants`].
    pub tenant: u32,
    /// The live fields, `status` included; `None` for a number that is new.
    pub before: Option<FieldsIx>,
    /// The same with the plan carried out.
    pub after: Option<FieldsIx>,
    pub numbers: u64,
}

/// Number rows that are not ours, counted; the odd ones with examples.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForeignRows {
    pub numbers: u64,
    /// Rows whose number can't be read: never matched.
    pub unreadable: u64,
    /// Ids and reasons of the first of them.
    pub unreadable_rows: Vec<(Uuid, String)>,
    /// Rows whose `rules` is no object.
    pub odd_rules: u64,
}

impl Plan {
    pub fn patch(&self, change: &Change) -> &Patch {
        &self.patches[change.patch as usize]
    }

    pub fn cause(&self, change: &Change) -> ChangeCause {
        self.patch(change).cause()
    }

    pub fn in_conflict(&self, change: &Change) -> bool {
        self.patch(change).in_conflict()
    }

    /// Objects whose fields are not ours to set.
    pub fn conflicts(&self) -> impl Iterator<Item = &Change> {
        self.changes
            .iter()
            .filter(|change| self.in_conflict(change))
    }

    /// Whether every index of a plan that was read from a file leads
    /// somewhere.
    pub fn is_sound(&self) -> bool {
        let within = |ix: u32, len: usize| (ix as usize) < len;
        let set = |ix: Option<FieldsIx>| ix.is_none_or(|ix| within(ix.0, self.pool.len()));
        let object = |object: Object| match object {
            Object::Region(ix) | Object::Config(ix) => within(ix, self.names.len()),
            Object::Binding { tenant, .. } => within(tenant, self.tenants.len()),
        };
        let shown = self
            .outstanding
            .iter()
            .chain(&self.left_alone)
            .chain(&self.held_back);
        let changes = self.changes.iter().chain(shown);
        changes.clone().all(|change| {
            object(change.object)
                && within(change.patch, self.patches.len())
                && set(change.owned)
                && set(change.live)
        }) && self.classes.iter().all(|class| {
            within(class.tenant, self.tenants.len()) && set(class.before) && set(class.after)
        })
    }

    /// Whether an apply would do nothing.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.guards.is_none() && self.aliases.is_empty()
    }

    pub fn address(&self, object: Object) -> Address {
        match object {
            Object::Region(ix) => Address::Region(self.names[ix as usize].clone()),
            Object::Config(ix) => Address::Config(self.names[ix as usize].clone()),
            Object::Binding { number, tenant } => {
                Address::Binding(number, self.tenants[tenant as usize].label())
            }
        }
    }

    /// `file` and line of a change, where it has them: of a config that is
    /// there already the first line that differs.
    pub fn source(&self, change: &Change) -> Option<(&str, u32)> {
        let origin = change.origin?;
        let file = self.files.get(origin.file as usize)?;
        let of_field = match (change.object, change.action) {
            (Object::Config(ix), Action::Update | Action::Reseal) => self.field_lines.get(&ix),
            _ => None,
        };
        let fields = self.patch(change).fields.iter();
        let differing = fields.filter(|field| field.kind != Kind::Adopt);
        let line = differing.filter_map(|field| of_field?.get(&field.field).copied());
        Some((file, line.min().unwrap_or(origin.line)))
    }

    /// The same as a place.
    pub fn place(&self, change: &Change) -> Option<Place> {
        let (file, line) = self.source(change)?;
        Some(Place::line(file, line))
    }

    /// What is known of the secret of this config, where the change writes one
    /// over another.
    pub fn secret_outcome(&self, change: &Change) -> Option<SecretOutcome> {
        let Object::Config(_) = change.object else {
            return None;
        };
        let outcome = self.secrets.get(&change.row?).copied();
        outcome.filter(|_| self.writes_secret(change) && !change.insert)
    }

    /// Whether an apply stores a secret for this config.
    pub fn writes_secret(&self, change: &Change) -> bool {
        let mut fields = self.patch(change).fields.iter();
        let writes = fields.any(|f| f.field == Field::ApiSecret && f.kind.writes());
        change.action != Action::Delete && (change.insert || writes)
    }

    /// A value as people should see it: a config by its name, a URL without
    /// user and password.
    pub fn shown(&self, field: Field, value: &Value) -> Value {
        let named = || {
            let id = Uuid::parse_str(value.as_str()?).ok()?;
            self.config_names.get(&id)
        };
        match field {
            Field::Url => shown_url(value),
            _ if field.names_config() => {
                named().map_or_else(|| value.clone(), |name| name.as_str().into())
            }
            _ => value.clone(),
        }
    }
}

/// A URL without user and password.
pub fn shown_url(value: &Value) -> Value {
    let text = value.as_str().map(without_user_info);
    text.map_or_else(|| value.clone(), std::convert::Into::into)
}
