//! One number before and after a plan, side by side: for people and, as
//! `number` of the plan's report, for machines. Imports core.

use schemars::JsonSchema;
use serde::Serialize;
use similar::{Algorithm, DiffTag, capture_diff_slices};
use uuid::Uuid;

use super::escape::visible;
use super::style::{ADDED, BOLD, CHANGED, DIM, REMOVED, paint, wrapped};
use crate::diff::plan::SecretOutcome;
use crate::impact::one_number::{OneNumber, Pair};
use crate::resolve::{Outcome, Report, Resolution, Side, Source, Step, Terms, Topic};

/// From this width on, before and after stand beside each other.
const BESIDE: usize = 100;
/// Columns of a name.
const NAME: usize = 12;

/// The number of `--number`, for each tenant that has it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OneNumberReport {
    /// E.164.
    pub from: String,
    /// Empty where neither the files nor the database have the number.
    pub tenants: Vec<PairReport>,
}

/// Where the calls of one tenant go, each side as `resolve` says it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PairReport {
    pub tenant: Uuid,
    pub tenant_alias: Option<String>,
    pub before: Report,
    pub after: Report,
    /// `changed`, `re-sealed` or `not compared`: of the API secret of the
    /// config that the calls go to before and after; null where none is
    /// written.
    #[schemars(extend("enum" = ["changed", "re-sealed", "not compared", null]))]
    pub secret: Option<&'static str>,
}

impl From<&OneNumber> for OneNumberReport {
    fn from(one: &OneNumber) -> OneNumberReport {
        let pair = |pair: &Pair| PairReport {
            tenant: pair.tenant.id,
            tenant_alias: pair.tenant.alias.clone(),
            before: (&pair.before).into(),
            after: (&pair.after).into(),
            secret: pair.secret.map(SecretOutcome::as_str),
        };
        OneNumberReport {
            from: one.number.to_string(),
            tenants: one.pairs.iter().map(pair).collect(),
        }
    }
}

/// A line of the comparison; a side that has no such line is empty.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    pub name: &'static str,
    pub before: String,
    pub after: String,
}

impl Line {
    pub fn differs(&self) -> bool {
        self.before != self.after
    }
}

/// Where the calls go.
pub fn answer_lines(pair: &Pair) -> Vec<Line> {
    let (before, after) = (resolution_rows(&pair.before), resolution_rows(&pair.after));
    let lines = before.into_iter().zip(after);
    let lines = lines.map(|((name, before), (_, after))| Line {
        name,
        before: before.unwrap_or_default(),
        after: after.unwrap_or_default(),
    });
    let said = |line: &Line| !line.before.is_empty() || !line.after.is_empty();
    let secret = match pair.secret {
        Some(SecretOutcome::Changed) => Some(("stored", "another one")),
        Some(SecretOutcome::NotCompared) => Some(("stored", "written, not compared")),
        Some(SecretOutcome::Resealed) | None => None,
    };
    let secret = secret.map(|(before, after)| Line {
        name: SECRET,
        before: before.to_owned(),
        after: after.to_owned(),
    });
    lines.filter(said).chain(secret).collect()
}

const SECRET: &str = "api secret";

