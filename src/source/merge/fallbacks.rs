//! The fallbacks of configs: each leads to a config that can take the call,
//! and none of them in a circle. Core; imports only core.

use std::collections::BTreeMap;

use super::merger::Merge;
use crate::finding::Finding;
use crate::source::parse::parsed_file::Ref;

impl Merge<'_> {
    /// `fallbacks` are those of the declared configs, by the config's name.
    pub(super) fn fallbacks(&mut self, fallbacks: &BTreeMap<String, Ref>) {
        for (name, fallback) in fallbacks {
            if !self.check_config(fallback) {
                continue;
            }
            let error =
                |code, message: String| Finding::error(code, message).at(fallback.place.clone());
            if let Some(circle) = circle(name, fallbacks) {
                let message = format!("fallbacks go in a circle: {circle}");
                let hint = "a call takes one step at most: leave one of them out";
                self.findings
                    .add(error("fallback-circle", message).hint(hint));
                continue;
            }
            let config = self.routing.configs.get(&fallback.name);
            if config.is_some_and(|config| config.trunk_id.is_none()) {
                let message = format!("config `{}` has no `trunk_id`", fallback.name);
                let hint = "a trunk belongs to one server: a fallback needs one of its own";
                self.findings
                    .add(error("fallback-without-trunk", message).hint(hint));
            }
        }
    }
}

/// The way from a config back to itself, in words.
fn circle(name: &str, fallbacks: &BTreeMap<String, Ref>) -> Option<String> {
    let mut way = vec![name];
    while let Some(next) = fallbacks.get(*way.last()?) {
        let next = next.name.as_str();
        if next == name {
            way.push(next);
            return Some(way.join(" → "));
        }
        // A circle that this config only leads into is told of its own.
        if way.contains(&next) {
            return None;
        }
        way.push(next);
    }
    None
}
