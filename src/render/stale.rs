//! Why a plan is not the one that was approved. Imports core.

use super::escape::visible;
use super::style::counted;
use super::{guards, lines, plan_rows};
use crate::diff::plan::{Kind, Plan};
use crate::impact::saved_plan::{Half, Moved, difference};

/// How many differing objects are named, rather than counted.
const SHOWN: usize = 20;

/// What differs, without colours, object by object.
pub(crate) fn stale_text(approved: &Plan, now: &Plan) -> String {
    let moved = difference(approved, now);
    let (calls, moved): (Vec<Moved<'_>>, Vec<Moved<'_>>) =
        moved.into_iter().partition(differs_by_calls_alone);
    let shown = moved.iter().take(SHOWN);
    let mut text: String = shown
        .map(|moved| object_lines(approved, now, moved))
        .collect();
    if let Some(more) = moved.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        text += &format!("  and {}\n", counted(more as u64, "more object"));
    }
    if !calls.is_empty() {
        let numbers = counted(calls.len() as u64, "changed number");
        text += &format!("  calls of {numbers} would go elsewhere, or on other terms\n");
    }
    for (what, old, new) in [
        (
            "environment",
            approved.environment.clone(),
            now.environment.clone(),
        ),
        (
            "database",
            approved.database.map(|id| id.to_string()),
            now.database.map(|id| id.to_string()),
        ),
    ] {
        if old != new {
            let word = |value: Option<String>| visible(&value.unwrap_or_else(|| "none".to_owned()));
            text += &format!("  {what}: approved {}, now {}\n", word(old), word(new));
        }
    }
    for (name, plan) in [("approved", approved), ("now", now)] {
        if approved.aliases != now.aliases {
            text += &aliases_of(name, plan);
        }
        if approved.guards != now.guards {
            text += &guards_of(name, plan);
        }
    }
    text.trim_end().to_owned()
}

/// What a plan does to the names of tenants.
fn aliases_of(name: &str, plan: &Plan) -> String {
    let lines = guards::alias_lines(&plan.aliases);
    if lines.is_empty() {
        return format!("  tenants, {name}: nothing to do\n");
    }
    let lines = lines.iter().map(|line| visible(&lines::plain(line)));
    let lines: String = lines.map(|line| format!("      {line}\n")).collect();
    format!("  tenants, {name}: rename\n{lines}")
}

/// What a plan does to the guards.
fn guards_of(name: &str, plan: &Plan) -> String {
    let Some(change) = &plan.guards else {
        return format!("  guards, {name}: nothing to do\n");
    };
    let lines = guards::guards_lines(change);
    let lines = lines.iter().map(|line| visible(&lines::plain(line)));
    let lines: String = lines.map(|line| format!("      {line}\n")).collect();
    format!("  guards, {name}: update\n{lines}")
}

/// Whether the same change would do something else to calls: the config or
/// region that it leads to is another one.
fn differs_by_calls_alone(moved: &Moved<'_>) -> bool {
    let halves = moved.approved.as_ref().zip(moved.now.as_ref());
    halves.is_some_and(|(approved, now)| {
        let alike = approved.fields.is_empty() && now.fields.is_empty();
        alike && approved.change.action == now.change.action
    })
}

fn object_lines(approved: &Plan, now: &Plan, moved: &Moved<'_>) -> String {
    let (plan, half) = match (&moved.now, &moved.approved) {
        (Some(half), _) => (now, half),
        (None, Some(half)) => (approved, half),
        (None, None) => return "  a secret that the files name in another way\n".to_owned(),
    };
    let address = plan.address(half.change.object).to_string();
    let place = plan_rows::place(plan, half.change);
    let place = place.map_or(String::new(), |place| format!(", {place}"));
    let sides = [
        side_lines("approved", approved, moved.approved.as_ref()),
        side_lines("now", now, moved.now.as_ref()),
    ];
    format!("  {}\n{}", visible(&(address + &place)), sides.concat())
}

/// `    now: update` and the lines that the other plan does not have.
fn side_lines(name: &str, plan: &Plan, half: Option<&Half<'_>>) -> String {
    let Some(half) = half else {
        return format!("    {name}: nothing to do\n");
    };
    let mut text = format!("    {name}: {}", half.change.action.as_str());
    if half.fields.iter().any(|field| field.kind == Kind::Drift) {
        text += ", as it was changed outside lkroute";
    }
    text += "\n";
    for field in &half.fields {
        for line in lines::of_field(plan, half.change, field) {
            text += &format!("      {}\n", visible(&lines::plain(&line)));
        }
    }
    text
}
