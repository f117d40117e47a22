//! Looking at one server for `doctor`: each check passed, failed with a cause,
//! or was not reached because an earlier one failed. Imports `tokio`.

use std::time::Duration;

use uuid::Uuid;

use super::calls::delete_room;
use super::{Client, Server};
use crate::dispatch::{
    AgentSeen, AgentThere, Call, CallOutcome, CallServer, Cause, Dispatched, Failure, Limits,
    NewRoom, create_room, dispatch_into_room, find_trunk, wait_for_agent,
};

/// What became of one check.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Check {
    /// An earlier check failed, or it was not asked for.
    #[default]
    NotReached,
    Passed,
    Failed(Failure),
}

/// What a look at a server found, in the order of looking.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProbeReport {
    /// A connection, TLS where the URL says so, and LiveKit at its end.
    pub reachable: Check,
    /// `GET /` says that it is ready.
    pub ready: Check,
    /// The server knows the API key.
    pub key: Check,
    pub secret: Check,
    /// The server accepts the times in our tokens.
    pub clock: Check,
    /// The key may list rooms.
    pub grants: Check,
    pub trunk: Check,
    /// The numbers that the trunk lists, where it was found.
    pub trunk_numbers: Option<Vec<String>>,
    /// The server's clock minus ours, in seconds.
    pub clock_ahead: Option<i64>,
    /// From asking to the first byte of the first answer, connecting included.
    pub answered_in: Option<Duration>,
}

impl ProbeReport {
    /// The checks by name.
    pub fn named_checks(&self) -> [(&'static str, &Check); 7] {
        [
            ("reachable", &self.reachable),
            ("ready", &self.ready),
            ("key", &self.key),
            ("secret", &self.secret),
            ("clock", &self.clock),
            ("grants", &self.grants),
            ("trunk", &self.trunk),
        ]
    }

    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.named_checks()
            .into_iter()
            .filter_map(|(_, check)| match check {
                Check::Failed(failure) => Some(failure),
                Check::NotReached | Check::Passed => None,
            })
    }
}

/// Looks at a server and, where given, for a trunk; changes nothing there.
pub async fn probe_server(
    server: &Server<'_>,
    trunk_id: Option<&str>,
    limits: Limits,
) -> ProbeReport {
    let mut report = ProbeReport::default();
    match Client::new(server, limits) {
        Ok(client) => run_checks(&client, trunk_id, &mut report).await,
        Err(failure) => report.reachable = Check::Failed(failure),
    }
    report
}

/// The same without a key: whether LiveKit is there, and ready.
pub async fn reach_server(url: &str, limits: Limits) -> ProbeReport {
    let mut report = ProbeReport::default();
    let server = Server {
        url,
        api_key: "",
        api_secret: "",
    };
    match Client::new(&server, limits) {
        Ok(client) => drop(look_at_root(&client, &mut report).await),
        Err(failure) => report.reachable = Check::Failed(failure),
    }
    report
}

async fn run_checks(client: &Client, trunk_id: Option<&str>, report: &mut ProbeReport) {
    let whole = tokio::time::timeout(client.limits.whole, async {
        if look_at_root(client, report).await
            && look_with_key(client, report).await
            && let Some(trunk_id) = trunk_id
        {
            look_for_trunk(client, trunk_id, report).await;
        }
    });
    if whole.await.is_err() {
        let next = match report {
            ProbeReport {
                reachable: next @ Check::NotReached,
                ..
            }
            | ProbeReport {
                key: next @ Check::NotReached,
                ..
            } => next,
            ProbeReport { trunk, .. } => trunk,
        };
        *next = Check::Failed(Cause::Timeout.into());
    }
}

async fn look_at_root(client: &Client, report: &mut ProbeReport) -> bool {
    let found = match client.look_at_root().await {
        Ok(answer) => {
            report.answered_in = Some(answer.took);
            report.clock_ahead = answer.clock_ahead;
            answer.check_root()
        }
        Err(failure) => Err(failure),
    };
    match found {
        Ok(()) => (report.reachable, report.ready) = (Check::Passed, Check::Passed),
        Err(failure) if failure.cause == Cause::NotReady => {
            report.reachable = Check::Passed;
            report.ready = Check::Failed(failure);
        }
        Err(failure) => {
            report.reachable = Check::Failed(failure);
            return false;
        }
    }
    true
}

