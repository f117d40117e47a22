//! Taking over what is in conflict: `adopt` lines are written into the files,
//! and the database is left alone. Imports core and the files.

use std::collections::BTreeMap;

use super::planning::{PlanRequest, Planned, plan_changes};
use super::{Context, Stop, editing};
use crate::address::Address;
use crate::diff::plan::{Action, Change, Kind, Object};
use crate::diff::target;
use crate::error::{Error, Result};
use crate::fields::Field;
use crate::secrets::KeyRing;
use crate::source::write::edit::{Edit, Edits};

/// What was taken over in the files.
pub struct Adopted {
    pub objects: Vec<AdoptedObject>,
    /// How many objects were in conflict.
    pub conflicts: usize,
}

/// An object, and the fields that may be set from now on.
pub struct AdoptedObject {
    pub address: Address,
    pub file: String,
    pub fields: Vec<Field>,
}

/// Writes the lines for these objects, or for all that a line helps; all or
/// none of them.
///
/// # Errors
/// One of them is not in conflict, or no line helps it.
pub async fn adopt_conflicts(
    context: &Context<'_>,
    ring: &KeyRing,
    wanted: Option<&[Address]>,
) -> Result<Adopted, Stop> {
    let planned = plan_changes(context, ring, &PlanRequest::default()).await?;
    let takeovers = find_takeovers(&planned, wanted)?;
    if !takeovers.is_empty() {
        editing::write(context, &adopt_edits(context, &planned, &takeovers))?;
    }
    let objects = takeovers.into_iter().map(|takeover| AdoptedObject {
        address: planned.plan.address(takeover.change.object),
        file: takeover.file.to_owned(),
        fields: takeover.fields,
    });
    Ok(Adopted {
        objects: objects.collect(),
        conflicts: planned.plan.conflicts().count(),
    })
}

fn find_takeovers<'a>(
    planned: &'a Planned,
    wanted: Option<&[Address]>,
) -> Result<Vec<TakeOver<'a>>> {
    let plan = &planned.plan;
    let mut takeovers = Vec::new();
    let mut asked = wanted.unwrap_or_default().to_vec();
    for change in plan.conflicts() {
        let address = plan.address(change.object);
        let means = |other: &Address| target::names(plan, change.object, other);
        let is_wanted = wanted.is_none() || asked.iter().any(means);
        asked.retain(|other| !means(other));
        if !is_wanted {
            continue;
        }
        match TakeOver::of(planned, change) {
            Some(takeover) => takeovers.push(takeover),
            None if wanted.is_none() => {}
            None => {
                let message = format!("{address}: this conflict can't be solved by adopting");
                return Err(Error::new(message).hint("`lkroute plan` says what to do"));
            }
        }
    }
    match asked.first() {
        Some(address) => Err(Error::new(format!("{address} is not in conflict"))
            .hint("`lkroute plan` lists what is")),
        None => Ok(takeovers),
    }
}

/// Fields of one object that are to be taken over, and where it is declared.
struct TakeOver<'a> {
    change: &'a Change,
    file: &'a str,
    fields: Vec<Field>,
}

impl<'a> TakeOver<'a> {
    /// None where an `adopt` line would not help.
    fn of(planned: &'a Planned, change: &'a Change) -> Option<TakeOver<'a>> {
        let patch = planned.plan.patch(change);
        if patch.has(Kind::Blocked) || change.action == Action::Delete {
            return None;
        }
        let fields = patch
            .fields
            .iter()
            .filter(|field| field.kind == Kind::Conflict);
        Some(TakeOver {
            change,
            file: planned.plan.source(change)?.0,
            fields: fields.map(|field| field.field).collect(),
        })
    }
}

fn adopt_edits(
    context: &Context<'_>,
    planned: &Planned,
    takeovers: &[TakeOver<'_>],
) -> BTreeMap<String, Edits> {
    let plan = &planned.plan;
    let tenants = planned.routing.tenants.iter();
    let aliases: BTreeMap<_, _> = tenants
        .filter_map(|tenant| Some((tenant.alias.clone()?, tenant.id)))
        .collect();
    let mut files: BTreeMap<String, Edits> = BTreeMap::new();
    for takeover in takeovers {
        let edits = files
            .entry(takeover.file.to_owned())
            .or_insert_with(|| Edits {
                aliases: aliases.clone(),
                environment: context.settings.environment.clone(),
                ..Edits::default()
            });
        let lines = takeover
            .fields
            .iter()
            .map(|field| Edit::Adopt(*field))
            .collect();
        match takeover.change.object {
            Object::Config(ix) => {
                edits.configs.insert(plan.names[ix as usize].clone(), lines);
            }
            Object::Binding { number, tenant } => {
                let tenant = plan.tenants[tenant as usize].id;
                edits.bindings.insert((number, tenant), lines);
            }
            Object::Region(_) => {}
        }
    }
    files
}
