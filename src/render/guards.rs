//! A change of what is stored beside objects: of the guards, setting by setting,
//! and of the names of tenants. Imports core.

use super::lines::{minus_line, plus_line, toml_value};
use crate::diff::alias_change::AliasChange;
use crate::invisible_chars::toml_string;
use crate::routing::guards::GuardsChange;

/// The settings before and after as lines of TOML, coloured, not indented.
pub fn guards_lines(change: &GuardsChange) -> Vec<String> {
    let mut lines = Vec::new();
    for setting in change.settings() {
        let line = |value| format!("{} = {}", setting.name, toml_value(value));
        lines.extend(
            setting
                .before
                .as_ref()
                .map(|value| minus_line(&line(value))),
        );
        lines.extend(setting.after.as_ref().map(|value| plus_line(&line(value))));
    }
    lines
}

/// Whom each name means, before and after, in the same way.
pub fn alias_lines(changes: &[AliasChange]) -> Vec<String> {
    let line =
        |change: &AliasChange, name: &str| format!("{} = \"{}\"", toml_string(name), change.tenant);
    let before = changes.iter();
    let before = before.filter_map(|c| Some(minus_line(&line(c, c.before.as_ref()?))));
    let after = changes.iter();
    let after = after.filter_map(|c| Some(plus_line(&line(c, c.after.as_ref()?))));
    before.chain(after).collect()
}

/// What a change of names means.
pub const ALIASES: &str = "Tenants: whom these names mean to whoever calls, from this apply on";
