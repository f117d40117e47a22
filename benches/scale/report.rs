//! The table that a run prints.

use std::fmt;

use crate::measure::{Pair, Run};

/// One size: floors, figures of ours, and their ratios.
pub struct Report {
    size: u64,
    rows: Vec<[String; 5]>,
    /// What was measured, by its name.
    figures: Vec<(String, Run)>,
}

impl Report {
    pub fn new(size: u64) -> Report {
        Report {
            size,
            rows: Vec::new(),
            figures: Vec::new(),
        }
    }

    fn row(&mut self, what: &str, run: Run, ratio: String, target: String) {
        let memory = match run.peak {
            0 => String::new(),
            bytes => format!("{} MB", bytes / 1_000_000),
        };
        self.figures.push((what.to_owned(), run));
        eprintln!("{what}: {} {memory} {ratio} {target}", seconds(run.seconds));
        self.rows
            .push([what.to_owned(), seconds(run.seconds), memory, ratio, target]);
    }

    pub fn figures(&self) -> impl Iterator<Item = (&str, Run)> {
        self.figures.iter().map(|(what, run)| (what.as_str(), *run))
    }

    /// What PostgreSQL's own tools need.
    pub fn floor(&mut self, what: &str, run: Run) {
        self.row(&format!("_{what}_"), run, String::new(), String::new());
    }

    pub fn ours(&mut self, what: &str, run: Run) {
        self.row(what, run, String::new(), String::new());
    }

    /// What ran beside a floor, as a multiple of it, with what half of the pairs
    /// gave; beside the multiple to reach, where there is one.
    pub fn pair(&mut self, what: &str, pair: &Pair, target: Option<f64>) {
        let [least, most] = pair.spread;
        let ratio = format!("{:.2} ({least:.2}–{most:.2})", pair.ratio);
        let target = target.map_or_else(String::new, |target| format!("≤ {target}"));
        self.row(what, pair.ours, ratio, target);
    }

    /// Ours as a multiple of a floor that ran before it.
    pub fn against(&mut self, what: &str, run: Run, floor: Run, target: Option<f64>) {
        let ratio = format!("{:.2}", run.seconds / floor.seconds);
        let target = target.map_or_else(String::new, |target| format!("≤ {target}"));
        self.row(what, run, ratio, target);
    }

    pub fn note(&mut self, what: &str, text: &str) {
        self.rows.push([
            what.to_owned(),
            text.to_owned(),
            String::new(),
            String::new(),
            String::new(),
        ]);
    }
}

fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 0.001 => format!("{:.0} µs", s * 1e6),
        s if s < 1.0 => format!("{:.1} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n### {} bindings\n", self.size)?;
        writeln!(f, "| | time | peak memory | ratio | target |")?;
        writeln!(f, "|---|---|---|---|---|")?;
        for [what, time, memory, ratio, target] in &self.rows {
            writeln!(f, "| {what} | {time} | {memory} | {ratio} | {target} |")?;
        }
        Ok(())
    }
}
