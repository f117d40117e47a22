//! What was approved, against what would be applied: saved plans and digests.
//! Imports core and `files`.

use std::path::Path;

use super::planning::Planned;
use crate::address::Address;
use crate::error::{Error, Result};
use crate::files;
use crate::impact::digest;
use crate::impact::saved_plan::{MoreNumbers, SavedPlan, more_numbers, unseen_secret};

/// Writes a plan to a file; its digest.
pub(crate) fn save_plan(planned: &Planned, targets: &[Address], path: &Path) -> Result<String> {
    let checked_out = planned.checked_out.as_ref();
    let mut saved = SavedPlan::new(
        planned.plan.clone(),
        checked_out.map(|found| found.revision.commit.clone()),
    );
    saved.refusals.clone_from(&planned.refusals);
    saved.window.clone_from(&planned.reroutes.window);
    saved.targets = targets.iter().map(ToString::to_string).collect();
    let text = saved
        .to_text()
        .map_err(|error| Error::new(format!("the plan can't be written: {error}")))?;
    files::write_file(path, &text)?;
    Ok(saved.digest)
}

/// Reads a saved plan.
pub(crate) fn read_plan(path: &Path) -> Result<SavedPlan> {
    let text = files::read_text(path)?;
    SavedPlan::read(&text).map_err(|error| Error::new(format!("`{}`: {error}", path.display())))
}

/// What a plan must be, to be carried out.
#[derive(Debug)]
pub enum Approved {
    Plan(Box<SavedPlan>),
    Digest(String),
}

impl Approved {
    /// The objects that the approved plan was narrowed to.
    ///
    /// # Errors
    /// An address that is none.
    pub fn targets(&self) -> Result<Vec<Address>> {
        let Approved::Plan(saved) = self else {
            return Ok(Vec::new());
        };
        let targets = saved.targets.iter().map(|target| target.parse());
        targets
            .collect::<Result<_, _>>()
            .map_err(|error| Error::new(format!("the saved plan: {error}")))
    }

    /// Whether this is the plan that was approved.
    ///
    /// # Errors
    /// How it is another one.
    pub(super) fn check(self, planned: &Planned) -> Result<(), StalePlan> {
        let now = digest::digest(&planned.plan);
        match self {
            Approved::Digest(digest) if digest::same(&digest, &now) => Ok(()),
            Approved::Digest(approved) => Err(StalePlan::Digest { approved, now }),
            Approved::Plan(saved) if saved.digest == now => {
                if let Some(config) = unseen_secret(&saved.plan, &planned.plan) {
                    return Err(StalePlan::Secret(config.to_owned()));
                }
                match more_numbers(&saved.plan, (&planned.plan, &planned.reroutes)) {
                    None => Ok(()),
                    Some(more) => Err(StalePlan::Numbers(more)),
                }
            }
            Approved::Plan(saved) => Err(StalePlan::Plan(saved)),
        }
    }
}

/// How a plan is not the one that was approved.
#[derive(Debug)]
pub enum StalePlan {
    /// Its digest is another one; more is not known of what was approved.
    Digest { approved: String, now: String },
    /// A secret of this config was compared and found the same when the plan
    /// was approved, and is another one now.
    Secret(String),
    /// It does the same to calls of more numbers.
    Numbers(MoreNumbers),
    /// This is what was approved.
    Plan(Box<SavedPlan>),
}
