//! What happens to calls, in words. Imports core.

use std::collections::BTreeMap;

use super::escape::code_span;
use super::style::{counted, thousands};
use crate::impact::reroutes::{
    CallField, EffectiveRoute, RerouteGroup, Reroutes, RouteSource, tenants,
};
use crate::impact::window_sum::{WindowSum, applies};
use crate::phone::PrefixSet;
use crate::resolve::{Fallback, Switch};
use crate::routing::PRODUCTION;

/// How many different moves the sentence tells apart.
const MOVES_APART: usize = 2;
/// How many different changes of terms.
const TERMS_APART: usize = 4;
/// How many places that new numbers go to.
const NEW_APART: usize = 3;

/// What a group of numbers goes through, as far as its route goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RouteFate {
    /// Calls fail that went through before.
    Breaks,
    /// From a config to the environment.
    FallsBack,
    /// From one place to another.
    Moves,
    /// From the environment, or from failing, to a config.
    Gains,
    /// Calls go where they went, at most on other terms.
    Stays,
    /// There was no such number.
    New,
}

pub(crate) fn group_fate(group: &RerouteGroup) -> RouteFate {
    let Some(before) = &group.before else {
        return RouteFate::New;
    };
    match (before.source, group.after.source) {
        (RouteSource::Database | RouteSource::Environment, RouteSource::Error) => RouteFate::Breaks,
        (RouteSource::Database, RouteSource::Environment) => RouteFate::FallsBack,
        (RouteSource::Environment | RouteSource::Error, RouteSource::Database) => RouteFate::Gains,
        _ if group.effect.rerouted => RouteFate::Moves,
        _ => RouteFate::Stays,
    }
}

/// The changes in a few clauses, as Markdown:
/// ``412 numbers of 3 tenants change worker: `a` → `b` ``, ``400 numbers of
/// `acme`: calls to +971 allowed → refused``. None where nothing changes that
/// a call depends on, and no number is new.
pub(crate) fn move_clauses(reroutes: &Reroutes) -> Vec<String> {
    let groups = &reroutes.groups;
    let mut parts = moved_clauses(groups);
    parts.extend(on_other_terms(groups));
    parts.extend(not_compared(groups));
    for (wanted, one, many) in [
        (
            RouteFate::Breaks,
            "loses its route: calls fail",
            "lose their route: calls fail",
        ),
        (
            RouteFate::FallsBack,
            "loses its route and falls back to the environment",
            "lose their route and fall back to the environment",
        ),
        (
            RouteFate::Gains,
            "gets a route from the database",
            "get a route from the database",
        ),
    ] {
        let groups: Vec<&RerouteGroup> =
            groups.iter().filter(|g| group_fate(g) == wanted).collect();
        if !groups.is_empty() {
            let lost = matches!(wanted, RouteFate::Breaks | RouteFate::FallsBack);
            parts.push(one_clause(lost, &groups, one, many));
        }
    }
    parts.extend(new(groups));
    parts.extend(reroutes.window.as_ref().and_then(in_window));
    parts.extend(reroutes.window.as_ref().and_then(uncounted));
    parts
}

/// What the applies of the window add to what the plan does, where they do.
fn in_window(sum: &WindowSum) -> Option<String> {
    if sum.added == 0 || sum.applies.is_empty() {
        return None;
    }
    let numbers = counted(sum.affected, "number");
    let applies = applies(&sum.applies);
    Some(format!("{numbers} within {}, with {applies}", sum.window))
}

/// That applies of an lkroute before accounts are not among them.
fn uncounted(sum: &WindowSum) -> Option<String> {
    let last = sum.uncounted.filter(|_| sum.added > 0)?;
    Some(format!(
        "apply {last} and those before it kept no account: what they moved within {} is not \
         counted",
        sum.window
    ))
}

/// `412 numbers of 3 tenants`, with the verb for as many.
fn one_clause(warns: bool, groups: &[&RerouteGroup], one: &str, many: &str) -> String {
    let count = total_numbers(groups);
    let sign = if warns { "⚠️ " } else { "" };
    let verb = if count == 1 { one } else { many };
    format!("{sign}{} {verb}", numbers_of(groups))
}

/// The same, with what changes behind a colon.
fn clause_of(warns: bool, groups: &[&RerouteGroup], what: &str) -> String {
    let sign = if warns { "⚠️ " } else { "" };
    format!("{sign}{}: {what}", numbers_of(groups))
}

/// `412 numbers of 3 tenants`.
fn numbers_of(groups: &[&RerouteGroup]) -> String {
    let numbers = counted(total_numbers(groups), "number");
    match tenants(groups.iter().copied()) {
        0 => numbers,
        1 => {
            let mut names = groups.iter().flat_map(|group| &group.tenants);
            let name = names.find_map(|share| share.name.as_deref());
            name.map_or(numbers.clone(), |name| {
                format!("{numbers} of {}", code_span(name))
            })
        }
        many => format!("{numbers} of {} tenants", thousands(many as u64)),
    }
}

