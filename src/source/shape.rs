//! Text → [`raw::File`], with every problem of shape: what is not TOML, keys
//! that don't exist, values of a wrong type. Core; imports only its siblings
//! and [`crate::finding`].
//!
//! Each object is read for itself, so that one with a wrong shape hides no
//! problem of another. No message carries a value of the file.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue, Error, ValueDeserializer};

use super::lines::Lines;
use super::raw::{At, File, Named, Text};
use super::suggest;
use crate::finding::Finding;

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
pub struct Shape<'a> {
    pub file: File<'a>,
    pub findings: Vec<Finding>,
    /// Names that are defined, by top-level key, in a way that can't be read.
    pub unusable: Vec<(String, String)>,
    /// Whether more may be defined than can be known.
    pub incomplete: bool,
}

/// Reads a file or the part of it that is `text`, and finds what is wrong with
/// its shape.
pub fn read<'a>(lines: Lines<'a>, text: &'a str) -> Shape<'a> {
    let mut reader = Reader {
        lines,
        findings: Vec::new(),
        unusable: Vec::new(),
        incomplete: false,
    };
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut file = File::default();
    if errors.is_empty() {
        for (key, value) in table.into_inner() {
            reader.top(&mut file, key, value);
        }
    } else {
        reader.incomplete = true;
        for error in &errors {
            reader.syntax(error);
        }
    }
    Shape {
        file,
        findings: reader.findings,
        unusable: reader.unusable,
        incomplete: reader.incomplete,
    }
}

struct Reader<'a> {
    lines: Lines<'a>,
    findings: Vec<Finding>,
    unusable: Vec<(String, String)>,
    incomplete: bool,
}

type Key<'a> = Spanned<DeString<'a>>;
type Value<'a> = Spanned<DeValue<'a>>;

impl<'a> Reader<'a> {
    fn top(&mut self, file: &mut File<'a>, key: Key<'a>, value: Value<'a>) {
        match key.get_ref().as_ref() {
            "owner" => file.owner = self.value(value),
            "secrets" => file.secrets = self.value(value),
            "guards" => file.guards = self.value(value),
            "tenants" => file.tenants = self.table("tenants", value),
            "regions" => file.regions = self.table("regions", value),
            "configs" => file.configs = self.table("configs", value),
            "environments" => file.environments = self.table("environments", value),
            "bindings" => file.bindings = self.array(value),
            "rollouts" => file.rollouts = self.array(value),
            "expect" => file.expect = self.array(value),
            unknown => {
                let finding = unknown_key(unknown, &TOP);
                let place = self.key_place(unknown, key.span());
                self.findings.push(finding.at(place));
            }
        }
    }

    fn value<T: Deserialize<'a>>(&mut self, value: Value<'a>) -> Option<At<T>> {
        match At::deserialize(ValueDeserializer::from(value)) {
            Ok(value) => Some(value),
            Err(error) => {
                self.shape(&error);
                None
            }
        }
    }

    fn table<T: Deserialize<'a>>(&mut self, top: &str, value: Value<'a>) -> Named<'a, T> {
        let span = value.span();
        let DeValue::Table(table) = value.into_inner() else {
            self.incomplete = true;
            self.wrong_type("a table is expected here", span);
            return Named::default();
        };
        let read = |(key, value): (Key<'a>, Value<'a>)| {
            let name = At {
                span: key.span(),
                value: Text(key.into_inner()),
            };
            let read = self.value(value);
            if read.is_none() {
                self.unusable.push((top.to_owned(), name.value.to_string()));
            }
            Some((name, read?))
        };
        Named(table.into_iter().filter_map(read).collect())
    }

    fn array<T: Deserialize<'a>>(&mut self, value: Value<'a>) -> Vec<At<T>> {
        let span = value.span();
        let DeValue::Array(array) = value.into_inner() else {
            self.wrong_type("a list of tables is expected here: write [[…]]", span);
            return Vec::new();
        };
        let array: DeArray<'a> = array;
        array
            .into_iter()
            .filter_map(|value| self.value(value))
            .collect()
    }

    fn syntax(&mut self, error: &Error) {
        let span = error.span().unwrap_or_default();
        if error.message() == "duplicate key" {
            self.duplicate_key(span);
            return;
        }
        let message = format!("not TOML: {}", error.message());
        let place = self.lines.place(span);
        self.findings
            .push(Finding::error("syntax", message).at(place));
    }

    /// TOML itself forbids a key twice in one table.
    fn duplicate_key(&mut self, span: Range<usize>) {
        let key = self.lines.at(&span);
        let mut finding = Finding::error("duplicate", format!("`{key}` is given twice"))
            .at(self.lines.place(span.clone()))
            .hint("keep one of them");
        if let Some(first) = self.lines.same_before(&span) {
            finding = finding.also(self.lines.place(first), "given here first");
        }
        self.findings.push(finding);
    }

    fn wrong_type(&mut self, message: &str, span: Range<usize>) {
        let place = self.lines.place(span);
        let finding = Finding::error("wrong-type", message);
        self.findings.push(finding.at(place));
    }

    /// An error of serde's, said in our words: its own carry values.
    fn shape(&mut self, error: &Error) {
        let span = error.span().unwrap_or_default();
        let message = error.message();
        if let Some(rest) = message.strip_prefix("unknown field ") {
            let mut quoted = rest.split('`').skip(1).step_by(2);
            let key = quoted.next().unwrap_or_default();
            let known: Vec<&str> = quoted.collect();
            let place = self.key_place(key, span);
            self.findings.push(unknown_key(key, &known).at(place));
            return;
        }
        let said = match message.rsplit_once(", expected ") {
            Some((_, "struct SecretSource")) | None => "this value has a wrong type".to_owned(),
            Some((_, expected)) => format!("{} is expected here", in_words(expected)),
        };
        self.wrong_type(&said, span);
    }

    /// The place of a key; its line is left out where the key may have been
    /// meant for a secret.
    fn key_place(&self, key: &str, span: Range<usize>) -> crate::finding::Place {
        let key = key.to_lowercase();
        let secret = ["sec", "pass", "pw", "token", "seal", "key", "cred"];
        if secret.iter().any(|part| key.contains(part))
            || suggest::closest(&key, ["api_secret", "secret", "password"]).is_some()
        {
            return self.lines.place_veiled(span);
        }
        self.lines.place(span)
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

fn unknown_key(key: &str, known: &[&str]) -> Finding {
    let finding = Finding::error("unknown-key", format!("unknown key `{key}`"));
    match key {
        "livekit_config" => finding.hint("write `config = \"…\"` beside the number"),
        _ => match suggest::hint(key, known.iter().copied()) {
            Some(hint) => finding.hint(hint),
            None => finding,
        },
    }
}
