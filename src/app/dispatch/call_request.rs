//! A call to place, and what became of it. Imports core and `secrets`.

use std::time::Duration;

use crate::app::lookup::{self, ResolveRequest};
use crate::dispatch::{CallOptions, Record, Request};
use crate::error::{Error, Exit};
use crate::livekit::Limits;
use crate::resolve::Resolution;
use crate::secrets::KeyRing;

/// One call to place, and how.
pub struct CallRequest {
    pub resolve_request: ResolveRequest,
    pub options: CallOptions,
    /// One call for each key: a repeat gives the first outcome.
    pub idempotency_key: Option<String>,
    /// What opens the config's secret.
    pub ring: KeyRing,
    pub limits: Limits,
    /// How long to wait for an agent, where one is waited for.
    pub wait_for_agent: Option<Duration>,
    /// How to dial the person from here, for workers that don't.
    pub sip: Option<SipRequest>,
    /// A trunk that does not list the calling number is a warning, for this
    /// call.
    pub allow_unlisted_number: bool,
}

/// How a person is dialled.
pub struct SipRequest {
    /// How long to let it ring.
    pub ring: Duration,
    /// Headers of the INVITE.
    pub headers: Vec<(String, String)>,
    /// The name to show beside the number.
    pub display_name: Option<String>,
}

/// Where the person is dialled from here, the agent is waited for even so.
const WAIT_BEFORE_DIALLING: Duration = Duration::from_secs(15);

impl CallRequest {
    /// How long an agent is waited for.
    pub(super) fn wait(&self) -> Option<Duration> {
        let before_dialling = self.sip.as_ref().map(|_| WAIT_BEFORE_DIALLING);
        self.wait_for_agent.or(before_dialling)
    }
}

/// What became of it.
#[derive(Debug, Default)]
pub struct CallResult {
    pub resolution: Option<Resolution>,
    /// What was sent, or would be.
    pub request: Option<Request>,
    pub record: Option<Record>,
    /// Nothing was sent: the record is that of the first call with this key.
    pub repeated: bool,
    /// Why there is no call, or none that is sure.
    pub error: Option<Error>,
    pub warnings: Vec<String>,
}

impl CallResult {
    pub fn exit(&self) -> Exit {
        match (&self.error, &self.record) {
            (Some(error), _) => error.exit,
            (None, Some(record)) => record.status.exit(),
            (None, None) => Exit::Done,
        }
    }

    /// The look-up itself failed.
    pub(super) fn lost(resolve_request: &ResolveRequest, error: Error) -> CallResult {
        CallResult {
            resolution: Some(lookup::failed(resolve_request, &error)),
            error: Some(error),
            ..CallResult::default()
        }
    }
}
