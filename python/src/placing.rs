//! One call that is being placed: the flow of [`lkroute::dispatch`], which
//! Python drives from step to step. A step asks for a request, a statement or
//! a pause; what is asked, and what its answer means, is decided in the core.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use lkroute::answer;
use lkroute::dispatch::{
    LONGEST_RING, Limits, NextServer, Placed, PlacingOptions, Record, Request, SipRequest,
    TRUNK_LACKS_NUMBER, first_outcome, http_base, is_loopback, not_placed, place_once, read_key,
};
use lkroute::error::{Error, Result};
use lkroute::lookup::{CallStatements, HERE, quoted};
use pyo3::prelude::*;
use serde_json::{Value, json};

use crate::mailbox::{Mailbox, PythonBook, PythonServer, read_call};
use crate::question::Question;
use crate::raise::{guarded, misused, raise, visible};
use crate::request::CallRequest;
use crate::route::Route;
use crate::variables::Environ;

type Flow = Pin<Box<dyn Future<Output = Result<Placed>> + Send>>;

/// Where requests go, API key and secret, and whether that is this machine.
type Credentials = (String, String, String, bool);

/// One call that is being placed.
#[pyclass(frozen, module = "lkroute._core")]
pub struct Placing {
    flow: Mutex<Progress>,
    mailbox: Arc<Mailbox>,
    first: Credentials,
    second: Arc<Mutex<Option<Credentials>>>,
    question: answer::ResolveRequest,
}

enum Progress {
    Running(Flow),
    Ended(Result<Placed>),
}

/// How the call is placed, as Python's keywords say it.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Keywords {
    actor: String,
    now: String,
    idempotency_key: Option<String>,
    wait_for_agent: Option<f64>,
    allow: Vec<String>,
    sip: bool,
    ring: f64,
    sip_headers: Vec<(String, String)>,
    display_name: Option<String>,
    timeout: f64,
    settle: f64,
}

impl Keywords {
    fn options(&self) -> Result<PlacingOptions, String> {
        if let Some(other) = self.allow.iter().find(|code| *code != TRUNK_LACKS_NUMBER) {
            return Err(format!("allow: {other} is none of: {TRUNK_LACKS_NUMBER}"));
        }
        let ring = seconds("ring", self.ring)?;
        if ring > LONGEST_RING {
            let longest = LONGEST_RING.as_secs();
            return Err(format!("ring: LiveKit lets it ring {longest} s at most"));
        }
        if !self.sip && (self.display_name.is_some() || !self.sip_headers.is_empty()) {
            return Err("sip_headers and display_name go with sip=True".to_owned());
        }
        let wait = self.wait_for_agent;
        let wait = wait.map(|wait| seconds("wait_for_agent", wait));
        Ok(PlacingOptions {
            wait_for_agent: wait.transpose()?,
            sip: if self.sip {
                let (headers, name) = (self.sip_headers.clone(), self.display_name.clone());
                Some(SipRequest::new(ring, headers, name)?)
            } else {
                None
            },
            allow_unlisted_number: !self.allow.is_empty(),
        })
    }

    fn limits(&self) -> Result<Limits, String> {
        let step = seconds("timeout", self.timeout)?;
        Ok(Limits::of_call(step, seconds("settle", self.settle)?))
    }
}

/// A time, not none and not for ever.
fn seconds(name: &str, seconds: f64) -> Result<Duration, String> {
    let time = Duration::try_from_secs_f64(seconds).ok();
    time.filter(|time| !time.is_zero() && time.as_secs() < 86_400)
        .ok_or_else(|| format!("{name}: say seconds, more than 0"))
}

/// The statements for the records of calls; on SQLite without a schema.
fn statements(schema: Option<&str>) -> CallStatements {
    match schema {
        Some(schema) => CallStatements::postgres(&quoted(schema)),
        None => CallStatements::sqlite(),
    }
}

