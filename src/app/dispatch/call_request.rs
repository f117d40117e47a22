//! A call to place, and what became of it. Imports core and `secrets`.

use crate::app::lookup::{self, ResolveRequest};
use crate::dispatch::{CallOptions, Limits, PlacedCall, PlacingOptions, Record, Request};
use crate::error::{Error, Exit};
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
    pub placing: PlacingOptions,
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

    pub(super) fn of_placed(mut self, placed: PlacedCall) -> CallResult {
        self.warnings.extend(placed.warnings);
        CallResult {
            request: Some(placed.request),
            record: Some(placed.record),
            error: placed.error,
            ..self
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
