//! Collecting findings. Core; imports only [`crate::finding`].

use hashbrown::HashMap;

use crate::finding::{Finding, Place};

/// How many findings of one code are listed one by one: nobody reads more.
const MOST: usize = 1000;

/// Findings, those of one code up to a limit and counted beyond it.
#[derive(Default)]
pub(super) struct Findings {
    list: Vec<Finding>,
    counts: HashMap<&'static str, usize>,
}

impl Findings {
    pub(super) fn add(&mut self, finding: Finding) {
        self.list.push(finding);
    }

    /// For problems that a file can have a million times: makes the finding
    /// only where it will be listed.
    pub(super) fn add_many(&mut self, code: &'static str, make: impl FnOnce() -> Finding) {
        let count = self.counts.entry(code).or_default();
        *count += 1;
        if *count <= MOST {
            self.list.push(make());
        }
    }

    pub(super) fn extend(&mut self, findings: Vec<Finding>) {
        self.list.extend(findings);
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn any_error(&self) -> bool {
        self.list.iter().any(Finding::is_error)
    }

    /// All of them; for each code beyond its limit, one more says how many.
    pub(super) fn into_findings(mut self, place: Option<Place>) -> Vec<Finding> {
        let mut beyond: Vec<_> = self.counts.iter().filter(|(_, n)| **n > MOST).collect();
        beyond.sort_unstable();
        for (code, count) in beyond {
            let message = format!("and {} more like the {MOST} above", count - MOST);
            let mut finding = Finding::error(code, message);
            finding.place = place.clone();
            self.list.push(finding);
        }
        self.list
    }
}
