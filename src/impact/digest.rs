//! A digest that names what a plan does, so that what was approved can be
//! told from what would be applied. Core.
//!
//! It is the SHA-256 over the sorted changes: object, action, fields before
//! and after. Configs count by name and tenants by uuid; sealed values by
//! their hash, env and file secrets by their source. Lines, comments, counts,
//! generated ids, times and the revision are left out, so that a squash merge,
//! a moved definition or a foreign change elsewhere gives the same digest.

use std::fmt::Write;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::address::quoted;
use crate::diff::plan::{Change, FieldChange, Object, Plan};
use crate::routing::guards::SettingChange;

/// `sha256:` and 64 hex digits.
pub fn digest(plan: &Plan) -> String {
    let mut lines: Vec<String> = plan
        .changes
        .iter()
        .map(|change| line(plan, change))
        .collect();
    let guards = plan.guards.iter().flat_map(|change| change.settings());
    lines.extend(guards.map(|setting| guards_line(&setting)));
    lines.sort_unstable();
    let mut hash = Sha256::new();
    for line in &lines {
        hash.update(line.as_bytes());
        hash.update(b"\n");
    }
    hash.finalize()
        .iter()
        .fold("sha256:".to_owned(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
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

/// One change in canonical form, on one line.
pub fn line(plan: &Plan, change: &Change) -> String {
    let mut line = format!("{} {}", object(plan, change), change.action.as_str());
    for change in &plan.patch(change).fields {
        let _ = write!(line, " {}", field(plan, change));
    }
    line
}

/// A setting of the guards that changes, on one line.
fn guards_line(setting: &SettingChange) -> String {
    let text = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), Value::to_string);
    let (before, after) = (text(&setting.before), text(&setting.after));
    format!("guards.{} {before} {after}", setting.name)
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
