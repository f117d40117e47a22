//! Routing tests in the files: `[[expect]]` against what the files declare,
//! through the resolver. Core.

use std::collections::{HashMap, HashSet};

use crate::fields::Field;
use crate::finding::Finding;
use crate::invisible_chars::visible;
use crate::phone::RowKey;
use crate::resolve::facts::rows_of_files;
use crate::resolve::{
    Choice, Facts, Outcome, Query, Resolution, ResolveError, RoutingEnv, RowFact, Switch,
    TenantChoice, Terms, resolve,
};
use crate::routing::{Expect, Routing};

/// An `expectation-broken` for each test that the files don't meet, with the
/// trace.
pub(crate) fn check_expectations(routing: &Routing) -> Vec<Finding> {
    if routing.expects.is_empty() {
        return Vec::new();
    }
    let wanted: HashSet<RowKey> = routing.expects.iter().map(|e| e.from.row_key()).collect();
    let rows = rows_of_files(routing, |key| wanted.contains(&key));
    let mut facts = Facts::of_files_without_rows(routing);
    let broken = |expect| broken(expect, routing, &rows, &mut facts);
    routing.expects.iter().filter_map(broken).collect()
}

fn broken(
    expect: &Expect,
    routing: &Routing,
    rows: &HashMap<RowKey, Vec<RowFact>>,
    facts: &mut Facts,
) -> Option<Finding> {
    let tenant = routing.tenants.get(expect.tenant as usize)?;
    facts.rows = rows
        .get(&expect.from.row_key())
        .cloned()
        .unwrap_or_default();
    let query = Query::new(expect.from, TenantChoice::Given(tenant.id));
    let mut resolution = resolve(&query, facts, &RoutingEnv::Symbolic);
    let mut reasons = match &resolution.outcome {
        Ok(outcome) => differences(expect, outcome),
        Err(error) => vec![error.message.clone()],
    };
    reasons.extend(outbound(expect, &resolution));
    if expect.to.is_some() && resolution.outcome.is_ok() {
        let query = Query {
            to: expect.to.clone(),
            ..query
        };
        resolution = resolve(&query, facts, &RoutingEnv::Symbolic);
        reasons.extend(called(expect, &resolution));
    }
    if reasons.is_empty() {
        return None;
    }
    let message = format!(
        "calls from {} of {} don't go where they are expected to: {}",
        expect.from,
        tenant.label(),
        reasons.join("; ")
    );
    let finding = Finding::error("expectation-broken", message)
        .hint_with_lines("how it was resolved:", &steps(&resolution));
    Some(finding.at(expect.place.clone()))
}

/// Whether calls out are allowed at all, against what is expected.
fn outbound(expect: &Expect, resolution: &Resolution) -> Option<String> {
    let (expected, terms) = expect.outbound.zip(resolution.reached.terms.as_ref())?;
    let word = |allowed| if allowed { "allowed" } else { "refused" };
    let allowed = terms.outbound == Switch::On;
    (allowed != expected)
        .then(|| format!("calls out are {}, not {}", word(allowed), word(expected)))
}

/// What becomes of the call to `to`, against what is expected.
fn called(expect: &Expect, resolution: &Resolution) -> Option<String> {
    let to = expect.to.as_deref().unwrap_or_default();
    let expected = expect.refused.as_deref();
    let outcome = match &resolution.outcome {
        Ok(outcome) => outcome,
        Err(error) => {
            let rule = refusing_rule(error, resolution.reached.terms.as_ref());
            let expected = match (expected, expect.outbound) {
                (None, Some(false)) => Some("outbound"),
                (expected, _) => expected,
            };
            return match expected {
                Some(_) if rule == expected => None,
                Some(expected) => Some(format!("{}; not by `{expected}`", error.message)),
                None => Some(error.message.clone()),
            };
        }
    };
    if let Some(rule) = expected {
        return Some(format!(
            "a call to {to} is allowed, not refused by `{rule}`"
        ));
    }
    let dialled = outcome.to.as_ref()?.formatted.as_str();
    let expected = expect.dials.as_deref().filter(|dials| *dials != dialled)?;
    Some(format!("{to} is dialled as {dialled}, not {expected}"))
}

/// The rule that refuses a call, by its key.
fn refusing_rule(error: &ResolveError, terms: Option<&Terms>) -> Option<&'static str> {
    let rule = match (error.code, terms) {
        ("outbound-refused", _) => Field::Outbound,
        ("country-refused" | "rule-unknown-region" | "called-number-needs-country", _) => {
            Field::AllowedOutbound
        }
        ("rule-unreadable", Some(terms)) if terms.outbound == Switch::Unreadable => Field::Outbound,
        ("rule-unreadable", Some(terms)) if terms.countries.is_empty() => Field::AllowedOutbound,
        ("rule-unreadable", Some(_)) => Field::RequiredLeadFormat,
        _ => return None,
    };
    Some(rule.file_key())
}

fn steps(resolution: &Resolution) -> String {
    let steps = resolution.trace.iter();
    let steps: Vec<String> = steps.map(|step| visible(&step.to_string())).collect();
    steps.join("\n")
}

