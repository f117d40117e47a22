//! One question, and its answer by what was looked up.

use std::sync::Arc;

use lkroute::answer::{self, Answer, OpenedLookUp, TenantSelector};
use lkroute::error::Error;
use lkroute::invisible_chars::in_nfc;
use lkroute::lookup::{LookUp, LookedUp, TrustRows};
use lkroute::phone::E164;
use lkroute::secrets::{KeyRing, Secret};
use pyo3::prelude::*;
use uuid::Uuid;

use crate::memo::{Memo, ReadDocument};
use crate::raise::{detached, guarded, misused, raise, raise_unresolved};
use crate::route::{Approval, Route, Shell};
use crate::tables::{Kind, Tables};
use crate::variables::Variables;

/// What is asked of one call.
#[pyclass(frozen, module = "lkroute._core")]
pub struct Question {
    pub asked: answer::ResolveRequest,
    /// A call is to be placed by the answer.
    for_call: bool,
}

#[pymethods]
impl Question {
    #[new]
    #[pyo3(signature = (from_number, *, tenant=None, initiated_by=None, to=None, agent_id=None,
                        strict=false, environment=None, for_call=false))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        from_number: &str,
        tenant: Option<String>,
        initiated_by: Option<&str>,
        to: Option<String>,
        agent_id: Option<i64>,
        strict: bool,
        environment: Option<String>,
        for_call: bool,
    ) -> PyResult<Question> {
        guarded(py, || {
            let from = E164::parse(from_number).map_err(|error| {
                let guess = error.guess();
                let guess = guess.map(|guess| format!(": did you mean {guess}?"));
                let message = format!("the calling number: {error}{}", guess.unwrap_or_default());
                misused(py, "bad-number", message)
            })?;
            let tenant = match (tenant, initiated_by) {
                (Some(_), Some(_)) => {
                    let message = "say tenant or initiated_by, not both";
                    return Err(misused(py, "usage", message));
                }
                // PostgreSQL has no text with one.
                (Some(tenant), None) if tenant.contains('\0') => {
                    return Err(misused(py, "usage", "tenant: no name holds a NUL"));
                }
                (Some(tenant), None) => TenantSelector::Tenant(in_nfc(&tenant)),
                (None, Some(user)) => TenantSelector::User(read_uuid(py, "initiated_by", user)?),
                (None, None) => TenantSelector::Any,
            };
            Ok(Question {
                asked: answer::ResolveRequest {
                    from,
                    tenant,
                    to,
                    agent: agent_id,
                    strict,
                    environment: environment.as_deref().map(in_nfc),
                },
                for_call,
            })
        })
    }

    /// The values of the statement, in their order.
    fn values(&self, py: Python<'_>, tables: &Tables) -> PyResult<[Option<String>; 4]> {
        guarded(py, || {
            let asked = self.asked.look_up();
            Ok(match tables.kind {
                Kind::Postgres(_) => asked.postgres_values(),
                Kind::Sqlite(_) => asked.sqlite_values(),
            })
        })
    }
}

pub fn read_uuid(py: Python<'_>, name: &str, text: &str) -> PyResult<Uuid> {
    let id = Uuid::parse_str(text);
    id.map_err(|_| misused(py, "usage", format!("{name} is no uuid: {text}")))
}

/// What opens secrets, and what was opened last.
#[pyclass(frozen, module = "lkroute._core")]
pub struct Keys {
    ring: Arc<KeyRing>,
    memo: Memo,
}

#[pymethods]
impl Keys {
    /// `ring` with the name of where it comes from; the texts of the variables
    /// of Fernet keys.
    #[new]
    #[pyo3(signature = (ring=None, fernet_keys=None, fernet=None))]
    fn new(
        py: Python<'_>,
        ring: Option<(String, String)>,
        fernet_keys: Option<String>,
        fernet: Option<String>,
    ) -> PyResult<Keys> {
        guarded(py, || {
            let ring = ring.map(|(from, text)| (from, Secret::new(text)));
            let ring = KeyRing::of_texts(
                ring.as_ref().map(|(from, text)| (from.as_str(), text)),
                fernet_keys.map(Secret::new).as_ref(),
                fernet.map(Secret::new).as_ref(),
            );
            let ring = ring.map_err(|error| raise(py, &coded(error, "keys"), None))?;
            Ok(Keys {
                ring: Arc::new(ring),
                memo: Memo::default(),
            })
        })
    }
}

