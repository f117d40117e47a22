//! The order of a plan: what is read first comes first, and ids ascend with it.
//! Core.

use uuid::Uuid;

use super::plan::{Action, Object, Plan};
use crate::list_index::index_of;

/// Deletes first, then by kind, then by name, or by tenant and number.
pub(super) fn sort_plan(plan: &mut Plan) {
    // A million comparisons of small integers, rather than of texts.
    let (names, tenants) = (
        ranks(&plan.names),
        ranks(plan.tenants.iter().map(|tenant| tenant.id)),
    );
    plan.changes.sort_unstable_by_key(|change| {
        let (kind, rank, number) = match change.object {
            Object::Region(ix) => (0u8, names[ix as usize], 0),
            Object::Config(ix) => (1, names[ix as usize], 0),
            Object::Binding { number, tenant } => (2, tenants[tenant as usize], number.digits()),
        };
        (change.action != Action::Delete, kind, rank, number)
    });
    plan.findings
        .sort_by(|a, b| (b.severity, &a.place, &a.code).cmp(&(a.severity, &b.place, &b.code)));
    plan.classes
        .sort_unstable_by_key(|class| (class.tenant, class.before, class.after));
    plan.held.sort_unstable();
}

/// The place of each value in the order of all; equal ones share it.
pub(super) fn ranks<T: Ord>(values: impl IntoIterator<Item = T>) -> Vec<u32> {
    let values: Vec<T> = values.into_iter().collect();
    let mut sorted: Vec<&T> = values.iter().collect();
    sorted.sort_unstable();
    let rank = |value: &T| sorted.partition_point(|other| *other < value);
    values.iter().map(|value| index_of(rank(value))).collect()
}

/// Gives ids to the number rows to insert.
pub(super) fn number_rows(plan: &mut Plan, mut new_row: impl FnMut() -> Uuid) {
    for change in &mut plan.changes {
        if change.insert && change.row.is_none() {
            change.row = Some(new_row());
        }
    }
}
