//! A file as it may be shown: without what is, or may be meant for, a secret.
//! Core; imports nothing but its parent.

use std::ops::Range;

use toml_edit::{Document, Item, TableLike};

use super::key_order::{NAMED, ORDER};

/// Keys that `fmt` need not order.
const OTHERS: [&str; 8] = [
    "bindings", "rollouts", "expect", "guards", "allow", "format", "sealed", "file",
];

/// The text with `…` for secrets in plain text, for URLs with user info, and
/// for the values of unknown keys, which may be misspelt ones. Nothing is shown
/// of what is no TOML.
pub fn redacted(text: &str) -> String {
    let Ok(document) = Document::parse(text) else {
        return String::new();
    };
    let mut spans = Vec::new();
    redact_table(document.as_table(), false, false, &mut spans);
    spans.sort_by_key(|span| std::cmp::Reverse(span.start));
    let mut shown = text.to_owned();
    for span in spans {
        shown.replace_range(span, "…");
    }
    shown
}

/// `named`: the keys are names. `unknown`: the table stands under a key that
/// lkroute does not know.
fn redact_table(table: &dyn TableLike, named: bool, unknown: bool, spans: &mut Vec<Range<usize>>) {
    let known = |key| ORDER.contains(&key) || NAMED.contains(&key) || OTHERS.contains(&key);
    for (key, item) in table.iter() {
        item_of(key, item, unknown || !named && !known(key), spans);
    }
}

fn item_of(key: &str, item: &Item, unknown: bool, spans: &mut Vec<Range<usize>>) {
    let named = NAMED.contains(&key);
    if let Item::ArrayOfTables(tables) = item {
        tables
            .iter()
            .for_each(|one| redact_table(one, named, unknown, spans));
    } else if let Some(one) = item.as_table_like() {
        redact_table(one, named, unknown, spans);
    } else if unknown || !is_harmless(key, item) {
        spans.extend(item.span());
    }
}

fn is_harmless(key: &str, value: &Item) -> bool {
    let text = value.as_str().unwrap_or_default();
    match key {
        "api_secret" => false,
        "sealed" => ["lkr1:", "dev-s-t-"]
            .iter()
            .any(|form| text.starts_with(form)),
        "env" => text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'),
        _ => !(text.contains("://") && text.contains('@')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_left_out() {
        let written = "[configs.x]\napi_secret = SECRET # note\nurl = \"wss://a.example\"\n";
        for secret in [
            "'hunter2'",
            "['hunter2']",
            "'''\nhunter2\n'''",
            "{ value = 'hunter2' }",
            "{ sealed = 'hunter2' }",
            "{ env = 'hunter2 x' }",
        ] {
            let shown = redacted(&written.replace("SECRET", secret));
            assert!(
                !shown.contains("hunter2") && shown.contains("# note"),
                "{shown}"
            );
            assert!(shown.ends_with("url = \"wss://a.example\"\n"), "{shown}");
        }
        for hidden in [
            "[configs.x]\napi_secrt = 'hunter2'\n",
            "[configs.x.env.prod]\napi_secret = 'hunter2'\n",
            "[config.x]\napi_key = 'hunter2'\n",
            "[[bindings]]\npassword = { a = 'hunter2' }\n",
            "[configs.x]\nurl = 'wss://u:hunter2@a.example'\n",
        ] {
            assert!(!redacted(hidden).contains("hunter2"), "{hidden}");
        }
    }

    /// Unknown keys are hidden here, and written last by `fmt`: one that is
    /// forgotten would be both.
    #[test]
    fn every_key_of_the_files_is_known() {
        fn keys(schema: &serde_json::Value, found: &mut std::collections::BTreeSet<String>) {
            if let Some(properties) = schema.get("properties").and_then(|p| p.as_object()) {
                found.extend(properties.keys().cloned());
            }
            match schema {
                serde_json::Value::Object(parts) => {
                    parts.values().for_each(|part| keys(part, found));
                }
                serde_json::Value::Array(parts) => parts.iter().for_each(|part| keys(part, found)),
                _ => {}
            }
        }
        let mut found = std::collections::BTreeSet::new();
        keys(&crate::source::routing_schema(), &mut found);
        let known =
            |key: &str| ORDER.contains(&key) || NAMED.contains(&key) || OTHERS.contains(&key);
        let forgotten: Vec<_> = found.iter().filter(|key| !known(key)).collect();
        assert!(found.len() > 40 && forgotten.is_empty(), "{forgotten:?}");
    }

    #[test]
    fn all_else_is_shown() {
        let sample = include_str!("../../../routing/uae.toml");
        assert_eq!(redacted(sample), sample);
        let more = "[tenants]\na = 'x'\n[configs.x]\napi_secret = { env = 'A_1' }\n\
                    [guards.policy.hosts]\nuae = ['*.example']\n[[guards.allow]]\nmax = 1\n";
        assert_eq!(redacted(more), more);
    }
}
