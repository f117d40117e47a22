//! Which tenant, and which row of the number. Core.

use uuid::Uuid;

use super::facts::{Facts, RowFact, Side, UserFact};
use super::query::{Query, TenantChoice};
use super::trace::{ResolveError, Topic, Trace, Verdict};
use crate::fields::{Field, Fields};
use crate::phone::E164;

const FIRST_MATCH: &str = "today's service would have taken the first match here, without a word";

/// The tenant that the query names or implies; `None` where it leaves it open.
pub(super) fn tenant(
    query: &Query,
    facts: &Facts,
    trace: &mut Trace,
) -> Result<Option<Uuid>, ResolveError> {
    let user = match query.tenant {
        TenantChoice::Any => {
            let detail = "none given: the number must belong to exactly one";
            trace.push(Topic::Tenant, Verdict::Skipped, detail);
            return Ok(None);
        }
        TenantChoice::Given(id) => {
            let detail = format!("{}, as given", named(id, facts));
            trace.push(Topic::Tenant, Verdict::Found, detail);
            return Ok(Some(id));
        }
        TenantChoice::OfUser(user) => user,
    };
    let (code, message) = match facts.user {
        Some(UserFact::Tenant(id)) => {
            let detail = format!("{}, the tenant of user {user}", named(id, facts));
            trace.push(Topic::Tenant, Verdict::Found, detail);
            return Ok(Some(id));
        }
        Some(UserFact::NoTenant) => ("user-without-tenant", format!("user {user} has no tenant")),
        Some(UserFact::Unknown) => ("unknown-user", format!("there is no user {user}")),
        Some(UserFact::NoTable) | None => (
            "no-users",
            format!("the tenant of user {user} can't be looked up: there is no table `users` here"),
        ),
    };
    trace.push(Topic::Tenant, Verdict::Failed, &message);
    let hint = "give the tenant by name or uuid with --tenant";
    Err(ResolveError::new(code, message).hint(hint))
}

/// Alias and uuid.
fn named(id: Uuid, facts: &Facts) -> String {
    match facts.aliases.get(&id) {
        Some(alias) => format!("{alias} ({id})"),
        None => id.to_string(),
    }
}

/// The row that counts, with its fields. None, where there is none; several
/// are an error.
pub(super) fn row<'a>(
    from: E164,
    tenant: Option<Uuid>,
    facts: &'a Facts,
    trace: &mut Trace,
) -> Result<Option<(&'a RowFact, &'a Fields)>, ResolveError> {
    let mut active = Vec::new();
    for row in &facts.rows {
        let wanted = tenant.is_none_or(|id| id == row.tenant);
        match row.inactive() {
            Some(status) if wanted => {
                let detail = format!("{} is {status}", name(from, row, facts));
                trace.push(Topic::Number, Verdict::PassedOver, detail);
            }
            None if wanted => active.push(row),
            _ => {}
        }
    }
    let row = match active.as_slice() {
        [] => {
            let detail = looked_for(from, tenant, facts);
            trace.push(Topic::Number, Verdict::Nothing, detail);
            return Ok(None);
        }
        [row] => *row,
        several => {
            let error = several_rows(from, several, facts);
            trace.push(Topic::Number, Verdict::Failed, &error.message);
            trace.push(Topic::Number, Verdict::Note, FIRST_MATCH);
            return Err(error);
        }
    };
    found(from, row, facts, trace).map(|fields| Some((row, fields)))
}

fn found<'a>(
    from: E164,
    row: &'a RowFact,
    facts: &Facts,
    trace: &mut Trace,
) -> Result<&'a Fields, ResolveError> {
    let name = name(from, row, facts);
    let Some(fields) = &row.fields else {
        let message = format!("`rules` of {name} is no JSON object, so its config can't be read");
        trace.push(Topic::Number, Verdict::Failed, &message);
        trace.push(Topic::Credentials, Verdict::Note, super::route::TODAY);
        let hint = "repair the column in the application";
        return Err(ResolveError::new("rules-no-object", message).hint(hint));
    };
    let wave = row.rollout.as_ref();
    let wave = wave.map_or_else(String::new, |wave| format!(", by rollout {wave}"));
    let detail = format!("{name} ({}{wave})", row.place);
    trace.push(Topic::Number, Verdict::Found, detail);
    Ok(fields)
}

