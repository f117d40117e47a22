//! `doctor`: everything that would fail a call, found before a customer does.
//! Core: judges facts that others gathered; the live probes of servers come
//! in as [`ProbeFailure`]s.

mod drift;
mod survey;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

pub use drift::DriftSurvey;
pub use survey::{Examples, Numbers, Survey};

use crate::fields::Field;
use crate::format_versions;
use crate::phone::E164;
use crate::resolve::{ConfigFact, Configs, Fallback, SecretState, host_of};

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

fn all_well(complaints: &[Complaint]) -> bool {
    complaints
        .iter()
        .all(|c| c.severity == ComplaintSeverity::Note)
}

/// Judges the facts.
pub fn examine(facts: &DoctorFacts<'_>) -> DoctorFindings {
    let wanted = |config: &&ConfigFact| facts.only.is_empty() || facts.only.contains(config.name());
    let mut configs: Vec<ConfigRow> = facts
        .configs
        .iter()
        .filter(wanted)
        .map(|config| config_row(config, facts))
        .collect();
    configs.sort_by(|a, b| a.name.cmp(&b.name));
    let mut others = Vec::new();
    if facts.only.is_empty() {
        numbers(facts.numbers, &mut others);
        mixed(facts.mixed, &mut others);
        drift(facts.drift, &mut others);
        others.sort_by_key(|complaint| std::cmp::Reverse(complaint.severity));
    }
    DoctorFindings {
        format_version: format_versions::REPORT,
        well: all_well(&others) && configs.iter().all(ConfigRow::is_well),
        numbers: facts.numbers.active,
        configs,
        others,
    }
}

/// Gathers complaints about one subject.
struct About<'a> {
    subject: String,
    complaints: &'a mut Vec<Complaint>,
}

impl About<'_> {
    fn add(&mut self, severity: ComplaintSeverity, check: &str, message: String, action: &str) {
        self.complaints.push(Complaint {
            check: check.to_owned(),
            severity,
            subject: self.subject.clone(),
            message,
            action: action.to_owned(),
        });
    }

    fn problem(&mut self, check: &str, message: impl Into<String>, action: &str) {
        self.add(ComplaintSeverity::Problem, check, message.into(), action);
    }

    fn note(&mut self, check: &str, message: impl Into<String>, action: &str) {
        self.add(ComplaintSeverity::Note, check, message.into(), action);
    }
}

fn config_row(config: &ConfigFact, facts: &DoctorFacts<'_>) -> ConfigRow {
    let name = config.name();
    let bound = facts.numbers.bound.get(name);
    let bound = bound.map_or(&[][..], Vec::as_slice);
    let probe = facts.probes.get(name);
    let mut complaints = Vec::new();
    let mut about = About {
        subject: name.to_owned(),
        complaints: &mut complaints,
    };
    for (field, what) in [(Field::Url, "URL"), (Field::ApiKey, "API key")] {
        if config.text(field).is_none() {
            let message = format!("it has no {what}, so calls through it fail");
            about.problem(
                "config-incomplete",
                message,
                "set it in the files and apply",
            );
        }
    }
    secret(config, &mut about);
    environment_choices(config, &mut about);
    let is_fallback = facts.configs.iter().any(|other| {
        let fallback = Fallback::of(facts.configs, other);
        fallback.is_some_and(|fallback| fallback.config.id == config.id)
    });
    if bound.is_empty() && !is_fallback {
        about.note(
            "config-unused",
            "no active number goes to it",
            "bind numbers to it, or take it out of the files",
        );
    }
    if let Some(probe) = probe {
        for failure in &probe.failures {
            about.problem(&failure.code, failure.message.clone(), &failure.action);
        }
        for note in &probe.notes {
            about.note(&note.code, note.message.clone(), &note.action);
        }
        trunk_numbers(config, bound, probe, &mut about);
    }
    fallback(config, bound, facts, &mut about);
    ConfigRow {
        id: config.id,
        name: name.to_owned(),
        region: config.text(Field::Region).map(str::to_owned),
        server: host_of(config.text(Field::Url).unwrap_or_default()).to_owned(),
        numbers: bound.len() as u64,
        secret: config.secret.as_str(),
        probed: probe.is_some(),
        sip: "not checked",
        figure: probe.and_then(|probe| probe.figure.clone()),
        complaints,
    }
}

