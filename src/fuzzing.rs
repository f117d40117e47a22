//! What must hold of whatever somebody else wrote: one function for each
//! reader, called with any bytes at all. `fuzz/` calls them for hours, a test
//! with the seeds of `fuzz/seeds/`. Not part of the library's interface.
//! Imports whatever it calls.

#![expect(clippy::panic, reason = "a panic is how a fault is told")]

use std::str::from_utf8;

use uuid::Uuid;

use crate::diff::row_reader::read_row;
use crate::fields::Field;
use crate::impact::reroutes::reroutes;
use crate::impact::saved_plan::SavedPlan;
use crate::phone::{
    E164, LeadPart, NumberRange, PhoneError, Prefix, format_lead, from_row, parse_dialled,
};
use crate::render;
use crate::secrets::{KeyRing, Sealed};
use crate::snapshot::NumberRow;
use crate::source::write::edit::{Edit, Edits, edit_text};
use crate::source::{
    LoadOptions, Loaded, Texts, doubtful_numbers, format_text, load_routing, redacted,
};
use crate::store;

/// A ring that opens nothing that is found by chance.
const RING: &str = "demo:bGtyb3V0ZSBkZW1vIGtleSwgbmV2ZXIgdXNlIHRoaXM";

fn loaded(text: &[u8]) -> Loaded {
    let sources = Texts::new([("routing/a.toml".to_owned(), text.to_vec())]);
    let options = LoadOptions {
        max_bindings: 20_000,
        ..LoadOptions::default()
    };
    let loaded = load_routing(&sources, &options);
    if !loaded.has_errors() {
        doubtful_numbers(&loaded.routing, &sources);
    }
    loaded
}

/// Files: every finding can be shown, on lines of its own.
pub fn toml_reader(data: &[u8]) {
    let loaded = loaded(data);
    for finding in &loaded.findings {
        assert!(!finding.message.contains('\n'), "{}", finding.message);
        let drawn = render::findings::findings_text(std::slice::from_ref(finding), 80);
        assert!(!drawn.is_empty());
    }
    if let Ok(text) = from_utf8(data) {
        redacted(text);
    }
}

/// `fmt` changes no meaning and is done after one time; so is an edit.
pub fn fmt_and_edits(data: &[u8]) {
    let Ok(text) = from_utf8(data) else { return };
    let before = loaded(data);
    if let Ok(formatted) = format_text("routing/a.toml", text) {
        let again = format_text("routing/a.toml", &formatted);
        assert_eq!(again.as_ref(), Ok(&formatted), "{text:?}");
        let after = loaded(formatted.as_bytes());
        assert_eq!(meaning(&before), meaning(&after), "{text:?}");
    }
    if before.has_errors() {
        return;
    }
    let adopt = |(name, _): (&String, _)| (name.clone(), vec![Edit::Adopt(Field::TrunkId)]);
    let edits = Edits {
        configs: before.routing.configs.iter().map(adopt).collect(),
        ..Edits::default()
    };
    let Ok(edited) = edit_text(text, &edits) else {
        return;
    };
    let after = loaded(edited.as_bytes());
    assert_eq!(after.has_errors(), before.has_errors(), "{edited:?}");
    let adopted = |config: &crate::routing::ServerConfig| config.adopt.contains(&Field::TrunkId);
    assert!(after.routing.configs.values().all(adopted), "{edited:?}");
    assert_eq!(
        edit_text(&edited, &edits).as_ref(),
        Ok(&edited),
        "{edited:?}"
    );
}

/// What files say, without where they say it.
fn meaning(loaded: &Loaded) -> impl PartialEq + std::fmt::Debug {
    let routing = &loaded.routing;
    let bindings: Vec<_> = routing
        .bindings
        .iter()
        .map(|binding| {
            (
                binding.number,
                binding.tenant,
                routing.settings(binding).clone(),
            )
        })
        .collect();
    let configs: Vec<_> = routing
        .configs
        .iter()
        .map(|(name, config)| {
            (
                name.clone(),
                config.id,
                config.url.clone(),
                config.adopt.clone(),
            )
        })
        .collect();
    let mut codes: Vec<_> = loaded.findings.iter().map(|f| f.code.clone()).collect();
    codes.sort();
    (bindings, configs, codes)
}

/// Sealed values and key rings: read or refused, never opened by chance.
pub fn sealed_values(data: &[u8]) {
    let Ok(text) = from_utf8(data) else { return };
    let _ = KeyRing::parse(text);
    let Ok(sealed) = Sealed::parse(text) else {
        return;
    };
    assert_eq!(sealed.as_str(), text);
    let Ok(ring) = KeyRing::parse(RING) else {
        panic!("the ring can't be read");
    };
    let id = Uuid::from_u128(0x5f1b_2c3d_0000_4000_8000_0000_0000_0001);
    let opened = crate::secrets::open(&ring, id, &sealed);
    assert!(
        opened.is_err(),
        "opened without having been sealed: {text:?}"
    );
}

