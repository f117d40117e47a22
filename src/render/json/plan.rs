//! The report of a plan, and of an apply. Imports core.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::changes::{Changes, SourceReport, shown_value, source};
use super::{ErrorReport, FORMAT_VERSION, FindingReport, finding_reports};
use crate::diff::alias_change::AliasChange;
use crate::diff::plan::{Change, FieldChange, Kind, Plan, WhyHeld};
use crate::diff::summary::PlanSummary;
use crate::error::Error;
use crate::finding::Finding;
use crate::impact::digest;
use crate::impact::one_number::OneNumber;
use crate::impact::reroutes::Reroutes;
use crate::render::number::OneNumberReport;
use crate::render::plan_rows::{self, PlanRows};
use crate::render::rerouted::RoutingReport;

/// `plan`, and what `apply` planned.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct PlanReport<'a> {
    pub format_version: u32,
    pub environment: Option<&'a str>,
    /// The last apply that the database had seen.
    pub base: Option<i64>,
    /// What `apply --expect` takes; absent where there is no plan.
    pub digest: Option<String>,
    pub summary: PlanSummary,
    /// Without those in conflict.
    pub changes: Changes<'a>,
    /// The names of tenants that change; not among `changes`.
    pub aliases: Vec<AliasChange>,
    pub conflicts: Vec<ConflictReport<'a>>,
    /// The fields that were changed outside lkroute. Where they are reverted,
    /// their objects are among `changes` too, with the cause `drift` or `both`.
    pub drift: Vec<DriftedFieldReport>,
    /// What a rollback undid: not among `changes`, and not written.
    pub held_back: Vec<HeldReport>,
    /// What `--target` left out.
    pub outstanding: Changes<'a>,
    pub findings: Vec<FindingReport>,
    /// What guards refuse.
    pub refusals: Vec<FindingReport>,
    pub foreign: ForeignReport,
    /// Whose calls go elsewhere.
    pub routing: RoutingReport,
    /// The number of `--number`, before and after; null without it.
    pub number: Option<OneNumberReport>,
    /// Of a plan that was read from a file: what its digest does not cover.
    pub not_covered: Vec<&'static str>,
    pub error: Option<ErrorReport>,
}

/// `apply`: what was planned, and the apply where there was one.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ApplyReport<'a> {
    #[serde(flatten)]
    pub plan: PlanReport<'a>,
    pub applied: Option<AppliedReport>,
    /// The earlier apply of this very commit, where there was nothing more to
    /// do for it.
    pub applied_already: Option<AppliedReport>,
}

/// The record of an apply.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AppliedReport {
    pub id: i64,
    /// RFC 3339, UTC.
    pub at: String,
}

/// Rows of others, counted.
#[derive(Debug, Clone, Copy, Default, Serialize, JsonSchema)]
pub struct ForeignReport {
    pub numbers: u64,
    /// Rows whose number can't be read.
    pub unreadable: u64,
    /// Rows whose `rules` is no JSON object.
    pub odd_rules: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct ConflictReport<'a> {
    pub address: String,
    pub kind: &'static str,
    pub source: Option<SourceReport<'a>>,
    pub fields: Vec<ConflictField>,
    /// The command that takes the object over; null where none can.
    pub adopt: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct ConflictField {
    pub name: &'static str,
    pub live: Value,
    pub declared: Value,
    /// What the last apply set, where it is neither of them.
    pub applied: Value,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DriftReport")]
pub struct DriftedFieldReport {
    pub address: String,
    /// Whether the plan sets them back; else they are left alone.
    pub reverted: bool,
    pub fields: Vec<DriftField>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct DriftField {
    pub name: &'static str,
    pub applied: Value,
    pub live: Value,
}

/// An object that is held back, in whole or in part.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HeldReport {
    pub address: String,
    pub fields: Vec<HeldField>,
}

/// A field that stays as it is.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HeldField {
    pub name: &'static str,
    pub live: Value,
    pub declared: Value,
    /// The apply that had set it so; null where it needs an object that is
    /// held back.
    pub set_by: Option<i64>,
    /// The rollback that undid it.
    pub undone_by: Option<i64>,
    /// Of the rollback; else what is needed.
    pub reason: Option<String>,
}

impl<'a> PlanReport<'a> {
    pub fn new(
        plan: &'a Plan,
        reroutes: &Reroutes,
        refusals: &[Finding],
        error: Option<&Error>,
    ) -> PlanReport<'a> {
        let rows = plan_rows::rows(plan);
        PlanReport {
            format_version: FORMAT_VERSION,
            environment: plan.environment.as_deref(),
            base: plan.base,
            digest: Some(digest::digest(plan)),
            summary: rows.summary,
            drift: drift_reports(&rows),
            changes: Changes {
                plan: Some(plan),
                changes: rows.changes,
                guards: plan.guards.as_ref(),
            },
            aliases: plan.aliases.clone(),
            conflicts: rows
                .conflicts
                .iter()
                .map(|change| conflict_report(plan, change))
                .collect(),
            held_back: plan
                .held_back
                .iter()
                .map(|change| held_report(plan, change))
                .collect(),
            outstanding: Changes {
                plan: Some(plan),
                changes: plan.outstanding.iter().collect(),
                guards: None,
            },
            findings: finding_reports(&plan.findings),
            refusals: finding_reports(refusals),
            foreign: ForeignReport {
                numbers: plan.foreign.numbers,
                unreadable: plan.foreign.unreadable,
                odd_rules: plan.foreign.odd_rules,
            },
            routing: reroutes.into(),
            number: None,
            not_covered: Vec::new(),
            error: error.map(ErrorReport::from),
        }
    }

