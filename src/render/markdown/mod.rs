//! A plan for a pull-request comment or a step summary, in GitHub's Markdown.
//! Imports core and its own room.
//!
//! It is read by people who know neither TOML nor SQL, so it says first who is
//! rerouted, then what stands in the way, then every delete by name; the diffs
//! are folded. Whatever the size of the plan it stays below a limit and says
//! where the rest is. Text from files and rows goes through [`super::escape`].

mod deletes;
mod details;
mod number;
mod page;
mod picture;
mod tables;
mod verdict;

use super::escape::{code_span, escaped_prose};
use super::plan_rows::{DELETES_FIRST, PlanRows, counts_to_do, is_binding, settings_to_do};
use super::style::{counted, thousands};
use super::{moves, plan_rows};
use crate::diff::plan::Plan;
use crate::diff::summary::PlanSummary;
use crate::error::Error;
use crate::finding::Finding;
use crate::impact::change_effects::changes_calls;
use crate::impact::one_number::OneNumber;
use crate::impact::reroutes::Reroutes;
use crate::impact::saved_plan::not_covered;
use page::Page;

/// GitHub takes comments of 65,536 characters; a step summary may hold a
/// mebibyte. Some are left for what a workflow adds.
pub const MAX_CHARS: usize = 65_000;

/// The smallest limit that is kept.
const LEAST_CHARS: usize = 16_000;

/// What a report says beside the plan.
#[derive(Debug, Clone, Copy)]
pub struct ReportContext<'a> {
    /// What was compared, e.g. `4f2a91c…8c01d77`.
    pub revisions: Option<&'a str>,
    /// Whether the plan is between two states of the files.
    pub offline: bool,
    /// Where the whole report is: a URL, or the name of a file or artifact.
    pub full_report: Option<&'a str>,
    /// [`crate::impact::digest::digest`], for `apply --expect`.
    pub digest: Option<&'a str>,
    /// What guards refuse.
    pub refusals: &'a [Finding],
    /// The number of `--number`.
    pub number: Option<&'a OneNumber>,
    /// Whether the plan was read from a file, whose digest covers not all.
    pub saved: bool,
    /// Not to be exceeded; in bytes, so that it holds however characters are
    /// counted. Less than 16,000 is taken for that.
    pub max_chars: usize,
}

impl Default for ReportContext<'_> {
    fn default() -> Self {
        ReportContext {
            revisions: None,
            offline: false,
            full_report: None,
            digest: None,
            refusals: &[],
            number: None,
            saved: false,
            max_chars: MAX_CHARS,
        }
    }
}

/// A hidden line by which a later run finds its comment again: one for each
/// environment.
pub fn comment_marker(environment: Option<&str>) -> String {
    let Some(environment) = environment else {
        return "<!-- lkroute plan -->".to_owned();
    };
    let name: String = environment
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect();
    let name = super::escape::clipped_to(&name, 300);
    format!("<!-- lkroute plan: {name} -->")
}

/// The report of a plan.
pub fn plan_markdown(plan: &Plan, reroutes: &Reroutes, context: &ReportContext<'_>) -> String {
    let limit = context.max_chars.max(LEAST_CHARS);
    let rows = plan_rows::rows(plan);
    let mut page = Page::new(report_head(&rows, reroutes, context), limit);
    if let Some(one) = context.number {
        number::add_number(&mut page, one);
    }
    verdict::add_refusals(&mut page, context.refusals);
    verdict::add_errors(&mut page, &plan.findings);
    tables::add_conflicts(&mut page, &rows);
    tables::add_reroutes(&mut page, reroutes);
    tables::add_drift(&mut page, &rows);
    deletes::add_deletes(&mut page, &rows);
    picture::add_moves(&mut page, plan, reroutes);
    details::add_aliases(&mut page, plan);
    details::add_guards(&mut page, plan);
    verdict::add_warnings(&mut page, &plan.findings);
    details::add_diffs(&mut page, &rows);
    details::held_back(&mut page, plan);
    let environment = plan.environment.as_deref();
    finish_page(
        page,
        environment,
        what_was_compared(&rows, context),
        context,
    )
}

/// The report of a plan that could not be made.
pub fn failed_markdown(
    environment: Option<&str>,
    findings: &[Finding],
    error: &Error,
    context: &ReportContext<'_>,
) -> String {
    let whose = of_environment(environment);
    let message = escaped_prose(&error.message);
    let mut head = format!("### ⛔ Routing plan{whose}: not possible\n\n**{message}**\n");
    if let Some(hint) = &error.hint {
        head += &format!("\n{}\n", escaped_prose(hint));
    }
    let mut page = Page::new(head, context.max_chars.max(LEAST_CHARS));
    verdict::add_errors(&mut page, findings);
    verdict::add_warnings(&mut page, findings);
    finish_page(page, environment, Vec::new(), context)
}

/// What is wrong with the files, looked at for themselves.
pub fn files_markdown(
    environment: Option<&str>,
    findings: &[Finding],
    context: &ReportContext<'_>,
) -> String {
    let state = if findings.iter().any(Finding::is_error) {
        "⛔ Routing files"
    } else {
        "✅ Routing files are valid"
    };
    let head = format!("### {state}{}\n", of_environment(environment));
    let mut page = Page::new(head, context.max_chars.max(LEAST_CHARS));
    verdict::add_errors(&mut page, findings);
    verdict::add_warnings(&mut page, findings);
    finish_page(page, environment, Vec::new(), context)
}

