//! Findings as SARIF 2.1.0, for code scanning. Imports core.
//!
//! What GitHub reads of it, and its limits (5,000 results are shown, 25,000
//! taken; a location is required):
//! <https://docs.github.com/en/code-security/reference/code-scanning/sarif-files/sarif-support-for-code-scanning>

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::finding::{Finding, Place};

/// As many as GitHub shows.
const RESULTS: usize = 5_000;

/// A log of one run. `elsewhere` is the file that stands for findings without
/// a place: those about the whole.
pub fn sarif_log(findings: &[Finding], elsewhere: &str) -> Result<String, Error> {
    let mut rules: BTreeMap<&str, &Finding> = BTreeMap::new();
    for finding in findings {
        let rule = rules.entry(finding.code.as_ref()).or_insert(finding);
        if finding.is_error() {
            *rule = finding;
        }
    }
    let index: HashMap<&str, usize> = rules
        .keys()
        .enumerate()
        .map(|(ix, code)| (*code, ix))
        .collect();
    let rules: Vec<Value> = rules
        .iter()
        .map(|(code, finding)| sarif_rule(code, finding))
        .collect();
    let mut seen: HashMap<String, u32> = HashMap::new();
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|finding| !finding.is_error());
    let results: Vec<Value> = sorted
        .into_iter()
        .take(RESULTS)
        .map(|finding| {
            let nowhere = Place::file(elsewhere);
            let place = finding.place.as_ref().unwrap_or(&nowhere);
            let line = finding_fingerprint(finding, place);
            let nth = seen.entry(line.clone()).or_default();
            *nth += 1;
            json!({
                "ruleId": finding.code,
                "ruleIndex": index.get(finding.code.as_ref()),
                "level": finding.severity.to_string(),
                "message": { "text": sarif_message(finding) },
                "locations": [{ "physicalLocation": sarif_location(place) }],
                "relatedLocations": related_locations(finding),
                "partialFingerprints": { "primaryLocationLineHash": format!("{line}:{nth}") },
            })
        })
        .collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "lkroute",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    super::json::json_text(&log)
}

fn sarif_rule(code: &str, finding: &Finding) -> Value {
    json!({
        "id": code,
        "name": code,
        "shortDescription": { "text": code_in_words(code) },
        "defaultConfiguration": { "level": finding.severity.to_string() },
    })
}

/// `unknown-tenant` as `Unknown tenant`.
fn code_in_words(code: &str) -> String {
    let text = code.replace('-', " ");
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

fn sarif_message(finding: &Finding) -> String {
    match &finding.hint {
        Some(hint) => format!("{}\n{hint}", finding.message),
        None => finding.message.clone(),
    }
}

fn sarif_location(place: &Place) -> Value {
    let mut location = json!({ "artifactLocation": { "uri": relative_uri(&place.file) } });
    let mut region = json!({ "startLine": place.line.max(1) });
    if place.column > 0 {
        region["startColumn"] = place.column.into();
        region["endColumn"] = (place.column + place.width.max(1)).into();
    }
    location["region"] = region;
    location
}

fn related_locations(finding: &Finding) -> Vec<Value> {
    let also = finding.also.iter().take(100).enumerate();
    also.map(|(ix, (place, what))| {
        json!({
            "id": ix,
            "message": { "text": what },
            "physicalLocation": sarif_location(place),
        })
    })
    .collect()
}

/// A relative URI: with slashes, and what a URI may not hold escaped.
fn relative_uri(path: &str) -> String {
    let path = path.replace('\\', "/");
    let path = path.trim_start_matches("./");
    path.bytes().fold(String::new(), |mut uri, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => uri.push(char::from(byte)),
            b'/' | b'.' | b'-' | b'_' | b'~' => uri.push(char::from(byte)),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
        uri
    })
}

/// The same for the same problem, wherever its line moves to in the file.
fn finding_fingerprint(finding: &Finding, place: &Place) -> String {
    let mut hash = Sha256::new();
    let line = place.text.trim();
    let what = if line.is_empty() {
        &finding.message
    } else {
        line
    };
    for part in [finding.code.as_ref(), &place.file, what] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex::encode(&hash.finalize()[..8])
}
