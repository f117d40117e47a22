//! Placing one call: look up, record, send, record what happened. Imports
//! core, `livekit`, the store and `secrets`.

mod call_failure;
mod call_recorder;
mod call_request;
mod call_steps;
mod fallback;

use uuid::Uuid;

use call_failure::{CallFailure, not_placed};
pub(super) use call_failure::{TWICE, meaning};
use call_recorder::{Recorded, begin_record, complete_record};
use call_steps::CallUnderWay;
pub(super) use call_steps::note_agent;

use super::lookup::{self, Answer, ResolveRequest};
use super::{Context, Stop, database, trusted_hosts};
use crate::answer::{draw_ids, not_opened};
use crate::dispatch::{Record, Request, Status, clash};
use crate::error::{Error, Exit, Result};
use crate::livekit::{Client, Server};
use crate::resolve::RoutingEnv;
use crate::secrets::KeyRing;
use crate::store::{LookedUp, Mode, Store};

pub use crate::livekit::{JOB_LISTED_WITHIN, LONGEST_RING, Limits};
pub use call_request::{CallRequest, CallResult, SipRequest};

/// Places one call, at most once for each key. `stop` ends the wait for it.
///
/// # Errors
/// The database can't be asked, or can't take the record: nothing was sent.
pub async fn dispatch_call(
    context: &Context<'_>,
    request: &CallRequest,
    stop: impl Future<Output = ()>,
) -> Result<CallResult, Stop> {
    let target = lookup::target(context)?;
    let mut store = match database::open(context, &target, Mode::Record).await {
        Ok(store) => store,
        Err(error) => return Ok(CallResult::lost(&request.resolve_request, error)),
    };
    let found = lookup::find(&mut store, &request.resolve_request, &lookup::environment()).await;
    // A call of another environment is not the one that is repeated.
    let found = match found {
        Err(error) if error.exit == Exit::Conflict => return Err(error.into()),
        found => found,
    };
    if let Some(key) = &request.idempotency_key
        && let Some(first) = store.call_of_key(key).await?
    {
        return Ok(repeated_call(first, &request.resolve_request));
    }
    Ok(place_new(context, &mut store, request, found, stop).await?)
}

async fn place_new(
    context: &Context<'_>,
    store: &mut Store,
    asked: &CallRequest,
    found: Result<LookedUp>,
    stop: impl Future<Output = ()>,
) -> Result<CallResult> {
    let (resolve_request, env) = (&asked.resolve_request, lookup::environment());
    let found = match found {
        Ok(found) => found,
        Err(error) => return Ok(CallResult::lost(resolve_request, error)),
    };
    let mut result = CallResult::default();
    let answer = match lookup::answer(found, resolve_request, &env, &asked.ring) {
        Ok(answer) => approve_answer(store, answer, asked, &mut result).await,
        Err(error) => Err(error),
    };
    let ready = answer.and_then(|answer| prepare_call(answer, asked, &mut result));
    let (request, client) = match ready {
        Ok(ready) => ready,
        Err(error) => {
            result.error = Some(error);
            return Ok(result);
        }
    };
    let resolved = result.resolution.as_ref();
    let resolved = resolved.and_then(|resolution| resolution.outcome.as_ref().ok());
    let fallback = resolved.and_then(|outcome| outcome.route.fallback.clone());
    let key = asked.idempotency_key.as_ref();
    let mut record = match begin_record(context, store, &request, key).await? {
        Recorded::New(record) => *record,
        Recorded::Taken(first) => return Ok(repeated_call(*first, resolve_request)),
    };
    let mut stop = std::pin::pin!(stop);
    let mut call = CallUnderWay {
        context,
        asked,
        client: &client,
        request: &request,
        record: &mut record,
        warnings: &mut result.warnings,
        store,
    };
    let (other, ended) = match (call.send(stop.as_mut()).await, fallback) {
        (Err(CallFailure::NotBegun(failure)), Some(fallback)) => {
            call.by_fallback(failure, &fallback, stop).await
        }
        (ended, _) => (None, ended),
    };
    let request = other.unwrap_or(request);
    result.error = ended.err().and_then(|failure| {
        let (status, error) = failure.status_and_error(&request, &record, asked)?;
        record.status = status;
        record.detail.message = Some(error.message.clone());
        Some(error)
    });
    complete_record(context, store, &mut record, &mut result).await;
    result.request = Some(request);
    result.record = Some(record);
    Ok(result)
}

/// Refuses an answer whose secret must not sign for where it leads, or that is
/// stored for everybody to read.
async fn approve_answer(
    store: &mut Store,
    answer: Answer,
    asked: &CallRequest,
    result: &mut CallResult,
) -> Result<Answer> {
    let strict = asked.resolve_request.strict;
    match trusted_hosts::approve_signing(store, &answer, strict, &asked.ring).await {
        Ok(warnings) => {
            result.warnings.extend(warnings);
            Ok(answer)
        }
        Err(error) => {
            result.resolution = Some(answer.resolution);
            Err(error)
        }
    }
}

