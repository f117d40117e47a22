//! What goes: by name, or folded by tenant and config where it is much.

use super::super::escape::visible;
use super::super::plan_rows::{DeleteRows, FoldedDelete, config_before, is_binding};
use super::super::style::{DIM, REMOVED, counted, paint, wrapped};
use super::PlanPage;
use crate::diff::plan::Change;
use crate::fields::Field;

impl PlanPage<'_> {
    pub(super) fn delete_section(&self) -> String {
        let sign = paint(REMOVED, "-");
        match self.rows.deletes(self.view.full) {
            DeleteRows::Named(gone) => self.section("Delete", &gone, |change| {
                let address = self.plan.address(change.object).to_string();
                self.change_line(&sign, &address, change) + &self.number_fate(change)
            }),
            DeleteRows::Folded(rows) => {
                let title = "Delete (--full names them all)";
                self.section(title, &rows, |(what, count)| {
                    format!("  {sign} {}\n", folded_words(what, *count))
                })
            }
        }
    }

    /// What is left of a number that is no longer declared.
    fn number_fate(&self, change: &Change) -> String {
        if !is_binding(change) {
            return String::new();
        }
        let from = config_before(self.plan, change);
        let from = from.map_or(String::new(), |config| {
            format!("leaves config {}; ", visible(&config))
        });
        let fields = &self.plan.patch(change).fields;
        let retired = fields.iter().any(|f| f.field == Field::Status);
        let rest = match (retired, fields.iter().any(|f| f.before.is_some())) {
            (true, _) => "its row becomes inactive",
            (false, true) => "its row stays, without the keys that lkroute set",
            (false, false) => "its row is gone already, or holds nothing of lkroute's",
        };
        let fate = wrapped(&format!("{from}{rest}"), self.view.width - 6, 0);
        let lines = fate.lines();
        lines
            .map(|line| format!("      {}\n", paint(DIM, line)))
            .collect()
    }
}

fn folded_words(what: &FoldedDelete, count: u64) -> String {
    match what {
        FoldedDelete::Object(address) => address.clone(),
        FoldedDelete::Numbers { tenant, config } => {
            let numbers = counted(count, "number");
            let config = config.as_deref().map(visible);
            let on = config.map_or(String::new(), |name| format!(" on config {name}"));
            format!("{numbers} of tenant {}{on}", visible(tenant))
        }
    }
}