fn secret(config: &ConfigFact, about: &mut About<'_>) {
    match config.secret {
        SecretState::Opens => {}
        SecretState::PlainText if config.place.apply.is_some() => about.problem(
            "secret-plain-text",
            "its secret stands in the database as plain text, and calls through it are refused",
            "take it for leaked: get a new one, `lkroute secrets seal` it, `lkroute adopt` it, and apply",
        ),
        SecretState::PlainText => about.note(
            "secret-plain-text",
            "its secret stands in the database as plain text, for everybody who reads it",
            "`lkroute import`, `lkroute secrets seal`, and apply",
        ),
        SecretState::NoKey => about.problem(
            "secret-no-key",
            "its secret is sealed with a key that is not at hand here",
            "put that key into LKROUTE_KEYS, or LIVEKIT_SECRET_ENCRYPTION_KEY for `dev-s-t-` values",
        ),
        SecretState::Damaged => about.problem(
            "secret-damaged",
            "its stored secret does not open: it is damaged, or sealed for another config",
            "seal the secret again with `lkroute secrets seal` and apply",
        ),
        SecretState::NotChecked => about.note(
            "secret-not-checked",
            "its secret was not opened",
            "run doctor where the database and the keys are at hand",
        ),
    }
}

/// Trunk and worker that the environment of the caller would decide.
fn environment_choices(config: &ConfigFact, about: &mut About<'_>) {
    if config.text(Field::TrunkId).is_none() {
        about.note(
            "trunk-not-set",
            "it has no trunk: the number's rules decide, else OUTBOUND_TRUNK_ID of whoever calls",
            "set `trunk_id`",
        );
    }
    if config.text(Field::WorkerName).is_none() {
        about.note(
            "worker-not-set",
            "it has no worker: VOICE_AGENT_NAME of whoever calls decides, else inbound-agent",
            "set `worker_name`",
        );
    }
}

/// Whether the trunk may show the numbers that call through it.
fn trunk_numbers(config: &ConfigFact, bound: &[E164], probe: &Probed, about: &mut About<'_>) {
    let (Some(listed), Some(trunk)) = (&probe.trunk_numbers, config.text(Field::TrunkId)) else {
        return;
    };
    let missing = unlisted(listed, bound);
    if missing.count > 0 {
        let message = format!(
            "trunk {trunk} does not list {} of the {} numbers bound to it: {}",
            missing.count,
            bound.len(),
            missing.shown()
        );
        about.problem(
            "trunk-lacks-numbers",
            message,
            "add them to the trunk's numbers, or bind them to the config that has them",
        );
    }
}

/// The numbers that a trunk does not list, where it lists any.
fn unlisted(listed: &[String], bound: &[E164]) -> Examples {
    if listed.is_empty() || listed.iter().any(|number| number == "*") {
        return Examples::default();
    }
    let listed: BTreeSet<String> = listed.iter().map(|number| digits(number)).collect();
    let missing = bound.iter();
    let missing = missing.filter(|n| !listed.contains(&digits(&n.to_string())));
    Examples::of(missing.map(E164::to_string))
}

