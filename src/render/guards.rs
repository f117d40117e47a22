//! A change of the guards, setting by setting. Imports core.

use super::lines::{minus_line, plus_line, toml_value};
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