    /// With one number before and after.
    pub fn with_number(self, number: Option<&OneNumber>) -> PlanReport<'a> {
        PlanReport {
            number: number.map(OneNumberReport::from),
            ..self
        }
    }

    /// The report where no plan could be made.
    pub fn failed(findings: &[Finding], error: &Error) -> PlanReport<'static> {
        PlanReport {
            format_version: FORMAT_VERSION,
            findings: finding_reports(findings),
            error: Some(error.into()),
            ..PlanReport::default()
        }
    }
}

fn conflict_report<'a>(plan: &'a Plan, change: &Change) -> ConflictReport<'a> {
    let object = plan.address(change.object);
    let address = object.to_string();
    let patch = plan.patch(change);
    let against = |field: &&FieldChange| field.kind.is_conflict();
    let fields = patch
        .fields
        .iter()
        .filter(against)
        .map(|field| ConflictField {
            name: field.field.as_str(),
            live: shown_value(plan, field.field, &field.before),
            declared: shown_value(plan, field.field, &field.after),
            applied: shown_value(plan, field.field, &field.applied),
        });
    ConflictReport {
        kind: object.kind(),
        source: source(plan, change),
        fields: fields.collect(),
        adopt: (!patch.has(Kind::Blocked)).then(|| format!("lkroute adopt {address}")),
        address,
    }
}

fn held_report(plan: &Plan, change: &Change) -> HeldReport {
    let fields = plan.patch(change).fields.iter().enumerate();
    let field = |(ix, field): (usize, &FieldChange)| {
        let why = plan.why_held(change, ix);
        let (set_by, undone_by, reason) = match why {
            Some(WhyHeld::Undone { set_by, undone_by }) => {
                let reason = plan.undone_reasons.get(undone_by).cloned();
                (Some(*set_by), Some(*undone_by), reason)
            }
            Some(needs) => (None, None, Some(plan.explain_held(needs))),
            None => (None, None, None),
        };
        HeldField {
            name: field.field.as_str(),
            live: shown_value(plan, field.field, &field.before),
            declared: shown_value(plan, field.field, &field.after),
            set_by,
            undone_by,
            reason,
        }
    };
    HeldReport {
        address: plan.address(change.object).to_string(),
        fields: fields.map(field).collect(),
    }
}

fn drift_reports(rows: &PlanRows<'_>) -> Vec<DriftedFieldReport> {
    let plan = rows.plan;
    let planned = rows.drifted().map(|change| drift(plan, change, true));
    let left = plan.left_alone.iter();
    let left = left.map(|change| drift(plan, change, false));
    planned.chain(left).flatten().collect()
}

fn drift(plan: &Plan, change: &Change, reverted: bool) -> Option<DriftedFieldReport> {
    let fields = plan.patch(change).fields.iter();
    let drifted = fields.filter(|field| field.kind == Kind::Drift);
    let fields: Vec<DriftField> = drifted
        .map(|field| DriftField {
            name: field.field.as_str(),
            applied: shown_value(plan, field.field, &field.applied),
            live: shown_value(plan, field.field, &field.before),
        })
        .collect();
    (!fields.is_empty()).then(|| DriftedFieldReport {
        address: plan.address(change.object).to_string(),
        reverted,
        fields,
    })
}
