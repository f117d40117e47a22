//! The pull-request comment, on plans of every kind.

use lkroute::error::{Error, Exit};
use lkroute::fields::Field;
use lkroute::finding::{Finding, Place};
use lkroute::impact::digest::digest;
use lkroute::render::markdown::{ReportContext, failed_markdown, plan_markdown};
use serde_json::json;

use super::world::{self, INDIA, Others};
use crate::support::golden;

fn place(file: &str, line: u32) -> Place {
    Place {
        line,
        ..Place::file(file)
    }
}

#[test]
fn a_reviewer_sees_who_is_rerouted() {
    let (plan, moved) = world::plan(
        &world::two_regions().0,
        &world::changed().0,
        &Others::default(),
    );
    let digest = digest(&plan);
    let context = ReportContext {
        revisions: Some("4f2a91c..8c01d77"),
        digest: Some(&digest),
        full_report: Some("https://ci.example/runs/42/artifacts"),
        ..ReportContext::default()
    };
    golden(
        "markdown/rerouted.md",
        &plan_markdown(&plan, &moved, &context),
    );
}

#[test]
fn refusals_conflicts_and_drift_come_first() {
    let others = Others {
        configs: vec![
            (INDIA, Field::TrunkId, "ST_elsewhere"),
            (world::UAE, Field::WorkerName, "voag-hotfix"),
        ],
        rules: vec![("+971545339003", "livekit_config", json!("not-a-config"))],
    };
    let (mut plan, moved) = world::plan(&world::two_regions().0, &world::changed().0, &others);
    plan.findings.push(
        Finding::warning(
            "plain-http",
            "`http://livekit.uae.example:7880` is not encrypted",
        )
        .at(place("routing/uae.toml", 12))
        .hint("use https"),
    );
    let refusals = [
        Finding::error("unrouted", "1 number would lose its database route; allowed are 0")
            .at(place("routing/uae.toml", 36))
            .hint_with_lines("if this is meant, add to the files:", "[[guards.allow]]\nguard = \"unrouted\"\naddresses = [\"binding.+971545336502@926070b5-189b-4682-9279-ea10ca090b84\"]\nreason = \"why\"\nexpires = \"2026-12-01\""),
        Finding::warning("exception-expired", "the exception for `config.uae-vm-selfhosted` ended on 2026-11-01"),
    ];
    let context = ReportContext {
        refusals: &refusals,
        ..ReportContext::default()
    };
    golden(
        "markdown/refused.md",
        &plan_markdown(&plan, &moved, &context),
    );
}

#[test]
fn nothing_to_do_is_short() {
    let files = world::two_regions().0;
    let (plan, moved) = world::plan(&files, &files, &Others::default());
    golden(
        "markdown/nothing.md",
        &plan_markdown(&plan, &moved, &ReportContext::default()),
    );
}

#[test]
fn files_with_errors_are_reported_too() {
    let findings = [
        Finding::error("unknown-tenant", "no tenant is called `techiemaya-tset`")
            .at(place("routing/india.toml", 31))
            .also(place("routing/india.toml", 3), "a similar name")
            .hint("did you mean `techiemaya-test`?"),
        Finding::warning("unused-config", "no number uses `india-old`"),
    ];
    let error = Error::exit(Exit::Invalid, "the files are invalid: 1 error, 1 warning");
    let context = ReportContext::default();
    golden(
        "markdown/invalid.md",
        &failed_markdown(Some("production"), &findings, &error, &context),
    );
}
