//! The JSON report of a command that could not be done. Imports core and
//! `render`.

use crate::error::Error;
use crate::finding::Finding;
use crate::render::{self, call_reports, json};

/// The JSON report of a command that could not be done, or was not understood.
pub(super) fn failed_report(
    command: &str,
    findings: &[Finding],
    error: &Error,
) -> Result<String, Error> {
    match command {
        "plan" | "diff" | "show" => json::json_text(&json::PlanReport::failed(findings, error)),
        "secrets" => json::json_text(&render::secrets::SecretsReport::failed(error)),
        "drift" => json::json_text(&render::drift::DriftReport::failed(error)),
        "history" => json::json_text(&render::history::HistoryReport::failed(error)),
        "apply" | "rollback" | "release" => json::json_text(&json::ApplyReport {
            plan: json::PlanReport::failed(findings, error),
            applied: None,
            applied_already: None,
        }),
        "dispatch" => json::json_text(&call_reports::DispatchReport::failed(error)),
        "dispatches" | "cancel" => json::json_text(&call_reports::DispatchesReport::failed(error)),
        "doctor" => json::json_text(&render::doctor::DoctorReport::failed(error)),
        _ => json::json_text(&json::Failed {
            findings: json::finding_reports(findings),
            ..json::Failed::from(error)
        }),
    }
}
