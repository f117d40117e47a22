//! The TOML texts, as if written by hand. Core.

use std::fmt::Write;

use serde_json::Value;
use toml_edit::Key;

use super::model::{ImportedConfig, ImportedSettings};
use crate::fields::{Field, Fields};
use crate::invisible_chars::{toml_string, visible};
use crate::phone::{E164, NumberRange};
use crate::routing::SecretSource;

/// As many numbers in a row, at least, are written as a range.
const RANGE: u64 = 10;
/// How wide a line may get before a list has a line for each of its items.
const WIDTH: usize = 90;

/// The line at the head of a file.
pub(super) fn header_line(origin: &str) -> String {
    format!("# Imported by lkroute from {}.\n", visible(origin))
}

fn toml_key(name: &str) -> String {
    Key::new(name).to_string()
}

/// A string on one line, whatever it holds, with all of it to be seen.
fn toml_text(value: &str) -> String {
    toml_string(value)
}

fn toml_list(values: impl IntoIterator<Item = String>) -> String {
    let values: Vec<String> = values.into_iter().collect();
    format!("[{}]", values.join(", "))
}

fn push_line(out: &mut String, name: &str, value: &str) {
    let _ = writeln!(out, "{name} = {value}");
}

/// `[secrets]`, with the reason for it.
pub(super) fn secret_format(out: &mut String, format: &str) {
    out.push_str(
        "\n# The secrets in this database are Fernet values, as the Python service reads them.\n\
         # Without this line lkroute would seal in its own format, which that service takes for\n\
         # plain text, and so it refuses to write a secret.\n",
    );
    let _ = write!(out, "[secrets]\nformat = {}\n", toml_text(format));
}

/// `[tenants]`, by alias.
pub(super) fn push_tenants<'a>(
    out: &mut String,
    tenants: impl Iterator<Item = (&'a str, uuid::Uuid)>,
) {
    out.push_str("\n[tenants]\n");
    for (alias, id) in tenants {
        push_line(out, &toml_key(alias), &toml_text(&id.to_string()));
    }
}

pub(super) fn push_region(
    out: &mut String,
    name: &str,
    code: Option<u16>,
    default_config: Option<&str>,
) {
    let _ = writeln!(out, "\n[regions.{}]", toml_key(name));
    let codes = code.map(|code| toml_text(&format!("+{code}")));
    push_line(out, "country_codes", &toml_list(codes));
    if let Some(config) = default_config {
        push_line(out, "default_config", &toml_text(config));
    }
}

/// `fallback` is the name of a config that is in the files too.
pub(super) fn push_config(
    out: &mut String,
    config: &ImportedConfig,
    region: &str,
    fallback: Option<&str>,
    secret: &SecretSource,
) {
    let _ = writeln!(out, "\n[configs.{}]", toml_key(&config.name));
    push_line(out, "id", &toml_text(&config.id.to_string()));
    push_line(out, "region", &toml_text(region));
    for field in Field::OF_CONFIG {
        match (field, config.fields.text(field)) {
            (Field::Name | Field::Region, _) => {}
            (Field::ApiSecret, _) => push_line(out, field.as_str(), &secret_source(secret)),
            (_, Some(value)) if !config.blank.contains(&field) => {
                push_line(out, field.as_str(), &toml_text(value));
            }
            _ => {}
        }
    }
    if let Some(name) = fallback {
        push_line(out, Field::Fallback.as_str(), &toml_text(name));
    }
    let mut adopted = [&config.blank[..], &config.user_info].concat();
    adopted.sort_unstable();
    let blank = "the row holds blank text, which becomes NULL";
    let user_info = "the row holds the user and password of a URL, which are dropped";
    let note = match (config.blank.is_empty(), config.user_info.is_empty()) {
        (true, true) => return,
        (false, true) => blank.to_owned(),
        (true, false) => user_info.to_owned(),
        (false, false) => format!("{blank}; {user_info}"),
    };
    let fields = adopted.iter().map(|field| toml_text(field.as_str()));
    push_line(out, "adopt", &format!("{} # {note}", toml_list(fields)));
}

fn secret_source(secret: &SecretSource) -> String {
    match secret {
        SecretSource::Sealed(sealed) => format!("{{ sealed = {} }}", toml_text(sealed.as_stored())),
        SecretSource::Env(name) => format!("{{ env = {} }}", toml_text(name)),
        SecretSource::File(path) => format!("{{ file = {} }}", toml_text(path)),
    }
}

