//! Configs on several servers that take their secret from one place. Core:
//! imports the model.

use std::collections::BTreeMap;

use super::policies::{PolicyViolation, host};
use crate::address::Address;
use crate::fields::Field;
use crate::finding::{Finding, Place};
use crate::routing::{Routing, SecretSource, ServerConfig};

/// Configs that take one secret to several hosts: whoever adds such a config
/// lets another server have tokens that the first one takes.
pub fn shared_sources(routing: &Routing) -> Vec<PolicyViolation> {
    let mut by_source: BTreeMap<String, Vec<(&String, &ServerConfig)>> = BTreeMap::new();
    for (name, config) in &routing.configs {
        if let Some(source) = source_of(routing, config) {
            by_source.entry(source).or_default().push((name, config));
        }
    }
    let mut found = Vec::new();
    for configs in by_source.values() {
        for (name, config) in configs {
            let other = configs
                .iter()
                .find(|(_, other)| host(&other.url) != host(&config.url));
            let Some((other, _)) = other else {
                continue;
            };
            let file = routing.files.get(config.origin.file as usize);
            let place = Place {
                line: *config
                    .lines
                    .get(&Field::ApiSecret)
                    .unwrap_or(&config.origin.line),
                ..Place::file(file.cloned().unwrap_or_default())
            };
            let message = format!(
                "config `{name}` takes its secret from the same place as config `{other}`, which is \
                 on another host"
            );
            found.push(PolicyViolation {
                names: vec![Address::Config((*name).clone()).to_string()],
                finding: Finding::error("secret-shared", message).at(place),
            });
        }
    }
    found
}

/// What names the place that a secret comes from; none for sealed values,
/// which open for one config alone.
fn source_of(routing: &Routing, config: &ServerConfig) -> Option<String> {
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
        SecretSource::Sealed(_) => None,
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
