//! Who moves, what is in conflict, what drifted. Imports core.

use serde_json::Value;

use super::page::Page;
use crate::diff::plan::{Change, FieldChange, Kind, Plan};
use crate::fields::Field;
use crate::impact::reroutes::{CallField, EffectiveRoute, RerouteGroup, Reroutes, Share};
use crate::render::escape::code_span;
use crate::render::lines;
use crate::render::moves::{self, RouteFate};
use crate::render::plan_rows::{self, PlanRows};
use crate::render::style::{counted, thousands};
use crate::resolve::Terms;

/// Rows of one table.
const ROWS: usize = 25;
/// Tenants named in one cell.
const NAMED_TENANTS: usize = 3;

pub(super) fn add_reroutes(page: &mut Page, reroutes: &Reroutes) {
    let head = "#### Whose calls change\n\n\
                | Numbers | Tenants | Before | After |\n|---:|---|---|---|\n";
    page.add_list(
        head,
        reroutes.groups.iter().map(reroute_row),
        ROWS,
        |left| format!("\nand {} like these\n", counted(left, "more group")),
    );
}

fn reroute_row(group: &RerouteGroup) -> String {
    let before = match &group.before {
        Some(before) => route_end(before, group, false),
        None => "not there".to_owned(),
    };
    let after = route_end(&group.after, group, true);
    let (numbers, tenants) = (thousands(group.count), share_words(&group.tenants));
    format!("| {numbers} | {tenants} | {before} | {after} |\n")
}

fn share_words(shares: &[Share]) -> String {
    let label = |share: &Share| share.name.as_deref().map_or("none".to_owned(), code_span);
    let mut names: Vec<String> = shares.iter().take(NAMED_TENANTS).map(label).collect();
    if let Some(more) = shares.len().checked_sub(NAMED_TENANTS + 1) {
        names.push(format!("and {} more", thousands(more as u64 + 1)));
    }
    names.join(", ")
}

/// One end of a change: where calls go, and the values that differ there; what
/// is new in bold.
fn route_end(route: &EffectiveRoute, group: &RerouteGroup, new: bool) -> String {
    let strong = |text: String, bold: bool| if bold { format!("**{text}**") } else { text };
    let lost = matches!(
        moves::group_fate(group),
        RouteFate::Breaks | RouteFate::FallsBack
    );
    let place = match (&route.config, &route.error) {
        (Some(config), None) if route.is_database() => {
            let other = if new {
                group.before.as_ref()
            } else {
                Some(&group.after)
            };
            let other = other.filter(|other| other.config_id != route.config_id);
            other.map_or_else(
                || code_span(config),
                |other| moves::config_apart(route, other),
            )
        }
        (_, Some((reason, _))) => format!("no route ({})", code_span(reason)),
        _ => "environment".to_owned(),
    };
    let differs = group.changed.contains(&CallField::Config) || lost;
    let mut text = strong(place, new && differs);
    if !route.is_database() {
        let what = if route.error.is_some() {
            "calls fail"
        } else {
            "no route in the database"
        };
        text = format!("{text}<br>{what}");
    }
    if let Some(region) = &route.region {
        let region = code_span(region);
        text += " in ";
        text += &strong(region, new && group.changed.contains(&CallField::Region));
    }
    if lost {
        return text;
    }
    // The environment has no values of its own to show.
    let shown =
        |field: &CallField| is_told(group, *field) && (route.is_database() || !field.is_route());
    for field in CallField::ALL.into_iter().filter(shown) {
        let value = strong(code_span(&moves::field_value(route, field)), new);
        text += &format!("<br>{} {value}", moves::field_name(field));
    }
    if new && group.changed.contains(&CallField::Secret) {
        text += "<br>**another API secret**";
    }
    if new && group.secret_not_compared {
        text += "<br>API secret not compared";
    }
    text
}

