//! The requests of a call, as LiveKit's messages. What is sent, and how often,
//! decides `dispatch`. Imports LiveKit's messages.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use livekit_protocol::participant_info::{Kind, State};
use livekit_protocol::{self as proto, AgentDispatch};
use tokio::time::sleep;

use super::Client;
use super::request::{
    CREATE_DISPATCH, CREATE_ROOM, CREATE_SIP_PARTICIPANT, DELETE_DISPATCH, DELETE_ROOM,
    LIST_DISPATCH, LIST_OUTBOUND_TRUNKS, LIST_PARTICIPANTS,
};
use super::token::Grant;
use crate::dispatch::{
    Call, CallServer, Cause, Failure, JobSeen, JobStatus, Limits, ListedDispatch, NewRoom,
    Participant, ParticipantKind, RequestError, SipCall, SipPlaced, one_line,
};

/// What [`CallServer::elapsed`] counts from.
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

impl CallServer for Client {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn elapsed(&self) -> Duration {
        BEGAN.elapsed()
    }

    async fn pause(&self, time: Duration) {
        sleep(time).await;
    }

    async fn list_trunks(
        &self,
        limit: Duration,
    ) -> Result<Vec<(String, Vec<String>)>, RequestError> {
        let all = proto::ListSipOutboundTrunkRequest::default();
        let listed = self.send_message(LIST_OUTBOUND_TRUNKS, Grant::SipAdmin, &all, limit);
        let listed: proto::ListSipOutboundTrunkResponse = listed.await?;
        let trunks = listed.items.into_iter();
        Ok(trunks
            .map(|trunk| (trunk.sip_trunk_id, trunk.numbers))
            .collect())
    }

    async fn create_room(
        &self,
        room: &NewRoom<'_>,
        limit: Duration,
    ) -> Result<String, RequestError> {
        let request = proto::CreateRoomRequest {
            name: room.name.to_owned(),
            empty_timeout: room.empty_timeout.unwrap_or_default(),
            ..Default::default()
        };
        let made = self.send_message(CREATE_ROOM, Grant::CreateRooms, &request, limit);
        let made: proto::Room = made.await?;
        Ok(made.name)
    }

    async fn create_dispatch(
        &self,
        call: &Call<'_>,
        limit: Duration,
    ) -> Result<String, RequestError> {
        let request = proto::CreateAgentDispatchRequest {
            agent_name: call.agent_name.to_owned(),
            room: call.room.to_owned(),
            metadata: call.metadata.to_owned(),
            deployment: call.deployment.unwrap_or_default().to_owned(),
            ..Default::default()
        };
        let grant = Grant::RoomAdmin(call.room);
        let made: AgentDispatch = self
            .send_message(CREATE_DISPATCH, grant, &request, limit)
            .await?;
        Ok(made.id)
    }

    async fn list_dispatches(
        &self,
        room: &str,
        limit: Duration,
    ) -> Result<Vec<ListedDispatch>, RequestError> {
        let request = proto::ListAgentDispatchRequest {
            room: room.to_owned(),
            ..Default::default()
        };
        let listed: proto::ListAgentDispatchResponse = self
            .send_message(LIST_DISPATCH, Grant::RoomAdmin(room), &request, limit)
            .await?;
        let dispatches = listed.agent_dispatches.into_iter();
        Ok(dispatches.map(ListedDispatch::from).collect())
    }

    async fn list_participants(
        &self,
        room: &str,
        limit: Duration,
    ) -> Result<Vec<Participant>, RequestError> {
        let request = proto::ListParticipantsRequest {
            room: room.to_owned(),
        };
        let listed: proto::ListParticipantsResponse = self
            .send_message(LIST_PARTICIPANTS, Grant::RoomAdmin(room), &request, limit)
            .await?;
        let present = listed.participants.into_iter();
        let present = present.filter(|there| there.state() != State::Disconnected);
        Ok(present.map(Participant::from).collect())
    }

