//! The token that a request carries: five minutes, and the one permission that
//! the request needs. Imports LiveKit's crate of tokens.

use std::time::Duration;

use livekit_token::{AccessToken, SIPGrants, VideoGrants};
use zeroize::Zeroizing;

use crate::dispatch::{Cause, Failure};

/// Long enough for clocks that are a little apart, short enough that a token
/// which is read in a log is worth nothing the next day.
const LIFETIME: Duration = Duration::from_secs(300);

/// What a token permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grant<'a> {
    /// To make rooms, and to delete them.
    CreateRooms,
    ListRooms,
    /// To see and change this room.
    RoomAdmin(&'a str),
    /// To read trunks.
    SipAdmin,
    /// To dial.
    SipCall,
}

impl Grant<'_> {
    /// A new token with this permission alone.
    pub(super) fn sign_token(
        self,
        api_key: &str,
        api_secret: &str,
    ) -> Result<Zeroizing<String>, Failure> {
        let (mut video, mut sip) = (VideoGrants::default(), SIPGrants::default());
        match self {
            Grant::CreateRooms => video.room_create = true,
            Grant::ListRooms => video.room_list = true,
            Grant::RoomAdmin(room) => {
                video.room_admin = true;
                room.clone_into(&mut video.room);
            }
            Grant::SipAdmin => sip.admin = true,
            Grant::SipCall => sip.call = true,
        }
        AccessToken::with_api_key(api_key, api_secret)
            .with_ttl(LIFETIME)
            .with_grants(video)
            .with_sip_grants(sip)
            .to_jwt()
            .map(Zeroizing::new)
            .map_err(|error| Failure::new(Cause::BadCredentials, &error.to_string()))
    }
}
