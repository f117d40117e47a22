//! Applies, what they changed, and what happened to one object, as text and
//! JSON. Imports core.

use std::collections::BTreeMap;
use std::fmt::Write;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::clock::to_minute;
use super::escape::visible;
use super::json::{ErrorReport, FORMAT_VERSION};
use super::lines;
use super::plan_rows::{AlikeGroup, NAMED_ALIKE, alike_words, counts_done, group_alike};
use super::style::{ADDED, BOLD, CHANGED, DIM, NOTED, REMOVED, paint};
use crate::address::Address;
use crate::count_words::counted;
use crate::diff::plan::shown_url;
use crate::error::Error;
use crate::fields::Field;
use crate::history::changes::{Event, FieldStep, What};
use crate::snapshot::ApplyRecord;

/// How values are shown: configs by name, secrets not at all.
#[derive(Debug, Default)]
pub struct HistoryNames(pub BTreeMap<Uuid, String>);

impl HistoryNames {
    fn shown_value(&self, field: Field, value: &Value) -> Value {
        let config = || self.0.get(&Uuid::parse_str(value.as_str()?).ok()?);
        match field {
            Field::ApiSecret => "(secret)".into(),
            field if field.names_config() => {
                config().map_or_else(|| value.clone(), |name| name.as_str().into())
            }
            Field::Url => shown_url(value),
            _ => value.clone(),
        }
    }

    fn value_toml(&self, field: Field, value: &Value) -> String {
        match field {
            Field::ApiSecret => "(secret)".to_owned(),
            _ => lines::toml_value(&self.shown_value(field, value)),
        }
    }
}

/// All applies, one line each, the newest first.
pub fn apply_list(applies: &[ApplyRecord], environment: Option<&str>) -> String {
    if applies.is_empty() {
        return "Nothing has been applied yet.\n".to_owned();
    }
    let of = environment.map_or(String::new(), |name| format!(" to {name}"));
    let mut text = paint(BOLD, format!("Applied{of}, the newest first")) + "\n";
    let width = |of: fn(&ApplyRecord) -> String| {
        let longest = applies.iter().map(|apply| of(apply).chars().count()).max();
        longest.unwrap_or_default()
    };
    let (ids, actors) = (width(|a| a.id.to_string()), width(|a| visible(&a.actor)));
    for apply in applies {
        let done = match counts_done(&apply.counts) {
            none if none.is_empty() => "-".to_owned(),
            done => done,
        };
        let _ = writeln!(
            text,
            "  {:>ids$}  {}  {:<8}  {:<actors$}  {:<13}  {}{}",
            apply.id,
            paint(DIM, to_minute(&apply.at)),
            visible(&apply.kind),
            visible(&apply.actor),
            revision(apply),
            done,
            paint(NOTED, apply_note(apply)),
        );
    }
    text
}

/// The commit, shortened, with a `+` where more was changed.
fn revision(apply: &ApplyRecord) -> String {
    let commit = apply.revision.as_deref().unwrap_or("-");
    let short = commit.get(..12).unwrap_or(commit);
    if apply.dirty {
        format!("{short}+")
    } else {
        short.to_owned()
    }
}

fn apply_note(apply: &ApplyRecord) -> String {
    let back = apply.restores.map(|to| format!("  back to {to}"));
    let reason = apply
        .reason
        .as_ref()
        .map(|reason| format!("  “{}”", visible(reason)));
    back.unwrap_or_default() + &reason.unwrap_or_default()
}

/// `apply 3 of 2026-11-21 03:34 UTC by ci, commit 3f2a1b9c0d12`
pub fn apply_in_words(apply: &ApplyRecord) -> String {
    let commit = match &apply.revision {
        Some(_) => format!(", commit {}", revision(apply)),
        None => String::new(),
    };
    format!(
        "{} {} of {} by {}{commit}",
        visible(&apply.kind),
        apply.id,
        to_minute(&apply.at),
        visible(&apply.actor)
    )
}

/// What one apply changed.
pub fn apply_text(
    apply: &ApplyRecord,
    changed: &[(Address, Event)],
    names: &HistoryNames,
    environment: Option<&str>,
    full: bool,
) -> String {
    let mut text = apply_title(apply, environment);
    let groups = group_alike(changed, |(address, event)| {
        (!full && matches!(address, Address::Binding(..))).then_some(event)
    });
    for group in &groups {
        text += &event_heads(group);
        text += &step_lines(&group.first.1, names);
    }
    let others = [
        ("guards", "guard", "changed"),
        ("aliases", "tenant", "renamed"),
    ];
    let mut is_told = !changed.is_empty();
    for (key, what, done) in others {
        let count = apply.counts.get(key).and_then(Value::as_u64);
        if let Some(count) = count.filter(|count| *count > 0) {
            let what = counted(count, what);
            let _ = writeln!(text, "  {what} {done}: the files that it applied say which");
            is_told = true;
        }
    }
    if !is_told {
        text += "  no object\n";
    }
    text
}

fn apply_title(apply: &ApplyRecord, environment: Option<&str>) -> String {
    let of = environment.map_or(String::new(), |name| format!(", environment {name}"));
    let mut title = apply_in_words(apply);
    if let Some(first) = title.get(..1).map(str::to_uppercase) {
        title.replace_range(..1, &first);
    }
    let note = apply_note(apply);
    let note = if note.is_empty() {
        String::new()
    } else {
        format!("{}\n", paint(NOTED, note))
    };
    format!("{}\n{note}", paint(BOLD, format!("{title}{of}")))
}

fn event_sign(what: What) -> String {
    match what {
        What::Created => paint(ADDED, "+"),
        What::Changed => paint(CHANGED, "~"),
        What::Removed => paint(REMOVED, "-"),
        What::Adopted | What::Released => paint(NOTED, "="),
    }
}

