//! Text → [`raw::File`], with every problem of shape: what is not TOML, keys
//! that don't exist, values of a wrong type. Core; imports only its siblings
//! and [`crate::finding`].
//!
//! Each object is read for itself, so that one with a wrong shape hides no
//! problem of another. No message carries a value of the file.

use std::ops::Range;

use hashbrown::HashSet;
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue, Error, ValueDeserializer};

use super::raw::{At, File, Named, Text};
use crate::finding::Finding;
use crate::source::line_index::Lines;
use crate::source::suggest;

/// The keys that a file can have at its top.
const TOP: [&str; 10] = [
    "bindings",
    "configs",
    "environments",
    "expect",
    "guards",
    "owner",
    "regions",
    "rollouts",
    "secrets",
    "tenants",
];

/// A file as far as it can be read.
#[derive(Default)]
pub(crate) struct Shape<'a> {
    pub file: File<'a>,
    pub findings: Vec<Finding>,
    /// Names that are defined, by top-level key, in a way that can't be read.
    pub unusable: Vec<(String, String)>,
    /// Whether more may be defined than can be known.
    pub incomplete: bool,
    /// Whether keys were left out that don't exist.
    pub unknown_keys: bool,
}

/// After so many passes the unknown keys of one object are enough.
const PASSES: usize = 20;

/// Reads a file or the part of it that is `text`, and finds what is wrong with
/// its shape.
///
/// A key that does not exist is told and left out, and the file read again:
/// else it would hide what else is wrong with its object.
pub(crate) fn read_shape<'a>(lines: Lines<'a>, text: &'a str) -> Shape<'a> {
    let (mut unknown, mut left_out) = (Vec::new(), HashSet::new());
    for pass in 1.. {
        let (mut table, errors) = DeTable::parse_recoverable(text);
        leave_out(table.get_mut(), &left_out);
        let mut reader = ShapeReader {
            lines,
            shape: Shape::default(),
            unknown: Vec::new(),
        };
        if errors.is_empty() {
            for (key, value) in table.into_inner() {
                reader.read_top(key, value);
            }
        } else {
            reader.shape.incomplete = true;
            for error in &errors {
                reader.syntax_error(error);
            }
        }
        let done = reader.unknown.is_empty() || pass == PASSES;
        for (span, finding) in reader.unknown {
            left_out.insert(span.start);
            unknown.push(finding);
        }
        if done {
            let mut shape = reader.shape;
            shape.unknown_keys = !unknown.is_empty();
            shape.findings.append(&mut unknown);
            return shape;
        }
    }
    Shape::default()
}

/// Takes out the keys that begin at these bytes.
fn leave_out(table: &mut DeTable<'_>, keys: &HashSet<usize>) {
    if keys.is_empty() {
        return;
    }
    let all = std::mem::take(table).into_iter();
    let kept = all.filter(|(key, _)| !keys.contains(&key.span().start));
    *table = kept
        .map(|(key, mut value)| {
            leave_out_below(value.get_mut(), keys);
            (key, value)
        })
        .collect();
}

fn leave_out_below(value: &mut DeValue<'_>, keys: &HashSet<usize>) {
    match value {
        DeValue::Table(table) => leave_out(table, keys),
        DeValue::Array(array) => {
            for value in array.iter_mut() {
                leave_out_below(value.get_mut(), keys);
            }
        }
        _ => {}
    }
}

struct ShapeReader<'a> {
    lines: Lines<'a>,
    shape: Shape<'a>,
    /// Keys that don't exist, each with what is to be said about it.
    unknown: Vec<(Range<usize>, Finding)>,
}

type TableKey<'a> = Spanned<DeString<'a>>;
type Value<'a> = Spanned<DeValue<'a>>;

impl<'a> ShapeReader<'a> {
    fn read_top(&mut self, key: TableKey<'a>, value: Value<'a>) {
        match key.get_ref().as_ref() {
            "owner" => self.shape.file.owner = self.read_value(value),
            "secrets" => self.shape.file.secrets = self.read_value(value),
            "guards" => self.shape.file.guards = self.read_value(value),
            "tenants" => self.shape.file.tenants = self.read_table("tenants", value),
            "regions" => self.shape.file.regions = self.read_table("regions", value),
            "configs" => self.shape.file.configs = self.read_table("configs", value),
            "environments" => self.shape.file.environments = self.read_table("environments", value),
            "bindings" => self.shape.file.bindings = self.read_array(value),
            "rollouts" => self.shape.file.rollouts = self.read_array(value),
            "expect" => self.shape.file.expect = self.read_array(value),
            unknown => self.unknown_key(unknown, &TOP, key.span()),
        }
    }

