//! Exceptions to guards: reviewed lines with a reason and an end, and the
//! block to paste when a guard refuses. Core.

use std::collections::BTreeSet;

use jiff::ToSpan;
use jiff::civil::Date;

use super::budgets::{Violation, addresses};
use super::policies::PolicyViolation;
use crate::address::Address;
use crate::diff::plan::Plan;
use crate::finding::{Finding, Place};
use crate::routing::guards::Allowance;
use crate::source::format;
use crate::unseen::toml_string;

/// An exception ends after at most this many days.
const LONGEST: i64 = 30;
/// The block to paste suggests this many.
const SUGGESTED: i64 = 14;
/// How many addresses the block to paste holds.
const PASTED: usize = 200;

/// The violations that no exception covers, as refusals; and warnings about
/// exceptions that do not count.
pub fn refuse(
    plan: &Plan,
    violations: Vec<Violation>,
    allowances: &[Allowance],
    today: Date,
) -> (Vec<Finding>, Vec<Finding>) {
    let (counting, warnings) = judge(allowances, today);
    let left = violations
        .into_iter()
        .filter(|violation| !covered(plan, violation, &counting));
    let refusals = left
        .map(|violation| refusal(plan, &violation, today))
        .collect();
    (refusals, warnings)
}

/// The configs that break a policy without an exception to it, as refusals.
pub fn refuse_policies(
    broken: Vec<PolicyViolation>,
    allowances: &[Allowance],
    today: Date,
) -> Vec<Finding> {
    let (counting, _) = judge(allowances, today);
    let refusal = |PolicyViolation { config, finding }: PolicyViolation| {
        let address = Address::Config(config).to_string();
        let allowed = counting.iter().any(|allowance| {
            allowance.guard == finding.code && allowance.addresses.contains(&address)
        });
        let block = block(&finding.code, &[address], 1, today);
        (!allowed).then(|| finding.hint(to_paste(&block)))
    };
    broken.into_iter().filter_map(refusal).collect()
}

/// Those that count today, and what is wrong with the others.
fn judge(allowances: &[Allowance], today: Date) -> (Vec<&Allowance>, Vec<Finding>) {
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
fn covered(plan: &Plan, violation: &Violation, allowances: &[&Allowance]) -> bool {
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
            let names = addresses(plan, &plan.changes[*ix]);
            names.iter().any(|name| named.contains(name.as_str()))
        })
}

fn refusal(plan: &Plan, violation: &Violation, today: Date) -> Finding {
    let mut finding = Finding::error(violation.guard, violation.message.clone());
    let first = violation
        .causes
        .iter()
        .find_map(|ix| plan.source(&plan.changes[*ix]));
    if let Some((file, line)) = first {
        finding = finding.at(Place {
            line,
            ..Place::file(file)
        });
    }
    if violation.causes.is_empty() {
        return finding.hint("nothing in this plan can be named as an exception; split the change");
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
    let block = block(violation.guard, &addresses, violation.figure, today);
    finding.hint(to_paste(&block))
}

fn to_paste(block: &str) -> String {
    format!("if it is meant, paste this into a file under review:\n{block}")
}

/// The exception, ready to paste, as `fmt` would write it.
fn block(guard: &str, addresses: &[String], max: u64, today: Date) -> String {
    let quoted = addresses.iter().map(|address| toml_string(address));
    let addresses: Vec<String> = quoted.collect();
    let block = format!(
        "[[guards.allow]]\nguard = \"{guard}\"\naddresses = [{}]\nmax = {max}\nreason = \"\"  # why\nexpires = \"{}\"\n",
        addresses.join(", "),
        today.saturating_add(SUGGESTED.days())
    );
    let block = format("", &block).unwrap_or(block);
    block.trim_end().to_owned()
}
