//! What `dispatch` sends for a call: room, worker and metadata.

use lkroute::answer::draw_ids;
use lkroute::dispatch::{CallOptions, Extra, Request, read_extra};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use uuid::Uuid;

use crate::question::read_uuid;
use crate::raise::{misused, raise};
use crate::route::Route;

/// All that is sent for one call; its ids are drawn anew for each.
#[pyclass(frozen, module = "lkroute")]
pub struct CallRequest {
    pub request: Request,
    pub options: CallOptions,
}

#[pymethods]
impl CallRequest {
    /// The room's name, hard to guess.
    #[getter]
    fn room(&self) -> &str {
        &self.request.room
    }

    /// The agent name that the worker is registered under.
    #[getter]
    fn worker(&self) -> &str {
        &self.request.worker
    }

    /// The deployment of the workers; none means production.
    #[getter]
    fn deployment(&self) -> Option<&str> {
        self.request.deployment.as_deref()
    }

    /// The JSON that the worker reads, to the byte as it is sent.
    #[getter]
    fn metadata(&self) -> &str {
        &self.request.metadata
    }

    #[getter]
    fn job_id(&self) -> String {
        self.request.ids.job.to_string()
    }

    #[getter]
    fn call_log_id(&self) -> String {
        self.request.call_log_id.to_string()
    }

    #[getter]
    fn trunk_id(&self) -> &str {
        &self.request.trunk
    }

    #[getter]
    fn url(&self) -> &str {
        &self.request.url
    }

    /// The calling number, E.164.
    #[getter(from_number)]
    fn calling_number(&self) -> String {
        self.request.from.to_string()
    }

    /// The called number as the carrier wants it.
    #[getter]
    fn formatted(&self) -> &str {
        &self.request.formatted
    }

    fn __repr__(&self) -> String {
        format!(
            "CallRequest(room={:?}, worker={:?})",
            self.request.room, self.request.worker
        )
    }
}

/// The request for a call along this route.
pub fn make_call(py: Python<'_>, route: &Route, options: CallOptions) -> PyResult<CallRequest> {
    let request = route.outcome().and_then(|outcome| {
        let agent = route.answer.agent;
        let from = route.resolve_request.from;
        Request::new(from, outcome, &options, agent, draw_ids())
    });
    request
        .map(|request| CallRequest { request, options })
        .map_err(|error| raise(py, &error, Some(&route.answer.resolution.trace)))
}

/// Further keys of the metadata: a dict, or anything else that is JSON.
pub fn read_metadata(py: Python<'_>, metadata: &Bound<'_, PyAny>) -> PyResult<Extra> {
    let metadata = if metadata.hasattr("keys")? {
        py.get_type::<PyDict>().call1((metadata,))?
    } else {
        metadata.clone()
    };
    let text = py.import("json")?.call_method1("dumps", (metadata,));
    let text: String = match text {
        Err(error) if error.is_instance_of::<PyException>(py) => {
            // A value that is no JSON, or too deep.
            return Err(misused(
                py,
                "usage",
                format!("metadata: {}", error.value(py)),
            ));
        }
        text => text?.extract()?,
    };
    if !text.starts_with('{') {
        return Err(misused(py, "usage", "metadata: say a dict"));
    }
    read_extra(&text).map_err(|error| misused(py, "usage", format!("metadata: {error}")))
}

/// A uuid, or its text.
pub fn read_id(py: Python<'_>, name: &str, value: &Bound<'_, PyAny>) -> PyResult<Uuid> {
    read_uuid(py, name, value.str()?.to_str()?)
}
