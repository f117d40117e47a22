//! What was approved, against what would be applied: saved plans and digests.
//! Imports core, `files` and `render`.

use std::path::Path;

use super::planning::Planned;
use super::shell::Shell;
use crate::address::Address;
use crate::error::{Error, Exit, Result};
use crate::files;
use crate::impact::digest;
use crate::impact::saved_plan::{SavedPlan, unseen_secret};
use crate::render::stale;

/// Writes a plan to a file.
pub fn save(shell: &Shell, planned: &Planned, targets: &[Address], path: &Path) -> Result<()> {
    let checked_out = planned.checked_out.as_ref();
    let mut saved = SavedPlan::new(
        planned.plan.clone(),
        checked_out.map(|found| found.revision.commit.clone()),
    );
    saved.refusals.clone_from(&planned.refusals);
    saved.window.clone_from(&planned.reroutes.window);
    saved.targets = targets.iter().map(ToString::to_string).collect();
    let text = serde_json::to_string(&saved)
        .map_err(|error| Error::new(format!("the plan can't be written: {error}")))?;
    files::write(path, &text)?;
    shell.note(&format!("saved as {} ({})", path.display(), saved.digest));
    Ok(())
}

/// Reads a saved plan.
pub fn read(path: &Path) -> Result<SavedPlan> {
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
    /// Stale, with the difference as far as it is known.
    pub fn check(&self, planned: &Planned) -> Result<()> {
        let now = digest::digest(&planned.plan);
        let hint = "nothing was written: look at `lkroute plan`, and have it approved anew";
        match self {
            Approved::Digest(digest) if digest::same(digest, &now) => Ok(()),
            Approved::Digest(digest) => {
                let message = "the plan is not the one that was approved";
                let digests = format!("  approved: {digest}\n  now:      {now}");
                Err(Error::exit(Exit::Stale, message).lines(&digests).hint(hint))
            }
            Approved::Plan(saved) if saved.digest == now => {
                let Some(config) = unseen_secret(&saved.plan, &planned.plan) else {
                    return Ok(());
                };
                let message = format!(
                    "the secret of config.{config} was compared and found the same when the plan \
                     was approved, and it is another one now"
                );
                Err(Error::exit(Exit::Stale, message).hint(hint))
            }
            Approved::Plan(saved) => {
                let lines = stale::text(&saved.plan, &planned.plan);
                let message = "the plan is not the one that was approved; what differs:";
                Err(Error::exit(Exit::Stale, message).lines(&lines).hint(hint))
            }
        }
    }
}