fn total_numbers(groups: &[&RerouteGroup]) -> u64 {
    groups.iter().map(|group| group.count).sum()
}

/// Groups by what is said of them, the most numbers first; those that are too
/// many to be told apart are counted.
fn told_apart<'a>(
    pairs: impl Iterator<Item = (String, &'a RerouteGroup)>,
    most: usize,
) -> (Vec<(String, Vec<&'a RerouteGroup>)>, u64) {
    let mut kinds: BTreeMap<String, Vec<&RerouteGroup>> = BTreeMap::new();
    for (what, group) in pairs {
        kinds.entry(what).or_default().push(group);
    }
    let mut kinds: Vec<(String, Vec<&RerouteGroup>)> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, groups)| std::cmp::Reverse(total_numbers(groups)));
    let rest = kinds.split_off(most.min(kinds.len()));
    let rest = rest.iter().map(|(_, groups)| total_numbers(groups)).sum();
    (kinds, rest)
}

fn moved_clauses(groups: &[RerouteGroup]) -> Vec<String> {
    let moving = groups
        .iter()
        .filter(|group| group_fate(group) == RouteFate::Moves);
    let (kinds, rest) = told_apart(moving.map(|g| (route_difference(g), g)), MOVES_APART);
    let mut parts: Vec<String> = kinds
        .iter()
        .map(|(what, groups)| {
            let verb = if what.starts_with('`') {
                "move"
            } else {
                "change"
            };
            let (one, many) = (format!("{verb}s {what}"), format!("{verb} {what}"));
            one_clause(false, groups, &one, &many)
        })
        .collect();
    match rest {
        0 => {}
        1 => parts.push("1 more is rerouted".to_owned()),
        more => parts.push(format!("{} more are rerouted", thousands(more))),
    }
    parts
}

fn on_other_terms(groups: &[RerouteGroup]) -> Vec<String> {
    let pairs = groups.iter().flat_map(|group| {
        let fields = group.changed.iter().filter(|field| !field.is_route());
        let before = group.before.as_ref();
        fields.filter_map(move |field| Some((terms_change(before?, &group.after, *field), group)))
    });
    let (kinds, rest) = told_apart(pairs, TERMS_APART);
    let warns = |groups: &[&RerouteGroup]| {
        let mut groups = groups.iter();
        groups.any(|group| group.effect.stopped || group.effect.widened)
    };
    let mut parts: Vec<String> = kinds
        .iter()
        .map(|(what, groups)| clause_of(warns(groups), groups, what))
        .collect();
    match rest {
        0 => {}
        more => parts.push(format!("{} of other terms", counted(more, "more change"))),
    }
    parts
}

fn not_compared(groups: &[RerouteGroup]) -> Option<String> {
    let unknown: Vec<&RerouteGroup> = groups.iter().filter(|g| g.secret_not_compared).collect();
    (!unknown.is_empty()).then(|| clause_of(false, &unknown, "API secret not compared"))
}

/// Where the new numbers go.
fn new(groups: &[RerouteGroup]) -> Vec<String> {
    let new = groups
        .iter()
        .filter(|group| group_fate(group) == RouteFate::New);
    let (kinds, rest) = told_apart(
        new.map(|group| (landing_place(&group.after), group)),
        NEW_APART,
    );
    let mut parts: Vec<String> = kinds
        .iter()
        .map(|(place, groups)| {
            let (one, many) = (format!("is new → {place}"), format!("are new → {place}"));
            one_clause(false, groups, &one, &many)
        })
        .collect();
    match rest {
        0 => {}
        1 => parts.push("1 more is new".to_owned()),
        more => parts.push(format!("{} more are new", thousands(more))),
    }
    parts
}

fn landing_place(route: &EffectiveRoute) -> String {
    let place = if route.is_database() {
        code_span(&route_end(route))
    } else {
        route_end(route)
    };
    let terms = route.terms.as_ref();
    if terms.is_some_and(|terms| terms.callable().is_empty()) {
        format!("{place}, calls out refused")
    } else {
        place
    }
}

/// `` `a` → `b` `` from config to config, else ``worker: `a` → `b` ``.
fn route_difference(group: &RerouteGroup) -> String {
    let Some(before) = &group.before else {
        return String::new();
    };
    let after = &group.after;
    let pair = |field| {
        let value = |route| code_span(&field_value(route, field));
        format!("{} → {}", value(before), value(after))
    };
    let changed = group.changed.iter().filter(|field| field.is_route());
    let changed: Vec<CallField> = changed.copied().collect();
    if changed.contains(&CallField::Config) {
        let (old, new) = (config_apart(before, after), config_apart(after, before));
        return format!("{old} → {new}");
    }
    match changed.as_slice() {
        [field] => format!("{}: {}", field_name(*field), pair(*field)),
        many => {
            let names: Vec<&str> = many.iter().map(|field| field_name(*field)).collect();
            let config = code_span(&field_value(before, CallField::Config));
            format!("{} of {config}", names.join(" and "))
        }
    }
}

