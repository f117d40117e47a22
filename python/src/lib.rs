//! lkroute's resolver as a Python module: what the command decides, decided by
//! the same code. Names the core, `answer` and `explain` of the crate.
//!
//! It touches no file, no network and no variable: Python reads with what the
//! service has, and hands over texts. A panic in here is an exception.

#![allow(
    unreachable_pub,
    reason = "what #[pymodule_export] names has to be public"
)]

mod hook;
mod mailbox;
mod memo;
mod placing;
mod question;
mod raise;
mod request;
mod route;
mod tables;
mod variables;

use pyo3::prelude::*;

#[pymodule]
mod _core {
    use pyo3::prelude::*;

    #[cfg(feature = "test-panic")]
    #[pymodule_export]
    use super::hook::_panic_next;
    #[pymodule_export]
    use super::placing::{Placing, actor, place_call, repeated, statement_of_key};
    #[pymodule_export]
    use super::question::{Keys, Question, failed, resolve};
    #[pymodule_export]
    use super::raise::visible;
    #[pymodule_export]
    use super::request::CallRequest;
    #[pymodule_export]
    use super::route::{CalledNumber, Route};
    #[pymodule_export]
    use super::tables::{Tables, postgres_inspection, sqlite_inspection};
    #[pymodule_export]
    use super::variables::{Environ, Variables};

    #[pymodule_init]
    fn init(_module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::raise::keep_panics_quiet();
        Ok(())
    }
}