fn differences(expect: &Expect, outcome: &Outcome) -> Vec<String> {
    let route = &outcome.route;
    let config = match &route.config {
        Some(config) => config.name.as_str(),
        None => "none, the environment decides",
    };
    let region = route.region.as_deref().unwrap_or("none");
    let known = |choice: &Choice| choice.value.is_some();
    let compared = [
        ("config", &expect.config, config, route.config.is_some()),
        (
            "worker",
            &expect.worker,
            route.worker_label(),
            known(&route.worker),
        ),
        (
            "trunk",
            &expect.trunk,
            route.trunk_label(),
            known(&route.trunk),
        ),
        ("region", &expect.region, region, route.region.is_some()),
    ];
    let mut reasons = Vec::new();
    for (what, expected, found, known) in compared {
        match expected {
            Some(expected) if !known || expected != found => {
                reasons.push(format!("{what} is {found}, not {expected}"));
            }
            _ => {}
        }
    }
    let silent = [
        &expect.config,
        &expect.worker,
        &expect.trunk,
        &expect.region,
    ];
    if silent.iter().all(|said| said.is_none()) && route.config.is_none() {
        reasons.push("no config is found for them".to_owned());
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::{Field, Fields};
    use crate::finding::Place;
    use crate::phone::E164;
    use crate::resolve::samples::{bind, number, tree};

    fn expect() -> Expect {
        Expect {
            from: number(),
            tenant: 0,
            to: None,
            config: Some("india-techiemaya-cloud".into()),
            worker: Some("voag-dev".into()),
            trunk: Some("ST_MmVqEuBMDNf6".into()),
            region: Some("india".into()),
            outbound: None,
            dials: None,
            refused: None,
            place: Place::file("routing/all.toml"),
        }
    }

    fn nothing_but(from: E164) -> Expect {
        Expect {
            from,
            config: None,
            worker: None,
            trunk: None,
            region: None,
            ..expect()
        }
    }

    fn findings(expects: Vec<Expect>) -> Vec<Finding> {
        let mut routing = tree();
        let fields = Fields::new().with(Field::AllowedOutbound, "india");
        bind(&mut routing, number(), 0, "india-techiemaya-cloud", fields);
        routing.expects = expects;
        check_expectations(&routing)
    }

    #[test]
    fn what_holds_is_silent() {
        let calls = |to: &str| Expect {
            to: Some(to.into()),
            ..expect()
        };
        assert_eq!(findings(vec![expect(), nothing_but(number())]), []);
        assert_eq!(findings(vec![calls("9513456728")]), []);
    }

    #[test]
    fn terms_are_expected_too() {
        let call = |to: &str, dials: Option<&str>, refused: Option<&str>| Expect {
            to: Some(to.into()),
            dials: dials.map(str::to_owned),
            refused: refused.map(str::to_owned),
            outbound: Some(true),
            ..expect()
        };
        let rule = Some("allowed_outbound");
        let abroad = "+971545335200";
        assert_eq!(findings(vec![call(abroad, None, rule)]), []);
        assert_eq!(
            findings(vec![call("9513456728", Some("+919513456728"), None)]),
            []
        );
        let refused_by = |rule| call(abroad, None, Some(rule));
        for (wrong, why) in [
            (
                call("9513456728", Some("09513456728"), None),
                "is dialled as +919513456728, not 0951",
            ),
            (
                call("9513456728", None, rule),
                "is allowed, not refused by `allowed_outbound`",
            ),
            (refused_by("outbound"), "; not by `outbound`"),
            (
                call(abroad, Some("0545335200"), None),
                "`allowed_outbound = \"india\"` refuses",
            ),
            (
                Expect {
                    outbound: Some(false),
                    ..expect()
                },
                "calls out are allowed, not refused",
            ),
        ] {
            let found = findings(vec![wrong]);
            assert_eq!(found.len(), 1, "{why}");
            assert!(found[0].message.contains(why), "{}", found[0].message);
        }
    }

    #[test]
    fn every_difference_is_named_with_the_trace() {
        let wrong = Expect {
            worker: Some("voag-production".into()),
            trunk: Some("ST_other".into()),
            ..expect()
        };
        let found = findings(vec![wrong]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].code, "expectation-broken");
        let expected =
            "worker is voag-dev, not voag-production; trunk is ST_MmVqEuBMDNf6, not ST_other";
        assert!(found[0].message.ends_with(expected), "{}", found[0].message);
        let hint = found[0].hint.as_deref().unwrap();
        assert!(
            hint.contains("config: found: india-techiemaya-cloud"),
            "{hint}"
        );
    }

    #[test]
    fn a_number_that_is_not_bound_or_may_not_call_breaks_its_test() {
        let unbound = E164::parse("+919513456729").unwrap();
        let call = Expect {
            to: Some("+971545335200".into()),
            ..nothing_but(number())
        };
        let found = findings(vec![nothing_but(unbound), call]);
        assert_eq!(found.len(), 2);
        assert!(
            found[0].message.contains("no config"),
            "{}",
            found[0].message
        );
        assert!(
            found[1].message.contains("allowed_outbound"),
            "{}",
            found[1].message
        );
    }
}
