//! Likely typing errors in a change: numbers that are perhaps none, an alias that
//! means another tenant, a number that lost or gained a digit. Core: imports the
//! model, `phone` and `diff`.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::diff::plan::{Action, Change, Object, Plan};
use crate::finding::{Finding, Place};
use crate::phone::{self, E164};
use crate::routing::Tenant;

/// How many numbers are looked at: a doubt costs two microseconds, and the
/// first one 15 ms for the library's data.
const LOOKED_AT: usize = 1000;

/// Numbers lost and numbers new are compared one with another up to so many.
const COMPARED: usize = 200;

/// A warning for each slip that a plan may hold; `before` are the aliases as
/// they were applied last.
pub(crate) fn find_slips(plan: &Plan, before: &[(Uuid, String)], after: &[Tenant]) -> Vec<Finding> {
    let mut findings = doubtful_numbers(plan);
    findings.extend(moved_aliases(plan, before, after));
    findings.extend(one_digit_apart(plan));
    findings
}

/// Numbers that are created or changed, and that libphonenumber doubts.
fn doubtful_numbers(plan: &Plan) -> Vec<Finding> {
    let numbers = plan.changes.iter().filter_map(|change| {
        let written = matches!(change.action, Action::Create | Action::Update);
        let (number, _) = binding(change).filter(|_| written)?;
        Some((change, number))
    });
    let mut by_line: BTreeMap<Option<(String, u32)>, (String, usize)> = BTreeMap::new();
    for (change, number) in numbers.take(LOOKED_AT) {
        let Some(doubt) = phone::number_doubt(number) else {
            continue;
        };
        let line = plan.source(change);
        let line = line.map(|(file, line)| (file.to_owned(), line));
        let found = by_line.entry(line).or_insert((doubt, 0));
        found.1 += 1;
    }
    let finding = |(line, (doubt, count)): (Option<(String, u32)>, (String, usize))| {
        let message = match count {
            1 => doubt,
            many => format!("{doubt}; so are {} more here", many - 1),
        };
        let finding = Finding::warning("doubtful-number", message);
        match line {
            Some((file, line)) => finding.at(Place {
                line,
                ..Place::file(file)
            }),
            None => finding,
        }
    };
    by_line.into_iter().map(finding).collect()
}

/// An alias that stands for another tenant than it did: every number below it
/// is lost to the one and new to the other.
fn moved_aliases(plan: &Plan, before: &[(Uuid, String)], after: &[Tenant]) -> Vec<Finding> {
    let moved = after.iter().filter_map(|tenant| {
        let alias = tenant.alias.as_deref()?;
        let (old, _) = before.iter().find(|(_, known)| known == alias)?;
        let still = before
            .iter()
            .any(|(id, known)| known == alias && *id == tenant.id);
        (!still).then_some((alias, *old, tenant.id))
    });
    let finding = |(alias, old, new): (&str, Uuid, Uuid)| {
        let count = |id: Uuid, action: Action| {
            let of = plan.changes.iter().filter(|change| change.action == action);
            of.filter(|change| tenant_of(plan, change) == Some(id))
                .count()
        };
        let (lost, found) = (count(old, Action::Delete), count(new, Action::Create));
        let message = format!("`{alias}` was {old}, is {new}: {lost} numbers lost and {found} new");
        let hint = "an alias is the name of a tenant: is the new uuid a slip? Another tenant has \
                    an alias of its own";
        Finding::warning("alias-moved", message).hint(hint)
    };
    moved.map(finding).collect()
}

/// A number that a tenant loses, and a new one of it that differs in one digit.
fn one_digit_apart(plan: &Plan) -> Option<Finding> {
    let of = |action: Action| -> Vec<(E164, u32)> {
        let changes = plan.changes.iter();
        let of_action = changes.filter(|change| change.action == action);
        of_action.filter_map(binding).take(COMPARED + 1).collect()
    };
    let (lost, new) = (of(Action::Delete), of(Action::Create));
    if lost.is_empty() || lost.len().max(new.len()) > COMPARED {
        return None;
    }
    let pair = lost.iter().find_map(|(old, tenant)| {
        let mut alike = new.iter().filter(|(_, of)| of == tenant);
        alike
            .find(|(new, _)| differ_by_a_digit(*old, *new))
            .map(|(new, _)| (old, new))
    });
    let (old, new) = pair?;
    let message = format!("{old} is lost and {new} is new: they differ by one digit");
    let hint = "was it mistyped, now or before? Calls of the lost one find no route";
    Some(Finding::warning("number-mistyped", message).hint(hint))
}

fn differ_by_a_digit(a: E164, b: E164) -> bool {
    let (a, b) = (a.to_string(), b.to_string());
    let differ = a.bytes().zip(b.bytes()).filter(|(a, b)| a != b).count();
    a.len() == b.len() && differ == 1
}

fn binding(change: &Change) -> Option<(E164, u32)> {
    match change.object {
        Object::Binding { number, tenant } => Some((number, tenant)),
        Object::Region(_) | Object::Config(_) => None,
    }
}

fn tenant_of(plan: &Plan, change: &Change) -> Option<Uuid> {
    let (_, tenant) = binding(change)?;
    Some(plan.tenants.get(tenant as usize)?.id)
}
