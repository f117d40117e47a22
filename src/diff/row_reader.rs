//! Number rows as they are read: the managed fields of each, interned in a
//! pool. Core.
//!
//! Rows with equal managed fields share one set of them. A row whose columns
//! equal those of an earlier row, byte for byte, costs one look-up. A row whose
//! `rules` differ in keys of others only costs a scan of `rules` and a second
//! look-up, by the raw text of the managed values. Neither allocates.

use hashbrown::HashMap;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::fields::{Field, Fields, FieldsIx, FieldsPool};
use crate::snapshot::NumberRow;

/// The managed keys of `rules`, unread; all other keys are passed over.
#[derive(Deserialize, Default)]
struct Managed<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    livekit_config: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    inbound: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    outbound: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    allowed_outbound: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    required_lead_format: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    outbound_trunk_id: Option<&'a RawValue>,
}

/// JSON null is a value here, unlike a key that is absent.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

impl<'a> Managed<'a> {
    fn pairs(&self) -> [(Field, Option<&'a str>); Field::KEYS_OF_RULES] {
        // A key that is left out here does not compile, nor does a field that no
        // key is for.
        let Managed {
            livekit_config,
            inbound,
            outbound,
            allowed_outbound,
            required_lead_format,
            outbound_trunk_id,
        } = *self;
        [
            (Field::Config, livekit_config),
            (Field::Inbound, inbound),
            (Field::Outbound, outbound),
            (Field::AllowedOutbound, allowed_outbound),
            (Field::RequiredLeadFormat, required_lead_format),
            (Field::OutboundTrunkId, outbound_trunk_id),
        ]
        .map(|(field, raw)| (field, raw.map(RawValue::get)))
    }
}

/// `rules` holds something that is no JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoObject;

/// How many whole rows are remembered. Where others keep something of its
/// own in each row's `rules`, more would be of no use.
const WHOLE: usize = 16 * 1024;
/// How long each of them may be.
const LONGEST: usize = 4 * 1024;

/// Reads rows into sets of fields.
#[derive(Debug, Default)]
pub struct RowReader {
    whole: Seen,
    managed: Seen,
    key: Vec<u8>,
    /// What the row was read as whose key is [`RowReader::key`].
    last: Option<FieldsIx>,
}

type Seen = HashMap<Box<[u8]>, FieldsIx, foldhash::fast::RandomState>;

impl RowReader {
    /// The managed fields of a row. `status` is among them only where the
    /// row is not active.
    pub fn read(
        &mut self,
        row: &NumberRow<'_>,
        pool: &mut FieldsPool,
    ) -> Result<FieldsIx, NoObject> {
        let columns = [
            row.provider.map(str::as_bytes),
            status(row).map(str::as_bytes),
        ];
        let parts = [columns[0], columns[1], row.rules];
        if let Some(last) = self.last.filter(|_| self.is_named(parts)) {
            return Ok(last);
        }
        self.last = None;
        self.name(parts);
        if let Some(ix) = self.whole.get(self.key.as_slice()) {
            self.last = Some(*ix);
            return Ok(*ix);
        }
        let is_kept = self.whole.len() < WHOLE && self.key.len() <= LONGEST;
        let whole = is_kept.then(|| self.key.as_slice().into());
        let managed = managed(row.rules)?;
        let raws = managed.pairs().map(|(_, raw)| raw.map(str::as_bytes));
        self.name(raws.into_iter().chain(columns));
        let ix = match self.managed.get(self.key.as_slice()) {
            Some(ix) => *ix,
            None => {
                let ix = pool.intern(fields(&managed, row));
                self.managed.insert(self.key.as_slice().into(), ix);
                ix
            }
        };
        if let Some(whole) = whole {
            self.whole.insert(whole, ix);
        }
        Ok(ix)
    }

    /// Whether the key is that of these parts.
    fn is_named(&self, parts: [Option<&[u8]>; 3]) -> bool {
        let mut key = self.key.as_slice();
        parts.into_iter().all(|part| {
            let length = part.map_or(usize::MAX, <[u8]>::len).to_ne_bytes();
            let rest = key.strip_prefix(&length);
            let rest = rest.and_then(|rest| rest.strip_prefix(part.unwrap_or_default()));
            key = rest.unwrap_or_default();
            rest.is_some()
        }) && key.is_empty()
    }

    /// Makes the key of these parts, each behind its length.
    fn name<'a>(&mut self, parts: impl IntoIterator<Item = Option<&'a [u8]>>) {
        self.key.clear();
        for part in parts {
            let length = part.map_or(usize::MAX, <[u8]>::len);
            self.key.extend_from_slice(&length.to_ne_bytes());
            self.key.extend_from_slice(part.unwrap_or_default());
        }
    }
}

/// The managed fields of a single row, for look-ups of one.
pub fn read_row(row: &NumberRow<'_>) -> Result<Fields, NoObject> {
    Ok(fields(&managed(row.rules)?, row))
}

fn managed(rules: Option<&[u8]>) -> Result<Managed<'_>, NoObject> {
    let Some(text) = rules else {
        return Ok(Managed::default());
    };
    match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => serde_json::from_slice(text).map_err(|_| NoObject),
        _ => Err(NoObject),
    }
}

/// NULL and `active` are the same; anything else is not active.
fn status<'a>(row: &NumberRow<'a>) -> Option<&'a str> {
    row.status.filter(|status| *status != "active")
}