/// The numbers of one tenant with equal settings; returns how many blocks that
/// took. `numbers` are sorted.
pub(super) fn push_bindings(
    out: &mut String,
    numbers: &[E164],
    tenant: &str,
    config: &str,
    settings: &ImportedSettings,
) -> u64 {
    let (ranges, rest) = number_runs(numbers);
    let mut block = |numbers: &dyn Fn(&mut String)| {
        out.push_str("\n[[bindings]]\n");
        numbers(out);
        push_line(out, "tenant", &toml_text(tenant));
        push_line(out, "config", &toml_text(config));
        push_settings(out, &settings.fields);
    };
    for range in &ranges {
        block(&|out| {
            let ends = [range.first(), range.last()].map(|end| format!("\"{end}\""));
            push_line(out, "range", &toml_list(ends));
        });
    }
    if !rest.is_empty() {
        block(&|out| push_numbers(out, &rest));
    }
    ranges.len() as u64 + u64::from(!rest.is_empty())
}

/// Runs of numbers long enough for a range, and all other numbers.
fn number_runs(numbers: &[E164]) -> (Vec<NumberRange>, Vec<E164>) {
    let (mut ranges, mut rest) = (Vec::new(), Vec::new());
    for run in numbers.chunk_by(|a, b| a.next() == Some(*b)) {
        for part in run.chunks(NumberRange::MAX as usize) {
            let range = NumberRange::new(part[0], part[part.len() - 1]);
            match range.ok().filter(|range| range.len() >= RANGE) {
                Some(range) => ranges.push(range),
                None => rest.extend_from_slice(part),
            }
        }
    }
    (ranges, rest)
}

fn push_numbers(out: &mut String, numbers: &[E164]) {
    if let [number] = numbers {
        return push_line(out, "number", &format!("\"{number}\""));
    }
    let on_one_line = toml_list(
        numbers
            .iter()
            .take(WIDTH)
            .map(|number| format!("\"{number}\"")),
    );
    if on_one_line.len() <= WIDTH {
        return push_line(out, "numbers", &on_one_line);
    }
    out.push_str("numbers = [\n");
    for number in numbers {
        let _ = writeln!(out, "    \"{number}\",");
    }
    out.push_str("]\n");
}

/// `provider` and `rules`.
fn push_settings(out: &mut String, fields: &Fields) {
    if let Some(provider) = fields.text(Field::Provider) {
        push_line(out, "provider", &toml_text(provider));
    }
    let rules: Vec<String> = fields
        .iter()
        .filter_map(|(field, value)| Some(format!("{} = {}", field.rules_key()?, toml_rule(value))))
        .collect();
    if !rules.is_empty() {
        push_line(out, "rules", &format!("{{ {} }}", rules.join(", ")));
    }
}

fn toml_rule(value: &Value) -> String {
    match value {
        Value::Array(parts) => toml_list(parts.iter().map(toml_rule)),
        Value::String(value) => toml_text(value),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(digits: impl IntoIterator<Item = u64>) -> Vec<E164> {
        let number = |digits| E164::from_digits(digits).unwrap();
        digits.into_iter().map(number).collect()
    }

    #[test]
    fn runs_of_ten_are_ranges() {
        let ten = 919_513_456_700..919_513_456_710;
        let nine = 919_513_456_800..919_513_456_809;
        let (ranges, rest) = number_runs(&numbers(ten.chain(nine.clone())));
        assert_eq!(ranges.len(), 1);
        assert_eq!(ranges[0].last(), numbers([919_513_456_709])[0]);
        assert_eq!(rest, numbers(nine));
    }

    #[test]
    fn odd_texts_are_one_value_each() {
        for odd in [
            "a\nb",
            "\r\n\t\u{1}\u{7f}\"\\",
            "\"",
            "'''\"\"\"\\",
            "\u{0}\u{7f}",
            "",
            "é",
        ] {
            let parsed: toml::Table = format!("{} = {}", toml_key(odd), toml_text(odd))
                .parse()
                .unwrap();
            assert_eq!(parsed[odd].as_str(), Some(odd), "{odd:?}");
            assert_eq!(toml_text(odd).lines().count(), 1, "{odd:?}");
        }
        assert_eq!(header_line("a\nb").lines().count(), 1);
    }
}
