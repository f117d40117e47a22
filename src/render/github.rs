//! Annotations on the lines of a pull request, as workflow commands of GitHub
//! Actions. Imports core.
//!
//! A step may make ten annotations of each kind: the runner drops what comes
//! later (`_maxCountPerIssueType` in `src/Runner.Worker/ExecutionContext.cs`
//! of actions/runner) and cuts messages at 4,096 characters; of one run GitHub
//! shows fifty. So the worst come first, and a last notice counts the rest.
//! How commands are escaped: `src/Runner.Common/ActionCommand.cs` there.

use super::escape::{clipped_to, visible};
use super::plan_rows::{self, ChangeGroup, WORST_FIRST, group_by_line};
use super::style::{counted, thousands};
use super::{guards, lines, moves};
use crate::diff::plan::{Action, Change, Kind, Plan};
use crate::finding::{Finding, Place};
use crate::impact::reroutes::Reroutes;

/// Annotations of one kind that a step may make.
const OF_A_KIND: usize = 10;
/// Below what the runner sends on.
const LONGEST: usize = 3_000;

enum_words! {
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Level {
        Error = "error",
        Warning = "warning",
        Notice = "notice",
    }
}

/// One annotation.
#[derive(Debug)]
struct Note {
    level: Level,
    place: Option<Place>,
    title: String,
    message: String,
}

/// The commands for findings (those of the guards among them) and for what a
/// plan does: findings that are errors and conflicts as errors, warnings and
/// drift as warnings, changes as notices. Nothing for an empty plan.
pub fn github_commands(findings: &[Finding], plan: Option<(&Plan, &Reroutes)>) -> String {
    let mut notes: Vec<Note> = findings.iter().map(note).collect();
    if let Some((plan, reroutes)) = plan {
        notes.extend(calls_note(reroutes));
        notes.extend(conflict_findings(plan).iter().map(note));
        let aliases = guards::alias_lines(&plan.aliases);
        let title = "tenants: rename";
        notes.extend((!aliases.is_empty()).then(|| lines_note(title, &aliases)));
        let guards = plan.guards.as_ref().map(guards::guards_lines);
        notes.extend(guards.map(|lines| lines_note("guards: update", &lines)));
        let rows = plan_rows::rows(plan);
        let drifted = group_by_line(rows.drifted());
        notes.extend(drifted.iter().map(|group| drift_note(plan, group)));
        for action in WORST_FIRST {
            let groups = group_by_line(rows.of_actions(|of| of == action));
            notes.extend(groups.iter().map(|group| change_note(plan, group)));
        }
    }
    let mut text = String::new();
    let mut rest: Vec<String> = Vec::new();
    for level in [Level::Error, Level::Warning, Level::Notice] {
        let of_it: Vec<&Note> = notes.iter().filter(|note| note.level == level).collect();
        let most = match (level, rest.is_empty() && of_it.len() <= OF_A_KIND) {
            (Level::Notice, false) => OF_A_KIND - 1,
            _ => OF_A_KIND,
        };
        for note in of_it.iter().take(most) {
            text.push_str(&note_command(note));
        }
        if of_it.len() > most {
            rest.push(counted((of_it.len() - most) as u64, level.as_str()));
        }
    }
    if !rest.is_empty() {
        let message = format!(
            "and {} more: the report of this step has them all",
            rest.join(", ")
        );
        text.push_str(&note_command(&Note {
            level: Level::Notice,
            place: None,
            title: "lkroute".to_owned(),
            message,
        }));
    }
    text
}

/// What happens to calls, in one annotation; a warning where some are lost or
/// can go to more places.
fn calls_note(reroutes: &Reroutes) -> Option<Note> {
    let clauses = moves::move_clauses(reroutes);
    let mut groups = reroutes.groups.iter();
    let warns = groups.any(|group| group.effect.is_lost() || group.effect.widened);
    (!clauses.is_empty()).then(|| Note {
        level: if warns { Level::Warning } else { Level::Notice },
        place: None,
        title: "calls".to_owned(),
        message: clauses.join("\n"),
    })
}