fn resolution_rows(resolution: &Resolution) -> [(&'static str, Option<String>); 15] {
    let error = resolution.outcome.as_ref().err();
    let outcome = resolution.outcome.as_ref().ok();
    let text = |get: fn(&Outcome) -> Option<&str>| Some(get(outcome?)?.to_owned());
    let terms = resolution.reached.terms.as_ref();
    let term = |get: fn(&Terms) -> String| terms.map(get);
    [
        (
            "source",
            text(|found| Some(source_word(found.route.source))),
        ),
        (
            "config",
            text(|found| Some(found.route.config.as_ref()?.name.as_str())),
        ),
        ("region", text(|found| found.route.region.as_deref())),
        ("server", text(|found| found.route.url.as_deref())),
        ("api key", text(|found| found.route.api_key.as_deref())),
        ("trunk", text(|found| Some(found.route.trunk_label()))),
        ("worker", text(|found| Some(found.route.worker_label()))),
        (
            "deployment",
            text(|found| found.route.deployment.as_deref()),
        ),
        (
            "fallback",
            outcome.and_then(|found| Some(found.route.fallback.as_ref()?.label())),
        ),
        ("carrier", text(|found| found.provider.as_deref())),
        ("calls in", term(|terms| terms.inbound.as_str().to_owned())),
        (
            "calls out",
            term(|terms| terms.outbound.as_str().to_owned()),
        ),
        ("countries", term(|terms| terms.countries.to_string())),
        ("dialled", term(|terms| terms.dialled.to_string())),
        (
            "no route",
            error.map(|error| format!("{}: {}", error.code, error.message)),
        ),
    ]
}

fn source_word(source: Source) -> &'static str {
    match source {
        Source::Environment => "the environment",
        Source::Database | Source::Files => source.as_str(),
    }
}

/// The steps of both traces, those about the same beside each other. Whose
/// number it is goes without saying.
pub fn step_lines(pair: &Pair) -> Vec<Line> {
    let told = |resolution: &Resolution| -> Vec<Step> {
        let steps = resolution.trace.iter().cloned();
        steps.filter(|step| step.topic != Topic::Tenant).collect()
    };
    let (before, after) = (told(&pair.before), told(&pair.after));
    let topics = |steps: &[Step]| steps.iter().map(|step| step.topic).collect::<Vec<_>>();
    let text = |step: &Step| format!("{}: {}", step.verdict.as_str(), step.detail);
    let mut lines = Vec::new();
    for op in capture_diff_slices(Algorithm::Myers, &topics(&before), &topics(&after)) {
        let (old, new) = (&before[op.old_range()], &after[op.new_range()]);
        if op.tag() == DiffTag::Equal {
            lines.extend(old.iter().zip(new).map(|(old, new)| Line {
                name: old.topic.as_str(),
                before: text(old),
                after: text(new),
            }));
            continue;
        }
        lines.extend(old.iter().map(|old| Line {
            name: old.topic.as_str(),
            before: text(old),
            after: String::new(),
        }));
        lines.extend(new.iter().map(|new| Line {
            name: new.topic.as_str(),
            before: String::new(),
            after: text(new),
        }));
    }
    lines
}

/// What becomes of the calls, in a few words.
pub fn pair_headline(pair: &Pair) -> String {
    let source = |resolution: &Resolution| {
        let outcome = resolution.outcome.as_ref().ok();
        outcome.map(|outcome| outcome.route.source)
    };
    let environment = Some(Source::Environment);
    match (source(&pair.before), source(&pair.after)) {
        (None, None) => "calls fail, before and after".to_owned(),
        (_, None) => "calls lose their route and fail".to_owned(),
        (None, _) => "calls get a route".to_owned(),
        (before, after) if before != environment && after == environment => {
            "calls fall back to the environment".to_owned()
        }
        (before, after) if before == environment && after != environment => {
            "calls leave the environment for a config".to_owned()
        }
        _ => what_changes(pair),
    }
}

fn what_changes(pair: &Pair) -> String {
    let lines = answer_lines(pair);
    let unknown = pair.secret == Some(SecretOutcome::NotCompared);
    let changed = lines.iter().filter(|line| line.differs());
    let changed = changed.filter(|line| !(unknown && line.name == SECRET));
    let names: Vec<&str> = changed.map(|line| line.name).collect();
    let text = if names.is_empty() {
        "calls go where they went".to_owned()
    } else {
        format!("calls change {}", names.join(", "))
    };
    if unknown {
        format!("{text}; the API secret could not be compared")
    } else {
        text
    }
}

