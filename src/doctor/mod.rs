//! `doctor`: everything that would fail a call, found before a customer does.
//! Core: judges facts that others gathered; the live probes of servers come
//! in as [`ProbeFailure`]s.

mod drift;
mod findings;
mod survey;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

pub use drift::DriftSurvey;
pub use findings::{
    AgentTenantMismatch, Complaint, ComplaintSeverity, ConfigRow, DoctorFacts, DoctorFindings,
    ProbeFailure, Probed,
};
pub use survey::{Examples, Numbers, Survey};

use crate::fields::Field;
use crate::format_versions;
use crate::phone::E164;
use crate::resolve::{ConfigFact, Fallback, SecretState, host_of};
use ComplaintSeverity::{Note, Problem};
use findings::all_well;

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

impl<'a> About<'a> {
    fn new(subject: &str, complaints: &'a mut Vec<Complaint>) -> About<'a> {
        About {
            subject: subject.to_owned(),
            complaints,
        }
    }

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
        self.add(Problem, check, message.into(), action);
    }

    fn note(&mut self, check: &str, message: impl Into<String>, action: &str) {
        self.add(Note, check, message.into(), action);
    }

    /// One complaint of several things of a kind, where there are any.
    fn several(
        &mut self,
        severity: ComplaintSeverity,
        check: &str,
        examples: &Examples,
        message: impl FnOnce(&str) -> String,
        action: &str,
    ) {
        if examples.count > 0 {
            let message = message(&count_with_examples(examples));
            self.add(severity, check, message, action);
        }
    }
}

fn config_row(config: &ConfigFact, facts: &DoctorFacts<'_>) -> ConfigRow {
    let name = config.name();
    let bound = facts.numbers.bound.get(name);
    let bound = bound.map_or(&[][..], Vec::as_slice);
    let probe = facts.probes.get(name);
    let mut complaints = Vec::new();
    let mut about = About::new(name, &mut complaints);
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
    let row = fallback.config.id.and_then(|id| facts.configs.get(id));
    if row.is_some_and(|row| row.place.row.is_some() && row.place.apply.is_none()) {
        return about.problem(
            "fallback-not-applied",
            format!("its fallback {name} is not lkroute's, so it takes no call"),
            "declare it in the files, and apply",
        );
    }
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
    let mut about = About::new("numbers", complaints);
    for ((code, message), examples) in &numbers.failing {
        let message = format!("{message}: {}", count_with_examples(examples));
        about.problem(
            code,
            message,
            "bind them to a config that exists, and apply",
        );
    }
    for ((code, message), examples) in &numbers.broken_rules {
        let message = format!("{message}: {}", count_with_examples(examples));
        let action = "repair the rule: in the files, and apply; of a row of others, in the \
                      application";
        about.problem(code, message, action);
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
        broken_rules: _,
    } = numbers;
    about.several(
        Problem,
        "duplicate-rows",
        duplicates,
        |them| {
            format!("several active rows of one tenant hold {them}: calls fail, as none is picked")
        },
        "make all but one inactive in the application",
    );
    about.several(
        Problem,
        "number-unreadable",
        unreadable,
        |them| format!("no number can be read from {them}: never matched"),
        "repair country_code and base_number",
    );
    about.several(
        Problem,
        "rules-no-object",
        odd_rules,
        |them| format!("`rules` is no JSON object: {them}"),
        "repair the column in the application",
    );
    about.several(
        Note,
        "number-without-config",
        environment,
        |them| format!("{them} would fall back to the environment, having no config"),
        "bind them to a config where they are to call",
    );
}

fn count_with_examples(examples: &Examples) -> String {
    format!("{} ({})", examples.count, examples.shown())
}

fn mixed(mixed: &[AgentTenantMismatch], complaints: &mut Vec<Complaint>) {
    let examples = Examples::of(mixed.iter().map(|mixed| {
        format!(
            "agent {} of {} at {} of {}",
            mixed.agent, mixed.agent_tenant, mixed.number, mixed.tenant
        )
    }));
    About::new("agents", complaints).several(
        Note,
        "agent-of-other-tenant",
        &examples,
        |them| format!("default agents belong to another tenant than their number: {them}"),
        "nothing, if it is meant: the number's tenant counts, not the agent's",
    );
}

fn drift(drifted: &[String], complaints: &mut Vec<Complaint>) {
    About::new("drift", complaints).several(
        Problem,
        "drift",
        &Examples::of(drifted.iter().cloned()),
        |them| format!("changed in the database since the last apply: {them}"),
        "see `lkroute drift`; accept it into the files, or apply with --revert-drift",
    );
}
