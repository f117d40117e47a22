//! What the guards judge by. Core: imports the model, `diff` and `impact`.

use jiff::civil::Date;

use crate::diff::secret::SecretFacts;
use crate::impact::reroutes::Reroutes;
use crate::routing::Routing;
use crate::routing::guards::{Guards, Policy};
use crate::snapshot::Snapshot;

/// What a plan is judged by, beside itself.
#[derive(Debug, Clone, Copy)]
pub struct GuardContext<'a> {
    pub routing: &'a Routing,
    pub snapshot: &'a Snapshot,
    pub reroutes: &'a Reroutes,
    /// The guards of the last apply, where there was one.
    pub applied: Option<&'a Guards>,
    pub today: Date,
    pub basis: Basis,
    /// What keys and sources at hand tell of secrets; nothing where none are.
    pub secrets: Option<&'a SecretFacts>,
}

/// What a plan comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// The files, where a review can make exceptions.
    Files,
    /// What is given back of the last apply, with the exceptions of the files.
    Release,
    /// The state of an earlier apply.
    Rollback {
        /// Whether somebody said why.
        reason: bool,
        /// Whether it undoes one apply alone.
        one: bool,
    },
}

impl Basis {
    /// Whether budgets and shares do not count; protection and policies
    /// always do.
    pub(super) fn has_no_budgets(self) -> bool {
        matches!(
            self,
            Basis::Rollback {
                reason: true,
                one: true
            }
        )
    }
}

impl<'a> GuardContext<'a> {
    /// The policies of the files, and those of the last apply.
    pub(super) fn policies(&self) -> impl Iterator<Item = &'a Policy> {
        let both = [Some(&self.routing.guards), self.applied];
        both.into_iter().flatten().map(|guards| &guards.policy)
    }
}
