//! `protected`: objects that no change deletes or sends elsewhere, by whatever
//! name they go. Core: imports the model, `diff` and `impact`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use uuid::Uuid;

use super::context::GuardContext;
use super::violation::{Violation, numbers};
use crate::address::Address;
use crate::diff::plan::{Action, Change, Object, Plan};
use crate::fields::Field;
use crate::finding::Finding;
use crate::impact::change_effects::{ChangedRegions, changes_calls, writes_calls};
use crate::routing::glob::matches_glob;

/// Every name by which the object of a change is known: its address, the one
/// that it had before, and those by id.
pub(crate) fn addresses(plan: &Plan, aliases: &[(Uuid, String)], change: &Change) -> Vec<String> {
    let mut names = vec![plan.address(change.object)];
    match change.object {
        Object::Region(_) => {}
        Object::Config(_) => {
            let mut fields = plan.patch(change).fields.iter();
            let name = fields.find(|field| field.field == Field::Name);
            let before = name.and_then(|name| name.before.as_ref()?.as_str());
            names.extend(before.map(|name| Address::Config(name.to_owned())));
            let id = change.row.or(change.previous);
            names.extend(id.map(|id| Address::Config(id.to_string())));
        }
        Object::Binding { number, tenant } => {
            let id = plan.tenants[tenant as usize].id;
            let before = aliases.iter().find(|(known, _)| *known == id);
            let labels = before.map(|(_, alias)| alias.clone());
            let labels = labels.into_iter().chain([id.to_string()]);
            names.extend(labels.map(|label| Address::Binding(number, label)));
        }
    }
    // Also as people write it who know of no quotes.
    let mut texts: Vec<String> = names.iter().flat_map(Address::spellings).collect();
    let mut seen = BTreeSet::new();
    texts.retain(|name| seen.insert(name.clone()));
    texts
}

/// The protected objects that a plan deletes, sends elsewhere, or takes out of
/// their protection by another name. `globs`: of the files and of the last
/// apply.
pub(crate) fn violations(
    plan: &Plan,
    context: &GuardContext<'_>,
    globs: &[String],
) -> Vec<Violation> {
    if globs.is_empty() {
        return Vec::new();
    }
    let protection = Protection {
        plan,
        context,
        globs,
    };
    let mut found = protection.of_changes();
    found.extend(protection.of_numbers_elsewhere());
    found.extend(protection.of_other_aliases());
    found
}

struct Protection<'a> {
    plan: &'a Plan,
    context: &'a GuardContext<'a>,
    globs: &'a [String],
}

/// Whatever is written in capitals: a uuid is one in every spelling, and a name
/// that differs in that alone is better protected than not.
fn first_match<'a>(globs: &'a [String], names: &[String]) -> Option<&'a str> {
    let names: Vec<Cow<'_, str>> = names.iter().map(|name| in_lower_case(name)).collect();
    let by = |glob: &&String| {
        let glob = in_lower_case(glob);
        names.iter().any(|name| matches_glob(&glob, name))
    };
    globs.iter().find(by).map(String::as_str)
}

