//! lkroute's errors as exceptions of `lkroute.errors`, and a panic as one too.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};

use lkroute::error::Error;
use lkroute::resolve::{ResolveError, Trace};
use pyo3::prelude::*;

/// An exception by its code; `trace` as far as there is one.
pub fn raise(py: Python<'_>, error: &Error, trace: Option<&Trace>) -> PyErr {
    let steps: Vec<_> = trace.into_iter().flat_map(steps_of).collect();
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

/// Step, outcome and detail of each, for people: what others wrote is in there.
pub fn steps_of(trace: &Trace) -> impl Iterator<Item = (&'static str, &'static str, String)> {
    let steps = trace.iter();
    steps.map(|step| {
        let detail = visible(&step.detail);
        (step.topic.as_str(), step.verdict.as_str(), detail)
    })
}

pub fn raise_unresolved(py: Python<'_>, error: &ResolveError, trace: &Trace) -> PyErr {
    raise(py, &Error::from(error.clone()), Some(trace))
}

thread_local! {
    /// Where the last panic of this thread was.
    static PANICKED_AT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A panic of this module writes nothing to the service's stderr: its message may
/// hold anything. Of where it was [`guarded`] tells.
pub fn keep_panics_quiet() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        PANICKED_AT.with(|kept| *kept.borrow_mut() = place);
    }));
}

/// All that Python calls goes through here: a panic becomes
/// `lkroute.InternalError`, which says where it was and nothing else.
pub fn guarded<T>(py: Python<'_>, work: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    let done = catch_unwind(AssertUnwindSafe(|| {
        crate::hook::panic_if_armed();
        work()
    }));
    done.unwrap_or_else(|_| {
        let place = PANICKED_AT.with(|kept| kept.borrow_mut().take());
        let place = place.unwrap_or_else(|| "somewhere".to_owned());
        let error = Error {
            code: Some("internal"),
            ..Error::new(format!(
                "lkroute failed in a way that is a bug of it, at {place}"
            ))
        };
        Err(raise(py, &error.hint("please report it"), None))
    })
}

/// The same, and other threads run meanwhile.
pub fn detached<T: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, Error> + Send,
) -> PyResult<T> {
    let done = guarded(py, || Ok(py.detach(work)))?;
    done.map_err(|error| raise(py, &error, None))
}

/// What others wrote, for a log: on one line, with everything to be seen, and
/// without the user and password of a URL.
#[pyfunction]
pub fn visible(text: &str) -> String {
    lkroute::invisible_chars::visible(text)
}

/// An error of how the package is called.
pub fn misused(py: Python<'_>, code: &'static str, message: impl Into<String>) -> PyErr {
    let error = Error {
        code: Some(code),
        ..Error::new(message)
    };
    raise(py, &error, None)
}
