//! What changes in an object, as lines of canonical TOML. Imports core.

use anstream::adapter::strip_str;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::escape::visible;
use super::style::{ADDED, DIM, REMOVED, paint, thousands};
use crate::diff::plan::{Change, FieldChange, Kind, Plan, SecretOutcome};
use crate::fields::Field;
use crate::invisible_chars::{toml_string, without_user_info};
use crate::routing::SecretSource;

/// How much of a text is shown, in characters: as much as files may hold. What
/// a row holds beyond it floods a terminal or a log.
const LONGEST: usize = 10_000;

/// The value as TOML writes it, on one line; `null`, which TOML lacks, as
/// `null`.
pub(crate) fn toml_value(value: &Value) -> String {
    match value {
        Value::String(text) => {
            let text = without_user_info(text);
            match text.char_indices().nth(LONGEST) {
                Some((end, _)) => {
                    let all = thousands(text.chars().count() as u64);
                    format!("{}… ({all} characters)", toml_string(&text[..end]))
                }
                None => toml_string(&text),
            }
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(toml_value).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(_) => visible(&value.to_string()),
        other => other.to_string(),
    }
}

/// `name = value` with configs by name.
fn toml_assignment(plan: &Plan, field: Field, value: &Value) -> String {
    format!("{field} = {}", toml_value(&plan.shown(field, value)))
}

/// The lines of the fields whose kind is wanted, coloured, not indented.
pub(crate) fn of(plan: &Plan, change: &Change, wanted: impl Fn(Kind) -> bool) -> Vec<String> {
    let fields = plan.patch(change).fields.iter();
    fields
        .filter(|field| wanted(field.kind))
        .flat_map(|field| of_field(plan, change, field))
        .collect()
}

/// The same without colours.
pub(crate) fn plain_lines(
    plan: &Plan,
    change: &Change,
    wanted: impl Fn(Kind) -> bool,
) -> Vec<String> {
    let lines = of(plan, change, wanted);
    lines.iter().map(|line| plain(line)).collect()
}

/// A line without colours.
pub(crate) fn plain(line: &str) -> String {
    strip_str(line).to_string()
}

/// The lines of one field.
pub(crate) fn of_field(plan: &Plan, change: &Change, field: &FieldChange) -> Vec<String> {
    match field.field {
        Field::ApiSecret => secret_lines(plan, change, field),
        _ => lines(plan, field),
    }
}

fn lines(plan: &Plan, change: &FieldChange) -> Vec<String> {
    let shown = |value: &Option<Value>| {
        let value = value.as_ref()?;
        Some(toml_assignment(plan, change.field, value))
    };
    let note = match change.kind {
        Kind::TakeOver => paint(DIM, "   # taken over"),
        Kind::Release => {
            let kept = shown(&change.before).unwrap_or_default();
            return vec![format!(
                "  {kept}{}",
                paint(DIM, "   # stays, no longer managed")
            )];
        }
        Kind::Set | Kind::Adopt | Kind::Drift | Kind::Conflict | Kind::Blocked => String::new(),
    };
    match (shown(&change.before), shown(&change.after)) {
        (Some(before), Some(after)) => {
            let (before, after) = emphasise_difference(&before, &after);
            vec![minus_line(&before), plus_line(&after) + &note]
        }
        (Some(before), None) => vec![minus_line(&before) + &note],
        (None, Some(after)) => vec![plus_line(&after) + &note],
        (None, None) => Vec::new(),
    }
}

pub(super) fn minus_line(text: &str) -> String {
    format!("{REMOVED}- {text}{REMOVED:#}")
}

pub(super) fn plus_line(text: &str) -> String {
    format!("{ADDED}+ {text}{ADDED:#}")
}

/// Both lines with the words that differ in bold.
fn emphasise_difference(before: &str, after: &str) -> (String, String) {
    let (mut old, mut new) = (String::new(), String::new());
    let strong = |style: anstyle::Style, text: &str| {
        let bold = style.bold();
        format!("{style:#}{bold}{text}{bold:#}{style}")
    };
    for change in TextDiff::from_words(before, after).iter_all_changes() {
        match change.tag() {
            ChangeTag::Equal => {
                old += change.value();
                new += change.value();
            }
            ChangeTag::Delete => old += &strong(REMOVED, change.value()),
            ChangeTag::Insert => new += &strong(ADDED, change.value()),
        }
    }
    (old, new)
}

/// A secret is never shown, nor is its ciphertext: only that it changes.
fn secret_lines(plan: &Plan, change: &Change, field: &FieldChange) -> Vec<String> {
    let source = change.row.and_then(|row| plan.config_sources.get(&row));
    let from = match source {
        Some(SecretSource::Sealed(_)) => " (sealed in the file)".to_owned(),
        Some(SecretSource::Env(name)) => format!(" (from the variable {name})"),
        Some(SecretSource::File(path)) => format!(" (from the file {path})"),
        None => String::new(),
    };
    vec![match (secret_word(plan, change, field), field.kind) {
        ("set", _) => plus_line(&format!("api_secret: set{from}")),
        ("not compared", Kind::Drift) => {
            format!("  api_secret: stored anew outside lkroute, not compared; set back{from}")
        }
        (word, Kind::Drift) => format!("  api_secret: {word} outside lkroute; set back{from}"),
        ("removed", _) => minus_line("api_secret: removed"),
        ("not compared", _) => {
            format!("  api_secret: written; not compared with the stored one{from}")
        }
        ("re-sealed", _) => "  api_secret: re-sealed, the same secret in another form".to_owned(),
        (word, _) => format!("  api_secret: {word}{from}"),
    }]
}

/// What happens to a secret, in one word.
pub(crate) fn secret_word(plan: &Plan, change: &Change, field: &FieldChange) -> &'static str {
    match (plan.secret_outcome(change), &field.before, &field.after) {
        (Some(SecretOutcome::Resealed), ..) => "re-sealed",
        (Some(SecretOutcome::NotCompared), ..) => "not compared",
        (_, None, _) => "set",
        (_, _, None) => "removed",
        _ if matches!(field.kind, Kind::Adopt | Kind::Release) => "unchanged",
        _ => "changed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_no_file_could_hold_the_beginning_is_shown() {
        let shown = toml_value(&Value::from("ü".repeat(20_000)));
        assert_eq!(
            shown.chars().count(),
            10_000 + 2 + "… (20,000 characters)".chars().count()
        );
        assert!(
            shown.ends_with("\"… (20,000 characters)"),
            "{}",
            &shown[shown.len() - 40..]
        );
        assert_eq!(toml_value(&Value::from("a".repeat(10_000))).len(), 10_002);
    }
}
