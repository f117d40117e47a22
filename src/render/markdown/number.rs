//! One number before and after. Imports core.

use super::page::Page;
use crate::impact::one_number::OneNumber;
use crate::render::escape::{clipped_to, code_span, escaped_prose, fenced_block};
use crate::render::number::{self, Line, OFFLINE};
use crate::resolve::Side;

/// The longest line of a step, in characters.
const WIDEST: usize = 400;

/// A table for each tenant that has the number, and its steps, folded.
pub(super) fn add_number(page: &mut Page, one: &OneNumber) {
    let number = code_span(&one.number.to_string());
    if one.pairs.is_empty() {
        return page.add_block(&format!("{}\n", escaped_prose(&number::nobody_has_it(one))));
    }
    for pair in &one.pairs {
        let tenant = code_span(&pair.tenant.label());
        let mut block = format!(
            "#### {number} of {tenant}: {}\n\n",
            number::pair_headline(pair)
        );
        if one.side == Side::Files {
            block += &format!("_{OFFLINE}_\n\n");
        }
        block += &line_table(&number::answer_lines(pair));
        let steps = number::step_lines(pair);
        let steps: String = steps.iter().flat_map(step_lines).collect();
        let steps = fenced_block("diff", &steps);
        page.add_block(&format!(
            "{block}\n<details><summary>Step by step</summary>\n\n{steps}\n</details>\n"
        ));
    }
}

/// What differs in bold after it.
fn line_table(lines: &[Line]) -> String {
    let cell = |text: &str, strong: bool| match (text.is_empty(), strong) {
        (true, _) => String::new(),
        (false, true) => format!("**{}**", code_span(text)),
        (false, false) => code_span(text),
    };
    let rows = lines.iter().map(|line| {
        let before = cell(&line.before, false);
        let after = cell(&line.after, line.differs());
        format!("| {} | {before} | {after} |\n", line.name)
    });
    let head = "| | Before | After |\n|---|---|---|\n".to_owned();
    head + &rows.collect::<String>()
}

fn step_lines(line: &Line) -> Vec<String> {
    let row = |sign: char, text: &str| {
        // A line end in a row's text must not begin a line of the diff.
        let text = text.replace(['\n', '\r'], " ");
        clipped_to(&format!("{sign} {:<12}{text}", line.name), WIDEST) + "\n"
    };
    if !line.differs() {
        return vec![row(' ', &line.before)];
    }
    let sides = [('-', &line.before), ('+', &line.after)];
    let there = sides.into_iter().filter(|(_, text)| !text.is_empty());
    there.map(|(sign, text)| row(sign, text)).collect()
}