async fn look_with_key(client: &Client, report: &mut ProbeReport) -> bool {
    let Err(failure) = client.look_with_key().await else {
        for check in [
            &mut report.key,
            &mut report.secret,
            &mut report.clock,
            &mut report.grants,
        ] {
            *check = Check::Passed;
        }
        return true;
    };
    let (passed, failed) = match failure.cause {
        Cause::KeyUnknown => (vec![], &mut report.key),
        Cause::SecretWrong => (vec![&mut report.key], &mut report.secret),
        Cause::ClockSkew => (vec![&mut report.key, &mut report.secret], &mut report.clock),
        Cause::NoGrant => (
            vec![&mut report.key, &mut report.secret, &mut report.clock],
            &mut report.grants,
        ),
        _ => (vec![], &mut report.reachable),
    };
    passed.into_iter().for_each(|check| *check = Check::Passed);
    *failed = Check::Failed(failure);
    false
}

async fn look_for_trunk(client: &Client, trunk_id: &str, report: &mut ProbeReport) {
    report.trunk = match find_trunk(client, trunk_id).await {
        Ok(numbers) => {
            report.trunk_numbers = Some(numbers);
            Check::Passed
        }
        Err(failure) => Check::Failed(failure),
    };
}

/// What a trial of a worker left and found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerProbe {
    /// The room that was made for it.
    pub room: String,
    pub seen: WorkerSeen,
    /// Why the room could not be deleted. It then closes by itself after a
    /// minute without participants.
    pub left_behind: Option<Failure>,
}

/// Whether a worker answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerSeen {
    Took(AgentThere),
    /// The server accepted the dispatch; no worker of that name took it.
    NoOne,
    Failed(Failure),
}

/// Tries a worker: one dispatch in a room of its own, with metadata that names
/// no phone number and says `"lkroute_probe": true`, and the room deleted
/// afterwards. Side effect: the worker's entry point runs once.
pub async fn probe_worker(
    client: &Client,
    agent_name: &str,
    deployment: Option<&str>,
    wait: Duration,
) -> WorkerProbe {
    let job_id = Uuid::new_v4();
    let room = format!("lkroute-probe-{}", job_id.simple());
    let job_id = job_id.to_string();
    let metadata = serde_json::json!({"lkroute_probe": true, "job_id": job_id}).to_string();
    let call = Call {
        room: &room,
        agent_name,
        deployment,
        metadata: &metadata,
        job_id: &job_id,
    };

    let seen = try_worker(client, &call, wait).await;
    WorkerProbe {
        seen,
        left_behind: delete_room(client, &room).await.err(),
        room,
    }
}

async fn try_worker(client: &Client, call: &Call<'_>, wait: Duration) -> WorkerSeen {
    let short_lived = NewRoom {
        name: call.room,
        empty_timeout: Some(60),
    };
    let until = client.elapsed() + client.limits.whole;
    if let Err(none) = create_room(client, &short_lived, until).await {
        return WorkerSeen::Failed(none.failure);
    }
    match dispatch_into_room(client, call, until).await {
        CallOutcome::Failed(failure)
        | CallOutcome::NotBegun(failure)
        | CallOutcome::Unknown { failure, .. } => WorkerSeen::Failed(failure),
        CallOutcome::Dispatched { dispatch_id, .. } => {
            let dispatched = Dispatched {
                room: call.room,
                dispatch_id: &dispatch_id,
            };
            match wait_for_agent(client, &dispatched, wait).await {
                AgentSeen::There(there) => WorkerSeen::Took(there),
                AgentSeen::NoOne | AgentSeen::TooShort => WorkerSeen::NoOne,
                AgentSeen::Gone => WorkerSeen::Failed(Cause::RoomMissing.into()),
                AgentSeen::NotKnown(failure) => WorkerSeen::Failed(failure),
            }
        }
    }
}
