//! Findings, drawn on the lines they are about. Imports core.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Message, Origin, Renderer, Snippet};

use super::escape::visible;
use super::style::wrapped;
use crate::finding::{Finding, Place, Severity};

/// Every finding, worst first as they come, a blank line between them.
/// `width` is that of the terminal, in columns.
pub(crate) fn findings_text(findings: &[Finding], width: usize) -> String {
    let drawn: Vec<String> = findings
        .iter()
        .map(|finding| draw_finding(finding, width) + "\n")
        .collect();
    drawn.join("\n")
}

/// With names of files and what stands there to be seen.
fn with_invisible_shown(finding: &Finding) -> Finding {
    let mut seen = finding.clone();
    for place in seen
        .place
        .iter_mut()
        .chain(seen.also.iter_mut().map(|(place, _)| place))
    {
        place.file = visible(&place.file);
    }
    for (_, what) in &mut seen.also {
        *what = visible(what);
    }
    seen
}

fn draw_finding(finding: &Finding, width: usize) -> String {
    let finding = with_invisible_shown(finding);
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let before = format!("{}[{}]: ", finding.severity, finding.code).len();
    let title = wrapped(&visible(&finding.message), width.saturating_sub(before), 0);
    let mut group = level
        .primary_title(title)
        .id(finding.code.as_ref())
        .elements([] as [Message<'_>; 0]);
    if let Some(place) = &finding.place {
        group = add_place(group, place, AnnotationKind::Primary, "", width);
    }
    for (place, what) in &finding.also {
        group = add_place(group, place, AnnotationKind::Context, what, width);
    }
    let renderer = Renderer::styled().term_width(width);
    let Some(hint) = &finding.hint else {
        return renderer.render(&[group]);
    };
    let hint = wrapped_hint(hint, width.saturating_sub("help: ".len()));
    let hint = Group::with_title(Level::HELP.secondary_title(hint));
    match finding.place {
        Some(_) => renderer.render(&[group, hint]),
        // Together they would be joined by a bar that leads nowhere.
        None => format!(
            "{}\n{}",
            renderer.render(&[group]),
            renderer.render(&[hint])
        ),
    }
}

/// A hint, wrapped up to where it is text to paste.
fn wrapped_hint(hint: &str, width: usize) -> String {
    let mut to_paste = false;
    let lines = hint.lines().map(|line| {
        to_paste |= line.starts_with('[');
        if to_paste {
            visible(line)
        } else {
            wrapped(&visible(line), width, 0)
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Adds a place: its line with a caret where the text is known, else the
/// place alone.
fn add_place<'a>(
    group: Group<'a>,
    place: &'a Place,
    kind: AnnotationKind,
    label: &'a str,
    width: usize,
) -> Group<'a> {
    let label = (!label.is_empty()).then_some(label);
    if place.text.is_empty() || place.column == 0 {
        let mut origin = Origin::path(place.file.as_str());
        if place.line > 0 {
            origin = origin.line(place.line as usize);
        }
        if place.column > 0 {
            origin = origin.char_column(place.column as usize);
        }
        let group = group.element(origin);
        return match label {
            Some(label) => group.element(Level::NOTE.message(wrapped(label, width, 0))),
            None => group,
        };
    }
    let snippet = Snippet::source(place.text.as_str())
        .path(place.file.as_str())
        .line_start(place.line as usize)
        .annotation(kind.span(underlined_bytes(place)).label(label));
    group.element(snippet)
}

/// The underlined part of the line, in bytes.
fn underlined_bytes(place: &Place) -> Range<usize> {
    let at = |character: usize| {
        let mut starts = place.text.char_indices();
        starts.nth(character).map_or(place.text.len(), |(ix, _)| ix)
    };
    let first = place.column as usize - 1;
    at(first)..at(first + place.width.max(1) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(findings: &[Finding]) -> String {
        anstream::adapter::strip_str(&findings_text(findings, 80)).to_string()
    }

    fn place(line: u32, column: u32, width: u32, text: &str) -> Place {
        Place {
            line,
            column,
            width,
            text: text.into(),
            ..Place::file("routing/india.toml")
        }
    }

    #[test]
    fn a_finding_points_at_its_characters() {
        let finding = Finding::error("unknown-tenant", "no tenant is called `tset`")
            .at(place(31, 10, 6, "tenant = \"tset\""))
            .also(place(3, 1, 4, "test = \"…\""), "this one is")
            .hint("did you mean `test`?");
        let expected = "\
error[unknown-tenant]: no tenant is called `tset`
  --> routing/india.toml:31:10
   |
31 | tenant = \"tset\"
   |          ^^^^^^
   |
  ::: routing/india.toml:3:1
   |
 3 | test = \"…\"
   | ---- this one is
   |
help: did you mean `test`?
";
        assert_eq!(plain(&[finding]), expected);
    }

    #[test]
    fn long_texts_are_wrapped_and_a_line_that_is_not_known_is_not_drawn() {
        let words = "a long sentence about what is wrong, which goes on and on for a while";
        let finding = Finding::warning("code", words)
            .at(place(3, 4, 5, ""))
            .hint(words);
        let text = plain(&[finding]);
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        assert!(text.contains("--> routing/india.toml:3:4\n"), "{text}");
    }
}
