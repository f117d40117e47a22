//! What changed in the database since the last apply: the plan that would
//! bring its state back, with what is known of each change. Core.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use super::changes::set_by;
use super::{BindingVersion, Versions};
use crate::diff::plan::{Change, Object, Plan};
use crate::fields::{Field, FieldsPool};
use crate::finding::Finding;
use crate::snapshot::{ApplyId, ApplyRecord};

/// Drift, and who had set what it changed.
#[derive(Debug, Default)]
pub struct Drift {
    /// Brings back the state of the last apply: every change of it is drift.
    pub plan: Plan,
    /// When the row was last written to, RFC 3339, by its id.
    pub touched: HashMap<Uuid, String>,
    /// The apply that had set a field, by row.
    by: HashMap<(Uuid, Field), ApplyId>,
    /// The applies that are named.
    pub applies: BTreeMap<ApplyId, ApplyRecord>,
}

impl Drift {
    /// `history`: all versions of configs and of the bindings of
    /// [`Drift::rows`], and the pool of these.
    pub fn new(
        plan: Plan,
        history: (&Versions, &[BindingVersion], &FieldsPool),
        applies: &[ApplyRecord],
        touched: HashMap<Uuid, String>,
    ) -> Drift {
        let (versions, bindings, pool) = history;
        let mut drift = Drift {
            touched,
            ..Drift::default()
        };
        let mut of_rows: HashMap<Uuid, Vec<&BindingVersion>> = HashMap::new();
        for version in bindings {
            of_rows.entry(version.owned.row).or_default().push(version);
        }
        for change in &plan.changes {
            let Some(row) = change.previous else { continue };
            for field in plan.patch(change).fields.iter().map(|field| field.field) {
                let by = match change.object {
                    Object::Binding { .. } => {
                        let versions = of_rows.get(&row).into_iter().flatten().rev();
                        let each = versions.map(|v| (v.since, v.until, pool.get(v.owned.fields)));
                        set_by(each, field)
                    }
                    Object::Region(_) | Object::Config(_) => {
                        let versions = versions.configs.iter().filter(|v| v.owned.id == row);
                        let mut versions: Vec<_> = versions.collect();
                        versions.sort_by_key(|version| std::cmp::Reverse(version.owned.since));
                        let each = versions
                            .into_iter()
                            .map(|v| (v.owned.since, v.until, &v.owned.fields));
                        set_by(each, field)
                    }
                };
                drift.by.extend(by.map(|by| ((row, field), by)));
            }
        }
        drift.plan = plan;
        let named: BTreeSet<ApplyId> = drift.by.values().copied().collect();
        let named = applies.iter().filter(|apply| named.contains(&apply.id));
        drift.applies = named.map(|apply| (apply.id, apply.clone())).collect();
        drift
    }

    /// The number rows that a plan says have drifted.
    pub fn drifted_rows(plan: &Plan) -> Vec<Uuid> {
        let bindings = plan
            .changes
            .iter()
            .filter(|change| matches!(change.object, Object::Binding { .. }));
        bindings.filter_map(|change| change.previous).collect()
    }

    /// What is said of numbers of ours that several active rows hold: their calls
    /// fail.
    pub fn duplicates(&self) -> Vec<Finding> {
        let findings = self.plan.findings.iter();
        let duplicates = findings.filter(|finding| finding.code == "duplicate-rows");
        duplicates.cloned().collect()
    }

    /// Whether others changed anything that lkroute left.
    pub fn is_empty(&self) -> bool {
        self.plan.is_empty() && self.duplicates().is_empty()
    }

    /// The apply that had set a field to what it no longer is.
    pub fn set_by(&self, change: &Change, field: Field) -> Option<ApplyId> {
        self.by.get(&(change.previous?, field)).copied()
    }
}
