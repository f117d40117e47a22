//! Who is rerouted, in words. Imports core.

use std::collections::BTreeMap;

use super::escape::code;
use super::style::{counted, thousands};
use crate::impact::reroutes::{
    EffectiveRoute, RerouteGroup, Reroutes, RouteField, RouteSource, tenants,
};

/// How many different moves the sentence tells apart.
const TOLD_APART: usize = 2;

/// What a group of numbers goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Calls fail that went through before.
    Breaks,
    /// From a config to the environment.
    FallsBack,
    /// From one place to another, or refused where it was not.
    Moves,
    /// From the environment, or from failing, to a config.
    Gains,
    /// There was no such number.
    New,
}

pub fn fate(group: &RerouteGroup) -> Fate {
    let Some(before) = &group.before else {
        return Fate::New;
    };
    match (before.source, group.after.source) {
        (RouteSource::Error, RouteSource::Error) => Fate::Moves,
        (_, RouteSource::Error) => Fate::Breaks,
        (RouteSource::Database, RouteSource::Environment) => Fate::FallsBack,
        (RouteSource::Environment | RouteSource::Error, RouteSource::Database) => Fate::Gains,
        _ => Fate::Moves,
    }
}

/// The moves in a few clauses, as Markdown:
/// ``412 numbers of 3 tenants change worker: `a` → `b` ``, `1 number of acme
/// loses its route and falls back to the environment`. None where nobody is
/// rerouted and no number is new.
pub fn clauses(reroutes: &Reroutes) -> Vec<String> {
    let mut parts = told_apart(reroutes);
    for (wanted, one, many) in [
        (
            Fate::Breaks,
            "loses its route: calls fail",
            "lose their route: calls fail",
        ),
        (
            Fate::FallsBack,
            "loses its route and falls back to the environment",
            "lose their route and fall back to the environment",
        ),
        (
            Fate::Gains,
            "gets a route from the database",
            "get a route from the database",
        ),
        (Fate::New, "is new", "are new"),
    ] {
        let groups: Vec<&RerouteGroup> = reroutes
            .groups
            .iter()
            .filter(|g| fate(g) == wanted)
            .collect();
        if !groups.is_empty() {
            let lost = matches!(wanted, Fate::Breaks | Fate::FallsBack);
            let sign = if lost { "⚠️ " } else { "" };
            parts.push(format!("{sign}{}", clause(&groups, one, many)));
        }
    }
    parts
}

/// `412 numbers of 3 tenants`, with the verb for as many.
fn clause(groups: &[&RerouteGroup], one: &str, many: &str) -> String {
    let count: u64 = groups.iter().map(|group| group.count).sum();
    let numbers = counted(count, "number");
    let verb = if count == 1 { one } else { many };
    let whose = match tenants(groups.iter().copied()) {
        0 => String::new(),
        1 => {
            let mut names = groups.iter().flat_map(|group| &group.tenants);
            let name = names.find_map(|share| share.name.as_deref());
            name.map_or(String::new(), |name| format!(" of {}", code(name)))
        }
        many => format!(" of {} tenants", thousands(many as u64)),
    };
    format!("{numbers}{whose} {verb}")
}

/// The commonest moves told apart, the rest counted.
fn told_apart(reroutes: &Reroutes) -> Vec<String> {
    let mut kinds: BTreeMap<String, Vec<&RerouteGroup>> = BTreeMap::new();
    for group in reroutes
        .groups
        .iter()
        .filter(|group| fate(group) == Fate::Moves)
    {
        kinds.entry(difference(group)).or_default().push(group);
    }
    let size = |groups: &Vec<&RerouteGroup>| groups.iter().map(|group| group.count).sum::<u64>();
    let mut kinds: Vec<(String, Vec<&RerouteGroup>)> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, groups)| std::cmp::Reverse(size(groups)));
    let rest = kinds.split_off(TOLD_APART.min(kinds.len()));
    let mut parts: Vec<String> = kinds
        .iter()
        .map(|(what, groups)| match what.starts_with('`') {
            true => clause(groups, &format!("moves {what}"), &format!("move {what}")),
            false => clause(
                groups,
                &format!("changes {what}"),
                &format!("change {what}"),
            ),
        })
        .collect();
    match rest.iter().map(|(_, groups)| size(groups)).sum::<u64>() {
        0 => {}
        1 => parts.push("1 more is rerouted".to_owned()),
        more => parts.push(format!("{} more are rerouted", thousands(more))),
    }
    parts
}

/// `` `a` → `b` `` from config to config, else ``worker: `a` → `b` ``.
fn difference(group: &RerouteGroup) -> String {
    let Some(before) = &group.before else {
        return String::new();
    };
    let after = &group.after;
    let pair = |aspect| {
        let value = |leg| code(&value(leg, aspect));
        format!("{} → {}", value(before), value(after))
    };
    if group.changed.contains(&RouteField::Config) {
        return pair(RouteField::Config);
    }
    match group.changed.as_slice() {
        [aspect] => format!("{}: {}", name(*aspect), pair(*aspect)),
        many => {
            let names: Vec<&str> = many.iter().map(|aspect| name(*aspect)).collect();
            let config = code(&value(before, RouteField::Config));
            format!("{} of {config}", names.join(" and "))
        }
    }
}

/// What people call it.
pub fn name(aspect: RouteField) -> &'static str {
    match aspect {
        RouteField::Source => "route",
        RouteField::Config => "config",
        RouteField::Server => "server",
        RouteField::Trunk => "trunk",
        RouteField::Worker => "worker",
        RouteField::Region => "region",
        RouteField::Outbound => "outbound calls",
    }
}

/// The value of one aspect of a leg, as people read it.
pub fn value(leg: &EffectiveRoute, aspect: RouteField) -> String {
    let or =
        |value: &Option<String>, other: &str| value.clone().unwrap_or_else(|| other.to_owned());
    match aspect {
        RouteField::Source => place(leg),
        RouteField::Config => or(&leg.config, &place(leg)),
        RouteField::Server => or(&leg.server, "LIVEKIT_URL"),
        RouteField::Trunk => or(&leg.trunk, "OUTBOUND_TRUNK_ID"),
        RouteField::Worker => or(&leg.worker, "VOICE_AGENT_NAME or inbound-agent"),
        RouteField::Region => or(&leg.region, "none"),
        RouteField::Outbound if leg.refused => "refused".to_owned(),
        RouteField::Outbound => "allowed".to_owned(),
    }
}

/// Where a leg ends, in a few words.
pub fn place(leg: &EffectiveRoute) -> String {
    match (leg.source, &leg.config) {
        (RouteSource::Database, Some(config)) => config.clone(),
        (RouteSource::Error, _) => "no route".to_owned(),
        _ => "environment".to_owned(),
    }
}
