//! The requests of one call, in their order, and what is noted of each.
//! Imports core and `livekit`.

use std::time::Duration;

use super::CallRequest;
use super::call_failure::{CallFailure, meaning};
use crate::dispatch::{Record, Request, Status, Traced};
use crate::error::Error;
use crate::livekit::{
    Call, CallOutcome, Cause, Client, JobSeen, JobStatus, SipCall, create_sip_participant,
    find_trunk, place_call, wait_for_agent,
};

/// Sends what is to be sent, and notes in the record what is known so far at
/// any time; the error says why there is no sure call.
pub(super) async fn send_call(
    asked: &CallRequest,
    client: &Client,
    request: &Request,
    record: &mut Record,
    warnings: &mut Vec<String>,
    stop: impl Future<Output = ()>,
) -> Option<Error> {
    let ended = tokio::select! {
        ended = all_steps(asked, client, request, record, warnings) => ended,
        () = stop => Err(CallFailure::Interrupted),
    };
    let failure = ended.err()?;
    let accepted = record.dispatch_id.is_some();
    let (status, error) = failure.status_and_error(request, accepted, asked.sip_ring.is_some());
    record.status = status;
    record.detail.message = Some(error.message.clone());
    Some(error)
}

async fn all_steps(
    asked: &CallRequest,
    client: &Client,
    request: &Request,
    record: &mut Record,
    warnings: &mut Vec<String>,
) -> Result<(), CallFailure> {
    if asked.wait_for_agent.is_some() {
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
        CallOutcome::Failed(failure) => return Err(CallFailure::failed(record, failure)),
        CallOutcome::Unknown { failure, .. } => {
            record.detail.cause = Some(failure.cause.code().to_owned());
            return Err(CallFailure::Unknown(failure));
        }
    }
    if let Some(wait) = asked.wait_for_agent {
        agent_took_it(client, request, record, wait).await?;
    }
    match asked.sip_ring {
        Some(ring) => dial_person(client, request, record, ring).await,
        None => Ok(()),
    }
}

/// A call that has to go through a trunk that is not there is not placed.
async fn trunk_is_there(
    client: &Client,
    request: &Request,
    record: &mut Record,
    warnings: &mut Vec<String>,
) -> Result<(), CallFailure> {
    match find_trunk(client, &request.trunk).await {
        Ok(_) => Ok(()),
        Err(failure) if failure.cause == Cause::SipNeedsRedis => {
            warnings.push(format!("trunk {}: {}", request.trunk, meaning(&failure)));
            Ok(())
        }
        Err(failure) => Err(CallFailure::failed(record, failure)),
    }
}

async fn agent_took_it(
    client: &Client,
    request: &Request,
    record: &mut Record,
    wait: Duration,
) -> Result<(), CallFailure> {
    match wait_for_agent(client, &request.room, &request.worker, wait).await {
        Ok(Some(job)) => {
            record.status = Status::PickedUp;
            record.worker_seen = Some(job.agent_name.clone());
            record.detail.agent = Some(traced(job));
            Ok(())
        }
        Ok(None) => Err(CallFailure::NoAgent(wait, None)),
        Err(failure) => {
            record.detail.cause = Some(failure.cause.code().to_owned());
            Err(CallFailure::NoAgent(wait, Some(failure)))
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

async fn dial_person(
    client: &Client,
    request: &Request,
    record: &mut Record,
    ring: Duration,
) -> Result<(), CallFailure> {
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
                true => CallFailure::DialUnknown(refused.failure),
                false => CallFailure::NotDialled(refused.failure),
            })
        }
    }
}
