//! What `doctor` found, as people and machines read it. Imports core.

use schemars::JsonSchema;
use serde::Serialize;

use super::escape::visible;
use super::json::{ErrorReport, FORMAT_VERSION};
use super::style::{ADDED, BOLD, CHANGED, DIM, ERROR, NOTED, counted, paint, wrapped};
use crate::doctor::{Complaint, ComplaintSeverity, ConfigRow, DoctorFindings};
use crate::error::Error;

/// `doctor --format json`.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct DoctorReport<'a> {
    pub format_version: u32,
    /// That of `--env`.
    pub environment: Option<&'a str>,
    /// Whether there is no problem at all.
    pub well: bool,
    /// Active numbers looked at.
    pub numbers: u64,
    pub configs: &'a [ConfigRow],
    /// What is about no one config; problems first.
    pub others: &'a [Complaint],
    pub error: Option<ErrorReport>,
}

impl<'a> DoctorReport<'a> {
    pub fn new(
        report: &'a DoctorFindings,
        environment: Option<&'a str>,
        error: Option<&Error>,
    ) -> DoctorReport<'a> {
        DoctorReport {
            format_version: FORMAT_VERSION,
            environment,
            well: report.well,
            numbers: report.numbers,
            configs: &report.configs,
            others: &report.others,
            error: error.map(ErrorReport::from),
        }
    }

    /// Where nothing could be looked at.
    pub fn failed(error: &Error) -> DoctorReport<'static> {
        DoctorReport {
            format_version: FORMAT_VERSION,
            error: Some(error.into()),
            ..DoctorReport::default()
        }
    }
}

/// One row a config, under it what is wrong and what to do; then the rest.
pub fn doctor_text(report: &DoctorFindings, environment: Option<&str>, width: usize) -> String {
    let name = widest_of(report.configs.iter().map(|row| row.name.as_str()));
    let server = widest_of(report.configs.iter().map(|row| row.server.as_str()));
    let last_wide = widest_of(report.configs.iter().map(secret_column));
    let (numbers, gap) = if name + server + last_wide + 20 <= width {
        (10, " ")
    } else {
        (0, "\n     ")
    };
    let mut text = String::new();
    for row in &report.configs {
        text += &config_row(row, [name, server, numbers], gap);
        text += &complaint_lines(&row.complaints, width);
    }
    if !report.others.is_empty() {
        text += &paint(BOLD, "Numbers, agents, drift, files\n");
        text += &complaint_lines(&report.others, width);
    }
    text + &last_lines(report, environment)
}

fn widest_of<T: AsRef<str>>(texts: impl Iterator<Item = T>) -> usize {
    texts
        .map(|text| text.as_ref().chars().count())
        .max()
        .unwrap_or(0)
}

/// What was found of the secret, and by asking the server.
fn secret_column(row: &ConfigRow) -> String {
    let probed = match (&row.figure, row.probed) {
        (Some(figure), _) => figure.as_str(),
        (None, true) => "no answer",
        (None, false) => "not probed",
    };
    format!("secret {}, {probed}", row.secret)
}

fn config_row(row: &ConfigRow, [name, server, numbers]: [usize; 3], gap: &str) -> String {
    let (style, word) = if row.is_well() {
        (ADDED, "ok  ")
    } else {
        (ERROR, "FAIL")
    };
    format!(
        "{} {:<name$}  {:<server$}  {:<numbers$}{gap}{}\n",
        paint(style, word),
        visible(&row.name),
        visible(&row.server),
        counted(row.numbers, "number"),
        secret_column(row),
    )
}

fn complaint_lines(complaints: &[Complaint], width: usize) -> String {
    complaints
        .iter()
        .map(|c| complaint_line(c, width))
        .collect()
}

fn complaint_line(complaint: &Complaint, width: usize) -> String {
    let style = match complaint.severity {
        ComplaintSeverity::Problem => CHANGED.bold(),
        ComplaintSeverity::Note => NOTED,
    };
    let said = format!("     {}: {}", complaint.check, visible(&complaint.message));
    let said = wrapped(&said, width, 7);
    let said = said.replacen(&complaint.check, &paint(style, &complaint.check), 1);
    let action = wrapped(&format!("       → {}", complaint.action), width, 9);
    format!("{said}\n{}\n", paint(DIM, action))
}

fn last_lines(report: &DoctorFindings, environment: Option<&str>) -> String {
    let within = environment.map_or(String::new(), |name| format!(" in {name}"));
    let all = report.configs.iter().flat_map(|row| &row.complaints);
    let all: Vec<&Complaint> = all.chain(&report.others).collect();
    let of = |severity| all.iter().filter(|c| c.severity == severity).count() as u64;
    let looked = format!(
        "{}, {}",
        counted(report.configs.len() as u64, "config"),
        counted(report.numbers, "active number")
    );
    let notes = match of(ComplaintSeverity::Note) {
        0 => String::new(),
        some => format!(", {}", counted(some, "note")),
    };
    if report.well {
        format!("{}{within}: {looked}{notes}\n", paint(ADDED, "All is well"))
    } else {
        let problems = counted(of(ComplaintSeverity::Problem), "problem");
        format!("{}{within}: {looked}{notes}\n", paint(ERROR, problems))
    }
}
