//! The answer: where a call goes, with a secret that is given on request
//! alone.

use std::sync::{Arc, OnceLock};

use lkroute::answer::{self, Answer, FallbackConfig, TenantSelector};
use lkroute::dispatch::CallOptions;
use lkroute::error::{Error, Exit, Result};
use lkroute::explain;
use lkroute::invisible_chars::in_nfc;
use lkroute::lookup::TrustRows;
use lkroute::resolve::env::DEFAULT_WORKER;
use lkroute::resolve::{Called, Outcome, Report};
use lkroute::secrets::KeyRing;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::question::trust_rows;
use crate::raise::{guarded, misused, raise, steps_of, visible};
use crate::request::{CallRequest, make_call, read_id, read_metadata};

/// What the process has beside the database.
pub struct Shell {
    pub ring: Arc<KeyRing>,
    pub livekit_url: Option<String>,
    pub worker: Option<String>,
}

/// Whether the call may be signed, and what there is to warn of.
pub struct Approval {
    shell: Shell,
    judged: OnceLock<Result<Vec<String>>>,
    /// Whom tokens may be sent to, for the call's fallback.
    trust: OnceLock<TrustRows>,
}

impl Approval {
    /// Judged at once where that needs nothing of the database.
    pub fn new(answer: &Answer, strict: bool, for_call: bool, shell: Shell) -> Approval {
        let approval = Approval {
            shell,
            judged: OnceLock::new(),
            trust: OnceLock::new(),
        };
        if !answer.needs_trust() {
            approval.judge(answer, strict, &TrustRows::default());
        }
        let fallback = answer.fallback.as_ref();
        if !for_call || !fallback.is_some_and(FallbackConfig::needs_trust) {
            let _ = approval.trust.set(TrustRows::default());
        }
        approval
    }

    fn judge(&self, answer: &Answer, strict: bool, rows: &TrustRows) {
        let url = self.shell.livekit_url.as_deref();
        self.judged
            .get_or_init(|| answer::approve_signing(answer, strict, rows, &self.shell.ring, url));
    }
}

/// Where one call goes, and why. Made by a `Router`.
///
/// >>> route
/// Route(+919513456728 -> india-techiemaya-cloud, source=database)
/// >>> route.url, route.trunk_id, route.worker_name, route.region
/// ('wss://livekit.india.example', 'ST_MmVqEuBMDNf6', 'voag-dev', 'india')
/// >>> route.to.number, route.to.formatted, route.to.country
/// ('+918384012345', '08384012345', 'IN')
/// >>> print(route.explain())
/// +919513456728 of techiemaya-test: config india-techiemaya-cloud...
/// >>> len(route.api_secret)
/// 31
#[pyclass(frozen, module = "lkroute")]
pub struct Route {
    pub resolve_request: answer::ResolveRequest,
    pub answer: Answer,
    approval: Approval,
}

/// A called number.
#[pyclass(frozen, get_all, module = "lkroute")]
pub struct CalledNumber {
    /// As given.
    input: String,
    /// As the carrier wants it.
    formatted: String,
    /// ISO 3166, where it is known.
    country: Option<&'static str>,
    /// E.164, where it could be read.
    number: Option<String>,
}

#[pymethods]
impl CalledNumber {
    fn __repr__(&self) -> String {
        format!(
            "CalledNumber({:?}, formatted={:?})",
            self.input, self.formatted
        )
    }
}

impl From<&Called> for CalledNumber {
    fn from(called: &Called) -> CalledNumber {
        CalledNumber {
            input: called.input.clone(),
            formatted: called.formatted.clone(),
            country: called.country,
            number: called.number.map(|number| number.to_string()),
        }
    }
}

impl Route {
    pub fn new(
        resolve_request: answer::ResolveRequest,
        answer: Answer,
        approval: Approval,
    ) -> Route {
        Route {
            resolve_request,
            answer,
            approval,
        }
    }

    pub fn outcome(&self) -> Result<&Outcome> {
        let outcome = self.answer.resolution.outcome.as_ref();
        outcome.map_err(|error| Error::from(error.clone()))
    }

    fn of<T>(&self, read: impl FnOnce(&Outcome) -> Option<T>) -> Option<T> {
        read(self.answer.resolution.outcome.as_ref().ok()?)
    }

