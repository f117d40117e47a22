//! A digest that names what a plan does, so that what was approved can be
//! told from what would be applied. Core.
//!
//! It is the SHA-256 over sorted lines: the changes with their fields before
//! and after, where the calls of each changed number go and on what terms
//! (through the configs and regions as they are), the guards that are stored,
//! the environment and the database. Configs count by name and tenants by
//! uuid. A secret counts by what is to be seen of it without a key: its sealed
//! text by a hash, a variable or a file by its name; so a plan made without
//! keys has the digest of the one that an apply with keys carries out.
//!
//! Left out is what changes nothing: host, user, lines, comments, counts,
//! generated ids, times, revision, warnings, refusals. So a squash merge, a
//! moved definition, another role or a pooler gives the same digest.

use std::collections::BTreeMap;
use std::fmt::Write;

use hashbrown::HashMap;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::carried_out::{BasisAfter, basis_after};
use super::effective_route::EffectiveRoute;
use crate::address::quoted;
use crate::diff::alias_change::AliasChange;
use crate::diff::binding_classes::carried_out;
use crate::diff::plan::{Action, Change, FieldChange, Kind, Object, Plan};
use crate::fields::{Field, FieldsIx};
use crate::invisible_chars::toml_string;
use crate::resolve::{Fallback, Terms};
use crate::routing::guards::SettingChange;

/// `sha256:` and 64 hex digits.
pub fn digest(plan: &Plan) -> String {
    let mut canonical = DigestLines::new(plan);
    let changes = plan.changes.iter();
    let mut lines: Vec<String> = changes.filter_map(|c| canonical.line(c)).collect();
    let secrets = plan.declared_secrets.iter();
    lines.extend(secrets.map(|(name, secret)| secret_line(name, secret)));
    let guards = plan.guards.iter().flat_map(|change| change.settings());
    lines.extend(guards.map(|setting| guards_line(&setting)));
    let aliases = plan.aliases.iter();
    lines.extend(aliases.map(alias_line));
    lines.extend(
        plan.environment
            .iter()
            .map(|name| format!("environment {}", quoted(name))),
    );
    lines.extend(plan.database.map(|id| format!("database {id}")));
    lines.sort_unstable();
    let mut hash = Sha256::new();
    for line in &lines {
        hash.update(line.as_bytes());
        hash.update(b"\n");
    }
    format!("sha256:{}", hex::encode(hash.finalize()))
}

/// Whether a digest that somebody typed means this one: the `sha256:` may be
/// left out.
pub fn same(typed: &str, digest: &str) -> bool {
    let bare = |text: &str| {
        text.trim()
            .trim_start_matches("sha256:")
            .to_ascii_lowercase()
    };
    bare(typed) == bare(digest)
}

/// What the digest says of each object of a plan, by the object's name.
pub fn lines_by_object(plan: &Plan) -> BTreeMap<String, String> {
    let mut canonical = DigestLines::new(plan);
    let mut lines: BTreeMap<String, String> = BTreeMap::new();
    for change in &plan.changes {
        let line = canonical.line(change).unwrap_or_default();
        lines.insert(object(plan, change), line);
    }
    for (name, secret) in &plan.declared_secrets {
        let line = lines.entry(format!("config.{}", quoted(name))).or_default();
        *line += &secret_line(name, secret);
    }
    lines.retain(|_, line| !line.is_empty());
    lines
}

/// What was said of a change is said again of those alike.
#[derive(PartialEq, Eq, Hash)]
struct BindingLineKey {
    action: Action,
    patch: u32,
    live: Option<FieldsIx>,
    inserted: Option<FieldsIx>,
}

/// Makes the lines of changes.
struct DigestLines<'a> {
    plan: &'a Plan,
    after: BasisAfter,
    bindings: HashMap<BindingLineKey, String, foldhash::fast::RandomState>,
}

