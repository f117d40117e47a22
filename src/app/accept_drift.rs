//! Values of the database, written into the files: what `drift --accept`
//! does. Imports core and `files`.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use super::{Context, Stop, editing, routing_files};
use crate::address::Address;
use crate::diff::plan::{Change, FieldChange, Kind, Object};
use crate::diff::target;
use crate::error::{Error, Result};
use crate::fields::Field;
use crate::files::{self, Tree};
use crate::finding::Finding;
use crate::history::drift::Drift;
use crate::phone::E164;
use crate::routing::{Routing, SecretSource};
use crate::snapshot::Snapshot;
use crate::source::write::edit::{Edit, Edits};
use crate::source::{self, Sources, Texts};

/// The drift, and the files that it goes into.
pub(super) struct Accepting<'a> {
    context: &'a Context<'a>,
    drift: &'a Drift,
    snapshot: &'a Snapshot,
    routing: Routing,
    files: BTreeMap<String, Edits>,
    /// What has to be declared once the files are edited.
    expected: Vec<Expected>,
}

/// Where an object is declared.
#[derive(Clone)]
enum Declared {
    Config(String),
    Binding(E164, Uuid),
}

struct Expected {
    address: Address,
    object: Declared,
    /// `None`: it is no longer declared.
    fields: Option<Vec<(Field, Option<Value>)>>,
}

/// What became of one object.
pub struct Accepted {
    pub address: String,
    /// The file that it is in.
    pub file: String,
    /// The files said before what the database holds: nothing was to be
    /// written.
    pub said_already: bool,
}