    /// The worker of a config without one.
    pub fn worker(&self) -> &str {
        let worker = self.approval.shell.worker.as_deref();
        worker.unwrap_or(DEFAULT_WORKER)
    }

    /// What a judgement of the fallback needs.
    pub fn trust(&self) -> (&TrustRows, &KeyRing, Option<&str>) {
        let shell = &self.approval.shell;
        let rows = self.approval.trust.get_or_init(TrustRows::default);
        (rows, &shell.ring, shell.livekit_url.as_deref())
    }

    /// The secret, where it opens and may sign.
    pub fn secret(&self) -> Result<&str> {
        match self.approval.judged.get() {
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                return Err(Error {
                    code: Some(match error.exit {
                        Exit::Conflict => "untrusted-server",
                        _ => "plain-text-secret",
                    }),
                    ..error.clone()
                });
            }
            None => {
                let message = "whether a token may be sent to this server was not looked up";
                return Err(Error {
                    code: Some("untrusted-server"),
                    ..Error::new(message)
                });
            }
        }
        match &self.answer.secret {
            Some(secret) => Ok(secret.expose()),
            None => Err(answer::not_opened(&self.answer).into()),
        }
    }
}

const NO_PICKLE: &str = "a Route leads to an API secret, and can't be pickled or copied";

#[pymethods]
impl Route {
    /// The server's URL.
    #[getter]
    fn url(&self) -> Option<String> {
        self.of(|outcome| outcome.route.url.clone())
    }

    #[getter]
    fn api_key(&self) -> Option<String> {
        self.of(|outcome| outcome.route.api_key.clone())
    }

    /// The API secret. It is given here and nowhere else.
    #[getter]
    fn api_secret(&self, py: Python<'_>) -> PyResult<String> {
        guarded(py, || {
            let secret = self.secret().map(str::to_owned);
            secret.map_err(|error| raise(py, &error, Some(&self.answer.resolution.trace)))
        })
    }

    #[getter]
    fn trunk_id(&self) -> Option<String> {
        self.of(|outcome| outcome.route.trunk.value.clone())
    }

