//! What an apply keeps for the budgets of later ones: which of its changes an
//! exception let pass, and which secrets it really changed. Stored with the
//! apply. Core.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::diff::plan::{Object, Plan, SecretOutcome};

/// The account of one apply.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BudgetAccount {
    /// Nothing of it counts against later budgets: the undoing of an apply,
    /// with a reason.
    pub exempt_all: bool,
    /// What does not count, because an exception named it: regions by name,
    /// configs and number rows by id.
    pub exempt_regions: BTreeSet<String>,
    pub exempt_rows: BTreeSet<Uuid>,
    /// Configs whose secret became another one; not those that were sealed
    /// anew.
    pub secrets: BTreeSet<Uuid>,
}

impl BudgetAccount {
    /// Of a plan of which these changes, by index, were let pass.
    pub fn new(plan: &Plan, exempt: &[usize]) -> BudgetAccount {
        let mut account = BudgetAccount::default();
        for change in exempt.iter().filter_map(|ix| plan.changes.get(*ix)) {
            if let Object::Region(name) = change.object {
                let name = &plan.names[name as usize];
                account.exempt_regions.insert(name.clone());
            }
            let rows = change.row.into_iter().chain(change.previous);
            account.exempt_rows.extend(rows);
        }
        let secrets = plan
            .changes
            .iter()
            .filter(|change| plan.secret_outcome(change) == Some(SecretOutcome::Changed));
        account.secrets = secrets.filter_map(|change| change.row).collect();
        account
    }

    /// As it is stored.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Of the stored text. One that can't be read exempts nothing.
    pub fn read(text: &str) -> BudgetAccount {
        serde_json::from_str(text).unwrap_or_default()
    }
}
