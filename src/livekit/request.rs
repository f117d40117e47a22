//! One request to LiveKit's API, and what its answer means: a message of
//! `livekit-protocol` over HTTP, with a token for this request alone. Sent
//! once, to the one server; what may be asked again is for the caller to know.

use std::collections::HashMap;
use std::time::Duration;

use livekit_protocol as proto;
use prost::Message;
use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use tokio::time::Instant;

use super::Client;
use super::cause::{Cause, Failure, one_line};
use super::http::{self, HttpAnswer};
use super::request_error::{ApiResource, RequestError, of_request};
use super::token::Grant;

/// A method of the API.
#[derive(Debug, Clone, Copy)]
pub(super) struct Endpoint {
    resource: ApiResource,
    path: &'static str,
}

pub(super) const CREATE_ROOM: Endpoint = Endpoint {
    resource: ApiResource::Rooms,
    path: "/twirp/livekit.RoomService/CreateRoom",
};
pub(super) const DELETE_ROOM: Endpoint = Endpoint {
    resource: ApiResource::Rooms,
    path: "/twirp/livekit.RoomService/DeleteRoom",
};
pub(super) const LIST_ROOMS: Endpoint = Endpoint {
    resource: ApiResource::Rooms,
    path: "/twirp/livekit.RoomService/ListRooms",
};
pub(super) const CREATE_DISPATCH: Endpoint = Endpoint {
    resource: ApiResource::Dispatches,
    path: "/twirp/livekit.AgentDispatchService/CreateDispatch",
};
pub(super) const LIST_DISPATCH: Endpoint = Endpoint {
    resource: ApiResource::Dispatches,
    path: "/twirp/livekit.AgentDispatchService/ListDispatch",
};
pub(super) const LIST_PARTICIPANTS: Endpoint = Endpoint {
    resource: ApiResource::Dispatches,
    path: "/twirp/livekit.RoomService/ListParticipants",
};
pub(super) const DELETE_DISPATCH: Endpoint = Endpoint {
    resource: ApiResource::Dispatches,
    path: "/twirp/livekit.AgentDispatchService/DeleteDispatch",
};
pub(super) const LIST_OUTBOUND_TRUNKS: Endpoint = Endpoint {
    resource: ApiResource::Sip,
    path: "/twirp/livekit.SIP/ListSIPOutboundTrunk",
};
pub(super) const CREATE_SIP_PARTICIPANT: Endpoint = Endpoint {
    resource: ApiResource::Sip,
    path: "/twirp/livekit.SIP/CreateSIPParticipant",
};

impl Client {
    /// Asks once, for one step's time at most and until `until`.
    pub(super) async fn send_message<R: Message + Default>(
        &self,
        endpoint: Endpoint,
        grant: Grant<'_>,
        message: &impl Message,
        until: Instant,
    ) -> Result<R, RequestError> {
        let left = until.saturating_duration_since(Instant::now());
        self.ask_within(endpoint, grant, message, left.min(self.limits.step))
            .await
    }

    /// The same with a time limit of its own.
    pub(super) async fn ask_within<R: Message + Default>(
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
        let answer = answer.map_err(|error| RequestError::of_request(&error))?;
        answer.read_message(endpoint.resource)
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
        let until = Instant::now() + self.limits.step;
        let rooms = self.send_message(LIST_ROOMS, Grant::ListRooms, &no_room, until);
        let rooms: Result<proto::ListRoomsResponse, RequestError> = rooms.await;
        rooms.map(drop).map_err(|error| error.failure)
    }
}

impl HttpAnswer {
    /// The message of a good answer; of any other, its cause, and whether the
    /// request may have been carried out.
    fn read_message<R: Message + Default>(&self, resource: ApiResource) -> Result<R, RequestError> {
        if self.status != StatusCode::OK {
            return Err(self.read_refusal(resource));
        }
        if !self.is_protobuf() {
            return Err(RequestError::unclear(self.not_livekit()));
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

    fn read_refusal(&self, resource: ApiResource) -> RequestError {
        if let Some((code, msg, meta)) = twirp_error(&self.body) {
            return RequestError::of_answer(resource, &code, &msg, &meta);
        }
        if self.status == StatusCode::UNAUTHORIZED
            && let Some(failure) = refused_token(&one_line(&self.body_text()))
        {
            return RequestError::refused(failure);
        }
        let failure = self.not_livekit();
        match self.status.is_server_error() || self.status == StatusCode::REQUEST_TIMEOUT {
            true => RequestError::unclear(failure),
            false => RequestError::refused(failure),
        }
    }
}

/// Code, message and further words of an error of Twirp.
fn twirp_error(body: &[u8]) -> Option<(String, String, HashMap<String, String>)> {
    let error: serde_json::Value = serde_json::from_slice(body).ok()?;
    let text = |name| error.get(name).and_then(|value| value.as_str());
    let meta = error.get("meta").and_then(|meta| meta.as_object());
    let words = meta.into_iter().flatten().filter_map(|(name, value)| {
        let value = value.as_str()?;
        Some((name.clone(), value.to_owned()))
    });
    let msg = text("msg").unwrap_or_default();
    Some((text("code")?.to_owned(), msg.to_owned(), words.collect()))
}

/// The plain-text refusals of livekit-server, tokens already cut out: the key
/// is looked at first, then the signature, then the times.
fn refused_token(text: &str) -> Option<Failure> {
    let cause = if text.starts_with("invalid API key") {
        Cause::KeyUnknown
    } else if !text.starts_with("invalid token") {
        return None;
    } else if text.contains("signature") {
        Cause::SecretWrong
    } else if text.contains("expired") || text.contains("not valid yet") {
        Cause::ClockSkew
    } else {
        return None;
    };
    Some(Failure::new(cause, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(text: &str) -> Option<&'static str> {
        refused_token(text).map(|failure| failure.cause.code())
    }

    /// The texts are those of livekit-server 1.13.5.
    #[test]
    fn plain_text_refusals_are_told_apart() {
        let signature =
            "invalid token: <token>, error: token signature is invalid: signature is invalid";
        let early =
            "invalid token: <token>, error: token has invalid claims: token is not valid yet";
        let late = "invalid token: <token>, error: token has invalid claims: token is expired";
        assert_eq!(cause("invalid API key: devkey"), Some("key-unknown"));
        assert_eq!(cause(signature), Some("secret-wrong"));
        assert_eq!(cause(early), Some("clock-skew"));
        assert_eq!(cause(late), Some("clock-skew"));
        assert_eq!(cause("who are you?"), None);
    }
}
