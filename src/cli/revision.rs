//! The order of applies: an older revision does not undo a newer one. Imports
//! `git` and core.

use std::path::Path;

use crate::error::{Error, Exit, Result};
use crate::git::{self, Ancestry, Revision};
use crate::history::rolled_back;
use crate::snapshot::ApplyRecord;

/// Refuses to apply over a commit that the one at hand does not contain;
/// `superseded` names a commit that may be undone.
pub fn in_order(
    dir: &Path,
    last: Option<&ApplyRecord>,
    now: Option<&Revision>,
    superseded: Option<&str>,
) -> Result<()> {
    let last = last.and_then(|apply| Some((apply, apply.revision.as_deref()?)));
    let (Some((apply, old)), Some(now)) = (last, now) else {
        return Ok(());
    };
    let new = now.commit.as_str();
    if superseded.is_some_and(|commit| commit.len() >= 7 && old.starts_with(commit)) {
        return Ok(());
    }
    let (why, first) = match git::ancestry(dir, old, new)? {
        Ancestry::Ancestor => return Ok(()),
        Ancestry::NotAncestor => (
            "which is not among its ancestors",
            "bring the branch up to date",
        ),
        Ancestry::Unknown => ("which this clone does not have", "fetch it"),
        Ancestry::Shallow => (
            "which this clone, being shallow, does not have",
            "fetch the whole history (`git fetch --unshallow`)",
        ),
    };
    let message = format!(
        "commit {} would undo apply {}, made of commit {}, {why}",
        short(new),
        apply.id,
        short(old)
    );
    Err(Error::exit(Exit::Stale, message).hint(format!(
        "{first}, or say `--supersede {}` if it is to be undone",
        short(old)
    )))
}

/// Refuses to apply again what was rolled back, until the files change;
/// `applies`: the newest first.
pub fn not_rolled_back(
    applies: &[ApplyRecord],
    digest: &str,
    now: Option<&Revision>,
) -> Result<()> {
    let revision = now.filter(|now| !now.dirty).map(|now| now.commit.as_str());
    let Some((rollback, undone)) = rolled_back::rolled_back(applies, digest, revision) else {
        return Ok(());
    };
    let why = rollback.reason.as_ref();
    let why = why.map_or(String::new(), |reason| format!(": {reason}"));
    let message = format!(
        "these files were rolled back: apply {} by {} undid apply {}, which had applied them{why}",
        rollback.id, rollback.actor, undone.id
    );
    Err(Error::exit(Exit::Stale, message)
        .hint("change or revert them: the same files are not applied again"))
}

fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}
