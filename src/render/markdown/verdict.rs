//! What stands in the way: refusals, errors, warnings. Imports core.

use super::page::Page;
use crate::finding::{Finding, Place};
use crate::render::escape::{code_span, escaped_prose, fenced_block};
use crate::render::style::counted;

/// Findings of one kind that are shown.
const SHOWN: usize = 15;
/// Places that are shown beside that of the finding.
const ALSO: usize = 3;

/// What the guards refuse, and the exceptions that would let it pass.
pub(super) fn add_refusals(page: &mut Page, refusals: &[Finding]) {
    let (errors, notes): (Vec<&Finding>, Vec<&Finding>) =
        refusals.iter().partition(|finding| finding.is_error());
    add_alert(
        page,
        "CAUTION",
        "Refused by the guards. Nothing is applied.",
        &errors,
    );
    add_alert(page, "NOTE", "Notes of the guards", &notes);
    let blocks: Vec<&str> = errors
        .iter()
        .filter_map(|finding| to_paste(finding.hint.as_deref()?))
        .collect();
    if !blocks.is_empty() {
        let block = fenced_block("toml", &blocks.join("\n\n"));
        page.add_block(&format!(
            "<details><summary>If all of this is meant: what to add to the files, with a reason\
             </summary>\n\n{block}\n</details>\n"
        ));
    }
}

/// The lines of a hint that begin with a TOML table.
fn to_paste(hint: &str) -> Option<&str> {
    if hint.starts_with('[') {
        return Some(hint.trim_end());
    }
    let start = hint.find("\n[")?;
    hint.get(start + 1..).map(str::trim_end)
}

pub(super) fn add_errors(page: &mut Page, findings: &[Finding]) {
    let errors: Vec<&Finding> = findings.iter().filter(|f| f.is_error()).collect();
    let count = counted(errors.len() as u64, "error");
    add_alert(
        page,
        "CAUTION",
        &format!("{count}. Nothing is applied."),
        &errors,
    );
}

pub(super) fn add_warnings(page: &mut Page, findings: &[Finding]) {
    let warnings: Vec<&Finding> = findings.iter().filter(|f| !f.is_error()).collect();
    let count = counted(warnings.len() as u64, "warning");
    add_alert(page, "WARNING", &count, &warnings);
}

/// One of GitHub's coloured boxes.
fn add_alert(page: &mut Page, kind: &str, title: &str, findings: &[&Finding]) {
    let head = format!("> [!{kind}]\n> **{title}**\n>\n");
    let rows = findings.iter().map(|finding| finding_row(finding));
    page.add_list(&head, rows, SHOWN, |left| format!("> - and {left} more\n"));
}

fn finding_row(finding: &Finding) -> String {
    let mut text = format!(
        "> - {} ({})",
        escaped_prose(&finding.message),
        code_span(&finding.code)
    );
    if let Some(place) = &finding.place {
        text += &format!(", at {}", place_words(place));
    }
    for (place, what) in finding.also.iter().take(ALSO) {
        text += &format!("; {} at {}", escaped_prose(what), place_words(place));
    }
    let hint = finding.hint.as_deref();
    if let Some(hint) = hint.filter(|hint| to_paste(hint).is_none()) {
        text += &format!("<br>→ {}", escaped_prose(hint));
    }
    text + "\n"
}

fn place_words(place: &Place) -> String {
    code_span(&match place.line {
        0 => place.file.clone(),
        line => format!("{}:{line}", place.file),
    })
}
