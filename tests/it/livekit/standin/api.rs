//! The answers of livekit-server to the methods that lkroute calls.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use livekit_protocol as proto;
use livekit_protocol::participant_info::Kind;
use livekit_token::{Claims, TokenVerifier};
use prost::Message;

use super::wire::Request;
use super::{Answer, Fault, KEY, Post, SECRET, World};

impl World {
    pub fn new() -> World {
        World {
            keys: HashMap::from([(KEY.to_owned(), SECRET.to_owned())]),
            ready: true,
            redis: true,
            auto_create: true,
            clock_ahead: 0,
            denied: HashSet::new(),
            workers: HashSet::new(),
            agents_join: true,
            participants: BTreeMap::new(),
            trunks: Vec::new(),
            rooms: BTreeMap::new(),
            posts: Vec::new(),
            authorized: 0,
            connections: 0,
            faults: Vec::new(),
            ids: 0,
        }
    }

    pub fn next_fault(&mut self, method: &str) -> Option<Fault> {
        let (_, times, fault) = self
            .faults
            .iter_mut()
            .find(|(of, times, _)| *times > 0 && (of == "*" || of == method))?;
        *times -= 1;
        Some(fault.clone())
    }

    pub fn record(&mut self, request: &Request, body: Vec<u8>) {
        let claims = request
            .token
            .as_deref()
            .and_then(|token| Claims::from_unverified(token).ok());
        self.posts.push(Post {
            method: request.method().to_owned(),
            claims,
            body,
        });
    }

    pub fn answer(&mut self, request: &Request, body: &[u8]) -> Answer {
        if request.path == "/" {
            return match self.ready {
                true => Answer::text(200, "OK"),
                false => Answer::text(406, "Not Ready\nNode Updated At 0001-01-01 00:00:00"),
            };
        }
        let claims = match self.claims(request.token.as_deref()) {
            Ok(claims) => claims,
            Err(refusal) => return Answer::text(401, &refusal),
        };
        let answer = match request.method() {
            method if self.denied.contains(method) => None,
            "ListRooms" if claims.video.room_list => self.list_rooms(body),
            "CreateRoom" if claims.video.room_create => self.create_room(body),
            "DeleteRoom" if claims.video.room_create => self.delete_room(body),
            "CreateDispatch" => self.create_dispatch(&claims, body),
            "ListDispatch" => self.list_dispatch(&claims, body),
            "DeleteDispatch" => self.delete_dispatch(&claims, body),
            "ListParticipants" => self.list_participants(&claims, body),
            "ListSIPOutboundTrunk" if claims.sip.admin => self.list_trunks(),
            "CreateSIPParticipant" if claims.sip.call => self.create_participant(body),
            name if name.starts_with('/') => Some(Answer::text(404, "404 page not found\n")),
            _ => None,
        };
        answer.unwrap_or_else(|| Answer::twirp(401, "unauthenticated", "permissions denied"))
    }

    fn claims(&self, token: Option<&str>) -> Result<Claims, String> {
        let token = token.unwrap_or_default();
        let claims =
            Claims::from_unverified(token).map_err(|_| "invalid authorization token".to_owned())?;
        let refused = |why: &str| Err(format!("invalid token: {token}, error: {why}"));
        let Some(secret) = self.keys.get(&claims.iss) else {
            return Err(format!("invalid API key: {}", claims.iss));
        };
        if TokenVerifier::with_api_key(&claims.iss, secret)
            .verify(token)
            .is_err()
        {
            return refused("token signature is invalid: signature is invalid");
        }
        let now = Timestamp::now().as_second() + self.clock_ahead;
        if claims.nbf as i64 > now + 60 {
            return refused("token has invalid claims: token is not valid yet");
        }
        if (claims.exp as i64) < now - 60 {
            return refused("token has invalid claims: token is expired");
        }
        Ok(claims)
    }

    fn id(&mut self, prefix: &str) -> String {
        self.ids += 1;
        format!("{prefix}_standin{:04}", self.ids)
    }

    fn list_rooms(&self, body: &[u8]) -> Option<Answer> {
        let asked = proto::ListRoomsRequest::decode(body).ok()?;
        let names = self.rooms.keys().filter(|name| asked.names.contains(name));
        let rooms = names.map(|name| proto::Room {
            name: name.clone(),
            ..Default::default()
        });
        Some(Answer::proto(&proto::ListRoomsResponse {
            rooms: rooms.collect(),
        }))
    }

    fn create_room(&mut self, body: &[u8]) -> Option<Answer> {
        let asked = proto::CreateRoomRequest::decode(body).ok()?;
        self.open_room(&asked.name);
        Some(Answer::proto(&proto::Room {
            name: asked.name,
            ..Default::default()
        }))
    }

    /// A room begins with a dispatch without a name, for workers without one.
    fn open_room(&mut self, name: &str) {
        if self.rooms.contains_key(name) {
            return;
        }
        let own = proto::AgentDispatch {
            id: self.id("AD"),
            room: name.to_owned(),
            state: Some(Default::default()),
            ..Default::default()
        };
        self.rooms.insert(name.to_owned(), vec![own]);
    }

    fn delete_room(&mut self, body: &[u8]) -> Option<Answer> {
        let asked = proto::DeleteRoomRequest::decode(body).ok()?;
        Some(match self.rooms.remove(&asked.room) {
            Some(_) => {
                self.participants.remove(&asked.room);
                Answer::proto(&proto::DeleteRoomResponse {})
            }
            None => Answer::twirp(404, "not_found", "requested room does not exist"),
        })
    }

