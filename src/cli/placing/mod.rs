//! Placing one call: look up, record, send, record what happened. Imports
//! core, `livekit`, the store and `secrets`.

mod ended;

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use ended::{Ended, meaning, not_placed};

use super::actor;
use super::lookup::{self, Answer, Question};
use super::signals::asked_to_stop;
use crate::dispatch::{Ids, Record, Request, Status, Traced, Wish, clash};
use crate::error::{Error, Exit, Result};
use crate::livekit::{
    Call, CallOutcome, Cause, Client, JobSeen, JobStatus, Limits, Server, SipCall,
    create_sip_participant, find_trunk, place_call, wait_for_agent,
};
use crate::render::calls::CallView;
use crate::resolve::{Resolution, RoutingEnv};
use crate::secrets::KeyRing;
use crate::store::Store;

/// How calls are placed.
pub struct Placing {
    pub ring: KeyRing,
    pub env: RoutingEnv,
    pub limits: Limits,
    /// How long to wait for an agent, where one is waited for.
    pub wait: Option<Duration>,
    /// How long to let it ring, where the person is dialled from here.
    pub sip: Option<Duration>,
    pub actor: String,
}

/// One call to place.
pub struct Ask {
    pub question: Question,
    pub wish: Wish,
    pub key: Option<String>,
}

/// What became of it.
#[derive(Debug, Default)]
pub struct Placed {
    pub resolution: Option<Resolution>,
    pub request: Option<Request>,
    pub record: Option<Record>,
    pub repeated: bool,
    /// Why there is no call, or none that is sure.
    pub error: Option<Error>,
    pub warnings: Vec<String>,
}

impl Placed {
    pub fn exit(&self) -> Exit {
        match (&self.error, &self.record) {
            (Some(error), _) => error.exit,
            (None, Some(record)) => record.status.exit(),
            (None, None) => Exit::Done,
        }
    }

    pub fn view(&self) -> CallView<'_> {
        CallView {
            resolution: self.resolution.as_ref(),
            request: self.request.as_ref(),
            record: self.record.as_ref(),
            repeated: self.repeated,
            error: self.error.as_ref(),
        }
    }
}

/// RFC 3339, UTC.
pub fn now() -> String {
    format!("{:.3}", Timestamp::now())
}

impl Placing {
    pub fn new(ring: KeyRing, limits: Limits) -> Placing {
        Placing {
            ring,
            env: lookup::environment(),
            limits,
            wait: None,
            sip: None,
            actor: actor::actor(|name| std::env::var(name).ok()),
        }
    }

    /// Places one call, at most once for each key.
    ///
    /// # Errors
    /// The database can't be asked, or can't take the record: nothing was sent.
    pub async fn place(&self, store: &mut Store, ask: &Ask) -> Result<Placed> {
        if let Some(key) = &ask.key
            && let Some(first) = store.call_of_key(key).await?
        {
            return Ok(repeat(first, &ask.question));
        }
        let found = lookup::find(store, &ask.question, &self.env).await;
        let mut placed = Placed::default();
        let found = match found {
            Ok(found) => found,
            Err(error) => return Ok(Placed::lost(&ask.question, error)),
        };
        let answer = lookup::answer(found, &ask.question, &self.env, &self.ring);
        let ready = answer.and_then(|answer| self.prepare(answer, ask, &mut placed));
        let (request, client) = match ready {
            Ok(ready) => ready,
            Err(error) => {
                placed.error = Some(error);
                return Ok(placed);
            }
        };
        let mut record = request.record(now(), self.actor.clone(), ask.key.clone());
        if let Some(first) = store.record_call(&record).await? {
            return Ok(repeat(first, &ask.question));
        }
        placed.error = self
            .send(&client, &request, &mut record, &mut placed.warnings)
            .await;
        complete(store, &mut record, &mut placed).await;
        placed.request = Some(request);
        placed.record = Some(record);
        Ok(placed)
    }

