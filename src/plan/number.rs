//! One number before and after a plan (`plan --number`): the facts for two
//! resolutions, side by side. Core.

use super::judge::carried_out;
use super::leg::configs_after;
use super::{Action, Change, Object, Plan};
use crate::fields::Fields;
use crate::phone::E164;
use crate::resolve::{Configs, Facts, Provenance, Regions, RowFact, Side};
use crate::routing::Routing;
use crate::snapshot::Snapshot;

/// Facts before, facts after. `rows` are all rows with the key of `number`,
/// as the look-up of `resolve` reads them.
pub fn before_and_after(
    plan: &Plan,
    routing: &Routing,
    snapshot: &Snapshot,
    rows: Vec<RowFact>,
    number: E164,
) -> (Facts, Facts) {
    let aliased = plan.tenants.iter();
    let aliases = aliased
        .filter_map(|tenant| Some((tenant.id, tenant.alias.clone()?)))
        .chain(snapshot.tenants.iter().cloned());
    let before = Facts {
        side: Side::Database,
        rows,
        configs: Configs::of_snapshot(snapshot),
        regions: Regions::of_owned(&snapshot.owned_regions),
        aliases: aliases.collect(),
        user: None,
        agent: None,
    };
    let after = Facts {
        rows: rows_after(plan, &before.rows, number),
        configs: configs_after(plan, &before.configs),
        regions: Regions::of_files(routing),
        ..before.clone()
    };
    (before, after)
}

fn rows_after(plan: &Plan, before: &[RowFact], number: E164) -> Vec<RowFact> {
    let mut rows = before.to_vec();
    for change in &plan.changes {
        let Object::Binding { number: n, tenant } = change.object else {
            continue;
        };
        if n.key() != number.key() || plan.in_conflict(change) {
            continue;
        }
        if let Some(row) = rows.iter_mut().find(|row| row.id == change.row) {
            carry_out(plan, change, row);
        } else if change.action == Action::Create {
            let mut row = RowFact {
                id: change.row,
                tenant: plan.tenants[tenant as usize].id,
                fields: Some(Fields::new()),
                place: Provenance::default(),
                rollout: None,
            };
            carry_out(plan, change, &mut row);
            rows.push(row);
        }
    }
    rows
}

fn carry_out(plan: &Plan, change: &Change, row: &mut RowFact) {
    if let Some((file, line)) = plan.source(change)
        && change.action != Action::Delete
    {
        row.place.line = Some((file.to_owned(), line));
    }
    if let Some(fields) = &mut row.fields {
        *fields = carried_out(fields, plan.patch(change));
    }
}
