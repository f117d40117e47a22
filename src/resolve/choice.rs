//! A value that config, row or environment may give: which one counts. Core.

use super::trace::{Topic, Trace, Verdict};

enum_words! {
    /// Where a trunk or a worker comes from.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum ChoiceSource {
        /// The config.
        Config = "config",
        /// `rules.outbound_trunk_id` of the number.
        Rules = "rules",
        /// A variable; without a value where the environment is symbolic.
        Environment = "environment",
        /// Nothing names one: the built-in default.
        Default = "default",
    }
}

/// A trunk or a worker, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Choice {
    /// Absent where it would come from an environment that is not read.
    pub value: Option<String>,
    pub source: ChoiceSource,
}

impl Choice {
    pub(super) fn new(value: &str, source: ChoiceSource) -> Choice {
        Choice {
            value: Some(value.to_owned()),
            source,
        }
    }

    pub(super) const SYMBOLIC: Choice = Choice {
        value: None,
        source: ChoiceSource::Environment,
    };
}

/// A value that several places may hold, asked in order: the first wins.
pub(super) struct Search<'t> {
    topic: Topic,
    pub trace: &'t mut Trace,
    pub found: Option<Choice>,
    /// The places asked.
    pub looked: Vec<String>,
}

impl Search<'_> {
    pub(super) fn new(topic: Topic, trace: &mut Trace) -> Search<'_> {
        Search {
            topic,
            trace,
            found: None,
            looked: Vec::new(),
        }
    }

    pub(super) fn offer(&mut self, value: Option<&str>, source: ChoiceSource, whence: &str) {
        self.looked.push(whence.to_owned());
        match (value, &self.found) {
            (None, None) => {
                let detail = format!("no {whence}");
                self.trace.push(self.topic, Verdict::Nothing, detail);
            }
            (None, Some(_)) => {}
            (Some(value), None) => {
                let detail = format!("{value}: {whence}");
                self.trace.push(self.topic, Verdict::Found, detail);
                self.found = Some(Choice::new(value, source));
            }
            (Some(value), Some(winner)) => {
                let winner = winner.value.as_deref().unwrap_or_default();
                let detail = format!("{value}, {whence}, is not used: {winner} comes first");
                self.trace.push(self.topic, Verdict::Shadowed, detail);
            }
        }
    }
}
