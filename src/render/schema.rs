//! JSON Schemas of the reports for machines, made of the structs that write
//! them. Imports core and `json`. `schema/` in the repository holds them; a
//! test keeps those files up to date and validates real output with them.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value;

use super::call_reports::{DispatchReport, DispatchesReport};
use super::doctor::DoctorReport;
use super::drift::DriftReport;
use super::history::HistoryReport;
use super::import::ImportReport;
use super::json::{ApplyReport, Failed, PlanReport, ValidateReport};
use super::listing::ListReport;
use super::secrets::SecretsReport;
use crate::resolve::Report as ResolveReport;

/// The schemas (JSON Schema 2020-12) by the command whose report they
/// describe. `error` is that of a command that has no report of its own, or
/// that was not understood. Reports may get further keys; those described
/// here stay.
pub fn report_schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("apply", of::<ApplyReport<'_>>()),
        ("dispatch", of::<DispatchReport<'_>>()),
        ("dispatches", of::<DispatchesReport<'_>>()),
        ("doctor", of::<DoctorReport<'_>>()),
        ("drift", of::<DriftReport<'_>>()),
        ("error", of::<Failed>()),
        ("history", of::<HistoryReport>()),
        ("import", of::<ImportReport<'_>>()),
        ("list", of::<ListReport>()),
        ("plan", of::<PlanReport<'_>>()),
        ("resolve", of::<ResolveReport>()),
        ("secrets", of::<SecretsReport>()),
        ("validate", of::<ValidateReport>()),
    ]
}

fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let generator = SchemaGenerator::new(settings);
    generator.into_root_schema_for::<T>().to_value()
}
