//! The requests of one call, in their order, and what is noted of each.
//! Imports core, `livekit` and the store.

use std::time::{Duration, Instant};

use super::call_failure::{CallFailure, TRUNK_LACKS_NUMBER, meaning};
use super::call_recorder::note_accepted;
use super::call_request::{CallRequest, SipRequest};
use crate::app::Context;
use crate::dispatch::{Record, Request, Status, Traced};
use crate::livekit::{
    AgentSeen, AgentThere, Call, CallOutcome, Cause, Client, Dispatched, JobSeen, JobStatus,
    SipCall, create_sip_participant, find_trunk, place_call, wait_for_agent, wait_for_participant,
};
use crate::store::Store;

/// How long an agent that took a job may take to be in the room. One that
/// raises or dies never is.
pub(in crate::app) const JOINS_WITHIN: Duration = Duration::from_secs(5);

/// One call that is being placed.
pub(super) struct CallUnderWay<'a> {
    pub context: &'a Context<'a>,
    pub asked: &'a CallRequest,
    pub client: &'a Client,
    pub request: &'a Request,
    pub record: &'a mut Record,
    pub warnings: &'a mut Vec<String>,
    pub store: &'a mut Store,
}

impl CallUnderWay<'_> {
    /// Sends what is to be sent, and notes in the record what is known so far
    /// at any time.
    pub async fn send(&mut self, stop: impl Future<Output = ()>) -> Result<(), CallFailure> {
        tokio::select! {
            ended = self.all_steps() => ended,
            () = stop => Err(CallFailure::Interrupted),
        }
    }

    async fn all_steps(&mut self) -> Result<(), CallFailure> {
        let not_looked_at = self.look_at_trunk().await?;
        self.dispatch_agent().await?;
        self.warnings.extend(not_looked_at);
        let wait = self.asked.wait();
        if wait.is_some() {
            note_accepted(self.store, self.record, self.warnings).await;
        }
        if let Some(wait) = wait {
            self.agent_took_it(wait).await?;
        }
        match &self.asked.sip {
            Some(sip) => self.dial_person(sip).await,
            None => Ok(()),
        }
    }

    /// A trunk that is not there, or that does not list the calling number,
    /// stops the call: the server would take another number of the trunk, or
    /// go out by the wrong carrier. What could not be looked at does not.
    async fn look_at_trunk(&mut self) -> Result<Option<String>, CallFailure> {
        let trunk = &self.request.trunk;
        match find_trunk(self.client, trunk).await {
            Ok(numbers) if lists_number(&numbers, &self.request.from.to_string()) => Ok(None),
            // Never on the server of another config.
            Ok(_) if self.asked.allow_unlisted_number && self.request.fallback.is_none() => {
                self.record.detail.allowed = Some(TRUNK_LACKS_NUMBER.to_owned());
                Ok(Some(format!(
                    "trunk {trunk} does not list {}; the call was let through by --allow \
                     {TRUNK_LACKS_NUMBER}",
                    self.request.from
                )))
            }
            Ok(_) => {
                self.record.detail.cause = Some(TRUNK_LACKS_NUMBER.to_owned());
                Err(CallFailure::TrunkLacksNumber)
            }
            Err(failure) if failure.cause == Cause::TrunkMissing => {
                Err(CallFailure::not_begun(self.record, failure))
            }
            // What takes another config's calls has to be seen to show the number.
            Err(failure) if self.request.fallback.is_some() => {
                Err(CallFailure::failed(self.record, failure))
            }
            Err(failure) => Ok(Some(format!(
                "whether trunk {trunk} is there and lists {} was not seen: {}",
                self.request.from,
                meaning(&failure)
            ))),
        }
    }

    async fn dispatch_agent(&mut self) -> Result<(), CallFailure> {
        let job_id = self.request.ids.job.to_string();
        let call = Call {
            room: &self.request.room,
            agent_name: &self.request.worker,
            deployment: self.request.deployment.as_deref(),
            metadata: &self.request.metadata,
            job_id: &job_id,
        };
        match place_call(self.client, &call).await {
            CallOutcome::Dispatched {
                dispatch_id,
                adopted,
            } => {
                self.record.dispatch_id = Some(dispatch_id);
                self.record.detail.adopted = adopted;
                self.record.status = Status::Accepted;
                Ok(())
            }
            CallOutcome::Failed(failure) => Err(CallFailure::failed(self.record, failure)),
            CallOutcome::NotBegun(failure) => Err(CallFailure::not_begun(self.record, failure)),
            CallOutcome::Unknown { failure, .. } => {
                self.record.detail.cause = Some(failure.cause.code().to_owned());
                Err(CallFailure::Unknown(failure))
            }
        }
    }

    async fn agent_took_it(&mut self, wait: Duration) -> Result<(), CallFailure> {
        let dispatched = Dispatched {
            room: &self.request.room,
            dispatch_id: self.record.dispatch_id.as_deref().unwrap_or_default(),
        };
        let seen = match wait_for_agent(self.client, &dispatched, wait).await {
            AgentSeen::There(seen) => seen,
            AgentSeen::NoOne => return Err(CallFailure::NoAgent(wait)),
            AgentSeen::TooShort => return Err(CallFailure::TooShort(wait)),
            AgentSeen::Gone => {
                self.record.detail.cause = Some("gone".to_owned());
                return Err(CallFailure::Gone);
            }
            AgentSeen::NotKnown(failure) => {
                self.record.detail.cause = Some(failure.cause.code().to_owned());
                return Err(CallFailure::NotSeen(failure));
            }
        };
        note_agent(self.record, seen);
        if self.record.detail.in_room.is_none() {
            let joined = wait_for_participant(self.client, &self.request.room, JOINS_WITHIN).await;
            self.record.detail.in_room = joined.unwrap_or_default();
        }
        match (&self.record.detail.in_room, &self.asked.sip) {
            (Some(_), _) => Ok(()),
            (None, Some(_)) => Err(CallFailure::NotInRoom),
            (None, None) => {
                self.warnings.push(format!(
                    "an agent took the job, and was not seen in the room within {} s: the call \
                     was short, or the agent failed (its log tells)",
                    JOINS_WITHIN.as_secs()
                ));
                Ok(())
            }
        }
    }

    async fn dial_person(&mut self, sip: &SipRequest) -> Result<(), CallFailure> {
        let from = self.request.from.to_string();
        let call = SipCall {
            trunk_id: &self.request.trunk,
            to: &self.request.formatted,
            from: Some(&from),
            room: &self.request.room,
            identity: "callee",
            headers: &sip.headers,
            display_name: sip.display_name.as_deref(),
            wait_for_answer: Some(sip.ring),
        };
        self.record.detail.dialled_at = Some(self.context.now());
        let began = Instant::now();
        let dialled = create_sip_participant(self.client, &call).await;
        self.record.detail.dial_ended_at = Some(self.context.now());
        match dialled {
            Ok(placed) => {
                let after = u64::try_from(began.elapsed().as_millis()).ok();
                self.record.status = Status::Answered;
                self.record.detail.answered_after = after;
                self.record.detail.sip_call_id = Some(placed.sip_call_id);
                Ok(())
            }
            Err(refused) => {
                self.record.detail.sip_status = refused.sip_status;
                self.record.detail.cause = Some(refused.failure.cause.code().to_owned());
                Err(match refused.unclear {
                    true => CallFailure::DialUnknown(refused.failure),
                    false => CallFailure::NotReached(refused.failure),
                })
            }
        }
    }
}

