//! What can be told from versions alone.

use super::changes::{VersionSide, What, event, set_by};
use crate::fields::{Field, Fields};
use crate::snapshot::ApplyId;

fn fields(outbound: bool) -> Fields {
    Fields::new().with(Field::Outbound, outbound)
}

fn side<'a>(fields: &'a Fields, found: Option<&'a Fields>) -> VersionSide<'a> {
    VersionSide {
        fields,
        found,
        inserted: false,
        retired: false,
    }
}

#[test]
fn a_field_was_set_by_the_apply_that_gave_it_its_value() {
    let (on, off) = (fields(true), fields(false));
    let both = on.clone().with(Field::Provider, "P");
    let by = |versions: &[(ApplyId, Option<ApplyId>, &Fields)]| {
        set_by(versions.iter().copied(), Field::Outbound)
    };
    assert_eq!(by(&[]), None);
    assert_eq!(by(&[(5, None, &on)]), Some(5));
    assert_eq!(by(&[(5, None, &both), (3, Some(5), &on)]), Some(3));
    assert_eq!(by(&[(5, None, &on), (3, Some(5), &off)]), Some(5));
    // Given back in between.
    assert_eq!(by(&[(5, None, &on), (1, Some(3), &on)]), Some(5));
}

#[test]
fn events_are_told_by_what_ended_and_began() {
    let (on, off) = (fields(true), fields(false));
    let what = |before: Option<VersionSide<'_>>, after: Option<VersionSide<'_>>, kind: &str| {
        let event = event(before, after, kind);
        (event.what, event.steps.len())
    };
    let own = |fields| VersionSide {
        inserted: true,
        ..side(fields, None)
    };
    let retired = |fields| VersionSide {
        retired: true,
        ..own(fields)
    };
    assert_eq!(what(None, Some(own(&on)), "apply"), (What::Created, 1));
    let again = what(Some(retired(&on)), Some(own(&on)), "apply");
    assert_eq!(again, (What::Created, 1));
    assert_eq!(
        what(None, Some(side(&on, Some(&on))), "apply"),
        (What::Adopted, 0)
    );
    assert_eq!(
        what(None, Some(side(&on, Some(&off))), "apply"),
        (What::Changed, 1)
    );
    let changed = what(Some(side(&off, None)), Some(side(&on, None)), "apply");
    assert_eq!(changed, (What::Changed, 1));
    // Drift that was set back: the files had said so all the time.
    let reverted = what(Some(side(&on, None)), Some(side(&on, Some(&off))), "apply");
    assert_eq!(reverted, (What::Changed, 1));
    assert_eq!(
        what(Some(own(&on)), Some(retired(&on)), "apply"),
        (What::Removed, 1)
    );
    assert_eq!(what(Some(own(&on)), None, "release"), (What::Released, 1));
    assert_eq!(
        what(Some(side(&on, None)), None, "rollback"),
        (What::Released, 1)
    );
    assert_eq!(what(Some(own(&on)), None, "rollback"), (What::Removed, 1));
}
