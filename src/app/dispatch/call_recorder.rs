//! The record of a call: written before anything is sent, completed with what
//! became of it. Imports core and the store.

use super::call_request::CallResult;
use crate::app::Context;
use crate::app::actor::current_actor;
use crate::dispatch::{Record, Request, Status};
use crate::error::Result;
use crate::store::Store;

/// What writing a new record gave.
pub(super) enum Recorded {
    New(Box<Record>),
    /// The idempotency key has a record already: nothing is to be sent.
    Taken(Box<Record>),
}

/// Writes that the call is about to be placed.
pub(super) async fn begin_record(
    context: &Context<'_>,
    store: &mut Store,
    request: &Request,
    key: Option<&String>,
) -> Result<Recorded> {
    let record = request.record(context.now(), current_actor(), key.cloned());
    Ok(match store.record_call(&record).await? {
        Some(first) => Recorded::Taken(Box::new(first)),
        None => Recorded::New(Box::new(record)),
    })
}

/// Notes that the server has the dispatch, before the wait for what becomes of
/// it: should lkroute be killed meanwhile, the record says where to look.
pub(super) async fn note_accepted(store: &mut Store, record: &Record, warnings: &mut Vec<String>) {
    if let Err(error) = store.complete_call(record).await {
        warnings.push(format!(
            "that the call was accepted could not be recorded: {error}"
        ));
    }
}

/// Completes the record. A call that failed gives its key back: there is no
/// call, and it may be tried again.
pub(super) async fn complete_record(
    context: &Context<'_>,
    store: &mut Store,
    record: &mut Record,
    result: &mut CallResult,
) {
    record.finished_at = Some(context.now());
    let key = record.idempotency_key.clone();
    if record.status == Status::Failed {
        record.idempotency_key = None;
    }
    if let Err(error) = store.complete_call(record).await {
        result.warnings.push(format!(
            "the record of this call could not be completed: {error}"
        ));
    }
    record.idempotency_key = key;
}
