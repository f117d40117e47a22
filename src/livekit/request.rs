//! One request to LiveKit's API, and what its answer means: a message of
//! `livekit-protocol` over HTTP, with a token for this request alone. Sent
//! once, to the one server; what may be asked again is for the caller to know.

use std::time::Duration;

use livekit_protocol as proto;
use prost::Message;
use reqwest::header::CONTENT_TYPE;

use super::Client;
use super::http::{self, HttpAnswer};
use super::request_error::{no_answer, of_request};
use super::token::Grant;
use crate::dispatch::ApiResource::{self, Dispatches, Rooms, Sip};
use crate::dispatch::{Cause, Failure, RequestError};

/// A method of the API.
#[derive(Debug, Clone, Copy)]
pub(super) struct Endpoint {
    asked: ApiResource,
    path: &'static str,
}

impl Endpoint {
    const fn new(asked: ApiResource, path: &'static str) -> Endpoint {
        Endpoint { asked, path }
    }
}

pub(super) const CREATE_ROOM: Endpoint =
    Endpoint::new(Rooms, "/twirp/livekit.RoomService/CreateRoom");
pub(super) const DELETE_ROOM: Endpoint =
    Endpoint::new(Rooms, "/twirp/livekit.RoomService/DeleteRoom");
pub(super) const LIST_ROOMS: Endpoint =
    Endpoint::new(Rooms, "/twirp/livekit.RoomService/ListRooms");
pub(super) const CREATE_DISPATCH: Endpoint = Endpoint::new(
    Dispatches,
    "/twirp/livekit.AgentDispatchService/CreateDispatch",
);
pub(super) const LIST_DISPATCH: Endpoint = Endpoint::new(
    Dispatches,
    "/twirp/livekit.AgentDispatchService/ListDispatch",
);
pub(super) const LIST_PARTICIPANTS: Endpoint =
    Endpoint::new(Dispatches, "/twirp/livekit.RoomService/ListParticipants");
pub(super) const DELETE_DISPATCH: Endpoint = Endpoint::new(
    Dispatches,
    "/twirp/livekit.AgentDispatchService/DeleteDispatch",
);
pub(super) const LIST_OUTBOUND_TRUNKS: Endpoint =
    Endpoint::new(Sip, "/twirp/livekit.SIP/ListSIPOutboundTrunk");
pub(super) const CREATE_SIP_PARTICIPANT: Endpoint =
    Endpoint::new(Sip, "/twirp/livekit.SIP/CreateSIPParticipant");

impl Client {
    /// Asks once, with a time limit.
    pub(super) async fn send_message<R: Message + Default>(
        &self,
        endpoint: Endpoint,
        grant: Grant<'_>,
        message: &impl Message,
        limit: Duration,
    ) -> Result<R, RequestError> {
        if limit.is_zero() {
            return Err(RequestError::not_sent(Cause::Timeout.into()));
        }
        let token = grant.sign_token(&self.api_key, &self.api_secret);
        let token = token.map_err(RequestError::not_sent)?;
        let mut url = self.base.clone();
        url.set_path(endpoint.path);
        let request = self
            .http
            .post(url)
            .timeout(limit)
            .bearer_auth(token.as_str())
            .header(CONTENT_TYPE, "application/protobuf")
            .body(message.encode_to_vec());
        let answer = http::send_request(request).await;
        let answer = answer.map_err(|error| no_answer(&error))?;
        answer.read_message(endpoint.asked)
    }

    /// `GET /`, LiveKit's own health check, without a token.
    pub(super) async fn look_at_root(&self) -> Result<HttpAnswer, Failure> {
        let request = self.http.get(self.base.clone()).timeout(self.limits.step);
        http::send_request(request)
            .await
            .map_err(|error| of_request(&error))
    }

    /// Asks for the rooms of a name that no room has: the cheapest request
    /// that needs key, secret and a permission.
    pub(super) async fn look_with_key(&self) -> Result<(), Failure> {
        let no_room = proto::ListRoomsRequest {
            names: vec!["lkroute-looks-at-no-room".to_owned()],
        };
        let step = self.limits.step;
        let rooms = self.send_message(LIST_ROOMS, Grant::ListRooms, &no_room, step);
        let rooms: Result<proto::ListRoomsResponse, RequestError> = rooms.await;
        rooms.map(drop).map_err(|error| error.failure)
    }
}

impl HttpAnswer {
    /// The message of a good answer; of any other, its cause, and whether the
    /// request may have been carried out.
    fn read_message<R: Message + Default>(&self, asked: ApiResource) -> Result<R, RequestError> {
        let reply = self.reply();
        if !reply.is_message() {
            return Err(reply.request_error(asked));
        }
        if self.cut {
            let longer = format!("longer than {} bytes", http::LONGEST_BODY);
            return Err(RequestError::unclear(Failure::new(
                Cause::Unreadable,
                &longer,
            )));
        }
        R::decode(self.body.as_slice()).map_err(|_| RequestError::unclear(Cause::Unreadable.into()))
    }
}
