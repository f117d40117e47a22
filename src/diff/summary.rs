//! How many changes a plan has of each kind: what its reports say first, and
//! what an apply records. Core: imports the plan.

use schemars::JsonSchema;
use serde::Serialize;

use super::plan::{Action, Plan, SecretOutcome};
use crate::routing::guards::GuardsChange;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "SummaryReport")]
pub struct PlanSummary {
    pub create: u64,
    pub update: u64,
    pub delete: u64,
    pub adopt: u64,
    pub reseal: u64,
    pub release: u64,
    pub unchanged: u64,
    /// Secrets that could not be compared.
    pub unchecked: u64,
    /// Secrets that are written over others: these are other ones.
    pub secrets_changed: u64,
    /// These are the same in another form.
    pub secrets_resealed: u64,
    /// Of these nobody could say.
    pub secrets_not_compared: u64,
    pub conflict: u64,
    /// Settings of the guards that change.
    pub guards: u64,
    /// Names of tenants that change.
    pub aliases: u64,
    /// Objects that are held back, in whole or in part.
    pub held_back: u64,
    pub outstanding: u64,
}

impl PlanSummary {
    /// How many objects an action is for.
    pub fn of(&self, action: Action) -> u64 {
        match action {
            Action::Create => self.create,
            Action::Update => self.update,
            Action::Delete => self.delete,
            Action::Adopt => self.adopt,
            Action::Reseal => self.reseal,
            Action::Release => self.release,
        }
    }
}

impl Plan {
    /// How many changes there are; objects in conflict are not among them.
    pub fn summary(&self) -> PlanSummary {
        let mut summary = PlanSummary {
            unchanged: self.unchanged,
            unchecked: self.unchecked.len() as u64,
            held_back: self.held_back.len() as u64,
            guards: self.guards.iter().flat_map(GuardsChange::settings).count() as u64,
            aliases: self.aliases.len() as u64,
            outstanding: self.outstanding.len() as u64 + u64::from(self.guards_outstanding),
            ..PlanSummary::default()
        };
        for change in &self.changes {
            match self.secret_outcome(change) {
                Some(SecretOutcome::Changed) => summary.secrets_changed += 1,
                Some(SecretOutcome::Resealed) => summary.secrets_resealed += 1,
                Some(SecretOutcome::NotCompared) => {
                    summary.secrets_not_compared += 1;
                    summary.unchecked += 1;
                }
                None => {}
            }
            if self.in_conflict(change) {
                summary.conflict += 1;
                continue;
            }
            match change.action {
                Action::Create => summary.create += 1,
                Action::Update => summary.update += 1,
                Action::Delete => summary.delete += 1,
                Action::Adopt => summary.adopt += 1,
                Action::Reseal => summary.reseal += 1,
                Action::Release => summary.release += 1,
            }
        }
        summary
    }
}
