//! Configs on several servers that have one secret. Core: imports the model
//! and `diff`.

use std::collections::{BTreeMap, BTreeSet};

use super::GuardContext;
use super::policies::{PolicyViolation, host};
use crate::address::Address;
use crate::fields::Field;
use crate::finding::Finding;
use crate::routing::{Routing, SecretSource, ServerConfig};
use crate::sealed::{Sealed, SecretFormat};

/// Configs that take one secret to several hosts: whoever adds such a config
/// lets another server have tokens that the first one takes.
pub(crate) fn shared_sources(context: &GuardContext<'_>) -> Vec<PolicyViolation> {
    let routing = context.routing;
    let mut by_mark: BTreeMap<String, Vec<(&String, &ServerConfig)>> = BTreeMap::new();
    for (name, config) in &routing.configs {
        let found = context.secrets.iter().flat_map(|facts| facts.marks(name));
        let marks = found.map(str::to_owned).chain(declared(routing, config));
        for mark in marks.collect::<BTreeSet<String>>() {
            by_mark.entry(mark).or_default().push((name, config));
        }
    }
    let mut shared: BTreeMap<&String, (&ServerConfig, &String)> = BTreeMap::new();
    for configs in by_mark.values() {
        for (name, config) in configs {
            let mut others = configs.iter();
            let other = others.find(|(_, other)| host(&other.url) != host(&config.url));
            if let Some((other, _)) = other {
                shared.entry(name).or_insert((config, other));
            }
        }
    }
    let violation = |(name, (config, other)): (&String, (&ServerConfig, &String))| {
        let place = routing.field_place(config, Field::ApiSecret);
        let message = format!(
            "config `{name}` takes its secret from the same place as config `{other}`, which is \
             on another host"
        );
        PolicyViolation {
            names: vec![Address::Config(name.clone()).to_string()],
            finding: Finding::error("secret-shared", message).at(place),
        }
    };
    shared.into_iter().map(violation).collect()
}

/// The place that a secret comes from, by what the files say. A value of
/// lkroute's own form opens for one config alone, one of the Python service's
/// for whichever config it is copied to.
fn declared(routing: &Routing, config: &ServerConfig) -> Option<String> {
    match &config.api_secret {
        SecretSource::Env(name) => Some(format!("env {name}")),
        SecretSource::File(path) => {
            let file = routing.files.get(config.origin.file as usize);
            let dir = file.and_then(|file| file.rsplit_once('/'));
            Some(format!(
                "file {}",
                joined(dir.map_or("", |(dir, _)| dir), path)
            ))
        }
        SecretSource::Sealed(text) => {
            let sealed = Sealed::parse(text.as_stored()).ok()?;
            (sealed.format() == SecretFormat::Fernet)
                .then(|| format!("sealed {}", text.as_stored().trim_end()))
        }
    }
}

/// A path below a directory, with `.` and `..` taken out.
fn joined(dir: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let dir = if path.starts_with('/') { "" } else { dir };
    for part in dir.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}
