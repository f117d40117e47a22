//! Exceptions to guards: reviewed lines with a reason and an end, and the
//! block to paste when a guard refuses. Core.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan;
use jiff::civil::Date;
use uuid::Uuid;

use super::context::{Basis, GuardContext};
use super::policies::PolicyViolation;
use super::protection::addresses;
use super::violation::Violation;
use crate::diff::plan::{Change, Plan, WhyHeld};
use crate::finding::Finding;
use crate::invisible_chars::toml_string;
use crate::routing::guards::Allowance;
use crate::source::format_text;

/// An exception ends after at most this many days.
const LONGEST: i64 = 30;
/// The block to paste suggests this many.
const SUGGESTED: i64 = 14;
/// How many addresses the block to paste holds.
const PASTED: usize = 200;

/// What exceptions make of violations.
#[derive(Debug, Default)]
pub struct JudgedViolations {
    /// Of those that no exception covers.
    pub refusals: Vec<Finding>,
    /// About exceptions that do not count.
    pub warnings: Vec<Finding>,
    /// The causes, by index into the changes, of reroutes that were let pass.
    pub exempt: Vec<usize>,
}

/// Judges violations by the exceptions in the files.
pub fn refuse(
    plan: &Plan,
    violations: Vec<Violation>,
    context: &GuardContext<'_>,
) -> JudgedViolations {
    let (counting, warnings) = counting_allowances(&context.routing.guards.allow, context.today);
    let mut judged = JudgedViolations {
        warnings,
        ..JudgedViolations::default()
    };
    for violation in violations {
        if !is_covered(plan, &context.snapshot.tenants, &violation, &counting) {
            judged.refusals.push(refusal(plan, &violation, context));
        } else if counts_reroutes(violation.guard) {
            judged.exempt.extend(violation.causes);
        }
    }
    judged
}

/// Whether a guard is about how many numbers are rerouted or lost.
fn counts_reroutes(guard: &str) -> bool {
    matches!(guard, "route-lost" | "tenant-rerouted" | "budget-reroutes")
}

/// The configs and regions that break a policy without an exception to it, as
/// refusals.
pub fn refuse_policies(broken: Vec<PolicyViolation>, context: &GuardContext<'_>) -> Vec<Finding> {
    let (counting, _) = counting_allowances(&context.routing.guards.allow, context.today);
    let refusal = |PolicyViolation { names, finding }: PolicyViolation| {
        let named = |address: &String| names.contains(address);
        let allowed = counting.iter().any(|allowance| {
            allowance.guard == finding.code && allowance.addresses.iter().any(named)
        });
        if allowed {
            return None;
        }
        Some(match rollback_hint(context.basis, &finding.code) {
            Some(hint) => finding.hint(hint),
            None => {
                let block = block(&finding.code, names.get(..1)?, 1, context.today);
                finding.hint_with_lines(TO_PASTE, &block)
            }
        })
    };
    broken.into_iter().filter_map(refusal).collect()
}

/// Of these changes, by index, the ones that exceptions let past a guard: each
/// those that it names, unless they are more than it allows.
pub fn excepted(
    plan: &Plan,
    changes: &[usize],
    guard: &str,
    (allowances, aliases, today): (&[Allowance], &[(Uuid, String)], Date),
) -> BTreeSet<usize> {
    let (counting, _) = counting_allowances(allowances, today);
    let ours = counting.iter().filter(|allowance| allowance.guard == guard);
    let ours: Vec<&&Allowance> = ours.collect();
    let mut named: Vec<Vec<usize>> = vec![Vec::new(); ours.len()];
    for ix in changes.iter().filter(|_| !ours.is_empty()) {
        let names = addresses(plan, aliases, &plan.changes[*ix]);
        for (allowance, named) in ours.iter().zip(&mut named) {
            let names_it = |address: &String| names.contains(address);
            named.extend(allowance.addresses.iter().any(names_it).then_some(*ix));
        }
    }
    let within = |(allowance, named): &(&&&Allowance, Vec<usize>)| {
        allowance.max.is_none_or(|max| named.len() as u64 <= max)
    };
    let passing = ours.iter().zip(named).filter(within);
    passing.flat_map(|(_, named)| named).collect()
}

/// What is held back because a rollback undid it: findings, one for each
/// apply that was undone, with the exceptions to paste. They refuse a plan
/// of which nothing else is left.
pub fn held_back(plan: &Plan, today: Date) -> Vec<Finding> {
    let mut groups: BTreeMap<String, Vec<&Change>> = BTreeMap::new();
    for change in &plan.held_back {
        let whys = plan.held_why.get(&change.patch).into_iter().flatten();
        let undone = whys.filter(|why| matches!(why, WhyHeld::Undone { .. }));
        let told: BTreeSet<String> = undone.map(|why| plan.explain_held(why)).collect();
        for why in told {
            groups.entry(why).or_default().push(change);
        }
    }
    let finding = |(why, changes): (String, Vec<&Change>)| {
        let named = changes
            .iter()
            .map(|change| plan.address(change.object).to_string());
        let named: Vec<String> = named.collect();
        let subject = match named.as_slice() {
            [one] => format!("{one} {why}"),
            [first, rest @ ..] => format!("{first}, with {} more, {why}", rest.len()),
            [] => why,
        };
        let finding = if plan.is_empty() {
            Finding::error("undone", subject)
        } else {
            Finding::warning("undone", format!("{subject}; it is held back"))
        };
        let finding = finding.at(changes.first().and_then(|change| plan.place(change)));
        if named.len() > PASTED {
            return finding.hint("take it out of the files, or write another value");
        }
        let block = block("undone", &named, named.len() as u64, today);
        finding.hint_with_lines(TO_PASTE, &block)
    };
    groups.into_iter().map(finding).collect()
}