    fn read_value<T: Deserialize<'a>>(&mut self, value: Value<'a>) -> Option<At<T>> {
        match At::deserialize(ValueDeserializer::from(value)) {
            Ok(value) => Some(value),
            Err(error) => {
                self.shape(&error);
                None
            }
        }
    }

    fn read_table<T: Deserialize<'a>>(&mut self, top: &str, value: Value<'a>) -> Named<'a, T> {
        let span = value.span();
        let DeValue::Table(table) = value.into_inner() else {
            self.shape.incomplete = true;
            self.wrong_type("a table is expected here", span);
            return Named::default();
        };
        let read = |(key, value): (TableKey<'a>, Value<'a>)| {
            let name = At {
                span: key.span(),
                value: Text(key.into_inner()),
            };
            let read = self.read_value(value);
            if read.is_none() {
                self.shape
                    .unusable
                    .push((top.to_owned(), name.value.to_string()));
            }
            Some((name, read?))
        };
        Named(table.into_iter().filter_map(read).collect())
    }

    fn read_array<T: Deserialize<'a>>(&mut self, value: Value<'a>) -> Vec<At<T>> {
        let span = value.span();
        let DeValue::Array(array) = value.into_inner() else {
            self.wrong_type("a list of tables is expected here: write [[…]]", span);
            return Vec::new();
        };
        let array: DeArray<'a> = array;
        array
            .into_iter()
            .filter_map(|value| self.read_value(value))
            .collect()
    }

    fn syntax_error(&mut self, error: &Error) {
        let span = error.span().unwrap_or_default();
        if error.message() == "duplicate key" {
            self.duplicate_key(span);
            return;
        }
        let message = format!("not TOML: {}", error.message());
        let place = self.lines.place_of(span);
        self.shape
            .findings
            .push(Finding::error("syntax", message).at(place));
    }

    /// TOML itself forbids a key twice in one table.
    fn duplicate_key(&mut self, span: Range<usize>) {
        let key = self.lines.text_at(&span);
        let mut finding = Finding::error("duplicate", format!("`{key}` is given twice"))
            .at(self.lines.place_of(span.clone()))
            .hint("keep one of them");
        if let Some(first) = self.lines.same_before(&span) {
            finding = finding.also(self.lines.place_of(first), "given here first");
        }
        self.shape.findings.push(finding);
    }

    fn wrong_type(&mut self, message: &str, span: Range<usize>) {
        let place = self.lines.place_of(span);
        let finding = Finding::error("wrong-type", message);
        self.shape.findings.push(finding.at(place));
    }

    /// An error of serde's, said in our words: its own carry values.
    fn shape(&mut self, error: &Error) {
        let span = error.span().unwrap_or_default();
        let message = error.message();
        if let Some(rest) = message.strip_prefix("unknown field ") {
            let mut quoted = rest.split('`').skip(1).step_by(2);
            let key = quoted.next().unwrap_or_default();
            let known: Vec<&str> = quoted.collect();
            return self.unknown_key(key, &known, span);
        }
        let said = match message.rsplit_once(", expected ") {
            Some((_, "struct SecretSource")) | None => "this value has a wrong type".to_owned(),
            Some((_, expected)) => format!("{} is expected here", in_words(expected)),
        };
        self.wrong_type(&said, span);
    }

    fn unknown_key(&mut self, key: &str, known: &[&str], span: Range<usize>) {
        let place = self.key_place(key, span.clone());
        let finding = Finding::error("unknown-key", format!("unknown key `{key}`")).at(place);
        let hint = match key {
            "livekit_config" => Some("write `config = \"…\"` beside the number".to_owned()),
            _ => suggest::suggestion_hint(key, known.iter().copied()),
        };
        self.unknown.push((span, finding.hint_of(hint)));
    }

    /// The place of a key; its line is left out where the key may have been
    /// meant for a secret.
    fn key_place(&self, key: &str, span: Range<usize>) -> crate::finding::Place {
        let key = key.to_lowercase();
        let secret = ["sec", "pass", "pw", "token", "seal", "key", "cred"];
        if secret.iter().any(|part| key.contains(part))
            || suggest::closest_name(&key, ["api_secret", "secret", "password"]).is_some()
        {
            return self.lines.place_veiled(span);
        }
        self.lines.place_of(span)
    }
}

/// What serde expects, as a user would call it.
fn in_words(expected: &str) -> &str {
    match expected {
        "a sequence" => "a list",
        "u64" => "a whole number, 0 or more",
        "f64" => "a number",
        "a boolean" => "`true` or `false`",
        _ if expected.starts_with("struct ") => "a table",
        _ => expected,
    }
}