    async fn dial(&self, call: &SipCall<'_>, limit: Duration) -> Result<SipPlaced, RequestError> {
        let request = proto::CreateSipParticipantRequest {
            sip_trunk_id: call.trunk_id.to_owned(),
            sip_call_to: call.to.to_owned(),
            sip_number: call.from.unwrap_or_default().to_owned(),
            room_name: call.room.to_owned(),
            participant_identity: call.identity.to_owned(),
            headers: call.headers.iter().cloned().collect(),
            display_name: call.display_name.map(str::to_owned),
            wait_until_answered: call.wait_for_answer.is_some(),
            ringing_timeout: call.wait_for_answer.map(Into::into),
            ..Default::default()
        };
        let made = self.send_message(CREATE_SIP_PARTICIPANT, Grant::SipCall, &request, limit);
        let made: proto::SipParticipantInfo = made.await?;
        Ok(SipPlaced {
            sip_call_id: made.sip_call_id,
            participant_id: made.participant_id,
            participant_identity: made.participant_identity,
        })
    }
}

impl From<AgentDispatch> for ListedDispatch {
    fn from(dispatch: AgentDispatch) -> ListedDispatch {
        let jobs = dispatch.state.as_ref().map(|state| state.jobs.as_slice());
        ListedDispatch {
            job: jobs.and_then(<[_]>::first).map(JobSeen::from),
            id: dispatch.id,
            agent_name: dispatch.agent_name,
            metadata: dispatch.metadata,
        }
    }
}

impl From<&proto::Job> for JobSeen {
    fn from(job: &proto::Job) -> JobSeen {
        let state = job.state.clone().unwrap_or_default();
        JobSeen {
            job_id: job.id.clone(),
            agent_name: job.agent_name.clone(),
            status: match state.status() {
                proto::JobStatus::JsPending => JobStatus::Pending,
                proto::JobStatus::JsRunning => JobStatus::Running,
                proto::JobStatus::JsSuccess => JobStatus::Success,
                proto::JobStatus::JsFailed => JobStatus::Failed,
            },
            worker_id: state.worker_id,
            participant_identity: state.participant_identity,
            error: one_line(&state.error),
        }
    }
}

impl From<proto::ParticipantInfo> for Participant {
    fn from(there: proto::ParticipantInfo) -> Participant {
        let attribute = |name| there.attributes.get(name).cloned();
        Participant {
            kind: match there.kind() {
                Kind::Agent => ParticipantKind::Agent,
                Kind::Sip => ParticipantKind::Phone,
                _ => ParticipantKind::Other,
            },
            call_status: attribute("sip.callStatus"),
            call_id: attribute("sip.callID"),
            identity: there.identity,
        }
    }
}

/// Ends a call: its dispatch and its room. Nothing to end is no error.
///
/// # Errors
/// The server could not be asked, or refused.
pub async fn end_call(client: &Client, room: &str, dispatch: Option<&str>) -> Result<(), Failure> {
    if let Some(id) = dispatch {
        let request = proto::DeleteAgentDispatchRequest {
            dispatch_id: id.to_owned(),
            room: room.to_owned(),
        };
        let grant = Grant::RoomAdmin(room);
        let step = client.limits.step;
        let ended: Result<AgentDispatch, RequestError> = client
            .send_message(DELETE_DISPATCH, grant, &request, step)
            .await;
        ended.map(drop).or_else(unless_missing)?;
    }
    delete_room(client, room).await
}

/// Deletes a room; where there is none, that is no error.
///
/// # Errors
/// The server could not be asked, or refused.
pub(super) async fn delete_room(client: &Client, room: &str) -> Result<(), Failure> {
    let request = proto::DeleteRoomRequest {
        room: room.to_owned(),
    };
    let step = client.limits.step;
    let ended: Result<proto::DeleteRoomResponse, RequestError> = client
        .send_message(DELETE_ROOM, Grant::CreateRooms, &request, step)
        .await;
    ended.map(drop).or_else(unless_missing)
}

fn unless_missing(error: RequestError) -> Result<(), Failure> {
    match error.failure.cause {
        Cause::RoomMissing => Ok(()),
        _ => Err(error.failure),
    }
}