/// Whether a trunk may show this number: it lists none, all, or this one.
fn lists_number(listed: &[String], number: &str) -> bool {
    let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
    listed.is_empty()
        || listed.iter().any(|other| other == "*")
        || listed.iter().any(|other| digits(other) == digits(number))
}

/// Notes that an agent was seen.
pub(in crate::app) fn note_agent(record: &mut Record, seen: AgentThere) {
    record.status = Status::PickedUp;
    record.detail.in_room = seen.participant;
    if let Some(job) = seen.job {
        record.worker_seen = Some(job.agent_name.clone());
        record.detail.agent = Some(trace_job(job));
    }
}

fn trace_job(job: JobSeen) -> Traced {
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

#[cfg(test)]
mod tests {
    use super::lists_number;

    #[test]
    fn a_trunk_lists_a_number_however_it_is_written() {
        let lists = |listed: &[&str]| {
            let listed: Vec<String> = listed.iter().map(|&text| text.to_owned()).collect();
            lists_number(&listed, "+971545335200")
        };
        assert!(lists(&[]) && lists(&["*"]) && lists(&["971545335200"]));
        assert!(lists(&["+14155550100", "+971 54 533 5200"]));
        assert!(!lists(&["+14155550100"]) && !lists(&["545335200"]));
    }
}