/// Whether a value is shown at both ends: it differs, or a new number has terms
/// of its own.
fn is_told(group: &RerouteGroup, field: CallField) -> bool {
    let changed = group.changed.contains(&field);
    let new = group.after.terms.as_ref();
    let new = new.filter(|_| group.before.is_none());
    let usual = Terms::default();
    let own = |differs: fn(&Terms, &Terms) -> bool| new.is_some_and(|terms| differs(terms, &usual));
    match field {
        // These have sentences of their own in the report.
        CallField::Source | CallField::Config | CallField::Region | CallField::Secret => false,
        CallField::Server
        | CallField::Trunk
        | CallField::Worker
        | CallField::Deployment
        | CallField::ApiKey
        | CallField::Fallback => changed,
        CallField::Inbound => changed || own(|new, usual| new.inbound != usual.inbound),
        CallField::Outbound => changed || own(|new, usual| new.outbound != usual.outbound),
        CallField::Countries => changed || own(|new, usual| new.countries != usual.countries),
        CallField::Dialled => changed || own(|new, usual| new.dialled != usual.dialled),
    }
}

pub(super) fn add_conflicts(page: &mut Page, rows: &PlanRows<'_>) {
    let (plan, count) = (rows.plan, rows.summary.conflict);
    if count == 0 {
        return;
    }
    page.add_block(&format!(
        "> [!CAUTION]\n> **{}: the database holds values that lkroute did not set. Nothing is \
         applied.** To set what the files say, run `lkroute adopt ADDRESS` and commit; to keep \
         what is there, write it into the files.\n",
        counted(count, "conflict")
    ));
    let head = "| Conflict | Field | In the database | In the files |\n|---|---|---|---|\n";
    let rows = rows.conflicts.iter().flat_map(|change| {
        let fields = plan.patch(change).fields.iter();
        let against = fields.filter(|field| field.kind.is_conflict());
        against.map(move |field| {
            let live = match (field.kind, field.before.as_ref().and_then(Value::as_str)) {
                (Kind::Blocked, Some(state)) => code_span(state),
                _ => shown_value(plan, field.field, &field.before),
            };
            field_row(
                plan,
                change,
                field,
                &live,
                &shown_value(plan, field.field, &field.after),
            )
        })
    });
    page.add_list(head, rows, ROWS, |left| format!("\nand {left} more\n"));
}

pub(super) fn add_drift(page: &mut Page, rows: &PlanRows<'_>) {
    let plan = rows.plan;
    let drifted: Vec<&Change> = rows.drifted().collect();
    if drifted.is_empty() {
        return;
    }
    let count = match drifted.len() as u64 {
        1 => "1 object was".to_owned(),
        many => format!("{} objects were", thousands(many)),
    };
    page.add_block(&format!(
        "> [!WARNING]\n> **Drift: {count} changed outside lkroute.** An apply that was seen sets \
         this back; a bare `apply --auto-approve` leaves it alone.\n"
    ));
    let head = "| Drifted | Field | Last applied | In the database now |\n|---|---|---|---|\n";
    let rows = drifted.iter().flat_map(|change| {
        let fields = plan.patch(change).fields.iter();
        let drifted = fields.filter(|field| field.kind == Kind::Drift);
        drifted.map(move |field| {
            let value = |value| shown_value(plan, field.field, value);
            field_row(
                plan,
                change,
                field,
                &value(&field.applied),
                &value(&field.before),
            )
        })
    });
    page.add_list(head, rows, ROWS, |left| format!("\nand {left} more\n"));
}

fn field_row(plan: &Plan, change: &Change, field: &FieldChange, one: &str, other: &str) -> String {
    let address = code_span(&plan.address(change.object).to_string());
    let place = plan_rows::place(plan, change)
        .map_or(String::new(), |place| format!("<br>{}", code_span(&place)));
    let name = code_span(field.field.as_str());
    format!("| {address}{place} | {name} | {one} | {other} |\n")
}

fn shown_value(plan: &Plan, field: Field, value: &Option<Value>) -> String {
    match (field, value) {
        (_, None) => "nothing".to_owned(),
        (Field::ApiSecret, Some(_)) => "a secret".to_owned(),
        (name, Some(value)) => code_span(&lines::toml_value(&plan.shown(name, value))),
    }
}