impl<'a> Accepting<'a> {
    /// Loads the files, which must be valid.
    pub(super) fn new(
        context: &'a Context<'a>,
        drift: &'a Drift,
        snapshot: &'a Snapshot,
    ) -> Result<Accepting<'a>, Stop> {
        Ok(Accepting {
            context,
            drift,
            snapshot,
            routing: routing_files::load_valid(context)?.routing,
            files: BTreeMap::new(),
            expected: Vec::new(),
        })
    }

    /// Writes all or nothing. `wanted`: `None` for all that has drifted.
    pub(super) fn accept(mut self, wanted: Option<&[Address]>) -> Result<Vec<Accepted>, Stop> {
        let drift = self.drift;
        let mut accepted = Vec::new();
        let mut asked = wanted.map(<[Address]>::to_vec);
        for change in &drift.plan.changes {
            let address = drift.plan.address(change.object);
            if let Some(asked) = &mut asked {
                let before = asked.len();
                asked.retain(|other| !target::names(&drift.plan, change.object, other));
                if asked.len() == before {
                    continue;
                }
            }
            let file = self.take(change, &address)?;
            let expected = self.expected.last();
            accepted.push(Accepted {
                address: address.to_string(),
                file,
                said_already: expected.is_some_and(|expected| expected.holds(&self.routing)),
            });
        }
        if let Some(unknown) = asked.and_then(|asked| asked.into_iter().next()) {
            let error = Error::new(format!("{unknown} has not drifted"));
            return Err(error.hint("`lkroute drift` lists what has").into());
        }
        let edited = editing::edited(self.context, &self.files)?;
        self.check(&edited)?;
        files::rewrite_files(&edited.into_values().collect::<Vec<_>>())?;
        Ok(accepted)
    }

    /// Notes the edits of one object; the file that they go into.
    fn take(&mut self, change: &Change, address: &Address) -> Result<String> {
        if self.drift.plan.in_conflict(change) {
            let message = format!("{address}: the row is in a state that files can't describe");
            return Err(Error::new(message).hint("`lkroute drift` says which"));
        }
        let (declared, file) = self.declared(change).ok_or_else(|| {
            Error::new(format!("{address} is not declared in the files"))
                .hint("it was applied from other files, or taken out since")
        })?;
        let (edits, fields) = if change.insert {
            (vec![Edit::Remove], None)
        } else {
            let values = self.values(change, address, &declared)?;
            let edits = values
                .iter()
                .map(|(field, value)| Edit::Set(*field, value.clone()));
            (edits.collect(), Some(values))
        };
        self.expected.push(Expected {
            address: address.clone(),
            object: declared.clone(),
            fields,
        });
        let environment = self.context.settings.environment.clone();
        let tenants = self.routing.tenants.iter();
        let aliases = tenants.filter_map(|tenant| Some((tenant.alias.clone()?, tenant.id)));
        let of_file = self.files.entry(file.clone()).or_insert_with(|| Edits {
            aliases: aliases.collect(),
            environment,
            ..Edits::default()
        });
        match declared {
            Declared::Config(name) => of_file.configs.insert(name, edits),
            Declared::Binding(number, tenant) => of_file.bindings.insert((number, tenant), edits),
        };
        Ok(file)
    }

    /// The object in the files, and the file.
    fn declared(&self, change: &Change) -> Option<(Declared, String)> {
        let plan = &self.drift.plan;
        let file = |ix: u32| self.routing.files.get(ix as usize).cloned();
        match change.object {
            Object::Region(_) => None,
            Object::Config(ix) => {
                let applied = plan.names[ix as usize].as_str();
                let mut configs = self.routing.configs.iter();
                let same =
                    |(name, config): &(&String, &crate::routing::ServerConfig)| match config.id {
                        Some(id) => Some(id) == change.previous,
                        None => *name == applied || config.formerly.as_deref() == Some(applied),
                    };
                let (name, config) = configs.find(same)?;
                Some((Declared::Config(name.clone()), file(config.origin.file)?))
            }
            Object::Binding { number, tenant } => {
                let tenant = plan.tenants[tenant as usize].id;
                let mut bindings = self.routing.bindings.iter();
                let same = |binding: &&crate::routing::Binding| {
                    binding.number == number && self.routing.tenant(binding).id == tenant
                };
                let binding = bindings.find(same)?;
                Some((
                    Declared::Binding(number, tenant),
                    file(binding.origin.file)?,
                ))
            }
        }
    }

    /// What the row holds, as the files write it.
    fn values(
        &self,
        change: &Change,
        address: &Address,
        declared: &Declared,
    ) -> Result<Vec<(Field, Option<Value>)>> {
        let fields = self.drift.plan.patch(change).fields.iter();
        let drifted = fields.filter(|field| field.kind == Kind::Drift);
        let values = drifted.map(|field| {
            let value = match field.field {
                Field::ApiSecret => Some(self.secret(change, declared)?),
                Field::Config => self.config(field)?,
                _ => field.before.clone(),
            };
            match value {
                Some(Value::Null) => Err(Error::new(format!(
                    "`{}` is JSON null in the database, which files can't say",
                    field.field
                ))
                .hint("set it back with `lkroute apply --revert-drift`")),
                value => Ok((field.field, value)),
            }
        });
        values
            .collect::<Result<_>>()
            .map_err(|error: Error| error.within(&address.to_string()))
    }

    fn config(&self, field: &FieldChange) -> Result<Option<Value>> {
        let Some(live) = field.before.as_ref().filter(|live| !live.is_null()) else {
            return Err(
                Error::new("it has no config any more, which files can't say")
                    .hint("take it out of the files, or set it back"),
            );
        };
        let id = live.as_str().and_then(|id| Uuid::parse_str(id).ok());
        let by_id = |(name, config): (&String, &crate::routing::ServerConfig)| {
            (config.id.is_some() && config.id == id).then(|| name.clone())
        };
        let applied = id.and_then(|id| self.drift.plan.config_names.get(&id));
        let by_name = applied.filter(|name| {
            let config = self.routing.configs.get(*name);
            config.is_some_and(|config| config.id.is_none())
        });
        let name = self
            .routing
            .configs
            .iter()
            .find_map(by_id)
            .or(by_name.cloned());
        let name = name.ok_or_else(|| {
            let live = self.drift.plan.shown(Field::Config, live);
            Error::new(format!(
                "it uses config {live} now, which the files don't declare"
            ))
            .hint("declare that config first, or set it back")
        })?;
        Ok(Some(name.into()))
    }

    /// The sealed text of the row, for a config whose secret is in the files.
    fn secret(&self, change: &Change, declared: &Declared) -> Result<Value> {
        let Declared::Config(name) = declared else {
            return Err(Error::new("a binding has no secret"));
        };
        let source = self
            .routing
            .configs
            .get(name)
            .map(|config| &config.api_secret);
        let kept = match source {
            Some(SecretSource::Env(variable)) => format!("the variable {variable}"),
            Some(SecretSource::File(path)) => format!("the file {path}"),
            Some(SecretSource::Sealed(_)) | None => {
                let row = self
                    .snapshot
                    .configs
                    .iter()
                    .find(|row| Some(row.id) == change.row);
                let text = row.map(|row| &row.secret);
                let text = text.filter(|text| text.digest().starts_with("sha256:"));
                return text.map(|text| text.as_stored().into()).ok_or_else(|| {
                    Error::new("its secret is plain text in the database, which files never hold")
                        .hint("seal it anew with `lkroute secrets seal`, then `lkroute adopt` it")
                });
            }
        };
        Err(Error::new(format!(
            "its secret comes from {kept}: it has to be changed there"
        )))
    }

    /// Whether the edited files say what the database holds: a rollout, for
    /// one, may decide otherwise.
    fn check(&self, edited: &BTreeMap<String, files::FileEdit>) -> Result<(), Stop> {
        let tree = Tree::open(&self.context.settings.routing);
        let mut texts = Vec::new();
        for (ix, path) in tree.paths().iter().enumerate() {
            let text = match edited.get(path) {
                Some(edit) => edit.after.clone().into_bytes(),
                None => tree
                    .read(ix)
                    .map_err(|reason| Error::new(format!("{path}: {reason}")))?
                    .into_owned(),
            };
            texts.push((path.clone(), text));
        }
        let options = self.context.settings.load_options();
        let loaded = source::load_routing(&Texts::new(texts), &options);
        if loaded.has_errors() {
            let errors = loaded.findings.into_iter().filter(Finding::is_error);
            return Err(Stop::Invalid(errors.collect()));
        }
        match self.expected.iter().find(|e| !e.holds(&loaded.routing)) {
            None => Ok(()),
            Some(expected) => {
                let message = format!(
                    "{}: what the database holds can't be written into its place in the files",
                    expected.address
                );
                let hint = "a rollout or a default decides otherwise; edit it by hand. \
                            No file was changed";
                Err(Error::new(message).hint(hint).into())
            }
        }
    }
}

