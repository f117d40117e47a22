//! What the applies of the window and a plan do to calls together, as a value.
//! Core.

use std::collections::BTreeSet;

use crate::routing::window::Window;
use crate::snapshot::ApplyId;

/// The applies of the window and this plan, added up. Counts are of numbers
/// that had a route in the database when the window began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WindowSum {
    pub window: Window,
    /// The last apply that does not count because its lkroute kept no account.
    pub uncounted: Option<ApplyId>,
    /// How many would be rerouted or have other terms.
    pub affected: u64,
    /// How many of them would be so by this plan.
    pub added: u64,
    /// The applies that changed the others.
    pub applies: BTreeSet<ApplyId>,
    /// What budgets look at; nobody else.
    pub cells: Vec<WindowCell>,
}

/// The numbers of one tenant in one region, as they were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WindowCell {
    /// Index into [`crate::diff::plan::Plan::tenants`].
    pub tenant: u32,
    pub region: Option<String>,
    pub numbers: u64,
    pub affected: u64,
    pub rerouted: u64,
    /// Of those affected, how many are so by this plan.
    pub added: u64,
    pub applies: BTreeSet<ApplyId>,
}

/// How many applies are named.
const NAMED: usize = 5;

/// `apply 4`, `applies 4, 5 and 6`, `applies 4, 5, 6, 7, 8 and 12 more`.
pub fn applies(ids: &BTreeSet<ApplyId>) -> String {
    let mut names: Vec<String> = ids.iter().take(NAMED).map(ToString::to_string).collect();
    let last = match ids.len() - names.len() {
        0 => names.pop().unwrap_or_default(),
        more => format!("{more} more"),
    };
    if names.is_empty() {
        format!("apply {last}")
    } else {
        format!("applies {} and {last}", names.join(", "))
    }
}