fn of_environment(environment: Option<&str>) -> String {
    environment.map_or_else(String::new, |name| format!(" for {}", code_span(name)))
}

/// Title, headline and counts: what is read in ten seconds.
fn report_head(rows: &PlanRows<'_>, reroutes: &Reroutes, context: &ReportContext<'_>) -> String {
    let (plan, summary) = (rows.plan, &rows.summary);
    let obstacles = obstacle_lines(rows, context);
    let (sign, state) = match obstacles.is_empty() {
        true if plan.is_empty() => ("✅", ": nothing to do".to_owned()),
        true => ("📞", String::new()),
        false => ("⛔", format!(": {}", obstacles.join(", "))),
    };
    let whose = of_environment(plan.environment.as_deref());
    let mut text = format!("### {sign} Routing plan{whose}{state}\n");
    let moved = moves::move_clauses(reroutes);
    match (moved.is_empty(), plan.is_empty()) {
        (true, true) => {}
        (true, false) if summary.unchecked > 0 => {
            let secrets = counted(summary.unchecked, "secret");
            text += &format!("\n**No number is rerouted, but {secrets} could not be compared.**\n");
        }
        (true, false) if context.saved && changes_shared(plan) => {
            text += "\n**How many numbers go with what changes is not covered by the digest.**\n";
        }
        (true, false) => text += "\n**No number is rerouted.**\n",
        (false, _) => text += &format!("\n**{}**\n", moved.join("**<br>\n**")),
    }
    text += &format!("\n{}\n", summary_counts(summary));
    text
}

/// Whether a config or region changes that calls depend on.
fn changes_shared(plan: &Plan) -> bool {
    let mut changes = plan.changes.iter();
    changes.any(|change| !is_binding(change) && changes_calls(plan, change))
}

/// What keeps the plan from being applied.
fn obstacle_lines(rows: &PlanRows<'_>, context: &ReportContext<'_>) -> Vec<String> {
    let errors = |findings: &[Finding]| findings.iter().filter(|f| f.is_error()).count() as u64;
    let (broken, conflicts) = (errors(&rows.plan.findings), rows.summary.conflict);
    let obstacles = [
        (broken, counted(broken, "error")),
        (errors(context.refusals), "refused by the guards".to_owned()),
        (conflicts, counted(conflicts, "conflict")),
    ];
    let obstacles = obstacles.into_iter().filter(|(count, _)| *count > 0);
    obstacles.map(|(_, what)| what).collect()
}

/// `1 to delete · 2 to create · 412 unchanged`.
fn summary_counts(summary: &PlanSummary) -> String {
    let mut counts = counts_to_do(summary, DELETES_FIRST);
    counts.extend(plan_rows::count_phrases([
        (summary.outstanding, "outstanding"),
        (summary.held_back, "held back"),
        (summary.unchecked, "not compared (secrets)"),
    ]));
    counts.extend(settings_to_do(summary));
    counts.push(format!("{} unchanged", thousands(summary.unchanged)));
    counts.join(" · ")
}

fn what_was_compared(rows: &PlanRows<'_>, context: &ReportContext<'_>) -> Vec<String> {
    let with = match (context.offline, rows.plan.base) {
        (true, _) => "Compared with files, not with a database".to_owned(),
        (false, Some(apply)) => format!("Compared with the database as of apply {apply}"),
        (false, None) => "Compared with a database that saw no apply yet".to_owned(),
    };
    let digest = context
        .digest
        .filter(|_| obstacle_lines(rows, context).is_empty());
    let digest = digest.map(|digest| {
        let command = format!("lkroute apply --expect {digest}");
        format!("to apply exactly this: {}", code_span(&command))
    });
    let not_covered = context.saved.then(not_covered);
    [Some(with), digest, not_covered]
        .into_iter()
        .flatten()
        .collect()
}

/// Adds what belongs at the end, and the marker at the very beginning.
fn finish_page(
    page: Page,
    environment: Option<&str>,
    mut facts: Vec<String>,
    context: &ReportContext<'_>,
) -> String {
    facts.extend(context.revisions.map(code_span));
    let report = context.full_report.map(place_link);
    facts.extend(
        report
            .as_ref()
            .map(|report| format!("full report: {report}")),
    );
    let note = match (page.is_whole(), report) {
        (true, _) => String::new(),
        (false, Some(report)) => {
            format!("\n_Not everything is shown here; the full report: {report}_\n")
        }
        (false, None) => {
            "\n_Not everything is shown here; `lkroute plan --full` shows it all._\n".to_owned()
        }
    };
    let footer = if facts.is_empty() {
        String::new()
    } else {
        format!("\n---\n\n{}\n", facts.join(" · "))
    };
    format!(
        "{}\n{}",
        comment_marker(environment),
        page.into_text(&note, &footer)
    )
}

/// A link where it is a plain https URL, else the text.
fn place_link(place: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._/?=&%+".contains(c);
    match place.strip_prefix("https://") {
        Some(rest) if rest.len() < 500 && rest.chars().all(plain) => {
            format!("[open it](https://{rest})")
        }
        _ => code_span(place),
    }
}
