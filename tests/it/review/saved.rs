//! Saved plans of earlier versions: read for ever.

use lkroute::impact::saved_plan::SavedPlan;
use serde_json::Value;

/// As the first version wrote format 2: never written anew, for a plan of that
/// version may wait for its apply. It has creates, updates, deletes, drift,
/// guards, refusals and secrets from variables.
const FORMAT_2: &str = include_str!("../../fixtures/saved-plan-2.json");

#[test]
fn a_plan_that_an_earlier_version_saved_is_read_as_it_was() {
    let saved = SavedPlan::read(FORMAT_2).expect("a saved plan");
    assert_eq!(saved.plan.changes.len(), 26);
    assert_eq!(saved.refusals.len(), 3);
    let written: Value = serde_json::from_str(FORMAT_2).expect("JSON");
    let again = saved.to_text().expect("JSON");
    let again = serde_json::from_str(&again).expect("JSON");
    let lost = differences(&written, &again, "$");
    // Counted anew, as the digest does not cover it.
    let lost = lost
        .into_iter()
        .filter(|at| !at.starts_with("$.plan.classes"));
    assert_eq!(lost.collect::<Vec<_>>(), Vec::<String>::new());
}

/// The places of a value that another one does not hold alike; the other may
/// hold more keys.
fn differences(value: &Value, other: &Value, at: &str) -> Vec<String> {
    match (value, other) {
        (Value::Object(map), Value::Object(others)) => {
            let keys = map.iter().flat_map(|(key, value)| {
                let at = format!("{at}.{key}");
                match others.get(key) {
                    Some(other) => differences(value, other, &at),
                    None => vec![at],
                }
            });
            keys.collect()
        }
        (Value::Array(list), Value::Array(others)) if list.len() == others.len() => {
            let items = list.iter().zip(others).enumerate();
            let items = items
                .flat_map(|(ix, (value, other))| differences(value, other, &format!("{at}[{ix}]")));
            items.collect()
        }
        _ if value == other => Vec::new(),
        _ => vec![at.to_owned()],
    }
}
