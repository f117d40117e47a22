//! Giving objects back without touching them. Imports core, the files and the
//! store.

use std::collections::HashMap;

use uuid::Uuid;

use super::apply::new_request;
use super::database::{self, Target};
use super::planning::today;
use super::verdict::verdict;
use super::{Context, Stop, applied_states, lookup, routing_files};
use crate::address::Address;
use crate::diff::plan::{Change, Object, Plan};
use crate::error::{Error, Result};
use crate::finding::Finding;
use crate::guards::account::BudgetAccount;
use crate::guards::{self, Basis, GuardContext, GuardReport};
use crate::impact::reroutes::{self, Reroutes};
use crate::impact::window::window_sum;
use crate::phone::E164;
use crate::routing::Routing;
use crate::snapshot::Snapshot;
use crate::store::{Mode, WriteRequest, check_stamp};

/// What is given back once it is carried out.
pub struct ReadyRelease {
    pub target: Target,
    pub plan: Plan,
    pub reroutes: Reroutes,
    /// What guards refuse.
    pub refusals: Vec<Finding>,
    account: BudgetAccount,
    snapshot: Snapshot,
}

/// The plan that gives these objects back, or everything, judged by the stored
/// guards: calls depend on what only lkroute's tables hold.
///
/// # Errors
/// One of them is not lkroute's, or is still declared in the files.
pub async fn prepare_release(
    context: &Context<'_>,
    wanted: Option<&[Address]>,
) -> Result<ReadyRelease, Stop> {
    let target = lookup::target(context)?;
    let mut store = database::open_current(context, &target, Mode::Read).await?;
    let found = applied_states::read_release(&mut store, wanted).await?;
    let (snapshot, mut routing) = (found.snapshot, found.routing);
    database::own_environment(context, snapshot.environment.as_deref())?;
    let mut plan = found.plan.map_err(|unknown| not_ours(&unknown))?;
    let declared = declared(context)?;
    // Files of somebody else say nothing of what is still declared here.
    if let Some(owner) = declared.owner.as_deref() {
        let files = (Some(owner), snapshot.environment.as_deref());
        let stamped = (snapshot.owner.as_deref(), snapshot.environment.as_deref());
        check_stamp(stamped, files)?;
    }
    refuse_declared(&declared, &plan)?;
    let mut reroutes = Reroutes::default();
    let mut guard_report = GuardReport::default();
    if plan.changes.iter().any(Change::is_shared) {
        // A review can make exceptions, in files that may hold nothing else.
        routing.guards.allow = declared.guards.allow;
        reroutes = reroutes::reroutes(&plan);
        reroutes.window = window_sum(&mut plan);
        let judged_by = GuardContext {
            routing: &routing,
            snapshot: &snapshot,
            reroutes: &reroutes,
            applied: snapshot.guards.readable()?,
            today: today(),
            basis: Basis::Release,
            secrets: None,
        };
        guard_report = guards::evaluate(&plan, &judged_by);
    }
    plan.findings.extend(guard_report.warnings);
    Ok(ReadyRelease {
        target,
        plan,
        reroutes,
        refusals: guard_report.refusals,
        account: guard_report.account,
        snapshot,
    })
}

impl ReadyRelease {
    /// Whether it can be carried out.
    ///
    /// # Errors
    /// Why not.
    pub fn verdict(&self) -> Result<()> {
        verdict(&self.plan, &self.refusals)
    }

    pub fn request(&self, context: &Context<'_>, reason: Option<String>) -> WriteRequest {
        let last = self.snapshot.last_apply.as_ref();
        WriteRequest {
            // The state in the database is still that of the last apply's commit.
            revision: last.and_then(|apply| apply.revision.clone()),
            dirty: last.is_some_and(|apply| apply.dirty),
            owner: self.snapshot.owner.clone(),
            environment: self.snapshot.environment.clone(),
            account: self.account.to_json(),
            reason,
            ..new_request(context, "release", &self.plan)
        }
    }
}

/// What the files declare. Outside the repository there are none, and files
/// without any object declare none.
fn declared(context: &Context<'_>) -> Result<Routing, Stop> {
    if !context.settings.routing.exists() {
        return Ok(Routing::default());
    }
    let mut loaded = routing_files::load_files(context);
    let empty = ["no-files", "no-objects"];
    loaded
        .findings
        .retain(|finding| !empty.contains(&finding.code.as_ref()));
    Ok(routing_files::valid(loaded)?.routing)
}

/// What is still declared would be adopted again, by whatever name it goes: a
/// config by its id, and a number by its tenant's uuid.
fn refuse_declared(routing: &Routing, plan: &Plan) -> Result<(), Stop> {
    let ids = routing.configs.iter();
    let ids: HashMap<Uuid, &str> = ids
        .filter_map(|(name, config)| Some((config.id?, name.as_str())))
        .collect();
    let bindings = routing.bindings.iter();
    let numbers: HashMap<(E164, Uuid), u32> = bindings
        .map(|binding| ((binding.number, routing.tenant(binding).id), binding.tenant))
        .collect();
    let declared = plan.changes.iter().find_map(|change| match change.object {
        Object::Region(ix) => {
            let name = &plan.names[ix as usize];
            let is_declared = routing.regions.contains_key(name);
            is_declared.then(|| Address::Region(name.clone()))
        }
        Object::Config(ix) => {
            let name = &plan.names[ix as usize];
            let by_name = routing.configs.get_key_value(name);
            let by_name = by_name.map(|(name, _)| name.as_str());
            let name = change
                .row
                .and_then(|id| ids.get(&id).copied())
                .or(by_name)?;
            Some(Address::Config(name.to_owned()))
        }
        Object::Binding { number, tenant } => {
            let id = plan.tenants[tenant as usize].id;
            let tenant = numbers.get(&(number, id))?;
            let label = routing.tenants[*tenant as usize].label();
            Some(Address::Binding(number, label))
        }
    });
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
