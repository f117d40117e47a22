//! Which values of a row the files can declare, decided once for each set of
//! fields. Core.

use std::collections::BTreeMap;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use serde_json::Value;
use uuid::Uuid;

use super::model::ImportedSettings;
use super::regions::GuessedRegions;
use super::report::{self, LeftOut};
use crate::fields::{Field, FieldKind, Fields, FieldsIx};
use crate::invisible_chars::{drop_user_info, first_invisible};
use crate::list_index::index_of;
use crate::phone::LeadPart;

/// The most characters of a text that files can hold.
const LONGEST: usize = 255;

/// A field, its value as shown, and why it is left out.
type Odd = (Field, String, &'static str);

/// The settings of imported rows, each kept once.
#[derive(Debug, Default)]
pub(super) struct SettingsReader {
    pub settings: Vec<ImportedSettings>,
    index: HashMap<ImportedSettings, u32, RandomState>,
    /// By set of fields: the settings, and what they leave out.
    verdicts: HashMap<FieldsIx, (u32, Vec<Odd>), RandomState>,
    left_out: BTreeMap<Odd, Vec<Uuid>>,
}

impl SettingsReader {
    /// The settings of a row on that config, whose fields are number `ix`.
    /// Adds the regions that its rules speak of.
    pub(super) fn settings(
        &mut self,
        row: Uuid,
        config: u32,
        (ix, fields): (FieldsIx, &Fields),
        regions: &mut GuessedRegions,
    ) -> u32 {
        if !self.verdicts.contains_key(&ix) {
            let verdict = self.split_fields(config, fields, regions);
            self.verdicts.insert(ix, verdict);
        }
        let (settings, odd) = &self.verdicts[&ix];
        for odd in odd {
            self.left_out.entry(odd.clone()).or_default().push(row);
        }
        *settings
    }

    fn split_fields(
        &mut self,
        config: u32,
        fields: &Fields,
        regions: &mut GuessedRegions,
    ) -> (u32, Vec<Odd>) {
        let mut usable = Fields::new();
        let mut odd = Vec::new();
        for (field, value) in fields.iter().filter(|(field, _)| *field != Field::Config) {
            match why_undeclarable(field, value, regions) {
                None => usable.set(field, Some(value.clone())),
                Some(why) => odd.push((field, report::shown_value(value), why)),
            }
        }
        let settings = ImportedSettings {
            config,
            fields: usable,
        };
        let next = index_of(self.settings.len());
        let ix = *self.index.entry(settings.clone()).or_insert(next);
        if ix == next {
            self.settings.push(settings);
        }
        (ix, odd)
    }

    /// All that was left out, by field and value.
    pub(super) fn left_out(&mut self) -> Vec<LeftOut> {
        let left_out = std::mem::take(&mut self.left_out).into_iter();
        left_out
            .map(|((field, value, why), mut rows)| {
                rows.sort_unstable();
                LeftOut {
                    field,
                    value,
                    why,
                    rows,
                }
            })
            .collect()
    }
}

/// Why the files can't declare that value.
fn why_undeclarable(
    field: Field,
    value: &Value,
    regions: &mut GuessedRegions,
) -> Option<&'static str> {
    match (field, value) {
        (_, Value::Null) => Some("JSON null"),
        (Field::RequiredLeadFormat, Value::Array(parts)) => lead_format(parts),
        (_, value) if field.kind() == FieldKind::Flag => {
            (!value.is_boolean()).then_some("neither true nor false")
        }
        (_, value) if field.kind() == FieldKind::TextList => {
            let text = |item: &Value| item.is_string();
            let texts = value.as_array().is_some_and(|items| items.iter().all(text));
            (!texts).then_some("no list")
        }
        (_, Value::String(text)) if text.trim().is_empty() => Some("blank"),
        (Field::AllowedOutbound, Value::String(name)) => {
            let known = name == "global" || regions.is_known(name);
            (!known).then_some("neither `global` nor a region")
        }
        (_, Value::String(text)) if text.chars().count() > LONGEST => Some("too long"),
        (_, Value::String(text)) if drop_user_info(text) != *text => {
            Some("holds the user and password of a URL")
        }
        (_, Value::String(text)) => first_invisible(text).map(|_| "holds what nobody sees"),
        _ => Some("no text"),
    }
}

fn lead_format(parts: &[Value]) -> Option<&'static str> {
    let read = |part: &Value| LeadPart::parse(part.as_str()?).ok();
    let parts: Option<Vec<LeadPart>> = parts.iter().map(read).collect();
    match parts {
        None => Some("holds what can't be dialled"),
        Some(parts) if !parts.contains(&LeadPart::BaseNumber) => Some("leaves out base_number"),
        Some(_) => None,
    }
}