fn in_lower_case(text: &str) -> Cow<'_, str> {
    if text
        .bytes()
        .any(|b| b.is_ascii_uppercase() || !b.is_ascii())
    {
        Cow::Owned(text.to_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

/// A warning for each pattern of the files that matches nothing, declared or
/// changed: most likely a slip.
pub(crate) fn idle_patterns(plan: &Plan, context: &GuardContext<'_>) -> Vec<Finding> {
    // What is of another environment alone is not seen here.
    if context.routing.environment.is_some() {
        return Vec::new();
    }
    let mut idle = context.routing.guards.protected.clone();
    let mut look = |names: &[String]| {
        while let Some(glob) = first_match(&idle, names) {
            let met = glob.to_owned();
            idle.retain(|glob| *glob != met);
        }
        idle.is_empty()
    };
    let routing = context.routing;
    let spelled = |address: Address| address.spellings();
    let mut done = look(&[]);
    for name in routing.regions.keys() {
        done = look(&spelled(Address::Region(name.clone())));
    }
    for (name, config) in &routing.configs {
        done = look(&spelled(Address::Config(name.clone())));
        let id = config.id.map(|id| Address::Config(id.to_string()));
        done = id.map_or(done, |id| look(&spelled(id)));
    }
    let changes = plan.changes.iter().chain(&plan.outstanding);
    for change in changes.take_while(|_| !done) {
        look(&addresses(plan, &context.snapshot.tenants, change));
    }
    for binding in &routing.bindings {
        if done {
            break;
        }
        let tenant = routing.tenant(binding);
        let names = [tenant.label(), tenant.id.to_string()];
        let names = names.map(|label| spelled(Address::Binding(binding.number, label)));
        done = look(&names.concat());
    }
    let finding = |glob: &String| {
        let message = format!("`protected` has `{glob}`, which matches nothing here");
        Finding::warning("protects-nothing", message).hint(
            "write it as an address, such as config.NAME or binding.+971*@TENANT, or take it out",
        )
    };
    idle.iter().map(finding).collect()
}

impl<'a> Protection<'a> {
    fn of_changes(&self) -> Vec<Violation> {
        let plan = self.plan;
        let aliases = &self.context.snapshot.tenants;
        let regions = ChangedRegions::new(plan);
        let mut found = Vec::new();
        for (ix, change) in plan.changes.iter().enumerate() {
            let verb = if change.action == Action::Delete {
                "deleted"
            } else if changes_calls(plan, change)
                && !change.insert
                && (change.action != Action::Release || self.is_felt(*change, &regions))
            {
                "changed in what calls depend on"
            } else if renames(plan, change) {
                "renamed, out of that protection"
            } else {
                continue;
            };
            let names = addresses(plan, aliases, change);
            let Some(glob) = first_match(self.globs, &names) else {
                continue;
            };
            let stays = renames(plan, change) && !changes_calls(plan, change);
            if stays && self.still_protected(plan, change) {
                continue;
            }
            let address = &names[0];
            found.push(Violation {
                causes: vec![ix],
                ..Violation::new(
                    "protected",
                    format!("{address} is protected by `{glob}` and would be {verb}"),
                )
            });
        }
        found
    }

    /// Whether the files protect the object under the name that it gets.
    fn still_protected(&self, plan: &Plan, change: &Change) -> bool {
        let id = change.row.map(|id| Address::Config(id.to_string()));
        let names = [Some(plan.address(change.object)), id];
        let names: Vec<String> = names
            .iter()
            .flatten()
            .flat_map(Address::spellings)
            .collect();
        first_match(&self.context.routing.guards.protected, &names).is_some()
    }

    /// Globs that can mean a number.
    fn of_bindings(&self) -> Vec<String> {
        let starts = ["binding.", "*"];
        let wanted = |glob: &&String| {
            let glob = in_lower_case(glob);
            starts.iter().any(|start| glob.starts_with(start))
        };
        self.globs.iter().filter(wanted).cloned().collect()
    }

    fn old_alias(&self, tenant: Uuid) -> Option<&'a str> {
        let mut aliases = self.context.snapshot.tenants.iter();
        let alias = aliases.find(|(id, _)| *id == tenant);
        alias.map(|(_, alias)| alias.as_str())
    }

    /// Protected numbers whose calls change because their config does, or the
    /// region whose countries they may call.
    fn of_numbers_elsewhere(&self) -> Vec<Violation> {
        let plan = self.plan;
        let routing = self.context.routing;
        let globs = self.of_bindings();
        let regions = ChangedRegions::new(plan);
        let mut configs = HashMap::new();
        for (ix, change) in plan.changes.iter().enumerate() {
            if let (Object::Config(name), true) = (change.object, changes_calls(plan, change)) {
                configs.insert(plan.names[name as usize].as_str(), ix);
            }
        }
        if globs.is_empty() || configs.is_empty() && regions.is_empty() {
            return Vec::new();
        }
        let by_region: Vec<Option<usize>> = routing
            .settings
            .iter()
            .map(|settings| {
                let rule = settings.fields.text(Field::AllowedOutbound);
                regions
                    .felt_by(rule)
                    .into_iter()
                    .find(|ix| self.is_felt(plan.changes[*ix], &regions))
            })
            .collect();
        let mut held: BTreeMap<(usize, &str), u64> = BTreeMap::new();
        for binding in &routing.bindings {
            let settings = routing.settings(binding);
            let config = routing.configs.get(&settings.config);
            let fallback = config.and_then(|config| config.fallback.as_deref());
            let by_fallback = fallback.and_then(|name| configs.get(name));
            let by_itself = configs.get(settings.config.as_str());
            let by_itself = by_itself.filter(|ix| writes_calls(plan, &plan.changes[**ix]));
            let by_config = by_itself.or(by_fallback).copied();
            let Some(ix) = by_config.or(by_region[binding.settings as usize]) else {
                continue;
            };
            let tenant = routing.tenant(binding);
            let labels = [
                Some(tenant.label()),
                self.old_alias(tenant.id).map(Into::into),
            ];
            let labels = labels.into_iter().flatten().chain([tenant.id.to_string()]);
            let names: Vec<String> = labels
                .flat_map(|label| Address::Binding(binding.number, label).spellings())
                .collect();
            if let Some(glob) = first_match(&globs, &names) {
                let glob = self.globs.iter().find(|known| *known == glob);
                *held
                    .entry((ix, glob.map_or("", String::as_str)))
                    .or_default() += 1;
            }
        }
        let violations = held.into_iter().map(|((ix, glob), count)| {
            let address = plan.address(plan.changes[ix].object);
            let message = format!(
                "{address} would change calls of {} that `{glob}` protects",
                numbers(count)
            );
            Violation {
                figure: count,
                causes: vec![ix],
                ..Violation::new("protected", message)
            }
        });
        violations.collect()
    }

    /// Whether the change of a region is felt by numbers that were there; of
    /// one that is new or given back, only where terms change by it.
    fn is_felt(&self, change: Change, regions: &ChangedRegions<'_>) -> bool {
        let by_terms = change.insert || change.action == Action::Release;
        let classes = self.plan.classes.iter().zip(&self.context.reroutes.effects);
        let mut felt = classes.filter(|(_, effect)| effect.is_some_and(|e| e.terms_changed));
        !by_terms
            || !matches!(change.object, Object::Region(_))
            || felt.any(|(class, _)| {
                let fields = class.after.map(|ix| self.plan.pool.get(ix));
                let rule = fields.and_then(|fields| fields.text(Field::AllowedOutbound));
                let by = regions.felt_by(rule).into_iter();
                by.map(|ix| self.plan.changes[ix].object)
                    .any(|object| object == change.object)
            })
    }

    /// Tenants whose new alias takes numbers out of their protection.
    fn of_other_aliases(&self) -> Vec<Violation> {
        let routing = self.context.routing;
        let globs = self.of_bindings();
        let renamed: BTreeMap<u32, &str> = (0..)
            .zip(&routing.tenants)
            .filter_map(|(ix, tenant)| {
                let before = self.old_alias(tenant.id)?;
                (tenant.alias.as_deref() != Some(before)).then_some((ix, before))
            })
            .collect();
        if globs.is_empty() || renamed.is_empty() {
            return Vec::new();
        }
        let mut out: BTreeMap<(u32, &str), u64> = BTreeMap::new();
        for binding in &routing.bindings {
            let Some(before) = renamed.get(&binding.tenant) else {
                continue;
            };
            let names = |label: String| Address::Binding(binding.number, label).spellings();
            let Some(glob) = first_match(&globs, &names((*before).to_owned())) else {
                continue;
            };
            let tenant = routing.tenant(binding);
            let now = [names(tenant.label()), names(tenant.id.to_string())].concat();
            if first_match(&routing.guards.protected, &now).is_none() {
                let glob = self.globs.iter().find(|known| *known == glob);
                let glob = glob.map_or("", String::as_str);
                *out.entry((binding.tenant, glob)).or_default() += 1;
            }
        }
        let violations = out.into_iter().map(|((tenant, glob), count)| {
            let after = routing.tenants[tenant as usize].label();
            let before = renamed.get(&tenant).copied().unwrap_or_default();
            let message = format!(
                "tenant `{before}` would be called `{after}`, which takes {} out of the \
                 protection of `{glob}`",
                numbers(count)
            );
            Violation {
                figure: count,
                hint: Some(
                    "write a pattern for the new alias, or for the tenant's uuid, into `protected`",
                ),
                ..Violation::new("protected", message)
            }
        });
        violations.collect()
    }
}

fn renames(plan: &Plan, change: &Change) -> bool {
    let mut fields = plan.patch(change).fields.iter();
    matches!(change.object, Object::Config(_))
        && change.action != Action::Create
        && fields.any(|field| field.field == Field::Name && field.before != field.after)
}