/// The statement that reads the record of an idempotency key.
#[pyfunction]
#[pyo3(signature = (schema, idempotency_key))]
pub fn statement_of_key(
    py: Python<'_>,
    schema: Option<&str>,
    idempotency_key: &str,
) -> PyResult<String> {
    guarded(py, || {
        let key = read_key(idempotency_key);
        key.map_err(|why| misused(py, "usage", format!("idempotency_key: {why}")))?;
        Ok(format!("{HERE}{}", statements(schema).of_key()))
    })
}

/// Who calls, as records name them.
#[pyfunction]
#[pyo3(signature = (environ, host))]
pub fn actor(py: Python<'_>, environ: &Environ, host: Option<String>) -> PyResult<String> {
    guarded(py, || {
        let get = |name: &str| environ.variable(py, name).ok().flatten();
        Ok(lkroute::actor::actor(get, || host))
    })
}

/// What a repeat of a call is told, by the record of its key.
#[pyfunction]
pub fn repeated(py: Python<'_>, question: &Question, record: &str) -> PyResult<String> {
    guarded(py, || {
        let first = read_call(record).map_err(|error| raise(py, &error, None))?;
        told_again(py, &question.asked, &first)
    })
}

fn told_again(
    py: Python<'_>,
    question: &answer::ResolveRequest,
    first: &Record,
) -> PyResult<String> {
    let clash = question.check_repeat(first);
    clash.map_err(|error| raise(py, &error, None))?;
    let error = first_outcome(first);
    Ok(outcome(first, error.as_ref(), &[], true))
}

/// What became of a call, as JSON.
fn outcome(record: &Record, error: Option<&Error>, warnings: &[String], repeated: bool) -> String {
    let error = error.map(|error| {
        json!({
            "message": error.message,
            "hint": error.hint,
            "code": error.code.or(record.detail.cause.as_deref()),
            "exit": error.exit as u8,
        })
    });
    let warnings: Vec<String> = warnings.iter().map(|text| visible(text)).collect();
    json!({
        "id": record.id,
        "status": record.status,
        "room": record.room,
        "dispatch_id": record.dispatch_id,
        "worker": record.worker,
        "worker_seen": record.worker_seen,
        "detail": record.detail,
        "error": error,
        "warnings": warnings,
        "repeated": repeated,
    })
    .to_string()
}

/// Begins to place a call; nothing is written or sent yet.
#[pyfunction]
#[pyo3(signature = (route, request, schema, keywords))]
pub fn place_call(
    py: Python<'_>,
    route: Py<Route>,
    request: &CallRequest,
    schema: Option<&str>,
    keywords: Keywords,
) -> PyResult<Placing> {
    guarded(py, || {
        let wrong = |message| misused(py, "usage", message);
        let (options, limits) = (
            keywords.options().map_err(wrong)?,
            keywords.limits().map_err(wrong)?,
        );
        let first = credentials(route.get(), &request.request);
        let first = first.map_err(|error| raise(py, &error, None))?;
        let (mailbox, second) = (Arc::new(Mailbox::default()), Arc::default());
        let flow = flow(
            Server {
                mailbox: Arc::clone(&mailbox),
                second: Arc::clone(&second),
                limits,
            },
            route.clone_ref(py),
            request,
            statements(schema),
            options,
            &keywords,
        );
        Ok(Placing {
            flow: Mutex::new(Progress::Running(flow)),
            mailbox,
            first,
            second,
            question: route.get().resolve_request.clone(),
        })
    })
}

fn credentials(route: &Route, request: &Request) -> Result<Credentials> {
    let base = http_base(&request.url).map_err(|failure| Error {
        code: Some(failure.cause.code()),
        ..not_placed(&failure)
    })?;
    let outcome = route.outcome()?;
    let key = outcome.route.api_key.clone().unwrap_or_default();
    let secret = route.secret()?.to_owned();
    Ok((base.to_string(), key, secret, is_loopback(&base)))
}

/// The servers of one call.
struct Server {
    mailbox: Arc<Mailbox>,
    second: Arc<Mutex<Option<Credentials>>>,
    limits: Limits,
}