    /// The request and the connection that it goes through; nothing is sent
    /// yet.
    fn prepare(&self, answer: Answer, ask: &Ask, placed: &mut Placed) -> Result<(Request, Client)> {
        let resolution = placed.resolution.insert(answer.resolution);
        let outcome = resolution.outcome.clone()?;
        let request = Request::new(ask.question.from, &outcome, &ask.wish, answer.agent, ids())?;
        let Some(secret) = answer.secret else {
            let whose = match &request.config {
                Some((_, name)) => format!("the secret of config {name}"),
                None => "LIVEKIT_API_SECRET".to_owned(),
            };
            let why = answer
                .sealed
                .clone()
                .unwrap_or_else(|| "it is not there".to_owned());
            let hint = "put its key into LKROUTE_KEYS (or LIVEKIT_SECRET_ENCRYPTION_KEY), or seal \
                        the secret again and apply; today's service would have fallen back to \
                        the environment here, without a word";
            resolution.without_secret(format!("{whose} does not open: {why}"), hint);
            let refused = resolution.outcome.clone().map(drop);
            return Err(refused.err().map_or_else(|| Error::new(why), Error::from));
        };
        let api_key = outcome.route.api_key.as_deref().unwrap_or_default();
        let server = Server {
            url: &request.url,
            api_key,
            api_secret: secret.expose(),
        };
        let client = Client::new(&server, self.limits).map_err(|failure| not_placed(&failure))?;
        Ok((request, client))
    }

    /// Sends what is to be sent, and notes in the record what is known so
    /// far at any time; the error says why there is no sure call.
    async fn send(
        &self,
        client: &Client,
        request: &Request,
        record: &mut Record,
        warnings: &mut Vec<String>,
    ) -> Option<Error> {
        let ended = tokio::select! {
            ended = self.steps(client, request, record, warnings) => ended,
            () = asked_to_stop() => Err(Ended::Interrupted),
        };
        let ended = ended.err()?;
        let (status, error) =
            ended.judge(request, record.dispatch_id.is_some(), self.sip.is_some());
        record.status = status;
        record.detail.message = Some(error.message.clone());
        Some(error)
    }

    async fn steps(
        &self,
        client: &Client,
        request: &Request,
        record: &mut Record,
        warnings: &mut Vec<String>,
    ) -> Result<(), Ended> {
        if self.wait.is_some() {
            trunk_is_there(client, request, record, warnings).await?;
        }
        let job_id = request.ids.job.to_string();
        let call = Call {
            room: &request.room,
            agent_name: &request.worker,
            metadata: &request.metadata,
            job_id: &job_id,
        };
        match place_call(client, &call).await {
            CallOutcome::Dispatched {
                dispatch_id,
                adopted,
            } => {
                record.dispatch_id = Some(dispatch_id);
                record.detail.adopted = adopted;
                record.status = Status::Accepted;
            }
            CallOutcome::Failed(failure) => return Err(Ended::failed(record, failure)),
            CallOutcome::Unknown { failure, .. } => {
                record.detail.cause = Some(failure.cause.code().to_owned());
                return Err(Ended::Unknown(failure));
            }
        }
        if let Some(wait) = self.wait {
            agent_took_it(client, request, record, wait).await?;
        }
        match self.sip {
            Some(ring) => dial(client, request, record, ring).await,
            None => Ok(()),
        }
    }
}

impl Placed {
    /// The look-up itself failed.
    pub fn lost(question: &Question, error: Error) -> Placed {
        Placed {
            resolution: Some(lookup::failed(question, &error)),
            error: Some(error),
            ..Placed::default()
        }
    }
}

/// Completes the record. A call that failed gives its key back: there is no
/// call, and it may be tried again.
async fn complete(store: &mut Store, record: &mut Record, placed: &mut Placed) {
    record.finished_at = Some(now());
    let key = record.idempotency_key.clone();
    if record.status == Status::Failed {
        record.idempotency_key = None;
    }
    if let Err(error) = store.complete_call(record).await {
        placed.warnings.push(format!(
            "the record of this call could not be completed: {error}"
        ));
    }
    record.idempotency_key = key;
}

