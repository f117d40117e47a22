//! What no exception lets pass. Core: a plan in, refusals out.

use hashbrown::HashMap;
use uuid::Uuid;

use crate::diff::plan::{Action, Change, Object, Plan};
use crate::diff::secret;
use crate::fields::{Field, FieldsIx};
use crate::finding::Finding;
use crate::impact::carried_out::basis_after;
use crate::resolve::ConfigFact;
use crate::routing::{Routing, SecretFormat};
use crate::snapshot::{LiveConfig, Snapshot};

/// Every reason not to apply this plan.
pub(crate) fn refusals(plan: &Plan, routing: &Routing, snapshot: &Snapshot) -> Vec<Finding> {
    let mut refusals = configs_in_use(plan);
    refusals.extend(configs_referenced(plan, snapshot));
    refusals.extend(fallbacks_in_use(plan));
    refusals.extend(format_not_said(plan, routing, snapshot));
    refusals
}

/// A database that the Python service still reads holds secrets in its form;
/// one in another form would break it, so the files have to say which.
fn format_not_said(plan: &Plan, routing: &Routing, snapshot: &Snapshot) -> Option<Finding> {
    let fernet =
        |row: &LiveConfig| secret::format_of(row.secret.as_stored()) == Some(SecretFormat::Fernet);
    if routing.secret_format.is_some() || !snapshot.configs.iter().any(fernet) {
        return None;
    }
    let config = |change: &&Change| matches!(change.object, Object::Config(_));
    let mut configs = plan.changes.iter().filter(config);
    let writes = configs.find(|change| plan.writes_secret(change))?;
    let message = format!(
        "the secret of {} would be written, but `secrets.format` is not set and the table holds \
         secrets in the form of the Python service (dev-s-t-…)",
        plan.address(writes.object)
    );
    Some(Finding::error("secret-format-not-set", message).hint(
        "write `[secrets]` and `format = \"fernet\"` into the files as long as that service reads \
         the table, else `format = \"aes-256-gcm\"`",
    ))
}

fn deleted_configs(plan: &Plan) -> Vec<&Change> {
    let deleted = |change: &&Change| {
        change.action == Action::Delete && matches!(change.object, Object::Config(_))
    };
    plan.changes.iter().filter(deleted).collect()
}

/// A config is not deleted while any row that is left after the plan, active
/// or not, ours or not, holds its id.
fn configs_in_use(plan: &Plan) -> Vec<Finding> {
    let gone = deleted_configs(plan);
    if gone.is_empty() {
        return Vec::new();
    }
    let holders = config_holders(plan);
    let in_use = gone.into_iter().filter_map(|change| {
        let holders = holders.get(&change.row?)?;
        Some(in_use(plan, change, holders))
    });
    in_use.collect()
}

/// A config is not deleted, either, while rows point to it by a foreign key of the
/// application's: they would be deleted or changed with it, or keep it.
fn configs_referenced(plan: &Plan, snapshot: &Snapshot) -> Vec<Finding> {
    let gone = deleted_configs(plan);
    let referenced = gone.iter().filter_map(|change| {
        let id = change.row?;
        let columns = snapshot.referenced_configs.iter();
        let columns = columns.filter(|(config, _)| *config == id);
        let columns: Vec<&str> = columns.map(|(_, column)| column.as_str()).collect();
        if columns.is_empty() {
            return None;
        }
        let message = format!(
            "{} can't be deleted: rows point to it by a foreign key ({})",
            plan.address(change.object),
            columns.join(", ")
        );
        Some(Finding::error("config-in-use", message).hint(
            "let them point to another config, or to none, in the application first: they would \
             be deleted or changed with it",
        ))
    });
    referenced.collect()
}

/// A config is not deleted, either, while another that is left has it as its
/// fallback.
fn fallbacks_in_use(plan: &Plan) -> Vec<Finding> {
    let gone = deleted_configs(plan);
    if gone.is_empty() {
        return Vec::new();
    }
    let after = basis_after(plan).basis;
    let users = |id: Uuid| -> Vec<&str> {
        let id = id.to_string();
        let configs = after.configs.iter();
        let users = configs.filter(|config| config.text(Field::Fallback) == Some(&id));
        let mut users: Vec<&str> = users.map(ConfigFact::name).collect();
        users.sort_unstable();
        users
    };
    let in_use = gone.into_iter().filter_map(|change| {
        let users = users(change.row?);
        let message = format!(
            "{} can't be deleted: it is the fallback of {}",
            plan.address(change.object),
            users.join(", ")
        );
        let finding = Finding::error("config-in-use", message);
        (!users.is_empty()).then(|| {
            finding.hint("give them another `fallback`, or none, with the same change or before")
        })
    });
    in_use.collect()
}

/// How many rows hold a config when the plan is done: by tenant, and those
/// whose number can't be read.
#[derive(Default)]
struct Holders {
    tenants: HashMap<u32, u64>,
    unreadable: u64,
}

fn config_holders(plan: &Plan) -> HashMap<Uuid, Holders> {
    let mut holders: HashMap<Uuid, Holders> = HashMap::new();
    let config = |ix: FieldsIx| {
        let id = plan.pool.get(ix).text(Field::Config)?;
        Uuid::parse_str(id).ok()
    };
    for class in &plan.classes {
        if let Some(id) = class.after.and_then(config) {
            let holders = holders.entry(id).or_default();
            *holders.tenants.entry(class.tenant).or_default() += class.numbers;
        }
    }
    for (fields, rows) in &plan.held {
        if let Some(id) = config(*fields) {
            holders.entry(id).or_default().unreadable += rows;
        }
    }
    holders
}

fn in_use(plan: &Plan, change: &Change, holders: &Holders) -> Finding {
    let mut parts: Vec<(String, u64)> = holders
        .tenants
        .iter()
        .map(|(tenant, rows)| (plan.tenants[*tenant as usize].label(), *rows))
        .collect();
    parts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let rows = parts.iter().map(|(_, rows)| rows).sum::<u64>() + holders.unreadable;
    let mut named: Vec<String> = parts
        .iter()
        .take(5)
        .map(|(tenant, rows)| format!("{rows} of tenant {tenant}"))
        .collect();
    if parts.len() > 5 {
        named.push(format!("others of {} more tenants", parts.len() - 5));
    }
    if holders.unreadable > 0 {
        named.push(format!("{} whose number can't be read", holders.unreadable));
    }
    let address = plan.address(change.object);
    let verb = if rows == 1 {
        "row still holds"
    } else {
        "rows still hold"
    };
    let message = format!(
        "{address} can't be deleted: {rows} number {verb} its id ({})",
        named.join(", ")
    );
    Finding::error("config-in-use", message).hint(
        "move them to another config first; rows of others and inactive rows count, \
         because a call that finds them would find no config",
    )
}