/// Whether the fallback can take the calls of the config.
fn fallback(config: &ConfigFact, bound: &[E164], facts: &DoctorFacts<'_>, about: &mut About<'_>) {
    if config.text(Field::Fallback).is_none() {
        return;
    }
    let Some(fallback) = Fallback::of(facts.configs, config) else {
        return about.problem(
            "fallback-missing",
            "its fallback is not there: nothing takes its calls where its server can't be reached",
            "name a config that exists, and apply",
        );
    };
    let name = &fallback.config.name;
    let (Some(trunk), probe) = (&fallback.trunk, facts.probes.get(name)) else {
        return about.problem(
            "fallback-without-trunk",
            format!("its fallback {name} has no trunk, so it takes no call"),
            "set `trunk_id` there",
        );
    };
    let listed = probe.and_then(|probe| probe.trunk_numbers.as_ref());
    let missing = listed.map(|listed| unlisted(listed, bound));
    if let Some(missing) = missing.filter(|missing| missing.count > 0) {
        let message = format!(
            "trunk {trunk} of its fallback {name} does not list {} of the {} numbers bound to it: {}",
            missing.count,
            bound.len(),
            missing.shown()
        );
        let action =
            "add them to that trunk's numbers: else the fallback does not take their calls";
        about.problem("fallback-lacks-numbers", message, action);
    }
}

fn digits(number: &str) -> String {
    number.chars().filter(char::is_ascii_digit).collect()
}

fn numbers(numbers: &Numbers, complaints: &mut Vec<Complaint>) {
    let mut about = About {
        subject: "numbers".to_owned(),
        complaints,
    };
    for ((code, message), examples) in &numbers.failing {
        let message = format!("{message}: {}", count_with_examples(examples));
        about.problem(
            code,
            message,
            "bind them to a config that exists, and apply",
        );
    }
    let Numbers {
        duplicates,
        unreadable,
        odd_rules,
        environment,
        active: _,
        inactive: _,
        bound: _,
        failing: _,
    } = numbers;
    if duplicates.count > 0 {
        let message = format!(
            "several active rows of one tenant hold {}: calls fail, as none is picked",
            count_with_examples(duplicates)
        );
        about.problem(
            "duplicate-rows",
            message,
            "make all but one inactive in the application",
        );
    }
    if unreadable.count > 0 {
        let message = format!(
            "no number can be read from {}: never matched",
            count_with_examples(unreadable)
        );
        about.problem(
            "number-unreadable",
            message,
            "repair country_code and base_number",
        );
    }
    if odd_rules.count > 0 {
        let message = format!(
            "`rules` is no JSON object: {}",
            count_with_examples(odd_rules)
        );
        about.problem(
            "rules-no-object",
            message,
            "repair the column in the application",
        );
    }
    if environment.count > 0 {
        let message = format!(
            "{} would fall back to the environment, having no config",
            count_with_examples(environment)
        );
        about.note(
            "number-without-config",
            message,
            "bind them to a config where they are to call",
        );
    }
}

fn count_with_examples(examples: &Examples) -> String {
    format!("{} ({})", examples.count, examples.shown())
}

fn mixed(mixed: &[AgentTenantMismatch], complaints: &mut Vec<Complaint>) {
    let mut about = About {
        subject: "agents".to_owned(),
        complaints,
    };
    let examples = Examples::of(mixed.iter().map(|mixed| {
        format!(
            "agent {} of {} at {} of {}",
            mixed.agent, mixed.agent_tenant, mixed.number, mixed.tenant
        )
    }));
    if examples.count > 0 {
        let message = format!(
            "default agents belong to another tenant than their number: {}",
            count_with_examples(&examples)
        );
        about.note(
            "agent-of-other-tenant",
            message,
            "nothing, if it is meant: the number's tenant counts, not the agent's",
        );
    }
}

fn drift(drifted: &[String], complaints: &mut Vec<Complaint>) {
    let mut about = About {
        subject: "drift".to_owned(),
        complaints,
    };
    let examples = Examples::of(drifted.iter().cloned());
    if examples.count > 0 {
        let message = format!(
            "changed in the database since the last apply: {}",
            count_with_examples(&examples)
        );
        about.problem(
            "drift",
            message,
            "see `lkroute drift`; accept it into the files, or apply with --revert-drift",
        );
    }
}