/// The first outcome of this key.
fn repeat(first: Record, question: &Question) -> Placed {
    let tenant = match &question.whose {
        lookup::Whose::Tenant(name) => Uuid::parse_str(name).ok(),
        _ => None,
    };
    let to = question.to.as_deref().unwrap_or_default();
    if let Err(error) = clash(&first, question.from, to, tenant) {
        return Placed {
            error: Some(error),
            ..Placed::default()
        };
    }
    let message = match (&first.detail.message, first.status) {
        (Some(message), _) => Some(message.clone()),
        (None, Status::InQueue) => Some(format!(
            "lkroute was ended before it knew what became of it; its room would be {}",
            first.room
        )),
        _ => None,
    };
    let error = message.map(|message| {
        let message = format!("the first call with this key: {message}");
        Error::exit(first.status.exit(), message)
    });
    Placed {
        record: Some(first),
        repeated: true,
        error,
        ..Placed::default()
    }
}

/// Ids that nobody has had.
pub fn ids() -> Ids {
    let (record, job) = (Uuid::now_v7(), Uuid::new_v4());
    let random = Uuid::new_v4();
    let [a, b, c, d, ..] = *random.as_bytes();
    Ids {
        record,
        job,
        room: u32::from_be_bytes([a, b, c, d]),
    }
}

/// A call that has to go through a trunk that is not there is not placed.
async fn trunk_is_there(
    client: &Client,
    request: &Request,
    record: &mut Record,
    warnings: &mut Vec<String>,
) -> Result<(), Ended> {
    match find_trunk(client, &request.trunk).await {
        Ok(_) => Ok(()),
        Err(failure) if failure.cause == Cause::SipNeedsRedis => {
            warnings.push(format!("trunk {}: {}", request.trunk, meaning(&failure)));
            Ok(())
        }
        Err(failure) => Err(Ended::failed(record, failure)),
    }
}

async fn agent_took_it(
    client: &Client,
    request: &Request,
    record: &mut Record,
    wait: Duration,
) -> Result<(), Ended> {
    match wait_for_agent(client, &request.room, &request.worker, wait).await {
        Ok(Some(job)) => {
            record.status = Status::PickedUp;
            record.worker_seen = Some(job.agent_name.clone());
            record.detail.agent = Some(traced(job));
            Ok(())
        }
        Ok(None) => Err(Ended::NoAgent(wait, None)),
        Err(failure) => {
            record.detail.cause = Some(failure.cause.code().to_owned());
            Err(Ended::NoAgent(wait, Some(failure)))
        }
    }
}

fn traced(job: JobSeen) -> Traced {
    Traced {
        job_id: job.job_id,
        agent_name: job.agent_name,
        worker_id: job.worker_id,
        participant: job.participant_identity,
        status: match job.status {
            JobStatus::Pending => "pending",
            JobStatus::Running => "running",
            JobStatus::Success => "success",
            JobStatus::Failed => "failed",
        }
        .to_owned(),
        error: Some(job.error).filter(|error| !error.is_empty()),
    }
}

async fn dial(
    client: &Client,
    request: &Request,
    record: &mut Record,
    ring: Duration,
) -> Result<(), Ended> {
    let from = request.from.to_string();
    let call = SipCall {
        trunk_id: &request.trunk,
        to: &request.formatted,
        from: Some(&from),
        room: &request.room,
        identity: "callee",
        wait_for_answer: Some(ring),
    };
    match create_sip_participant(client, &call).await {
        Ok(placed) => {
            record.detail.sip_call_id = Some(placed.sip_call_id);
            Ok(())
        }
        Err(refused) => {
            record.detail.sip_status = refused.sip_status;
            record.detail.cause = Some(refused.failure.cause.code().to_owned());
            Err(match refused.unclear {
                true => Ended::DialUnknown(refused.failure),
                false => Ended::NotDialled(refused.failure),
            })
        }
    }
}
