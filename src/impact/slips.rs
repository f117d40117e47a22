//! Likely mistakes in a change: numbers that are perhaps none, an alias that means
//! another tenant, a number that is a lost one but for a digit, one that another
//! tenant has as well. Core: imports the model, `phone` and `diff`.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use crate::count_words::{counted, so_are_more};
use crate::diff::plan::{Action, Change, Object, Plan};
use crate::fields::Field;
use crate::finding::{Finding, Place};
use crate::phone::{self, E164};
use crate::routing::{Binding, Routing, Tenant};

/// How many numbers are looked at, of one line of the files and in all: a doubt
/// costs two microseconds, and the first one 15 ms for the library's data.
const LOOKED_AT: (u32, usize) = (100, 10_000);

/// Numbers lost and numbers new are compared one with another up to so many.
const COMPARED: usize = 200;

/// New numbers times tenants that are looked for a second tenant at most, at about
/// 0.1 microseconds.
const LOOKED_FOR: usize = 200_000;

/// A warning for each slip that a plan may hold; `before` are the aliases as
/// they were applied last, `after` what is declared.
pub(crate) fn find_slips(plan: &Plan, before: &[(Uuid, String)], after: &Routing) -> Vec<Finding> {
    let mut findings = doubtful_numbers(plan);
    findings.extend(moved_aliases(plan, before, &after.tenants));
    findings.extend(numbers_mistyped(plan));
    findings.extend(shared_numbers(plan, after));
    findings
}

/// Numbers that are created or changed, and that libphonenumber doubts.
fn doubtful_numbers(plan: &Plan) -> Vec<Finding> {
    let numbers = plan.changes.iter().filter_map(|change| {
        let written = matches!(change.action, Action::Create | Action::Update);
        let (number, _) = binding(change).filter(|_| written)?;
        Some((change, number))
    });
    let mut looked_at: HashMap<Option<(&str, u32)>, u32> = HashMap::new();
    let first_of_each_line = numbers.filter(|(change, _)| {
        let count = looked_at.entry(plan.source(change)).or_default();
        *count += 1;
        *count <= LOOKED_AT.0
    });
    let mut by_line: BTreeMap<Option<Place>, (String, usize)> = BTreeMap::new();
    for (change, number) in first_of_each_line.take(LOOKED_AT.1) {
        let Some(doubt) = phone::number_doubt(number) else {
            continue;
        };
        let found = by_line.entry(plan.place(change)).or_insert((doubt, 0));
        found.1 += 1;
    }
    let finding = |(place, (doubt, count)): (Option<Place>, (String, usize))| {
        let message = doubt + &so_are_more(count as u64 - 1);
        Finding::warning("doubtful-number", message).at(place)
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
        let lost = counted(lost as u64, "number");
        let message = format!("`{alias}` was {old}, is {new}: {lost} lost and {found} new");
        let hint = "an alias is the name of a tenant: is the new uuid a slip? Another tenant has \
                    an alias of its own";
        Finding::warning("alias-moved", message).hint(hint)
    };
    moved.map(finding).collect()
}

/// Numbers that a tenant loses, and new ones of it that are the same but for a
/// typing error: a digit that is another, missing or one too many, or two neighbours
/// that changed places.
fn numbers_mistyped(plan: &Plan) -> Option<Finding> {
    let of = |wanted: &dyn Fn(&Change) -> bool| -> Vec<(&Change, String, u32)> {
        let changes = plan.changes.iter().filter(|change| wanted(change));
        let numbers = changes.filter_map(|change| {
            let (number, tenant) = binding(change)?;
            Some((change, number.to_string(), tenant))
        });
        numbers.take(COMPARED + 1).collect()
    };
    let lost = of(&|change| change.action == Action::Delete);
    if lost.is_empty() {
        return None;
    }
    // Also rows of others that are there already.
    let new = of(&|change| {
        let mut fields = plan.patch(change).fields.iter();
        fields.any(|of| of.field == Field::Config && of.before.is_none() && of.after.is_some())
    });
    if lost.len().max(new.len()) > COMPARED {
        return None;
    }
    let mut pairs = lost.iter().filter_map(|(_, old, tenant)| {
        let mut of_tenant = new.iter().filter(|(.., of)| of == tenant);
        let (change, new, _) = of_tenant.find(|(_, new, _)| is_slip(old, new))?;
        Some((old, new, *change))
    });
    let (old, new, change) = pairs.next()?;
    let differ = if strsim::hamming(old, new) == Ok(2) {
        "two neighbouring digits changed places"
    } else {
        "they differ by one digit"
    };
    let more = match pairs.count() as u64 {
        0 => String::new(),
        1 => "; 1 pair more is as near".to_owned(),
        more => format!("; {more} pairs more are as near"),
    };
    let message = format!("{old} is lost and {new} is new: {differ}{more}");
    let hint = "was it mistyped, now or before? Calls of the lost one find no route";
    let finding = Finding::warning("number-mistyped", message).hint(hint);
    Some(finding.at(plan.place(change)))
}

/// New numbers that are declared for another tenant as well: who calls from one
/// and names neither tenant nor user has two routes then, and gets none. Rows of
/// others are not looked at.
fn shared_numbers(plan: &Plan, after: &Routing) -> Option<Finding> {
    let tenants: Vec<&[Binding]> = after
        .bindings
        .chunk_by(|one, next| one.tenant == next.tenant)
        .collect();
    if tenants.len() < 2 {
        return None;
    }
    let new = plan.changes.iter().filter(|change| change.insert);
    let new = new.filter_map(|change| Some((change, binding(change)?)));
    let mut shared =
        new.take(LOOKED_FOR / tenants.len())
            .filter_map(|(change, (number, tenant))| {
                let own = plan.tenants.get(tenant as usize)?;
                let key = number.row_key();
                let mut with = tenants.iter().filter(|of| {
                    after.tenant(&of[0]).id != own.id
                        && of
                            .binary_search_by_key(&key, |binding| binding.number.row_key())
                            .is_ok()
                });
                let first = after.tenant(&with.next()?[0]);
                Some((change, number, own, first, with.count() as u64))
            });
    let (change, number, own, other, more) = shared.next()?;
    let others = match more {
        0 => format!("`{}` has it as well", other.label()),
        more => format!("`{}` and {more} more have it as well", other.label()),
    };
    let message = format!(
        "{number} is new for `{}`, and {others}{}",
        own.label(),
        so_are_more(shared.count() as u64)
    );
    let hint = "a call from it that names neither tenant nor user finds several routes and \
                fails: see that whoever places calls names one of them";
    let finding = Finding::warning("number-shared", message).hint(hint);
    Some(finding.at(plan.place(change)))
}

fn is_slip(old: &str, new: &str) -> bool {
    old.len().abs_diff(new.len()) <= 1 && strsim::osa_distance(old, new) == 1
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