/// `+919513456728 of techiemaya-test`.
pub(super) fn name(from: E164, row: &RowFact, facts: &Facts) -> String {
    let tenant = facts.label(row.tenant);
    match facts.side {
        Side::Database => format!("the row of {from} for {tenant}"),
        Side::Files => format!("the binding of {from} for {tenant}"),
    }
}

fn several_rows(from: E164, rows: &[&RowFact], facts: &Facts) -> ResolveError {
    let mut tenants: Vec<String> = rows.iter().map(|row| named(row.tenant, facts)).collect();
    tenants.sort_unstable();
    tenants.dedup();
    if let [tenant] = tenants.as_slice() {
        let ids: Vec<String> = rows.iter().map(|row| row.place.to_string()).collect();
        let message = format!("{} active rows hold {from} for {tenant}", rows.len());
        let hint = format!(
            "make all but one inactive in the application: {}",
            ids.join("; ")
        );
        return ResolveError::new("duplicate-rows", message).hint(hint);
    }
    let message = format!(
        "{from} belongs to {} tenants: {}",
        tenants.len(),
        tenants.join(", ")
    );
    ResolveError::new("several-tenants", message).hint("say which with --tenant or --initiated-by")
}

/// "no active row of +91… for techiemaya-test", and who else has the number.
pub(super) fn looked_for(from: E164, tenant: Option<Uuid>, facts: &Facts) -> String {
    let (thing, place) = match facts.side {
        Side::Database => ("active row", "the database"),
        Side::Files => ("binding", "the files"),
    };
    let Some(id) = tenant else {
        return format!("no {thing} of {from} in {place}");
    };
    let elsewhere = match other_tenants(tenant, facts).as_slice() {
        [] => String::new(),
        others => format!(" (it is there for {})", others.join(", ")),
    };
    let tenant = facts.label(id);
    format!("no {thing} of {from} for {tenant} in {place}{elsewhere}")
}

/// The tenants that have the number, where the one that was asked for has not.
pub(super) fn other_tenants(asked: Option<Uuid>, facts: &Facts) -> Vec<String> {
    let rows = facts.rows.iter().filter(|row| row.inactive().is_none());
    let others = rows.filter(|row| asked.is_some_and(|id| row.tenant != id));
    let mut others: Vec<String> = others.map(|row| facts.label(row.tenant)).collect();
    others.sort_unstable();
    others.dedup();
    others
}

/// An agent of another tenant decides nothing, but is a known mix-up.
pub(super) fn compare_agent(
    row: Option<Uuid>,
    tenant: Option<Uuid>,
    facts: &Facts,
    trace: &mut Trace,
) {
    let Some(agent) = facts.agent_of(row) else {
        return;
    };
    let Some(own) = agent.tenant else {
        let detail = format!("agent {} is not known here", agent.id);
        return trace.push(Topic::Agent, Verdict::Note, detail);
    };
    if let Some(tenant) = tenant.filter(|tenant| *tenant != own) {
        let detail = format!(
            "agent {} belongs to {}, the number to {}: the number's tenant counts",
            agent.id,
            named(own, facts),
            named(tenant, facts)
        );
        trace.push(Topic::Agent, Verdict::Note, detail);
    }
}

/// What the files leave to others may be anything in the live row.
pub(super) fn mark_undeclared(fields: Option<&Fields>, facts: &Facts, trace: &mut Trace) {
    if facts.side == Side::Database {
        return;
    }
    let detail = match fields {
        None => "the files alone were read: the database may hold the number".to_owned(),
        Some(fields) => {
            let open: Vec<&str> = Field::OF_BINDING
                .into_iter()
                .filter(|field| !fields.contains(*field))
                .map(Field::as_str)
                .collect();
            if open.is_empty() {
                return;
            }
            format!(
                "not declared, so the live row may differ: {}",
                open.join(", ")
            )
        }
    };
    trace.push(Topic::Number, Verdict::Note, detail);
}
