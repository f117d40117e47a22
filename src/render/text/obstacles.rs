//! What stands in the way: conflicts, and drift.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::escape::visible;
use super::super::lines;
use super::super::plan_rows::{ChangeGroup, group_changes};
use super::super::style::{CHANGED, ERROR, NOTED, paint, wrapped};
use super::PlanPage;
use crate::diff::plan::{Action, Change, FieldChange, Kind};
use crate::fields::Field;

impl PlanPage<'_> {
    pub(super) fn conflict_section(&self) -> String {
        let groups = group_changes(self.rows.conflicts.iter().copied());
        let title = "Conflicts: fields hold values that lkroute did not set; nothing is applied";
        self.section(title, &groups, |group| {
            let change = group.first;
            let fields = self.plan.patch(change).fields.iter();
            let drawn: String = fields.map(|field| self.conflict_lines(field)).collect();
            let rest = self.change_body(change, |kind| {
                !matches!(kind, Kind::Conflict | Kind::Blocked | Kind::Adopt)
            });
            self.group_heads(&paint(ERROR, "!"), group) + &drawn + &rest + &self.way_out(change)
        })
    }

    fn conflict_lines(&self, field: &FieldChange) -> String {
        let value = |value: &Option<Value>, secret: &str| match (field.field, value) {
            (_, None) => "nothing".to_owned(),
            (Field::ApiSecret, Some(_)) => secret.to_owned(),
            (name, Some(value)) => lines::toml_value(&self.plan.shown(name, value)),
        };
        let name = field.field;
        match field.kind {
            Kind::Blocked => {
                let state = field.before.as_ref().and_then(Value::as_str);
                format!(
                    "      {name}: {}\n",
                    visible(state.unwrap_or("not as it should be"))
                )
            }
            Kind::Conflict => {
                let applied = match &field.applied {
                    Some(_) => format!(
                        "        last applied     {}\n",
                        value(&field.applied, "a third secret")
                    ),
                    None => String::new(),
                };
                let declared = if self.view.back {
                    "to go back to"
                } else {
                    "in the files"
                };
                format!(
                    "      {name}\n        in the database  {}\n        {declared:<15}  {}\n{applied}",
                    value(&field.before, "a secret"),
                    value(&field.after, "another secret"),
                )
            }
            Kind::Set | Kind::TakeOver | Kind::Adopt | Kind::Drift | Kind::Release => String::new(),
        }
    }

    fn way_out(&self, change: &Change) -> String {
        let patch = self.plan.patch(change);
        let blocked = patch.fields.iter().find(|f| f.kind == Kind::Blocked);
        let hint = match blocked.map(|field| field.field) {
            None if change.action == Action::Delete => {
                "put it back into the files until the database says what was applied".to_owned()
            }
            Some(Field::Name) => {
                "to take that row over, write its id into the config as `id`; one that is no uuid \
                 is changed in the application first"
                    .to_owned()
            }
            Some(Field::Status) => "make all but one inactive in the application".to_owned(),
            Some(_) => "mend `rules` of that row in the application".to_owned(),
            None if self.view.back => {
                "to set it back first: lkroute apply --revert-drift".to_owned()
            }
            None => {
                let keep = if patch.fields.iter().any(|f| f.field == Field::Status) {
                    "take the number out of the files"
                } else {
                    "write it into the files"
                };
                let address = self.plan.address(change.object);
                format!(
                    "to set what the files say: lkroute adopt {address}\nto keep what is there: {keep}"
                )
            }
        };
        hint.lines()
            .map(|line| format!("      {}\n", paint(NOTED, line)))
            .collect()
    }

    pub(super) fn drift_section(&self) -> String {
        let since = match self.plan.base {
            Some(apply) => format!(" (last apply: {apply})"),
            None => String::new(),
        };
        let planned = group_changes(self.rows.drifted());
        let left = group_changes(&self.plan.left_alone);
        let what = format!("changed outside lkroute{since}");
        let planned_title = format!("Drift: {what}; a seen apply sets it back");
        let left_title = format!("Drift, left alone: {what}");
        self.section(&planned_title, &planned, |group| self.drifted_lines(group))
            + &self.section(&left_title, &left, |group| self.drifted_lines(group))
    }

    /// What a rollback undid, with what it would do.
    pub(super) fn held_back(&self) -> String {
        let groups = group_changes(&self.plan.held_back);
        let title = "Held back: a rollback undid it, so it is not written";
        self.section(title, &groups, |group| {
            let change = group.first;
            let whys = self.plan.held_why.get(&change.patch).into_iter().flatten();
            let whys: BTreeSet<String> = whys.map(|why| self.plan.explain_held(why)).collect();
            let whys: String = whys
                .iter()
                .map(|why| {
                    let why = wrapped(&visible(why), self.view.width.saturating_sub(6), 6);
                    format!("      {}\n", paint(NOTED, why))
                })
                .collect();
            self.group_heads(&paint(CHANGED, "~"), group)
                + &self.change_body(change, |_| true)
                + &whys
        })
    }

    fn drifted_lines(&self, group: &ChangeGroup<'_>) -> String {
        let body = self.change_body(group.first, |kind| kind == Kind::Drift);
        self.group_heads(&paint(CHANGED, "~"), group) + &body
    }
}
