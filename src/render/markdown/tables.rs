//! Who moves, what is in conflict, what drifted. Imports core.

use serde_json::Value;

use super::page::Page;
use crate::diff::plan::{Change, FieldChange, Kind, Plan};
use crate::fields::Field;
use crate::impact::reroutes::{EffectiveRoute, RerouteGroup, Reroutes, RouteField, Share};
use crate::render::escape::code;
use crate::render::lines;
use crate::render::moves::{self, Fate};
use crate::render::style::{counted, thousands};

/// Rows of one table.
const ROWS: usize = 25;
/// Tenants named in one cell.
const NAMED_TENANTS: usize = 3;

pub fn reroutes(page: &mut Page, reroutes: &Reroutes) {
    let head = "#### Who is rerouted\n\n\
                | Numbers | Tenants | Before | After |\n|---:|---|---|---|\n";
    page.list(head, reroutes.groups.iter().map(reroute), ROWS, |left| {
        format!("\nand {} like these\n", counted(left, "more group"))
    });
}

fn reroute(group: &RerouteGroup) -> String {
    let before = match &group.before {
        Some(before) => end(before, group, false),
        None => "not there".to_owned(),
    };
    let after = end(&group.after, group, true);
    let (numbers, tenants) = (thousands(group.count), shares(&group.tenants));
    format!("| {numbers} | {tenants} | {before} | {after} |\n")
}

fn shares(shares: &[Share]) -> String {
    let label = |share: &Share| share.name.as_deref().map_or("none".to_owned(), code);
    let mut names: Vec<String> = shares.iter().take(NAMED_TENANTS).map(label).collect();
    if let Some(more) = shares.len().checked_sub(NAMED_TENANTS + 1) {
        names.push(format!("and {} more", thousands(more as u64 + 1)));
    }
    names.join(", ")
}

/// One end of a move: where it is, and the values that differ there; what is
/// new in bold.
fn end(leg: &EffectiveRoute, group: &RerouteGroup, new: bool) -> String {
    let strong = |text: String, bold: bool| if bold { format!("**{text}**") } else { text };
    let lost = matches!(moves::fate(group), Fate::Breaks | Fate::FallsBack);
    let place = match (&leg.config, &leg.error) {
        (Some(config), None) if leg.is_database() => code(config),
        (_, Some((reason, _))) => format!("no route ({})", code(reason)),
        _ => "environment".to_owned(),
    };
    let differs = group.changed.contains(&RouteField::Config) || lost;
    let mut text = strong(place, new && differs);
    if !leg.is_database() {
        let what = if leg.error.is_some() {
            "calls fail"
        } else {
            "no route in the database"
        };
        return format!("{text}<br>{what}");
    }
    if let Some(region) = &leg.region {
        let region = code(region);
        text += " in ";
        text += &strong(region, new && group.changed.contains(&RouteField::Region));
    }
    for aspect in [
        RouteField::Server,
        RouteField::Trunk,
        RouteField::Worker,
        RouteField::Outbound,
    ] {
        if group.changed.contains(&aspect) && !lost {
            let value = strong(code(&moves::value(leg, aspect)), new);
            text += &format!("<br>{} {value}", moves::name(aspect));
        }
    }
    text
}

pub fn conflicts(page: &mut Page, plan: &Plan) {
    let count = plan.conflicts().count() as u64;
    if count == 0 {
        return;
    }
    page.add(&format!(
        "> [!CAUTION]\n> **{}: the database holds values that lkroute did not set. Nothing is \
         applied.** To set what the files say, run `lkroute adopt ADDRESS` and commit; to keep \
         what is there, write it into the files.\n",
        counted(count, "conflict")
    ));
    let head = "| Conflict | Field | In the database | In the files |\n|---|---|---|---|\n";
    let rows = plan.conflicts().flat_map(|change| {
        let fields = plan.patch(change).fields.iter();
        let against = fields.filter(|f| matches!(f.kind, Kind::Conflict | Kind::Blocked));
        against.map(move |field| {
            let live = match (field.kind, field.before.as_ref().and_then(Value::as_str)) {
                (Kind::Blocked, Some(state)) => code(state),
                _ => shown(plan, field.field, &field.before),
            };
            row(
                plan,
                change,
                field,
                &live,
                &shown(plan, field.field, &field.after),
            )
        })
    });
    page.list(head, rows, ROWS, |left| format!("\nand {left} more\n"));
}

pub fn drift(page: &mut Page, plan: &Plan) {
    let drifted: Vec<&Change> = plan
        .changes
        .iter()
        .filter(|change| !plan.in_conflict(change) && plan.patch(change).has(Kind::Drift))
        .collect();
    if drifted.is_empty() {
        return;
    }
    let count = match drifted.len() as u64 {
        1 => "1 object was".to_owned(),
        many => format!("{} objects were", thousands(many)),
    };
    page.add(&format!(
        "> [!WARNING]\n> **Drift: {count} changed outside lkroute.** An apply that was seen sets \
         this back; a bare `apply --auto-approve` leaves it alone.\n"
    ));
    let head = "| Drifted | Field | Last applied | In the database now |\n|---|---|---|---|\n";
    let rows = drifted.iter().flat_map(|change| {
        let fields = plan.patch(change).fields.iter();
        let drifted = fields.filter(|field| field.kind == Kind::Drift);
        drifted.map(move |field| {
            let value = |value| shown(plan, field.field, value);
            row(
                plan,
                change,
                field,
                &value(&field.applied),
                &value(&field.before),
            )
        })
    });
    page.list(head, rows, ROWS, |left| format!("\nand {left} more\n"));
}

fn row(plan: &Plan, change: &Change, field: &FieldChange, one: &str, other: &str) -> String {
    let address = code(&plan.address(change.object).to_string());
    let place = plan.source(change).map_or(String::new(), |(file, line)| {
        format!("<br>{}", code(&format!("{file}:{line}")))
    });
    let name = code(field.field.as_str());
    format!("| {address}{place} | {name} | {one} | {other} |\n")
}

fn shown(plan: &Plan, field: Field, value: &Option<Value>) -> String {
    match (field, value) {
        (_, None) => "nothing".to_owned(),
        (Field::ApiSecret, Some(_)) => "a secret".to_owned(),
        (name, Some(value)) => code(&lines::toml(&plan.shown(name, value))),
    }
}