/// A config against another: with its server, or its id, where both have one name, as
/// where names change places.
pub(crate) fn config_apart(route: &EffectiveRoute, other: &EffectiveRoute) -> String {
    let name = code_span(&field_value(route, CallField::Config));
    if route.config.is_none() || route.config != other.config {
        return name;
    }
    let id = || route.config_id.map(|id| id.to_string());
    let host = route.host().filter(|host| other.host() != Some(*host));
    match host.map(str::to_owned).or_else(id) {
        Some(apart) => format!("{name} ({})", code_span(&apart)),
        None => name,
    }
}

/// A change of terms or credentials: `calls to +971 allowed → refused`.
fn terms_change(before: &EffectiveRoute, after: &EffectiveRoute, field: CallField) -> String {
    match field {
        CallField::Secret => "another API secret".to_owned(),
        CallField::Countries => countries_change(before, after),
        CallField::Source
        | CallField::Config
        | CallField::Server
        | CallField::Trunk
        | CallField::Worker
        | CallField::Deployment
        | CallField::Region
        | CallField::ApiKey
        | CallField::Fallback
        | CallField::Inbound
        | CallField::Outbound
        | CallField::Dialled => {
            let value = |route| value_in_sentence(&field_value(route, field));
            format!("{} {} → {}", field_name(field), value(before), value(after))
        }
    }
}

fn countries_change(before: &EffectiveRoute, after: &EffectiveRoute) -> String {
    let (Some(before), Some(after)) = (&before.terms, &after.terms) else {
        return String::new();
    };
    let (old, new) = (&before.countries, &after.countries);
    if before.outbound != Switch::On || after.outbound != Switch::On {
        return format!("countries {old} → {new}");
    }
    let calls = |set: &PrefixSet| {
        let set = set.to_string();
        if set.starts_with("anywhere") {
            format!("calls {set}")
        } else {
            format!("calls to {set}")
        }
    };
    let parts = [
        (old.without(new), "allowed → refused"),
        (new.without(old), "refused → allowed"),
    ];
    let parts = parts.iter().filter(|(set, _)| !set.is_empty());
    let parts: Vec<String> = parts
        .map(|(set, change)| format!("{} {change}", calls(set)))
        .collect();
    parts.join(", ")
}

/// A value within a sentence; as code where it holds more than words.
fn value_in_sentence(value: &str) -> String {
    let plain = |c: char| c.is_ascii_digit() || " …+,".contains(c);
    let words = ["allowed", "refused", "+CC…"];
    if words.contains(&value) || value.chars().all(plain) {
        value.to_owned()
    } else {
        code_span(value)
    }
}

/// What people call it.
pub(crate) fn field_name(field: CallField) -> &'static str {
    match field {
        CallField::Source => "route",
        CallField::Config => "config",
        CallField::Server => "server",
        CallField::Trunk => "trunk",
        CallField::Worker => "worker",
        CallField::Deployment => "deployment",
        CallField::Fallback => "fallback",
        CallField::Region => "region",
        CallField::ApiKey => "API key",
        CallField::Secret => "API secret",
        CallField::Inbound => "calls in",
        CallField::Outbound => "calls out",
        CallField::Countries => "countries",
        CallField::Dialled => "dialled",
    }
}

/// The value of one field of a route, as people read it.
pub(crate) fn field_value(route: &EffectiveRoute, field: CallField) -> String {
    let or =
        |value: &Option<String>, other: &str| value.clone().unwrap_or_else(|| other.to_owned());
    let various = String::new;
    let terms = route.terms.as_ref();
    match field {
        CallField::Source => route_end(route),
        CallField::Config => or(&route.config, &route_end(route)),
        CallField::Server => or(&route.server, "LIVEKIT_URL"),
        CallField::Trunk => or(&route.trunk, "OUTBOUND_TRUNK_ID"),
        CallField::Worker => or(&route.worker, "VOICE_AGENT_NAME or inbound-agent"),
        CallField::Fallback => {
            let fallback = route.fallback.as_ref();
            fallback.map_or_else(|| "none".to_owned(), Fallback::label)
        }
        CallField::Deployment => or(&route.deployment, PRODUCTION),
        CallField::Region => or(&route.region, "none"),
        CallField::ApiKey => or(&route.api_key, "LIVEKIT_API_KEY"),
        // Not even its hash: who reads a report can do nothing with it.
        CallField::Secret => "(secret)".to_owned(),
        CallField::Inbound => terms.map_or_else(various, |t| t.inbound.as_str().to_owned()),
        CallField::Outbound => terms.map_or_else(various, |t| t.outbound.as_str().to_owned()),
        CallField::Countries => terms.map_or_else(various, |t| t.countries.to_string()),
        CallField::Dialled => terms.map_or_else(various, |t| t.dialled.to_string()),
    }
}

/// Where a route ends, in a few words.
pub(crate) fn route_end(route: &EffectiveRoute) -> String {
    match (route.source, &route.config) {
        (RouteSource::Database, Some(config)) => config.clone(),
        (RouteSource::Error, _) => "no route".to_owned(),
        _ => "environment".to_owned(),
    }
}
