//! What one server, its trunk and its worker answer, for `doctor`. Imports core,
//! `livekit` and who is trusted.

use std::time::Duration;

use super::trusted_hosts;
use crate::dispatch::{Failure, JOB_LISTED_WITHIN, Limits};
use crate::doctor::{ProbeFailure, Probed};
use crate::fields::Field;
use crate::livekit::{
    Client, ProbeReport, Server, WorkerSeen, probe_server, probe_worker, reach_server,
};
use crate::resolve::ConfigFact;
use crate::secrets::Secret;
use crate::trust::{Refusal, Standing};

/// One server, as far as it can be asked; none without a URL. One that no
/// token may be sent to is looked at without any.
pub(super) async fn probe_config(
    config: &ConfigFact,
    secret: Option<&Secret>,
    standing: Option<&Standing>,
    limits: Limits,
    worker: bool,
) -> Option<Probed> {
    let url = config.text(Field::Url)?;
    let refused = match standing {
        Some(Standing::Trusted | Standing::Unknown(_)) => None,
        Some(Standing::Refused(refusal)) => Some(refusal.clone()),
        None => Some(Refusal::NoUrl),
    };
    if let Some(refusal) = refused {
        let mut probed = probed(reach_server(url, limits).await);
        probed.failures.push(ProbeFailure {
            code: "host-not-trusted".to_owned(),
            message: refusal.message(config.name()),
            action: refusal.hint(),
        });
        return Some(probed);
    }
    let (Some(secret), Some(api_key)) = (secret, config.text(Field::ApiKey)) else {
        return Some(probed(reach_server(url, limits).await));
    };
    let server = Server {
        url,
        api_key,
        api_secret: secret.expose(),
    };
    let mut probed = probed(probe_server(&server, config.text(Field::TrunkId), limits).await);
    if let Some(Standing::Unknown(to)) = standing {
        probed.notes.push(ProbeFailure {
            code: "host-not-approved".to_owned(),
            message: format!("it leads to {to}, {}", trusted_hosts::UNKNOWN_SERVER),
            action: format!(
                "`lkroute trust {} --reason …`, if it is yours",
                to.to_text()
            ),
        });
    }
    if let Some(name) = config.text(Field::WorkerName).filter(|_| worker)
        && probed.failures.is_empty()
        && let Ok(client) = Client::new(&server, limits)
    {
        try_worker(&client, (name, config.text(Field::Deployment)), &mut probed).await;
    }
    Some(probed)
}

fn probed(report: ProbeReport) -> Probed {
    let took = report
        .answered_in
        .map(|took| format!("{} ms", took.as_millis()));
    let clock = report.clock_ahead.filter(|seconds| seconds.abs() > 1);
    let clock = clock.map(|seconds| format!("its clock {seconds:+} s"));
    // livekit-sip is behind the server, which does not tell whether it runs:
    // only a call does.
    let sip = report.trunk_numbers.is_some();
    let sip = sip.then(|| "sip: not checked".to_owned());
    let figures: Vec<String> = took.into_iter().chain(clock).chain(sip).collect();
    Probed {
        failures: report.failures().map(probe_failure).collect(),
        figure: (!figures.is_empty()).then(|| figures.join(", ")),
        trunk_numbers: report.trunk_numbers,
        notes: Vec::new(),
    }
}

fn probe_failure(failure: &Failure) -> ProbeFailure {
    ProbeFailure {
        code: failure.cause.code().to_owned(),
        message: failure.meaning(),
        action: failure.cause.remedy().to_owned(),
    }
}

/// Tries the workers of that name, in that deployment.
async fn try_worker(
    client: &Client,
    (name, deployment): (&str, Option<&str>),
    probed: &mut Probed,
) {
    let within = deployment.map_or(String::new(), |name| format!(" in deployment `{name}`"));
    let wait = JOB_LISTED_WITHIN + Duration::from_secs(2);
    let tried = probe_worker(client, name, deployment, wait).await;
    let figure = match tried.seen {
        WorkerSeen::Took(_) => Some(format!("worker {name}{within} took a job")),
        WorkerSeen::NoOne => {
            probed.failures.push(ProbeFailure {
                code: "worker-missing".to_owned(),
                message: format!(
                    "no worker called `{name}`{within} took a job within {} s",
                    wait.as_secs()
                ),
                action: "start the worker under that name, or correct worker_name or deployment"
                    .to_owned(),
            });
            None
        }
        WorkerSeen::Failed(failure) => {
            probed.failures.push(probe_failure(&failure));
            None
        }
    };
    let figures = probed.figure.take().into_iter().chain(figure);
    probed.figure = Some(figures.collect::<Vec<_>>().join(", ")).filter(|text| !text.is_empty());
    if let Some(failure) = tried.left_behind {
        probed.failures.push(ProbeFailure {
            code: "room-left-behind".to_owned(),
            message: format!(
                "the trial's room {} could not be deleted: {failure}",
                tried.room
            ),
            action: "nothing: it closes by itself after a minute".to_owned(),
        });
    }
}
