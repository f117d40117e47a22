//! Carrying a plan out: what has to hold before, and the one transaction.
//! Imports core, `git`, the store and `secrets`.

use std::pin::pin;

use serde_json::Value;
use tokio::sync::watch;
use uuid::Uuid;

use super::approval::{Approved, StalePlan};
use super::database::{self, Target};
use super::planning::{PlanRequest, Planned, plan_changes};
use super::verdict::verdict;
use super::{Context, Stop, Total, actor, revision, sealing};
use crate::address::Address;
use crate::diff::plan::Plan;
use crate::error::{Error, Result};
use crate::git::Revision;
use crate::history::lineage;
use crate::routing::guards::Guards;
use crate::secrets::KeyRing;
use crate::snapshot::ApplyRecord;
use crate::store::{Mode, SchemaState, Store, WriteRequest};

pub use crate::store::Applied;

/// What is to be applied.
#[derive(Debug, Default)]
pub struct ApplyRequest {
    /// Only these objects and what they newly depend on; empty for all, or
    /// for those of the approved plan.
    pub targets: Vec<Address>,
    /// What was approved beforehand.
    pub approved: Option<Approved>,
    /// Drift is left alone, as nobody sees what would be set back.
    pub leave_drift: bool,
    /// A commit that may be undone.
    pub supersede: Option<String>,
    /// What opens and seals secrets.
    pub ring: KeyRing,
}

/// A plan that was made to be carried out.
pub struct ReadyApply {
    pub planned: Planned,
    pub check: ApplyCheck,
    ring: KeyRing,
}

/// Whether a plan is carried out.
pub enum ApplyCheck {
    /// It may be, and changes something.
    Pending,
    /// There is nothing to do.
    NothingToDo,
    /// This very commit was applied, and nothing is left to do for it.
    AppliedAlready(ApplyRecord),
    /// It may not be.
    Refused(Error),
    /// It is not what was approved.
    Stale(StalePlan),
}

/// How what is carried out is watched: told what takes long, and asked to stop.
pub struct Watcher<S> {
    pub notice: fn(&str),
    pub stop: S,
}

/// Plans, and checks all that can be checked before the first write.
pub async fn prepare_apply(
    context: &Context<'_>,
    request: ApplyRequest,
) -> Result<ReadyApply, Stop> {
    let saved = match &request.approved {
        Some(approved) => approved.targets()?,
        None => Vec::new(),
    };
    let plan_request = PlanRequest {
        targets: if request.targets.is_empty() {
            &saved
        } else {
            &request.targets
        },
        leave_drift: request.leave_drift,
        to_write: true,
        number: None,
    };
    let planned = plan_changes(context, &request.ring, &plan_request).await?;
    let now = planned.revision();
    let last = planned.snapshot.last_apply.as_ref();
    let dir = &context.settings.routing;
    let ordered = revision::in_order(dir, last, now, request.supersede.as_deref());
    let stale = request.approved.map_or(Ok(()), |it| it.check(&planned));
    let is_over = planned.plan.is_empty() || ordered.is_err() || stale.is_err();
    let already = now.filter(|_| is_over);
    let already = already.and_then(|now| applied_already(&planned, now));
    let already = already.filter(|done| revision::is_followed(dir, done, last));
    let already = already.cloned();
    let check = match (already, verdict(&planned.plan, &planned.refusals)) {
        (Some(done), _) => ApplyCheck::AppliedAlready(done),
        (None, Err(refused)) => ApplyCheck::Refused(refused),
        (None, Ok(())) => match (stale, ordered) {
            (Err(stale), _) => ApplyCheck::Stale(stale),
            (Ok(()), Err(error)) => ApplyCheck::Refused(error),
            (Ok(()), Ok(())) if planned.plan.is_empty() => ApplyCheck::NothingToDo,
            (Ok(()), Ok(())) => ApplyCheck::Pending,
        },
    };
    Ok(ReadyApply {
        planned,
        check,
        ring: request.ring,
    })
}

/// The apply of this very commit, where nothing undid it.
fn applied_already<'a>(planned: &'a Planned, now: &Revision) -> Option<&'a ApplyRecord> {
    let files_as_committed = !now.dirty;
    lineage::applied_already(&planned.applies, &now.commit).filter(|_| files_as_committed)
}

impl ReadyApply {
    /// What the store is told beside the plan; every secret that it writes is
    /// sealed here, before anybody is asked.
    ///
    /// # Errors
    /// A secret or a key is missing.
    pub fn request(&self, context: &Context<'_>) -> Result<WriteRequest> {
        let Planned {
            plan,
            routing,
            rules,
            facts,
            ..
        } = &self.planned;
        let revision = self.planned.revision();
        Ok(WriteRequest {
            dirty: revision.is_some_and(|revision| revision.dirty),
            revision: revision.map(|revision| revision.commit.clone()),
            owner: routing.owner.clone(),
            environment: routing.environment.clone(),
            guards: guards_value(&self.planned.guards_after()?)?,
            account: self.planned.account.to_json(),
            files: Some(self.planned.digest.clone()),
            secrets: sealing::prepare(rules, plan, routing, facts, &self.ring)?,
            ..new_request(context, "apply", plan)
        })
    }
}

/// A request of this kind for a plan, by whoever runs this process.
pub(super) fn new_request(context: &Context<'_>, kind: &str, plan: &Plan) -> WriteRequest {
    WriteRequest {
        counts: serde_json::to_value(plan.summary()).unwrap_or_default(),
        lock_timeout: context.settings.write_lock_timeout(),
        ..WriteRequest::new(Uuid::new_v4(), kind, &actor::current_actor())
    }
}

/// Guards as an apply stores them.
pub(super) fn guards_value(guards: &Guards) -> Result<Value> {
    serde_json::to_value(guards).map_err(|error| Error::new(format!("the guards: {error}")))
}

/// Writes it all in one transaction; a SQLite file is made and brought up to
/// date first. `store` is a connection that may write, where there is one: what
/// the database says of itself is asked again.
pub async fn carry_out_plan(
    context: &Context<'_>,
    (target, store): (&Target, Option<Store>),
    plan: &Plan,
    request: WriteRequest,
    watcher: Watcher<impl Future<Output = ()>>,
) -> Result<Applied> {
    let (mut store, entry) = match store {
        Some(store) => database::enter_stamped(context, store).await?,
        None => database::open_stamped(context, target, Mode::Write).await?,
    };
    if target.url.is_migrated_by_writing() {
        for step in store.migrate(false).await? {
            let done = format!("{}: {}", target.url.label(), step.name);
            context.progress.detail(&done);
        }
    } else if entry.state != SchemaState::Current {
        return Err(entry.state.refusal(store.label()));
    }
    let progress = context.progress.count("applying", Total::Known);
    let mut tell = |done, total| progress.of(done, total);
    let (ask, stop) = watch::channel(false);
    let request = WriteRequest {
        stop: Some(stop),
        notice: watcher.notice,
        ..request
    };
    let mut applying = pin!(store.apply(plan, &request, &mut tell));
    let done = tokio::select! {
        done = &mut applying => done,
        () = watcher.stop => {
            // Then it rolls back; if the commit has begun, it reports how that ended.
            ask.send_replace(true);
            applying.await
        }
    };
    done.map_err(|failed| failed.error)
}