fn event_heads(group: &AlikeGroup<&(Address, Event)>) -> String {
    let (first, event) = group.first;
    let head = |what: &str| {
        let done = paint(DIM, event.what.as_str());
        format!("  {} {what}  {done}\n", event_sign(event.what))
    };
    if group.all.len() > NAMED_ALIKE {
        head(&alike_words(group.count(), "", &first.to_string()))
    } else {
        let named = group.all.iter();
        named
            .map(|(address, _)| head(&address.to_string()))
            .collect()
    }
}

fn step_lines(event: &Event, names: &HistoryNames) -> String {
    if event.what == What::Released {
        return String::new();
    }
    event
        .steps
        .iter()
        .map(|step| one_step(step, names))
        .collect()
}

fn one_step(step: &FieldStep, names: &HistoryNames) -> String {
    let field = step.field;
    if let (Field::ApiSecret, Some(_), Some(_)) = (field, &step.before, &step.after) {
        return "        api_secret: changed\n".to_owned();
    }
    let line = |sign: &str, style, value: &Option<Value>| match value {
        Some(value) => {
            let line = format!("{sign} {field} = {}", names.value_toml(field, value));
            format!("      {}\n", paint(style, line))
        }
        None => String::new(),
    };
    line("-", REMOVED, &step.before) + &line("+", ADDED, &step.after)
}

/// What happened to one object, the newest first.
pub fn object_story(
    address: &Address,
    events: &[(ApplyRecord, Event)],
    names: &HistoryNames,
    environment: Option<&str>,
) -> String {
    let of = environment.map_or(String::new(), |name| format!(", environment {name}"));
    let mut text = paint(BOLD, address) + &of + "\n";
    for (apply, event) in events.iter().rev() {
        let note = paint(NOTED, apply_note(apply));
        let _ = writeln!(
            text,
            "  {} {} by {}{note}",
            event_sign(event.what),
            event.what.as_str(),
            apply_in_words(apply)
        );
        text += &step_lines(event, names);
    }
    text
}

/// `history --format json`. Keys are always there.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct HistoryReport {
    pub format_version: u32,
    /// That of the database, where it has one.
    pub environment: Option<String>,
    /// The newest first; the one that was asked for.
    pub applies: Vec<RecordReport>,
    /// What the apply that was asked for changed.
    pub changes: Vec<ChangedReport>,
    /// What happened to the object that was asked for, the newest first.
    pub events: Vec<EventReport>,
    pub error: Option<ErrorReport>,
}

impl HistoryReport {
    pub fn new(environment: Option<&str>, applies: &[ApplyRecord]) -> HistoryReport {
        HistoryReport {
            format_version: FORMAT_VERSION,
            environment: environment.map(str::to_owned),
            applies: applies.iter().map(RecordReport::from).collect(),
            ..HistoryReport::default()
        }
    }

    pub fn failed(error: &Error) -> HistoryReport {
        HistoryReport {
            error: Some(error.into()),
            ..HistoryReport::new(None, &[])
        }
    }
}

/// One apply.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RecordReport {
    pub id: i64,
    /// RFC 3339, UTC.
    pub at: String,
    /// `apply`, `rollback` or `release`.
    pub kind: String,
    pub actor: String,
    pub revision: Option<String>,
    /// Whether the files differed from that commit.
    pub dirty: bool,
    pub reason: Option<String>,
    /// The apply whose state a rollback brought back.
    pub restores: Option<i64>,
    /// As `summary` of a plan.
    pub counts: Value,
    /// Of lkroute.
    pub version: String,
}

impl From<&ApplyRecord> for RecordReport {
    fn from(apply: &ApplyRecord) -> RecordReport {
        RecordReport {
            id: apply.id,
            at: apply.at.clone(),
            kind: apply.kind.clone(),
            actor: apply.actor.clone(),
            revision: apply.revision.clone(),
            dirty: apply.dirty,
            reason: apply.reason.clone(),
            restores: apply.restores,
            counts: apply.counts.clone(),
            version: apply.version.clone(),
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct ChangedReport {
    pub address: String,
    /// `region`, `config` or `binding`.
    pub kind: &'static str,
    /// `created`, `adopted`, `changed`, `removed` or `released`.
    pub what: &'static str,
    pub fields: Vec<StepReport>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct EventReport {
    pub apply: RecordReport,
    /// `created`, `adopted`, `changed`, `removed` or `released`.
    pub what: &'static str,
    pub fields: Vec<StepReport>,
}

/// Configs by name; of a secret only that there is one.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StepReport {
    pub name: &'static str,
    pub before: Value,
    pub after: Value,
}

impl StepReport {
    fn all_of(event: &Event, names: &HistoryNames) -> Vec<StepReport> {
        let shown = |step: &FieldStep, value: &Option<Value>| match value {
            Some(value) => names.shown_value(step.field, value),
            None => Value::Null,
        };
        let steps = event.steps.iter().map(|step| StepReport {
            name: step.field.as_str(),
            before: shown(step, &step.before),
            after: shown(step, &step.after),
        });
        steps.collect()
    }
}

impl ChangedReport {
    pub fn new(address: &Address, event: &Event, names: &HistoryNames) -> ChangedReport {
        ChangedReport {
            address: address.to_string(),
            kind: address.kind(),
            what: event.what.as_str(),
            fields: StepReport::all_of(event, names),
        }
    }
}

impl EventReport {
    pub fn new(apply: &ApplyRecord, event: &Event, names: &HistoryNames) -> EventReport {
        EventReport {
            apply: apply.into(),
            what: event.what.as_str(),
            fields: StepReport::all_of(event, names),
        }
    }
}