/// The request and the connection that it goes through; nothing is sent yet.
fn prepare_call(
    answer: Answer,
    asked: &CallRequest,
    result: &mut CallResult,
) -> Result<(Request, Client)> {
    let refused = not_opened(&answer);
    let resolution = result.resolution.insert(answer.resolution);
    let outcome = resolution.outcome.clone()?;
    let (from, options) = (asked.resolve_request.from, &asked.options);
    let request = Request::new(from, &outcome, options, answer.agent, draw_ids())?;
    let Some(secret) = answer.secret else {
        resolution.without_secret(refused.clone());
        return Err(refused.into());
    };
    let server = Server {
        url: &request.url,
        api_key: outcome.route.api_key.as_deref().unwrap_or_default(),
        api_secret: secret.expose(),
    };
    let client = Client::new(&server, asked.limits).map_err(|failure| not_placed(&failure))?;
    Ok((request, client))
}

/// The first outcome of this key.
fn repeated_call(first: Record, resolve_request: &ResolveRequest) -> CallResult {
    let tenant = match &resolve_request.tenant {
        lookup::TenantSelector::Tenant(name) => Uuid::parse_str(name).ok(),
        lookup::TenantSelector::Both(_, id) => Some(*id),
        _ => None,
    };
    let to = resolve_request.to.as_deref().unwrap_or_default();
    if let Err(error) = clash(&first, resolve_request.from, to, tenant) {
        return CallResult {
            error: Some(error),
            ..CallResult::default()
        };
    }
    let message = match (&first.detail.message, first.status) {
        (Some(message), _) => Some(message.clone()),
        (None, Status::InQueue) => Some(format!(
            "lkroute was ended before it knew what became of it; its room would be {}",
            first.room
        )),
        _ => None,
    };
    let error = message.map(|message| {
        let message = format!("the first call with this key: {message}");
        let error = Error::exit(first.status.exit(), message);
        match first.status.exit() {
            Exit::Unknown => error.hint(format!(
                "`lkroute dispatches --refresh {}` looks again; {TWICE}",
                first.room
            )),
            _ => error,
        }
    });
    CallResult {
        record: Some(first),
        repeated: true,
        error,
        ..CallResult::default()
    }
}

/// The whole request, without a record or a connection to LiveKit; `offline`
/// on the files alone, which open no secret.
///
/// # Errors
/// The files are invalid, or the tenant's name is not known.
pub async fn rehearse_call(
    context: &Context<'_>,
    asked: &CallRequest,
    offline: bool,
) -> Result<CallResult, Stop> {
    let (resolve_request, env) = (&asked.resolve_request, lookup::environment());
    let mut result = CallResult::default();
    let answer = match offline {
        true => {
            let found = lookup::in_files(context, resolve_request)?;
            lookup::answer(found, resolve_request, &env, &KeyRing::default())?
        }
        false => match look_up(context, asked, &env, &mut result).await {
            Ok(answer) => answer,
            // The wrong database says nothing of the number.
            Err(Stop::Error(error)) if error.exit == Exit::Conflict => return Err(error.into()),
            Err(Stop::Error(error)) => return Ok(CallResult::lost(resolve_request, error)),
            Err(invalid) => return Err(invalid),
        },
    };
    if let Some(why) = &answer.sealed {
        result.warnings.push(format!(
            "this call would fail, as its secret does not open: {why}"
        ));
    }
    let (from, options) = (resolve_request.from, &asked.options);
    let request = match &answer.resolution.outcome {
        Ok(outcome) => Request::new(from, outcome, options, answer.agent, draw_ids()),
        Err(error) => Err(error.clone().into()),
    };
    match request {
        Ok(request) => result.request = Some(request),
        Err(error) => result.error = Some(error),
    }
    result.resolution = Some(answer.resolution);
    Ok(result)
}

/// The answer of the database; where its token must not be sent, `result`
/// says so.
async fn look_up(
    context: &Context<'_>,
    asked: &CallRequest,
    env: &RoutingEnv,
    result: &mut CallResult,
) -> Result<Answer, Stop> {
    let resolve_request = &asked.resolve_request;
    let target = lookup::target(context)?;
    let mut store = database::open(context, &target, Mode::Look).await?;
    let found = lookup::find(&mut store, resolve_request, env).await?;
    let answer = lookup::answer(found, resolve_request, env, &asked.ring)?;
    let strict = resolve_request.strict;
    match trusted_hosts::approve_signing(&mut store, &answer, strict, &asked.ring).await {
        Ok(warnings) => result.warnings.extend(warnings),
        Err(error) => result.error = Some(error),
    }
    Ok(answer)
}
