//! One region or config that changes, with the findings of its comparison. Core.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::plan::{Action, FieldChange, Patch, SecretOutcome, Unchecked};
use crate::fields::Fields;
use crate::finding::Finding;
use crate::routing::{Origin, Routing};

/// A region or config that changes, before it gets its place in a plan.
#[derive(Debug)]
pub(super) struct ObjectChange {
    pub name: String,
    pub action: Action,
    pub patch: Patch,
    pub row: Option<Uuid>,
    pub previous: Option<Uuid>,
    pub origin: Option<Origin>,
    pub owned: Option<Fields>,
    pub inserted: bool,
    pub insert: bool,
    /// What is known of a secret that is written over another.
    pub secret: Option<SecretOutcome>,
}

/// All that this step finds out.
#[derive(Debug, Default)]
pub(super) struct Objects {
    pub regions: Vec<ObjectChange>,
    pub configs: Vec<ObjectChange>,
    /// The row id of each declared config.
    pub ids: BTreeMap<String, Uuid>,
    pub unchanged: u64,
    pub unchecked: Vec<Unchecked>,
    /// See [`super::plan::Plan::declared_secrets`].
    pub declared_secrets: BTreeMap<String, FieldChange>,
    pub findings: Vec<Finding>,
}

/// Places a line of the last apply, whose files are numbered after ours.
pub(super) fn applied_origin(
    routing: &Routing,
    source: Option<crate::snapshot::SourceLine>,
) -> Option<Origin> {
    let offset = u32::try_from(routing.files.len()).ok()?;
    source.map(|source| Origin {
        file: offset + source.file,
        line: source.line,
    })
}
