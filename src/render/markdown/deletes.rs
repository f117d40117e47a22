//! What goes, by name; beyond a limit by tenant and config. Imports core.

use std::cmp::Reverse;

use super::page::Page;
use crate::diff::plan::Change;
use crate::render::escape::code_span;
use crate::render::plan_rows::{self, DeleteRows, FoldedDelete, NAMED_DELETES, PlanRows};
use crate::render::style::{counted, thousands};

pub(super) fn add_deletes(page: &mut Page, rows: &PlanRows<'_>) {
    let head = format!("#### Deleted: {}\n\n", thousands(rows.summary.delete));
    let lines: Vec<String> = match rows.deletes(false) {
        DeleteRows::Named(gone) => gone
            .iter()
            .map(|change| named_lines(rows, change))
            .collect(),
        DeleteRows::Folded(mut folded) => {
            page.leave_out();
            // Regions and configs first, then the most numbers.
            folded.sort_by_key(|(what, count)| match what {
                FoldedDelete::Object(_) => (false, Reverse(0)),
                FoldedDelete::Numbers { .. } => (true, Reverse(*count)),
            });
            let folded = folded.iter();
            folded
                .map(|(what, count)| folded_line(what, *count))
                .collect()
        }
    };
    page.add_list(&head, lines.into_iter(), NAMED_DELETES, |left| {
        format!("- and {} more lines like these\n", thousands(left))
    });
}

fn named_lines(rows: &PlanRows<'_>, change: &Change) -> String {
    let plan = rows.plan;
    let address = code_span(&plan.address(change.object).to_string());
    let config = plan_rows::config_before(plan, change);
    let from = config.map_or(String::new(), |name| {
        format!(", was on {}", code_span(&name))
    });
    let place = plan_rows::place(plan, change).map_or(String::new(), |place| {
        format!(" (was {})", code_span(&place))
    });
    format!("- {address}{from}{place}\n")
}

fn folded_line(what: &FoldedDelete, count: u64) -> String {
    match what {
        FoldedDelete::Object(address) => format!("- {}\n", code_span(address)),
        FoldedDelete::Numbers { tenant, config } => {
            let (numbers, tenant) = (counted(count, "number"), code_span(tenant));
            let config = config.as_deref().map(code_span);
            let on = config.map_or(String::new(), |name| format!(" on {name}"));
            format!("- {numbers} of {tenant}{on}\n")
        }
    }
}