/// Where nobody has the number.
pub fn nobody_has_it(one: &OneNumber) -> String {
    let number = one.number;
    match one.side {
        Side::Database => format!(
            "{number} is in neither the files nor the database: calls from it use the \
             environment, before and after"
        ),
        Side::Files => format!(
            "{number} is in neither state of the files; the database was not asked and may \
             have it"
        ),
    }
}

/// Of files alone.
pub const OFFLINE: &str = "of the files alone: the live rows may differ";

/// Every tenant's pair, with the steps that lead to it.
pub fn number_text(one: &OneNumber, width: usize) -> String {
    if one.pairs.is_empty() {
        return wrapped(&nobody_has_it(one), width, 0) + "\n";
    }
    let pairs = one.pairs.iter().map(|pair| draw_pair(one, pair, width));
    pairs.collect::<Vec<_>>().join("\n")
}

fn draw_pair(one: &OneNumber, pair: &Pair, width: usize) -> String {
    let tenant = visible(&pair.tenant.label());
    let title = format!("{} of {tenant}: {}", one.number, pair_headline(pair));
    let mut text = paint(BOLD, wrapped(&title, width, 2)) + "\n";
    if one.side == Side::Files {
        text += &format!("  {}\n", paint(DIM, OFFLINE));
    }
    if width >= BESIDE {
        let names = format!(
            "    {:NAME$}{:<cell$}  after",
            "",
            "before",
            cell = side_width(width)
        );
        text += &format!("{}\n", paint(DIM, names));
    }
    let lines = |lines: Vec<Line>| -> String {
        let draw = if width >= BESIDE {
            line_beside
        } else {
            lines_below
        };
        lines.iter().map(|line| draw(line, width)).collect()
    };
    text += &lines(answer_lines(pair));
    text + &format!("  {}\n", paint(BOLD, "How")) + &lines(step_lines(pair))
}

/// Columns of a side.
fn side_width(width: usize) -> usize {
    (width - 4 - NAME - 2) / 2
}

/// `~ worker  voag-staging  voag-production`.
fn line_beside(line: &Line, width: usize) -> String {
    let cell = side_width(width);
    let (before, after) = (
        fitted_lines(&line.before, cell),
        fitted_lines(&line.after, cell),
    );
    let mut text = String::new();
    for ix in 0..before.len().max(after.len()) {
        let part = |lines: &[String]| lines.get(ix).cloned().unwrap_or_default();
        let (sign, name) = match (ix, line.differs()) {
            (0, true) => (paint(CHANGED, "~"), line.name),
            (0, false) => (" ".to_owned(), line.name),
            _ => (" ".to_owned(), ""),
        };
        let (before, after) = (part(&before), part(&after));
        let gap = " ".repeat(cell.saturating_sub(textwrap::core::display_width(&before)) + 2);
        let row = format!("  {sign} {name:NAME$}{before}{gap}{after}");
        text += &format!("{}\n", row.trim_end());
    }
    text
}

/// `- worker  voag-staging` and below it `+ worker  voag-production`; once
/// where they are the same.
fn lines_below(line: &Line, width: usize) -> String {
    let row = |sign: String, value: &str| {
        let lines = fitted_lines(value, width - 4 - NAME);
        let value = lines.join(&format!("\n{}", " ".repeat(4 + NAME)));
        format!("  {sign} {:NAME$}{value}\n", line.name)
    };
    if !line.differs() {
        return row(" ".to_owned(), &line.before);
    }
    let sides = [
        (paint(REMOVED, "-"), &line.before),
        (paint(ADDED, "+"), &line.after),
    ];
    let there = sides.into_iter().filter(|(_, value)| !value.is_empty());
    there.map(|(sign, value)| row(sign, value)).collect()
}

/// Broken at words, and where a word is too long, within it.
fn fitted_lines(text: &str, width: usize) -> Vec<String> {
    let options =
        textwrap::Options::new(width.max(20)).word_splitter(textwrap::WordSplitter::NoHyphenation);
    let text = visible(text);
    let lines = textwrap::wrap(&text, options);
    lines.into_iter().map(String::from).collect()
}
