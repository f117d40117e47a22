//! Plans from the history that a database keeps: back to what an apply left,
//! what has drifted since, what is given back, what rollbacks undid. Imports
//! core and the store.

use std::collections::HashMap;

use uuid::Uuid;

use crate::address::Address;
use crate::diff::differ::Differ;
use crate::diff::earlier::Earlier;
use crate::diff::plan::{Change, Object, Plan};
use crate::diff::secret::SecretFacts;
use crate::error::{Error, Result};
use crate::fields::FieldsPool;
use crate::history::drift::Drift;
use crate::history::lineage;
use crate::history::release::ReleasePlan;
use crate::history::undone::Undone;
use crate::history::window::WindowReader;
use crate::history::{AppliedState, BindingVersion, Versions};
use crate::routing::Routing;
use crate::routing::window::Window;
use crate::snapshot::{ApplyId, ApplyRecord, Snapshot};
use crate::store::{PreparedSecret, Store, VersionFilter};

/// Rows that are asked for at a time.
const CHUNK: usize = 1000;

/// The way back to what an apply left.
#[derive(Debug)]
pub struct RollbackPlan {
    pub snapshot: Snapshot,
    /// All of them, the newest first.
    pub applies: Vec<ApplyRecord>,
    pub versions: Versions,
    pub state: AppliedState,
    pub plan: Plan,
}

impl RollbackPlan {
    /// The secrets that the plan writes, as they were stored then; nothing is
    /// opened or sealed for it.
    pub fn secrets(&self) -> HashMap<Uuid, PreparedSecret> {
        let mut secrets = HashMap::new();
        let configs = self
            .plan
            .changes
            .iter()
            .filter_map(|change| match change.object {
                Object::Config(_) => Some((change, change.row?)),
                Object::Region(_) | Object::Binding { .. } => None,
            });
        for (change, row) in configs {
            let then = self.state.configs.get(&row);
            let found = self.state.found.configs.get(&row);
            let text = match then {
                Some(then) => then.sealed.clone(),
                None => found.and_then(|found| found.sealed.clone()),
            };
            let prepared = PreparedSecret {
                text: text.filter(|_| self.plan.writes_secret(change)),
                fingerprint: then.and_then(|then| then.owned.fingerprint.clone()),
                source: then.map(|then| then.owned.secret_source.clone()),
            };
            secrets.insert(row, prepared);
        }
        secrets
    }
}

fn no_such_apply(wanted: Option<ApplyId>, last: Option<&ApplyRecord>) -> Error {
    match (wanted, last) {
        (Some(wanted), Some(last)) => Error::new(format!(
            "there is no apply {wanted}: the last one is {}",
            last.id
        ))
        .hint("`lkroute history` lists them"),
        _ => Error::new("nothing has been applied to this database"),
    }
}

/// The state that an apply left, the last where none is named, and the plan
/// that brings it back. Reads from first to last in one moment; the ids that
/// the plan needs come from `new_id`.
///
/// # Errors
/// No apply of that number.
pub async fn read_rollback(
    store: &mut Store,
    apply: Option<ApplyId>,
    progress: &mut dyn FnMut(u64),
    new_id: fn() -> Uuid,
) -> Result<RollbackPlan> {
    let back = begin_rollback(store, apply, true, progress, new_id).await?;
    store.end_read().await?;
    Ok(back)
}

/// `is_judged`: the plan is for budgets to judge, and says of which numbers that
/// changed within their window it is.
async fn begin_rollback(
    store: &mut Store,
    apply: Option<ApplyId>,
    is_judged: bool,
    progress: &mut dyn FnMut(u64),
    new_id: fn() -> Uuid,
) -> Result<RollbackPlan> {
    store.begin_read().await?;
    plan_rollback(store, apply, is_judged, progress, new_id).await
}

/// The same within a read that has begun.
async fn plan_rollback(
    store: &mut Store,
    apply: Option<ApplyId>,
    is_judged: bool,
    progress: &mut dyn FnMut(u64),
    new_id: fn() -> Uuid,
) -> Result<RollbackPlan> {
    let snapshot = store.snapshot().await?;
    let applies = store.applies().await?;
    let apply = match (apply, &snapshot.last_apply) {
        (Some(apply), _) if applies.iter().any(|known| known.id == apply) => apply,
        (None, Some(last)) => last.id,
        (apply, last) => return Err(no_such_apply(apply, last.as_ref())),
    };
    let versions = store.versions().await?;
    let mut pool = FieldsPool::default();
    let mut state = AppliedState::after_apply(apply, &versions, &snapshot);
    let mut owned = Vec::new();
    let mut take = |pool: &mut FieldsPool, version: BindingVersion| {
        if version.until.is_none() {
            owned.push(version.owned);
        }
        state.add_binding(&version, pool);
    };
    // The versions of the last apply are the current ones.
    let is_last = snapshot
        .last_apply
        .as_ref()
        .is_some_and(|last| last.id == apply);
    let select = if is_last {
        VersionFilter::CurrentUnordered
    } else {
        VersionFilter::After(apply)
    };
    store
        .binding_versions(&select, &mut pool, &mut take)
        .await?;
    let facts = SecretFacts::default();
    let window = snapshot.guards.window();
    let earlier = if is_judged {
        read_earlier(store, window, &applies).await?
    } else {
        None
    };
    let mut differ = Differ::new(&state.routing, &snapshot, &facts, new_id);
    differ.since(earlier);
    differ.owned_all(owned, &pool);
    store.numbers(&mut |row| differ.row(row), progress).await?;
    let plan = differ.finish(new_id).giving_back(&state.found, &pool);
    Ok(RollbackPlan {
        snapshot,
        applies,
        versions,
        state,
        plan,
    })
}