/// Two spellings of one uuid are one value.
fn spelled(field: Field, value: Value) -> Value {
    match (field, &value) {
        (Field::Config, Value::String(text)) => match uuid_in(text) {
            Some(id) => Value::String(id.to_string()),
            None => value,
        },
        _ => value,
    }
}

/// The uuid that a text is for PostgreSQL: braces around it or not, hyphens
/// behind any four digits or none.
fn uuid_in(text: &str) -> Option<Uuid> {
    let braced = text.strip_prefix('{');
    let inner = braced.map_or(Some(text), |text| text.strip_suffix('}'))?;
    let mut digits = String::with_capacity(32);
    let mut hyphen = true;
    for c in inner.chars() {
        let between = digits.len().is_multiple_of(4) && digits.len() < 32 && !hyphen;
        hyphen = c == '-';
        match hyphen {
            true if between => {}
            true => return Uuid::parse_str(text).ok(),
            false => digits.push(c),
        }
    }
    let id = Uuid::parse_str(&digits).ok().filter(|_| digits.len() == 32);
    // `urn:uuid:` is another spelling still.
    id.or_else(|| Uuid::parse_str(text).ok())
}

/// The value of a key. One that is nested too deep to be read is no value of
/// any rule, and stays told from others: a list of its text.
fn read_value(raw: &str) -> Value {
    serde_json::from_str(raw).unwrap_or_else(|_| Value::from(vec![raw]))
}

fn fields(managed: &Managed<'_>, row: &NumberRow<'_>) -> Fields {
    let mut fields = Fields::new();
    for (field, raw) in managed.pairs() {
        if let Some(raw) = raw {
            fields.set(field, Some(spelled(field, read_value(raw))));
        }
    }
    fields.set_text(Field::Provider, row.provider);
    fields.set_text(Field::Status, status(row));
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(rules: Option<&str>) -> NumberRow<'_> {
        NumberRow {
            id: Uuid::nil(),
            tenant: Uuid::nil(),
            country_code: Some("+91"),
            base_number: Some(1),
            provider: Some("P"),
            status: Some("active"),
            rules: rules.map(str::as_bytes),
            passed_over: None,
        }
    }

    #[test]
    fn other_keys_do_not_matter_and_null_is_told_from_absent() {
        let mut pool = FieldsPool::default();
        let mut reader = RowReader::default();
        let mut read = |rules| reader.read(&row(rules), &mut pool);
        let one = read(Some(r#"{"outbound": true, "is_default": {"a": [1]}}"#));
        let two = read(Some(r#"{"number_type": "x", "outbound": true}"#));
        assert_eq!(one, two);
        assert_eq!(read(None), read(Some("{}")));
        assert_ne!(read(Some(r#"{"livekit_config": null}"#)), read(Some("{}")));
        let fields = read_row(&row(Some(r#"{"livekit_config": null}"#)));
        assert_eq!(fields.unwrap().get(Field::Config), Some(&Value::Null));
    }

    #[test]
    fn two_spellings_of_a_uuid_are_one_value() {
        let held = |text: &str| {
            let rules = format!("{{\"livekit_config\": \"{text}\"}}");
            read_row(&row(Some(&rules)))
                .unwrap()
                .text(Field::Config)
                .map(str::to_owned)
        };
        let id = "e3ca4a84-4cc3-4be5-8240-34366fe4d0c5";
        for text in [
            id.to_uppercase(),
            id.replace('-', ""),
            format!("{{{id}}}"),
            format!("urn:uuid:{id}"),
            format!("{{{}}}", id.replace('-', "")),
            "e3ca-4a84-4cc3-4be5-8240-3436-6fe4-d0c5".to_owned(),
        ] {
            assert_eq!(held(&text).as_deref(), Some(id), "{text}");
        }
        for odd in [
            "No-Uuid",
            "e3-ca4a84-4cc3-4be5-8240-34366fe4d0c5",
            "é",
            "{",
            "-",
        ] {
            assert_eq!(held(odd).as_deref(), Some(odd));
        }
    }

    #[test]
    fn every_key_of_rules_is_read() {
        for field in Field::ALL {
            let Some(key) = field.rules_key() else {
                continue;
            };
            let rules = format!("{{\"{key}\": 1}}");
            let fields = read_row(&row(Some(&rules))).unwrap();
            assert_eq!(fields.get(field), Some(&Value::from(1)), "{field}");
        }
    }

    /// Deeper than a reader of JSON goes: still an object, and no such rule.
    #[test]
    fn rules_that_are_nested_deep_are_an_object() {
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        let of_others = format!("{{\"outbound\": true, \"theirs\": {deep}}}");
        let read = read_row(&row(Some(&of_others))).unwrap();
        assert_eq!(read.get(Field::Outbound), Some(&Value::from(true)));
        let ours = format!("{{\"outbound\": {deep}}}");
        let read = read_row(&row(Some(&ours))).unwrap();
        assert!(read.get(Field::Outbound).unwrap().is_array());
    }

    #[test]
    fn rules_that_are_no_object_are_told() {
        for odd in ["[1,2,3,4,5,6]", "null", "\"x\"", "12", "{"] {
            assert_eq!(read_row(&row(Some(odd))), Err(NoObject), "{odd}");
        }
    }
}
