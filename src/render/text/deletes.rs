//! What goes: by name, or folded by tenant and config where it is much.

use hashbrown::HashMap;
use serde_json::Value;

use super::super::escape::visible;
use super::super::style::{DIM, REMOVED, counted, paint, wrapped};
use super::PlanPage;
use crate::diff::plan::{Action, Change, Object};
use crate::fields::Field;

/// Deletes up to this many are named, whatever else is folded.
const NAMED_DELETES: usize = 50;

impl PlanPage<'_> {
    pub(super) fn delete_section(&self) -> String {
        let gone: Vec<&Change> = self
            .without_conflict(|action| action == Action::Delete)
            .collect();
        let sign = paint(REMOVED, "-");
        if self.view.full || gone.len() <= NAMED_DELETES {
            return self.section("Delete", &gone, |change| {
                let address = self.plan.address(change.object).to_string();
                self.change_line(&sign, &address, change) + &self.number_fate(change)
            });
        }
        let mut counts: Vec<(String, u64)> = Vec::new();
        let mut known = HashMap::new();
        for change in gone {
            let what = self.deleted_kind(change);
            let ix = *known.entry(what.clone()).or_insert(counts.len());
            match counts.get_mut(ix) {
                Some((_, count)) => *count += 1,
                None => counts.push((what, 1)),
            }
        }
        self.section(
            "Delete (--full names them all)",
            &counts,
            |(what, count)| match what.starts_with(' ') {
                true => format!("  {sign} {}{what}\n", counted(*count, "number")),
                false => format!("  {sign} {what}\n"),
            },
        )
    }

    /// The name of a region or config; of a binding its tenant and config.
    fn deleted_kind(&self, change: &Change) -> String {
        let Object::Binding { tenant, .. } = change.object else {
            return self.plan.address(change.object).to_string();
        };
        let tenant = visible(&self.plan.tenants[tenant as usize].label());
        match self.value_before(change, Field::Config) {
            Some(config) => format!(" of tenant {tenant} on config {}", visible(&config)),
            None => format!(" of tenant {tenant}"),
        }
    }

    fn value_before(&self, change: &Change, field: Field) -> Option<String> {
        let fields = &self.plan.patch(change).fields;
        let before = fields.iter().find(|f| f.field == field)?.before.as_ref()?;
        Some(match self.plan.shown(field, before) {
            Value::String(text) => text,
            other => other.to_string(),
        })
    }

    /// What is left of a number that is no longer declared.
    fn number_fate(&self, change: &Change) -> String {
        if !matches!(change.object, Object::Binding { .. }) {
            return String::new();
        }
        let from = self.value_before(change, Field::Config);
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
