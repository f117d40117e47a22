//! Which applies the present state is made of: those that no rollback undid.
//! Core: imports the model.

use std::collections::BTreeSet;

use crate::snapshot::{ApplyId, ApplyRecord};

/// The applies whose work is in the present state, the newest first: without
/// rollbacks, and without what they undid. `applies`: the newest first.
pub(crate) fn present_applies(applies: &[ApplyRecord]) -> Vec<&ApplyRecord> {
    let mut present = Vec::new();
    let mut at = applies.first();
    while let Some(apply) = at {
        at = match restored_apply(apply) {
            Some(to) => applies.iter().find(|known| known.id == to),
            None => {
                present.push(apply);
                applies.iter().find(|known| known.id < apply.id)
            }
        };
    }
    present
}

/// The applies behind `start` that the present state is made of: without what
/// rollbacks undid, and without rollbacks but those to what was before.
pub(super) fn present_since(start: ApplyId, applies: &[ApplyRecord]) -> BTreeSet<ApplyId> {
    let mut present = BTreeSet::new();
    let mut at = applies.first();
    while let Some(apply) = at.filter(|apply| apply.id > start) {
        let before = match restored_apply(apply) {
            Some(to) if to > start => to,
            back => {
                present.insert(apply.id);
                back.unwrap_or(apply.id - 1)
            }
        };
        at = applies.iter().find(|known| known.id <= before);
    }
    present
}

/// The apply whose state a rollback brought back; always an earlier one.
fn restored_apply(apply: &ApplyRecord) -> Option<ApplyId> {
    let to = apply.restores.filter(|to| *to < apply.id);
    to.filter(|_| apply.kind == "rollback")
}

/// One step back: the newest apply that changed objects and that nothing
/// undid, and the apply whose state was there before it.
pub(crate) fn step_back(applies: &[ApplyRecord]) -> Option<(&ApplyRecord, Option<ApplyId>)> {
    let present = present_applies(applies);
    let newest = present.iter().position(|apply| changed_objects(apply))?;
    let before = present.get(newest + 1).map(|apply| apply.id);
    Some((present[newest], before))
}

/// Whether going back to `to` undoes one apply alone: the newest that counts,
/// or the rollback that came last.
pub(crate) fn undoes_one(applies: &[ApplyRecord], to: ApplyId) -> bool {
    let rollback = applies
        .first()
        .filter(|apply| restored_apply(apply).is_some());
    let before = rollback.and_then(|last| applies.iter().find(|apply| apply.id < last.id));
    let one_back = step_back(applies).and_then(|(_, before)| before);
    before.is_some_and(|before| before.id == to) || one_back == Some(to)
}

/// The rollback that undid the state of an apply, where it is not part of the
/// present one.
pub(crate) fn undone_by(applies: &[ApplyRecord], to: ApplyId) -> Option<&ApplyRecord> {
    let mut meant = to;
    while let Some(back) = applies
        .iter()
        .find(|apply| apply.id == meant)
        .and_then(restored_apply)
    {
        meant = back;
    }
    if present_applies(applies)
        .iter()
        .any(|apply| apply.id == meant)
    {
        return None;
    }
    let over = |apply: &&ApplyRecord| {
        restored_apply(apply).is_some_and(|back| back < meant) && apply.id > meant
    };
    applies.iter().rfind(over)
}

/// The apply of this very commit that is part of the present state and left
/// nothing out.
pub(crate) fn applied_already<'a>(
    applies: &'a [ApplyRecord],
    commit: &str,
) -> Option<&'a ApplyRecord> {
    let of_it = |apply: &&ApplyRecord| {
        apply.kind == "apply"
            && !apply.dirty
            && apply.revision.as_deref() == Some(commit)
            && stored_count(apply, "outstanding") == 0
            && stored_count(apply, "held_back") == 0
    };
    present_applies(applies).into_iter().find(of_it)
}

fn stored_count(apply: &ApplyRecord, what: &str) -> u64 {
    let count = apply.counts.get(what);
    count.and_then(serde_json::Value::as_u64).unwrap_or(0)
}

/// Whether an apply changed, took over or gave back something that was there, as
/// far as its record says: one that only made what is new did not.
pub(crate) fn changed_what_was_there(apply: &ApplyRecord) -> bool {
    let only_creates = apply.kind == "apply"
        && apply.counts.is_object()
        && ["update", "delete", "adopt", "reseal"]
            .iter()
            .all(|kind| stored_count(apply, kind) == 0);
    changed_objects(apply) && !only_creates
}