impl<'a> DigestLines<'a> {
    fn new(plan: &'a Plan) -> DigestLines<'a> {
        DigestLines {
            plan,
            after: basis_after(plan),
            bindings: HashMap::default(),
        }
    }

    /// One change on one line; none for what only keys can tell.
    fn line(&mut self, change: &Change) -> Option<String> {
        let object = object(self.plan, change);
        let text = match change.object {
            Object::Region(name) => self.region(change, &self.plan.names[name as usize]),
            Object::Config(_) => self.config(change)?,
            Object::Binding { .. } => self.binding(change),
        };
        Some(format!("{object} {text}"))
    }

    fn fields(&self, change: &Change, wanted: impl Fn(Field) -> bool) -> String {
        let fields = self.plan.patch(change).fields.iter();
        let fields = fields.filter(|changed| wanted(changed.field));
        fields.fold(String::new(), |mut text, changed| {
            let _ = write!(text, " {}", field(self.plan, changed));
            text
        })
    }

    fn region(&self, change: &Change, name: &str) -> String {
        let codes = self.plan.basis.regions.0.get(name).into_iter().flatten();
        let codes: Vec<String> = codes.map(ToString::to_string).collect();
        let fields = self.fields(change, |_| true);
        format!("{}{fields} before {}", change.action.as_str(), json!(codes))
    }

    /// Whether the secret is another one is not said here: see
    /// [`Plan::declared_secrets`].
    fn config(&self, change: &Change) -> Option<String> {
        let ends = matches!(change.action, Action::Delete | Action::Release);
        let fields = self.fields(change, |field| ends || field != Field::ApiSecret);
        let written = matches!(change.action, Action::Update | Action::Reseal);
        if fields.is_empty() && written {
            return None;
        }
        let action = match change.action {
            Action::Reseal => Action::Update,
            action @ (Action::Delete
            | Action::Create
            | Action::Update
            | Action::Adopt
            | Action::Release) => action,
        };
        let row = change.row.and_then(|id| self.plan.basis.configs.get(id));
        let before: Vec<Option<Value>> = Field::OF_CONFIG
            .into_iter()
            .filter(|field| *field != Field::ApiSecret)
            .map(|field| Some(self.plan.shown(field, row?.fields.get(field)?)))
            .collect();
        Some(format!(
            "{}{fields} before {}",
            action.as_str(),
            json!(before)
        ))
    }

    fn binding(&mut self, change: &Change) -> String {
        let key = BindingLineKey {
            action: change.action,
            patch: change.patch,
            live: change.live,
            inserted: change.owned.filter(|_| change.insert),
        };
        if let Some(known) = self.bindings.get(&key) {
            return known.clone();
        }
        let calls = self.calls(change);
        let fields = self.fields(change, |_| true);
        let text = format!("{}{fields} calls {calls}", change.action.as_str());
        let short = hex::encode(&Sha256::digest(text.as_bytes())[..16]);
        self.bindings.insert(key, short.clone());
        short
    }

    /// Where the calls of a number go and on what terms, before and after.
    fn calls(&self, change: &Change) -> Value {
        let plan = self.plan;
        let live = change.live.map(|ix| plan.pool.get(ix));
        let after = match live {
            Some(live) => Some(carried_out(live, plan.patch(change))),
            None => change
                .owned
                .filter(|_| change.insert)
                .map(|ix| plan.pool.get(ix).clone()),
        };
        let before = live.map(|fields| EffectiveRoute::with(&plan.basis, fields));
        let after = after.map(|fields| EffectiveRoute::with(&self.after.basis, &fields));
        json!([before.as_ref().map(calls_of), after.as_ref().map(calls_of)])
    }
}

/// A route and its terms, without the secret and without ids.
fn calls_of(route: &EffectiveRoute) -> Value {
    let EffectiveRoute {
        source,
        config,
        config_id: _,
        server,
        api_key,
        secret: _,
        trunk,
        worker,
        deployment,
        fallback,
        region,
        terms,
        error,
    } = route;
    let source = source.as_str();
    let fallback = fallback.as_ref().map(Fallback::label);
    let terms = terms.as_ref().map(|terms| {
        let Terms {
            inbound,
            outbound,
            countries,
            dialled,
        } = terms;
        json!([
            inbound.as_str(),
            outbound.as_str(),
            countries.prefixes(),
            dialled.to_string()
        ])
    });
    json!([
        source, config, server, api_key, trunk, worker, deployment, fallback, region, terms, error
    ])
}

/// The declared secret of a config against the stored one.
fn secret_line(name: &str, secret: &FieldChange) -> String {
    let text = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), Value::to_string);
    let drift = if secret.kind == Kind::Drift {
        " drift"
    } else {
        ""
    };
    let (before, after) = (text(&secret.before), text(&secret.after));
    format!("secret.{} {before} {after}{drift}", quoted(name))
}

/// A setting of the guards that changes, on one line.
fn guards_line(setting: &SettingChange) -> String {
    let text = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), Value::to_string);
    let (before, after) = (text(&setting.before), text(&setting.after));
    format!("guards.{} {before} {after}", setting.name)
}

/// The name of a tenant that changes, on one line.
fn alias_line(change: &AliasChange) -> String {
    let name = |name: &Option<String>| name.as_deref().map_or("-".to_owned(), toml_string);
    let (before, after) = (name(&change.before), name(&change.after));
    format!("tenant {} {before} {after}", change.tenant)
}

/// The object of a change, alike in every plan.
pub fn object(plan: &Plan, change: &Change) -> String {
    match change.object {
        Object::Region(ix) => format!("region.{}", quoted(&plan.names[ix as usize])),
        Object::Config(ix) => format!("config.{}", quoted(&plan.names[ix as usize])),
        Object::Binding { number, tenant } => {
            format!("binding.{number}@{}", plan.tenants[tenant as usize].id)
        }
    }
}

/// A field of a change: name, why, before and after.
pub fn field(plan: &Plan, change: &FieldChange) -> String {
    let FieldChange {
        field,
        before,
        after,
        kind,
        applied: _,
    } = change;
    let value = |value: &Option<Value>| match value {
        Some(value) => plan.shown(*field, value).to_string(),
        None => "-".to_owned(),
    };
    format!("{field} {kind:?} {} {}", value(before), value(after))
}
