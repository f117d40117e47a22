//! What changed outside lkroute, as text and JSON. Imports core.

use std::fmt::Write;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::escape::visible;
use super::findings::findings_text;
use super::history::{RecordReport, apply_in_words};
use super::json::{
    ErrorReport, FORMAT_VERSION, FindingReport, SourceReport, finding_reports, shown_value,
};
use super::lines::toml_value;
use super::plan_rows::{self, ChangeGroup, NAMED_ALIKE, alike_words, group_alike, is_binding};
use super::style::{BOLD, CHANGED, DIM, ERROR, NOTED, counted, paint, wrapped};
use crate::diff::plan::{Change, FieldChange, Kind};
use crate::error::Error;
use crate::fields::Field;
use crate::history::drift::Drift;
use crate::snapshot::{ApplyId, ApplyRecord};

/// What there is now instead of what was applied.
fn state(drift: &Drift, change: &Change) -> &'static str {
    let is_there = change
        .previous
        .is_some_and(|row| drift.touched.contains_key(&row));
    match (drift.plan.in_conflict(change), change.insert) {
        (true, _) => "blocked",
        (_, true) if is_there => "renumbered",
        (_, true) => "gone",
        _ => "changed",
    }
}

/// The report. `last`: the apply since which things have drifted.
pub(crate) fn drift_text(drift: &Drift, last: &ApplyRecord, width: usize, full: bool) -> String {
    let plan = &drift.plan;
    let environment = plan.environment.as_deref();
    let of = environment.map_or(String::new(), |name| format!(" in {name}"));
    let since = format!("since {}", apply_in_words(last));
    let count = counted(plan.changes.len() as u64, "object");
    let beside = findings_text(&drift.duplicates(), width);
    if plan.is_empty() {
        let text = if beside.is_empty() {
            format!("No drift{of}: all is as lkroute left it, {since}.")
        } else {
            format!("No object is changed{of} {since}, and others added rows beside them")
        };
        let gap = if beside.is_empty() { "" } else { "\n" };
        return paint(BOLD, wrapped(&text, width, 0)) + "\n" + gap + &beside;
    }
    let title = format!("Drift{of}: {count} changed outside lkroute {since}");
    let mut text = paint(BOLD, wrapped(&title, width, 0)) + "\n";
    // Alike are bindings that drifted alike, from values that the same applies set.
    let set_by = |change: &Change| {
        let fields = plan.patch(change).fields.iter();
        fields
            .map(|field| drift.set_by(change, field.field))
            .collect()
    };
    let groups = group_alike(&plan.changes, |change| {
        let by: Vec<Option<ApplyId>> = set_by(change);
        (!full && is_binding(change)).then_some((change.patch, by))
    });
    for group in &groups {
        let first = group.first;
        text += "\n";
        text += &group_heads(drift, group, full);
        for field in &plan.patch(first).fields {
            text += &one_field(drift, first, field);
        }
        if let Some(at) = first.previous.and_then(|row| drift.touched.get(&row)) {
            let _ = writeln!(
                text,
                "      {}",
                paint(DIM, format!("row last written {at}"))
            );
        }
    }
    if !beside.is_empty() {
        text = text + "\n" + &beside;
    }
    text + "\n" + &ways_out(drift)
}

/// One line an object, or one for all of them where they are many.
fn group_heads(drift: &Drift, group: &ChangeGroup<'_>, full: bool) -> String {
    let plan = &drift.plan;
    let head = |what: String, change: &Change| {
        let place = plan_rows::place(plan, change);
        let place = place.map_or(String::new(), |place| paint(DIM, visible(&place)));
        let gone = match state(drift, change) {
            "gone" => paint(ERROR, "its row is gone  "),
            "renumbered" => paint(ERROR, "its row has another number or tenant  "),
            _ => String::new(),
        };
        format!("  {} {what:<46}  {gone}{place}\n", paint(CHANGED, "~"))
    };
    let address = |change: &Change| plan.address(change.object).to_string();
    if group.all.len() > NAMED_ALIKE && !full {
        head(
            alike_words(group.count(), "", &address(group.first)),
            group.first,
        )
    } else {
        let each = group.all.iter();
        each.map(|change| head(address(change), change)).collect()
    }
}

