//! What an apply did, as people read it. Imports core.

use std::time::Duration;

use serde_json::json;

use super::plan_rows::counts_done;
use super::style::{BOLD, counted, paint, thousands};
use crate::diff::plan::Plan;

/// `Applied as 7: 2 created, 1 updated in 0.1 s; 412 unchanged`
pub fn applied_text(plan: &Plan, id: i64, took: Duration) -> String {
    let environment = plan.environment.as_deref();
    let whose = environment.map_or(String::new(), |name| format!(" for {name}"));
    let summary = plan.summary();
    let seconds = took.as_secs_f64();
    let mut line = format!(
        "Applied{whose} as {id}: {} in {seconds:.1} s",
        counts_done(&json!(summary))
    );
    if summary.unchanged > 0 {
        line += &format!("; {} unchanged", thousands(summary.unchanged));
    }
    let mut text = paint(BOLD, line) + "\n";
    if summary.outstanding > 0 {
        let rest = counted(summary.outstanding, "change");
        text += &format!("Outstanding, left out by --target: {rest}\n");
    }
    if summary.held_back > 0 {
        let held = counted(summary.held_back, "object");
        text += &format!("Held back, because a rollback undid it: {held}\n");
    }
    text + &left_alone(plan)
}

/// Names what was changed outside lkroute and left so.
pub fn left_alone(plan: &Plan) -> String {
    const NAMED: usize = 20;
    let left = &plan.left_alone;
    if left.is_empty() {
        return String::new();
    }
    let count = counted(left.len() as u64, "object");
    let mut text = format!(
        "Left alone: {count} changed outside lkroute; --revert-drift sets back what the files say\n"
    );
    for change in left.iter().take(NAMED) {
        text += &format!("  {}\n", plan.address(change.object));
    }
    if let Some(more) = left.len().checked_sub(NAMED).filter(|more| *more > 0) {
        text += &format!("  and {} more\n", thousands(more as u64));
    }
    text
}
