//! How time and memory grow from the smallest size to the largest: as
//! exponents, and as a picture beside what others need.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::measure::Run;

/// What is followed from size to size, and its colour.
const FOLLOWED: [(&str, &str); 5] = [
    ("load and validate the files", "#4e79a7"),
    ("plan, 1 % changed", "#e15759"),
    ("apply of the initial load", "#59a14f"),
    ("drift", "#b07aa1"),
    ("import", "#9c755f"),
];
/// A plan of octoDNS with 1 % changed, in seconds: measured by hand once, on
/// the same machine.
const OCTODNS: [(f64, f64); 3] = [(1e3, 0.5), (1e4, 4.8), (1e5, 44.0)];
/// The largest exponent that counts as linear.
const LINEAR: f64 = 1.05;

/// The figures of all sizes.
#[derive(Default)]
pub struct Growth(BTreeMap<&'static str, Vec<(u64, Run)>>);

impl Growth {
    /// Takes the figures of one size.
    pub fn add<'a>(&mut self, size: u64, figures: impl Iterator<Item = (&'a str, Run)>) {
        for (what, run) in figures {
            if let Some((name, _)) = FOLLOWED.iter().find(|(name, _)| *name == what) {
                self.0.entry(name).or_default().push((size, run));
            }
        }
    }

    /// Whether there is anything to compare.
    pub fn is_known(&self) -> bool {
        self.0.values().any(|points| points.len() > 1)
    }

    /// The exponents, as a table.
    pub fn table(&self) -> String {
        let mut text =
            String::from("\n| | sizes | time | memory | target |\n|---|---|---|---|---|\n");
        for (what, _) in FOLLOWED {
            let points = self.0.get(what).map(Vec::as_slice).unwrap_or_default();
            let (Some(first), Some(last)) = (points.first(), points.last()) else {
                continue;
            };
            let steps = (last.0 as f64 / first.0 as f64).ln();
            let exponent = |from: f64, to: f64| {
                let exponent = (to / from).ln() / steps;
                let bold = if exponent > LINEAR { "**" } else { "" };
                format!("{bold}{exponent:.2}{bold}")
            };
            let time = exponent(first.1.seconds, last.1.seconds);
            let memory = exponent(first.1.peak as f64, last.1.peak as f64);
            // Writing to a String does not fail.
            let _ = writeln!(
                text,
                "| {what} | {} to {} | {time} | {memory} | ≤ {LINEAR} |",
                first.0, last.0
            );
        }
        text
    }

    /// A picture with two logarithmic axes: bindings and seconds.
    pub fn picture(&self) -> String {
        let mut svg = String::from(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 440\" \
             font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"760\" height=\"440\" fill=\"white\"/>\n",
        );
        for power in 3..=6 {
            let x = across(10f64.powi(power));
            let label = ["1,000", "10,000", "100,000", "1,000,000"][power as usize - 3];
            let _ = writeln!(
                svg,
                "<line x1=\"{x:.0}\" y1=\"20\" x2=\"{x:.0}\" y2=\"400\" stroke=\"#ddd\"/>"
            );
            let _ = writeln!(
                svg,
                "<text x=\"{x:.0}\" y=\"420\" text-anchor=\"middle\">{label}</text>"
            );
        }
        for power in -2..=2 {
            let y = up(10f64.powi(power));
            let label = ["10 ms", "0.1 s", "1 s", "10 s", "100 s"][(power + 2) as usize];
            let _ = writeln!(
                svg,
                "<line x1=\"60\" y1=\"{y:.0}\" x2=\"520\" y2=\"{y:.0}\" stroke=\"#ddd\"/>"
            );
            let _ = writeln!(
                svg,
                "<text x=\"52\" y=\"{:.0}\" text-anchor=\"end\">{label}</text>",
                y + 4.0
            );
        }
        let mut places = Vec::new();
        for (what, colour) in FOLLOWED {
            let points = self.0.get(what).map(Vec::as_slice).unwrap_or_default();
            let points = points.iter().map(|(size, run)| (*size as f64, run.seconds));
            draw(
                &mut svg,
                &mut places,
                what,
                colour,
                "",
                &points.collect::<Vec<_>>(),
            );
        }
        draw(
            &mut svg,
            &mut places,
            "octoDNS: plan, 1 % changed",
            "#777777",
            "6 4",
            &OCTODNS,
        );
        svg + "</svg>\n"
    }
}

fn across(bindings: f64) -> f64 {
    60.0 + (bindings.log10() - 3.0) / 3.0 * 460.0
}

fn up(seconds: f64) -> f64 {
    400.0 - (seconds.log10() + 2.0) / 4.0 * 380.0
}

/// A line with its points, named at its end; `places` are the names so far.
fn draw(
    svg: &mut String,
    places: &mut Vec<f64>,
    what: &str,
    colour: &str,
    dashes: &str,
    points: &[(f64, f64)],
) {
    let Some(last) = points.last() else { return };
    let line: Vec<String> = points
        .iter()
        .map(|(bindings, seconds)| format!("{:.1},{:.1}", across(*bindings), up(*seconds)))
        .collect();
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\"/>",
        line.join(" ")
    );
    for point in &line {
        let (x, y) = point.split_once(',').unwrap_or_default();
        let _ = writeln!(
            svg,
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"3.5\" fill=\"{colour}\"/>"
        );
    }
    // Names must not lie on each other.
    let mut y = up(last.1) + 4.0;
    while let Some(taken) = places.iter().find(|taken| (**taken - y).abs() < 15.0) {
        y = taken + 15.0;
    }
    places.push(y);
    let x = across(last.0) + 10.0;
    let _ = writeln!(
        svg,
        "<text x=\"{x:.0}\" y=\"{y:.0}\" fill=\"{colour}\">{what}</text>"
    );
}
