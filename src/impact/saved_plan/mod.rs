//! A plan in a file: what was approved. It is shown, and compared with what
//! would be applied now; it is never a source of writes. Core.

mod contents;
mod frozen;
mod v2;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use uuid::Uuid;

pub use self::contents::SavedPlan;

use self::frozen::Frozen;
use self::v2::SavedPlanV2;
use super::digest;
use super::reroutes::{self, Reroutes};
use crate::diff::plan::{Change, FieldChange, Object, Plan, SecretOutcome};
use crate::format_versions::SAVED_PLAN;
use crate::routing::Tenant;

/// Why a file is no saved plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SavedPlanError {
    #[error("it is no plan that `lkroute plan --out` wrote")]
    Unreadable,
    #[error(
        "lkroute {by} wrote it, in format {format}, and this one reads format {SAVED_PLAN}: plan again"
    )]
    Version { format: u64, by: String },
    #[error(
        "lkroute {by} wrote it, and this one, {this}, can't read all of it: plan again",
        this = env!("CARGO_PKG_VERSION")
    )]
    Unknown { by: String },
    #[error("its digest does not fit what it holds: it was changed after it was written")]
    Changed,
}

impl SavedPlan {
    pub fn new(plan: Plan, revision: Option<String>) -> SavedPlan {
        SavedPlan {
            format_version: SAVED_PLAN,
            lkroute: env!("CARGO_PKG_VERSION").to_owned(),
            digest: digest::digest(&plan),
            revision,
            targets: Vec::new(),
            plan,
            refusals: Vec::new(),
            window: None,
        }
    }

    /// The text of the file.
    ///
    /// # Errors
    /// None that is known of.
    pub fn to_text(&self) -> serde_json::Result<String> {
        serde_json::to_string(&SavedPlanV2::freeze(self))
    }

    /// Reads a file back.
    ///
    /// # Errors
    /// See [`SavedPlanError`].
    pub fn read(text: &str) -> Result<SavedPlan, SavedPlanError> {
        #[derive(Deserialize)]
        struct SavedVersion {
            format_version: u64,
            #[serde(default)]
            lkroute: String,
        }
        let version: SavedVersion =
            serde_json::from_str(text).map_err(|_| SavedPlanError::Unreadable)?;
        if version.format_version != u64::from(SAVED_PLAN) {
            return Err(SavedPlanError::Version {
                format: version.format_version,
                by: version.lkroute,
            });
        }
        let saved: SavedPlanV2 = serde_json::from_str(text).map_err(|_| match version.lkroute {
            by if by.is_empty() => SavedPlanError::Unreadable,
            by => SavedPlanError::Unknown { by },
        })?;
        let mut saved: SavedPlan = saved.thaw();
        if !saved.plan.is_sound() || digest::digest(&saved.plan) != saved.digest {
            return Err(SavedPlanError::Changed);
        }
        saved.plan.count_changes();
        Ok(saved)
    }
}

/// What a saved plan says that its digest does not cover.
pub const NOT_COVERED: [&str; 5] = [
    "files and lines",
    "warnings",
    "what guards refused",
    "what the applies before it add within the window of budgets",
    "how many numbers go with a config or region that changes",
];

/// The same in a sentence.
pub fn not_covered() -> String {
    format!(
        "The digest covers what changes, the calls and terms of it, guards, environment and \
         database. It does not cover, and the file alone says: {}.",
        NOT_COVERED.join("; ")
    )
}

/// A config whose secret would change though the approved plan had compared
/// it and found the same.
pub fn unseen_secret<'a>(approved: &Plan, now: &'a Plan) -> Option<&'a str> {
    let mut changes = now.changes.iter();
    changes.find_map(|change| {
        let Object::Config(name) = change.object else {
            return None;
        };
        let name = now.names[name as usize].as_str();
        if now.secret_outcome(change) != Some(SecretOutcome::Changed) {
            return None;
        }
        let seen = match change.row.and_then(|row| approved.secrets.get(&row)) {
            Some(outcome) => *outcome != SecretOutcome::Resealed,
            None => approved.unchecked.iter().any(|one| one.config == name),
        };
        (!seen).then_some(name)
    })
}

/// A tenant of which more numbers are affected than were when a plan was approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoreNumbers {
    /// The alias, else the uuid.
    pub tenant: String,
    pub approved: u64,
    pub now: u64,
}

/// Whether more numbers of a tenant go with a config or region that changes than
/// did when the plan was approved; the digest names none of them.
pub fn more_numbers(approved: &Plan, (now, reroutes): (&Plan, &Reroutes)) -> Option<MoreNumbers> {
    let before = affected_of(approved, &reroutes::reroutes(approved));
    let before = |id: &Uuid| before.get(id).copied().unwrap_or_default();
    let more = affected_of(now, reroutes).into_iter();
    let more = more.filter(|(id, count)| *count > before(id));
    let (id, count) = more.max_by_key(|(id, count)| count - before(id))?;
    let tenant = now.tenants.iter().find(|tenant| tenant.id == id);
    Some(MoreNumbers {
        tenant: tenant.map_or_else(|| id.to_string(), Tenant::label),
        approved: before(&id),
        now: count,
    })
}

fn affected_of(plan: &Plan, reroutes: &Reroutes) -> BTreeMap<Uuid, u64> {
    let mut affected = BTreeMap::new();
    for cell in reroutes.cells.iter().filter(|cell| cell.affected > 0) {
        let tenant = plan.tenants[cell.tenant as usize].id;
        *affected.entry(tenant).or_default() += cell.affected;
    }
    affected
}

/// What differs about one object between the approved plan and that of now.
#[derive(Debug)]
pub struct Moved<'a> {
    pub approved: Option<Half<'a>>,
    pub now: Option<Half<'a>>,
}

/// A change, and those of its fields that the other plan does not have.
#[derive(Debug)]
pub struct Half<'a> {
    pub change: &'a Change,
    pub fields: Vec<&'a FieldChange>,
}

/// How the plan of now differs from the approved one, by object.
pub fn difference<'a>(approved: &'a Plan, now: &'a Plan) -> Vec<Moved<'a>> {
    let (old, new) = (by_object(approved), by_object(now));
    let lines = (
        digest::lines_by_object(approved),
        digest::lines_by_object(now),
    );
    let objects: BTreeSet<&String> = lines.0.keys().chain(lines.1.keys()).collect();
    let moved = objects.into_iter().filter_map(|object| {
        if lines.0.get(object) == lines.1.get(object) {
            return None;
        }
        let (old, new) = (old.get(object).copied(), new.get(object).copied());
        Some(Moved {
            approved: old.map(|change| half((approved, change), (now, new))),
            now: new.map(|change| half((now, change), (approved, old))),
        })
    });
    moved.collect()
}

fn by_object(plan: &Plan) -> BTreeMap<String, &Change> {
    let changes = plan.changes.iter();
    changes
        .map(|change| (digest::object(plan, change), change))
        .collect()
}

fn half<'a>((plan, change): (&'a Plan, &'a Change), other: (&Plan, Option<&Change>)) -> Half<'a> {
    let there: BTreeSet<String> = match other {
        (plan, Some(change)) => {
            let fields = plan.patch(change).fields.iter();
            fields.map(|field| digest::field(plan, field)).collect()
        }
        (_, None) => BTreeSet::new(),
    };
    let fields = plan.patch(change).fields.iter();
    let fields = fields.filter(|field| !there.contains(&digest::field(plan, field)));
    Half {
        change,
        fields: fields.collect(),
    }
}