/// Those that count today, and what is wrong with the others.
fn counting_allowances(allowances: &[Allowance], today: Date) -> (Vec<&Allowance>, Vec<Finding>) {
    let last = today.saturating_add(LONGEST.days());
    let mut counting = Vec::new();
    let mut warnings = Vec::new();
    for allowance in allowances {
        let problem = match allowance.expires.parse::<Date>() {
            Err(_) => Some((
                "allowance-date",
                "no date of the form 2026-01-31".to_owned(),
            )),
            Ok(expires) if expires < today => {
                Some(("allowance-expired", format!("ended on {expires}")))
            }
            Ok(expires) if expires > last => Some((
                "allowance-too-long",
                format!("ends on {expires}, more than {LONGEST} days from now"),
            )),
            Ok(_) => None,
        };
        match problem {
            None => counting.push(allowance),
            Some((code, problem)) => {
                let message = format!(
                    "this exception to `{}` is ignored: {problem}",
                    allowance.guard
                );
                let finding = Finding::warning(code, message).at(allowance.place.clone());
                warnings.push(finding.hint("take it out, or have it reviewed again"));
            }
        }
    }
    (counting, warnings)
}

/// Whether exceptions of this guard name every cause and allow the figure.
fn is_covered(
    plan: &Plan,
    aliases: &[(Uuid, String)],
    violation: &Violation,
    allowances: &[&Allowance],
) -> bool {
    let ours: Vec<&&Allowance> = allowances
        .iter()
        .filter(|allowance| allowance.guard == violation.guard)
        .filter(|allowance| allowance.max.is_none_or(|max| violation.figure <= max))
        .collect();
    let named: BTreeSet<&str> = ours
        .iter()
        .flat_map(|a| &a.addresses)
        .map(String::as_str)
        .collect();
    !ours.is_empty()
        && !violation.causes.is_empty()
        && violation.causes.iter().all(|ix| {
            let names = addresses(plan, aliases, &plan.changes[*ix]);
            names.iter().any(|name| named.contains(name.as_str()))
        })
}

/// What helps where a rollback is refused, which reads no files.
fn rollback_hint(basis: Basis, guard: &str) -> Option<&'static str> {
    let Basis::Rollback { one, .. } = basis else {
        return None;
    };
    let budget = matches!(guard, "route-lost" | "tenant-rerouted") || guard.starts_with("budget-");
    Some(match (budget, one) {
        (true, true) => {
            "say why, with --reason TEXT: the undoing of one apply is then not held up by budgets"
        }
        (true, false) => {
            "budgets hold where more than one apply is undone at once: `lkroute rollback --reason \
             TEXT` goes back one at a time"
        }
        (false, _) => {
            "protection and policies hold for a rollback too, with a --reason or without; \
             they are those of the last apply, and another apply changes them"
        }
    })
}

fn refusal(plan: &Plan, violation: &Violation, context: &GuardContext<'_>) -> Finding {
    let mut causes = violation.causes.iter();
    let first = causes.find_map(|ix| plan.place(&plan.changes[*ix]));
    let finding = Finding::error(violation.guard, violation.message.clone()).at(first);
    let special = rollback_hint(context.basis, violation.guard).or(violation.hint);
    if let Some(hint) = special {
        return finding.hint(hint);
    }
    if violation.causes.is_empty() {
        return finding;
    }
    if violation.causes.len() > PASTED {
        return finding.hint(format!(
            "{} objects cause it, too many to name as an exception: split the change",
            violation.causes.len()
        ));
    }
    let causes = violation.causes.iter();
    let addresses: Vec<String> = causes
        .map(|ix| plan.address(plan.changes[*ix].object).to_string())
        .collect();
    let block = block(violation.guard, &addresses, violation.figure, context.today);
    finding.hint_with_lines(TO_PASTE, &block)
}

const TO_PASTE: &str = "if it is meant, paste this into a file under review:";

/// The exception, ready to paste, as `fmt` would write it.
fn block(guard: &str, addresses: &[String], max: u64, today: Date) -> String {
    let quoted = addresses.iter().map(|address| toml_string(address));
    let addresses: Vec<String> = quoted.collect();
    let block = format!(
        "[[guards.allow]]\nguard = \"{guard}\"\naddresses = [{}]\nmax = {max}\nreason = \"\"  # why\nexpires = \"{}\"\n",
        addresses.join(", "),
        today.saturating_add(SUGGESTED.days())
    );
    let block = format_text("", &block).unwrap_or(block);
    block.trim_end().to_owned()
}