fn note(finding: &Finding) -> Note {
    let mut message = finding.message.clone();
    for (place, what) in &finding.also {
        message += &format!("\n{what}: {place}");
    }
    if let Some(hint) = &finding.hint {
        message += &format!("\n{hint}");
    }
    Note {
        level: if finding.is_error() {
            Level::Error
        } else {
            Level::Warning
        },
        place: finding.place.clone(),
        title: finding.code.to_string(),
        message,
    }
}

/// The address, and how many more are alike.
fn group_subject(plan: &Plan, group: &ChangeGroup<'_>) -> String {
    let address = plan.address(group.first.object);
    match group.count() {
        1 => address.to_string(),
        count => format!("{address} and {} more", thousands(count - 1)),
    }
}

fn change_body(plan: &Plan, change: &Change, wanted: impl Fn(Kind) -> bool) -> String {
    lines::plain_lines(plan, change, wanted).join("\n")
}

/// The conflicts of a plan as findings, those at one line together.
pub fn conflict_findings(plan: &Plan) -> Vec<Finding> {
    let groups = group_by_line(plan.conflicts());
    let groups = groups.iter();
    groups.map(|group| conflict_finding(plan, group)).collect()
}

fn conflict_finding(plan: &Plan, group: &ChangeGroup<'_>) -> Finding {
    let fields = plan.patch(group.first).fields.iter();
    let against = fields.filter(|field| field.kind.is_conflict());
    let names: Vec<&str> = against.map(|field| field.field.as_str()).collect();
    let message = format!(
        "{}: the database holds values of {} that lkroute did not set, and the files say something else",
        group_subject(plan, group),
        names.join(", ")
    );
    let finding = Finding::error("conflict", message).hint(
        "nothing is applied until the files say what counts; `lkroute plan` shows both values",
    );
    finding.at(plan.place(group.first))
}

fn lines_note(title: &str, lines: &[String]) -> Note {
    let plain: Vec<String> = lines.iter().map(|line| lines::plain(line)).collect();
    Note {
        level: Level::Notice,
        place: None,
        title: title.to_owned(),
        message: plain.join("\n"),
    }
}

fn drift_note(plan: &Plan, group: &ChangeGroup<'_>) -> Note {
    Note {
        level: Level::Warning,
        place: plan.place(group.first),
        title: format!("drift: {}", group_subject(plan, group)),
        message: format!(
            "changed in the database since the last apply; to be set back:\n{}",
            change_body(plan, group.first, |kind| kind == Kind::Drift)
        ),
    }
}

fn change_note(plan: &Plan, group: &ChangeGroup<'_>) -> Note {
    let action = group.first.action.as_str();
    Note {
        level: Level::Notice,
        place: plan.place(group.first),
        title: format!("{action}: {}", group_subject(plan, group)),
        message: match (group.first.action, change_body(plan, group.first, |_| true)) {
            (_, lines) if lines.is_empty() => format!("{action}, with nothing to write"),
            // The line number is that of the file at the last apply.
            (Action::Delete, lines) => format!("no longer declared; it was here\n{lines}"),
            (_, lines) => lines,
        },
    }
}

fn note_command(note: &Note) -> String {
    let mut properties = Vec::new();
    if let Some(place) = &note.place {
        properties.push(format!("file={}", escaped_property(&place.file)));
        if place.line > 0 {
            properties.push(format!("line={}", place.line));
        }
        if place.column > 0 {
            properties.push(format!("col={}", place.column));
            properties.push(format!("endColumn={}", place.column + place.width.max(1)));
        }
    }
    properties.push(format!(
        "title={}",
        escaped_property(&clipped_to(&note.title, 200))
    ));
    let lines: Vec<String> = note.message.lines().map(visible).collect();
    let message = escaped_data(&clipped_to(&lines.join("\n"), LONGEST));
    format!(
        "::{} {}::{message}\n",
        note.level.as_str(),
        properties.join(",")
    )
}

fn escaped_data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn escaped_property(text: &str) -> String {
    escaped_data(&visible(text))
        .replace(':', "%3A")
        .replace(',', "%2C")
}