fn flow(
    Server {
        mailbox,
        second,
        limits,
    }: Server,
    route: Py<Route>,
    request: &CallRequest,
    statements: CallStatements,
    options: PlacingOptions,
    keywords: &Keywords,
) -> Flow {
    let (request, wish) = (request.request.clone(), request.options.clone());
    let (at, actor) = (keywords.now.clone(), keywords.actor.clone());
    let record = request.record(at, actor, keywords.idempotency_key.clone());
    let server = |is_second| PythonServer {
        mailbox: Arc::clone(&mailbox),
        limits,
        is_second,
    };
    let (first, other) = (server(false), server(true));
    Box::pin(async move {
        let route = route.get();
        let fallback = route.answer.fallback.as_ref();
        let next = fallback.map(|fallback| NextServer {
            name: fallback.name().to_owned(),
            prepare: |first: &Request| {
                let call = fallback.prepare(first, &wish, route.worker(), route.trust())?;
                let base = http_base(&call.request.url);
                let base = base.map_err(|failure| Error::new(failure.meaning()))?;
                let opened = (
                    base.to_string(),
                    call.api_key.to_owned(),
                    call.api_secret.expose().to_owned(),
                    is_loopback(&base),
                );
                *second.lock().unwrap_or_else(PoisonError::into_inner) = Some(opened);
                Ok((call.request, other))
            },
        });
        let mut book = PythonBook {
            mailbox: Arc::clone(&mailbox),
            statements,
        };
        let stop = mailbox.stopped();
        place_once(&first, &mut book, &options, (request, record), next, stop).await
    })
}

#[pymethods]
impl Placing {
    /// Goes on with the answer to the step before, as JSON, to the next step;
    /// none where the call has ended. `elapsed` are seconds of a clock that is
    /// never set, `now` is the time of day.
    #[pyo3(signature = (answer, elapsed, now))]
    fn step(
        &self,
        py: Python<'_>,
        answer: Option<&str>,
        elapsed: f64,
        now: String,
    ) -> PyResult<Option<String>> {
        let answer = answer.map(serde_json::from_str::<Value>).transpose();
        let answer = answer.map_err(|error| misused(py, "internal", error.to_string()))?;
        let elapsed = Duration::try_from_secs_f64(elapsed).unwrap_or_default();
        self.mailbox.put(answer, elapsed, now);
        let mut progress = self.flow.lock().unwrap_or_else(PoisonError::into_inner);
        let Progress::Running(flow) = &mut *progress else {
            return Ok(None);
        };
        let mut context = Context::from_waker(Waker::noop());
        match guarded(py, || Ok(flow.as_mut().poll(&mut context)))? {
            Poll::Ready(ended) => {
                *progress = Progress::Ended(ended);
                Ok(None)
            }
            Poll::Pending => match self.mailbox.take_wanted() {
                Some(wanted) => Ok(Some(wanted.to_string())),
                None => Err(misused(py, "internal", "a call waits for nothing")),
            },
        }
    }

    /// The caller waits no longer. What was asked for last is not waited for;
    /// the next steps write down what is known.
    fn stop(&self) {
        self.mailbox.stop();
    }

    /// Where the requests of the first or of the second server go, with API
    /// key and secret.
    fn credentials(&self, py: Python<'_>, second: bool) -> PyResult<Credentials> {
        if second {
            let opened = self.second.lock().unwrap_or_else(PoisonError::into_inner);
            let none = || misused(py, "internal", "there is no second server");
            opened.clone().ok_or_else(none)
        } else {
            Ok(self.first.clone())
        }
    }

    /// What became of it, as JSON.
    fn result(&self, py: Python<'_>) -> PyResult<String> {
        let progress = self.flow.lock().unwrap_or_else(PoisonError::into_inner);
        match &*progress {
            Progress::Running(_) => Err(misused(py, "internal", "the call has not ended")),
            Progress::Ended(Err(error)) => Err(raise(py, error, None)),
            Progress::Ended(Ok(Placed::Taken(first))) => told_again(py, &self.question, first),
            Progress::Ended(Ok(Placed::New(placed))) => Ok(outcome(
                &placed.record,
                placed.error.as_ref(),
                &placed.warnings,
                false,
            )),
        }
    }

    fn __repr__(&self) -> &'static str {
        "Placing()"
    }
}
