//! The facts that `doctor` judges, and what it finds: serialised as it is by
//! `--format json`. Imports core.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::Numbers;
use crate::phone::E164;
use crate::resolve::Configs;

/// How much a complaint weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Severity")]
pub enum ComplaintSeverity {
    /// Worth knowing; nothing is wrong.
    Note,
    /// Calls fail, or soon will.
    Problem,
}

/// One thing found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Complaint {
    /// Stable, kebab-case.
    pub check: String,
    pub severity: ComplaintSeverity,
    /// What it is about: a config by name, or `numbers`.
    pub subject: String,
    /// One sentence, lower case, no full stop.
    pub message: String,
    /// What to do about it.
    pub action: String,
}

/// What somebody else found out about a config: a probe of its server, or the
/// reason why its secret does not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeFailure {
    pub code: String,
    pub message: String,
    pub action: String,
}

/// What a look at one server gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Probed {
    /// What failed; empty where all is well.
    pub failures: Vec<ProbeFailure>,
    /// What is worth knowing.
    pub notes: Vec<ProbeFailure>,
    /// The caller ids that the config's trunk lists; none listed is any.
    pub trunk_numbers: Option<Vec<String>>,
    /// In one phrase, for the row of a healthy config, such as `12 ms`.
    pub figure: Option<String>,
}

/// A number whose default agent belongs to another tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentTenantMismatch {
    pub number: E164,
    pub tenant: String,
    pub agent: i64,
    pub agent_tenant: String,
}

/// All that is judged.
#[derive(Debug)]
pub struct DoctorFacts<'a> {
    /// With the state of their secrets.
    pub configs: &'a Configs,
    pub numbers: &'a Numbers,
    pub mixed: &'a [AgentTenantMismatch],
    /// Addresses that were changed in the database since the last apply.
    pub drift: &'a [String],
    /// By name of the config; one that is not there was not probed.
    pub probes: &'a BTreeMap<String, Probed>,
    /// Only these configs, by name; empty for all, and for the numbers.
    pub only: &'a BTreeSet<String>,
}

/// One row a config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ConfigRow {
    pub id: Option<Uuid>,
    pub name: String,
    pub region: Option<String>,
    /// Host and port.
    pub server: String,
    /// Active numbers that go to it.
    pub numbers: u64,
    /// `opens`, `no key`, `damaged` or `not checked`.
    pub secret: &'static str,
    pub probed: bool,
    /// Whether livekit-sip runs behind the server, which does not tell it:
    /// always `not checked`. Only a call shows that.
    pub sip: &'static str,
    pub figure: Option<String>,
    pub complaints: Vec<Complaint>,
}

impl ConfigRow {
    pub fn is_well(&self) -> bool {
        all_well(&self.complaints)
    }
}

/// The whole of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Report")]
pub struct DoctorFindings {
    pub format_version: u32,
    /// By name.
    pub configs: Vec<ConfigRow>,
    /// What is about no one config; problems first.
    pub others: Vec<Complaint>,
    /// Active numbers looked at.
    pub numbers: u64,
    /// Whether there is no problem at all: exit 0.
    pub well: bool,
}

pub(super) fn all_well(complaints: &[Complaint]) -> bool {
    complaints
        .iter()
        .all(|c| c.severity == ComplaintSeverity::Note)
}
