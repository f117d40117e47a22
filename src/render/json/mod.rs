//! Reports for machines: frozen structs with a `format_version`, whose lists
//! are never null and which are written also when a command fails. Imports
//! core.
//!
//! A field is added here without a new version; none is taken out, renamed
//! or given another meaning.

mod changes;
mod plan;

use schemars::JsonSchema;
use serde::Serialize;

pub use crate::format_versions::REPORT as FORMAT_VERSION;
pub use changes::SourceReport;
pub(super) use changes::shown_value;
pub use plan::{AppliedReport, ApplyReport, PlanReport};

use crate::error::Error;
use crate::finding::{Finding, Place};

/// The text of a report: JSON, indented, with a line end.
pub fn json_text(report: &impl Serialize) -> Result<String, Error> {
    let text = serde_json::to_string_pretty(report)
        .map_err(|error| Error::new(format!("can't write the report: {error}")))?;
    Ok(text + "\n")
}

/// What a command that could not be done reports.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ErrorReport {
    /// The code that the process exits with.
    pub exit: u8,
    /// Why there is no route or no call, in a word; null for other errors.
    pub code: Option<&'static str>,
    pub message: String,
    pub hint: Option<String>,
}

impl From<&Error> for ErrorReport {
    fn from(error: &Error) -> ErrorReport {
        ErrorReport {
            exit: error.exit as u8,
            code: error.code,
            message: error.message.clone(),
            hint: error.hint.clone(),
        }
    }
}

/// The report of a command that has no other, or that was not understood.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Failed {
    pub format_version: u32,
    pub findings: Vec<FindingReport>,
    pub error: ErrorReport,
}

impl From<&Error> for Failed {
    fn from(error: &Error) -> Failed {
        Failed {
            format_version: FORMAT_VERSION,
            findings: Vec::new(),
            error: error.into(),
        }
    }
}

/// `validate`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ValidateReport {
    pub format_version: u32,
    /// That of `--env`.
    pub environment: Option<String>,
    pub valid: bool,
    pub errors: usize,
    pub warnings: usize,
    pub findings: Vec<FindingReport>,
    pub error: Option<ErrorReport>,
}

impl ValidateReport {
    pub fn new(environment: Option<&str>, findings: &[Finding]) -> ValidateReport {
        let errors = findings.iter().filter(|finding| finding.is_error()).count();
        ValidateReport {
            format_version: FORMAT_VERSION,
            environment: environment.map(str::to_owned),
            valid: errors == 0,
            errors,
            warnings: findings.len() - errors,
            findings: finding_reports(findings),
            error: None,
        }
    }
}

/// A [`Finding`].
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FindingReport {
    pub code: String,
    /// `error` or `warning`.
    #[schemars(extend("enum" = ["error", "warning"]))]
    pub severity: String,
    pub message: String,
    pub place: Option<PlaceReport>,
    pub also: Vec<AlsoReport>,
    pub hint: Option<String>,
}

/// A [`Place`]: line and column count from 1, and are null where the finding
/// is about the file as a whole.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PlaceReport {
    pub file: String,
    pub line: Option<u32>,
    pub column: Option<u32>,
    pub width: Option<u32>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct AlsoReport {
    pub place: PlaceReport,
    pub message: String,
}

pub fn finding_reports(findings: &[Finding]) -> Vec<FindingReport> {
    findings.iter().map(FindingReport::from).collect()
}

impl From<&Finding> for FindingReport {
    fn from(finding: &Finding) -> FindingReport {
        let also = finding.also.iter().map(|(place, message)| AlsoReport {
            place: place.into(),
            message: message.clone(),
        });
        FindingReport {
            code: finding.code.to_string(),
            severity: finding.severity.to_string(),
            message: finding.message.clone(),
            place: finding.place.as_ref().map(PlaceReport::from),
            also: also.collect(),
            hint: finding.hint.clone(),
        }
    }
}

impl From<&Place> for PlaceReport {
    fn from(place: &Place) -> PlaceReport {
        let some = |number: u32| (number > 0).then_some(number);
        PlaceReport {
            file: place.file.clone(),
            line: some(place.line),
            column: some(place.column),
            width: some(place.width),
        }
    }
}