impl Expected {
    fn holds(&self, routing: &Routing) -> bool {
        let declared = match &self.object {
            Declared::Config(name) => routing
                .configs
                .get(name)
                .map(|config| config.fields(name).with(Field::ApiSecret, "")),
            Declared::Binding(number, tenant) => {
                let mut bindings = routing.bindings.iter();
                let same = |binding: &&crate::routing::Binding| {
                    binding.number == *number && routing.tenant(binding).id == *tenant
                };
                bindings.find(same).map(|binding| {
                    let settings = routing.settings(binding);
                    settings
                        .fields
                        .clone()
                        .with(Field::Config, settings.config.as_str())
                })
            }
        };
        match (&declared, &self.fields) {
            (None, None) => true,
            (Some(declared), Some(expected)) => {
                let mut expected = expected.iter();
                expected.all(|(field, value)| match (field, &self.object) {
                    (Field::ApiSecret, Declared::Config(name)) => {
                        sealed(routing, name) == value.as_ref().and_then(Value::as_str)
                    }
                    _ => declared.get(*field) == value.as_ref(),
                })
            }
            _ => false,
        }
    }
}

/// The sealed text that the files hold for a config.
fn sealed<'r>(routing: &'r Routing, config: &str) -> Option<&'r str> {
    match &routing.configs.get(config)?.api_secret {
        SecretSource::Sealed(text) => Some(text.as_stored()),
        SecretSource::Env(_) | SecretSource::File(_) => None,
    }
}
