//! One number before and after a plan (`plan --number`): the facts for two
//! resolutions, and the resolutions side by side. Core.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::carried_out::basis_after;
use crate::diff::binding_classes::carried_out;
use crate::diff::plan::{Action, Change, Object, Plan, SecretOutcome};
use crate::fields::{Field, Fields};
use crate::phone::E164;
use crate::resolve::facts::rows_of_files;
use crate::resolve::{
    CallBasis, Facts, Provenance, Query, Resolution, RoutingEnv, RowFact, Side, TenantChoice,
    resolve,
};
use crate::routing::{Routing, Tenant};
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
    let aliases = plan.tenants.iter().filter_map(Tenant::aliased);
    let aliases = aliases.chain(snapshot.tenants.iter().cloned());
    let before = Facts {
        side: Side::Database,
        rows,
        configs: plan.basis.configs.clone(),
        regions: plan.basis.regions.clone(),
        aliases: aliases.collect(),
        ..Facts::default()
    };
    let CallBasis { configs, regions } = basis_after(plan).basis;
    let after = Facts {
        rows: rows_after(plan, routing, &before.rows, number),
        configs,
        regions,
        ..before.clone()
    };
    (before, after)
}

fn rows_after(plan: &Plan, routing: &Routing, before: &[RowFact], number: E164) -> Vec<RowFact> {
    let declared = rows_of_files(routing, |key| key == number.row_key());
    let wave = |tenant: Uuid| {
        let mut rows = declared.values().flatten();
        rows.find(|row| row.tenant == tenant)?.rollout.clone()
    };
    let mut rows = before.to_vec();
    for change in &plan.changes {
        let Object::Binding { number: n, tenant } = change.object else {
            continue;
        };
        if n.row_key() != number.row_key() || plan.in_conflict(change) {
            continue;
        }
        let tenant = plan.tenants[tenant as usize].id;
        if let Some(row) = rows.iter_mut().find(|row| row.id == change.row) {
            carry_out(plan, change, row);
            row.rollout = wave(tenant);
        } else if change.action == Action::Create {
            let mut row = RowFact {
                id: change.row,
                tenant,
                fields: Some(Fields::new()),
                place: Provenance::default(),
                rollout: wave(tenant),
            };
            carry_out(plan, change, &mut row);
            rows.push(row);
        }
    }
    rows
}

fn carry_out(plan: &Plan, change: &Change, row: &mut RowFact) {
    if let Some(line) = plan.source(change)
        && change.action != Action::Delete
    {
        // The apply that will set it is still to come.
        row.place = row.place.declared_at(line);
    }
    let owned = change.owned.map(|owned| plan.pool.get(owned));
    let rollout = owned.and_then(|owned| owned.text(Field::Rollout));
    row.rollout = rollout.map(str::to_owned);
    if let Some(fields) = &mut row.fields {
        *fields = carried_out(fields, plan.patch(change));
    }
}

/// One number before and after a plan, for each tenant that has it.
#[derive(Debug, Clone)]
pub struct OneNumber {
    pub number: E164,
    /// Whether the live rows were asked, or the files alone.
    pub side: Side,
    /// By the name of the tenant; empty where nobody has the number.
    pub pairs: Vec<Pair>,
}

/// Where the calls of one tenant go.
#[derive(Debug, Clone)]
pub struct Pair {
    pub tenant: Tenant,
    pub before: Resolution,
    pub after: Resolution,
    /// What is known of the secret of the config that the calls go to, where
    /// another is written.
    pub secret: Option<SecretOutcome>,
}

impl OneNumber {
    /// Resolves the number on both sides: for this tenant, else for each that
    /// has it on either side.
    pub fn new(number: E164, tenant: Option<Uuid>, before: &Facts, after: &Facts) -> OneNumber {
        let rows = before.rows.iter().chain(&after.rows);
        let tenants: BTreeSet<Uuid> = match tenant {
            Some(id) => [id].into(),
            None => rows.map(|row| row.tenant).collect(),
        };
        let pair = |id| {
            let query = Query::new(number, TenantChoice::Given(id));
            Pair {
                tenant: after.tenant(id),
                before: resolve(&query, before, &RoutingEnv::Symbolic),
                after: resolve(&query, after, &RoutingEnv::Symbolic),
                secret: None,
            }
        };
        let mut pairs: Vec<Pair> = tenants.into_iter().map(pair).collect();
        pairs.sort_by_key(|pair| pair.tenant.label());
        OneNumber {
            number,
            side: after.side,
            pairs,
        }
    }

    /// The same, with what the plan knows of secrets that it writes.
    pub fn with_secrets(mut self, plan: &Plan) -> OneNumber {
        for pair in &mut self.pairs {
            let id = |resolution: &Resolution| resolution.reached.config.as_ref()?.id;
            let stays = id(&pair.before).filter(|config| id(&pair.after) == Some(*config));
            let mut changes = plan.changes.iter();
            let change = stays.and_then(|id| {
                changes.find(|change| {
                    change.row == Some(id) && matches!(change.object, Object::Config(_))
                })
            });
            let change = change.filter(|change| !plan.in_conflict(change));
            pair.secret = change.and_then(|change| plan.secret_outcome(change));
        }
        self
    }
}
