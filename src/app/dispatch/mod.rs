//! Placing one call: look up, record, send, record what happened. The flow is
//! `dispatch`'s; here are the server, the database and the clock that it has.
//! Imports core, `livekit`, the store and `secrets`.

mod call_recorder;
mod call_request;

use call_recorder::StoreBook;

use super::actor::current_actor;
use super::lookup::{self, Answer, ResolveRequest};
use super::{Context, Stop, database, process_variable, trusted_hosts};
use crate::answer::{FallbackConfig, draw_ids, not_opened};
use crate::dispatch::{NextServer, Placed, Record, Request, first_outcome, not_placed, place_once};
use crate::error::{Error, Exit, Result};
use crate::livekit::{Client, Server};
use crate::resolve::RoutingEnv;
use crate::resolve::env::{DEFAULT_WORKER, URL};
use crate::secrets::KeyRing;
use crate::store::{LookedUp, Mode, Store, TrustRows};

pub use crate::dispatch::{JOB_LISTED_WITHIN, LONGEST_RING, Limits, PlacingOptions, SipRequest};
pub use call_request::{CallRequest, CallResult};

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
    // The idempotency key of a call in another environment is another key.
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
    let ReadyCall {
        request,
        client,
        fallback,
    } = match ready {
        Ok(ready) => ready,
        Err(error) => {
            result.error = Some(error);
            return Ok(result);
        }
    };
    let trust = match &fallback {
        Some(fallback) if fallback.needs_trust() => store.trust().await?,
        _ => TrustRows::default(),
    };
    let next = fallback.as_ref().map(|fallback| NextServer {
        name: fallback.name().to_owned(),
        prepare: |first: &Request| connect_to_fallback(fallback, first, asked, &trust),
    });
    let key = asked.idempotency_key.clone();
    let record = request.record(context.now(), current_actor(), key);
    let mut book = StoreBook {
        store,
        clock: context.clock,
    };
    let options = &asked.placing;
    match place_once(&client, &mut book, options, (request, record), next, stop).await? {
        Placed::Taken(first) => Ok(repeated_call(*first, resolve_request)),
        Placed::New(placed) => Ok(result.of_placed(*placed)),
    }
}

/// A call that can be sent.
struct ReadyCall {
    request: Request,
    client: Client,
    fallback: Option<FallbackConfig>,
}

fn connect_to_fallback(
    fallback: &FallbackConfig,
    first: &Request,
    asked: &CallRequest,
    trust: &TrustRows,
) -> Result<(Request, Client)> {
    let env = lookup::environment();
    let worker = env.shell().and_then(|shell| shell.worker.as_deref());
    let worker = worker.unwrap_or(DEFAULT_WORKER);
    let livekit_url = process_variable(URL);
    let trust = (trust, &asked.ring, livekit_url.as_deref());
    let call = fallback.prepare(first, &asked.options, worker, trust)?;
    let server = Server {
        url: &call.request.url,
        api_key: call.api_key,
        api_secret: call.api_secret.expose(),
    };
    let client = Client::new(&server, asked.limits);
    let client = client.map_err(|failure| Error::new(failure.meaning()))?;
    Ok((call.request, client))
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
fn prepare_call(answer: Answer, asked: &CallRequest, result: &mut CallResult) -> Result<ReadyCall> {
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
    Ok(ReadyCall {
        request,
        client,
        fallback: answer.fallback,
    })
}

/// The first outcome of this key.
fn repeated_call(first: Record, resolve_request: &ResolveRequest) -> CallResult {
    if let Err(error) = resolve_request.check_repeat(&first) {
        return CallResult {
            error: Some(error),
            ..CallResult::default()
        };
    }
    CallResult {
        error: first_outcome(&first),
        record: Some(first),
        repeated: true,
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
    let answer = if offline {
        let found = lookup::in_files(context, resolve_request)?;
        lookup::answer(found, resolve_request, &env, &KeyRing::default())?
    } else {
        match look_up(context, asked, &env, &mut result).await {
            Ok(answer) => answer,
            // A database of another environment does not know where this number goes.
            Err(Stop::Error(error)) if error.exit == Exit::Conflict => return Err(error.into()),
            Err(Stop::Error(error)) => return Ok(CallResult::lost(resolve_request, error)),
            Err(invalid) => return Err(invalid),
        }
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