    /// `config`, `rules` or `environment`.
    #[getter]
    fn trunk_source(&self) -> Option<&'static str> {
        self.of(|outcome| Some(outcome.route.trunk.source.as_str()))
    }

    #[getter]
    fn worker_name(&self) -> Option<String> {
        self.of(|outcome| outcome.route.worker.value.clone())
    }

    /// `config`, `environment` or `default`.
    #[getter]
    fn worker_source(&self) -> Option<&'static str> {
        self.of(|outcome| Some(outcome.route.worker.source.as_str()))
    }

    /// The deployment of the workers; none means production.
    #[getter]
    fn deployment(&self) -> Option<String> {
        self.of(|outcome| outcome.route.deployment.clone())
    }

    /// `database` or `environment`.
    #[getter]
    fn source(&self) -> Option<&'static str> {
        self.of(|outcome| Some(outcome.route.source.as_str()))
    }

    #[getter]
    fn region(&self) -> Option<String> {
        self.of(|outcome| outcome.route.region.clone())
    }

    #[getter]
    fn config_name(&self) -> Option<String> {
        self.of(|outcome| Some(outcome.route.config.as_ref()?.name.clone()))
    }

    #[getter]
    fn config_id(&self) -> Option<String> {
        self.of(|outcome| Some(outcome.route.config.as_ref()?.id?.to_string()))
    }

    /// The tenant whose number it is.
    #[getter]
    fn tenant(&self) -> Option<String> {
        self.of(|outcome| Some(outcome.tenant.as_ref()?.id.to_string()))
    }

    #[getter]
    fn tenant_alias(&self) -> Option<String> {
        self.of(|outcome| outcome.tenant.as_ref()?.alias.clone())
    }

    /// The carrier's name, of the number's row.
    #[getter]
    fn carrier(&self) -> Option<String> {
        self.of(|outcome| outcome.provider.clone())
    }

    /// The calling number, E.164.
    #[getter(from_number)]
    fn calling_number(&self) -> String {
        self.resolve_request.from.to_string()
    }

    /// The called number, where one was given.
    #[getter]
    fn to(&self) -> Option<CalledNumber> {
        self.of(|outcome| outcome.to.as_ref().map(CalledNumber::from))
    }

    /// The agent asked for, else that of the number.
    #[getter]
    fn agent_id(&self) -> Option<i64> {
        self.answer.agent
    }

    /// The environment that the database is stamped with.
    #[getter]
    fn environment(&self) -> Option<String> {
        self.answer.resolution.query.environment.clone()
    }

    /// What there is to warn of: a server that nobody approved, a secret
    /// stored as plain text.
    #[getter]
    fn warnings(&self) -> Vec<String> {
        match self.approval.judged.get() {
            Some(Ok(warnings)) => warnings.iter().map(|text| visible(text)).collect(),
            _ => Vec::new(),
        }
    }

    /// The steps that led here: step, outcome and detail of each.
    #[getter]
    fn trace(&self) -> Vec<(&'static str, &'static str, String)> {
        steps_of(&self.answer.resolution.trace).collect()
    }

    /// The text that `lkroute resolve --explain` prints, for so many columns.
    #[pyo3(signature = (width=80))]
    fn explain(&self, py: Python<'_>, width: usize) -> PyResult<String> {
        guarded(py, || {
            let text = explain::text(&self.answer.resolution, true, width);
            Ok(plain(&text))
        })
    }

    /// The JSON that `lkroute resolve --format json` prints.
    fn report(&self, py: Python<'_>) -> PyResult<String> {
        guarded(py, || {
            let report = Report::from(&self.answer.resolution);
            let text = serde_json::to_string(&report);
            text.map_err(|error| misused(py, "internal", error.to_string()))
        })
    }

    /// Whether [`Route::judge`] is needed before the secret is given.
    #[getter]
    fn needs_trust(&self) -> bool {
        self.approval.judged.get().is_none() || self.approval.trust.get().is_none()
    }

    /// Judges whether a token may be sent, by what the database says of it.
    fn judge(&self, py: Python<'_>, document: &str) -> PyResult<()> {
        guarded(py, || {
            let rows = trust_rows(py, document)?;
            let strict = self.resolve_request.strict;
            self.approval.judge(&self.answer, strict, &rows);
            let _ = self.approval.trust.set(rows);
            Ok(())
        })
    }

    /// The request for a call along this route: what `lkroute dispatch` sends.
    /// `metadata` are further keys for the worker, a dict.
    ///
    /// >>> request = route.call(agent_id=33, metadata={"tries": 3})
    /// >>> request.worker, request.formatted
    /// ('voag-dev', '08384012345')
    /// >>> request.room
    /// 'call-...'
    #[pyo3(signature = (*, agent_id=None, voice_id=None, context=None, initiated_by=None,
                        call_log_id=None, metadata=None, worker=None))]
    #[expect(clippy::too_many_arguments, reason = "Python's keywords")]
    fn call(
        &self,
        py: Python<'_>,
        agent_id: Option<i64>,
        voice_id: Option<String>,
        context: Option<String>,
        initiated_by: Option<&Bound<'_, PyAny>>,
        call_log_id: Option<&Bound<'_, PyAny>>,
        metadata: Option<&Bound<'_, PyAny>>,
        worker: Option<String>,
    ) -> PyResult<CallRequest> {
        let asking = match &self.resolve_request.tenant {
            TenantSelector::User(user) => Some(*user),
            _ => None,
        };
        let initiated_by = initiated_by.map(|user| read_id(py, "initiated_by", user));
        let call_log_id = call_log_id.map(|id| read_id(py, "call_log_id", id));
        let metadata = metadata.map(|metadata| read_metadata(py, metadata));
        let options = CallOptions {
            agent_id,
            voice_id,
            context,
            initiated_by: initiated_by.transpose()?.or(asking),
            call_log_id: call_log_id.transpose()?,
            extra: metadata.transpose()?.unwrap_or_default(),
            worker: worker.as_deref().map(in_nfc),
        };
        guarded(py, || make_call(py, self, options))
    }

    fn __repr__(&self) -> String {
        let config = self.config_name();
        format!(
            "Route({} -> {}, source={})",
            self.resolve_request.from,
            visible(config.as_deref().unwrap_or("environment")),
            self.source().unwrap_or_default()
        )
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(NO_PICKLE))
    }

    fn __copy__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(NO_PICKLE))
    }

    #[pyo3(signature = (_memo=None))]
    fn __deepcopy__(&self, _memo: Option<Py<PyAny>>) -> PyResult<()> {
        Err(PyTypeError::new_err(NO_PICKLE))
    }
}

/// Without colours; texts of others hold no escapes.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        out.push_str(before);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    out + rest
}
