//! Files that were rolled back: the next run of the same must not apply them
//! again. Core.

use crate::snapshot::ApplyRecord;

/// The rollback that undid an apply of these very files, and that apply,
/// unless something else was applied since. `applies`: newest first.
pub fn rolled_back<'a>(
    applies: &'a [ApplyRecord],
    digest: &str,
    revision: Option<&str>,
) -> Option<(&'a ApplyRecord, &'a ApplyRecord)> {
    let rollback = applies.iter().find(|apply| apply.kind != "release")?;
    let restored = rollback.restores.filter(|_| rollback.kind == "rollback")?;
    let clean = |apply: &'a ApplyRecord| apply.revision.as_deref().filter(|_| !apply.dirty);
    let same = |apply: &'a ApplyRecord| {
        apply.files.as_deref() == Some(digest) || revision.is_some() && clean(apply) == revision
    };
    let kept = applies.iter().find(|apply| apply.id == restored);
    if kept.is_some_and(same) {
        return None;
    }
    let undone = |apply: &&'a ApplyRecord| {
        apply.kind == "apply" && apply.id > restored && apply.id < rollback.id
    };
    let undone = applies.iter().filter(undone).find(|apply| same(apply))?;
    Some((rollback, undone))
}
