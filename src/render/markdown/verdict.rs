//! What stands in the way: refusals, errors, warnings. Imports core.

use super::page::Page;
use crate::finding::{Finding, Place};
use crate::render::escape::{code, fenced, prose};
use crate::render::style::counted;

/// Findings of one kind that are shown.
const SHOWN: usize = 15;
/// Places that are shown beside that of the finding.
const ALSO: usize = 3;

/// What the guards refuse, and the exceptions that would let it pass.
pub fn refusals(page: &mut Page, refusals: &[Finding]) {
    let (errors, notes): (Vec<&Finding>, Vec<&Finding>) =
        refusals.iter().partition(|finding| finding.is_error());
    alert(
        page,
        "CAUTION",
        "Refused by the guards. Nothing is applied.",
        &errors,
    );
    alert(page, "NOTE", "Notes of the guards", &notes);
    let blocks: Vec<&str> = errors
        .iter()
        .filter_map(|finding| to_paste(finding.hint.as_deref()?))
        .collect();
    if !blocks.is_empty() {
        let block = fenced("toml", &blocks.join("\n\n"));
        page.add(&format!(
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

pub fn errors(page: &mut Page, findings: &[Finding]) {
    let errors: Vec<&Finding> = findings.iter().filter(|f| f.is_error()).collect();
    let count = counted(errors.len() as u64, "error");
    alert(
        page,
        "CAUTION",
        &format!("{count}. Nothing is applied."),
        &errors,
    );
}

pub fn warnings(page: &mut Page, findings: &[Finding]) {
    let warnings: Vec<&Finding> = findings.iter().filter(|f| !f.is_error()).collect();
    let count = counted(warnings.len() as u64, "warning");
    alert(page, "WARNING", &count, &warnings);
}

/// One of GitHub's coloured boxes.
fn alert(page: &mut Page, kind: &str, title: &str, findings: &[&Finding]) {
    let head = format!("> [!{kind}]\n> **{title}**\n>\n");
    let rows = findings.iter().map(|finding| row(finding));
    page.list(&head, rows, SHOWN, |left| format!("> - and {left} more\n"));
}

fn row(finding: &Finding) -> String {
    let mut text = format!("> - {} ({})", prose(&finding.message), code(&finding.code));
    if let Some(place) = &finding.place {
        text += &format!(", at {}", at(place));
    }
    for (place, what) in finding.also.iter().take(ALSO) {
        text += &format!("; {} at {}", prose(what), at(place));
    }
    let hint = finding.hint.as_deref();
    if let Some(hint) = hint.filter(|hint| to_paste(hint).is_none()) {
        text += &format!("<br>→ {}", prose(hint));
    }
    text + "\n"
}

fn at(place: &Place) -> String {
    code(&match place.line {
        0 => place.file.clone(),
        line => format!("{}:{line}", place.file),
    })
}