/// What rollbacks undid, told from the versions. After [`Store::snapshot`],
/// in the same read.
pub async fn read_undone(store: &mut Store, applies: &[ApplyRecord]) -> Result<Undone> {
    let rollbacks = Undone::rollbacks(applies);
    if rollbacks.is_empty() {
        return Ok(Undone::default());
    }
    let versions = store.versions().await?;
    let mut undone = Undone::new(applies, &versions);
    let mut pool = FieldsPool::default();
    let mut take =
        |pool: &mut FieldsPool, version: BindingVersion| undone.add_binding(&version, pool);
    let select = VersionFilter::TouchedBy(rollbacks);
    store
        .binding_versions(&select, &mut pool, &mut take)
        .await?;
    undone.end_bindings(&pool);
    Ok(undone)
}

/// What there was when the window of the budgets began, by the clock of the
/// database. After [`Store::snapshot`], in the same read.
pub async fn read_earlier(
    store: &mut Store,
    window: Window,
    applies: &[ApplyRecord],
) -> Result<Option<Earlier>> {
    if applies.is_empty() {
        return Ok(None);
    }
    let recent = store.recent_applies(window).await?;
    let Some(mut reader) = WindowReader::new(window, recent, applies) else {
        return Ok(None);
    };
    reader.objects(&store.versions().await?);
    let mut pool = FieldsPool::default();
    // Numbers that came within the window are none of those that changed in it:
    // after a first apply nobody need look through a million of them.
    let since = applies.iter().filter(|apply| apply.id > reader.start());
    if !since.into_iter().any(lineage::changed_what_was_there) {
        return Ok(Some(reader.finish(&pool)));
    }
    let select = VersionFilter::ChangedAfter(reader.start());
    let mut take = |pool: &mut FieldsPool, version: BindingVersion| reader.binding(&version, pool);
    store
        .binding_versions(&select, &mut pool, &mut take)
        .await?;
    Ok(Some(reader.finish(&pool)))
}

/// What has drifted since the last apply, and what was read for that.
///
/// # Errors
/// Nothing has been applied yet.
pub async fn read_drift(
    store: &mut Store,
    progress: &mut dyn FnMut(u64),
    new_id: fn() -> Uuid,
) -> Result<(Drift, Snapshot)> {
    let back = begin_rollback(store, None, false, progress, new_id).await?;
    let mut pool = FieldsPool::default();
    let mut bindings = Vec::new();
    let mut touched = HashMap::new();
    for rows in Drift::drifted_rows(&back.plan).chunks(CHUNK) {
        let select = VersionFilter::Rows(rows.to_vec());
        let mut take = |_: &mut FieldsPool, version| bindings.push(version);
        store
            .binding_versions(&select, &mut pool, &mut take)
            .await?;
        touched.extend(store.touched(rows).await?);
    }
    store.end_read().await?;
    let live = back.snapshot.configs.iter();
    touched.extend(live.filter_map(|row| Some((row.id, row.updated_at.clone()?))));
    let history = (&back.versions, bindings.as_slice(), &pool);
    let drift = Drift::new(back.plan, history, &back.applies, touched);
    Ok((drift, back.snapshot))
}

/// What is to be given back.
#[derive(Debug)]
pub struct FoundRelease {
    /// The plan, or the objects that lkroute does not have.
    pub plan: Result<Plan, Vec<Address>>,
    pub snapshot: Snapshot,
    /// All that the last apply declared.
    pub routing: Routing,
}

/// The plan that gives objects back, or everything, with the numbers whose
/// calls that can change.
pub async fn read_release(store: &mut Store, wanted: Option<&[Address]>) -> Result<FoundRelease> {
    store.begin_read().await?;
    let snapshot = store.snapshot().await?;
    let mut release = ReleasePlan::new(wanted, &snapshot);
    let select = release
        .wanted_numbers()
        .map_or(VersionFilter::Current, VersionFilter::Numbers);
    let mut pool = FieldsPool::default();
    let mut take = |pool: &mut FieldsPool, version: BindingVersion| {
        if version.until.is_none() {
            release.add_binding(&version.owned, pool);
        }
    };
    store
        .binding_versions(&select, &mut pool, &mut take)
        .await?;
    let mut found = FoundRelease {
        plan: release.into_plan(),
        snapshot,
        routing: Routing::default(),
    };
    if let Ok(plan) = &mut found.plan
        && plan.changes.iter().any(Change::is_shared)
    {
        let last = plan_rollback(store, None, true, &mut |_| (), Uuid::now_v7).await?;
        found.routing = last.state.routing;
        plan.take_numbers(last.plan);
    }
    store.end_read().await?;
    Ok(found)
}
