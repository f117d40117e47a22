//! lkroute's errors as exceptions of `lkroute.errors`, and a panic as one too.

use std::panic::{AssertUnwindSafe, catch_unwind};

use lkroute::error::Error;
use lkroute::resolve::{ResolveError, Trace};
use pyo3::prelude::*;

/// An exception by its code; `trace` as far as there is one.
pub fn raise(py: Python<'_>, error: &Error, trace: Option<&Trace>) -> PyErr {
    let steps: Vec<(&str, &str, &str)> = trace
        .into_iter()
        .flat_map(Trace::iter)
        .map(|step| {
            (
                step.topic.as_str(),
                step.verdict.as_str(),
                step.detail.as_str(),
            )
        })
        .collect();
    let made = py.import("lkroute.errors").and_then(|errors| {
        let values = (
            error.code,
            error.exit as u8,
            &error.message,
            &error.hint,
            steps,
        );
        errors.getattr("make_error")?.call1(values)
    });
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(broken) => broken,
    }
}

pub fn raise_unresolved(py: Python<'_>, error: &ResolveError, trace: &Trace) -> PyErr {
    raise(py, &Error::from(error.clone()), Some(trace))
}

/// Other threads run meanwhile; a panic becomes `lkroute.InternalError`.
pub fn detached<T: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, Error> + Send,
) -> PyResult<T> {
    let done = py.detach(|| catch_unwind(AssertUnwindSafe(work)));
    match done {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(raise(py, &error, None)),
        Err(_) => {
            let error = Error {
                code: Some("internal"),
                ..Error::new("lkroute's resolver failed in a way that is a bug of it")
            };
            Err(raise(py, &error.hint("please report it"), None))
        }
    }
}

/// An error of how the package is called.
pub fn misused(py: Python<'_>, code: &'static str, message: impl Into<String>) -> PyErr {
    let error = Error {
        code: Some(code),
        ..Error::new(message)
    };
    raise(py, &error, None)
}