/// Plans from a file that anybody may have written.
pub fn saved_plans(data: &[u8]) {
    let Ok(text) = from_utf8(data) else { return };
    let Ok(saved) = SavedPlan::read(text) else {
        return;
    };
    let view = render::text::View {
        width: 80,
        full: true,
        quiet: false,
        back: false,
    };
    let shown = render::text::plan(
        &saved.plan,
        Some(&reroutes(&saved.plan)),
        &saved.refusals,
        view,
    );
    assert!(!shown.is_empty());
    let again = saved.to_text().map(|text| SavedPlan::read(&text).is_ok());
    assert!(matches!(again, Ok(true)), "{text:?}");
}

/// Rows of a server: the same in whatever pieces they come.
pub fn copy_reader(data: &[u8]) {
    let Some((first, stream)) = data.split_first() else {
        return;
    };
    let whole = store::copied_rows(stream, usize::MAX);
    let pieces = store::copied_rows(stream, usize::from(*first) + 1);
    assert_eq!(whole, pieces);
}

/// Numbers: read and written alike.
pub fn numbers(data: &[u8]) {
    let Ok(text) = from_utf8(data) else { return };
    if let Ok(number) = E164::parse(text) {
        assert_eq!(number.to_string(), text);
        let key = number.row_key();
        let row = from_row(Some(&key.country_code()), Some(key.base_number()));
        assert_eq!(row.map(E164::row_key), Ok(key), "{text}");
        match parse_dialled(text, None) {
            Ok(dialled) => assert_eq!(dialled, number),
            Err(PhoneError::NationalPrefix { guess }) => {
                assert_ne!(guess, number, "{text}");
                assert_eq!(parse_dialled(&guess.to_string(), None), Ok(guess), "{text}");
            }
            Err(error) => panic!("{text}: {error}"),
        }
        if let Some(next) = number.next() {
            assert!(next > number, "{text}");
            let like = |one: E164| (one.calling_code(), one.digits().ilog10());
            let range = NumberRange::new(number, next);
            let two = range.is_ok_and(|range| range.iter().count() == 2);
            assert!(two || like(number) != like(next), "{text}");
        }
    }
    if let Ok(prefix) = Prefix::parse(text) {
        assert_eq!(prefix.to_string(), text);
    }
    if let Ok(number) = parse_dialled(text, None) {
        assert_eq!(E164::parse(&number.to_string()), Ok(number), "{text:?}");
    }
    let (code, base) = text.split_once('|').unwrap_or((text, "971501234567"));
    if let Ok(number) = from_row(Some(code), base.parse().ok()) {
        let key = number.row_key();
        let again = from_row(Some(&key.country_code()), Some(key.base_number()));
        assert_eq!(again.map(E164::row_key), Ok(key), "{text:?}");
    }
}

/// The `rules` of a row, in which others write what they like.
pub fn rules(data: &[u8]) {
    let row = NumberRow {
        id: Uuid::nil(),
        tenant: Uuid::nil(),
        country_code: Some("971"),
        base_number: Some(501_234_567),
        provider: None,
        status: Some("active"),
        rules: Some(data),
        passed_over: None,
    };
    let Ok(fields) = read_row(&row) else { return };
    let json: Result<serde_json::Value, _> = serde_json::from_slice(data);
    for (field, value) in fields.iter() {
        let Some(key) = field.rules_key() else {
            continue;
        };
        let Ok(json) = &json else { continue };
        let there = json.get(key);
        // An id is one value in every spelling.
        let id = |value: Option<&serde_json::Value>| Uuid::parse_str(value?.as_str()?).ok();
        match (field, id(there)) {
            (Field::Config, Some(there)) => assert_eq!(id(Some(value)), Some(there)),
            _ => assert_eq!(there, Some(value), "{field}"),
        }
    }
    let parts = fields.get(Field::RequiredLeadFormat);
    let parts = parts
        .and_then(|parts| parts.as_array())
        .into_iter()
        .flatten();
    let parts = parts.map(|part| LeadPart::parse(part.as_str().unwrap_or_default()));
    if let (Ok(parts), Ok(number)) = (
        parts.collect::<Result<Vec<_>, _>>(),
        E164::parse("+971501234567"),
    ) {
        let dialled = format_lead(number, &parts);
        assert!(!dialled.contains('\n'));
    }
}