    fn create_dispatch(&mut self, claims: &Claims, body: &[u8]) -> Option<Answer> {
        let asked = proto::CreateAgentDispatchRequest::decode(body).ok()?;
        if !(claims.video.room_admin && claims.video.room == asked.room) {
            return None;
        }
        if self.auto_create {
            self.open_room(&asked.room);
        }
        let mut dispatch = proto::AgentDispatch {
            id: self.id("AD"),
            agent_name: asked.agent_name,
            room: asked.room,
            metadata: asked.metadata,
            deployment: asked.deployment,
            state: Some(Default::default()),
            ..Default::default()
        };
        let Some(room) = self.rooms.get_mut(&dispatch.room) else {
            return Some(no_such_room());
        };
        let answer = Answer::proto(&dispatch);
        let worker = match dispatch.deployment.as_str() {
            "" => dispatch.agent_name.clone(),
            deployment => format!("{}/{deployment}", dispatch.agent_name),
        };
        if self.workers.contains(&worker) {
            if self.agents_join {
                let agent = participant("agent-standin", Kind::Agent, &[]);
                let room = dispatch.room.clone();
                self.participants.entry(room).or_default().push(agent);
            }
            dispatch.state = Some(proto::AgentDispatchState {
                jobs: vec![job(&dispatch)],
                ..Default::default()
            });
        }
        room.push(dispatch);
        Some(answer)
    }

    fn list_dispatch(&self, claims: &Claims, body: &[u8]) -> Option<Answer> {
        let asked = proto::ListAgentDispatchRequest::decode(body).ok()?;
        if !(claims.video.room_admin && claims.video.room == asked.room) {
            return None;
        }
        let Some(room) = self.rooms.get(&asked.room) else {
            return Some(no_such_room());
        };
        let agent_dispatches = room.clone();
        Some(Answer::proto(&proto::ListAgentDispatchResponse {
            agent_dispatches,
        }))
    }

    fn delete_dispatch(&mut self, claims: &Claims, body: &[u8]) -> Option<Answer> {
        let asked = proto::DeleteAgentDispatchRequest::decode(body).ok()?;
        if !(claims.video.room_admin && claims.video.room == asked.room) {
            return None;
        }
        let Some(room) = self.rooms.get_mut(&asked.room) else {
            return Some(no_such_room());
        };
        let at = room.iter().position(|held| held.id == asked.dispatch_id)?;
        Some(Answer::proto(&room.remove(at)))
    }

    /// livekit-server reads them from its store: none where there is no room.
    fn list_participants(&self, claims: &Claims, body: &[u8]) -> Option<Answer> {
        let asked = proto::ListParticipantsRequest::decode(body).ok()?;
        if !(claims.video.room_admin && claims.video.room == asked.room) {
            return None;
        }
        let participants = self.participants.get(&asked.room).cloned();
        Some(Answer::proto(&proto::ListParticipantsResponse {
            participants: participants.unwrap_or_default(),
        }))
    }

    fn list_trunks(&self) -> Option<Answer> {
        if !self.redis {
            return Some(no_redis());
        }
        let items = self.trunks.clone();
        Some(Answer::proto(&proto::ListSipOutboundTrunkResponse {
            items,
        }))
    }

    fn create_participant(&mut self, body: &[u8]) -> Option<Answer> {
        let asked = proto::CreateSipParticipantRequest::decode(body).ok()?;
        if !self.redis {
            return Some(no_redis());
        }
        if !self
            .trunks
            .iter()
            .any(|trunk| trunk.sip_trunk_id == asked.sip_trunk_id)
        {
            let msg = "twirp error unknown: requested sip trunk does not exist";
            return Some(Answer::twirp(404, "not_found", msg));
        }
        let call = self.id("SCL");
        let attributes = [("sip.callStatus", "active"), ("sip.callID", call.as_str())];
        let phone = participant(&asked.participant_identity, Kind::Sip, &attributes);
        let room = asked.room_name.clone();
        self.participants.entry(room).or_default().push(phone);
        Some(Answer::proto(&proto::SipParticipantInfo {
            participant_id: self.id("PA"),
            sip_call_id: call,
            participant_identity: asked.participant_identity,
            room_name: asked.room_name,
        }))
    }
}

pub fn participant(
    identity: &str,
    kind: Kind,
    attributes: &[(&str, &str)],
) -> proto::ParticipantInfo {
    let attributes = attributes.iter();
    proto::ParticipantInfo {
        identity: identity.to_owned(),
        kind: kind as i32,
        state: proto::participant_info::State::Active as i32,
        attributes: attributes
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        ..Default::default()
    }
}

fn job(dispatch: &proto::AgentDispatch) -> proto::Job {
    proto::Job {
        id: dispatch.id.replace("AD_", "AJ_"),
        dispatch_id: dispatch.id.clone(),
        agent_name: dispatch.agent_name.clone(),
        metadata: dispatch.metadata.clone(),
        state: Some(proto::JobState {
            status: proto::JobStatus::JsRunning as i32,
            worker_id: "AW_standin".to_owned(),
            participant_identity: "agent-standin".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn no_such_room() -> Answer {
    Answer::twirp(
        503,
        "unavailable",
        "twirp error unknown: no response from servers",
    )
}

fn no_redis() -> Answer {
    let msg = "twirp error unknown: sip not connected (redis required)";
    Answer::twirp(500, "internal", msg)
}
