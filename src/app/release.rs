//! Giving objects back without touching them. Imports core, the files and the
//! store.

use super::apply::new_request;
use super::database::{self, Target};
use super::{Context, Stop, applied_states, lookup, routing_files};
use crate::address::Address;
use crate::diff::plan::Plan;
use crate::diff::target;
use crate::error::{Error, Result};
use crate::snapshot::Snapshot;
use crate::store::{Mode, WriteRequest};

/// What is given back once it is carried out.
pub struct ReadyRelease {
    pub target: Target,
    pub plan: Plan,
    snapshot: Snapshot,
}

/// The plan that gives these objects back, or everything.
///
/// # Errors
/// One of them is not lkroute's, or is still declared in the files.
pub async fn prepare_release(
    context: &Context<'_>,
    wanted: Option<&[Address]>,
) -> Result<ReadyRelease, Stop> {
    let target = lookup::target(context)?;
    let mut store = database::open_current(context, &target, Mode::Read).await?;
    let (plan, snapshot) = applied_states::read_release(&mut store, wanted).await?;
    database::own_environment(context, snapshot.environment.as_deref())?;
    let plan = plan.map_err(|unknown| not_ours(&unknown))?;
    refuse_declared(context, &plan)?;
    Ok(ReadyRelease {
        target,
        plan,
        snapshot,
    })
}

impl ReadyRelease {
    pub fn request(&self, context: &Context<'_>, reason: Option<String>) -> WriteRequest {
        let last = self.snapshot.last_apply.as_ref();
        WriteRequest {
            // The state in the database is still that of the last apply's commit.
            revision: last.and_then(|apply| apply.revision.clone()),
            dirty: last.is_some_and(|apply| apply.dirty),
            owner: self.snapshot.owner.clone(),
            environment: self.snapshot.environment.clone(),
            reason,
            ..new_request(context, "release", &self.plan)
        }
    }
}

/// What is still declared would be adopted again. Outside the repository there
/// are no files, and files without any object declare none.
fn refuse_declared(context: &Context<'_>, plan: &Plan) -> Result<(), Stop> {
    if !context.settings.routing.exists() {
        return Ok(());
    }
    let mut loaded = routing_files::load_files(context);
    let empty = ["no-files", "no-objects"];
    loaded
        .findings
        .retain(|finding| !empty.contains(&finding.code.as_ref()));
    let routing = routing_files::valid(loaded)?.routing;
    let released = plan
        .changes
        .iter()
        .map(|change| plan.address(change.object));
    let released: Vec<Address> = released.collect();
    let unknown = target::unknown(&Plan::default(), &routing, &released);
    let declared = released.iter().find(|address| !unknown.contains(address));
    match declared {
        None => Ok(()),
        Some(address) => Err(Error::new(format!(
            "{address} is still declared in the files: the next plan would adopt it again"
        ))
        .hint("take it out of the files first, or limit it to other environments with `only`")
        .into()),
    }
}

fn not_ours(unknown: &[Address]) -> Error {
    let names: Vec<String> = unknown.iter().map(Address::to_string).collect();
    Error::new(format!(
        "not lkroute's in this database: {}",
        names.join(", ")
    ))
    .hint("`lkroute history --address` says whether it ever was")
}
