//! A guard that a plan trips, and the words in which it is said. Core.

use crate::routing::guards::Limit;

/// A guard that a plan trips, before exceptions are looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// The guard's code.
    pub guard: &'static str,
    pub message: String,
    /// How many numbers or objects it is about.
    pub figure: u64,
    /// The objects of the plan that cause it, by index into its changes.
    pub causes: Vec<usize>,
    /// What to do where no exception can name it.
    pub hint: Option<&'static str>,
}

impl Violation {
    /// About one object, which nothing causes yet.
    pub fn new(guard: &'static str, message: String) -> Violation {
        Violation {
            guard,
            message,
            figure: 1,
            causes: Vec::new(),
            hint: None,
        }
    }
}

pub(super) fn numbers(count: u64) -> String {
    match count {
        1 => "1 number".to_owned(),
        count => format!("{count} numbers"),
    }
}

pub(super) fn more(names: Vec<String>, all: usize) -> String {
    match all - names.len() {
        0 => names.join(", "),
        rest => format!("{} and {rest} more", names.join(", ")),
    }
}

pub(super) fn shown(limit: Limit) -> String {
    let max = limit.max.map(|max| max.to_string());
    let percent = limit.percent.map(|percent| format!("{percent} %"));
    let parts: Vec<String> = max.into_iter().chain(percent).collect();
    parts.join(" and ")
}