/// Where the call goes. `found` is what the look-up gave, with its tables;
/// none where nothing was asked, as the flag is off. None is returned where
/// the tables have changed, or may have, and have to be inspected again.
#[pyfunction]
pub fn resolve(
    py: Python<'_>,
    question: &Question,
    found: Option<(PyRef<'_, Tables>, &str)>,
    variables: &Variables,
    keys: &Keys,
) -> PyResult<Option<Route>> {
    let asked = &question.asked;
    let tables = found.as_ref().map(|(tables, _)| &**tables);
    let document = found.as_ref().map(|(_, document)| *document);
    let for_call = question.for_call;
    let done = detached(py, move || {
        let (read, nothing);
        let found = match (tables, document) {
            (Some(tables), Some(document)) => match read_found(asked, tables, document, keys) {
                Ok(document) => {
                    read = document;
                    &read.found
                }
                Err(NotRead::Outdated) => return Ok(Done::Outdated),
                Err(NotRead::Refused(error)) => return Ok(Done::Refused(error)),
                Err(NotRead::Failed(error)) => return Err(error),
            },
            _ => {
                nothing = OpenedLookUp::new(LookedUp::default(), &keys.ring);
                &nothing
            }
        };
        let secret = variables.secret.clone();
        let answer = answer::answer(found, asked, &variables.env, secret);
        let answer = answer.map_err(|error| coded(error, "unknown-tenant"))?;
        let shell = variables.env.shell();
        let shell = Shell {
            ring: keys.ring.clone(),
            livekit_url: variables.livekit_url.clone(),
            worker: shell.and_then(|shell| shell.worker.clone()),
        };
        let approval = Approval::new(&answer, asked.strict, for_call, shell);
        Ok(Done::Answered(Box::new((answer, approval))))
    })?;
    let (answer, approval) = match done {
        Done::Answered(answered) => *answered,
        Done::Outdated => return Ok(None),
        Done::Refused(error) => {
            let trace = answer::failed(asked, &error).trace;
            return Err(raise(py, &error, Some(&trace)));
        }
    };
    match &answer.resolution.outcome {
        Ok(_) => Ok(Some(Route::new(asked.clone(), answer, approval))),
        Err(error) => Err(raise_unresolved(py, error, &answer.resolution.trace)),
    }
}

/// What came of a question.
enum Done {
    Answered(Box<(Answer, Approval)>),
    Outdated,
    Refused(Error),
}

/// Why a document is not used.
enum NotRead {
    /// The tables have to be inspected again.
    Outdated,
    /// It may not be all, or is what a newer lkroute wrote.
    Refused(Error),
    Failed(Error),
}

fn read_found(
    asked: &answer::ResolveRequest,
    tables: &Tables,
    document: &str,
    keys: &Keys,
) -> Result<Arc<ReadDocument>, NotRead> {
    let was_used = tables.note_use();
    if tables.are_users_denied() && matches!(asked.tenant, TenantSelector::User(_)) {
        if was_used {
            return Err(NotRead::Outdated);
        }
        let error =
            Error::new("the table users can't be read: it takes SELECT on its id and tenant_id");
        let hint = "GRANT it to the role of this connection, or say tenant";
        return Err(NotRead::Failed(error.hint(hint)));
    }
    let has_users = tables.has_users();
    let read = |look_up: &LookUp| {
        let found = LookedUp::read(document, look_up, has_users).map_err(|error| {
            NotRead::Failed(Error {
                code: Some("lookup-failed"),
                ..Error::new(format!("the database gave an unexpected value: {error}"))
            })
        })?;
        if found.is_outdated() {
            return Err(NotRead::Outdated);
        }
        let complete = found.check(tables.schema());
        complete.map_err(NotRead::Refused)?;
        Ok(OpenedLookUp::new(found, &keys.ring))
    };
    let memo = &keys.memo;
    let found = memo.get_or_read(asked.look_up(), has_users, document, read)?;
    answer::check_environment(asked.environment.as_deref(), found.found.environment())
        .map_err(NotRead::Failed)?;
    Ok(found)
}

fn coded(error: Error, code: &'static str) -> Error {
    Error {
        code: error.code.or(Some(code)),
        ..error
    }
}

/// The exception of a look-up that failed; its trace says what today's service
/// would have done.
#[pyfunction]
#[pyo3(signature = (question, message, hint=None))]
pub fn failed(py: Python<'_>, question: &Question, message: &str, hint: Option<String>) -> PyErr {
    let made = guarded(py, || {
        let error = Error::new(message);
        let error = match hint {
            Some(hint) => error.hint(hint),
            None => error,
        };
        let resolution = answer::failed(&question.asked, &error);
        Ok(match &resolution.outcome {
            Err(error) => raise_unresolved(py, error, &resolution.trace),
            Ok(_) => misused(py, "internal", "a failure that is none"),
        })
    });
    made.unwrap_or_else(|broken| broken)
}

/// Reads what the statement about trust gave.
pub fn trust_rows(py: Python<'_>, document: &str) -> PyResult<TrustRows> {
    TrustRows::read(document).map_err(|error| misused(py, "lookup-failed", error))
}