fn one_field(drift: &Drift, change: &Change, field: &FieldChange) -> String {
    if field.kind == Kind::Blocked {
        let state = field.before.as_ref().and_then(Value::as_str);
        return format!(
            "      {}: {}\n",
            field.field,
            state.unwrap_or("not as it should be")
        );
    }
    let value = |value: &Option<Value>| match (field.field, value) {
        (_, None) => "nothing".to_owned(),
        (Field::ApiSecret, Some(_)) => "another secret".to_owned(),
        (name, Some(value)) => toml_value(&drift.plan.shown(name, value)),
    };
    let by = drift
        .set_by(change, field.field)
        .and_then(|id| drift.applies.get(&id));
    let by = by.map_or(String::new(), |apply| {
        format!("        by               {}\n", apply_in_words(apply))
    });
    let (applied, live) = match field.field {
        Field::ApiSecret if field.before.is_some() => ("a secret".to_owned(), value(&field.before)),
        _ => (value(&field.after), value(&field.before)),
    };
    format!(
        "      {}\n        set to           {applied}\n{by}        in the database  {live}\n",
        field.field
    )
}

fn ways_out(drift: &Drift) -> String {
    let plan = &drift.plan;
    let first = plan
        .changes
        .iter()
        .find(|change| state(drift, change) != "blocked");
    let Some(first) = first else {
        return String::new();
    };
    let mut changes = plan.changes.iter();
    let back = if changes.any(|change| state(drift, change) == "renumbered") {
        "\n(a new row for a number whose row has another one now: that one stays as it is,\n\
         active and with what was applied; make it inactive, or correct its number back)"
    } else {
        ""
    };
    format!(
        "{}\n{}\n",
        paint(
            NOTED,
            format!(
                "to keep what is there: lkroute drift --accept {}",
                plan.address(first.object)
            )
        ),
        paint(
            NOTED,
            format!("to set it back:        lkroute apply --revert-drift{back}")
        ),
    )
}

/// `drift --format json`. Keys are always there.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct DriftReport<'a> {
    pub format_version: u32,
    /// That of the database, where it has one.
    pub environment: Option<&'a str>,
    /// The last apply.
    pub since: Option<RecordReport>,
    pub objects: Vec<DriftedReport<'a>>,
    /// Rows that others added beside ours, of the same number and tenant.
    pub findings: Vec<FindingReport>,
    /// Addresses whose values were written into the files.
    pub accepted: Vec<String>,
    pub error: Option<ErrorReport>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DriftedReport<'a> {
    pub address: String,
    /// `config` or `binding`.
    pub kind: &'static str,
    /// `changed`; `gone`: the row is no longer there; `renumbered`: the row is there,
    /// with another number or tenant; `blocked`: others made
    /// it something that can't be compared, as `fields` says in words.
    pub state: &'static str,
    /// Where it was declared when it was applied.
    pub source: Option<SourceReport<'a>>,
    pub row: Option<Uuid>,
    /// When the row was last written to, RFC 3339.
    pub touched: Option<&'a str>,
    pub fields: Vec<DriftedField>,
}

/// Configs by name; of a secret only that there is one.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DriftedField {
    pub name: &'static str,
    pub applied: Value,
    pub live: Value,
    /// The apply that had set it.
    pub by: Option<RecordReport>,
}

impl<'a> DriftReport<'a> {
    pub(crate) fn new(drift: &'a Drift, last: &ApplyRecord) -> DriftReport<'a> {
        let changes = drift.plan.changes.iter();
        DriftReport {
            format_version: FORMAT_VERSION,
            environment: drift.plan.environment.as_deref(),
            since: Some(last.into()),
            objects: changes
                .map(|change| drifted_report(drift, change))
                .collect(),
            findings: finding_reports(&drift.duplicates()),
            ..DriftReport::default()
        }
    }

    pub(crate) fn failed(error: &Error) -> DriftReport<'static> {
        DriftReport {
            format_version: FORMAT_VERSION,
            error: Some(error.into()),
            ..DriftReport::default()
        }
    }
}

fn drifted_report<'a>(drift: &'a Drift, change: &Change) -> DriftedReport<'a> {
    let plan = &drift.plan;
    let address = plan.address(change.object);
    let fields = plan.patch(change).fields.iter().map(|field| DriftedField {
        name: field.field.as_str(),
        applied: shown_value(plan, field.field, &field.after),
        live: shown_value(plan, field.field, &field.before),
        by: drift
            .set_by(change, field.field)
            .and_then(|id| drift.applies.get(&id))
            .map(RecordReport::from),
    });
    let touched = change.previous.and_then(|row| drift.touched.get(&row));
    DriftedReport {
        kind: address.kind(),
        address: address.to_string(),
        state: state(drift, change),
        source: plan
            .source(change)
            .map(|(file, line)| SourceReport { file, line }),
        row: change.previous,
        touched: touched.map(String::as_str),
        fields: fields.collect(),
    }
}