/// An apply of guards alone changed none. One that says nothing may have.
fn changed_objects(apply: &ApplyRecord) -> bool {
    let kinds = ["create", "update", "delete", "adopt", "reseal", "release"];
    !matches!(apply.kind.as_str(), "reset-guards" | "restamp")
        && (!apply.counts.is_object() || kinds.iter().any(|kind| stored_count(apply, kind) > 0))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn apply(id: ApplyId, restores: Option<ApplyId>) -> ApplyRecord {
        let kind = if restores.is_some() {
            "rollback"
        } else {
            "apply"
        };
        ApplyRecord {
            id,
            restores,
            kind: kind.to_owned(),
            ..ApplyRecord::default()
        }
    }

    fn ids(applies: &[ApplyRecord]) -> Vec<ApplyId> {
        present_applies(applies)
            .iter()
            .map(|apply| apply.id)
            .collect()
    }

    #[test]
    fn one_step_back_is_one_step_from_what_there_is() {
        let plain = [apply(3, None), apply(2, None), apply(1, None)];
        assert!(undoes_one(&plain, 2) && !undoes_one(&plain, 1));
        let back = [
            apply(4, Some(2)),
            apply(3, None),
            apply(2, None),
            apply(1, None),
        ];
        assert!(undoes_one(&back, 3), "the rollback itself");
        assert!(undoes_one(&back, 1), "what it brought back");
        assert!(!undoes_one(&back, 2));
    }

    #[test]
    fn it_never_goes_forward_however_often_it_is_pressed() {
        let mut applies = vec![apply(3, None), apply(2, None), apply(1, None)];
        let mut pressed = Vec::new();
        while let Some((undone, Some(to))) = step_back(&applies) {
            pressed.push((undone.id, to));
            applies.insert(0, apply(applies.len() as i64 + 1, Some(to)));
        }
        assert_eq!(pressed, [(3, 2), (2, 1)]);
        assert_eq!(
            step_back(&applies).map(|(apply, to)| (apply.id, to)),
            Some((1, None))
        );
        // The next apply continues from the state that the rollback brought back.
        applies.insert(0, apply(6, None));
        assert_eq!(ids(&applies), [6, 1]);
        assert_eq!(step_back(&applies).and_then(|(_, to)| to), Some(1));
    }

    #[test]
    fn a_rollback_may_be_undone_by_going_forward() {
        let applies = [
            apply(4, Some(2)),
            apply(3, Some(1)),
            apply(2, None),
            apply(1, None),
        ];
        assert_eq!(ids(&applies), [2, 1]);
        assert!(undone_by(&applies, 2).is_none());
        assert!(undone_by(&applies, 1).is_none() && undone_by(&applies, 3).is_none());
        assert_eq!(undone_by(&applies[1..], 2).map(|apply| apply.id), Some(3));
    }

    #[test]
    fn applies_of_guards_alone_are_passed_over() {
        let guards = ApplyRecord {
            counts: json!({ "create": 0, "guards": 2 }),
            ..apply(3, None)
        };
        let applies = [guards, apply(2, None), apply(1, None)];
        let step = step_back(&applies).map(|(apply, to)| (apply.id, to));
        assert_eq!(step, Some((2, Some(1))));
    }

    #[test]
    fn a_part_that_was_applied_is_not_the_whole() {
        let of = |id, outstanding| ApplyRecord {
            revision: Some("c".to_owned()),
            counts: json!({ "outstanding": outstanding }),
            ..apply(id, None)
        };
        let found = |applies: &[ApplyRecord]| applied_already(applies, "c").map(|apply| apply.id);
        assert_eq!(found(&[of(2, 0), apply(1, None)]), Some(2));
        assert_eq!(found(&[of(2, 1), apply(1, None)]), None);
        let undone = [apply(3, Some(1)), of(2, 0), apply(1, None)];
        assert_eq!(found(&undone), None);
    }

    fn ids_since(start: ApplyId, restores: &[Option<ApplyId>]) -> Vec<ApplyId> {
        let applies = (1..).zip(restores).map(|(id, to)| apply(id, *to));
        let mut applies: Vec<ApplyRecord> = applies.collect();
        applies.reverse();
        present_since(start, &applies).into_iter().collect()
    }

    #[test]
    fn what_was_undone_is_not_present_since() {
        assert_eq!(ids_since(1, &[None, None, None]), [2, 3]);
        assert_eq!(ids_since(1, &[None, None, None, Some(2)]), [2]);
        // A rollback to a state before the window: only the rollback itself counts.
        assert_eq!(ids_since(2, &[None, None, None, Some(1)]), [4]);
        assert_eq!(ids_since(1, &[None, None, Some(1), None, Some(3)]), [3]);
        // A rollback of a rollback: what the first one undid counts again.
        assert_eq!(ids_since(1, &[None, None, None, Some(2), Some(3)]), [2, 3]);
    }
}
